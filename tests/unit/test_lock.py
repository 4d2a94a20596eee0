import errno
import fcntl
import os
import subprocess
import sys
import time

import pytest

from udocker.errors import HostError, Refused
from udocker.host import lock as module
from udocker.host.lock import Lock

APP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "app")

#: Adds one to a number in a file, in a way that loses additions unless it excludes others.
COUNTER = """
import errno, fcntl, os, sys, time
sys.path.insert(0, sys.argv[1])
if sys.argv[3] == "lease":
    def flock(fd, how): raise OSError(errno.ENOSYS, "no flock")
    fcntl.flock = flock
from udocker.host.lock import Lock
for turn in range(int(sys.argv[4])):
    with Lock(sys.argv[2] + "/lock"):
        with open(sys.argv[2] + "/number") as opened:
            number = int(opened.read())
        time.sleep(0.001)
        with open(sys.argv[2] + "/number", "w") as opened:
            opened.write(str(number + 1))
        if sys.argv[5:] == ["die"]:
            os._exit(9)
"""


def start(place, how, turns, *more):
    return subprocess.Popen([sys.executable, "-c", COUNTER, APP, str(place), how, str(turns)]
                            + list(more))


@pytest.fixture(params=["flock", "lease"])
def how(request, monkeypatch):
    if request.param == "lease":
        def flock(fd, operation):
            raise OSError(errno.ENOSYS, "Function not implemented")
        monkeypatch.setattr(fcntl, "flock", flock)  # the kernel of a Lustre mounted without it
    return request.param


where_flock_fails = pytest.mark.parametrize("how", ["lease"], indirect=True)


def test_processes_exclude_each_other(how, tmp_path):
    (tmp_path / "number").write_text(u"0")
    workers = [start(tmp_path, how, 15) for _ in range(6)]
    assert [worker.wait() for worker in workers] == [0] * 6
    assert (tmp_path / "number").read_text() == "90"
    assert [name for name in os.listdir(str(tmp_path)) if "lease" in name] == []


def test_what_a_dead_process_held_is_free(how, tmp_path):
    (tmp_path / "number").write_text(u"0")
    assert start(tmp_path, how, 1, "die").wait() == 9
    began = time.time()
    with Lock(str(tmp_path / "lock"), 5):
        pass
    assert time.time() - began < 2


def test_survivors_of_many_deaths_still_exclude_each_other(tmp_path):
    (tmp_path / "number").write_text(u"0")
    workers = [start(tmp_path, "lease", 10, *(["die"] if n % 2 else [])) for n in range(8)]
    assert sorted(worker.wait() for worker in workers) == [0] * 4 + [9] * 4
    assert (tmp_path / "number").read_text() == "44"


def test_waiting_ends_with_an_error_that_names_the_holder(how, tmp_path):
    path = str(tmp_path / "lock")
    with Lock(path):
        began = time.time()
        with pytest.raises(Refused) as caught:
            with Lock(path, 0.2):
                pass
        assert 0.1 < time.time() - began < 2
    assert "process %d on '%s'" % (os.getpid(), os.uname().nodename) in str(caught.value)
    with Lock(path, 0.2):
        pass


def lease(path, host=None, boot=None, namespace=None, pid=None, started=None):
    mine = os.fsdecode(module._identity()).split(" ")
    changed = [new or old for new, old in zip((host, boot, namespace, pid, started), mine)]
    os.symlink(" ".join(changed + ["nonce"]), path + ".lease")


@pytest.mark.parametrize("fields, is_free", [
    ({}, False),  # this process, alive
    ({"started": "1"}, True),  # its pid was given to another process
    ({"pid": "999999999"}, True),
    ({"boot": "before"}, True),
    ({"host": "elsewhere", "pid": "999999999"}, False),
    ({"namespace": "pid:[1]", "pid": "999999999"}, False),
    ({"pid": "nonsense"}, False),
])
def test_leases_are_taken_over_from_the_dead_only(tmp_path, monkeypatch, fields, is_free):
    monkeypatch.setattr(module, "_NO_FLOCK", module._NO_FLOCK + (errno.EWOULDBLOCK,))
    path = str(tmp_path / "lock")
    lease(path, **fields)
    with open(path, "w") as opened:
        fcntl.flock(opened, fcntl.LOCK_EX)  # refuses flock to the Lock, with the errno above
        try:
            with Lock(path, 0.2):
                got = True
        except Refused:
            got = False
    assert got is is_free


@where_flock_fails
def test_leases_of_other_hosts_are_taken_over_when_they_are_old(how, tmp_path):
    path = str(tmp_path / "lock")
    lease(path, host="elsewhere")
    old = time.time() - module.STALE - 5
    os.utime(path + ".lease", (old, old), follow_symlinks=False)
    with Lock(path, 2):
        assert os.readlink(path + ".lease").startswith(os.uname().nodename)


@where_flock_fails
def test_a_guard_that_was_left_behind_is_removed_when_old(how, tmp_path):
    path = str(tmp_path / "lock")
    lease(path, pid="999999999")
    os.symlink("x", path + ".lease.guard")
    with pytest.raises(Refused):
        with Lock(path, 0.2):
            pass
    os.utime(path + ".lease.guard", (1, 1), follow_symlinks=False)
    with Lock(path, 2):
        pass
    assert sorted(os.listdir(str(tmp_path))) == ["lock"]


@where_flock_fails
def test_a_lease_lost_meanwhile_is_told(how, tmp_path):
    path = str(tmp_path / "lock")
    with pytest.raises(HostError) as caught:
        with Lock(path):
            os.unlink(path + ".lease")
            lease(path, host="elsewhere")
    assert "lost" in str(caught.value)
    assert os.path.islink(path + ".lease")


def test_a_place_that_cannot_be_written_is_told(tmp_path):
    with pytest.raises(HostError) as caught:
        with Lock(str(tmp_path / "missing" / "lock")):
            pass
    assert "no such file" in str(caught.value)
