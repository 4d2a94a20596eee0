"""A registry that does wrong: one line, exit status 125, and nothing half done."""

import json
import os
import socket
import time

import pytest

from tests.fakes import images
from tests.fakes.registry import FakeRegistry

BASE = images.layer({"bin/": images.DIRECTORY, "data": os.urandom(300000)})
IMAGE = images.image([BASE])
MANIFEST = "application/vnd.oci.image.manifest.v1+json"


@pytest.fixture
def registry():
    with FakeRegistry() as running:
        running.add("test/thing", "latest", IMAGE)
        yield running


def refused(udocker, reference, *words, **environment):
    """Pull ``reference``, which must fail with one clear line that has ``words`` in it."""
    result = udocker("pull", reference, env=environment)
    assert result.status == 125, result
    assert result.out == ""
    lines = [line for line in result.err.split("\n") if line and not line.startswith("Info: ")]
    assert len(lines) == 1 and lines[0].startswith("Error: "), result.err
    for word in words:
        assert word in lines[0], lines[0]
    top = os.path.join(udocker.home, ".udocker")
    assert os.listdir(top + "/repos") == []
    assert not [name for name in os.listdir(top + "/layers") if not name.startswith("sha256:")]
    assert udocker("images").out == "REPOSITORY\n"


def test_a_registry_that_is_down(udocker):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        host = "127.0.0.1:%d" % free.getsockname()[1]
    refused(udocker, host + "/a", "cannot reach", host, "refused")


def test_a_host_that_does_not_exist(udocker):
    refused(udocker, "no-such-host.invalid/a", "no-such-host.invalid")


def test_no_such_image(udocker, registry):
    refused(udocker, registry.host + "/test/nothing", "no such image", "test/nothing")
    refused(udocker, registry.host + "/test/thing:v9", "no such image", "v9")
    refused(udocker, registry.host + "/test/thing@sha256:" + "0" * 64, "no such image")


@pytest.mark.parametrize("fault, words", [
    (dict(status=401), ["test/thing"]),
    (dict(status=403), ["test/thing"]),
    (dict(status=404, body=b'{"errors": [{"message": "gone \x1b[31m"}]}'), ["no such image"]),
    (dict(status=429, headers=(("Retry-After", "3600"),)), ["too many requests", "60 min"]),
    (dict(status=500), ["500"]),
    (dict(status=200, body=b"{", content_type=MANIFEST), ["JSON"]),
    (dict(status=200, body=b"<html>log in</html>", content_type="text/html"), ["JSON"]),
    (dict(status=200, body=b'{"schemaVersion": 1, "fsLayers": []}'), ["schema 1"]),
    (dict(status=200, body=b" " * (5 << 20)), ["limit"]),
    (dict(status=200, endless=True), ["limit"]),
    (dict(lie="sha256:" + "1" * 64), ["digest"]),
    (dict(content_type="application/vnd.oci.image.index.v1+json"), ["served as"]),
    (dict(status=307, headers=(("Location", "ftp://example.invalid/"),)), ["redirects"]),
])
def test_a_manifest_that_is_not_to_be_had(udocker, registry, fault, words):
    registry.fault("/manifests/", **fault)
    refused(udocker, registry.host + "/test/thing", *words)


@pytest.mark.parametrize("fault, words", [
    (dict(flip=1000), ["digest"]),
    (dict(extra=b"more"), ["bytes"]),
    (dict(short=10), ["bytes"]),
    (dict(cut=1000), ["broke off", "sha256:"]),
    (dict(status=404), ["blob"]),
    (dict(endless=True), ["bytes"]),
])
def test_a_layer_that_is_not_what_was_asked_for(udocker, registry, fault, words):
    registry.fault("/blobs/" + images.digest_of(BASE.data), **fault)
    refused(udocker, registry.host + "/test/thing", *words)


def test_a_layer_that_breaks_off_once_is_resumed(udocker, registry):
    registry.fault("/blobs/" + images.digest_of(BASE.data), cut=100000, times=1)
    assert udocker("pull", registry.host + "/test/thing").status == 0
    ranges = [request.headers.get("range") for request
              in registry.asked("/blobs/" + images.digest_of(BASE.data))]
    assert ranges[0] is None and ranges[1].startswith("bytes=")


def test_too_many_requests_are_waited_for_as_the_registry_says(udocker, registry):
    registry.fault("/manifests/", status=429, headers=(("Retry-After", "1"),), times=1)
    before = time.time()
    assert udocker("pull", registry.host + "/test/thing").status == 0
    assert time.time() - before >= 1


def test_a_platform_that_is_not_there_is_answered_with_those_that_are(udocker, registry):
    several = images.index([images.image([BASE], architecture=name) for name in ("arm64", "s390x")])
    registry.add("test/several", "latest", several)
    refused(udocker, registry.host + "/test/several", "no image for platform",
            "linux/arm64, linux/s390x")


def test_an_image_without_an_index_is_for_its_own_platform_only(udocker, registry):
    registry.add("test/other", "latest", images.image([BASE], architecture="s390x"))
    result = udocker("pull", "--platform=linux/arm64", registry.host + "/test/other")
    assert result.status == 125 and "available platforms: linux/s390x" in result.err
    assert os.listdir(os.path.join(udocker.home, ".udocker", "layers")) == []
    result = udocker("pull", registry.host + "/test/other")
    assert result.status == 0 and "Warning: this image is for linux/s390x" in result.err


