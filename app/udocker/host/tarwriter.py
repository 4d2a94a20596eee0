"""Write a tar stream, in GNU's format: every reader of layers takes it, and names are bytes in it.

Format: the GNU tar manual, "Basic Tar Format" and "Storing Sparse Files", version 1.0. Nobody owns the members
(uid and gid 0, without names): on disk everything belongs to whoever runs udocker, which is root
inside, and of no interest elsewhere. The same members give the same bytes.
"""

import struct

from udocker.host.tar import BLOCK, DIRECTORY, FILE, HARD_LINK

_HEADER = struct.Struct("100s8s8s8s12s12s8sc100s8s32s32s8s8s155s12x")
_GNU, _PAX = b"ustar  \0", b"ustar\00000"
_LONG_NAME = b"././@LongLink"
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
            if len(text) > 100 and regions is None:
                data = text + b"\0"
                self.write(_block(_LONG_NAME, long_kind, 0o644, 0, len(data), b""))
                self.write(data)
                self.pad()
        if regions is None:
            self.write(_block(name, kind, mode, mtime, size, target))
        else:
            self._add_sparse(name, mode, mtime, size, regions)

    def _add_sparse(self, name, mode, mtime, size, regions):
        # pax's version 1.0 is for readers a file like any other; docker and podman know no type S
        numbers = [number for region in regions + [(size, 0)] for number in region]
        table = b"".join(b"%d\n" % number for number in [len(numbers) // 2] + numbers)
        table += bytes(-len(table) % BLOCK)
        records = b"".join(_record(key, value) for key, value in (
            (b"GNU.sparse.major", b"1"), (b"GNU.sparse.minor", b"0"), (b"GNU.sparse.name", name),
            (b"GNU.sparse.realsize", b"%d" % size)))
        self.write(_block(b"././@PaxHeader", b"x", 0o644, 0, len(records), b"", _PAX))
        self.write(records)
        self.pad()
        stored = len(table) + sum(length for _, length in regions)
        self.write(_block(b"GNUSparseFile.0/" + name.rpartition(b"/")[2][:80], FILE, mode, mtime, stored,
                          b"", _PAX))
        self.write(table)

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


def _block(name, kind, mode, mtime, size, target, magic=_GNU):
    fields = [name[:100], _number(mode, 8), _number(0, 8), _number(0, 8),
              _number(size if kind != HARD_LINK else 0, 12), _number(mtime, 12), b" " * 8, kind,
              target[:100], magic, b"", b"", b"", b"", b""]
    fields[6] = b"%06o\0 " % sum(_HEADER.pack(*fields))
    return _HEADER.pack(*fields)


def _record(key, value):
    """A record of a pax header; its length counts the digits that tell it."""
    rest = b" " + key + b"=" + value + b"\n"
    length = len(rest)
    while len(b"%d" % length) + len(rest) != length:
        length = len(b"%d" % length) + len(rest)
    return b"%d" % length + rest


def _number(value, length):
    """Octal digits, or GNU's base-256 for what these cannot tell."""
    if 0 <= value < 8 ** (length - 1):
        return b"%0*o\0" % (length - 1, value)
    return (b"\x80" if value >= 0 else b"\xff") + value.to_bytes(length - 1, "big", signed=value < 0)
