"""The toolchain for a target: which programs, whether they are there, and what identifies them."""
import hashlib
import os
import platform
import shutil
import subprocess
import sys
from typing import Dict, Iterable, List, NamedTuple

from builder import BuildError


class Target(NamedTuple):
    """An architecture that engines are built for."""
    arch: str      # as `uname -m` says it; the bundle is named so
    name: str      # in the file names inside the bundle, as udocker 1.3.x has it
    triplet: str   # of the GNU toolchain
    elf: tuple     # (class bits, e_machine)
    packages: tuple  # of Debian, for a machine of another architecture


class Extra(NamedTuple):
    """What a recipe can ask for in its "tools", beyond what every recipe gets."""
    variable: str     # in the environment of build.sh
    program: str
    is_for_target: bool  # one program for each target, named TRIPLET-program
    package: str      # of Debian; for another target with its triplet behind, as g++-aarch64-linux-gnu
    arches: tuple     # the targets that it makes sense for; others do not get it
    identity: tuple   # options of the program that make it say all that can change its output
    library: str      # an archive that it links into programs, or ""


TARGETS = {target.arch: target for target in [
    Target("x86_64", "x86_64", "x86_64-linux-gnu", (64, 62), ("gcc-x86-64-linux-gnu", "libc6-dev-amd64-cross")),
    Target("i386", "x86", "i686-linux-gnu", (32, 3), ("gcc-i686-linux-gnu", "libc6-dev-i386-cross")),
    Target("aarch64", "arm64", "aarch64-linux-gnu", (64, 183), ("gcc-aarch64-linux-gnu", "libc6-dev-arm64-cross")),
    Target("ppc64le", "ppc64le", "powerpc64le-linux-gnu", (64, 21), ("gcc-powerpc64le-linux-gnu", "libc6-dev-ppc64el-cross")),
]}
ALIASES = {"amd64": "x86_64", "i686": "i386", "x86": "i386", "arm64": "aarch64", "ppc64el": "ppc64le"}
# For a machine of the target's own architecture.
NATIVE_PACKAGES = ("gcc", "libc6-dev")
COMMON_PACKAGES = ("make", "patch")
EXTRAS = {
    "cxx": Extra("CXX", "g++", True, "g++", tuple(TARGETS), ("-v",), "libstdc++.a"),
    "nasm": Extra("NASM", "nasm", False, "nasm", ("x86_64",), ("-v",), ""),
}


class FoundExtra(NamedTuple):
    """An extra program of a target's toolchain."""
    variable: str
    program: str
    fingerprint: str


class Tools(NamedTuple):
    """The programs of one target's toolchain, as found on this machine."""
    target: Target
    native: bool
    programs: Dict[str, str]  # CC, AR, RANLIB, STRIP, OBJCOPY, OBJDUMP, BUILD_CC
    fingerprint: str
    extras: Dict[str, FoundExtra]  # by name in EXTRAS

    def runs_here(self) -> bool:
        """Whether what is built for the target can be run on this machine."""
        return self.native or (self.target.arch == "i386" and platform.machine() == "x86_64")


def target_named(name: str) -> Target:
    target = TARGETS.get(ALIASES.get(name, name))
    if target is None:
        raise BuildError("no such architecture: %s (there are %s)" % (name, ", ".join(sorted(TARGETS))))
    return target


def packages_for(target: Target, extras: Iterable[str]) -> List[str]:
    """The Debian packages that a bare machine needs, python3 aside."""
    native = _is_native(target)
    packages = list(NATIVE_PACKAGES + COMMON_PACKAGES + (() if native else target.packages))
    for extra in _wanted(target, extras).values():
        # Debian has no underscore in the names of packages
        packages.append(extra.package if native or not extra.is_for_target
                        else "%s-%s" % (extra.package, target.triplet.replace("_", "-")))
    return packages


