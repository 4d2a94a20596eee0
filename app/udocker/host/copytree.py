"""Copy a directory tree of ours on one machine: reflinks where the file system can, else bytes.

Permissions, times, hard links and holes are kept; owners, extended attributes, sockets and devices
are not, as in an archive (host/pack.py).
"""

import fcntl
import os
import stat

from udocker.host import files, tree
from udocker.host.source import LeftOut, Links, entries, open_to_read, pieces, regions

#: ioctl(2) that makes one file share the data of another (ioctl_ficlone(2)): btrfs, XFS, bcachefs.
_FICLONE = 0x40049409


def copy_tree(source, target, skip=(), report=None):
    """Make the empty directory ``target`` (str) what directory ``source`` (str) is; return LeftOut.

    skip (names as bytes): what to leave out of ``source`` itself. report: called, if given, with
    the bytes (int) copied so far. Directories of ours are made accessible on the way.
    """
    return _Copying(source, target, frozenset(skip), report).run()


class _Copying(object):
    def __init__(self, source, target, skip, report):
        self._source, self._target = os.fsencode(source), os.fsencode(target)
        self._skip = skip
        self._report = report
        self._links = Links()
        self._left_out = LeftOut()
        self._statuses = []  # of the directories that are being copied, to be set at the end
        self._copied = 0
        self._can_clone = True
        self._top = self._at = None

    def run(self):
        with tree.naming(self._source):
            fd = os.open(os.path.dirname(self._source), tree.LIST)
        try:
            with tree.naming(self._target):
                self._top = os.open(self._target, tree.LIST)
            self._at = os.dup(self._top)  # two descriptors here too, however deep it is
            files.each_directory(fd, os.path.basename(self._source), self._visit, self._leave,
                                 self._failed, unlock=True)
        finally:
            for opened in (fd, self._at, self._top):
                if opened is not None:
                    os.close(opened)
        return self._left_out

    def _failed(self, error, names):
        raise tree.host_error(error, os.path.join(self._source, *names[1:])) from error

    def _visit(self, fd, names):
        below = b"".join(name + b"/" for name in names[1:])
        if below:
            with tree.naming(os.path.join(self._target, below)):
                os.mkdir(names[-1], 0o700, dir_fd=self._at)
                self._move(names[-1])
        self._statuses.append(os.fstat(fd))
        directories = []
        for name, status in entries(fd, os.path.join(self._source, below)):
            if not below and name in self._skip:
                continue
            if stat.S_ISDIR(status.st_mode):
                if status.st_dev == self._statuses[0].st_dev:
                    directories.append(name)
            else:
                self._copy(fd, name, below + name, status)
        return directories

    def _leave(self, fd, names):
        status = self._statuses.pop()
        with tree.naming(os.path.join(self._target, *names[1:])):
            os.fchmod(self._at, stat.S_IMODE(status.st_mode))
            os.utime(self._at, ns=(status.st_mtime_ns, status.st_mtime_ns))
            if len(names) > 1:
                self._move(b"..")

    def _move(self, name):
        fd = os.open(name, tree.LIST, dir_fd=self._at)
        os.close(self._at)
        self._at = fd

    def _copy(self, fd, name, path, status):
        mode = status.st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISLNK(mode) or stat.S_ISFIFO(mode)):
            self._left_out.add(path)
            return
        first = self._links.first(status, path)
        if first is not None and self._link(first, name):
            return
        if stat.S_ISREG(mode):
            with tree.naming(os.path.join(self._source, path)):
                source = open_to_read(name, fd, status)
            try:
                self._copy_file(source, name, path)
            finally:
                os.close(source)
            return
        with tree.naming(os.path.join(self._target, path)):
            if stat.S_ISLNK(mode):
                os.symlink(os.readlink(name, dir_fd=fd), name, dir_fd=self._at)
            else:
                os.mkfifo(name, stat.S_IMODE(mode), dir_fd=self._at)
            os.utime(name, ns=(status.st_mtime_ns, status.st_mtime_ns), dir_fd=self._at,
                     follow_symlinks=False)

    def _link(self, first, name):
        try:
            os.link(first, name, src_dir_fd=self._top, dst_dir_fd=self._at, follow_symlinks=False)
            return True
        except OSError:
            return False  # a file system without, or too many: a copy is as good

    def _copy_file(self, source, name, path):
        status = os.fstat(source)
        with tree.naming(os.path.join(self._target, path)):
            target = os.open(name, tree.CREATE, 0o600, dir_fd=self._at)
            try:
                if not self._clone(source, target):
                    for offset, data in pieces(source, regions(source, status)
                                               or [(0, status.st_size)]):
                        view = memoryview(data)
                        while view:
                            count = os.pwrite(target, view, offset)
                            view, offset = view[count:], offset + count
                        self._tell(len(data))
                    os.ftruncate(target, status.st_size)
                else:
                    self._tell(status.st_size)
                os.fchmod(target, stat.S_IMODE(status.st_mode))
                os.utime(target, ns=(status.st_mtime_ns, status.st_mtime_ns))
            finally:
                os.close(target)

    def _clone(self, source, target):
        """Let the two share their data; False where the file system cannot."""
        if self._can_clone:
            try:
                fcntl.ioctl(target, _FICLONE, source)
                return True
            except OSError:
                self._can_clone = False  # nor will it with the next file
        return False

    def _tell(self, count):
        self._copied += count
        if self._report is not None:
            self._report(self._copied)
