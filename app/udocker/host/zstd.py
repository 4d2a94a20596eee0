"""Zstandard, for which Python has a decoder only from 3.14: whatever there is on this machine."""

import shutil

from udocker.errors import CorruptData, HostError
from udocker.host.decoder import Failed

#: Modules with the interface of bz2's decompressor: of the standard library, and its backport.
_MODULES = ("compression.zstd", "backports.zstd")
#: The program's own limit for a window is 128 MiB, which ``zstd --ultra -22`` needs exactly.
_OPTIONS = ("-dcq", "--memory=128MB")


def zstd_chunks(members, read, first, size, program, run):
    """Return an iterator over the content of the zstd data ``first`` and what ``read()`` gives.

    members: the function that does this with a decompressor like bz2's; size (int): of a chunk.
    program (str or None): one of udocker's own, ``program -dc``. run: a function that takes a
    command line and returns an iterator over what that makes of the data, or raises Failed.
    """
    for name in _MODULES:
        try:
            module = __import__(name, fromlist=["ZstdDecompressor"])
        except ImportError:
            continue
        return members(module.ZstdDecompressor, read, first, "zstd", module.ZstdError)
    found = shutil.which("zstd")
    for argv in ([(program, "-dc")] if program else []) + ([(found,) + _OPTIONS] if found else []):
        try:
            return _by_program(run(argv))
        except Failed:
            continue  # it cannot be started
    try:
        import zstandard
    except ImportError:
        raise HostError("is compressed with zstd, and nothing here can decompress that",
                        "'udocker install' installs what can; so do the zstd program, and the "
                        "module zstandard for this Python")
    return _by_package(zstandard, read, first, size)


def _by_program(chunks):
    try:
        for chunk in chunks:
            yield chunk
    except Failed as failure:
        raise CorruptData("damaged zstd data: %s" % failure)


def _by_package(zstandard, read, first, size):
    # It does not say when a frame ends early: the archive inside or its digest will. Hence last.
    source = _Source(read, first)
    decoder = zstandard.ZstdDecompressor(max_window_size=128 << 20)
    with decoder.stream_reader(source, read_size=len(first), read_across_frames=True) as reader:
        while True:
            try:
                chunk = reader.read(size)
            except zstandard.ZstdError as error:
                raise CorruptData("damaged zstd data: %s" % error) from error
            if not chunk:
                return
            yield chunk


class _Source(object):
    def __init__(self, read, first):
        self._read, self._first = read, first

    def read(self, size=-1):
        first, self._first = self._first, b""
        return first or self._read()
