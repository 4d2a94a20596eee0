"""From an archive to the store: docker-archive, OCI layout, or both in one (docker >= 25).

Archives are read in place; nothing of them is unpacked but blobs, under their digests. Formats:
OCI image-spec image-layout.md, and docker's image/spec/v1.2.md ("Combined Image JSON").
"""

import json
from collections import namedtuple

from udocker.errors import (CorruptData, DigestMismatch, InvalidValue, SizeMismatch, UdockerError,
                            UsageError)
from udocker.host.content import check_layer
from udocker.model.oci import (DOCKER_CONFIG, DOCKER_MANIFEST, MAX_DOCUMENT, MAX_LAYERS, Index,
                               Manifest, parse_config, parse_document)
from udocker.model.jsontext import loads
from udocker.model.reference import ImageReference, quoted

#: What a layer of a docker-archive is, by the first bytes of its file.
_LAYER_TYPES = ((b"\x1f\x8b", "application/vnd.docker.image.rootfs.diff.tar.gzip"),
                (b"\x28\xb5\x2f\xfd", "application/vnd.oci.image.layer.v1.tar+zstd"),
                (b"", "application/vnd.docker.image.rootfs.diff.tar"))
#: Annotations of an index that name its images (OCI image-spec annotations.md; containerd's own).
_FULL_NAME, _REF_NAME = "io.containerd.image.name", "org.opencontainers.image.ref.name"

#: An image in an archive: names (tuple of str, perhaps none), and how to bring it in.
Found = namedtuple("Found", "names store")


class Loader(object):
    """Loads archives into an ImageStore."""

    def __init__(self, images, locked, platform, output):
        """images (ImageStore), locked (function that returns a lock to enter), platform (Platform:
        what to take of an image for several), output (cli.output.Output, or what has its info and
        progress)."""
        self._images = images
        self._locked = locked
        self._platform = platform
        self._output = output
        self._meter = None
        self._added = []  # digests of the blobs that were not here before

    def load(self, archive, name):
        """Load every image of ``archive`` (store.archive.Archive); return the StoredImages.

        name (str): what to call the image, for an archive with a single one; "" for its own name.
        All images appear when all that is in them is here and right; or none does.
        """
        found = self._oci_images(archive) if archive.has("oci-layout") \
            else self._docker_images(archive)
        if not found:
            raise CorruptData("no image in %s" % archive)
        if name and len(found) > 1:
            raise UsageError("%s has %d images; a name can be given to one only"
                             % (archive, len(found)))
        references = [[ImageReference.parse(text) for text in ((name,) if name else item.names)]
                      for item in found]
        try:
            with self._output.progress(archive.size) as self._meter:
                manifests = [item.store() for item in found]
            return [self._publish(reference, manifest)
                    for manifest, wanted in zip(manifests, references)
                    for reference in wanted or [_name_of_nameless(manifest)]]
        except BaseException:
            with self._locked():
                self._images.discard_unused(self._added)
            raise

    def _publish(self, reference, manifest):
        with self._locked():
            old = self._images.lookup(reference)
            if old is not None and not old.is_version_1 and old.manifest().raw == manifest.raw:
                self._output.info("repository and tag already exist %s %s" % (old.name, old.tag))
                return old
            return self._images.put_image(reference, manifest)

    def _add(self, archive, member):
        """Store the file ``member`` (str) of ``archive`` as a blob; return (Digest, size)."""
        with archive.open(member) as source:
            digest, size = self._images.add_blob(source, self._meter.of_blob())
        self._added.append(digest)
        return digest, size

    # OCI layout

    def _oci_images(self, archive):
        index = parse_document(archive.read("index.json", MAX_DOCUMENT))
        if not isinstance(index, Index):
            raise CorruptData("index.json of %s is no index" % archive)
        docker_names = _docker_names(archive)
        found = {}
        for entry in index.manifests:
            manifest = self._manifest(archive, entry)
            names = _names_in(entry.annotations) or docker_names.get(str(manifest.config.digest), ())
            known = found.setdefault(manifest.raw, (manifest, []))[1]
            known.extend(text for text in names if text not in known)
        return [Found(tuple(names), lambda manifest=manifest: self._store_oci(archive, manifest))
                for manifest, names in found.values()]

    def _manifest(self, archive, entry):
        document = parse_document(_verified(archive, entry), entry.media_type)
        if isinstance(document, Index):
            chosen = document.select(self._platform)
            document = parse_document(_verified(archive, chosen), chosen.media_type)
        if not isinstance(document, Manifest):
            raise CorruptData("%s has an index in an index" % archive)
        return document

    def _store_oci(self, archive, manifest):
        for descriptor in (manifest.config,) + manifest.layers:
            if self._images.claim_blob(descriptor):
                continue
            digest, size = self._add(archive, _blob_name(descriptor.digest))
            if digest != descriptor.digest or size != descriptor.size:
                raise DigestMismatch("%s: blob %s has %d bytes with the digest %s, expected %d bytes"
                                     % (archive, descriptor.digest, size, digest, descriptor.size))
        config = parse_config(self._images.read_blob(manifest.config.digest))
        if len(config.diff_ids) != len(manifest.layers):
            raise CorruptData("%s: the configuration %s names %d layers, the manifest %d"
                              % (archive, manifest.config.digest, len(config.diff_ids),
                                 len(manifest.layers)))
        return manifest

    # docker-archive

    def _docker_images(self, archive):
        if not archive.has("manifest.json"):
            raise _no_archive(archive)
        return [Found(tuple(_familiar(ImageReference.parse(name)) for name in names),
                      lambda config=config, layers=layers:
                      self._store_docker(archive, config, layers))
                for names, config, layers in _docker_entries(archive)]

    def _store_docker(self, archive, config_name, layer_names):
        config_raw = archive.read(config_name, MAX_DOCUMENT)
        config = parse_config(config_raw)
        if len(config.diff_ids) != len(layer_names):
            raise CorruptData("%s: %s names %d layers, manifest.json %d"
                              % (archive, quoted(config_name), len(config.diff_ids),
                                 len(layer_names)))
        layers, known = [], {}
        for name, diff_id in zip(layer_names, config.diff_ids):
            key = archive.identity(name), diff_id  # a layer may occur several times
            if key not in known:
                known[key] = self._store_layer(archive, name, diff_id)
            layers.append(known[key])
        digest, size = self._add(archive, config_name)
        if _hex_of(config_name) not in (digest.hex, ""):
            raise DigestMismatch("%s: the configuration %s has the digest %s"
                                 % (archive, quoted(config_name), digest))
        raw = json.dumps({
            "schemaVersion": 2, "mediaType": DOCKER_MANIFEST,
            "config": {"mediaType": DOCKER_CONFIG, "digest": str(digest), "size": size},
            "layers": layers}, sort_keys=True).encode("ascii")
        return parse_document(raw)

    def _store_layer(self, archive, name, diff_id):
        with archive.open(name) as source:
            start = source.read(4)
        media_type = next(kind for magic, kind in _LAYER_TYPES if start.startswith(magic))
        if media_type != _LAYER_TYPES[-1][1]:
            with archive.open(name) as source:
                unpacked = self._unpacked(archive, name, source)
        digest, size = self._add(archive, name)
        if media_type == _LAYER_TYPES[-1][1]:
            unpacked = digest
        if unpacked != diff_id:
            raise DigestMismatch("%s: layer %s has the digest %s, expected %s"
                                 % (archive, quoted(name), unpacked, diff_id))
        return {"mediaType": media_type, "digest": str(digest), "size": size}

    @staticmethod
    def _unpacked(archive, name, source):
        try:
            return check_layer(source).diff_id
        except UdockerError as error:
            raise type(error)("%s: layer %s: %s" % (archive, quoted(name), error.message), error.hint)


