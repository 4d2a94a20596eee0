"""Killed, or out of space, at any moment: nothing half done is seen, and the next command works.

The kernel does it, not a patch of ours: strace(1) kills the process at, or fails, the n-th of the
system calls that change a file system.
"""

import os
import shutil
import subprocess
import tarfile

import pytest

#: What makes a thing appear, vanish or last; between two of these the disk looks the same, but for
#: the content of files that have no name of their own yet.
CHANGES = ("rename,renameat,renameat2,mkdir,mkdirat,symlink,symlinkat,unlink,unlinkat,rmdir,fsync,"
           "fchmod")
STRACE = shutil.which("strace")

pytestmark = pytest.mark.skipif(STRACE is None, reason="the program strace is not installed")

#: command, what must work after it was killed, and how many changes lie between two kills: the
#: links of busybox and the files of a bundle are all alike.
COMMANDS = {
    "load": (["load", "-i", "ARCHIVE", "again:1"], ["load", "-i", "ARCHIVE", "again:1"], 3),
    "create": (["create", "--name=new", "demo"], ["create", "demo"], 41),
    "rm": (["rm", "c"], ["create", "demo"], 61),
    "rmi": (["rmi", "demo"], ["load", "-i", "ARCHIVE"], 1),
    "install": (["install", "--force"], ["install", "--force"], 23),
    "clone": (["clone", "--name=new", "c"], ["clone", "c"], 53),
    "import": (["import", "ROOT", "new:1"], ["import", "ROOT", "newer:1"], 3),
    "import container": (["import", "--tocontainer", "--name=new", "ROOT"],
                         ["import", "--tocontainer", "ROOT"], 41),
    "tag": (["tag", "demo", "new:1"], ["tag", "demo", "newer:1"], 1),
    "cp": (["cp", "FOLDER", "c:/etc"], ["cp", "FOLDER", "c:/etc"], 1),
    "commit": (["commit", "-c", "LABEL a=b", "c", "new:1"], ["commit", "c", "newer:1"], 2),
    "prune": (["system", "prune", "-af"], ["load", "-i", "ARCHIVE"], 2),
}
#: What undoes a command that succeeded.
UNDO = {"load": ["rmi", "again:1"], "create": ["rm", "new"], "clone": ["rm", "new"],
        "import": ["rmi", "new:1"]}


def traced(udocker, words, *inject):
    """Run udocker below strace, which injects; return (status, stderr)."""
    command = [STRACE, "-f", "-qq", "-o", os.devnull, "-e", "trace=" + CHANGES + ",linkat,write,pwrite64"]
    for text in inject:
        command += ["-e", "inject=" + text]
    done = subprocess.run(command + udocker.command(*words), env=udocker.environment(),
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, cwd=udocker.home, timeout=60)
    return done.returncode, done.stderr.decode("utf-8")


#: What each container can do, one that was imported too.
_SHOW = ("cat", "/etc/motd")


def require_order(udocker):
    """What is listed is whole: each image can be created from, each container runs."""
    for line in udocker.ok("images").split("\n")[1:-1]:
        container = udocker.ok("create", line.split()[0]).strip()
        assert udocker.ok("run", "--rm", container, *_SHOW).startswith("Hello")
    for line in udocker.ok("ps").split("\n")[1:-1]:
        assert udocker.ok("run", line.split()[0], *_SHOW).startswith("Hello")


@pytest.fixture
def files(demo_archive, tmp_path):
    """What stands for a word of a command: {word: path}."""
    root = str(tmp_path / "root.tar")
    with tarfile.open(demo_archive) as archive, open(root, "wb") as file:
        file.write(archive.extractfile("layer.tar").read())
    (tmp_path / "folder").mkdir()
    for name in ("motd", "more"):
        (tmp_path / "folder" / name).write_text("Hello again\n")
    return {"ARCHIVE": demo_archive, "ROOT": root, "FOLDER": str(tmp_path / "folder") + "/."}


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_a_command_may_be_killed_at_any_change(udocker, demo_home, files, name):
    words, afterwards = ([files.get(word, word) for word in command]
                         for command in COMMANDS[name][:2])
    backup = str(demo_home) + ".backup"
    if name == "prune":
        udocker.ok("commit", "c", "spare:1")
    subprocess.check_call(["cp", "-a", str(demo_home), backup])
    status, number = -9, 0
    while status not in (0, 125):
        number += COMMANDS[name][2]
        shutil.rmtree(str(demo_home))
        subprocess.check_call(["cp", "-a", backup, str(demo_home)])
        status, _ = traced(udocker, words, "%s:signal=KILL:when=%d" % (CHANGES, number))
        require_order(udocker)
        udocker.ok(*afterwards)
    assert status == 0 and number > 3 * COMMANDS[name][2]
    shutil.rmtree(backup)


@pytest.mark.parametrize("error, words", [("ENOSPC", "no space left"), ("EDQUOT", "quota"),
                                          ("EROFS", "read-only"), ("EIO", "input/output")])
@pytest.mark.parametrize("name", ["load", "create", "clone", "import"])
def test_a_disk_that_fails_is_one_line_and_leaves_nothing(udocker, demo_home, files, name, error,
                                                          words):
    command = [files.get(word, word) for word in COMMANDS[name][0]]
    containers, layers = (str(demo_home / ".udocker" / name) for name in ("containers", "layers"))
    before = sorted(os.listdir(containers)), sorted(os.listdir(layers))
    failed = 0
    for call in ("write", "pwrite64", "fsync", "rename", "mkdir", "symlink"):
        for number in (1, 2, 5):
            status, err = traced(udocker, command, "%s:error=%s:when=%d" % (call, error, number))
            if status == 0:
                udocker.ok(*UNDO[name])
                break  # there are not so many of them
            lines = [line for line in err.split("\n") if line and not line.startswith("Info: ")]
            if not lines or "standard output" in err:
                udocker(*UNDO[name])
                continue  # it was done, and what failed was to tell of it
            failed += 1
            assert status == 125 and len(lines) == 1 and words in lines[0].lower(), (call, number, err)
            assert (sorted(os.listdir(containers)), sorted(os.listdir(layers))) == before
            require_order(udocker)
    assert failed >= 3


@pytest.mark.parametrize("words", [["save", "-o", "FILE", "demo"], ["export", "-o", "FILE", "c"]])
def test_an_archive_is_whole_or_not_there(udocker, demo_home, tmp_path, words):
    folder = tmp_path / "archives"
    folder.mkdir()
    path = str(folder / "new.tar")
    command = [path if word == "FILE" else word for word in words]
    udocker.ok(*command)
    with open(path, "rb") as file:
        whole = file.read()
    failed = 0
    for inject in ("signal=KILL", "error=ENOSPC", "error=EIO"):
        for call, numbers in (("write", (1, 2, 9)), ("fsync", (1, 2)), ("fchmod", (1, 2)),
                              ("linkat", (1, 2))):
            for number in numbers:
                os.unlink(path)
                status, err = traced(udocker, command, "%s:%s:when=%d" % (call, inject, number))
                if status == 0:
                    with open(path, "rb") as file:
                        assert file.read() == whole
                    continue
                if os.listdir(str(folder)) == ["new.tar"]:  # it was told no more that all is done
                    with open(path, "rb") as file:
                        assert file.read() == whole
                    continue
                assert os.listdir(str(folder)) == [], (inject, call, number)
                if inject != "signal=KILL":
                    assert status == 125 and err.count("Error: ") == 1, (inject, call, number, err)
                failed += 1
                udocker.ok(*command)
    assert failed >= 8
