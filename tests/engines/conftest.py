"""The real engines, unpacked, and programs to run in them.

UDOCKER_TEST_ENGINES       a bundle to test (default: the one in dist/, else one built for the occasion)
UDOCKER_TEST_TRIXIE_ROOT   a root file system of Debian 13, owned by the user who runs the tests
                           (default: made by debootstrap, which only root can)
"""
import os
import shutil
import subprocess
import sys
import tarfile

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
MACHINE = os.uname().machine
#: The architecture as the names of engines have it.
NAME = {"aarch64": "arm64", "i686": "x86"}.get(MACHINE, MACHINE)
with open(os.path.join(TOP, "engines-build", "VERSION")) as _text:
    BUNDLE = "udocker-engines-%s-%s.tar.gz" % (_text.read().strip(), {"i686": "i386"}.get(MACHINE, MACHINE))
BUILD = os.path.join(TOP, "engines-build", "build.py")


@pytest.fixture(scope="session")
def engines(tmp_path_factory):
    """The directory in which the bundle's udocker_dir is unpacked."""
    bundle = os.environ.get("UDOCKER_TEST_ENGINES") or os.path.join(TOP, "dist", BUNDLE)
    if not os.path.exists(bundle):
        bundle = _built(str(tmp_path_factory.mktemp("bundle")))
    directory = str(tmp_path_factory.mktemp("engines"))
    with tarfile.open(bundle) as archive:
        for member in archive:
            path = os.path.join(directory, member.name)
            if member.isdir():
                os.makedirs(path)
            else:
                with open(path, "wb") as out:
                    shutil.copyfileobj(archive.extractfile(member), out)
                os.chmod(path, member.mode)
    return os.path.join(directory, "udocker_dir")


def _built(output):
    done = subprocess.run([sys.executable, BUILD, MACHINE, "--output", output], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, universal_newlines=True)
    if done.returncode:
        pytest.skip("no bundle in dist/, and none could be built: %s" % done.stderr.strip().split("\n")[-1])
    return done.stdout.strip()


def _engine(engines, name):
    path = os.path.join(engines, "bin", "%s-%s" % (name, NAME))
    if not os.path.exists(path):
        pytest.skip("no %s for %s" % (name, MACHINE))
    return path


@pytest.fixture(scope="session")
def proot(engines):
    return _engine(engines, "proot")


@pytest.fixture(scope="session")
def crun(engines):
    return _engine(engines, "crun")


def _compiled(source, output, *flags):
    if not shutil.which("gcc"):
        pytest.skip("no gcc to compile %s with" % source)
    done = subprocess.run(["gcc", "-O1", "-Wall", "-Werror", os.path.join(HERE, source), "-o", output] + list(flags),
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True)
    if done.returncode:
        pytest.skip("gcc %s cannot compile %s: %s" % (" ".join(flags), source, done.stdout.strip().split("\n")[-1]))
    return output


@pytest.fixture(scope="session")
def probes(tmp_path_factory):
    """A function: bits (32 or 64) -> the path of the program that makes one raw system call."""
    directory = tmp_path_factory.mktemp("probes")
    multiarch = subprocess.run(["gcc", "-print-multiarch"], stdout=subprocess.PIPE, universal_newlines=True).stdout.strip() \
        if shutil.which("gcc") else ""
    flags = ["-static", "-nostdlib", "-ffreestanding", "-fno-stack-protector", "-fno-pie", "-no-pie",
             "-idirafter", "/usr/include/" + multiarch]
    made = {}

    def probe(bits):
        if bits not in made:
            if bits == 32 and MACHINE != "x86_64":
                pytest.skip("only x86_64 runs programs of another word size here")
            made[bits] = _compiled("probe.c", str(directory / ("probe%d" % bits)), *(flags + ["-m32"] * (bits == 32)))
        return made[bits]
    return probe


@pytest.fixture(scope="session")
def guest_program(tmp_path_factory):
    """The path of a static program that behaves as its arguments say, see guest.c."""
    return _compiled("guest.c", str(tmp_path_factory.mktemp("guest") / "guest"), "-static", "-pthread")


@pytest.fixture
def guest_root(tmp_path, guest_program):
    """A root file system with /guest and nothing else."""
    root = tmp_path / "root"
    for name in ("proc", "dev", "sys", "tmp"):
        (root / name).mkdir(parents=True)
    shutil.copy(guest_program, str(root / "guest"))
    return str(root)


@pytest.fixture(scope="session")
def trixie_root(tmp_path_factory):
    """A root file system of Debian 13, writable."""
    given = os.environ.get("UDOCKER_TEST_TRIXIE_ROOT")
    if given:
        return given
    if os.geteuid() != 0 or not shutil.which("debootstrap"):
        pytest.skip("no Debian 13: UDOCKER_TEST_TRIXIE_ROOT names none, and debootstrap needs root and to be installed")
    root = str(tmp_path_factory.mktemp("trixie"))
    done = subprocess.run(["debootstrap", "--variant=minbase", "trixie", root], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, universal_newlines=True)
    if done.returncode:
        pytest.skip("debootstrap could not make a Debian 13: %s" % done.stdout.strip().split("\n")[-1])
    return root
