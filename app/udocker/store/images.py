"""Images on disk: ``repos/<name>/<tag>/`` points at blobs in ``layers/``.

A tag directory of udocker 1.3.x holds ``TAG`` (its own path and tag), an empty ``v1`` or ``v2``,
the ``manifest``, and a relative symbolic link for each blob, named by its digest. Version 1
(archives that 1.3.x loaded or imported) has ``ancestry`` in place of the manifest and links
``<id>.layer`` and ``<id>.json``. We write version 2 only.
"""

import os

from udocker.errors import AlreadyExists, CorruptData, NotFound, Refused, UdockerError
from udocker.host import files, tree
from udocker.model.reference import DEFAULT_TAG, Digest, quoted
from udocker.store.debris import PARTIAL, sweep
from udocker.store.stored import StoredImage, names_in, read_document

_CHUNK = 1 << 20
#: Digits of an id without which it could as well be a name that was mistyped.
MIN_ID_LENGTH = 3
_HEX = frozenset("0123456789abcdef")


class ImageStore(object):
    """The images and blobs of one udocker repository."""

    def __init__(self, layout):
        self._repos = layout.repos
        self._layers = layout.layers

    def list(self):
        """Return every StoredImage, ordered by name and tag."""
        return sorted(self._walk(self._repos, ""))

    def find(self, reference):
        """Return the StoredImage that ``reference`` (ImageReference) means, by name or by id (see
        with_id); or NotFound."""
        image = self.lookup(reference)
        if image is None:
            same = self.with_id(reference)
            if same:
                return same[0]
            raise NotFound("image not found: %s" % quoted(str(reference)),
                           "'udocker pull %s' gets it" % str(reference))
        return image

    def lookup(self, reference):
        """Return the StoredImage that ``reference`` (ImageReference) means, or None."""
        for name in reference.spellings():
            path = os.path.join(self._repos, name, reference.version)
            if _is_tag_directory(path):
                return StoredImage(name, reference.version, path)
        return None

    def with_id(self, reference):
        """Return the StoredImages (list) whose id begins as ``reference`` (ImageReference) spells it.

        ``sha256:<hex>`` or ``<hex>``, three digits or more: they are one image with several names.
        Refused if they are several images.
        """
        start = reference.tag if reference.repository == "sha256" else \
            reference.repository if reference.tag == DEFAULT_TAG else ""
        if reference.registry or reference.digest or len(start) < MIN_ID_LENGTH \
                or not _HEX.issuperset(start):
            return []
        found = {}
        for image in self.list():
            try:
                identity = image.id().hex
            except UdockerError:
                continue  # a damaged image has no id
            if identity.startswith(start):
                found.setdefault(identity, []).append(image)
        if len(found) > 1:
            raise Refused("%s is the start of %d image ids" % (quoted(start), len(found)),
                          "give more of it")
        return found.popitem()[1] if found else []

    def has_blob(self, descriptor):
        """Whether the blob of ``descriptor`` is here with the right size.

        Its digest was checked before it got its name, so it is not computed again.
        """
        try:
            return os.path.getsize(self._blob_path(descriptor.digest)) == descriptor.size
        except OSError:
            return False

    def claim_blob(self, descriptor):
        """As ``has_blob``; and nobody takes the blob for one that was left behind, for a day."""
        try:
            os.utime(self._blob_path(descriptor.digest))
        except OSError:
            pass  # not there, or not ours
        return self.has_blob(descriptor)

    def partial_path(self, digest):
        """Return a path that no other process uses, for the blob ``digest`` while it is written."""
        return self._partial(digest.short)

    def publish_blob(self, partial, digest):
        """Give the verified file ``partial`` (str) the name of ``digest``, and both to the disk."""
        path = self._blob_path(digest)
        with tree.naming(path):
            fd = os.open(partial, os.O_RDONLY)
            try:
                os.fsync(fd)
                os.fchmod(fd, 0o644)
            finally:
                os.close(fd)
            os.rename(partial, path)
        files.fsync_directory(self._layers)

    def add_blob(self, source, report=None):
        """Store the bytes of ``source`` (binary file) and return (Digest, size in bytes).

        report: called, if given, with the bytes (int) stored so far.
        """
        def fill(file):
            for chunk in iter(lambda: source.read(_CHUNK), b""):
                file.write(chunk)
                if report is not None:
                    report(file.size)
        return self.write_blob(fill)

    def write_blob(self, fill):
        """Store what the function ``fill`` writes to the binary file that it is given.

        Returns (Digest, size in bytes).
        """
        partial = self._partial("new")
        try:
            with tree.naming(self._layers), open(partial, "wb") as file:
                hashed = _Hashed(file)
                fill(hashed)
            digest = Digest("sha256", hashed.checksum.hexdigest())
            self.publish_blob(partial, digest)
        except BaseException:
            files.remove_tree(partial)
            raise
        return digest, hashed.size

    def link_blob(self, path, digest):
        """Let the verified file ``path`` (str) be the blob ``digest`` too; False if it cannot be."""
        partial = self.partial_path(digest)
        try:
            os.link(path, partial, follow_symlinks=False)
            os.utime(partial)  # now it is new here
        except OSError:
            return False
        try:
            self.publish_blob(partial, digest)
        except BaseException:
            files.remove_tree(partial)
            raise
        return True

    def open_blob(self, digest):
        """Return the blob ``digest`` (Digest), open for reading."""
        path = self._blob_path(digest)
        with tree.naming(path):
            return open(path, "rb")

    def read_blob(self, digest):
        """Return the bytes of the small blob ``digest`` (Digest)."""
        return read_document(self._blob_path(digest))

    def discard_unused(self, digests):
        """Delete those of ``digests`` that no image refers to. Called with the store locked."""
        self._discard_unused([str(digest) for digest in digests])

    def put_image(self, reference, manifest):
        """Make ``reference`` (ImageReference) mean ``manifest`` (Manifest), whose blobs are here.

        Everything that the manifest needs is in place before it is, so that a crash at any moment
        leaves the old image or the new one. Called with the store locked.
        """
        for descriptor in (manifest.config,) + manifest.layers:
            if not self.has_blob(descriptor):
                raise CorruptData("blob %s vanished while its image was stored" % str(descriptor.digest),
                                  "run the command again")
        name, tag = reference.name, reference.version
        self._require_replaceable(reference, manifest)
        path = os.path.join(self._repos, name, tag)
        digests = [str(d.digest) for d in (manifest.config,) + manifest.layers]
        replaced = targets(path)
        with tree.naming(path):
            os.makedirs(path, 0o755, exist_ok=True)
            for digest in digests:
                link = os.path.join(path, digest)
                if not os.path.lexists(link):
                    os.symlink(os.path.relpath(os.path.join(self._layers, digest), path), link)
            files.write_atomic(path + "/v2", b"")
            files.write_atomic(path + "/manifest", manifest.raw)
            self._write_tag(path, name, tag)
            for stale in names_in(path):
                stale_path = os.path.join(path, stale)
                if os.path.islink(stale_path) and stale not in digests \
                        or stale in ("v1", "ancestry"):
                    os.unlink(stale_path)
        self._discard_unused(replaced)
        sweep(self._layers)
        return StoredImage(name, tag, path)

    def _require_replaceable(self, reference, manifest):
        path = os.path.join(self._repos, reference.name, reference.version)
        old = StoredImage(reference.name, reference.version, path)
        if old.is_protected and (old.is_version_1 or old.manifest().raw != manifest.raw):
            raise Refused("image %s is protected, and would be replaced by another" % str(old),
                          "'udocker unprotect %s' ends that" % str(old))

    def tag(self, image, reference):
        """Let ``reference`` (ImageReference) mean what ``image`` (StoredImage) is, too.

        AlreadyExists if it means something. Called with the store locked.
        """
        if self.lookup(reference) is not None:
            raise AlreadyExists("target already exists: %s" % quoted(str(reference)),
                                "'udocker rmi %s' removes it" % str(reference))
        name, tag = reference.name, reference.version
        path = os.path.join(self._repos, name, tag)
        with tree.naming(path):
            os.makedirs(path, 0o755, exist_ok=True)
            for entry in names_in(image.path):
                source, target = os.path.join(image.path, entry), os.path.join(path, entry)
                if os.path.islink(source):
                    blob = os.path.join(self._layers, os.path.basename(os.readlink(source)))
                    if not os.path.lexists(target):
                        os.symlink(os.path.relpath(blob, path), target)
                elif entry not in ("TAG", "PROTECT"):
                    files.write_atomic(target, read_document(source))
            self._write_tag(path, name, tag)
        return StoredImage(name, tag, path)

    def _write_tag(self, path, name, tag):
        files.write_atomic(path + "/TAG", tree.raw(
            "%s:%s" % (os.path.join(os.path.abspath(self._repos), name), tag)))

    def remove(self, image, force=False):
        """Delete ``image`` (StoredImage), and the blobs that no other image refers to.

        Called with the store locked. ``force`` goes on where the image is damaged.
        """
        if image.is_protected:
            raise Refused("image %s is protected" % str(image),
                          "'udocker unprotect %s' ends that" % str(image))
        if not force and not image.is_version_1:
            try:
                image.manifest()
            except UdockerError as error:
                raise type(error)("image %s: %s" % (image, error.message),
                                  "'udocker rmi -f %s' deletes it all the same" % str(image))
        blobs = targets(image.path)
        with tree.naming(image.path):
            # without its TAG it is no image any more, whatever happens next
            os.unlink(image.path + "/TAG")
        files.remove_tree(image.path)
        self._remove_empty(os.path.dirname(image.path))
        self._discard_unused(blobs)

    def _discard_unused(self, names):
        kept = set()
        for image in self.list():
            kept.update(targets(image.path))
        for name in set(names) - kept:
            path = os.path.join(self._layers, name)
            with tree.naming(path):
                try:
                    os.unlink(path)
                except FileNotFoundError:
                    pass  # it was missing before

    def _remove_empty(self, path):
        """Remove ``path`` and the directories above it that are empty now, up to repos/."""
        while path != self._repos:
            try:
                os.rmdir(path)
            except OSError:
                return
            path = os.path.dirname(path)

    def _partial(self, name):
        return os.path.join(self._layers, "%s%s-%d-%s" % (PARTIAL, name, os.getpid(),
                                                          os.urandom(4).hex()))

    def _blob_path(self, digest):
        assert isinstance(digest, Digest)
        return os.path.join(self._layers, str(digest))

    def _walk(self, path, name):
        for entry in names_in(path):
            child = os.path.join(path, entry)
            if entry.startswith(".") or os.path.islink(child) or not os.path.isdir(child):
                continue
            if name and _is_tag_directory(child):
                yield StoredImage(name, entry, child)
            else:
                for image in self._walk(child, name + "/" + entry if name else entry):
                    yield image


class _Hashed(object):
    """A file to write to that counts and hashes; checksum (a hash), size (int) so far."""

    def __init__(self, file):
        import hashlib
        self.checksum, self.size, self._file = hashlib.sha256(), 0, file

    def write(self, data):
        self._file.write(data)
        self.checksum.update(data)
        self.size += len(data)


def _is_tag_directory(path):
    return os.path.isfile(path + "/TAG")


def targets(path):
    """Return the names of the files in layers/ that the tag directory ``path`` refers to."""
    links = [os.path.join(path, name) for name in names_in(path)]
    return set(os.path.basename(os.readlink(link)) for link in links if os.path.islink(link))
