"""What is in containers and images on disk: diff, commit, system; bars; and disks that are full."""

import json
import os
import pty
import re
import select
import shutil
import subprocess
import sys
import tarfile
import threading
import time

import pytest

from tests.cli.test_archives import HELLO, config_digest, listing, one_line
from tests.fakes import images
from tests.fakes.registry import FakeRegistry

MOUNTS = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "fakes", "mounts.py")
DAYS_AGO = time.time() - 3 * 86400


def container_root(home, name="c"):
    return (home / ".udocker" / "containers" / name).resolve() / "ROOT"


def contents(root):
    """{path: (mode, link or bytes, time of a file)} of all below ``root`` (pathlib.Path)."""
    found = {}
    for path in sorted(root.rglob("*")):
        status = path.lstat()
        found[str(path.relative_to(root))] = (
            oct(status.st_mode), os.readlink(str(path)) if path.is_symlink() else
            path.read_bytes() if path.is_file() else None,
            int(status.st_mtime) if path.is_file() and not path.is_symlink() else None)
    return found


@pytest.fixture
def programs(demo_home):
    """A container f, made from the image f:1, whose programs are dynamic."""
    if not list((demo_home / ".udocker" / "lib").glob("*fakechroot*")):
        pytest.skip("this udocker.pyz carries no fakechroot")
    root = demo_home / "root"
    for path in ["/bin/cat", "/bin/ls"] + [
            name for program in ("/bin/cat", "/bin/ls") for name in re.findall(
                r"(/\S+) \(", subprocess.check_output(["ldd", program]).decode("utf-8"))]:
        target = root / path[1:]
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, str(target))
    subprocess.check_call(["tar", "-cf", "root.tar", "-C", "root", "."], cwd=str(demo_home))


# diff

CHANGE = """echo new > /etc/new; echo longer >> /etc/motd; rm /bin/awk; rm -r /var; mkdir -p /a/b
echo x > /a/b/c; chmod 700 /usr; rm /bin/vi; ln -s sh /bin/vi; rm /bin/ash; mkdir /bin/ash
touch /bin/ash/in"""


@pytest.mark.shows("diff")
def test_diff_tells_what_was_added_changed_and_deleted(udocker, demo_home):
    assert udocker.ok("diff", "c") == ""
    # what runs need is not what somebody changed
    (demo_home / "file").write_text("x")
    for mode in ("P1", "R1"):
        udocker.ok("run", "--execmode=" + mode, "-v", "/usr:/m/n/o", "-v", "%s/file:/etc/q" % demo_home,
                   "c", "true")
    assert udocker.ok("diff", "c") == ""
    udocker.ok("run", "c", "sh", "-c", CHANGE)
    assert udocker.ok("diff", "c").split("\n") == [
        "A /a", "A /a/b", "A /a/b/c", "C /bin", "C /bin/ash", "A /bin/ash/in", "D /bin/awk",
        "C /bin/vi", "C /etc", "C /etc/motd", "A /etc/new", "C /usr", "D /var", ""]
    # somebody uses what was only there to be mounted over
    (container_root(demo_home) / "m" / "n" / "o" / "mine").write_text("x")
    assert udocker.ok("diff", "c").startswith("A /a\nA /a/b\nA /a/b/c\nC /bin\n")
    assert "\nA /m\nA /m/n\nA /m/n/o\nA /m/n/o/mine\nC /usr\n" in udocker.ok("diff", "c")
    # a copy is as different, also by way of an archive that knows whole seconds only
    udocker.ok("clone", "--name=copy", "c")
    udocker.ok("export", "--clone", "-o", "c.tar", "c")
    udocker.ok("import", "--clone", "--name=moved", "c.tar")
    assert udocker.ok("diff", "copy") == udocker.ok("diff", "c") == udocker.ok("diff", "moved")
    # names from a container reach no terminal as they are
    (container_root(demo_home) / "tmp" / "\x1b[31m").write_text("")
    assert "A /tmp/\\x1b[31m\n" in udocker.ok("diff", "c")
    # the image under another name is the same image; without it there is nothing to compare with
    udocker.ok("tag", "demo", "other:1")
    udocker.ok("rmi", "demo")
    assert "C /etc/motd\n" in udocker.ok("diff", "c")
    udocker.ok("rmi", "other:1")
    one_line(udocker("diff", "c"), "'demo:latest', is not here any more")
    (container_root(demo_home).parent / "container.json").unlink()
    one_line(udocker("diff", "c"), "has no container.json")
    one_line(udocker("commit", "c", "a:1"), "'udocker export'")
    one_line(udocker("diff", "nope"), "not found")


