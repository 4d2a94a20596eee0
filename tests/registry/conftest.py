import os
import shutil
import socket
import subprocess
import time

import pytest

from tests.fakes.certificates import make_certificate
from tests.fakes.registry import FakeRegistry
from tests.registry.support import IMAGE

DOCKER_REGISTRY = shutil.which("docker-registry")


class RealRegistry(object):
    """A docker-registry program of this machine, on a free loopback port."""

    def __init__(self, folder, auth=""):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.host = "127.0.0.1:%d" % free.getsockname()[1]
        self.base = "http://" + self.host
        self.data = os.path.join(folder, "data")
        config = os.path.join(folder, "config.yml")
        with open(config, "w") as stream:
            stream.write("version: 0.1\nlog: {level: error}\n"
                         "storage: {filesystem: {rootdirectory: %s}}\n"
                         "http: {addr: '%s'}\n%s" % (self.data, self.host, auth))
        self._log = open(os.path.join(folder, "log"), "wb")
        self._process = subprocess.Popen([DOCKER_REGISTRY, "serve", config], stdin=subprocess.DEVNULL,
                                         stdout=self._log, stderr=subprocess.STDOUT)
        name, port = self.host.split(":")
        for _ in range(500):
            try:
                socket.create_connection((name, int(port)), 1).close()
                return
            except OSError:
                if self._process.poll() is not None:
                    break
                time.sleep(0.02)
        self.stop()
        with open(os.path.join(folder, "log")) as stream:
            raise AssertionError("docker-registry does not start: " + stream.read()[-1000:])

    def stop(self):
        self._process.terminate()
        self._process.wait(10)
        self._log.close()


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
