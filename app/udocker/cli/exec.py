"""``udocker exec``: one more command in a container that is running."""

import os

from udocker.cli import arguments_of, options
from udocker.cli.run import ready_for, recorder, spec_from
from udocker.errors import InvalidValue, Refused
from udocker.model.spec import UserSpec
from udocker.store.runs import EXEC, RUN, runs_of

#: Variables that follow from the user, so that they are made anew for another one.
_OF_USER = ("HOME", "USER", "LOGNAME", "USERNAME")


def exec_(context, values, arguments):
    """Run a command as the newest run that is alive in the container would: with its volumes, its
    environment, its user and its mode."""
    text, command = arguments_of("exec", arguments[:2], 2, 2)[0], arguments[1:]
    container = context.containers.find(text)
    run = require_running(container)
    spec = _spec(values, run, command)
    if not values["interactive"]:
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    if values["detach"]:
        _away(context, spec, container, run)
        return 0
    from udocker.run import supervise
    plan = ready_for(context, spec, container, run=run)
    context.output.flush()
    supervise.replace_process(plan, recorder(context, plan, spec, container, kind=EXEC))


def require_running(container):
    """Return the newest Run that is alive in ``container`` on this host; Refused if none is."""
    runs = [run for run in runs_of(container) if run.kind == RUN and run.is_running is not False]
    here = [run for run in runs if run.process.is_alive]
    if here:
        return here[-1]
    if runs and runs[-1].is_running is None:
        raise Refused("container %s runs on %s" % (container.id, runs[-1].process.host),
                      "do it there")
    raise Refused("container %s is not running" % container.id,
                  "'udocker start' starts it; 'udocker run' runs a command in it at once")


def spec_of(run):
    """Return the ContainerSpec that ``run`` (Run) was started with; InvalidValue if it is damaged.

    run: None for that of ``udocker run`` without any option.
    """
    values, _ = options.parse_command(options.find_command("run"), [])
    spec = spec_from(values, [])
    return spec if run is None else spec.updated(run.spec)


def _spec(values, run, command):
    spec = spec_of(run)
    more = spec_from(dict(options.parse_command(options.find_command("run"), [])[0],
                          env=values["env"], env_file=values["env_file"]), [])
    env = spec.env
    workdir = values["workdir"]
    if values["user"]:
        spec = spec._replace(user=UserSpec.parse(values["user"]))
        env = tuple(item for item in env if item[0] not in _OF_USER)
    if workdir is not None and not workdir.startswith("/"):
        raise InvalidValue("invalid working directory: %s is no absolute path" % workdir)
    return spec._replace(argv=tuple(command), entrypoint=(), mode=run.mode, env=env + more.env,
                         workdir=workdir or spec.workdir)


def _away(context, spec, container, run):
    from udocker.run import detach

    def work(starting):
        plan = ready_for(context, spec, container, True, run)
        detach.begin(plan, recorder(context, plan, spec, container, kind=EXEC), starting)
    detach.away(work)
