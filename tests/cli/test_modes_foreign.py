"""Images of another architecture, whose programs QEMU plays under PRoot."""

import os
import shutil
import subprocess
import sys

import pytest

from tests.conftest import Udocker
from tests.fakes import roots
from tests.modes.matrix import write_archive

#: (what this machine is not, its compiler, QEMU's program, Debian's package with that)
ARCH, COMPILER, QEMU, PACKAGE = {
    "x86_64": ("arm64", "aarch64-linux-gnu-gcc", "qemu-aarch64-static", "qemu-user-static"),
}.get(os.uname().machine, ("amd64", "x86_64-linux-gnu-gcc", "qemu-x86_64-static",
                           "qemu-user-static"))


@pytest.fixture(scope="module")
def udocker(demo_template, pyz, tmp_path_factory):
    """A home with the container f, whose one program is for another processor."""
    if not shutil.which(COMPILER):
        pytest.skip("no %s to make a program for %s" % (COMPILER, ARCH))
    if os.path.exists("/proc/sys/fs/binfmt_misc/" + QEMU[:-len("-static")]):
        pytest.skip("this kernel starts %s by itself" % QEMU)
    top = str(tmp_path_factory.mktemp("foreign"))
    home, root = os.path.join(top, "home"), os.path.join(top, "root")
    subprocess.check_call(["cp", "-a", demo_template, home])
    roots.furnish(root)
    for name in ("ls", "program"):
        subprocess.check_call([COMPILER, "-static", "-O1", "-x", "c", "-", "-o",
                               root + "/bin/" + name],
                              stdin=open(os.path.join(os.path.dirname(__file__), "foreign.c")))
    write_archive(root, os.path.join(top, "tar"), "foreign")
    udocker = Udocker(pyz, home)
    udocker.ok("load", "-i", os.path.join(top, "tar"))
    udocker.ok("create", "--name=f", "foreign")
    yield udocker
    shutil.rmtree(top)


@pytest.fixture
def qemu():
    path = shutil.which(QEMU)
    if not path:
        pytest.skip("no %s (Debian package %s)" % (QEMU, PACKAGE))
    return path


@pytest.mark.parametrize("mode", ["P1", "P2", "auto"])
def test_a_program_for_another_processor_runs_under_qemu(udocker, qemu, mode):
    done = udocker("-q", "run", "--execmode=" + mode, "f", "/bin/program", "child", "7")
    lines = done.out.splitlines()
    assert done.status == 7, done
    # which processor, a file of the container's, and the same of a child that it has executed
    assert lines == ["%s root:x:0:0" % {"arm64": "aarch64", "amd64": "x86_64"}[ARCH]] * 2


@pytest.mark.parametrize("mode, words", [
    ("P1", "or have qemu-%s in PATH (Debian's package qemu-user-static)"),
    ("R1", "or run it in mode P1 with qemu-%s in PATH"),
    ("auto", "or have qemu-%s in PATH (Debian's package qemu-user-static)")])
def test_without_qemu_one_line_names_the_package(udocker, mode, words):
    done = udocker("run", "--execmode=" + mode, "f", "/bin/program",
                   env={"PATH": "/nonexistent", "UDOCKER_PYTHON": sys.executable})
    assert done.status == 126 and done.out == "" and done.err.count("\n") == 1
    assert words % {"arm64": "aarch64", "amd64": "x86_64"}[ARCH] in done.err