@pytest.mark.shows("pull --platform", "images -p", "pull")
def test_a_platform_that_is_asked_for_is_pulled(udocker, registry):
    several = images.index([images.image([BASE], architecture=name) for name in ("amd64", "s390x")])
    registry.add("test/several", "latest", several)
    assert udocker("pull", "--platform=linux/s390x", registry.host + "/test/several").status == 0
    assert "linux/s390x" in udocker("images", "-p").out


@pytest.mark.parametrize("reference", ["", "a b", "../../etc", "A:..", "a@sha256:../../x",
                                       "a\x1b[31m", "localhost:99999/a", "-x"])
def test_a_name_that_is_none_is_refused_before_anything_is_asked(udocker, reference):
    result = udocker("pull", "--", reference)
    assert (result.status, result.out) == (125, "")
    assert result.err.count("\n") <= 2 and "\x1b" not in result.err


def test_the_same_blobs_are_not_fetched_twice(udocker, registry):
    assert udocker("pull", registry.host + "/test/thing").status == 0
    fetched = len(registry.asked("/blobs/"))
    assert udocker("pull", registry.host + "/test/thing").status == 0
    assert len(registry.asked("/blobs/")) == fetched


def test_pulls_side_by_side_all_succeed(udocker, registry):
    jobs = [udocker.start("pull", registry.host + "/test/thing") for _ in range(8)]
    assert [job.wait() for job in jobs] == [0] * 8
    assert os.listdir(os.path.join(udocker.home, ".udocker", "containers")) == []
    layers = os.listdir(os.path.join(udocker.home, ".udocker", "layers"))
    assert sorted(layers) == sorted(images.digest_of(data) for data in IMAGE.blobs.values())


def test_an_image_is_pulled_and_found_by_digest_without_the_registry(udocker, registry):
    reference = "%s/test/thing@%s" % (registry.host, IMAGE.digest)
    assert udocker("pull", reference).status == 0
    registry.close()
    created = udocker("create", reference)
    assert created.status == 0 and len(created.out) == 37
    assert json.loads(udocker("inspect", reference).out)["rootfs"]


ESCAPES = [
    # layers (dict of path -> content), base first
    [{"../outside": b"x"}],
    [{"a/../../outside": b"x"}],
    [{"link": images.Link("OUTSIDE"), "link/victim": b"x"}],
    [{"link": images.Link("OUTSIDE")}, {"link/victim": b"x"}],
    [{"link": images.Link("../../../../../../../../../../OUTSIDE")}, {"link/victim": b"x"}],
    [{"link": images.Link("OUTSIDE")}, {"link/victim": images.WHITEOUT}],
    [{"link": images.Link("OUTSIDE")}, {"link": images.OPAQUE}],
    [{"hard": images.HardLink("OUTSIDE/victim")}],
    [{"hard": images.HardLink("../../../../../../../../OUTSIDE/victim"), "hard2": b"x"}],
    [{"link": images.Link("OUTSIDE/victim"), "hard": images.HardLink("link")}, {"hard": b"x"}],
]


@pytest.mark.parametrize("number", range(len(ESCAPES)))
def test_a_layer_cannot_reach_outside(udocker, registry, tmp_path, number):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "victim").write_text("precious")

    def placed(text):
        return text.replace("OUTSIDE", str(outside).lstrip("/") if text.startswith("..")
                            else str(outside))

    layers = []
    for files in ESCAPES[number]:
        layers.append(images.layer({
            path: content._replace(target=placed(content.target))
            if isinstance(content, (images.Link, images.HardLink)) else content
            for path, content in files.items()}))
    registry.add("test/evil", "latest", images.image(layers))
    result = udocker("create", registry.host + "/test/evil")
    assert sorted(os.listdir(str(outside))) == ["victim"]
    assert (outside / "victim").read_text() == "precious"
    assert not (tmp_path / "home").exists() or "outside" not in os.listdir(str(tmp_path / "home"))
    containers = os.path.join(udocker.home, ".udocker", "containers")
    if result.status:
        assert result.status == 125 and os.listdir(containers) == []
        assert "Error: " in result.err and "Traceback" not in result.err
    else:
        root = os.path.join(containers, result.out.strip(), "ROOT")
        for directory, _, names in os.walk(root):
            for name in names:
                path = os.path.join(directory, name)
                if not os.path.islink(path):
                    assert os.stat(path).st_ino != os.stat(str(outside / "victim")).st_ino


def test_a_layer_whose_content_is_another_makes_no_container(udocker, registry):
    wrong = images.image([BASE._replace(diff_id="sha256:" + "1" * 64)])
    registry.add("test/wrong", "latest", wrong)
    result = udocker("create", "--name=box", registry.host + "/test/wrong")
    assert (result.status, result.out) == (125, "")
    assert "sha256:" + "1" * 64 in result.err
    assert os.listdir(os.path.join(udocker.home, ".udocker", "containers")) == []
