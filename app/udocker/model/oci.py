"""The documents of an image: index, manifest, configuration.

Specifications: OCI image-spec 1.1 (descriptor.md, image-index.md, manifest.md, config.md) and
docker's image manifest v2, schema 2, which they grew out of.
"""

from collections import namedtuple

from udocker.errors import CorruptData, InvalidValue, NoSuchPlatform
from udocker.model.jsontext import loads
from udocker.model.reference import Digest, printable, quoted

OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"

INDEX_TYPES = (OCI_INDEX, DOCKER_LIST)
MANIFEST_TYPES = (OCI_MANIFEST, DOCKER_MANIFEST)

#: Bytes of an index, manifest or configuration. OCI distribution ("Pushing manifests") has
#: registries refuse manifests over 4 MiB, and a reader that takes any size can be starved.
MAX_DOCUMENT = 4 * 1024 * 1024
#: Layers of an image. Kernels stop at 500 overlay layers; real images stay far below.
MAX_LAYERS = 512
#: Bytes that a descriptor may announce: no image has a terabyte in one blob.
MAX_BLOB = 1 << 40

#: What uname(2) and people say -> GOARCH, the names that images use (config.md, "architecture").
ARCHITECTURES = {
    "x86_64": "amd64", "amd64": "amd64", "x86-64": "amd64",
    "i386": "386", "i486": "386", "i586": "386", "i686": "386", "x86": "386", "386": "386",
    "aarch64": "arm64", "arm64": "arm64",
    "armv8l": "arm", "armv7l": "arm", "armv6l": "arm", "armv5l": "arm", "armhf": "arm",
    "armel": "arm", "arm": "arm",
    "ppc64le": "ppc64le", "ppc64el": "ppc64le", "s390x": "s390x", "riscv64": "riscv64",
    "loongarch64": "loong64", "mips64": "mips64",
}

#: A processor also runs what was built for these variants, best first (image-index.md, "variant").
_FALLBACK_VARIANTS = {
    ("arm64", "v9"): ("v9", "v8", ""), ("arm64", "v8"): ("v8", ""),
    ("arm", "v8"): ("v8", "v7", "v6", "v5", ""), ("arm", "v7"): ("v7", "v6", "v5", ""),
    ("arm", "v6"): ("v6", "v5", ""), ("amd64", "v4"): ("v4", "v3", "v2", "v1", ""),
    ("amd64", "v3"): ("v3", "v2", "v1", ""), ("amd64", "v2"): ("v2", "v1", ""),
    ("amd64", "v1"): ("v1", ""),
}


class Platform(namedtuple("Platform", "os architecture variant")):
    """What an image was built for, in the names of Go: ``linux/arm64/v8``."""

    __slots__ = ()

    @classmethod
    def parse(cls, text):
        """Return the platform that ``text`` (str, ``os/architecture[/variant]``) spells."""
        parts = text.split("/")
        if not 2 <= len(parts) <= 3 or not all(parts):
            raise InvalidValue("invalid platform %s" % quoted(text),
                               "write it as os/architecture[/variant], for example linux/arm64")
        return cls.of(*parts)

    @classmethod
    def of(cls, os_name, architecture, variant=""):
        """Return the platform with the names that images use for it."""
        return cls(os_name.lower(), ARCHITECTURES.get(architecture.lower(), architecture.lower()),
                   variant.lower())

    def accepts(self, other):
        """How well an image for ``other`` runs here: 0 best, higher worse, None not at all."""
        if (self.os, self.architecture) != (other.os, other.architecture):
            return None
        if not self.variant or self.variant == other.variant:
            return 0
        variants = _FALLBACK_VARIANTS.get((self.architecture, self.variant), (self.variant,))
        return variants.index(other.variant) if other.variant in variants else None

    def __str__(self):
        return "/".join(part for part in self if part)


class Descriptor(namedtuple("Descriptor", "media_type digest size platform annotations urls")):
    """A pointer to bytes that knows what they must be (descriptor.md).

    media_type (str), digest (Digest), size (int, bytes), platform (Platform or None),
    annotations (dict of str), urls (tuple of str: other places that have the bytes).
    """

    __slots__ = ()

    @classmethod
    def from_object(cls, value, what):
        """Return the descriptor in ``value`` (decoded JSON); ``what`` (str) names it in errors."""
        _require(isinstance(value, dict), "%s is not an object" % what)
        size = value.get("size")
        _require(isinstance(size, int) and not isinstance(size, bool) and 0 <= size <= MAX_BLOB,
                 "%s has no valid size" % what)
        digest = value.get("digest")
        _require(isinstance(digest, str), "%s has no digest" % what)
        platform = value.get("platform")
        if isinstance(platform, dict):
            platform = Platform.of(_text(platform.get("os")), _text(platform.get("architecture")),
                                   _text(platform.get("variant")))
        else:
            platform = None
        annotations = value.get("annotations")
        urls = value.get("urls")
        return cls(_text(value.get("mediaType")), Digest.parse(digest), size, platform,
                   _texts(annotations), tuple(u for u in urls if isinstance(u, str))
                   if isinstance(urls, list) else ())


class Index(namedtuple("Index", "raw media_type manifests annotations")):
    """A list of manifests, one a platform (image-index.md); ``raw`` (bytes) is its identity."""

    __slots__ = ()

    def select(self, platform):
        """Return the Descriptor whose image runs best on ``platform``, or NoSuchPlatform."""
        ranked = [(platform.accepts(entry.platform), position, entry)
                  for position, entry in enumerate(self.manifests) if entry.platform]
        ranked = [item for item in ranked if item[0] is not None]
        if ranked:
            return min(ranked, key=lambda item: item[:2])[2]
        there = sorted(set(str(entry.platform) for entry in self.manifests
                           if entry.platform and entry.platform.os != "unknown"))
        raise NoSuchPlatform("no image for platform %s" % printable(str(platform)),
                             "available platforms: %s" % (printable(", ".join(there)) or "none"))


