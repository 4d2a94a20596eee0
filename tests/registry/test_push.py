"""Pushing: what is sent, what is not sent twice, and what registries do wrong meanwhile."""

import io
import os
import random

import pytest

from udocker.errors import (AuthenticationError, CorruptData, DigestMismatch, NotFound,
                            RegistryError, UdockerError)
from udocker.model.oci import parse_document
from udocker.registry import push
from udocker.registry.credentials import Credential
from udocker.registry.parallel import Stop
from udocker.registry.push import MOUNTED, SENT, THERE, Uploader
from udocker.registry.retry import Retries, Timeouts
from tests.fakes.images import digest_of
from tests.fakes.logins import TokenAuth
from tests.fakes.registry import FakeRegistry
from tests.registry.support import IMAGE, QUICK, Keyring, client, described, login

SMALL = b"a small blob"
LARGE = os.urandom(3 << 20)
DIGEST = digest_of(LARGE)
UPLOADS = "/v2/team/new/blobs/uploads/"


@pytest.fixture
def registry():
    with FakeRegistry() as running:
        yield running


def upload(registry, data=LARGE, mounts=(), credentials=None, source=None, progress=None, stop=None,
           **settings):
    session = client(registry.url, credentials, **settings).session
    return Uploader(session, "team/new", stop).blob(
        described(data), source or io.BytesIO(data), mounts, progress)


def has(registry, data=LARGE):
    return registry.blobs.get(("team/new", digest_of(data))) == data


def methods(registry, match=""):
    return [request.method for request in registry.asked(match)]


@pytest.mark.parametrize("data, asked", [
    (LARGE, ["HEAD", "POST", "PATCH", "PUT"]), (SMALL, ["HEAD", "POST", "PUT"]),
    (b"", ["HEAD", "POST", "PUT"])], ids=["large", "small", "empty"])
def test_a_blob_is_pushed_once(registry, data, asked):
    seen = []
    assert upload(registry, data, progress=seen.append) == SENT
    assert has(registry, data) and methods(registry) == asked
    assert seen[-1] == len(data) and seen == sorted(seen)
    assert upload(registry, data) == THERE
    assert methods(registry) == asked + ["HEAD"]


def test_a_blob_of_another_repository_is_mounted(registry):
    registry.add_blob("team/old", LARGE)
    assert upload(registry, mounts=["team/none", "team/old"]) == SENT  # the first one began an upload
    assert upload(registry, SMALL, mounts=[]) == SENT
    registry.blobs.pop(("team/new", DIGEST))
    assert upload(registry, mounts=["team/old"]) == MOUNTED
    assert registry.uploads.mounted == [("team/old", "team/new", DIGEST)]


def test_a_registry_that_does_not_mount_gets_the_bytes(registry):
    registry.add_blob("team/old", LARGE)
    registry.uploads.mounts = False
    assert upload(registry, mounts=["team/old"]) == SENT and has(registry)
    assert methods(registry) == ["HEAD", "POST", "PATCH", "PUT"]


def test_a_mount_that_is_denied_is_no_end(registry):
    registry.fault("mount=", status=403)
    assert upload(registry, mounts=["team/old"]) == SENT and has(registry)


def test_an_upload_goes_on_where_the_registry_stands(registry):
    registry.fault(UPLOADS, method="PATCH", times=1, cut_request=2 << 20)
    assert upload(registry) == SENT and has(registry)
    patches = [request for request in registry.asked(UPLOADS) if request.method == "PATCH"]
    assert patches[1].headers["content-range"] == "%d-%d" % (2 << 20, len(LARGE) - 1)


def test_an_upload_begins_anew_where_the_registry_has_kept_nothing(registry):
    registry.uploads.keeps = False
    registry.fault(UPLOADS, method="PATCH", times=1, cut_request=2 << 20)
    assert upload(registry) == SENT and has(registry)


