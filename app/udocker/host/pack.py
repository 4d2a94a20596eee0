"""Write a directory tree, such as a root file system, as a tar archive.

In the order of the names, with hard links as such and holes as holes. Not in it are owners (see
host/tarwriter.py), extended attributes, sockets and devices, nor what is mounted below.
"""

import os
import stat

from udocker.host import files, tree
from udocker.host.source import LeftOut, Links, entries, open_to_read, pieces, regions
from udocker.host.tar import DIRECTORY, FIFO, FILE, HARD_LINK, SYMLINK
from udocker.host.tarwriter import Writer

_SECOND = 1000000000


def pack_tree(path, out, skip=(), report=None, **more):
    """Write the tree below directory ``path`` (str) to ``out`` (binary file); return LeftOut.

    skip (names as bytes): what to leave out of ``path`` itself. report: called, if given, with the
    bytes (int) written so far. Files that cannot be read are a HostError. Directories of ours are
    made accessible on the way. More is said at ``pack``.
    """
    place = os.fsencode(path)
    with tree.naming(place):
        fd = os.open(os.path.dirname(place), tree.LIST)
    try:
        return pack(fd, os.path.basename(place), out, place, skip=skip, report=report, **more)
    finally:
        os.close(fd)


def pack(folder, name, out, path, prefix=b"", skip=(), only=None, original=None, whiteouts=(),
         report=None):
    """As ``pack_tree``, of ``name`` (bytes) in directory ``folder`` (descriptor), file or directory.

    path (bytes): what to call it in errors. prefix (bytes): what to call it in the archive, if it
    is not to be the archive's root. only (container of paths below it, bytes): what to take of it;
    nothing is looked for in a directory that is not. original (function of such a path): returns
    the bytes that a file is to have, or None for those that it has. whiteouts (iterable of names as
    bytes): empty files to put at the end.
    """
    packing = _Packing(path, Writer(out), prefix, frozenset(skip), only, original, report)
    return packing.run(folder, name, whiteouts)


class _Packing(object):
    def __init__(self, path, writer, prefix, skip, only, original, report):
        self._path = path
        self._writer = writer
        self._prefix = prefix
        self._skip, self._only, self._original = skip, only, original
        self._report = report
        self._links = Links()
        self._left_out = LeftOut()
        self._device = None

    def run(self, folder, name, whiteouts):
        with tree.naming(self._path):
            status = os.stat(name, dir_fd=folder, follow_symlinks=False)
        if stat.S_ISDIR(status.st_mode):
            files.each_directory(folder, name, self._visit, failed=self._failed, unlock=0o500)
        else:
            self._add_other(folder, name, b"", status)
        for path in whiteouts:
            self._writer.add_bytes(path, b"")
        self._writer.close()
        return self._left_out

    def _failed(self, error, names):
        if error.filename is None:  # of writing: whoever gave us the file knows its name
            raise error
        raise tree.host_error(error, os.path.join(self._path, *names[1:])) from error

    def _visit(self, fd, names):
        below = b"".join(name + b"/" for name in names[1:])
        status = os.fstat(fd)
        if self._only is None or below:
            self._add(below, DIRECTORY, status)
        if self._device is None:
            self._device = status.st_dev
        if status.st_dev != self._device:
            return []
        directories = []
        for name, status in entries(fd, os.path.join(self._path, below)):
            if not below and name in self._skip:
                continue
            if self._only is not None and below + name not in self._only:
                continue
            if stat.S_ISDIR(status.st_mode):
                directories.append(name)
            else:
                self._add_other(fd, name, below + name, status)
        return directories[::-1]  # the last one is visited first

    def _add(self, path, kind, status, **more):
        name = self._named(path) or b"./"
        self._writer.add(name, kind, stat.S_IMODE(status.st_mode), status.st_mtime_ns // _SECOND,
                         **more)
        if self._report is not None:
            self._report(self._writer.written)

    def _where(self, path):
        return os.path.join(self._path, path) if path else self._path

    def _named(self, path):
        return self._prefix + b"/" + path if self._prefix and path else self._prefix or path

    def _add_other(self, fd, name, path, status):
        mode = status.st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISLNK(mode) or stat.S_ISFIFO(mode)):
            self._left_out.add(self._named(path))
            return
        first = self._links.first(status, path)
        if first is not None:
            self._add(path, HARD_LINK, status, target=self._named(first))
        elif stat.S_ISREG(mode):
            with tree.naming(self._where(path)):
                source = open_to_read(name, fd, status)
            try:
                self._add_file(source, path)
            finally:
                os.close(source)
        elif stat.S_ISLNK(mode):
            with tree.naming(self._where(path)):
                target = os.readlink(name, dir_fd=fd)
            self._add(path, SYMLINK, status, target=target)
        else:
            self._add(path, FIFO, status)

    def _add_file(self, source, path):
        status = os.fstat(source)
        data = self._original(path) if self._original is not None else None
        if data is not None:
            self._add(path, FILE, status, size=len(data))
            self._writer.write(data)
            self._writer.pad()
            return
        parts = regions(source, status)
        self._add(path, FILE, status, size=status.st_size, regions=parts)
        left = status.st_size if parts is None else sum(length for _, length in parts)
        reading = pieces(source, [(0, left)] if parts is None else parts)
        while left:
            with tree.naming(self._where(path)):
                data = next(reading, (0, b""))[1]
            if not data:  # it shrank meanwhile: zeros keep the archive whole, as tar(1) has it
                data = bytes(min(left, 1 << 20))
            self._writer.write(data)
            left -= len(data)
            if self._report is not None:
                self._report(self._writer.written)
        self._writer.pad()
