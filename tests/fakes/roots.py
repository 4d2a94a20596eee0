"""Small root file systems out of this machine's own programs, for modes that a static one is not for."""

import os
import shutil
import subprocess

PROGRAMS = ("sh", "cat", "env", "ls", "readlink", "rm", "sleep", "touch", "true", "wc")
PASSWD = "root:x:0:0:root:/root:/bin/sh\n"


def make_dynamic(root, programs=PROGRAMS):
    """Fill the directory ``root`` with dynamically linked programs, their libraries, and links."""
    for name in ("bin", "etc", "proc", "dev", "sys", "root", "tmp", "usr/bin"):
        os.makedirs(os.path.join(root, name))
    for program in programs:
        path = shutil.which(program, path="/usr/bin:/bin")
        copy(os.path.realpath(path), root, "/bin/" + program)
        for library in libraries_of(path):
            copy(library, root, library)
    for name, text in (("passwd", PASSWD), ("group", "root:x:0:\n"), ("motd", "inside\n")):
        with open(os.path.join(root, "etc", name), "w") as file:
            file.write(text)
    os.symlink("/etc/motd", os.path.join(root, "etc", "absolute"))
    os.symlink("/etc", os.path.join(root, "directory"))


def libraries_of(program):
    """Return the paths of what the loader would load for ``program``, the loader among them."""
    said = subprocess.check_output(["ldd", program], universal_newlines=True)
    return [word for word in said.split() if word.startswith("/")]


def copy(source, root, path):
    target = root + path
    if not os.path.exists(target):
        os.makedirs(os.path.dirname(target), exist_ok=True)
        shutil.copyfile(source, target)
        os.chmod(target, 0o755)
