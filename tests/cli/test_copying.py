"""``udocker cp``, both ways, as docker has it; and what a container cannot do to this machine."""

import io
import os
import signal
import stat
import subprocess
import tarfile
import time

import pytest

from tests.cli.test_archives import one_line
from tests.fakes import tars


@pytest.fixture
def root(demo_home):
    """The root file system (pathlib.Path) of the container c."""
    (link,) = [path for path in (demo_home / ".udocker" / "containers").iterdir() if path.is_symlink()]
    return link.resolve() / "ROOT"


@pytest.fixture
def tree(home):
    """A directory d with what is hard to copy."""
    folder = home / "d"
    (folder / "s").mkdir(parents=True)
    (folder / "a").write_text("a\n")
    (folder / "s" / "b").write_text("b\n")
    (folder / "program").write_text("#!/bin/sh\n")
    (folder / "program").chmod(0o4755)
    (folder / "l").symlink_to("a")
    (folder / "away").symlink_to("/etc/passwd")
    os.link(str(folder / "a"), str(folder / "hard"))
    with (folder / "sparse").open("wb") as file:
        file.seek(3 << 30)
        file.write(b"end")
    os.mkfifo(str(folder / "fifo"))
    os.utime(str(folder / "a"), ns=(10 ** 18 + 5, 10 ** 18 + 5))
    return folder


def seen(folder):
    """{path: (kind and permissions, what is in it)} of all below ``folder`` (pathlib.Path)."""
    found = {}
    for path in sorted(folder.rglob("*")):
        status = path.lstat()
        content = os.readlink(str(path)) if path.is_symlink() else \
            path.read_text() if path.is_file() and status.st_size < 100 else status.st_size
        found[str(path.relative_to(folder))] = (
            oct(status.st_mode & ~0o6000), None if path.is_dir() else content)
    return found


def leftovers(home):
    return [path for path in list(home.rglob(".tmp-*")) + list(home.rglob(".making-*"))]


@pytest.mark.shows("cp -a")
def test_a_tree_is_the_same_there_and_back(udocker, demo_home, root, tree):
    assert udocker.ok("cp", "d", "c:/tmp") == ""
    assert seen(root / "tmp" / "d") == seen(tree)
    copy = root / "tmp" / "d"
    assert (copy / "a").stat().st_ino == (copy / "hard").stat().st_ino
    assert (copy / "a").stat().st_mtime_ns == 10 ** 18 + 5
    assert (copy / "sparse").stat().st_blocks * 512 < 1 << 20
    assert not (copy / "program").stat().st_mode & stat.S_ISUID
    udocker.ok("cp", "-a", "c:tmp/d", "back")
    assert seen(demo_home / "back") == seen(tree)
    assert (demo_home / "back" / "sparse").stat().st_blocks * 512 < 1 << 20
    # and as an archive
    data = subprocess.Popen(udocker.command("cp", "c:/tmp/d", "-"), env=udocker.environment(),
                            stdout=subprocess.PIPE)
    done = subprocess.run(udocker.command("cp", "-", "c:/var"), stdin=data.stdout,
                          env=udocker.environment(), stderr=subprocess.PIPE)
    data.stdout.close()
    assert (data.wait(), done.returncode, done.stderr) == (0, 0, b"")
    assert seen(root / "var" / "d") == seen(tree)
    assert leftovers(demo_home) == []


@pytest.mark.shows("cp")
def test_where_things_go_is_what_docker_says(udocker, demo_home, root, tree):
    """The table of docker-cp(1), into a container and out of it."""
    (demo_home / "f").write_text("f")
    (demo_home / "d" / "sparse").unlink()
    udocker.ok("cp", "f", "c:/f1")                       # a name that is not there
    udocker.ok("cp", "./d/a", "c:f1")                    # a file that is
    assert (root / "f1").read_text() == "a\n"
    udocker.ok("cp", "f", "c:/tmp")
    assert (root / "tmp" / "f").read_text() == "f"
    udocker.ok("cp", "d/.", "c:/new")                    # of a directory only what is in it
    assert seen(root / "new") == seen(tree)
    (root / "new" / "mine").write_text("stays")
    udocker.ok("cp", "d", "c:/new")                      # below it
    udocker.ok("cp", "d/s/.", "c:/new")                  # and beside what is there
    assert (root / "new" / "d" / "s" / "b").is_file() and (root / "new" / "b").is_file()
    assert (root / "new" / "mine").read_text() == "stays"
    (root / "etc" / "odd:name").write_text("odd")
    udocker.ok("cp", "c:/etc/odd:name", "./o:n")
    udocker.ok("cp", "./o:n", "c:/tmp/")
    assert (root / "tmp" / "o:n").read_text() == "odd"
    os.mkdir(str(demo_home / "out"))
    udocker.ok("cp", "c:/new/s", "out")
    udocker.ok("cp", "c:/new/s/.", "out")
    udocker.ok("cp", "c:/new/s", "fresh")
    assert sorted(os.listdir(str(demo_home / "out"))) == ["b", "s"]
    assert os.listdir(str(demo_home / "fresh")) == ["b"]
    container = root.parent.name
    udocker.ok("cp", container[:6] + ":/etc/motd", ".")
    udocker.ok("cp", container + ":/etc/motd", "-", binary=True)
    assert (demo_home / "motd").read_text().startswith("Hello")
    udocker.ok("cp", "c:/", "all")
    assert seen(demo_home / "all" / "etc") == seen(root / "etc")