def test_a_container_of_1_3_does_not_differ_by_what_1_3_did(udocker, demo_home):
    """It leaves permissions to the umask, and puts links into /etc in its R modes; its ids are of
    another kind than ours."""
    top = demo_home / ".udocker" / "containers"
    old = top / "3b2a7f7e-9a0c-3d5a-8f6e-0123456789ab"
    os.rename(str(container_root(demo_home).parent), str(old))
    for path in (old / "ROOT").rglob("*"):
        if not path.is_symlink():
            path.chmod(path.stat().st_mode & ~0o077)
    (old / ".bind_orig_files").mkdir()
    (old / "ROOT" / "etc" / "passwd").rename(old / ".bind_orig_files" / "#etc#passwd")
    (old / "ROOT" / "etc" / "passwd").symlink_to("/.bind_host_files/#etc#passwd")
    (old / "ROOT" / ".bind_host_files").mkdir()
    assert udocker.ok("diff", old.name) == ""


def test_what_mode_f3_changes_is_neither_shown_nor_committed_nor_copied(udocker, demo_home, programs):
    udocker.ok("import", "root.tar", "f:1")
    udocker.ok("create", "--name=f", "f:1")
    udocker.ok("setup", "--execmode=F3", "f")
    root = container_root(demo_home, "f")
    with open("/bin/cat", "rb") as file:
        cat = file.read()
    assert (root / "bin" / "cat").read_bytes() != cat
    assert udocker.ok("diff", "f") == ""
    os.utime(str(root / "bin" / "cat"))
    assert udocker.ok("diff", "f") == "C /bin\nC /bin/cat\n"
    udocker.ok("commit", "f", "f:2")
    udocker.ok("create", "--name=g", "f:2")
    udocker.ok("cp", "f:/bin/cat", "cat")
    udocker.ok("cp", "f:/bin", "bin")
    data = udocker("cp", "f:bin/cat", "-", binary=True).out
    assert (container_root(demo_home, "g") / "bin" / "cat").read_bytes() == cat
    assert (demo_home / "cat").read_bytes() == cat == (demo_home / "bin" / "cat").read_bytes()
    assert cat in data
    # all of it, where the image is not here any more
    udocker.ok("rmi", "f:1")
    done = udocker("commit", "f", "f:3")
    assert done.status == 0 and "all of it becomes one layer" in done.err
    udocker.ok("create", "--name=h", "f:3")
    assert (container_root(demo_home, "h") / "bin" / "cat").read_bytes() == cat
    assert udocker.ok("run", "f", "/bin/cat", "/bin/cat", binary=True)


# commit

