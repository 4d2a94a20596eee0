"""Directories of a root file system, kept open while a layer is applied to it.

Members of a layer come directory by directory, so that with the last few dozen kept open nearly
every member needs no walk, only calls relative to a descriptor; which is also what makes it safe.

Writing to a directory changes its modification time. Each one's is remembered while it is open and
set again when it is closed, so that nothing has to be kept for all directories of a layer.
"""

import errno
import os
from collections import OrderedDict

from udocker.errors import UnsafeLayer
from udocker.host.tree import MAX_LINKS, WALK, raw, shown

#: Directories open at a time: more than are nested in real layers, and a small part of the 256
#: to 1024 descriptors that a process may have.
MAX_OPEN = 64
#: Components of a resolved path. One of PATH_MAX bytes has no more; links can lead deeper, to where
#: no program could follow.
MAX_DEPTH = 2048
#: Spellings of one directory that are remembered ("a", "./a", "/a", through a link ...).
_MAX_SPELLINGS = 8

_NOT_ALLOWED = (errno.EPERM, errno.EACCES, errno.EROFS, errno.ENOENT)


class Folder(object):
    """A directory that is open. fd (O_PATH), inode, mtime (nanoseconds, to be set at the end)."""

    __slots__ = ("fd", "inode", "mtime", "above", "name", "spellings", "is_made")

    def __init__(self, fd, status, above, name):
        self.fd, self.inode, self.mtime = fd, status.st_ino, status.st_mtime_ns
        self.above, self.name = above, name
        self.spellings = []
        self.is_made = above is None


class Folders(object):
    """The open directories of ``root`` (Root).

    made (Made or None): told of every directory that ``get`` is asked to have.
    """

    def __init__(self, root, made):
        self._root = root
        self._made = made
        self._open = OrderedDict()  # by inode: one directory may have several spellings
        self._by_name = {}
        self._last = None

    def get(self, name, make=True):
        """Return the Folder ``name`` (bytes, as a layer spells it), links resolved inside the root.

        With ``make``, directories that are missing are made; else FileNotFoundError. UnsafeLayer
        if it climbs above the root.
        """
        folder = self._by_name.get(name)
        if folder is None:
            folder = self._find(components(name), make)
            self._remember(folder, name)
        elif folder is not self._last:
            self._open.move_to_end(folder.inode)
        self._last = folder
        if make and not folder.is_made:
            self._mark(folder)
        return folder

    def enter(self, above, name):
        """Return the Folder of the directory ``name`` in Folder ``above``, no link followed."""
        fd = os.open(name, WALK, dir_fd=above.fd)
        return self._adopt(fd, above, name)

    def forget(self, kept=None):
        """Close all but ``kept`` (Folder): what led to them may not lead there any more."""
        for folder in list(self._open.values()):
            if folder is not kept:
                self._close(folder)
            else:
                folder.spellings = []
        self._by_name.clear()
        self._last = None

    def abandon(self):
        """Close all, with nothing set: something went wrong."""
        for folder in self._open.values():
            os.close(folder.fd)
        self._open.clear()
        self._by_name.clear()

    def _find(self, names, make):
        links = 0
        while True:
            done = len(names)
            while done and b"/".join(names[:done]) not in self._by_name:
                done -= 1
            prefix = b"/".join(names[:done])
            folder = self._by_name.get(prefix)
            if folder is None:
                folder = self._adopt(os.open(b".", WALK, dir_fd=self._root.fd), None, b"")
                self._remember(folder, b"")
            self._open.move_to_end(folder.inode)
            for done in range(done, len(names)):
                try:
                    child = self._child(folder, names[done], make)
                except OSError as error:
                    if error.errno not in (errno.ENOTDIR, errno.ELOOP):
                        raise
                    break  # a link, perhaps
                folder = child
                self._remember(folder, b"/".join(names[:done + 1]))
            else:
                return folder
            links += 1
            if links > MAX_LINKS:
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
            linked = b"/".join(names[:done + 1])
            os.close(self._root.open_directory(linked, make))
            names = components(raw(self._root.real_path(linked))) + names[done + 1:]
            if len(names) > MAX_DEPTH:
                raise UnsafeLayer("a directory more than %d deep" % MAX_DEPTH)

    def _child(self, above, name, make):
        try:
            return self.enter(above, name)
        except FileNotFoundError:
            if not make:
                raise
        os.mkdir(name, 0o755, dir_fd=above.fd)
        return self.enter(above, name)

    def _adopt(self, fd, above, name):
        status = os.fstat(fd)
        folder = self._open.get(status.st_ino)
        if folder is not None:
            os.close(fd)
            self._open.move_to_end(status.st_ino)
            return folder
        folder = self._open[status.st_ino] = Folder(fd, status, above, name)
        while len(self._open) > MAX_OPEN:
            self._close(next(iter(self._open.values())))
        return folder

    def _remember(self, folder, name):
        if len(folder.spellings) < _MAX_SPELLINGS and name not in self._by_name:
            self._by_name[name] = folder
            folder.spellings.append(name)

    def _mark(self, folder):
        while folder is not None and not folder.is_made:
            folder.is_made = True
            if self._made is not None and not self._made.has(folder.above.inode, folder.name):
                self._made.add(folder.above, folder.name)
            folder = folder.above

    def _close(self, folder):
        del self._open[folder.inode]
        for name in folder.spellings:
            self._by_name.pop(name, None)
        if folder is self._last:
            self._last = None
        try:
            set_time(folder.fd, folder.mtime)
        finally:
            os.close(folder.fd)


def components(name):
    """Return the components (list of bytes) of ``name``, as a member of a layer is called.

    A leading ``/`` means the root, as ``./`` does. UnsafeLayer if ``..`` leads above it.
    """
    names = []
    for part in name.split(b"/"):
        if part == b"..":
            if not names:
                raise UnsafeLayer("%s leads out of the root file system" % shown(name))
            names.pop()
        elif part and part != b".":
            names.append(part)
    return names


def set_time(fd, mtime):
    """Set the times of the directory ``fd`` (O_PATH), where that is allowed."""
    try:
        os.utime(b".", ns=(mtime, mtime), dir_fd=fd)
    except OSError as error:
        if error.errno not in _NOT_ALLOWED:
            raise
