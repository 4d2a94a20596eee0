"""The inside of a root file system.

Whatever an image put into its root file system is hostile until shown otherwise, so nothing here
hands the kernel a path with more than one component of it: every directory on the way is opened
relative to the one before, never through a symbolic link, and links are followed by hand with the
root of the *container* as ``/``. A name that was checked is used through the descriptor that it
was checked with, so that swapping a directory for a link meanwhile gains nothing.

Starting a container imports this module: it imports nothing that Python has not loaded already.
"""

import errno
import os
import stat

from udocker.errors import CorruptData, HostError, InvalidValue, NotFound, Refused
from udocker.model.reference import quoted

#: Symbolic links followed in one path: Linux stops there too (path_resolution(7)).
MAX_LINKS = 40
#: Directories opened for one path. Forty links of 4 KiB can spell out far more; no real one does.
MAX_STEPS = 20000

#: Searching is all that a directory on the way is needed for, so mode 0111 is enough.
WALK = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
LIST = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC

_HINTS = {
    errno.ENOSPC: "free some space there, or set UDOCKER_DIR to a directory that has more",
    errno.EDQUOT: "remove something of yours, or set UDOCKER_DIR to a directory with more quota",
    errno.EROFS: "set UDOCKER_DIR to a directory that you can write to",
}
_ABSENT = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG)


def host_error(error, path=None):
    """Return the HostError that says in one line what ``error`` (OSError) means for ``path``."""
    reason = os.strerror(error.errno) if error.errno else str(error)
    text = reason[:1].lower() + reason[1:]
    path = error.filename if path is None else path
    if path is not None:
        text += ": " + shown(path)
    return HostError(text, _HINTS.get(error.errno))


class naming(object):
    """``with naming(path):`` an OSError in the block leaves it as a HostError about ``path``."""

    def __init__(self, path):
        self._path = path

    def __enter__(self):
        return self

    def __exit__(self, kind, error, traceback):
        if isinstance(error, OSError):
            raise host_error(error, self._path) from error


def raw(path):
    """Return ``path`` (str or bytes) as the bytes that the kernel gets."""
    if isinstance(path, bytes):
        return path
    try:
        return os.fsencode(path)
    except UnicodeEncodeError:  # Python 3.6 in the C locale encodes names in ASCII
        return path.encode("utf-8", "surrogateescape")


def shown(path):
    """Return ``path`` (str, bytes or a descriptor) for a message, safe for a terminal."""
    return quoted(os.fsdecode(path) if isinstance(path, (str, bytes)) else "descriptor %s" % path)


