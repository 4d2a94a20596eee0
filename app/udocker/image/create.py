"""From an image in the store to a container."""

import os

from udocker.errors import UdockerError
from udocker.model.oci import parse_config


def create_container(containers, image, name, warn, decoders):
    """Make a Container from ``image`` (StoredImage) and return it.

    containers (ContainerStore), name (str, "" for none), warn (function of a str), decoders
    (host.compress.Decoders).
    """
    from udocker.host.layer import apply_layer
    config_raw = image.config_raw()
    parse_config(config_raw)  # what cannot be read must not become a container
    layers = image.layers()

    def fill(root):
        skipped = 0
        for layer in layers:
            try:
                with open(layer.path, "rb") as blob:
                    report = apply_layer(root, blob, layer.diff_id, decoders=decoders)
            except UdockerError as error:
                raise type(error)("image %s, layer %s: %s"
                                  % (image, os.path.basename(layer.path), error.message),
                                  error.hint)
            skipped += report.devices
        if skipped:
            warn("%d device files were left out: only root can make them" % skipped)

    return containers.create(str(image), config_raw, name, "", fill)
