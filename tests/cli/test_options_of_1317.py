"""Options of udocker 1.3.17 that no other test is about, each with what it does in a real container."""

import json
import os

import pytest

from tests.fakes.images import image, index, layer
from tests.fakes.proxy import FakeProxy
from tests.fakes.registry import FakeRegistry

shows = pytest.mark.shows


@pytest.fixture
def registry(demo_archive):
    """A registry with the image small, which has a program, for this machine and for arm64."""
    import tarfile
    from tests.fakes.images import layer_of_tar
    with tarfile.open(demo_archive) as archive:
        base = layer_of_tar(archive.extractfile("layer.tar").read())
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine, os.uname().machine)
    with FakeRegistry() as running:
        running.add("library/small", "latest", index([
            image([base, layer({"etc/motd": b"native\n"})], architecture=machine),
            image([base, layer({"etc/motd": b"foreign\n"})], architecture="riscv64")]))
        yield running


@shows("run --novol")
def test_a_default_volume_may_be_left_out(udocker, demo_home):
    assert udocker.ok("run", "--novol=/sys", "c", "ls", "/sys") == ""
    assert udocker.ok("run", "--novol=/sys", "--novol=/proc", "c", "ls", "/proc") == ""
    warned = udocker("run", "--novol=/nope", "c", "true")
    assert warned.status == 0 and "--novol /nope: there is no such volume" in warned.err


@shows("run -p --publish")
def test_a_port_is_another_one_on_the_host_in_p_modes(udocker, demo_home):
    for words in (("-p", "8080:80"), ("--publish=8080:80",), ("-p", "127.0.0.1:8080:80")):
        plan = json.loads(udocker.ok("run", "--dry-run", "--format=json", *(words + ("c", "true"))))
        at = plan["argv"].index("-p")
        assert plan["argv"][at + 1] == "80:8080"
    warned = udocker("run", "--execmode=R1", "-p", "8080:80", "c", "true")
    assert warned.status == 0 and "publish" in warned.err
    assert udocker("run", "-p", "here:there", "c", "true").status == 125


@shows("run -a --attach -P --publish-all --netcoop -i --interactive -t --tty --nobanner")
def test_what_is_always_so_is_accepted(udocker, demo_home):
    for words in (["-a", "STDOUT", "--attach=STDERR"], ["-P"], ["--publish-all"], ["--netcoop"],
                  ["-i", "-t"], ["--interactive", "--tty"], ["--nobanner"]):
        done = udocker("run", *(words + ["c", "cat"]), input="through\n")
        assert (done.status, done.out) == (0, "through\n"), words


@shows("run --hostenv")
def test_the_whole_environment_of_the_host(udocker, demo_home):
    env = {"MINE": "of the host"}
    assert udocker.ok("run", "c", "sh", "-c", "echo $MINE", env=env) == "\n"
    assert udocker.ok("run", "--hostenv", "c", "sh", "-c", "echo $MINE", env=env) == "of the host\n"


@shows("run --nometa")
def test_what_the_image_says_may_be_ignored(udocker, demo_home):
    assert udocker.ok("run", "c").startswith("Hello")
    done = udocker("run", "--nometa", "c", input="echo no meta\n")
    assert done.out == "no meta\n" and "neither you nor the image say what to run" in done.err


@shows("create --force", "clone --force", "rmname")
@pytest.mark.parametrize("command, what", [("create", "demo"), ("clone", "c")])
def test_with_force_one_is_made_without_the_name_that_is_taken(udocker, demo_home, command, what):
    assert udocker(command, "--name=c", what).status == 125
    container = udocker.ok(command, "--force", "--name=c", what).strip()
    assert udocker.ok("ps").count("['c']") == 1
    udocker.ok("name", container, "d")
    udocker.ok("rmname", "d")
    assert "'d'" not in udocker.ok("ps") and udocker.ok("run", container, "echo", "x") == "x\n"


@shows("rmi -f")
def test_a_half_removed_image_goes_with_force(udocker, demo_home):
    tag = demo_home / ".udocker" / "repos" / "demo" / "latest"
    os.unlink(str(tag / "manifest"))
    udocker.ok("rmi", "-f", "demo")
    assert udocker.ok("images") == "REPOSITORY\n"
    assert os.listdir(str(demo_home / ".udocker" / "layers")) == []


@shows("setup --force")
def test_a_mode_may_be_set_up_again(udocker, demo_home):
    udocker.ok("setup", "--execmode=P2", "c")
    udocker.ok("setup", "--force", "--execmode=P2", "c")
    assert udocker.ok("setup", "c").startswith("execmode: P2\n")
    assert udocker.ok("run", "c", "echo", "x") == "x\n"


@shows("images -a --all --no-trunc")
def test_images_lists_all_and_cuts_nothing(udocker, demo_home):
    listed = udocker.ok("images")
    for word in ("-a", "--all", "--no-trunc"):
        assert "\ndemo:latest" in udocker.ok("images", word) and "demo:latest" in listed


@shows("doctor --json")
def test_doctor_in_json(udocker, demo_home):
    assert json.loads(udocker("doctor", "--json").out)["udocker"]


@shows("pull --registry --index", "create --registry --index --platform",
       "run --registry --index --platform")
def test_whatever_pulls_can_be_told_from_where_and_for_which_platform(udocker, demo_home, registry):
    # --index is where to search, which no pull does
    where = ["--registry=" + registry.url, "--index=http://127.0.0.1:1"]
    udocker.ok("pull", *(where + ["small"]))
    udocker.ok("rmi", "small")
    container = udocker.ok("create", *(where + ["small"])).strip()
    assert udocker.ok("run", container, "cat", "/etc/motd") == "native\n"
    udocker.ok("rmi", "small")
    assert udocker.ok("run", *(where + ["--rm", "small", "cat", "/etc/motd"])) == "native\n"
    other = ["--platform=linux/riscv64"]
    for command in ("create", "run"):
        udocker.ok("rmi", "small")
        words = where + other + ["--name=" + command, "small"]
        udocker.ok(command, *(words + (["cat", "/etc/motd"] if command == "run" else [])))
        root = udocker.ok("inspect", "-p", command).strip()
        with open(os.path.join(root, "etc", "motd")) as file:
            assert file.read() == "foreign\n"


@shows("pull -q --quiet", "load -q --quiet")
def test_quiet_commands_say_the_name_alone(udocker, demo_archive, registry):
    for word in ("-q", "--quiet"):
        done = udocker("pull", word, "--registry=" + registry.url, "small")
        assert (done.status, done.out, done.err) == (0, "small:latest\n", "")
        assert udocker.ok("load", word, "-i", demo_archive) == "['demo:latest']\n"


@shows("pull --httpproxy", "create --httpproxy", "run --httpproxy")
def test_whatever_pulls_can_be_told_of_a_proxy(udocker, demo_home, registry):
    with FakeProxy() as proxy:
        for words in (["pull"], ["create"], ["run", "--rm"]):
            proxy.requests.clear()
            udocker.ok(*(words + ["--httpproxy=" + proxy.url, "--registry=" + registry.url, "small"]
                         + ["true"] * (words[0] == "run")))
            assert any("/v2/library/small/" in target for _, target, _ in proxy.requests), words
            udocker.ok("rmi", "small")
