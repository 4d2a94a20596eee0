"""Archives of images, to be read: a directory, or a tar file that may be compressed."""

import contextlib
import os
import tarfile

from udocker.errors import CorruptData, NotFound, UdockerError
from udocker.host import files, tree
from udocker.host.compress import Blob
from udocker.model.reference import quoted
from udocker.store.debris import PARTIAL

#: Members of an archive: a hundred images of a hundred layers have 30,000.
MAX_MEMBERS = 100000
_CHUNK = 1 << 20
#: Links from one member to another that are followed in a row.
_MAX_LINKS = 8
#: What reading a damaged archive raises.
_DAMAGE = (tarfile.TarError, EOFError, OSError, ValueError)


@contextlib.contextmanager
def open_archive(path, directory):
    """Open the Archive at ``path`` (str: a file or directory) for the block.

    One that is compressed is unpacked into a file in ``directory`` (str) first, since its members
    are not read in their order.
    """
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
        if file.seekable() and _is_plain(file):
            yield TarArchive(path, file)
            return
        with spooled(file, directory, path) as archive:
            yield archive


@contextlib.contextmanager
def spooled(stream, directory, name="standard input"):
    """Unpack ``stream`` (binary file, a pipe) into ``directory`` (str); open the Archive there.

    name (str): what to call it in messages.
    """
    path = os.path.join(directory, "%sarchive-%d-%s" % (PARTIAL, os.getpid(), os.urandom(4).hex()))
    try:
        with tree.naming(directory), open(path, "wb") as file:
            try:
                for chunk in Blob(stream):
                    file.write(chunk)
            except UdockerError as error:
                raise type(error)("%s: %s" % (quoted(name), error.message), error.hint)
        with open(path, "rb") as file:
            yield TarArchive(name, file)
    finally:
        files.remove_tree(path)


def _is_plain(file):
    """Whether ``file`` (binary, at its start) is no compressed one: a tar header has its magic."""
    block = file.read(512)
    file.seek(0)
    return block[257:262] == b"ustar" or len(block) == 512 and not block.strip(b"\0")


class TarArchive(object):
    """The members of a tar file, by name. ``tarfile`` only parses here; it unpacks nothing.

    size (int): bytes of all of it.
    """

    def __init__(self, name, file):
        self._name = name
        self.size = os.fstat(file.fileno()).st_size
        try:
            self._tar = tarfile.open(fileobj=file, mode="r:")
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
        member = self._member(name)
        try:
            with self._tar.extractfile(member) as file:
                yield file
        except _DAMAGE as error:
            raise self._damaged(error)

    def identity(self, name):
        """Return what is the same for names (str) of one file, because they are links."""
        return self._member(name).offset

    def _member(self, name):
        member = self._members.get(_normal(name))
        # docker and podman save a layer that occurs again as a link to the first
        for _ in range(_MAX_LINKS):
            if member is None or not (member.issym() or member.islnk()):
                break
            target = member.linkname if member.islnk() \
                else os.path.join(os.path.dirname(member.name), member.linkname)
            member = self._members.get(_normal(target))
        if member is None or not member.isreg():
            raise CorruptData("%s lacks the file %s" % (self, quoted(name)))
        return member

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
    """The files of a directory, by name; nothing outside of it is reached.

    size (int): 0, as nobody has added it up.
    """

    size = 0

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

    def identity(self, name):
        """Return what is the same for names (str) of one file, because they are links."""
        return self._root.real_path(name)

    def read(self, name, limit):
        """Return the bytes of the file ``name`` (str); CorruptData if over ``limit`` bytes."""
        return self._root.read_file(name, limit)


def _normal(name):
    return os.path.normpath(name).lstrip("/")
