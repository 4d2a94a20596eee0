"""The real engines, unpacked, and programs to run in them.

UDOCKER_TEST_ENGINES       a bundle to test (default: the one in dist/, else one built for the occasion)
UDOCKER_TEST_ARCH          the architecture of that bundle (default: this machine's)
UDOCKER_TEST_PROGRAMS      a directory with the PROGRAMS for it (default: compiled for the occasion)
UDOCKER_TEST_TRIXIE_ROOT   a root file system of Debian 13 with python3, owned by the user who runs the tests
                           (default: made by debootstrap, which only root can)

test_foreign.py sets them all, to run these tests on other architectures.
"""
import os
import shutil
import signal
import subprocess
import sys
import tarfile

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
MACHINE = os.environ.get("UDOCKER_TEST_ARCH") or os.uname().machine
BITS = 32 if MACHINE in ("i386", "i686") else 64
#: What probes there are: by word size, and one for the newer of two instructions that make calls.
PROBES = (64, 32) + (("scv",) if MACHINE == "ppc64le" else ())
#: The architecture as the names of engines have it.
NAME = {"aarch64": "arm64", "i386": "x86", "i686": "x86"}.get(MACHINE, MACHINE)


def bundle_of(arch):
    """The name of the bundle for an architecture, which is named as by uname(1)."""
    with open(os.path.join(TOP, "engines-build", "VERSION")) as text:
        return "udocker-engines-%s-%s.tar.gz" % (text.read().strip(), {"i686": "i386"}.get(arch, arch))


BUNDLE = bundle_of(MACHINE)
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


@pytest.fixture(scope="session")
def runc(engines):
    return _engine(engines, "runc")


#: The programs that run inside: the file, and what it is compiled with.
PROGRAMS = {
    "guest": ("guest.c", "-static", "-pthread"),
    "probe": ("probe.c", "-static", "-nostdlib", "-ffreestanding", "-fno-stack-protector", "-fno-pie", "-no-pie"),
    "fakechroot_calls": ("fakechroot_calls.c", "-pthread"),
    "calls": (os.path.join("musl-root", "calls.c"),),
}


def compile_program(name, output, *flags, compiler="gcc"):
    """Compiles one of PROGRAMS to the file `output`, and returns its path."""
    if not shutil.which(compiler):
        pytest.skip("no %s to compile %s.c with" % (compiler, name))
    source = PROGRAMS[name][0]
    command = [compiler, "-O1", "-Wall", "-Werror", os.path.join(HERE, source), "-o", output]
    done = subprocess.run(command + list(PROGRAMS[name][1:] + flags), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          universal_newlines=True)
    if done.returncode:
        pytest.skip("%s %s cannot compile %s.c: %s" % (compiler, " ".join(flags), name, done.stdout.strip().split("\n")[-1]))
    return output


def compiled(name, tmp_path_factory):
    """The path of one of PROGRAMS: the one that was given, or compiled."""
    if os.environ.get("UDOCKER_TEST_PROGRAMS"):
        return os.path.join(os.environ["UDOCKER_TEST_PROGRAMS"], name)
    return compile_program(name, str(tmp_path_factory.mktemp(name) / name))


@pytest.fixture(scope="session")
def probes(tmp_path_factory):
    """A function: one of PROBES -> the path of the program that makes one raw system call."""
    if os.geteuid() == 0:
        pytest.fail("root's calls would mount and unmount for real: run ./test, which makes a user", pytrace=False)
    directory = tmp_path_factory.mktemp("probes")
    made = {}
    if os.environ.get("UDOCKER_TEST_PROGRAMS"):
        made[BITS] = os.path.join(os.environ["UDOCKER_TEST_PROGRAMS"], "probe")
        made["scv"] = os.path.join(os.environ["UDOCKER_TEST_PROGRAMS"], "probe-scv")

    def probe(bits):
        if bits == "scv":
            if bits not in made:
                made[bits] = compile_program("probe", str(directory / "probe-scv"), "-DSCV")
            if subprocess.call([made[bits], "chdir", "/"], stdout=subprocess.DEVNULL) == -signal.SIGILL:
                pytest.skip("this processor has no scv instruction")
        if bits not in made:
            if bits != BITS and MACHINE != "x86_64":
                pytest.skip("only x86_64 runs programs of another word size here")
            multiarch = subprocess.run(["gcc", "-print-multiarch"], stdout=subprocess.PIPE, universal_newlines=True).stdout.strip() \
                if shutil.which("gcc") else ""
            made[bits] = compile_program("probe", str(directory / ("probe%d" % bits)), "-idirafter", "/usr/include/" + multiarch,
                                         *["-m32"] * (bits == 32))
        return made[bits]
    return probe


@pytest.fixture(scope="session")
def guest_program(tmp_path_factory):
    """The path of a static program that behaves as its arguments say, see guest.c."""
    return compiled("guest", tmp_path_factory)


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
    done = subprocess.run(["debootstrap", "--variant=minbase", "--include=python3", "trixie", root], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, universal_newlines=True)
    if done.returncode:
        pytest.skip("debootstrap could not make a Debian 13: %s" % done.stdout.strip().split("\n")[-1])
    return root
