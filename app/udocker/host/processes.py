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


def _target(link):
    try:
        return os.readlink(link)
    except OSError:
        return ""  # it ended, or is not ours
