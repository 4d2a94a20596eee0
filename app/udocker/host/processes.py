"""Processes: which one is which, what descends from one, and its end.

Starting a container imports this module: it imports nothing that Python has not loaded already.
"""

import os
import time
from collections import namedtuple

#: Seconds between two looks at processes that are to end: short at first, since most are quick.
_SHORTEST_SLEEP, _LONGEST_SLEEP = 0.005, 0.1
#: What ``start_of`` says of a process that is only still there because nobody asked for its status.
ENDED = "ended"

#: The namespace of pids that all others descend from: PROC_PID_INIT_INO in Linux's proc_ns.h.
_INITIAL = "pid:[4026531836]"


class Process(namedtuple("Process", "host boot namespace pid started")):
    """One process, described so that no other is taken for it.

    host (str), boot (str: which boot of that host), namespace (str: of pids), pid (int),
    started (str: ticks since that boot, proc(5) starttime). "?" stands for what is not known.
    """

    __slots__ = ()

    @property
    def is_alive(self):
        """Whether it runs: True, False, or None where that cannot be seen from here."""
        host, boot, namespace = place()
        if self.host != host or "?" in (self.boot, boot):
            return None
        if self.boot != boot:
            return False  # that host was started again since
        if self.namespace != namespace or namespace == "?":
            # from the first namespace the processes of all others are to be seen, if under other pids
            return False if namespace == _INITIAL and not _is_populated(self.namespace) else None
        try:
            os.kill(self.pid, 0)
        except (ProcessLookupError, OverflowError):
            return False
        except OSError:
            pass  # somebody else's
        started = start_of(self.pid)
        return started is None or started != ENDED and self.started in (started, "?")

    def send(self, number):
        """Send it the signal ``number`` (int); return whether it was there. Never to another."""
        fd = None
        try:
            if hasattr(os, "pidfd_open"):
                try:
                    fd = os.pidfd_open(self.pid)
                except OSError:
                    pass  # it has ended, or the kernel is older than 5.3
            if not self.is_alive:
                return False
            if fd is None:
                os.kill(self.pid, number)
            else:  # which still means the process that was looked at, should it end now
                from _signal import pidfd_send_signal
                pidfd_send_signal(fd, number)
            return True
        except ProcessLookupError:
            return False
        except PermissionError:
            return True  # it became somebody else's, by a program that is set-user-id
        finally:
            if fd is not None:
                os.close(fd)


