"""Reading a root file system to copy it: files that nobody may read, holes, hard links."""

import errno
import os
import stat

from udocker.host.tree import naming, shown

#: Bytes read at a time.
CHUNK = 1 << 20
#: Regions of a sparse file above which its holes are not worth the bookkeeping.
MAX_REGIONS = 10000
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


def open_to_read(name, folder, status):
    """Return a descriptor of the regular file ``name`` in directory ``folder`` (descriptor).

    status (os.stat_result): of the file. One of ours that even we may not read, as programs that
    believe to be root leave them, is made readable for the moment that opening it takes.
    """
    try:
        return os.open(name, _READ, dir_fd=folder)
    except PermissionError:
        if status.st_uid != os.geteuid():
            raise
    handle = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    try:
        there = os.fstat(handle)
        if not stat.S_ISREG(there.st_mode):
            raise OSError(errno.EACCES, os.strerror(errno.EACCES), name)
        path = "/proc/self/fd/%d" % handle  # chmod follows links, but not out of this
        os.chmod(path, stat.S_IMODE(there.st_mode) | stat.S_IRUSR)
        try:
            return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        finally:
            os.chmod(path, stat.S_IMODE(there.st_mode))
    finally:
        os.close(handle)


def regions(fd, status):
    """Return [(offset, length)] of what is no hole in the file ``fd``; None if that is all of it."""
    if status.st_blocks * 512 >= status.st_size:
        return None
    found, at = [], 0
    try:
        while at < status.st_size and len(found) <= MAX_REGIONS:
            try:
                start = os.lseek(fd, at, os.SEEK_DATA)
            except OSError as error:
                if error.errno == errno.ENXIO:  # holes to the end
                    break
                raise
            at = min(os.lseek(fd, start, os.SEEK_HOLE), status.st_size)
            if at > start:
                found.append((start, at - start))
    except OSError:
        return None  # a file system that cannot tell
    finally:
        os.lseek(fd, 0, os.SEEK_SET)
    return None if len(found) > MAX_REGIONS or found == [(0, status.st_size)] else found


def pieces(fd, parts):
    """Yield (offset, bytes) of ``parts`` ([(offset, length)]) of the file ``fd``; less if it shrank."""
    for offset, length in parts:
        while length:
            data = os.pread(fd, min(length, CHUNK), offset)
            if not data:
                return
            yield offset, data
            offset += len(data)
            length -= len(data)


class Links(object):
    """Which files are hard links of one another, by what they were called first."""

    def __init__(self):
        self._names = {}

    def first(self, status, name):
        """Return the name (bytes) under which the file was met before, None if this is the first.

        status (os.stat_result), name (bytes: what to remember for the next one).
        """
        if status.st_nlink < 2:
            return None
        known = self._names.setdefault((status.st_dev, status.st_ino), name)
        return None if known is name else known


class LeftOut(object):
    """What cannot be copied: sockets, and devices, which only root can make."""

    def __init__(self):
        self.count = 0
        self._first = None

    def add(self, name):
        """Count the file ``name`` (bytes)."""
        self.count += 1
        self._first = self._first or name

    def warn(self, warning):
        """Tell the function ``warning`` in one line, if there is anything to tell."""
        if self.count:
            more = " and %d more" % (self.count - 1) if self.count > 1 else ""
            warning("%s%s left out: a socket or device cannot be copied" % (shown(self._first), more))


def entries(fd, path):
    """Return [(name as bytes, os.stat_result)] of the directory ``fd``, in the order of the names.

    path: what to call it in errors. What vanishes meanwhile is left out.
    """
    found = []
    with naming(path):
        for name in sorted(os.fsencode(entry) for entry in os.listdir(fd)):
            try:
                found.append((name, os.stat(name, dir_fd=fd, follow_symlinks=False)))
            except FileNotFoundError:
                continue
    return found
