"""Exclusion between processes, on shared file systems too.

flock(2) where it works: it ends with its process, whatever that dies of. Lustre and NFS may be
mounted without it; there a *lease* takes its place, a symbolic link whose target says who holds it.
Making a link is atomic everywhere, and, unlike a file, it is never there without its content.

All hosts that share a store are taken to mount it alike: one with flock and one without do not
see each other's locks.
"""

import errno
import fcntl
import os
import time

from udocker.errors import HostError, Refused
from udocker.host.processes import Process, process
from udocker.host.tree import host_error, raw, shown

#: Seconds to wait for a lock before giving up: what it protects takes a fraction of one.
TIMEOUT = 60.0
#: Seconds after which a lease of another host, whose processes we cannot see, is taken over. Ten
#: times longer than anybody waits, let alone holds it.
STALE = 600.0
#: Ditto for the guard that is held while one is taken over.
_STALE_GUARD = 60.0
_SHORTEST_SLEEP, _LONGEST_SLEEP = 0.005, 0.25

_NO_FLOCK = (errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOLCK, errno.EINVAL)
_FIELDS = 6


class Lock(object):
    """``with Lock(path):`` nobody else is in such a block with the same path. Keep it short.

    path: a file that is made if need be and stays; with ``.lease`` added, what may take its place.
    Refused, naming the holder, if it cannot be had within ``timeout`` seconds.
    """

    def __init__(self, path, timeout=TIMEOUT):
        self._path = raw(path)
        self._timeout = timeout
        self._lease = _Lease(self._path + b".lease")
        self._fd = None

    def __enter__(self):
        try:
            fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise host_error(error, self._path) from error
        try:
            self._acquire(fd)
        except OSError as error:
            os.close(fd)
            raise host_error(error, self._path) from error
        except BaseException:
            os.close(fd)
            raise
        self._fd = fd
        return self

    def __exit__(self, kind, error, traceback):
        fd, self._fd = self._fd, None
        os.close(fd)  # and with it the lock of flock
        if self._lease.owner is not None:
            self._lease.release()

    def _acquire(self, fd):
        until = time.monotonic() + self._timeout
        sleep = _SHORTEST_SLEEP
        has_flock = True
        while True:
            if has_flock:
                try:
                    fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except OSError as error:
                    if error.errno in _NO_FLOCK:
                        has_flock = False
                        continue
                    if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
                        raise
                else:
                    self._sign(fd)
                    return
            elif self._lease.try_acquire():
                return
            if time.monotonic() >= until:
                raise Refused("%s is locked by %s" % (shown(self._path), self._holder(fd, has_flock)),
                              "wait until it is done, and try again")
            time.sleep(sleep)
            sleep = min(sleep * 2, _LONGEST_SLEEP)

    def _sign(self, fd):
        try:
            os.ftruncate(fd, 0)
            os.pwrite(fd, _identity(), 0)
        except OSError:
            pass  # it only serves the message below

    def _holder(self, fd, has_flock):
        fields = (os.pread(fd, 1000, 0) if has_flock else self._lease.holder() or b"").split(b" ")
        if len(fields) != _FIELDS:
            return "another process"
        return "process %s on %s" % (os.fsdecode(fields[3]), shown(fields[0]))


class _Lease(object):
    def __init__(self, path):
        self._path = path
        self._guard = path + b".guard"
        self.owner = None

    def holder(self):
        """Return who (bytes) has the lease, None if nobody."""
        try:
            return os.readlink(self._path)
        except OSError as error:
            if error.errno == errno.ENOENT:
                return None
            if error.errno == errno.EINVAL:
                raise HostError("%s is not a lock of udocker" % shown(self._path), "remove it")
            raise

    def try_acquire(self):
        owner = _identity()
        try:
            os.symlink(owner, self._path)
        except FileExistsError:
            holder = self.holder()
            if holder is not None and _is_alive(holder) is not True:
                self._take_over(holder)
            return False
        self.owner = owner
        return True

    def release(self):
        owner, self.owner = self.owner, None
        if self.holder() != owner:
            raise HostError("the lock %s was lost: it was held for more than %d seconds"
                            % (shown(self._path), STALE))
        os.unlink(self._path)

    def _take_over(self, holder):
        """Remove the lease of ``holder`` if it is dead or stale.

        Under the guard, so that nobody removes the lease of the next owner: who has the guard
        looks again whether it is still the same one, and only who has it removes another's.
        """
        try:
            os.symlink(_identity(), self._guard)
        except FileExistsError:
            self._remove_stale_guard()
            return
        try:
            # the file system's own clock: those of hosts differ
            now = os.lstat(self._guard).st_mtime
            age = now - os.lstat(self._path).st_mtime
            if self.holder() == holder and (_is_alive(holder) is False or age > STALE):
                os.unlink(self._path)
        except FileNotFoundError:
            pass
        finally:
            _unlink(self._guard)

    def _remove_stale_guard(self):
        probe = self._path + b"." + _nonce()
        try:
            os.symlink(b"probe", probe)
            try:
                now = os.lstat(probe).st_mtime
            finally:
                _unlink(probe)
            if now - os.lstat(self._guard).st_mtime > _STALE_GUARD:
                _unlink(self._guard)
        except FileNotFoundError:
            pass


def _unlink(path):
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass


def _nonce():
    return os.urandom(8).hex().encode("ascii")


def _identity():
    """Return who we are: host, its boot, pid namespace, pid, start of the process, a nonce."""
    one = process(os.getpid())
    return os.fsencode("%s %s %s %d %s " % one) + _nonce()


def _is_alive(holder):
    """Tell whether the process ``holder`` runs: True, False, or None where we cannot know."""
    fields = os.fsdecode(holder).split(" ")
    if len(fields) != _FIELDS or not fields[3].isdigit():
        return None
    return Process(fields[0], fields[1], fields[2], int(fields[3]), fields[4]).is_alive
