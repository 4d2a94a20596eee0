"""Open a blob, however it is compressed, as a stream of bounded chunks.

What it is follows from its first bytes (RFC 1952, RFC 8878, the xz and bzip2 formats), not from
what somebody called it. Every format may be several streams one after the other: pigz, eStargz
and ``cat a.gz b.gz`` write them, and zeros may follow the last one. Anything else that follows is
an error: the gzip program ignores it with a warning, but Go does not, so no image that docker can
run has it, and in a damaged file it is the rest of the data.
"""

import bz2
import io
import lzma
import os
import stat
import zlib
from collections import namedtuple

from udocker.errors import CorruptData, UnsafeLayer
from udocker.host.decoder import Decoder, Failed
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


#: Programs of udocker's own that decompress: gzip and zstd (str, path, or None). Each reads
#: standard input to its end when called with ``-dc``, fails on damaged data, and writes nothing else.
Decoders = namedtuple("Decoders", "gzip zstd")
NO_DECODERS = Decoders(None, None)

#: Compressed bytes from which on a program that inflates faster makes up for its start: measured,
#: that is at 0.6 MiB, and importing what starts it takes some milliseconds once.
WORTH_A_PROGRAM = 1 << 20


class Blob(object):
    """Iterate over the uncompressed bytes of ``stream`` (a binary file, read once, never sought).

    consumed (int): compressed bytes read so far. CorruptData where the data are damaged or end
    early, UnsafeLayer past ``limits``, HostError where nothing here can decompress them.
    """

    def __init__(self, stream, limits=DEFAULT_LIMITS, decoders=NO_DECODERS):
        self.consumed = 0
        self._stream = stream
        self._limits = limits
        self._decoders = decoders
        self._decoder = None
        self._is_given_up = False

    def give_up(self):
        """End a program that decompresses, from another thread; no more is wanted."""
        self._is_given_up = True
        if self._decoder is not None:
            self._decoder.kill()

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
            own = _members(_Gzip, self._read, first, "gzip", zlib.error)
            return self._gunzipped(first, own) if self._decoders.gzip else own
        if first.startswith(b"\xfd7zXZ\0"):
            return _members(lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, XZ_MEMORY),
                            self._read, first, "xz", lzma.LZMAError)
        if first.startswith(b"BZh"):
            return _members(bz2.BZ2Decompressor, self._read, first, "bzip2",
                            OSError, ValueError)
        if first.startswith(b"\x28\xb5\x2f\xfd") or (first[1:4] == b"\x2a\x4d\x18"
                                                     and first[0] & 0xf0 == 0x50):
            return zstd_chunks(_members, self._read, first, CHUNK, self._decoders.zstd,
                               lambda argv: self._run(argv, first))
        return self._plain(first)

    def _gunzipped(self, first, own):
        """What a program makes of it; where that is in doubt, Python's ``own`` has the last word."""
        passed, consumed = 0, self.consumed
        if self._file_size() >= WORTH_A_PROGRAM:
            try:
                for chunk in self._run((self._decoders.gzip, "-dc"), first):
                    passed += len(chunk)
                    yield chunk
                if self._is_single_member(passed):
                    return
            except Failed:
                pass
            if self._is_given_up:
                return
            self.consumed = consumed
        for chunk in own:
            if passed < len(chunk):
                yield chunk[passed:]
            passed = max(0, passed - len(chunk))

    def _run(self, argv, first):
        """Return an iterator over what the program ``argv`` makes of the data; Failed."""
        source = self._reopened()
        try:
            decoder = Decoder(argv, source, self._fed(first) if source is None else None)
        except Failed:
            if source is not None:
                os.close(source)
            raise
        self._decoder = decoder
        if self._is_given_up:
            decoder.kill()
        return self._through(decoder, source)

    def _through(self, decoder, source):
        try:
            for chunk in decoder.chunks(CHUNK):
                if source is not None:
                    # the program reads from the same open file, so its position is ours
                    self.consumed = os.lseek(source, 0, os.SEEK_CUR)
                yield chunk
        finally:
            self._decoder = None
            decoder.close()
            if source is not None:
                os.close(source)

    def _fed(self, data):
        while data:
            yield data
            data = self._read()

    def _is_file(self):
        return isinstance(getattr(self._stream, "raw", None), io.FileIO) \
            and stat.S_ISREG(os.fstat(self._stream.fileno()).st_mode) \
            and self._stream.tell() == self.consumed

    def _file_size(self):
        return os.fstat(self._stream.fileno()).st_size if self._is_file() else 0

    def _is_single_member(self, size):
        """Whether the file is one gzip member of ``size`` bytes: it ends with its size (RFC 1952).

        Of several, igzip leaves out, without a word, those after padding, and garbage.
        """
        fd = self._stream.fileno()
        return os.pread(fd, 4, os.fstat(fd).st_size - 4) == (size & 0xffffffff).to_bytes(4, "little")

    def _reopened(self):
        """Return a descriptor of the data with a position of its own, None if they are no file."""
        if not self._is_file():
            return None
        try:
            return os.open("/proc/self/fd/%d" % self._stream.fileno(), os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return None  # without /proc they can be handed over all the same

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
