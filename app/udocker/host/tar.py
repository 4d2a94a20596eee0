"""Read a tar stream: v7, ustar, GNU and pax, as layers come in all of them.

Formats: POSIX.1-2008 pax ("ustar Interchange Format", "pax Header Block"), and the GNU tar manual
("Basic Tar Format", "Storing Sparse Files"). Why not ``tarfile``: it takes three times as long,
and for us it is what stands between the network and the disk (docs/adr/0003-layers.md).

Names and link targets are bytes, as they are: what encoding a layer uses is not for us to say.
Nothing here is checked against a file system, except that numbers and lengths are sane.
"""

import struct
from collections import namedtuple
from zlib import adler32

from udocker.errors import CorruptData, UnsafeLayer
from udocker.host.tarfields import is_checksum, number, pax_number, pax_records, pax_time
from udocker.host.tarsparse import check_map, content_map, gnu_map, pax_map
from udocker.host.tree import shown

BLOCK = 512

#: Members of a layer: ten times the largest images known; each costs a name in a directory.
MAX_MEMBERS = 5000000
#: Bytes of a name or link target: PATH_MAX, what the kernel takes (path_resolution(7)).
MAX_NAME = 4096
#: Bytes of one component of a name: NAME_MAX of every file system that we know.
MAX_COMPONENT = 255
#: Bytes of a pax header or GNU long name, which have to be held in memory. Go's reader, hence
#: docker's, takes 1 MiB too.
MAX_EXTENSION = 1 << 20

FILE, HARD_LINK, SYMLINK = b"0", b"1", b"2"
CHARACTER, BLOCK_DEVICE, DIRECTORY, FIFO = b"3", b"4", b"5", b"6"

_LINKS = frozenset([HARD_LINK, SYMLINK])
#: Types that have no content, whatever their size field says.
_NO_CONTENT = _LINKS | frozenset([CHARACTER, BLOCK_DEVICE, FIFO])
_KNOWN = _NO_CONTENT | frozenset([FILE, DIRECTORY])
#: b"\0" is how v7 spells a file, b"7" (contiguous) is one everywhere; GNU: S sparse, D dumpdir.
_SAME_AS = {b"\0": FILE, b"7": FILE, b"S": FILE, b"D": DIRECTORY}
#: Headers that say something about the next one (x, L, K), all others (g), or nothing (V: label).
_EXTENSIONS = frozenset([b"x", b"g", b"L", b"K", b"V"])

_HEADER = struct.Struct("100s8s16x12s12s8sc100s8s80x155s12x")
_ZEROS = bytes(BLOCK)
_BLANK = b"\0 "
_XATTRS = ("SCHILY.xattr.", "LIBARCHIVE.xattr.")
_USTAR = b"ustar\x0000"
#: adler32's low half is 1 + the sum of all bytes modulo this: the checksum of tar, computed in C.
_ADLER = 65521


class Member(namedtuple("Member", "name kind mode mtime size target sparse xattrs offset")):
    """One entry of the archive.

    name, target (bytes; target "" unless a link), kind (one of the constants above), mode (int),
    mtime (int, nanoseconds since 1970), size (int, bytes of the file; 0 for all but files),
    sparse (list of (offset, length) that are no holes, or None), xattrs (int: how many extended
    attributes it has), offset (int: where its header is in the stream).
    """

    __slots__ = ()


