"""Hosts as values, and what is said of them."""

import time

import pytest

from udocker.cli.diagnosis import (ADMINISTRATOR, BAD, INFO, OK, USER, WARN, Checkup,
                                   automatic_mode, diagnose, verdict, working_modes)
from udocker.engine.base import FOREIGN, UNKNOWN, VERIFIED
from udocker.engine.survey import Found, Mode, Survey
from udocker.errors import EngineError
from udocker.host.asked import Once, Unknown, ask
from udocker.host.checkup import Mount, Place, SubordinateIds, covering
from udocker.host.probe import Probe, Switch

YES = Probe(True, "works")
PROOT = Found("proot", "/u/bin/proot-x86_64", "5.4.0", VERIFIED, "")
CRUN = Found("crun", "/u/bin/crun-x86_64", "1.21", VERIFIED, "")
HOME = Place("/home/ann/.udocker", "/home", "ext4", "/dev/sda1", 50 << 30, 1 << 20, True, True, True)
TMP = HOME._replace(path="/tmp", point="/tmp", kind="tmpfs")


def survey(proot=PROOT, crun=CRUN, auto=None, spare=()):
    """The Survey of a host with these engines; without one of them its modes do not work."""
    modes = tuple(Mode(name, engine, "mode %s: asked for" % name if engine else
                       "mode %s does not work here: reason of %s" % (name, name), "a hint")
                  for name, engine in (("P1", proot), ("P2", proot), ("R1", crun)))
    best = [mode for mode in modes[::-1] if mode.engine]
    return Survey(modes, auto or (best[0] if best else Mode("auto", None, "no engine works", "")),
                  spare)


GOOD = Checkup("Linux 6.1 on x86_64", "", "3.11.2", "udocker 2.0.0", YES, YES, YES, [], "1",
               SubordinateIds(0, 0, False), "v2", [], [("repository", HOME), ("temporary files", TMP)],
               survey(), ("P1", "the default"), [], [], "")
NO_NAMESPACES = Probe(False, "no user namespaces (unshare: Operation not permitted)")
NO_PTRACE = Probe(False, "ptrace is forbidden")
NOWHERE = survey(None, None)


def said(checkup, topic):
    return [item for item in diagnose(checkup) if item.topic == topic]


def advice(checkup, who):
    return [entry.text for item in diagnose(checkup) for entry in item.advice if entry.who == who]


def test_a_good_host_needs_no_advice():
    findings = diagnose(GOOD)
    assert set(item.state for item in findings) == {OK, INFO}
    assert not [item for item in findings if item.advice]
    assert working_modes(GOOD) == ["P1", "P2", "R1"] and automatic_mode(GOOD) == "R1"
    assert verdict(GOOD) == ("Containers can run here, in modes P1, P2 and R1: 'run' takes P1, and "
                             "with --execmode=auto R1.")


@pytest.mark.parametrize("changes, topic, state, words", [
    (dict(namespaces=NO_NAMESPACES), "user namespaces", WARN, "not permitted"),
    (dict(ptrace=NO_PTRACE), "ptrace", WARN, "forbidden"),
    (dict(seccomp=Probe(False, "no filters")), "seccomp", WARN, "slow"),
    (dict(ids=SubordinateIds(65536, 65536, False)), "subordinate ids", INFO, "no newuidmap"),
    (dict(limits=[("address space", 1 << 30)]), "limits", WARN, "1 GB"),
    (dict(limits=[("processes", 100)]), "limits", INFO, "100"),
    (dict(container="docker"), "container", INFO, "docker"),
    (dict(container=Unknown("no answer within 5 seconds")), "container", WARN, "unknown: no answer"),
    (dict(survey=Unknown("killed")), "engines", WARN, "unknown: killed"),
    (dict(survey=survey(PROOT._replace(origin=FOREIGN))), "engines", WARN, "not udocker's own"),
    (dict(survey=survey(PROOT._replace(origin=UNKNOWN))), "engines", WARN, "not what udocker"),
    (dict(survey=survey(PROOT._replace(trouble="does not start"))), "engines", BAD, "not start"),
    (dict(survey=survey(PROOT._replace(trouble="does not start"))), "modes", BAD, "not start"),
    (dict(survey=NOWHERE), "engines", BAD, "none"),
    (dict(survey=NOWHERE), "modes", WARN, "P1 does not work: reason of P1"),
    (dict(survey=NOWHERE), "auto", BAD, "no engine works"),
    (dict(survey=NOWHERE), "run takes", BAD, "P1"),
    (dict(mode=("X9", "configured")), "run takes", BAD, "no mode"),
    (dict(others=[("podman", "/bin/podman"), ("runc", None)]), "in PATH", INFO, "podman /bin/podman"),
    (dict(others=[("qemu-arm", "/q"), ("qemu-arm-static", "/q")]), "in PATH", INFO, "qemu for arm"),
    (dict(proxies=["https_proxy"], registry="m:5000"), "network", INFO, "https_proxy; images come "
                                                                        "from m:5000"),
])
def test_what_is_wrong_is_said(changes, topic, state, words):
    found = said(GOOD._replace(**changes), topic)
    assert found[0].state == state and words in found[0].text, found


