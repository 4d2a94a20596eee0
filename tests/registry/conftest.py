import pytest

from tests.fakes.certificates import make_certificate
from tests.fakes.registry import FakeRegistry
from tests.registry.support import IMAGE


@pytest.fixture
def fake():
    """A FakeRegistry with ``test:latest``, which nobody has to log in to."""
    with FakeRegistry() as registry:
        registry.add("test", "latest", IMAGE)
        yield registry


@pytest.fixture
def another():
    """Another host: a FakeRegistry on a port of its own."""
    with FakeRegistry() as registry:
        yield registry


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    """(certificate, key) for localhost and 127.0.0.1, which nobody trusts unless told to."""
    return make_certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture
def secure(certificate):
    """A FakeRegistry with TLS, called localhost, with ``test:latest``."""
    with FakeRegistry(certificate=certificate, name="localhost") as registry:
        registry.add("test", "latest", IMAGE)
        yield registry