class Reader(object):
    """Iterate over the members of the archive in ``chunks`` (iterable of non-empty bytes).

    The content of a member is there until the next one is asked for. CorruptData where the
    stream is not a tar archive or ends early, UnsafeLayer where it goes past a limit.
    """

    def __init__(self, chunks, max_members=MAX_MEMBERS):
        self._chunks = iter(chunks)
        self._max_members = max_members
        self._buffer = b""
        self._at = 0  # in the buffer
        self._base = 0  # of the buffer in the stream
        self._left = 0  # content of the current member that nobody read
        self._padding = 0
        self._name = b""

    @property
    def offset(self):
        """Bytes of the stream that were used so far."""
        return self._base + self._at

    def whole_content(self):
        """Return the content of the current member, if that needs no waiting; else None."""
        at, end = self._at, self._at + self._left
        if end > len(self._buffer):
            return None
        self._at = end
        self._left = 0
        return memoryview(self._buffer)[at:end]

    def content(self):
        """Yield what is left of the content of the current member, in pieces (memoryview)."""
        while self._left:
            at = self._at
            end = min(at + self._left, len(self._buffer))
            if at == end:
                if not self._has_next_chunk():
                    self._ends_early()
                continue
            self._at = end
            self._left -= end - at
            yield memoryview(self._buffer)[at:end]

    def sparse_content(self, member):
        """Yield (offset in the file, memoryview): the parts of a sparse file that are no holes."""
        pieces = self.content()
        piece = memoryview(b"")
        for offset, length in member.sparse:
            while length:
                if not piece:
                    piece = next(pieces)
                part, piece = piece[:length], piece[length:]
                yield offset, part
                offset += len(part)
                length -= len(part)

    def drain(self):
        """Read the stream to its end: what follows the archive has a digest too."""
        for chunk in self._chunks:
            self._base += len(self._buffer)
            self._buffer, self._at = chunk, 0
        self._at = len(self._buffer)

    def __iter__(self):
        shared, extra = {}, {}  # records of global pax headers, and of those for the next member
        members, modes = 0, {}
        while True:
            if self._left or self._padding:
                self._skip(self._left + self._padding)
                self._left = self._padding = 0
            offset = self._base + self._at
            block = self._header_block()
            # GNU tar and Go take one block of zeros, or the end of the stream, for the end
            if block is None or block == _ZEROS:
                if extra:
                    raise CorruptData("tar archive ends after an extension, at byte %d" % offset)
                return
            name, mode, size, mtime, checksum, kind, target, magic, prefix = _HEADER.unpack(block)
            # what nearly every header has is tried first: for a small file, reading its header
            # is half of what it costs
            try:
                stated = int(checksum[:6], 8)
            except ValueError:
                stated = -1
            if ((stated + sum(checksum) - 255) % _ADLER != adler32(block) & 0xffff
                    and not is_checksum(block, checksum)):
                raise CorruptData("damaged tar header at byte %d" % offset)
            try:
                size = int(size[:11] if size[11] in _BLANK else size, 8)
            except ValueError:
                size = number(size, offset)
            if size < 0:
                raise CorruptData("negative size in the tar header at byte %d" % offset)
            if kind in _EXTENSIONS:
                self._extension(kind, size, offset, shared, extra)
                continue

            name = name.partition(b"\0")[0]
            if prefix[0] and magic == _USTAR:
                name = prefix.partition(b"\0")[0] + b"/" + name
            is_gnu_sparse = kind == b"S"
            kind = _SAME_AS.get(kind, kind)
            if kind not in _KNOWN:
                raise CorruptData("%s has an unknown type %r in the tar header at byte %d"
                                  % (shown(name), kind, offset))
            target = target.partition(b"\0")[0] if kind in _LINKS else b""
            try:
                mode = modes[mode]
            except KeyError:
                if len(modes) > 100:
                    modes.clear()
                mode = modes[mode] = number(mode, offset)
            try:
                mtime = int(mtime[:11] if mtime[11] in _BLANK else mtime, 8) * 1000000000
            except ValueError:
                mtime = number(mtime, offset) * 1000000000
            member = Member(name, kind, mode, mtime, size, target, None, 0, offset)
            if extra or shared:
                member = _extended(member, shared, extra)
            if member.kind == FILE and member.name.endswith(b"/"):
                member = member._replace(kind=DIRECTORY)  # v7 has no other way to say so
            self._name = member.name
            if kind not in _NO_CONTENT:
                self._left, self._padding = member.size, -member.size % BLOCK
                if is_gnu_sparse:
                    regions, real = gnu_map(block, self._needed_block, offset)
                    check_map(regions, real, member.size, offset)
                    member = member._replace(size=real, sparse=regions)
                elif extra and _is_sparse(extra):
                    member = self._pax_sparse(member, extra)
            elif member.size:
                member = member._replace(size=0)
            extra = {}
            members += 1
            if members > self._max_members:
                raise UnsafeLayer("more than %d members" % self._max_members)
            yield member

    def _header_block(self):
        """Return the next block, or None at the end of the stream."""
        end = self._at + BLOCK
        if end <= len(self._buffer):
            block = self._buffer[self._at:end]
            self._at = end
            return block
        block = self._buffer[self._at:]
        self._at = len(self._buffer)
        while len(block) < BLOCK:
            if not self._has_next_chunk():
                if block:
                    raise CorruptData("tar archive ends inside a header, at byte %d" % self.offset)
                return None
            self._at = BLOCK - len(block)
            block += self._buffer[:self._at]
            self._at = min(self._at, len(self._buffer))
        return block

    def _needed_block(self):
        block = self._header_block()
        if block is None:
            self._ends_early()
        return block

    def _extension(self, kind, size, offset, shared, extra):
        """Read the extension of ``size`` bytes that comes next into the dict that it belongs to."""
        self._left, self._padding = size, -size % BLOCK
        if kind == b"V":
            return
        if size > MAX_EXTENSION:
            raise UnsafeLayer("extended tar header of more than %d bytes at byte %d"
                              % (MAX_EXTENSION, offset))
        data = b"".join(self.content())
        if kind == b"g":
            shared.update(pax_records(data, offset))
        elif kind == b"x":
            extra.update(pax_records(data, offset))
        else:
            # as pax has it, but not stronger than a pax header of the same member
            extra.setdefault("path" if kind == b"L" else "linkpath", data.partition(b"\0")[0])

    def _pax_sparse(self, member, records):
        """Return ``member`` with the map that its pax ``records`` announce (0.0, 0.1 or 1.0)."""
        offset = member.offset
        stored = member.size
        if records.get("GNU.sparse.major") == b"1":
            before = self._left

            def next_block():
                block = self._needed_block()
                self._left -= BLOCK
                if self._left < 0:
                    raise CorruptData("damaged map of a sparse file at byte %d" % offset)
                return block

            regions, used = content_map(next_block, offset)
            stored = before - used
        else:
            regions = pax_map(records.get("GNU.sparse.map", b""), offset)
        real = pax_number(records.get("GNU.sparse.realsize", records.get("GNU.sparse.size", b"")),
                          offset)
        check_map(regions, real, stored, offset)
        return member._replace(size=real, sparse=regions)

    def _skip(self, count):
        """Pass over ``count`` bytes of the stream."""
        while count > len(self._buffer) - self._at:
            count -= len(self._buffer) - self._at
            self._at = len(self._buffer)
            if not self._has_next_chunk():
                self._ends_early()
        self._at += count

    def _has_next_chunk(self):
        """Go on to the next chunk (the one before must be used up); False if there is none."""
        chunk = next(self._chunks, None)
        if chunk is None:
            return False
        self._base += len(self._buffer)
        self._buffer, self._at = chunk, 0
        return True

    def _ends_early(self):
        raise CorruptData("tar archive ends inside %s, at byte %d" % (shown(self._name), self.offset))


