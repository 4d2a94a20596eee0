"""What a root file system brings to run its own programs: the dynamic loader and its libraries.

F modes start programs with the loader of the image and a library of ours; so they have to know
which C library it is, and where its loader would look if the root were ``/``.
"""

import os
import posixpath
from collections import namedtuple

from udocker.errors import CorruptData, EngineError, NotFound, UdockerError
from udocker.host.elf import read_elf
from udocker.model.reference import quoted

#: The C libraries that there is a library of ours for.
GLIBC, MUSL = "glibc", "musl"
#: Programs of which an image has at least one, and the loader that most of it is for.
_PROGRAMS = ("/bin/sh", "/bin/bash", "/usr/bin/env", "/bin/ls", "/bin/cat", "/bin/busybox",
             "/usr/bin/python3", "/usr/bin/perl", "/sbin/ldconfig")
#: Where loaders look without being told: glibc's defaults, then those of distributions.
_DIRECTORIES = ("/lib/{0}", "/usr/lib/{0}", "/usr/local/lib/{0}", "/lib64", "/usr/lib64", "/lib",
                "/usr/lib", "/usr/local/lib", "/usr/local/lib64", "/lib32", "/usr/lib32")
#: GOARCH -> Debian's multiarch directory.
MULTIARCH = {"amd64": "x86_64-linux-gnu", "386": "i386-linux-gnu", "arm64": "aarch64-linux-gnu",
             "ppc64le": "powerpc64le-linux-gnu"}
#: GOARCH -> the name of the processor in musl's files (ld-musl-<name>.so.1).
_MUSL_NAMES = {"amd64": "x86_64", "386": "i386", "arm64": "aarch64", "ppc64le": "powerpc64le"}
#: Bytes of a list of directories, and files that one includes: real ones have a dozen lines.
_MAX_LIST, _MAX_INCLUDED = 64 * 1024, 100


class Guest(namedtuple("Guest", "loader libc architecture directories")):
    """loader (str: its path inside, links resolved), libc (str: GLIBC or MUSL), architecture (str:
    GOARCH), directories (tuple of str: where the loader looks for libraries, in order, as paths
    inside with links resolved)."""

    __slots__ = ()


def read_guest(root, known_loader=""):
    """Return the Guest of ``root`` (host.tree.Root); EngineError if F modes can do nothing for it.

    known_loader (str): what its programs named before they were patched, "" where none was.
    """
    elf = _first_dynamic(root)
    named = known_loader or os.fsdecode(elf.interpreter)
    try:
        loader = root.real_path(named)
        root.open_file(loader).close()
    except UdockerError:
        raise EngineError("the image has no dynamic loader %s" % quoted(named),
                          "modes P1 and R1 run what needs none")
    libc = MUSL if "ld-musl-" in named or posixpath.basename(loader) == "libc.so" else GLIBC
    return Guest(loader, libc, elf.architecture, _existing(root, _searched(root, libc, elf)))


def links_that_leave(root, directories):
    """Return {name of a library: path inside} of those that an absolute link leads to.

    The loader asks the kernel, which takes such a link for one on the host. directories (sequence
    of str): where to look, in order; of two libraries of one name the first counts.
    """
    seen, found = set(), {}
    host = os.path.realpath(root.path).rstrip("/")
    for directory in directories:
        for name in _entries(root, directory):
            if ".so" not in name or name in seen:
                continue
            seen.add(name)
            path = posixpath.join(directory, name)
            if not os.path.islink(host + path):  # a directory inside, with links resolved
                continue
            try:
                real = root.real_path(path)
            except UdockerError:
                continue
            if os.path.realpath(host + path) != host + real and root.kind(real) is not None:
                found[name] = real
    return found


def _first_dynamic(root):
    static = []
    for path in _PROGRAMS:
        try:
            with root.open_file(path) as file:
                elf = read_elf(file)
        except (NotFound, CorruptData):
            continue
        if elf.interpreter:
            return elf
        static.append(path)
    raise EngineError("no dynamically linked program in the image (%s)"
                      % (", ".join("%s is static" % path for path in static)
                         or "looked for %s" % ", ".join(_PROGRAMS)),
                      "F modes need one; P1 and R1 do not")


def _searched(root, libc, elf):
    """Return the directories in which the image's own loader would look."""
    if libc == MUSL:
        name = "/etc/ld-musl-%s.path" % _MUSL_NAMES.get(elf.architecture, elf.architecture)
        lines = _read_lines(root, name)
        listed = [path for line in lines for path in line.replace(":", "\n").split("\n")]
        return [path for path in listed if path] or ["/lib", "/usr/local/lib", "/usr/lib"]
    triplet = MULTIARCH.get(elf.architecture, elf.architecture)
    return _read_ld_so_conf(root, "/etc/ld.so.conf", [_MAX_INCLUDED]) \
        + [path.format(triplet) for path in _DIRECTORIES]


def _read_ld_so_conf(root, path, left):
    """Return the directories in an ld.so.conf(5), in those that it includes too."""
    from fnmatch import fnmatch
    found = []
    for line in _read_lines(root, path):
        words = line.split("#", 1)[0].replace(",", " ").split()
        if not words:
            continue
        if words[0] != "include":
            found += [word.partition("=")[0] for word in words if word.startswith("/")]
            continue
        for pattern in words[1:]:
            directory, name = posixpath.split(posixpath.join(posixpath.dirname(path), pattern))
            for entry in _entries(root, directory):
                if fnmatch(entry, name) and left[0] > 0:
                    left[0] -= 1
                    found += _read_ld_so_conf(root, posixpath.join(directory, entry), left)
    return found


def _entries(root, directory):
    try:
        fd = root.open_directory(directory)
    except OSError:
        return []
    try:
        return sorted(os.listdir("/proc/self/fd/%d" % fd))
    finally:
        os.close(fd)


def _read_lines(root, path):
    try:
        return os.fsdecode(root.read_file(path, _MAX_LIST)).split("\n")
    except UdockerError:
        return []


def _existing(root, directories):
    found = []
    for path in directories:
        try:
            real = root.real_path(path)
        except UdockerError:
            continue
        if real not in found and root.kind(real) == "directory":
            found.append(real)
    return tuple(found)
