"""``udocker create``, ``clone``, ``rm``, ``name``, ``rename`` and ``rmname``."""

from udocker.cli import arguments_of
from udocker.engine.choose import MODES
from udocker.errors import AlreadyExists, CorruptData, Refused, UdockerError, UsageError
from udocker.model.reference import ImageReference, quoted
from udocker.store.containers import NOT_COPIED, require_unprotected


def create(context, values, arguments):
    """Make a container from an image and print its id, and nothing else."""
    (name,) = arguments_of("create", arguments, 1, 1)
    if values["pull"] not in ("missing", "never", "always"):
        raise UsageError("invalid --pull %s" % quoted(values["pull"]), "missing, never, or always")
    from udocker.cli.images import ensure_image
    from udocker.image.create import create_container
    from udocker.store.labels import add_labels, parse_labels
    labels = parse_labels(values["label"], values["label_file"])
    store = context.containers
    wanted = _name_to_give(store, values)
    image = ensure_image(context, ImageReference.parse(name), values)
    container = create_container(store, image, wanted, context.output, context.decoders)
    add_labels(container, labels)
    context.output.result(container.id)


def _name_to_give(store, values):
    """Return the name (str) of a container that is to be made; with --force "" for one that is
    taken (1.3.x), AlreadyExists without."""
    wanted = values["name"] or ""
    if wanted:
        try:
            store.require_free(wanted)
        except AlreadyExists:
            if not values["force"]:
                raise
            wanted = ""
    return wanted


def clone(context, values, arguments):
    """Copy a container and print the id of the copy, and nothing else."""
    (text,) = arguments_of("clone", arguments, 1, 1)
    from udocker.host.copytree import copy_tree
    from udocker.host.files import tree_size
    store = context.containers
    container = store.find(text)
    wanted = _name_to_give(store, values)

    def fill(path):
        with context.output.progress(lambda: tree_size(container.path)) as meter:
            left_out = copy_tree(container.path, path, NOT_COPIED, meter.of_blob())
        left_out.warn(context.output.warning)

    made = store.make(wanted, fill)
    settle(context, made)
    context.output.result(made.id)


def settle(context, container):
    """Make the copy ``container`` usable, or remove it: in the modes F3 and F4 the programs name
    the place of the original, and are set up again."""
    try:
        if container.mode and container.mode not in MODES:
            raise CorruptData("the copy has an invalid execution mode %s" % quoted(container.mode))
        if container.is_patched:
            from udocker.cli.setup import switch
            with context.locked():
                switch(context, container, container.mode, True)
    except BaseException:
        context.containers.remove(container)
        raise


def rm(context, values, arguments):
    """Delete containers; go on after one that cannot be, and then say so in the exit status."""
    store = context.containers
    if values["all"]:
        arguments_of("rm", arguments, 0, 0)
        arguments = [container.id for container in store.list() if not container.is_protected]
    else:
        arguments_of("rm", arguments, 1, 1 << 20)
    status = 0
    for text in arguments:
        try:
            container = store.find(text)
            require_unprotected(container)
            if values["force"]:
                _end(context, container)
            elif not values["all"]:
                require_idle(container)
            elif not is_idle(container):
                context.output.info("container %s is in use and stays" % container.id)
                continue
            context.output.info("deleting container: %s" % container.id)
            store.remove(container)
        except UdockerError as error:
            context.output.error(error.message, error.hint)
            status = error.exit_code
    return status


def name(context, values, arguments):
    """Give a container one more name."""
    container, wanted = arguments_of("name", arguments, 2, 2)
    context.containers.set_name(context.containers.find(container), wanted)


def rename(context, values, arguments):
    """Give a container another name in place of one that it has."""
    old, new = arguments_of("rename", arguments, 2, 2)
    context.containers.rename(old, new)


def rmname(context, values, arguments):
    """Take a name from its container."""
    (text,) = arguments_of("rmname", arguments, 1, 1)
    context.containers.remove_name(text)
    context.output.info("container name: %s removed." % text)


def require_idle(container):
    """Raise Refused if a process of ours runs in ``container``, or a detached run on another host."""
    from udocker.host.processes import using
    from udocker.store.runs import runs_of
    for run in runs_of(container):
        # who became the engine has nobody who writes down the end, so its record says nothing here
        if run.is_running or run.is_running is None and run.keeper is not None:
            where = "" if run.is_running else " on " + run.process.host
            raise Refused("container %s is in use by process %d%s"
                          % (container.id, run.process.pid, where),
                          "'udocker stop %s' ends it%s" % (container.id, " there" if where else ""))
    pids = using(container.path)
    if pids:
        raise Refused("container %s is in use by process %d" % (container.id, pids[0]),
                      "end it first, or 'udocker rm -f'")


def is_idle(container):
    """Whether ``require_idle`` has nothing against it."""
    try:
        require_idle(container)
    except Refused:
        return False
    return True


def _end(context, container):
    """End what runs in ``container``, as far as that can be done from here."""
    from signal import SIGKILL
    from udocker.run import end
    try:
        end.stop(container, SIGKILL, 0)
    except UdockerError as error:
        context.output.warning(error.message)
