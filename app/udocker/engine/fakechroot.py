"""Fakechroot: a library that is loaded into each program and rewrites the paths of its C library calls.

It needs nothing of the kernel, and costs next to nothing; but it reaches only programs that are
dynamically linked with the C library of the image, nobody becomes root, and it contains nobody who
wants to get out.

Modes: F1 starts every program with the image's loader; F2 with a copy of it that looks nowhere on
the host; F3 has changed the programs so that they name that loader themselves, and programs that
come later are started by it; F4, which udocker 1.3.x needed for these, is the same. What the
variables mean: engines-build/fakechroot/README.md.
"""

import os

from udocker.engine import patching
from udocker.engine.base import Engine, EnginePlan, unmet
from udocker.engine.guest import GLIBC, MUSL, links_that_leave, read_guest
from udocker.errors import EngineError, InvalidValue
from udocker.host.files import make_directories
from udocker.host.tree import Root, naming
from udocker.model.reference import quoted

#: What would change the loader's cache, which these modes do not use: it succeeds, doing nothing.
_SUBSTITUTES = ("/sbin/ldconfig=#RETURN(TRUE)#", "/usr/sbin/ldconfig=#RETURN(TRUE)#",
                "/sbin/ldconfig.real=#RETURN(TRUE)#", "/usr/sbin/ldconfig.real=#RETURN(TRUE)#")
#: In the container's directory: links to libraries that the loader would look for on the host.
LINKS = "ld.lib.links"


class Fakechroot(Engine):
    """libfakechroot.so."""

    name = "fakechroot"

    def __init__(self, program, guest, container, libraries):
        """program (Program): the library. guest (Guest), container (Container),
        libraries ({name: path inside} of links that leave, see guest.links_that_leave)."""
        Engine.__init__(self, program)
        self.guest, self._container, self._libraries = guest, container, libraries

    def prepare(self, mode):
        """Write beside ROOT what the loader needs in ``mode`` (str)."""
        if mode in ("F3", "F4"):
            patching.require_patched(self._container)
        elif mode == "F2":
            patching.make_loader(self._container, self.guest)
        _write_links(os.path.join(self._container.path, LINKS), self._container.root,
                     self._libraries)

    def plan(self, launch, mode):
        guest = self.guest
        # the library wants real paths, and separates them in its own way
        launch = launch._replace(root=os.path.realpath(launch.root), binds=tuple(
            bind._replace(source=os.path.realpath(bind.source)) for bind in launch.binds))
        root = launch.root
        for path in [root] + [path for bind in launch.binds for path in bind[:2]]:
            if ":" in path or "!" in path:
                raise InvalidValue("invalid path %s: F modes take no ':' or '!' in one"
                                   % quoted(path))
        loader = root + guest.loader if mode == "F1" else \
            os.path.join(os.path.dirname(root), patching.LOADER)
        env = dict(launch.env)
        libraries = [os.path.join(self._container.path, LINKS)] if self._libraries else []
        libraries += [root + path for path in guest.directories]
        asked = [path for path in env.get("LD_LIBRARY_PATH", "").split(":") if path]
        ours = ":".join([_on_host(path, launch) for path in asked] + libraries)
        preloaded = [_on_host(path, launch) if path.startswith("/") else path
                     for path in env.get("LD_PRELOAD", "").replace(":", " ").split()]
        env.update({
            "LD_PRELOAD": ":".join([self.program.path] + preloaded),
            "LD_LIBRARY_PATH": ours,
            "FAKECHROOT_BASE": root,
            "FAKECHROOT_LIBRARY_ORIG": ":".join(libraries),
            "FAKECHROOT_EXPAND_SYMLINKS": "true",
            "FAKECHROOT_DISALLOW_ENV_CHANGES": "true",
            "FAKECHROOT_CMD_SUBST": ":".join(_SUBSTITUTES + launch.settings.substitutes),
            "FAKECHROOT_EXCLUDE_PATH": ":".join(
                bind.target for bind in launch.binds if bind.source == bind.target),
            "FAKECHROOT_DIR_MAP": ":".join(
                "%s!%s" % (bind.source, bind.target)
                for bind in sorted(launch.binds, key=lambda bind: -len(bind.target))
                if bind.source != bind.target),
            "PWD": launch.cwd,
        })
        program = _on_host(launch.program, launch)
        if mode in ("F1", "F2"):
            env["FAKECHROOT_ELFLOADER"] = loader
        else:
            # programs that came later name a loader of the host, and are started by this one
            env["FAKECHROOT_PATCH_ELFLOADER"] = loader
        for item in ":".join(launch.settings.substitutes).split(":"):
            if item and not (item.startswith("/") and "=" in item):
                raise InvalidValue("invalid fakechroot_cmd_subst %s" % quoted(item),
                                   "write it as /PROGRAM=/SUBSTITUTE")
        if guest.libc == MUSL:  # its loader tells the program its name; with glibc the library does
            env["FAKECHROOT_ELFLOADER_OPT_ARGV0"] = "--argv0"
            argv = (loader, "--argv0", launch.argv[0], program)
        else:
            env["FAKECHROOT_ARGV0"] = launch.argv[0]
            argv = (loader, program) if mode in ("F1", "F2") else (program,)
        argv += launch.argv[1:]
        warnings = unmet(launch, mode)
        warnings += ["--%s changes nothing in mode %s" % (option, mode) for option, value in (
            ("publish", launch.ports), ("publish-all", launch.any_port), ("kernel", launch.kernel),
            ("hostname", launch.hostname)) if value]
        unprotected = [bind.target for bind in launch.binds if bind.read_only]
        if unprotected:
            warnings.append("volume %s is not read-only: Fakechroot cannot protect it (mode R1 can)"
                            % ", ".join(unprotected))
        return EnginePlan(argv, tuple(env.items()), (), tuple(warnings),
                          (("LD_LIBRARY_PATH", "where the image's own loader looks"),),
                          _on_host(launch.cwd, launch))


