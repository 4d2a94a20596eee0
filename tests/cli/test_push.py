"""udocker push and manifest inspect: against a real registry that wants a login, and a fake one."""

import hashlib
import json
import os
import shutil
import subprocess

import pytest

from tests.fakes import images
from tests.fakes.certificates import make_certificate
from tests.fakes.logins import BasicAuth, basic
from tests.fakes.proxy import FakeProxy
from tests.fakes.registry import FakeRegistry

LAYERS = [images.layer({"etc/": images.DIRECTORY, "etc/motd": b"hello\n"}),
          images.layer({"data": os.urandom(3 << 20)})]
IMAGE = images.image(LAYERS, types=images.DOCKER)
SECRET = "s3cr3t-Sentinel"


@pytest.fixture(scope="module")
def htpasswd(tmp_path_factory):
    if shutil.which("htpasswd") is None:
        pytest.skip("the program htpasswd is not installed (Debian package apache2-utils)")
    path = tmp_path_factory.mktemp("htpasswd") / "users"
    path.write_bytes(subprocess.check_output(["htpasswd", "-Bbn", "ann", SECRET]))
    return "auth: {htpasswd: {realm: test, path: '%s'}}\n" % path


@pytest.fixture(scope="module")
def real(start_real_registry, htpasswd):
    return start_real_registry(htpasswd)


@pytest.fixture
def registry():
    with FakeRegistry() as running:
        running.add("team/thing", "latest", IMAGE)
        yield running


def log_in(udocker, host):
    udocker.ok("login", "--username=ann", "--password-stdin", host, input=SECRET)


def skopeo(*words):
    if shutil.which("skopeo") is None:
        pytest.skip("the program skopeo is not installed (Debian package skopeo)")
    return subprocess.check_output(["skopeo"] + list(words))


def inspected(host, name):
    return skopeo("inspect", "--raw", "--tls-verify=false", "--creds=ann:" + SECRET,
                  "docker://%s/%s" % (host, name))


@pytest.mark.shows("push", "push -q")
def test_what_was_pulled_is_pushed_byte_for_byte(udocker, registry, real, tmp_path):
    source, target = registry.host + "/team/thing", real.host + "/team/copy:v1"
    udocker.ok("pull", source)
    denied = udocker("push", source, target)
    assert denied.status == 125 and denied.out == ""
    assert "'udocker login %s'" % real.host in denied.err, denied.err
    log_in(udocker, real.host)
    pushed = udocker("push", source, target)
    assert pushed.out == "v1: digest: %s size: %d\n" % (IMAGE.digest, len(IMAGE.manifest)), pushed
    assert pushed.err.count("Info: pushed sha256:") == 3
    assert inspected(real.host, "team/copy:v1") == IMAGE.manifest
    skopeo("copy", "-q", "--src-tls-verify=false", "--src-creds=ann:" + SECRET,
           "docker://" + target, "dir:%s" % (tmp_path / "copy"))
    assert (tmp_path / "copy" / "manifest.json").read_bytes() == IMAGE.manifest
    # once more: nothing is sent; and to a neighbour: what is there is mounted
    again = udocker("push", "-q", source, target)
    assert (again.out, again.err) == (IMAGE.digest + "\n", "")
    assert udocker("push", source, target).err.count("already there") == 3
    udocker.ok("tag", source, target)
    neighbour = udocker("push", target, "docker://%s/team/neighbour" % real.host)
    assert neighbour.out.startswith("latest: digest: " + IMAGE.digest), neighbour
    assert neighbour.err.count("Info: mounted") == 3, neighbour.err
    assert udocker("manifest", "inspect", real.host + "/team/neighbour",
                   binary=True).out == IMAGE.manifest
    # and back again, by digest
    udocker.ok("rmi", source)
    udocker.ok("rmi", target)
    by_digest = "%s/team/copy@%s" % (real.host, IMAGE.digest)
    udocker.ok("pull", by_digest)
    assert udocker.ok("push", by_digest).startswith(IMAGE.digest + ": digest: " + IMAGE.digest)


def test_what_was_loaded_imported_and_of_1_3_is_pushed(udocker, real, demo_archive, tmp_path):
    log_in(udocker, real.host)
    udocker.ok("load", "-i", demo_archive)
    tar = tmp_path / "root.tar"
    tar.write_bytes(images.layer({"hello": b"world"}, "tar").data)
    udocker.ok("import", str(tar), "imported:v2")
    one = old_image(udocker.home, tar.read_bytes())
    for name in ("demo:latest", "imported:v2", one):
        target = "%s/made/%s" % (real.host, name)
        pushed = udocker.ok("push", name, target)
        assert udocker.ok("push", name, target) == pushed, "it is the same each time"
        raw = inspected(real.host, "made/" + name)
        assert pushed.split()[2] == "sha256:" + hashlib.sha256(raw).hexdigest()
        udocker.ok("pull", target)
        udocker.ok("verify", target)
    assert b"loaded" in skopeo("inspect", "--config", "--tls-verify=false", "--creds=ann:" + SECRET,
                               "docker://%s/made/%s" % (real.host, one))


