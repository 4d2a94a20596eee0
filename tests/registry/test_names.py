"""Which registry a name means, and what may stand in a URL."""

import pytest

from udocker.errors import InvalidValue
from udocker.model.reference import ImageReference
from udocker.registry.endpoint import Endpoint, is_loopback, origin, split_host


@pytest.mark.parametrize("name, hub, host, scheme, path", [
    ("ubuntu", "", "registry-1.docker.io", "https", "library/ubuntu"),
    ("docker.io/ubuntu", "", "registry-1.docker.io", "https", "library/ubuntu"),
    ("index.docker.io/library/ubuntu", "", "registry-1.docker.io", "https", "library/ubuntu"),
    ("some/thing", "", "registry-1.docker.io", "https", "some/thing"),
    ("quay.io/thing", "", "quay.io", "", "thing"),
    ("localhost:5000/thing", "", "localhost:5000", "", "thing"),
    ("localhost/thing", "", "localhost", "", "thing"),
    ("[::1]:5000/a/b/c", "", "[::1]:5000", "", "a/b/c"),
    ("ubuntu", "http://mirror.example:5000", "mirror.example:5000", "http", "library/ubuntu"),
    ("ubuntu", "https://mirror.example/", "mirror.example", "https", "library/ubuntu"),
    ("some/thing", "mirror.example:5000", "mirror.example:5000", "", "some/thing"),
    ("quay.io/thing", "http://mirror.example", "quay.io", "", "thing"),
])
def test_a_reference_leads_to_a_registry(name, hub, host, scheme, path):
    reference = ImageReference.parse(name)
    endpoint = Endpoint.of(reference, hub)
    assert (endpoint.host, endpoint.scheme, endpoint.path_of(reference)) == (host, scheme, path)


def test_upper_case_is_refused_before_any_request():
    reference = ImageReference.parse("quay.io/Some/thing")
    with pytest.raises(InvalidValue, match="upper-case"):
        Endpoint.of(reference).path_of(reference)


@pytest.mark.parametrize("text, expected", [
    ("https://registry-1.docker.io", ("registry-1.docker.io", "https", "")),
    ("https://index.docker.io/v1/", ("index.docker.io", "https", "")),
    ("HTTPS://Quay.IO/v2/", ("quay.io", "https", "")),
    ("registry", ("registry", "", "")),
    ("https://host.example/some/prefix/v2", ("host.example", "https", "/some/prefix")),
    (" http://127.0.0.1:5000 ", ("127.0.0.1:5000", "http", "")),
])
def test_a_registry_is_spelled_in_many_ways(text, expected):
    assert tuple(Endpoint.parse(text))[:3] == expected


@pytest.mark.parametrize("text", [
    "", "https://", "ftp://host", "http://host:99999", "http://host:", "host:port", "-host", "a b",
    "http://host/../x", "http://host/x?y", "http://" + "a" * 254, "http://h\u00f6st", "[::1", "[evil]",
    "http://host\n", "file:///etc/passwd"])
def test_what_is_no_registry_is_refused(text):
    if text == "http://host\n":
        assert Endpoint.parse(text).host == "host"  # a line read from a file
        return
    with pytest.raises(InvalidValue):
        Endpoint.parse(text)


def test_a_password_in_the_address_is_refused_and_not_repeated():
    with pytest.raises(InvalidValue) as caught:
        Endpoint.parse("https://user:geheim@host")
    assert "geheim" not in caught.value.message + (caught.value.hint or "")


@pytest.mark.parametrize("url, expected", [
    ("https://Host/x", ("https", "host", 443)), ("http://host:81", ("http", "host", 81)),
    ("https://[::1]:5000/x", ("https", "::1", 5000))])
def test_an_origin_is_scheme_host_and_port(url, expected):
    assert origin(url) == expected


@pytest.mark.parametrize("url", [
    "ftp://host/", "http:///x", "http://user@host/", "http://u:p@host/", "http://host:x/", "//host/x",
    "http://" + "a" * 254 + "/", "http://h\u00f6st/", "http://ho st/", "http://[::1/", "http://host\\@evil/",
    "file:///etc/passwd", "http://host:99999/", "javascript:alert(1)"])
def test_what_is_no_url_for_us_has_no_origin(url):
    with pytest.raises(InvalidValue):
        origin(url)


def test_loopback_is_localhost_127_and_1():
    assert all(is_loopback(name) for name in ("localhost", "127.0.0.1", "127.9.9.9", "::1"))
    assert not any(is_loopback(name) for name in
                   ("127.0.0.1.evil.example", "128.0.0.1", "localhost.evil.example", "127.1", "::2", ""))


def test_a_host_is_split_from_its_port():
    assert split_host("[::1]:5000") == ("::1", 5000)
    assert split_host("[::1]") == ("::1", 0)
    assert split_host("Host:80") == ("host", 80)
