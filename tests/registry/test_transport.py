"""HTTP: redirects (T31), retries, TLS (T37), proxies, and what importing costs."""

import os
import socket
import ssl
import subprocess
import sys
from email.utils import formatdate

import pytest

from udocker.errors import AuthenticationError, HostError, InvalidValue, RegistryError
from udocker.registry.credentials import Credential
from udocker.registry.failures import ConnectionFailed
from udocker.registry.proxies import Proxies, excluded
from udocker.registry.retry import Retries, Timeouts, retry_after, spell_seconds
from udocker.registry.tls import Trust
from udocker.registry.transport import USER_AGENT
from tests.fakes.logins import BasicAuth, basic
from tests.fakes.proxy import FakeProxy
from tests.fakes.registry import FakeRegistry
from tests.conftest import APP, ROOT
from tests.registry.support import IMAGE, LAYER, QUICK, Keyring, client, described, fetch, transport

def login(registry):
    """A FakeRegistry wants ann's password; return the Keyring that has it."""
    registry.auth = BasicAuth({"ann": "geheim"})
    return Keyring({registry.host: Credential("ann", "geheim")})


def test_importing_the_client_imports_neither_http_nor_tls():
    code = ("import sys; sys.path.insert(0, %r); import udocker.registry.client; "
            "print([name for name in ('requests', 'urllib3', 'ssl', 'http.client', 'json', "
            "'subprocess', 'urllib.parse', 'hashlib', 'email') if name in sys.modules])"
            % os.path.join(os.path.dirname(__file__), "..", "..", "app"))
    # -S: a site-packages with .pth files of its own imports what it likes
    assert subprocess.check_output([sys.executable, "-I", "-S", "-c", code]).decode().strip() == "[]"


def test_pulling_does_not_import_requests(fake):
    code = ("import sys; sys.path[:0] = %r; from tests.registry.support import client, AMD64; "
            "client(%r).resolve('test', 'latest', AMD64); print('requests' in sys.modules)"
            % ([APP, ROOT], fake.url))
    assert subprocess.check_output([sys.executable, "-c", code]).decode().strip() == "False"


def test_requests_say_who_asks(fake):
    client(fake.url).manifest("test", "latest")
    headers = fake.requests[0].headers
    assert headers["user-agent"] == USER_AGENT and USER_AGENT.startswith("udocker/")
    assert headers["accept-encoding"] == "identity" and "cookie" not in headers


def test_connections_are_used_again(fake):
    """A new connection, with TLS, is several round trips for each of dozens of layers."""
    registry = client(fake.url)
    ports = set()
    accept = fake._server.get_request

    def count():
        connection, address = accept()
        ports.add(address)
        return connection, address

    fake._server.get_request = count
    for _ in range(5):
        registry.manifest("test", "latest")
        fetch(registry, LAYER)
    assert len(ports) == 1


# redirects

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


# retries

@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_bad_moment_is_waited_for(fake, status):
    fake.fault("/manifests/", times=2, status=status)
    slept = []
    registry = client(fake.url, sleep=slept.append, retries=Retries(3, 0.5, 8))
    assert str(registry.manifest("test", "latest").digest) == IMAGE.digest
    assert 0.25 <= slept[0] <= 0.5 and 0.5 <= slept[1] <= 1.0


def test_a_registry_that_keeps_failing_is_given_up(fake):
    fake.fault("/manifests/", status=503, body=b'{"errors":[{"message":"in maintenance"}]}')
    with pytest.raises(RegistryError, match="failed with status 503 .*: in maintenance"):
        client(fake.url).manifest("test", "latest")
    assert len(fake.requests) == QUICK.attempts


@pytest.mark.parametrize("status", [400, 405, 410, 501])
def test_other_refusals_are_not_repeated(fake, status):
    fake.fault("/manifests/", status=status)
    with pytest.raises(RegistryError, match=str(status)):
        client(fake.url).manifest("test", "latest")
    assert len(fake.requests) == 1


@pytest.mark.parametrize("value, waited", [("7", 7), ("0", 0), ("1.5", 0), ("soon", 0), ("-3", 0)])
def test_retry_after_is_obeyed(fake, value, waited):
    fake.fault("/manifests/", times=1, status=429, headers=[("Retry-After", value)])
    slept = []
    client(fake.url, sleep=slept.append).manifest("test", "latest")
    assert slept == [waited]


