"""From a container to an image: the image that it was made from, and one layer of what is not as
that has it (OCI image-spec layer.md, "Creating")."""

import hashlib
import json
import os
import time
import zlib
from collections import namedtuple

from udocker.errors import CorruptData
from udocker.host.pack import pack_tree
from udocker.image.changes import ADDED, DELETED
from udocker.image.save import as_version_2
from udocker.model.instruction import apply_changes
from udocker.model.oci import (DOCKER_CONFIG, DOCKER_MANIFEST, MAX_LAYERS, OCI_MANIFEST,
                               parse_document)
from udocker.model.reference import Digest

_WHITEOUT = b".wh."
_LAYER_TYPES = {DOCKER_MANIFEST: "application/vnd.docker.image.rootfs.diff.tar.gzip",
                OCI_MANIFEST: "application/vnd.oci.image.layer.v1.tar+gzip"}

#: What the user says of it: author, message (str), instructions (sequence of str).
Remarks = namedtuple("Remarks", "author message instructions")


def commit(images, locked, container, base, found, reference, remarks, output, original):
    """Make ``reference`` (ImageReference) an image of ``container``; return (StoredImage, LeftOut).

    images (ImageStore), locked (function that returns a lock to enter), base (StoredImage, or None
    where all of the container is to be one layer), found (list of Change against it; without a base
    a container of the paths (bytes) to leave out), remarks (Remarks), output (what has a progress),
    original (function of a path, or None): see host.pack.
    """
    config = container.config()
    document = dict(config.raw)
    document["config"] = apply_changes(_section(config), remarks.instructions)
    document.pop("container_config", None)
    added = []
    try:
        media_type, config_type, layers, diff_ids = _base_layers(images, base, added)
        step = _step(remarks)
        layer = left_out = None
        if base is None or found:
            layer, left_out = _add_layer(images, container, base, found, output, original, added)
            diff_ids = diff_ids + [str(layer.diff_id)]
            layers = layers + [{"mediaType": _LAYER_TYPES[media_type], "digest": str(layer.digest),
                                "size": layer.size}]
        else:
            step["empty_layer"] = True
        if len(layers) > MAX_LAYERS:
            raise CorruptData("an image has at most %d layers" % MAX_LAYERS)
        document["history"] = _history(document, base, len(diff_ids) - (layer is not None)) + [step]
        document.update(rootfs={"type": "layers", "diff_ids": diff_ids}, created=step["created"])
        document.setdefault("os", "linux")
        if remarks.author:
            document["author"] = remarks.author
        digest, size = images.write_blob(lambda file: file.write(_encoded(document)))
        added.append(digest)
        manifest = parse_document(_encoded({
            "schemaVersion": 2, "mediaType": media_type, "layers": layers,
            "config": {"mediaType": config_type, "digest": str(digest), "size": size}}))
        with locked():
            return images.put_image(reference, manifest), left_out
    except BaseException:
        with locked():
            images.discard_unused(added)
        raise


def _section(config):
    """Return what ``config`` (ImageConfig) says about how to run it, as documents of today say it."""
    found = next((config.raw[key] for key in ("config", "container_config")
                  if isinstance(config.raw.get(key), dict) and config.raw[key]), {})
    known = {"Env": ["%s=%s" % item for item in config.env], "Entrypoint": list(config.entrypoint),
             "Cmd": list(config.cmd), "User": config.user, "WorkingDir": config.workdir,
             "Labels": dict(config.labels), "Volumes": {path: {} for path in config.volumes},
             "ExposedPorts": {port: {} for port in config.ports}}
    return dict({key: value for key, value in found.items() if key not in known},
                **{key: value for key, value in known.items() if value})


def _base_layers(images, base, added):
    """Return (media type of the manifest, of the configuration, layers, diff_ids) of ``base``."""
    if base is None:
        return DOCKER_MANIFEST, DOCKER_CONFIG, [], []
    manifest, blobs = as_version_2(base)
    for blob in blobs[1:]:
        if base.is_version_1:  # the file is here, under another name
            if not images.link_blob(os.path.realpath(blob.path), blob.digest):
                with open(blob.path, "rb") as file:
                    images.add_blob(file)
            added.append(blob.digest)
    document = json.loads(manifest.raw.decode("utf-8"))
    diff_ids = base.config().diff_ids if not base.is_version_1 else \
        json.loads(blobs[0].data.decode("utf-8"))["rootfs"]["diff_ids"]
    return (manifest.media_type, document["config"].get("mediaType") or DOCKER_CONFIG,
            document["layers"], [str(diff_id) for diff_id in diff_ids])


#: A layer that was stored: digest and diff_id (Digest), size (int).
_Layer = namedtuple("_Layer", "digest size diff_id")


def _add_layer(images, container, base, found, output, original, added):
    """Store the layer of ``found``; return (_Layer, LeftOut)."""
    if base is None:
        only, whiteouts = _AllBut(found), ()
    else:
        only = set(change.path for change in found if change.kind != DELETED)
        whiteouts = [_whiteout(change.path) for change in found if change.kind == DELETED]
    packed = []

    def fill(file):
        stream = _Gzip(file)
        with output.progress(_size(container) if base is None else 0) as meter:
            packed.append(pack_tree(container.root, stream, only=only, original=original,
                                    whiteouts=whiteouts, report=meter.of_blob()))
        stream.close()
        packed.append(stream.diff_id)

    digest, size = images.write_blob(fill)
    added.append(digest)
    return _Layer(digest, size, packed[1]), packed[0]


def _size(container):
    from udocker.host.files import tree_size
    return lambda: tree_size(container.root)


def _whiteout(path):
    parent, slash, last = path.rpartition(b"/")
    return parent + slash + _WHITEOUT + last


def unspeakable(found):
    """Return the paths of ``found`` (list of Change) that no layer can have: they say that something
    is not there."""
    return [change.path for change in found if change.kind == ADDED
            and any(part.startswith(_WHITEOUT) for part in change.path.split(b"/"))]


def _history(document, base, count):
    """Return the steps (list) before this one, made up where they do not fit ``count`` layers."""
    steps = document.get("history") if base is not None else None
    steps = steps if isinstance(steps, list) else []
    steps = [step for step in steps if isinstance(step, dict)]
    if sum(1 for step in steps if step.get("empty_layer") is not True) == count:
        return steps
    return [{"created": document.get("created") or "1970-01-01T00:00:00Z"} for _ in range(count)]


def _step(remarks):
    step = {"created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "created_by": "udocker commit"}
    if remarks.author:
        step["author"] = remarks.author
    if remarks.message:
        step["comment"] = remarks.message
    return step


def _encoded(document):
    return json.dumps(document, sort_keys=True).encode("ascii")


class _AllBut(object):
    """Every path but some."""

    def __init__(self, paths):
        self._paths = paths

    def __contains__(self, path):
        return path not in self._paths


class _Gzip(object):
    """A binary file to write to, compressed on its way; the same bytes for the same bytes."""

    def __init__(self, file):
        self._file = file
        self._compressor = zlib.compressobj(6, zlib.DEFLATED, 31)
        self._hasher = hashlib.sha256()

    def write(self, data):
        self._hasher.update(data)
        self._file.write(self._compressor.compress(data))

    def close(self):
        self._file.write(self._compressor.flush())

    @property
    def diff_id(self):
        return Digest("sha256", self._hasher.hexdigest())
