"""Killed, or out of space, at any moment: nothing half done is seen, and the next command works.

The kernel does it, not a patch of ours: strace(1) kills the process at, or fails, the n-th of the
system calls that change a file system.
"""

import os
import shutil
import subprocess

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
}
#: What undoes a command that succeeded.
UNDO = {"load": ["rmi", "again:1"], "create": ["rm", "new"]}


def traced(udocker, words, *inject):
    """Run udocker below strace, which injects; return (status, stderr)."""
    command = [STRACE, "-f", "-qq", "-o", os.devnull, "-e", "trace=" + CHANGES + ",write,pwrite64"]
    for text in inject:
        command += ["-e", "inject=" + text]
    done = subprocess.run(command + udocker.command(*words), env=udocker.environment(),
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, cwd=udocker.home, timeout=60)
    return done.returncode, done.stderr.decode("utf-8")


def require_order(udocker):
    """What is listed is whole: each image can be created from, each container runs."""
    for line in udocker.ok("images").split("\n")[1:-1]:
        container = udocker.ok("create", line.split()[0]).strip()
        assert udocker.ok("run", "--rm", container).startswith("Hello")
    for line in udocker.ok("ps").split("\n")[1:-1]:
        assert udocker.ok("run", line.split()[0]).startswith("Hello")


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_a_command_may_be_killed_at_any_change(udocker, demo_home, demo_archive, name):
    words, afterwards = ([demo_archive if word == "ARCHIVE" else word for word in command]
                         for command in COMMANDS[name][:2])
    backup = str(demo_home) + ".backup"
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
@pytest.mark.parametrize("name", ["load", "create"])
def test_a_disk_that_fails_is_one_line_and_leaves_nothing(udocker, demo_home, demo_archive, name,
                                                          error, words):
    command = [demo_archive if word == "ARCHIVE" else word for word in COMMANDS[name][0]]
    containers, layers = (str(demo_home / ".udocker" / name) for name in ("containers", "layers"))
    before = sorted(os.listdir(containers)), sorted(os.listdir(layers))
    failed = 0
    for call in ("write", "fsync", "rename", "mkdir", "symlink"):
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
