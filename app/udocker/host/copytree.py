"""Copy a directory tree of ours on one machine: reflinks where the file system can, else bytes.

Permissions, times, hard links and holes are kept; owners, extended attributes, sockets and devices
are not, as in an archive (host/pack.py).
"""

import fcntl
import os
import stat

from udocker.errors import Refused
from udocker.host import files, tree
from udocker.host.source import LeftOut, Links, entries, open_to_read, pieces, regions

#: ioctl(2) that makes one file share the data of another (ioctl_ficlone(2)): btrfs, XFS, bcachefs.
_FICLONE = 0x40049409


def copy_tree(source, target, skip=(), report=None):
    """Make the empty directory ``target`` (str) what directory ``source`` (str) is; return LeftOut.

    skip (names as bytes): what to leave out of ``source`` itself. report: called, if given, with
    the bytes (int) copied so far. Directories of ours are made accessible on the way. What is
    mounted below is left out.
    """
    source, target = os.fsencode(source), os.fsencode(target)
    with tree.naming(source):
        fd = os.open(os.path.dirname(source), tree.LIST)
    try:
        with tree.naming(target):
            top = os.open(target, tree.LIST)
        try:
            copying = _Copying(source, target, frozenset(skip), report)
            return copying.run(fd, os.path.basename(source), top)
        finally:
            os.close(top)
    finally:
        os.close(fd)


def copy_into(folder, name, path, stage, target, is_ours, original=None, report=None):
    """Copy ``name`` (bytes), file or directory, of directory ``folder`` to the same name in the
    directory ``stage`` (both descriptors); return LeftOut. FileExistsError if it is there.

    path, target (bytes): what to call the two in errors. is_ours (bool): the source is in a
    container, whose directories are made accessible on the way; otherwise the target is, and gets
    directories that can be used. original (function of a path below it, b"" for
    itself): returns the bytes that a file is to have, or None for those that it has. Nobody gets a
    set-user-id program this way; what is mounted below comes along.
    """
    with tree.naming(path):
        status = os.stat(name, dir_fd=folder, follow_symlinks=False)
    copying = _Copying(path, target, frozenset(), report, original, 0o1777, False,
                       0o500 if is_ours else 0, 0 if is_ours else 0o700)
    copying.stage = os.fstat(stage)
    if not stat.S_ISDIR(status.st_mode):
        return copying.run_one(folder, name, stage, status)
    os.mkdir(name, 0o700, dir_fd=stage)
    top = os.open(name, tree.LIST, dir_fd=stage)
    try:
        return copying.run(folder, name, top)
    finally:
        os.close(top)


class _Copying(object):
    def __init__(self, source, target, skip, report, original=None, modes=0o7777, one_device=True,
                 unlock=0o500, own=0):
        self._source, self._target = source, target
        self._skip = skip
        self._report = report
        self._original = original
        self._modes, self._one_device = modes, one_device
        self._unlock, self._own = unlock, own
        self._links = Links()
        self._left_out = LeftOut()
        self._statuses = []  # of the directories that are being copied, to be set at the end
        self._copied = 0
        self._can_clone = True
        self._top = self._at = None
        self.stage = None

    def run(self, folder, name, top):
        self._top, self._at = top, os.dup(top)  # two descriptors here too, however deep it is
        try:
            files.each_directory(folder, name, self._visit, self._leave, self._failed,
                                 unlock=self._unlock)
        finally:
            os.close(self._at)
        return self._left_out

    def run_one(self, folder, name, top, status):
        self._top = self._at = top
        self._copy(folder, name, b"", status)
        return self._left_out

    def _failed(self, error, names):
        raise tree.host_error(error, os.path.join(self._source, *names[1:])) from error

    def _visit(self, fd, names):
        below = b"".join(name + b"/" for name in names[1:])
        status = os.fstat(fd)
        if self.stage is not None and os.path.samestat(status, self.stage):
            raise Refused("cannot copy %s into itself" % tree.shown(self._source))
        if below:
            with tree.naming(os.path.join(self._target, below)):
                os.mkdir(names[-1], 0o700, dir_fd=self._at)
                self._move(names[-1])
        self._statuses.append(status)
        directories = []
        for name, status in entries(fd, os.path.join(self._source, below)):
            if not below and name in self._skip:
                continue
            if stat.S_ISDIR(status.st_mode):
                if not self._one_device or status.st_dev == self._statuses[0].st_dev:
                    directories.append(name)
            else:
                self._copy(fd, name, below + name, status)
        return directories

    def _leave(self, fd, names):
        status = self._statuses.pop()
        with tree.naming(os.path.join(self._target, *names[1:])):
            os.fchmod(self._at, status.st_mode & self._modes | self._own)
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
            self._left_out.add(path or name)
            return
        first = self._links.first(status, path)
        if first is not None and self._link(first, name):
            return
        if stat.S_ISREG(mode):
            with tree.naming(_below(self._source, path)):
                source = open_to_read(name, fd, status)
            try:
                self._copy_file(source, name, path)
            finally:
                os.close(source)
            return
        with tree.naming(_below(self._target, path)):
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
        with tree.naming(_below(self._target, path)):
            target = os.open(name, tree.CREATE, 0o600, dir_fd=self._at)
            try:
                data = self._original(path) if self._original is not None else None
                if data is not None:
                    self._write(target, data, 0)
                elif not self._clone(source, target):
                    for offset, data in pieces(source, regions(source, status)
                                               or [(0, status.st_size)]):
                        self._write(target, data, offset)
                    os.ftruncate(target, status.st_size)
                else:
                    self._tell(status.st_size)
                os.fchmod(target, status.st_mode & self._modes)
                os.utime(target, ns=(status.st_mtime_ns, status.st_mtime_ns))
            finally:
                os.close(target)

    def _write(self, target, data, offset):
        view = memoryview(data)
        while view:
            count = os.pwrite(target, view, offset)
            view, offset = view[count:], offset + count
        self._tell(len(data))

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


def _below(top, path):
    return os.path.join(top, path) if path else top
