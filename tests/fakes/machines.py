"""Machines of other architectures: Debian's kernel and programs, booted by QEMU, without a disk.

    debian.prepare("aarch64", cache)    # once
    Machine("aarch64", cache).run("uname -m").output == "aarch64\n"

A machine has bash, GNU's tools, perl, python3, pytest and busybox. Its script runs as an ordinary
user, who may make user namespaces; then it is gone. /debian is a root file system for a container,
with the same programs, whose directories are the user's. There is no network.
"""

import os
import shutil
import subprocess
import tempfile
import uuid
from collections import namedtuple

from tests.fakes import debian
from tests.fakes.cpio import Archive

#: qemu (command and options), console (Linux's name of its device).
Kind = namedtuple("Kind", "qemu console")
KINDS = {
    "aarch64": Kind("qemu-system-aarch64 -M virt -cpu cortex-a72", "ttyAMA0"),
    "ppc64le": Kind("qemu-system-ppc64 -M pseries -cpu power9 -vga none", "hvc0"),
}
#: Half of it is for the ram disk and half for /tmp. ppc64le has pages of 64 kB, and gives each file
#: whole ones. QEMU takes of the machine that it runs on what is used.
MEMORY_MB = 4096
#: From QEMU's start to the script's; 5 to 10 s where nothing else runs.
BOOT_LIMIT_S = 120

#: status (int) of the script, 124 if its time was up; output (str), of both streams.
Result = namedtuple("Result", "status output")

#: pivot_root(2) cannot be had on the ram disk, but on a mount of it.
INIT = """#!/bin/sh
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
mount --bind / /mnt
cd /mnt
mount --move . /
exec chroot . /bin/sh /run/machine/boot
"""

#: All that comes out of the console is Linux's last words, or what the script has written, in one
#: piece and between two lines that it cannot know.
BOOT = """
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
mkdir -p /dev/pts /dev/shm
mount -t devpts -o ptmxmode=0666 devpts /dev/pts
mount -t tmpfs -o mode=1777 tmpfs /dev/shm
mount -t tmpfs -o mode=1777,nr_inodes=0 tmpfs /tmp
hostname {arch}
cd {home}
timeout -k 5 {limit} setpriv --reuid={user} --regid={user} --clear-groups \\
    env -i PATH="$PATH" HOME={home} LC_ALL=C.UTF-8 sh /run/machine/script \\
    </dev/null >/run/machine/output 2>&1
status=$?
stty -opost </dev/console
{{
    printf '\\n{token} begin\\n'
    cat /run/machine/output
    echo {token} $status
}} >/dev/console
echo o >/proc/sysrq-trigger
sleep 60
"""


class MachineError(Exception):
    """A machine is not there, or did not get to the end of its script."""


class Machine(object):
    """A machine of ``arch`` (a key of KINDS), from what was prepared in ``cache`` (str)."""

    def __init__(self, arch, cache):
        self._arch, self._kind = arch, KINDS[arch]
        self._place = debian.place(arch, cache)
        if not os.path.isdir(self._place):
            raise MachineError("there is no %s: 'scripts/machine --prepare %s' makes it"
                               % (self._place, arch))
        program = self._kind.qemu.split()[0]
        if not shutil.which(program):
            raise MachineError("the program %s is not installed" % program)

    def run(self, script, files=None, user=debian.USER, limit_s=60):
        """Boot, run ``script`` (str, for sh) as ``user`` (int), and return the Result.

        ``files`` (dict): path in the machine -> path here, of a file or a directory. The script has
        ``limit_s`` seconds. MachineError, with what the console said, if there is no result.
        """
        token = uuid.uuid4().hex
        boot = BOOT.format(arch=self._arch, token=token, user=user, limit=limit_s,
                           home="/home/user" if user else "/root")
        with tempfile.TemporaryDirectory(prefix="machine-") as work:
            disk = os.path.join(work, "disk")
            shutil.copyfile(os.path.join(self._place, "debian.cpio"), disk)
            with open(disk, "ab") as stream:  # Linux unpacks one archive over the other
                archive = Archive(stream)
                archive.file("init", INIT.encode("utf-8"), mode=0o700)
                archive.directory("run/machine", mode=0o711)
                archive.file("run/machine/boot", boot.encode("utf-8"), mode=0o600)
                archive.file("run/machine/script", script.encode("utf-8"))
                for inside, path in sorted((files or {}).items()):
                    archive.tree(inside, path)
                archive.end()
            console = self._boot(disk, limit_s + BOOT_LIMIT_S)
        said = console.partition("\n%s begin\n" % token)[2]
        output, end, status = said.rpartition(token + " ")
        if not end:
            lines = console.replace("\r", "").strip().split("\n")
            raise MachineError("the machine did not get to the end: %s" % "\n".join(lines[-15:]))
        return Result(int(status.split()[0]), output)

    def _boot(self, disk, limit_s):
        """Return what came out of the console, and what QEMU had to say (str)."""
        process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL"] + self._kind.qemu.split() + [  # not longer than we
                "-m", str(MEMORY_MB), "-nodefaults", "-display", "none", "-serial", "stdio",
                "-no-reboot", "-kernel", os.path.join(self._place, "linux"), "-initrd", disk,
                "-append", "console=%s quiet loglevel=1 panic=-1" % self._kind.console],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        try:
            console = process.communicate(timeout=limit_s)[0]
        except subprocess.TimeoutExpired:
            process.kill()
            console = process.communicate()[0] + b"\n(ended after %d s)" % limit_s
        finally:
            if process.returncode is None:
                process.kill()
                process.communicate()
        return console.decode("utf-8", "backslashreplace")
