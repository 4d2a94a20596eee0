"""The engines on disk, as bundles bring them.

A bundle is a gzipped tar with ``udocker_dir/{bin,lib,doc}/...``, as udocker 1.3.x has them, and a
manifest ``udocker_dir/lib/engines-<arch>.json`` that lists every other file with size and SHA256.
Installing puts the files into the repository's bin, lib and doc, each by a rename, the manifest
last: whatever is interrupted, what worked before still does. Each architecture has a manifest of its
own, so that machines of several kinds can share a repository.
"""

import os
from collections import namedtuple

from udocker.engine.base import UNKNOWN, VERIFIED, Program, is_older
from udocker.errors import EngineError
from udocker.host import files, tree
from udocker.host.facts import ENGINE_ARCHITECTURES
from udocker.model.jsontext import loads
from udocker.model.oci import MAX_DOCUMENT
from udocker.model.reference import quoted

#: What udocker 1.3.x calls the PRoot for Linux 4.8 and newer; the one without is for older ones.
_OLD_SUFFIX, _OLD_SUFFIX_SINCE = "-4_8_0", (4, 8)

#: What is installed: version (str), bundle (str: its SHA256), files (dict), program (str: the newest
#: udocker that looked whether it has newer ones).
Installed = namedtuple("Installed", "version bundle files program")


