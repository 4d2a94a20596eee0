"""The first commands that people type, as they type them: the built program, a real container."""

import json
import os
import signal
import subprocess
import time

import pytest

MODES = ("P1", "P2", "R1")


@pytest.fixture(params=MODES)
def mode(request):
    """Each execution mode, as the words that ask for it."""
    if request.param == "R1":
        done = subprocess.run(["unshare", "--user", "--map-root-user", "true"],
                              stderr=subprocess.PIPE, universal_newlines=True)
        if done.returncode:
            pytest.skip("mode R1: no user namespaces here (%s)" % done.stderr.strip())
    return "--execmode=" + request.param


# Without any container

@pytest.mark.shows("version", "-V --version")
def test_version(udocker):
    done = udocker("version")
    assert done.status == 0 and done.err == ""
    assert done.out.startswith("version: 2.")
    assert udocker.ok("--version") == udocker.ok("-V") == done.out


@pytest.mark.parametrize("words", [(), ("help",), ("--help",), ("-h",)])
@pytest.mark.shows("-h --help", "help")
def test_general_help(udocker, words):
    done = udocker(*words)
    assert (done.status, done.err) == (0, "")
    assert done.out.startswith("usage: udocker ")
    assert "\n  run " in done.out and "\n  pull " in done.out


@pytest.mark.parametrize("words", [("help", "run"), ("run", "--help"), ("--help", "run")])
def test_help_of_a_command(udocker, words):
    out = udocker.ok(*words)
    assert out.startswith("usage: udocker run ") and "--volume" in out


def test_help_leaves_no_files(udocker, home):
    udocker.ok("help")
    udocker.ok("version")
    assert os.listdir(str(home)) == []


def test_an_unknown_command_gets_a_suggestion(udocker):
    done = udocker("isnpect")
    assert (done.status, done.out) == (125, "")
    assert done.err == "Error: invalid command: 'isnpect' (did you mean 'inspect'?)\n"


def test_an_unknown_option_gets_a_suggestion(udocker):
    done = udocker("run", "--volum=/a", "c")
    assert (done.status, done.out) == (125, "")
    assert "'--volume'" in done.err and done.err.count("\n") == 1


# From an archive to a process and back to nothing

@pytest.mark.shows("load -i", "create --name", "images", "ps", "run", "rm", "rmi")
def test_from_load_to_rmi(udocker, demo_archive, engines, home):
    assert udocker.ok("load", "-i", demo_archive).splitlines()[-1] == "['demo:latest']"
    assert udocker.ok("images").splitlines()[1].startswith("demo:latest ")
    container = udocker.ok("create", "--name=mine", "demo").strip()
    assert len(container) == 36
    listed = udocker.ok("ps").splitlines()
    assert len(listed) == 2 and listed[1].startswith(container)
    assert "['mine']" in listed[1] and "demo:latest" in listed[1]
    assert json.loads(udocker.ok("inspect", "mine"))["config"]["Cmd"] == ["/bin/cat", "/etc/motd"]
    root = udocker.ok("inspect", "-p", "mine").strip()
    assert os.path.isfile(os.path.join(root, "bin", "busybox"))
    done = udocker("run", "mine")
    assert (done.status, done.out) == (
        0, "Hello from inside a container, run by an ordinary user.\n")
    udocker.ok("rm", "mine")
    assert not os.path.exists(root)
    assert len(udocker.ok("ps").splitlines()) == 1
    udocker.ok("rmi", "demo")
    assert len(udocker.ok("images").splitlines()) == 1
    assert os.listdir(str(home / ".udocker" / "layers")) == []


def test_load_from_standard_input(udocker, demo_archive):
    with open(demo_archive, "rb") as file:
        assert "demo:latest" in udocker.ok("load", input=file.read())


def test_create_twice_with_one_name(udocker, demo_home):
    done = udocker("create", "--name=c", "demo")
    assert (done.status, done.out) == (125, "") and "c" in done.err


def test_rm_what_is_not_there(udocker, demo_home):
    done = udocker("rm", "nothing")
    assert (done.status, done.out) == (125, "") and done.err.startswith("Error: ")


def test_run_of_what_is_not_there_says_so(udocker, demo_home):
    done = udocker("run", "--pull=never", "nothing")
    assert (done.status, done.out) == (125, "") and "nothing" in done.err


# Running, in each mode

@pytest.mark.parametrize("script, status", [
    ("exit 0", 0), ("exit 7", 7), ("exit 255", 255), ("kill -TERM $$", 143), ("kill -KILL $$", 137)])
def test_the_status_is_that_of_the_command(udocker, demo_home, mode, script, status):
    if "kill" in script and mode.endswith("R1"):
        # in a process namespace the command is process 1, which the kernel shields from itself
        script = "sh -c '%s'; exit $?" % script
    done = udocker("run", mode, "c", "sh", "-c", script)
    assert done.status == status
    assert done.out == ""


@pytest.mark.parametrize("script, status", [("exit 7", 7), ("sh -c 'kill -TERM $$'; exit $?", 143)])
def test_the_status_is_the_same_with_rm(udocker, demo_home, mode, script, status):
    assert udocker("run", "--rm", mode, "c", "sh", "-c", script).status == status


