"""Containers on disk: ``containers/<id>/`` with ROOT and what is known about it.

Files of a container (udocker 1.3.x): ``container.json`` (the image's configuration),
``imagerepo.name`` (the image's name), ``execmode`` (two characters), ``PROTECT`` (empty). A name
is a relative symbolic link ``containers/<name> -> <id>``.
"""

import errno
import os
from collections import namedtuple

from udocker.errors import (AlreadyExists, CorruptData, HostError, InvalidValue, NotFound,
                            Refused)
from udocker.host import files, tree
from udocker.model.oci import MAX_DOCUMENT, parse_config
from udocker.model.reference import quoted
from udocker.store.debris import MAKING, REMOVING, sweep

MAX_NAME_LENGTH = 255  # a name is one component of a path
#: What is not the container, but what somebody does with it: names in its directory (bytes).
NOT_COPIED = (b"PROTECT", b".runs")
_ID_CHARACTERS = frozenset("0123456789abcdef-")


class Container(namedtuple("Container", "id path names")):
    """A container: id (str), path (str, its directory), names (tuple of str)."""

    __slots__ = ()

    @property
    def root(self):
        """Path of its root file system."""
        return self.path + "/ROOT"

    @property
    def image(self):
        """Name of the image that it was made from, "" where nobody wrote it down."""
        return self._read("imagerepo.name")

    @property
    def mode(self):
        """Execution mode that was set for it, "" if none was."""
        return self._read("execmode")

    @property
    def is_protected(self):
        return os.path.exists(self.path + "/PROTECT")

    @property
    def has_nvidia(self):
        """Whether the host's NVIDIA driver is to be shown inside."""
        return os.path.exists(self.path + "/nvidia")

    @property
    def is_patched(self):
        """Whether its programs are not those of its image (engine/patching.py)."""
        return os.path.exists(self.path + "/patch.undo")

    @property
    def is_set_up_by_1_3(self):
        """Whether udocker 1.3.x has set it up for an F mode (engine/former.py)."""
        return self.mode.startswith("F") and not self.is_patched \
            and os.path.exists(self.path + "/ld.lib.dirs")

    @property
    def has_moved_files(self):
        """Whether udocker 1.3.x has moved files out of ROOT (store/mountpoints.py)."""
        return os.path.isdir(self.path + "/.bind_orig_files")

    def config(self):
        """Return the ImageConfig in its container.json; NotFound or CorruptData."""
        path = self.path + "/container.json"
        try:
            with open(path, "rb") as file:
                raw = file.read(MAX_DOCUMENT + 1)
        except OSError as error:
            if error.errno == errno.ENOENT:
                raise NotFound("container %s has no container.json" % self.id,
                               "--nometa runs it without")
            raise tree.host_error(error, path)
        try:
            return parse_config(raw)
        except CorruptData as error:
            raise CorruptData("container %s: container.json: %s" % (self.id, error.message),
                              "--nometa runs it without")

    def _read(self, name):
        try:
            with open(os.path.join(self.path, name), encoding="utf-8", errors="replace") as file:
                return file.read(4096).strip()
        except OSError:
            return ""


