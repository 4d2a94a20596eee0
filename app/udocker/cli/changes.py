"""``udocker diff`` and ``commit``: what of a container is not as its image has it."""

import os

from udocker.cli import arguments_of
from udocker.errors import InvalidValue, NotFound
from udocker.host.tree import shown
from udocker.image import changes as compared
from udocker.model.reference import ImageReference, printable, quoted


def diff(context, values, arguments):
    """Print what was added (A), changed (C) and deleted (D), in docker's lines."""
    (text,) = arguments_of("diff", arguments, 1, 1)
    container = context.containers.find(text)
    try:
        base = compared.base_of(context.images, container)
    except NotFound as error:
        raise NotFound(error.message, "so there is nothing to compare with")
    for kind, path in compared.changes(container, base, context.decoders, context.output.progress,
                                       originals_of(context, container)):
        context.output.result("%s /%s" % (kind, printable(os.fsdecode(path))))


def commit(context, values, arguments):
    """Make an image of a container, and print its id."""
    text, name = arguments_of("commit", arguments, 2, 2)
    from udocker.image import commit as made
    container, reference = context.containers.find(text), ImageReference.parse(name)
    if reference.digest is not None:
        raise InvalidValue("commit: a digest cannot be chosen: %s" % quoted(name))
    try:
        container.config()
    except NotFound as error:
        raise NotFound(error.message, "'udocker export' and 'udocker import' make an image without it")
    remarks = made.Remarks(values["author"] or "", values["message"] or "", values["change"])
    original = originals_of(context, container)
    try:
        base = compared.base_of(context.images, container)
        found = compared.changes(container, base, context.decoders, context.output.progress,
                                 original)
        lost = made.unspeakable(found)
        found = [change for change in found if change.path not in lost]
        if lost:
            context.output.warning("%s left out: in a layer a name that begins with .wh. means that "
                                   "something is not there" % shown(lost[0]))
    except NotFound as error:
        context.output.warning("%s: all of it becomes one layer" % error.message)
        from udocker.store.mountpoints import untouched
        base, found = None, untouched(container)
    image, left_out = made.commit(context.images, context.locked, container, base, found, reference,
                                  remarks, context.output, original)
    if left_out is not None:
        left_out.warn(context.output.warning)
    context.output.result(str(image.manifest().config.digest))


def originals_of(context, container):
    """Return the function that tells what the programs of ``container`` were before they were set
    up for a mode (of a path as bytes); None where nothing is changed."""
    if not container.is_patched:
        return None
    from udocker.engine.unpatched import Originals
    return Originals(container, context.locator).content
