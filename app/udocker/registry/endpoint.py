"""Which registry a reference means, and the path of the image there."""

from collections import namedtuple

from udocker.errors import InvalidValue
from udocker.model.reference import DOCKER_HUB, DOCKER_HUB_NAMES, quoted

#: Where Docker Hub answers the distribution protocol; ``docker.io`` itself is a web site.
DOCKER_HUB_REGISTRY = "https://registry-1.docker.io"

#: The longest name of the DNS; names that are not ASCII never reach the quadratic decoder of idna.
MAX_HOST_NAME = 253

_DIGITS = frozenset("0123456789")
_ALNUM = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") | _DIGITS
_HOST_CHARACTERS = _ALNUM | frozenset(".-_")
_ADDRESS_CHARACTERS = frozenset("abcdefABCDEF:.") | _DIGITS
_PATH_CHARACTERS = _ALNUM | frozenset("._~-/")

_DEFAULT_PORTS = {"http": 80, "https": 443}


class Endpoint(namedtuple("Endpoint", "host scheme prefix is_hub")):
    """A registry that one can ask.

    host (str): ``name[:port]``, without userinfo.
    scheme (str): ``https`` or ``http`` where the user wrote one, or "".
    prefix (str): what stands between the host and ``/v2/``; "" nearly always.
    is_hub (bool): it is Docker Hub or what the user put in its place, so that ``ubuntu`` means
    ``library/ubuntu`` there.
    """

    __slots__ = ()

    @classmethod
    def parse(cls, text, is_hub=False):
        """Return the endpoint that ``text`` spells: ``[http://|https://]host[:port][/path]``.

        InvalidValue where it is something else; a password in it is refused and not repeated.
        """
        scheme, separator, rest = text.strip().partition("://")
        if not separator:
            scheme, rest = "", text.strip()
        if "@" in rest.partition("/")[0]:
            raise InvalidValue("invalid registry: it holds a user name or a password",
                               "'udocker login' asks for them")
        host, _, path = rest.partition("/")
        path = "/".join(part for part in path.split("/") if part)
        for ending in ("v1", "v2"):  # as 1.3.x and docker write the address of a registry
            if path == ending or path.endswith("/" + ending):
                path = path[:-len(ending)].rstrip("/")
        if scheme.lower() not in ("", "http", "https") or not _is_host(host) or not _is_path(path):
            raise InvalidValue("invalid registry %s" % quoted(text),
                               "write it as [http://|https://]host[:port]")
        host = host.lower()
        return cls(host, scheme.lower(), "/" + path if path else "",
                   is_hub or host in DOCKER_HUB_NAMES)

    @classmethod
    def of(cls, reference, hub=""):
        """Return the endpoint for ``reference`` (ImageReference).

        hub (str): what the user put in the place of Docker Hub (``--registry``,
        ``UDOCKER_REGISTRY``); "" for Docker Hub itself.
        """
        if reference.is_docker_hub:
            return cls.parse(hub or DOCKER_HUB_REGISTRY, is_hub=True)
        return cls.parse(reference.registry)

    @property
    def name(self):
        """What people call it."""
        return DOCKER_HUB if self.host in DOCKER_HUB_NAMES else self.host

    @property
    def is_docker(self):
        """Whether it is Docker Hub itself."""
        return self.host in DOCKER_HUB_NAMES

    @property
    def is_loopback(self):
        return is_loopback(split_host(self.host)[0])

    def path_of(self, reference):
        """Return the path of the image ``reference`` in this registry.

        InvalidValue for upper-case letters: udocker 1.3.x let them into local names, but no
        registry may have them (OCI distribution, "Pulling manifests").
        """
        path = reference.repository
        if path != path.lower():
            raise InvalidValue("invalid image name %s: upper-case letters" % quoted(path),
                               "names in a registry are lower case")
        if self.is_hub and "/" not in path:
            return "library/" + path
        return path

    def paths_of(self, reference):
        """Return the paths (list of str) at which ``reference`` may stand, the likeliest first."""
        paths = [self.path_of(reference)]
        if not reference.registry and paths[0] != reference.repository and not self.is_docker:
            # --registry: a mirror of Docker Hub has library/, a registry of one's own has not
            paths.append(reference.repository)
        return paths


def origin(url):
    """Return (scheme, host, port) of ``url``: what a credential and a cookie are bound to.

    InvalidValue where the URL is none that we would ask: another scheme, userinfo, a host name
    that is not plain ASCII of at most 253 characters (another one is spelled in ASCII on the wire).
    """
    from urllib.parse import urlsplit
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise InvalidValue("invalid URL: its host or port is malformed")
    scheme, host = parts.scheme.lower(), (parts.hostname or "").lower()
    if scheme not in _DEFAULT_PORTS:
        raise InvalidValue("invalid URL: %s is not http or https" % quoted(scheme))
    if parts.username is not None or parts.password is not None:
        raise InvalidValue("invalid URL: it holds a user name or a password")
    if not _is_host("[%s]" % host if ":" in host else host):
        raise InvalidValue("invalid URL: bad host %s" % quoted(host))
    return scheme, host, port or _DEFAULT_PORTS[scheme]


def split_host(host):
    """Return (name, port) of ``host[:port]``, port 0 where there is none, brackets taken off."""
    if host.startswith("["):
        name, _, port = host[1:].partition("]")
        return name.lower(), int(port[1:] or 0)
    name, _, port = host.partition(":")
    return name.lower(), int(port or 0)


def is_loopback(name):
    """Whether the host ``name`` is this machine, as docker has it: localhost, 127.0.0.0/8, ::1."""
    if name in ("localhost", "::1"):
        return True
    parts = name.split(".")
    return len(parts) == 4 and parts[0] == "127" and all(part.isdigit() for part in parts)


def _is_host(host):
    """``name``, ``name:port``, ``address:port`` or ``[address of IPv6]:port``."""
    if host.startswith("["):
        address, bracket, port = host[1:].partition("]")
        if not bracket or ":" not in address or not _ADDRESS_CHARACTERS.issuperset(address):
            return False
        return not port or (port[0] == ":" and _is_port(port[1:]))
    name, colon, port = host.partition(":")
    return (0 < len(name) <= MAX_HOST_NAME and _HOST_CHARACTERS.issuperset(name)
            and name[0] not in ".-" and (not colon or _is_port(port)))


def _is_port(text):
    return 0 < len(text) <= 5 and _DIGITS.issuperset(text) and int(text) < 65536


def _is_path(path):
    return _PATH_CHARACTERS.issuperset(path) and ".." not in path.split("/")
