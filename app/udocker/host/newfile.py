"""A file of the user's that appears when it is complete."""

import contextlib
import errno
import os
import stat

from udocker.errors import AlreadyExists
from udocker.host.files import TEMPORARY_PREFIX, fsync_directory
from udocker.host.tree import CREATE, naming, raw, shown

#: What a file system without nameless files says (open(2), O_TMPFILE), or an old kernel.
_NO_NAMELESS = (errno.EOPNOTSUPP, errno.EISDIR, errno.ENOENT, errno.EINVAL)


@contextlib.contextmanager
def new_file(path, replace=False):
    """Open ``path`` (str) to write bytes; it is there when the block ends well, and not before.

    AlreadyExists if it is there already, unless ``replace``. While it is written it has no name,
    where the file system can do that, so that nothing remains of it whatever happens. A device
    or FIFO is written to as it is.
    """
    place = raw(path)
    try:
        mode = os.stat(place).st_mode
    except FileNotFoundError:
        mode = None
    if mode is not None and (stat.S_ISCHR(mode) or stat.S_ISFIFO(mode)):
        with open(place, "wb") as file:
            yield file
        return
    if mode is not None and not (replace and stat.S_ISREG(mode)):
        raise _exists(path)
    with naming(path):
        place = os.path.realpath(place) if replace else place
        folder = os.path.dirname(place) or b"."
        temporary = os.path.join(folder, TEMPORARY_PREFIX + os.urandom(6).hex().encode("ascii"))
        fd, has_name = _open(folder, temporary)
        try:
            with os.fdopen(fd, "wb") as file:
                yield file
                file.flush()
                umask = os.umask(0o077)
                os.umask(umask)
                os.fchmod(fd, 0o666 & ~umask)
                os.fsync(fd)
                if not has_name:
                    _name(fd, folder, temporary if replace else place)
                    has_name = replace
            if replace:
                os.rename(temporary, place)
            elif has_name:
                _rename_new(temporary, place)
            has_name = False
        finally:
            if has_name:
                os.unlink(temporary)
    fsync_directory(folder)


def _open(folder, temporary):
    try:
        return os.open(folder, os.O_TMPFILE | os.O_WRONLY | os.O_CLOEXEC, 0o600), False
    except OSError as error:
        if error.errno not in _NO_NAMELESS or not os.path.isdir(folder) \
                or not os.path.exists("/proc/self/fd"):
            raise
    return os.open(temporary, CREATE, 0o600), True


def _name(fd, folder, path):
    """Give the file ``fd`` the name ``path``: linkat(2) has a way for files that are open."""
    directory = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        # with a directory Python takes linkat(2), which follows the link
        os.link("/proc/self/fd/%d" % fd, path, src_dir_fd=directory, follow_symlinks=True)
    except FileExistsError:
        raise _exists(path)
    finally:
        os.close(directory)


def _rename_new(temporary, path):
    try:
        os.link(temporary, path)
        os.unlink(temporary)
    except FileExistsError:
        raise _exists(path)
    except OSError:  # no hard links here
        os.rename(temporary, path)


def _exists(path):
    return AlreadyExists("output file already exists: %s" % shown(path))
