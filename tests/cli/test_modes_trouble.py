"""Modes on machines and with images that make trouble, each seen with a real program in a container."""

import os
import shutil
import struct
import subprocess
import sys

import pytest

from tests.conftest import Udocker
from tests.fakes import roots
from tests.modes.matrix import write_archive

FAKES = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "fakes")
DENY, MOUNTS = os.path.join(FAKES, "deny.py"), os.path.join(FAKES, "mounts.py")
MACHINE = os.uname().machine
#: What says in which mode it runs, and reads a file.
SAY = ("sh", "-c", "read line </etc/motd; echo $container_execmode $line")


@pytest.fixture(scope="module")
def udocker(demo_template, pyz, tmp_path_factory):
    """One home for all tests here, with the containers c, static, and d, dynamic; they stay as they are."""
    directory = str(tmp_path_factory.mktemp("dynamic"))
    home, root, archive = (os.path.join(directory, name) for name in ("home", "root", "tar"))
    subprocess.check_call(["cp", "-a", demo_template, home])
    roots.make_dynamic(root)
    write_archive(root, archive, "dynamic")
    udocker = Udocker(pyz, home)
    udocker.ok("load", "-i", archive)
    udocker.ok("create", "--name=d", "dynamic")
    yield udocker
    shutil.rmtree(directory)


@pytest.fixture(scope="module")
def d(udocker):
    """The path of ROOT of the container d of ``udocker``."""
    return udocker.ok("inspect", "-p", "d").strip()


