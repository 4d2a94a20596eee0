"""``udocker create``, ``clone``, ``ps``, ``rm``, ``name``, ``rename`` and ``rmname``."""

import os

from udocker.cli import arguments_of
from udocker.engine.choose import DEFAULT_MODE, MODES
from udocker.errors import AlreadyExists, CorruptData, UdockerError
from udocker.model.reference import ImageReference, printable, quoted


def create(context, values, arguments):
    """Make a container from an image and print its id, and nothing else."""
    (name,) = arguments_of("create", arguments, 1, 1)
    from udocker.cli.images import ensure_image
    from udocker.image.create import create_container
    store = context.containers
    wanted = values["name"] or ""
    if wanted:
        try:
            store.require_free(wanted)
        except AlreadyExists:
            if not values["force"]:
                raise
            wanted = ""  # 1.3.x: the container is made, without a name
    image = ensure_image(context, ImageReference.parse(name), values)
    container = create_container(store, image, wanted, context.output, context.decoders)
    context.output.result(container.id)


def clone(context, values, arguments):
    """Copy a container and print the id of the copy, and nothing else."""
    (text,) = arguments_of("clone", arguments, 1, 1)
    from udocker.host.copytree import copy_tree
    from udocker.host.files import tree_size
    store = context.containers
    container = store.find(text)

    def fill(path):
        with context.output.progress(lambda: tree_size(container.path)) as meter:
            left_out = copy_tree(container.path, path, (b"PROTECT",), meter.of_blob())
        left_out.warn(context.output.warning)

    made = store.make(values["name"] or "", fill)
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


def ps(context, values, arguments):
    """List the containers that are on disk."""
    arguments_of("ps", arguments, 0, 0)
    header = "%-36.36s %s %s " % ("CONTAINER ID", "P", "M")
    header += "%-3s " % "MOD" if values["mode"] else ""
    header += "%-6s " % "SIZE" if values["size"] else ""
    header += "%-18.18s " % "PLATFORM" if values["platform"] else ""
    context.output.result(header + "%-18s %-20s" % ("NAMES", "IMAGE"))
    for container in context.containers.list():
        line = "%-36.36s %s %s " % (container.id, "P" if container.is_protected else ".",
                                    _access(container))
        if values["mode"]:
            line += "%2.2s " % (container.mode or DEFAULT_MODE)
        if values["size"]:
            from udocker.host.files import tree_size
            line += "%5.5s " % (tree_size(container.root) // (1024 * 1024))
        if values["platform"]:
            line += "%-18.18s " % _platform(container)
        # the names as the Python list that scripts have learnt to read
        context.output.result(line + "%-18.100s %-20.100s" % (
            list(container.names) or "", printable(container.image)))


def rm(context, values, arguments):
    """Delete containers; go on after one that cannot be, and then say so in the exit status."""
    arguments_of("rm", arguments, 1, 1 << 20)
    status = 0
    for text in arguments:
        try:
            container = context.containers.find(text)
            if not values["force"]:
                require_idle(container)
            context.output.info("deleting container: %s" % container.id)
            context.containers.remove(container)
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
    """Raise Refused if a process of ours runs in ``container``."""
    from udocker.errors import Refused
    from udocker.host.processes import using
    pids = using(container.path)
    if pids:
        raise Refused("container %s is in use by process %d" % (container.id, pids[0]),
                      "end it first, or 'udocker rm -f'")


def _access(container):
    """1.3.x's column M: D (not a directory), N (not ours), W (writable), R (read-only)."""
    if not os.path.isdir(container.root):
        return "D"
    if os.stat(container.root).st_uid != os.getuid():
        return "N"
    return "W" if os.access(container.root, os.W_OK) else "R"


def _platform(container):
    try:
        return str(container.config().platform or "unknown")
    except UdockerError:
        return "unknown"
