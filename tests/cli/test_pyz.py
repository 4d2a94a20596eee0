"""The one file, on every Python that is here and in surroundings that are against it."""

import hashlib
import os
import re
import shutil
import subprocess
import sys

import pytest

import build
from tests.conftest import PYZ, ROOT
from tests.fakes.images import image, layer
from tests.fakes.registry import FakeRegistry

PYTHONS = build.pythons()
#: What `udocker run` of a container that is there must do without: each costs more than udocker.
EXPENSIVE = ("requests", "urllib3", "tqdm", "packaging", "json", "re", "typing", "argparse",
             "subprocess", "zipfile", "tempfile", "shutil", "logging", "ssl",
             "ctypes", "signal")
HELLO = ("run", "c", "echo", "hello")

#: Makes Python believe that it is old, which no Python of that age could tell from the real thing.
OLD_PYTHON = """#!/bin/sh
# called as: python3 -I -S -c CODE ARCHIVE PYTHON WORD...
code=$4
shift 4
exec %s -I -S -c "import sys; sys.version_info = (3, 5, 10, 'final', 0)
$code" "$@"
"""

#: A file system without locks: Lustre without -o flock says ENOSYS, NFS without lockd ENOLCK.
NO_LOCKS = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>

int flock(int fd, int operation) { errno = ENOSYS; return -1; }

static int without_locks(const char *name, int fd, int command, void *argument)
{
    int (*real)(int, int, void *) = (int (*)(int, int, void *))dlsym(RTLD_NEXT, name);
    switch (command) {
    case F_GETLK: case F_SETLK: case F_SETLKW:
    case F_OFD_GETLK: case F_OFD_SETLK: case F_OFD_SETLKW:
        errno = ENOLCK;
        return -1;
    }
    return real(fd, command, argument);
}

