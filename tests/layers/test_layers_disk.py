"""T40: disks that are full or broken; and GNU tar as the judge of what a layer comes to."""

import errno
import os
import resource
import stat
import subprocess
import sys

import pytest

from tests.fakes.tars import archive, directory, file, stream, symlink
from tests.layers.conftest import look
from udocker.errors import HostError
from udocker.host.layer import apply_layer

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")

FULL = """
import sys
sys.path[:0] = [sys.argv[1] + "/app", sys.argv[1]]
from tests.fakes.tars import archive, file, stream
from udocker.errors import HostError
from udocker.host.files import remove_tree, write_atomic
from udocker.host.layer import apply_layer
import os
place = sys.argv[2]
os.mkdir(place + "/root")
for parts in ([file("big", b"x" * 3000000)], [file("f%d" % n, b"x" * 500) for n in range(2000)]):
    try:
        apply_layer(place + "/root", stream(archive(*parts)))
        print("no error")
    except HostError as error:
        print(error)
        print(error.hint)
try:
    write_atomic(place + "/file", b"x" * 3000000)
except HostError as error:
    print(error)
print([name for name in os.listdir(place) if name != "root"])
remove_tree(place + "/root")
print(os.listdir(place))
"""


def test_t40_a_full_disk_is_one_line_with_a_hint(tmp_path):
    place = str(tmp_path / "full")
    os.mkdir(place)
    command = "mount -t tmpfs -o size=1m,nr_inodes=1000 none '%s' && exec '%s' -c \"$0\" '%s' '%s'" % (
        place, sys.executable, ROOT, place)
    namespace = ["unshare", "-m"] if os.geteuid() == 0 else ["unshare", "-rm"]
    try:
        usable = subprocess.call(namespace + ["mount", "-t", "tmpfs", "none", place],
                                 stderr=subprocess.DEVNULL) == 0
    except OSError:
        usable = False
    if not usable:
        pytest.skip("no mount namespace with a small file system to be had here")
    said = subprocess.check_output(namespace + ["sh", "-c", command, FULL]).decode().splitlines()
    assert said[0] == "no space left on device: '%s/root/big'" % place
    assert said[2].startswith("no space left on device: '%s/root/f" % place)
    assert "UDOCKER_DIR" in said[1] and "UDOCKER_DIR" in said[3]
    assert said[4] == "no space left on device: '%s/file'" % place
    assert said[5:] == ["[]", "[]"]


def test_t40_a_limit_on_files_is_one_line(world):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100000, hard))
    try:
        text = world.fails(HostError, file("small", b"x"), file("large", b"x" * 200000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert text == "file too large: '%s'" % world.path("large")


@pytest.mark.parametrize("call", ["open", "write", "mkdir", "symlink", "close", "utime"])
@pytest.mark.parametrize("code", [errno.EIO, errno.EDQUOT, errno.EROFS, errno.ENOSPC])
def test_t40_any_call_that_fails_is_one_line(world, monkeypatch, call, code):
    real, left = getattr(os, call), [12]

    def failing(*arguments, **options):
        left[0] -= 1
        if left[0] == 0:
            if call == "close":
                real(*arguments)
            raise OSError(code, os.strerror(code))
        return real(*arguments, **options)

    monkeypatch.setattr(os, call, failing)  # the disk breaks
    error = world.attempt(*[part for n in range(20) for part in (
        directory("d%d" % n), file("d%d/f" % n, b"x"), symlink("d%d/l" % n, "f"))])
    monkeypatch.undo()
    assert isinstance(error, HostError)
    assert str(error).startswith(os.strerror(code)[:1].lower() + os.strerror(code)[1:])
    assert "\n" not in str(error)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_t40_a_root_that_may_not_be_written_is_one_line(world):
    os.chmod(world.root, 0o555)
    try:
        assert "permission denied" in world.fails(HostError, file("x"))
    finally:
        os.chmod(world.root, 0o755)
    with pytest.raises(HostError):
        apply_layer(world.root + "/missing", stream(archive()))


def as_we_make_it(seen):
    """Return ``seen`` (of look) of a tree made by tar, with the differences that are documented:
    no set-id bits, the owner may read and write, and enter directories; nothing but files,
    directories and links."""
    expected = {}
    for name, (kind, mode, mtime, content) in seen.items():
        if kind == stat.S_IFDIR:
            mode = mode & 0o1777 | 0o700
        elif kind == stat.S_IFREG:
            mode = mode & 0o777 | 0o600
        else:
            mode = None
        expected[name] = (kind, mode, mtime, content)
    return expected


@pytest.mark.parametrize("form", ["gnu", "posix", "ustar", "v7"])
def test_it_makes_of_a_real_tar_what_gnu_tar_makes(world, tmp_path, form):
    source = tmp_path / "source"
    (source / "usr" / "lib").mkdir(parents=True)
    for number in range(200):
        path = source / "usr" / "lib" / ("file%d" % number)
        path.write_bytes(os.urandom(number * 37))
        path.chmod((0o644, 0o755, 0o400, 0o666, 0o600, 0o4755, 0o511)[number % 7])
        os.utime(str(path), ns=(0, 1500000000000000000 + number * 1000000001))
    (source / "lib").symlink_to("usr/lib")
    (source / "absolute").symlink_to("/etc/passwd")
    os.link(str(source / "usr" / "lib" / "file3"), str(source / "hard"))
    (source / "sticky").mkdir()
    (source / "sticky").chmod(0o1777)
    (source / "closed").mkdir()
    (source / "closed" / "file").write_bytes(b"x")
    (source / "closed").chmod(0o500)
    if form in ("gnu", "posix"):
        long = source.joinpath(*["directory%02d" % n for n in range(15)])
        long.mkdir(parents=True)
        (long / ("n" * 200)).write_bytes(b"long")
        (source / u"\u00e9\n").write_bytes(b"odd")
        with open(str(source / "holes"), "wb") as opened:
            opened.seek(1 << 20)
            opened.write(b"end")
    tarball, judge = str(tmp_path / "layer.tar.gz"), tmp_path / "judge"
    judge.mkdir()
    sparse = ["-S"] if form in ("gnu", "posix") else []
    subprocess.check_call(["tar", "--format=" + form] + sparse
                          + ["-czf", tarball, "-C", str(source), "."])
    subprocess.check_call(["tar", "-xpzf", tarball, "-C", str(judge)])
    with open(tarball, "rb") as opened:
        apply_layer(world.root, opened)
    (judge / "closed").chmod(0o700)
    theirs = as_we_make_it(look_as_owner(judge))
    ours = dict((name, (kind, mode if not stat.S_ISLNK(kind) else None, mtime, content))
                for name, (kind, mode, mtime, content) in look(world.root).items())
    assert len(ours) > 200
    for name in sorted(set(ours) | set(theirs)):
        assert ours.get(name) == theirs.get(name), name
    assert os.stat(world.path("hard")).st_nlink == 2


def look_as_owner(path):
    """``look`` at what tar made, some of which its owner may not read."""
    modes = {}
    for directory_name, _, names in os.walk(str(path)):
        for name in names:
            where = os.path.join(directory_name, name)
            if not os.path.islink(where):
                modes[os.path.relpath(where, str(path))] = os.stat(where).st_mode
                os.chmod(where, os.stat(where).st_mode | 0o400)
    seen = look(path)
    for name, mode in modes.items():
        kind, _, mtime, content = seen[os.fsencode(name)]
        seen[os.fsencode(name)] = (kind, stat.S_IMODE(mode), mtime, content)
    return seen
