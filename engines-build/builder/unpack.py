"""Unpacking a pinned source archive: regular files, directories and links that stay inside."""
import os
import shutil
import tarfile
from typing import Any, Sequence

from builder import BuildError


def unpack(archive: str, directory: str, only: Sequence[str] = ()) -> None:
    """Unpacks `archive` into `directory` without its topmost folder; `only` names the folders and files wanted.

    Times are kept: source archives carry generated files, and make must see them as up to date.
    """
    os.makedirs(directory)
    try:
        with open(archive, "rb") as file, tarfile.open(fileobj=_tar_in(file), mode="r|*") as members:
            for member in members:
                name = member.name.partition("/")[2]
                if name and (not only or any(name == want or name.startswith(want + "/") for want in only)):
                    _put(members, member, directory, name)
    except (tarfile.TarError, EOFError, OSError) as error:
        raise BuildError("cannot unpack %s: %s" % (archive, error))


def _tar_in(file: Any) -> Any:
    """`file` where a tar begins: at once, or in a Debian package where its data does (ar(5), deb(5))."""
    if file.read(8) != b"!<arch>\n":
        file.seek(0)
        return file
    for header in iter(lambda: file.read(60), b""):
        if header.startswith(b"data.tar"):
            return file
        size = int(header[48:58])
        file.seek(size + size % 2, os.SEEK_CUR)
    raise tarfile.ReadError("a Debian package without data")


def _put(members: tarfile.TarFile, member: tarfile.TarInfo, directory: str, name: str) -> None:
    path = os.path.join(directory, name)
    _check(member.name)
    if member.isdir():
        os.makedirs(path, exist_ok=True)
        return
    os.makedirs(os.path.dirname(path), exist_ok=True)
    if member.issym():
        target = os.path.normpath(os.path.join(os.path.dirname(name), member.linkname))
        if os.path.isabs(member.linkname) or target.split("/")[0] == "..":
            raise BuildError("a link in a source archive leads outside: %r" % member.name)
        os.symlink(member.linkname, path)
    elif member.islnk():
        _check(member.linkname)
        os.link(os.path.join(directory, member.linkname.partition("/")[2]), path)
    elif member.isfile():
        with open(path, "wb") as out:
            shutil.copyfileobj(members.extractfile(member), out)
        os.chmod(path, 0o755 if member.mode & 0o100 else 0o644)
        os.utime(path, (member.mtime, member.mtime))


def _check(name: str) -> None:
    if name.startswith("/") or ".." in name.split("/"):
        raise BuildError("unsafe name in a source archive: %r" % name)
