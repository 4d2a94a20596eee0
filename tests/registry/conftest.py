import pytest

from tests.fakes.certificates import make_certificate
from tests.fakes.docker_registry import DOCKER_REGISTRY, RealRegistry
from tests.fakes.registry import FakeRegistry
from tests.registry.support import IMAGE


@pytest.fixture(scope="session")
def start_real_registry(tmp_path_factory):
    """A function that starts a RealRegistry; it is ended with the session."""
    if DOCKER_REGISTRY is None:
        pytest.skip("the program docker-registry is not installed (Debian package docker-registry)")
    started = []

    def start(auth=""):
        registry = RealRegistry(str(tmp_path_factory.mktemp("docker-registry")), auth)
        started.append(registry)
        return registry

    yield start
    for registry in started:
        registry.stop()


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
