"""Archives of images: what docker, podman, Guix and we write, and what is wrong with some."""

import bz2
import contextlib
import gzip
import hashlib
import io
import json
import lzma
import os
import shutil
import subprocess
import tarfile

import pytest

from tests.fakes import images as fake
from udocker.cli.output import QUIET, Output
from udocker.errors import (CorruptData, DigestMismatch, InvalidValue, NotFound, Refused,
                            SizeMismatch, UdockerError, UsageError)
from udocker.image.load import Loader
from udocker.image.save import save
from udocker.image.verify import verify
from udocker.model.oci import Platform
from udocker.model.reference import ImageReference
from udocker.store.archive import open_archive, spooled
from udocker.store.images import ImageStore
from udocker.store.protection import protect, unprotect

BASE = fake.layer({"bin/": fake.DIRECTORY, "etc/motd": b"base\n"})
TOP = fake.layer({"etc/motd": b"top\n"})
EMPTY = fake.layer({})
ONE, TWO = fake.image([BASE, TOP]), fake.image([BASE], config={"Cmd": ["/two"]})


@pytest.fixture
def store(layout):
    return ImageStore(layout)


def load(layout, path, name="", platform="linux/amd64"):
    """Load what is at ``path``, or the bytes ``path`` from a pipe; return the names."""
    opened = open_archive(path, layout.layers) if isinstance(path, str) \
        else spooled(io.BytesIO(path), layout.layers)
    loader = Loader(ImageStore(layout), contextlib.suppress, Platform.parse(platform), Output(QUIET))
    with opened as archive:
        return [str(image) for image in loader.load(archive, name)]


def saved(store, *names):
    """The archive (bytes) of the images ``names``."""
    out = io.BytesIO()
    save([store.find(ImageReference.parse(name)) for name in names], out, Output(QUIET).progress)
    return out.getvalue()


def problems(store, name):
    """What ``verify`` finds wrong with the image ``name``."""
    found = []
    verify(store.find(ImageReference.parse(name)), lambda blob: None,
           lambda message, hint: found.append(message), Output(QUIET).progress)
    return found


def tar_of(files):
    """A tar (bytes) of ``files``: {name: bytes, or fake.Link to make a symbolic link}."""
    return gzip.decompress(fake.layer(files).data)


def docker_files(image, tags=("x:1",), layers=None):
    """What docker 20 saved of ``image``, as {name: content}; ``layers`` replaces the list of them."""
    files, names = {}, []
    for number, layer in enumerate(image.layers):
        names.append("%064x/layer.tar" % number)
        files[names[-1]] = gzip.decompress(layer.data)
        files["%064x/VERSION" % number] = b"1.0"
    config = hashlib.sha256(image.config).hexdigest() + ".json"
    files[config] = image.config
    files["manifest.json"] = json.dumps([{"Config": config, "RepoTags": list(tags) or None,
                                          "Layers": layers or names}]).encode("ascii")
    files["repositories"] = b"{}"
    return files


def layout_files(folder, named):
    """An OCI layout of ``named`` as {name: content}."""
    fake.write_layout(str(folder), named)
    files = {}
    for place, _, names in os.walk(str(folder)):
        for name in names:
            with open(os.path.join(place, name), "rb") as file:
                files[os.path.relpath(os.path.join(place, name), str(folder))] = file.read()
    return files


COMPRESSIONS = {"plain": lambda data: data, "gzip": gzip.compress, "xz": lzma.compress,
                "bzip2": bz2.compress, "members": lambda data: gzip.compress(data[:700])
                + gzip.compress(data[700:]),
                "zstd": lambda data: subprocess.run(["zstd", "-qc"], input=data, check=True,
                                                    stdout=subprocess.PIPE).stdout}


@pytest.mark.parametrize("kind", sorted(COMPRESSIONS))
def test_an_archive_may_be_compressed_and_come_from_a_pipe(layout, store, tmp_path, kind):
    if kind == "zstd" and not shutil.which("zstd"):
        pytest.skip("the program zstd is not installed")
    data = COMPRESSIONS[kind](tar_of(docker_files(ONE)))
    path = str(tmp_path / "archive")
    with open(path, "wb") as file:
        file.write(data)
    assert load(layout, path) == load(layout, data) == ["x:1"]
    assert problems(store, "x:1") == []
    assert [name for name in os.listdir(layout.layers) if name.startswith(".")] == []


