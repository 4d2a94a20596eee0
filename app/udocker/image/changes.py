"""What of a container is not as its image has it; docker's three letters for it.

Compared are the kind of a file, its permissions, size, time and the target of a link; of a
directory only its permissions, since its time changes with what is in it. Owners are nobody's here.
Not shown is what udocker itself did: mount points that are as they were made, and programs that
were changed for a mode (whoever calls knows them).
"""

import os
import stat
from collections import namedtuple

from udocker.errors import NotFound, UdockerError
from udocker.host import files, tree
from udocker.host.merged import Merged
from udocker.host.source import entries
from udocker.host.tar import DIRECTORY, FIFO, FILE, SYMLINK
from udocker.host.tarfields import settable_time
from udocker.model.reference import ImageReference, quoted
from udocker.store import mountpoints

#: What 1.3.x calls a container that came from a file system without a name.
IMPORTED = "IMPORTED:unknown"
ADDED, CHANGED, DELETED = "A", "C", "D"

#: A difference: kind (one of the above), path (bytes, below the root, without a leading "/").
Change = namedtuple("Change", "kind path")

#: What runtimes make for themselves where an image lacks it, and mount over.
_OF_RUNTIMES = ("/dev", "/proc", "/sys")
#: What 1.3.x makes in its R modes; links from /etc lead to the first.
_BIND_FILES, _OF_OTHERS = b"/.bind_host_files/", frozenset([b".bind_host_files", b".udocker"])

_KINDS = {stat.S_IFREG: FILE, stat.S_IFDIR: DIRECTORY, stat.S_IFLNK: SYMLINK, stat.S_IFIFO: FIFO}
_SECOND = 1000000000


def base_of(images, container):
    """Return the StoredImage that ``container`` was made from; NotFound where it is not here."""
    config = container.config()
    candidates = []
    if container.image:
        try:
            named = images.lookup(ImageReference.parse(container.image))
        except UdockerError:
            named = None  # what 1.3.x calls an imported file system is no name of an image
        candidates = [named] if named is not None else []
    for image in candidates + images.list():
        try:
            there = image.config()
        except UdockerError:
            continue  # damaged, and none of our business
        # the layers are what matters; an old image that does not name them has to be all the same
        if config.diff_ids and there.diff_ids == config.diff_ids \
                or not config.diff_ids and there.raw == config.raw:
            return image
    if container.image in ("", IMPORTED):
        raise NotFound("container %s was made from no image" % container.id)
    raise NotFound("the image that container %s was made from, %s, is not here any more"
                   % (container.id, quoted(container.image)))


def changes(container, image, decoders, progress, original):
    """Return the Changes of ``container`` against ``image`` (StoredImage), ordered by path.

    decoders (compress.Decoders); progress: a function of the bytes in all that returns a meter
    (cli.output); original (function of a path as bytes, or None): returns what a file was before it
    was changed for a mode, None if it was not.
    """
    layers = image.layers()
    merged = Merged()
    with progress(sum(os.path.getsize(layer.path) for layer in layers)) as meter:
        for layer in layers:
            with open(layer.path, "rb") as blob:
                merged.add(blob, decoders, meter.of_blob())
    comparison = _Comparison(container, merged.root, original)
    return comparison.run()


class _Comparison(object):
    def __init__(self, container, root, original):
        self._container = container
        self._root = root
        self._original = original
        self._hidden = mountpoints.untouched(container, _OF_RUNTIMES)
        self._prefix = tree.raw(os.path.realpath(container.root))
        # 1.3.x leaves permissions to the umask; its ids are of RFC 4122's version 3, ours of 4
        self._modes_count = container.id[14:15] == "4"
        self._changes = {}

    def run(self):
        fd = os.open(tree.raw(self._container.path), tree.LIST)
        try:
            files.each_directory(fd, b"ROOT", self._visit, failed=self._failed, unlock=0o500)
        finally:
            os.close(fd)
        return [Change(kind, path) for path, kind in sorted(self._changes.items())]

    def _failed(self, error, names):
        raise tree.host_error(error, os.path.join(tree.raw(self._container.root), *names[1:]))

    def _visit(self, fd, names):
        below = b"".join(name + b"/" for name in names[1:])
        wanted = self._wanted(names[1:])
        directories, there = [], set()
        for name, status in entries(fd, os.path.join(tree.raw(self._container.root), below)):
            there.add(name)
            path, node = below + name, wanted.get(name)
            if node is None and path in _OF_OTHERS:
                continue
            if stat.S_ISDIR(status.st_mode):
                directories.append(name)
            if node is None:
                if path not in self._hidden:
                    self._note(ADDED, path)
            elif self._differs(fd, name, path, status, node):
                self._note(CHANGED, path)
        for name in set(wanted) - there:
            self._note(DELETED, below + name)
        return directories

    def _wanted(self, names):
        """Return what the image has in the directory ``names``: a dict of Node by name."""
        node = self._root
        for name in names:
            node = node.below.get(name)
            if node is None or node.below is None:
                return {}
        return node.below

    def _note(self, kind, path):
        self._changes[path] = kind
        path = path.rpartition(b"/")[0]
        while path and path not in self._changes:
            self._changes[path] = CHANGED
            path = path.rpartition(b"/")[0]

    def _differs(self, fd, name, path, status, node):
        mode = status.st_mode
        if stat.S_ISLNK(mode) and os.readlink(name, dir_fd=fd).startswith(_BIND_FILES):
            return False  # the file of the image is in the container's directory
        if _KINDS.get(stat.S_IFMT(mode)) != node.kind:
            return True
        if node.kind == SYMLINK:
            target = os.readlink(name, dir_fd=fd)
            # 1.3.x lets absolute links lead to the host's path in its F modes
            return node.target not in (target, target[len(self._prefix):]
                                       if target.startswith(self._prefix + b"/") else target)
        if self._modes_count and node.mode is not None and _usable(mode, node.kind) != _usable(node.mode, node.kind):
            return True
        if node.kind != FILE:
            return False
        if not _is_same_time(status.st_mtime_ns, settable_time(node.mtime)):
            return True
        if status.st_size == node.size:
            return False
        data = self._original(path) if self._original is not None else None
        return data is None or len(data) != node.size


def _usable(mode, kind):
    """What of a mode counts, after the owner got what he must have (host/place.py)."""
    return mode & 0o1777 | 0o700 if kind == DIRECTORY else mode & 0o777 | 0o600


def _is_same_time(there, wanted):
    """Whether two times (int, nanoseconds) are the same: on its way through an archive a container
    may have lost what is less than a second."""
    return there == wanted or there % _SECOND == 0 and there // _SECOND == wanted // _SECOND