def old_image(home, tar):
    """Make an image as udocker 1.3.x stores one that it loaded; return its name."""
    top = os.path.join(home, ".udocker")
    folder, ident = os.path.join(top, "repos", "old", "v1"), "a" * 64
    os.makedirs(folder)
    for name, data in ((ident + ".layer", tar), (ident + ".json", json.dumps(
            {"id": ident, "architecture": "amd64", "os": "linux", "author": "loaded",
             "config": {"Cmd": ["sh"]}}).encode())):
        with open(os.path.join(top, "layers", name), "wb") as file:
            file.write(data)
        os.symlink("../../../layers/" + name, os.path.join(folder, name))
    for name, text in (("TAG", folder[:-3] + ":v1"), ("v1", ""), ("ancestry", json.dumps([ident]))):
        with open(os.path.join(folder, name), "w") as file:
            file.write(text)
    return "old:v1"


@pytest.mark.shows("push --registry --platform --authfile --all-tags", "pull --authfile")
def test_tags_platforms_and_names(udocker, registry):
    udocker.ok("pull", registry.host + "/team/thing")
    for tag in ("a", "b"):
        udocker.ok("tag", registry.host + "/team/thing", "box:" + tag)
    every = udocker("push", "--all-tags", "box", registry.host + "/all/box")
    assert every.out.splitlines() == ["%s: digest: %s size: %d" % (
        tag, IMAGE.digest, len(IMAGE.manifest)) for tag in "ab"], every
    assert registry.tags["all/box"] == {"a": IMAGE.digest, "b": IMAGE.digest}
    # --registry stands for Docker Hub, where a short name is in library/; pull asks there first
    udocker.ok("push", "--registry=" + registry.url, "box:a")
    assert registry.tags["library/box"] == {"a": IMAGE.digest}
    udocker.ok("rmi", "box:a")
    udocker.ok("pull", "--registry=" + registry.url, "box:a")
    udocker.ok("push", "box:a", env={"UDOCKER_REGISTRY": registry.url})
    udocker.ok("push", "--platform=linux/amd64", "box:a", registry.host + "/x")
    for words, message in [
            (["--platform=linux/s390x", "box:a", registry.host + "/y"], "is not for platform"),
            (["--platform=z", "box:a"], "invalid platform"),
            (["absent:v1"], "image not found"), ([], "an argument is missing"),
            (["-a", "box:a"], "--all-tags wants a name without a tag"),
            (["-a", "absent"], "image not found"), (["box:a", "b", "c"], "syntax error"),
            (["box:a", registry.host + "/UPPER"], "upper-case"), (["box:a", ""], "invalid image name"),
            (["box:a", registry.host + "/x@sha256:" + "0" * 64], "has the digest"),
            (["box:a", "a\x1b[31m"], "invalid image name"),
            (["--registry=http://u:%s@x" % SECRET, "box:a"], "user name or a password"),
            (["--authfile=/absent", "box:a", registry.host + "/z"], "no such file")]:
        done = udocker("push", *words)
        assert (done.status, done.out) == (125, ""), (words, done)
        error = [line for line in done.err.splitlines() if not line.startswith("Info: ")]
        assert len(error) == 1 and message in error[0], (words, done.err)
        assert SECRET not in done.err and "\x1b" not in done.err
    assert set(registry.tags) == {"team/thing", "all/box", "library/box", "x"}


@pytest.mark.shows("login --httpproxy", "pull --httpproxy", "push --httpproxy", "manifest --httpproxy",
                   "search --httpproxy", "--insecure")
def test_proxies_and_insecure_registries_are_for_all_of_them(udocker, tmp_path):
    with FakeRegistry(BasicAuth({"ann": SECRET}), make_certificate(tmp_path), name="localhost") as secure, \
            FakeProxy() as proxy:
        secure.add("team/thing", "latest", IMAGE)
        name, via = secure.host + "/team/thing", "--httpproxy=" + proxy.url
        for words, data in ((["login", "-u", "ann", "--password-stdin", secure.host], SECRET),
                            (["pull", name], ""), (["push", name, secure.host + "/x"], ""),
                            (["manifest", "inspect", name], ""), (["search", "--list-tags", name], ""),
                            (["search", secure.host + "/team"], "")):
            if words[0] != "push":
                refused = udocker(*words, input=data)
                assert refused.status == 125 and "cannot trust localhost" in refused.err, refused
            seen, direct = len(proxy.requests), secure.connections
            done = udocker("--insecure", words[0], via, *words[1:], input=data)
            assert done.status == 0, (words, done)
            assert len(proxy.requests) - seen == secure.connections - direct > 0, "all went through it"
        assert all(method == "CONNECT" and "authorization" not in headers
                   for method, _, headers in proxy.requests)
        assert secure.tags["x"] == {"latest": IMAGE.digest}


