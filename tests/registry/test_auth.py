"""Logins: challenges, tokens, and who gets to see a password (T31 to T33, T27)."""

import threading

import pytest

from udocker.errors import AuthenticationError, CorruptData, RegistryError
from udocker.registry.auth import parse_challenges
from udocker.registry.credentials import Credential
from tests.fakes.logins import BasicAuth, TokenAuth, basic
from tests.fakes.registry import FakeRegistry
from tests.registry.support import AMD64, IMAGE, LAYER, Keyring, client, fetch

ANN = Credential("ann", "geheim")


@pytest.mark.parametrize("header, expected", [
    ("", []),
    ("Basic", [("basic", {})]),
    ('Basic realm="a b"', [("basic", {"realm": "a b"})]),
    ('Bearer realm="https://a/t",service="s",scope="repository:x:pull,push"',
     [("bearer", {"realm": "https://a/t", "service": "s", "scope": "repository:x:pull,push"})]),
    ('BEARER Realm=https://a/t , Service = "s"', [("bearer", {"realm": "https://a/t", "service": "s"})]),
    ('Basic realm="b", Bearer realm="r", error="x"',
     [("basic", {"realm": "b"}), ("bearer", {"realm": "r", "error": "x"})]),
    ('Negotiate, Basic realm="b"', [("negotiate", {}), ("basic", {"realm": "b"})]),
    ('Bearer realm="a \\"quoted\\" one",x=', [("bearer", {"realm": 'a "quoted" one', "x": ""})]),
    ('realm="nobody\'s"', []),
    (",,,", []),
])
def test_challenges_are_read(header, expected):
    assert [tuple(challenge) for challenge in parse_challenges(header)] == expected


@pytest.mark.parametrize("field", ["token", "access_token"])
def test_an_anonymous_token_is_fetched_once_for_all(fake, field):
    fake.auth = TokenAuth(field=field)
    registry = client(fake.url)
    registry.resolve("test", "latest", AMD64)
    assert fetch(registry, LAYER) == LAYER
    registry.tags("test")
    token, = fake.asked("/token")
    assert "authorization" not in token.headers
    assert len(fake.requests) == 5, "one request was refused, none after it"


def test_only_reading_one_repository_is_ever_asked_for(fake):
    """The registry's challenge proposes pull and push; docker would take what is proposed."""
    fake.auth = TokenAuth()
    fake.add("other/one", "latest", IMAGE)
    registry = client(fake.url)
    registry.manifest("test", "latest")
    registry.manifest("other/one", "latest")
    from urllib.parse import parse_qs, urlsplit
    asked = [parse_qs(urlsplit(request.path).query) for request in fake.asked("/token")]
    assert asked == [{"service": ["fake, really"], "scope": ["repository:%s:pull" % name]}
                     for name in ("test", "other/one")]


def test_a_login_is_shown_to_the_realm_and_only_the_token_to_the_registry(fake, another):
    fake.auth = TokenAuth({"ann": "geheim"}, anonymous=False, realm=another.url + "/token")
    another.auth = fake.auth
    keyring = Keyring({fake.host: ANN})
    client(fake.url, keyring).manifest("test", "latest")
    assert another.asked("/token")[0].headers["authorization"] == basic("ann", "geheim")
    assert all("Basic" not in request.headers.get("authorization", "") for request in fake.requests)
    assert keyring.asked == [(fake.host, "test")]


def test_an_identity_token_is_posted_not_put_into_a_url(fake):
    fake.auth = TokenAuth(anonymous=False, identity={"refresh-me": "ann"}, field="access_token")
    keyring = Keyring({fake.host: Credential("", "", "refresh-me")})
    client(fake.url, keyring).manifest("test", "latest")
    request, = fake.asked("/token")
    assert request.method == "POST" and "refresh-me" not in request.path
    assert b"grant_type=refresh_token" in request.body and b"refresh_token=refresh-me" in request.body


def test_basic_is_answered_where_it_is_asked_for_and_not_before(fake):
    fake.auth = BasicAuth({"ann": "geheim"})
    registry = client(fake.url, Keyring({fake.host: ANN}))
    registry.manifest("test", "latest")
    fetch(registry, LAYER)
    assert [request.headers.get("authorization") for request in fake.requests] == [
        None, basic("ann", "geheim"), basic("ann", "geheim")]