#define WRAP(name) int name(int fd, int command, ...) { \\
    va_list list; va_start(list, command); void *argument = va_arg(list, void *); va_end(list); \\
    return without_locks(#name, fd, command, argument); }
WRAP(fcntl)
WRAP(fcntl64)
"""


def version_of(path):
    return os.path.basename(path).replace("python", "")


def script(path, text):
    """Write an executable file ``path`` (pathlib.Path)."""
    path.write_text(text)
    path.chmod(0o755)
    return str(path)


@pytest.fixture(params=PYTHONS, ids=version_of)
def each_python(request):
    """Each Python that is here."""
    return request.param


# Which Python

def test_it_runs_on_each_python(udocker, demo_home, each_python):
    done = udocker(*HELLO, env={"UDOCKER_PYTHON": each_python})
    assert done == (0, "hello\n", "")


def test_each_python_runs_it(udocker, demo_home, each_python):
    assert udocker(*HELLO, python=each_python) == (0, "hello\n", "")


@pytest.mark.shows("UDOCKER_PYTHON")
def test_the_python_that_is_named_is_the_one(udocker, tmp_path):
    marker = tmp_path / "called"
    named = script(tmp_path / "named", '#!/bin/sh\n: >%s\nexec %s "$@"\n' % (marker, sys.executable))
    udocker.ok("version", env={"UDOCKER_PYTHON": named})
    assert marker.exists()


def test_the_python_of_the_path_will_do(udocker, tmp_path):
    script(tmp_path / "python3", '#!/bin/sh\nexec %s "$@"\n' % sys.executable)
    udocker.ok("version", env={"UDOCKER_PYTHON": None, "PATH": str(tmp_path)})


def test_an_old_python_says_so_in_one_line(udocker, tmp_path):
    script(tmp_path / "python3", OLD_PYTHON % sys.executable)
    done = udocker("version", env={"UDOCKER_PYTHON": None, "PATH": str(tmp_path)})
    assert (done.status, done.out) == (125, "")
    assert "needs Python 3.6 or newer" in done.err and done.err.count("\n") == 1


def test_a_newer_python_is_found_behind_an_old_one(udocker, demo_home, tmp_path):
    script(tmp_path / "python3", OLD_PYTHON % sys.executable)
    script(tmp_path / "python3.11", '#!/bin/sh\nexec %s "$@"\n' % sys.executable)
    done = udocker(*HELLO, env={"UDOCKER_PYTHON": None, "PATH": str(tmp_path)})
    assert done == (0, "hello\n", "")


def test_no_python_at_all(udocker, tmp_path):
    if os.path.exists("/usr/libexec/platform-python"):
        pytest.skip("this machine has a Python that no PATH can hide")
    done = udocker("version", env={"UDOCKER_PYTHON": None, "PATH": str(tmp_path)})
    assert (done.status, done.out) == (125, "")
    assert "needs Python 3.6 or newer" in done.err and done.err.count("\n") == 1


def test_python_2_says_so_in_one_line(udocker):
    python2 = find_python2()
    done = udocker("version", python=python2)
    assert (done.status, done.out) == (125, "")
    assert "needs Python 3.6 or newer" in done.err and done.err.count("\n") == 1


def find_python2():
    versions = os.path.join(os.environ.get("PYENV_ROOT") or os.path.expanduser("~/.pyenv"),
                            "versions")
    names = sorted(os.listdir(versions)) if os.path.isdir(versions) else []
    for path in [os.path.join(versions, name, "bin", "python2.7") for name in names] \
            + ["/usr/bin/python2.7"]:
        if os.path.exists(path):
            return path
    pytest.skip("there is no Python 2.7")


# Surroundings

#: Not those that the site module of some machine imports before any program of ours.
HOSTILE = ("requests", "urllib3", "tqdm", "json", "udocker", "argparse", "ssl")


@pytest.mark.parametrize("by_name", [False, True], ids=["./udocker.pyz", "python udocker.pyz"])
def test_modules_in_pythonpath_are_not_ours(udocker, demo_home, tmp_path, each_python, by_name):
    for name in HOSTILE:
        (tmp_path / (name + ".py")).write_text("raise SystemExit('hostile ' + __name__)\n")
    options = {"python": each_python} if by_name else {}
    env = {"PYTHONPATH": str(tmp_path), "PYTHONSTARTUP": str(tmp_path / "requests.py")}
    if not by_name:
        env["UDOCKER_PYTHON"] = each_python
    done = udocker("run", "--dry-run", "--format=json", "c", "true", env=env, **options)
    assert done.status == 0 and "hostile" not in done.err + done.out
    # pull is what imports the libraries
    with FakeRegistry() as registry:
        registry.add("test", "latest", image([layer({"etc/motd": b"hello\n"})]))
        done = udocker("pull", registry.host + "/test", env=env, **options)
    assert done.status == 0 and "hostile" not in done.err + done.out


def test_modules_beside_it_and_in_the_working_directory_are_not_ours(udocker, demo_home, tmp_path):
    for name in HOSTILE:
        (tmp_path / (name + ".py")).write_text("raise SystemExit('hostile ' + __name__)\n")
    copy = str(tmp_path / "udocker.pyz")
    shutil.copy(udocker.pyz, copy)
    udocker.pyz = copy
    for python in (None, sys.executable):
        assert udocker(*HELLO, python=python, cwd=tmp_path) == (0, "hello\n", "")


def test_a_home_that_is_read_only(udocker, demo_archive, engines, home, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    home.chmod(0o555)
    options = {"udocker_dir": elsewhere / "udocker", "env": {"TMPDIR": str(elsewhere)}}
    udocker.ok("load", "-i", demo_archive, **options)
    udocker.ok("create", "--name=c", "demo", **options)
    assert udocker.ok(*HELLO, **options) == "hello\n"
    assert os.listdir(str(home)) == []


def test_no_home_at_all(udocker, demo_archive, engines, tmp_path):
    options = {"udocker_dir": tmp_path / "udocker", "env": {"HOME": None}}
    udocker.ok("load", "-i", demo_archive, **options)


def test_a_file_system_without_locks(udocker, demo_archive, engines, tmp_path):
    compiler = shutil.which("gcc") or shutil.which("cc")
    if not compiler:
        pytest.skip("there is no C compiler")
    source, library = tmp_path / "locks.c", str(tmp_path / "locks.so")
    source.write_text(NO_LOCKS)
    subprocess.check_call([compiler, "-shared", "-fPIC", "-o", library, str(source), "-ldl"])
    env = {"LD_PRELOAD": library}
    assert lock_fails(env)
    options = {"env": env, "timeout": 30}
    udocker.ok("load", "-i", demo_archive, **options)
    udocker.ok("create", "--name=c", "demo", **options)
    assert udocker.ok(*HELLO, **options) == "hello\n"
    udocker.ok("rm", "c", **options)
    udocker.ok("rmi", "demo", **options)


def lock_fails(env):
    """Whether the shim does what the test is about."""
    code = ("import fcntl, tempfile\nfile = tempfile.TemporaryFile()\n"
            "for lock in (fcntl.flock, fcntl.lockf):\n"
            "    try: lock(file, fcntl.LOCK_EX)\n    except OSError: continue\n"
            "    raise SystemExit(1)\n")
    return subprocess.call([sys.executable, "-c", code], env=dict(os.environ, **env)) == 0


# What it costs, and what it is made of

def test_a_run_imports_little(udocker, demo_home, tmp_path, each_python):
    # -v names each module when it is imported, also those that a finder of ours brings
    verbose = script(tmp_path / "verbose", '#!/bin/sh\nexec %s -v "$@"\n' % each_python)
    done = udocker("run", "c", "true", env={"UDOCKER_PYTHON": verbose})
    imported = set(re.findall(r"^import '?([\w.]+)'? #", done.err, re.MULTILINE))
    assert done.status == 0 and "udocker.run.plan" in imported
    assert sorted(imported.intersection(EXPENSIVE)) == []


def test_the_same_sources_give_the_same_file(pyz, tmp_path):
    if os.environ.get("UDOCKER_PYZ"):
        pytest.skip("UDOCKER_PYZ names a file from elsewhere")
    output = str(tmp_path / "again.pyz")
    subprocess.check_call(
        "umask 077; exec %s %s pyz --embed --output %s" % (
            sys.executable, os.path.join(ROOT, "build.py"), output),
        shell=True, cwd="/", env=dict(os.environ, TZ="Asia/Tokyo", PYTHONHASHSEED="123"))
    assert digest(output) == digest(PYZ), "or was it built where other Pythons are seen than here?"


def digest(path):
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()
