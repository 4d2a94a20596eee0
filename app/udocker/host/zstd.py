"""Zstandard, for which Python has a decoder only from 3.14: whatever there is on this machine."""

import shutil
import subprocess
import threading

from udocker.errors import CorruptData, HostError
from udocker.host.tree import naming

#: Modules with the interface of bz2's decompressor: of the standard library, and its backport.
_MODULES = ("compression.zstd", "backports.zstd")
#: The program's own limit for a window is 128 MiB, which ``zstd --ultra -22`` needs exactly.
_OPTIONS = ("-dcq", "--memory=128MB")


def zstd_chunks(members, read, first, size):
    """Return an iterator over the content of the zstd data ``first`` and what ``read()`` gives.

    members: the function that does this with a decompressor like bz2's; size (int): of a chunk.
    """
    for name in _MODULES:
        try:
            module = __import__(name, fromlist=["ZstdDecompressor"])
        except ImportError:
            continue
        return members(module.ZstdDecompressor, read, first, "zstd", module.ZstdError)
    program = shutil.which("zstd")
    if program:
        return _by_program(program, read, first, size)
    try:
        import zstandard
    except ImportError:
        raise HostError("is compressed with zstd, and nothing here can decompress that",
                        "install the zstd program, or the module zstandard for this Python")
    return _by_package(zstandard, read, first, size)


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


def _by_program(program, read, first, size):
    with naming(program):
        process = subprocess.Popen((program,) + _OPTIONS, stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    trouble = []

    def feed():
        data = first
        try:
            while data:
                process.stdin.write(data)
                data = read()
        except BrokenPipeError:
            pass  # the program will say why
        except Exception as error:  # of the read: it belongs to the other thread
            trouble.append(error)
        finally:
            try:
                process.stdin.close()
            except OSError:
                pass

    feeder = threading.Thread(target=feed, name="zstd")
    feeder.daemon = True
    feeder.start()
    try:
        while True:
            chunk = process.stdout.read(size)
            if not chunk:
                break
            yield chunk
        said = process.stderr.read(4096).decode("utf-8", "replace").strip()
        status = process.wait()
        feeder.join()
        if trouble:
            raise trouble[0]
        if status:
            raise CorruptData("damaged zstd data: %s" % (said.splitlines() or ["no reason"])[-1])
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
        process.stderr.close()
