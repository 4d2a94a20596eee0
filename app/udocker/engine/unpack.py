"""A bundle of engines, from a verified archive to verified files."""

import contextlib
import hashlib
import os

from udocker.errors import CorruptData
from udocker.host import files, tree
from udocker.model.jsontext import loads
from udocker.model.oci import MAX_DOCUMENT
from udocker.model.reference import quoted

#: Members and bytes of a bundle: ours have about 40 and 8 MB for one architecture.
MAX_MEMBERS, MAX_UNPACKED = 10000, 256 * 1024 * 1024
TOP = "udocker_dir/"
ROOMS = ("bin", "lib", "doc")
_CHUNK = 1 << 20


@contextlib.contextmanager
def staged(archive, directory):
    """Unpack ``archive`` (binary file) into a new directory below ``directory`` for the block."""
    stage = os.path.join(directory, ".staging-%d-%s" % (os.getpid(), os.urandom(4).hex()))
    try:
        with tree.naming(stage):
            os.mkdir(stage, 0o700)
        _unpack(archive, stage)
        yield stage
    finally:
        files.remove_tree(stage)


def check(stage, architecture):
    """Return the manifest (dict) in ``stage``; CorruptData unless every file is as it says."""
    name = "lib/engines-%s.json" % architecture
    try:
        with open(os.path.join(stage, name), "rb") as file:
            manifest = loads(file.read(MAX_DOCUMENT))
        entries = manifest["files"]
        for file_name, entry in entries.items():
            path = os.path.join(stage, file_name)
            if sha256_of(path) != entry["sha256"]:
                raise CorruptData("bundle of engines: %s is not what its manifest says"
                                  % quoted(file_name))
            entry["mtime_ns"] = os.stat(path).st_mtime_ns
            entry["size"] = os.path.getsize(path)
    except FileNotFoundError as error:
        if error.filename.endswith(name):
            raise CorruptData("not a bundle of engines for %s" % architecture,
                              "bundles are named udocker-engines-<architecture>.tar.gz")
        raise CorruptData("bundle of engines: %s is missing" % quoted(error.filename[len(stage):]))
    except (ValueError, KeyError, TypeError, AttributeError):
        raise CorruptData("bundle of engines with a damaged manifest")
    return manifest


def sha256_of(path):
    """Return the SHA256 (str) of the file ``path`` (str); OSError."""
    checksum = hashlib.sha256()
    with open(path, "rb") as file:
        for chunk in iter(lambda: file.read(_CHUNK), b""):
            checksum.update(chunk)
    return checksum.hexdigest()


def _unpack(archive, stage):
    """Write the regular files of ``archive`` below ``stage``; nothing else may be in it."""
    import tarfile
    unpacked = members = 0
    try:
        with tarfile.open(fileobj=archive, mode="r:gz") as tar:
            for member in tar:
                members += 1
                unpacked += member.size
                if members > MAX_MEMBERS or unpacked > MAX_UNPACKED:
                    raise CorruptData("bundle of engines is larger than any real one")
                if member.isdir():
                    continue
                _write_member(tar, member, stage)
    except (tarfile.TarError, OSError, EOFError) as error:
        if isinstance(error, OSError) and error.errno:
            raise tree.host_error(error, stage)
        raise CorruptData("bundle of engines is damaged: %s" % error)


def _write_member(tar, member, stage):
    parts = member.name.split("/")
    if not member.isreg() or member.name[:len(TOP)] != TOP or parts[1] not in ROOMS \
            or any(part in ("", ".", "..") for part in parts):
        raise CorruptData("bundle of engines with the strange member %s" % quoted(member.name))
    path = os.path.join(stage, *parts[1:])
    os.makedirs(os.path.dirname(path), 0o700, exist_ok=True)
    source = tar.extractfile(member)
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(fd, "wb") as target:
        for chunk in iter(lambda: source.read(_CHUNK), b""):
            target.write(chunk)
        target.flush()
        os.fsync(target.fileno())
