"""Trees that are packed into archives, and copied."""

import io
import os
import socket
import stat
import subprocess
import tarfile

import pytest

from udocker.errors import AlreadyExists, HostError
from udocker.host.copytree import copy_tree
from udocker.host.layer import apply_layer
from udocker.host.newfile import new_file
from udocker.host.pack import pack_tree


@pytest.fixture
def tree(tmp_path):
    """A directory (str) with one of everything."""
    root = tmp_path / "tree"
    (root / "etc").mkdir(parents=True)
    (root / "etc" / "passwd").write_bytes(b"root\n")
    os.link(str(root / "etc" / "passwd"), str(root / "etc" / "zz-hard"))
    os.symlink("/etc/passwd", str(root / "etc" / "link"))
    os.symlink("nowhere", str(root / "dangling"))
    os.mkfifo(str(root / "fifo"), 0o640)
    with open(os.fsencode(str(root)) + b"/\xff\n", "wb") as file:
        file.write(b"odd name")
    (root / "set-id").write_bytes(b"#!")
    os.chmod(str(root / "set-id"), 0o4711)
    (root / "closed").write_bytes(b"secret")
    os.chmod(str(root / "closed"), 0)
    (root / "locked").mkdir()
    (root / "locked" / "inside").write_bytes(b"in")
    os.utime(str(root / "locked" / "inside"), ns=(1, 1234567890123456789))
    with open(str(root / "holes"), "wb") as file:
        file.truncate(1 << 30)
        file.seek(1 << 29)
        file.write(b"middle")
    deep = root
    for _ in range(40):
        deep = deep / "deep"
    deep.mkdir(parents=True)
    (deep / "bottom").write_bytes(b"bottom")
    os.chmod(str(root / "locked"), 0o500)
    os.utime(str(root / "etc"), (1500000000, 1500000000))
    yield str(root)
    subprocess.check_call(["chmod", "-R", "u+rwX", str(tmp_path)])


def look(root, without=()):
    """What is in ``root``: {name: what can be compared}."""
    found, seen = {}, {}
    for folder, folders, names in os.walk(os.fsencode(root)):
        for name in folders + names:
            path = os.path.join(folder, name)
            status = os.lstat(path)
            key = os.path.relpath(path, os.fsencode(root))
            what = [stat.S_IFMT(status.st_mode), int(status.st_mtime)]
            if not stat.S_ISLNK(status.st_mode):
                what.append(stat.S_IMODE(status.st_mode))
            if stat.S_ISLNK(status.st_mode):
                what.append(os.readlink(path))
            elif stat.S_ISREG(status.st_mode):
                what += [status.st_size, sorted(seen.setdefault(status.st_ino, []) + [key])[0]]
                seen[status.st_ino].append(key)
            found[key] = what
    return {key: what for key, what in found.items() if key not in without}


def pack(root, **options):
    out = io.BytesIO()
    left_out = pack_tree(root, out, **options)
    return out.getvalue(), left_out


def test_a_copy_is_what_the_original_is(tree, tmp_path):
    target = str(tmp_path / "copy")
    os.mkdir(target)
    copy_tree(tree, target)
    assert os.stat(target + "/holes").st_blocks < 1000
    with open(target + "/holes", "rb") as file:
        file.seek(1 << 29)
        assert file.read(6) == b"middle"
    # a directory that its owner may not write to is made accessible, on both sides alike
    assert look(target) == look(tree)
    assert os.stat(target + "/locked/inside").st_mtime_ns == 1234567890123456789
    assert os.stat(tree + "/closed").st_mode & 0o777 == 0
    assert os.stat(target + "/etc/passwd").st_ino != os.stat(tree + "/etc/passwd").st_ino


def test_an_archive_is_small_in_order_and_the_same_again(tree):
    data, _ = pack(tree)
    assert len(data) < 200000 and data == pack(tree)[0]
    with tarfile.open(fileobj=io.BytesIO(data), encoding="utf-8", errors="surrogateescape") as archive:
        names = archive.getnames()
        assert archive.getmember("etc/zz-hard").linkname == "etc/passwd"
        assert archive.extractfile("closed").read() == b"secret"
        assert archive.getmember("set-id").mode == 0o4711
    assert names[0] == "." and names.index("etc") < names.index("etc/link") < names.index("locked")
    assert "\udcff\n" in names


