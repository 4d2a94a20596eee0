"""The same against a registry that others wrote (Debian's docker-registry)."""

import base64
import io
import json
import os
import shutil
import subprocess

import pytest

from udocker.errors import AuthenticationError, DigestMismatch, NotFound
from udocker.model.oci import Platform, parse_config
from udocker.model.reference import Digest, ImageReference
from udocker.registry.client import Registry
from udocker.registry.credentials import AuthFile, Credential, Credentials
from udocker.registry.endpoint import Endpoint
from udocker.registry.logins import verify
from udocker.registry.parallel import Stop, each
from udocker.registry.push import MOUNTED, SENT, Uploader
from tests.fakes.images import DIRECTORY, DOCKER, OCI, image, index, layer, push
from tests.fakes.logins import TokenAuth, basic
from tests.fakes.registry import FakeRegistry
from tests.registry.support import AMD64, Keyring, client, described, fetch, transport

LAYERS = [layer({"etc/": DIRECTORY, "etc/motd": b"hello\n"}), layer({"data": os.urandom(2000000)}, "tar"),
          layer({"etc/issue": b"bye\n"})]


@pytest.fixture(scope="module")
def real(start_real_registry):
    registry = start_real_registry()
    for name, types in (("oci", OCI), ("docker", DOCKER)):
        amd = image(LAYERS, types=types)
        arm = image(LAYERS[:1], architecture="arm64", variant="v8", types=types)
        push(registry.base, "team/" + name, "single", amd)
        push(registry.base, "team/" + name, "both", index([arm, amd], types=types))
    return registry


@pytest.mark.parametrize("kind", ["oci", "docker"])
@pytest.mark.parametrize("tag", ["single", "both"])
def test_an_image_is_pulled(real, tmp_path, kind, tag):
    reference = ImageReference.parse("%s/team/%s:%s" % (real.host, kind, tag))
    endpoint = Endpoint.of(reference)
    repository = endpoint.path_of(reference)
    registry, stop = Registry(transport(), endpoint), Stop()
    resolved = registry.resolve(repository, reference.tag, AMD64)
    config = parse_config(registry.read_blob(repository, resolved.manifest.config))
    assert config.platform == AMD64 and len(config.diff_ids) == 3
    paths = each(lambda one: registry.blob(repository, one, str(tmp_path / one.digest.hex), stop=stop)
                 or str(tmp_path / one.digest.hex), resolved.manifest.layers, stop)
    for path, expected in zip(paths, LAYERS):
        with open(path, "rb") as stream:
            assert stream.read() == expected.data


def test_an_image_is_pulled_by_digest(real):
    registry = client(real.host)
    top = registry.resolve("team/oci", "both", Platform.parse("linux/arm64")).top
    again = registry.resolve("team/oci", top.digest, Platform.parse("linux/arm64"))
    assert registry.digest("team/oci", "both") == top.digest
    assert again.top == top and len(again.manifest.layers) == 1


def test_what_is_not_there_is_not_found(real):
    registry = client(real.host)
    for call in (lambda: registry.manifest("team/oci", "missing"),
                 lambda: registry.manifest("team/oci", Digest("sha256", "0" * 64)),
                 lambda: registry.manifest("nobody/here", "latest"),
                 lambda: registry.tags("nobody/here"),
                 lambda: fetch(registry, b"nobody has this", "team/oci")):
        with pytest.raises(NotFound, match="no such"):
            call()
    with pytest.raises(NotFound) as caught:
        registry.resolve("team/oci", "both", Platform.parse("linux/s390x"))
    assert "linux/amd64, linux/arm64/v8" in caught.value.hint


def test_tags_are_listed(real):
    for number in range(3):
        push(real.base, "team/many", "v%d" % number, image(LAYERS[:1]))
    assert sorted(client(real.host).tags("team/many")) == ["v0", "v1", "v2"]


def test_a_download_is_taken_up_where_it_was_left(real):
    data = LAYERS[1].data
    lines = []
    sink = io.BytesIO(data[:500000])
    client(real.host, debug=lines.append).blob("team/oci", described(data), sink)
    assert sink.getvalue() == data and lines[-1].endswith(": 206")
    sink = io.BytesIO(b"x" * 500000)
    client(real.host).blob("team/oci", described(data), sink)
    assert sink.getvalue() == data


def test_a_layer_that_was_changed_on_its_disk_is_refused(real):
    changed = layer({"will-be": b"changed"}, "tar")
    push(real.base, "team/changed", "latest", image([changed]))
    path = os.path.join(real.data, "docker/registry/v2/blobs/sha256", changed.diff_id[7:9],
                        changed.diff_id[7:], "data")
    with open(path, "r+b") as stream:
        stream.seek(600)
        stream.write(b"X")
    with pytest.raises(DigestMismatch):
        fetch(client(real.host), changed.data, "team/changed")


