"""Proxies: which one, and what it sees."""

import pytest

from udocker.errors import InvalidValue, RegistryError
from udocker.registry.failures import ConnectionFailed
from udocker.registry.proxies import Proxies, excluded
from tests.fakes.logins import basic
from tests.fakes.proxy import FakeProxy
from tests.fakes.registry import FakeRegistry
from tests.registry.support import IMAGE, LAYER, client, fetch, login


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


def test_a_proxy_that_wants_a_login_says_so(fake):
    fake.fault("/manifests/", status=407)
    with pytest.raises(RegistryError, match="the proxy before 127.0.0.1:.* wants a user name"):
        client(fake.url).manifest("test", "latest")


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
