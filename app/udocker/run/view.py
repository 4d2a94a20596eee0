"""What a container will see: its root file system with the volumes laid over it.

It is looked at before anything starts, so that a missing command or directory is one clear line
from us and not whatever the engine makes of it.
"""

import os
import stat

from udocker.errors import NotFound, UdockerError
from udocker.host.elf import read_elf


class ContainerView(object):
    """The files of a container.

    ``make_plan`` uses these methods and nothing else of the file system; tests give it a small
    dictionary that has them too.
    """

    def __init__(self, root):
        """root (host.tree.Root): stays open as long as the view is used."""
        self._root = root

    def read(self, path, limit):
        """Return the bytes of a file of the root file system, b"" where there is none."""
        try:
            return self._root.read_file(path, limit)
        except NotFound:
            return b""

    def kind(self, path, binds):
        """Return what the process will see at ``path`` (str): see host.tree.Root.kind.

        binds (tuple of Bind): the volumes; the last that covers a path counts.
        """
        bind = covering(path, binds)
        if bind is None:
            found = self._root.kind(path)
            if found is not None or not binds:
                return found
            try:
                real = self._root.real_path(path)  # a link into a volume
            except UdockerError:
                # a mount point that the engine makes, and the directories above it
                return _kind_of_mountpoint(path, binds)
            bind = covering(real, binds)
            if bind is None:
                return _kind_of_mountpoint(path, binds)
            path = real
        return self.host_kind(bind.source + path[len(bind.target):])

    def allows(self, what):
        """Whether files of the root file system may be changed ("write") or executed ("exec")."""
        if what == "write":
            return os.access(self._root.path, os.W_OK)
        return not os.statvfs(self._root.path).f_flag & os.ST_NOEXEC

    def architecture(self, path, binds):
        """Return the architecture (str: GOARCH) that the program ``path`` is for, "" if unknown.

        A script is for none; what its interpreter is for is not looked at.
        """
        try:
            return self.elf(path, binds).architecture
        except (UdockerError, OSError):
            return ""

    def elf(self, path, binds):
        """Return the Elf that the program ``path`` (str) is; CorruptData, NotFound or OSError."""
        with self._open(path, binds) as opened:
            return read_elf(opened)

    def read_start(self, path, binds):
        """Return the first bytes of the file ``path`` (str); NotFound or OSError."""
        with self._open(path, binds) as opened:
            return opened.read(256)

    def real_path(self, path, binds):
        """Return ``path`` (str) with links resolved, those of the root file system."""
        return path if covering(path, binds) else self._root.real_path(path)

    def _open(self, path, binds):
        bind = covering(path, binds)
        if bind is None:
            return self._root.open_file(path)
        return open(bind.source + path[len(bind.target):], "rb")

    @staticmethod
    def read_host(path):
        """Return the bytes of the file ``path`` (str) of the host; OSError."""
        with open(path, "rb") as file:
            return file.read()

    @staticmethod
    def host_kind(path):
        """Return what is at ``path`` (str) on the host, in the same words; None if nothing."""
        try:
            mode = os.stat(path).st_mode
        except OSError:
            return None
        if stat.S_ISDIR(mode):
            return "directory"
        if stat.S_ISREG(mode):
            return "executable" if os.access(path, os.X_OK) else "file"
        return "other"


def covering(path, binds):
    """Return the Bind that ``path`` (str) lies in, the deepest and of those the last, or None."""
    found = None
    for bind in binds:
        if path == bind.target or path.startswith(bind.target + "/"):
            if found is None or len(bind.target) >= len(found.target):
                found = bind
    return found


def _kind_of_mountpoint(path, binds):
    prefix = path.rstrip("/") + "/"
    return "directory" if any(bind.target.startswith(prefix) for bind in binds) else None