def under(udocker, fake, what, *words):
    """Run udocker under ``fake`` (deny.py or mounts.py, and what it is told)."""
    done = subprocess.run([sys.executable, fake] + what + udocker.command(*words),
                          env=udocker.environment(), stdin=subprocess.DEVNULL, cwd=udocker.home,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
    return done.returncode, done.stdout.decode(), done.stderr.decode("utf-8", "replace")


@pytest.mark.parametrize("denied, mode, said", [
    ("unshare,ptrace", "auto", "F1"), ("unshare", "auto", "P1"), ("ptrace", "auto", "R1"),
    ("unshare,ptrace", "F1", "F1"), ("docker", "auto", "P1"), ("docker", "P2", "P2"),
    ("filters", "auto", "R1"), ("filters", "P1", "P1"), ("filters", "R2", "R2"),
    ("filters", "F1", "F1")])
def test_what_the_kernel_allows_is_enough(udocker, d, denied, mode, said):
    status, out, err = under(udocker, DENY, [denied], "run", "--execmode=" + mode, "d", *SAY)
    assert (status, out) == (0, said + " inside\n"), err


@pytest.mark.parametrize("denied, mode, words", [
    ("docker", "R1", "no user namespaces"), ("unshare", "R3", "no user namespaces"),
    ("ptrace", "P2", "ptrace is forbidden"), ("ptrace", "R2", "ptrace is forbidden")])
def test_a_mode_that_the_kernel_forbids_is_refused_in_one_line(udocker, d, denied, mode, words):
    status, out, err = under(udocker, DENY, [denied], "run", "--execmode=" + mode, "d", "true")
    assert (status, out, err.count("\n")) == (125, "", 1) and words in err, err


def test_inside_podman_s_container_auto_takes_what_works(udocker, d):
    inside = ["masked", "/proc/version"]
    status, out, err = under(udocker, MOUNTS, inside, "run", "--execmode=auto", "d", *SAY)
    assert (status, out) == (0, "P1 inside\n"), err
    status, out, err = under(udocker, MOUNTS, inside, "run", "--execmode=R1", "d", "true")
    assert (status, out, err.count("\n")) == (125, "", 1)
    assert "mount of /proc, as inside another container" in err


def test_auto_says_what_it_did_not_take_and_why(udocker, d):
    status, out, _ = under(udocker, DENY, ["unshare,ptrace"], "run", "--dry-run",
                           "--execmode=auto", "d", "true")
    assert status == 0 and "because    mode F1: auto: the fastest that works here" in out
    assert "not mode R1: no user namespaces" in out and "not mode P1: ptrace is forbidden" in out


def test_auto_takes_no_f_mode_for_a_static_image(udocker, d):
    status, _, err = under(udocker, DENY, ["unshare,ptrace"], "run", "--execmode=auto", "c", "true")
    assert status == 125 and "/bin/sh is static" in err and err.count("\n") == 1


def test_a_c_library_that_nothing_fits_is_said_with_what_was_looked_for(udocker, d):
    container = udocker.ok("clone", "d").strip()
    d = udocker.ok("inspect", "-p", container).strip()
    with open(d + "/lib/ld64.so.1", "wb") as file:
        file.write(program_for_s390x())
    for program in os.listdir(d + "/bin"):
        with open(os.path.join(d, "bin", program), "wb") as file:
            file.write(program_for_s390x())
    done = udocker("setup", "--execmode=F1", container)
    assert done.status == 125 and done.out == ""
    lines = [line for line in done.err.splitlines() if not line.startswith("Info: ")]
    assert len(lines) == 1 and "lib/libfakechroot-s390x.so" in lines[0], done.err
    assert "modes P1 and R1" in lines[0]
    assert udocker.ok("setup", container).startswith("execmode: P1\n")


def program_for_s390x():
    """The start of a program with a loader: ELF header, one program header, the loader's path."""
    loader = b"/lib/ld64.so.1\0"
    head = b"\x7fELF\x02\x02\x01" + b"\0" * 9 + struct.pack(
        ">HHIQQQIHHHHHH", 2, 22, 1, 0, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    return head + struct.pack(">IIQQQQQQ", 3, 4, 120, 0, 0, len(loader), len(loader), 1) + loader


def test_a_static_program_in_an_f_mode_is_refused_and_the_modes_that_can_are_named(udocker, d):
    busybox = shutil.which("busybox")
    words = ("-v", busybox + ":/busybox", "d", "/busybox", "echo", "it", "runs")
    done = udocker("run", "--execmode=F1", *words)
    assert done.status == 126 and done.err.count("\n") == 1
    assert "it is statically linked" in done.err and "modes P1 and R1 can" in done.err
    for mode in ("P1", "R1"):
        assert udocker.ok("-q", "run", "--execmode=" + mode, *words) == "it runs\n"


@pytest.mark.parametrize("mode", ["P1", "R1", "F1", "F2"])
def test_a_root_file_system_that_is_not_writable_runs(udocker, d, mode):
    words = ("-q", "run", "--execmode=" + mode, "-v", udocker.home + ":/etc/absent")
    said = ("d", "sh", "-c", "touch /new || echo fixed; read line </etc/motd; echo $line")
    if mode == "R1":  # the kernel mounts over what is there
        status, out, err = under(udocker, MOUNTS, ["ro", d], *(words + said))
        assert (status, out, err.count("\n")) == (125, "", 1)
        assert "/etc/absent" in err and "cannot be written" in err
        words = words[:-2]
    status, out, err = under(udocker, MOUNTS, ["ro", d], *(words + said))
    assert (status, out) == (0, "fixed\ninside\n"), err


def test_programs_of_a_root_file_system_that_is_not_writable_are_not_patched(udocker, d):
    status, out, err = under(udocker, MOUNTS, ["ro", os.path.dirname(d)], "setup", "--execmode=F3",
                             "d")
    assert status == 125 and "read-only file system" in err and err.count("\n") == 1, err
    assert udocker.ok("setup", "d").startswith("execmode: P1\n")


@pytest.mark.parametrize("mode", ["P1", "R1", "F1"])
def test_a_root_file_system_of_somebody_else_runs(udocker, d, mode):
    # all of this machine: what is in it belongs to an id that is not ours, and may not be changed
    status, out, err = under(udocker, MOUNTS, ["theirs", d], "-q", "run", "--execmode=" + mode, "d",
                             "sh", "-c", "test -d /usr/bin && echo theirs; touch /new 2>/dev/null")
    assert out == "theirs\n" and status == 1, err


@pytest.mark.parametrize("room, mode, words", [
    ("lib", "F1", "is on a file system mounted noexec"), ("bin", "P1", "noexec"),
    ("bin", "R1", "noexec")])
def test_engines_on_noexec_are_said_to_be_there(udocker, d, room, mode, words):
    place = os.path.join(udocker.home, ".udocker", room)
    status, out, err = under(udocker, MOUNTS, ["noexec", place], "run", "--execmode=" + mode, "d",
                             "true")
    assert (status, out) == (125, "") and words in err and err.count("\n") == 1, err


@pytest.mark.parametrize("mode", ["P1", "R1", "F1"])
def test_a_root_file_system_on_noexec_is_said_to_be_there(udocker, d, mode):
    status, out, err = under(udocker, MOUNTS, ["noexec", d], "run", "--execmode=" + mode, "d",
                             "true")
    assert status != 0 and out == "" and "noexec" in err and err.count("\n") == 1, err
    assert "Traceback" not in err


@pytest.mark.parametrize("mode", ["P1", "R1", "F1"])
def test_a_temporary_directory_on_noexec_does_no_harm(udocker, d, mode):
    tmp = os.path.join(udocker.home, "tmp")
    os.makedirs(tmp, exist_ok=True)
    done = subprocess.run([sys.executable, MOUNTS, "noexec", tmp] + udocker.command(
        "-q", "run", "--execmode=" + mode, "d", *SAY), env=udocker.environment({"TMPDIR": tmp}),
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
    assert done.stdout.decode() == mode + " inside\n", done.stderr


@pytest.mark.parametrize("mode", ["F1", "F2", "P1"])
def test_a_container_that_was_moved_runs_where_it_is(udocker, d, mode):
    udocker.ok("setup", "--execmode=" + mode, "d")
    there = os.path.dirname(d)
    elsewhere = there[:-4] + "0000"
    os.rename(there, elsewhere)
    try:
        said = udocker.ok("-q", "run", os.path.basename(elsewhere), *SAY)
    finally:
        os.rename(elsewhere, there)
        udocker.ok("setup", "--execmode=P1", "d")
    assert said == mode + " inside\n"


def test_a_container_that_runs_in_an_f_mode_is_not_changed(udocker, d):
    udocker.ok("setup", "--execmode=F3", "d")
    running = udocker.start("-q", "run", "d", "sh", "-c", "echo up; exec sleep 60",
                            stdout=subprocess.PIPE)
    try:
        assert running.stdout.readline() == b"up\n"
        done = udocker("setup", "--execmode=P1", "d")
        assert done.status != 0 and "in use by process" in done.err
    finally:
        running.terminate()
        running.communicate()
    udocker.ok("setup", "--execmode=P1", "d")
    assert udocker.ok("-q", "run", "d", *SAY) == "P1 inside\n"
