"""R modes with both runtimes: streams, terminals, volumes, users, batch jobs, cgroups."""

import os
import pty
import shutil
import subprocess
import sys

import pytest

from tests.conftest import Udocker

MOUNTS = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "fakes",
                      "mounts.py")


@pytest.fixture(scope="module")
def udocker(demo_template, pyz, tmp_path_factory):
    """One home for all tests here; the container c stays as it is."""
    home = str(tmp_path_factory.mktemp("namespaces") / "home")
    subprocess.check_call(["cp", "-a", demo_template, home])
    udocker = Udocker(pyz, home)
    udocker.ok("setup", "--execmode=R1", "c")
    yield udocker
    shutil.rmtree(home)


@pytest.fixture(params=["crun", "runc"])
def environ(request, udocker):
    """The environment (dict) of a user for whom R modes have that runtime."""
    return udocker.environment({"UDOCKER_USE_RUNC_EXECUTABLE": request.param})


@pytest.fixture
def run(udocker, environ):
    """Run words in c; returns the CompletedProcess."""
    def run(*words, prefix=(), **options):
        options.setdefault("stdin", None if "input" in options else subprocess.DEVNULL)
        if options["stdin"] is None:
            del options["stdin"]
        return subprocess.run(list(prefix) + udocker.command("-q", "run", *words),
                              **dict({"env": environ, "cwd": udocker.home, "timeout": 60,
                                      "stdout": subprocess.PIPE, "stderr": subprocess.PIPE},
                                     **options))
    return run


@pytest.mark.parametrize("mode", ["R1", "R2", "R3"])
def test_status_and_streams_are_the_command_s(run, mode):
    data = os.urandom(1 << 20)
    done = run("--execmode=" + mode, "c", "sh", "-c", "cat; echo error >&2; exit 7", input=data)
    assert (done.returncode, done.stdout, done.stderr) == (7, data, b"error\n")
    killed = "sh -c 'kill -9 $$'; exit $?"  # not the first process, which nobody inside can kill
    assert run("--execmode=" + mode, "c", "sh", "-c", killed).returncode == 137
    assert run("--execmode=" + mode, "c", "/nothere").returncode == 127


def test_a_terminal_is_one_inside(run):
    leader, follower = pty.openpty()
    done = run("-it", "c", "sh", "-c", "test -t 0 && test -t 1 && echo terminal; exit 9",
               stdin=follower, stdout=follower)
    os.close(follower)
    said = b""
    try:
        while True:
            said += os.read(leader, 1000)
    except OSError:
        pass  # EIO: all is read
    os.close(leader)
    assert done.returncode == 9 and b"terminal" in said, (said, done.stderr)


def test_volumes_on_files_and_directories_and_what_is_read_only_stays(run, tmp_path):
    (tmp_path / "file").write_text("old\n")
    script = "cat /etc/motd /a/b/file; echo new >>/etc/motd; echo no >/fixed/file; echo $?; touch /a/b/x"
    done = run("-v", "%s:/etc/motd" % (tmp_path / "file"), "-v", "%s:/a/b" % tmp_path, "-v",
               "%s:/fixed:ro" % tmp_path, "c", "sh", "-c", script)
    assert done.stdout == b"old\nold\n1\n" and b"ead-only" in done.stderr, done
    assert (tmp_path / "file").read_text() == "old\nnew\n" and (tmp_path / "x").exists()
    done = run("-v", "%s:/etc/motd:ro" % (tmp_path / "file"), "c", "sh", "-c", "echo no >/etc/motd")
    assert done.returncode != 0 and (tmp_path / "file").read_text() == "old\nnew\n"


@pytest.mark.parametrize("user, ids", [("root", b"0 0\n"), ("nobody", b"65534 65534\n"),
                                       ("4242:4343", b"4242 4343\n")])
def test_users(run, environ, user, ids, tmp_path):
    words = ("--user=" + user, "-v", "%s:/mine" % tmp_path, "c", "sh", "-c",
             "touch /mine/made && echo $(id -u) $(id -g)")
    done = run(*words)
    if environ["UDOCKER_USE_RUNC_EXECUTABLE"] == "runc" and user != "root":
        ids = b"0 0\n"  # it wants a root, and there is one id to give
    assert done.stdout == ids, done
    assert os.stat(str(tmp_path / "made")).st_uid == os.getuid()


def test_no_subordinate_ids_are_asked_for(run, environ, tmp_path):
    for name in ("newuidmap", "newgidmap"):
        (tmp_path / name).write_text("#!/bin/sh\ntouch %s/asked\nexit 1\n" % tmp_path)
        (tmp_path / name).chmod(0o755)
    done = run("c", "echo", "runs", env=dict(environ, PATH="%s:/usr/bin:/bin" % tmp_path))
    assert done.stdout == b"runs\n" and not (tmp_path / "asked").exists()


def test_in_a_batch_job(run, environ, tmp_path):
    # no terminal, no session of a login, few variables, streams that are files, "/" to be in
    few = {key: environ[key] for key in environ if key not in ("LC_ALL", "TERM")}
    with open(str(tmp_path / "out"), "wb") as out:
        done = run("c", "sh", "-c", "echo job; exit 3", env=few, cwd="/", stdout=out, stderr=out,
                   start_new_session=True)
    assert (done.returncode, (tmp_path / "out").read_text()) == (3, "job\n")
    closed = run("c", "sh", "-c", "exit 4", prefix=("sh", "-c", 'exec "$@" <&-', "sh"))
    assert closed.returncode == 4


@pytest.mark.parametrize("kind", ["none", "1", "2", "of this machine"])
def test_whatever_cgroups_there_are(run, environ, kind):
    if kind == "none" and environ["UDOCKER_USE_RUNC_EXECUTABLE"] == "runc":
        # it believes /proc/self/mountinfo, in which those below are still listed; where there are
        # none at all it is seen in machines (tests/engines/test_foreign.py)
        pytest.skip("cgroups cannot be hidden from runC by an ordinary user")
    prefix = () if kind == "of this machine" else (sys.executable, MOUNTS, "cgroup-" + kind,
                                                   "/sys/fs/cgroup")
    done = run("c", "echo", "runs", prefix=prefix)
    assert (done.returncode, done.stdout) == (0, b"runs\n"), done.stderr