WRONG = [
    ("cp f c:/no/", "the directory 'c:/no/' does not exist"),
    ("cp f c:/no/x", "the directory of 'c:/no/x' does not exist"),
    ("cp f c:/etc/motd/", "is not a directory"), ("cp d c:/etc/motd", "cannot copy a directory"),
    ("cp f/ c:/x", "'f/' is not a directory"), ("cp nope c:/x", "no such file or directory: 'nope'"),
    ("cp c:/nope x", "no such file or directory: 'c:/nope'"), ("cp c:/etc no/x", "does not exist"),
    ("cp c:/etc f", "cannot copy a directory"), ("cp c:/etc/motd f/x", "does not exist"),
    ("cp f g", "has to be CONTAINER:PATH"), ("cp c:/a c:/b", "between containers"),
    ("cp - -", "has to be CONTAINER:PATH"), ("cp x:/a b", "container 'x' not found"),
    ("cp f x:/a", "container 'x' not found"), ("cp - c:/nope", "is no directory that exists"),
    ("cp - c:/etc/motd", "is no directory that exists"), ("cp f", "argument is missing"),
    ("cp a b c", "syntax error at: c"), ("cp f c:", "invalid place 'c:'"), ("cp / c:/x", "too much"),
    ("cp d c:/etc2", "cannot replace '/etc2/d'"), ("cp d/. c:/etc3", "cannot replace '/etc3/s'"),
    ("cp . c:/x", "into itself"), ("cp .udocker c:/", "into itself"),
    ("cp c:/ .udocker/containers/c/ROOT/x", "into itself"),
    ("cp c:/etc/motd/. x", "is not a directory"), ("cp c:/etc/motd/. -", "is not a directory"),
]


def test_what_cannot_be_is_one_line_and_changes_nothing(udocker, demo_home, root):
    (demo_home / "f").write_text("f")
    (demo_home / "d" / "s").mkdir(parents=True)
    (demo_home / "d" / "a").write_text("a")
    (root / "etc2").mkdir()
    (root / "etc2" / "d").write_text("in the way")
    (root / "etc3").mkdir()
    (root / "etc3" / "s").write_text("in the way")
    before = seen(root), seen(demo_home / "d"), sorted(os.listdir(str(demo_home)))
    for words, message in WRONG:
        one_line(udocker(*words.split(), input=b""), message)
        assert (seen(root), seen(demo_home / "d"), sorted(os.listdir(str(demo_home)))) == before, words
    assert leftovers(demo_home) == []


@pytest.mark.shows("cp -L")
def test_links_of_a_container_lead_nowhere_outside(udocker, demo_home, root):
    secret = demo_home / "secret"
    secret.mkdir()
    (secret / "key").write_text("precious")
    (root / "abs").symlink_to("/etc")
    (root / "far").symlink_to(str(secret))
    (root / "up").symlink_to("../../../../../../../../" + str(secret))
    (root / "loop").symlink_to("loop")
    (demo_home / "f").write_text("f")
    udocker.ok("cp", "f", "c:/abs/new")
    assert (root / "etc" / "new").read_text() == "f"
    for words in (["cp", "f", "c:/far/key"], ["cp", "c:/far/key", "x"], ["cp", "c:/up/key", "x"],
                  ["cp", "-L", "c:/far", "x"], ["cp", "c:/loop/x", "x"], ["cp", "f", "c:/up/"],
                  ["cp", "c:/far/", "x"]):
        one_line(udocker(*words), "")
    assert (secret / "key").read_text() == "precious" and os.listdir(str(secret)) == ["key"]
    # a link that leads to nothing yet: what it names is made, inside
    (root / "dangling").symlink_to("/tmp/there")
    udocker.ok("cp", "f", "c:/dangling")
    assert (root / "tmp" / "there").read_text() == "f"
    # links are copied as such, or what they lead to, inside
    udocker.ok("cp", "c:/abs", "link")
    assert os.readlink(str(demo_home / "link")) == "/etc"
    udocker.ok("cp", "-L", "c:/abs", "followed")
    assert (demo_home / "followed" / "motd").is_file()
    (demo_home / "here").symlink_to("secret")
    udocker.ok("cp", "--follow-link", "here", "c:/tmp")
    assert (root / "tmp" / "here" / "key").read_text() == "precious"
    # a directory that the container made a link does not redirect what comes out
    (root / "bait").mkdir()
    (root / "bait" / "sub").symlink_to(str(secret))
    (demo_home / "host" / "bait" / "sub").mkdir(parents=True)
    one_line(udocker("cp", "c:/bait", "host"), "cannot replace")
    assert os.listdir(str(secret)) == ["key"]


