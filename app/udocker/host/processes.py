"""Processes on this machine."""

import os


def using(root):
    """Return the pids (list of int) of our processes that have ``root`` (str, a path) in their
    command line or as their root or working directory: those of a container that is running.

    Processes of other users, and on other machines that share the directory, are not seen.
    """
    found = []
    needle = os.fsencode(root)
    for entry in os.listdir("/proc"):
        if not entry.isdigit() or int(entry) == os.getpid():
            continue
        try:
            with open("/proc/%s/cmdline" % entry, "rb") as file:
                words = file.read().split(b"\0")
            if needle in words or any(_is_below("/proc/%s/%s" % (entry, link), root)
                                      for link in ("root", "cwd", "exe")):
                found.append(int(entry))
        except OSError:
            continue  # it ended, or is not ours
    return sorted(found)


def _is_below(link, root):
    try:
        path = os.readlink(link)
    except OSError:
        return False
    return path == root or path.startswith(root + "/")