def test_an_upload_whose_registry_cannot_say_where_it_stands_begins_anew(registry):
    registry.fault(UPLOADS, method="PATCH", times=1, cut_request=2 << 20)
    registry.fault(UPLOADS, method="GET", status=405)
    assert upload(registry) == SENT and has(registry)
    assert methods(registry, UPLOADS).count("POST") == 2


def test_an_upload_that_has_ended_begins_anew(registry):
    seen = []

    def progress(count):
        if count == len(LARGE) and not seen:  # all was sent, and the end not yet said
            seen.append(count)
            registry.uploads.expire()

    assert upload(registry, progress=progress) == SENT and has(registry)
    assert methods(registry, UPLOADS).count("POST") == 2


def test_an_answer_that_was_lost_is_found_out(registry):
    registry.fault("digest=", method="PUT", times=1, cut=0, announce=1)
    assert upload(registry, retries=QUICK) == SENT and has(registry)


@pytest.mark.parametrize("method, match", [("POST", UPLOADS), ("PATCH", UPLOADS), ("PUT", "digest="),
                                           ("HEAD", "/blobs/sha256")])
def test_a_registry_with_a_bad_moment_is_asked_again(registry, method, match):
    waits = []
    registry.fault(match, method=method, times=1, status=503, headers=[("Retry-After", "7")])
    assert upload(registry, sleep=waits.append) == SENT and has(registry)
    assert 7 in waits


@pytest.mark.parametrize("method, match", [("PATCH", UPLOADS), ("PUT", "digest=")])
def test_a_registry_that_is_down_for_long_says_for_how_long(registry, method, match):
    registry.fault(match, method=method, status=429, headers=[("Retry-After", "7200")])
    with pytest.raises(RegistryError, match="too many requests") as caught:
        upload(registry)
    assert "2 h" in caught.value.hint or "120 min" in caught.value.hint


def test_a_registry_that_always_breaks_off_is_given_up(registry):
    registry.uploads.keeps = False
    registry.fault(UPLOADS, method="PATCH", cut_request=100)
    with pytest.raises(RegistryError, match="cannot reach"):
        upload(registry)
    assert methods(registry, UPLOADS).count("PATCH") == 3


def test_a_registry_that_keeps_a_little_each_time_is_not_given_up(registry):
    registry.fault(UPLOADS, method="PATCH", times=2, cut_request=(1 << 20) + 1)
    assert upload(registry, retries=Retries(2, 0.0, 0.0)) == SENT and has(registry)


def test_large_requests_that_are_refused_are_made_smaller(registry, monkeypatch):
    monkeypatch.setattr(push, "PIECE", 1 << 20)
    registry.uploads.largest = 1 << 20
    data = LARGE + b"some more"
    assert upload(registry, data) == SENT and has(registry, data)
    registry.uploads.largest = 1000
    with pytest.raises(RegistryError, match="413") as caught:
        upload(registry, data + b"x")
    assert "nothing as large" in caught.value.hint


LOCATIONS = [
    lambda base, path: path,
    lambda base, path: base + path,
    lambda base, path: base + path + "?state=a%2Fb",
    lambda base, path: "//" + base.partition("//")[2] + path,
]


@pytest.mark.parametrize("number", range(len(LOCATIONS)))
def test_the_place_for_an_upload_is_spelled_in_many_ways(registry, number):
    registry.uploads.location = LOCATIONS[number]
    assert upload(registry, credentials=login(registry)) == SENT and has(registry)


@pytest.mark.parametrize("auth", [None, TokenAuth({"ann": "geheim"}, anonymous=False)],
                         ids=["basic", "token"])
