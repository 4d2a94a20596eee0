"""A small root file system of programs that are dynamically linked, as F modes need them: this
machine's own, with the libraries and the loader that they name."""

import os
import shutil
import subprocess

PROGRAMS = ("sh", "sleep", "cat", "env", "setsid", "id")


def make_root(directory):
    """Fill ``directory`` (str) with it; return why that is not possible (str), "" if it was."""
    wanted = {}
    for name in PROGRAMS:
        path = shutil.which(name, path="/usr/bin:/bin")
        if path is None:
            return "this machine has no program %s" % name
        listed = subprocess.run(["ldd", path], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        libraries = [word for word in os.fsdecode(listed.stdout).split() if word.startswith("/")]
        if listed.returncode or not libraries:
            return "this machine's %s is not dynamically linked" % path
        wanted["/bin/" + name] = path
        wanted.update((library, library) for library in libraries)
    for target, source in wanted.items():
        os.makedirs(directory + os.path.dirname(target), exist_ok=True)
        shutil.copy(source, directory + target)  # follows links
    for name in ("etc", "tmp", "dev", "proc", "sys"):
        os.makedirs(os.path.join(directory, name), exist_ok=True)
    with open(directory + "/etc/passwd", "w") as file:
        file.write("root:x:0:0:root:/:/bin/sh\n")
    return ""
