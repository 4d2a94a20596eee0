"""What the machine and the user are: values that cost nothing to find out."""

import os
from collections import namedtuple

from udocker.model.oci import ARCHITECTURES, Platform

#: GOARCH -> the architecture's name in engine file names, which are those of udocker 1.3.x.
ENGINE_ARCHITECTURES = {"amd64": "x86_64", "386": "x86", "arm64": "arm64", "arm": "armhf",
                        "ppc64le": "ppc64le"}

#: GOARCH -> what a processor runs beside what it is for.
ALSO_RUNS = {"amd64": ("amd64", "386"), "arm64": ("arm64", "arm")}
#: GOARCH -> QEMU's name, where they differ.
_QEMU_NAMES = {"amd64": "x86_64", "386": "i386", "arm64": "aarch64"}
#: Where the kernel tells for what programs it starts an emulator by itself.
BINFMT = "/proc/sys/fs/binfmt_misc/"


def qemu_name(architecture):
    """Return the name (str) of the program that plays the processor ``architecture`` (GOARCH)."""
    return "qemu-" + _QEMU_NAMES.get(architecture, architecture)


class HostFacts(namedtuple("HostFacts",
                           "architecture kernel hostname uid gid groups user home pid")):
    """The host as a plan sees it.

    architecture (str: GOARCH), kernel (str: release), hostname (str), uid and gid (int),
    groups (tuple of int), user and home (str: of the real uid's passwd entry), pid (int: ours).
    """

    __slots__ = ()

    @property
    def engine_architecture(self):
        """The name that the engines of this architecture carry in their file names."""
        return ENGINE_ARCHITECTURES.get(self.architecture, self.architecture)

    @property
    def platform(self):
        return Platform("linux", self.architecture, _VARIANTS.get(self.architecture, ""))

    @property
    def kernel_version(self):
        """(major, minor) of the kernel; (0, 0) where the release does not say."""
        parts = self.kernel.split("-")[0].split(".")
        return tuple(int(p) if p.isdigit() else 0 for p in (parts + ["0", "0"])[:2])


#: What every processor of the architecture that Linux distributions still run on can do.
_VARIANTS = {"arm64": "v8", "arm": "v7"}


def read_facts():
    """Return the HostFacts of this machine and user."""
    import pwd
    system = os.uname()
    uid = os.getuid()
    try:
        entry = pwd.getpwuid(uid)
        user, home = entry.pw_name, entry.pw_dir
    except KeyError:
        # nodes without LDAP, or inside another container: the id is all there is
        user, home = "udoc%d" % uid, os.environ.get("HOME", "/")
    architecture = ARCHITECTURES.get(system.machine, system.machine)
    if architecture == "amd64" and _is_32_bit():
        architecture = "386"
    return HostFacts(architecture, system.release, system.nodename, uid, os.getgid(),
                     tuple(os.getgroups()), user, home, os.getpid())


def executes(architecture):
    """Whether the kernel starts programs for ``architecture`` (str: GOARCH), if by an emulator."""
    machine = os.uname().machine
    native = ARCHITECTURES.get(machine, machine)
    return architecture in ALSO_RUNS.get(native, (native,)) \
        or os.path.exists(BINFMT + qemu_name(architecture))


def _is_32_bit():
    """A 32-bit user land on a 64-bit kernel, as some old installations have."""
    import sys
    return sys.maxsize < 1 << 32 and not os.path.exists("/lib64/ld-linux-x86-64.so.2")


def private_directory(tmp, uid):
    """Return a directory (str) below ``tmp`` (str) that only we can enter, made if need be.

    Everybody can write to /tmp, so what has our name there may still be somebody else's: then
    another name is taken.
    """
    import stat
    path = os.path.join(tmp, "udocker-%d" % uid)
    while True:
        try:
            os.mkdir(path, 0o700)
            return path
        except FileExistsError:
            status = os.lstat(path)
            if stat.S_ISDIR(status.st_mode) and status.st_uid == uid \
                    and not status.st_mode & 0o077:
                return path
            path = os.path.join(tmp, "udocker-%d-%s" % (uid, os.urandom(6).hex()))
