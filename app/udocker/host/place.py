"""Put the members of a tar stream into a root file system.

The stream is hostile until shown otherwise. Nothing is opened but relative to a directory that was
reached from the root without following a link that leads out of it, so no member can touch
anything outside, nor can another process that swaps directories for links meanwhile.

What an ordinary user cannot have is left out: owners, set-user-id bits, devices, extended
attributes. The owner may always read and write files, and enter directories, since otherwise the
container could not be used or removed.
"""

import errno
import os
import stat
from collections import namedtuple

from udocker.errors import CorruptData, UnsafeLayer
from udocker.host.files import copy_at, remove_at
from udocker.host.folders import Folders, components
from udocker.host.made import Made
from udocker.host.tar import BLOCK_DEVICE, CHARACTER, DIRECTORY, FILE, HARD_LINK, SYMLINK
from udocker.host.tarfields import LATEST, settable_time
from udocker.host.tree import CREATE, LIST, host_error, shown

#: What a file system without hard links, or one that does not let us (Android), says.
_NO_HARD_LINK = frozenset([errno.EPERM, errno.EMLINK, errno.EXDEV, errno.ENOTSUP, errno.EACCES,
                           errno.ENOSYS])
#: What it says where times or FIFOs are not to be had.
_NOT_ALLOWED = frozenset([errno.EPERM, errno.EINVAL, errno.ENOTSUP, errno.ENOSYS])
#: What the kernel says of a name that only a damaged or hostile layer has.
_BAD_NAME = frozenset([errno.ENAMETOOLONG, errno.ELOOP, errno.ENOTDIR, errno.EINVAL, errno.EILSEQ])

_SET_ID = stat.S_ISUID | stat.S_ISGID


class Applied(namedtuple("Applied", "members size whiteouts devices set_id xattrs copies")):
    """What applying a layer came to.

    members (int), size (int: bytes of the archive), whiteouts (int); and how many were left out:
    devices (int, with other special files that could not be made), set_id (int: members that
    lost a set-user-id or set-group-id bit), xattrs (int: members that lost extended attributes).
    copies (int): hard links that had to be made as copies.
    """

    __slots__ = ()