def test_what_was_packed_is_applied_again(tree, tmp_path):
    target = str(tmp_path / "again")
    os.mkdir(target)
    apply_layer(target, io.BytesIO(pack(tree)[0]))
    different = (b"set-id", b"closed", b"locked")  # a layer has no such modes, for users
    assert look(target, different) == look(tree, different)


def test_gnu_tar_reads_it(tree, tmp_path):
    target = tmp_path / "gnu"
    target.mkdir()
    subprocess.run(["tar", "-xp", "-C", str(target)], input=pack(tree)[0], check=True)
    assert look(str(target)) == look(tree)


def test_sockets_are_left_out_and_told(tree, tmp_path):
    said = []
    with socket.socket(socket.AF_UNIX) as opened:
        cwd = os.getcwd()
        os.chdir(tree)  # the name of a socket is short
        try:
            opened.bind("sock")
        finally:
            os.chdir(cwd)
        data, left_out = pack(tree)
        os.mkdir(str(tmp_path / "copy"))
        copied = copy_tree(tree, str(tmp_path / "copy"))
    left_out.warn(said.append)
    copied.warn(said.append)
    assert len(said) == 2 and all("sock" in text for text in said)
    assert not os.path.lexists(str(tmp_path / "copy" / "sock"))
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        assert "sock" not in archive.getnames()


def test_what_is_skipped_is_so_at_the_top_only(tree):
    data, _ = pack(tree, skip=(b"etc", b"inside"))
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        names = archive.getnames()
    assert "locked/inside" in names and not [name for name in names if name.startswith("etc")]


class Full(io.BytesIO):
    def write(self, data):
        if self.tell() > 20000:
            raise OSError(28, "No space left on device")
        return super(Full, self).write(data)


def test_an_output_that_fails_is_not_taken_for_a_file_that_vanished(tree):
    with pytest.raises(OSError) as caught:
        pack_tree(tree, Full())
    assert caught.value.errno == 28


def test_a_new_file_is_there_when_it_is_whole(tmp_path):
    path = str(tmp_path / "new")
    with new_file(path) as file:
        file.write(b"half")
        assert not os.path.exists(path)
        file.write(b" whole")
    with open(path, "rb") as file:
        assert file.read() == b"half whole"
    assert os.listdir(str(tmp_path)) == ["new"]


def test_a_new_file_that_failed_leaves_nothing(tmp_path):
    with pytest.raises(KeyError):
        with new_file(str(tmp_path / "new")) as file:
            file.write(b"half")
            raise KeyError()
    with pytest.raises(HostError):
        with new_file(str(tmp_path / "no" / "such")):
            pass
    assert os.listdir(str(tmp_path)) == []


@pytest.mark.parametrize("is_late", [False, True])
def test_a_file_that_exists_is_not_touched(tmp_path, is_late):
    path = tmp_path / "there"
    if not is_late:
        path.write_bytes(b"mine")
    with pytest.raises(AlreadyExists):
        with new_file(str(path)) as file:
            path.write_bytes(b"mine")  # somebody was faster
            file.write(b"other")
    assert path.read_bytes() == b"mine" and os.listdir(str(tmp_path)) == ["there"]


def test_a_file_may_be_replaced_at_the_end_and_a_link_stays_one(tmp_path):
    path, link = tmp_path / "there", tmp_path / "link"
    path.write_bytes(b"old")
    os.symlink("there", str(link))
    with new_file(str(link), replace=True) as file:
        file.write(b"new")
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new" and os.path.islink(str(link))
    assert sorted(os.listdir(str(tmp_path))) == ["link", "there"]


def test_without_nameless_files_it_works_all_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "O_TMPFILE", os.O_DIRECTORY | os.O_EXCL)  # EISDIR, as old kernels say
    path = str(tmp_path / "new")
    with new_file(path) as file:
        file.write(b"data")
        assert len(os.listdir(str(tmp_path))) == 1
    with pytest.raises(AlreadyExists):
        with new_file(path) as file:
            pass
    with pytest.raises(KeyError):
        with new_file(str(tmp_path / "other")) as file:
            raise KeyError()
    assert os.listdir(str(tmp_path)) == ["new"]


def test_a_device_is_written_to_as_it_is():
    with new_file("/dev/null") as file:
        file.write(b"data")
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)
