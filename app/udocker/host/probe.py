"""What the kernel lets this user do, found out by trying.

A setting that says yes proves little (AppArmor, seccomp filters and containers around us say no
later), so each probe does the thing itself in a child process.
"""

import os
from collections import namedtuple

#: works (bool), reason (str: what was seen, or what to ask the administrator for).
Probe = namedtuple("Probe", "works reason")


def user_namespaces():
    """Whether a process of this user gets a user namespace and may mount in it."""
    def attempt():
        import ctypes
        clone_newns, clone_newuser = 0x00020000, 0x10000000  # sched.h
        ms_rec, ms_private = 0x4000, 0x40000  # mount.h
        libc = ctypes.CDLL(None, use_errno=True)
        uid, gid = os.getuid(), os.getgid()
        if libc.unshare(clone_newuser | clone_newns) != 0:
            return "unshare", ctypes.get_errno()
        try:
            # a single-id map is what an unprivileged user may write (user_namespaces(7))
            _write("/proc/self/setgroups", "deny")
            _write("/proc/self/uid_map", "0 %d 1" % uid)
            _write("/proc/self/gid_map", "0 %d 1" % gid)
        except OSError as error:
            return "uid map", error.errno
        if libc.mount(None, b"/", None, ms_rec | ms_private, None) != 0:
            return "mount", ctypes.get_errno()
        if libc.mount(b"none", b"/tmp", b"tmpfs", 0, None) != 0:
            return "mount", ctypes.get_errno()
        return None

    failure = _in_child(attempt)
    if failure is None:
        return Probe(True, "user namespaces work")
    return Probe(False, "no user namespaces (%s)%s" % (failure, _userns_advice()))


def _userns_advice():
    """Which of the usual switches is off (each is a file that says so)."""
    for path, bad in (("/proc/sys/kernel/unprivileged_userns_clone", "0"),
                      ("/proc/sys/user/max_user_namespaces", "0"),
                      ("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1")):
        if _read(path) == bad:
            return ": %s is %s" % (path, bad)
    return ""


def ptrace_is_doubtful():
    """Whether something on this host may forbid ptrace(2): cheap, and never wrong with no."""
    scope = _read("/proc/sys/kernel/yama/ptrace_scope")
    if scope in ("2", "3"):
        return True
    status = _read("/proc/self/status")
    return "Seccomp:\t2" in status


def ptrace():
    """Whether a child may be traced, which PRoot lives on."""
    def attempt():
        import ctypes
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.ptrace(0, 0, None, None) != 0:  # PTRACE_TRACEME
            return "ptrace", ctypes.get_errno()
        return None

    failure = _in_child(attempt)
    if failure is None:
        return Probe(True, "ptrace works")
    advice = ""
    if _read("/proc/sys/kernel/yama/ptrace_scope") in ("2", "3"):
        advice = ": /proc/sys/kernel/yama/ptrace_scope is above 1"
    elif "Seccomp:\t2" in _read("/proc/self/status"):
        advice = ": a seccomp filter is on, as in containers"
    return Probe(False, "ptrace is forbidden (%s)%s" % (failure, advice))


def _in_child(attempt):
    """Run ``attempt`` in a child; return None or the text of the (what, errno) that it returns."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            failure = attempt()
            if failure is not None:
                os.write(writer, ("%s: %s" % (failure[0], os.strerror(failure[1]))).encode())
        except BaseException as error:
            os.write(writer, str(error).encode("utf-8", "replace")[:200])
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        text = pipe.read().decode("utf-8", "replace")
    os.waitpid(pid, 0)
    return text or None


def _write(path, text):
    fd = os.open(path, os.O_WRONLY)
    try:
        os.write(fd, text.encode())
    finally:
        os.close(fd)


def _read(path):
    try:
        with open(path) as file:
            return file.read().strip()
    except OSError:
        return ""
