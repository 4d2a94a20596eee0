"""Write a tar stream, in GNU's format: every reader of layers takes it, and names are bytes in it.

Format: the GNU tar manual, "Basic Tar Format" and "Storing Sparse Files". Nobody owns the members
(uid and gid 0, without names): on disk everything belongs to whoever runs udocker, which is root
inside, and of no interest elsewhere. The same members give the same bytes.
"""

import struct

from udocker.host.tar import BLOCK, DIRECTORY, FILE, HARD_LINK

_HEADER = struct.Struct("100s8s8s8s12s12s8sc100s8s32s32s8s8s155s12x")
_SPARSE_HEADER = struct.Struct("41s96ss12s5x")  # what of GNU's sparse header stands in the prefix
_GNU = b"ustar  \0"
_LONG_NAME = b"././@LongLink"
_IN_HEADER, _IN_BLOCK = 4, 21
#: tar(1) pads its output to records of 20 blocks, and some readers of tapes want them.
_RECORD = 20 * BLOCK


class Writer(object):
    """Writes members to ``out`` (a binary file, only written to). written (int): bytes so far."""

    def __init__(self, out):
        self._out = out
        self.written = 0

    def add(self, name, kind, mode=0o644, mtime=0, size=0, target=b"", regions=None):
        """Begin a member; its content, if it is a file of ``size`` bytes, comes next by ``write``.

        name, target (bytes), kind (a constant of host.tar), mode (int), mtime (int, seconds).
        regions (list of (offset, length)): of a sparse file, what is no hole; only that is written.
        """
        if kind == DIRECTORY and not name.endswith(b"/"):
            name += b"/"
        for long_kind, text in ((b"K", target), (b"L", name)):
            if len(text) > 100:
                data = text + b"\0"
                self.write(_block(_LONG_NAME, long_kind, 0o644, 0, len(data), b""))
                self.write(data)
                self.pad()
        if regions is None:
            self.write(_block(name, kind, mode, mtime, size, target))
            return
        stored = sum(length for _, length in regions)
        # an empty region at the end tells where the file ends
        entries = [_number(number, 12) for region in regions + [(size, 0)] for number in region]
        pairs = [b"".join(entries[at:at + 2]) for at in range(0, len(entries), 2)]
        first, pairs = pairs[:_IN_HEADER], pairs[_IN_HEADER:]
        sparse = _SPARSE_HEADER.pack(b"", b"".join(first), b"\1" if pairs else b"\0",
                                     _number(size, 12))
        self.write(_block(name, b"S", mode, mtime, stored, b"", sparse))
        while pairs:
            some, pairs = pairs[:_IN_BLOCK], pairs[_IN_BLOCK:]
            self.write((b"".join(some).ljust(_IN_BLOCK * 24, b"\0")
                        + (b"\1" if pairs else b"\0")).ljust(BLOCK, b"\0"))

    def write(self, data):
        """Write ``data`` (bytes or memoryview), content of the member that was begun."""
        self._out.write(data)
        self.written += len(data)

    def pad(self):
        """End the content of a member."""
        self.write(bytes(-self.written % BLOCK))

    def add_bytes(self, name, data):
        """Add the file ``name`` (bytes) that holds ``data`` (bytes)."""
        self.add(name, FILE, size=len(data))
        self.write(data)
        self.pad()

    def close(self):
        """Write the end of the archive; ``out`` stays open."""
        self.write(bytes(2 * BLOCK))
        self.write(bytes(-self.written % _RECORD))


def _block(name, kind, mode, mtime, size, target, sparse=b""):
    fields = [name[:100], _number(mode, 8), _number(0, 8), _number(0, 8),
              _number(size if kind != HARD_LINK else 0, 12), _number(mtime, 12), b" " * 8, kind,
              target[:100], _GNU, b"", b"", b"", b"", sparse]
    fields[6] = b"%06o\0 " % sum(_HEADER.pack(*fields))
    return _HEADER.pack(*fields)


def _number(value, length):
    """Octal digits, or GNU's base-256 for what these cannot tell."""
    if 0 <= value < 8 ** (length - 1):
        return b"%0*o\0" % (length - 1, value)
    return (b"\x80" if value >= 0 else b"\xff") + value.to_bytes(length - 1, "big", signed=value < 0)