def test_retry_after_may_be_a_date(fake):
    now = 1600000000
    fake.fault("/manifests/", times=1, status=503,
               headers=[("Retry-After", formatdate(now + 20, usegmt=True))])
    slept = []
    client(fake.url, sleep=slept.append, clock=lambda: now).manifest("test", "latest")
    assert slept == [20]
    assert retry_after(formatdate(now - 20), now) == 0
    assert retry_after("Wed, 99 Nov 99999 99:99:99 GMT", now) in (None, 0)


@pytest.mark.parametrize("seconds, spelled", [(61, "in 61 s"), (3600, "in 60 min"), (21600, "in 6 h 0 min")])
def test_a_retry_after_too_long_is_told_and_not_waited_for(fake, seconds, spelled):
    fake.fault("/manifests/", status=429, headers=[("Retry-After", str(seconds))],
               body=b'{"errors":[{"code":"TOOMANYREQUESTS","message":"pull rate limit"}]}')
    slept = []
    with pytest.raises(RegistryError, match="too many requests: pull rate limit") as caught:
        client(fake.url, sleep=slept.append).manifest("test", "latest")
    assert spelled in caught.value.hint and "log in" in caught.value.hint
    assert not slept and len(fake.requests) == 1


def test_too_many_requests_without_a_time_are_too_many(fake):
    fake.fault("/manifests/", status=429)
    with pytest.raises(RegistryError, match="too many requests") as caught:
        client(fake.url).manifest("test", "latest")
    assert "try again later" in caught.value.hint


def test_delays_double_and_differ():
    retries = Retries(base_delay=1, max_delay=4)
    for attempt, longest in ((1, 1), (2, 2), (3, 4), (9, 4)):
        delays = [retries.delay(attempt) for _ in range(50)]
        assert longest / 2.0 <= min(delays) and max(delays) <= longest and len(set(delays)) > 10


def test_times_are_spelled_as_people_say_them():
    assert [spell_seconds(s) for s in (1, 119, 120, 7199, 7201)] == [
        "1 s", "119 s", "2 min", "2 h 0 min", "2 h 1 min"]


# no connection

def test_a_refused_connection_is_named(fake):
    fake.close()
    with pytest.raises(ConnectionFailed) as caught:
        client(fake.url).manifest("test", "latest")
    assert caught.value.message == "cannot reach registry %s: connection refused" % fake.host


def test_a_name_without_an_address_is_named_at_once():
    slept = []
    with pytest.raises(ConnectionFailed, match="cannot find registry nowhere.invalid") as caught:
        client("http://nowhere.invalid", sleep=slept.append).manifest("test", "latest")
    # without any network the answer is "try again", which is tried
    assert caught.value.hint and len(slept) in (0, QUICK.attempts - 1)


def test_a_server_that_says_nothing_is_left():
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(5)
        url = "http://127.0.0.1:%d" % silent.getsockname()[1]
        with pytest.raises(ConnectionFailed, match="no answer in time"):
            client(url, timeouts=Timeouts(1, 0.05), retries=Retries(2, 0, 0)).manifest("test", "latest")


def test_a_server_that_speaks_something_else_is_left():
    with socket.socket() as odd:
        odd.bind(("127.0.0.1", 0))
        odd.listen(5)
        import threading

        def talk():
            while True:
                try:
                    connection, _ = odd.accept()
                except OSError:
                    return
                connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n" * 100)
                connection.close()
        threading.Thread(target=talk, daemon=True).start()
        for scheme in ("http", "https"):
            url = "%s://127.0.0.1:%d" % (scheme, odd.getsockname()[1])
            with pytest.raises(ConnectionFailed):
                client(url).manifest("test", "latest")
        odd.shutdown(socket.SHUT_RDWR)


# TLS

@pytest.fixture
def secure(certificate):
    with FakeRegistry(certificate=certificate, name="localhost") as registry:
        registry.add("test", "latest", IMAGE)
        yield registry


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "CURL_CA_BUNDLE"])
def test_a_registry_is_verified_with_the_file_that_the_environment_names(secure, certificate, variable):
    registry = client(secure.url, environ={variable: certificate[0]})
    assert fetch(registry, LAYER) == LAYER


