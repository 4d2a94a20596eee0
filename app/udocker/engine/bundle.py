"""The engines on disk, and the bundles that they come in.

A bundle is a gzipped tar with ``udocker_dir/{bin,lib,doc}/...``, as udocker 1.3.x has them, and a
manifest ``udocker_dir/lib/engines-<arch>.json`` that lists every other file with size and SHA256.
Installing puts the files into the repository's bin, lib and doc, each by a rename, the manifest
last: whatever is interrupted, what worked before still does.
"""

import os
from collections import namedtuple

from udocker.engine.base import UNKNOWN, VERIFIED, Program
from udocker.errors import EngineError
from udocker.host import files, tree
from udocker.host.facts import ENGINE_ARCHITECTURES
from udocker.model.jsontext import loads
from udocker.model.oci import MAX_DOCUMENT
from udocker.model.reference import quoted

#: Manifest of the installed engines: version (str), bundle (str: sha256), files (dict).
Installed = namedtuple("Installed", "version bundle files")


class EngineStore(object):
    """The installed engines of one repository, for one architecture of the host."""

    def __init__(self, layout, architecture):
        """architecture (str): as engine file names have it, HostFacts.engine_architecture."""
        self._layout = layout
        self._rooms = {"bin": layout.bin, "lib": layout.lib, "doc": layout.doc}
        self._architecture = architecture
        self._manifest = os.path.join(layout.lib, "engines-%s.json" % architecture)

    def installed(self):
        """Return the Installed of this architecture, or None."""
        try:
            with open(self._manifest, "rb") as file:
                document = loads(file.read(MAX_DOCUMENT))
            return Installed(document["version"], document.get("bundle", ""), document["files"])
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def find(self, name):
        """Return the Program ``name`` (str: proot, crun ...) of this architecture, or None."""
        file_name = "%s-%s" % (name, self._architecture)
        return self._program(os.path.join(self._rooms["bin"], file_name), "bin/" + file_name)

    def _program(self, path, entry_name):
        try:
            status = os.stat(path)
        except OSError:
            return None
        installed = self.installed()
        entry = installed.files.get(entry_name) if installed else None
        if entry and self._is_genuine(path, status, entry):
            return Program(path, entry.get("version", ""), VERIFIED)
        return Program(path, "", UNKNOWN)

    def of(self, architecture):
        """Return the EngineStore of the same repository for another ``architecture`` (GOARCH)."""
        name = ENGINE_ARCHITECTURES.get(architecture, architecture)
        return EngineStore(self._layout, name)

    def library_path(self, name):
        """Return where the library ``name`` (str: libfakechroot ...) of this architecture is."""
        return os.path.join(self._rooms["lib"], "%s-%s.so" % (name, self._architecture))

    def find_library(self, name):
        """Return the Program that is the library ``name`` (str) of this architecture, or None."""
        path = self.library_path(name)
        return self._program(path, "lib/" + os.path.basename(path))

    def install(self, archive, sha256):
        """Install the bundle ``archive`` (binary file), whose SHA256 (str) the caller verified.

        Returns the Installed.
        """
        from udocker.engine import unpack
        for room in self._rooms.values():
            files.make_directories(room)
        with unpack.staged(archive, self._rooms["lib"]) as stage:
            manifest = unpack.check(stage, self._architecture)
            for name in sorted(manifest["files"]):
                self._publish(os.path.join(stage, name), name, manifest["files"][name])
            manifest["bundle"] = sha256
            import json
            files.write_atomic(self._manifest, json.dumps(manifest, indent=1,
                                                          sort_keys=True).encode("ascii"))
        return self.installed()

    def discard(self, names):
        """Remove the files ``names`` (as a manifest has them), and nothing else."""
        for name in names:
            path = self._place(name)
            with tree.naming(path):
                try:
                    os.unlink(path)
                except FileNotFoundError:
                    pass  # it was missing before

    def _publish(self, source, name, entry):
        path = self._place(name)
        files.make_directories(os.path.dirname(path))
        with tree.naming(path):
            os.chmod(source, 0o755 if name.startswith("bin/") else 0o644)
            # by this stamp the file is known again without reading it at every start
            os.utime(source, ns=(entry["mtime_ns"], entry["mtime_ns"]))
            os.rename(source, path)

    def _place(self, name):
        room, slash, rest = name.partition("/")
        return os.path.join(self._rooms[room], rest)

    def _is_genuine(self, path, status, entry):
        if status.st_size != entry.get("size"):
            return False
        if status.st_mtime_ns == entry.get("mtime_ns"):
            return True
        # copied without its times: the content decides
        from udocker.engine.unpack import sha256_of
        return sha256_of(path) == entry.get("sha256")


def require(program, name):
    """Return ``program`` (Program or None) if it can be started; EngineError says what to do."""
    if program is None:
        raise EngineError("the engine %s is not installed" % name, "'udocker install' installs it")
    if not os.access(program.path, os.X_OK):
        raise EngineError("the engine %s cannot be executed" % quoted(program.path),
                          "'udocker install --force' installs it again; on a file system mounted "
                          "noexec set UDOCKER_BIN to another")
    return program