class EngineStore(object):
    """The installed engines of one repository, for one architecture."""

    def __init__(self, layout, architecture, kernel=(0, 0)):
        """architecture (str): as engine file names have it, HostFacts.engine_architecture.
        kernel ((int, int)): of the host, for engines of udocker 1.3.x."""
        self._layout = layout
        self._rooms = {"bin": layout.bin, "lib": layout.lib, "doc": layout.doc}
        self._architecture = architecture
        self._kernel = kernel
        self._manifest = os.path.join(layout.lib, "engines-%s.json" % architecture)

    def installed(self):
        """Return the Installed of this architecture, or None."""
        try:
            document = self._read(self._manifest)
            return Installed(document["version"], document.get("bundle", ""), document["files"],
                             document.get("program", ""))
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None

    def is_intact(self, installed):
        """Whether programs and libraries of ``installed`` (Installed) are there and as they were."""
        return all(self._is_genuine(self._place(name), entry)
                   for name, entry in installed.files.items()
                   if name.startswith("bin/") or name.endswith(".so"))

    def find(self, name):
        """Return the Program ``name`` (str: proot, crun ...) of this architecture, or None."""
        file_name = "%s-%s" % (name, self._architecture)
        path = os.path.join(self._rooms["bin"], file_name)
        program = self._verified(path, "bin/" + file_name)
        if program is not None:
            return program
        suffixes = (_OLD_SUFFIX, "") if self._kernel >= _OLD_SUFFIX_SINCE else ("",)
        for suffix in suffixes:
            if os.path.exists(path + suffix):
                return Program(path + suffix, "", UNKNOWN)
        return None

    def _verified(self, path, name):
        """Return the Program ``path`` if it is what the manifest has under ``name``, or None."""
        installed = self.installed()
        entry = installed.files.get(name) if installed else None
        if entry and self._is_genuine(path, entry):
            return Program(path, entry.get("version", ""), VERIFIED)
        return None

    def of(self, architecture):
        """Return the EngineStore of the same repository for another ``architecture`` (GOARCH)."""
        name = ENGINE_ARCHITECTURES.get(architecture, architecture)
        return EngineStore(self._layout, name, self._kernel)

    def library_path(self, name):
        """Return where the library ``name`` (str: libfakechroot ...) of this architecture is."""
        return os.path.join(self._rooms["lib"], "%s-%s.so" % (name, self._architecture))

    def find_library(self, name):
        """Return the Program that is the library ``name`` (str) of this architecture, or None."""
        path = self.library_path(name)
        if not os.path.exists(path):
            return None
        return self._verified(path, "lib/" + os.path.basename(path)) or Program(path, "", UNKNOWN)

    def names(self):
        """Return the names (list of str, as ``find`` takes them) of what the bundle installed."""
        installed = self.installed()
        start, end = "bin/", "-" + self._architecture
        return [name[len(start):-len(end)] for name in sorted(installed.files)
                if name.startswith(start) and name.endswith(end)] if installed else []

    def is_settled(self, version):
        """Whether udocker ``version`` (str) or a newer one found nothing newer to install."""
        installed = self.installed()
        return installed is not None and not is_older(installed.program, version)

    def settle(self, version):
        """Remember that udocker ``version`` (str) found nothing newer than what is installed."""
        document = self._read(self._manifest)
        document["program"] = version
        self._write(document)

    def install(self, archive, sha256, version):
        """Install ``archive`` (binary file), whose SHA256 (str) the caller verified, or told about.

        version (str): of this program. Returns the Installed; one without files for a tarball of
        udocker 1.3.x, whose engines stay unknown. The caller has the lock.
        """
        from udocker.engine import unpack
        from udocker.store.debris import sweep
        for room in self._rooms.values():
            files.make_directories(room)
            sweep(room)
        with unpack.staged(archive, self._rooms) as stage:
            manifest = stage.manifest(self._architecture)
            if manifest is None:
                # the version last: by it 1.3.x tells that everything is there
                for name in sorted(stage.files | stage.links, key=lambda name: (
                        name == "lib/VERSION", name)):
                    self._publish(stage.path(name), name)
                with open(self._place("lib/VERSION"), "rb") as file:
                    text = file.read(100).decode("ascii", "replace").strip()
                return Installed(text, sha256, {}, "")
            for name, entry in sorted(manifest["files"].items()):
                self._publish(stage.path(name), name, entry["mtime_ns"])
            for room in self._rooms.values():
                files.fsync_directory(room)
            manifest.update(bundle=sha256, program=version)
            self._write(manifest)
        return self.installed()

    def discard(self, names):
        """Remove the files ``names`` (as a manifest has them) that no manifest has any more."""
        for name in set(names) - self._all_files():
            path = self._place(name)
            with tree.naming(path):
                try:
                    os.unlink(path)
                except FileNotFoundError:
                    pass  # it was missing before

    def cannot_start(self, installed):
        """Return the programs (list of str) of ``installed`` that this machine will not execute."""
        return [name for name in sorted(installed.files)
                if name.startswith("bin/") and not os.access(self._place(name), os.X_OK)]

    def _all_files(self):
        """The files of the manifests of all architectures, and the manifests themselves."""
        found = set()
        for name in os.listdir(self._rooms["lib"]):
            if name.startswith("engines-") and name.endswith(".json"):
                found.add("lib/" + name)
                try:
                    found.update(self._read(self._place("lib/" + name))["files"])
                except (ValueError, KeyError, TypeError):
                    pass  # it is damaged, and claims nothing
        return found

    def _publish(self, source, name, mtime_ns=None):
        path = self._place(name)
        files.make_directories(os.path.dirname(path))
        with tree.naming(path):
            if not os.path.islink(source):
                os.chmod(source, 0o755 if name.startswith("bin/") else 0o644)
            if mtime_ns is not None:
                # by this stamp the file is known again without reading it at every start
                os.utime(source, ns=(mtime_ns, mtime_ns))
            os.rename(source, path)

    def _place(self, name):
        room, slash, rest = name.partition("/")
        return os.path.join(self._rooms[room], rest)

    def _is_genuine(self, path, entry):
        try:
            status = os.stat(path)
        except OSError:
            return False
        if status.st_size != entry.get("size"):
            return False
        if status.st_mtime_ns == entry.get("mtime_ns"):
            return True
        # copied without its times: the content decides
        from udocker.engine.unpack import sha256_of
        return sha256_of(path) == entry.get("sha256")

    def _write(self, document):
        import json
        files.write_atomic(self._manifest, json.dumps(document, indent=1,
                                                      sort_keys=True).encode("ascii"))

    @staticmethod
    def _read(path):
        with open(path, "rb") as file:
            return loads(file.read(MAX_DOCUMENT))


def require(program, name):
    """Return ``program`` (Program or None) if it can be started; EngineError says what to do."""
    if program is None:
        raise EngineError("the engine %s is not installed" % name, "'udocker install' installs it")
    if not os.access(program.path, os.X_OK):
        raise EngineError("the engine %s cannot be executed" % quoted(program.path),
                          "'udocker install --force' installs it again; on a file system mounted "
                          "noexec set UDOCKER_BIN to another")
    return program
