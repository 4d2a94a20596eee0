"""From a tar file of a root file system to an image or a container; also of a whole container."""

import io
import json
import os
import stat
import time
from collections import namedtuple

from udocker.errors import AlreadyExists, CorruptData
from udocker.host import files, tree
from udocker.host.compress import Blob
from udocker.host.content import check_layer
from udocker.host.layer import apply_layer
from udocker.model.oci import DOCKER_CONFIG, DOCKER_MANIFEST, parse_document
from udocker.model.reference import quoted
from udocker.store.containers import NOT_COPIED

#: Media types of the compressions that layers of an image may have; others are undone.
_TYPES = ((b"\x1f\x8b", "application/vnd.docker.image.rootfs.diff.tar.gzip"),
          (b"\x28\xb5\x2f\xfd", "application/vnd.oci.image.layer.v1.tar+zstd"))
_PLAIN = "application/vnd.docker.image.rootfs.diff.tar"
_COMPRESSED = (b"\xfd7zXZ\0", b"BZh")

#: A layer that was stored: digest and diff_id (Digest), size (int), media_type (str).
_Layer = namedtuple("_Layer", "digest size diff_id media_type")


def import_image(images, locked, source, reference, platform, move=None, report=None):
    """Make ``reference`` (ImageReference) an image of the one layer in ``source``; return it.

    images (ImageStore), locked (function that returns a lock to enter), source (binary file, read
    once), platform (Platform: what the image is for), move (str or None: path of ``source``, which
    then may become the layer itself, if it lies on the same file system; the caller removes it).
    AlreadyExists if the name is taken.
    """
    _require_free(images, reference)
    added = []
    try:
        layer = _add_layer(images, source, move, added, report)
        digest, size = images.add_blob(io.BytesIO(_config(platform, layer.diff_id)))
        added.append(digest)
        manifest = parse_document(_encoded({
            "schemaVersion": 2, "mediaType": DOCKER_MANIFEST,
            "config": {"mediaType": DOCKER_CONFIG, "digest": str(digest), "size": size},
            "layers": [{"mediaType": layer.media_type, "digest": str(layer.digest),
                        "size": layer.size}]}))
        with locked():
            _require_free(images, reference)
            return images.put_image(reference, manifest)
    except BaseException:
        with locked():
            images.discard_unused(added)
        raise


def import_root(containers, source, image_name, platform, name, warn, report=None):
    """Make a Container of the root file system in ``source`` (binary file), and return it.

    image_name (str): what it shall say that it was made from. name (str, "" for none), warn
    (function of a str).
    """
    def fill(root):
        _apply(root, source, warn, report)
    return containers.create(image_name, _config(platform, None), name, "", fill)


def import_container(containers, source, name, warn, report=None):
    """Make a Container of one that ``export --clone`` wrote to ``source``, and return it.

    All of ``source`` is hostile: beside ROOT there may be files and directories, and no link that
    would lead whoever opens one elsewhere.
    """
    def fill(path):
        _apply(path, source, warn, report)
        with tree.naming(path):
            for entry in os.listdir(path):
                mode = os.lstat(os.path.join(path, entry)).st_mode
                if not (stat.S_ISDIR(mode) or stat.S_ISREG(mode) and entry != "ROOT"):
                    raise CorruptData("the archive of a container has %s in it, which is no file or "
                                      "directory" % quoted(entry))
            if not os.path.isdir(path + "/ROOT"):
                raise CorruptData("no archive of a container: it has no ROOT",
                                  "without --clone it is imported as a root file system")
            for entry in NOT_COPIED:
                files.remove_tree(os.path.join(os.fsencode(path), entry))
            os.chmod(path, 0o755)
    return containers.make(name, fill)


def _apply(root, source, warn, report):
    report = apply_layer(root, source, progress=report)
    if report.devices:
        warn("%d device files were left out: only root can make them" % report.devices)


def _require_free(images, reference):
    if images.lookup(reference) is not None:
        raise AlreadyExists("tag already exists in repo: %s" % quoted(str(reference)),
                            "'udocker rmi %s' removes it" % str(reference))


def _add_layer(images, source, move, added, report):
    """Store the layer in ``source``, and add its digest to ``added``; return the _Layer."""
    source = _Peeked(source)
    media_type = next((kind for magic, kind in _TYPES if source.start.startswith(magic)), _PLAIN)
    try:
        if source.start.startswith(_COMPRESSED):
            source = _Unpacked(Blob(source))
        elif move is not None:
            content = check_layer(source, report=report)
            if not images.link_blob(move, content.digest):  # another file system
                with open(move, "rb") as again:
                    images.add_blob(again)
            added.append(content.digest)
            return _Layer(content.digest, content.size, content.diff_id, media_type)
        digest, size = images.add_blob(source, report)
        added.append(digest)
        with images.open_blob(digest) as file:
            content = check_layer(file)
    except CorruptData as error:
        raise type(error)("the archive %s" % error.message, error.hint)
    return _Layer(digest, size, content.diff_id, media_type)


def _config(platform, diff_id):
    """Return the configuration (bytes) of an image that says nothing about how to run it."""
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    document = {"architecture": platform.architecture, "os": platform.os, "created": now,
                "config": {}}
    if platform.variant:
        document["variant"] = platform.variant
    if diff_id is not None:
        document["rootfs"] = {"type": "layers", "diff_ids": [str(diff_id)]}
        document["history"] = [{"created": now, "comment": "imported by udocker"}]
    return _encoded(document)


def _encoded(document):
    return json.dumps(document, sort_keys=True).encode("ascii")


class _Peeked(object):
    """A stream whose ``start`` (bytes) is known before it is read."""

    def __init__(self, stream):
        self.start = b""
        while len(self.start) < 6:
            more = stream.read(6 - len(self.start))
            if not more:
                break
            self.start += more
        self._stream, self._left = stream, self.start
        self.name = getattr(stream, "name", None)

    def read(self, size):
        left, self._left = self._left, b""
        return left or self._stream.read(size)


class _Unpacked(object):
    """The chunks of a Blob as a stream; each ``read`` returns one, whatever its size."""

    start = b""

    def __init__(self, chunks):
        self._chunks = iter(chunks)

    def read(self, size):
        return next(self._chunks, b"")
