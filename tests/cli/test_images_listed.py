"""``images``, ``inspect`` and ``rmi`` as users of docker write them, and ids that stand for images."""

import json
import os
import subprocess
import tarfile

import pytest


@pytest.fixture
def three(udocker, demo_home, tmp_path):
    """The names other/x:1 (the image demo too) and old:2 besides demo; return the id of demo."""
    udocker.ok("tag", "demo", "other/x:1")
    archive = tmp_path / "old.tar"
    with tarfile.open(str(archive), "w") as tar:
        tar.add(__file__, "file")
    udocker.ok("import", archive, "old:2")
    return udocker.ok("images", "-q", "--no-trunc", "demo").strip()


@pytest.mark.shows("images", "images -q --no-trunc --format --digests --filter -f")
def test_images(udocker, three):
    # what scripts of 1.3.17 read: nothing is added where a program reads
    plain = "REPOSITORY\ndemo:latest    .\nold:2    .\nother/x:1    .\n"
    assert udocker.ok("images") == plain
    digits = three[len("sha256:"):]
    assert udocker.ok("images", "-q", "--no-trunc", "demo") == three + "\n"
    assert udocker.ok("images", "-q").split() == [digits[:12], udocker.ok("images", "-q", "old").strip(),
                                                  digits[:12]]
    assert udocker.ok("images", "other/x") == "REPOSITORY\nother/x:1    .\n"
    for name in ("demo", "demo:latest", "docker.io/library/demo", "dem*"):
        assert udocker.ok("images", name) == "REPOSITORY\ndemo:latest    .\n", name
    assert udocker.ok("images", "demo:2") == udocker.ok("images", "nothing") == "REPOSITORY\n"
    assert udocker.ok("images", "--format", "{{.Repository}}:{{.Tag}} {{.ID}}", "demo") \
        == "demo:latest %s\n" % digits[:12]
    rows = [json.loads(line) for line in udocker.ok("images", "--format=json").splitlines()]
    assert [row["Repository"] for row in rows] == ["demo", "old", "other/x"]
    assert rows[0]["Size"].endswith("MB") and rows[0]["Digest"].startswith("sha256:")
    assert udocker.ok("images", "--format", "table", "demo").splitlines()[0].split() \
        == ["REPOSITORY", "TAG", "IMAGE", "ID", "CREATED", "SIZE"]
    assert rows[0]["Digest"] in udocker.ok("images", "--digests", "demo")
    assert udocker.ok("images", "-q", "--filter", "reference=*/x").strip() == digits[:12]
    assert udocker.ok("images", "-q", "-f", "dangling=true") == ""
    assert udocker.ok("images", "-q", "-f", "label=none") == ""
    assert udocker.ok("images", "-f", "dangling=false", "--filter=reference=old:2") \
        == "REPOSITORY\nold:2    .\n"
    for wrong in ("--filter=what=1", "--filter=label", "--filter=dangling=x", "--filter=before=none",
                  "--format={{.What}}"):
        done = udocker("images", wrong)
        assert (done.status, done.out) == (125, "") and done.err.count("\n") == 1, wrong


def test_a_person_sees_ids_and_sizes_in_lines_that_begin_as_ever(udocker, three):
    import pty
    leader, follower = pty.openpty()
    job = udocker.start("images", stdout=follower, stdin=follower, stderr=subprocess.PIPE)
    os.close(follower)
    said = b""
    try:
        while True:
            said += os.read(leader, 4096)
    except OSError:
        pass  # EIO: the other side is closed
    assert job.wait(20) == 0
    job.stderr.close()
    os.close(leader)
    lines = said.decode("utf-8").split("\r\n")
    assert lines[1].startswith("demo:latest ") and three[7:19] in lines[1] and lines[1].endswith("MB")


