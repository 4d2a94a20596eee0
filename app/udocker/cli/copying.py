"""``udocker cp``: files between a container and this machine.

Everything is copied beside the place where it is to be, and moved there when it is complete: a full
disk or an interruption leaves what was there before.
"""

import contextlib
import os
import stat
import sys
from collections import namedtuple

from udocker.cli import arguments_of
from udocker.errors import NotFound, Refused, UsageError
from udocker.host import files, tree
from udocker.model.reference import quoted
from udocker.model.transfer import Side, goes_below

#: What is to be copied: name (bytes) in directory folder (descriptor), is_directory (bool); path
#: (bytes: where that is, in the container or here), base (bytes: what a copy is called), is_ours
#: (bool: of a container), original (function or None).
_Source = namedtuple("_Source", "folder name is_directory path base is_ours original")


def cp(context, values, arguments):
    """Copy between a container and this machine, or standard input and output."""
    source, target = [Side.parse(text) for text in arguments_of("cp", arguments, 2, 2)]
    if bool(source.container) == bool(target.container):
        raise UsageError("cp: copying between containers is not supported" if source.container
                         else "cp: one of the two has to be CONTAINER:PATH",
                         "go by way of a pipe: udocker cp A:PATH - | udocker cp - B:PATH"
                         if source.container else "usage: udocker cp CONTAINER:PATH HOST, "
                         "or udocker cp HOST CONTAINER:PATH")
    if source.is_stream:
        _from_stream(context, values, target)
        return
    with _opened(context, source, values["follow_link"]) as found:
        total = 0 if values["quiet"] else lambda: files.size_at(found.folder, found.name)
        with context.output.progress(total) as meter:
            if target.is_stream:
                left_out = _to_stream(source, found, meter.of_blob())
            else:
                left_out = _copy(context, source, found, target, meter.of_blob())
    left_out.warn(context.output.warning)


def _copy(context, source, found, target, report):
    from udocker.host.copytree import copy_into
    from udocker.host.merge import merge
    with _root_of(context, target) as root:
        path = _host_path(target)
        kind = root.kind(path)
        below = goes_below(source, found.is_directory, target, kind)
        place = _real_path(root, path, target)
        with _stage(context, target, root, place if kind == "directory"
                    else os.path.dirname(place)) as stage:
            left_out = copy_into(found.folder, found.name, found.path, stage.fd, place,
                                 found.is_ours, found.original, report)
            if _mode(stage.fd, found.name) is not None:  # a socket is left out
                merge(stage, found.name, root, os.path.join(place, found.base) if below else place)
    return left_out


def _from_stream(context, values, target):
    if sys.stdin.isatty():
        raise UsageError("cp: no archive on standard input", "name a file, or use a pipe")
    from udocker.host.layer import apply_layer
    from udocker.host.merge import merge
    with _root_of(context, target) as root:
        if root.kind(target.path) != "directory":
            raise NotFound("%s is no directory that exists" % quoted(str(target)),
                           "an archive is unpacked into a directory")
        place = _real_path(root, target.path, target)
        with _stage(context, target, root, place) as stage:
            os.mkdir(b"all", 0o700, dir_fd=stage.fd)
            report = apply_layer(os.path.join(os.fsdecode(stage.path), "all"), sys.stdin.buffer,
                                 whiteouts=False)
            merge(stage, b"all", root, place)
    if report.devices:
        context.output.warning("%d device files were left out: only root can make them"
                               % report.devices)


def _to_stream(source, found, report):
    if sys.stdout.isatty():
        raise UsageError("cp: an archive is nothing for a terminal", "redirect it, or name a file")
    from udocker.host.pack import pack
    if source.means_directory and not found.is_directory:
        raise Refused("%s is not a directory" % quoted(str(source)))
    left_out = pack(found.folder, found.name, sys.stdout.buffer, found.path,
                    prefix=b"" if source.means_content else found.base, original=found.original,
                    report=report)
    sys.stdout.buffer.flush()
    return left_out


@contextlib.contextmanager
def _opened(context, side, follow):
    """Find what ``side`` names, and yield it as a _Source; NotFound.

    follow (bool): a link means what it leads to, as it does where a directory must be meant.
    """
    with _root_of(context, side) as root:
        path = _host_path(side)
        # the name that a copy gets is that of the link
        base = path.rstrip("/").rpartition("/")[2]
        if follow or side.means_directory:
            path = root.real_path(path)
        real = tree.raw(path)
        if not real.strip(b"/"):
            if not side.container:
                raise Refused("cp: all of this machine is too much")
            container = context.containers.find(side.container)
            with tree.naming(container.path):
                folder, name = os.open(tree.raw(container.path), tree.LIST), b"ROOT"
        else:
            folder, name = root.resolve(real, follow=False)
        try:
            mode = _mode(folder, name)
            if mode is None:
                raise NotFound("no such file or directory: %s" % quoted(str(side)))
            base = tree.raw(base) if base not in ("", ".", "..") else name
            yield _Source(folder, name, stat.S_ISDIR(mode), real, base, bool(side.container),
                          _original(context, side, real))
        finally:
            os.close(folder)


def _original(context, side, real):
    """As ``originals_of``, of paths below ``real``; None where nothing is changed."""
    if not side.container:
        return None
    from udocker.cli.changes import originals_of
    content, top = originals_of(context, context.containers.find(side.container)), real.strip(b"/")
    if content is None:
        return None
    return lambda path: content(b"/".join(part for part in (top, path) if part))


def _root_of(context, side):
    """Return the Root in which the path of ``side`` means what the user means."""
    if not side.container:
        return tree.Root("/")
    container = context.containers.lookup(side.container)
    if container is None:
        raise NotFound("container %s not found" % quoted(side.container),
                       "see 'udocker ps'; a file of this name is ./%s" % str(side))
    return tree.Root(container.root)


def _host_path(side):
    return side.path if side.container else os.path.join(os.getcwd(), side.path)


def _real_path(root, path, side):
    try:
        return tree.raw(root.real_path(path))
    except NotFound:
        raise NotFound("the directory of %s does not exist" % quoted(str(side)))


@contextlib.contextmanager
def _stage(context, side, root, place):
    """Make an empty directory for the block on the file system of ``place`` (bytes, in ``root``)."""
    if side.container:
        from udocker.store.debris import MAKING, sweep
        above = context.containers.find(side.container).path
        sweep(above)
        path = os.path.join(above, "%scp-%d-%s" % (MAKING, os.getpid(), os.urandom(4).hex()))
    else:
        path = os.path.join(place, files.TEMPORARY_PREFIX + os.urandom(6).hex().encode("ascii"))
    try:
        with tree.naming(os.path.dirname(path)):
            os.mkdir(tree.raw(path), 0o700)
        with tree.Root(path) as stage:
            yield stage
    finally:
        files.remove_tree(path)


def _mode(folder, name):
    """Return the mode of ``name`` in the directory ``folder``, None if it is not there."""
    try:
        return os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode
    except FileNotFoundError:
        return None