def place():
    """Return (host, boot, namespace) of this process, as in Process."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as opened:
            boot = opened.read(100).strip()
    except (OSError, ValueError):
        boot = ""
    try:
        namespace = os.readlink("/proc/self/ns/pid")
    except OSError:
        namespace = ""
    return os.uname().nodename.replace(" ", "_") or "?", boot or "?", namespace or "?"


def process(pid):
    """Return the Process that has the number ``pid`` (int) now."""
    return Process(*(place() + (pid, start_of(pid) or "?")))


def start_of(pid):
    """Return when process ``pid`` (int) started, as in Process; ENDED for a zombie, None where
    there is none to be seen."""
    return _stat(pid)[1]


def _stat(pid):
    """Return (pid of the parent, start) of process ``pid``; (0, None) where that is not to be seen."""
    try:
        with open("/proc/%d/stat" % pid, "rb") as opened:
            fields = opened.read(4096).rpartition(b")")[2].split()
        return int(fields[1]), ENDED if fields[0] in (b"Z", b"X") else fields[19].decode("ascii")
    except (OSError, IndexError, ValueError):
        return 0, None


def descendants(pids):
    """Return the Processes (list) that come from those with the numbers ``pids``, children before
    grandchildren, without themselves."""
    children, starts = {}, {}
    for pid in _all():
        parent, started = _stat(pid)
        if started not in (None, ENDED):
            children.setdefault(parent, []).append(pid)
            starts[pid] = started
    here, found, pending = place(), [], list(pids)
    while pending:
        below = [pid for parent in pending for pid in children.pop(parent, ())]
        found += [Process(*(here + (pid, starts[pid]))) for pid in below if pid not in pids]
        pending = below
    return found


def marked(entry):
    """Return the Processes (list) that were started with ``entry`` (bytes: NAME=value) in their
    environment, without this one. Those of other users are not seen."""
    found = []
    for pid in _all():
        try:
            with open("/proc/%d/environ" % pid, "rb") as opened:
                is_marked = entry in opened.read().split(b"\0")
        except OSError:
            continue  # it ended, or is somebody else's
        if is_marked and pid != os.getpid():
            found.append(process(pid))
    return [one for one in found if one.started not in ("?", ENDED)]


def wait_for_end(ones, seconds):
    """Wait until none of the Processes ``ones`` is alive, ``seconds`` (float) at most; return
    those that are (list)."""
    deadline = time.monotonic() + seconds
    sleep = _SHORTEST_SLEEP
    while True:
        ones = [one for one in ones if one.is_alive]
        left = deadline - time.monotonic()
        if not ones or left <= 0:
            return ones
        time.sleep(min(sleep, left))
        sleep = min(sleep * 2, _LONGEST_SLEEP)


def using(path):
    """Return the pids (list of int) of our processes that have ``path`` (str), or something below
    it, in their command line or as their program, root or working directory: those of the
    container at ``path``, while it runs.

    Processes of other users, and on other machines that share the directory, are not seen.
    """
    found = []
    needle = os.fsencode(path)
    for pid in _all():
        if pid == os.getpid():
            continue
        try:
            with open("/proc/%d/cmdline" % pid, "rb") as file:
                words = file.read().split(b"\0")
        except OSError:
            continue  # it ended
        links = [os.fsencode(_target("/proc/%d/%s" % (pid, name)))
                 for name in ("exe", "root", "cwd")]
        if any(word == needle or word.startswith(needle + b"/") for word in words + links):
            found.append(pid)
    return sorted(found)


def is_alive(pid):
    """Whether there is a process ``pid`` (int) on this machine."""
    return os.path.exists("/proc/%d" % pid)


def first_inside(parent):
    """Return the pid (int) of the child of the process ``parent`` (int) that is the first one of a
    pid namespace (pid_namespaces(7)); None if there is no such child, or Linux is older than 4.1."""
    for pid in _all():
        fields = _status(pid)
        numbers = fields.get("NSpid", "").split()
        if fields.get("PPid") == str(parent) and numbers[1:] and numbers[-1] == "1":
            return pid
    return None


def would_die(pid, number):
    """Whether the signal ``number`` (int) would end the process ``pid`` (int), were it an ordinary
    one: it does not handle, ignore or block it."""
    fields = _status(pid)
    masks = [int(fields.get(name, "0"), 16) for name in ("SigCgt", "SigIgn", "SigBlk")]
    return bool(fields) and not any(mask >> number - 1 & 1 for mask in masks)


def _status(pid):
    """Return the fields (dict) of proc_pid_status(5), none if it ended."""
    try:
        with open("/proc/%d/status" % pid, encoding="ascii", errors="replace") as file:
            return {line.partition(":")[0]: line.partition(":")[2].strip() for line in file}
    except OSError:
        return {}


def _is_populated(namespace):
    """Whether a process of ours is in ``namespace`` (str), or one of which that is not to be seen."""
    for pid in _all():
        try:
            if os.stat("/proc/%d" % pid).st_uid == os.getuid() \
                    and os.readlink("/proc/%d/ns/pid" % pid) == namespace:
                return True
        except FileNotFoundError:
            continue  # it ended
        except OSError:
            return True
    return False


def _all():
    return [int(entry) for entry in os.listdir("/proc") if entry.isdigit()]


def _target(link):
    try:
        return os.readlink(link)
    except OSError:
        return ""  # it ended, or is not ours
