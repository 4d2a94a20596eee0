"""What may be removed from a store, and what somebody still counts on."""

import os
import time

from tests.fakes import images
from udocker.model.oci import parse_document
from udocker.model.reference import Digest, ImageReference
from udocker.store import reclaim
from udocker.store.containers import ContainerStore
from udocker.store.images import ImageStore

LONG_AGO = time.time() - 30 * 86400
PICTURE = images.image([images.layer({"a": b"a"})])
MANIFEST = parse_document(PICTURE.manifest)


def add_blobs(store):
    for data in PICTURE.blobs.values():
        partial = store.partial_path(Digest.parse(images.digest_of(data)))
        with open(partial, "wb") as file:
            file.write(data)
        store.publish_blob(partial, Digest.parse(images.digest_of(data)))


def found(layout, with_images=False):
    return reclaim.find(layout, ImageStore(layout), ContainerStore(layout), with_images)


def test_a_layer_that_a_pull_counts_on_is_new_again(layout):
    store = ImageStore(layout)
    add_blobs(store)
    paths = [os.path.join(layout.layers, name) for name in os.listdir(layout.layers)]
    assert found(layout).blobs == []  # somebody may be about to use them
    for path in paths:
        os.utime(path, (LONG_AGO, LONG_AGO))
    assert sorted(item.path for item in found(layout).blobs) == sorted(paths)
    assert all(store.claim_blob(one) for one in (MANIFEST.config,) + MANIFEST.layers)
    reclaim.remove_blobs(layout, store, ContainerStore(layout), False)
    store.put_image(ImageReference.parse("a:1"), MANIFEST)  # would say that one has vanished
    for path in paths:
        os.utime(path, (LONG_AGO, LONG_AGO))
    assert found(layout) == ([], [], [])
    assert not store.claim_blob(MANIFEST.config._replace(digest=Digest.parse("sha256:" + "0" * 64)))


def test_a_file_that_becomes_a_layer_is_not_as_old_as_it_was(layout, tmp_path):
    data = PICTURE.layers[0].data
    (tmp_path / "mine.tar").write_bytes(data)
    os.utime(str(tmp_path / "mine.tar"), (LONG_AGO, LONG_AGO))
    assert ImageStore(layout).link_blob(str(tmp_path / "mine.tar"), MANIFEST.layers[0].digest)
    assert found(layout).blobs == []


def test_names_of_images_may_look_like_files_of_a_tag(layout):
    store = ImageStore(layout)
    add_blobs(store)
    for name in ("v1/manifest:TAG", "x/v2:v1", "x:manifest"):
        store.put_image(ImageReference.parse(name), MANIFEST)
    for folder, names, files in os.walk(layout.top):
        for path in [os.path.join(folder, one) for one in names + files]:
            os.utime(path, (LONG_AGO, LONG_AGO), follow_symlinks=False)
    assert found(layout) == ([], [], [])
    everything = found(layout, True)
    assert len(everything.images) == 3 and len(everything.blobs) == 2 and everything.debris == []


def test_a_foreign_file_is_nobodys_layer(layout):
    for name in ("README", "notes.txt", "sha256-not"):
        with open(os.path.join(layout.layers, name), "w") as file:
            file.write("mine")
        os.utime(os.path.join(layout.layers, name), (LONG_AGO, LONG_AGO))
    assert found(layout) == ([], [], [])
