import os
import resource
import stat
import subprocess
import tempfile
import threading

import pytest

from udocker.errors import HostError
from udocker.host.files import (each_directory, make_directories, remove_tree, tree_size,
                                write_atomic)


def test_a_file_is_written_whole_with_its_mode(tmp_path):
    path = str(tmp_path / "file")
    for data, mode in ((b"one", 0o600), (b"", 0o644), (b"x" * 3000000, 0o755)):
        write_atomic(path, data, mode)
        with open(path, "rb") as opened:
            assert opened.read() == data
        assert stat.S_IMODE(os.stat(path).st_mode) == mode
    assert os.listdir(str(tmp_path)) == ["file"]


def test_a_link_is_replaced_and_not_followed(tmp_path):
    (tmp_path / "target").write_bytes(b"kept")
    (tmp_path / "link").symlink_to("target")
    write_atomic(str(tmp_path / "link"), b"new")
    assert (tmp_path / "target").read_bytes() == b"kept"
    assert not (tmp_path / "link").is_symlink()


def test_a_relative_name_and_a_very_long_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_atomic("x" * 255, b"1")
    write_atomic(b"\xff", b"2")
    assert sorted(os.listdir(b".")) == [b"x" * 255, b"\xff"]


def test_a_failure_leaves_the_old_content_and_nothing_else(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))  # SIGXFSZ is ignored by Python
    try:
        with pytest.raises(HostError) as caught:
            write_atomic(str(path), b"x" * 5000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert str(caught.value) == "file too large: '%s'" % path
    assert path.read_bytes() == b"old" and os.listdir(str(tmp_path)) == ["file"]
    with pytest.raises(HostError):
        write_atomic(str(tmp_path / "missing" / "file"), b"")


def test_directories_are_made_as_far_as_missing(tmp_path):
    make_directories(str(tmp_path / "a" / "b"))
    make_directories(str(tmp_path / "a" / "b"))
    (tmp_path / "file").write_bytes(b"")
    for path in ("file", "file/x"):
        with pytest.raises(HostError):
            make_directories(str(tmp_path / path))


def test_a_tree_is_removed_and_what_its_links_lead_to_stays(tmp_path):
    tree = tmp_path / "tree"
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "file").write_bytes(b"kept")
    (tree / "a" / "b").mkdir(parents=True)
    (tree / "a" / "file").write_bytes(b"x")
    (tree / "a" / "link").symlink_to(str(tmp_path / "outside"))
    (tree / "dangling").symlink_to("nowhere")
    os.mkfifo(str(tree / "fifo"))
    os.mkdir(os.fsencode(str(tree)) + b"/\xff\n")
    remove_tree(str(tree) + "/")
    remove_tree(str(tree))
    remove_tree(str(tmp_path / "no" / "such"))
    assert os.listdir(str(tmp_path)) == ["outside"]
    (tmp_path / "link").symlink_to("outside")
    remove_tree(str(tmp_path / "link"))
    assert os.listdir(str(tmp_path)) == ["outside"] and (tmp_path / "outside" / "file").exists()
    remove_tree(str(tmp_path / "outside" / "file"))
    assert os.listdir(str(tmp_path / "outside")) == []


def test_directories_without_permissions_are_removed(tmp_path):
    for mode in (0, 0o100, 0o200, 0o400, 0o500, 0o600, 0o555):
        where = tmp_path / "tree" / ("%o" % mode)
        (where / "below").mkdir(parents=True)
        (where / "below" / "file").write_bytes(b"")
        (where / "file").write_bytes(b"")
        (where / "below").chmod(mode)
        where.chmod(mode)
    (tmp_path / "tree").chmod(0)
    remove_tree(str(tmp_path / "tree"))
    assert os.listdir(str(tmp_path)) == []


@pytest.fixture
def fast_place(tmp_path):
    """A directory in memory where there is one: ten thousand directories are slow on a disk."""
    place = tempfile.mkdtemp(dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else str(tmp_path))
    yield place
    remove_tree(place)


