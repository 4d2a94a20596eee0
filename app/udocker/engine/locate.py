"""From the name of an engine to a program that may be trusted.

Order: what the configuration names, the verified bundle, a bundle that is at hand and gets
installed now, a file in bin that another udocker left, PATH. A PRoot that did not come in a
verified bundle is used only after it was seen to keep a process inside its root.

Engines of an older release are replaced when newer ones are at hand; each release looks once.
"""

import os

from udocker import __version__
from udocker.engine.base import FOREIGN, VERIFIED, Program
from udocker.engine.bundle import require
from udocker.errors import EngineError
from udocker.model.reference import quoted

#: What the configuration says to mean "your own" (udocker 1.3.x).
OWN = "UDOCKER"


class Locator(object):
    """Finds engines."""

    def __init__(self, settings, store, install, remember):
        """settings (Settings), store (EngineStore).

        install (function of a bool): installs a bundle: with True the first to be had, as nothing
        runs without it, or raises; with False one that is at hand and newer, or does nothing.
        remember (str): path of the file that keeps which foreign programs were seen to be safe.
        """
        self._settings = settings
        self._store = store
        self._install = install
        self._remember = remember

    def proot(self):
        """Return the Program of PRoot; EngineError."""
        program = self._locate("proot", self._settings.use_proot_executable)
        if program.origin != VERIFIED:
            self._require_contained(program)
        return program

    def crun(self):
        """Return the Program of crun; EngineError."""
        return self._locate("crun", self._settings.use_runc_executable)

    def _locate(self, name, configured):
        if configured and configured != OWN:
            path = configured if "/" in configured else _in_path(configured) or configured
            if not os.path.isfile(path):
                raise EngineError("the configured engine %s does not exist" % quoted(configured))
            return require(Program(path, "", FOREIGN), name)
        program = self._store.find(name)
        if program is None or program.origin != VERIFIED or not self._store.is_settled(__version__):
            self._install(program is None)
            program = self._store.find(name)
        if program is None:
            path = _in_path(name)
            program = Program(path, "", FOREIGN) if path else None
        return require(program, name)

    def _require_contained(self, program):
        from udocker.engine.proot import is_contained
        status = os.stat(program.path)
        stamp = "%s %d %d" % (program.path, status.st_size, status.st_mtime_ns)
        if stamp in self._known():
            return
        if not is_contained(program.path):
            raise EngineError("the PRoot %s does not keep programs inside the container"
                              % quoted(program.path),
                              "'udocker install' installs one that does")
        try:
            with open(self._remember, "a") as file:
                file.write(stamp + "\n")
        except OSError:
            pass  # read-only: it is tried again next time

    def _known(self):
        try:
            with open(self._remember) as file:
                return file.read().split("\n")
        except OSError:
            return ()


def _in_path(name):
    for directory in os.environ.get("PATH", "").split(":"):
        path = os.path.join(directory, name)
        if directory.startswith("/") and os.path.isfile(path) and os.access(path, os.X_OK):
            return path
    return None
