"""``udocker save``, ``load``, ``import`` and ``export``."""

import contextlib
import os
import stat
import sys

from udocker.cli import arguments_of
from udocker.errors import NotFound, UsageError
from udocker.host import tree
from udocker.model.oci import Platform
from udocker.model.reference import ImageReference, quoted


def save(context, values, arguments):
    """Write images to an archive."""
    arguments_of("save", arguments, 1, 1 << 20)
    from udocker.image.save import save as write
    images = [context.images.find(ImageReference.parse(name)) for name in arguments]
    with _output("save", values["output"], False) as out:
        write(images, out, context.output.progress)


def load(context, values, arguments):
    """Take the images of an archive into the store, and print their names."""
    arguments_of("load", arguments, 0, 1)
    from udocker.image.load import Loader
    from udocker.store.archive import open_archive, spooled
    path, layers = values["input"], context.layout.layers
    if path in (None, "-"):
        opened = spooled(_standard_input("load", "name one with -i FILE"), layers)
    else:
        opened = open_archive(path, layers)
    loader = Loader(context.images, context.locked, context.facts.platform, context.output)
    with opened as archive:
        loaded = loader.load(archive, arguments[0] if arguments else "")
    # 1.3.x prints a list of names, and its callers read the last line without the brackets
    context.output.result(str([str(image) for image in loaded]))


def import_(context, values, arguments):
    """Make an image of a root file system; or a container, and print its id."""
    makes_container = values["tocontainer"] or values["clone"]
    arguments_of("import", arguments, 1 if makes_container else 2, 2)
    if values["name"] and not makes_container:
        raise UsageError("import: --name is for containers", "add --tocontainer, or leave it out")
    path = arguments[0]
    reference = ImageReference.parse(arguments[1]) if len(arguments) == 2 else None
    platform = Platform.parse(values["platform"]) if values["platform"] else context.facts.platform
    if values["name"]:
        context.containers.require_free(values["name"])
    if path == "-":
        if values["mv"]:
            raise UsageError("import: --mv wants a file, not standard input")
        source, size = _standard_input("import", "name a file"), 0
    else:
        source, size = _open(path)
    from udocker.image import imports
    from udocker.image.changes import IMPORTED
    name, warn = values["name"] or "", context.output.warning
    with source, context.output.progress(size) as meter:
        report = meter.of_blob()
        if values["clone"]:
            made = imports.import_container(context.containers, source, name, warn, report)
        elif values["tocontainer"]:
            made = imports.import_root(context.containers, source, str(reference or IMPORTED),
                                       platform, name, warn, report)
        else:
            made = imports.import_image(context.images, context.locked, source, reference, platform,
                                        path if values["mv"] else None, report)
    if values["clone"]:
        from udocker.cli.containers import settle
        settle(context, made)
    if values["mv"]:
        with tree.naming(path):
            os.unlink(path)
    if makes_container:
        context.output.result(made.id)
    else:
        context.output.info("added layer %s" % str(made.manifest().layers[0].digest))


def export(context, values, arguments):
    """Write the root file system of a container, or all of the container, to an archive."""
    arguments_of("export", arguments, 1, 2)
    if len(arguments) == 2 and (arguments[0] != "-" or values["output"]):
        arguments_of("export", arguments, 1, 1)
    from udocker.cli.changes import originals_of
    from udocker.host.files import tree_size
    from udocker.host.pack import pack_tree
    from udocker.store.containers import NOT_COPIED
    container = context.containers.find(arguments[-1])
    # elsewhere the programs are of use as they were before they were set up for a mode
    original = None if values["clone"] else originals_of(context, container)
    path = container.path if values["clone"] else container.root
    with _output("export", values["output"], True) as out:
        if values["output"] not in (None, "-"):
            context.output.info("exporting to file %s" % values["output"])
        with context.output.progress(lambda: tree_size(path)) as meter:
            left_out = pack_tree(path, out, NOT_COPIED if values["clone"] else (),
                                 meter.of_blob(), original=original)
    left_out.warn(context.output.warning)


@contextlib.contextmanager
def _output(command, path, replace):
    """Open what -o ``path`` (str or None) says, to write bytes; a file appears when it is whole."""
    if path in (None, "-"):
        if sys.stdout.isatty():
            raise UsageError("%s: an archive is nothing for a terminal" % command,
                             "redirect it, or name a file with -o FILE")
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    from udocker.host.newfile import new_file
    with new_file(path, replace) as file:
        yield file


def _standard_input(command, hint):
    if sys.stdin.isatty():
        raise UsageError("%s: no archive on standard input" % command, hint)
    return sys.stdin.buffer


def _open(path):
    """Return the file ``path`` (str), open for reading, and its size in bytes."""
    try:
        file = open(path, "rb")
    except FileNotFoundError:
        raise NotFound("no such file: %s" % quoted(path))
    except OSError as error:
        raise tree.host_error(error, path)
    status = os.fstat(file.fileno())
    return file, status.st_size if stat.S_ISREG(status.st_mode) else 0