def test_a_bearer_is_preferred_to_basic(fake):
    fake.auth = TokenAuth({"ann": "geheim"})
    fake.auth.challenge = 'Basic realm="x", Bearer realm="%s/token",service="s"' % fake.url
    client(fake.url, Keyring({fake.host: ANN})).manifest("test", "latest")
    assert len(fake.asked("/token")) == 1


@pytest.mark.parametrize("auth", [BasicAuth({"ann": "geheim"}),
                                  TokenAuth({"ann": "geheim"}, anonymous=False)], ids=["basic", "token"])
@pytest.mark.parametrize("credential", [None, Credential("ann", "falsch")], ids=["anonymous", "wrong"])
def test_a_login_that_is_missing_or_wrong_says_what_to_do(fake, auth, credential):
    fake.auth = auth
    with pytest.raises(AuthenticationError) as caught:
        client(fake.url, Keyring({fake.host: credential})).manifest("test", "latest")
    assert fake.host in caught.value.message
    text = caught.value.message + caught.value.hint
    assert "falsch" not in text and ("login" in text or "account" in text)
    assert len(fake.requests) <= 3


def test_a_scope_that_is_not_granted_is_not_asked_for_again(fake):
    fake.auth = TokenAuth()
    fake.auth.challenge = ('Bearer realm="%s/token",service="s",scope="repository:test:pull",'
                           'error="insufficient_scope"' % fake.url)
    fake.auth.good = lambda authorization: False
    with pytest.raises(AuthenticationError) as caught:
        client(fake.url).manifest("test", "latest")
    assert "does not exist, or it needs a login" in caught.value.hint
    assert len(fake.asked("/token")) == 1 and len(fake.asked("/manifests/")) == 2


def test_a_registry_that_repeats_the_login_is_not_quoted(fake):
    fake.auth = BasicAuth({"ann": "other"})
    for secret in ("geheim", basic("ann", "geheim")):
        fake.faults[:] = []
        fake.fault("/manifests/", status=401, headers=[("WWW-Authenticate", "Basic")],
                   body=b'{"errors":[{"message":"not %s!"}]}' % secret.encode())
        with pytest.raises(AuthenticationError, match=r"denied: not .*\*\*\*!") as caught:
            client(fake.url, Keyring({fake.host: ANN})).manifest("test", "latest")
        assert secret not in caught.value.message


def test_a_403_says_what_to_do(fake):
    fake.fault("/manifests/", status=403, body=b'{"errors":[{"message":"plan expired"}]}')
    with pytest.raises(AuthenticationError, match="is denied: plan expired") as caught:
        client(fake.url).manifest("test", "latest")
    assert caught.value.hint


# T33: tokens that end

def test_t33_a_token_that_ends_during_a_pull_is_renewed_once_and_silently(fake):
    fake.auth = TokenAuth()
    registry = client(fake.url)
    registry.manifest("test", "latest")
    fake.auth.revoke()
    assert fetch(registry, LAYER) == LAYER
    assert len(fake.asked("/token")) == 2 and len(fake.asked("/blobs/")) == 2


def test_t33_a_token_that_ends_during_a_blob_is_renewed_for_the_rest(fake):
    fake.auth = TokenAuth()
    registry = client(fake.url)
    registry.manifest("test", "latest")
    fake.fault("/blobs/", times=1, cut=200000)
    fake.auth.good = lambda authorization: fake.auth.made > 1 or len(fake.asked("/blobs/")) < 2
    assert fetch(registry, LAYER) == LAYER
    assert len(fake.asked("/token")) == 2
    assert fake.asked("/blobs/")[2].headers["range"]


def test_t33_tokens_that_are_never_any_good_end_in_an_error(fake):
    fake.auth = TokenAuth(good=lambda authorization: False)
    with pytest.raises(AuthenticationError):
        client(fake.url).manifest("test", "latest")
    assert len(fake.asked("/token")) == 1


