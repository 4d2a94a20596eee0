"""One data directory, two programs: udocker 1.3.17 as it comes from PyPI, and ours."""

import json
import os
import subprocess
import tarfile

import pytest

from tests.fakes import images
from tests.fakes.docker_registry import DOCKER_REGISTRY, RealRegistry

#: What a docker of the time of 1.3.17 wrote beside each layer.
_ENV = ["PATH=/bin"]


@pytest.fixture(scope="module")
def registry(tmp_path_factory, demo_archive):
    if DOCKER_REGISTRY is None:
        pytest.skip("the program docker-registry is not installed (Debian package docker-registry)")
    running = RealRegistry(str(tmp_path_factory.mktemp("registry")))
    images.push(running.base, "library/pulled", "latest", image(demo_archive, b"pulled\n"))
    yield running
    running.stop()


def image(demo_archive, text, types=images.OCI):
    with tarfile.open(demo_archive) as archive:
        base = archive.extractfile("layer.tar").read()
    return images.image([images.layer_of_tar(base), images.layer({"etc/motd": text})],
                        config={"Cmd": ["cat", "/etc/motd"], "Env": _ENV}, types=types)


@pytest.fixture
def old(old_program, udocker):
    """Run 1.3.17 in the home of the fixture ``udocker``; returns its standard output."""
    # it takes the engines that ours has installed, and so needs no network
    assert udocker("install").status == 0

    def run(*words, **environment):
        command, path = old_program
        done = subprocess.run([command, "--quiet"] + list(words), stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              env=dict(udocker.environment(), PYTHONPATH=path, **environment))
        assert done.returncode == 0, (words, done.stdout[-500:], done.stderr[-500:])
        return done.stdout.decode("utf-8")
    return run


def test_what_1_3_17_pulled_and_created_is_ours_too(old, udocker, registry):
    old("pull", "--registry=" + registry.base, "pulled")
    old("create", "--name=box", "pulled")
    assert "pulled:latest    ." in udocker("images").out
    assert "['box']" in udocker("ps").out
    assert json.loads(udocker("inspect", "box").out)["config"]["Cmd"] == ["cat", "/etc/motd"]
    assert json.loads(udocker("inspect", "pulled").out)["config"]["Env"] == _ENV
    assert udocker("run", "box").out == "pulled\n"
    assert udocker("run", "--rm", "pulled").out == "pulled\n"


def test_what_1_3_17_has_is_extended_and_removed_by_ours(old, udocker, registry):
    old("pull", "--registry=" + registry.base, "pulled")
    old("create", "--name=box", "pulled")
    assert udocker("name", "box", "second").status == 0
    assert "second" in old("ps")
    assert udocker("rmname", "box").status == 0
    assert udocker("rm", "second").status == 0
    assert udocker("rmi", "pulled").status == 0
    assert "pulled" not in old("images") + old("ps")
    top = os.path.join(udocker.home, ".udocker")
    assert os.listdir(top + "/layers") == [] and os.listdir(top + "/repos") == []
    assert os.listdir(top + "/containers") == []


def test_what_differs_in_a_container_of_1_3_17_becomes_an_image_that_it_runs(old, udocker, registry):
    old("pull", "--registry=" + registry.base, "pulled")
    old("create", "--name=box", "pulled")
    assert udocker.ok("diff", "box") == ""
    old("run", "-v", "/usr:/m/n", "box", "true")
    assert udocker.ok("diff", "box") == ""
    old("run", "box", "sh", "-c", "echo new > /tmp/new; rm /etc/motd")
    assert udocker.ok("diff", "box") == "C /etc\nD /etc/motd\nC /tmp\nA /tmp/new\n"
    udocker.ok("commit", "-c", "CMD cat /tmp/new; test -e /etc/motd || echo gone", "box", "mine:1")
    made = old("create", "mine:1").strip()
    assert old("run", made) == "new\ngone\n"
    assert udocker.ok("diff", made) == ""
    udocker.ok("cp", "box:/tmp/new", "new")
    udocker.ok("tag", "pulled", "spare")
    assert udocker.ok("system", "prune", "-af").startswith("deleted image: spare:latest\n")
    assert old("run", "box", "cat", "/tmp/new") == "new\n" == old("run", made, "cat", "/tmp/new")


def test_what_ours_made_is_run_and_removed_by_1_3_17(old, udocker, registry):
    reference = "--registry=" + registry.base
    assert udocker("pull", reference, "pulled").status == 0
    assert udocker("create", "--name=box", "pulled").status == 0
    assert "pulled:latest" in old("images")
    assert "['box']" in old("ps")
    assert old("run", "--nobanner", "box").endswith("pulled\n")
    container_id = old("create", "--name=theirs", "pulled").strip()
    assert udocker("run", container_id).out == "pulled\n"
    assert json.loads(old("inspect", "box"))["config"]["Cmd"] == ["cat", "/etc/motd"]
    old("verify", "pulled")
    old("rm", "box")
    old("rm", "theirs")
    old("rmi", "pulled")
    assert udocker("images").out == "REPOSITORY\n"
    assert os.listdir(os.path.join(udocker.home, ".udocker", "layers")) == []


def test_an_archive_that_ours_loaded_is_good_for_1_3_17(old, udocker, demo_archive):
    assert udocker("load", "-i", demo_archive).status == 0
    old("verify", "demo")
    old("create", "--name=box", "demo")
    assert "Hello from inside" in old("run", "--nobanner", "box")


