"""Containers as running processes: run -d, start, exec, logs, stop, kill, wait, ps and rm."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from tests.cli.test_signals import running, wait_for
from tests.fakes.dynamic import make_root
from udocker.host.processes import process

#: A number of seconds to sleep by which processes of these tests are known.
MARKER = "%d" % (50000 + os.getpid() % 10000)
SLEEP = "echo up; sleep %s" % MARKER


@pytest.fixture(params=["P1", "R1"])
def mode(request):
    if request.param == "R1" and subprocess.call(["unshare", "--user", "true"],
                                                 stderr=subprocess.DEVNULL):
        pytest.skip("mode R1: no user namespaces here")
    return request.param


@pytest.fixture
def live(udocker, demo_home):
    """The Udocker of demo_home, whose containers are ended with the test."""
    yield udocker
    for directory in (demo_home / ".udocker" / "containers").glob("*-*-*"):
        directory.chmod(0o755)
        if (directory / "PROTECT").exists():
            (directory / "PROTECT").unlink()
    for name in udocker.ok("ps", "-q").split():
        udocker.ok("rm", "-f", name)
    assert wait_for(lambda: not running(MARKER))


def records(live, name="c"):
    return os.path.join(os.path.dirname(live.ok("inspect", "-p", name).strip()), ".runs")


def logged(live, text, name="c"):
    """Wait until the log of a container has ``text``."""
    return wait_for(lambda: text in live(*"logs {}".format(name).split()).out)


def is_running(live, name="c"):
    return live.ok("ps", "-q", "--filter", "status=running", "--filter", "name=^%s$" % name) != ""


def keeper_of(live, name="c"):
    (found,) = [entry for entry in os.listdir(records(live, name)) if entry.count(".") > 2]
    with open(os.path.join(records(live, name), found)) as file:
        return json.loads(file.readline())["keeper"][3]


@pytest.mark.shows("exec -u -t --env-file --privileged")
def test_another_user_and_more_variables_for_exec(live, mode, tmp_path):
    (tmp_path / "env").write_text("# comment\nFROM=file\nBOTH=file\n")
    live.ok("run", "-d", "--execmode=" + mode, "-e", "BOTH=run", "c", "sh", "-c", SLEEP)
    assert live.ok("exec", "-t", "--privileged", "--env-file", tmp_path / "env", "-e", "BOTH=flag", "c",
                   "sh", "-c", "echo $FROM $BOTH $USER $HOME") == "file flag root /root\n"
    done = live("exec", "-u", "7:8", "c", "sh", "-c", "id -u; id -g; echo $BOTH")
    if mode == "P1":
        assert (done.status, done.out) == (0, "7\n8\nrun\n")
    else:
        assert (done.status, done.out) == (125, "") and "uid 7" in done.err
    for words in (("-u", "nobody-here", "c", "true"), ("-w", "relative", "c", "true"),
                  ("-e", "=x", "c", "true"), ("c",), ()):
        done = live("exec", *words)
        assert (done.status, done.out) == (125, "") and done.err.count("\n") == 1, words


@pytest.mark.shows("run -d", "exec", "logs", "stop", "exec -i -d -e -w", "ps --status", "stop -t")
def test_the_life_of_a_detached_container(live, mode, tmp_path):
    (tmp_path / "volume").mkdir()
    (tmp_path / "volume" / "file").write_text("seen\n")
    identity = live.ok("inspect", "-p", "c").strip().split("/")[-2]
    out = live.ok("run", "-d", "--execmode=" + mode, "-v", "%s:/mnt" % (tmp_path / "volume"),
                  "-e", "SAID=yes", "-e", "HOST", "c", "sh", "-c",
                  "echo out; echo err >&2; sleep %s; echo no" % MARKER, env={"HOST": "copied"})
    assert out == identity + "\n"
    assert logged(live, "out\n")
    assert is_running(live) and "running" in live.ok("ps", "--status").split("\n")[1]
    done = live("logs", "c")
    assert (done.status, done.out, done.err) == (0, "out\n", "err\n")
    state = "{{.State.Status}} {{.State.Running}} {{.State.ExitCode}} {{range .Mounts}}{{.Destination}}{{end}}"
    assert live.ok("inspect", "--format", state, "c") == "running true 0 /mnt\n"
    # as the run itself: volumes, environment, directory; and its own exit status and streams
    done = live("exec", "-w", "/mnt", "-e", "MORE=1", "c", "sh", "-c",
                "cat file; echo $SAID $HOST $MORE $(pwd); echo bad >&2; exit 9", env={"HOST": "other"})
    assert (done.status, done.out, done.err) == (9, "seen\nyes copied 1 /mnt\n", "bad\n")
    assert live("exec", "c", "cat", input="not without -i").out == ""
    assert live("exec", "-i", "c", "cat", input="given").out == "given"
    done = live("exec", "c", "nothing-of-that-name")
    assert (done.status, done.out) == (127, "") and done.err.count("\n") == 1
    assert live("exec", "c", "/etc/motd").status == 126
    assert live.ok("exec", "-d", "c", "sleep", MARKER) == ""
    assert wait_for(lambda: len(running(MARKER)) >= 2)
    refused = live("rm", "c")
    assert refused.status == 125 and "in use by process" in refused.err
    assert live.ok("stop", "-t", "5", "c") == "c\n"
    assert not running(MARKER)
    assert live.ok("wait", "c") == "143\n"
    assert not is_running(live) and "exited (143)" in live.ok("ps", "--status")
    assert live.ok("inspect", "--format", state, "c") == "exited false 143 /mnt\n"
    assert live.ok("logs", "c") == "out\n"
    done = live("exec", "c", "true")
    assert (done.status, done.out) == (125, "") and "is not running" in done.err
    assert live.ok("stop", "c") == "c\n"  # docker: no error
    done = live("kill", "c")
    assert done.status == 125 and "is not running" in done.err


@pytest.mark.shows("start", "start -a -i", "wait", "logs --tail -t --since --until")
def test_the_status_is_kept_and_a_run_can_be_started_again(live):
    live.ok("run", "-d", "c", "sh", "-c", "echo ran; exit 7")
    assert live.ok("wait", "c") == "7\n" == live.ok("wait", "c")
    assert live.ok("start", "c") == "c\n"
    assert live.ok("wait", "c") == "7\n"
    assert live.ok("logs", "c") == "ran\nran\n"
    attached = live("start", "-a", "c")
    assert (attached.status, attached.out) == (7, "ran\n")
    assert live.ok("wait", "c") == "7\n"
    live.ok("create", "--name=reads", "demo")
    assert live("run", "reads", "cat", input="first").out == "first"
    assert live("start", "-i", "reads", input="again").out == "again"
    assert live("start", "-a", "reads", input="not without -i").out == ""
    stamps = live.ok("logs", "-t", "--tail=1", "c")
    assert stamps.endswith("Z ran\n") and len(stamps.split(" ")[0]) == len("2025-01-01T00:00:00.123456789Z")
    assert live.ok("logs", "--since=1h", "c") == "ran\nran\n" and live.ok("logs", "--until=1h", "c") == ""
    live.ok("create", "--name=new", "demo")
    assert live("wait", "new").status == 125 and "has no log" in live("logs", "new").err
    assert live.ok("start", "new") == "new\n"  # what its image says
    assert live.ok("wait", "new") == "0\n" and live.ok("logs", "new").startswith("Hello ")


def test_many_at_once_in_one_container(live):
    for number in range(4):
        live.ok("run", "-d", "c", "sh", "-c", "echo %d; sleep %s" % (number, MARKER))
    assert wait_for(lambda: len(running(MARKER)) >= 4)
    assert wait_for(lambda: sorted(live.ok("logs", "c").split()) == ["0", "1", "2", "3"])
    live.ok("stop", "c")
    assert not running(MARKER) and live.ok("wait", "c") == "143\n"


def test_it_goes_on_without_the_session_that_started_it(live):
    script = "%s; echo started; sleep 60" % " ".join(
        "'%s'" % word for word in live.command("run", "-d", "c", "sh", "-c", SLEEP))
    login = subprocess.Popen(["sh", "-c", script], env=live.environment(), cwd=live.home,
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                             start_new_session=True)
    try:
        assert login.stdout.readline().count(b"-") == 4 and login.stdout.readline() == b"started\n"
        os.killpg(login.pid, signal.SIGHUP)
        os.killpg(login.pid, signal.SIGKILL)
        # nobody else has its pipes: an end comes although the container goes on
        assert login.communicate(timeout=20) == (b"", b"")
    finally:
        if login.poll() is None:
            login.kill()
            login.wait()
    assert is_running(live) and running(MARKER) and logged(live, "up")
    assert live.ok("exec", "c", "cat", "/proc/%d/stat" % keeper_of(live)).split()[5] != str(login.pid)


@pytest.mark.shows("run --cidfile")
def test_removed_afterwards(live, mode, tmp_path):
    cidfile = tmp_path / "cid"
    identity = live.ok("run", "-d", "--rm", "--execmode=" + mode, "--name=gone", "--cidfile", cidfile,
                       "demo", "sh", "-c", "while ! [ -e /tmp/go ]; do sleep 0.05; done; exit 5").strip()
    assert cidfile.read_text() == identity
    waiting = live.start("wait", "gone", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    root = live.ok("inspect", "-p", "gone").strip()
    assert wait_for(lambda: any(os.readlink(path).endswith("/.runs") or ".runs/" in os.readlink(path)
                                for path in descriptors(waiting.pid)))
    os.makedirs(root + "/tmp", exist_ok=True)
    open(root + "/tmp/go", "w").close()
    assert waiting.communicate(timeout=20)[0] == b"5\n"
    assert wait_for(lambda: not os.path.exists(root))
    again = live("run", "-d", "--cidfile", cidfile, "demo", "true")
    assert (again.status, again.out) == (125, "") and "--cidfile" in again.err


def descriptors(pid):
    try:
        names = os.listdir("/proc/%d/fd" % pid)
    except OSError:
        return []
    return [path for path in ("/proc/%d/fd/%s" % (pid, name) for name in names) if os.path.lexists(path)]


@pytest.mark.parametrize("words, status", [
    (("nothing-of-that-name",), 127), (("/etc/motd",), 126), (("-u", "nobody-here", "sh"), 125),
    (("-v", "/no/where:/x", "sh"), 125), (("--label", "=x", "sh"), 125),
    (("--execmode=X", "sh"), 125), (("--location=/", "sh"), 125)])
def test_what_cannot_be_started_is_told_at_once(live, words, status):
    before = live.ok("ps", "-q")
    done = live("run", "-d", *(words[:-1] + ("demo",) + words[-1:]))
    assert (done.status, done.out) == (status, "")
    assert done.err.startswith("Error: ") and done.err.count("\n") == 1
    assert live.ok("ps", "-q") == before


@pytest.mark.shows("kill", "restart", "stop -s", "kill -s", "restart -s -t")
def test_stop_is_polite_first(live):
    script = "trap 'echo caught; exit 3' %s; echo up; while :; do sleep 0.05; done"
    live.ok("run", "-d", "c", "sh", "-c", script % "TERM")
    assert logged(live, "up")
    live.ok("stop", "c")
    assert live.ok("wait", "c") == "3\n" and live.ok("logs", "c") == "up\ncaught\n"
    live.ok("run", "-d", "c", "sh", "-c", script % "USR1")
    assert wait_for(lambda: live.ok("logs", "c").count("up") == 2)
    assert live.ok("kill", "-s", "USR1", "c") == "c\n"
    assert live.ok("wait", "c") == "3\n"
    live.ok("run", "-d", "c", "sh", "-c", "trap '' TERM; echo deaf; while :; do sleep 0.05; done")
    assert logged(live, "deaf")
    started = time.monotonic()
    live.ok("stop", "-t", "0.5", "c")
    assert time.monotonic() - started < 10 and live.ok("wait", "c") == "137\n"
    live.ok("run", "-d", "c", "sh", "-c", SLEEP)
    assert live.ok("kill", "c") == "c\n" and live.ok("wait", "c") == "137\n"
    assert not running(MARKER)
    # the signal that the image asks for
    path = os.path.join(os.path.dirname(records(live)), "container.json")
    with open(path) as file:
        document = json.load(file)
    document["config"]["StopSignal"] = "SIGUSR1"
    with open(path, "w") as file:
        json.dump(document, file)
    live.ok("run", "-d", "c", "sh", "-c", script % "USR1")
    assert wait_for(lambda: live.ok("logs", "--tail=1", "c") == "up\n")
    live.ok("stop", "c")
    assert live.ok("wait", "c") == "3\n"
    live.ok("restart", "-t", "0", "-s", "TERM", "c")
    assert is_running(live)
    assert wait_for(lambda: live.ok("logs", "--tail=1", "c") == "up\n")
    live.ok("stop", "-s", "USR1", "-t", "30", "c")
    assert live.ok("wait", "c") == "3\n"
    for words in (("stop", "-t", "x", "c"), ("kill", "-s", "NONE", "c"), ("stop", "-s", "99", "c")):
        done = live(*words)
        assert (done.status, done.out) == (125, "") and done.err.count("\n") == 1


def test_a_run_in_the_foreground_is_seen_and_stopped(live, mode):
    process = live.start("run", "--execmode=" + mode, "c", "sh", "-c", SLEEP, stdin=subprocess.DEVNULL,
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        assert process.stdout.readline() == b"up\n"
        assert is_running(live) and live.ok("exec", "c", "echo", "in") == "in\n"
        waiting = live.start("wait", "c", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        live.ok("stop", "c")
        assert process.wait(20) in (143, -15) and not running(MARKER)
        out, err = waiting.communicate(timeout=20)
        assert (waiting.returncode, out) == (125, b"") and b"whoever started it" in err
    finally:
        process.kill()
        process.communicate()
    assert "exited, started" in live.ok("ps", "--status")


@pytest.mark.shows("logs -f")
def test_a_log_is_followed_to_its_end(live):
    live.ok("run", "-d", "c", "sh", "-c", "echo one; while ! [ -e /tmp/go ]; do sleep 0.05; done; "
            "echo two; printf three")
    follower = live.start("logs", "-f", "c", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert follower.stdout.readline() == b"one\n"
    live.ok("exec", "c", "sh", "-c", "mkdir -p /tmp; >/tmp/go")
    assert follower.communicate(timeout=20) == (b"two\nthree", b"")
    os.unlink(os.path.join(records(live), "log"))
    done = live("logs", "c")
    assert done.status == 125 and "has no log" in done.err


def test_a_keeper_that_is_killed_leaves_what_can_be_stopped(live):
    live.ok("run", "-d", "c", "sh", "-c", SLEEP)
    assert wait_for(lambda: running(MARKER))
    keeper = keeper_of(live)
    os.kill(keeper, signal.SIGKILL)
    assert wait_for(lambda: not os.path.exists("/proc/%d" % keeper))
    assert is_running(live) and live.ok("exec", "c", "echo", "in") == "in\n"
    live.ok("stop", "c")
    assert not running(MARKER)
    done = live("wait", "c")
    assert (done.status, done.out) == (125, "")
    assert live.ok("run", "c", "echo", "again") == "again\n"


def test_stop_in_f_modes_ends_all_that_the_run_started(live, tmp_path):
    reason = make_root(str(tmp_path / "root")) if sys.platform == "linux" else "not Linux"
    if reason:
        pytest.skip(reason)
    subprocess.check_call(["tar", "-cf", str(tmp_path / "root.tar"), "-C", str(tmp_path / "root"), "."])
    live.ok("import", "--tocontainer", "--name=f", tmp_path / "root.tar")
    live.ok("setup", "--execmode=F1", "f")
    script = "env -i /bin/setsid /bin/sleep {0} & (sleep {0}; echo no) & sleep {0}; echo no".format(MARKER)
    live.ok("run", "-d", "-e", "A=1", "f", "sh", "-c", script)
    assert wait_for(lambda: len(running(MARKER)) == 3)
    assert live("exec", "f", "sh", "-c", "echo $A; exit 4")[:2] == (4, "1\n")
    live.ok("exec", "-d", "f", "sleep", MARKER)
    assert wait_for(lambda: len(running(MARKER)) == 4)
    live.ok("stop", "f")
    assert not running(MARKER)
    assert live.ok("wait", "f") == "143\n" and live.ok("logs", "f") == ""
    # and what is left when the command has ended by itself
    live.ok("run", "-d", "f", "sh", "-c", "setsid sleep %s & exit 6" % MARKER)
    assert live.ok("wait", "f") == "6\n" and not running(MARKER)
    # the same of a run that nobody keeps
    foreground = live.start("run", "f", "sh", "-c", script, stdin=subprocess.DEVNULL,
                            stdout=subprocess.DEVNULL)
    assert wait_for(lambda: len(running(MARKER)) == 3)
    live.ok("stop", "f")
    assert foreground.wait(20) == -signal.SIGTERM and not running(MARKER)


@pytest.mark.shows("ps -a -q --no-trunc -l -n --filter --format", "run -l --label-file", "create --label --label-file")
def test_ps_for_people_and_programs(live):
    plain = live.ok("ps")
    live.ok("run", "-d", "-l", "team=a b", "--label-file", "/dev/null", "c", "sh", "-c", SLEEP)
    other = live.ok("create", "--name=other", "--label", "kind", "--label-file", "/dev/null",
                    "demo").strip()
    assert live.ok("ps").split("\n")[0] == plain.split("\n")[0]
    assert plain.split("\n")[1] in live.ok("ps") and "running" not in live.ok("ps", "-a", "--no-trunc")
    assert len(live.ok("ps", "-qa").split()) == 2
    assert live.ok("ps", "-l", "-q") == live.ok("ps", "-n", "1", "-q") == other + "\n"
    for test, names in (("status=running", "c"), ("status=created", "other"), ("status=exited", ""),
                        ("label=team=a b", "c"), ("label=kind", "other"), ("name=oth", "other"),
                        ("id=" + other, "other"), ("ancestor=docker.io/library/demo", "c other"),
                        ("ancestor=demo:1", "")):
        found = live.ok("ps", "--filter", test, "--format", "{{.Names}}").split()
        assert sorted(found) == names.split(), test
    done = live("ps", "--filter", "colour=red")
    assert (done.status, done.out) == (125, "") and "ancestor" in done.err
    row = json.loads(live.ok("ps", "--filter", "name=^c$", "--format", "json"))
    assert (row["State"], row["Image"], row["Labels"]) == ("running", "demo:latest", "team=a b")
    assert row["Status"].startswith("Up ") and row["Command"].startswith('"sh -c ') and row["Pid"] > 1
    table = live.ok("ps", "--format", "table {{.Names}}\t{{.State}}").split("\n")
    assert table[0].split() == ["NAMES", "STATE"] and len(table) == 4
    assert json.loads(live.ok("inspect", "c"))["config"]["Labels"] == {"team": "a b"}


@pytest.mark.shows("rm --all -f -v")
def test_rm_ends_what_runs_if_it_is_told_to(live):
    live.ok("run", "-d", "c", "sh", "-c", SLEEP)
    for name in ("kept", "loose"):
        live.ok("create", "--name=" + name, "demo")
    live.ok("protect", "kept")
    live.ok("rm", "--all")
    assert sorted(live.ok("ps", "--format", "{{.Names}}").split()) == ["c", "kept"]
    live.ok("protect", "c")
    done = live("rm", "-f", "c")
    assert done.status == 125 and "is protected" in done.err and is_running(live)
    live.ok("unprotect", "c")
    live.ok("rm", "-fv", "c")
    assert live.ok("ps", "--format", "{{.Names}}").split() == ["kept"] and not running(MARKER)


def test_a_container_that_cannot_be_written_to(live):
    root = live.ok("inspect", "-p", "c").strip()
    os.chmod(os.path.dirname(root), 0o555)
    assert live.ok("run", "c", "echo", "runs") == "runs\n"
    assert live("run", "c", "sh", "-c", "exit 4").status == 4
    done = live("run", "-d", "c", "sleep", MARKER)
    assert (done.status, done.out) == (125, "") and "without --detach" in done.err
    assert done.err.count("\n") == 1 and not running(MARKER)


def test_records_that_lie(live):
    """A record that names a process of ours which is no container's, and one of another node."""
    live.ok("run", "c", "true")
    directory = records(live)
    (name,) = os.listdir(directory)
    with open(os.path.join(directory, name)) as file:
        honest = json.load(file)
    bystander = subprocess.Popen(["sleep", MARKER])
    try:
        reused = list(process(bystander.pid))
        reused[4] = "1"
        for number, fields in enumerate((reused, ["elsewhere"] + reused[1:])):
            with open(os.path.join(directory, "x.1.%d.lie" % number), "w") as file:
                file.write(json.dumps(dict(honest, process=fields, since=time.time(),
                                           keeper=fields if number else None)) + "\n")
        assert "running on elsewhere" in live.ok("ps", "--status")
        for words in (("stop", "c"), ("kill", "c"), ("exec", "c", "true"), ("start", "c")):
            done = live(*words)
            assert (done.status, done.out) == (125, "") and "elsewhere" in done.err, words
        done = live("rm", "c")
        assert done.status == 125 and "elsewhere" in done.err
        os.unlink(os.path.join(directory, "x.1.1.lie"))
        # a run in the foreground may have ended there without a word: it hinders nobody
        with open(os.path.join(directory, "x.1.4.lie"), "w") as file:
            file.write(json.dumps(dict(honest, process=["elsewhere"] + reused[1:],
                                       since=time.time())) + "\n")
        assert "started on elsewhere" in live.ok("ps", "--status")
        done = live("stop", "c")
        assert done.status == 125 and "may still run, on elsewhere" in done.err
        live.ok("start", "c")
        live.ok("wait", "c")
        os.unlink(os.path.join(directory, "x.1.4.lie"))
        assert not is_running(live) and live.ok("stop", "c") == "c\n"
        assert bystander.poll() is None
        os.symlink("/etc/passwd", os.path.join(directory, "x.1.2.link"))
        with open(os.path.join(directory, "x.1.3.text"), "wb") as file:
            file.write(b"\xff\xfe\n" * 1000)
        assert live.ok("run", "c", "echo", "fine") == "fine\n"
    finally:
        bystander.kill()
        bystander.wait()


@pytest.mark.parametrize("command", ["start", "stop", "restart", "kill", "wait", "logs"])
def test_what_is_not_there_or_could_be_several(live, command):
    done = live(command, "nothing")
    assert (done.status, done.out) == (125, "") and "not found" in done.err
    assert live(command).status == 125
    top = os.path.dirname(os.path.dirname(os.path.dirname(records(live))))
    for last in "12":
        os.makedirs("%s/containers/abcdefab-0000-4000-8000-00000000000%s/ROOT" % (top, last))
    done = live(command, "abcdef")
    assert (done.status, done.out) == (125, "") and "2 container ids" in done.err


def test_copies_are_of_the_container_not_of_its_runs(live, tmp_path):
    live.ok("run", "-d", "c", "echo", "said")
    live.ok("wait", "c")
    live.ok("clone", "--name=copy", "c")
    assert live("logs", "copy").status == 125
    live.ok("export", "--clone", "-o", tmp_path / "c.tar", "c")
    listed = subprocess.check_output(["tar", "-tf", str(tmp_path / "c.tar")])
    assert b".runs" not in listed and b"container.json" in listed