@pytest.mark.shows("commit", "commit -a -m -c -p")
def test_a_commit_is_the_image_and_one_layer_of_differences(udocker, demo_home, tmp_path):
    udocker.ok("run", "-v", "/usr:/m/n", "c", "sh", "-c", CHANGE)
    root = container_root(demo_home)
    os.link(str(root / "etc" / "new"), str(root / "etc" / "newer"))
    with (root / "sparse").open("wb") as file:
        file.truncate(1 << 26)
    identity = udocker.ok("commit", "-a", "Me <me@x>", "-m", "what I did", "-c", 'CMD ["cat","/etc/new"]',
                          "--change=ENV A=b PATH=$PATH:/x", "-c", "LABEL k=v", "-p", "c",
                          "mine:1").strip()
    assert re.match("sha256:[0-9a-f]{64}$", identity)
    assert udocker.ok("history", "-q", "--no-trunc", "mine:1").split("\n")[0] == identity
    assert udocker.ok("run", "--rm", "mine:1") == "new\n"
    udocker.ok("create", "--name=again", "mine:1")
    made = contents(container_root(demo_home, "again"))
    there = {path: what for path, what in contents(root).items()
             if path not in ("m", "m/n", "etc/resolv.conf", "etc/host.conf")}
    assert made == there
    assert (container_root(demo_home, "again") / "sparse").stat().st_blocks < 100
    assert udocker.ok("diff", "again") == ""
    document = json.loads(udocker.ok("inspect", "mine:1"))
    document = document[0] if isinstance(document, list) else document
    text = json.dumps(document)
    for words in ("A=b", "PATH=/usr/sbin:/usr/bin:/sbin:/bin:/x", '"k": "v"', "Me <me@x>"):
        assert words in text
    assert "what I did" in udocker.ok("history", "mine:1")
    # nothing else is different: no second copy of what was there
    layers = demo_home / ".udocker" / "layers"
    assert sum(path.stat().st_size for path in layers.iterdir()) < 1.1 * max(
        path.stat().st_size for path in layers.iterdir())
    # once more, on top; and without any difference
    udocker.ok("run", "again", "rm", "/etc/newer")
    udocker.ok("commit", "again", "mine:2")
    udocker.ok("commit", "again", "mine:2")
    one = udocker.ok("run", "--rm", "mine:2", "ls", "/etc")
    assert "newer" not in one and "new" in one
    udocker.ok("create", "--name=same", "mine:2")
    udocker.ok("commit", "-m", "only words", "same", "mine:3")
    assert "0B" in udocker.ok("history", "mine:3").split("\n")[1]
    assert udocker("verify", "mine:3").status == 0
    # others take it
    udocker.ok("save", "-o", "saved.tar", "mine:1", "mine:3")
    with tarfile.open(str(demo_home / "saved.tar")) as archive:
        document = json.loads(archive.extractfile("manifest.json").read().decode("ascii"))
    assert [len(item["Layers"]) for item in document] == [2, 3]
    if shutil.which("skopeo"):
        for number, name in enumerate(("docker-archive:saved.tar:mine:1", "docker-archive:saved.tar:mine:3")):
            subprocess.check_call(
                ["skopeo", "--insecure-policy", "copy", "-q", name, "oci:out%d:x" % number],
                cwd=str(demo_home), env={"HOME": str(demo_home), "PATH": "/usr/bin:/bin"})
    udocker.ok("save", "-o", "again.tar", "mine:2")
    udocker.ok("rmi", "mine:2")
    udocker.ok("load", "-i", "again.tar")
    assert udocker.ok("run", "--rm", "mine:2") == "new\n"


def test_a_container_without_an_image_becomes_one_layer(udocker, demo_home):
    udocker.ok("export", "-o", "root.tar", "c")
    udocker.ok("import", "--tocontainer", "--name=i", "root.tar")
    udocker.ok("run", "-v", "/usr:/m/n", "i", "true")
    done = udocker("commit", "i", "whole:1")
    assert done.status == 0 and done.out.startswith("sha256:")
    assert done.err.count("\n") == 1 and "was made from no image: all of it becomes one layer" in done.err
    udocker.ok("create", "--name=w", "whole:1")
    assert contents(container_root(demo_home, "w")) == {
        path: what for path, what in contents(container_root(demo_home, "i")).items()
        if path not in ("m", "m/n", "etc/resolv.conf", "etc/host.conf")}


