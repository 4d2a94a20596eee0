"""Where things are: the directories of udocker 1.3.x (docs/data.md)."""

import os
from collections import namedtuple

from udocker.errors import HostError, InvalidValue
from udocker.model.reference import quoted


class Layout(namedtuple("Layout", "top bin lib doc repos layers containers keystore tmp")):
    """The directories (str) of one udocker repository."""

    __slots__ = ()

    @classmethod
    def of(cls, settings):
        """Return the layout that ``settings`` ask for."""
        top = os.path.abspath(os.path.expanduser(settings.topdir))
        if "\n" in top or ":" in top:
            # engines take lists of paths that are separated by colons
            raise InvalidValue("invalid udocker directory %s: no ':' or line break, please"
                               % quoted(top))

        def place(configured, name):
            return os.path.abspath(os.path.expanduser(configured or os.path.join(top, name)))

        return cls(top, place(settings.bindir, "bin"), place(settings.libdir, "lib"),
                   place(settings.docdir, "doc"), place(settings.reposdir, "repos"),
                   place(settings.layersdir, "layers"),
                   place(settings.containersdir, "containers"),
                   os.path.join(top, settings.keystore), settings.tmpdir)

    @classmethod
    def below(cls, top, settings):
        """Return the layout that has all in ``top`` (str), whatever ``settings`` say of parts."""
        parts = ("bindir", "libdir", "docdir", "reposdir", "layersdir", "containersdir")
        return cls.of(settings.replaced("command line", topdir=top, **dict.fromkeys(parts, "")))

    @property
    def is_repository(self):
        return all(os.path.isdir(path) for path in (self.repos, self.layers, self.containers))

    def make(self, whole=False):
        """Make the directories that are missing; return whether there were any.

        whole (bool): also those for engines, without which 1.3.x takes it for no repository.
        """
        engines = (self.bin, self.lib, self.doc) if whole else ()
        missing = [path for path in (self.top, self.repos, self.layers, self.containers) + engines
                   if not os.path.isdir(path)]
        for path in missing:
            try:
                os.makedirs(path, 0o755, exist_ok=True)
            except OSError as error:
                raise HostError("cannot make %s: %s" % (quoted(path), os.strerror(error.errno)),
                                "set UDOCKER_DIR to a directory that you can write to")
        return bool(missing)

    def require_repository(self):
        """Raise InvalidValue unless the directories of a repository are there (--repo)."""
        if not self.is_repository:
            raise InvalidValue("invalid udocker repository: %s" % quoted(self.top))
