"""Images and containers that must not be deleted: they have an empty file ``PROTECT``."""

import os

from udocker.host import files, tree


def protect(thing):
    """Protect ``thing`` (Container or StoredImage)."""
    files.write_atomic(thing.path + "/PROTECT", b"")


def unprotect(thing):
    """End the protection of ``thing`` (Container or StoredImage), if there is one."""
    path = thing.path + "/PROTECT"
    with tree.naming(path):
        try:
            os.unlink(path)
        except FileNotFoundError:
            pass
