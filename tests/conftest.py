"""What tests share: the built program, a small image, a home to run it in; and who is slow.

    def test_it_says_hello(udocker, demo_home):
        assert udocker("run", "c", "echo", "hello").out == "hello\n"
"""

import os
import shutil
import signal
import subprocess
import sys
import zipfile
from collections import namedtuple

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
APP = os.path.join(ROOT, "app")
for folder in (ROOT, APP):
    if folder not in sys.path:
        sys.path.insert(0, folder)

PYZ = os.environ.get("UDOCKER_PYZ") or os.path.join(ROOT, "dist", "udocker.pyz")
#: Folders and fixtures of tests that need a container or a server: ``-m "not slow"`` is the rest.
SLOW_FOLDERS = ("cli", "engines", "clients", "modes")
SLOW_FIXTURES = frozenset(["udocker", "pyz", "start_real_registry"])
#: Folders of tests of engines, and the one file there that is about our own Python.
ENGINE_FOLDERS, BUILDER = ("engines", "modes"), "test_engines_build.py"
#: A run that takes longer than this has hung; most take a fraction of a second.
TIMEOUT_S = 60

#: status (int), out, err (str, or bytes if asked for).
Result = namedtuple("Result", "status out err")


def pytest_configure():
    # a shell starts what it leaves in the background with SIGINT ignored, and so would we
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items):
    for item in items:
        place = os.path.relpath(str(item.fspath), os.path.join(ROOT, "tests")).split(os.sep)
        if place[0] in ENGINE_FOLDERS and place[1] != BUILDER:
            item.add_marker(pytest.mark.engine)
        if place[0] in SLOW_FOLDERS or SLOW_FIXTURES.intersection(item.fixturenames):
            item.add_marker(pytest.mark.slow)


def pytest_terminal_summary(terminalreporter):
    """Leave the reasons of skipped tests where ./test finds them, for its own summary."""
    path = os.environ.get("UDOCKER_TEST_SKIPS")
    if path and not hasattr(terminalreporter.config, "workerinput"):  # not once more in xdist's
        with open(path, "a", encoding="utf-8") as file:
            for report in terminalreporter.stats.get("skipped", ()):
                reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else ""
                file.write("Python %d.%d, %s: %s\n" % (sys.version_info[:2] + (
                    report.nodeid.split("::")[0], " ".join(reason.split()))))


def clean_environment(home, **more):
    """Return the environment (dict) of a user who has set nothing, and of ``more``."""
    # UDOCKER_PYTHON: the program is to run on the Python that this suite is for
    environ = {"PATH": "/usr/bin:/bin", "HOME": str(home), "TMPDIR": str(home), "LC_ALL": "C.UTF-8",
               "UDOCKER_PYTHON": sys.executable}
    environ.update(more)
    return {key: value for key, value in environ.items() if value is not None}


class Udocker(object):
    """The built program and a user's home: called with the words of a command line."""

    def __init__(self, pyz, home):
        """pyz, home (str)."""
        self.pyz, self.home = pyz, home

    def command(self, *words, python=None):
        """Return the command line (list of str), of ``python`` (path) if that is to run the file."""
        return ([python] if python else []) + [self.pyz] + [str(word) for word in words]

    def environment(self, env=None, home=None, udocker_dir=None, python=None):
        """Return the environment (dict); a None in ``env`` (dict) takes a variable away."""
        more = {"UDOCKER_DIR": udocker_dir and str(udocker_dir)}
        if python:
            more["UDOCKER_PYTHON"] = None
        return clean_environment(home or self.home, **dict(more, **(env or {})))

    def __call__(self, *words, env=None, home=None, udocker_dir=None, python=None, input=None,
                 cwd=None, timeout=TIMEOUT_S, binary=False):
        """Run it to its end; return the Result. input (bytes, or str unless ``binary``)."""
        data = input.encode("utf-8") if isinstance(input, str) else input
        done = subprocess.run(
            self.command(*words, python=python), cwd=str(cwd or self.home), timeout=timeout,
            env=self.environment(env, home, udocker_dir, python), stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            **({"stdin": subprocess.DEVNULL} if data is None else {"input": data}))
        out, err = (done.stdout, done.stderr) if binary else (
            stream.decode("utf-8", "backslashreplace") for stream in (done.stdout, done.stderr))
        return Result(done.returncode, out, err)

    def ok(self, *words, **options):
        """Run it, and return its standard output; it must succeed."""
        done = self(*words, **options)
        assert done.status == 0, "udocker %s: status %d\n%s" % (
            " ".join(str(word) for word in words), done.status, done.err)
        return done.out

    def start(self, *words, env=None, **options):
        """Start it and return the Popen; the test ends it."""
        return subprocess.Popen(self.command(*words), env=self.environment(env),
                                cwd=str(self.home), **options)


@pytest.fixture(scope="session")
def pyz():
    """Path (str) of the built program."""
    if os.geteuid() == 0:
        pytest.fail("udocker is for ordinary users: run ./test, which makes one", pytrace=False)
    if not os.path.isfile(PYZ):
        pytest.fail("there is no %s: run 'build.py engines' and 'build.py pyz --embed', or ./test"
                    % PYZ, pytrace=False)
    return PYZ


@pytest.fixture
def home(tmp_path):
    """A new user's home (pathlib.Path)."""
    path = tmp_path / "home"
    path.mkdir()
    yield path
    # a root file system may have directories that even their owner may not write; and emulated
    # machines have no room for the homes of all tests
    subprocess.call(["chmod", "-R", "u+rwX", str(path)], stderr=subprocess.DEVNULL)
    shutil.rmtree(str(path), ignore_errors=True)


@pytest.fixture
def udocker(pyz, home):
    """The Udocker of a new user, on the Python that runs the tests."""
    return Udocker(pyz, str(home))


@pytest.fixture(scope="session")
def demo_archive(tmp_path_factory):
    """Path (str) of an archive with the image demo:latest: busybox, and a message as its command."""
    if not shutil.which("busybox"):
        pytest.skip("the program busybox is not installed (Debian package busybox-static)")
    path = str(tmp_path_factory.mktemp("demo") / "demo.tar")
    subprocess.check_call([sys.executable, os.path.join(ROOT, "scripts", "demo-image"), path])
    return path


@pytest.fixture(scope="session")
def engines(pyz):
    """Asks for a program that carries engines; one built without is told, not failed."""
    with zipfile.ZipFile(pyz) as archive:
        if not any(name.startswith("udocker/engine/bundles/") for name in archive.namelist()):
            pytest.skip("udocker.pyz was built without engines ('build.py pyz --embed')")


@pytest.fixture(scope="session")
def demo_template(pyz, engines, demo_archive, tmp_path_factory):
    """A home with engines, the image demo and the container c; to be copied, not used."""
    path = str(tmp_path_factory.mktemp("demo-home"))
    udocker = Udocker(pyz, path)
    udocker.ok("install")
    udocker.ok("load", "-i", demo_archive)
    udocker.ok("create", "--name=c", "demo")
    yield path
    subprocess.call(["chmod", "-R", "u+rwX", path])
    shutil.rmtree(path)


@pytest.fixture
def demo_home(demo_template, home):
    """The home (pathlib.Path) of ``udocker``, with engines, the image demo, the container c."""
    # -a keeps the times, by which engines are known to be genuine
    subprocess.check_call(["cp", "-a", demo_template + "/.", str(home)])
    return home


@pytest.fixture(scope="session")
def start_real_registry(tmp_path_factory):
    """A function that starts a RealRegistry; it is ended with the session."""
    from tests.fakes.docker_registry import DOCKER_REGISTRY, RealRegistry
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
