"""Redirects (T31): where a request goes on, and what it leaves behind."""

import pytest

from udocker.errors import RegistryError
from tests.fakes.logins import basic
from tests.registry.support import LAYER, client, described, fetch, login


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_t31_a_redirect_to_another_port_carries_no_secret(fake, another, status, tmp_path):
    another.files["/storage"] = LAYER
    netrc = tmp_path / ".netrc"
    netrc.write_text("machine 127.0.0.1 login bob password geheimer\n")
    keyring = login(fake)
    fake.fault("/blobs/", status=status, headers=[("Location", another.url + "/storage?sig=1"),
                                                  ("Set-Cookie", "session=1; Path=/")])
    registry = client(fake.url, keyring, environ={"HOME": str(tmp_path), "NETRC": str(netrc)})
    registry.manifest("test", "latest")
    assert fetch(registry, LAYER) == LAYER
    assert fake.asked("/blobs/")[0].headers["authorization"] == basic("ann", "geheim")
    request, = another.requests
    assert not {"authorization", "cookie", "proxy-authorization"} & set(request.headers)


def test_t31_a_redirect_to_another_name_of_the_same_machine_carries_no_secret(fake):
    fake.files["/storage"] = LAYER
    keyring = login(fake)
    fake.fault("/blobs/", status=307,
               headers=[("Location", "http://localhost:%d/storage" % fake.port)])
    registry = client(fake.url, keyring)
    registry.manifest("test", "latest")
    assert fetch(registry, LAYER) == LAYER
    assert "authorization" not in fake.asked("/storage")[0].headers


def test_t31_a_redirect_within_the_registry_keeps_the_login(fake):
    keyring = login(fake)
    fake.files["/elsewhere"] = LAYER
    fake.fault("/blobs/", status=307, headers=[("Location", "/elsewhere")])
    registry = client(fake.url, keyring)
    registry.manifest("test", "latest")
    assert fetch(registry, LAYER) == LAYER
    assert fake.asked("/elsewhere")[0].headers["authorization"] == basic("ann", "geheim")


def test_t31_a_redirect_away_and_back_does_not_bring_the_secret_back(fake, another):
    keyring = login(fake)
    fake.files["/back"] = LAYER
    fake.fault("/blobs/", status=307, headers=[("Location", another.url + "/away")])
    another.fault("/away", status=307, headers=[("Location", fake.url + "/back")])
    registry = client(fake.url, keyring)
    registry.manifest("test", "latest")
    assert fetch(registry, LAYER) == LAYER
    assert "authorization" not in fake.asked("/back")[0].headers


def test_t31_the_target_of_a_redirect_cannot_ask_for_the_password(fake, another):
    """Its challenge is somebody else's: answering would hand the login to whoever is redirected to."""
    keyring = login(fake)
    fake.fault("/blobs/", status=307, headers=[("Location", another.url + "/storage")])
    another.fault("/storage", status=401, headers=[("WWW-Authenticate", 'Basic realm="me"')])
    registry = client(fake.url, keyring)
    registry.manifest("test", "latest")
    with pytest.raises(RegistryError, match="answered status 401"):
        fetch(registry, LAYER)
    assert not any("authorization" in request.headers for request in another.requests)


def test_a_signature_that_has_run_out_is_renewed(fake, another):
    another.files["/storage"] = LAYER
    fake.fault("/blobs/", status=307, headers=[("Location", another.url + "/storage")])
    another.fault("/storage", times=1, status=403)
    assert fetch(client(fake.url), LAYER) == LAYER
    assert len(fake.asked("/blobs/")) == 2


def test_a_range_goes_along_with_a_redirect(fake, another):
    fake.fault("/blobs/", status=307, headers=[("Location", another.url + "/v2/s/blobs/"
                                                + str(described(LAYER).digest))])
    another.add_blob("s", LAYER)
    another.fault("/blobs/", times=1, cut=200000)
    assert fetch(client(fake.url), LAYER) == LAYER
    assert another.requests[1].headers["range"].startswith("bytes=")


def test_redirects_end(fake):
    fake.fault("/blobs/", status=307, headers=[("Location", "/v2/test/blobs/again")])
    with pytest.raises(RegistryError, match="redirects too often"):
        fetch(client(fake.url), LAYER)
    assert len(fake.requests) == 6


@pytest.mark.parametrize("target", ["ftp://host/x", "file:///etc/passwd", "http://user:pw@127.0.0.1/",
                                    "http://h\u00f6st/".encode("utf-8").decode("latin-1"),
                                    "http://" + "a" * 300 + "/", "http://[::1/"])
def test_redirects_to_impossible_places_are_refused(fake, target):
    fake.fault("/blobs/", status=307, headers=[("Location", target)])
    with pytest.raises(RegistryError, match="redirects to where we do not go"):
        fetch(client(fake.url), LAYER)