def test_a_registry_that_cannot_be_verified_is_refused_with_a_way_out(secure):
    for address in (secure.url, secure.host):  # also where plain HTTP would be tried
        with pytest.raises(ConnectionFailed) as caught:
            client(address).manifest("test", "latest")
        assert "cannot trust registry localhost:%d" % secure.port in caught.value.message
        if sys.version_info >= (3, 7):  # 3.6 does not say why
            assert "self" in caught.value.message and "signed" in caught.value.message
        assert "--insecure" in caught.value.hint and "certs.d/" + secure.host in caught.value.hint
    assert not secure.requests


def test_a_certificate_for_another_name_is_refused(tmp_path_factory):
    from tests.fakes.certificates import make_certificate
    pair = make_certificate(tmp_path_factory.mktemp("other"), ["DNS:other.example"])
    with FakeRegistry(certificate=pair, name="localhost") as registry:
        with pytest.raises(ConnectionFailed, match="cannot trust registry localhost.*(match|mismatch)"):
            client(registry.url, environ={"SSL_CERT_FILE": pair[0]}).manifest("test", "latest")
        assert not registry.requests


def test_a_certificate_for_an_address_is_accepted_for_it(certificate):
    with FakeRegistry(certificate=certificate) as registry:
        registry.add("test", "latest", IMAGE)
        assert fetch(client(registry.url, environ={"SSL_CERT_FILE": certificate[0]}), LAYER) == LAYER


def test_an_authority_may_be_trusted_for_one_registry_only(secure, certificate, tmp_path):
    folder = tmp_path / "certs.d" / secure.host
    folder.mkdir(parents=True)
    (folder / "ca.crt").write_text(open(certificate[0]).read())
    with FakeRegistry(certificate=certificate, name="localhost") as unnamed:
        unnamed.add("test", "latest", IMAGE)
        ours = transport(trust=Trust({}, directories=(str(tmp_path / "certs.d"),)))
        from udocker.registry.client import Registry
        from udocker.registry.endpoint import Endpoint
        assert Registry(ours, Endpoint.parse(secure.url)).manifest("test", "latest")
        with pytest.raises(ConnectionFailed, match="cannot trust"):
            Registry(ours, Endpoint.parse(unnamed.url)).manifest("test", "latest")


def test_without_any_bundle_of_the_host_the_carried_one_is_used(secure):
    context = Trust({}, bundles=("/nowhere",), directories=()).context()
    assert context.verify_mode == ssl.CERT_REQUIRED and len(context.get_ca_certs()) > 50
    with pytest.raises(ConnectionFailed, match="cannot trust"):
        client(secure.url, trust=Trust({}, bundles=("/nowhere",), directories=())).manifest("test", "latest")


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_a_bundle_that_cannot_be_read_is_named(secure, tmp_path, content):
    path = tmp_path / "bundle.pem"
    if content is not None:
        path.write_text(content)
    with pytest.raises(HostError, match="cannot read the CA certificates in .*bundle.pem"):
        client(secure.url, environ={"SSL_CERT_FILE": str(path)}).manifest("test", "latest")


def test_an_insecure_registry_is_not_verified(secure):
    for named in (secure.host, "localhost"):
        assert fetch(client(secure.url, insecure=[named]), LAYER) == LAYER


def test_t37_what_is_insecure_for_one_registry_is_not_for_another(secure, certificate):
    with FakeRegistry(certificate=certificate, name="localhost") as other:
        other.add("test", "latest", IMAGE)
        ours = transport(insecure=[secure.host])
        from udocker.registry.client import Registry
        from udocker.registry.endpoint import Endpoint
        for _ in range(2):  # also with connections there to be used again
            assert Registry(ours, Endpoint.parse(secure.url)).manifest("test", "latest")
            with pytest.raises(ConnectionFailed, match="cannot trust"):
                Registry(ours, Endpoint.parse(other.url)).manifest("test", "latest")
        assert not other.requests


