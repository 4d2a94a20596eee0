"""Manifests, platforms and tags: T23, T25, T27, T28 and T30 of the cases."""

import json

import pytest

from udocker.errors import CorruptData, DigestMismatch, InvalidValue, NotFound, RegistryError, SizeMismatch
from udocker.model.oci import (DOCKER_LIST, DOCKER_MANIFEST, MAX_DOCUMENT, OCI_INDEX, OCI_MANIFEST,
                               Index, Manifest, Platform)
from udocker.model.reference import Digest
from tests.fakes.images import DOCKER, OCI, descriptor, image, index, layer
from tests.registry.support import AMD64, IMAGE, client

ONE = layer({"a": b"1"})


@pytest.mark.parametrize("types", [OCI, DOCKER], ids=["oci", "docker"])
def test_a_manifest_and_an_index_are_fetched_with_their_digests(fake, types):
    single = image([ONE], types=types)
    both = index([single, image([ONE], architecture="arm64", types=types)], types=types)
    fake.add("test", "single", single)
    fake.add("test", "both", both)
    registry = client(fake.url)
    found = registry.manifest("test", "single")
    assert isinstance(found.document, Manifest) and str(found.digest) == single.digest
    found = registry.manifest("test", "both")
    assert isinstance(found.document, Index) and found.document.raw == both.manifest


def test_all_four_types_are_accepted(fake):
    client(fake.url).manifest("test", "latest")
    accepted = fake.asked("/manifests/")[0].headers["accept"]
    assert all(kind in accepted for kind in (OCI_INDEX, OCI_MANIFEST, DOCKER_LIST, DOCKER_MANIFEST))


def test_t23_other_bytes_than_the_requested_digest_are_refused(fake):
    digest = Digest.parse(IMAGE.digest)
    assert client(fake.url).manifest("test", digest).digest == digest
    fake.fault("/manifests/", flip=-1)
    with pytest.raises(DigestMismatch, match="was asked for"):
        client(fake.url).manifest("test", digest)


@pytest.mark.parametrize("lie, error", [
    ("sha256:" + "0" * 64, DigestMismatch), ("sha512:" + "0" * 128, DigestMismatch),
    ("sha256:../../etc", InvalidValue), ("nonsense", InvalidValue)])
def test_t23_a_registry_that_lies_about_the_digest_is_refused(fake, lie, error):
    fake.fault("/manifests/", lie=lie)
    with pytest.raises(error):
        client(fake.url).manifest("test", "latest")


def test_a_registry_that_names_no_digest_is_believed_its_bytes(fake):
    fake.fault("/manifests/", lie="none")
    assert str(client(fake.url).manifest("test", "latest").digest) == IMAGE.digest


@pytest.mark.parametrize("body, content_type", [
    (IMAGE.manifest, OCI_INDEX),                                       # served as what it is not
    (IMAGE.manifest, DOCKER_MANIFEST),
    (b'{"schemaVersion": 1, "fsLayers": []}', "application/json"),     # schema 1
    (b'{"schemaVersion": 2, "manifests": [], "layers": []}', OCI_INDEX),  # both at once
    (b'{"schemaVersion": 2}', OCI_MANIFEST),
    (b'{"schemaVersion": 2, "mediaType": "%s", "manifests": []}' % OCI_MANIFEST.encode(), OCI_MANIFEST),
    (b"[]", OCI_MANIFEST),
    (b"{not json", OCI_MANIFEST),
    (b"<html>Welcome to the hotel</html>", "text/html"),
    (b"", OCI_MANIFEST),
])
def test_t25_a_document_of_another_kind_is_refused_with_a_reason(fake, body, content_type):
    fake.add_manifest("test", "odd", body, content_type)
    with pytest.raises(CorruptData) as caught:
        client(fake.url).manifest("test", "odd")
    assert "test:odd" in caught.value.message and caught.value.hint


@pytest.mark.parametrize("fault", [{"endless": True}, {}, {"chunked": True}], ids=str)
def test_t27_a_manifest_has_at_most_4_mib(fake, fault):
    fake.fault("/manifests/huge", **fault)
    fake.add_manifest("test", "huge", b" " * (5 << 20), OCI_MANIFEST)
    with pytest.raises(CorruptData, match="larger than the limit"):
        client(fake.url).manifest("test", "huge")
    fake.add_manifest("test", "fits", IMAGE.manifest + b" " * (MAX_DOCUMENT - len(IMAGE.manifest)),
                      OCI_MANIFEST)
    client(fake.url).manifest("test", "fits")


@pytest.mark.parametrize("fault", [{"endless": True}, {"body": b"x" * (3 << 20)}], ids=["endless", "3 MiB"])
def test_t27_an_error_body_without_end_is_an_error_like_others(fake, fault):
    fake.fault("/manifests/", status=404, **fault)
    with pytest.raises(NotFound):
        client(fake.url).manifest("test", "latest")


def test_what_the_registry_says_is_shown_harmless_and_short(fake):
    with pytest.raises(NotFound) as caught:
        client(fake.url).manifest("test", "missing")
    assert caught.value.message == (
        "no such image test:missing on %s: unknown to \\x1b[31mthis\\x1b[0m registry" % fake.host)
    fake.fault("/manifests/", status=404,
               body=json.dumps({"errors": [{"message": "x" * 100000}]}).encode())
    with pytest.raises(NotFound) as caught:
        client(fake.url).manifest("test", "missing")
    assert len(caught.value.message) < 500