class Manifest(namedtuple("Manifest", "raw media_type config layers annotations")):
    """One image (manifest.md): config (Descriptor), layers (tuple of Descriptor, base first)."""

    __slots__ = ()


class ImageConfig(namedtuple("ImageConfig", "env entrypoint cmd user workdir volumes labels ports "
                                            "platform diff_ids raw")):
    """What an image says about how to run it (config.md).

    env (tuple of (str, str)), entrypoint and cmd (tuple of str), user and workdir (str),
    volumes and ports (tuple of str), labels (dict), platform (Platform or None),
    diff_ids (tuple of Digest), raw (the decoded document).
    """

    __slots__ = ()


def parse_document(raw, content_type=""):
    """Return the Index or Manifest in ``raw`` (bytes).

    ``content_type`` (str) is what the server called it; it, the document's own ``mediaType`` and
    the document's shape must agree, so that no two readers can take the same bytes for different
    things (CVE-2021-41190).
    """
    document = load_object(raw, "manifest")
    if document.get("schemaVersion") == 1:
        raise CorruptData("image manifest of schema 1, which has no verifiable content",
                          "ask its owner to push it again with a docker of this decade")
    _require(document.get("schemaVersion") == 2, "manifest has no schemaVersion 2")
    is_index = "manifests" in document
    _require(is_index != ("layers" in document or "config" in document),
             "manifest is neither an index nor an image, or both")
    own = _text(document.get("mediaType"))
    served = content_type.partition(";")[0].strip().lower()
    known = INDEX_TYPES + MANIFEST_TYPES
    if served not in known:
        served = ""  # application/json, text/plain: the server has no opinion
    _require(not own or not served or own == served,
             "manifest is served as %s but says %s" % (served, printable(own)))
    media_type = own or served or (OCI_INDEX if is_index else OCI_MANIFEST)
    _require(media_type in (INDEX_TYPES if is_index else MANIFEST_TYPES),
             "manifest has the shape of another type than %s" % printable(media_type))
    annotations = _texts(document.get("annotations"))
    if is_index:
        entries = document["manifests"]
        _require(isinstance(entries, list), "manifests of the index are not a list")
        return Index(raw, media_type, tuple(Descriptor.from_object(entry, "manifest of the index")
                                            for entry in entries), annotations)
    layers = document.get("layers")
    _require(isinstance(layers, list) and len(layers) <= MAX_LAYERS,
             "layers of the manifest are not a list of at most %d" % MAX_LAYERS)
    return Manifest(raw, media_type, Descriptor.from_object(document.get("config"), "config"),
                    tuple(Descriptor.from_object(layer, "layer") for layer in layers), annotations)


def parse_config(raw):
    """Return the ImageConfig in ``raw`` (bytes): an image's configuration or a 1.3.x container.json."""
    return config_from_object(load_object(raw, "image configuration"))


def config_from_object(document):
    """Return the ImageConfig in ``document`` (dict), reading strings and lists for one another.

    Old images have their settings in ``container_config`` or at the top, in lower case too.
    """
    section = document
    for key in ("config", "container_config"):
        if isinstance(document.get(key), dict) and document[key]:
            section = document[key]
            break

    def setting(key):
        value = section.get(key)
        return section.get(key.lower()) if value is None else value

    rootfs = document.get("rootfs")
    diff_ids = rootfs.get("diff_ids") if isinstance(rootfs, dict) else None
    architecture = _text(document.get("architecture"))
    platform = Platform.of(_text(document.get("os")) or "linux", architecture,
                           _text(document.get("variant"))) if architecture else None
    return ImageConfig(
        tuple((key, value) for key, equals, value
              in (entry.partition("=") for entry in _words(setting("Env"))) if key),
        _words(setting("Entrypoint")), _words(setting("Cmd")), _text(setting("User")),
        _text(setting("WorkingDir")), _keys(setting("Volumes")), _texts(setting("Labels")),
        _keys(setting("ExposedPorts")), platform,
        tuple(Digest.parse(d) for d in diff_ids if isinstance(d, str))
        if isinstance(diff_ids, list) else (),
        document)


def load_object(raw, what):
    """Return the JSON object in ``raw`` (bytes); CorruptData names ``what`` if it is none."""
    if len(raw) > MAX_DOCUMENT:
        raise CorruptData("%s of %d bytes is larger than the limit of %d"
                          % (what, len(raw), MAX_DOCUMENT))
    try:
        document = loads(raw)
    except ValueError:
        raise CorruptData("%s is not JSON" % what)
    _require(isinstance(document, dict), "%s is not a JSON object" % what)
    return document


def _require(condition, message):
    if not condition:
        raise CorruptData(message)


def _text(value):
    return value if isinstance(value, str) else ""


def _texts(value):
    if not isinstance(value, dict):
        return {}
    return {key: text for key, text in value.items() if isinstance(text, str)}


def _words(value):
    if isinstance(value, str):
        return (value,) if value else ()
    if isinstance(value, list):
        return tuple(word for word in value if isinstance(word, str))
    if isinstance(value, dict):
        return tuple("%s=%s" % item for item in value.items())
    return ()


def _keys(value):
    return tuple(value) if isinstance(value, dict) else _words(value)
