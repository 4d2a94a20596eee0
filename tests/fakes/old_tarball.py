"""A tarball of engines as udocker 1.3.x has them: its names, no manifest, links beside each other."""

import io
import os
import shutil
import subprocess
import tarfile

VERSION = "1.2.11"
PROGRAMS = ("proot-x86", "proot-x86-4_8_0", "proot-x86_64", "proot-x86_64-4_8_0", "proot-arm64",
            "proot-arm64-4_8_0", "patchelf-x86_64", "patchelf-arm64", "patchelf-ppc64le",
            "runc-x86_64", "runc-arm64", "runc-ppc64le", "crun-x86_64")
#: Library -> the one beside it that it is a link to, or None for a file.
LIBRARIES = dict([("libfakechroot-%s-%s.so" % (system, arch), target) for arch in ("x86_64", "arm64")
                  for system, target in [
                      ("CentOS-7", None), ("Red-7", "CentOS-7"), ("Scientific-7", "CentOS-7"),
                      ("Debian-12", None), ("Ubuntu-22", None), ("LinuxMint-21", "Ubuntu-22"),
                      ("Alpine-3.19", None)]])


def static_program(folder):
    """Return the bytes of a small static program: a compiled one, or busybox."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    output = os.path.join(str(folder), "program")
    done = compiler and subprocess.run(
        [compiler, "-x", "c", "-static", "-o", output, "-"], stderr=subprocess.DEVNULL,
        input=b"int main(void) { return 7; }\n").returncode == 0
    with open(output if done else shutil.which("busybox"), "rb") as file:
        return file.read()


def make_tarball(path, program, proot):
    """Write a tarball to ``path``; program (bytes): each program in it, but for PRoot (bytes)."""
    with tarfile.open(str(path), "w:gz") as tar:
        for room in ("", "/bin", "/lib", "/doc"):
            info = tarfile.TarInfo("udocker_dir" + room)
            info.type, info.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(info)
        for name in PROGRAMS:
            _add(tar, "bin/" + name, proot if name.startswith("proot-") else program, 0o755)
        for name, target in LIBRARIES.items():
            if target is None:
                _add(tar, "lib/" + name, b"\x7fELF a library")
                continue
            info = tarfile.TarInfo("udocker_dir/lib/" + name)
            info.type = tarfile.SYMTYPE
            info.linkname = "libfakechroot-%s-%s.so" % (target, name[:-3].rpartition("-")[2])
            tar.addfile(info)
        _add(tar, "lib/VERSION", VERSION.encode("ascii") + b"\n")
        _add(tar, "doc/COPYING.proot", b"a licence\n")
    return str(path)


def _add(tar, name, data, mode=0o644):
    info = tarfile.TarInfo("udocker_dir/" + name)
    info.size, info.mode = len(data), mode
    tar.addfile(info, io.BytesIO(data))
