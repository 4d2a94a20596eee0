"""What happens to a container when somebody ends it, or its keeper."""

import os
import signal
import subprocess
import time

import pytest

#: Execution modes, and of R1 the runtime that is not the default.
MODES = ["P1", "P2", "R1", "runc"]


def words_for(mode):
    return ["--execmode=" + ("R1" if mode == "runc" else mode)]


def environment_for(mode):
    return {"UDOCKER_USE_RUNC_EXECUTABLE": "runc"} if mode == "runc" else {}


def running(marker, *before):
    """The pids of processes that have ``marker`` in their command line, which begins with ``before``
    and it, if that is given."""
    wanted = [word.encode("ascii") for word in before + (marker,)]
    found = []
    for entry in os.listdir("/proc"):
        try:
            with open("/proc/%s/cmdline" % entry, "rb") as file:
                words = file.read().split(b"\0")
            if entry.isdigit() and wanted[-1] in words and words[:len(before)] == wanted[:-1]:
                found.append(int(entry))
        except OSError:
            continue
    return found


def children(pid):
    """The pids of the processes that ``pid`` has started."""
    with open("/proc/%d/task/%d/children" % (pid, pid)) as file:
        return [int(word) for word in file.read().split()]


def wait_for(condition):
    """Wait until ``condition()`` is true, and return what it was last."""
    for _ in range(400):
        value = condition()
        if value:
            break
        time.sleep(0.05)
    return value


@pytest.fixture
def start(udocker, demo_home):
    """Start a command in a container that is ended with the test; return the Popen."""
    started = []

    def run(mode, *words):
        process = udocker.start("run", *(words_for(mode) + list(words)), env=environment_for(mode),
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE)
        started.append(process)
        return process
    yield run
    for process in started:
        if process.poll() is None:
            process.kill()
        process.wait(20)
        process.stdout.close()
        process.stderr.close()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGUSR1])
def test_a_signal_ends_the_command_and_its_children(start, mode, number):
    marker = "%d" % (30000 + os.getpid() % 10000)
    process = start(mode, "c", "/bin/busybox", "timeout", marker,
                    "sleep", marker)
    assert wait_for(lambda: running(marker, "sleep"))  # it is up, whatever the engine has still to do
    process.send_signal(number)
    # an engine may die of the signal itself: a shell sees the same status
    assert process.wait(20) in (128 + number, -number)
    assert wait_for(lambda: not running(marker))


@pytest.mark.parametrize("mode", MODES)
def test_a_command_may_handle_its_signal(start, mode):
    process = start(mode, "c", "sh", "-c",
                    "trap 'echo caught; exit 5' TERM; echo ready; while :; do sleep 0.05; done")
    assert process.stdout.readline() == b"ready\n"
    process.send_signal(signal.SIGTERM)
    assert process.communicate(timeout=20)[0] == b"caught\n"
    assert process.returncode == 5


@pytest.mark.parametrize("mode", ["P1", "P2", "R1"])
def test_nothing_survives_a_keeper_that_is_killed(start, mode):
    marker = "%d" % (40000 + os.getpid() % 10000)
    process = start(mode, "c", "sh", "-c", "echo ready; exec sleep $0", marker)
    assert process.stdout.readline() == b"ready\n"
    process.kill()
    assert process.wait(20) == -signal.SIGKILL
    assert wait_for(lambda: not running(marker))


@pytest.mark.parametrize("mode", MODES)
def test_an_engine_that_is_killed_takes_all_with_it(start, udocker, mode):
    marker = "%d" % (50000 + os.getpid() % 10000)
    process = start(mode, "--rm", "--name=gone", "demo", "sh", "-c",
                    "echo ready; sleep $0 & sleep $0", marker)
    assert process.stdout.readline() == b"ready\n"
    assert wait_for(lambda: len(running(marker)) > 2)
    os.kill(children(process.pid)[0], signal.SIGKILL)
    assert process.wait(20) == 128 + signal.SIGKILL
    assert wait_for(lambda: not running(marker))
    assert "gone" not in udocker.ok("ps")


@pytest.mark.parametrize("mode", MODES)
def test_with_rm_the_container_goes_when_the_command_was_ended(start, udocker, mode):
    process = start(mode, "--rm", "--name=gone", "demo", "sh", "-c",
                    "echo ready; sleep 1000")
    assert process.stdout.readline() == b"ready\n"
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 143
    assert "gone" not in udocker.ok("ps")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.shows("rm -f")
def test_a_container_in_use_is_not_deleted_unless_forced(start, udocker, mode):
    process = start(mode, "c", "sh", "-c", "echo ready; sleep 1000")
    assert process.stdout.readline() == b"ready\n"
    refused = udocker("rm", "c")
    assert refused.status == 125 and "in use by process" in refused.err
    assert udocker("rm", "-f", "c").status == 0
    assert "['c']" not in udocker.ok("ps")


def test_what_a_killed_crun_kept_is_forgotten_by_the_next(start, udocker):
    process = start("R1", "c", "sh", "-c", "echo ready; sleep 1000")
    assert process.stdout.readline() == b"ready\n"
    state = os.path.join(udocker.home, "udocker-%d" % os.getuid())  # TMPDIR is the home here
    assert len(os.listdir(state)) == 1
    process.kill()
    process.wait(20)
    assert udocker("run", "--execmode=R1", "c", "true").status == 0
    assert os.listdir(state) == []


@pytest.mark.parametrize("mode", MODES)
def test_a_pipe_that_closes_ends_the_command(start, mode):
    process = start(mode, "c", "yes")
    assert process.stdout.readline() == b"y\n"
    process.stdout.close()
    assert process.wait(20) in (128 + signal.SIGPIPE, 1)