def test_t37_a_redirect_out_of_an_insecure_registry_is_verified_again(secure, certificate):
    with FakeRegistry(certificate=certificate, name="localhost") as storage:
        storage.files["/blob"] = LAYER
        secure.fault("/blobs/", status=307, headers=[("Location", storage.url + "/blob")])
        with pytest.raises(ConnectionFailed, match="cannot trust"):
            fetch(client(secure.url, insecure=[secure.host]), LAYER)
        assert not storage.requests


def test_t31_a_redirect_from_https_to_http_is_refused(secure, another, certificate):
    another.files["/blob"] = LAYER
    secure.fault("/blobs/", status=307, headers=[("Location", another.url + "/blob")])
    with pytest.raises(RegistryError, match="from https to http"):
        fetch(client(secure.url, environ={"SSL_CERT_FILE": certificate[0]}), LAYER)
    assert not another.requests
    assert fetch(client(secure.url, insecure=[secure.host]), LAYER) == LAYER


@pytest.mark.parametrize("verify", [True, False])
def test_old_versions_of_tls_are_never_spoken(verify):
    context = Trust({}, directories=()).context(verify=verify)
    if hasattr(ssl, "TLSVersion"):
        assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    else:
        assert context.options & ssl.OP_NO_TLSv1 and context.options & ssl.OP_NO_TLSv1_1


# http or https

def test_plain_http_is_found_out_on_loopback(fake):
    assert fetch(client(fake.host), LAYER) == LAYER
    assert fetch(client("localhost:%d" % fake.port), LAYER) == LAYER


def test_https_is_preferred_on_loopback(secure, certificate):
    registry = client(secure.host, environ={"SSL_CERT_FILE": certificate[0]})
    assert fetch(registry, LAYER) == LAYER


def test_plain_http_is_spoken_to_others_only_when_the_user_said_so():
    refused = "192.0.2.1:1"  # TEST-NET: nobody is there
    quick = dict(timeouts=Timeouts(0.05, 0.05), retries=Retries(1, 0, 0))
    lines = []
    for address, insecure in ((refused, ()), ("https://" + refused, (refused,)), (refused, (refused,)),
                              ("http://" + refused, ())):
        del lines[:]
        with pytest.raises(ConnectionFailed):
            client(address, insecure=insecure, debug=lines.append, **quick).manifest("test", "latest")
        plain = any("http://" in line for line in lines)
        assert plain == (address.startswith("http:") or (bool(insecure) and "://" not in address))


# proxies

@pytest.mark.parametrize("host, port, no_proxy, expected", [
    ("host.example", 443, "", False),
    ("host.example", 443, "*", True),
    ("host.example", 443, "example", True),
    ("host.example", 443, ".example", True),
    ("host.example", 443, "*.example", True),
    ("host.example", 443, "xample", False),
    ("host.example", 443, "a.b, host.example", True),
    ("host.example", 443, "host.example:443", True),
    ("host.example", 443, "host.example:80", False),
    ("host.example", 443, "10.0.0.0/8", False),
    ("10.1.2.3", 80, "10.0.0.0/8", True),
    ("11.1.2.3", 80, "10.0.0.0/8", False),
    ("10.1.2.3", 80, "10.1.2.3", True),
    ("::1", 80, "[::1]", True),
    ("fd00::1", 80, "fd00::/8", True),
])
def test_no_proxy_is_read_as_others_read_it(host, port, no_proxy, expected):
    assert excluded(host, port, no_proxy) is expected


@pytest.mark.parametrize("environ, scheme, expected", [
    ({"https_proxy": "http://p:1"}, "https", "http://p:1"),
    ({"https_proxy": "http://p:1"}, "http", ""),
    ({"HTTPS_PROXY": "p:1"}, "https", "http://p:1"),
    ({"https_proxy": "", "HTTPS_PROXY": "p:1"}, "https", ""),
    ({"ALL_PROXY": "p:1"}, "http", "http://p:1"),
    ({"HTTP_PROXY": "p:1"}, "http", "http://p:1"),
    ({"HTTP_PROXY": "p:1", "REQUEST_METHOD": "GET"}, "http", ""),
    ({"https_proxy": "p:1", "NO_PROXY": "host.example"}, "https", ""),
])
def test_a_proxy_comes_from_the_environment(environ, scheme, expected):
    assert Proxies("", environ).for_origin(scheme, "host.example", 443) == expected


