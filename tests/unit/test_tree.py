import os
import stat
import subprocess
import sys

import pytest

from udocker.errors import CorruptData, HostError, InvalidValue, NotFound, Refused
from udocker.host.tree import Root, host_error

APP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "app")


@pytest.fixture
def root(tmp_path):
    inside = tmp_path / "root"
    for name in ("usr/lib", "etc", "usr/bin"):
        (inside / name).mkdir(parents=True)
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret").write_bytes(b"secret")
    (inside / "etc" / "passwd").write_bytes(b"root:x:0:0")
    (inside / "usr" / "bin" / "tool").write_bytes(b"#!/bin/sh")
    (inside / "usr" / "bin" / "tool").chmod(0o755)
    for name, target in [("lib", "usr/lib"), ("bin", "/usr/bin"), ("out", "../outside"),
                         ("abs", str(tmp_path / "outside")), ("loop", "loop"), ("up", "../../../.."),
                         ("usr/lib/back", "../../etc"), ("usr/lib/home", "/etc"), ("file", "etc/passwd"), ("dangling", "no/x"),
                         ("l0", "etc/passwd")] + [
                             ("l%d" % (n + 1), "l%d" % n) for n in range(50)]:
        (inside / name).symlink_to(target)
    os.mkfifo(str(inside / "fifo"))
    with Root(str(inside)) as opened:
        yield opened
    assert os.listdir(str(tmp_path / "outside")) == ["secret"]


@pytest.mark.parametrize("path, real", [
    ("/", "/"), ("", "/"), (".", "/"), ("..", "/"), ("/../..", "/"), ("etc/passwd", "/etc/passwd"),
    ("/lib/x", "/usr/lib/x"), ("bin/tool", "/usr/bin/tool"), ("/lib/back/passwd", "/etc/passwd"),
    ("lib/..", "/usr"), ("bin/../lib", "/usr/lib"), ("lib/home/passwd", "/etc/passwd"), ("usr/lib/home/..", "/"),
    ("file", "/etc/passwd"), ("up/etc/", "/etc"),
    ("up", "/"), ("etc//./passwd", "/etc/passwd"), ("missing", "/missing"), ("l39", "/etc/passwd"),
    ("usr/lib/../../up/up/usr/lib/back", "/etc"),
])
def test_paths_mean_what_they_mean_after_chroot(root, path, real):
    assert root.real_path(path) == real
    assert root.real_path(os.fsencode(path)) == real


@pytest.mark.parametrize("path", ["out", "out/secret", "abs/secret", "loop", "loop/x", "l40", "l45",
                                  "dangling", "etc/passwd/x", "no/such", "x" * 300, "lib/" * 2000])
def test_what_is_not_inside_is_not_there(root, path):
    assert root.kind(path) is None
    with pytest.raises(NotFound) as caught:
        root.read_file(path, 100)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("path, kind", [
    ("/", "directory"), ("lib", "directory"), ("bin/tool", "executable"), ("file", "file"),
    ("fifo", "other"), ("etc/passwd", "file"), ("up", "directory"), ("nothing", None)])
def test_kinds(root, path, kind):
    assert root.kind(path) == kind


@pytest.mark.skipif(os.geteuid() == 0, reason="root may search every directory")
def test_what_may_not_be_looked_at_is_something_else(root):
    os.chmod(os.path.join(root.path, "etc"), 0)
    try:
        assert root.kind("etc/passwd") == "other"
        with pytest.raises(HostError):
            root.read_file("etc/passwd", 10)
    finally:
        os.chmod(os.path.join(root.path, "etc"), 0o755)


def test_files_are_read_up_to_a_limit(root):
    assert root.read_file("/lib/back/passwd", 10) == b"root:x:0:0"
    with pytest.raises(CorruptData):
        root.read_file("/etc/passwd", 9)
    with root.open_file("file") as opened:
        assert opened.read() == b"root:x:0:0"


@pytest.mark.parametrize("path", ["fifo", "/", "lib", "up"])
def test_only_files_are_read_and_a_fifo_is_not_waited_for(root, path):
    with pytest.raises(CorruptData):
        root.read_file(path, 100)


def test_a_zero_byte_is_an_invalid_path(root):
    with pytest.raises(InvalidValue):
        root.kind("etc\0/passwd")


