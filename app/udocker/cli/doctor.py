"""``udocker doctor``: what this host can do, what not, and what would help."""

import os
import sys

from udocker import __version__
from udocker.cli import arguments_of, diagnosis
from udocker.cli.output import Output
from udocker.errors import UsageError
from udocker.host import checkup, probe
from udocker.host.asked import Once, Unknown, ask
from udocker.model.reference import printable, quoted

#: Seconds for finding, installing and starting the engines; a foreign PRoot alone may take 20.
_ENGINE_SECONDS = 60
#: Programs that a user of containers may be glad of, or that get in the way.
_OTHERS = ("proot", "crun", "runc", "apptainer", "singularity", "podman", "docker")
#: Emulators for images of other processors: qemu-NAME or qemu-NAME-static.
_EMULATED = ("x86_64", "i386", "aarch64", "arm", "ppc64le", "riscv64", "s390x")
_PROXY_VARIABLES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


def doctor(context, values, arguments):
    """Print what this host can do; return 1 if it can run no container."""
    arguments_of("doctor", arguments, 0, 0)
    if values["format"] not in ("text", "json"):
        raise UsageError("invalid --format %s" % quoted(values["format"]), "text or json")
    examined = examine(context)
    findings = diagnosis.diagnose(examined)
    if values["json"] or values["format"] == "json":
        _show_json(examined, findings)
    else:
        _show_text(examined, findings)
    return 0 if diagnosis.working_modes(examined) else 1


def examine(context):
    """Return the diagnosis.Checkup of this host, user and configuration."""
    facts = context.facts
    answers = {
        "system": _system(),
        "container": ask(checkup.surroundings, dict(context.environ)),
        "python": "%d.%d.%d, %s" % (sys.version_info[:3] + (sys.executable,)),
        "program": _program(facts),
        "namespaces": ask(probe.user_namespaces), "switches": ask(probe.namespace_switches),
        "ptrace": ask(probe.ptrace), "yama": ask(probe.yama_scope), "seccomp": ask(probe.seccomp),
        "ids": ask(checkup.subordinate_ids, facts.user, facts.uid),
        "cgroups": ask(checkup.cgroups), "limits": ask(checkup.limits),
        "others": ask(_other_programs, context.environ.get("PATH", os.defpath)),
        "proxies": [key for key in sorted(context.environ)
                    if key.lower() in _PROXY_VARIABLES and context.environ[key]],
    }
    answers.update(_examine_repository(context))
    return diagnosis.Checkup(**answers)


def _examine_repository(context):
    """Answer what needs the settings and the repository, whose file systems may not answer."""
    for home in context.homes:
        answer = ask(os.path.exists, home)
        if isinstance(answer, Unknown):
            dead = Unknown("%s: %s" % (home, answer.reason))
            return {"survey": dead, "mode": dead, "registry": dead,
                    "places": [("repository", dead)]}
    from udocker.engine.choose import wanted_mode
    settings = context.settings
    context.output  # made here, so that what a child process says is as loud
    answers = {"mode": wanted_mode("", "", settings.override_default_execution_mode),
               "registry": ask(_registry, settings.dockerio_registry_url)}
    trouble = ask(lambda: context.layout and None)
    if isinstance(trouble, Unknown):
        answers.update(survey=trouble, places=[
            ("repository", trouble), ("temporary files", ask(checkup.place, settings.tmpdir))])
    else:
        answers.update(survey=ask(_survey, context, seconds=_ENGINE_SECONDS),
                       places=_places(context.layout))
    return answers


def _survey(context):
    from udocker.engine.survey import Thorough, survey
    from udocker.host.facts import private_directory
    from udocker.host.tree import naming
    tmp = context.settings.tmpdir

    def state():
        import tempfile
        with naming(tmp):
            private_directory(tmp, context.facts.uid)
            tempfile.TemporaryFile(dir=tmp).close()  # as the engine's configuration
    return survey(Once(context.locator()), Once(Thorough(probe)), context.engines, state)


def _places(layout):
    """Return [(what for, Place or Unknown)]; what lies in the repository, as is usual, only once."""
    first = ask(checkup.place, layout.top)
    found = [("repository", first)]
    for name, path in (("engines", layout.bin), ("containers", layout.containers),
                       ("temporary files", layout.tmp)):
        place = ask(checkup.place, path)
        if isinstance(place, Unknown) or isinstance(first, Unknown) or place.point != first.point \
                or not path.startswith(layout.top + "/"):
            found.append((name, place))
    return found


def _system():
    system = os.uname()
    name = ask(checkup.distribution)
    return "Linux %s on %s, %s" % (system.release, system.machine,
                                   "unknown distribution" if isinstance(name, Unknown) or not name
                                   else name)


def _program(facts):
    from udocker.engine.release import machine_of, own
    bundle = own().bundle(machine_of(facts.engine_architecture))
    return "udocker %s, %s, %s engines for %s" % (
        __version__, os.path.abspath(sys.argv[0]),
        "with" if bundle.embedded else "without",
        facts.engine_architecture)


def _registry(configured):
    from udocker.registry.endpoint import Endpoint
    return Endpoint.parse(configured).host if configured else ""


def _other_programs(path):
    emulators = ["qemu-" + name + end for name in _EMULATED for end in ("", "-static")]
    return checkup.in_path(list(_OTHERS) + emulators, path)


def _show_json(examined, findings):
    import json
    document = {
        "udocker": __version__, "modes": diagnosis.working_modes(examined),
        "auto": diagnosis.automatic_mode(examined),
        "findings": [{"topic": item.topic, "state": item.state, "text": item.text,
                      "advice": [{"who": advice.who, "text": advice.text}
                                 for advice in item.advice]} for item in findings]}
    Output().result(json.dumps(document, indent=4, sort_keys=True))


def _show_text(examined, findings):
    say = Output().result  # the context's would read settings, which may hang
    width = max(len(item.topic) for item in findings)
    topic = None
    for item in findings:
        say(printable("%-4s  %-*s  %s" % (item.state, width, "" if item.topic == topic
                                          else item.topic, item.text)))
        topic = item.topic
    for who, title in ((diagnosis.ADMINISTRATOR, "Ask your administrator for:"),
                       (diagnosis.USER, "What you can do yourself:")):
        texts = []
        for item in findings:
            texts += [advice.text for advice in item.advice
                      if advice.who == who and advice.text not in texts]
        if texts:
            say("\n" + title)
            for text in texts:
                say(printable("  - " + text))
    say("\n" + printable(diagnosis.verdict(examined)))