def test_an_upload_elsewhere_does_not_see_the_login(registry, another, auth):
    """The storage takes the bytes by the signature in its URL; nobody may send it our password."""
    keyring = login(registry)
    registry.auth = auth or registry.auth
    registry.uploads.location = lambda base, path: another.url + path
    another.uploads = registry.uploads
    assert upload(registry, credentials=keyring) == SENT
    assert another.blobs and len(another.requests) == 2
    assert all("authorization" not in request.headers for request in another.requests)
    another.fault("", status=401, headers=[("WWW-Authenticate", 'Basic realm="give it to me"')])
    another.blobs.clear()
    with pytest.raises(RegistryError, match="which answered status 401"):
        upload(registry, credentials=keyring)
    assert all("authorization" not in request.headers for request in another.requests)


@pytest.mark.parametrize("method", ["POST", "PATCH", "PUT"])
def test_a_redirect_is_followed_with_the_bytes_and_without_the_login(registry, another, method):
    another.uploads = registry.uploads
    place = another.url + UPLOADS
    keyring = login(registry)
    session = client(registry.url, keyring).session
    registry.uploads.open["there"] = b""
    registry.uploads.location = lambda base, path: path
    registry.fault(UPLOADS, method=method, times=1, status=307,
                   headers=[("Location", place + ("there" if method != "POST" else "")
                             + ("?digest=" + DIGEST if method == "PUT" else ""))])
    if method == "PUT":
        registry.uploads.open["there"] = LARGE
    assert Uploader(session, "team/new").blob(described(LARGE), io.BytesIO(LARGE)) == SENT
    assert another.requests
    assert all("authorization" not in request.headers for request in another.requests)


@pytest.mark.parametrize("location, message", [
    (None, "does not say where"), ("ftp://example.invalid/x", "where we do not go"),
    ("http://user:pw@example.invalid/x", "where we do not go"), ("http://[", "where we do not go")])
def test_a_place_that_is_none_is_refused(registry, location, message):
    registry.fault(UPLOADS, method="POST", status=202,
                   headers=[("Location", location)] if location else [])
    with pytest.raises(RegistryError, match=message) as caught:
        upload(registry)
    assert "pw" not in caught.value.message


def test_an_https_registry_that_sends_us_to_http_is_refused(certificate):
    with FakeRegistry(certificate=certificate, name="localhost") as registry:
        registry.uploads.location = lambda base, path: "http://localhost:1" + path
        with pytest.raises(RegistryError, match="https to http"):
            upload(registry, environ={"SSL_CERT_FILE": certificate[0]})


# logins

def test_pushing_asks_for_the_right_to_push_here_and_to_read_there(registry):
    from urllib.parse import parse_qs, urlsplit
    registry.auth = TokenAuth({"ann": "geheim"}, anonymous=False)
    registry.add_blob("team/old", LARGE)
    keyring = Keyring({registry.host: Credential("ann", "geheim")})
    assert upload(registry, mounts=["team/old"], credentials=keyring) == MOUNTED
    asked = [parse_qs(urlsplit(request.path).query)["scope"] for request in registry.asked("/token")]
    assert asked == [["repository:team/new:pull,push"],
                     ["repository:team/new:pull,push", "repository:team/old:pull"]]


def test_a_token_that_ends_in_the_middle_is_renewed(registry):
    registry.auth = TokenAuth({"ann": "geheim"}, anonymous=False)
    keyring = Keyring({registry.host: Credential("ann", "geheim")})
    revoked = []

    def progress(count):
        if count == len(LARGE) and not revoked:
            revoked.append(count)
            registry.auth.revoke()

    assert upload(registry, credentials=keyring, progress=progress) == SENT and has(registry)
    assert len(registry.asked("/token")) == 2
    registry.blobs.clear()
    registry.auth.good = lambda sent: len(registry.asked(UPLOADS)) != 4 or registry.auth.made > 2
    assert upload(registry, credentials=keyring) == SENT and has(registry)


def test_who_may_only_read_is_told_so(registry):
    registry.auth = TokenAuth({"bob": "geheim"}, anonymous=True, readers=("bob", None))
    for credentials, words in ((None, "needs a login: 'udocker login 127.0.0.1"),
                               (Keyring({registry.host: Credential("bob", "geheim")}),
                                "this account may not write to it")):
        with pytest.raises(AuthenticationError, match="denied") as caught:
            upload(registry, credentials=credentials)
        assert words in caught.value.hint


