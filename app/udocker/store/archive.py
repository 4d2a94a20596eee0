"""Archives of images, to be read: a directory, or a tar file that may be compressed."""

import contextlib
import os
import tarfile
import zlib

from udocker.errors import CorruptData, NotFound
from udocker.host import files, tree
from udocker.model.reference import quoted
from udocker.store.debris import PARTIAL

#: Members of an archive: a hundred images of a hundred layers have 30,000.
MAX_MEMBERS = 100000
_CHUNK = 1 << 20
#: What reading a damaged archive raises, compressed or not.
_DAMAGE = (tarfile.TarError, EOFError, OSError, ValueError, zlib.error)


@contextlib.contextmanager
def open_archive(path):
    """Open the Archive at ``path`` (str: a file or directory) for the block."""
    if os.path.isdir(path):
        with tree.Root(path) as root:
            yield DirectoryArchive(path, root)
        return
    try:
        file = open(path, "rb")
    except OSError as error:
        if isinstance(error, FileNotFoundError):
            raise NotFound("no such file: %s" % quoted(path))
        raise tree.host_error(error, path)
    with file:
        yield TarArchive(path, file)


@contextlib.contextmanager
def spooled(stream, directory):
    """Copy ``stream`` (binary file, a pipe) into ``directory`` (str) and open the Archive there."""
    path = os.path.join(directory, "%sarchive-%d-%s" % (PARTIAL, os.getpid(), os.urandom(4).hex()))
    try:
        with tree.naming(directory), open(path, "wb") as file:
            for chunk in iter(lambda: stream.read(_CHUNK), b""):
                file.write(chunk)
        with open(path, "rb") as file:
            yield TarArchive("standard input", file)
    finally:
        files.remove_tree(path)


class TarArchive(object):
    """The members of a tar file, by name. ``tarfile`` only parses here; it unpacks nothing."""

    def __init__(self, name, file):
        self._name = name
        try:
            self._tar = tarfile.open(fileobj=file, mode="r:*")
            self._members = {}
            for member in self._tar:
                self._members[_normal(member.name)] = member
                if len(self._members) > MAX_MEMBERS:
                    raise CorruptData("%s has more than %d members" % (self, MAX_MEMBERS))
        except _DAMAGE as error:
            raise self._damaged(error)

    def __str__(self):
        return quoted(self._name)

    def has(self, name):
        """Whether there is a member ``name`` (str)."""
        return _normal(name) in self._members

    @contextlib.contextmanager
    def open(self, name):
        """Open the member ``name`` (str), links within the archive followed, for the block."""
        member = self._members.get(_normal(name))
        # old versions of docker save a layer that occurs twice as a link to the first
        for _ in range(8):
            if member is None or not (member.issym() or member.islnk()):
                break
            target = member.linkname if member.islnk() \
                else os.path.join(os.path.dirname(member.name), member.linkname)
            member = self._members.get(_normal(target))
        if member is None or not member.isreg():
            raise CorruptData("%s lacks the file %s" % (self, quoted(name)))
        try:
            with self._tar.extractfile(member) as file:
                yield file
        except _DAMAGE as error:
            raise self._damaged(error)

    def read(self, name, limit):
        """Return the bytes of the member ``name`` (str); CorruptData if over ``limit`` bytes."""
        with self.open(name) as file:
            data = file.read(limit + 1)
        if len(data) > limit:
            raise CorruptData("%s: %s has more than %d bytes" % (self, quoted(name), limit))
        return data

    def _damaged(self, error):
        if isinstance(error, OSError) and error.errno:
            return tree.host_error(error, error.filename)
        return CorruptData("%s is no tar archive, or is damaged: %s" % (self, error))


class DirectoryArchive(object):
    """The files of a directory, by name; nothing outside of it is reached."""

    def __init__(self, name, root):
        self._name = name
        self._root = root

    def __str__(self):
        return quoted(self._name)

    def has(self, name):
        """Whether there is a file ``name`` (str)."""
        return self._root.kind(name) in ("file", "executable")

    def open(self, name):
        """Return the file ``name`` (str), open for reading."""
        return self._root.open_file(name)

    def read(self, name, limit):
        """Return the bytes of the file ``name`` (str); CorruptData if over ``limit`` bytes."""
        return self._root.read_file(name, limit)


def _normal(name):
    return os.path.normpath(name).lstrip("/")
