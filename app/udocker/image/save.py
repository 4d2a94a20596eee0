"""From the store to an archive: an OCI layout that is a docker-archive too (docker >= 25).

``oci-layout`` and ``index.json`` are for those who read OCI layouts (image-spec image-layout.md),
``manifest.json`` for those who read docker-archives; both lead to the same blobs. Configurations,
whose digests are the ids of images, and layers go in as they are, compressed or not: every reader
of docker-archives unpacks layers by itself. A manifest of docker's type is written as OCI's, since
skopeo and udocker 1.3.x pass over others in an OCI layout; docker does the same.
"""

import hashlib
import json
from collections import namedtuple

from udocker.errors import DigestMismatch, UdockerError
from udocker.host.content import check_layer
from udocker.host.tar import DIRECTORY, FILE
from udocker.host.tarwriter import Writer
from udocker.host.tree import naming
from udocker.model.jsontext import loads
from udocker.model.oci import (DOCKER_CONFIG, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST,
                               parse_document)
from udocker.model.reference import DOCKER_HUB, Digest, ImageReference, quoted

_CHUNK = 1 << 20
_OCI_LAYOUT = b'{"imageLayoutVersion":"1.0.0"}'
_FULL_NAME, _REF_NAME = "io.containerd.image.name", "org.opencontainers.image.ref.name"
_TAR, _GZIP = ("application/vnd.docker.image.rootfs.diff.tar" + end for end in ("", ".gzip"))

#: docker's media types as OCI's (image-spec media-types.md, "Compatibility Matrix").
_AS_OCI = {DOCKER_MANIFEST: OCI_MANIFEST,
           DOCKER_CONFIG: "application/vnd.oci.image.config.v1+json",
           _TAR: "application/vnd.oci.image.layer.v1.tar",
           _GZIP: "application/vnd.oci.image.layer.v1.tar+gzip"}

#: A blob to write: digest (Digest), size (int), and where it is: path (str), or data (bytes).
Blob = namedtuple("Blob", "digest size path data")
#: An image to write: names (list of str), manifest (Manifest), blobs (list of Blob).
_Wanted = namedtuple("_Wanted", "names manifest blobs")


def save(images, out, progress):
    """Write ``images`` (sequence of StoredImage) to ``out`` (binary file), what they share once.

    progress: a function of the bytes (int) in all that returns a meter (cli.output). CorruptData
    if a blob is not what its digest says: what was written until then is no archive.
    """
    wanted = _collect(images)
    blobs = {blob.digest: blob for item in wanted for blob in item.blobs}
    writer = Writer(out)
    writer.add_bytes(b"oci-layout", _OCI_LAYOUT)
    writer.add_bytes(b"index.json", _encoded({
        "schemaVersion": 2, "mediaType": OCI_INDEX,
        "manifests": [entry for item in wanted for entry in _index_entries(item)]}))
    writer.add_bytes(b"manifest.json", _encoded([{
        "Config": _name_of(item.manifest.config.digest), "RepoTags": item.names or None,
        "Layers": [_name_of(layer.digest) for layer in item.manifest.layers]} for item in wanted]))
    for folder in [b"blobs"] + sorted(set(_folder_of(digest) for digest in blobs)):
        writer.add(folder, DIRECTORY, 0o755)  # skopeo cannot make them itself, for an ordinary user
    with progress(sum(blob.size for blob in blobs.values())) as meter:
        for digest in sorted(blobs):
            _write(writer, blobs[digest], meter.of_blob())
    writer.close()


def _collect(images):
    """Return the _Wanted; several names of one image come together, as docker has it."""
    found = {}
    for image in images:
        manifest, blobs = as_version_2(image)
        if manifest.media_type == DOCKER_MANIFEST:
            manifest = _as_oci(manifest)
        blobs.append(_blob_of(manifest.raw))
        item = found.setdefault(manifest.raw, _Wanted([], manifest, blobs))
        # a tag is what all readers understand; what was pulled by digest has none
        if ":" not in image.tag and str(image) not in item.names:
            item.names.append(str(image))
    return list(found.values())


