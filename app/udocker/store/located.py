"""A root file system outside the repository, as a container: ``run --location=DIR``."""

import os
from binascii import crc32

from udocker.errors import NotFound
from udocker.host import files
from udocker.model.reference import quoted
from udocker.store.containers import Container


class LocatedContainer(Container):
    """A container without image, names and metadata, whose root file system is elsewhere."""

    __slots__ = ()

    @property
    def root(self):
        return os.readlink(self.path + "/root.path")

    def config(self):
        """Nobody wrote down how to run it."""
        from udocker.model.oci import config_from_object
        return config_from_object({})


def located(layout, directory):
    """Return the LocatedContainer whose root file system is ``directory`` (str); NotFound.

    What runs need besides goes to a directory of the repository, because the other may be somebody
    else's.
    """
    root = os.path.realpath(directory)
    if not directory or not os.path.isdir(root):
        raise NotFound("invalid --location: %s is no directory" % quoted(directory))
    name = "location-%08x" % (crc32(os.fsencode(root)) & 0xffffffff)
    path = os.path.join(layout.top, "locations", name)
    files.make_directories(path)
    link = path + "/root.path"
    if not os.path.islink(link) or os.readlink(link) != root:
        made = "%s-%d" % (link, os.getpid())
        os.symlink(root, made)
        os.rename(made, link)
    return LocatedContainer(name, path, ())