def test_an_image_of_1_3_can_be_the_base(udocker, demo_home):
    """Of version 1: layers under ids of their own, and ``ancestry``."""
    top = demo_home / ".udocker"
    identity = "a" * 64
    layer = images.layer({"etc/": images.DIRECTORY, "etc/a": b"a", "etc/b": b"b"})
    (top / "layers" / (identity + ".layer")).write_bytes(layer.data)
    (top / "layers" / (identity + ".json")).write_text(json.dumps(
        {"architecture": "amd64", "os": "linux", "Cmd": "x", "Env": {"A": "b"}}))
    tag = top / "repos" / "old" / "1"
    tag.mkdir(parents=True)
    for end in (".layer", ".json"):
        (tag / (identity + end)).symlink_to("../../../layers/" + identity + end)
    (tag / "ancestry").write_text(json.dumps([identity]))
    (tag / "v1").write_text("")
    (tag / "TAG").write_text("%s/repos/old:1" % top)
    udocker.ok("create", "--name=o", "old:1")
    (container_root(demo_home, "o") / "etc" / "b").unlink()
    assert udocker.ok("diff", "o") == "C /etc\nD /etc/b\n"
    udocker.ok("commit", "-c", "ENV C=d", "o", "newer:1")
    section = json.loads(subprocess.check_output(
        ["tar", "-xOf", "-", "--wildcards", "blobs/sha256/%s" % config_digest(udocker, "newer:1")],
        input=udocker("save", "newer:1", binary=True).out).decode("ascii"))["config"]
    assert section == {"Cmd": ["x"], "Env": ["A=b", "C=d"]}
    udocker.ok("rmi", "old:1")
    assert udocker("verify", "newer:1").status == 0
    udocker.ok("create", "--name=n", "newer:1")
    assert os.listdir(str(container_root(demo_home, "n") / "etc")) == ["a"]


def test_what_cannot_be_committed_changes_nothing(udocker, demo_home):
    udocker.ok("protect", "demo")
    (container_root(demo_home) / "new").write_text("new")
    before = listing(demo_home)
    for words, message in (
            (["nope", "a:1"], "not found"), (["c"], "argument is missing"), (["c", "A B"], "invalid"),
            (["c", "a@sha256:" + "0" * 64], "cannot be chosen"), (["-c", "RUN x", "c", "a:1"], "--change"),
            (["-c", "EXPOSE x", "c", "a:1"], "no port"), (["c", "demo"], "is protected")):
        one_line(udocker("commit", *words), message)
        assert listing(demo_home) == before, words


# system

def sizes(udocker):
    return {row["Type"]: row for row in map(json.loads, udocker.ok(
        "system", "df", "--format", "json").splitlines())}


def make_old(path):
    os.utime(str(path), (DAYS_AGO, DAYS_AGO), follow_symlinks=False)


