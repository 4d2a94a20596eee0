"""A root file system that its owner can use again.

Files get in the way in two ways: without permission for their owner, as images have them for what
only root may see, and owned by ids of the user's subordinate range (subuid(5)), as tools leave
them that map more ids than one.
"""

import os
import stat

from udocker.errors import HostError
from udocker.host import files, tree
from udocker.model.reference import quoted

#: sched.h
_CLONE_NEWUSER = 0x10000000


def mend(path):
    """Give what is below ``path`` (str) to us, and let us read and write it.

    Returns how many files had to be changed (int). HostError if some are somebody else's for good.
    """
    foreign = _make_accessible(path)
    changed = foreign.changed
    if foreign.first is not None:
        _take_over(path)
        again = _make_accessible(path)
        changed += again.changed
        if again.first is not None:
            raise HostError("%s still belongs to the user id %d"
                            % (quoted(again.first[0]), again.first[1]))
    return changed


class _Found(object):
    """changed (int): files that got permissions; first ((path, uid) or None): not ours."""

    def __init__(self):
        self.changed, self.first = 0, None


def _make_accessible(path):
    found = _Found()

    def visit(fd, names):
        below = []
        for name in os.listdir(fd):
            status = os.stat(name, dir_fd=fd, follow_symlinks=False)
            if status.st_uid != os.getuid():
                if found.first is None:
                    found.first = (os.path.join(os.path.dirname(path), *(names + [name])),
                                   status.st_uid)
            elif _allow_owner(fd, name, status.st_mode):
                found.changed += 1
            if stat.S_ISDIR(status.st_mode):
                below.append(name)
        return below

    def failed(error, names):
        if found.first is None:
            raise tree.host_error(error, os.path.join(os.path.dirname(path), *names))

    with tree.naming(path):
        parent = os.open(os.path.dirname(path), tree.WALK)
        try:
            files.each_directory(parent, os.path.basename(path), visit, failed=failed, unlock=0o700)
        finally:
            os.close(parent)
    return found


def _allow_owner(fd, name, mode):
    """chmod u+rwX of one file; return whether that changed anything."""
    wanted = mode | 0o600
    if stat.S_ISDIR(mode) or mode & 0o111:
        wanted |= 0o100
    if wanted == mode or not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        return False
    opened = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=fd)
    try:
        os.chmod("/proc/self/fd/%d" % opened, stat.S_IMODE(wanted))
    finally:
        os.close(opened)
    return True


def _take_over(path):
    """Own everything below ``path``, in a user namespace that has our subordinate ids."""
    import ctypes
    libc = ctypes.CDLL(None, use_errno=True)
    ready, go = os.pipe(), os.pipe()
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            os.close(ready[0])
            os.close(go[1])
            if libc.unshare(_CLONE_NEWUSER) == 0:
                os.write(ready[1], b"+")
                if os.read(go[0], 1) == b"+":
                    os.setresgid(0, 0, 0)
                    os.setresuid(0, 0, 0)
                    _chown_tree(path)
                    status = 0
        finally:
            os._exit(status)
    os.close(ready[1])
    os.close(go[0])
    try:
        if os.read(ready[0], 1) != b"+":
            raise HostError("files of other users in %s, and no user namespaces to change them in"
                            % quoted(path))
        _map_ids(pid)
        os.write(go[1], b"+")
    finally:
        os.close(ready[0])
        os.close(go[1])
        status = os.waitpid(pid, 0)[1]
    if status:
        raise HostError("files of other users in %s, whose ids are not among yours (/etc/subuid)"
                        % quoted(path))


def _map_ids(pid):
    import subprocess
    for program, ids, table in (("newuidmap", os.getuid(), "/etc/subuid"),
                                ("newgidmap", os.getgid(), "/etc/subgid")):
        start, count = _subordinate(table)
        try:
            done = subprocess.run([program, str(pid), "0", str(ids), "1", "1", start, count],
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                  universal_newlines=True)
        except FileNotFoundError:
            raise HostError("files of other users, and no %s to change them with" % program,
                            "ask your administrator for the package uidmap")
        if done.returncode:
            raise HostError("%s: %s" % (program, " ".join(done.stdout.split())))


def _subordinate(table):
    """Return (first id, count) (str) of our first range in ``table``: subuid(5), subgid(5)."""
    import pwd
    try:
        names = (pwd.getpwuid(os.getuid()).pw_name, str(os.getuid()))
    except KeyError:
        names = (str(os.getuid()),)
    try:
        with open(table) as lines:
            for line in lines:
                fields = line.strip().split(":")
                if len(fields) == 3 and fields[0] in names:
                    return fields[1], fields[2]
    except OSError:
        pass
    raise HostError("files of other users, and no subordinate ids of yours in %s" % table,
                    "ask your administrator for a line in it")


def _chown_tree(path):
    def visit(fd, names):
        below = []
        for name in os.listdir(fd):
            status = os.stat(name, dir_fd=fd, follow_symlinks=False)
            if (status.st_uid, status.st_gid) != (0, 0):
                os.chown(name, 0, 0, dir_fd=fd, follow_symlinks=False)
            if stat.S_ISDIR(status.st_mode):
                below.append(name)
        return below

    parent = os.open(os.path.dirname(path), tree.WALK)
    files.each_directory(parent, os.path.basename(path), visit, unlock=0o700)