def test_t33_a_token_is_renewed_before_it_ends(fake):
    fake.auth = TokenAuth(expires_in=100)
    now = [1000.0]
    registry = client(fake.url, clock=lambda: now[0])
    for moment, tokens in ((1000, 1), (1080, 1), (1095, 2), (1150, 2), (1200, 3)):
        now[0] = moment
        registry.manifest("test", "latest")
        assert len(fake.asked("/token")) == tokens
    assert len(fake.asked("/manifests/")) == 6, "nothing was refused but the first"


def test_t33_threads_share_one_renewal(fake):
    fake.auth = TokenAuth()
    registry = client(fake.url)
    registry.manifest("test", "latest")
    fake.auth.revoke()
    results = []
    threads = [threading.Thread(target=lambda: results.append(fetch(registry, LAYER)))
               for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [LAYER] * 8
    assert len(fake.asked("/token")) == 2


# T32: realms

def test_t32_an_http_realm_is_refused_by_an_https_registry(certificate, another):
    another.auth = TokenAuth({"ann": "geheim"})
    with FakeRegistry(TokenAuth(realm=another.url + "/token"), certificate, name="localhost") as registry:
        for credentials in (None, Keyring({registry.host: ANN})):
            for insecure in ((), [registry.host]):
                with pytest.raises(AuthenticationError, match="http://127.0.0.1"):
                    client(registry.url, credentials, insecure=insecure,
                           environ={"SSL_CERT_FILE": certificate[0]}).manifest("test", "latest")
    assert not another.requests


def test_t32_a_realm_of_an_https_registry_is_verified_as_well(certificate, tmp_path_factory):
    """CVE-2019-10214: the token server was asked without verification."""
    from tests.fakes.certificates import make_certificate
    unknown = make_certificate(tmp_path_factory.mktemp("unknown"))
    with FakeRegistry(TokenAuth({"ann": "geheim"}), unknown, name="localhost") as realm:
        with FakeRegistry(TokenAuth(realm=realm.url + "/token"), certificate, name="localhost") as registry:
            for insecure in ((), [registry.host]):
                with pytest.raises(RegistryError, match="cannot trust"):
                    client(registry.url, Keyring({registry.host: ANN}), insecure=insecure,
                           environ={"SSL_CERT_FILE": certificate[0]}).manifest("test", "latest")
        assert not realm.requests


def test_t32_a_realm_on_another_host_gets_the_login_of_a_verified_registry(certificate):
    auth = TokenAuth({"ann": "geheim"}, anonymous=False)
    with FakeRegistry(auth, certificate, name="localhost") as realm:
        auth.realm = realm.url + "/token"
        with FakeRegistry(auth, certificate) as registry:
            registry.add("test", "latest", IMAGE)
            client(registry.url, Keyring({registry.host: ANN}),
                   environ={"SSL_CERT_FILE": certificate[0]}).manifest("test", "latest")
        assert realm.asked("/token")[0].headers["authorization"] == basic("ann", "geheim")


REALMS = [
    # registry, its realm, insecure hosts -> may the password go there?
    ("https://registry.example", "https://auth.example/t", (), True),
    ("https://registry.example", "https://registry.example:444/t", (), True),
    ("https://registry.example", "http://registry.example/t", (), None),
    ("https://registry.example", "http://127.0.0.1/t", (), None),
    ("https://registry.example", "ftp://registry.example/t", (), None),
    ("https://registry.example", "https://user:pw@registry.example/t", (), None),
    ("https://registry.example", "file:///etc/passwd", (), None),
    ("https://registry.example", "https://auth.example/t", ("registry.example",), False),
    ("https://registry.example", "https://registry.example/t", ("registry.example",), True),
    ("https://registry.example", "https://auth.example/t", ("registry.example", "auth.example"), True),
    ("http://registry.example", "http://registry.example:5001/t", (), True),
    ("http://registry.example", "http://auth.example/t", (), None),
    ("http://registry.example", "http://auth.example/t", ("auth.example",), True),
    ("http://registry.example", "http://169.254.169.254/t", (), None),
    ("http://registry.example", "http://127.0.0.1:8080/t", (), None),
    ("http://registry.example", "https://auth.example/t", (), False),
    ("http://localhost:5000", "http://127.0.0.1:5001/t", (), True),
]


@pytest.mark.parametrize("registry, realm, insecure, expected", REALMS)
def test_t32_where_a_password_may_go(registry, realm, insecure, expected):
    from udocker.registry.auth import Authenticator
    from udocker.registry.endpoint import Endpoint, origin
    from tests.registry.support import transport
    rules = Authenticator(transport(insecure=insecure), Endpoint.parse(registry))
    if expected is None:
        with pytest.raises(AuthenticationError):
            rules._check_realm(realm, origin(registry))
    else:
        rules._check_realm(realm, origin(registry))
        assert bool(rules._may_see_password(origin(registry), origin(realm))) is expected


def test_t32_a_login_is_not_confirmed_by_a_realm_that_may_not_see_it():
    from udocker.registry.auth import LOGIN, Authenticator
    from udocker.registry.endpoint import Endpoint, origin
    from tests.registry.support import transport
    where = "http://registry.example"
    asker = Authenticator(transport(), Endpoint.parse(where), Keyring({"registry.example": ANN}))
    with pytest.raises(AuthenticationError, match="not encrypted"):
        asker._fetch(origin(where), "https://auth.example/t", "", LOGIN, None)


def test_t32_a_login_for_one_registry_is_not_used_for_another(fake, another):
    another.add("test", "latest", IMAGE)
    another.auth = BasicAuth({"ann": "geheim"})
    keyring = Keyring({fake.host: ANN})
    with pytest.raises(AuthenticationError):
        client(another.url, keyring).manifest("test", "latest")
    assert all("authorization" not in request.headers for request in another.requests)


def test_t32_a_token_server_that_redirects_does_not_take_the_login_along(fake, another):
    fake.auth = TokenAuth({"ann": "geheim"}, anonymous=False)
    another.auth = TokenAuth()
    fake.fault("/token", status=307, headers=[("Location", another.url + "/token")])
    with pytest.raises(AuthenticationError):
        client(fake.url, Keyring({fake.host: ANN})).manifest("test", "latest")
    assert another.asked("/token") and "authorization" not in another.asked("/token")[0].headers


# T27 and nonsense from the token server

@pytest.mark.parametrize("fault, error", [
    ({"body": b"x" * (1 << 20)}, CorruptData),
    ({"endless": True}, CorruptData),
    ({"body": b'{"token": "%s"}' % (b"x" * 70000)}, CorruptData),
    ({"body": b"<html>"}, CorruptData),
    ({"body": b"[]"}, CorruptData),
    ({"body": b"{}"}, CorruptData),
    ({"body": b'{"token": 3}'}, CorruptData),
    ({"body": b'{"token": ""}'}, CorruptData),
    ({"body": b'{"token": "a\\r\\nX-Evil: 1"}'}, CorruptData),
    ({"body": b'{"token": "a b"}'}, CorruptData),
    ({"body": b'{"token": "\xc3\xa4"}'}, CorruptData),
    ({"status": 404}, RegistryError),
    ({"status": 500}, RegistryError),
    ({"status": 429, "headers": [("Retry-After", "3600")]}, RegistryError),
], ids=lambda value: str(value)[:40])
def test_t27_a_token_server_that_answers_nonsense(fake, fault, error):
    fake.auth = TokenAuth()
    fake.fault("/token", **fault)
    with pytest.raises(error):
        client(fake.url).manifest("test", "latest")
    assert all("authorization" not in request.headers for request in fake.requests)


@pytest.mark.parametrize("lifetime", [b"null", b'"soon"', b"-5", b"true", b"0", b"1e3"])
def test_a_lifetime_that_makes_no_sense_is_the_default(fake, lifetime):
    fake.auth = TokenAuth()
    fake.fault("/token", body=b'{"token": "abc", "expires_in": %s}' % lifetime)
    fake.auth.valid["Bearer abc"] = ["repository:test:pull"]
    now = [0.0]
    registry = client(fake.url, clock=lambda: now[0])
    registry.manifest("test", "latest")
    now[0] = 50.0
    registry.manifest("test", "latest")
    assert len(fake.asked("/token")) == 1