class Root(object):
    """A root file system, held open.

    path (str): where it is on this machine. Paths given to the methods are those inside it, str
    or bytes, absolute or not, and mean what they would mean after chroot(2).
    """

    def __init__(self, path):
        self.path = path
        try:
            self.fd = os.open(raw(path), os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise host_error(error, path) from error

    def __enter__(self):
        return self

    def __exit__(self, kind, error, traceback):
        self.close()

    def close(self):
        if self.fd is not None:
            os.close(self.fd)
            self.fd = None

    def resolve(self, path, follow=True):
        """Return (descriptor, name) of ``path``: the directory that it is in, and its last name.

        The caller closes the descriptor. The name is bytes, ``.`` for the root itself; it need
        not exist, and is no link unless ``follow`` is false. NotFound if a directory is missing.
        """
        return self._parent(path, follow)[:2]

    def open_directory(self, path, make=False):
        """Return a descriptor (O_PATH, the caller closes it) of the directory ``path``.

        With ``make``, what is missing on the way is made. Raises OSError where that cannot be,
        because its callers know better than we what that means.
        """
        return self._walk(path, whole=True, made=[] if make else None)[0]

    def open_file(self, path, limit=None):
        """Return the regular file ``path``, open for reading bytes.

        NotFound if there is none, CorruptData if it is something else or has more than ``limit``
        bytes. Never waits: a FIFO or device is refused without opening it.
        """
        parent, name, _ = self._parent(path)
        with naming(path):
            try:
                # before opening: opening a device can have effects
                if not stat.S_ISREG(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode):
                    raise CorruptData("%s is not a regular file" % shown(path))
                fd = os.open(name, _READ, dir_fd=parent)
            except OSError as error:
                if error.errno in _ABSENT:
                    raise _not_found(path) from error
                raise
            finally:
                os.close(parent)
            try:
                status = os.fstat(fd)
                if not stat.S_ISREG(status.st_mode):
                    raise CorruptData("%s is not a regular file" % shown(path))
                if limit is not None and status.st_size > limit:
                    raise CorruptData("%s has more than %d bytes" % (shown(path), limit))
                return os.fdopen(fd, "rb")
            except BaseException:
                os.close(fd)
                raise

    def read_file(self, path, limit):
        """Return the bytes of the regular file ``path``; errors as ``open_file`` has them."""
        with self.open_file(path, limit) as opened:
            with naming(path):
                data = opened.read(limit + 1)
        if len(data) > limit:  # it grew, or is a file of procfs
            raise CorruptData("%s has more than %d bytes" % (shown(path), limit))
        return data

    def kind(self, path):
        """Return what ``path`` is, links followed.

        None (nothing there), "directory", "executable" (a regular file with an x bit), "file",
        or "other" (a device, FIFO, socket, or something we are not allowed to look at).
        """
        parent = None
        try:
            parent, name, _ = self._walk(path)
            mode = os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode
        except OSError as error:
            if error.errno in _ABSENT:
                return None
            if error.errno in (errno.EACCES, errno.EPERM):
                return "other"
            raise host_error(error, path) from error
        finally:
            if parent is not None:
                os.close(parent)
        if stat.S_ISDIR(mode):
            return "directory"
        if stat.S_ISREG(mode):
            return "executable" if mode & 0o111 else "file"
        return "other"

    def real_path(self, path):
        """Return ``path`` (str, from ``/``) with all links resolved; the last name need not exist."""
        fd, name, names = self._parent(path)
        os.close(fd)
        return _joined(names, name)

    def make_mountpoint(self, path, is_directory):
        """Make sure that ``path`` is a directory, or is something else, to mount over.

        Returns the topmost path (str, links resolved) that had to be made, or None. Refused if
        something of the wrong sort is there.
        """
        made = []
        with naming(path):
            fd, name, names = self._walk(path, made=made)
            try:
                try:
                    there = os.stat(name, dir_fd=fd, follow_symlinks=False).st_mode
                except FileNotFoundError:
                    made.append(_joined(names, name))
                    if is_directory:
                        os.mkdir(name, 0o755, dir_fd=fd)
                    else:
                        os.close(os.open(name, CREATE, 0o644, dir_fd=fd))
                else:
                    if stat.S_ISDIR(there) != is_directory:
                        raise Refused("mount point %s is %s directory"
                                      % (shown(path), "not a" if is_directory else "a"))
            finally:
                os.close(fd)
        return made[0] if made else None

    def _parent(self, path, follow=True):
        try:
            return self._walk(path, follow)
        except OSError as error:
            if error.errno in _ABSENT:
                raise _not_found(path) from error
            raise host_error(error, path) from error

    def _walk(self, path, follow=True, whole=False, made=None):
        """Return (descriptor, name, names): where ``path`` leads, one component at a time.

        names (list of bytes): the directories from the root to the descriptor, none a link.
        name (bytes): the last component, or None if ``whole`` and the descriptor is the end.
        made (list or None): given, missing directories are made, and their paths added to it.
        """
        todo = _components(path)
        names, links, steps, fd = [], 0, 0, self.fd
        name = b"."
        try:
            while todo:
                steps += 1
                if steps > MAX_STEPS:
                    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
                name = todo.pop()
                if name == b"..":
                    # never by opening "..": the directory may have been moved out of the root
                    if names:
                        names.pop()
                        steps += len(names)
                        fd = self._reopen(fd, names)
                    name = b"."
                    continue
                is_last = not todo and not whole
                if is_last and not follow:
                    break
                try:
                    if is_last:
                        target = os.readlink(name, dir_fd=fd)
                    else:
                        child = os.open(name, WALK, dir_fd=fd)
                        if fd != self.fd:
                            os.close(fd)
                        fd = child
                        names.append(name)
                        name = b"."
                        continue
                except OSError as error:
                    if is_last and error.errno in (errno.EINVAL, errno.ENOENT):
                        break  # no link, or not there
                    if error.errno == errno.ENOENT and made is not None:
                        todo.append(name)
                        try:
                            os.mkdir(name, 0o755, dir_fd=fd)
                        except FileExistsError:
                            continue  # somebody else just did
                        made.append(_joined(names, name))
                        continue
                    if error.errno not in (errno.ENOTDIR, errno.ELOOP):
                        raise
                    try:
                        target = os.readlink(name, dir_fd=fd)
                    except OSError:
                        raise error  # neither directory nor link
                links += 1
                if links > MAX_LINKS:
                    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
                if target.startswith(b"/"):
                    names = []
                    fd = self._reopen(fd, names)
                todo.extend(_components(target))
                name = b"."
            return os.dup(fd) if fd == self.fd else fd, None if whole else name, names
        except BaseException:
            if fd != self.fd:
                os.close(fd)
            raise

    def _reopen(self, old, names):
        """Close ``old`` and return a descriptor of the directory ``names`` (resolved before)."""
        fd = self.fd
        try:
            for name in names:
                child = os.open(name, WALK, dir_fd=fd)
                if fd != self.fd:
                    os.close(fd)
                fd = child
        except BaseException:
            if fd != self.fd:
                os.close(fd)
            raise
        if old != self.fd:
            os.close(old)
        return fd


def _components(path):
    """Return the components of ``path`` that lead somewhere, last first (to pop them)."""
    path = raw(path)
    if b"\0" in path:
        raise InvalidValue("invalid path %s: a zero byte" % shown(path))
    return [name for name in reversed(path.split(b"/")) if name not in (b"", b".")]


def _not_found(path):
    return NotFound("%s is not in the root file system" % shown(path))


def _joined(names, name):
    return os.fsdecode(b"/" + b"/".join(names if name == b"." else names + [name]))
