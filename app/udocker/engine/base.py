"""What all engines have in common."""

import os
from collections import namedtuple

from udocker.host.files import remove_tree
from udocker.host.processes import is_alive

#: How well an engine does here: score (int, 0: not at all; the highest is taken), reason (str).
Fitness = namedtuple("Fitness", "score reason")

#: Origin of a program: from a bundle that was verified, from the repository's bin but unknown to
#: its manifest (udocker 1.3.x put it there), or from elsewhere (PATH, configuration).
VERIFIED, UNKNOWN, FOREIGN = "bundle", "unknown", "foreign"

#: A program that runs containers: path (str), version (str, "" if unknown), origin (str).
Program = namedtuple("Program", "path version origin")


class Engine(object):
    """A way to run a Launch.

    An engine is made with the Program it uses; it keeps no other state.
    """

    #: str: how the plan calls it.
    name = ""
    #: bool: it writes down what runs, in EngineSettings.state.
    keeps_state = False
    #: bool: it leaves to us what it does not do itself: to end by a signal, or with us.
    needs_keeper = False

    def __init__(self, program):
        self.program = program

    def prepare(self, mode):
        """Write, before a run in ``mode`` (str), what the engine needs beside ROOT."""

    def inside(self, run):
        """Return the Engine for one more command in ``run`` (store.runs.Run), which is running: this
        one, where all that a container is lies in the file system."""
        return self

    def plan(self, launch, mode):
        """Return the EnginePlan that starts ``launch`` (Launch) in ``mode`` (str)."""
        raise NotImplementedError


class EnginePlan(namedtuple("EnginePlan", "argv env files warnings reasons directory")):
    """What an engine adds to a plan: argv and env of the engine itself, files, warnings, reasons;
    directory (str): of the host, to start it in, "" where that makes no difference."""

    __slots__ = ()

    def __new__(cls, argv, env, files, warnings, reasons, directory=""):
        return super(EnginePlan, cls).__new__(cls, argv, env, files, warnings, reasons, directory)


def forget_dead(state):
    """Remove from the directory ``state`` (str) what a run that was killed left there.

    What is there is called after something and the process that started it.
    """
    for name in os.listdir(state):
        pid = name.rpartition("-")[2]
        if pid.isdigit() and not is_alive(int(pid)):
            remove_tree(os.path.join(state, name))


def unmet(launch, mode):
    """Return what ``launch`` (Launch) asks for that needs namespaces, as warnings (list of str) of a
    ``mode`` (str) without."""
    isolation = launch.isolation
    asked = [name for name, is_asked in (
        ("--read-only", isolation.read_only), ("--shm-size", isolation.shm_size),
        ("--net=none", isolation.network == "none")) if is_asked]
    return ["%s: that needs a mode with namespaces (R1), and changes nothing in mode %s"
            % (", ".join(asked), mode)] if asked else []


def is_older(version, other):
    """Whether ``version`` (str: numbers between dots) is of an earlier release than ``other``."""
    return _numbers(version) < _numbers(other)


def _numbers(version):
    numbers = []
    for part in version.split("."):
        digits = part[:len(part) - len(part.lstrip("0123456789"))]
        numbers.append(int(digits or 0))
    return numbers
