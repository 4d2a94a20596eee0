"""Containers that udocker 1.3.17 has set up for its modes, and that ours takes over."""

import os
import subprocess

import pytest

from tests.fakes import roots
from tests.modes.matrix import tree_of, write_archive

MACHINE = os.uname().machine
#: 1.3.17 tells its own patchelf to be quiet, which ours is anyway.
PATCHELF = """#!/bin/sh
[ "$1" = -q ] && shift
exec %s "$@"
"""


@pytest.fixture
def old(old_program, engines, udocker, home, tmp_path):
    """Run 1.3.17 in the home of the fixture ``udocker``, where is the image dynamic."""
    root = str(tmp_path / "rootfs")
    roots.make_dynamic(root)
    write_archive(root, str(tmp_path / "dynamic.tar"), "dynamic")
    udocker.ok("install")
    udocker.ok("load", "-i", tmp_path / "dynamic.tar")
    top = os.path.join(udocker.home, ".udocker")
    patchelf = tmp_path / "patchelf"
    patchelf.write_text(PATCHELF % os.path.join(top, "bin", "patchelf-" + MACHINE))
    patchelf.chmod(0o755)
    command, path = old_program
    environ = dict(udocker.environment(), PYTHONPATH=path,
                   UDOCKER_USE_PATCHELF_EXECUTABLE=str(patchelf),
                   UDOCKER_FAKECHROOT_SO=os.path.join(top, "lib", "libfakechroot-%s.so" % MACHINE))

    def run(*words, **more):
        done = subprocess.run([command, "-q"] + list(words), stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              env=dict(environ, **more))
        return done.returncode, done.stdout.decode("utf-8")
    return run


def root_of(udocker):
    return udocker.ok("inspect", "-p", "box").strip()


def set_up(old, udocker, mode):
    """Let 1.3.17 set up the container box for ``mode``; return what its tree was before."""
    old("create", "--name=box", "dynamic")
    root = os.path.realpath(root_of(udocker))
    before = tree_of(root)
    status = old("setup", "--execmode=" + mode, "box")[0]
    if mode in ("F3", "F4"):
        # with our patchelf it patches, but does not see that it has: what it would write then
        for name, text in (("execmode", mode), ("patch.path", os.path.dirname(root)),
                           ("patch.time", "1"), ("root.path", root)):
            with open(os.path.join(os.path.dirname(root), name), "w") as file:
                file.write(text)
    else:
        assert status == 0
    assert os.readlink(root + "/etc/absolute") == root + "/etc/motd"
    assert tree_of(root) != before
    return before


@pytest.mark.parametrize("mode, target", [("F1", "P1"), ("F2", "F2"), ("F3", "F3"), ("F4", "R1")])
def test_a_container_of_an_f_mode_says_so_and_is_put_right(old, udocker, mode, target):
    before = set_up(old, udocker, mode)
    refused = udocker("run", "--execmode=" + target, "box", "true")
    assert refused.status == 125 and refused.err.count("\n") == 1
    assert "is set up for mode %s by udocker 1.3" % mode in refused.err
    assert "'udocker setup --force --execmode=%s " % target in refused.err
    udocker.ok("setup", "--force", "--execmode=" + target, "box")
    # the loader, a link to a file and one to a directory are the container's again
    script = "read a </etc/absolute; read b </directory/motd; echo $a $b; readlink /etc/absolute"
    for again in (target, "P1", "F1"):
        udocker.ok("setup", "--execmode=" + again, "box")
        assert udocker.ok("-q", "run", "box", "sh", "-c", script) == "inside inside\n/etc/motd\n"
    udocker.ok("setup", "--execmode=P1", "box")
    udocker.ok("setup", "--purge", "box")
    root = root_of(udocker)
    if mode in ("F1", "F2"):
        assert tree_of(os.path.realpath(root)) == before
    else:  # ELF files work again, but are not what they were, byte by byte
        done = subprocess.run(["grep", "-rlF", os.path.realpath(root), root], stdout=subprocess.PIPE)
        assert done.stdout == b""
    left = set(os.listdir(os.path.dirname(root)))
    assert left <= {"ROOT", "container.json", "imagerepo.name", "execmode", "identity",
                    "ld.lib.links", ".mountpoints", "ld.so", ".runs"}


def test_a_container_that_was_moved_before_is_put_right_too(old, udocker):
    set_up(old, udocker, "F3")
    there = os.path.dirname(os.path.realpath(root_of(udocker)))
    elsewhere = there[:-4] + "0000"
    os.rename(there, elsewhere)
    name = os.path.basename(elsewhere)
    udocker.ok("setup", "--force", "--execmode=F3", name)
    assert udocker.ok("-q", "run", name, "cat", "/etc/absolute") == "inside\n"


def test_what_1_3_17_left_when_it_went_back_to_p1_harms_nobody(old, udocker):
    set_up(old, udocker, "F2")
    assert old("setup", "--execmode=P1", "box")[0] == 0
    assert udocker.ok("-q", "run", "box", "cat", "/etc/absolute") == "inside\n"
    udocker.ok("setup", "--execmode=F1", "box")
    assert udocker.ok("-q", "run", "box", "cat", "/etc/absolute") == "inside\n"


def test_files_that_1_3_17_moved_for_an_r_mode_come_back(old, udocker):
    old("create", "--name=box", "dynamic")
    root = root_of(udocker)
    old("setup", "--execmode=R1", "box")
    old("run", "box", "true", UDOCKER_USE_RUNC_EXECUTABLE="UDOCKER")
    assert os.path.islink(root + "/etc/passwd")
    assert udocker.ok("-q", "run", "--execmode=P1", "box", "cat", "/etc/passwd") == roots.PASSWD
    with open(root + "/etc/passwd") as file:
        assert file.read() == roots.PASSWD
    assert not os.path.lexists(root + "/.bind_host_files")
