"""The end of all processes of a container (docs/adr/0007-runs.md says how they are found)."""

import os
import signal

from udocker.errors import HostError, Refused
from udocker.host.processes import descendants, marked, wait_for_end
from udocker.model.reference import quoted
from udocker.store.runs import DIRECTORY, RUN, runs_of

#: Seconds that an engine gets to notice that what it runs was killed, and to clear up.
_CLEARING = 2.0
#: Seconds after which a process that was killed hangs in the kernel, most likely on a file server.
_HANGING = 10.0


def running(container):
    """Return the Runs (list) of ``container`` (Container) that run here.

    Refused if there are none here, and one on another host, where nobody can end it from here.
    """
    runs = runs_of(container)
    here = [run for run in runs if run.is_running]
    elsewhere = [run for run in runs if run.is_running is None]
    if elsewhere and not any(run.kind == RUN for run in here):
        run = elsewhere[-1]
        raise Refused("container %s runs on %s" % (container.id, run.process.host),
                      "do it there; if that machine is no more, remove %s"
                      % quoted(os.path.join(container.path, DIRECTORY, run.name)))
    return here


def stop(container, number, seconds):
    """Send the signal ``number`` (int) to what runs in ``container`` (Container), and kill what is
    left of it after ``seconds`` (float), or when it has ended; return whether anything ran."""
    runs = running(container)
    mains = [run.process for run in runs if run.kind == RUN]
    family = _family(container, runs)
    for main in mains:
        main.send(number)
    wait_for_end(mains, seconds)
    _kill(container, runs, family)
    # who waits for them writes down how they ended, and with --rm removes the container
    wait_for_end([run.keeper for run in runs if run.keeper is not None], _HANGING)
    return bool(runs or family)


def send(container, number):
    """Send the signal ``number`` (int) to what runs in ``container`` (Container); Refused if nothing
    does. What nobody can catch goes to all of its processes."""
    runs = running(container)
    mains = [run for run in runs if run.kind == RUN]
    if not mains:
        raise Refused("container %s is not running" % container.id)
    if number == signal.SIGKILL:
        _kill(container, runs, _family(container, runs))
        wait_for_end([run.keeper for run in runs if run.keeper is not None], _HANGING)
    else:
        for run in mains:
            run.process.send(number)


def end_rest(container):
    """Kill what a run that has ended left in ``container``, unless another runs there."""
    runs = [run for run in runs_of(container) if run.is_running and run.process.is_alive]
    if not any(run.kind == RUN for run in runs):
        _kill(container, runs, _family(container, runs))


def _family(container, runs):
    """Return all Processes (list) of ``runs`` but the engines themselves."""
    family = descendants([run.process.pid for run in runs if run.process.is_alive])
    # in F modes this variable is what makes a process be in the container, and it stays with a child
    # whose parent has ended
    mark = b"FAKECHROOT_BASE=" + os.fsencode(os.path.realpath(container.root))
    return family + [one for one in marked(mark) if one not in family]


def _kill(container, runs, family):
    """Kill ``runs`` and the Processes ``family``, and what they start meanwhile; HostError."""
    mains = [run.process for run in runs]
    # a program that outlived its children would go on; an engine outlives them to clear up
    doomed = [run.process for run in runs if run.mode.startswith("F")] + family
    patience = _CLEARING if mains else 0
    for _ in range(int(_HANGING)):
        for one in doomed:
            one.send(signal.SIGKILL)
        wait_for_end(mains, patience)
        left = wait_for_end(mains + family, 1.0)
        family = _family(container, runs)
        if not left and not family:
            return
        doomed, patience = mains + family, 0
    raise HostError("process %d of container %s does not end" % ((left + family)[0].pid,
                                                                 container.id),
                    "it waits for the system, most likely for a file server")
