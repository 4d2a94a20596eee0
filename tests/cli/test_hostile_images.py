"""What images and registries say reaches a terminal escaped; and pulls as docker's users write them."""

import json
import os
import tarfile

import pytest

from tests.fakes.images import image, layer, layer_of_tar
from tests.fakes.registry import FakeRegistry

EVIL = "\x1b[31mred\x1b]0;title\x07\nInfo: forged\u202e"
MACHINE = {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine, os.uname().machine)


@pytest.fixture
def registry(demo_archive):
    """A registry with the image many in the tags one and two, and those of hostile configurations."""
    with tarfile.open(demo_archive) as archive:
        base = layer_of_tar(archive.extractfile("layer.tar").read())
    with FakeRegistry() as running:
        for tag in ("one", "two"):
            running.add("library/many", tag, image([base, layer({"etc/motd": tag.encode("ascii")})],
                                                   architecture=MACHINE))
        for name, config in (
                ("user", {"User": EVIL}), ("workdir", {"WorkingDir": "/etc/motd/" + EVIL}),
                ("entrypoint", {"Entrypoint": [EVIL]}), ("cmd", {"Cmd": [EVIL]}),
                ("labels", {"Cmd": ["true"], "Labels": {EVIL: EVIL}, "Env": ["A" + EVIL + "=" + EVIL]})):
            running.add("library/" + name, "latest", image([base], dict({"Env": ["PATH=/bin"]}, **config),
                                                           architecture=MACHINE))
        yield running


def is_clean(text):
    return text.replace("\n", "").isprintable() and "\nInfo: forged" not in text


def test_what_an_image_says_of_itself_reaches_nobodys_terminal(udocker, demo_home, registry):
    for name in ("user", "workdir", "entrypoint", "cmd"):
        done = udocker("run", "--rm", "--registry=" + registry.url, name)
        assert done.status in (125, 126, 127) and done.out == "" and is_clean(done.err), (name, done)
        assert done.err.count("Error: ") == 1
    udocker.ok("pull", "--registry=" + registry.url, "labels")
    for words in (["inspect", "labels"], ["history", "--no-trunc", "labels"], ["images", "--format=json"],
                  ["inspect", "-f", "{{.Config.Labels}} {{.Config.Env}}", "labels"],
                  ["inspect", "-f", "{{range .Config.Env}}{{.}};{{end}}", "labels"],
                  ["inspect", "-f", "{{json .Config}}", "labels"],
                  ["run", "--dry-run", "labels"], ["run", "--dry-run", "--format=json", "labels"]):
        shown = udocker.ok(*words)
        assert is_clean(shown), (words, shown)
    document = json.loads(udocker.ok("inspect", "labels"))
    assert document["config"]["Labels"] == {EVIL: EVIL}


@pytest.mark.shows("pull -q --quiet -a --all-tags", "create --pull -i --interactive -t --tty")
def test_pulls_as_users_of_docker_write_them(udocker, demo_home, registry):
    where = "--registry=" + registry.url
    assert udocker.ok("pull", "-q", where, "many:one") == "many:one\n"
    assert udocker.ok("pull", "--quiet", "--all-tags", where, "many") == "many:one\nmany:two\n"
    udocker.ok("pull", "-a", where, "many")
    for wrong in ("many:one", "many@sha256:" + "0" * 64):
        assert udocker("pull", "-a", where, wrong).status == 125
    udocker.ok("create", "-it", "--pull=never", "many:two")
    udocker.ok("create", "--interactive", "--tty", "--pull", "always", where, "many:one")
    assert udocker("create", "--pull=never", "nothing").status == 125
    assert udocker("create", "--pull=reuse", "many:two").status == 125
