"""Apply a layer to a root file system (OCI image-spec 1.1, layer.md).

How members are placed, and what is left out of them, is said in host/place.py; here are digests,
compression, limits and whiteouts.
"""

import hashlib
import os
import stat

from udocker.errors import DigestMismatch, NotFound, UnsafeLayer
from udocker.host.ahead import ahead
from udocker.host.compress import DEFAULT_LIMITS, NO_DECODERS, Blob
from udocker.host.place import Placing
from udocker.host.tar import Reader
from udocker.host.tree import Root, shown

#: layer.md, "Whiteouts": names with this prefix remove the rest of the name from lower layers.
WHITEOUT = b".wh."
OPAQUE = b".wh..wh..opq"
#: What else starts so is bookkeeping of aufs that old versions of docker let slip into layers.
AUFS = b".wh..wh."


def apply_layer(root_path, stream, diff_id=None, limits=DEFAULT_LIMITS, progress=None,
                decoders=NO_DECODERS, whiteouts=True):
    """Apply the layer in ``stream`` to the root file system in the directory ``root_path``.

    stream: a binary file, compressed or not; it is read to its end, by another thread.
    diff_id (Digest or None): what the uncompressed bytes must have; DigestMismatch if not.
    limits (compress.Limits): how much it may unpack to.
    progress: called, if given, with the compressed bytes (int) read so far, now and then.
    decoders (compress.Decoders): programs that decompress faster than Python.
    whiteouts (bool): false for an archive that is no layer, where a name is a name.

    Returns Applied. Raises CorruptData (damaged data), UnsafeLayer (it tries to leave the root,
    or is past a limit) and HostError (disk full ...); what was written until then stays.
    """
    if diff_id is None:
        # without a digest the checks of the decompressor are all there is: let them be Python's
        decoders = decoders._replace(gzip=None)
    blob = Blob(stream, limits, decoders)
    hasher = hashlib.new(diff_id.algorithm) if diff_id is not None else None
    chunks = ahead(blob)
    if hasher is not None:
        chunks = ahead(_hashed(chunks, hasher))
    try:
        reader = Reader(_reported(chunks, blob, progress) if progress is not None else chunks,
                        limits.members)
        with Root(root_path) as root:
            applied = (_Application if whiteouts else Placing)(root, reader, limits).run()
    finally:
        blob.give_up()
        chunks.close()
    if hasher is not None and hasher.hexdigest() != diff_id.hex:
        raise DigestMismatch("layer unpacks to %s:%s, not to %s"
                             % (diff_id.algorithm, hasher.hexdigest(), diff_id))
    return applied


def _hashed(chunks, hasher):
    for chunk in chunks:
        hasher.update(chunk)
        yield chunk


def _reported(chunks, blob, progress):
    for chunk in chunks:
        progress(blob.consumed)
        yield chunk


class _Application(Placing):
    """One layer on its way to one root file system."""

    def _place(self, member):
        """Make ``member`` what it is to be, or remove what it says."""
        parent, last = self._split(member)
        if last is None:
            return
        if last.startswith(WHITEOUT):
            self._whiteout(parent, last)
            return
        if b".wh." in parent and any(part.startswith(WHITEOUT) for part in parent.split(b"/")):
            if not parent.split(b"/")[0].startswith(AUFS):
                raise UnsafeLayer("%s is in a whiteout" % shown(member.name))
            return
        self._make(member, parent, last)

    def _whiteout(self, parent, last):
        hidden = last[len(WHITEOUT):]
        if hidden in (b"", b".", b".."):
            raise UnsafeLayer("whiteout of %s in %s" % (shown(hidden), shown(parent)))
        if last != OPAQUE and last.startswith(AUFS):
            return
        self._whiteouts += 1
        if self._made is None:
            return
        try:
            folder = self._folders.get(parent, make=False)
            if last == OPAQUE:
                self._folders.forget(folder)
                self._made.spare(folder.fd, b".")
            elif not self._made.has(folder.inode, hidden):
                self._remove(folder, hidden, parent + b"/" + hidden)
            elif stat.S_ISDIR(os.stat(hidden, dir_fd=folder.fd, follow_symlinks=False).st_mode):
                self._folders.forget(folder)
                self._made.spare(folder.fd, hidden)
        except (FileNotFoundError, NotADirectoryError, NotFound):
            pass  # nothing there to hide