def test_an_oci_layout_as_tar_and_as_directory(layout, store, tmp_path):
    files = layout_files(tmp_path / "oci", {"quay.io/a/b:1": ONE, "docker.io/library/c:2": TWO})
    assert load(layout, str(tmp_path / "oci")) == ["quay.io/a/b:1", "c:2"]
    assert load(layout, tar_of(files)) == ["quay.io/a/b:1", "c:2"]
    assert store.find(ImageReference.parse("c:2")).config().cmd == ("/two",)


def test_a_directory_with_what_docker_saves(layout, tmp_path):
    with tarfile.open(fileobj=io.BytesIO(tar_of(docker_files(ONE)))) as archive:
        archive.extractall(str(tmp_path / "dir"))
    assert load(layout, str(tmp_path / "dir")) == ["x:1"]


def test_of_an_image_for_several_platforms_ours_is_taken(layout, store, tmp_path):
    arm = fake.image([TOP], architecture="arm64")
    files = layout_files(tmp_path / "oci", {"a:1": fake.index([arm, ONE])})
    assert load(layout, tar_of(files), platform="linux/arm64") == ["a:1"]
    assert str(store.find(ImageReference.parse("a:1")).config().platform) == "linux/arm64"
    with pytest.raises(UdockerError) as caught:
        load(layout, tar_of(files), platform="linux/s390x")
    assert "linux/arm64" in caught.value.hint


def test_docker_25_writes_both_and_says_the_names_once(layout, tmp_path):
    files = layout_files(tmp_path / "oci", {"latest": ONE})
    config = "blobs/sha256/" + hashlib.sha256(ONE.config).hexdigest()
    files["manifest.json"] = json.dumps([{
        "Config": config, "RepoTags": ["a/b:1", "c:2"],
        "Layers": ["blobs/sha256/" + fake.digest_of(layer.data)[7:] for layer in ONE.layers],
    }]).encode("ascii")
    assert load(layout, tar_of(files)) == ["a/b:1", "c:2"]


def test_an_image_without_a_name_gets_one_that_it_keeps(layout):
    archive = tar_of(docker_files(ONE, tags=()))
    first = load(layout, archive)
    assert load(layout, archive) == first and len(first) == 1
    assert load(layout, archive, "my/name:1") == ["my/name:1"]


def test_names_come_as_people_type_them_and_replace_what_is_there(layout, store):
    assert load(layout, tar_of(docker_files(TWO, ["c:1"]))) == ["c:1"]
    assert load(layout, tar_of(docker_files(ONE, ["docker.io/library/c:1"]))) == ["c:1"]
    assert store.find(ImageReference.parse("c:1")).config().cmd == ("/bin/sh",)
    assert len(store.list()) == 1


def test_several_images_have_names_of_their_own(layout, store, tmp_path):
    path = str(tmp_path / "both.tar")
    fake.write_docker_archive(path, {"one:1": ONE, "two:2": TWO})
    assert load(layout, path) == ["one:1", "two:2"]
    assert store.find(ImageReference.parse("two:2")).config().cmd == ("/two",)
    with pytest.raises(UsageError):
        load(layout, path, "name:1")


@pytest.mark.parametrize("how", ["same name", "symbolic", "absolute", "hard"])
def test_a_layer_may_occur_twice(layout, store, how):
    twice = fake.image([BASE, EMPTY, TOP, EMPTY])
    files = docker_files(twice)
    again, first = "%064x/layer.tar" % 3, "%064x/layer.tar" % 1
    if how == "same name":
        listing = json.loads(files["manifest.json"].decode("ascii"))
        listing[0]["Layers"][3] = first
        files["manifest.json"] = json.dumps(listing).encode("ascii")
        del files[again]
    else:
        files[again] = {"symbolic": fake.Link("../" + first), "absolute": fake.Link("/" + first),
                        "hard": fake.HardLink(first)}[how]
    assert load(layout, tar_of(files)) == ["x:1"]
    assert len(store.find(ImageReference.parse("x:1")).layers()) == 4
    assert problems(store, "x:1") == []


