"""``udocker diff`` and ``commit``: what of a container is not as its image has it."""

import os

from udocker.cli import arguments_of
from udocker.errors import NotFound
from udocker.image import changes as compared
from udocker.model.reference import printable


def diff(context, values, arguments):
    """Print what was added (A), changed (C) and deleted (D), in docker's lines."""
    (text,) = arguments_of("diff", arguments, 1, 1)
    container = context.containers.find(text)
    try:
        base = compared.base_of(context.images, container)
    except NotFound as error:
        raise NotFound(error.message, "there is nothing to compare with; 'udocker pull' may bring "
                       "it back")
    for kind, path in compared.changes(container, base, context.decoders, context.output.progress,
                                       originals_of(context, container)):
        context.output.result("%s /%s" % (kind, printable(os.fsdecode(path))))


def originals_of(context, container):
    """Return the function that tells what the programs of ``container`` were before they were set
    up for a mode (of a path as bytes); None where nothing is changed."""
    if not container.is_patched:
        return None
    from udocker.engine.unpatched import Originals
    return Originals(container, context.locator).content
