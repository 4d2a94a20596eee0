"""Debian for another architecture, as a kernel and a ram disk, made by an ordinary user.

debootstrap fetches the packages and checks the archive's signature; they are unpacked, and none of
their scripts is run.
"""

import fnmatch
import glob
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections import namedtuple

from tests.fakes import cpio

#: suite, name (Debian's, of the architecture), kernel (package), qemu (runs its programs).
Debian = namedtuple("Debian", "suite name kernel qemu")
DEBIANS = {
    "aarch64": Debian("trixie", "arm64", "linux-image-arm64", "qemu-aarch64-static"),
    "ppc64le": Debian("bookworm", "ppc64el", "linux-image-powerpc64le", "qemu-ppc64le-static"),
}
PACKAGES = ("busybox-static", "python3", "python3-pytest", "python3-pytest-timeout")
#: What the kernel's package brings along, and what a machine without disk and network cannot use.
NOT_UNPACKED = ("linux-*", "initramfs-tools*", "dracut*", "klibc-utils*", "libklibc*", "kmod*",
                "udev*", "systemd_*", "libsystemd-shared*", "apt_*", "tzdata*")
NOT_KEPT = ("./usr/share/doc/*", "./usr/share/man/*", "./usr/share/info/*", "./usr/share/locale/*",
            "./usr/share/lintian/*", "./usr/lib/*/gconv/*")
#: Whose the directories of the container's root file system are.
USER = 1000


class DebianError(Exception):
    """A Debian could not be made."""


def place(arch, cache):
    """Return the path (str) of what prepare() makes: ``linux`` and ``debian.cpio``."""
    digest = hashlib.sha256()
    for path in (__file__, cpio.__file__):  # made in another way, it is another one
        with open(path, "rb") as file:
            digest.update(file.read())
    return os.path.join(cache, "%s-%s" % (arch, digest.hexdigest()[:12]))


def prepare(arch, cache):
    """Make the Debian of ``arch`` (str) in the directory ``cache`` (str), unless it is there."""
    done = place(arch, cache)
    if os.path.isdir(done):
        return
    debian = DEBIANS[arch]
    lacking = [program for program in ("debootstrap", "dpkg-deb", "tar", debian.qemu)
               if not shutil.which(program)]
    if lacking:
        raise DebianError("missing to make a Debian for %s: %s" % (arch, ", ".join(lacking)))
    os.makedirs(cache, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=arch, dir=cache) as work:
        root, linux, new = (os.path.join(work, name) for name in ("root", "linux", "new"))
        debs = _download(debian, os.path.join(work, "debs"))
        _unpack(debs, root)
        _set_up(root)
        _compile(debian, root)
        os.mkdir(new)
        kernel = [deb for deb in debs if os.path.basename(deb).startswith("linux-image-6")][0]
        _extract(kernel, linux, "--wildcards", "./boot/vmlinu*")
        os.rename(glob.glob(linux + "/boot/*")[0], os.path.join(new, "linux"))
        with open(os.path.join(new, "debian.cpio"), "wb") as stream:
            _write(cpio.Archive(stream), root)
        os.chmod(new, 0o755)
        for old in glob.glob(os.path.join(cache, arch + "-*")):
            shutil.rmtree(old)
        os.rename(new, done)


def _download(debian, target):
    _do("debootstrap", "--download-only", "--arch=" + debian.name, "--variant=minbase",
        "--include=" + ",".join(PACKAGES + (debian.kernel,)), debian.suite, target)
    return sorted(glob.glob(os.path.join(target, "var/cache/apt/archives/*.deb")))


def _unpack(debs, root):
    for name in ("bin", "sbin", "lib", "lib64"):
        os.makedirs(os.path.join(root, "usr", name))
        os.symlink("usr/" + name, os.path.join(root, name))
    for deb in debs:
        if not any(fnmatch.fnmatch(os.path.basename(deb), pattern) for pattern in NOT_UNPACKED):
            _extract(deb, root, *["--exclude=" + pattern for pattern in NOT_KEPT])


def _extract(deb, target, *options):
    os.makedirs(target, exist_ok=True)
    with tempfile.TemporaryFile(dir=os.path.dirname(target)) as content:
        subprocess.check_call(["dpkg-deb", "--fsys-tarfile", deb], stdout=content)
        content.seek(0)
        _do("tar", "-x", "--keep-directory-symlink", "--no-same-owner", "-C", target, *options,
            stdin=content)


def _set_up(root):
    """Do what the packages' scripts would, as far as it matters here."""
    os.mkdir(os.path.join(root, "mnt"))
    os.chmod(os.path.join(root, "tmp"), 0o1777)
    for name, line in (("passwd", "user:x:%d:%d::/home/user:/bin/bash\n" % (USER, USER)),
                       ("group", "user:x:%d:\n" % USER)):
        with open(os.path.join(root, "usr/share/base-passwd", name + ".master")) as master, \
                open(os.path.join(root, "etc", name), "w") as accounts:
            accounts.write(master.read() + line)


def _compile(debian, root):
    """Compile Python's modules, which each emulated start would else do anew, for seconds."""
    # the loader's usual name may be an absolute link, which would lead out of root
    loader = glob.glob(os.path.join(root, "usr/lib/*-linux-gnu/ld*.so.*"))[0]
    _do(debian.qemu, "-L", root, "-E", "PYTHONHOME=" + os.path.join(root, "usr"), loader,
        os.path.join(root, "usr/bin/python3"), "-m", "compileall", "-q", "--invalidation-mode",
        "unchecked-hash", *glob.glob(os.path.join(root, "usr/lib/python3*")))


def _write(archive, root):
    """Write the machine's root file system, and that of a container, which is the user's."""
    archive.tree("", root, also="debian", owner=USER)
    archive.directory("home/user", owner=USER)
    archive.directory("run")
    archive.device("dev/console", 5, 1)  # for the start; the rest comes with devtmpfs
    archive.end()


def _do(*command, **options):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options)
    if done.returncode:
        raise DebianError("%s: %s" % (command[0], (
            done.stdout.decode("utf-8", "replace").strip().split("\n"))[-1]))