def _is_sparse(records):
    return "GNU.sparse.map" in records or "GNU.sparse.major" in records


def _extended(member, shared, extra):
    """Return ``member`` as the pax records in two dicts want it; the second has the last word."""
    offset = member.offset
    records = dict(shared, **extra) if shared else extra
    changes = {}
    name = records.get("GNU.sparse.name") or records.get("path")
    if name:
        changes["name"] = _checked_name(name, offset)
    target = records.get("linkpath")
    if target and member.kind in _LINKS:
        changes["target"] = _checked_name(target, offset, MAX_NAME)
    if records.get("size"):
        changes["size"] = pax_number(records["size"], offset)
    if records.get("mtime"):
        changes["mtime"] = pax_time(records["mtime"], offset)
    changes["xattrs"] = sum(1 for key in records if key.startswith(_XATTRS))
    return member._replace(**changes)


def _checked_name(name, offset, component=MAX_COMPONENT):
    if len(name) > MAX_NAME or (len(name) > component
                                and max(map(len, name.split(b"/"))) > component):
        raise UnsafeLayer("name of more than %d bytes, or %d in one component, at byte %d"
                          % (MAX_NAME, MAX_COMPONENT, offset))
    if b"\0" in name:
        raise CorruptData("name with a zero byte at byte %d" % offset)
    return name
