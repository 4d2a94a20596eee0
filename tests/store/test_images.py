import io
import json
import os
import time

import pytest

from tests.fakes import images as fake
from udocker.errors import CorruptData, NotFound, Refused
from udocker.model.oci import parse_document
from udocker.model.reference import ImageReference
from udocker.store.images import ImageStore

BASE = fake.layer({"bin/": fake.DIRECTORY, "etc/motd": b"base\n"})
TOP = fake.layer({"etc/motd": b"top\n"})
OTHER = fake.layer({"etc/motd": b"other\n"})


@pytest.fixture
def store(layout):
    return ImageStore(layout)


def put(store, name, *layers):
    """Store an image of ``layers`` as ``name``, as pull does."""
    image = fake.image(layers)
    for data in image.blobs.values():
        store.add_blob(io.BytesIO(data))
    return store.put_image(ImageReference.parse(name), parse_document(image.manifest))


def blobs(layout):
    return sorted(os.listdir(layout.layers))


def test_an_image_is_found_under_each_of_its_spellings(store):
    put(store, "ubuntu", BASE)
    for text in ("ubuntu", "library/ubuntu", "docker.io/library/ubuntu:latest"):
        assert str(store.find(ImageReference.parse(text))) == "ubuntu:latest"
    for text in ("ubuntu:22.04", "quay.io/ubuntu", "ubunt"):
        with pytest.raises(NotFound):
            store.find(ImageReference.parse(text))


def test_a_registry_with_a_port_is_part_of_the_name(store):
    put(store, "localhost:5000/a/b:c", BASE)
    assert [str(image) for image in store.list()] == ["localhost:5000/a/b:c"]
    assert store.lookup(ImageReference.parse("localhost:5000/a/b:c")) is not None


def test_an_image_can_have_another_below_its_name(store):
    put(store, "a", BASE)
    put(store, "a/b", BASE)
    put(store, "a/b:c", TOP)
    assert [str(image) for image in store.list()] == ["a:latest", "a/b:c", "a/b:latest"]


def test_images_share_what_they_have_in_common_and_keep_it(store, layout):
    one = put(store, "one", BASE, TOP)
    put(store, "two", BASE, OTHER)
    assert len(blobs(layout)) == 5
    store.remove(one)
    assert len(blobs(layout)) == 3
    assert [layer.diff_id.hex for layer in store.find(ImageReference.parse("two")).layers()] \
        == [BASE.diff_id[7:], OTHER.diff_id[7:]]


def test_nothing_remains_of_the_last_image(store, layout):
    store.remove(put(store, "localhost:5000/a/b/c:d", BASE, TOP))
    assert blobs(layout) == [] and os.listdir(layout.repos) == []


def test_a_name_can_get_another_image_and_the_old_one_goes(store, layout):
    put(store, "one", BASE, TOP)
    put(store, "one", BASE, OTHER)
    assert len(blobs(layout)) == 3
    assert store.find(ImageReference.parse("one")).layers()[1].diff_id.hex == OTHER.diff_id[7:]


def test_a_protected_image_is_neither_removed_nor_replaced(store):
    image = put(store, "one", BASE)
    open(image.path + "/PROTECT", "w").close()
    with pytest.raises(Refused):
        store.remove(image)
    with pytest.raises(Refused):
        put(store, "one", TOP)
    put(store, "one", BASE)  # the same again is no change


def test_an_image_without_its_layer_says_which(store, layout):
    image = put(store, "one", BASE, TOP)
    os.unlink(os.path.join(layout.layers, fake.digest_of(TOP.data)))
    with pytest.raises(CorruptData) as caught:
        image.layers()
    assert fake.digest_of(TOP.data) in caught.value.message


def test_an_image_is_not_published_over_a_missing_blob(store):
    image = fake.image([BASE])
    with pytest.raises(CorruptData):
        store.put_image(ImageReference.parse("one"), parse_document(image.manifest))
    assert store.list() == []


@pytest.mark.parametrize("content", [b"", b"{", b"{}", b"[]", b"\xff"])
def test_a_damaged_manifest_is_named_and_the_image_can_be_removed_all_the_same(store, content):
    image = put(store, "one", BASE)
    with open(image.path + "/manifest", "wb") as file:
        file.write(content)
    with pytest.raises(CorruptData):
        image.layers()
    with pytest.raises(CorruptData) as caught:
        store.remove(image)
    assert "rmi -f" in caught.value.hint
    store.remove(image, force=True)
    assert store.list() == []


def test_a_half_made_image_is_none_and_is_completed_by_the_next_pull(store, layout):
    path = os.path.join(layout.repos, "one", "latest")
    os.makedirs(path)
    os.symlink("../../../layers/sha256:" + "0" * 64, path + "/sha256:" + "0" * 64)
    assert store.list() == []
    put(store, "one", BASE)
    assert [str(image) for image in store.list()] == ["one:latest"]
    assert len(os.listdir(path)) == 5  # TAG, v2, manifest and two links


def test_a_digest_stands_for_the_tag(store):
    digest = fake.image([BASE]).digest
    put(store, "one@" + digest, BASE)
    assert str(store.find(ImageReference.parse("one@" + digest))) == "one:" + digest
    assert store.find(ImageReference.parse("one:tag@" + digest))


def test_images_that_1_3_loaded_are_read(store, layout):
    top, base = "a" * 64, "b" * 64
    path = os.path.join(layout.repos, "old", "one")
    os.makedirs(path)
    for name, data in ((top + ".layer", TOP.data), (base + ".layer", BASE.data),
                       (top + ".json", b'{"config": {"Cmd": ["/old"]}}'), (base + ".json", b"{}")):
        with open(os.path.join(layout.layers, name), "wb") as file:
            file.write(data)
        os.symlink("../../../layers/" + name, os.path.join(path, name))
    for name, text in (("TAG", path + ":one"), ("v1", ""), ("ancestry", json.dumps([top, base]))):
        with open(os.path.join(path, name), "w") as file:
            file.write(text)
    image = store.find(ImageReference.parse("old:one"))
    assert [os.path.basename(layer.path) for layer in image.layers()] \
        == [base + ".layer", top + ".layer"]
    assert image.config().cmd == ("/old",)
    store.remove(image)
    assert blobs(layout) == []


def test_an_ancestry_cannot_name_a_path(store, layout):
    path = os.path.join(layout.repos, "old", "one")
    os.makedirs(path)
    for name, text in (("TAG", ""), ("v1", ""), ("ancestry", '["../../../../etc/passwd"]')):
        with open(os.path.join(path, name), "w") as file:
            file.write(text)
    with pytest.raises(CorruptData):
        store.find(ImageReference.parse("old:one")).layers()


def test_what_a_killed_process_left_goes_after_a_day_and_not_before(store, layout):
    fresh, old = (os.path.join(layout.layers, ".partial-" + name) for name in ("fresh", "old"))
    for path in (fresh, old):
        open(path, "w").close()
    os.utime(old, (time.time() - 90000,) * 2)
    put(store, "one", BASE)
    assert os.path.exists(fresh) and not os.path.exists(old)
