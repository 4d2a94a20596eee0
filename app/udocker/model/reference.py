"""Names of images and of bytes.

Grammar: the OCI distribution specification, "Pulling manifests" (names and tags), and the OCI
image specification, "Digests".
"""

from collections import namedtuple

from udocker.errors import InvalidValue

#: Hexadecimal length of each digest algorithm that we can compute everywhere.
DIGEST_LENGTHS = {"sha256": 64, "sha512": 128}

DEFAULT_TAG = "latest"
#: The registry that a reference without a host means, as docker names it.
DOCKER_HUB = "docker.io"
#: Every host name under which Docker Hub is known.
DOCKER_HUB_NAMES = frozenset(["docker.io", "index.docker.io", "registry-1.docker.io"])

MAX_NAME_LENGTH = 255  # OCI distribution: clients may assume that longer names fail
MAX_TAG_LENGTH = 128  # OCI distribution: [a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}

_DIGITS = frozenset("0123456789")
_HEX = _DIGITS | frozenset("abcdef")
_ALNUM = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
_TAG_CHARACTERS = _ALNUM | frozenset("_.-")
_HOST_CHARACTERS = _ALNUM | frozenset(".-")


class Digest(namedtuple("Digest", "algorithm hex")):
    """The identity of some bytes: ``sha256:<64 hex>`` or ``sha512:<128 hex>``.

    It is the only value that is ever turned into the path of a blob, and one that exists is
    well formed.
    """

    __slots__ = ()

    @classmethod
    def parse(cls, text):
        """Return the digest that ``text`` (str) spells; InvalidValue if it is not one."""
        algorithm, separator, hexadecimal = text.partition(":")
        length = DIGEST_LENGTHS.get(algorithm)
        if not separator or length is None:
            raise InvalidValue("invalid digest %s: not sha256:<hex> or sha512:<hex>" % quoted(text))
        if len(hexadecimal) != length or not _HEX.issuperset(hexadecimal):
            raise InvalidValue("invalid digest %s: %s wants %d lower-case hexadecimal digits"
                               % (quoted(text), algorithm, length))
        return cls(algorithm, hexadecimal)

    @property
    def short(self):
        """The first 12 hexadecimal digits, as people know image ids."""
        return self.hex[:12]

    def __str__(self):
        return "%s:%s" % (self.algorithm, self.hex)


class ImageReference(namedtuple("ImageReference", "registry repository tag digest")):
    """What the user calls an image.

    registry (str): host[:port] as it was typed; "" where none was.
    repository (str): the path, without ``library/`` unless it was typed.
    tag (str): "" only where a digest is given instead.
    digest (Digest or None): wins over the tag.
    """

    __slots__ = ()

    @classmethod
    def parse(cls, text):
        """Return the reference that ``text`` (str) spells.

        Upper-case letters in the repository are let through, because udocker 1.3.x made such
        names locally; a registry is never asked for them (``registry_path``).
        """
        rest, at, digest_text = text.partition("@")
        digest = Digest.parse(digest_text) if at else None
        head, slash, last = rest.rpartition("/")
        last, colon, tag = last.partition(":")
        name = head + slash + last
        if colon and not _is_tag(tag):
            raise InvalidValue("invalid image name %s: bad tag" % quoted(text))
        registry, repository = _split_registry(name)
        if registry and not _is_host(registry):
            raise InvalidValue("invalid image name %s: bad registry host" % quoted(text))
        if not _is_repository(repository):
            raise InvalidValue("invalid image name %s" % quoted(text),
                               "write it as [host[:port]/]name[:tag] or name@sha256:<hex>")
        if not tag and digest is None:
            tag = DEFAULT_TAG
        return cls(registry, repository, tag, digest)

    @property
    def name(self):
        """The reference without tag and digest, as it was typed."""
        return "%s/%s" % (self.registry, self.repository) if self.registry else self.repository

    @property
    def version(self):
        """What stands for the version in the store: the digest where one is given, or the tag."""
        return str(self.digest) if self.digest else self.tag

    @property
    def is_docker_hub(self):
        return not self.registry or self.registry in DOCKER_HUB_NAMES

    def spellings(self):
        """Names under which the same image may stand in the store, the typed one first."""
        names = [self.name]
        if self.is_docker_hub:
            path = self.repository
            short = path[len("library/"):] if path.startswith("library/") else path
            paths = [path] if "/" in short else [short, "library/" + short]
            for candidate in paths + [DOCKER_HUB + "/" + path for path in paths]:
                if candidate not in names:
                    names.append(candidate)
        return names

    def __str__(self):
        text = self.name
        if self.tag:
            text += ":" + self.tag
        if self.digest:
            text += "@" + str(self.digest)
        return text


def quoted(text):
    """``text`` for a message: quoted, shortened, with nothing a terminal would act on."""
    shown = text if len(text) <= 200 else text[:200] + "..."
    return "'%s'" % printable(shown)


def printable(text):
    """``text`` (str) with every control, surrogate and other unprintable character escaped."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else
                   c.encode("unicode_escape", "surrogatepass").decode("ascii") for c in text)


def _split_registry(name):
    """docker's rule: the first component is a host if it has a dot or a colon, or is localhost."""
    first, slash, rest = name.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        return first, rest
    return "", name


def _is_tag(tag):
    return (0 < len(tag) <= MAX_TAG_LENGTH and tag[0] not in ".-"
            and _TAG_CHARACTERS.issuperset(tag))


def _is_host(host):
    if host.startswith("["):
        address, bracket, port = host[1:].partition("]")
        return (bool(bracket) and (_HEX | frozenset("ABCDEF:.")).issuperset(address)
                and (not port or (port[0] == ":" and _is_port(port[1:]))))
    name, colon, port = host.partition(":")
    # 253: the longest name of the DNS, and what keeps idna's quadratic decoder out of reach
    return (0 < len(name) <= 253 and _HOST_CHARACTERS.issuperset(name) and name[0] not in ".-"
            and (not colon or _is_port(port)))


def _is_port(text):
    return 0 < len(text) <= 5 and _DIGITS.issuperset(text) and int(text) < 65536


def _is_repository(path):
    return (0 < len(path) <= MAX_NAME_LENGTH
            and all(_is_component(component) for component in path.split("/")))


def _is_component(component):
    """Letters and digits, separated by one dot, one or two underscores, or any dashes."""
    if not component or component[0] not in _ALNUM or component[-1] not in _ALNUM:
        return False
    separator = ""
    for character in component:
        if character in _ALNUM:
            separator = ""
            continue
        separator += character
        if separator not in (".", "_", "__") and separator.strip("-"):
            return False
    return True
