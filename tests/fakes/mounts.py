"""Run a program for which a directory is mounted as an administrator might have it.

usage: python3 mounts.py KIND DIRECTORY PROGRAM [ARGUMENT...]

noexec, ro: with that flag. dead: a file system whose server answers nothing. small: an empty one of
5 MB. theirs: the root file system of this machine, which belongs to somebody else. masked: /dev/null,
as podman and docker mount it over files of /proc, which then nobody inside gets anew. cgroup-none,
cgroup-1, cgroup-2: what is at /sys/fs/cgroup (the DIRECTORY) on machines with that. All of it happens
in namespaces of this process, which stays the user that it was, and is gone with it.
"""

import ctypes
import os
import sys

CLONE_NEWNS, CLONE_NEWUSER, CLONE_NEWCGROUP = 0x00020000, 0x10000000, 0x02000000  # sched.h
MS_BIND, MS_REC, MS_REMOUNT = 0x1000, 0x4000, 0x20  # mount.h
FLAGS = {"ro": 0x1, "noexec": 0x8}
#: What a mount has already it has to keep (mount_namespaces(7)): statvfs(3)'s bit -> mount(2)'s.
KEPT = ((os.ST_RDONLY, 0x1), (os.ST_NOSUID, 0x2), (os.ST_NODEV, 0x4), (os.ST_NOEXEC, 0x8),
        (os.ST_NOATIME, 0x400), (os.ST_NODIRATIME, 0x800), (os.ST_RELATIME, 0x200000))


def mount(source, target, kind, flags, data=None):
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(source, os.fsencode(target), kind, flags, data) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), target)


def enter():
    uid, gid = os.getuid(), os.getgid()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWCGROUP) != 0:
        raise OSError(ctypes.get_errno(), "no user namespaces")
    for name, text in (("setgroups", "deny"), ("uid_map", "%d %d 1" % (uid, uid)),
                       ("gid_map", "%d %d 1" % (gid, gid))):
        with open("/proc/self/" + name, "w") as file:
            file.write(text)


def change(kind, directory):
    enter()
    if kind == "dead":
        fd = os.open("/dev/fuse", os.O_RDWR)
        os.set_inheritable(fd, True)  # who has it is the server, and it never reads
        options = "fd=%d,rootmode=40000,user_id=%d,group_id=%d" % (fd, os.getuid(), os.getgid())
        mount(b"dead", directory, b"fuse", 0, options.encode("ascii"))
        return
    if kind == "small":
        mount(b"tmpfs", directory, b"tmpfs", 0, b"size=5m,mode=700")
        return
    if kind.startswith("cgroup-"):
        change_cgroups(kind[len("cgroup-"):], directory)
        return
    source = {"theirs": b"/", "masked": b"/dev/null"}.get(kind, os.fsencode(directory))
    mount(source, directory, None, MS_BIND | MS_REC)
    if kind not in FLAGS:
        return
    there = os.statvfs(directory).f_flag
    flags = sum(flag for bit, flag in KEPT if there & bit)
    mount(None, directory, None, MS_BIND | MS_REMOUNT | flags | FLAGS[kind])


def change_cgroups(version, directory):
    if version == "2":
        mount(b"none", directory, b"cgroup2", 0)
        return
    old = os.open(directory, os.O_PATH)
    names = [name for name in os.listdir(directory) if name not in ("unified", "systemd")
             and os.path.isdir(os.path.join(directory, name))]
    mount(b"none", directory, b"tmpfs", 0)
    for name in names if version == "1" else ():
        os.mkdir(os.path.join(directory, name))
        mount(os.fsencode("/proc/self/fd/%d/%s" % (old, name)), os.path.join(directory, name), None,
              MS_BIND | MS_REC)


if __name__ == "__main__":
    change(sys.argv[1], sys.argv[2])
    os.execvp(sys.argv[3], sys.argv[3:])