@pytest.mark.parametrize("change", ["loop", "out", "missing", "directory"])
def test_a_layer_that_is_no_file_is_named(layout, change):
    files = docker_files(ONE)
    name = "%064x/layer.tar" % 0
    files[name] = {"loop": fake.Link("layer.tar"), "out": fake.Link("../../../../etc/passwd"),
                   "missing": fake.Link("nowhere"), "directory": fake.DIRECTORY}[change]
    with pytest.raises(CorruptData) as caught:
        load(layout, tar_of(files))
    assert "lacks the file" in caught.value.message
    assert os.listdir(layout.layers) == os.listdir(layout.repos) == []


def test_a_link_of_a_directory_leads_nowhere_outside(layout, tmp_path):
    files = docker_files(ONE)
    folder = tmp_path / "dir"
    with tarfile.open(fileobj=io.BytesIO(tar_of(files))) as archive:
        archive.extractall(str(folder))
    secret = tmp_path / "secret"
    secret.write_bytes(files["%064x/layer.tar" % 0])
    layer = folder / ("%064x" % 0) / "layer.tar"
    layer.unlink()
    os.symlink(str(secret), str(layer))
    with pytest.raises(UdockerError):
        load(layout, str(folder))


def damaged(files, name, data):
    return dict(files, **{name: data})


CONFIG = hashlib.sha256(ONE.config).hexdigest() + ".json"
LAYER = "%064x/layer.tar" % 1


@pytest.mark.parametrize("name, data, kind", [
    ("manifest.json", b"", CorruptData), ("manifest.json", b"{}", CorruptData),
    ("manifest.json", b"[]", CorruptData), ("manifest.json", b"[3]", CorruptData),
    ("manifest.json", b'[{"Config": 1, "Layers": []}]', CorruptData),
    ("manifest.json", b'[{"Config": "../../etc/passwd", "Layers": []}]', CorruptData),
    ("manifest.json", b'[{"Config": "x", "Layers": ["x"], "RepoTags": ["A B"]}]', InvalidValue),
    (CONFIG, b"{", CorruptData), (CONFIG, b"{}", CorruptData),
    (CONFIG, ONE.config + b" ", DigestMismatch),
    (LAYER, tar_of({"etc/motd": b"other\n"}), DigestMismatch),
    (LAYER, gzip.compress(tar_of({"etc/motd": b"other\n"})), DigestMismatch),
    (LAYER, gzip.compress(b"no tar"), CorruptData), (LAYER, TOP.data[:-20], CorruptData),
], ids=lambda value: "data" if isinstance(value, bytes) else None)
def test_what_is_wrong_in_a_docker_archive_is_an_error_and_nothing_stays(layout, name, data, kind):
    with pytest.raises(kind):
        load(layout, tar_of(damaged(docker_files(ONE), name, data)))
    assert os.listdir(layout.layers) == os.listdir(layout.repos) == []


def test_of_two_images_none_is_loaded_if_one_is_damaged(layout, tmp_path):
    files = layout_files(tmp_path / "oci", {"a:1": ONE, "b:1": TWO})
    files["blobs/sha256/" + hashlib.sha256(TWO.config).hexdigest()] = b"{}"
    with pytest.raises(DigestMismatch):
        load(layout, tar_of(files))
    assert os.listdir(layout.layers) == os.listdir(layout.repos) == []


def test_what_was_here_before_stays_when_a_load_fails(layout, store):
    load(layout, tar_of(docker_files(ONE)))
    before = sorted(os.listdir(layout.layers))
    with pytest.raises(DigestMismatch):
        load(layout, tar_of(damaged(docker_files(ONE, ["y:1"]), CONFIG, ONE.config + b" ")))
    assert sorted(os.listdir(layout.layers)) == before and problems(store, "x:1") == []


@pytest.mark.parametrize("change, kind", [
    (lambda entry: dict(entry, size=entry["size"] + 1), SizeMismatch),
    (lambda entry: dict(entry, digest="sha256:" + "0" * 64), CorruptData),
    (lambda entry: dict(entry, digest="sha256:../../../etc/passwd"), InvalidValue),
    (lambda entry: dict(entry, digest="md5:" + "0" * 32), InvalidValue),
])
def test_what_is_wrong_in_an_index_is_an_error(layout, tmp_path, change, kind):
    files = layout_files(tmp_path / "oci", {"a:1": ONE})
    index = json.loads(files["index.json"].decode("ascii"))
    index["manifests"] = [change(entry) for entry in index["manifests"]]
    files["index.json"] = json.dumps(index).encode("ascii")
    with pytest.raises(kind):
        load(layout, tar_of(files))
    assert os.listdir(layout.layers) == []


