"""One image in the store, to be read."""

import os
from collections import namedtuple

from udocker.errors import CorruptData
from udocker.host import tree
from udocker.model.jsontext import loads
from udocker.model.oci import MAX_DOCUMENT, Manifest, parse_config, parse_document
from udocker.model.reference import Digest, quoted

#: A layer file to apply: path (str), diff_id (Digest or None where the image tells none).
Layer = namedtuple("Layer", "path diff_id")


class StoredImage(namedtuple("StoredImage", "name tag path")):
    """An image in the store: name (str, without tag), tag (str), path (str, the tag directory)."""

    __slots__ = ()

    def __str__(self):
        return "%s:%s" % (self.name, self.tag)

    @property
    def is_there(self):
        """Whether nobody has deleted it since."""
        return os.path.exists(self.path + "/TAG")

    @property
    def is_protected(self):
        return os.path.exists(self.path + "/PROTECT")

    @property
    def is_version_1(self):
        return os.path.exists(self.path + "/v1")

    def manifest(self):
        """Return the Manifest; CorruptData if it is damaged."""
        document = parse_document(read_document(self.path + "/manifest"))
        if not isinstance(document, Manifest):
            raise CorruptData("image %s has an index in place of a manifest" % str(self))
        return document

    def config_raw(self):
        """Return the bytes of the image's configuration."""
        if not self.is_version_1:
            return read_document(self.blob_path(self.manifest().config.digest))
        for name in ("container.json", self._ancestry()[0] + ".json"):
            if os.path.exists(os.path.join(self.path, name)):
                return read_document(os.path.join(self.path, name))
        raise CorruptData("image %s has no configuration" % str(self))

    def id(self):
        """Return the Digest of the configuration, which is what docker calls the image's id."""
        if not self.is_version_1:
            return self.manifest().config.digest
        import hashlib
        return Digest("sha256", hashlib.sha256(self.config_raw()).hexdigest())

    def config(self):
        """Return the ImageConfig."""
        return parse_config(self.config_raw())

    def blob_path(self, digest):
        """Return the path of the blob ``digest`` (Digest) as this image refers to it."""
        return os.path.join(self.path, str(digest))

    def layers(self):
        """Return the Layers to apply, base first; CorruptData if one is not there."""
        if self.is_version_1:
            found = [Layer(os.path.join(self.path, layer_id + ".layer"), None)
                     for layer_id in reversed(self._ancestry())]
            # layers without files have a description and nothing else
            found = [layer for layer in found if os.path.lexists(layer.path)]
        else:
            manifest = self.manifest()
            diff_ids = self.config().diff_ids
            if len(diff_ids) != len(manifest.layers):
                raise CorruptData("image %s has %d layers, but its configuration names %d"
                                  % (self, len(manifest.layers), len(diff_ids)))
            found = [Layer(self.blob_path(layer.digest), diff_id)
                     for layer, diff_id in zip(manifest.layers, diff_ids)]
        for layer in found:
            if not os.path.exists(layer.path):
                raise CorruptData("image %s lacks the layer %s"
                                  % (self, os.path.basename(layer.path)),
                                  "'udocker pull' or 'udocker load' brings it back")
        return found

    def links(self):
        """Return {name of a link: size of its file in bytes} of the blobs, missing ones left out."""
        sizes = {}
        for name in names_in(self.path):
            path = os.path.join(self.path, name)
            if os.path.islink(path) and os.path.exists(path):
                sizes[name] = os.path.getsize(path)
        return sizes

    def _ancestry(self):
        try:
            ancestry = loads(read_document(self.path + "/ancestry"))
        except ValueError:
            ancestry = None
        if not ancestry or not isinstance(ancestry, list) \
                or not all(isinstance(item, str) and "/" not in item for item in ancestry):
            raise CorruptData("image %s has a damaged ancestry" % str(self))
        return ancestry


def names_in(path):
    """Return the names (list of str) in directory ``path`` (str), none if it is not there."""
    try:
        return os.listdir(path)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise tree.host_error(error, path)


def read_document(path):
    """Return the bytes of the document at ``path`` (str); CorruptData if it is missing."""
    try:
        with open(path, "rb") as file:
            return file.read(MAX_DOCUMENT + 1)
    except FileNotFoundError:
        raise CorruptData("%s is missing" % quoted(path))
    except OSError as error:
        raise tree.host_error(error, path)