class ContainerStore(object):
    """The containers below one directory."""

    def __init__(self, layout):
        self._top = layout.containers

    def list(self):
        """Return every Container, ordered by id."""
        names = {}
        ids = []
        for entry in self._entries():
            path = os.path.join(self._top, entry)
            if os.path.islink(path):
                names.setdefault(os.path.basename(os.readlink(path)), []).append(entry)
            elif os.path.isdir(path + "/ROOT"):
                ids.append(entry)
        return [Container(container_id, os.path.join(self._top, container_id),
                          tuple(sorted(names.get(container_id, ()))))
                for container_id in sorted(ids)]

    def find(self, text):
        """Return the Container with the id, unique start of an id, or name ``text``; or NotFound."""
        container = self.lookup(text)
        if container is None:
            # both phrases are looked for by programs that call us
            raise NotFound("container %s not found: invalid container id or name" % quoted(text),
                           "see 'udocker ps'")
        return container

    def lookup(self, text):
        """Return the Container that ``text`` means, or None; Refused where it could be several."""
        if not is_name(text):
            return None
        path = os.path.join(self._top, text)
        try:
            container_id = os.path.basename(os.readlink(path))
        except OSError as error:
            if error.errno == errno.EINVAL and os.path.isdir(path + "/ROOT"):
                return self._with_names(text)  # no link: the id itself
            return self._by_prefix(text)
        if os.path.isdir(os.path.join(self._top, container_id, "ROOT")):
            return self._with_names(container_id)
        return None

    def create(self, image_name, config_raw, name, mode, fill):
        """Make a container and return it.

        image_name (str), config_raw (bytes: its container.json), name (str, or "" for none),
        mode (str, or ""), fill (function of the path of the empty ROOT, which it fills).
        All of it appears at once, or nothing does.
        """
        def fill_directory(path):
            with tree.naming(path):
                os.mkdir(path + "/ROOT", 0o755)
            fill(path + "/ROOT")
            files.write_atomic(path + "/container.json", config_raw)
            files.write_atomic(path + "/imagerepo.name", image_name.encode("utf-8"))
            if mode:
                files.write_atomic(path + "/execmode", mode.encode("ascii"))
        return self.make(name, fill_directory)

    def make(self, name, fill):
        """Make a container of what ``fill`` puts into the empty directory whose path it is given.

        name (str, or "" for none). All of it appears at once, or nothing does.
        """
        container_id = new_id()
        if name:
            self.require_free(name)
        sweep(self._top)
        making = os.path.join(self._top, MAKING + container_id)
        try:
            with tree.naming(making):
                os.mkdir(making, 0o755)
            fill(making)
            path = os.path.join(self._top, container_id)
            with tree.naming(path):
                os.rename(making, path)
        except BaseException:
            files.remove_tree(making)
            raise
        container = Container(container_id, path, ())
        if not name:
            return container
        try:
            self.set_name(container, name)
        except BaseException:
            files.remove_tree(path)
            raise
        return container._replace(names=(name,))

    def rename(self, old, new):
        """Let the container with the name ``old`` (str) have the name ``new`` (str) instead."""
        container = self.lookup(old)
        if container is None or old not in container.names:
            raise NotFound("no container has the name %s" % quoted(old), "see 'udocker ps'")
        self.set_name(container, new)
        self.remove_name(old)

    def set_name(self, container, name):
        """Give ``container`` the ``name`` (str); AlreadyExists if it is taken."""
        require_name(name)
        path = os.path.join(self._top, name)
        try:
            os.symlink(container.id, path)  # fails where anything is, so two cannot both win
        except OSError as error:
            if error.errno == errno.EEXIST:
                raise _name_taken(name)
            raise tree.host_error(error, path)

    def require_free(self, name):
        """Raise InvalidValue or AlreadyExists unless ``name`` (str) can be given."""
        require_name(name)
        if os.path.lexists(os.path.join(self._top, name)):
            raise _name_taken(name)

    def remove_name(self, name):
        """Take ``name`` (str) from the container that has it; NotFound if none has."""
        path = os.path.join(self._top, name)
        if not is_name(name) or not os.path.islink(path):
            raise NotFound("no container has the name %s" % quoted(name), "see 'udocker ps'")
        with tree.naming(path):
            os.unlink(path)

    @staticmethod
    def set_mode(container, mode):
        """Write down that ``container`` runs in ``mode`` (str: P1 ...)."""
        files.write_atomic(container.path + "/execmode", mode.encode("ascii"))

    @staticmethod
    def set_nvidia(container):
        """Write down that ``container`` is to see the host's NVIDIA driver."""
        files.write_atomic(container.path + "/nvidia", b"")

    def remove(self, container):
        """Delete ``container`` and its names. From its first moment on it is no container.

        What cannot be deleted whole becomes one again, so that its owner can do something about it;
        HostError.
        """
        require_unprotected(container)
        for name in container.names:
            with tree.naming(os.path.join(self._top, name)):
                try:
                    os.unlink(os.path.join(self._top, name))
                except FileNotFoundError:
                    pass  # somebody else was faster
        leaving = os.path.join(self._top, REMOVING + container.id)
        with tree.naming(container.path):
            os.rename(container.path, leaving)
        try:
            files.remove_tree(leaving)
        except HostError as error:  # directories of other users' ids, most likely
            with tree.naming(container.path):
                os.rename(leaving, container.path)
            for name in container.names:
                self.set_name(container, name)
            raise HostError("container %s cannot be deleted whole: %s" % (
                container.id, error.message.replace(REMOVING, "")),
                "after 'udocker setup --fixperm %s' it can" % container.id[:12])

    def _entries(self):
        try:
            return [entry for entry in os.listdir(self._top) if not entry.startswith(".")]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise tree.host_error(error, self._top)

    def _with_names(self, container_id):
        """The names cost a look at each link, so only links are read."""
        names = []
        try:
            with os.scandir(self._top) as entries:
                for entry in entries:
                    if entry.is_symlink() and os.readlink(entry.path) == container_id:
                        names.append(entry.name)
        except OSError as error:
            raise tree.host_error(error, self._top)
        return Container(container_id, os.path.join(self._top, container_id), tuple(sorted(names)))

    def _by_prefix(self, text):
        if not _ID_CHARACTERS.issuperset(text):
            return None
        found = [entry for entry in self._entries() if entry.startswith(text)
                 and os.path.isdir(os.path.join(self._top, entry, "ROOT"))
                 and not os.path.islink(os.path.join(self._top, entry))]
        if len(found) > 1:
            raise Refused("%s is the start of %d container ids" % (quoted(text), len(found)),
                          "give more of it")
        return self._with_names(found[0]) if found else None


def require_unprotected(container):
    """Raise Refused if ``container`` is protected."""
    if container.is_protected:
        raise Refused("container %s is protected" % container.id,
                      "'udocker unprotect %s' ends that" % container.id)


def is_name(text):
    """Whether ``text`` (str) can be the name or id of a container."""
    return (0 < len(text) <= MAX_NAME_LENGTH and text[0] not in ".-" and text.isprintable()
            and not frozenset("/ []:\\").intersection(text))


def require_name(name):
    """Raise InvalidValue unless ``name`` (str) can be the name of a container."""
    if not is_name(name) or "." in name and name.strip(".") == "":
        raise InvalidValue("invalid container name: %s" % quoted(name),
                           "use letters, digits, '_' and '-'")


def new_id():
    """Return a random id in the form of 1.3.x (RFC 4122, version 4)."""
    text = bytearray(os.urandom(16))
    text[6] = text[6] & 0x0f | 0x40
    text[8] = text[8] & 0x3f | 0x80
    digits = "".join("%02x" % byte for byte in text)
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def _name_taken(name):
    return AlreadyExists("container name already exists: %s" % quoted(name),
                         "choose another, or 'udocker rmname' it")
