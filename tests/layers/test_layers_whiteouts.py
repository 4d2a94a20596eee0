"""T08 to T11: what a layer removes and replaces (OCI image-spec, layer.md)."""

import os
import stat

import pytest

from tests.fakes.tars import directory, fifo, file, hard_link, symlink, whiteout
from udocker.errors import UnsafeLayer

KINDS = {
    "file": (lambda name: [file(name, b"new")], stat.S_ISREG),
    "directory": (lambda name: [directory(name), file(name + "/new", b"new")], stat.S_ISDIR),
    "empty directory": (lambda name: [directory(name)], stat.S_ISDIR),
    "link": (lambda name: [symlink(name, "elsewhere")], stat.S_ISLNK),
    "link to a directory": (lambda name: [symlink(name, "other")], stat.S_ISLNK),
    "hard link": (lambda name: [hard_link(name, "kept")], stat.S_ISREG),
    "fifo": (lambda name: [fifo(name)], stat.S_ISFIFO),
}


@pytest.mark.parametrize("old", sorted(KINDS))
@pytest.mark.parametrize("new", sorted(KINDS))
def test_t08_anything_replaces_anything(world, old, new):
    world.apply(directory("other"), file("other/kept", b"kept"), file("kept", b"kept"),
                *KINDS[old][0]("x"))
    world.apply(*KINDS[new][0]("x"))
    assert KINDS[new][1](os.lstat(world.path("x")).st_mode)
    if new == "file":
        assert world.read("x") == b"new"
    if new == "empty directory" and old == "directory":
        assert world.names() == ["kept", "other", "other/kept", "x", "x/new"]
    assert world.read("kept") == b"kept" and world.read("other/kept") == b"kept"


@pytest.mark.parametrize("old", sorted(KINDS))
@pytest.mark.parametrize("new", sorted(KINDS))
def test_t08_also_within_one_layer_where_the_later_one_stays(world, old, new):
    world.apply(directory("other"), file("other/kept", b"kept"), file("kept", b"kept"),
                *KINDS[old][0]("x") + KINDS[new][0]("x"))
    assert KINDS[new][1](os.lstat(world.path("x")).st_mode)
    assert world.read("kept") == b"kept" and world.read("other/kept") == b"kept"


def test_t08_a_replaced_link_no_longer_leads_where_it_did(world):
    world.apply(directory("one"), directory("two"), symlink("l", "one"))
    world.apply(file("l/a"), symlink("l", "two"), file("l/b"), directory("l"), file("l/c"))
    assert world.names() == ["l", "l/c", "one", "one/a", "two", "two/b"]


def test_t08_a_directory_that_is_replaced_and_made_again_is_the_new_one(world):
    world.apply(directory("d"), directory("d/e"), file("d/e/old"))
    world.apply(file("d/e/gone"), file("d"), directory("d"), directory("d/e"), file("d/e/new"))
    assert world.names() == ["d", "d/e", "d/e/new"]


def test_t08_a_file_is_never_a_directory_on_the_way(world):
    world.apply(file("f", b"x"))
    assert "f/x" in str(world.attempt(file("f/x")))
    assert world.read("f") == b"x"


def test_whiteouts_remove_what_lower_layers_have(world):
    world.apply(file("a"), file("b"), directory("d"), file("d/x"), directory("d/e"),
                file("d/e/y"), symlink("l", "d"), directory("locked", mode=0), file("locked/z"))
    applied = world.apply(whiteout(".wh.a"), whiteout("d/.wh.e"), whiteout("./.wh.l"),
                          whiteout(".wh.locked"), whiteout(".wh.nothing"),
                          whiteout("no/such/.wh.directory"), whiteout("b/.wh.x"))
    assert world.names() == ["b", "d", "d/x"]
    assert applied.whiteouts == 7


def test_whiteouts_below_a_link_work_on_what_it_leads_to(world):
    world.apply(directory("usr"), directory("usr/lib"), file("usr/lib/x"), file("usr/lib/y"),
                symlink("lib", "usr/lib"))
    world.apply(whiteout("lib/.wh.x"))
    assert world.names() == ["lib", "usr", "usr/lib", "usr/lib/y"]
    world.apply(file("usr/lib/new"), whiteout("lib/.wh..wh..opq"))
    assert world.names() == ["lib", "usr", "usr/lib", "usr/lib/new"]


@pytest.mark.parametrize("name", [".wh.", "a/.wh.", ".wh..", "a/.wh..", ".wh...", "a/.wh...",
                                  ".wh./", ".wh../", "a/.wh./x", ".wh.a/x", "a/.wh.b/c"])