@pytest.mark.shows("inspect -f", "rmi")
def test_an_id_stands_for_its_image(udocker, three):
    digits = three[len("sha256:"):]
    for text in (three, "sha256:" + digits[:7], digits, digits[:12], digits[:3]):
        # of what is so short, a container's id may be the start as well
        assert udocker.ok("inspect", "--type=image", "-f", "{{.Id}}", text) == three + "\n"
    assert udocker.ok("run", "--rm", digits[:12], "echo", "in") == "in\n"
    assert len(udocker.ok("create", digits[:6]).strip()) == 36
    udocker.ok("tag", digits[:12], "third:3")
    assert digits[:12] in udocker.ok("history", digits[:12])
    udocker.ok("verify", digits[:12])
    udocker.ok("save", "-o", os.path.join(udocker.home, "saved.tar"), digits[:12])
    assert udocker("inspect", "--type=image", digits[:2]).status == 125  # it could as well be a name
    assert udocker("run", "--pull=never", "abcdef", "true").status == 125
    done = udocker("rmi", digits[:12])
    assert done.status == 125 and "demo:latest, other/x:1, third:3" in done.err
    # a name counts more than an id
    udocker.ok("tag", "old:2", digits[:4])
    assert udocker.ok("inspect", "-f", "{{index .RepoTags 0}}", digits[:4]) == digits[:4] + ":latest\n"
    done = udocker("rmi", "nothing", digits[:4], "old:2")
    assert done.status == 125 and done.err.count("Error: ") == 1
    udocker.ok("rmi", "-f", digits[:12])
    assert udocker.ok("images") == "REPOSITORY\n"


@pytest.mark.shows("inspect", "inspect -f --type -s")
def test_inspect(udocker, three):
    whole = udocker.ok("inspect", "demo")
    document = json.loads(whole)
    assert whole == json.dumps(document, indent=4, sort_keys=True) + "\n"  # as 1.3.17 has it
    assert json.loads(udocker.ok("inspect", "demo", "c")) == [document, json.loads(
        udocker.ok("inspect", "c"))]
    udocker.ok("name", "c", "old")
    assert udocker.ok("inspect", "-f", "{{.Name}} {{.Image}} {{.State.Running}}", "old") \
        == "/c demo:latest false\n"
    assert udocker.ok("inspect", "--type=image", "-f", "{{json .RepoTags}}", "old:2") == '["old:2"]\n'
    assert udocker("inspect", "--type=container", "demo").status == 125
    assert udocker("inspect", "--type=image", "c").status == 125
    assert udocker("inspect", "--type=volume", "c").status == 125
    assert json.loads(udocker.ok("inspect", "-s", "c"))["SizeRootFs"] > 1000000
    assert json.loads(udocker.ok("inspect", "-f", "json", "c"))[0]["Id"] \
        == udocker.ok("inspect", "-f", "{{.Id}}", "c").strip()
    done = udocker("inspect", "nothing", "-f", "{{.Id}}", "demo")
    assert done.status == 125 and done.out == three + "\n" and done.err.count("\n") == 1
    assert udocker("inspect", "-f", "{{.Nope}}", "c").status == 125
    assert udocker.ok("inspect", "-f", "{{.Config.User}}{{index .Config.Labels \"no\"}}", "c") == "\n"


def test_inspect_tells_how_a_container_is(udocker, demo_home):
    form = "{{.State.Status}} {{.State.Running}} {{.State.ExitCode}} {{index .Config.Labels \"k\"}} {{.Path}}"
    container = udocker.ok("create", "-l", "k=v", "demo").strip()
    assert udocker.ok("inspect", "-f", form, container) == "created false 0 v /bin/cat\n"
    udocker.ok("run", "-d", container, "sleep", "60")
    try:
        assert udocker.ok("inspect", "-f", form, container) == "running true 0 v sleep\n"
        pid = int(udocker.ok("inspect", "-f", "{{.State.Pid}}", container))
        assert os.path.exists("/proc/%d" % pid)
    finally:
        udocker.ok("kill", container)
    udocker("wait", container)
    assert udocker.ok("inspect", "-f", form, container) == "exited false 137 v sleep\n"
    assert udocker.ok("inspect", "-f", "{{.State.FinishedAt}}", container).startswith("20")
