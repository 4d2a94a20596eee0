"""Which engine runs a container, and why."""

from collections import namedtuple

from udocker.engine.base import Fitness
from udocker.errors import EngineError, InvalidValue, UdockerError
from udocker.model.reference import quoted

AUTO = "auto"
MODES = ("P1", "P2", "F1", "F2", "F3", "F4", "R1", "R2", "R3", "S1")
#: Modes in which the programs of a container are not those of its image (engine/patching.py).
PATCHED_MODES = ("F3", "F4")
#: What 1.3.x takes where nothing else is said; it works nearly everywhere.
DEFAULT_MODE = "P1"

#: engine (Engine), mode (str), reasons (tuple of (str, str)), warnings (tuple of str).
Choice = namedtuple("Choice", "engine mode reasons warnings")


def wanted_mode(asked, container_mode, configured):
    """Return (mode, reason) of what was said, the most particular first: run, container, settings."""
    for mode, reason in ((asked, "--execmode says so"),
                         (container_mode, "the container is set up for it"),
                         (configured, "configured"),
                         (DEFAULT_MODE, "the default, which works nearly everywhere")):
        if mode:
            return mode, reason
    raise AssertionError("there is a default")


def choose(mode, reason, locator, probes, container):
    """Return the Choice for ``mode`` (str, one of MODES or AUTO), or EngineError.

    reason (str): why this mode. locator (engine.locate.Locator), probes (host.probe, or whatever
    has its functions), container (Container): what is to run; None for any that there may be.
    """
    if container is not None and container.is_patched and mode not in PATCHED_MODES:
        raise EngineError("the programs of container %s are set up for mode %s, and work in no other"
                          % (container.id, container.mode),
                          "'udocker setup --execmode=%s %s' changes them back"
                          % (DEFAULT_MODE if mode == AUTO else mode, container.id))
    if container is not None and container.is_set_up_by_1_3:
        raise EngineError("container %s is set up for mode %s by udocker 1.3, in a way that works "
                          "only there" % (container.id, container.mode),
                          "'udocker setup --force --execmode=%s %s' puts that right"
                          % (container.mode if mode == AUTO else mode, container.id))
    if mode == AUTO:
        return _best(locator, probes, container)
    if mode not in MODES:
        raise InvalidValue("invalid execution mode %s" % quoted(mode),
                           "there are %s and %s" % (", ".join(MODES), AUTO))
    for measure in _NEEDS[mode[0]] + ((_fitness_of_tracing,) if mode in ("R2", "R3") else ()):
        fitness = measure(probes)
        if not fitness.score:
            raise EngineError("mode %s does not work here: %s" % (mode, fitness.reason),
                              "--execmode=auto takes a mode that does, if there is one; "
                              "'udocker doctor' shows what this host can do")
    return Choice(_engine(mode, locator, container, probes), mode, (("mode " + mode, reason),), ())


def _best(locator, probes, container):
    rejected = []
    architecture = _architecture(container)
    for mode, measure in (("R1", _fitness_of_namespaces), ("P1", _fitness_of_tracing),
                          ("F1", _fitness_of_preloading)):
        fitness = measure(probes)
        if fitness.score and architecture and mode != "P1":
            probe = probes.executes(architecture)
            fitness = fitness if probe.works else Fitness(0, probe.reason)
        if not fitness.score:
            rejected.append(("not mode " + mode, fitness.reason))
            continue
        try:
            engine = _engine(mode, locator, container, probes)
        except UdockerError as error:
            rejected.append(("not mode " + mode, error.message))
            continue
        return Choice(engine, mode, (("mode " + mode, "auto: the fastest that works here: "
                                      + fitness.reason),) + tuple(rejected), ())
    raise EngineError("no engine works here: %s"
                      % "; ".join("%s: %s" % item for item in rejected),
                      "'udocker doctor' shows what this host can do")


def _architecture(container):
    """Return the architecture (str: GOARCH) that the image of ``container`` is for, "" if unknown."""
    try:
        platform = container.config().platform if container is not None else None
    except UdockerError:
        platform = None  # --nometa runs it
    return platform.architecture if platform is not None else ""


def _engine(mode, locator, container, probes):
    if mode[0] == "R":
        from udocker.engine.oci import runtime
        return runtime(locator.oci_runtime(), locator.proot() if mode != "R1" else None,
                       mode == "R2" and _may_filter(probes))
    if mode == "S1":
        from udocker.engine.singularity import Singularity
        return Singularity(locator.singularity())
    if mode[0] == "F":
        from udocker.engine.fakechroot import fakechroot_for
        return fakechroot_for(container, mode, locator)
    from udocker.engine.proot import PRoot
    return PRoot(locator.proot(), mode == "P1" and _may_filter(probes))


def _may_filter(probes):
    # a PRoot whose filter was refused believes in it all the same, and then no path is rewritten
    return not probes.seccomp_is_doubtful() or probes.seccomp().works


def _fitness_of_namespaces(probes):
    probe = probes.user_namespaces()
    return Fitness(100 if probe.works else 0, probe.reason)


def _fitness_of_tracing(probes):
    # PRoot's own filter needs nothing that ptrace does not; so one question answers both modes
    if not probes.ptrace_is_doubtful():
        return Fitness(50, "nothing forbids ptrace")
    probe = probes.ptrace()
    return Fitness(50 if probe.works else 0, probe.reason)


def _fitness_of_preloading(_probes):
    return Fitness(20, "it needs nothing of the kernel")


#: What each family of modes needs of the host. Singularity may be set-user-id: it knows best.
_NEEDS = {"P": (_fitness_of_tracing,), "R": (_fitness_of_namespaces,),
          "F": (_fitness_of_preloading,), "S": ()}