def test_a_truncated_archive_is_an_error_wherever_it_ends(layout, tmp_path):
    whole = tar_of(docker_files(ONE)).rstrip(b"\0")
    for number in range(0, len(whole) - 1024, 1000):
        for data in (whole[:number], gzip.compress(whole)[:number // 20]):
            with pytest.raises(UdockerError):
                load(layout, data)
    assert os.listdir(layout.layers) == os.listdir(layout.repos) == []


@pytest.mark.parametrize("data", [b"", b"no archive", b"\x1f\x8b", b"\0" * 10240,
                                  tar_of({"a": b"b"}), b"\x28\xb5\x2f\xfd\0"])
def test_what_is_no_archive_is_told_in_a_line(layout, data):
    with pytest.raises(UdockerError) as caught:
        load(layout, data)
    assert "standard input" in caught.value.message and "\n" not in caught.value.message
    assert os.listdir(layout.layers) == []


def test_a_file_that_is_not_there_is_named(layout, tmp_path):
    with pytest.raises(NotFound):
        load(layout, str(tmp_path / "nope"))


# save

def test_what_is_saved_is_loaded_as_the_same_image(layout, store):
    load(layout, tar_of(docker_files(ONE)))
    before = store.find(ImageReference.parse("x:1"))
    config, layers = before.config_raw(), [layer.diff_id for layer in before.layers()]
    archive = saved(store, "x:1")
    store.remove(before)
    assert load(layout, archive) == ["x:1"]
    again = store.find(ImageReference.parse("x:1"))
    assert (again.config_raw(), [layer.diff_id for layer in again.layers()]) == (config, layers)
    assert saved(store, "x:1") == archive  # and from now on nothing changes


def test_what_an_oci_registry_gave_keeps_its_digest(layout, store, tmp_path):
    load(layout, tar_of(layout_files(tmp_path / "oci", {"quay.io/a/b:1": ONE})))
    archive = saved(store, "quay.io/a/b:1")
    store.remove(store.find(ImageReference.parse("quay.io/a/b:1")))
    assert load(layout, archive) == ["quay.io/a/b:1"]
    image = store.find(ImageReference.parse("quay.io/a/b:1"))
    assert fake.digest_of(image.manifest().raw) == ONE.digest


def test_several_images_share_what_they_have_in_common(layout, store, tmp_path):
    load(layout, tar_of(layout_files(tmp_path / "oci", {"a:1": ONE, "b:1": TWO})))
    store.tag(store.find(ImageReference.parse("a:1")), ImageReference.parse("c:3"))
    with tarfile.open(fileobj=io.BytesIO(saved(store, "a:1", "b:1", "c:3"))) as archive:
        names = archive.getnames()
        listing = json.loads(archive.extractfile("manifest.json").read().decode("ascii"))
        for member in archive:
            if member.name.startswith("blobs/sha256/"):
                content = archive.extractfile(member).read()
                assert hashlib.sha256(content).hexdigest() == member.name.rpartition("/")[2]
    assert len(names) == len(set(names)) == 3 + 2 + 2 + 2 + 2  # documents, folders, m., c., layers
    assert [entry["RepoTags"] for entry in listing] == [["a:1", "c:3"], ["b:1"]]


def test_an_image_without_a_tag_is_saved_without_a_name(layout, store, tmp_path):
    load(layout, tar_of(layout_files(tmp_path / "oci", {"a:1": ONE})))
    named = "a@" + ONE.digest
    store.tag(store.find(ImageReference.parse("a:1")), ImageReference.parse(named))
    with tarfile.open(fileobj=io.BytesIO(saved(store, named))) as archive:
        assert json.loads(archive.extractfile("manifest.json").read().decode("ascii"))[0]["RepoTags"] \
            is None


def test_a_damaged_blob_ends_the_archive(layout, store, tmp_path):
    load(layout, tar_of(layout_files(tmp_path / "oci", {"a:1": ONE})))
    for change in (b"x", b""):
        with open(os.path.join(layout.layers, fake.digest_of(TOP.data)), "r+b") as file:
            file.seek(-1, 2)
            file.write(change) if change else file.truncate()
        with pytest.raises(DigestMismatch):
            saved(store, "a:1")
        assert len(problems(store, "a:1")) == 1


def version_1(layout, name, layers, config):
    """Store an image as 1.3.x does what it loads."""
    folder = os.path.join(layout.repos, name, "one")
    os.makedirs(folder)
    ids = ["%064x" % number for number in range(len(layers))]
    for number, (identity, data) in enumerate(zip(ids, layers)):
        for end, content in ((".layer", data), (".json", config if number == len(layers) - 1 else b"{}")):
            with open(os.path.join(layout.layers, identity + end), "wb") as file:
                file.write(content)
            os.symlink("../../../layers/" + identity + end, os.path.join(folder, identity + end))
    for entry, text in (("TAG", folder + ":one"), ("v1", ""), ("ancestry", json.dumps(ids[::-1]))):
        with open(os.path.join(folder, entry), "w") as file:
            file.write(text)


def test_an_image_of_version_1_is_verified_tagged_and_saved_as_a_good_one(layout, store):
    version_1(layout, "old", [BASE.data, gzip.decompress(TOP.data)], b'{"config": {"Cmd": ["/old"]}}')
    assert problems(store, "old:one") == []
    store.tag(store.find(ImageReference.parse("old:one")), ImageReference.parse("a/b/new:2"))
    archive = saved(store, "old:one", "a/b/new:2")
    for name in ("old:one", "a/b/new:2"):
        assert store.find(ImageReference.parse(name)).config().cmd == ("/old",)
        store.remove(store.find(ImageReference.parse(name)))
    assert os.listdir(layout.layers) == []
    assert load(layout, archive) == ["old:one", "a/b/new:2"]
    image = store.find(ImageReference.parse("old:one"))
    assert image.config().cmd == ("/old",) and problems(store, "old:one") == []
    assert [str(layer.diff_id) for layer in image.layers()] == [BASE.diff_id, TOP.diff_id]


# tag, verify, protect

def test_a_tag_shares_all_and_outlives_the_first(layout, store, tmp_path):
    load(layout, tar_of(layout_files(tmp_path / "oci", {"a:1": ONE})))
    image = store.find(ImageReference.parse("a:1"))
    protect(image)
    blobs = sorted(os.listdir(layout.layers))
    made = store.tag(image, ImageReference.parse("quay.io/x/y:2"))
    assert not made.is_protected and sorted(os.listdir(layout.layers)) == blobs
    with pytest.raises(UdockerError):
        store.tag(image, ImageReference.parse("quay.io/x/y:2"))
    with pytest.raises(Refused):
        store.remove(image)
    unprotect(image)
    unprotect(image)  # again: no matter
    store.remove(image)
    assert sorted(os.listdir(layout.layers)) == blobs and problems(store, "quay.io/x/y:2") == []


def test_verify_looks_into_layers(layout, store):
    """Digests that are right do not make a layer of what is none."""
    bad = fake.layer_of_tar(b"this is no tar archive" * 100)
    image = fake.image([BASE, bad])
    from udocker.model.oci import parse_document
    for data in image.blobs.values():
        store.add_blob(io.BytesIO(data))
    store.put_image(ImageReference.parse("bad"), parse_document(image.manifest))
    found = problems(store, "bad")
    assert len(found) == 1 and fake.digest_of(bad.data) in found[0]
    wrong = fake.image([BASE._replace(diff_id=TOP.diff_id)])
    for data in wrong.blobs.values():
        store.add_blob(io.BytesIO(data))
    store.put_image(ImageReference.parse("wrong"), parse_document(wrong.manifest))
    assert "unpacks to" in problems(store, "wrong")[0]


def test_verify_misses_neither_configuration_nor_layer(layout, store, tmp_path):
    load(layout, tar_of(layout_files(tmp_path / "oci", {"a:1": ONE})))
    config = os.path.join(layout.layers, fake.digest_of(ONE.config))
    with open(config, "r+b") as file:
        file.write(b" ")
    with pytest.raises(CorruptData):
        problems(store, "a:1")
    os.unlink(os.path.join(layout.layers, fake.digest_of(BASE.data)))
    with pytest.raises(CorruptData):
        problems(store, "a:1")
