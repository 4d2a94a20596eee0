"""What all engines have in common."""

from collections import namedtuple

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

    def plan(self, launch, mode):
        """Return the EnginePlan that starts ``launch`` (Launch) in ``mode`` (str)."""
        raise NotImplementedError


class EnginePlan(namedtuple("EnginePlan", "argv env files warnings reasons directory")):
    """What an engine adds to a plan: argv and env of the engine itself, files, warnings, reasons;
    directory (str): of the host, to start it in, "" where that makes no difference."""

    __slots__ = ()

    def __new__(cls, argv, env, files, warnings, reasons, directory=""):
        return super(EnginePlan, cls).__new__(cls, argv, env, files, warnings, reasons, directory)


def is_older(version, other):
    """Whether ``version`` (str: numbers between dots) is of an earlier release than ``other``."""
    return _numbers(version) < _numbers(other)


def _numbers(version):
    numbers = []
    for part in version.split("."):
        digits = part[:len(part) - len(part.lstrip("0123456789"))]
        numbers.append(int(digits or 0))
    return numbers