def test_a_link_that_is_not_to_be_followed(root):
    fd, name = root.resolve("usr/lib/back", follow=False)
    try:
        assert (name, os.readlink(name, dir_fd=fd)) == (b"back", b"../../etc")
    finally:
        os.close(fd)


@pytest.mark.parametrize("path, is_directory, made, real", [
    ("/data/a/b", True, "/data", "/data/a/b"), ("/data/f", False, "/data", "/data/f"),
    ("/etc", True, None, "/etc"), ("/", True, None, "/"), ("lib/x", False, "/usr/lib/x", "/usr/lib/x"),
    ("file", False, None, "/etc/passwd"), ("fifo", False, None, "/fifo"),
    ("dangling", False, "/no", "/no/x"), ("out/x", True, "/outside", "/outside/x"),
    ("up/new", True, "/new", "/new"),
])
def test_mountpoints_are_made_inside(root, path, is_directory, made, real):
    assert root.make_mountpoint(path, is_directory) == made
    assert root.real_path(path) == real
    assert (root.kind(path) == "directory") == is_directory
    assert root.make_mountpoint(path, is_directory) is None


@pytest.mark.parametrize("path, is_directory, error", [
    ("etc", False, Refused), ("/", False, Refused), ("etc/passwd", True, Refused),
    ("etc/passwd/x", True, HostError), ("loop/x", True, HostError)])
def test_mountpoints_that_cannot_be(root, path, is_directory, error):
    with pytest.raises(error):
        root.make_mountpoint(path, is_directory)


def test_a_swapped_directory_is_never_followed_outside(root):
    code = ("import os, sys\nos.chdir(sys.argv[1])\nos.symlink('../outside', 'l')\n"
            "while True:\n  for a, b in (('etc', 'real'), ('l', 'etc'), ('etc', 'l'), ('real', 'etc')):\n"
            "    os.rename(a, b)\n")
    swapper = subprocess.Popen([sys.executable, "-c", code, root.path])
    seen = set()
    try:
        for turn in range(5000):
            try:
                seen.add(root.read_file("etc/passwd", 100))
                root.make_mountpoint("etc/new%d" % turn, False)
            except (NotFound, HostError, CorruptData) as error:
                seen.add(type(error))
            try:
                root.read_file("etc/secret", 100)
                seen.add("escaped")
            except (NotFound, HostError):
                pass
    finally:
        swapper.kill()
        swapper.wait()
    assert b"root:x:0:0" in seen and "escaped" not in seen


def test_no_descriptors_are_left_open(root):
    before = os.listdir("/proc/self/fd")
    for path in ("/", "lib/back/passwd", "loop", "no/such/x", "etc/passwd/x", "fifo", "l50", "up/.."):
        for call in (root.kind, root.real_path, lambda p: root.read_file(p, 5), root.open_directory,
                     lambda p: root.make_mountpoint(p, True), lambda p: os.close(root.resolve(p)[0])):
            try:
                result = call(path)
                if call == root.open_directory:
                    os.close(result)
            except Exception:
                pass
    assert len(os.listdir("/proc/self/fd")) == len(before)


def test_errors_of_the_system_become_one_line():
    error = host_error(OSError(28, "x"), "/a\nb\x1b")
    assert str(error) == "no space left on device: '/a\\nb\\x1b'" and error.hint
    assert str(host_error(OSError("odd"))) == "odd"
    with pytest.raises(HostError) as caught:
        Root("/nonexistent/root")
    assert str(caught.value) == "no such file or directory: '/nonexistent/root'"


def test_importing_it_loads_nothing_that_python_has_not_loaded():
    code = ("import sys; sys.path.insert(0, sys.argv[1]); import collections, errno, os, stat; "
            "before = set(sys.modules); import udocker.host.tree; "
            "print(sorted(m for m in set(sys.modules) - before if not m.startswith('udocker')))")
    said = subprocess.check_output([sys.executable, "-I", "-S", "-c", code, APP])
    assert said.strip() == b"[]"


def test_modes_of_what_is_made(root):
    root.make_mountpoint("a/b", True)
    root.make_mountpoint("a/c", False)
    modes = [stat.S_IMODE(os.stat(os.path.join(root.path, name)).st_mode) for name in ("a/b", "a/c")]
    mask = os.umask(0)
    os.umask(mask)
    assert modes == [0o755 & ~mask, 0o644 & ~mask]
