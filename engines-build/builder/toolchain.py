"""The C toolchain for a target: which programs, whether they are there, and what identifies them."""
import hashlib
import os
import platform
import shutil
import subprocess
import sys
from typing import Dict, List, NamedTuple

from builder import BuildError


class Target(NamedTuple):
    """An architecture that engines are built for."""
    arch: str      # as `uname -m` says it
    name: str      # in the bundle's file names, as udocker 1.3.x has it
    triplet: str   # of the GNU toolchain
    elf: tuple     # (class bits, e_machine)
    packages: tuple  # of Debian, for a machine of another architecture


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


class Tools(NamedTuple):
    """The programs of one target's toolchain, as found on this machine."""
    target: Target
    native: bool
    programs: Dict[str, str]  # CC, AR, RANLIB, STRIP, OBJCOPY, OBJDUMP, BUILD_CC
    fingerprint: str

    def runs_here(self) -> bool:
        """Whether what is built for the target can be run on this machine."""
        return self.native or (self.target.arch == "i386" and platform.machine() == "x86_64")


def target_named(name: str) -> Target:
    target = TARGETS.get(ALIASES.get(name, name))
    if target is None:
        raise BuildError("no such architecture: %s (there are %s)" % (name, ", ".join(sorted(TARGETS))))
    return target


def packages_for(target: Target) -> List[str]:
    """The Debian packages that a bare machine needs, python3 aside."""
    native = target.arch == platform.machine()
    return list(NATIVE_PACKAGES + COMMON_PACKAGES + (() if native else target.packages))


def find(target: Target) -> Tools:
    """The toolchain on this machine. Raises BuildError naming everything that is missing."""
    native = target.arch == platform.machine()
    programs, missing = {}, []
    for variable, program in [("CC", "gcc"), ("AR", "ar"), ("RANLIB", "ranlib"), ("STRIP", "strip"),
                              ("OBJCOPY", "objcopy"), ("OBJDUMP", "objdump")]:
        names = [target.triplet + "-" + program] + ([program] if native else [])
        found = [name for name in names if shutil.which(name)]
        if found:
            programs[variable] = found[0]
        else:
            missing.append(names[0])
    programs["BUILD_CC"] = "gcc"
    missing += [name for name in ("gcc", "make", "patch") if not shutil.which(name) and name not in missing]
    if missing:
        raise BuildError("missing for %s: %s" % (target.arch, ", ".join(missing)))
    libc = _ask([programs["CC"], "-print-file-name=libc.a"])
    if not os.path.isabs(libc):
        raise BuildError("missing for %s: a static C library (libc.a)" % target.arch)
    headers = subprocess.run([programs["CC"], "-E", "-x", "c", "-"], input="#include <linux/seccomp.h>\n#include <sys/queue.h>\n",
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, universal_newlines=True, check=False)
    if headers.returncode:
        raise BuildError("missing for %s: the kernel's headers (linux/seccomp.h) or the C library's (sys/queue.h)" % target.arch)
    return Tools(target, native, programs, _fingerprint(programs, libc))


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


def _ask(command: List[str], also_stderr: bool = False) -> str:
    done = subprocess.run(command, stdout=subprocess.PIPE, universal_newlines=True, check=False,
                          stderr=subprocess.STDOUT if also_stderr else subprocess.DEVNULL)
    return done.stdout.strip()


def main(arguments: List[str]) -> None:
    """For the Dockerfile: prints the packages that building for an architecture takes."""
    print(" ".join(packages_for(target_named(arguments[0]))))


def install_with_apt(target: Target) -> None:
    """Installs what is missing, as root on Debian or Ubuntu."""
    packages = packages_for(target)
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


if __name__ == "__main__":
    main(sys.argv[1:])
