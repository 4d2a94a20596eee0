"""What runs made in a root file system to mount over, remembered so that it can be removed again.

As udocker 1.3.x has it: ``.mountpoints/#a#b#c -> #a`` says that ``/a/b/c`` was made, and that
``/a`` was there before.
"""

import os
import stat

from udocker.errors import UdockerError
from udocker.host import files, tree

DIRECTORY = ".mountpoints"
#: Files that 1.3.x has moved out of ROOT in R modes, ``#etc#passwd``: a link is in their place.
MOVED = ".bind_orig_files"
#: Where in ROOT these links lead.
_LINKED = "/.bind_host_files"
#: Bytes of a name in a directory: a path that is longer cannot be remembered this way.
_MAX_NAME = 255


def make(container, mountpoints):
    """Make ``mountpoints`` (sequence of (path, is it a directory)) in ``container``.

    As docker does, and so that ``ls`` shows them. Where that is not allowed the engines help
    themselves.
    """
    with tree.Root(container.root) as root:
        for path, is_directory in mountpoints:
            try:
                topmost = root.make_mountpoint(path, is_directory)
                if topmost is not None:
                    _remember(container, root.real_path(path), os.path.dirname(topmost))
            except UdockerError:
                pass


def untouched(container, more=()):
    """Return the paths (set of bytes, below the root) that were made, or are in ``more`` (sequence
    of str, absolute), and that nobody has put anything into since."""
    made = set(more)
    for path, before in _remembered(os.path.join(container.path, DIRECTORY)):
        while len(path) > len(before) and path.startswith(before):
            made.add(path)
            path = os.path.dirname(path)
    found = set()
    with tree.Root(container.root) as root:
        for path in sorted(made, key=len, reverse=True):  # what is below goes first
            if _is_bare(root, tree.raw(path), found):
                found.add(tree.raw(path.lstrip("/")))
    return found


def _is_bare(root, path, found):
    """Whether ``path`` (bytes) is an empty file, or a directory with nothing in it but ``found``."""
    try:
        fd, name = root.resolve(path, follow=False)
    except UdockerError:
        return False
    try:
        status = os.stat(name, dir_fd=fd, follow_symlinks=False)
        if not stat.S_ISDIR(status.st_mode):
            return stat.S_ISREG(status.st_mode) and not status.st_size
        inner = os.open(name, tree.LIST, dir_fd=fd)
        try:
            return all(path.lstrip(b"/") + b"/" + entry in found
                       for entry in map(os.fsencode, os.listdir(inner)))
        finally:
            os.close(inner)
    except OSError:
        return False
    finally:
        os.close(fd)


def remove(container):
    """Remove what was made, as far as nobody has put something into it since."""
    directory = os.path.join(container.path, DIRECTORY)
    with tree.Root(container.root) as root:
        for path, before in _remembered(directory):
            while len(path) > len(before.rstrip("/")) and path.startswith(before):
                if not _remove_empty(root, path):
                    break
                path = os.path.dirname(path)
    files.remove_tree(directory)


def put_back(container):
    """Put back into ``container`` what 1.3.x has moved out of it, where its link still is."""
    directory = os.path.join(container.path, MOVED)
    try:
        names = os.listdir(directory)
    except FileNotFoundError:
        return
    with tree.Root(container.root) as root:
        for name in names:
            try:
                fd, last = root.resolve(name.replace("#", "/"), follow=False)
            except UdockerError:
                continue  # its directory is gone
            try:
                if os.readlink(last, dir_fd=fd) == os.fsencode(_LINKED + "/" + name):
                    os.rename(os.path.join(directory, name), last, dst_dir_fd=fd)
            except OSError:
                continue  # somebody put something else there
            finally:
                os.close(fd)
        _remove_empty(root, _LINKED)
    files.remove_tree(directory)


def _remembered(directory):
    """Return [(path that was made, the path above it that was there)] (str), what is below first."""
    try:
        names = sorted(os.listdir(directory), reverse=True)
    except FileNotFoundError:
        return []
    with tree.naming(directory):
        return [(name.replace("#", "/"),
                 os.readlink(os.path.join(directory, name)).replace("#", "/")) for name in names]


def _remember(container, path, before):
    directory = os.path.join(container.path, DIRECTORY)
    name = path.replace("/", "#")
    if len(os.fsencode(name)) > _MAX_NAME or "#" in path:
        return
    files.make_directories(directory)
    with tree.naming(directory):
        try:
            os.symlink(before.replace("/", "#"), os.path.join(directory, name))
        except FileExistsError:
            pass  # another run was as quick


def _remove_empty(root, path):
    """Remove the empty directory or file ``path``; return whether it is gone."""
    try:
        fd, name = root.resolve(path, follow=False)
    except UdockerError:
        return True  # somebody removed more
    try:
        try:
            os.rmdir(name, dir_fd=fd)
        except NotADirectoryError:
            if os.stat(name, dir_fd=fd, follow_symlinks=False).st_size:
                return False
            os.unlink(name, dir_fd=fd)
        return True
    except FileNotFoundError:
        return True
    except OSError:
        return False
    finally:
        os.close(fd)
