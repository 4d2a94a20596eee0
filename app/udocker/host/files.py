"""Files of our own on this machine: durable writes, removal, sizes."""

import errno
import os
import stat

from udocker.errors import HostError
from udocker.host.tree import CREATE, LIST, WALK, host_error, naming, raw, shown

#: What names of unfinished files start with; they can be removed whenever nobody is writing.
TEMPORARY_PREFIX = b".tmp-"

#: File systems that cannot flush a directory say so with one of these.
_NO_FSYNC = (errno.EINVAL, errno.ENOTSUP, errno.EBADF, errno.EROFS)

#: Bytes copied at a time.
_COPY = 1 << 20


def write_atomic(path, data, mode=0o644):
    """Make ``path`` hold ``data`` (bytes): after a crash it has the old content or the new one.

    The mode is set as given, whatever the umask. A link at ``path`` is replaced, not followed.
    """
    path = raw(path)
    directory, name = os.path.split(path)
    with naming(path):
        while True:
            temporary = os.path.join(directory, TEMPORARY_PREFIX + name[:200] + b"-"
                                     + os.urandom(6).hex().encode("ascii"))
            try:
                fd = os.open(temporary, CREATE, 0o600)
                break
            except FileExistsError:
                continue
        try:
            try:
                view = memoryview(data)
                while view:
                    view = view[os.write(fd, view):]
                os.fchmod(fd, mode)
                os.fsync(fd)
            finally:
                os.close(fd)
            os.rename(temporary, path)
        except BaseException:
            try:
                os.unlink(temporary)
            except OSError:
                pass  # the first error is the one to tell
            raise
    fsync_directory(directory or b".")


def fsync_directory(path):
    """Make the names in the directory ``path`` survive a crash, where the file system can."""
    with naming(path):
        fd = os.open(raw(path), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        except OSError as error:
            if error.errno not in _NO_FSYNC:
                raise
        finally:
            os.close(fd)


def make_directories(path, mode=0o777):
    """Make the directory ``path`` and those above it, as far as they are missing."""
    with naming(path):
        os.makedirs(raw(path), mode, exist_ok=True)


def remove_tree(path):
    """Remove ``path`` and all that is below it; that something is gone already is no error.

    Links are removed, never followed. Our own directories are made accessible on the way. What
    cannot be removed is left, the rest is removed, and one HostError says what was left.
    """
    path = raw(path)
    with naming(path):
        try:
            fd, name = _open_parent(path)
        except FileNotFoundError:
            return
        try:
            remove_at(fd, name, path)
        finally:
            os.close(fd)


def remove_at(fd, name, path):
    """As ``remove_tree``, of ``name`` in the directory ``fd``; ``path`` is what to call it."""
    try:
        os.unlink(name, dir_fd=fd)
        return
    except OSError as error:
        if error.errno == errno.ENOENT:
            return
        if not _is_directory(error, name, fd):
            raise host_error(error, path) from error
    failures = _Failures(path)

    def visit(fd, names):
        below = []
        for name in os.listdir(fd):
            # unlink tells directories from the rest, and so saves a stat for each file
            try:
                os.unlink(name, dir_fd=fd)
            except OSError as error:
                if _is_directory(error, name, fd):
                    below.append(name)
                elif error.errno != errno.ENOENT:
                    failures.add(error, names + [name])
        return below

    def leave(fd, names):
        try:
            os.rmdir(names[-1], dir_fd=fd)
        except OSError as error:
            if error.errno != errno.ENOENT:
                failures.add(error, names)

    each_directory(fd, name, visit, leave, failures.add, unlock=0o700)
    failures.raise_any()


def copy_at(source, name, status, target, last):
    """Make ``last`` in directory ``target`` what ``name`` in directory ``source`` is.

    source and target are descriptors; status (os.stat_result): of the source, which is a regular
    file or a link. FileExistsError if ``last`` is there already.
    """
    if stat.S_ISLNK(status.st_mode):
        os.symlink(os.readlink(name, dir_fd=source), last, dir_fd=target)
        return
    if not stat.S_ISREG(status.st_mode):
        raise HostError("cannot copy %s: a special file" % shown(name))
    reading = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC,
                      dir_fd=source)
    try:
        writing = os.open(last, CREATE, 0o600, dir_fd=target)
        try:
            while True:
                data = memoryview(os.read(reading, _COPY))
                if not data:
                    break
                while data:
                    data = data[os.write(writing, data):]
            os.fchmod(writing, stat.S_IMODE(status.st_mode))
            os.utime(writing, ns=(status.st_mtime_ns, status.st_mtime_ns))
        finally:
            os.close(writing)
    finally:
        os.close(reading)


