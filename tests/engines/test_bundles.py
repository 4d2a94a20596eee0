"""The bundles in dist/, of every architecture: what binutils say of the files, and the smoke test of each
engine, which its build runs where it can; for other architectures under QEMU's user mode. That has no
ptrace: PRoot, and containers, are in test_foreign.py.
"""
import os
import re
import shutil
import subprocess
import tarfile
from collections import namedtuple

import pytest

from tests.engines.conftest import TOP, bundle_of

#: The architecture's name in bundles, the prefix of Debian's tools for it, what starts its programs, and
#: the newest version of glibc that libfakechroot may ask for: the oldest that still matters, or the
#: first that the architecture had.
Row = namedtuple("Row", "name prefix run floor")
ROWS = {
    "x86_64": Row("x86_64", "", "", (2, 4)),
    "i386": Row("x86", "i686-linux-gnu-", "", (2, 4)),
    "aarch64": Row("arm64", "aarch64-linux-gnu-", "qemu-aarch64-static", (2, 17)),
    "ppc64le": Row("ppc64le", "powerpc64le-linux-gnu-", "qemu-ppc64le-static", (2, 17)),
}
#: crun starts itself once more out of memory, and what the kernel starts is not emulated.
SMOKE = [(arch, engine) for arch in sorted(ROWS) for engine in ("crun", "fakechroot", "igzip", "patchelf", "runc", "zstd")
         if engine != "crun" or not ROWS[arch].run]


def require(*programs):
    for program in programs:
        if program and not shutil.which(program):
            pytest.skip("there is no %s" % program)


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory):
    """A function: architecture -> the directory in which its bundle's udocker_dir is unpacked."""
    known = {}

    def unpack(arch):
        bundle = os.path.join(TOP, "dist", bundle_of(arch))
        if not os.path.exists(bundle):
            pytest.skip("there is no dist/%s: 'build.py engines %s' makes it" % (os.path.basename(bundle), arch))
        if os.uname().machine != "x86_64":
            pytest.skip("the tools named here run on x86_64")
        if arch not in known:
            known[arch] = tmp_path_factory.mktemp(arch) / "udocker_dir"
            for name in ("bin", "lib", "doc"):
                (known[arch] / name).mkdir(parents=True)
            with tarfile.open(bundle) as archive:
                for member in archive:
                    if member.isreg():
                        path = known[arch].parent / member.name
                        with open(str(path), "wb") as file:
                            shutil.copyfileobj(archive.extractfile(member), file)
                        path.chmod(member.mode)
        return known[arch]
    return unpack


def said_by(*command, **options):
    return subprocess.run(command, stdout=subprocess.PIPE, universal_newlines=True, check=True, **options).stdout


@pytest.mark.parametrize("arch", sorted(ROWS))
def test_programs_need_no_interpreter_and_no_library(arch, unpacked):
    require("readelf")
    programs = sorted((unpacked(arch) / "bin").iterdir())
    assert len(programs) >= 7
    for program in programs:
        said = said_by("readelf", "--program-headers", "--dynamic", "--wide", str(program))
        assert " LOAD " in said and " INTERP " not in said and "(NEEDED)" not in said, program


@pytest.mark.parametrize("arch", sorted(ROWS))
def test_nothing_newer_than_the_floor_is_asked_of_glibc(arch, unpacked):
    row = ROWS[arch]
    require(row.prefix + "objdump")
    library = unpacked(arch) / "lib" / ("libfakechroot-%s.so" % row.name)
    versions = set(re.findall(r"GLIBC_([0-9.]+)", said_by(row.prefix + "objdump", "-T", str(library))))
    assert versions and all(tuple(int(part) for part in version.split(".")) <= row.floor for version in versions), versions
    musl = said_by(row.prefix + "objdump", "-T", str(library.parent / ("libfakechroot-musl-%s.so" % row.name)))
    assert "GLIBC_" not in musl and "fakechroot" in musl


@pytest.mark.parametrize("arch, engine", SMOKE)
def test_smoke(arch, engine, unpacked, tmp_path):
    row, there = ROWS[arch], unpacked(arch)
    require(row.prefix + "gcc", row.run)
    for kind, name, target in (("bin", "%s-%s", "%s"), ("lib", "lib%s-%s.so", "lib%s.so")):
        source = there / kind / (name % (engine, row.name))
        if source.exists():
            (tmp_path / "out" / kind).mkdir(parents=True)
            (tmp_path / "out" / kind / (target % engine)).symlink_to(source)
    with open(os.path.join(TOP, "engines-build", "sources.lock")) as lock:
        version = [line.split()[2] for line in lock if line.startswith(engine + " ")]
    (tmp_path / "work").mkdir()
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C", "OUT": str(tmp_path / "out"), "ARCH": arch,
                   "CC": row.prefix + "gcc", "RUN": row.run, "VERSION": "".join(version)}
    done = subprocess.run(["sh", "-x", os.path.join(TOP, "engines-build", engine, "smoke.sh")], cwd=str(tmp_path / "work"),
                          env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          universal_newlines=True, timeout=120)
    assert done.returncode == 0, done.stdout
