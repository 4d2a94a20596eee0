"""Containers that udocker 1.3.x has set up for F modes, and the way back to what its image had.

It changes ROOT itself: absolute links get the host's path of ROOT in front, the loader is patched in
its place, and in F3 and F4 the ELF files name the loader and its directories by their paths on the
host. In the container's directory it leaves ``ld.lib.dirs`` (which ours never writes), ``ld.so.orig``
(the loader that was), ``root.path`` (ROOT) and ``patch.path`` (the container's directory), both as
they were at that time.
"""

import os
import stat

from udocker.engine import patching

#: What 1.3.x keeps about F modes, some of it under names that ours uses otherwise.
_STATE = ("ld.lib.dirs", "ld.so.orig", "ld.so.path", "patch.time", "patch.path", "root.path")
#: Bytes in which a patched loader differs from the one that it was: a few names and paths.
_MAX_PATCHED = 4096


def restore(container, patchelf):
    """Undo in ``container`` what 1.3.x did for its F modes, with ``patchelf`` (str: path)."""
    prefixes = _prefixes(container)
    with patching.stage(container) as stage:
        _restore_loader(container, stage)
        for directory, names, others in os.walk(os.fsencode(container.root)):
            for name in names + others:
                path = os.path.join(directory, name)
                if os.path.islink(path):
                    _restore_link(path, prefixes, stage)
        # the last one first: it is the one that the files named at the end
        for prefix in prefixes:
            named = [target for target in patching.targets(container.root, None)
                     if _has(os.path.join(os.fsencode(container.root), target.names[0]),
                             prefix + b"/")]
            patching.restore_prefix(container.root, named, stage, prefix, patchelf)
    forget(container)


def forget(container):
    """Remove what 1.3.x keeps beside ROOT about F modes that the container is in no more."""
    for name in _STATE:
        patching.forget(container, name)


def _prefixes(container):
    """Return the paths (list of bytes) under which 1.3.x may have known ROOT."""
    was = patching.read(container, patching.PATH)
    found = [was + "/ROOT" if was else "", patching.read(container, "root.path"),
             os.path.realpath(container.root), container.root]
    return [os.fsencode(path) for number, path in enumerate(found)
            if path.startswith("/") and path not in found[:number]]


def _restore_loader(container, stage):
    """Put the loader back, unless it is another one by now, as after an upgrade inside."""
    try:
        with open(os.path.join(container.path, "ld.so.orig"), "rb") as file:
            original = file.read()
    except OSError:
        return
    for target in patching.targets(container.root, None):
        if target.status.st_size != len(original):
            continue
        with open(os.path.join(os.fsencode(container.root), target.names[0]), "rb") as file:
            there = file.read()
        if there != original and _differing(there, original) <= _MAX_PATCHED:
            copy = os.path.join(os.fsencode(stage), b"loader")
            with open(copy, "wb") as file:
                file.write(original)
            patching.put(container.root, target.names, copy, stat.S_IMODE(target.status.st_mode),
                         target.status.st_mtime_ns)


def _differing(one, other):
    """Return how many of the bytes of two equally long pieces differ, in pages that do."""
    page = 4096
    return sum(sum(a != b for a, b in zip(one[start:start + page], other[start:start + page]))
               for start in range(0, len(one), page)
               if one[start:start + page] != other[start:start + page])


def _restore_link(path, prefixes, stage):
    target = os.readlink(path)
    for prefix in prefixes:
        if target == prefix or target.startswith(prefix + b"/"):
            directory = os.path.dirname(path)
            before, status = os.stat(directory), os.lstat(path)
            link = os.path.join(os.fsencode(stage), b"link")
            os.symlink(target[len(prefix):] or b"/", link)
            os.utime(link, ns=(status.st_atime_ns, status.st_mtime_ns), follow_symlinks=False)
            os.rename(link, path)
            os.utime(directory, ns=(before.st_atime_ns, before.st_mtime_ns))
            return


def _has(path, piece):
    with open(path, "rb") as file:
        return piece in file.read()