@pytest.mark.parametrize("status, code, words", [
    (400, "NAME_INVALID", ["400", "invalid repository name"]),
    (403, "DENIED", ["denied", "quota exceeded"]),
    (405, "UNSUPPORTED", ["405", "read-only"]),
    (404, "NAME_UNKNOWN", ["no such blob"]),
    (507, "TOOBIG", ["507", "no room"]),
])
def test_a_refusal_is_one_clear_line(registry, status, code, words):
    said = {"NAME_INVALID": "invalid repository name", "DENIED": "quota exceeded \x1b[31m"}.get(code, "")
    registry.fault(UPLOADS, method="POST", status=status,
                   body=('{"errors": [{"code": "%s", "message": "%s"}]}'
                         % (code, said.replace("\x1b", "\\u001b"))).encode("ascii"))
    with pytest.raises((RegistryError, NotFound)) as caught:
        upload(registry)
    text = "%s (%s)" % (caught.value.message, caught.value.hint)
    assert all(word in text for word in words) and "\x1b" not in text and "\n" not in text


# bytes

def test_bytes_that_are_not_what_they_are_called_are_ours_to_mend(registry):
    for source in (LARGE[:-1] + b"x", LARGE[:-1], LARGE + b"x"):
        if source == LARGE + b"x":
            continue
        with pytest.raises(CorruptData, match="damaged here"):
            upload(registry, source=io.BytesIO(source))
    assert not registry.blobs


def test_bytes_that_were_changed_on_their_way_are_sent_once_more(registry):
    registry.fault("digest=", method="PUT", times=1, status=400, body=b'{"errors": [{"code": "X"}]}')
    assert upload(registry) == SENT and has(registry)
    registry.blobs.clear()
    registry.fault("digest=", method="PUT", status=400, body=b'{"errors": [{"code": "X"}]}')
    with pytest.raises(RegistryError, match="400"):
        upload(registry)


def test_a_registry_that_stores_it_as_another_is_not_believed(registry):
    registry.fault("digest=", method="PUT", status=201,
                   headers=[("Docker-Content-Digest", "sha256:" + "0" * 64)])
    with pytest.raises(DigestMismatch):
        upload(registry)


@pytest.mark.parametrize("span, message", [("0-99999999", "more of"), ("0-0", "takes nothing")])
def test_a_registry_that_cannot_count_does_not_hold_us_up(registry, span, message):
    registry.fault(UPLOADS, method="PATCH", status=202,
                   headers=[("Range", span), ("Location", UPLOADS + "x")])
    with pytest.raises(RegistryError, match=message):
        upload(registry)
    assert len(registry.requests) < 12


def test_a_slow_registry_is_waited_for(registry):
    """It takes the bytes later than a connection may take, and answers later than others do."""
    data = LARGE * 6  # more than the kernel keeps for it meanwhile
    registry.fault(UPLOADS, method="PATCH", times=1, wait=0.8)
    registry.fault("digest=", method="PUT", times=1, wait=1.5)
    assert upload(registry, data, timeouts=Timeouts(0.3, 1.0)) == SENT and has(registry, data)
    assert methods(registry) == ["HEAD", "POST", "PATCH", "PUT"]


def test_a_registry_that_never_answers_is_given_up(registry):
    registry.fault(UPLOADS, method="PATCH", wait=0.6)
    with pytest.raises(RegistryError, match="no answer in time"):
        upload(registry, retries=Retries(2, 0.0, 0.0), timeouts=Timeouts(0.2, 0.2))


def test_a_stop_ends_an_upload(registry):
    stop = Stop()

    def progress(count):
        if count:
            stop.set()

    from udocker.registry.failures import Stopped
    with pytest.raises(Stopped):
        upload(registry, progress=progress, stop=stop)
    assert not registry.blobs


