"""What programs of a container were before they were set up for the modes F3 and F4.

For whoever copies them elsewhere, where what was changed in them (engine/patching.py) is of no use.
"""

import hashlib
import os
import tempfile
import zlib

from udocker.engine import patching
from udocker.host import delta, tree


class Originals(object):
    """The files of one container that were changed."""

    def __init__(self, container, locator):
        """container (Container), locator (function that returns an engine.locate.Locator)."""
        self._container = container
        self._locator = locator
        self._records = {}
        path = os.path.join(container.path, patching.UNDO)
        for record, kept in patching.records(path):
            for name in record["names"]:
                self._records.setdefault(os.fsencode(name), []).append((record, kept))

    def content(self, path):
        """Return the bytes that the file ``path`` (bytes: below the root, without links) would
        have, None if it was not changed."""
        records = self._records.get(path)
        if records is None:
            return None
        with tree.Root(self._container.root) as root, root.open_file(path) as file:
            data = file.read()
        found = data
        for record, kept in records:  # the last change comes first
            if hashlib.sha256(found).hexdigest() == record["patched"]:
                found = b"".join(delta.apply(record["steps"], zlib.decompress(kept), found))
        if found is not data:
            return found
        if any(hashlib.sha256(data).hexdigest() == record["original"] for record, _ in records):
            return None
        return self._taken_out(data)

    def _taken_out(self, data):
        """As ``patching.restore``, where a program has changed a file that we had changed."""
        with tempfile.TemporaryDirectory(dir=self._container.path, prefix=".making-") as folder:
            path = os.path.join(folder, "file")
            with open(path, "wb") as file:
                file.write(data)
            patching.take_out(self._locator().patchelf().path,
                              patching.path_then(self._container), path)
            with open(path, "rb") as file:
                return file.read()
