"""What ``udocker doctor`` says is what happens: on real hosts that forbid things."""

import json
import os
import shutil
import subprocess
import sys
from collections import namedtuple

import pytest

FAKES = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "fakes")
#: What runs any container. What F modes can do depends on the image, and the demo's is not for them.
MODES = ("P1", "P2", "R1")
#: What the host's Python needs in a container: it is dynamically linked.
HOST = tuple(path for path in ("/usr", "/bin", "/lib", "/lib64") if os.path.exists(path))

class Visit(namedtuple("Visit", "status said")):
    """What doctor says: status (int), said (its JSON)."""

    __slots__ = ()

    @property
    def modes(self):
        return [mode for mode in self.said["modes"] if mode in MODES]

    @property
    def auto(self):
        return self.said["auto"] if self.said["auto"] in MODES else None


class Host(object):
    """A user's udocker on a host that is made so by ``prefix``, a command before its own."""

    def __init__(self, udocker, *prefix, env=None, python=None):
        self._udocker, self._prefix, self._env = udocker, [str(word) for word in prefix], env
        self._python = python

    def __call__(self, *words):
        done = subprocess.run(self._prefix + self._udocker.command(*words, python=self._python),
                              env=self._udocker.environment(self._env), stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120,
                              cwd=str(self._udocker.home))
        return done.returncode, done.stdout.decode("utf-8"), done.stderr.decode("utf-8")

    def doctor(self):
        status, out, err = self("doctor", "--json")
        assert "Traceback" not in err and "Error:" not in err, err
        return Visit(status, json.loads(out))

    def mode_of(self, mode):
        """Return the mode (str) in which run --execmode=``mode`` runs the container c, or None."""
        status, out, err = self("run", "--execmode=" + mode, "c", "env")
        found = [line.partition("=")[2] for line in out.split("\n")
                 if line.startswith("container_execmode=")]
        assert (status == 0) == bool(found), (status, out, err)
        return found[0] if found else None

    def examined(self):
        """Return the Visit, after comparing it with what run does."""
        visit = self.doctor()
        assert visit.auto == self.mode_of("auto"), visit
        assert visit.modes == [mode for mode in MODES if self.mode_of(mode)], visit
        assert visit.status == (0 if visit.said["modes"] else 1)
        return visit


def deny(calls):
    return sys.executable, os.path.join(FAKES, "deny.py"), calls


def mounted(kind, directory):
    return sys.executable, os.path.join(FAKES, "mounts.py"), kind, directory


@pytest.fixture
def namespaces():
    """Asks for a host on which an ordinary user may mount."""
    done = subprocess.run(["unshare", "-Urm", "true"], stderr=subprocess.PIPE)
    if done.returncode:
        pytest.skip("no user namespaces to mount in: %s" % done.stderr.decode().strip())


def no_bundle(home):
    (home / ".udocker" / "udocker.conf").write_text("[DEFAULT]\nautoinstall = False\n")


def findings(visit, topic):
    return [item for item in visit.said["findings"] if item["topic"] == topic]


def text_of(visit, topic):
    return "\n".join(item["text"] for item in findings(visit, topic))


def advice(visit, who):
    return "\n".join(entry["text"] for item in visit.said["findings"] for entry in item["advice"]
                     if entry["who"] == who)


def test_it_agrees_with_run_on_this_host(udocker, demo_home):
    visit = Host(udocker).examined()
    assert set(item["state"] for item in findings(visit, "engines")) == {"ok"}
    assert "verified" in text_of(visit, "engines")
    assert str(demo_home / ".udocker") in text_of(visit, "file system")


def test_the_text_is_one_screen_with_a_verdict(udocker, demo_home):
    status, out, err = Host(udocker)("doctor")
    lines = out.split("\n")
    assert status == 0 and "Error" not in err and len(lines) < 50
    assert lines[-2].startswith("Containers can run here, in mode")
    assert all(line[:4].strip() in ("ok", "info", "warn", "bad") for line in lines[:8])


def test_a_new_user_gets_engines_as_by_run(udocker, home):
    visit = Host(udocker).doctor()
    assert visit.status == 0 and os.listdir(str(home / ".udocker" / "bin"))
    assert not [name for name in os.listdir(str(home / ".udocker")) if name.startswith(".doctor")]


@pytest.mark.parametrize("calls, modes, word", [
    ("ptrace", ["R1"], "ptrace"), ("unshare", ["P1", "P2"], "user namespaces"),
    ("ptrace,unshare", [], "user namespaces"), ("flock", None, "")])
def test_what_the_kernel_forbids_is_said(udocker, demo_home, calls, modes, word):
    visit = Host(udocker, *deny(calls)).examined()
    assert modes is None or visit.modes == modes
    assert word in advice(visit, "administrator")
    if calls == "flock":
        assert "no flock" in text_of(visit, "file system")


def test_a_mode_by_default_that_fails_is_said(udocker, demo_home):
    visit = Host(udocker, *deny("ptrace")).doctor()
    assert findings(visit, "run takes")[0]["state"] == "bad"
    assert "UDOCKER_DEFAULT_EXECUTION_MODE" in advice(visit, "user")
    visit = Host(udocker, *deny("ptrace"), env={"UDOCKER_DEFAULT_EXECUTION_MODE": "auto"}).doctor()
    assert findings(visit, "run takes")[0]["state"] == "ok"


