"""``udocker run``: from the command line, in a straight line, to a process."""

import os

from udocker.cli import arguments_of
from udocker.cli.grammar import Harmless
from udocker.cli.options import find_command
from udocker.cli.spec import spec_from
from udocker.errors import (AlreadyExists, HostError, InvalidValue, NotFound, UdockerError,
                            UsageError)
from udocker.model.reference import ImageReference, quoted

PULL = ("missing", "never", "always", "reuse")


def run(context, values, arguments):
    """Run a command in a container, or show with --dry-run what would run."""
    arguments_of("run", arguments[:1], 1, 1)
    spec = spec_from(values, arguments[1:])
    if values["pull"] not in PULL:
        raise UsageError("invalid --pull %s" % quoted(values["pull"]),
                         "one of %s" % ", ".join(PULL))
    if values["format"] not in ("text", "json"):
        raise UsageError("invalid --format %s" % quoted(values["format"]), "text or json")
    if values["detach"] and values["location"] is not None:
        raise UsageError("--detach: what --location names is no container that could be found again",
                         "'udocker import --tocontainer' makes one of it")
    _warn_of_harmless(context, values)
    labels = _labels(values)
    _require_new(values["cidfile"])
    container, is_new = _container(context, values, arguments[0])

    def ready(make=ready_for):
        try:
            return make(context, spec, container, values["detach"])
        except UdockerError:
            if is_new and (values["rm"] or not values["name"]):
                # it was made for this run, which will not be, and nobody has its id
                context.containers.remove(container)
            raise

    if values["dry_run"]:
        _show(context, ready(plan_for)[0], values["format"])
        if is_new:
            context.containers.remove(container)
        return 0
    if labels:
        from udocker.store.labels import add_labels
        add_labels(container, labels)
    if values["detach"]:
        start_away(context, ready, spec, container, values["cidfile"], values["rm"])
        context.output.result(container.id)
        return 0
    return _execute(context, ready(), spec, container, values)


def _warn_of_harmless(context, values):
    """Say once which options change nothing."""
    given = [option.flags[-1] for option in find_command("run").options
             if isinstance(option, Harmless) and option.is_unmet(values[option.name])]
    if values["network"] not in (None, "host", "none"):
        given.append("--network")
    if given:
        context.output.warning("accepted, but without effect here: " + " ".join(given))


def _container(context, values, name):
    """Return (Container, whether it was made just now)."""
    containers = context.containers
    if values["location"] is not None:
        from udocker.store.located import located
        return located(context.layout, values["location"]), False
    if values["pull"] == "reuse" and values["name"]:
        found = containers.lookup(values["name"])
        if found is not None:
            return found, False
    found = containers.lookup(name)
    if found is not None:
        return found, False
    try:
        reference = ImageReference.parse(name)
    except InvalidValue:
        raise NotFound("no container or image: %s" % quoted(name), "see 'udocker ps'")
    if values["name"]:
        containers.require_free(values["name"])
    from udocker.cli.images import ensure_image
    from udocker.image.create import create_container
    image = ensure_image(context, reference, values)
    container = create_container(containers, image, values["name"] or "", context.output,
                                 context.decoders)
    return container, True


def plan_for(context, spec, container, is_away=False, run=None):
    """Return (ExecutionPlan of ``spec`` (ContainerSpec) in ``container``, Choice of its engine).

    is_away (bool): nobody is at the other end. run (store.runs.Run): make it one more command there.
    """
    from udocker.engine.base import forget_dead
    from udocker.engine.choose import choose, wanted_mode
    from udocker.host import probe
    from udocker.host.facts import private_directory
    from udocker.host.tree import Root
    from udocker.run.plan import make_plan
    from udocker.run.view import ContainerView
    mode, reason = wanted_mode(spec.mode, container.mode,
                               context.settings.override_default_execution_mode)
    choice = choose(mode, reason, context.locator(), probe, container)
    if run is not None:
        choice = choice._replace(engine=choice.engine.inside(run))
    config = container.config() if spec.metadata else None
    if container.has_moved_files:
        from udocker.store import mountpoints
        mountpoints.put_back(container)
    if container.has_nvidia or spec.gpus:
        spec = _with_driver(context, spec, container)
    tty = not is_away and os.isatty(0) and os.isatty(1)
    state = ""
    if choice.engine.keeps_state or spec.tmpfs:
        state = private_directory(context.settings.tmpdir, context.facts.uid)
        forget_dead(state)
    if run is not None and spec.tmpfs and not mode.startswith("R"):
        from udocker.run.plan import scratch_binds
        # those of the run, whose instance is called after who made them
        spec = spec._replace(tmpfs=(), binds=spec.binds + scratch_binds(
            spec.tmpfs, state, run.instance.rpartition("-")[2]))
    facts = context.facts._replace(pid=os.getpid())  # a keeper is another process than it was
    with Root(container.root) as root:
        plan = make_plan(spec, config, container, ContainerView(root), facts, choice,
                         context.settings, context.environ, state, tty)
    return plan, choice


