"""What layers come to, one on top of the other, without unpacking them: their headers say it.

The rules are those of host/place.py and host/layer.py, on a tree in memory.
"""

import errno
import os

from udocker.errors import CorruptData, UnsafeLayer
from udocker.host.ahead import ahead
from udocker.host.compress import DEFAULT_LIMITS, Blob
from udocker.host.folders import components
from udocker.host.layer import AUFS, OPAQUE, WHITEOUT
from udocker.host.tar import BLOCK_DEVICE, CHARACTER, DIRECTORY, HARD_LINK, SYMLINK, Reader
from udocker.host.tree import MAX_LINKS, shown


class Node(object):
    """A file or directory as a layer says it is.

    kind (a constant of host.tar), mode (int, or None where no layer says it), mtime (int,
    nanoseconds), size (int), target (bytes), below (dict of Node by name, None unless a directory).
    """

    __slots__ = ("kind", "mode", "mtime", "size", "target", "below", "layer")

    def __init__(self, kind, mode, mtime, size, target, layer):
        self.kind, self.mode, self.mtime, self.size = kind, mode, mtime, size
        self.target, self.layer = target, layer
        self.below = {} if kind == DIRECTORY else None


class Merged(object):
    """Layers on top of one another. root (Node): what they come to."""

    def __init__(self):
        self.root = Node(DIRECTORY, None, 0, 0, b"", 0)
        self._layer, self._is_lowest = 0, True

    def add(self, stream, decoders, report=None):
        """Add the layer in ``stream`` (binary file, compressed or not) on top.

        decoders (compress.Decoders). report: called, if given, with the bytes read so far.
        CorruptData or UnsafeLayer where applying it would raise them.
        """
        self._layer += 1
        self._is_lowest = not self.root.below
        blob = Blob(stream, DEFAULT_LIMITS, decoders)
        chunks = ahead(blob)
        folders = {}  # of this layer, as it spells them; forgotten where one may lead elsewhere
        try:
            for member in Reader(chunks, DEFAULT_LIMITS.members):
                try:
                    self._place(member, folders)
                except OSError as error:
                    raise CorruptData("%s: %s" % (shown(member.name),
                                                  os.strerror(error.errno).lower()))
                if report is not None:
                    report(blob.consumed)
        finally:
            blob.give_up()
            chunks.close()

    def _place(self, member, folders):
        parent, _, last = member.name.rpartition(b"/")
        if last in (b"", b".", b".."):
            names = components(member.name)
            if not names:
                return
            last = names.pop()
            parent = b"/".join(names)
        if last.startswith(WHITEOUT):
            self._whiteout(parent, last)
            folders.clear()
            return
        if b".wh." in parent and any(part.startswith(WHITEOUT) for part in parent.split(b"/")):
            return
        if member.kind in (CHARACTER, BLOCK_DEVICE):
            return
        folder = folders.get(parent)
        if folder is None:
            folder = folders[parent] = self._folder(components(parent), True)
        there = folder.get(last)
        if member.kind == DIRECTORY and there is not None and there.below is not None:
            there.mode, there.mtime, there.layer = member.mode, member.mtime, self._layer
            return
        if there is not None and (there.below is not None or there.kind == SYMLINK):
            folders.clear()
        if member.kind == HARD_LINK:
            folder[last] = self._linked(member)
            return
        folder[last] = Node(member.kind, member.mode, member.mtime, member.size, member.target,
                            self._layer)

    def _linked(self, member):
        names = components(member.target)
        try:
            found = self._folder(names[:-1], False)[names[-1]]
        except (KeyError, IndexError, FileNotFoundError):
            found = None
        if found is None or found.below is not None:
            raise CorruptData("%s is a hard link to %s, which is not there"
                              % (shown(member.name), shown(member.target)))
        return Node(found.kind, found.mode, found.mtime, found.size, found.target, self._layer)

    def _whiteout(self, parent, last):
        if self._is_lowest or last != OPAQUE and last.startswith(AUFS):
            return
        try:
            folder = self._folder(components(parent), False)
        except (FileNotFoundError, NotADirectoryError):
            return  # nothing there to hide
        if last == OPAQUE:
            self._spare(folder)
            return
        hidden = last[len(WHITEOUT):]
        there = folder.get(hidden)
        if there is not None and there.layer != self._layer:
            del folder[hidden]
        elif there is not None and there.below is not None:
            self._spare(there.below)

    def _spare(self, folder):
        """Remove from ``folder`` (dict) what this layer has not made."""
        todo = [folder]
        while todo:
            folder = todo.pop()
            for name, node in list(folder.items()):
                if node.layer != self._layer:
                    del folder[name]
                elif node.below is not None:
                    todo.append(node.below)

    def _folder(self, names, make):
        """Return the dict of the directory ``names`` (list of bytes), links resolved inside."""
        todo, way, links = names[::-1], [self.root], 0
        while todo:
            name = todo.pop()
            if name in (b"", b"."):
                continue
            if name == b"..":
                if len(way) > 1:
                    way.pop()
                continue
            node = way[-1].below.get(name)
            if node is None:
                if not make:
                    raise FileNotFoundError(errno.ENOENT, "")
                node = way[-1].below[name] = Node(DIRECTORY, None, 0, 0, b"", self._layer)
            if node.kind == SYMLINK:
                links += 1
                if links > MAX_LINKS:
                    raise OSError(errno.ELOOP, "")
                if node.target.startswith(b"/"):
                    way = [self.root]
                todo.extend(node.target.split(b"/")[::-1])
                if len(todo) > 10000:
                    raise UnsafeLayer("links that lead too far")
                continue
            if node.below is None:
                raise NotADirectoryError(errno.ENOTDIR, "")
            if make:
                node.layer = self._layer
            way.append(node)
        return way[-1].below
