"""Other people's programs, as they come from PyPI.

UDOCKER_TEST_CLIENTS    a directory in which what was installed is kept (default: for this run only)
"""

import fcntl
import os
import shutil
import subprocess
import sys

import pytest

import build
from tests.fakes.images import File, image, layer, layer_of_tar
from tests.fakes.registry import FakeRegistry

#: The oldest Python that all of them run on, and the newest that they were seen to run on.
OLDEST, NEWEST = (3, 10), (3, 13)


@pytest.fixture(scope="session")
def old_program(tmp_path_factory):
    """Path of udocker 1.3.17's command, installed from PyPI, and the directory it needs."""
    target = str(tmp_path_factory.mktemp("udocker-1.3.17"))
    done = subprocess.run([sys.executable, "-m", "pip", "install", "-q", "--target", target,
                           "udocker==1.3.17"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode:
        pytest.skip("udocker 1.3.17 cannot be installed from PyPI: %s"
                    % done.stdout.decode("utf-8", "replace").strip().split("\n")[-1])
    return os.path.join(target, "bin", "udocker"), target


@pytest.fixture(scope="session")
def client(tmp_path_factory):
    """A function that returns the directory (str) with the programs of a package of PyPI.

    They run on a new Python that is here, whatever Python the tests and udocker run on.
    """
    kept = os.environ.get("UDOCKER_TEST_CLIENTS") or str(tmp_path_factory.mktemp("clients"))

    def install(requirement):
        python = newest_python()
        place = os.path.join(kept, "%s-%s" % (requirement.replace("==", "-"),
                                              os.path.basename(python)))
        os.makedirs(kept, exist_ok=True)
        with open(place + ".lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # other processes of pytest want it too
            if not os.path.exists(os.path.join(place, "complete")):
                shutil.rmtree(place, ignore_errors=True)
                for words in ([python, "-m", "venv", place],
                              [os.path.join(place, "bin", "python"), "-m", "pip", "install", "-q",
                               "--disable-pip-version-check", requirement]):
                    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                          universal_newlines=True)
                    if done.returncode:
                        pytest.skip("%s cannot be installed from PyPI: %s" % (
                            requirement, done.stdout.strip().split("\n")[-1]))
                open(os.path.join(place, "complete"), "w").close()
        return os.path.join(place, "bin")

    return install


def newest_python():
    found = [(version_of(path), path) for path in build.pythons()]
    good = [entry for entry in found if OLDEST <= entry[0] <= NEWEST]
    if not good:
        pytest.skip("there is no Python from %d.%d to %d.%d for it" % (OLDEST + NEWEST))
    return max(good)[1]


def version_of(path):
    """(major, minor) of .../python3.13; (0, 0) of a path without them."""
    digits = os.path.basename(path)[len("python"):].split(".")
    return tuple(int(part) for part in digits) if len(digits) == 2 else (0, 0)


@pytest.fixture
def path(udocker, engines, tmp_path):
    """PATH (str) in which ``udocker`` and ``udocker.py`` are the built program."""
    folder = tmp_path / "programs"
    folder.mkdir()
    for name in ("udocker", "udocker.py"):
        os.symlink(udocker.pyz, str(folder / name))
    return "%s:/usr/local/bin:/usr/bin:/bin" % folder


@pytest.fixture
def registry(demo_archive):
    """A registry with the image tools: busybox, and something that is called bash."""
    import tarfile
    with tarfile.open(demo_archive) as archive:
        base = layer_of_tar(archive.extractfile("layer.tar").read())
    bash = layer({"bin/bash": File(b'#!/bin/sh\nexec /bin/sh "$@"\n', 0o755, 0, 0)})
    with FakeRegistry() as running:
        for name in ("tools", "library/tools"):
            running.add(name, "latest", image([base, bash], config={
                "Cmd": ["sh"], "Env": ["PATH=/usr/bin:/bin"]}))
        yield running
