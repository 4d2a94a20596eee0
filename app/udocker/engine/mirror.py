"""A directory with the bundles of a release, for a web server or a shared disk.

It is complete for its clients whenever it is looked at: each bundle gets its name when it was
verified, and the list of them comes last. Bundles of other releases are left alone: their names say
which release they are of.
"""

import hashlib
import html
import json
import os

from udocker.engine.release import FORMAT, INDEX
from udocker.host import files, tree

SUMS, PAGE = "SHA256SUMS", "index.html"
_CHUNK = 1 << 20

_TEMPLATE = """<!DOCTYPE html>
<meta charset="utf-8">
<title>udocker engines %(version)s</title>
<h1>udocker engines %(version)s</h1>
<pre>UDOCKER_TARBALL=<i>the address of this page</i> udocker install</pre>
<table>
%(rows)s
</table>
<p><a href="%(sums)s">%(sums)s</a> <a href="%(index)s">%(index)s</a></p>
"""


class Mirror(object):
    """A directory that serves bundles."""

    def __init__(self, directory):
        """directory (str)."""
        self.directory = directory

    def path(self, name):
        return os.path.join(self.directory, name)

    def has(self, bundle):
        """Whether ``bundle`` (Bundle) is there, byte for byte."""
        try:
            with open(self.path(bundle.file), "rb") as file:
                if os.fstat(file.fileno()).st_size != bundle.size:
                    return False
                checksum = hashlib.sha256()
                for data in iter(lambda: file.read(_CHUNK), b""):
                    checksum.update(data)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise tree.host_error(error)
        return checksum.hexdigest() == bundle.sha256

    def add(self, bundle, path):
        """Give the verified file ``path`` (str), in the directory, its name."""
        with tree.naming(path):
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                os.fchmod(fd, 0o644)  # a web server is another user
                os.fsync(fd)
            finally:
                os.close(fd)
            os.rename(path, self.path(bundle.file))

    def describe(self, release):
        """Write the lists of the bundles of ``release`` (Release) that are there."""
        there = [bundle for _, bundle in sorted(release.bundles.items()) if self.has(bundle)]
        files.write_atomic(self.path(SUMS), "".join(
            "%s  %s\n" % (bundle.sha256, bundle.file) for bundle in there).encode("ascii"))
        rows = "\n".join('<tr><td>%s<td><a href="%s">%s</a><td>%d bytes' % (
            bundle.machine, bundle.file, bundle.file, bundle.size) for bundle in there)
        files.write_atomic(self.path(PAGE), (_TEMPLATE % {
            "version": html.escape(release.version), "rows": rows, "sums": SUMS,
            "index": INDEX}).encode("utf-8"))
        document = {"format": FORMAT, "version": release.version, "bundles": {
            bundle.machine: {"file": bundle.file, "sha256": bundle.sha256, "size": bundle.size}
            for bundle in there}}
        files.write_atomic(self.path(INDEX), (json.dumps(document, indent=1, sort_keys=True)
                                              + "\n").encode("ascii"))
