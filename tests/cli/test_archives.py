"""save, load, import, export, clone and their kin; and skopeo and podman on the other side."""

import ast
import io
import json
import os
import re
import shutil
import signal
import subprocess
import tarfile
import tempfile

import pytest

from tests.fakes import images, tars

SKOPEO, PODMAN = shutil.which("skopeo"), shutil.which("podman")
HELLO = "Hello from inside"


def members(data):
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        return {member.name: member for member in archive}


def listing(home):
    """What is in the store, but for locks and engines."""
    top = home / ".udocker"
    return {name: sorted(os.listdir(str(top / name))) for name in ("containers", "layers", "repos")}


def one_line(result, words, status=125):
    """Assert that ``result`` is an error of one line with ``words`` in it."""
    lines = [line for line in result.err.split("\n") if line and not line.startswith("Info: ")]
    assert (result.status, len(lines)) == (status, 1), result
    assert lines[0].startswith("Error: ") and words in lines[0]
    assert not result.out


@pytest.fixture
def skopeo(home):
    """Run skopeo in ``home``; return its standard output."""
    if SKOPEO is None:
        pytest.skip("the program skopeo is not installed (Debian package skopeo)")

    def run(*words):
        return subprocess.run([SKOPEO, "--insecure-policy"] + list(words), cwd=str(home), check=True,
                              env={"HOME": str(home), "PATH": "/usr/bin:/bin"},
                              stdout=subprocess.PIPE).stdout.decode("utf-8")
    return run