@pytest.mark.parametrize("change, state, words", [
    (dict(kind="nfs4", device="server:/home"), WARN, "on another machine: server:/home"),
    (dict(free=100 << 20), WARN, "104 MB free"),
    (dict(inodes=10), WARN, "room for 10 files"),
    (dict(inodes=-1), OK, "flock works"),
    (dict(locks=False), OK, "no flock"),
    (dict(writes=False, locks="cannot write there: read-only file system"), WARN, "not writable"),
    (dict(executes=False), BAD, "noexec"),
])
def test_what_is_wrong_with_a_file_system_is_said(change, state, words):
    checkup = GOOD._replace(places=[("repository", HOME._replace(**change))])
    (found,) = said(checkup, "file system")
    assert found.state == state and words in found.text
    assert (state == OK) != bool(found.advice)
    assert bool(working_modes(checkup)) == (state != BAD)


def test_temporary_files_need_no_programs():
    checkup = GOOD._replace(places=[("repository", HOME),
                                    ("temporary files", TMP._replace(executes=False))])
    assert said(checkup, "file system")[1].state == WARN and working_modes(checkup)


def test_a_repository_that_does_not_answer_runs_nothing():
    dead = Unknown("no answer within 5 seconds")
    checkup = GOOD._replace(places=[("repository", dead)])
    assert (working_modes(checkup), automatic_mode(checkup)) == ([], None)
    assert said(checkup, "file system")[0].state == BAD and "UDOCKER_DIR" in advice(checkup, USER)[0]
    assert "no answer" in verdict(checkup)


@pytest.mark.parametrize("switch", [Switch("user.max_user_namespaces", "0", "15000"),
                                    Switch("kernel.unprivileged_userns_clone", "0", "1")])
def test_the_administrator_is_told_which_switch_to_set(switch):
    checkup = GOOD._replace(namespaces=NO_NAMESPACES, switches=[switch])
    assert "sysctl -w %s=%s" % (switch.name, switch.wanted) in advice(checkup, ADMINISTRATOR)[0]


def test_apparmor_has_another_way():
    switch = Switch("kernel.apparmor_restrict_unprivileged_userns", "1", "0")
    checkup = GOOD._replace(namespaces=NO_NAMESPACES, switches=[switch])
    assert "profile" in advice(checkup, ADMINISTRATOR)[0]


@pytest.mark.parametrize("scope, words", [("1", "batch"), ("", "batch"), ("2", "ptrace_scope=1"),
                                          ("3", "after a restart")])
def test_the_administrator_is_told_of_yama(scope, words):
    checkup = GOOD._replace(ptrace=NO_PTRACE, yama=scope)
    assert words in advice(checkup, ADMINISTRATOR)[0]


def test_what_is_verified_is_not_to_be_installed_again():
    broken = GOOD._replace(survey=survey(crun=None, spare=(CRUN._replace(trouble="status 182"),)))
    found = said(broken, "engines")[1]
    assert (found.state, found.advice) == (WARN, ())


@pytest.mark.parametrize("mode, found, words", [
    ("P1", survey(), "'run' takes P1, and with --execmode=auto R1"),
    ("auto", survey(), "'run' takes R1."),
    ("P1", survey(None), "'run' takes P1, which does not work, unless told --execmode=auto"),
    ("P1", NOWHERE, "No container can run here: no mode works"),
    ("auto", survey(auto=Mode("auto", None, "no", "")), "which does not work, unless told "
                                                        "--execmode=P1"),
    ("P1", survey(auto=Mode("auto", None, "no", "")), "auto one that does not work"),
])
def test_the_verdict(mode, found, words):
    assert words in verdict(GOOD._replace(mode=(mode, "said"), survey=found))


def test_the_mount_of_a_path_is_the_one_on_top():
    table = [Mount("/", "ext4", "a"), Mount("/home", "nfs4", "b"), Mount("/home", "tmpfs", "c"),
             Mount("/home/ann/x y", "xfs", "d")]
    for path, device in (("/", "a"), ("/homes", "a"), ("/home", "c"), ("/home/ann", "c"),
                         ("/home/ann/x y/z", "d")):
        assert covering(table, path).device == device


def test_a_question_has_an_answer_an_error_or_an_end():
    assert ask(lambda: Probe(True, "yes")) == Probe(True, "yes")
    assert ask(open, "/nope") == Unknown("no such file or directory")
    assert "division" in ask(lambda: 1 // 0).reason
    began = time.monotonic()
    assert "no answer" in ask(time.sleep, 60, seconds=0.2).reason
    assert time.monotonic() - began < 30


def test_a_question_that_dies_leaves_nothing():
    import os

    def ours():
        with open("/proc/self/task/%d/children" % os.getpid()) as file:
            return len(os.listdir("/proc/self/fd")), file.read()

    before = ours()
    assert "killed" in ask(lambda: os.kill(os.getpid(), 9)).reason
    assert ours() == before


def test_once_remembers_results_and_errors():
    class Locator(object):
        calls = 0

        def proot(self):
            self.calls += 1
            return self.calls

        def crun(self):
            self.calls += 1
            raise EngineError("number %d" % self.calls)

    once = Once(Locator())
    assert (once.proot(), once.proot()) == (1, 1)
    for _ in range(2):
        with pytest.raises(EngineError) as caught:
            once.crun()
        assert caught.value.message == "number 2"
