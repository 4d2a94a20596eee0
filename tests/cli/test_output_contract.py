"""What programs parse, as udocker 1.3.17 prints it; and what is no contract goes to stderr."""

import json
import os
import re

import pytest

ID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"


@pytest.mark.shows("version", "-V --version")
def test_version_is_three_lines(udocker):
    lines = udocker.ok("version").split("\n")
    assert [line.partition(":")[0] for line in lines] == ["version", "tarball", "tarball_release", ""]
    assert udocker.ok("-V") == udocker.ok("--version") == udocker.ok("version")


@pytest.mark.shows("version -f --format")
def test_version_in_the_ways_in_which_docker_is_asked(udocker):
    version = udocker.ok("version").split("\n")[0].split()[1]
    for word in ("{{.Server.Version}}", "{{.Client.Version}}"):
        assert udocker.ok("version", "--format", word) == version + "\n"
    for word in ("json", "{{json .}}"):
        assert json.loads(udocker.ok("version", "-f", word))["Server"]["Version"] == version
    assert udocker("version", "-f", "{{.No.Such}}").status == 125


@pytest.mark.shows("showconf")
def test_showconf_has_its_frame_and_a_line_for_each_key(udocker):
    lines = udocker.ok("showconf").split("\n")
    assert lines[0] == lines[2] == lines[-2] == "-" * 80
    assert lines[1] == "\t\tConfiguration options"
    assert all(" = " in line for line in lines[3:-2])
    shown = udocker.ok("showconf", env={"UDOCKER_LOGLEVEL": "2"})
    assert "verbose_level = 2    # UDOCKER_LOGLEVEL" in shown


@pytest.mark.shows("images -p -l")
def test_images_begin_with_name_and_tag(udocker, demo_home):
    assert udocker.ok("images") == "REPOSITORY\ndemo:latest    .\n"
    assert udocker.ok("images", "-p") == "REPOSITORY\nlinux/amd64        . demo:latest\n"
    (demo_home / ".udocker" / "repos" / "demo" / "latest" / "PROTECT").write_text("")
    assert udocker.ok("images") == "REPOSITORY\ndemo:latest    P\n"
    long = udocker.ok("images", "-l").split("\n")
    assert long[2].strip() == str(demo_home / ".udocker" / "repos" / "demo" / "latest")
    assert all(re.match(r"    /sha256:[0-9a-f]{64} \(\d+ MB\)$", line) for line in long[3:-1])


@pytest.mark.shows("ps -m -s -p", "name")
def test_the_columns_of_ps(udocker, demo_home):
    header, line = udocker.ok("ps").split("\n")[:2]
    assert header.split() == ["CONTAINER", "ID", "P", "M", "NAMES", "IMAGE"]
    assert re.match(ID + r" \. W \['c'\]              demo:latest {9}$", line)
    line = udocker.ok("ps", "-m", "-s", "-p").split("\n")[1]
    assert re.match(ID + r" \. W P1  +\d+ linux/amd64        \['c'\]              demo:latest", line)
    udocker.ok("name", "c", "another")
    assert "['another', 'c']" in udocker.ok("ps")


@pytest.mark.shows("create")
def test_create_prints_the_id_and_nothing_else(udocker, demo_home):
    assert re.match(ID + r"\n$", udocker.ok("create", "demo"))


@pytest.mark.shows("load -i", "load")
def test_load_prints_a_list_of_names(udocker, demo_archive):
    assert udocker.ok("load", "-i", demo_archive) == "['demo:latest']\n"
    assert udocker.ok("load", "-i", demo_archive) == "['demo:latest']\n"  # again: no second image
    assert udocker.ok("load", "-i", demo_archive, "other:tag") == "['other:tag']\n"


@pytest.mark.shows("inspect -p", "inspect")
def test_inspect_is_sorted_json_with_four_blanks(udocker, demo_home):
    text = udocker.ok("inspect", "demo")
    assert text == json.dumps(json.loads(text), indent=4, sort_keys=True) + "\n"
    assert json.loads(udocker.ok("inspect", "c")) == json.loads(text)
    path = udocker.ok("inspect", "-p", "c").strip()
    assert os.path.isfile(path + "/bin/busybox") and path.endswith("/ROOT")


def test_what_clients_look_for_in_messages_is_there(udocker, demo_home):
    assert "container name already exists" in udocker("create", "--name=c", "demo").err
    assert "invalid host volume path" in udocker("run", "-v", "/nope", "c").err
    assert "command not found or has no execute bit set" in udocker("run", "c", "nope").err
    assert "invalid udocker repository" in udocker("--repo=/nope", "images").err
    assert "image not found" in udocker("run", "--pull=never", "nope").err


@pytest.mark.parametrize("words", [["images"], ["ps"], ["rm", "nope"], ["rmname", "c"],
                                   ["run", "c", "true"], ["install"]])
def test_messages_never_mix_with_results(udocker, demo_home, words):
    out = udocker(*words).out
    assert not re.search("Info|Warning|Error|STARTING", out)


@pytest.mark.shows("-q")
def test_quiet_says_nothing_but_errors(udocker, demo_archive):
    result = udocker("-q", "load", "-i", demo_archive)
    assert (result.status, result.err) == (0, "")
    assert udocker("-q", "rm", "nope").err.startswith("Error: ")


def test_an_id_may_be_given_by_its_start(udocker, demo_home):
    container_id = udocker.ok("create", "demo").strip()
    for length in (36, 12, 8):
        assert udocker("run", container_id[:length], "true").status == 0


def test_debug_shows_where_an_error_comes_from_and_nothing_else_does(udocker):
    assert "Traceback" not in udocker("rm", "nope").err
    assert "Traceback" in udocker("-D", "run", "nope/../x").err


@pytest.mark.shows("--allow-root")
def test_root_is_refused(udocker):
    # a user namespace, in which an ordinary user is root
    import shutil
    import subprocess
    if shutil.which("unshare") is None or subprocess.call(["unshare", "-r", "true"]):
        pytest.skip("no user namespaces here, in which to be root")
    done = subprocess.run(["unshare", "-r"] + udocker.command("images"),
                          env=udocker.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert done.returncode == 125 and b"do not run as root !" in done.stderr
    assert done.stdout == b"" and not os.path.exists(os.path.join(udocker.home, ".udocker"))
    allowed = udocker.command("--allow-root", "images")
    assert subprocess.call(["unshare", "-r"] + allowed, env=udocker.environment(),
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) == 0


@pytest.mark.shows("--repo")
def test_another_repository_may_be_named(udocker, demo_home, tmp_path):
    other = str(tmp_path / "other")
    udocker.ok("images", udocker_dir=other)
    assert udocker.ok("--repo=" + other, "ps") == udocker.ok("ps", udocker_dir=other)
    assert "['c']" not in udocker.ok("--repo", other, "ps")