def test_the_digest_of_a_tag_is_asked_for_without_its_manifest(fake):
    registry = client(fake.url)
    assert str(registry.digest("test", "latest")) == IMAGE.digest
    assert [request.method for request in fake.requests] == ["HEAD"]
    with pytest.raises(NotFound):
        registry.digest("test", "missing")
    fake.fault("/manifests/", lie="none")
    assert registry.digest("test", "latest") is None


# platforms

ARM = image([ONE], architecture="arm64", variant="v8")
AMD = image([ONE])


def test_an_index_is_resolved_to_the_image_for_the_platform(fake):
    both = index([ARM, AMD])
    fake.add("test", "both", both)
    registry = client(fake.url)
    for platform, one in ((AMD64, AMD), (Platform.parse("linux/arm64"), ARM)):
        resolved = registry.resolve("test", "both", platform)
        assert str(resolved.digest) == one.digest and resolved.manifest.raw == one.manifest
        assert str(resolved.top.digest) == both.digest


def test_a_single_image_resolves_to_itself(fake):
    resolved = client(fake.url).resolve("test", "latest", AMD64)
    assert resolved.digest == resolved.top.digest and str(resolved.digest) == IMAGE.digest


def test_t30_an_image_is_resolved_by_digest(fake):
    both = index([ARM, AMD])
    fake.add("test", "both", both)
    for digest in (both.digest, AMD.digest):
        resolved = client(fake.url).resolve("test", Digest.parse(digest), AMD64)
        assert str(resolved.digest) == AMD.digest


def test_t28_an_index_without_the_platform_says_what_there_is(fake):
    fake.add("test", "arm", index([ARM, image([ONE], architecture="s390x")]))
    with pytest.raises(NotFound) as caught:
        client(fake.url).resolve("test", "arm", AMD64)
    assert "linux/amd64" in caught.value.message
    assert "linux/arm64/v8, linux/s390x" in caught.value.hint


def test_t28_an_arm_v8_takes_v7_before_v6(fake):
    six, seven = (image([ONE], architecture="arm", variant=variant) for variant in ("v6", "v7"))
    fake.add("test", "arm", index([six, seven]))
    resolved = client(fake.url).resolve("test", "arm", Platform.parse("linux/arm/v8"))
    assert str(resolved.digest) == seven.digest


def test_an_index_may_stand_in_an_index_but_no_deeper(fake):
    inner = index([AMD])
    fake.add("test", "two", index([inner]))
    assert str(client(fake.url).resolve("test", "two", AMD64).digest) == AMD.digest
    fake.add("test", "three", index([index([inner])]))
    with pytest.raises(CorruptData, match="index"):
        client(fake.url).resolve("test", "three", AMD64)


@pytest.mark.parametrize("change, error", [
    ({"size": len(AMD.manifest) + 1}, SizeMismatch), ({"mediaType": DOCKER_MANIFEST}, CorruptData)])
def test_t25_an_index_must_describe_its_images_truly(fake, change, error):
    fake.add("test", "amd", AMD)
    entry = dict(descriptor(AMD.manifest, OCI_MANIFEST), platform=AMD.platform)
    entry.update(change)
    fake.add_manifest("test", "lying", json.dumps(
        {"schemaVersion": 2, "manifests": [entry]}).encode(), OCI_INDEX)
    with pytest.raises(error):
        client(fake.url).resolve("test", "lying", AMD64)


# tags

@pytest.mark.parametrize("page", [0, 1, 2, 7, 100])
def test_tags_are_collected_from_all_pages(page):
    from tests.fakes.registry import FakeRegistry
    with FakeRegistry(page=page) as registry:
        names = ["v%02d" % number for number in range(7)]
        for name in names:
            registry.add("a/b", name, IMAGE)
        assert client(registry.url).tags("a/b") == names
        assert len(registry.asked("/tags/")) == {0: 1, 1: 7, 2: 4, 7: 1, 100: 1}[page]


@pytest.mark.parametrize("link", [
    "<http://other.example/v2/test/tags/list?n=1>", "<//other.example/v2/test/tags/list>",
    "</v2/another/tags/list>", "</x>"])
def test_a_list_of_tags_does_not_lead_elsewhere(fake, link):
    fake.fault("/tags/", headers={"Link": link + '; rel="next"'}.items())
    with pytest.raises(RegistryError, match="elsewhere"):
        client(fake.url).tags("test")
    assert len(fake.requests) == 1


def test_a_list_of_tags_that_goes_in_circles_ends(fake):
    fake.fault("/tags/", headers={"Link": '</v2/test/tags/list?n=1>; rel="next"'}.items())
    with pytest.raises(CorruptData, match="no end"):
        client(fake.url).tags("test")
    assert len(fake.requests) < 4


@pytest.mark.parametrize("body", [b"[]", b"null", b'{"tags": 3}', b'{"name": "x"}', b"<html>"])
def test_tags_that_are_no_list_are_refused(fake, body):
    fake.fault("/tags/", body=body)
    with pytest.raises(CorruptData):
        client(fake.url).tags("test")


def test_a_repository_without_tags_has_none(fake):
    fake.fault("/tags/", body=b'{"name": "test", "tags": null}')
    assert client(fake.url).tags("test") == []


def test_a_body_that_breaks_off_is_asked_for_again(fake):
    fake.fault("/manifests/", times=1, cut=10)
    assert str(client(fake.url).manifest("test", "latest").digest) == IMAGE.digest
    assert len(fake.asked("/manifests/")) == 2