def test_a_damaged_layer_and_a_registry_that_lies(udocker, registry):
    name = registry.host + "/team/thing"
    udocker.ok("pull", name)
    registry.fault("/manifests/" + IMAGE.digest, lie="sha256:" + "1" * 64)
    lied = udocker("push", name, registry.host + "/other/place")
    assert lied.status == 125 and "digest" in lied.err and lied.out == ""
    path = os.path.join(udocker.home, ".udocker/layers", images.digest_of(LAYERS[1].data))
    with open(path, "r+b") as file:
        file.seek(1 << 20)
        file.write(b"damaged")
    registry.blobs.clear()
    damaged = udocker("push", name, registry.host + "/third/place")
    assert damaged.status == 125 and "is damaged here" in damaged.err, damaged.err
    assert "third/place" not in registry.tags
    os.unlink(path)
    missing = udocker("push", name)
    assert missing.status == 125 and "lacks the layer" in missing.err


def test_other_programs_and_udocker_share_logins(udocker, real, tmp_path):
    log_in(udocker, real.host)
    images.push(real.base, "shared", "latest", IMAGE, basic("ann", SECRET))
    clean = {"HOME": udocker.home, "PATH": os.environ["PATH"], "XDG_RUNTIME_DIR": str(tmp_path)}
    name = real.host + "/shared"
    words = ["skopeo", "inspect", "--raw", "--tls-verify=false", "docker://" + name]
    skopeo("--version")
    assert subprocess.check_output(words, env=clean) == IMAGE.manifest
    udocker.ok("logout", real.host)
    assert subprocess.call(words, env=clean, stderr=subprocess.DEVNULL) != 0
    theirs = dict(clean, REGISTRY_AUTH_FILE=str(tmp_path / "auth.json"))
    subprocess.run(["skopeo", "login", "--tls-verify=false", "-u", "ann", "--password-stdin", real.host],
                   input=SECRET.encode(), env=theirs, stdout=subprocess.DEVNULL, check=True)
    udocker.ok("pull", "--authfile", tmp_path / "auth.json", name)
    udocker.ok("logout", "--authfile", tmp_path / "auth.json", real.host)
    assert subprocess.call(["skopeo", "logout", real.host], env=theirs, stderr=subprocess.DEVNULL,
                           stdout=subprocess.DEVNULL) != 0, "there is nothing left to forget"


# manifest inspect

@pytest.mark.shows("manifest", "manifest --index --registry --platform")
def test_a_manifest_is_printed_as_it_came(udocker, registry):
    several = images.index([images.image(LAYERS[:1], architecture=name) for name in ("arm64", "amd64")])
    registry.add("team/several", "v1", several)
    name = registry.host + "/team/several:v1"
    assert udocker("manifest", "inspect", name, binary=True).out == several.manifest
    for words in (["--platform=linux/arm64", "inspect", name], ["inspect", "--platform=linux/arm64", name],
                  ["inspect", name, "--platform", "linux/arm64"]):
        assert udocker("manifest", *words, binary=True).out == several.children[0].manifest
    assert udocker("manifest", "--index=http://unused", "--registry=" + registry.url, "inspect",
                   "team/several:v1", binary=True).out == several.manifest
    for words, message in [
            (["inspect", registry.host + "/team/nothing"], "no such image"),
            (["inspect", name, "--platform=linux/s390x"], "available platforms: linux/amd64, linux/arm64"),
            (["create", name], "no such action: 'create'"), (["inspect"], "an argument is missing"),
            (["inspect", name, "x"], "syntax error"), (["inspect", "a b"], "invalid image name"),
            (["inspect", "--plaform=x", name], "did you mean '--platform'")]:
        done = udocker("manifest", *words)
        assert (done.status, done.out) == (125, "") and message in done.err, (words, done)
    udocker.ok("pull", registry.host + "/team/thing")
    del registry.tags["team/thing"]
    done = udocker("manifest", "inspect", registry.host + "/team/thing")
    assert done.status == 125 and "no such image" in done.err, "it is the registry that is asked"