def find(target: Target, extras: Iterable[str]) -> Tools:
    """The toolchain on this machine. Raises BuildError naming everything that is missing."""
    native = _is_native(target)
    wanted = _wanted(target, extras)
    programs, missing = {}, []
    for variable, program in [("CC", "gcc"), ("AR", "ar"), ("RANLIB", "ranlib"), ("STRIP", "strip"),
                              ("OBJCOPY", "objcopy"), ("OBJDUMP", "objdump")] + \
                             [(extra.variable, extra.program) for extra in wanted.values() if extra.is_for_target]:
        names = [target.triplet + "-" + program] + ([program] if native else [])
        found = [name for name in names if shutil.which(name)]
        if found:
            programs[variable] = found[0]
        else:
            missing.append(names[0])
    programs["BUILD_CC"] = "gcc"
    programs.update({extra.variable: extra.program for extra in wanted.values() if not extra.is_for_target})
    here = ["gcc", "make", "patch"] + [extra.program for extra in wanted.values() if not extra.is_for_target]
    missing += [name for name in here if not shutil.which(name) and name not in missing]
    if missing:
        raise BuildError("missing for %s: %s" % (target.arch, ", ".join(missing)))
    libc = _ask([programs["CC"], "-print-file-name=libc.a"])
    if not os.path.isabs(libc):
        raise BuildError("missing for %s: a static C library (libc.a)" % target.arch)
    headers = subprocess.run([programs["CC"], "-E", "-x", "c", "-"], input="#include <linux/seccomp.h>\n#include <sys/queue.h>\n",
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, universal_newlines=True, check=False)
    if headers.returncode:
        raise BuildError("missing for %s: the kernel's headers (linux/seccomp.h) or the C library's (sys/queue.h)" % target.arch)
    extras_found = {name: _identify(extra, programs.pop(extra.variable)) for name, extra in wanted.items()}
    return Tools(target, native, programs, _fingerprint(programs, libc), extras_found)


def _is_native(target: Target) -> bool:
    return target.arch == platform.machine()


def _wanted(target: Target, extras: Iterable[str]) -> Dict[str, Extra]:
    """The named extras that there are for the target, in the same order everywhere."""
    unknown = sorted(set(extras) - set(EXTRAS))
    if unknown:
        raise BuildError("no such tool: %s (a recipe can ask for %s)" % (unknown[0], ", ".join(sorted(EXTRAS))))
    return {name: EXTRAS[name] for name in sorted(set(extras)) if target.arch in EXTRAS[name].arches}


def _fingerprint(programs: Dict[str, str], libc: str) -> str:
    """Whatever in the toolchain can change a binary: the compiler, the linker, the C library, the kernel's headers."""
    digest = hashlib.sha256()
    linker = _ask([programs["CC"], "-print-prog-name=ld"])
    for command in ([programs["CC"], "-v"], [linker, "--version"]):
        digest.update(_ask(command, also_stderr=True).encode())
    digest.update(_ask([programs["CC"], "-E", "-dM", "-include", "linux/version.h", "-x", "c", "/dev/null"]).encode())
    with open(libc, "rb") as archive:
        digest.update(archive.read())
    return digest.hexdigest()


def _identify(extra: Extra, program: str) -> FoundExtra:
    digest = hashlib.sha256(_ask([program] + list(extra.identity), also_stderr=True).encode())
    if extra.library:
        with open(_ask([program, "-print-file-name=" + extra.library]), "rb") as archive:
            digest.update(archive.read())
    return FoundExtra(extra.variable, program, digest.hexdigest())


def _ask(command: List[str], also_stderr: bool = False) -> str:
    done = subprocess.run(command, stdout=subprocess.PIPE, universal_newlines=True, check=False,
                          stderr=subprocess.STDOUT if also_stderr else subprocess.DEVNULL)
    return done.stdout.strip()


def install_with_apt(target: Target, extras: Iterable[str]) -> None:
    """Installs what is missing, as root on Debian or Ubuntu."""
    packages = packages_for(target, extras)
    sys.stderr.write("installing %s\n" % " ".join(packages))
    environment = dict(os.environ, DEBIAN_FRONTEND="noninteractive", LC_ALL="C")
    install = ["apt-get", "install", "-y", "-q", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=600"] + packages
    for command in (install, ["apt-get", "update", "-q"], install):  # the package lists may be old or not there
        done = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, universal_newlines=True, check=False)
        if command is install and done.returncode == 0:
            return
    words = [line for line in done.stdout.splitlines() if line.startswith("E:")]
    raise BuildError("apt-get could not install the toolchain: %s" % (words[0] if words else "exit status %d" % done.returncode))
