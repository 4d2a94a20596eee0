import os
import time

import pytest

from udocker.errors import AlreadyExists, InvalidValue, NotFound, Refused
from udocker.store.containers import ContainerStore, new_id

CONFIG = b'{"config": {"Cmd": ["/bin/sh"]}}'


@pytest.fixture
def store(layout):
    return ContainerStore(layout)


def create(store, name="", fill=lambda root: None):
    return store.create("image:tag", CONFIG, name, "", fill)


def test_a_container_is_found_by_id_name_and_the_start_of_its_id(store):
    made = create(store, "box")
    for text in ("box", made.id, made.id[:12], made.id[:4]):
        assert store.find(text) == made
    assert made.names == ("box",)
    assert (made.image, made.config().cmd) == ("image:tag", ("/bin/sh",))


@pytest.mark.parametrize("text", ["", "nope", ".", "..", "/", "../containers", "-", "a/b", "\x00",
                                  "zzzz", "x" * 300])
def test_what_is_no_container_is_not_found(store, text):
    create(store, "box")
    with pytest.raises(NotFound):
        store.find(text)


def test_the_start_of_two_ids_is_neither(store):
    first = create(store)
    other = create(store)
    while other.id[0] != first.id[0]:  # one in sixteen is
        store.remove(other)
        other = create(store)
    with pytest.raises(Refused):
        store.find(first.id[0])


def test_a_name_is_given_once_and_taken_back(store):
    one, two = create(store, "box"), create(store)
    with pytest.raises(AlreadyExists) as caught:
        store.set_name(two, "box")
    assert "container name already exists" in caught.value.message
    store.set_name(one, "second")
    assert store.find("second").names == ("box", "second")
    store.remove_name("box")
    store.set_name(two, "box")
    assert store.find("box") == two._replace(names=("box",))


def test_an_id_is_not_taken_for_a_name(store):
    made = create(store)
    with pytest.raises(NotFound):
        store.remove_name(made.id)
    assert store.find(made.id)


@pytest.mark.parametrize("name", ["", "a b", "a/b", ".a", "-a", "a[", "a:b", "x" * 256, "a\nb", ".."])
def test_a_name_that_could_be_a_path_is_refused(store, name):
    made = create(store)
    with pytest.raises(InvalidValue):
        store.set_name(made, name)


def test_a_container_that_cannot_be_filled_leaves_nothing(store, layout):
    def fail(root):
        os.makedirs(root + "/some/thing")
        raise OSError("disk full")

    with pytest.raises(OSError):
        create(store, "box", fail)
    assert os.listdir(layout.containers) == []


def test_a_name_that_was_taken_meanwhile_leaves_nothing(store, layout):
    other = create(store)
    with pytest.raises(AlreadyExists):
        create(store, "box", lambda root: store.set_name(other, "box"))
    assert sorted(os.listdir(layout.containers)) == sorted([other.id, "box"])


def test_a_container_goes_with_its_names(store, layout):
    made = create(store, "box", lambda root: os.makedirs(root + "/a/b"))
    store.set_name(made, "second")
    store.remove(store.find("box"))
    assert os.listdir(layout.containers) == []


def test_a_protected_container_stays(store):
    made = create(store, "box")
    open(made.path + "/PROTECT", "w").close()
    with pytest.raises(Refused):
        store.remove(made)
    assert store.find("box") == made


def test_a_link_that_leads_nowhere_is_no_container(store, layout):
    os.symlink(new_id(), os.path.join(layout.containers, "box"))
    assert store.list() == []
    with pytest.raises(NotFound):
        store.find("box")
    store.remove_name("box")


def test_what_is_being_made_is_not_listed(store, layout):
    seen = []
    create(store, "", lambda root: seen.extend(store.list()))
    assert seen == [] and len(store.list()) == 1


def test_what_a_killed_process_left_goes_after_a_day(store, layout):
    for name in (".making-old", ".removing-old", ".making-fresh"):
        os.makedirs(os.path.join(layout.containers, name, "ROOT"))
        if "old" in name:
            os.utime(os.path.join(layout.containers, name), (time.time() - 90000,) * 2)
    made = create(store)
    assert sorted(os.listdir(layout.containers)) == sorted([".making-fresh", made.id])


def test_a_damaged_container_says_which_file(store):
    made = create(store)
    with open(made.path + "/container.json", "w") as file:
        file.write("{")
    with pytest.raises(Exception) as caught:
        made.config()
    assert "container.json" in caught.value.message
