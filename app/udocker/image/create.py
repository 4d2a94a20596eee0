"""From an image in the store to a container."""

import os

from udocker.errors import NotFound, UdockerError
from udocker.model.oci import parse_config


def create_container(containers, image, name, output, decoders):
    """Make a Container from ``image`` (StoredImage) and return it.

    containers (ContainerStore), name (str, "" for none), output (cli.output.Output, or what has its
    warning and progress), decoders (host.compress.Decoders).
    """
    try:
        return _create(containers, image, name, output, decoders)
    except UdockerError:
        if not image.is_there:
            raise NotFound("image %s was deleted meanwhile" % str(image), "run the command again")
        raise


def _create(containers, image, name, output, decoders):
    from udocker.host.layer import apply_layer
    config_raw = image.config_raw()
    parse_config(config_raw)  # what cannot be read must not become a container
    layers = image.layers()

    def fill(root):
        skipped = 0
        with output.progress(sum(os.path.getsize(layer.path) for layer in layers)) as meter:
            for layer in layers:
                try:
                    with open(layer.path, "rb") as blob:
                        report = apply_layer(root, blob, layer.diff_id, progress=meter.of_blob(),
                                             decoders=decoders)
                except UdockerError as error:
                    raise type(error)("image %s, layer %s: %s"
                                      % (image, os.path.basename(layer.path), error.message),
                                      error.hint)
                skipped += report.devices
        if skipped:
            output.warning("%d device files were left out: only root can make them" % skipped)

    return containers.create(str(image), config_raw, name, "", fill)
