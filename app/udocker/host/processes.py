"""Processes on this machine."""

import os


def using(path):
    """Return the pids (list of int) of our processes that have ``path`` (str), or something below
    it, in their command line or as their program, root or working directory: those of the
    container at ``path``, while it runs.

    Processes of other users, and on other machines that share the directory, are not seen.
    """
    found = []
    needle = os.fsencode(path)
    for entry in os.listdir("/proc"):
        if not entry.isdigit() or int(entry) == os.getpid():
            continue
        try:
            with open("/proc/%s/cmdline" % entry, "rb") as file:
                words = file.read().split(b"\0")
        except OSError:
            continue  # it ended
        links = [os.fsencode(_target("/proc/%s/%s" % (entry, name)))
                 for name in ("exe", "root", "cwd")]
        if any(word == needle or word.startswith(needle + b"/") for word in words + links):
            found.append(int(entry))
    return sorted(found)


def is_alive(pid):
    """Whether there is a process ``pid`` (int) on this machine."""
    return os.path.exists("/proc/%d" % pid)


def first_inside(parent):
    """Return the pid (int) of the child of the process ``parent`` (int) that is the first one of a
    pid namespace (pid_namespaces(7)); None if there is no such child, or Linux is older than 4.1."""
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            fields = _status(entry)
            numbers = fields.get("NSpid", "").split()
            if fields.get("PPid") == str(parent) and numbers[1:] and numbers[-1] == "1":
                return int(entry)
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
        with open("/proc/%s/status" % pid, encoding="ascii", errors="replace") as file:
            return {line.partition(":")[0]: line.partition(":")[2].strip() for line in file}
    except OSError:
        return {}


def _target(link):
    try:
        return os.readlink(link)
    except OSError:
        return ""  # it ended, or is not ours