@pytest.fixture
def podman(home):
    """Run podman with a storage of its own; return its standard output."""
    if PODMAN is None:
        pytest.skip("the program podman is not installed (Debian package podman)")
    place = tempfile.mkdtemp(prefix="podman-", dir="/tmp")  # it wants a path of 50 characters at most
    command = [PODMAN, "--root", place + "/root", "--runroot", place + "/run", "--storage-driver",
               "vfs", "--cgroup-manager", "cgroupfs", "--events-backend", "none"]
    environ = {"HOME": str(home), "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "XDG_RUNTIME_DIR": place}

    def run(*words):
        done = subprocess.run(command + list(words), cwd=str(home), env=environ,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert done.returncode == 0, done.stderr.decode("utf-8", "replace")
        return done.stdout.decode("utf-8")
    try:
        tried = subprocess.run(command + ["info"], env=environ, stdout=subprocess.DEVNULL,
                               stderr=subprocess.PIPE)
        if tried.returncode:
            pytest.skip("podman does not work for this user: %s"
                        % tried.stderr.decode("utf-8", "replace").strip().split("\n")[-1])
        yield run
    finally:
        # what it unpacked may belong to other ids
        subprocess.call([PODMAN, "unshare", "rm", "-rf", place + "/root", place + "/run"],
                        env=environ, stderr=subprocess.DEVNULL)
        # a process of it stays to hold its namespaces
        for folder, _, names in os.walk(place):
            if "pause.pid" in names:
                with open(os.path.join(folder, "pause.pid")) as file:
                    os.kill(int(file.read()), signal.SIGTERM)
        shutil.rmtree(place)


def config_digest(udocker, name):
    """The id of the image ``name``, of its ``save``d form."""
    data = udocker("save", name, binary=True).out
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        document = json.loads(archive.extractfile("manifest.json").read().decode("ascii"))
    return document[0]["Config"].rpartition("/")[2]


# with others

def test_skopeo_reads_what_we_save_in_both_ways(udocker, demo_home, skopeo):
    udocker.ok("tag", "demo", "quay.io/other/name:2")
    udocker.ok("save", "-o", "saved.tar", "demo", "quay.io/other/name:2")
    identity = config_digest(udocker, "demo")
    for number, source in enumerate((
            "docker-archive:saved.tar:demo:latest", "docker-archive:saved.tar:quay.io/other/name:2",
            "oci-archive:saved.tar:docker.io/library/demo:latest",
            "oci-archive:saved.tar:quay.io/other/name:2")):
        skopeo("copy", "-q", source, "dir:out%d" % number)
        assert identity in os.listdir(str(demo_home / ("out%d" % number)))


@pytest.mark.parametrize("target, name", [
    ("docker-archive:there.tar:a/b:1", "a/b:1"), ("oci-archive:there.tar:a/b:1", "a/b:1"),
    ("oci:there.tar:quay.io/a/b:1", "quay.io/a/b:1")])
def test_we_load_what_skopeo_writes(udocker, demo_home, skopeo, target, name):
    udocker.ok("save", "-o", "saved.tar", "demo")
    skopeo("copy", "-q", "docker-archive:saved.tar", target)
    udocker.ok("rmi", "demo")
    for _ in range(2):
        assert udocker.ok("load", "-i", "there.tar") == "['%s']\n" % name
    assert udocker.ok("run", "--rm", name).startswith(HELLO)


def test_podman_and_we_exchange_images(udocker, demo_home, podman):
    udocker.ok("tag", "demo", "two:2")
    udocker.ok("save", "-o", "saved.tar", "demo", "two:2")
    podman("load", "-q", "-i", "saved.tar")
    there = podman("images", "--no-trunc", "--format", "{{.ID}}").split()
    assert set(there) == set(["sha256:" + config_digest(udocker, "demo")])
    # what was committed too, with whiteouts and holes
    root = udocker.ok("inspect", "-p", "c").strip()
    with open(root + "/sparse", "wb") as file:
        file.truncate(1 << 24)
    os.unlink(root + "/etc/motd")
    udocker.ok("commit", "c", "four:4")
    udocker.ok("save", "-o", "four.tar", "four:4")
    podman("load", "-q", "-i", "four.tar")
    podman("tag", "localhost/demo", "quay.io/three:3")
    podman("save", "-q", "-m", "-o", "many.tar", "localhost/demo:latest", "localhost/two:2")
    podman("save", "-q", "--format", "oci-archive", "-o", "oci.tar", "quay.io/three:3")
    podman("save", "-q", "--format", "docker-dir", "-o", "dir", "localhost/demo:latest")
    loaded = udocker.ok("load", "-i", "many.tar")
    assert sorted(ast.literal_eval(loaded)) == ["localhost/demo:latest", "localhost/two:2"]
    assert udocker.ok("load", "-i", "oci.tar") == "['quay.io/three:3']\n"
    for name in ("localhost/demo", "quay.io/three:3"):
        assert udocker.ok("run", "--rm", name).startswith(HELLO)
    one_line(udocker("load", "-i", "dir"), "neither a docker archive nor an OCI layout")


# save and load

@pytest.mark.shows("save -o", "load -i", "save")
def test_save_goes_through_a_pipe_and_a_file(udocker, demo_home):
    data = udocker("save", "demo", binary=True).out
    assert data == udocker("save", "-o", "-", "demo", binary=True).out
    udocker.ok("save", "--output=saved.tar", "demo")
    assert (demo_home / "saved.tar").read_bytes() == data
    udocker.ok("rmi", "demo")
    assert udocker("load", input=data).out == "['demo:latest']\n"
    assert udocker("load", "-i", "-", input=data).out == "['demo:latest']\n"
    assert udocker("load", "-i", "-", "other:1", input=data).out == "['other:1']\n"


def test_save_refuses_what_it_cannot_do(udocker, demo_home):
    (demo_home / "there").write_text("mine")
    one_line(udocker("save", "-o", "there", "demo"), "output file already exists")
    assert (demo_home / "there").read_text() == "mine"
    one_line(udocker("save", "-o", "new", "demo", "nope"), "image not found: 'nope:latest'")
    one_line(udocker("save", "-o", "no/such/place", "demo"), "no such file or directory")
    one_line(udocker("save", "-o", "new"), "argument is missing")
    assert not (demo_home / "new").exists()


@pytest.mark.shows("verify")
def test_a_damaged_image_is_verified_and_saved_as_such(udocker, demo_home):
    assert udocker.ok("verify", "demo") == ""
    said = udocker("verify", "demo").err
    assert "Info: verifying: demo:latest\n" in said and said.endswith("Info: image Ok\n")
    layers = demo_home / ".udocker" / "layers"
    largest = max(layers.iterdir(), key=lambda path: path.stat().st_size)
    with largest.open("r+b") as file:
        file.seek(100000)
        file.write(b"flipped")
    done = udocker("verify", "demo")
    assert done.status == 1 and done.out == ""
    assert largest.name in done.err and "image verification failure" in done.err
    one_line(udocker("save", "-o", "saved.tar", "demo"), "is damaged")
    assert not (demo_home / "saved.tar").exists()
    largest.unlink()
    assert udocker("verify", "demo").status == 1
    one_line(udocker("verify", "nope"), "image not found")


def test_every_archive_comes_as_a_file_a_directory_and_a_pipe(udocker, home):
    """Two images that share a layer, one with it twice and with an empty one; and one without a name."""
    base = images.layer({"etc/": images.DIRECTORY, "etc/a": b"a"}, "tar")
    empty, top = images.layer({}, "tar"), images.layer({"etc/a": images.WHITEOUT, "etc/b": b"b"}, "tar")
    many = {"one:1": images.image([base, empty, base], types=images.DOCKER),
            "two:2": images.image([base, empty, top, empty], types=images.DOCKER)}
    images.write_docker_archive(str(home / "old.tar"), many)
    os.mkdir(str(home / "oci"))
    images.write_layout(str(home / "oci"), {name: images.image(one.layers) for name, one in many.items()})
    udocker.ok("load", "-i", "old.tar")
    udocker.ok("save", "-o", "new.tar", "one:1", "two:2")  # as docker >= 25 does
    subprocess.check_call(["tar", "-cf", "oci.tar", "-C", "oci", "."], cwd=str(home))
    for kind in ("old", "new"):
        os.mkdir(str(home / kind))
        subprocess.check_call(["tar", "-xf", kind + ".tar", "-C", kind], cwd=str(home))
    for kind in ("old", "oci", "new"):
        data = (home / (kind + ".tar")).read_bytes()
        for how in (dict(words=["-i", kind + ".tar"]), dict(words=["-i", kind]),
                    dict(words=[], input=data), dict(words=["-i", "-"], input=tars.zipped(data))):
            udocker("rmi", "one:1")
            udocker("rmi", "two:2")
            assert udocker("load", *how.pop("words"), **how).out == "['one:1', 'two:2']\n", (kind, how)
        for name, inside in (("one:1", ["a"]), ("two:2", ["b"])):
            made = udocker.ok("create", name).strip()
            root = udocker.ok("inspect", "-p", made).strip()
            assert os.listdir(os.path.join(root, "etc")) == inside
    images.write_layout(str(home / "nameless"), {"": images.image([base])})
    document = json.loads((home / "nameless" / "index.json").read_text())
    del document["manifests"][0]["annotations"]
    (home / "nameless" / "index.json").write_text(json.dumps(document))
    first = udocker.ok("load", "-i", "nameless")
    assert re.match(r"\['image-[0-9a-f]{12}:latest'\]\n$", first)
    assert udocker.ok("load", "-i", "nameless") == first
    assert udocker.ok("load", "-i", "nameless", "now:1") == "['now:1']\n"
    one_line(udocker("load", "-i", "old.tar", "now:2"), "has 2 images")


# import and export

@pytest.mark.shows("export -o", "import", "export")
def test_export_and_import_give_the_same_file_system(udocker, demo_home):
    data = udocker("export", "c", binary=True).out
    assert data == udocker("export", "-", "c", binary=True).out
    udocker.ok("export", "-o", "root.tar", "c")
    udocker.ok("export", "-o", "root.tar", "c")  # again: it is replaced, as 1.3.x has it
    assert (demo_home / "root.tar").read_bytes() == data
    assert members(data)["bin/busybox"].mode & 0o111
    assert udocker.ok("import", "root.tar", "imported:1") == ""
    assert udocker.ok("run", "--rm", "imported:1", "cat", "/etc/motd").startswith(HELLO)
    assert udocker("import", "-", "imported:2", input=data).status == 0
    assert udocker.ok("run", "--rm", "imported:2", "cat", "/etc/motd").startswith(HELLO)
    assert udocker("verify", "imported:2").status == 0
    again = udocker.ok("create", "imported:1").strip()
    assert udocker("export", again, binary=True).out == data


@pytest.mark.shows("import --tocontainer --name --platform")
def test_import_makes_containers(udocker, demo_home):
    udocker.ok("export", "-o", "root.tar", "c")
    container = udocker.ok("import", "--tocontainer", "--name=new", "root.tar").strip()
    assert udocker.ok("run", container, "cat", "/etc/motd") == udocker.ok("run", "new", "cat", "/etc/motd")
    udocker.ok("import", "--tocontainer", "root.tar", "some:name")
    assert "IMPORTED:unknown" in udocker.ok("ps") and "some:name" in udocker.ok("ps")
    udocker.ok("import", "--platform=linux/arm64", "root.tar", "arm:1")
    assert json.loads(udocker.ok("inspect", "arm:1"))["architecture"] == "arm64"


@pytest.mark.shows("export --clone", "import --clone")
def test_a_whole_container_goes_on_elsewhere(udocker, demo_home, tmp_path):
    udocker.ok("setup", "--execmode=P2", "c")
    udocker.ok("protect", "c")
    udocker.ok("export", "--clone", "-o", "clone.tar", "c")
    data = (demo_home / "clone.tar").read_bytes()
    assert udocker("export", "--clone", "c", binary=True).out == data
    names = members(data)
    assert {"container.json", "imagerepo.name", "execmode", "ROOT/bin/busybox"} <= set(names)
    other = str(tmp_path / "other")
    made = udocker.ok("import", "--clone", "--name=moved", "clone.tar", udocker_dir=other).strip()
    line = udocker.ok("ps", "-m", udocker_dir=other).split("\n")[1]
    assert line.startswith(made + " . W P2 ") and "['moved']" in line and "demo:latest" in line
    udocker.ok("install", udocker_dir=other)
    assert udocker.ok("run", "moved", udocker_dir=other).startswith(HELLO)
    piped = udocker("import", "--clone", "-", udocker_dir=other, input=data).out.strip()
    assert udocker.ok("run", piped, udocker_dir=other).startswith(HELLO)


def test_programs_that_name_their_place_are_set_up_in_the_copy(udocker, demo_home):
    """In mode F3 they name the loader in the container's own directory."""
    if not list((demo_home / ".udocker" / "lib").glob("*fakechroot*")):
        pytest.skip("this udocker.pyz carries no fakechroot")
    root = demo_home / "root"
    files = ["/bin/cat"] + re.findall(r"(/\S+) \(", subprocess.check_output(
        ["ldd", "/bin/cat"]).decode("utf-8"))
    for path in files:
        target = root / path[1:]
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, str(target))
    (root / "greeting").write_text("found\n")
    subprocess.check_call(["tar", "-cf", "root.tar", "-C", "root", "."], cwd=str(demo_home))
    udocker.ok("import", "--tocontainer", "--name=f", "root.tar")
    udocker.ok("setup", "--execmode=F3", "f")
    udocker.ok("export", "-o", "new.tar", "f")  # elsewhere they are as they were before
    with tarfile.open(str(demo_home / "new.tar")) as archive, open("/bin/cat", "rb") as file:
        assert archive.extractfile("bin/cat").read() == file.read()
    udocker.ok("clone", "--name=copy", "f")
    udocker.ok("export", "--clone", "-o", "clone.tar", "f")
    udocker.ok("rm", "f")
    udocker.ok("import", "--clone", "--name=moved", "clone.tar")
    for name in ("copy", "moved"):
        assert udocker.ok("run", name, "/bin/cat", "/greeting") == "found\n"
    udocker.ok("setup", "--execmode=P1", "moved")
    udocker.ok("export", "-o", "new.tar", "moved")
    with tarfile.open(str(demo_home / "new.tar")) as archive, open("/bin/cat", "rb") as file:
        assert archive.extractfile("bin/cat").read() == file.read()


@pytest.mark.parametrize("compress", ["gzip", "xz", "bzip2"])
def test_import_takes_compressed_archives_and_may_remove_them(udocker, demo_home, compress):
    if not shutil.which(compress):
        pytest.skip("the program %s is not installed" % compress)
    udocker.ok("export", "-o", "root.tar", "c")
    subprocess.check_call([compress, "root.tar"], cwd=str(demo_home))
    packed = next(demo_home.glob("root.tar.*"))
    udocker.ok("import", "--mv", packed, "packed:1")
    assert not packed.exists()
    assert udocker.ok("run", "--rm", "packed:1", "cat", "/etc/motd").startswith(HELLO)
    assert udocker("verify", "packed:1").status == 0


@pytest.mark.shows("import --mv")
def test_mv_takes_a_file_away_when_all_is_done_and_not_before(udocker, demo_home):
    udocker.ok("export", "-o", "root.tar", "c")
    one_line(udocker("import", "--mv", "root.tar", "demo:latest"), "tag already exists")
    assert (demo_home / "root.tar").exists()
    size = (demo_home / "root.tar").stat().st_size
    before = os.listdir(str(demo_home / ".udocker" / "layers"))
    udocker.ok("import", "--mv", "root.tar", "moved:1")
    assert not (demo_home / "root.tar").exists()
    new = [path for path in (demo_home / ".udocker" / "layers").iterdir() if path.name not in before]
    assert size in [path.stat().st_size for path in new]


BAD = {
    "empty": b"", "text": b"no archive at all", "header": b"x" * 512,
    "truncated": tars.file("a", b"x" * 5000)[:3000],
    "truncated gzip": tars.zipped(tars.archive(tars.file("a", bytes(range(256)) * 50)))[:200],
}


@pytest.mark.parametrize("kind", sorted(BAD))
@pytest.mark.parametrize("words", [["import", "BAD", "new:1"], ["import", "--mv", "BAD", "new:1"],
                                   ["import", "--tocontainer", "BAD"], ["import", "--clone", "BAD"],
                                   ["load", "-i", "BAD"]])
def test_what_is_no_archive_leaves_nothing(udocker, demo_home, words, kind):
    before = listing(demo_home)
    (demo_home / "BAD").write_bytes(BAD[kind])
    one_line(udocker(*words), "")
    if words[0] != "load":
        data = BAD[kind]
        one_line(udocker(*["-" if word == "BAD" else word for word in words if word != "--mv"],
                         input=data), "")
    assert listing(demo_home) == before and (demo_home / "BAD").exists()


HOSTILE = {
    "root is a link": tars.archive(tars.symlink("ROOT", "/")),
    "metadata is a link": tars.archive(tars.directory("ROOT"),
                                       tars.symlink("container.json", "/etc/passwd")),
    "root is a file": tars.archive(tars.file("ROOT", b"x")),
    "no root": tars.archive(tars.file("container.json", b"{}")),
    "invalid mode": tars.archive(tars.directory("ROOT"), tars.file("execmode", b"X9")),
    "out": tars.archive(tars.directory("ROOT"), tars.file("../../outside", b"x")),
    "through a link": tars.archive(tars.directory("ROOT"), tars.symlink("ROOT/l", "/../../.."),
                                   tars.symlink("bin", "../..")),
}


@pytest.mark.parametrize("kind", sorted(HOSTILE))
def test_a_hostile_container_is_refused_whole(udocker, demo_home, kind):
    before = listing(demo_home)
    one_line(udocker("import", "--clone", "-", input=HOSTILE[kind]), "")
    assert listing(demo_home) == before
    assert not (demo_home / ".udocker" / "outside").exists() and not (demo_home / "outside").exists()


def test_protection_does_not_come_from_an_archive(udocker, demo_home):
    data = tars.archive(tars.directory("ROOT"), tars.file("PROTECT", b""))
    made = udocker("import", "--clone", "-", input=data).out.strip()
    udocker.ok("rm", made)


@pytest.mark.parametrize("words, message", [
    (["import", "nope.tar", "a:1"], "no such file"), (["import", "a.tar"], "argument is missing"),
    (["import", "-", "a:1", "b"], "syntax error at: b"),
    (["import", "--name=x", "a.tar", "a:1"], "--name is for containers"),
    (["import", "--tocontainer", "--name=c", "a.tar"], "container name already exists"),
    (["import", "--platform=x", "a.tar", "a:1"], "invalid platform"),
    (["import", "--mv", "-", "a:1"], "--mv wants a file"), (["import", "a.tar", "A B"], "invalid"),
    (["export", "nope"], "container 'nope' not found"), (["export"], "argument is missing"),
    (["export", "-o", "x", "-", "c"], "syntax error"), (["export", "a", "c"], "syntax error"),
    (["clone", "nope"], "not found"), (["clone", "--name=c", "c"], "already exists"),
    (["rename", "nope", "x"], "no container has the name"), (["rename", "c", "c"], "already exists"),
    (["rename", "c", "a/b"], "invalid container name"), (["tag", "nope", "x"], "image not found"),
    (["tag", "demo", "demo"], "target already exists"), (["tag", "demo", "a b"], "invalid"),
    (["protect", "nope"], "no container or image"), (["unprotect", "nope"], "no container or image"),
    (["history", "nope"], "image not found"), (["mkrepo", "."], "already exists"),
])
def test_bad_words_are_one_line_and_change_nothing(udocker, demo_home, words, message):
    before = listing(demo_home)
    (demo_home / "a.tar").write_bytes(tars.archive(tars.file("a", b"a")))
    one_line(udocker(*words), message)
    assert listing(demo_home) == before


# clone and the small ones

@pytest.mark.shows("clone --name", "rename", "clone")
def test_a_clone_is_a_container_of_its_own(udocker, demo_home):
    udocker.ok("protect", "c")
    made = udocker.ok("clone", "--name=copy", "c").strip()
    udocker.ok("run", "copy", "sh", "-c", "echo changed > /etc/motd")
    assert udocker.ok("run", "c", "cat", "/etc/motd").startswith(HELLO)
    assert udocker.ok("run", made, "cat", "/etc/motd") == "changed\n"
    udocker.ok("rename", "copy", "better")
    assert "['better']" in udocker.ok("ps")
    udocker.ok("rm", "better")
    one_line(udocker("rm", "c"), "'udocker unprotect ")
    udocker.ok("unprotect", "c")
    udocker.ok("rm", "c")


@pytest.mark.shows("protect", "unprotect", "rmi")
def test_protected_images_stay(udocker, demo_home):
    udocker.ok("protect", "demo")
    assert udocker.ok("images") == "REPOSITORY\ndemo:latest    P\n"
    one_line(udocker("rmi", "demo"), "'udocker unprotect demo:latest'")
    udocker.ok("unprotect", "demo")
    udocker.ok("rmi", "demo")


@pytest.mark.shows("tag", "history --no-trunc -q", "history")
def test_tag_and_history(udocker, demo_home):
    udocker.ok("tag", "demo", "quay.io/a/b:2")
    assert "quay.io/a/b:2    ." in udocker.ok("images")
    assert udocker.ok("history", "demo") == udocker.ok("history", "quay.io/a/b:2")
    header, line = udocker.ok("history", "demo").split("\n")[:2]
    assert header.split("  ")[0] == "IMAGE" and "CREATED BY" in header and line.endswith("MB")
    assert udocker.ok("history", "-q", "--no-trunc", "demo") \
        == "sha256:" + config_digest(udocker, "demo") + "\n"


@pytest.mark.shows("mkrepo", "--repo")
def test_mkrepo_makes_what_repo_takes(udocker, demo_home):
    udocker.ok("mkrepo", "elsewhere")
    assert sorted(os.listdir(str(demo_home / "elsewhere"))) \
        == ["bin", "containers", "doc", "layers", "lib", "repos"]
    assert udocker.ok("--repo=elsewhere", "images") == "REPOSITORY\n"


def test_an_archive_is_nothing_for_a_terminal(udocker, demo_home):
    if not shutil.which("script"):
        pytest.skip("the program script is not installed")
    for words in ("save demo", "export c", "load", "import - a:1"):
        command = " ".join(udocker.command()) + " " + words
        done = subprocess.run(["script", "-qec", command, "/dev/null"], env=udocker.environment(),
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, cwd=str(demo_home))
        assert done.returncode == 125, words
        assert b"terminal" in done.stdout or b"no archive on standard input" in done.stdout


@pytest.mark.parametrize("words", ["save -o new.tar demo", "load -i demo.tar", "clone c",
                                   "export -o new.tar c", "import root.tar new:1"])
def test_a_bar_is_drawn_on_a_terminal_and_nowhere_else(udocker, demo_home, demo_archive, words):
    if not shutil.which("script"):
        pytest.skip("the program script is not installed")
    shutil.copy(demo_archive, str(demo_home / "demo.tar"))
    udocker.ok("export", "-o", "root.tar", "c")
    command = " ".join(udocker.command()) + " " + words
    done = subprocess.run(["script", "-qec", command, "/dev/null"], cwd=str(demo_home),
                          env=udocker.environment({"TERM": "xterm"}), stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE)
    assert done.returncode == 0 and b"  0%" in done.stdout
    assert "%" not in udocker("save", "-o", "another.tar", "demo").err


def test_a_reader_that_goes_away_is_no_error_of_ours(udocker, demo_home):
    process = udocker.start("export", "c", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.read(1000)
    process.stdout.close()
    assert (process.wait(30), process.stderr.read()) == (141, b"")
    process.stderr.close()