def test_a_very_deep_tree_is_measured_and_removed_with_few_descriptors(fast_place):
    top = os.path.join(fast_place, "tree")
    os.mkdir(top)
    fd = os.open(top, os.O_RDONLY)
    for depth in range(10000):
        os.mkdir("d", dir_fd=fd)
        above, fd = fd, os.open("d", os.O_RDONLY, dir_fd=fd)
        os.close(above)
    os.close(fd)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir("/proc/self/fd")) + 8, hard))
    try:
        tree_size(top)
        remove_tree(top)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert os.listdir(fast_place) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing stops root")
def test_what_cannot_be_removed_is_named_and_the_rest_goes(tmp_path):
    (tmp_path / "tree" / "a").mkdir(parents=True)
    (tmp_path / "tree" / "a" / "file").write_bytes(b"")
    (tmp_path / "locked").mkdir()
    (tmp_path / "locked" / "file").write_bytes(b"")
    (tmp_path / "locked").chmod(0o555)
    with pytest.raises(HostError) as caught:
        remove_tree(str(tmp_path / "locked" / "file"))
    assert "permission denied: '%s'" % (tmp_path / "locked" / "file") in str(caught.value)
    (tmp_path / "locked").chmod(0o755)


def test_what_cannot_be_removed_is_told_once(tmp_path, monkeypatch):
    for name in ("a/b/busy", "a/c/busy", "a/file"):
        (tmp_path / "tree" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "tree" / name).write_bytes(b"")
    unlink = os.unlink

    def busy(name, dir_fd=None):
        if name in ("busy", b"busy"):
            raise OSError(16, "Device or resource busy")
        unlink(name, dir_fd=dir_fd)

    monkeypatch.setattr(os, "unlink", busy)  # a kernel that has something mounted there
    with pytest.raises(HostError) as caught:
        remove_tree(str(tmp_path / "tree"))
    assert "cannot remove" in str(caught.value) and "busy: device or resource busy" in str(
        caught.value).replace("'", "") and "more" in str(caught.value)
    monkeypatch.undo()
    assert not (tmp_path / "tree" / "a" / "file").exists()
    remove_tree(str(tmp_path / "tree"))


def test_several_may_remove_the_same_tree(tmp_path):
    for number in range(300):
        where = tmp_path / "tree" / ("%d" % (number % 17)) / ("%d" % (number % 5))
        where.mkdir(parents=True, exist_ok=True)
        (where / ("%d" % number)).write_bytes(b"")
    errors = []

    def remove():
        try:
            remove_tree(str(tmp_path / "tree"))
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=remove) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == [] and os.listdir(str(tmp_path)) == []


def test_a_directory_that_is_moved_away_meanwhile_leads_nowhere_else(tmp_path):
    (tmp_path / "tree" / "a" / "b").mkdir(parents=True)
    (tmp_path / "elsewhere" / "a").mkdir(parents=True)
    (tmp_path / "elsewhere" / "other").write_bytes(b"kept")
    left, failed = [], []

    def visit(fd, names):
        if names[-1] == "b":
            os.rename(str(tmp_path / "tree" / "a" / "b"), str(tmp_path / "elsewhere" / "a" / "b"))
        return os.listdir(fd)

    fd = os.open(str(tmp_path), os.O_RDONLY)
    try:
        each_directory(fd, "tree", visit, leave=lambda fd, names: left.append(os.listdir(fd)),
                       failed=lambda error, names: failed.append(list(names)))
    finally:
        os.close(fd)
    assert left == [] and failed == [["tree", "a", "b"]]


def test_sizes_are_those_of_du(tmp_path):
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "one").write_bytes(os.urandom(100000))
    os.link(str(tmp_path / "a" / "one"), str(tmp_path / "a" / "b" / "two"))
    (tmp_path / "a" / "link").symlink_to("/")
    with open(str(tmp_path / "a" / "holes"), "wb") as opened:
        opened.truncate(1 << 30)
    os.sync()
    said = subprocess.check_output(["du", "-s", "--block-size=1", str(tmp_path / "a")])
    assert tree_size(str(tmp_path / "a")) == int(said.split()[0])
    assert tree_size(str(tmp_path / "a" / "one")) >= 100000
    with pytest.raises(HostError):
        tree_size(str(tmp_path / "missing"))
