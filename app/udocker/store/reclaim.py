"""What could be removed from a store without anybody missing it, and its removal.

What was begun less than a day ago may still be somebody's: of another machine that shares the
directory, whose processes are not seen here, or of udocker 1.3.x, which gives a layer its name
before it is complete. Only what is older counts, and what was on its way out.
"""

import os
import time
from collections import namedtuple

from udocker.errors import HostError
from udocker.host import files, tree
from udocker.host.files import TEMPORARY_PREFIX
from udocker.store.debris import ABANDONED, MAKING, PARTIAL, REMOVING
from udocker.store.images import targets
from udocker.store.stored import names_in

_UNFINISHED = (PARTIAL, MAKING, os.fsdecode(TEMPORARY_PREFIX))
#: What is in the directory of a tag, and nowhere else below repos/.
_OF_TAGS = frozenset(["TAG", "v1", "v2", "manifest", "ancestry", "container.json"])

#: Something to remove: path (str), size (int, bytes on disk), what (str: what it is).
Item = namedtuple("Item", "path size what")


class Found(namedtuple("Found", "images blobs debris")):
    """What could go: images (list of StoredImage); blobs (list of Item): layers that nobody has then;
    debris (list of Item): all else."""

    __slots__ = ()

    @property
    def size(self):
        return sum(item.size for item in self.blobs + self.debris)


def used_names(containers):
    """Return the names (set of str) of images that a container of ``containers`` was made from."""
    return set(container.image for container in containers.list())


def is_making(layout):
    """Whether somebody seems to be making a container now, of we do not know which image."""
    oldest = time.time() - ABANDONED
    return any(name.startswith(MAKING) and not _is_older(os.path.join(layout.containers, name), oldest)
               for name in names_in(layout.containers))


def find(layout, images, containers, with_images):
    """Return the Found of the store in ``layout`` (Layout).

    images (ImageStore), containers (ContainerStore). with_images (bool): also the images that no
    container was made from and that are not protected.
    """
    oldest = time.time() - ABANDONED
    leaving = []
    if with_images:
        used = used_names(containers)
        leaving = [image for image in images.list()
                   if str(image) not in used and not image.is_protected]
    gone = set(image.path for image in leaving)
    debris, kept, freed = [], set(), set()
    for path, is_tag in _folders(layout.repos):
        if path in gone:
            freed.update(targets(path))
        elif is_tag and not os.path.exists(path + "/TAG") and _is_older(path, oldest):
            debris.append(_item(path, "part of an image"))
        else:
            kept.update(targets(path))
            if not is_tag and path != layout.repos and not names_in(path) and _is_older(path, oldest):
                debris.append(_item(path, "empty directory"))
            debris.extend(_unfinished(path, oldest))
    blobs = [_item(os.path.join(layout.layers, name), "layer") for name in names_in(layout.layers)
             if _is_blob(name) and name not in kept
             and (name in freed or _is_older(os.path.join(layout.layers, name), oldest))]
    debris.extend(_unfinished(layout.layers, oldest))
    debris.extend(_unfinished(layout.containers, oldest))
    debris.extend(_names_of_nothing(layout.containers, oldest))
    for container in containers.list():
        debris.extend(_unfinished(container.path, oldest))
    return Found(leaving, blobs, debris)


def remove_blobs(layout, images, containers, with_images):
    """Remove the images and layers that ``find`` finds; return the Found, all of it.

    Called with the store locked: what a pull counts on is not taken away under its hands.
    """
    found = find(layout, images, containers, with_images)
    for image in found.images:
        images.remove(image, force=True)
    for item in found.blobs:
        with tree.naming(item.path):
            try:
                os.unlink(item.path)
            except FileNotFoundError:
                pass  # it went with its image
    return found


def remove_debris(found, warn):
    """Remove the debris of ``found``; tell ``warn`` (function of a str) what cannot be."""
    for item in found.debris:
        try:
            files.remove_tree(item.path)
        except HostError as error:
            warn(error.message)


def _folders(repos):
    """Return [(path, is it the directory of a tag)] of all directories in and below ``repos``."""
    found, todo = [], [repos]
    while todo:
        path = todo.pop()
        names = names_in(path)
        is_tag = path != repos and any(
            os.path.islink(os.path.join(path, name))
            or name in _OF_TAGS and os.path.isfile(os.path.join(path, name)) for name in names)
        found.append((path, is_tag))
        if not is_tag:
            todo.extend(os.path.join(path, name) for name in names
                        if not os.path.islink(os.path.join(path, name))
                        and os.path.isdir(os.path.join(path, name)))
    return found


def _unfinished(directory, oldest):
    found = []
    for name in names_in(directory):
        path = os.path.join(directory, name)
        # whoever was removing something did not mean to keep it
        if name.startswith(REMOVING) or name.startswith(_UNFINISHED) and _is_older(path, oldest):
            found.append(_item(path, "unfinished"))
    return found


def _names_of_nothing(directory, oldest):
    paths = [os.path.join(directory, name) for name in names_in(directory)]
    return [_item(path, "name of no container") for path in paths
            if os.path.islink(path) and not os.path.exists(path) and _is_older(path, oldest)]


def _is_blob(name):
    """Whether a file in layers/ is what we or 1.3.x put there."""
    algorithm, colon, _ = name.partition(":")
    return bool(colon) and algorithm in ("sha256", "sha512") or name.endswith((".layer", ".json"))


def _is_older(path, oldest):
    try:
        return os.lstat(path).st_mtime < oldest
    except OSError:
        return False  # it is gone, or not ours to know


def _item(path, what):
    try:
        return Item(path, files.tree_size(path), what)
    except HostError:
        return Item(path, 0, what)
