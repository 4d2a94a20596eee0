"""Root file systems for modes to be tried in: static, with musl, and out of this machine's programs.

    python -m tests.fakes.roots static|musl|dynamic DIRECTORY      fills the DIRECTORY
"""

import os
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
#: A program that does what programs do (it says what that is).
PROGRAM = os.path.join(TOP, "tests", "engines", "musl-root", "program.c")
PROGRAMS = ("sh", "cat", "env", "ls", "readlink", "rm", "sleep", "touch", "true", "wc")
PASSWD = "root:x:0:0:root:/root:/bin/sh\n"


class RootError(Exception):
    """A root file system could not be made, for want of something."""


def make_dynamic(root, programs=PROGRAMS):
    """Fill the directory ``root`` with dynamically linked programs, their libraries, and links."""
    furnish(root)
    for program in programs:
        path = shutil.which(program, path="/usr/bin:/bin")
        copy(os.path.realpath(path), root, "/bin/" + program)
        for library in libraries_of(path):
            copy(library, root, library)


def make_static(root):
    """Fill ``root`` with a busybox and a C program that need nothing."""
    furnish(root)
    busybox = shutil.which("busybox", path="/usr/bin:/bin")
    if not busybox or libraries_of(busybox):
        raise RootError("the program busybox is not installed, or not static "
                        "(Debian package busybox-static)")
    copy(busybox, root, "/bin/busybox")
    for applet in subprocess.check_output([busybox, "--list"], universal_newlines=True).split():
        if not os.path.lexists(os.path.join(root, "bin", applet)):
            os.symlink("busybox", os.path.join(root, "bin", applet))
    if not shutil.which("gcc"):
        raise RootError("no gcc to compile %s" % os.path.basename(PROGRAM))
    subprocess.check_call(["gcc", "-O1", "-static", "-pthread", PROGRAM, "-o", root + "/bin/program"])


def make_musl(root):
    """Fill ``root`` with a dynamic busybox and C program of musl, which get built if need be."""
    from tests.engines.test_fakechroot_musl import built
    source = built(os.uname().machine)[1]
    os.rmdir(root)
    shutil.copytree(source, root, symlinks=True)
    furnish(root)


def furnish(root):
    """Make in ``root`` the directories and files of /etc that every image has."""
    for name in ("bin", "etc", "proc", "dev", "sys", "root", "tmp", "usr/bin"):
        os.makedirs(os.path.join(root, name), exist_ok=True)
    for name, text in (("passwd", PASSWD), ("group", "root:x:0:\n"), ("motd", "inside\n")):
        with open(os.path.join(root, "etc", name), "w") as file:
            file.write(text)
    os.symlink("/etc/motd", os.path.join(root, "etc", "absolute"))
    os.symlink("/etc", os.path.join(root, "directory"))


def libraries_of(program):
    """Return the paths of what the loader would load for ``program``, itself among them."""
    done = subprocess.run(["ldd", program], universal_newlines=True, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL)
    return [word for word in done.stdout.split() if word.startswith("/")]


def copy(source, root, path):
    target = root + path
    if not os.path.exists(target):
        os.makedirs(os.path.dirname(target), exist_ok=True)
        shutil.copyfile(source, target)
        os.chmod(target, 0o755)


MAKERS = {"static": make_static, "musl": make_musl, "dynamic": make_dynamic}

if __name__ == "__main__":
    os.makedirs(sys.argv[2])
    MAKERS[sys.argv[1]](sys.argv[2])
