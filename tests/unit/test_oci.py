import json

import pytest

from udocker.errors import CorruptData, InvalidValue, NoSuchPlatform
from udocker.model.oci import (DOCKER_LIST, DOCKER_MANIFEST, MAX_DOCUMENT, OCI_INDEX, OCI_MANIFEST,
                               Index, Manifest, Platform, parse_config, parse_document)

SHA = "sha256:" + "a" * 64


def blob(**more):
    return dict({"mediaType": "application/octet-stream", "digest": SHA, "size": 1}, **more)


def manifest(**more):
    return dict({"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": blob(),
                 "layers": [blob()]}, **more)


def index(*platforms):
    return {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [
        blob(digest="sha256:%064x" % position, platform=dict(zip(
            ("os", "architecture", "variant"), text.split("/"))))
        for position, text in enumerate(platforms)]}


def parsed(document, content_type=""):
    return parse_document(json.dumps(document).encode("utf-8"), content_type)


def test_a_manifest_keeps_its_bytes():
    raw = b'{"schemaVersion":2,  "config":%s,"layers":[]}' % json.dumps(blob()).encode("ascii")
    document = parse_document(raw)
    assert isinstance(document, Manifest)
    assert document.raw == raw
    assert document.media_type == OCI_MANIFEST


@pytest.mark.parametrize("document, content_type", [
    (manifest(), ""), (manifest(), OCI_MANIFEST), (manifest(), OCI_MANIFEST + "; charset=utf-8"),
    (manifest(), "application/json"), (manifest(mediaType=DOCKER_MANIFEST), DOCKER_MANIFEST),
    (index("linux/amd64"), OCI_INDEX), (index("linux/amd64"), "text/plain"),
])
def test_types_that_agree_are_taken(document, content_type):
    assert isinstance(parsed(document, content_type), (Manifest, Index))


@pytest.mark.parametrize("document, content_type", [
    (manifest(), OCI_INDEX), (manifest(mediaType=OCI_INDEX), ""),
    (manifest(mediaType=DOCKER_MANIFEST), OCI_MANIFEST), (manifest(manifests=[]), ""),
    (manifest(manifests=[], mediaType=OCI_INDEX), OCI_INDEX),
    (index("linux/amd64"), OCI_MANIFEST), (index("linux/amd64"), DOCKER_LIST),
    ({"schemaVersion": 1, "fsLayers": []}, ""), ({"schemaVersion": 2}, ""), ({}, ""), ([], ""),
    (manifest(layers={}), ""), (manifest(layers=[blob()] * 513), ""), (manifest(config=None), ""),
    (manifest(layers=[blob(size=-1)]), ""), (manifest(layers=[blob(size="1")]), ""),
    (manifest(layers=[blob(size=True)]), ""), (manifest(layers=[blob(size=1 << 41)]), ""),
    (manifest(layers=[blob(digest=None)]), ""), (manifest(layers=["x"]), ""),
])
def test_confused_and_damaged_documents_are_refused(document, content_type):
    with pytest.raises(CorruptData):
        parsed(document, content_type)


def test_a_digest_that_is_a_path_is_refused():
    with pytest.raises(InvalidValue):
        parsed(manifest(layers=[blob(digest="sha256:../../../etc/passwd")]))


@pytest.mark.parametrize("raw", [b"", b"\xff\xfe", b"{", b"nul", b"[" * 100000,
                                 b"{}" + b" " * MAX_DOCUMENT, b'{"a": NaN}'])
def test_what_is_no_json_document_is_refused(raw):
    with pytest.raises(CorruptData):
        parse_document(raw)


@pytest.mark.parametrize("host, there, chosen", [
    ("linux/amd64", ["linux/arm64/v8", "linux/amd64"], "linux/amd64"),
    ("linux/arm64/v8", ["linux/arm64"], "linux/arm64"),
    ("linux/arm64/v8", ["linux/arm64", "linux/arm64/v8"], "linux/arm64/v8"),
    ("linux/arm/v7", ["linux/arm/v5", "linux/arm/v6"], "linux/arm/v6"),
    ("linux/arm", ["linux/arm/v7"], "linux/arm/v7"),
    ("linux/aarch64", ["linux/arm64/v8"], "linux/arm64/v8"),
    ("linux/x86_64", ["windows/amd64", "linux/amd64"], "linux/amd64"),
])
def test_the_image_that_runs_best_is_chosen(host, there, chosen):
    assert str(parsed(index(*there)).select(Platform.parse(host)).platform) == chosen


@pytest.mark.parametrize("host, there", [
    ("linux/s390x", ["linux/amd64", "linux/arm64/v8", "unknown/unknown"]),
    ("linux/arm/v6", ["linux/arm/v7"]), ("linux/amd64", []),
])
def test_a_platform_that_is_not_there_is_refused_with_those_that_are(host, there):
    with pytest.raises(NoSuchPlatform) as caught:
        parsed(index(*there)).select(Platform.parse(host))
    listed = [text for text in there if not text.startswith("unknown")]
    assert caught.value.hint == "available platforms: " + (", ".join(sorted(listed)) or "none")


@pytest.mark.parametrize("text", ["", "linux", "linux/", "/amd64", "a/b/c/d"])
def test_what_is_no_platform_is_refused(text):
    with pytest.raises(InvalidValue):
        Platform.parse(text)


@pytest.mark.parametrize("document", [
    {"config": {"Env": ["A=1", "B=x=y"], "Cmd": ["sh"], "Entrypoint": "/e", "User": "u",
                "WorkingDir": "/w", "ExposedPorts": {"80/tcp": {}}, "Volumes": {"/v": {}},
                "Labels": {"k": "v"}}},
    {"config": {}, "container_config": {"Env": ["A=1", "B=x=y"], "Cmd": "sh", "Entrypoint": ["/e"],
                                        "User": "u", "WorkingDir": "/w",
                                        "ExposedPorts": ["80/tcp"], "Volumes": ["/v"],
                                        "Labels": {"k": "v", "n": 1}}},
    {"env": ["A=1", "B=x=y", "=z"], "cmd": ["sh"], "entrypoint": ["/e"], "user": "u",
     "workingdir": "/w", "exposedports": {"80/tcp": {}}, "volumes": {"/v": {}},
     "labels": {"k": "v"}},
])
def test_old_and_new_configurations_say_the_same(document):
    config = parse_config(json.dumps(document).encode("ascii"))
    assert config.env == (("A", "1"), ("B", "x=y"))
    assert (config.cmd, config.entrypoint) == (("sh",), ("/e",))
    assert (config.user, config.workdir) == ("u", "/w")
    assert (config.ports, config.volumes, config.labels) == (("80/tcp",), ("/v",), {"k": "v"})