def test_t09_whiteouts_of_nothing_themselves_or_their_parent_are_refused(world, name):
    world.apply(directory("a"), file("a/b"))
    world.fails(UnsafeLayer, whiteout(name))
    assert world.names() == ["a", "a/b"]


@pytest.mark.parametrize("name", [b"new\nline", b"-rf", b"\xff\xfe", b"\x1b[2J", b" ", b"*", b"....",
                                  "\u00e9".encode("utf-8"), b"wh.", b".wh"])
def test_t09_odd_names_are_made_and_removed(world, name):
    world.apply(directory("a"), file(b"a/" + name, b"x"), file("a/other"))
    assert sorted(os.listdir(os.fsencode(world.path("a")))) == sorted([name, b"other"])
    world.apply(whiteout(b"a/.wh." + name))
    assert world.names() == ["a", "a/other"]


def test_t09_bookkeeping_of_aufs_is_left_out(world):
    world.apply(file("x"))
    world.apply(whiteout(".wh..wh.aufs"), directory(".wh..wh.orph"), file(".wh..wh.plnk/1.2"))
    assert world.names() == ["x"]


ORDERS = [lambda *parts: parts, lambda *parts: parts[::-1]]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("lower", [[], [file("x", b"old")], [directory("x"), file("x/old")],
                                   [symlink("x", "y")]])
def test_t10_a_file_beside_its_whiteout_stays_in_either_order(world, order, lower):
    world.apply(file("other"), *lower)
    world.apply(*order(file("x", b"new"), whiteout(".wh.x")))
    assert world.names() == ["other", "x"] and world.read("x") == b"new"


@pytest.mark.parametrize("members", [
    [whiteout(".wh.d"), directory("d"), file("d/new")],
    [directory("d"), whiteout(".wh.d"), file("d/new")],
    [directory("d"), file("d/new"), whiteout(".wh.d")],
    [whiteout(".wh.d"), file("d/new")],
    [file("d/new"), whiteout(".wh.d")],
    [directory("d"), file("d/new"), whiteout("d/.wh..wh..opq")],
    [whiteout("d/.wh..wh..opq"), directory("d"), file("d/new")],
    [whiteout("d/.wh..wh..opq"), file("d/new")],
])
def test_t10_t11_a_directory_beside_its_whiteout_keeps_what_is_new(world, members):
    world.apply(directory("d"), file("d/old"), directory("d/sub"), file("d/sub/old"), file("kept"))
    world.apply(*members)
    assert world.names() == ["d", "d/new", "kept"]


@pytest.mark.parametrize("order", ORDERS)
def test_t11_an_opaque_directory_keeps_what_is_new_at_any_depth(world, order):
    lower = [directory("d"), directory("d/e"), directory("d/e/f"), directory("d/g")]
    world.apply(*lower + [file(name + "/old") for name in ("d", "d/e", "d/e/f", "d/g")])
    world.apply(*order(file("d/e/f/new"), symlink("d/link", "e"), whiteout("d/.wh..wh..opq")))
    assert world.names() == ["d", "d/e", "d/e/f", "d/e/f/new", "d/link"]


def test_t11_a_whiteout_alone_does_not_make_its_directory_new(world):
    world.apply(directory("d"), directory("d/e"), file("d/e/old"))
    world.apply(whiteout("d/e/.wh.old"), whiteout("d/.wh..wh..opq"))
    assert world.names() == ["d"]


def test_t11_the_root_can_be_opaque(world):
    world.apply(file("old"), directory("d"), file("d/old"))
    world.apply(file("d/new"), whiteout(".wh..wh..opq"), file("new"))
    assert world.names() == ["d", "d/new", "new"]


def test_t11_an_opaque_directory_hides_what_a_link_leads_to_but_not_below(world):
    world.apply(directory("d"), symlink("d/out", "../kept"), directory("kept"), file("kept/x"))
    world.apply(whiteout("d/.wh..wh..opq"))
    assert world.names() == ["d", "kept", "kept/x"]


def test_times_of_directories_survive_whiteouts(world):
    world.apply(directory("d", mtime=100), file("d/x"), directory("d/e", mtime=200), file("d/e/y"),
                file("d/e/z"), directory("f", mtime=300), file("f/x"), directory(".", mtime=50))
    world.apply(whiteout("d/e/.wh.y"), whiteout("f/.wh..wh..opq"), file("d/e/new"),
                whiteout("d/.wh..wh..opq"), whiteout("f/.wh.x"))
    assert world.names() == ["d", "d/e", "d/e/new", "f"]
    assert [os.stat(world.path(name)).st_mtime for name in ("", "d", "d/e", "f")] == [
        50, 100, 200, 300]