def tree_size(path):
    """Return the bytes that ``path`` and all below it take on disk, hard links counted once.

    What cannot be read is not counted, nor are other file systems mounted below.
    """
    with naming(path):
        fd, name = _open_parent(raw(path))
        try:
            return size_at(fd, name)
        finally:
            os.close(fd)


def size_at(fd, name):
    """As ``tree_size``, of ``name`` in the directory ``fd``; OSError."""
    top = os.stat(name, dir_fd=fd, follow_symlinks=False)
    if not stat.S_ISDIR(top.st_mode):
        return top.st_blocks * 512
    blocks, seen = [top.st_blocks], set()

    def visit(fd, names):
        below = []
        for name in os.listdir(fd):
            try:
                status = os.stat(name, dir_fd=fd, follow_symlinks=False)
            except FileNotFoundError:
                continue
            if status.st_nlink > 1 and not stat.S_ISDIR(status.st_mode):
                if (status.st_dev, status.st_ino) in seen:
                    continue
                seen.add((status.st_dev, status.st_ino))
            blocks[0] += status.st_blocks
            if stat.S_ISDIR(status.st_mode) and status.st_dev == top.st_dev:
                below.append(name)
        return below

    each_directory(fd, name, visit)
    return blocks[0] * 512  # stat(2): st_blocks counts 512 bytes whatever the file system


def _open_parent(path):
    directory, name = os.path.split(path.rstrip(b"/"))
    if not name or name in (b".", b".."):
        directory, name = path, b"."
    # the directories above are the user's choice, and may well be links
    return os.open(directory or b".", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC), name


class _Failures(object):
    """What could not be removed: the first of it and how many, since there may be millions."""

    def __init__(self, path):
        self._path, self._first, self._count = path, None, 0

    def add(self, error, names):
        self._count += 1
        if self._first is None:
            self._first = (error, list(names))

    def raise_any(self):
        if self._first is None:
            return
        error, names = self._first
        where = os.path.join(self._path, *[raw(name) for name in names[1:]])
        more = " (and %d more)" % (self._count - 1) if self._count > 1 else ""
        raise HostError("cannot remove %s: %s%s"
                        % (shown(where), os.strerror(error.errno).lower(), more)) from error


def each_directory(fd, name, visit, leave=None, failed=None, unlock=0):
    """Go through directory ``name`` in ``fd``, depth first, with two descriptors however deep.

    visit(fd, names) sees to what is in a directory and returns the directories in it to go to;
    leave(fd of the one above, names) comes after all of these. failed(error, names) is told what
    could not be entered. names is the way as a list, beginning with ``name``.
    unlock (int): what to add first to the mode of directories of ours that lack some of it.
    """
    fd = os.dup(fd)
    try:
        levels = [([name], _identity(fd))]  # for each directory what is left to do, and which it is
        names = []
        while True:
            left = levels[-1][0]
            if left:
                names.append(left.pop())
                try:
                    child = _open_to_list(names[-1], fd, unlock)
                    os.close(fd)
                    fd = child
                    levels.append(([], _identity(fd)))
                    levels[-1][0].extend(visit(fd, names))
                    continue
                except FileNotFoundError:
                    pass
                except OSError as error:
                    if failed is not None:
                        failed(error, names)
                if len(levels) == len(names):  # not entered
                    names.pop()
                continue
            levels.pop()
            if not names:
                return
            above = os.open("..", WALK, dir_fd=fd)
            os.close(fd)
            fd = above
            if _identity(fd) != levels[-1][1]:
                # somebody moves directories about, and we must not follow them elsewhere
                if failed is not None:
                    failed(OSError(errno.EBUSY, os.strerror(errno.EBUSY)), names)
                return
            if leave is not None:
                leave(fd, names)
            names.pop()
    finally:
        os.close(fd)


def _identity(fd):
    status = os.fstat(fd)
    return status.st_dev, status.st_ino


def _is_directory(error, name, fd):
    """Tell whether ``error`` of unlink(2) means that ``name`` in ``fd`` is a directory."""
    if error.errno != errno.EPERM:  # what POSIX has for it, and Linux for other things too
        return error.errno == errno.EISDIR
    try:
        return stat.S_ISDIR(os.stat(name, dir_fd=fd, follow_symlinks=False).st_mode)
    except OSError:
        return False


def _open_to_list(name, parent, unlock):
    if unlock:
        # chmod follows links and fchmod wants a readable file: the name in /proc does neither
        fd = os.open(name, WALK, dir_fd=parent)
        try:
            mode = os.fstat(fd).st_mode
            if mode & unlock != unlock:
                try:
                    os.chmod("/proc/self/fd/%d" % fd, stat.S_IMODE(mode) | unlock)
                except OSError:
                    pass  # not ours, or no /proc: what this prevents will be said
        finally:
            os.close(fd)
    return os.open(name, LIST, dir_fd=parent)
