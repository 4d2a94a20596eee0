"""From what was found out about a host to what it means: values in, values out."""

from collections import namedtuple

from udocker.engine.base import FOREIGN, VERIFIED
from udocker.engine.choose import AUTO
from udocker.host.asked import Unknown
from udocker.host.checkup import NETWORK

OK, WARN, BAD, INFO = "ok", "warn", "bad", "info"
#: Whom an advice is for.
ADMINISTRATOR, USER = "administrator", "user"

#: What to do: who (ADMINISTRATOR or USER), text (str).
Advice = namedtuple("Advice", "who text")
#: topic (str), state (OK, WARN, BAD or INFO), text (str), advice (tuple of Advice).
Finding = namedtuple("Finding", "topic state text advice")

#: What was found out. Each field is the answer of what is named here, or Unknown.
#: system (str), container (str: checkup.surroundings), python and program (str), namespaces and
#: ptrace and seccomp (probe.Probe), switches (list of probe.Switch), yama (str), ids
#: (checkup.SubordinateIds), cgroups (str), limits (list), places (list of (what for: str, and a
#: checkup.Place or Unknown)), survey (engine.survey.Survey), mode ((str, str): what run takes by
#: itself, and why), others (list of (name, path or None)), proxies (list of str: names of
#: variables), registry (str: its host, "" if none is configured).
Checkup = namedtuple("Checkup", "system container python program namespaces ptrace seccomp switches "
                                "yama ids cgroups limits places survey mode others proxies registry")

#: Free bytes and files below which an image of usual size does not fit.
_LITTLE_SPACE, _FEW_INODES = 1 << 30, 50000
#: Address space below which programs of images (Java, Go, node) fail at their start.
_LITTLE_MEMORY = 4 << 30
#: Places without which no container can be made and started.
_VITAL = ("repository", "engines", "containers")


def diagnose(checkup):
    """Return the Findings (list) of a Checkup, in the order in which people read them."""
    findings = []
    for topic, judge, fields in _TOPICS:
        values = [getattr(checkup, field) for field in fields]
        unknown = [value for value in values if isinstance(value, Unknown)]
        if unknown:
            findings.append(Finding(topic, WARN, "unknown: " + unknown[0].reason, ()))
        else:
            findings += [Finding(topic, *judged) for judged in judge(*values)]
    return findings


def working_modes(checkup):
    """Return the names (list of str) of the modes that can run a container on this host."""
    if isinstance(checkup.survey, Unknown) or _hindrance(checkup):
        return []
    return [mode.name for mode in checkup.survey.modes if _works(mode)]


def automatic_mode(checkup):
    """Return the mode (str) that ``auto`` takes; None where that runs no container."""
    if not working_modes(checkup) or not _works(checkup.survey.auto):
        return None
    return checkup.survey.auto.name


def verdict(checkup):
    """Return the line (str) that says how containers run here, if they do."""
    modes = working_modes(checkup)
    if not modes:
        return "No container can run here: %s." % (_hindrance(checkup) or "no mode works")
    name, auto = checkup.mode[0], automatic_mode(checkup)
    text = "Containers can run here, in mode%s %s: " % ("s" * (len(modes) > 1), _list(modes))
    if name == AUTO and auto:
        return text + "'run' takes %s." % auto
    if name not in modes:
        return text + "'run' takes %s, which does not work, unless told --execmode=%s." % (
            name, AUTO if auto else modes[0])
    return text + "'run' takes %s, and with --execmode=auto %s." % (
        name, auto or "one that does not work")


def _list(words):
    return " and ".join([", ".join(words[:-1])] * bool(words[:-1]) + words[-1:])


def _hindrance(checkup):
    """Return what is wrong with the file systems that every container needs, "" if nothing is."""
    for name, place in checkup.places:
        if name in _VITAL:
            if isinstance(place, Unknown):
                return "%s: %s" % (name, place.reason)
            if not place.executes:
                return "programs cannot be started in %s" % place.path
    return ""


# One function a topic: fields of the checkup in, (state, text, advice) out.

def _statement(text):
    yield INFO, text, ()


def _container(name):
    yield INFO, name or "none that shows", ()


