"""What a layer made so far, which its whiteouts must spare."""

import os
import stat
from array import array

from udocker.host.files import each_directory, remove_at
from udocker.host.tree import LIST, host_error


class Made(object):
    """What a layer made: a set of (directory, name) that takes 8 bytes for each.

    Whiteouts must spare what is in the same layer, wherever in it they are (layer.md,
    "Whiteouts"), and a layer may have millions of members. So only a hash of each is kept, in
    many short arrays, as there are few questions. Python's hash of bytes is seeded at random; a
    collision among 64 bits, if ever, would spare one file too many.
    """

    _PARTS = 4096

    def __init__(self):
        self._parts = [None] * self._PARTS

    def add(self, folder, name):
        key = hash((folder.inode, name))
        part = self._parts[key % self._PARTS]
        if part is None:
            part = self._parts[key % self._PARTS] = array("q")
        part.append(key)

    def has(self, inode, name):
        key = hash((inode, name))
        part = self._parts[key % self._PARTS]
        return part is not None and key in part

    def spare(self, fd, name):
        """Remove what is in the directory ``name`` of directory ``fd``, at any depth, but not in
        this set. The times of directories stay as they are."""
        def visit(fd, names):
            status = os.fstat(fd)
            below = []
            for entry in os.listdir(fd):
                if not self.has(status.st_ino, os.fsencode(entry)):
                    remove_at(fd, entry, entry)
                elif stat.S_ISDIR(os.stat(entry, dir_fd=fd, follow_symlinks=False).st_mode):
                    below.append(entry)
            os.utime(fd, ns=(status.st_atime_ns, status.st_mtime_ns))
            return below

        def failed(error, names):
            raise host_error(error, names[-1])

        fd = os.open(name, LIST, dir_fd=fd)
        try:
            for entry in visit(fd, ()):
                each_directory(fd, entry, visit, failed=failed)
        finally:
            os.close(fd)
