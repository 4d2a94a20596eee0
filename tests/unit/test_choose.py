import pytest

from tests.fakes import hosts
from udocker.engine.base import FOREIGN, Program
from udocker.engine.choose import choose, wanted_mode
from udocker.errors import EngineError, InvalidValue
from udocker.host.probe import Probe


class Probes(object):
    """A machine that allows what it is told to."""

    def __init__(self, namespaces=True, ptrace=True, seccomp=True):
        self._namespaces, self._ptrace, self._seccomp = namespaces, ptrace, seccomp

    def user_namespaces(self):
        return Probe(self._namespaces, "namespaces: %s" % self._namespaces)

    def ptrace_is_doubtful(self):
        return not self._ptrace

    def ptrace(self):
        return Probe(self._ptrace, "ptrace: %s" % self._ptrace)

    def seccomp_is_doubtful(self):
        return not self._seccomp

    def seccomp(self):
        return Probe(self._seccomp, "seccomp: %s" % self._seccomp)

    def executes(self, architecture):
        return Probe(architecture == "amd64", "another processor")


class Engines(object):
    """The engines that are installed."""

    def __init__(self, *names):
        self._names = names

    def proot(self):
        return self._program("proot")

    def oci_runtime(self):
        return self._program("crun")

    def singularity(self):
        return self._program("apptainer")

    def _program(self, name):
        if name not in self._names:
            raise EngineError("the engine %s is not installed" % name)
        return Program("/bin/" + name, "", FOREIGN)


ALL = Engines("proot", "crun", "apptainer")


@pytest.mark.parametrize("said, mode", [
    (("R1", "P2", "auto"), "R1"), (("", "P2", "auto"), "P2"), (("", "", "auto"), "auto"),
    (("", "", ""), "P1"),
])
def test_the_most_particular_word_counts(said, mode):
    assert wanted_mode(*said)[0] == mode


@pytest.mark.parametrize("probes, engines, mode", [
    (Probes(), ALL, "R1"), (Probes(namespaces=False), ALL, "P1"),
    (Probes(), Engines("proot"), "P1"), (Probes(ptrace=False), ALL, "R1"),
])
def test_auto_takes_the_fastest_that_works_and_says_why(probes, engines, mode):
    choice = choose("auto", "asked", engines, probes, hosts.CONTAINER)
    assert (choice.mode, choice.engine.name) == (mode, "crun" if mode == "R1" else "proot")
    assert choice.reasons[0][0] == "mode " + mode
    if mode == "P1":
        assert choice.reasons[1][0] == "not mode R1" and choice.reasons[1][1]


class Foreign(object):
    """A container whose image is for ``architecture``."""

    is_patched = is_set_up_by_1_3 = False

    def __init__(self, architecture):
        self._architecture = architecture

    def config(self):
        return hosts.config_of({"architecture": self._architecture, "os": "linux"})


@pytest.mark.parametrize("architecture, mode", [("amd64", "R1"), ("arm64", "P1")])
def test_auto_takes_for_another_processor_the_mode_that_an_emulator_can_work_in(architecture, mode):
    choice = choose("auto", "asked", ALL, Probes(), Foreign(architecture))
    assert choice.mode == mode
    assert mode == "R1" or choice.reasons[1] == ("not mode R1", "another processor")


def test_where_nothing_works_each_reason_is_told():
    with pytest.raises(EngineError) as caught:
        choose("auto", "asked", ALL, Probes(namespaces=False, ptrace=False), hosts.CONTAINER)
    assert "namespaces: False" in caught.value.message and "ptrace: False" in caught.value.message


@pytest.mark.parametrize("mode, probes", [("R1", Probes(namespaces=False)),
                                          ("P1", Probes(ptrace=False)),
                                          ("P2", Probes(ptrace=False)),
                                          ("R2", Probes(namespaces=False)),
                                          ("R3", Probes(ptrace=False))])
def test_a_mode_that_cannot_work_is_refused_before_anything_starts(mode, probes):
    with pytest.raises(EngineError) as caught:
        choose(mode, "asked", ALL, probes, hosts.CONTAINER)
    assert "False" in caught.value.message


@pytest.mark.parametrize("mode, engine", [("P2", "proot"), ("R1", "crun"), ("R2", "crun"),
                                          ("R3", "crun"), ("S1", "singularity")])
def test_a_mode_has_its_engine(mode, engine):
    choice = choose(mode, "asked", ALL, Probes(), hosts.CONTAINER)
    assert (choice.mode, choice.engine.name, choice.reasons) \
        == (mode, engine, (("mode " + mode, "asked"),))


def test_what_runs_inside_the_namespaces_has_to_be_here_too():
    with pytest.raises(EngineError) as caught:
        choose("R2", "asked", Engines("crun"), Probes(), hosts.CONTAINER)
    assert "proot" in caught.value.message
    assert choose("R1", "asked", Engines("crun"), Probes(), hosts.CONTAINER).mode == "R1"


@pytest.mark.parametrize("mode", ["X9", "p1", "P1 ", "../P1"])
def test_an_unknown_mode_is_refused(mode):
    with pytest.raises(InvalidValue):
        choose(mode, "asked", ALL, Probes(), hosts.CONTAINER)
