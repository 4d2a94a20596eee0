"""Which modes work here, and with which programs: what ``udocker doctor`` tells.

The answers are those of engine/choose.py, to the same questions that ``run`` asks it.
"""

import os
from collections import namedtuple

from udocker.engine.choose import AUTO, MODES, choose
from udocker.errors import UdockerError

#: An engine: name, path, version, origin (str: VERIFIED, UNKNOWN or FOREIGN), trouble (str: why it
#: does not start, "" if it does).
Found = namedtuple("Found", "name path version origin trouble")
#: A mode: name (str), engine (Found, or None where the mode cannot be chosen), text (str: why it
#: can be, or cannot), hint (str: what to do about that).
Mode = namedtuple("Mode", "name engine text hint")
#: modes (tuple of Mode: all there are), auto (Mode: what ``auto`` comes to; its name is AUTO where
#: that is nothing), spare (tuple of Found: installed, and used by none of them).
Survey = namedtuple("Survey", "modes auto spare")

#: Seconds in which a program must have told its version.
_START_SECONDS = 5


class Thorough(object):
    """Probes that try what others take on trust."""

    def __init__(self, probes):
        self._probes = probes

    def __getattr__(self, name):
        return getattr(self._probes, name)

    def ptrace_is_doubtful(self):
        return True


def survey(locator, probes, store, state):
    """Return the Survey of what ``locator`` (Locator) and ``probes`` (host.probe) find.

    Engines that are missing get installed, as by ``run``. store (EngineStore), state (function:
    makes the directory of engines that keep one, or raises UdockerError).
    """
    found = {}
    modes = tuple(_try(mode, locator, probes, state, found) for mode in MODES)
    auto = _try(AUTO, locator, probes, state, found)
    spare = [_found(name, program) for name, program
             in ((name, store.find(name)) for name in store.names())
             if program is not None and program.path not in found]
    return Survey(modes, auto, tuple(spare))


def _try(mode, locator, probes, state, found):
    try:
        choice = choose(mode, "asked for", locator, probes, None)
        if choice.engine.keeps_state:
            state()
    except UdockerError as error:
        return Mode(mode, None, error.message, error.hint or "")
    program = choice.engine.program
    if program.path not in found:
        found[program.path] = _found(choice.engine.name, program)
    return Mode(choice.mode, found[program.path], "; ".join("%s: %s" % item
                                                            for item in choice.reasons), "")


def _found(name, program):
    version, trouble = ("", "") if program.path.endswith(".so") else _asked_version(program.path)
    return Found(name, program.path, program.version or version, program.origin, trouble)


def _asked_version(path):
    """Return (version, trouble) of the program ``path``: one of the two is ""."""
    import subprocess
    try:
        done = subprocess.run([path, "--version"], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              timeout=_START_SECONDS, env={"PATH": "/usr/bin:/bin"})
    except subprocess.TimeoutExpired:
        return "", "says nothing within %d seconds" % _START_SECONDS
    except OSError as error:
        return "", "does not start: %s" % os.strerror(error.errno).lower()
    if done.returncode:
        return "", "fails when asked for its version: status %d" % done.returncode
    for word in done.stdout[:4096].decode("utf-8", "replace").split():
        if word.lstrip("v")[:1].isdigit() and "." in word:
            return word.lstrip("v").rstrip(",;"), ""
    return "unknown", ""
