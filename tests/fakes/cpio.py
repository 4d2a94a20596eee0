"""Initial ram disks for Linux: archives in cpio's "newc" format, one after another in a file.

Documentation/driver-api/early-userspace/buffer-format.rst of Linux says what it takes.
"""

import itertools
import os
import stat


class Archive(object):
    """An archive that is being written to ``stream``. Everything is root's unless said otherwise."""

    #: Of inodes, never the same twice: Linux takes files with one number for one file.
    _numbers = itertools.count(1)

    def __init__(self, stream):
        self._stream = stream
        self._made = set()

    def tree(self, inside, path, also=None, owner=0):
        """Add the file or directory ``path`` as ``inside`` (both str).

        With ``also`` (str) it is there once more: the files as links to the first ones, the
        directories as those of ``owner``.
        """
        inside = inside.strip("/")
        status = os.lstat(path)
        places = [inside] if also is None else [inside, also]
        if stat.S_ISDIR(status.st_mode):
            for place, who in zip(places, (0, owner)):
                self.directory(place, owner=who)
            for name in sorted(os.listdir(path)):
                self.tree(inside + "/" + name, os.path.join(path, name),
                          also and also + "/" + name, owner)
        elif stat.S_ISLNK(status.st_mode):
            for place in places:
                self._entry(place, stat.S_IFLNK | 0o777, os.fsencode(os.readlink(path)))
        elif stat.S_ISREG(status.st_mode):
            with open(path, "rb") as file:
                content = file.read()
            self._parents(inside)
            number = next(self._numbers)
            for place in places:
                self._entry(place, stat.S_IFREG | (0o755 if status.st_mode & 0o100 else 0o644),
                            content, number=number, links=len(places))
                content = b""

    def file(self, inside, content, mode=0o644):
        """Add a file of ``content`` (bytes)."""
        self._parents(inside)
        self._entry(inside, stat.S_IFREG | mode, content)

    def directory(self, inside, mode=0o755, owner=0):
        """Add a directory, unless it was added already."""
        if inside not in self._made:
            self._made.add(inside)
            self._parents(inside)
            self._entry(inside or ".", stat.S_IFDIR | mode, owner=owner, links=2)

    def device(self, inside, major, minor):
        """Add a character device for root."""
        self._parents(inside)
        self._entry(inside, stat.S_IFCHR | 0o600, device=(major, minor))

    def end(self):
        """Write what says that nothing more comes in this archive."""
        self._entry("TRAILER!!!", 0)
        self._pad(512)

    def _parents(self, inside):
        if os.path.dirname(inside):
            self.directory(os.path.dirname(inside))

    def _entry(self, name, mode, content=b"", number=None, owner=0, links=1, device=(0, 0)):
        name = os.fsencode(name) + b"\0"
        fields = (number or next(self._numbers), mode, owner, owner, links, 0, len(content), 0, 0,
                  device[0], device[1], len(name), 0)
        self._stream.write(b"070701" + b"".join(b"%08X" % field for field in fields) + name)
        self._pad(4)
        self._stream.write(content)
        self._pad(4)

    def _pad(self, unit):
        self._stream.write(bytes(-self._stream.tell() % unit))