def test_basic_authentication(start_real_registry, tmp_path):
    if shutil.which("htpasswd") is None:
        pytest.skip("the program htpasswd is not installed (Debian package apache2-utils)")
    htpasswd = tmp_path / "htpasswd"
    htpasswd.write_bytes(subprocess.check_output(["htpasswd", "-Bbn", "ann", "geheim"]))
    registry = start_real_registry("auth: {htpasswd: {realm: test, path: '%s'}}\n" % htpasswd)
    push(registry.base, "secret", "latest", image(LAYERS), basic("ann", "geheim"))
    for credential in (None, Credential("ann", "falsch")):
        with pytest.raises(AuthenticationError, match="denied"):
            client(registry.host, Keyring({registry.host: credential})).manifest("secret", "latest")
    good = Credential("ann", "geheim")
    assert verify(transport(), Endpoint.parse(registry.host), good) == (good, True)
    with pytest.raises(AuthenticationError, match="does not accept this login"):
        verify(transport(), Endpoint.parse(registry.host), Credential("ann", "falsch"))
    path = str(tmp_path / "auth.json")
    AuthFile(path, False).save(registry.host, Credential("ann", "geheim"))
    ours = client(registry.host, Credentials([AuthFile(path, False)], {}))
    ours.resolve("secret", "latest", AMD64)
    assert fetch(ours, LAYERS[1].data, "secret") == LAYERS[1].data
    assert ours.tags("secret") == ["latest"]


class SigningAuth(TokenAuth):
    """A token server whose tokens docker-registry believes: JSON Web Tokens signed by ``key``."""

    def __init__(self, certificate, **settings):
        super(SigningAuth, self).__init__(**settings)
        self.certificate = certificate

    def answer(self, request):
        import time
        from urllib.parse import parse_qs, urlsplit
        status, document = super(SigningAuth, self).answer(request)
        if status != 200:
            return status, document
        scopes = [scope.split(":") for scope in parse_qs(urlsplit(request.path).query).get("scope", [])]
        pem, key = self.certificate
        with open(pem) as stream:
            der = "".join(line.strip() for line in stream if "CERTIFICATE" not in line)
        header = {"typ": "JWT", "alg": "RS256", "x5c": [der]}
        now = int(time.time())
        claims = {"iss": "fake", "sub": "ann", "aud": "real", "exp": now + 300, "nbf": now - 10,
                  "iat": now, "jti": str(self.made),
                  "access": [{"type": kind, "name": name, "actions": actions.split(",")}
                             for kind, name, actions in scopes]}
        text = b".".join(_encode(json.dumps(part).encode("ascii")) for part in (header, claims))
        signer = subprocess.Popen(["openssl", "dgst", "-sha256", "-sign", key],
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        signature = signer.communicate(text)[0]
        return 200, {"token": (text + b"." + _encode(signature)).decode("ascii")}


def _encode(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def test_token_authentication(start_real_registry, certificate):
    auth = SigningAuth(certificate, users={"ann": "geheim"}, anonymous=False)
    with FakeRegistry(auth) as server:
        registry = start_real_registry(
            "auth: {token: {realm: '%s/token', service: real, issuer: fake, rootcertbundle: '%s'}}\n"
            % (server.url, certificate[0]))
        with pytest.raises(AuthenticationError):
            client(registry.host).manifest("secret", "latest")
        good = Credential("ann", "geheim")
        assert verify(transport(), Endpoint.parse(registry.host), good) == (good, True)
        with pytest.raises(AuthenticationError, match="does not accept this login"):
            verify(transport(), Endpoint.parse(registry.host), Credential("ann", "falsch"))
        server.requests[:] = []
        ours = client(registry.host, Keyring({registry.host: Credential("ann", "geheim")}))
        with pytest.raises(NotFound):
            ours.manifest("secret", "latest")
        with pytest.raises(NotFound):
            fetch(ours, b"nothing", "secret")
        granted = [request for request in server.asked("/token") if "authorization" in request.headers]
        assert len(granted) == 1
        # pushing, with tokens for it, and a neighbour that a blob is mounted from
        keyring = Keyring({registry.host: Credential("ann", "geheim")})
        data = LAYERS[1].data
        for repository, how in (("one", SENT), ("two", MOUNTED)):
            uploader = Uploader(client(registry.host, keyring).session, repository)
            assert uploader.blob(described(data), io.BytesIO(data), ["one"][:how == MOUNTED]) == how
