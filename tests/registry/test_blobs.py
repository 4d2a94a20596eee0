"""Blobs: T22, T24, T29, T34 and T41 of the cases, and the size of everything."""

import errno
import io
import os

import pytest

from udocker.errors import (DigestMismatch, HostError, InvalidValue, NotFound, RegistryError, SizeMismatch)
from udocker.model.reference import Digest
from udocker.registry.blob import MAX_RESTARTS
from udocker.registry.failures import ConnectionFailed
from tests.registry.support import IMAGE, LAYER, client, described, fetch


def test_a_blob_arrives_whole_and_its_progress_is_told(fake):
    seen = []
    sink = io.BytesIO()
    client(fake.url).blob("test", described(LAYER), sink, progress=seen.append)
    assert sink.getvalue() == LAYER
    assert seen[-1] == len(LAYER) and seen == sorted(seen) and len(seen) > 2


def test_a_blob_goes_to_a_path_that_only_the_user_can_read(fake, tmp_path):
    path = str(tmp_path / "blob")
    client(fake.url).blob("test", described(LAYER), path)
    with open(path, "rb") as stream:
        assert stream.read() == LAYER
    assert os.stat(path).st_mode & 0o777 == 0o600


def test_an_empty_blob_needs_no_request(fake):
    assert fetch(client(fake.url), b"") == b""
    assert not fake.asked("/blobs/")


def test_a_sha512_blob_is_verified_with_sha512(fake):
    import hashlib
    digest = Digest("sha512", hashlib.sha512(LAYER).hexdigest())
    fake.blobs["test", str(digest)] = LAYER
    assert fetch(client(fake.url), LAYER, digest=digest) == LAYER
    fake.fault("/blobs/", flip=3)
    with pytest.raises(DigestMismatch):
        fetch(client(fake.url), LAYER, digest=digest)


@pytest.mark.parametrize("fault, error", [
    ({"flip": 70000}, DigestMismatch),
    ({"flip": 0}, DigestMismatch),
    ({"flip": -1}, DigestMismatch),
    ({"short": 1}, SizeMismatch),
    ({"short": 1, "chunked": True}, SizeMismatch),
    ({"extra": b"x"}, SizeMismatch),
    ({"extra": b"x", "chunked": True}, SizeMismatch),
    ({"endless": True}, SizeMismatch),
    ({"announce": 100}, SizeMismatch),
    ({"encode": True}, SizeMismatch),
    ({"encode": True, "chunked": True}, SizeMismatch),
], ids=str)
def test_t22_wrong_bytes_are_asked_for_once_more_and_then_refused(fake, fault, error):
    fake.fault("/blobs/", **fault)
    sink = io.BytesIO()
    with pytest.raises(error):
        client(fake.url).blob("test", described(LAYER), sink)
    assert sink.getvalue() == b"", "nothing of a wrong blob is kept"
    assert len(fake.asked("/blobs/")) == 2


@pytest.mark.parametrize("fault", [{"flip": 5}, {"short": 7}, {"extra": b"more"}, {"encode": True}],
                         ids=str)
def test_t22_a_blob_that_is_right_the_second_time_is_taken(fake, fault):
    fake.fault("/blobs/", times=1, **fault)
    assert fetch(client(fake.url), LAYER) == LAYER


def test_t22_a_descriptor_with_the_right_digest_and_another_size_is_refused(fake):
    for size in (len(LAYER) - 1, len(LAYER) + 1, 0):
        for chunked in (False, True):
            fake.faults[:] = []
            fake.fault("/blobs/", chunked=chunked)
            with pytest.raises((SizeMismatch, DigestMismatch)):
                fetch(client(fake.url), LAYER, size=size)


@pytest.mark.parametrize("text", [
    "sha256:../../x", "sha256:" + "A" * 64, "md5:" + "a" * 32, "sha256:" + "a" * 63, "sha256:", ""])
