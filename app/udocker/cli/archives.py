"""``udocker load``."""

import sys

from udocker.cli import arguments_of
from udocker.errors import UsageError


def load(context, values, arguments):
    """Take the images of an archive into the store, and print their names."""
    arguments_of("load", arguments, 0, 1)
    from udocker.image.load import Loader
    from udocker.store.archive import open_archive, spooled
    path = values["input"]
    if path in (None, "-"):
        if sys.stdin.isatty():
            raise UsageError("load: no archive on standard input", "name one with -i FILE")
        opened = spooled(sys.stdin.buffer, context.layout.layers)
    else:
        opened = open_archive(path)
    loader = Loader(context.images, context.locked, context.output.info, context.facts.platform)
    with opened as archive:
        loaded = loader.load(archive, arguments[0] if arguments else "")
    # 1.3.x prints a list of names, and its callers read the last line without the brackets
    context.output.result(str([str(image) for image in loaded]))
