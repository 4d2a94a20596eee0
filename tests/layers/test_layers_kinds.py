"""T12, T13, T20, T21: devices, modes, times, attributes, names that a terminal would obey."""

import os
import stat

import pytest

from tests.fakes import tars
from tests.fakes.tars import device, directory, fifo, file, hard_link, header, pax, symlink
from udocker.errors import CorruptData, UdockerError


def test_t12_devices_are_left_out_and_counted(world):
    applied = world.apply(directory("dev"), device("dev/null", b"3", 1, 3), device("dev/sda", b"4", 8),
                          device("dev/removed", b"3", 0, 0), file("dev/file"))
    assert world.names() == ["dev", "dev/file"]
    assert applied.devices == 3


def test_t12_a_device_removes_nothing(world):
    world.apply(file("dev", b"kept"))
    world.apply(device("dev", b"3", 0, 0))
    assert world.read("dev") == b"kept"


def test_t12_a_fifo_is_made_and_never_opened(world):
    world.apply(fifo("f", mode=0o500, mtime=77))
    status = os.lstat(world.path("f"))
    assert stat.S_ISFIFO(status.st_mode) and status.st_mode & 0o777 == 0o700
    assert status.st_mtime == 77
    world.apply(fifo("f"), file("g", b"x"), hard_link("h", "f"))
    world.apply(file("f", b"replaced"))
    assert world.read("f") == b"replaced"


@pytest.mark.parametrize("kind", [b"8", b"A", b"M", b"N", b"\xff", b"s"])
def test_t12_unknown_types_are_an_error_that_names_the_member(world, kind):
    assert "'strange'" in world.fails(CorruptData, header("strange", kind))


MODES = [
    # (mode in the layer, of a file, of a directory)
    (0o644, 0o644, 0o744), (0o755, 0o755, 0o755), (0, 0o600, 0o700), (0o444, 0o644, 0o744),
    (0o777, 0o777, 0o777), (0o666, 0o666, 0o766), (0o1777, 0o777, 0o1777),
    (0o4755, 0o755, 0o755), (0o2755, 0o755, 0o755), (0o6000, 0o600, 0o700),
    (0o100644, 0o644, 0o744), (0o7777777, 0o777, 0o1777),
]


@pytest.mark.parametrize("umask", [0, 0o022, 0o077])
def test_t13_modes_are_those_of_the_layer_within_reason(world, umask):
    old = os.umask(umask)
    try:
        applied = world.apply(*[part for mode, _, _ in MODES for part in (
            file("f%o" % mode, b"x", mode=mode), directory("d%o" % mode, mode=mode))])
        assert os.umask(umask) == umask
    finally:
        os.umask(old)
    assert [(oct(world.mode("f%o" % mode)), oct(world.mode("d%o" % mode))) for mode, _, _ in MODES] == [
        (oct(as_file), oct(as_directory)) for _, as_file, as_directory in MODES]
    assert applied.set_id == 8


def test_t13_a_directory_without_permissions_takes_its_children(world):
    world.apply(directory("d", mode=0), directory("d/e", mode=0), file("d/e/f", b"x", mode=0))
    assert world.read("d/e/f") == b"x"
    world.apply(file("d/e/f", b"y", mode=0), directory("d", mode=0))
    assert world.read("d/e/f") == b"y"


def test_directories_that_the_layer_does_not_list_are_made(world):
    world.apply(file("a/b/c/d", b"x"))
    assert world.read("a/b/c/d") == b"x"
    assert world.mode("a") & 0o700 == 0o700


def test_a_lower_directory_takes_the_mode_and_time_of_the_upper_entry(world):
    world.apply(directory("d", mode=0o700, mtime=1), file("d/x"))
    world.apply(directory("d", mode=0o755, mtime=2))
    assert world.mode("d") == 0o755 and os.stat(world.path("d")).st_mtime == 2
    assert world.names() == ["d", "d/x"]


def test_times_are_those_of_the_layer_to_the_nanosecond(world):
    world.apply(pax({"mtime": "1600000000.123456789"}) + file("ns"),
                pax({"mtime": "-1.5"}) + file("before"), file("plain", mtime=123456789),
                symlink("l", "nowhere", mtime=42),
                pax({"mtime": "99999999999999999999"}) + file("far"),
                file("negative", mtime=b"\xff" * 11 + b"\xfe"))

    def when(name):
        return os.lstat(world.path(name)).st_mtime_ns

    assert when("ns") == 1600000000123456789
    assert when("plain") == 123456789 * 10 ** 9
    assert when("l") == 42 * 10 ** 9
    assert when("before") == -1500000000
    assert when("negative") == -2 * 10 ** 9