@pytest.mark.shows("system", "system -v --format")
def test_df_counts_what_is_shared_once(udocker, demo_home):
    before = sizes(udocker)
    assert [before[kind]["TotalCount"] for kind in ("Images", "Containers", "Debris")] == ["1", "1", "0"]
    assert before["Images"]["Active"] == "1" and before["Containers"]["Active"] == "0"
    udocker.ok("tag", "demo", "two:2")
    after = sizes(udocker)
    assert after["Images"]["Size"] == before["Images"]["Size"] and after["Images"]["TotalCount"] == "2"
    assert after["Images"]["Reclaimable"].startswith("0B")
    process = udocker.start("run", "c", "sh", "-c", "echo up; cat", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"up\n"
    running = sizes(udocker)["Containers"]
    assert running["Active"] == "1" and running["Reclaimable"].startswith("0B")
    process.communicate()
    assert sizes(udocker)["Containers"]["Active"] == "0"
    udocker.ok("rm", "c")
    assert sizes(udocker)["Images"]["Reclaimable"].endswith("(100%)")
    text = udocker.ok("system", "df")
    assert re.match(r"TYPE +TOTAL +ACTIVE +SIZE +RECLAIMABLE\nImages +2 +0 ", text)
    text = udocker.ok("system", "df", "-v")
    assert re.search(r"\ntwo:2 +[0-9a-f]{12} ", text) and "SHARED SIZE" in text
    assert udocker.ok("system", "df", "--format", "{{.Type}} {{.TotalCount}}").startswith("Images 2\n")
    one_line(udocker("system", "df", "--format", "{{.Nope}}"), "Nope")
    for words, message in ((["system"], "argument is missing"), (["system", "x"], "no such action"),
                           (["system", "df", "-a"], "takes no --all"),
                           (["system", "prune", "-v"], "takes no --verbose"),
                           (["system", "prune", "x"], "syntax error")):
        one_line(udocker(*words), message)


@pytest.mark.shows("system -f --all --dry-run")
def test_prune_removes_what_nobody_needs_and_nothing_else(udocker, demo_home):
    top = demo_home / ".udocker"
    udocker.ok("tag", "demo", "spare:1")
    udocker.ok("tag", "demo", "kept:1")
    udocker.ok("protect", "kept:1")
    kept = listing(demo_home)
    digests = ["sha256:" + digit * 64 for digit in "0123"]
    old = [top / "layers" / digests[0], top / "layers" / ".partial-x-1-2", top / "containers" / "gone",
           top / "layers" / ("b" * 64 + ".layer"), top / "repos" / "half" / "1" / digests[1],
           top / "layers" / digests[1], top / "containers" / ".making-x", top / "repos" / "empty" / "deep",
           top / "containers" / container_root(demo_home).parent.name / ".making-cp-1-2"]
    young = [top / "layers" / digests[2], top / "layers" / ".partial-y-1-2",
             top / "repos" / "begun" / "1" / digests[3], top / "layers" / digests[3],
             top / "containers" / ".making-y", top / "layers" / "README"]
    for path in old + young:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.parent.name == "1" or path.name == "gone":
            path.symlink_to("../../../layers/" + path.name)
        elif path.name.startswith(".making") or path.name == "deep":
            path.mkdir()
            if path.name.startswith(".making"):
                (path / "ROOT").mkdir()
                (path / "ROOT" / "f").write_text("x" * 5000)
        else:
            path.write_text("x" * 5000)
    for path in old:
        make_old(path)
        make_old(path.parent)
    make_old(top / "layers" / "README")
    (top / "containers" / ".removing-z").mkdir()
    dead = demo_home / ("udocker-%d" % os.getuid()) / ("x-%d" % (1 << 30))  # no pid is that large
    dead.mkdir(parents=True)
    alive = dead.parent / ("x-%d" % os.getpid())
    alive.mkdir()
    one_line(udocker("system", "prune"), "nobody to ask here")
    said = udocker.ok("system", "prune", "--dry-run")
    assert all(path.exists() or path.is_symlink() for path in old)
    assert "would delete layer: %s\n" % old[0] in said and "Total reclaimable space: " in said
    debris = sizes(udocker)["Debris"]
    assert debris["Reclaimable"].startswith(debris["Size"]) and debris["Size"] in said
    freed = udocker.ok("system", "prune", "-f")
    assert freed.replace("deleted", "would delete").replace("reclaimed", "reclaimable") == said
    assert not [path for path in old if path.exists() or path.is_symlink()]
    assert not (top / "containers" / ".removing-z").exists()
    assert alive.exists() and not dead.exists()
    assert all(path.exists() or path.is_symlink() for path in young)
    assert udocker.ok("system", "prune", "-f") == "Total reclaimed space: 0B\n"
    assert udocker.ok("run", "c", "cat", "/etc/motd").startswith(HELLO)
    # somebody makes a container, perhaps of one of the images
    assert "images stay for now" in udocker("system", "prune", "-af").err
    for path in young:
        shutil.rmtree(str(path)) if path.is_dir() and not path.is_symlink() else path.unlink()
    shutil.rmtree(str(top / "repos" / "begun"))
    shutil.rmtree(str(top / "repos" / "empty"), ignore_errors=True)
    said = udocker.ok("system", "prune", "-af")
    assert said.startswith("deleted image: spare:1\n")
    after = listing(demo_home)
    assert after["containers"] == kept["containers"] and after["layers"] == kept["layers"]
    assert udocker.ok("images").split()[1::2] == ["demo:latest", "kept:1"]
    udocker.ok("rm", "c")
    udocker.ok("unprotect", "kept:1")
    udocker.ok("system", "prune", "--all", "--force")
    assert udocker.ok("images") == "REPOSITORY\n" and listing(demo_home)["layers"] == []


def test_prune_takes_nothing_from_others_at_work(udocker, demo_home, demo_archive):
    """While images come and containers are made of them, again and again."""
    failed, ends = [], threading.Event()

    def prune():
        while not ends.is_set():
            done = udocker("system", "prune", "-af")
            if done.status:
                failed.append(done)
    other = threading.Thread(target=prune)
    other.start()
    try:
        made = 0
        for _ in range(6):
            assert udocker.ok("load", "-i", demo_archive, "new:1") == "['new:1']\n"
            done = udocker("create", "new:1")
            # between the two nobody can know that it is wanted; then it is asked of a registry
            assert done.status == 0 or "was deleted meanwhile" in done.err \
                or "cannot find registry" in done.err, done
            made += done.status == 0
            if done.status == 0:
                assert udocker.ok("run", done.out.strip(), "cat", "/etc/motd").startswith(HELLO)
    finally:
        ends.set()
        other.join()
    assert failed == [] and udocker.ok("run", "c", "cat", "/etc/motd").startswith(HELLO)
    assert len([name for name in listing(demo_home)["containers"] if len(name) == 36]) == made + 1


# on a terminal

def on_terminal(udocker, words, answer=b"", **env):
    """Run it on a pseudo terminal of its own; return (status, what was seen)."""
    fd, inner = pty.openpty()
    process = subprocess.Popen(udocker.command(*words), cwd=str(udocker.home), stdin=inner, stdout=inner,
                               stderr=inner, start_new_session=True,
                               env=udocker.environment(dict({"TERM": "xterm"}, **env)))
    os.close(inner)
    seen, until = b"", time.monotonic() + 60
    if answer:
        os.write(fd, answer)
    while time.monotonic() < until:
        if not select.select([fd], [], [], 1)[0]:
            continue
        try:
            data = os.read(fd, 65536)
        except OSError:  # EIO: the other side was closed
            break
        if not data:
            break
        seen += data
    os.close(fd)
    return process.wait(), seen


@pytest.mark.shows("cp -q")
def test_bars_are_drawn_on_a_terminal_that_can_and_nowhere_else(udocker, demo_home, demo_archive):
    udocker.ok("export", "-o", "root.tar", "c")
    picture = images.image([images.layer({"data": os.urandom(1 << 20)})])
    with FakeRegistry() as registry:
        registry.add("test/thing", "latest", picture)
        commands = {
            "pull": ["pull", registry.host + "/test/thing"], "load": ["load", "-i", demo_archive],
            "create": ["create", "demo"], "import": ["import", "root.tar", "new:%d"],
            "export": ["export", "-o", "new.tar", "c"], "clone": ["clone", "c"],
            "cp": ["cp", "root.tar", "c:/tmp"], "commit": ["commit", "imported", "x:1"],
            "diff": ["diff", "c"]}
        udocker.ok("import", "--tocontainer", "--name=imported", "root.tar")
        for number, (name, words) in enumerate(sorted(commands.items())):
            words = [word.replace("%d", str(number)) for word in words]
            if name == "pull":
                udocker("rmi", words[1])
            status, seen = on_terminal(udocker, words)
            assert status == 0 and b"  0%" in seen, (name, seen)
        for env, drawn in ((dict(CI="true"), False), (dict(TERM="dumb"), False), (dict(NO_COLOR="1"), True)):
            status, seen = on_terminal(udocker, commands["clone"], **env)
            assert status == 0 and (b"  0%" in seen) == drawn, (env, seen)
            assert b"\x1b[3" not in seen and b"\x1b[9" not in seen  # no colour, with or without
    assert b"%" not in on_terminal(udocker, ["-q", "clone", "c"])[1]
    assert b"%" not in on_terminal(udocker, ["cp", "-q", "root.tar", "c:/tmp"])[1]
    assert "%" not in udocker("clone", "c").err


def test_prune_asks_who_can_answer(udocker, demo_home):
    udocker.ok("rm", "c")
    status, seen = on_terminal(udocker, ["system", "prune", "-a"], b"n\n")
    assert status == 125 and b"Continue? [y/N]" in seen and b"nothing was removed" in seen
    assert "demo" in udocker.ok("images")
    status, seen = on_terminal(udocker, ["system", "prune", "-a"], b"y\n")
    assert status == 0 and b"deleted image: demo:latest" in seen
    assert udocker.ok("images") == "REPOSITORY\n"


# full disks

def test_a_full_disk_is_one_line_and_nothing_half_done(udocker, demo_home, demo_archive):
    """Of the store; and of the place where something is to go, standard output too."""
    place = demo_home / "small"
    place.mkdir()
    command = [sys.executable, MOUNTS, "small", str(place)]
    if subprocess.call(command + ["true"], stderr=subprocess.DEVNULL):
        pytest.skip("no mount namespace with a small file system to be had here")
    udocker.ok("export", "-o", "root.tar", "c")
    shutil.copy(demo_archive, str(demo_home / "demo.tar"))
    # a store with an image and a container of it, and 1 MB left; engines elsewhere
    script = r"""
set -e
export UDOCKER_DIR=small/store
cp -a "$HOME/.udocker/containers" "$HOME/.udocker/layers" "$HOME/.udocker/repos" small/
mkdir small/store; mv small/containers small/layers small/repos small/store/
ls -R small/store/repos small/store/layers small/store/containers > before
state() { (ls -R small/store/repos small/store/layers small/store/containers; ls -A small/store/containers/* ) > now 2>&1
          ls -A small >> now; }
state; cp now before
try() { set +e; "$PYZ" "$@" > out 2> err; status=$?; set -e
        state; cmp -s before now && same=same || same=DIFFERENT
        echo "$status $same $(grep -vc '^Info: ' err) $(grep -c 'no space left on device' err) $*"; }
head -c 3000000 /dev/urandom > big
try create demo
try load -i demo.tar new:1
try import root.tar new:1
try import --tocontainer root.tar
try clone c
try cp big c:/etc/motd
try cp big c:/new
try cp big c:/tmp/
tar cf big.tar big
set +e; "$PYZ" cp - c:/tmp < big.tar > out 2> err; status=$?; set -e
state; cmp -s before now && same=same || same=DIFFERENT
echo "$status $same $(grep -vc '^Info: ' err) $(grep -c 'no space left on device' err) cp - c:/tmp"
try export -o small/x.tar c
try save -o small/x.tar demo
try cp c:/bin small/
try cp c:/bin/busybox small/new
head -c 600000 /dev/urandom > small/store/containers/c/ROOT/big2
state; cp now before
try commit c new:1
set +e; for words in "export c" "save demo" "cp c:/bin -"; do
  "$PYZ" $words > /dev/full 2> err; echo "$? same $(grep -vc '^Info: ' err) $(grep -c 'no space left on device' err) $words > /dev/full"
done
"""
    (demo_home / "script").write_text(script)
    done = subprocess.run(command + ["sh", "script"], cwd=str(demo_home), stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, env=udocker.environment({"PYZ": udocker.pyz}))
    lines = done.stdout.decode("utf-8").splitlines()
    assert done.returncode == 0 and len(lines) == 17, lines
    for line in lines:
        assert line.startswith("125 same 1 1 "), line
