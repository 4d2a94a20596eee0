"""Volumes that lie in other volumes."""

import os

from udocker.errors import UdockerError
from udocker.host.tree import Root
from udocker.run.view import covering


def make_mountpoints(binds):
    """Make the targets of ``binds`` (tuple of Bind: those that the user named) that lie in another of
    them and are missing there, as docker does, and as runtimes of R modes do anyway.

    Workflow programs count on it: they find the result of a step where they had a file mounted.
    Where that is not allowed the engines help themselves.
    """
    for position, bind in enumerate(binds):
        outer = covering(bind.target, binds[:position] + binds[position + 1:])
        if outer is None or outer.target == bind.target or outer.read_only \
                or not os.path.isdir(outer.source):
            continue
        try:
            with Root(outer.source) as root:  # links in it are resolved in it, as they are inside
                root.make_mountpoint(bind.target[len(outer.target):], os.path.isdir(bind.source))
        except UdockerError:
            pass
