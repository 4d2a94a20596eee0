"""What the kernel lets this user do, found out by trying.

A setting that says yes proves little (AppArmor, seccomp filters and containers around us say no
later), so each probe does the thing itself in a child process.
"""

import os
from collections import namedtuple

from udocker.host import facts

#: works (bool), reason (str: what was seen, or what to ask the administrator for).
Probe = namedtuple("Probe", "works reason")


def user_namespaces():
    """Whether a process of this user gets a user namespace and may mount in it what a container
    has of its own."""
    # the kernel shows no new /proc to who sees less than all of the old one: inside of containers,
    # parts of it are mounted over
    is_masked = " /proc/" in _read("/proc/self/mountinfo")

    def attempt():
        import ctypes
        clone_newns, clone_newuser, clone_newpid = 0x00020000, 0x10000000, 0x20000000  # sched.h
        ms_rec, ms_private = 0x4000, 0x40000  # mount.h
        libc = ctypes.CDLL(None, use_errno=True)
        uid, gid = os.getuid(), os.getgid()
        if libc.unshare(clone_newuser | clone_newns | (clone_newpid if is_masked else 0)) != 0:
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
        if is_masked:
            pid = os.fork()  # the first process of the new pid namespace
            if pid == 0:
                os._exit(ctypes.get_errno()
                         if libc.mount(b"proc", b"/proc", b"proc", 0, None) != 0 else 0)
            number = os.WEXITSTATUS(os.waitpid(pid, 0)[1])
            if number:
                return "mount of /proc, as inside another container", number
        return None

    failure = _in_child(attempt)
    if failure is None:
        return Probe(True, "user namespaces work")
    advice = ""
    for switch in namespace_switches():
        advice = ": /proc/sys/%s is %s" % (switch.name.replace(".", "/"), switch.value)
        break
    else:
        if _is_filtered() and "inside" not in failure:
            advice = ": a seccomp filter is on, as in containers"
    return Probe(False, "no user namespaces (%s)%s" % (failure, advice))


#: A setting of sysctl(8) that forbids namespaces: name, value that it has, value that allows them.
Switch = namedtuple("Switch", "name value wanted")


def namespace_switches():
    """Return the Switches that are off for ordinary users here (list)."""
    # 15000 is what kernels take by themselves on a machine of 4 GB
    known = (Switch("kernel.unprivileged_userns_clone", "0", "1"),
             Switch("user.max_user_namespaces", "0", "15000"),
             Switch("user.max_mnt_namespaces", "0", "15000"),
             Switch("kernel.apparmor_restrict_unprivileged_userns", "1", "0"))
    return [switch for switch in known
            if _read("/proc/sys/" + switch.name.replace(".", "/")) == switch.value]


def ptrace_is_doubtful():
    """Whether something on this host may forbid ptrace(2): cheap, and never wrong with no."""
    return yama_scope() in ("2", "3") or _is_filtered()


def seccomp_is_doubtful():
    """Whether this host may have no seccomp filters, or forbid them: cheap, and never wrong with no.

    Linux tells since 4.14 that it was built with them; before, and elsewhere, it has to be tried.
    """
    return _is_filtered() or not os.path.exists("/proc/sys/kernel/seccomp/actions_avail")


def yama_scope():
    """Return the ptrace_scope of the security module Yama (str), "" where that is not in use."""
    return _read("/proc/sys/kernel/yama/ptrace_scope")


def _is_filtered():
    """Whether a seccomp filter is on this process, its own or its container's."""
    return "Seccomp:\t2" in _read("/proc/self/status")


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
    if yama_scope() in ("2", "3"):
        advice = ": /proc/sys/kernel/yama/ptrace_scope is above 1"
    elif _is_filtered():
        advice = ": a seccomp filter is on, as in containers"
    return Probe(False, "ptrace is forbidden (%s)%s" % (failure, advice))


def executes(architecture):
    """Whether the kernel starts programs for ``architecture`` (str: GOARCH), if by an emulator."""
    if facts.executes(architecture):
        return Probe(True, "programs for %s run here" % architecture)
    return Probe(False, "the image is for %s, which only PRoot lets QEMU play" % architecture)


def seccomp():
    """Whether a process may put a seccomp filter on itself, which makes PRoot in mode P1 fast."""
    def attempt():
        import ctypes
        import struct
        pr_set_no_new_privs, pr_set_seccomp, mode_filter = 38, 22, 2  # prctl.h, seccomp.h
        libc = ctypes.CDLL(None, use_errno=True)
        # struct sock_fprog with one instruction: return, allowed (filter.h)
        buffer = ctypes.create_string_buffer(struct.pack("HBBI", 0x06, 0, 0, 0x7fff0000))
        program = struct.pack("HP", 1, ctypes.addressof(buffer))
        if libc.prctl(pr_set_no_new_privs, 1, 0, 0, 0) != 0 \
                or libc.prctl(pr_set_seccomp, mode_filter, program, 0, 0) != 0:
            return "prctl", ctypes.get_errno()
        return None

    failure = _in_child(attempt)
    return Probe(failure is None, "seccomp filters work" if failure is None
                 else "no seccomp filters (%s)" % failure)


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
