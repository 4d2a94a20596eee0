"""Whether an image in the store is what its digests say."""

import hashlib
import os

from udocker.errors import DigestMismatch, SizeMismatch, UdockerError
from udocker.host.content import check_layer
from udocker.host.tree import naming
from udocker.model.reference import quoted


def verify(image, passed, failed, progress):
    """Check all of ``image`` (StoredImage): manifest, configuration, layers, and what is in them.

    passed: told the name (str) of each blob that is right; failed: told (message, hint) of each
    that is not; progress: as for ``save``. UdockerError if the structure is damaged.
    """
    layers = image.layers()
    if image.is_version_1:
        image.config()
        expected = [(None, layer) for layer in layers]
    else:
        manifest = image.manifest()
        _check_config(image, manifest.config)
        passed(str(manifest.config.digest))
        expected = list(zip(manifest.layers, layers))
    with progress(sum(os.path.getsize(layer.path) for layer in layers)) as meter:
        for descriptor, layer in expected:
            try:
                _check(layer, descriptor, meter.of_blob())
            except UdockerError as error:
                failed("layer %s: %s" % (quoted(layer.path), error.message), error.hint)
            else:
                passed(os.path.basename(layer.path))


def _check_config(image, descriptor):
    raw = image.config_raw()
    if hashlib.new(descriptor.digest.algorithm, raw).hexdigest() != descriptor.digest.hex:
        raise DigestMismatch("configuration %s has another digest"
                             % quoted(image.blob_path(descriptor.digest)))


def _check(layer, descriptor, report):
    with naming(layer.path), open(layer.path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        if descriptor is not None and size != descriptor.size:
            raise SizeMismatch("has %d bytes, expected %d" % (size, descriptor.size))
        digest = descriptor.digest.algorithm if descriptor is not None else "sha256"
        unpacked = layer.diff_id.algorithm if layer.diff_id is not None else "sha256"
        content = check_layer(file, digest, unpacked, report)
    if descriptor is not None and content.digest != descriptor.digest:
        raise DigestMismatch("has the digest %s" % str(content.digest))
    if layer.diff_id is not None and content.diff_id != layer.diff_id:
        raise DigestMismatch("unpacks to %s, expected %s" % (content.diff_id, layer.diff_id))