def fakechroot_for(container, mode, locator):
    """Return the Fakechroot that runs ``container`` (Container) in ``mode`` (str); EngineError.

    Without a container (None) it is one that can tell whether there is a library, and no more.
    """
    if container is None:
        if mode in ("F3", "F4"):
            locator.patchelf()
        return Fakechroot(_loadable(locator.fakechroot(GLIBC, None)), None, None, {})
    with Root(container.root) as root:
        guest = read_guest(root, patching.original_loader(container))
        libraries = links_that_leave(root, guest.directories)
    return Fakechroot(_loadable(locator.fakechroot(guest.libc, guest.architecture)), guest,
                      container, libraries)


def _loadable(library):
    """Return ``library`` (Program) if a loader can load it; EngineError.

    A loader goes on without a library that it cannot preload, and then the program is on the host.
    """
    if not os.access(library.path, os.R_OK):
        raise EngineError("the library %s cannot be read" % quoted(library.path),
                          "'udocker install --force' installs it again")
    if os.statvfs(library.path).f_flag & os.ST_NOEXEC:
        raise EngineError("the library %s is on a file system mounted noexec, where nothing can be "
                          "loaded from" % quoted(library.path), "set UDOCKER_LIB to another")
    return library


def _on_host(path, launch):
    """Return where ``path`` (str, inside, links resolved) is on the host."""
    if not path.startswith("/"):
        return path
    best = None
    for bind in launch.binds:
        if path == bind.target or path.startswith(bind.target + "/"):
            if best is None or len(bind.target) >= len(best.target):
                best = bind
    if best is not None:
        return best.source + path[len(best.target):]
    return launch.root + path


def _write_links(directory, root, libraries):
    """Make ``directory`` hold a link to each of ``libraries`` and nothing else."""
    wanted = {name: root + path for name, path in libraries.items()}
    with naming(directory):
        try:
            there = {name: os.readlink(os.path.join(directory, name))
                     for name in os.listdir(directory)}
        except FileNotFoundError:
            there = {}
        if there == wanted:
            return
        make_directories(directory)
        for name in set(there) | set(wanted):
            if there.get(name) != wanted.get(name):
                path = os.path.join(directory, name)
                if name in there:
                    os.unlink(path)
                if name in wanted:
                    os.symlink(wanted[name], path)