def _no_archive(archive):
    return CorruptData("%s is neither a docker archive nor an OCI layout" % archive,
                       "'udocker import' takes root file systems")


def _verified(archive, descriptor):
    """Return the bytes of the document ``descriptor`` points at."""
    import hashlib
    raw = archive.read(_blob_name(descriptor.digest), MAX_DOCUMENT)
    if len(raw) != descriptor.size:
        raise SizeMismatch("%s: blob %s has %d bytes, expected %d"
                           % (archive, descriptor.digest, len(raw), descriptor.size))
    if hashlib.new(descriptor.digest.algorithm, raw).hexdigest() != descriptor.digest.hex:
        raise DigestMismatch("%s: blob %s has another digest" % (archive, descriptor.digest))
    return raw


def _blob_name(digest):
    return "blobs/%s/%s" % (digest.algorithm, digest.hex)


def _docker_entries(archive):
    """Return [(names, config member, layer members)] of a manifest.json."""
    try:
        entries = loads(archive.read("manifest.json", MAX_DOCUMENT))
        if isinstance(entries, dict):  # skopeo's dir: has one image's manifest under this name
            raise _no_archive(archive)
        found = [(tuple(entry.get("RepoTags") or ()), entry["Config"], entry["Layers"])
                 for entry in entries]
        texts = [text for names, config, layers in found for text in names + (config,)] \
            + [layer for _, _, layers in found for layer in layers]
        valid = all(isinstance(text, str) for text in texts)
    except (ValueError, KeyError, TypeError, AttributeError):
        valid = False
    if not valid or any(len(layers) > MAX_LAYERS for _, _, layers in found):
        raise CorruptData("%s has a damaged manifest.json" % archive)
    return found


def _docker_names(archive):
    """Return {digest of a configuration: names} where an OCI layout has a manifest.json too."""
    if not archive.has("manifest.json"):
        return {}
    return {"sha256:" + _hex_of(config): names
            for names, config, _ in _docker_entries(archive)}


def _hex_of(config_name):
    """Return the digest (hex) that the name of a configuration tells, "" if it tells none."""
    name = config_name.rpartition("/")[2]
    name = name[:-len(".json")] if name.endswith(".json") else name
    return name if len(name) == 64 and not name.strip("0123456789abcdef") else ""


def _names_in(annotations):
    """Return the names that ``annotations`` (dict) of an index entry give, as people type them."""
    for key in (_FULL_NAME, _REF_NAME):
        text = annotations.get(key, "")
        if "/" in text or ":" in text:
            try:
                reference = ImageReference.parse(text)
            except InvalidValue:
                continue
            return (_familiar(reference),)
    return ()


def _familiar(reference):
    """Return ``reference`` as people type it: so is what is here already found and replaced."""
    shortest = min(reference.spellings(), key=len)
    return "%s%s%s" % (shortest, "@" if reference.digest else ":", reference.version)


def _name_of_nameless(manifest):
    """The same image always gets the same name, so that loading twice makes no second one."""
    return ImageReference.parse("image-%s:latest" % manifest.config.digest.short)