def test_t24_a_malformed_digest_never_becomes_a_request(fake, text):
    with pytest.raises(InvalidValue):
        client(fake.url).manifest("test", Digest.parse(text))
    assert not fake.requests


@pytest.mark.parametrize("repository", ["", "Test", "../test", "test/../../x", "test?x=1", "a b", "a#b"])
def test_a_malformed_repository_never_becomes_a_request(fake, repository):
    registry = client(fake.url)
    for call in (lambda: registry.manifest(repository, "latest"), lambda: registry.tags(repository),
                 lambda: fetch(registry, LAYER, repository)):
        with pytest.raises(InvalidValue):
            call()
    assert not fake.requests


def test_t34_foreign_layers_are_not_followed(fake, another):
    another.files["/layer"] = b"foreign"
    registry = client(fake.url)
    with pytest.raises(RegistryError, match="foreign layer"):
        fetch(registry, b"foreign", urls=(another.url + "/layer",))
    assert not another.requests
    assert fetch(registry, LAYER, urls=(another.url + "/layer",)) == LAYER, "the registry has this one"


class FullDisk(io.BytesIO):
    def write(self, data):
        if self.tell() + len(data) > 200000:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return super(FullDisk, self).write(data)


class SlowDisk(io.BytesIO):
    def write(self, data):
        return super(SlowDisk, self).write(bytes(data[:1000]))


def test_a_full_disk_is_named_and_keeps_what_came(fake):
    sink = FullDisk()
    with pytest.raises(HostError, match="cannot write blob sha256:.*: No space left"):
        client(fake.url).blob("test", described(LAYER), sink)
    assert 0 < len(sink.getvalue()) and LAYER.startswith(sink.getvalue())


def test_a_file_that_takes_little_at_a_time_gets_all(fake):
    sink = SlowDisk()
    client(fake.url).blob("test", described(LAYER), sink)
    assert sink.getvalue() == LAYER


@pytest.mark.parametrize("make", [lambda path: path.mkdir(), lambda path: os.symlink("/etc/x", str(path))])
def test_a_path_that_cannot_be_written_is_named(fake, tmp_path, make):
    make(tmp_path / "blob")
    with pytest.raises(HostError, match="cannot write .*blob"):
        client(fake.url).blob("test", described(LAYER), str(tmp_path / "blob"))
    assert not fake.requests


def test_a_missing_blob_says_so(fake):
    with pytest.raises(NotFound, match="no such blob sha256:.* of test on 127.0.0.1"):
        fetch(client(fake.url), b"nobody has this")


def test_a_small_blob_is_read_into_memory_up_to_a_limit(fake):
    registry = client(fake.url)
    assert registry.read_blob("test", described(IMAGE.config)) == IMAGE.config
    from udocker.errors import CorruptData
    with pytest.raises(CorruptData, match="larger than the limit"):
        registry.read_blob("test", described(LAYER), limit=1000)


# T41: what is left of a broken download

def test_t41_a_broken_download_goes_on_where_it_broke_off(fake):
    fake.fault("/blobs/", times=1, cut=200000)
    assert fetch(client(fake.url), LAYER) == LAYER
    first, second = fake.asked("/blobs/")
    assert "range" not in first.headers
    start = int(second.headers["range"][len("bytes="):-1])
    assert 0 < start <= 200000
    assert second.headers["if-range"] == '"%s"' % str(described(LAYER).digest)


def test_t41_a_download_that_brings_nothing_again_and_again_fails(fake):
    fake.fault("/blobs/", cut=1000)
    sink = io.BytesIO()
    with pytest.raises(ConnectionFailed, match="broke off|was closed"):
        client(fake.url).blob("test", described(LAYER), sink)
    assert len(fake.asked("/blobs/")) == 3
    assert LAYER.startswith(sink.getvalue()), "what came is kept for another time"