def ready_for(context, spec, container, is_away=False, run=None):
    """As ``plan_for``; return the plan, with all done that comes before its execution."""
    plan, choice = plan_for(context, spec, container, is_away, run)
    choice.engine.prepare(choice.mode)
    if plan.mountpoints:
        from udocker.store import mountpoints
        mountpoints.make(container, plan.mountpoints)
    if len(spec.binds) > 1:
        from udocker.run.volumes import make_mountpoints
        make_mountpoints(spec.binds)
    for warning in plan.warnings:
        context.output.warning(warning)
    return plan


def _with_driver(context, spec, container):
    """Return ``spec`` (ContainerSpec) with the driver's binds, and the processors of --gpus."""
    try:
        spec = spec._replace(binds=driver_binds(context, container) + spec.binds)
    except NotFound as error:
        if container.has_nvidia:
            raise
        context.output.warning("--gpus without effect: " + error.message)
        return spec
    chosen = [part[len("device="):].replace('"', "") for part in spec.gpus.split(";")
              if part.startswith("device=")]
    if spec.gpus.isdecimal() and len(spec.gpus) < 4:
        chosen = [",".join(str(number) for number in range(int(spec.gpus)))]
    if chosen and not any(key == "CUDA_VISIBLE_DEVICES" for key, _ in spec.env):
        spec = spec._replace(env=spec.env + (("CUDA_VISIBLE_DEVICES", chosen[0]),))
    return spec


def driver_binds(context, container):
    """Return the Binds that show the host's NVIDIA driver in ``container``; NotFound."""
    from udocker.engine import gpu
    from udocker.host.tree import Root
    with Root(container.root) as root:
        return gpu.driver_binds(context.settings, root, context.facts.architecture,
                                context.environ)


def _show(context, plan, form):
    if form == "json":
        import json
        context.output.result(json.dumps(plan.to_object(), indent=4, sort_keys=True))
    else:
        context.output.result(plan.to_text())


def _execute(context, plan, spec, container, values):
    from udocker.run import supervise
    if not values["nobanner"]:
        context.output.banner(container.id, os.path.basename(plan.program))
    context.output.flush()
    _write_id(values["cidfile"], container)
    if not values["rm"]:
        supervise.replace_process(plan, recorder(context, plan, spec, container))
    try:
        return supervise.run(plan, recorder(context, plan, spec, container, has_keeper=True))
    finally:
        _remove(context, container)


def start_away(context, ready, spec, container, cidfile=None, removes=False):
    """Start ``container`` without a terminal, and return when it has started.

    ready (function that returns the ExecutionPlan of ``spec``), cidfile (str or None: where to write
    its id), removes (bool): delete it afterwards.
    """
    def work(starting):
        plan = ready()
        try:
            log = LogWriter(container)
        except HostError as error:
            raise HostError("cannot keep a log: " + error.message, "run it without --detach")
        _write_id(cidfile, container)
        detach.keep(plan, recorder(context, plan, spec, container, has_keeper=True), log,
                    container, starting)
        log.close()  # on NFS a file that is open keeps its directory from being removed
        if removes:
            _remove(context, container)

    from udocker.run import detach
    from udocker.store.log import LogWriter
    detach.away(work)


def recorder(context, plan, spec, container, has_keeper=False, kind=None):
    """Return the Recorder of what ``plan`` does. kind (str): store.runs.RUN if it is None."""
    from udocker.store.runs import RUN, Recorder
    launch = plan.launch
    return Recorder(container, {
        "kind": kind or RUN, "keeper": has_keeper, "mode": plan.mode, "instance": launch.instance,
        "state": launch.settings.state, "uid": launch.identity.uid, "command": launch.argv,
        "spec": spec.to_object(context.environ)})


def _remove(context, container):
    if container.is_protected:
        context.output.warning("container %s is protected and stays" % container.id)
    else:
        context.containers.remove(container)


def _require_new(cidfile):
    if cidfile and os.path.lexists(cidfile):
        raise AlreadyExists("the file of --cidfile is there already: %s" % quoted(cidfile),
                            "remove it, if the container that it names is not needed")


def _write_id(cidfile, container):
    if cidfile:
        from udocker.host.newfile import new_file
        with new_file(cidfile) as file:
            file.write(container.id.encode("ascii"))


def _labels(values):
    if not (values["label"] or values["label_file"]):
        return {}
    from udocker.store.labels import parse_labels
    return parse_labels(values["label"], values["label_file"])
