"""Open a blob, however it is compressed, as a stream of bounded chunks.

What it is follows from its first bytes (RFC 1952, RFC 8878, the xz and bzip2 formats), not from
what somebody called it. Every format may be several streams one after the other: pigz, eStargz
and ``cat a.gz b.gz`` write them, and zeros may follow the last one. Anything else that follows is
an error: the gzip program ignores it with a warning, but Go does not, so no image that docker can
run has it, and in a damaged file it is the rest of the data.
"""

import bz2
import lzma
import zlib
from collections import namedtuple

from udocker.errors import CorruptData, UnsafeLayer
from udocker.host.tree import naming
from udocker.host.zstd import zstd_chunks

#: Bytes of a chunk handed on, at most: large enough that handing on costs nothing.
CHUNK = 1 << 20
#: Compressed bytes read at a time; at the usual three to one they make a chunk.
READ = 256 * 1024
#: Memory for a decoder of xz: ``xz -9`` needs 65 MiB, and nobody is asked for more.
XZ_MEMORY = 128 << 20


class Limits(namedtuple("Limits", "size ratio allowance members")):
    """How much a layer may unpack to.

    size (int): bytes, in all. ratio (int): times its compressed bytes so far, once it is past
    allowance (int, bytes). members (int): entries of the archive.
    """

    __slots__ = ()


#: size: as much as a descriptor may announce, a terabyte. ratio: real layers stay under 20, text
#: and logs reach 100, deflate at most 1032, so this tells bombs from files. allowance: preallocated
#: data bases are zeros, and one GiB hurts no machine. members: ten times the largest image known.
DEFAULT_LIMITS = Limits(1 << 40, 200, 1 << 30, 5000000)


class Blob(object):
    """Iterate over the uncompressed bytes of ``stream`` (a binary file, read once, never sought).

    consumed (int): compressed bytes read so far. CorruptData where the data are damaged or end
    early, UnsafeLayer past ``limits``, HostError where nothing here can decompress them.
    """

    def __init__(self, stream, limits=DEFAULT_LIMITS):
        self.consumed = 0
        self._stream = stream
        self._limits = limits

    def __iter__(self):
        size, allowance = 0, self._limits.allowance
        for chunk in self._decoded():
            size += len(chunk)
            if size > self._limits.size:
                raise UnsafeLayer("unpacks to more than %d bytes" % self._limits.size)
            if size > allowance and size > self.consumed * self._limits.ratio:
                raise UnsafeLayer("unpacks to more than %d times its size" % self._limits.ratio,
                                  "it looks like a bomb: a few bytes that fill a disk")
            yield chunk

    def _read(self, size=READ):
        with naming(getattr(self._stream, "name", None)):
            data = self._stream.read(size)
        self.consumed += len(data)
        return data

    def _decoded(self):
        first = self._read()
        while 0 < len(first) < 6:
            more = self._read()
            if not more:
                break
            first += more
        if not first:
            raise CorruptData("is empty")
        if first.startswith(b"\x1f\x8b"):
            return _members(_Gzip, self._read, first, "gzip", zlib.error)
        if first.startswith(b"\xfd7zXZ\0"):
            return _members(lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, XZ_MEMORY),
                            self._read, first, "xz", lzma.LZMAError)
        if first.startswith(b"BZh"):
            return _members(bz2.BZ2Decompressor, self._read, first, "bzip2",
                            OSError, ValueError)
        if first.startswith(b"\x28\xb5\x2f\xfd") or (first[1:4] == b"\x2a\x4d\x18"
                                                     and first[0] & 0xf0 == 0x50):
            return zstd_chunks(_members, self._read, first, CHUNK)
        return self._plain(first)

    def _plain(self, data):
        while data:
            yield data
            data = self._read(CHUNK)


class _Gzip(object):
    """zlib's decompressor with the interface of the others."""

    def __init__(self):
        self._zlib = zlib.decompressobj(zlib.MAX_WBITS | 16)  # with gzip's header and checksum

    def decompress(self, data, max_length):
        return self._zlib.decompress(self._zlib.unconsumed_tail or data, max_length)

    @property
    def eof(self):
        return self._zlib.eof

    @property
    def needs_input(self):
        return not self._zlib.unconsumed_tail

    @property
    def unused_data(self):
        return self._zlib.unused_data


def _members(make, read, data, name, *errors):
    """Yield the content of the compressed streams that ``data`` and what ``read()`` gives make up.

    make: a function that returns a new decompressor, with the interface of bz2's. errors: the
    exceptions that it has of its own.
    """
    decoder, ready, size = make(), [], 0
    at, step = 0, READ
    while True:
        try:
            if decoder.needs_input:
                # after the end of a stream in small steps, as the rest of each is copied then
                piece = data[at:at + step] if at or step < len(data) else data
                at += len(piece)
                out = decoder.decompress(piece, CHUNK)
            else:
                out = decoder.decompress(b"", CHUNK)
        except errors as error:
            raise CorruptData("damaged %s data: %s" % (name, error)) from error
        if out:
            ready.append(out)
            size += len(out)
            if size >= CHUNK // 2:
                yield ready[0] if len(ready) == 1 else b"".join(ready)
                ready, size = [], 0
        if decoder.eof:
            at -= len(decoder.unused_data)
            while at == len(data) or not data[at]:  # zeros may follow
                data, at = data[at:].lstrip(b"\0"), 0
                if not data:
                    data = read()
                    if not data:
                        if ready:
                            yield b"".join(ready)
                        return
            decoder, step = make(), 4096
        elif at == len(data) and decoder.needs_input:
            data, at = read(), 0
            step = min(step * 2, READ)
            if not data:
                raise CorruptData("%s data end early" % name)
        else:
            step = min(step * 2, READ)