def test_t41_a_download_that_makes_progress_may_break_as_often_as_it_likes(fake):
    big = bytes(range(256)) * 4096 * 12  # 12 MiB in pieces of 2 MiB, with 3 attempts
    fake.add_blob("test", big)
    fake.fault("/blobs/", cut=2 << 20)
    assert fetch(client(fake.url), big) == big
    assert len(fake.asked("/blobs/")) > 3


def test_t41_another_process_takes_up_what_is_left(fake, tmp_path):
    path = str(tmp_path / "partial")
    with open(path, "wb") as stream:
        stream.write(LAYER[:100000])
    client(fake.url).blob("test", described(LAYER), path)
    with open(path, "rb") as stream:
        assert stream.read() == LAYER
    request, = fake.asked("/blobs/")
    assert request.headers["range"] == "bytes=100000-"


@pytest.mark.parametrize("left, requests", [
    (LAYER, 0),                        # all of it: nothing to ask for
    (b"x" * 1000, 2),                  # something else: found out at the end, begun anew
    (b"x" * len(LAYER), 1),
    (LAYER + b"tail", 1),              # longer than the blob
])
def test_t41_what_is_left_is_verified_like_all_the_rest(fake, tmp_path, left, requests):
    path = str(tmp_path / "partial")
    with open(path, "wb") as stream:
        stream.write(left)
    client(fake.url).blob("test", described(LAYER), path)
    with open(path, "rb") as stream:
        assert stream.read() == LAYER
    assert len(fake.asked("/blobs/")) == requests


@pytest.mark.parametrize("fault", [
    {"ignore_range": True}, {"refuse_range": True}, {"wrong_range": True}, {"etag": '"changed"'},
], ids=str)
def test_t41_a_download_that_cannot_be_resumed_begins_anew(fake, fault):
    fake.fault("/blobs/", times=1, cut=200000)
    fake.fault("/blobs/", times=1, **fault)
    # and it begins at once: the second chance that wrong bytes have is still there afterwards
    fake.fault("/blobs/", times=1 if "ignore_range" not in fault and "etag" not in fault else 0, flip=9)
    assert fetch(client(fake.url), LAYER) == LAYER


def test_t41_a_changed_etag_is_noticed_even_where_the_server_does_not_compare(fake):
    other = b"x" * len(LAYER)
    fake.fault("/blobs/", times=1, cut=200000, etag='"old"')
    # a 206 with the bytes of something else, from a server that knows no If-Range
    fake.fault("/blobs/", times=1, only_range=True, status=206, body=other[200000:],
               headers={"Content-Range": "bytes 200000-%d/%d" % (len(LAYER) - 1, len(LAYER)),
                        "ETag": '"new"'}.items())
    fake.fault("/blobs/", times=1, flip=9)  # the second chance is still there
    assert fetch(client(fake.url), LAYER) == LAYER
    assert fake.asked("/blobs/")[1].headers["range"] == "bytes=200000-"
    assert len(fake.asked("/blobs/")) == 4


def test_a_registry_that_never_resumes_is_given_up(fake):
    """Even where each attempt brings more than the one before it, and loses it again."""
    big = b"x" * (16 << 20)
    fake.add_blob("test", big)
    for more in range(1, 7):
        fake.fault("/blobs/", times=1, cut=more * (2 << 20), ignore_range=True)
    with pytest.raises(RegistryError, match="does not resume"):
        fetch(client(fake.url), big)
    assert len(fake.asked("/blobs/")) == MAX_RESTARTS + 2


def test_bytes_are_never_decoded(fake):
    """A registry may name the layer's own compression as a content encoding."""
    import gzip
    packed = gzip.compress(b"layer" * 1000)
    fake.add_blob("test", packed)
    fake.fault("/blobs/", headers={"Content-Encoding": "gzip"}.items(), status=200, body=packed)
    assert fetch(client(fake.url), packed) == packed
    assert fake.asked("/blobs/")[0].headers["accept-encoding"] == "identity"
