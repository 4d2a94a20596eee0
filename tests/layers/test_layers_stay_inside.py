"""T01 to T07 and T18: no layer, and no series of layers, touches anything outside the root."""

import os
import subprocess
import sys
import time

import pytest

from tests.fakes.tars import archive, directory, file, hard_link, pax, stream, symlink, whiteout
from udocker.errors import CorruptData, UdockerError, UnsafeLayer
from udocker.host.layer import apply_layer

#: Ways to the outside that a link in the root may spell.
ESCAPES = ["{outside}", "../outside", "../../../../../../../../..{outside}", "/../{outside}",
           "../root/../outside", "b", "/b", "./b/."]


def escape(world, target):
    """Return ``target`` for ``world``; links named b lead out by themselves."""
    os.symlink("../outside", os.path.join(world.root, "b"))
    return target.replace("{outside}", world.outside)


@pytest.mark.parametrize("target", ESCAPES)
def test_t01_a_file_below_a_link_of_a_lower_layer_lands_inside(world, target):
    world.apply(symlink("a", escape(world, target)))
    world.attempt(file("a/x", b"evil"), directory("a/directory", mode=0o700))
    world.attempt(file("a/victim", b"evil"))
    world.attempt(file("a/directory/victim", b"evil"))
    world.attempt(symlink("a/link", "evil"))


def test_t01_an_absolute_link_means_a_place_in_the_root(world):
    world.apply(directory("usr"), directory("usr/lib"), symlink("lib", "/usr/lib"))
    world.apply(file("lib/x", b"inside"))
    assert world.read("usr/lib/x") == b"inside"
    assert os.readlink(world.path("lib")) == "/usr/lib"


def test_t01_an_absolute_link_further_down_starts_at_the_root_too(world):
    world.apply(directory("a"), directory("a/b"), symlink("a/b/l", "/c"), directory("c"))
    world.apply(file("a/b/l/x", b"inside"), file("a/b/l/../y", b"inside"))
    assert world.names() == ["a", "a/b", "a/b/l", "a/b/y", "c", "c/x"]


def test_t01_a_link_to_nothing_makes_directories_inside(world):
    world.apply(symlink("a", world.outside), file("a/x", b"inside"))
    assert world.read(world.outside.lstrip("/") + "/x") == b"inside"


def test_t01_a_link_in_the_same_layer_is_no_way_out(world):
    world.attempt(symlink("a", "../outside"), file("a/victim", b"evil"))
    world.attempt(symlink("c", "../outside/victim"), file("c", b"evil"))
    assert world.read("c") == b"evil" and not os.path.islink(world.path("c"))


def test_t01_a_loop_of_links_is_an_error(world):
    text = world.fails(CorruptData, symlink("a", "b"), symlink("b", "a"), file("a/x"))
    assert "a/x" in text


@pytest.mark.parametrize("target", ESCAPES)
@pytest.mark.parametrize("names", [["a/.wh.victim"], ["a/.wh..wh..opq"], ["a/directory/.wh.below"],
                                   ["a/directory/.wh..wh..opq"]])
def test_t02_t03_whiteouts_below_a_link_remove_nothing_outside(world, target, names):
    world.apply(symlink("a", escape(world, target)))
    for name in names:
        world.attempt(whiteout(name))


@pytest.mark.parametrize("name", ["../x", "a/../../x", "/../x", "..", "../", "a/../..", "./../x",
                                  "a/b/../../../outside/victim"])
def test_t04_names_that_climb_are_refused(world, name):
    for member in (file(name, b"evil"), directory(name), symlink(name, "evil"),
                   hard_link(name, "inside"), pax({"path": name}) + file("x", b"evil")):
        text = world.fails(UnsafeLayer, directory("a"), file("inside"), member)
        assert "out of the root" in text


@pytest.mark.parametrize("name, lands", [("/x", "x"), ("//x", "x"), ("./x", "x"), ("a/../x", "x"),
                                         ("a//b", "a/b"), ("./a/./b", "a/b"), ("...", "...")])
def test_t04_odd_names_land_inside(world, name, lands):
    world.apply(file(name, b"inside"))
    assert world.read(lands) == b"inside"


