"""Mount points are made, remembered as udocker 1.3.x does, and removed again."""

import os

import pytest

from udocker.store import mountpoints
from udocker.store.containers import Container


@pytest.fixture
def container(tmp_path):
    (tmp_path / "ROOT/srv").mkdir(parents=True)
    return Container("c", str(tmp_path), ())


def listed(container):
    found = []
    for directory, directories, names in os.walk(container.root):
        found += [os.path.join(directory, name)[len(container.root):]
                  for name in directories + names]
    return sorted(found)


def test_what_was_made_goes_and_nothing_else(container):
    before = listed(container)
    mountpoints.make(container, (("/a/b/c", True), ("/srv/file", False), ("/srv", True)))
    assert listed(container) == ["/a", "/a/b", "/a/b/c", "/srv", "/srv/file"]
    assert os.readlink(container.path + "/.mountpoints/#a#b#c") == "#"
    assert os.readlink(container.path + "/.mountpoints/#srv#file") == "#srv"
    mountpoints.remove(container)
    assert listed(container) == before
    assert not os.path.exists(container.path + "/.mountpoints")
    mountpoints.remove(container)


def test_what_somebody_has_filled_stays(container):
    mountpoints.make(container, (("/a/b", True), ("/a/file", False)))
    with open(container.root + "/a/file", "w") as file:
        file.write("mine")
    mountpoints.remove(container)
    assert listed(container) == ["/a", "/a/file", "/srv"]


def test_a_link_that_leads_out_is_not_followed(container, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    os.symlink("../../outside", container.root + "/srv/out")
    mountpoints.make(container, (("/srv/out/x", True),))
    mountpoints.remove(container)
    assert os.listdir(str(outside)) == []


def test_what_is_in_the_way_is_left_as_it_is(container):
    with open(container.root + "/file", "w") as file:
        file.write("x")
    mountpoints.make(container, (("/file/below", True), ("/srv", False)))
    assert listed(container) == ["/file", "/srv"]