def test_an_archive_that_1_3_17_loaded_is_good_for_ours(old, udocker, demo_archive, tmp_path):
    archive = str(tmp_path / "saved.tar")
    write_archive_of_docker_20(archive, image(demo_archive, b"loaded\n"))
    old("load", "-i", archive)
    assert "saved:one" in udocker("images").out
    assert udocker("run", "--rm", "saved:one").out == "loaded\n"
    assert udocker("rmi", "saved:one").status == 0
    assert os.listdir(os.path.join(udocker.home, ".udocker", "layers")) == []


def test_what_ours_saves_is_loaded_by_1_3_17(old, udocker, demo_archive):
    assert udocker("load", "-i", demo_archive).status == 0
    assert udocker("save", "-o", "saved.tar", "demo").status == 0
    assert udocker("rmi", "demo").status == 0
    old("load", "-i", os.path.join(udocker.home, "saved.tar"))
    old("verify", "docker.io/library/demo")
    old("create", "--name=box", "docker.io/library/demo")
    assert "Hello from inside" in old("run", "--nobanner", "box")
    assert udocker("run", "--rm", "demo").out.startswith("Hello from inside")


def test_what_1_3_17_saves_is_loaded_by_ours(old, udocker, registry):
    archive = os.path.join(udocker.home, "saved.tar")
    old("pull", "--registry=" + registry.base, "pulled")
    old("save", "-o", archive, "pulled")
    old("rmi", "pulled")
    assert udocker("load", "-i", archive).out == "['pulled:latest']\n"
    assert udocker("verify", "pulled").status == 0
    assert udocker("run", "--rm", "pulled").out == "pulled\n"


def test_file_systems_and_containers_go_both_ways(old, udocker, registry, tmp_path):
    theirs, ours = (str(tmp_path / name) for name in ("theirs.tar", "ours.tar"))
    old("pull", "--registry=" + registry.base, "pulled")
    old("create", "--name=box", "pulled")
    for words in (["--clone"], []):
        old("export", *(words + ["-o", theirs, "box"]))
        udocker.ok("export", *(words + ["-o", ours, "box"]))
        kind = words or ["--tocontainer"]
        container = udocker.ok("import", *(kind + [theirs, "x:1"])).strip()
        assert udocker.ok("run", container, "cat", "/etc/motd") == "pulled\n"
        if words:
            assert udocker.ok("run", container) == "pulled\n"  # a clone knows its command
        container = old("import", *(kind + [ours, "x:1"])).strip()
        assert old("run", "--nobanner", container, "cat", "/etc/motd").endswith("pulled\n")
    old("import", theirs, "theirs:1")
    udocker.ok("import", ours, "ours:1")
    assert udocker.ok("verify", "theirs:1") == ""
    assert udocker.ok("run", "--rm", "theirs:1", "cat", "/etc/motd") == "pulled\n"
    assert udocker.ok("tag", "theirs:1", "third:3") == udocker.ok("rmi", "theirs:1") == ""
    old("verify", "third:3")
    old("verify", "ours:1")
    made = old("create", "ours:1").strip()
    assert old("run", "--nobanner", made, "cat", "/etc/motd").endswith("pulled\n")


def test_protection_copies_and_names_are_the_same_thing_to_both(old, udocker, registry):
    old("pull", "--registry=" + registry.base, "pulled")
    old("create", "--name=box", "pulled")
    udocker.ok("protect", "box")
    udocker.ok("protect", "pulled")
    assert "pulled:latest    P" in old("images") and " P W ['box']" in old("ps")
    old("unprotect", "box")
    old("unprotect", "pulled")
    old("clone", "--name=theirs", "box")
    udocker.ok("clone", "--name=ours", "box")
    assert udocker.ok("run", "theirs") == "pulled\n"
    assert old("run", "--nobanner", "ours").endswith("pulled\n")
    udocker.ok("rename", "theirs", "mine")
    udocker.ok("tag", "pulled", "more:1")
    assert "['mine']" in old("ps") and "more:1" in old("images")
    udocker.ok("mkrepo", "elsewhere")
    old("--repo=" + os.path.join(udocker.home, "elsewhere"), "images")


def write_archive_of_docker_20(path, made):
    """Write what docker save wrote before version 25: a directory a layer, with json and VERSION."""
    import gzip
    import hashlib
    import io
    with tarfile.open(path, "w") as archive:
        def add(name, data):
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))

        names, parent = [], None
        for layer in made.layers:
            identity = hashlib.sha256(layer.data).hexdigest()
            description = {"id": identity, "created": "2020-01-01T00:00:00Z"}
            if parent:
                description["parent"] = parent
            add(identity + "/VERSION", b"1.0")
            add(identity + "/json", json.dumps(description).encode("ascii"))
            add(identity + "/layer.tar", gzip.decompress(layer.data))
            names.append(identity + "/layer.tar")
            parent = identity
        config = hashlib.sha256(made.config).hexdigest() + ".json"
        add(config, made.config)
        add("manifest.json", json.dumps([{"Config": config, "RepoTags": ["saved:one"],
                                          "Layers": names}]).encode("ascii"))
        add("repositories", json.dumps({"saved": {"one": parent}}).encode("ascii"))