@pytest.mark.parametrize("below", ["", ".udocker/bin", ".udocker/containers"])
def test_a_file_system_without_programs_is_said(udocker, demo_home, namespaces, below):
    place = str(demo_home / below).rstrip("/")
    visit = Host(udocker, *mounted("noexec", place)).examined()
    assert visit.status == 1
    said = text_of(visit, "file system") + text_of(visit, "modes")
    assert "noexec" in said or "cannot be executed" in said


def test_a_file_system_that_is_read_only_is_said(udocker, demo_home, namespaces):
    visit = Host(udocker, *mounted("ro", demo_home)).examined()
    assert "not writable" in text_of(visit, "file system")
    assert "R1" not in visit.said["modes"]  # it keeps a state, here in the home


def test_a_home_in_which_nothing_can_be_made_is_said(udocker, home, namespaces):
    visit = Host(udocker, *mounted("ro", home)).doctor()
    assert (visit.status, visit.said["modes"], visit.said["auto"]) == (1, [], None)
    assert "cannot make" in text_of(visit, "file system")
    assert "UDOCKER_DIR" in advice(visit, "user")


@pytest.mark.parametrize("below", ["", "containers"])
def test_a_file_server_that_is_dead_holds_nobody(udocker, demo_home, namespaces, below):
    if not os.access("/dev/fuse", os.R_OK | os.W_OK):
        pytest.skip("a dead file system needs /dev/fuse, which is not for this user here")
    place = str(demo_home / ".udocker" / below).rstrip("/")
    visit = Host(udocker, *mounted("dead", place)).doctor()
    assert (visit.status, visit.said["auto"]) == (1, None)
    assert "no answer" in text_of(visit, "file system")


def test_engines_that_are_missing_are_named(udocker, demo_home):
    for room in ("bin", "lib"):
        shutil.rmtree(str(demo_home / ".udocker" / room))
    no_bundle(demo_home)
    # a crun of the distribution would be taken, and may or may not work
    visit = Host(udocker, env={"PATH": "/nonexistent"}).examined()
    assert visit.status == 1 and "'udocker install'" in advice(visit, "user")


def replace(demo_home, names, script):
    """Put ``script`` (str) in the place of engines; return the path of the first of ``names``."""
    paths = [demo_home / ".udocker" / "bin" / ("%s-%s" % (name, os.uname().machine))
             for name in names]
    for path in paths:
        path.write_text("#!/bin/sh\n" + script)
    return paths[0]


@pytest.mark.parametrize("names, works", [(("crun", "runc"), ["P1", "P2"]), (("proot",), ["R1"])])
def test_an_engine_that_is_broken_is_named(udocker, demo_home, names, works):
    path = replace(demo_home, names, "echo broken >&2\nexit 3\n")
    no_bundle(demo_home)
    visit = Host(udocker).examined()
    assert set(visit.modes) <= set(works)
    assert str(path) in text_of(visit, "engines") + text_of(visit, "modes")
    assert "install" in advice(visit, "user")


def test_an_engine_that_hangs_is_left_alone(udocker, demo_home):
    replace(demo_home, ("crun", "runc"), "exec sleep 600\n")
    no_bundle(demo_home)
    visit = Host(udocker).doctor()
    assert "says nothing" in text_of(visit, "engines") and "R1" not in visit.said["modes"]


def test_a_file_that_is_no_mode_is_said(udocker, demo_home):
    visit = Host(udocker, env={"UDOCKER_DEFAULT_EXECUTION_MODE": "X9"}).doctor()
    assert "X9" in text_of(visit, "run takes") and findings(visit, "run takes")[0]["state"] == "bad"


@pytest.mark.parametrize("mode", ["P1", "R1"])
def test_it_agrees_with_run_inside_of_a_container(udocker, demo_home, mode):
    volumes = ["--volume=" + path for path in HOST + (
        str(demo_home), os.path.dirname(os.path.realpath(udocker.pyz)), sys.prefix,
        os.path.realpath(sys.base_prefix))]
    inside = udocker.command("run", "--execmode=" + mode, "--hostenv", "--hostauth",
                             "--user=%d" % os.getuid(), *volumes) + ["c"]
    visit = Host(udocker, *inside, python=os.path.realpath(sys.executable)).examined()
    assert visit.status == 0 and text_of(visit, "container") == "udocker, mode " + mode


def test_no_secret_of_the_network_is_shown(udocker, demo_home):
    secret = {"https_proxy": "http://ann:s3cret@proxy:3128", "HTTP_PROXY": "http://proxy",
              "UDOCKER_REGISTRY": "https://mirror.example.org:5000"}
    status, out, err = Host(udocker, env=secret)("doctor")
    assert "HTTP_PROXY, https_proxy" in out and "mirror.example.org:5000" in out
    assert "s3cret" not in out + err and "ann" not in out.split("network")[1].split("\n")[0]
    status, out, err = Host(udocker, env={"UDOCKER_REGISTRY": "https://ann:s3cret@m"})("doctor")
    assert status == 0 and "s3cret" not in out + err


@pytest.mark.shows("doctor --format", "doctor")
def test_usage(udocker, home):
    assert udocker("doctor", "--format=xml").status == 125
    assert udocker("doctor", "nope").status == 125
    assert json.loads(udocker.ok("doctor", "--format=json"))["findings"]
