"""An archive of engines, from a verified file to verified files in their rooms.

A bundle of ours has only regular files, and a manifest that lists them. A tarball of udocker 1.3.x
has no manifest, and in it many a library is a link to another one beside it.
"""

import contextlib
import hashlib
import os
import tarfile

from udocker.errors import CorruptData
from udocker.host import files, tree
from udocker.model.jsontext import loads
from udocker.model.oci import MAX_DOCUMENT
from udocker.model.reference import quoted
from udocker.store.debris import MAKING

#: Members and bytes of an archive: ours have about 40 and 70 MB, those of 1.3.x 250 and 100 MB.
MAX_MEMBERS, MAX_UNPACKED = 10000, 512 * 1024 * 1024
TOP = "udocker_dir/"
_CHUNK = 1 << 20


class Stage(object):
    """Unpacked files, each on the file system of the room that it is for."""

    def __init__(self, rooms):
        """rooms (dict of str): name of the room (bin, lib, doc) -> its directory."""
        self._places = {room: os.path.join(directory, MAKING + os.urandom(6).hex())
                        for room, directory in rooms.items()}
        #: set of str: the regular files, and the links, as a manifest would name them.
        self.files, self.links = set(), set()

    def path(self, name):
        """Return the path (str) of the unpacked file ``name`` (str: ``bin/proot-x86_64``)."""
        room, _, rest = name.partition("/")
        return os.path.join(self._places[room], rest)

    def manifest(self, architecture):
        """Return the manifest (dict), of whose files each was seen to be as it says.

        None for a tarball of udocker 1.3.x. CorruptData.
        """
        name = manifest_name(architecture)
        if name not in self.files:
            if _is_old(self.files):
                return None
            others = [other[len("lib/engines-"):-len(".json")] for other in sorted(self.files)
                      if _is_manifest(other)]
            raise CorruptData("not a bundle of engines for %s%s" % (
                architecture, ", but for " + quoted(" ".join(others)) if others else ""),
                "bundles are named udocker-engines-VERSION-ARCH.tar.gz")
        if self.links:
            raise CorruptData("bundle of engines with the strange member %s"
                              % quoted(sorted(self.links)[0]))
        try:
            with open(self.path(name), "rb") as file:
                manifest = loads(file.read(MAX_DOCUMENT))
            manifest["version"] + ""
            for file_name, entry in manifest["files"].items():
                self._check(file_name, entry)
        except (ValueError, KeyError, TypeError, AttributeError):
            raise CorruptData("bundle of engines with a damaged manifest")
        return manifest

    def remove(self):
        for place in self._places.values():
            files.remove_tree(place)

    def unpack(self, archive):
        """Write what is in ``archive`` (binary file): regular files and links, nothing else."""
        try:
            for place in self._places.values():
                with tree.naming(place):
                    os.mkdir(place, 0o700)
            with tarfile.open(fileobj=archive, mode="r:gz") as tar:
                for member in _members(tar):
                    if not member.isdir():
                        self._write(tar, member)
        except (tarfile.TarError, OSError, EOFError, ValueError) as error:
            if isinstance(error, OSError) and error.errno:
                raise tree.host_error(error)
            raise CorruptData("bundle of engines is damaged: %s" % error)

    def _check(self, name, entry):
        if name not in self.files:
            raise CorruptData("bundle of engines: %s is missing" % quoted(name))
        path = self.path(name)
        if sha256_of(path) != entry["sha256"]:
            raise CorruptData("bundle of engines: %s is not what its manifest says" % quoted(name))
        status = os.stat(path)
        entry["mtime_ns"], entry["size"] = status.st_mtime_ns, status.st_size

    def _write(self, tar, member):
        name = member.name[len(TOP):]
        room, _, rest = name.partition("/")
        if not member.name.startswith(TOP) or room not in self._places \
                or any(part in ("", ".", "..") for part in rest.split("/")) \
                or not (member.isreg() or _is_link_beside(member)):
            raise CorruptData("bundle of engines with the strange member %s" % quoted(member.name))
        path = self.path(name)
        os.makedirs(os.path.dirname(path), 0o700, exist_ok=True)
        if member.issym():
            os.symlink(member.linkname, path)
            self.links.add(name)
            return
        source = tar.extractfile(member)
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(fd, "wb") as target:
            for chunk in iter(lambda: source.read(_CHUNK), b""):
                target.write(chunk)
            target.flush()
            os.fsync(target.fileno())
        self.files.add(name)


@contextlib.contextmanager
def staged(archive, rooms):
    """The Stage of ``archive`` (binary file) in ``rooms`` (dict of directories), for the block."""
    stage = Stage(rooms)
    try:
        stage.unpack(archive)
        yield stage
    finally:
        stage.remove()


def is_old(path):
    """Whether the file ``path`` (str) is a tarball of udocker 1.3.x, by the names in it."""
    try:
        with tarfile.open(path, mode="r:gz") as tar:
            return _is_old([member.name[len(TOP):] for member in _members(tar)])
    except (tarfile.TarError, OSError, EOFError, ValueError, CorruptData):
        return False


def manifest_name(architecture):
    """Return the name (str) in a bundle of the manifest for ``architecture`` (str, of engines)."""
    return "lib/engines-%s.json" % architecture


def sha256_of(path):
    """Return the SHA256 (str) of the file ``path`` (str); OSError."""
    checksum = hashlib.sha256()
    with open(path, "rb") as file:
        for chunk in iter(lambda: file.read(_CHUNK), b""):
            checksum.update(chunk)
    return checksum.hexdigest()


def _members(tar):
    """Yield the members of ``tar``; CorruptData where there is more than in any real archive."""
    unpacked = members = 0
    for member in tar:
        members += 1
        unpacked += member.size
        if members > MAX_MEMBERS or unpacked > MAX_UNPACKED:
            raise CorruptData("bundle of engines is larger than any real one")
        yield member


def _is_old(names):
    return "lib/VERSION" in names and not any(_is_manifest(name) for name in names)


def _is_manifest(name):
    return name.startswith("lib/engines-") and name.endswith(".json")


def _is_link_beside(member):
    return member.issym() and "/" not in member.linkname and member.linkname not in ("", ".", "..")