def _namespaces(probe, switches):
    if probe.works:
        yield OK, "work: mode R1 runs at native speed", ()
        return
    advice = [Advice(ADMINISTRATOR, "user namespaces: sysctl -w %s=%s (it is %s)%s"
                     % (switch.name, switch.wanted, switch.value,
                        ", or an AppArmor profile that lets crun have them"
                        if "apparmor" in switch.name else "")) for switch in switches]
    if not advice:
        advice = [Advice(ADMINISTRATOR, "user namespaces: whatever runs this session (batch system, "
                         "container, chroot) would have to allow unshare(2) and mount(2)")]
    yield WARN, probe.reason, tuple(advice)


def _ptrace(probe, yama):
    scope = " (yama scope %s)" % yama if yama else ""
    if probe.works:
        yield OK, "works" + scope, ()
    elif yama in ("2", "3"):
        more = ", after a restart" if yama == "3" else ""
        yield WARN, probe.reason, (Advice(ADMINISTRATOR, "ptrace: sysctl -w kernel.yama.ptrace_scope=1"
                                          " (it is %s)%s" % (yama, more)),)
    else:
        yield WARN, probe.reason, (Advice(ADMINISTRATOR, "ptrace: whatever runs this session (batch "
                                          "system, container) would have to allow ptrace(2)"),)


def _seccomp(probe):
    if probe.works:
        yield OK, "filters can be set", ()
    else:
        yield WARN, probe.reason + ": in the P modes every system call is slow", ()


def _ids(ids):
    if not ids.uids or not ids.gids:
        yield INFO, "none; udocker needs none", ()
    else:
        yield INFO, "%d uids and %d gids%s; udocker needs none" % (
            ids.uids, ids.gids, "" if ids.helpers else ", but no newuidmap"), ()


def _places(places):
    for name, place in places:
        if isinstance(place, Unknown):
            yield BAD, "%s: unknown: %s" % (name, place.reason), (_elsewhere(name),)
        else:
            yield _place(name, place)


def _place(name, place):
    text = "%s: %s, %s" % (name, place.path, place.kind)
    facts, advice, state = [], [], OK
    if place.kind in NETWORK:
        facts.append("on another machine: %s" % place.device)
        advice.append(Advice(USER, "a directory on a local disk is faster than %s: %s"
                             % (place.kind, _elsewhere(name).text)))
        state = WARN
    facts.append("%s free" % _bytes(place.free))
    if place.inodes >= 0:
        facts.append("room for %d files" % place.inodes)
    if place.free < _LITTLE_SPACE or 0 <= place.inodes < _FEW_INODES:
        state = WARN
        advice.append(Advice(USER, "little room in %s: remove images and containers (rmi, rm), or: %s"
                             % (place.path, _elsewhere(name).text)))
    facts.append({True: "flock works", False: "no flock: udocker locks with links"}.get(
        place.locks, "flock unknown: %s" % place.locks))
    if not place.writes:
        facts.append("not writable: nothing new can be made there")
        advice.append(_elsewhere(name))
        state = WARN
    if not place.executes:
        facts.append("programs cannot be started there (noexec)")
        state = BAD if name in _VITAL else WARN
        if name in _VITAL:
            advice.append(Advice(ADMINISTRATOR, "a mount of %s without noexec" % place.path))
            advice.append(_elsewhere(name))
    return state, text + ", " + ", ".join(facts), tuple(advice)


_VARIABLES = {"repository": "UDOCKER_DIR", "engines": "UDOCKER_BIN",
              "containers": "UDOCKER_CONTAINERS", "temporary files": "TMPDIR"}


def _elsewhere(name):
    return Advice(USER, "set %s to a directory that you can write to, on another file system"
                  % _VARIABLES[name])


def _limits(limits):
    for what, most in limits:
        is_memory = what == "address space"
        if is_memory and most < _LITTLE_MEMORY:
            yield WARN, "%s: %s; many programs need more" % (what, _bytes(most)), (
                Advice(USER, "ulimit -v unlimited, or ask the batch system for more memory"),)
        else:
            yield INFO, "%s: %s" % (what, _bytes(most) if is_memory or what == "file size"
                                    else most), ()


