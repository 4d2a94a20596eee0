"""Move a complete tree to where something is already: directory into directory, by renames.

What takes time and space was done before, in a place that nobody looks at. What cannot be (a
directory in place of a file) is found out before anything is changed.
"""

import os
import stat

from udocker.errors import Refused
from udocker.host import tree


def merge(stage, name, root, target):
    """Let ``name`` (bytes) of directory ``stage`` (tree.Root) be ``target`` (bytes: a path without
    links) in ``root`` (tree.Root).

    Directories that are there keep what they have and are themselves; files are replaced. Links in
    ``root`` that lead to directories are followed, inside of it.
    """
    moves = []
    todo = [(name, target)]
    while todo:
        source, target = todo.pop()
        folder, last = stage.resolve(source, follow=False)
        try:
            mode = os.stat(last, dir_fd=folder, follow_symlinks=False).st_mode
            there = root.kind(target)
            if stat.S_ISDIR(mode) and there == "directory":
                os.chmod(last, 0o700, dir_fd=folder)  # it is emptied, and then not needed any more
                fd = os.open(last, tree.LIST, dir_fd=folder)
                try:
                    todo.extend((source + b"/" + entry, target.rstrip(b"/") + b"/" + entry)
                                for entry in map(os.fsencode, os.listdir(fd)))
                finally:
                    os.close(fd)
                continue
        finally:
            os.close(folder)
        _require_same_sort(root, target, stat.S_ISDIR(mode))
        moves.append((source, target, mode))
    for source, target, mode in moves:
        _move(stage, source, root, target, mode)


def _require_same_sort(root, target, is_directory):
    folder, last = root.resolve(target, follow=False)
    try:
        mode = os.stat(last, dir_fd=folder, follow_symlinks=False).st_mode
    except FileNotFoundError:
        return
    finally:
        os.close(folder)
    if is_directory or stat.S_ISDIR(mode):
        raise Refused("cannot replace %s: it is %s directory, and what comes is %s"
                      % (tree.shown(target), "no" if is_directory else "a",
                         "one" if is_directory else "none"))


def _move(stage, source, root, target, mode):
    fd, name = stage.resolve(source, follow=False)
    try:
        folder, last = root.resolve(target, follow=False)
        try:
            with tree.naming(target):
                # a directory that moves is written to: its ".." changes
                is_locked = stat.S_ISDIR(mode) and not mode & stat.S_IWUSR
                if is_locked:
                    os.chmod(name, stat.S_IMODE(mode) | stat.S_IWUSR, dir_fd=fd)
                os.rename(name, last, src_dir_fd=fd, dst_dir_fd=folder)
                if is_locked:
                    os.chmod(last, stat.S_IMODE(mode), dir_fd=folder)
        finally:
            os.close(folder)
    finally:
        os.close(fd)