@pytest.mark.parametrize("words, status", [
    (("nothing-of-that-name",), 127), (("/bin/nothing",), 127), (("/etc/motd",), 126),
    (("/etc",), 126)])
def test_what_cannot_be_run(udocker, demo_home, mode, words, status):
    done = udocker("run", mode, "c", *words)
    assert (done.status, done.out) == (status, "")
    assert done.err.startswith("Error: ") and done.err.count("\n") == 1


def test_a_bad_option_is_125(udocker, demo_home):
    assert udocker("run", "-w", "/etc/passwd", "c", "true").status == 125


def test_both_streams_are_the_commands(udocker, demo_home, mode):
    done = udocker("run", mode, "c", "sh", "-c", "echo out; echo err >&2")
    assert (done.status, done.out, done.err) == (0, "out\n", "err\n")


def test_ten_megabytes_through_a_pipe(udocker, demo_home, mode):
    data = bytes(bytearray(range(256))) * (10 * 1024 * 1024 // 256)
    done = udocker("run", mode, "c", "cat", input=data, binary=True)
    assert done.status == 0 and done.err == b""
    assert done.out == data


@pytest.mark.shows("run -e")
def test_variables(udocker, demo_home, mode):
    out = udocker.ok("run", mode, "-e", "A=1 2", "--env=HOSTS", "-e", "EMPTY=", "c", "env",
                     env={"HOSTS": "copied", "HIDDEN": "secret"})
    assert {"A=1 2", "HOSTS=copied", "EMPTY="} <= set(out.splitlines())
    assert "secret" not in out


@pytest.mark.shows("run -w --workdir")
def test_working_directory(udocker, demo_home, mode):
    assert udocker.ok("run", mode, "-w", "/usr/bin", "c", "pwd") == "/usr/bin\n"


def test_volume_of_a_directory(udocker, demo_home, mode, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "in").write_text("from outside\n")
    out = udocker.ok("run", mode, "-v", "%s:/data" % (tmp_path / "data"), "c", "sh", "-c",
                     "cat /data/in; echo from inside >/data/out")
    assert out == "from outside\n"
    assert (tmp_path / "data" / "out").read_text() == "from inside\n"


def test_volume_of_a_file(udocker, demo_home, mode, tmp_path):
    (tmp_path / "message").write_text("from outside\n")
    out = udocker.ok("run", mode, "-v", "%s:/etc/motd" % (tmp_path / "message"), "c")
    assert out == "from outside\n"
    # the container is as it was
    assert udocker.ok("run", mode, "c").startswith("Hello ")


def test_volume_that_is_not_there(udocker, demo_home):
    done = udocker("run", "-v", "/nothing/here:/data", "c", "true")
    assert (done.status, done.out) == (125, "") and "/nothing/here" in done.err


@pytest.mark.shows("run --entrypoint")
def test_entrypoint(udocker, demo_home, mode):
    assert udocker.ok("run", mode, "--entrypoint=/bin/echo", "c", "a", "b") == "a b\n"


def test_what_looks_like_an_option_after_the_container_is_the_commands(udocker, demo_home):
    assert udocker.ok("run", "c", "echo", "--rm", "-v", "--", "x") == "--rm -v -- x\n"


@pytest.mark.shows("run --name")
def test_run_of_an_image_with_a_name_stays(udocker, demo_home):
    assert udocker.ok("run", "--name=kept", "demo", "true") == ""
    assert "['kept']" in udocker.ok("ps")
    udocker.ok("run", "kept", "true")


@pytest.mark.shows("run --rm")
def test_rm_leaves_nothing(udocker, demo_home, mode):
    before = sorted(os.listdir(str(demo_home / ".udocker" / "containers")))
    assert udocker.ok("run", "--rm", mode, "demo", "echo", "x") == "x\n"
    assert sorted(os.listdir(str(demo_home / ".udocker" / "containers"))) == before


def test_a_signal_reaches_the_command(udocker, demo_home, mode):
    script = "trap 'echo caught; exit 9' TERM; echo ready; while :; do sleep 0.1; done"
    process = udocker.start("run", mode, "c", "sh", "-c", script, stdout=subprocess.PIPE,
                            stdin=subprocess.DEVNULL)
    try:
        assert process.stdout.readline() == b"ready\n"
        time.sleep(0.1)
        process.send_signal(signal.SIGTERM)
        assert process.stdout.read() == b"caught\n"
        assert process.wait(20) == 9
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


# Telling instead of doing

@pytest.mark.shows("run --dry-run")
def test_dry_run_tells_and_does_nothing(udocker, demo_home, mode, tmp_path):
    out = udocker.ok("run", mode, "--dry-run", "-v", "%s:/data" % tmp_path, "c", "touch", "/x")
    assert "mode " + mode[-2:] in out and "because " in out and "%s -> /data" % tmp_path in out
    assert not os.path.exists(udocker.ok("inspect", "-p", "c").strip() + "/x")


@pytest.mark.shows("run --dry-run --format")
def test_dry_run_as_json(udocker, demo_home, mode):
    plan = json.loads(udocker.ok("run", mode, "--dry-run", "--format=json", "c", "echo", "x"))
    assert plan["mode"] == mode[-2:] and plan["reasons"] and plan["argv"]
    assert plan["engine"] == ("crun" if mode.endswith("R1") else "proot")