class Placing(object):
    """One stream on its way to one root file system, every member as it is called."""

    def __init__(self, root, reader, limits):
        self._root = root
        self._limits = limits
        self._reader = reader
        fd = os.open(b".", LIST, dir_fd=root.fd)
        try:
            # in an empty root there is nothing that whiteouts could remove or would have to spare
            self._made = Made() if os.listdir(fd) else None
        finally:
            os.close(fd)
        self._folders = Folders(root, self._made)
        self._umask = os.umask(0o077)
        os.umask(self._umask)
        self._whiteouts = self._devices = self._set_id = self._xattrs = self._copies = 0

    def run(self):
        member = None
        members = 0
        place = self._place
        try:
            for member in self._reader:
                members += 1
                place(member)
            member = None
            self._folders.forget()
        except OSError as error:
            raise self._explained(error, member) from error
        except BaseException:
            self._folders.abandon()
            raise
        self._reader.drain()
        return Applied(members, self._reader.offset, self._whiteouts, self._devices, self._set_id,
                       self._xattrs, self._copies)

    def _explained(self, error, member):
        self._folders.abandon()
        if member is None:
            return host_error(error, self._root.path)
        if error.errno == errno.ENOENT and member.kind == SYMLINK and not member.target:
            return CorruptData("%s is a link to nothing" % shown(member.name))
        if error.errno in _BAD_NAME:
            return CorruptData("cannot make %s: %s" % (shown(member.name),
                                                       os.strerror(error.errno).lower()))
        return host_error(error, os.path.join(os.fsencode(self._root.path), member.name))

    def _place(self, member):
        """Make ``member`` what it is to be."""
        parent, last = self._split(member)
        if last is not None:
            self._make(member, parent, last)

    def _split(self, member):
        """Return (parent, last name) of ``member``; None for the name of the root, which is set."""
        parent, _, last = member.name.rpartition(b"/")
        if last in (b"", b".", b".."):
            names = components(member.name)
            if not names:
                self._place_root(member)
                return b"", None
            last = names.pop()
            parent = b"/".join(names)
        return parent, last

    def _make(self, member, parent, last):
        kind = member.kind
        if member.xattrs:
            self._xattrs += 1
        if kind == CHARACTER or kind == BLOCK_DEVICE:
            self._devices += 1
            return
        folder = self._folders.get(parent)
        if self._made is not None:
            self._made.add(folder, last)
        if kind == FILE:
            self._place_file(folder, last, member)
        elif kind == DIRECTORY:
            self._place_directory(folder, last, member)
        elif kind == SYMLINK:
            self._replace(folder, last, member.name,
                          lambda: os.symlink(member.target, last, dir_fd=folder.fd))
            self._set_time_of(folder, last, member)
        elif kind == HARD_LINK:
            self._place_hard_link(parent, last, member)
        else:
            self._place_fifo(folder, last, member)

    def _place_file(self, folder, last, member):
        mode = member.mode & 0o777 | 0o600
        try:
            fd = os.open(last, CREATE, mode, dir_fd=folder.fd)
        except FileExistsError:
            self._remove(folder, last, member.name)
            fd = os.open(last, CREATE, mode, dir_fd=folder.fd)
        try:
            if member.sparse is None:
                whole = self._reader.whole_content()
                for piece in self._reader.content() if whole is None else (whole,):
                    while piece:
                        piece = piece[os.write(fd, piece):]
            else:
                if member.size > self._limits.size:
                    raise UnsafeLayer("%s is a sparse file of %d bytes"
                                      % (shown(member.name), member.size))
                for offset, piece in self._reader.sparse_content(member):
                    os.lseek(fd, offset, os.SEEK_SET)
                    while piece:
                        piece = piece[os.write(fd, piece):]
                os.ftruncate(fd, member.size)
            if mode & self._umask:
                os.fchmod(fd, mode)
            if member.mode & _SET_ID:
                self._set_id += 1
            mtime = member.mtime
            if not 0 < mtime < LATEST:
                mtime = settable_time(mtime)
            try:
                os.utime(fd, ns=(mtime, mtime))
            except OSError as error:
                if error.errno not in _NOT_ALLOWED:
                    raise
        finally:
            os.close(fd)

    def _place_directory(self, above, last, member):
        mode = member.mode & 0o1777 | 0o700
        try:
            os.mkdir(last, mode, dir_fd=above.fd)
        except FileExistsError:
            pass
        try:
            folder = self._folders.enter(above, last)
        except OSError as error:
            if error.errno not in (errno.ENOTDIR, errno.ELOOP):
                raise
            self._remove(above, last, member.name)
            os.mkdir(last, mode, dir_fd=above.fd)
            folder = self._folders.enter(above, last)
        folder.is_made = True
        self._set_mode_of(folder, member)

    def _place_root(self, member):
        if member.kind != DIRECTORY:
            raise UnsafeLayer("the root of the layer is no directory")
        self._set_mode_of(self._folders.get(b""), member)

    def _set_mode_of(self, folder, member):
        mode = member.mode & 0o1777 | 0o700
        there = stat.S_IMODE(os.fstat(folder.fd).st_mode)
        if there & 0o1777 != mode:
            # a set-group-id bit can only be inherited, and is what the user wants for the place
            os.chmod(b".", mode | there & stat.S_ISGID, dir_fd=folder.fd)
        if member.mode & _SET_ID:
            self._set_id += 1
        folder.mtime = settable_time(member.mtime)

    def _place_hard_link(self, parent, last, member):
        names = components(member.target)
        if not names:
            raise CorruptData("%s is a hard link to the root" % shown(member.name))
        try:
            source = self._folders.get(b"/".join(names[:-1]), make=False)
            there = os.stat(names[-1], dir_fd=source.fd, follow_symlinks=False)
        except (FileNotFoundError, NotADirectoryError):
            raise CorruptData("%s is a hard link to %s, which is not there"
                              % (shown(member.name), shown(member.target)))
        if stat.S_ISDIR(there.st_mode):
            raise CorruptData("%s is a hard link to the directory %s"
                              % (shown(member.name), shown(member.target)))
        source = os.dup(source.fd)  # as the other directory may push this one out
        try:
            folder = self._folders.get(parent)
            try:
                self._replace(folder, last, member.name,
                              lambda: os.link(names[-1], last, src_dir_fd=source,
                                              dst_dir_fd=folder.fd, follow_symlinks=False), there)
            except OSError as error:
                if error.errno not in _NO_HARD_LINK:
                    raise
                self._copies += 1
                self._replace(folder, last, member.name,
                              lambda: copy_at(source, names[-1], there, folder.fd, last), there)
        finally:
            os.close(source)

    def _place_fifo(self, folder, last, member):
        mode = member.mode & 0o777 | 0o600
        try:
            self._replace(folder, last, member.name,
                          lambda: os.mkfifo(last, mode, dir_fd=folder.fd))
        except OSError as error:
            if error.errno not in _NOT_ALLOWED:
                raise
            self._devices += 1
            return
        self._set_time_of(folder, last, member)

    def _set_time_of(self, folder, last, member):
        mtime = settable_time(member.mtime)
        try:
            os.utime(last, ns=(mtime, mtime), dir_fd=folder.fd, follow_symlinks=False)
        except OSError as error:
            if error.errno not in _NOT_ALLOWED:
                raise

    def _replace(self, folder, last, name, make, same=None):
        """Return what ``make()`` does, after removing what is in its way.

        same (os.stat_result or None): leave it, if that is what is there.
        """
        try:
            return make()
        except FileExistsError:
            there = os.stat(last, dir_fd=folder.fd, follow_symlinks=False)
            if same is not None and os.path.samestat(there, same):
                return None
            self._remove(folder, last, name)
            return make()

    def _remove(self, folder, last, name):
        there = os.stat(last, dir_fd=folder.fd, follow_symlinks=False).st_mode
        if stat.S_ISDIR(there) or stat.S_ISLNK(there):
            self._folders.forget(folder)
        remove_at(folder.fd, last, name)
