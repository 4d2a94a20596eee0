"""Whom to believe (T37), and where plain HTTP may be spoken."""

import ssl
import sys

import pytest

from udocker.errors import HostError, RegistryError
from udocker.registry.client import Registry
from udocker.registry.endpoint import Endpoint
from udocker.registry.failures import ConnectionFailed
from udocker.registry.retry import Retries, Timeouts
from udocker.registry.tls import Trust
from tests.fakes.certificates import make_certificate
from tests.fakes.registry import FakeRegistry
from tests.registry.support import IMAGE, LAYER, client, fetch, transport


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "CURL_CA_BUNDLE"])
def test_a_registry_is_verified_with_the_file_that_the_environment_names(secure, certificate, variable):
    registry = client(secure.url, environ={variable: certificate[0]})
    assert fetch(registry, LAYER) == LAYER


def test_a_registry_that_cannot_be_verified_is_refused_with_a_way_out(secure):
    for address in (secure.url, secure.host):  # also where plain HTTP would be tried
        slept = []
        with pytest.raises(ConnectionFailed) as caught:
            client(address, sleep=slept.append).manifest("test", "latest")
        assert not slept, "it would be the same the next time"
        assert "cannot trust localhost:%d" % secure.port in caught.value.message
        if sys.version_info >= (3, 7):  # 3.6 does not say why
            assert "self" in caught.value.message and "signed" in caught.value.message
        assert "--insecure" in caught.value.hint and "certs.d/" + secure.host in caught.value.hint
    assert not secure.requests


def test_a_certificate_for_another_name_is_refused(tmp_path_factory):
    pair = make_certificate(tmp_path_factory.mktemp("other"), ["DNS:other.example"])
    with FakeRegistry(certificate=pair, name="localhost") as registry:
        with pytest.raises(ConnectionFailed, match="cannot trust localhost.*(match|mismatch)"):
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