def test_times_of_directories_are_right_at_the_end(world):
    many = [part for i in range(300) for part in (
        directory("d%d" % i, mtime=i), file("d%d/x" % i))]
    late = [file("d%d/y" % i) for i in range(300)]
    world.apply(directory("./", mtime=5), *many + late + [file("new/f"), file("d7/e/f/g")])
    assert os.stat(world.root).st_mtime == 5
    assert [os.stat(world.path("d%d" % i)).st_mtime for i in range(300)] == list(range(300))
    world.apply(file("d3/z"), symlink("d3l", "d4"), file("d3l/z"), file("./d5/z"), file("/d5/zz"))
    assert [os.stat(world.path("d%d" % i)).st_mtime for i in range(300)] == list(range(300))


def test_the_set_group_id_bit_that_a_directory_inherits_stays(world):
    os.chmod(world.root, 0o2755)
    if not os.stat(world.root).st_mode & stat.S_ISGID:
        pytest.skip("this user may not set the bit here")
    world.apply(directory("d", mode=0o755))
    assert world.mode("d") == 0o2755


def test_hard_links_are_links(world):
    applied = world.apply(file("a", b"x", mtime=5), hard_link("b", "a"), hard_link("c", "./b"),
                          hard_link("a", "a"), directory("d"), hard_link("d/e", "/a"))
    assert os.stat(world.path("a")).st_nlink == 4
    assert applied.copies == 0
    world.apply(hard_link("b", "a"), file("a", b"new"))
    assert (world.read("a"), world.read("b"), world.read("d/e")) == (b"new", b"x", b"x")


def test_a_hard_link_from_beyond_the_open_directories(world):
    deep = "/".join("d%d" % i for i in range(100))
    world.apply(pax({"path": deep + "/f"}) + file("x", b"x"),
                pax({"path": "other/" + deep + "/g"}) + file("x"),
                pax({"path": "other/" + deep + "/h", "linkpath": deep + "/f"}) + hard_link("x", "x"),
                pax({"path": deep + "/i", "linkpath": deep + "/f"}) + hard_link("x", "x"))
    assert os.stat(world.path(deep + "/f")).st_nlink == 3


def test_where_there_are_no_hard_links_they_are_copies(world, monkeypatch):
    def link(*arguments, **more):
        raise PermissionError(1, "Operation not permitted")
    monkeypatch.setattr(os, "link", link)  # the kernel of Android
    applied = world.apply(file("a", b"content", mode=0o751, mtime=9), symlink("l", "a", mtime=8),
                          hard_link("b", "a"), hard_link("m", "l"), file("c", b"old"))
    assert applied.copies == 2
    assert world.read("b") == b"content" and world.mode("b") == 0o751
    assert os.stat(world.path("b")).st_mtime == 9
    assert os.readlink(world.path("m")) == "a"
    assert not os.path.samefile(world.path("a"), world.path("b"))
    world.apply(hard_link("c", "a"), hard_link("a", "a"))
    assert world.read("c") == b"content" and world.read("a") == b"content"


def test_t20_extended_attributes_are_left_out_and_counted(world):
    applied = world.apply(
        pax({"SCHILY.xattr.security.capability": b"\x01\0\0\x02\n=x", "SCHILY.xattr.user.a": b"b"})
        + file("a", b"x"), pax({"LIBARCHIVE.xattr.user.x": b"eA=="}) + directory("d"), file("c"))
    assert applied.xattrs == 2
    assert world.names() == ["a", "c", "d"]
    assert os.listxattr(world.path("a")) == []


@pytest.mark.parametrize("name", [b"\x1b]0;owned\x07", b"a\nb", b"\xff\xfe", b"\xc2\x9b2J",
                                  "\u202egnp.exe".encode("utf-8")])
def test_t21_names_are_escaped_in_messages(world, name):
    for members in ([hard_link(b"x" + name, b"missing" + name)], [file(b"../" + name)],
                    [header(name, b"Z")], [file(b"f"), file(b"f/" + name)],
                    [tars.whiteout(b".wh." + name + b"/x")]):
        with pytest.raises(UdockerError) as caught:
            world.apply(*members)
        assert str(caught.value).isprintable()


def test_symlinks_are_kept_as_they_are(world):
    targets = ["/etc/passwd", "../../..", "a//b/", ".", "\u00e9", "x" * 99]
    world.apply(*[symlink("l%d" % i, target) for i, target in enumerate(targets)])
    assert [os.fsdecode(os.readlink(os.fsencode(world.path("l%d" % i))))
            for i in range(len(targets))] == [os.fsdecode(t.encode("utf-8")) for t in targets]
    assert "nothing" in world.fails(CorruptData, symlink("empty", ""))