def _engines(survey):
    used = []
    for mode in survey.modes:
        if mode.engine and mode.engine not in used:
            used.append(mode.engine)
    for engine in used:
        yield _engine(engine, BAD)
    for engine in survey.spare:
        yield _engine(engine, WARN)
    if not used and not survey.spare:
        yield BAD, "none", (Advice(USER, "'udocker install' installs the engines"),)


def _engine(engine, seriousness):
    text = "%s %s, %s" % (engine.name, engine.version or "of unknown version", engine.path)
    advice = (Advice(USER, "'udocker install --force' installs the engines again"),)
    if engine.trouble:
        # what is verified would be no other after it is installed again
        return (seriousness, "%s: %s" % (text, engine.trouble),
                () if engine.origin == VERIFIED else advice)
    if engine.origin == VERIFIED:
        return OK, text + ", verified", ()
    if engine.origin == FOREIGN:
        return WARN, text + ", not udocker's own", advice
    return WARN, text + ", not what udocker installed", advice


def _modes(survey):
    for mode in survey.modes:
        if _works(mode):
            yield OK, "%s works%s" % (mode.name, ", for images whose C library it knows"
                                      if mode.name[0] == "F" else ""), ()
        elif mode.engine:
            yield BAD, "%s: its engine %s" % (mode.name, mode.engine.trouble), ()
        else:
            reason = mode.text.replace("mode %s does not work here: " % mode.name, "", 1)
            advice = (Advice(USER, mode.hint),) if mode.hint and reason == mode.text else ()
            yield WARN, "%s does not work: %s" % (mode.name, reason), advice


def _works(mode):
    return mode.engine is not None and not mode.engine.trouble


def _auto(survey):
    auto = survey.auto
    if _works(auto):
        yield OK, "takes " + auto.text.replace("mode ", "", 1).replace("auto: ", "", 1), ()
    elif auto.engine:
        yield BAD, "takes %s, whose engine %s" % (auto.name, auto.engine.trouble), ()
    else:
        yield BAD, auto.text, ()


def _taken(mode, survey):
    name, reason = mode
    known = {item.name: item for item in survey.modes}
    known[AUTO] = survey.auto
    if name not in known:
        yield BAD, "%s, which is no mode (%s)" % (name, reason), ()
    elif _works(known[name]):
        yield OK, "%s: %s" % (name, reason), ()
    else:
        advice = (Advice(USER, "UDOCKER_DEFAULT_EXECUTION_MODE=auto takes a mode that works"),)
        yield BAD, "%s, which does not work (%s)" % (name, reason), \
            advice if name != AUTO and _works(survey.auto) else ()


def _others(others):
    there = ["%s %s" % item for item in others if item[1] and not item[0].startswith("qemu-")]
    emulated = set(name.split("-")[1] for name, path in others if path and name.startswith("qemu-"))
    if emulated:
        there.append("qemu for " + ", ".join(sorted(emulated)))
    yield INFO, "; ".join(there) or "nothing else that runs containers", ()


def _network(proxies, registry):
    yield INFO, "%s; images come from %s" % (
        "proxy variables set: " + ", ".join(proxies) if proxies else "no proxy variable is set",
        registry or "where their names say"), ()


def _bytes(count):
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return "%d %s" % (count, unit)
        count //= 1000
    return "%d TB" % count


#: topic, function, names of the fields that it takes.
_TOPICS = (
    ("host", _statement, ("system",)),
    ("container", _container, ("container",)),
    ("Python", _statement, ("python",)),
    ("program", _statement, ("program",)),
    ("user namespaces", _namespaces, ("namespaces", "switches")),
    ("ptrace", _ptrace, ("ptrace", "yama")),
    ("seccomp", _seccomp, ("seccomp",)),
    ("subordinate ids", _ids, ("ids",)),
    ("file system", _places, ("places",)),
    ("control groups", _statement, ("cgroups",)),
    ("limits", _limits, ("limits",)),
    ("engines", _engines, ("survey",)),
    ("in PATH", _others, ("others",)),
    ("network", _network, ("proxies", "registry")),
    ("modes", _modes, ("survey",)),
    ("auto", _auto, ("survey",)),
    ("run takes", _taken, ("mode", "survey")),
)
