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


def pack_tree(path, out, skip=(), report=None):
    """Write the tree below directory ``path`` (str) to ``out`` (binary file); return LeftOut.

    skip (names as bytes): what to leave out of ``path`` itself. report: called, if given, with the
    bytes (int) written so far. Files that cannot be read are a HostError. Directories of ours are
    made accessible on the way.
    """
    return _Packing(path, Writer(out), frozenset(skip), report).run()


class _Packing(object):
    def __init__(self, path, writer, skip, report):
        self._path = os.fsencode(path)
        self._writer = writer
        self._skip = skip
        self._report = report
        self._links = Links()
        self._left_out = LeftOut()
        self._device = None

    def run(self):
        with tree.naming(self._path):
            fd = os.open(os.path.dirname(self._path), tree.LIST)
        try:
            files.each_directory(fd, os.path.basename(self._path), self._visit,
                                 failed=self._failed, unlock=True)
        finally:
            os.close(fd)
        self._writer.close()
        return self._left_out

    def _failed(self, error, names):
        if error.filename is None:  # of writing: whoever gave us the file knows its name
            raise error
        raise tree.host_error(error, os.path.join(self._path, *names[1:])) from error

    def _visit(self, fd, names):
        below = b"".join(name + b"/" for name in names[1:])
        status = os.fstat(fd)
        self._add(below or b"./", DIRECTORY, status)
        if self._device is None:
            self._device = status.st_dev
        if status.st_dev != self._device:
            return []
        directories = []
        for name, status in entries(fd, os.path.join(self._path, below)):
            if not below and name in self._skip:
                continue
            if stat.S_ISDIR(status.st_mode):
                directories.append(name)
            else:
                self._add_other(fd, name, below + name, status)
        return directories[::-1]  # the last one is visited first

    def _add(self, name, kind, status, **more):
        self._writer.add(name, kind, stat.S_IMODE(status.st_mode), status.st_mtime_ns // _SECOND,
                         **more)
        if self._report is not None:
            self._report(self._writer.written)

    def _add_other(self, fd, name, path, status):
        mode = status.st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISLNK(mode) or stat.S_ISFIFO(mode)):
            self._left_out.add(path)
            return
        first = self._links.first(status, path)
        if first is not None:
            self._add(path, HARD_LINK, status, target=first)
        elif stat.S_ISREG(mode):
            with tree.naming(os.path.join(self._path, path)):
                source = open_to_read(name, fd, status)
            try:
                self._add_file(source, path)
            finally:
                os.close(source)
        elif stat.S_ISLNK(mode):
            with tree.naming(os.path.join(self._path, path)):
                target = os.readlink(name, dir_fd=fd)
            self._add(path, SYMLINK, status, target=target)
        else:
            self._add(path, FIFO, status)

    def _add_file(self, source, path):
        status = os.fstat(source)
        parts = regions(source, status)
        self._add(path, FILE, status, size=status.st_size, regions=parts)
        left = status.st_size if parts is None else sum(length for _, length in parts)
        reading = pieces(source, [(0, left)] if parts is None else parts)
        while left:
            with tree.naming(os.path.join(self._path, path)):
                data = next(reading, (0, b""))[1]
            if not data:  # it shrank meanwhile: zeros keep the archive whole, as tar(1) has it
                data = bytes(min(left, 1 << 20))
            self._writer.write(data)
            left -= len(data)
            if self._report is not None:
                self._report(self._writer.written)
        self._writer.pad()