HOSTILE = [
    tars.archive(tars.file("../out", b"x")), tars.archive(tars.file("/../../out", b"x")),
    tars.archive(tars.symlink("l", "/tmp"), tars.symlink("m", "../../.."), tars.file("m/../../out", b"x")),
    tars.archive(tars.hard_link("h", "/etc/passwd")), tars.archive(tars.hard_link("h", "../../container.json")),
    b"no archive", tars.file("a", b"x" * 5000)[:3000],
    tars.zipped(tars.archive(tars.file("a", os.urandom(5000))))[:3000],
]


def test_a_hostile_archive_changes_nothing(udocker, demo_home, root):
    before = seen(root.parent)
    for data in HOSTILE:
        one_line(udocker("cp", "-", "c:/tmp", input=data), "")
        assert seen(root.parent) == before and not list(demo_home.rglob("out"))


def test_an_archive_goes_through_the_links_that_are_there_and_has_no_whiteouts(udocker, demo_home, root):
    (root / "usr" / "lib").mkdir()
    (root / "lib64").symlink_to("usr/lib")
    data = tars.zipped(tars.archive(
        tars.directory("lib64"), tars.file("lib64/x.so", b"x"), tars.file(".wh.etc", b"just a name"),
        tars.symlink("away", "/etc"), tars.file("away/y", b"y"), tars.device("null", b"3", 1, 3)))
    done = udocker("cp", "-", "c:/", input=data)
    assert (done.status, done.err) == (0, "Warning: 1 device files were left out: only root can make them\n")
    assert (root / "usr" / "lib" / "x.so").read_text() == "x" and (root / "lib64").is_symlink()
    assert (root / ".wh.etc").read_text() == "just a name" and (root / "etc" / "motd").is_file()
    assert os.readlink(str(root / "away")) == "/etc"
    listed = tarfile.open(fileobj=io.BytesIO(udocker("cp", "c:/etc/.", "-", binary=True).out)).getnames()
    assert "motd" in listed and "." in listed
    assert tarfile.open(fileobj=io.BytesIO(
        udocker("cp", "c:/etc/motd", "-", binary=True).out)).getnames() == ["motd"]


def test_files_that_nobody_may_read_and_sockets(udocker, demo_home, root):
    (root / "shut").write_text("shut")
    (root / "shut").chmod(0)
    (root / "locked").mkdir()
    (root / "locked" / "f").write_text("f")
    (root / "locked").chmod(0)
    udocker.ok("cp", "c:/shut", "shut")
    assert (demo_home / "shut").stat().st_mode & 0o777 == 0
    udocker.ok("cp", "c:/locked", "open")
    assert (demo_home / "open" / "f").read_text() == "f"
    (demo_home / "ro" / "deep").mkdir(parents=True)
    (demo_home / "ro" / "deep" / "f").write_text("f")
    (demo_home / "ro" / "deep").chmod(0o555)
    for _ in range(2):
        udocker.ok("cp", "ro", "c:/")
    assert (demo_home / "ro" / "deep").stat().st_mode & 0o777 == 0o555
    os.mknod(str(root / "s"), stat.S_IFSOCK | 0o600)
    assert "left out" in udocker("cp", "c:/s", "x").err
    assert not (demo_home / "x").exists()


def test_who_interrupts_a_copy_loses_nothing(udocker, demo_home, root):
    (root / "etc" / "motd").write_text("before")
    with (demo_home / "big").open("wb") as file:
        for _ in range(300):
            file.write(os.urandom(1 << 20))
    process = udocker.start("cp", "big", "c:/etc/motd", stderr=subprocess.PIPE)
    until = time.monotonic() + 20
    while not leftovers(demo_home) and process.poll() is None and time.monotonic() < until:
        time.sleep(0.002)
    process.send_signal(signal.SIGINT)
    error = process.stderr.read()
    process.stderr.close()
    if process.wait() == 0:
        pytest.skip("the copy was faster than the signal")
    assert (process.returncode, error) == (130, b"Error: interrupted\n")
    assert (root / "etc" / "motd").read_text() == "before" and leftovers(demo_home) == []