def as_version_2(image):
    """Return (Manifest, list of Blob) of ``image`` (StoredImage), made up for one of version 1.

    What is made up depends on nothing but the image's layers and configuration.
    """
    layers = image.layers()
    if not image.is_version_1:
        manifest = image.manifest()
        return manifest, [Blob(one.digest, one.size, image.blob_path(one.digest), None)
                          for one in (manifest.config,) + manifest.layers]
    blobs, diff_ids, media_types = [], [], []
    for layer in layers:
        with naming(layer.path), open(layer.path, "rb") as file:
            media_types.append(_GZIP if file.read(2) == b"\x1f\x8b" else _TAR)
            file.seek(0)
            try:
                content = check_layer(file)
            except UdockerError as error:
                raise type(error)("%s: %s" % (quoted(layer.path), error.message), error.hint)
        blobs.append(Blob(content.digest, content.size, layer.path, None))
        diff_ids.append(str(content.diff_id))
    raw = image.config_raw()
    document = loads(raw)
    if (document.get("rootfs") or {}).get("diff_ids") != diff_ids:
        raw = _encoded(dict(document, rootfs={"type": "layers", "diff_ids": diff_ids}))
    config = _blob_of(raw)
    manifest = _encoded({
        "schemaVersion": 2, "mediaType": DOCKER_MANIFEST,
        "config": {"mediaType": DOCKER_CONFIG, "digest": str(config.digest), "size": config.size},
        "layers": [{"mediaType": media_type, "digest": str(blob.digest), "size": blob.size}
                   for media_type, blob in zip(media_types, blobs)]})
    return parse_document(manifest), [config] + blobs


def _as_oci(manifest):
    document = loads(manifest.raw)
    for item in [document, document["config"]] + document["layers"]:
        item["mediaType"] = _AS_OCI.get(item.get("mediaType"), item.get("mediaType"))
    document["mediaType"] = OCI_MANIFEST
    return parse_document(_encoded(document))


def _index_entries(item):
    entry = {"mediaType": item.manifest.media_type, "size": len(item.manifest.raw),
             "digest": str(_blob_of(item.manifest.raw).digest)}
    if not item.names:
        return [entry]
    # docker writes the tag alone as the second; podman and udocker 1.3.x look for all of it there
    return [dict(entry, annotations=dict.fromkeys((_FULL_NAME, _REF_NAME), _full_name(name)))
            for name in item.names]


def _full_name(name):
    """``name`` (str) as containerd has it: with the registry, and Docker Hub's ``library/``."""
    reference = ImageReference.parse(name)
    if not reference.is_docker_hub:
        return name
    path = reference.repository
    return "%s/%s:%s" % (DOCKER_HUB, path if "/" in path else "library/" + path, reference.tag)


def _write(writer, blob, report):
    writer.add(_name_of(blob.digest).encode("ascii"), FILE, size=blob.size)
    if blob.path is None:
        writer.write(blob.data)
    else:
        _copy(writer, blob, report)
    writer.pad()


def _copy(writer, blob, report):
    hasher, done = hashlib.new(blob.digest.algorithm), 0
    with naming(blob.path):
        file = open(blob.path, "rb")
    with file:
        while True:
            with naming(blob.path):
                data = file.read(_CHUNK)
            hasher.update(data)
            done += len(data)
            if not data or done > blob.size:
                break
            writer.write(data)
            if report is not None:
                report(done)
    if done != blob.size or hasher.hexdigest() != blob.digest.hex:
        raise DigestMismatch("%s is damaged: it has not the digest %s" % (quoted(blob.path), blob.digest),
                             "'udocker pull' or 'udocker load' brings it back after 'udocker rmi'")


def _blob_of(data):
    return Blob(Digest("sha256", hashlib.sha256(data).hexdigest()), len(data), None, data)


def _folder_of(digest):
    return b"blobs/" + digest.algorithm.encode("ascii")


def _name_of(digest):
    return "blobs/%s/%s" % (digest.algorithm, digest.hex)


def _encoded(document):
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode("ascii")
