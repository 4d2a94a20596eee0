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
#: Runtimes of R modes, the faster to start first.
OCI_RUNTIMES = ("crun", "runc")


class Locator(object):
    """Finds engines."""

    def __init__(self, settings, store, install, remember):
        """settings (Settings), store (EngineStore).

        install (function of a bool, and of an architecture, GOARCH, that is not the host's): installs
        a bundle: with True the first to be had, as nothing runs without it, or raises; with False
        one that is at hand and newer, or does nothing.
        remember (str): path of the file that keeps which foreign programs were seen to be safe.
        """
        self._settings = settings
        self._store = store
        self._install = install
        self._remember = remember

    def proot(self):
        """Return the Program of PRoot; EngineError."""
        program = self._locate(("proot",), self._settings.use_proot_executable)
        if program.origin != VERIFIED:
            self._require_contained(program)
        return program

    def oci_runtime(self):
        """Return the Program of crun or runC; EngineError."""
        configured = self._settings.use_runc_executable
        if configured in OCI_RUNTIMES:  # ours of that name, before any in PATH
            return self._locate((configured,), "")
        return self._locate(OCI_RUNTIMES, configured)

    def singularity(self):
        """Return the Program of Apptainer or Singularity; EngineError."""
        return self._locate(("apptainer", "singularity"),
                            self._settings.use_singularity_executable, is_ours=False)

    def patchelf(self):
        """Return the Program of patchelf; EngineError."""
        return self._locate(("patchelf",), self._settings.use_patchelf_executable)

    def fakechroot(self, libc, architecture):
        """Return the Program that is the library for ``libc`` (str) and ``architecture`` (GOARCH,
        None for the host's).

        EngineError says what was looked for.
        """
        store = self._store.of(architecture) if architecture else self._store
        configured = self._settings.fakechroot_so
        if configured and configured != OWN:
            path = configured if "/" in configured else store.library_path(configured)
            if not os.path.isfile(path):
                raise EngineError("the configured library %s does not exist" % quoted(path))
            return Program(path, "", FOREIGN)
        name = "libfakechroot" + ("-musl" if libc == "musl" else "")
        program = store.find_library(name)
        if program is None:
            self._install(True, architecture)
            program = store.find_library(name)
        if program is None:
            raise EngineError("no library for the image's C library: looked for %s"
                              % quoted(store.library_path(name)),
                              "'udocker install' installs those that there are; modes P1 and R1 need "
                              "none")
        return program

    def _locate(self, names, configured, is_ours=True):
        """Return the Program of the first of ``names`` (sequence of str) that is here.

        is_ours (bool): it may be in a bundle of ours.
        """
        if configured and configured != OWN:
            path = configured if "/" in configured else _in_path(configured) or configured
            if not os.path.isfile(path):
                raise EngineError("the configured engine %s does not exist" % quoted(configured))
            return require(Program(path, "", FOREIGN), names[0])
        program = self._installed(names) if is_ours else None
        if program is None:
            for name in names:
                path = _in_path(name)
                if path:
                    return Program(path, "", FOREIGN)
            if not is_ours:
                raise EngineError("neither %s is in PATH" % " nor ".join(names))
        return require(program, names[0])

    def _installed(self, names):
        """Return the Program of ours; a verified one, if need be installed now, goes first."""
        found = self._found(names)
        if found is None or found.origin != VERIFIED or not self._store.is_settled(__version__):
            self._install(found is None)
            found = self._found(names)
        return found

    def _found(self, names):
        unknown = None
        for name in names:
            program = self._store.find(name)
            if program is not None and program.origin == VERIFIED:
                return program
            unknown = unknown or program
        return unknown

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