def test_a_proxy_of_the_environment_never_stands_before_this_machine():
    assert Proxies("", {"http_proxy": "p:1"}).for_origin("http", "localhost", 80) == ""
    assert Proxies("p:1", {}).for_origin("http", "localhost", 80) == "http://p:1"


def test_a_proxy_passes_plain_requests_on(fake):
    with FakeProxy() as proxy:
        registry = client(fake.url, proxy="http://ann:ge%%68eim@%s" % proxy.host)
        assert fetch(registry, LAYER) == LAYER
        method, target, headers = proxy.requests[0]
        assert target.startswith(fake.url)
        assert headers["proxy-authorization"] == basic("ann", "geheim")
    assert all("proxy-authorization" not in request.headers for request in fake.requests)


def test_a_proxy_opens_a_tunnel_to_https_and_sees_nothing_in_it(certificate):
    with FakeRegistry(certificate=certificate, name="localhost") as registry, FakeProxy() as proxy:
        registry.add("test", "latest", IMAGE)
        keyring = login(registry)
        ours = client(registry.url, keyring, proxy=proxy.url.replace("//", "//ann:proxypw@"),
                      environ={"SSL_CERT_FILE": certificate[0]})
        ours.manifest("test", "latest")
        assert [(method, target) for method, target, _ in proxy.requests] == [("CONNECT", registry.host)]
        assert proxy.requests[0][2]["proxy-authorization"] == basic("ann", "proxypw")
        assert all("proxy-authorization" not in request.headers for request in registry.requests)
        assert "authorization" not in proxy.requests[0][2]


def test_t37_a_tunnel_is_verified_like_a_connection(certificate):
    with FakeRegistry(certificate=certificate, name="localhost") as registry, FakeProxy() as proxy:
        with pytest.raises(ConnectionFailed, match="cannot trust"):
            client(registry.url, proxy=proxy.url).manifest("test", "latest")
        assert not registry.requests


def test_a_proxy_that_is_not_there_is_named_without_its_password(fake):
    with pytest.raises(ConnectionFailed) as caught:
        client(fake.url, proxy="http://ann:geheim@127.0.0.1:9").manifest("test", "latest")
    assert "proxy 127.0.0.1" in caught.value.message
    assert "geheim" not in caught.value.message + caught.value.hint


@pytest.mark.parametrize("proxy, error", [
    ("socks5h://ann:geheim@127.0.0.1:1", RegistryError), ("ftp://x:1", InvalidValue),
    ("http://", InvalidValue), ("http://x:y", InvalidValue)])
def test_a_proxy_that_cannot_be_used_is_refused(fake, proxy, error):
    if proxy.startswith("socks"):
        try:
            import socks  # noqa: F401
            pytest.skip("PySocks is installed")
        except ImportError:
            pass
    with pytest.raises(error) as caught:
        client(fake.url, proxy=proxy).manifest("test", "latest")
    assert caught.value.hint and "geheim" not in caught.value.message


# secrets

def test_debug_lines_hold_no_secret(fake, another):
    keyring = login(fake)
    another.files["/storage"] = LAYER
    fake.fault("/blobs/", status=307, headers=[("Location", another.url + "/storage?signature=secret")])
    lines = []
    registry = client(fake.url, keyring, debug=lines.append)
    registry.manifest("test", "latest")
    fetch(registry, LAYER)
    text = "\n".join(lines)
    assert "/storage" in text and "307" in text
    assert "secret" not in text and "geheim" not in text and basic("ann", "geheim") not in text


def test_failures_hold_no_signature_even_in_their_traceback(fake, another):
    import traceback
    another.close()
    fake.fault("/blobs/", status=307, headers=[("Location", another.url + "/x?signature=secret")])
    try:
        fetch(client(fake.url), LAYER)
    except ConnectionFailed:
        assert "secret" not in traceback.format_exc()
    else:
        raise AssertionError("nobody should have answered")


def test_a_wrong_password_is_not_repeated(fake):
    login(fake)
    wrong = Keyring({fake.host: Credential("ann", "falsch")})
    with pytest.raises(AuthenticationError) as caught:
        client(fake.url, wrong).manifest("test", "latest")
    assert "falsch" not in caught.value.message + caught.value.hint
    assert len(fake.requests) == 2