WRONG = [dict(status=503), dict(status=429, headers=[("Retry-After", "1")]), dict(status=404), dict(status=401),
         dict(status=416), dict(status=413), dict(status=400), dict(status=200), dict(status=201),
         dict(status=202), dict(status=202, headers=[("Location", UPLOADS + "x"), ("Range", "0-7")]),
         dict(cut_request=50), dict(cut_request=60000), dict(status=202, headers=[("Location", "")]),
         dict(cut=0, announce=1), dict(status=204, headers=[("Range", "bytes=0-x-9")])]


def test_whatever_goes_wrong_it_ends_and_what_is_there_is_right(monkeypatch):
    """Faults in any order, by seed: the blob is there as it should be, or an error says otherwise."""
    monkeypatch.setattr(push, "SMALL", 1000)
    monkeypatch.setattr(push, "PIECE", 20000)
    data, sent = LARGE[:100000], 0
    with FakeRegistry() as registry:
        for seed in range(150):
            chance = random.Random(seed)
            registry.blobs.clear()
            registry.requests[:], registry.faults[:] = [], []
            registry.uploads.keeps = chance.random() < 0.5
            for _ in range(chance.randrange(1, 5)):
                registry.fault(chance.choice(["/blobs/", UPLOADS, "digest="]), times=chance.randrange(1, 3),
                               method=chance.choice(["HEAD", "POST", "PATCH", "PUT", "GET"]),
                               **chance.choice(WRONG))
            try:
                upload(registry, data, retries=QUICK, sleep=lambda seconds: None)
            except UdockerError as error:
                assert error.message, seed
            else:
                # a registry that says that it has it is believed here, and asked by whoever pushes
                sent += has(registry, data)
            assert len(registry.requests) < 60, seed
            assert set(registry.blobs) <= {("team/new", digest_of(data))}, seed
    assert sent > 50


def test_a_manifest_goes_last_and_as_it_is(registry):
    uploader = Uploader(client(registry.url).session, "team/new")
    manifest = parse_document(IMAGE.manifest)
    with pytest.raises(RegistryError, match="unknown blob"):
        uploader.manifest(manifest, "v1")
    for data in IMAGE.blobs.values():
        uploader.blob(described(data), io.BytesIO(data))
    registry.fault("/manifests/", method="PUT", times=1, status=502)
    uploader.manifest(manifest, "v1")
    assert registry.tags["team/new"] == {"v1": IMAGE.digest}
    assert registry.manifests["team/new", IMAGE.digest] == (IMAGE.manifest, IMAGE.media_type)


def test_a_real_registry_takes_it(start_real_registry):
    from tests.registry.support import AMD64
    real = start_real_registry()
    session = client(real.host).session
    uploader, manifest = Uploader(session, "team/new"), parse_document(IMAGE.manifest)
    for data in list(IMAGE.blobs.values()) + [LARGE]:
        assert uploader.blob(described(data), io.BytesIO(data)) == SENT
        assert uploader.blob(described(data), io.BytesIO(data)) == THERE
    uploader.manifest(manifest, "v1")
    assert str(client(real.host).resolve("team/new", "v1", AMD64).digest) == IMAGE.digest
    other = Uploader(session, "team/other")
    assert other.blob(described(LARGE), io.BytesIO(LARGE), ["team/new"]) == MOUNTED
    push_in_pieces(session)


def push_in_pieces(session):
    """The same registry, with pieces of a mebibyte."""
    from udocker.registry.push import _BlobUpload
    data = os.urandom((2 << 20) + 17)
    one = _BlobUpload(session, "team/pieces", None, described(data), io.BytesIO(data), (),
                      lambda count: None)
    one._piece = 1 << 20
    assert one.run() == SENT
    assert Uploader(session, "team/pieces").blob(described(data), io.BytesIO(data)) == THERE


