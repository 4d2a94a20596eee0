"""``udocker protect`` and ``unprotect``."""

from udocker.cli import arguments_of
from udocker.cli.inspect import find_object
from udocker.store import protection


def protect(context, values, arguments):
    """Keep a container or an image from being deleted."""
    (text,) = arguments_of("protect", arguments, 1, 1)
    protection.protect(find_object(context, text))


def unprotect(context, values, arguments):
    """Let a container or an image be deleted again."""
    (text,) = arguments_of("unprotect", arguments, 1, 1)
    protection.unprotect(find_object(context, text))