@pytest.mark.parametrize("name", ["", ".", "./", "/", "//", "a/.."])
def test_t04_names_of_the_root_are_its_own_entry(world, name):
    world.apply(directory("a"), directory(name, mode=0o750, mtime=1234))
    assert world.names() == ["a"]
    assert os.stat(world.root).st_mode & 0o777 == 0o750
    assert os.stat(world.root).st_mtime == 1234
    os.chmod(world.root, 0o755)


@pytest.mark.parametrize("target", ["../../etc/passwd", "../outside/victim", "a/../../outside/victim"])
def test_t05_hard_links_that_climb_are_refused(world, target):
    world.fails(UnsafeLayer, directory("a"), hard_link("x", target))


def test_t05_hard_links_to_absolute_names_mean_the_root(world):
    world.fails(CorruptData, hard_link("x", os.path.join(world.outside, "victim")))
    world.apply(file("y", b"inside"), hard_link("x", "/y"))
    assert os.path.samefile(world.path("x"), world.path("y"))


def test_t05_a_hard_link_to_a_link_is_that_link(world):
    world.apply(symlink("a", "../outside/victim"), hard_link("x", "a"))
    assert os.readlink(world.path("x")) == "../outside/victim"
    world.apply(file("x", b"evil"))
    assert world.read("x") == b"evil"


def test_t05_a_hard_link_below_a_link_is_looked_up_inside(world):
    world.fails(CorruptData, symlink("a", "../outside"), hard_link("x", "a/victim"))


def test_t06_a_hard_link_to_something_missing_names_it(world):
    for target in ("missing", "no/such/file"):
        text = world.fails(CorruptData, hard_link("x", target), file("missing"))
        assert "'x'" in text and "'%s'" % target in text
    text = world.fails(CorruptData, directory("d"), hard_link("x", "d"))
    assert "directory" in text


@pytest.mark.parametrize("name", [".", "./", "", "/", "a/.."])
@pytest.mark.parametrize("make", [lambda name: symlink(name, "../outside"),
                                  lambda name: hard_link(name, "a"),
                                  lambda name: file(name.rstrip("/"), b"evil")])
def test_t07_a_root_entry_that_is_no_directory_is_refused(world, name, make):
    world.fails(UnsafeLayer, file("a"), make(name))
    assert os.path.isdir(world.root) and not os.path.islink(world.root)


SWAPPER = """
import os, sys, time
root, until = sys.argv[1], time.time() + float(sys.argv[2])
os.chdir(root)
for i in range(4):
    os.symlink("../outside", "link%d" % i)
print("ready", flush=True)
while time.time() < until:
    for i in range(4):
        for step in ((("a%d" % i), ("real%d" % i)), ("link%d" % i, "a%d" % i),
                     ("a%d" % i, "link%d" % i), ("real%d" % i, "a%d" % i)):
            try:
                os.rename(*step)
            except OSError:
                pass
"""


def test_t18_swapping_directories_for_links_meanwhile_gains_nothing(world):
    seconds = 3.0
    swapper = subprocess.Popen([sys.executable, "-I", "-c", SWAPPER, world.root, str(seconds)],
                               stdout=subprocess.PIPE)
    try:
        assert swapper.stdout.readline() == b"ready\n"
        rounds = refused = 0
        until = time.time() + seconds - 0.2
        data = archive(*[part for i in range(4) for part in (
            directory("a%d" % i), file("a%d/victim" % i, b"evil"), whiteout("a%d/.wh.link" % i),
            directory("a%d/directory" % i), file("a%d/directory/victim" % i, b"evil"),
            whiteout("a%d/directory/.wh..wh..opq" % i), symlink("a%d/link" % i, "evil"),
            hard_link("a%d/x" % i, "a%d/victim" % i), whiteout(".wh.a%d" % i))])
        while time.time() < until or rounds < 1000:
            try:
                apply_layer(world.root, stream(data))
            except UdockerError:
                refused += 1
            rounds += 1
    finally:
        swapper.kill()
        swapper.wait()
        swapper.stdout.close()
    print("%d layers, %d refused" % (rounds, refused))
    assert rounds >= 1000 and refused < rounds
