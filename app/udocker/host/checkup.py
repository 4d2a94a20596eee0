"""What this host has, beyond what running a container asks about: for ``udocker doctor``.

Every function looks at one thing and may take long, or fail with OSError: host/asked.py bears both.
"""

import errno
import os
from collections import namedtuple

#: Ranges of ids that the user may map besides his own: uids and gids (int), helpers (bool: the
#: set-user-id programs that do it are there).
SubordinateIds = namedtuple("SubordinateIds", "uids gids helpers")

#: A directory: path, point (str: where its file system is mounted), kind (str: the type of that),
#: device (str: where it comes from), free (int, bytes), inodes (int: free ones; -1 where there is no count), and, as far as they
#: could be tried: writes, executes, locks (True, False, or a str: why that is not known).
Place = namedtuple("Place", "path point kind device free inodes writes executes locks")

#: File systems whose files are on another machine.
NETWORK = frozenset(["nfs", "nfs4", "lustre", "gpfs", "beegfs", "ceph", "cifs", "smb3", "afs",
                     "glusterfs", "fuse.glusterfs", "fuse.sshfs", "orangefs", "pvfs2", "panfs",
                     "9p", "cvmfs2", "fuse.cvmfs2"])


def distribution():
    """Return how the distribution calls itself (os-release(5)); "" where it does not."""
    for path in ("/etc/os-release", "/usr/lib/os-release"):
        for line in _lines(path):
            key, _, value = line.partition("=")
            if key == "PRETTY_NAME":
                return value.strip("\"'")
    return ""


def surroundings(environ):
    """Return what kind of container this process is in (str), "" if it seems to be in none."""
    for path, name in (("/.dockerenv", "docker"), ("/run/.containerenv", "podman"),
                       ("/.singularity.d", "singularity")):
        if os.path.exists(path):
            return name
    if "container_execmode" in environ:
        return "udocker, mode " + environ["container_execmode"]
    return environ.get("container", "")  # systemd's CONTAINER_INTERFACE


def subordinate_ids(user, uid):
    """Return the SubordinateIds of ``user`` (str), ``uid`` (int)."""
    owners = (user, str(uid))
    counts = []
    for path in ("/etc/subuid", "/etc/subgid"):
        fields = [line.split(":") for line in _lines(path)]
        counts.append(sum(int(parts[2]) for parts in fields
                          if len(parts) == 3 and parts[0] in owners and parts[2].isdigit()))
    helpers = all(dict(in_path(["newuidmap", "newgidmap"])).values())
    return SubordinateIds(counts[0], counts[1], helpers)


def in_path(names, path=None):
    """Return [(name, path of the program, None if there is none)] for ``names``."""
    from shutil import which
    return [(name, which(name, path=path)) for name in names]


def cgroups():
    """Return which control groups are mounted: "v2", "v1", "hybrid" or "none"."""
    kinds = set(mount.kind for mount in mounts() if mount.kind in ("cgroup", "cgroup2"))
    return {0: "none", 2: "hybrid"}.get(len(kinds)) or ("v2" if "cgroup2" in kinds else "v1")


def limits():
    """Return [(what, most of it: int)] of the limits of this process that are set (getrlimit(2))."""
    import resource
    named = (("address space", resource.RLIMIT_AS), ("file size", resource.RLIMIT_FSIZE),
             ("processes", resource.RLIMIT_NPROC), ("open files", resource.RLIMIT_NOFILE))
    found = [(what, resource.getrlimit(which)[0]) for what, which in named]
    return [item for item in found if item[1] != resource.RLIM_INFINITY]


#: A line of mountinfo: point, kind, device (str).
Mount = namedtuple("Mount", "point kind device")


def mounts():
    """Return the Mounts that this process sees (proc(5), mountinfo), in their order."""
    found = []
    for line in _lines("/proc/self/mountinfo"):
        before, _, after = line.partition(" - ")
        fields, details = before.split(" "), after.split(" ")
        if len(fields) > 4 and len(details) > 1:
            found.append(Mount(_unescaped(fields[4]), details[0], _unescaped(details[1])))
    return found


def covering(table, path):
    """Return the Mount in ``table`` (list of Mount) that ``path`` (str, without links) is on."""
    found = Mount("/", "unknown", "")
    for mount in table:
        below = path == mount.point or path.startswith(mount.point.rstrip("/") + "/")
        if below and len(mount.point) >= len(found.point):  # of equals, the last lies on top
            found = mount
    return found


def place(path):
    """Return the Place of the directory ``path`` (str), or of the nearest one above that exists."""
    while not os.path.isdir(path) and path != "/":
        path = os.path.dirname(path)
    mount = covering(mounts(), os.path.realpath(path))
    status = os.statvfs(path)
    inodes = status.f_favail if status.f_files else -1
    return Place(path, mount.point, mount.kind, mount.device, status.f_bavail * status.f_frsize,
                 inodes, *_tried(path, status))


def _tried(path, status):
    """Return whether one can write in ``path``, start what was written, and lock it."""
    name = os.path.join(path, ".doctor-%d-%s" % (os.getpid(), os.urandom(6).hex()))
    may_execute = not status.f_flag & os.ST_NOEXEC
    try:
        fd = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o700)
    except OSError as error:
        why = "cannot write there: " + os.strerror(error.errno).lower()
        return False, may_execute, why
    try:
        try:
            locks = _locks(fd)
            os.write(fd, b"#!/bin/sh\nexit 0\n")
        finally:
            os.close(fd)
        return True, _executes(name), locks
    finally:
        os.unlink(name)


def _locks(fd):
    import fcntl
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return False if error.errno != errno.EWOULDBLOCK else True
    return True


def _executes(path):
    import subprocess
    try:
        return subprocess.call([path], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL) == 0
    except OSError:
        return False


def _unescaped(text):
    """Undo the octal escapes of blanks and the like."""
    for code in ("040", "011", "012", "134"):
        text = text.replace("\\" + code, chr(int(code, 8)))
    return text


def _lines(path):
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read(1 << 22).splitlines()
    except OSError:
        return []
