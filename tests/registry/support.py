"""What the tests of this folder share."""

import io

from udocker.model.oci import Descriptor, Platform
from udocker.model.reference import Digest
from udocker.registry.client import Registry
from udocker.registry.credentials import Credential
from udocker.registry.endpoint import Endpoint
from udocker.registry.retry import Retries, Timeouts
from udocker.registry.tls import Trust
from udocker.registry.transport import Transport
from tests.fakes.images import digest_of, image, layer
from tests.fakes.logins import BasicAuth

#: Stubborn, and in no need of time.
QUICK = Retries(attempts=3, base_delay=0.0, max_delay=0.0)
AMD64 = Platform.of("linux", "amd64")

BASE = layer({"etc/motd": b"hello\n" * 50000}, compression="tar")  # 300 KB: several pieces
IMAGE = image([BASE])
LAYER = BASE.data


def transport(**settings):
    """A Transport that knows nothing of the machine it runs on."""
    settings.setdefault("retries", QUICK)
    settings.setdefault("timeouts", Timeouts(2, 5))
    settings.setdefault("environ", {})
    settings.setdefault("trust", Trust(settings["environ"], directories=()))
    return Transport(**settings)


def client(address, credentials=None, **settings):
    """A Registry for ``address`` (``host:port`` or a URL)."""
    return Registry(transport(**settings), Endpoint.parse(address), credentials)


def described(data, **changes):
    """The Descriptor of ``data`` (bytes), with ``changes``."""
    made = Descriptor("application/octet-stream", Digest.parse(digest_of(data)), len(data), None, {}, ())
    return made._replace(**changes)


def fetch(registry, data, repository="test", **changes):
    """What ``registry.blob`` brings for the descriptor of ``data``."""
    sink = io.BytesIO()
    registry.blob(repository, described(data, **changes), sink)
    return sink.getvalue()


class Keyring(object):
    """Credentials from a dict: host -> Credential. Remembers what it was asked."""

    def __init__(self, known):
        self.known, self.asked = known, []

    def find(self, host, repository=""):
        self.asked.append((host, repository))
        return self.known.get(host)


def login(registry):
    """A FakeRegistry wants ann's password; return the Keyring that has it."""
    registry.auth = BasicAuth({"ann": "geheim"})
    return Keyring({registry.host: Credential("ann", "geheim")})
