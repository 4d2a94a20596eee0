"""Help as people get it: on terminals of some width, in pipes, as a man page."""

import fcntl
import os
import pty
import re
import shutil
import struct
import subprocess
import termios

import pytest

from udocker.cli.options import COMMANDS

NAMES = sorted(command.name for command in COMMANDS)


def on_terminal(udocker, columns, *words, **env):
    """Return what ``words`` print on a terminal of so many columns."""
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    environ = udocker.environment(dict({"TERM": "xterm", "COLUMNS": None}, **env))
    process = subprocess.Popen(udocker.command(*words), stdout=follower, stderr=follower,
                               stdin=follower, env=environ)
    os.close(follower)
    said = b""
    while True:
        try:
            piece = os.read(leader, 4096)
        except OSError:
            break  # EIO: the other side is closed
        if not piece:
            break
        said += piece
    os.close(leader)
    assert process.wait(20) == 0
    return said.decode("utf-8").replace("\r\n", "\n")


def widest(text):
    return max(len(line) for line in re.sub("\033\\[[0-9]*m", "", text).split("\n"))


def test_the_help_of_a_command_is_had_in_each_way(udocker):
    text = udocker.ok("help", "ps")
    assert text.startswith("usage: udocker ps [OPTIONS]")
    for words in (("ps", "--help"), ("ps", "-h"), ("-h", "ps"), ("ps", "-a", "--help")):
        assert udocker.ok(*words) == text
    # docker's run has another -h
    assert udocker.ok("run", "--help").startswith("usage: udocker run [OPTIONS]")


@pytest.mark.shows("-h --help", "help", "NO_COLOR")
def test_the_general_help(udocker):
    text = udocker.ok("help")
    assert text == udocker.ok() == udocker.ok("--help") == udocker.ok("-h")
    for name in NAMES:
        assert re.search(r"(?m)^  %s +\w" % name, text), name
    for heading in ("Run containers", "Images", "Options", "Environment", "Exit status"):
        assert "\n%s:\n" % heading in text
    assert widest(text) <= 80 and "\033" not in text
    wide = on_terminal(udocker, 100, "help")
    assert 80 < widest(wide) <= 100 and "\033[1mOptions:\033[0m\n" in wide
    assert widest(on_terminal(udocker, 60, "help")) <= 60
    for plain in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        assert "\033" not in on_terminal(udocker, 80, "help", **plain)


@pytest.mark.shows("help --man")
def test_the_man_page_is_one_that_tools_like(udocker, home):
    text = udocker.ok("help", "--man")
    assert text == udocker.ok("help", "--man")
    page = home / "udocker.1"
    page.write_text(text)
    tried = False
    for words, silent in ((["mandoc", "-Tlint", "-Wstyle"], True),
                          (["groff", "-ww", "-mdoc", "-Tutf8", "-z"], True),
                          (["man", "-l"], False)):
        if shutil.which(words[0]) is None:
            continue
        tried = True
        done = subprocess.run(words + [str(page)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              env=udocker.environment({"MANWIDTH": "80"}), universal_newlines=True)
        assert done.returncode == 0 and (done.stdout == "" if silent else True), done.stdout
        if not silent:
            shown = re.sub(".\b", "", done.stdout)
            for name in NAMES:
                assert re.search(r"(?m)^ +%s\b" % name, shown), name
            for word in ("--cpuset-cpus", "UDOCKER_DEFAULT_EXECUTION_MODE", "128+N", "~/.udocker"):
                assert word in shown
    if not tried:
        pytest.skip("none of the programs mandoc, groff and man is installed")


@pytest.mark.parametrize("words, told", [
    (["imags"], "invalid command: 'imags' (did you mean 'images'?)"),
    (["xyzzy"], "invalid command: 'xyzzy' (see 'udocker help')"),
    (["help", "rnu"], "did you mean 'run'?"),
    (["run", "--volum=/a", "c"], "unknown option '--volum' (did you mean '--volume'?)"),
    (["run", "-X", "c"], "unknown option '-X' (see 'udocker help run')"),
    (["--reop=/x", "ps"], "did you mean '--repo'?"),
    (["run"], "usage: udocker run [OPTIONS] CONTAINER|IMAGE"),
    (["pull", "a", "b"], "syntax error at: b (usage: udocker pull [OPTIONS] IMAGE)"),
    (["create", "--name"], "option --name needs a value: NAME (see 'udocker help create')"),
    (["ps", "\033[31m"], "syntax error at: \\x1b[31m"),
])
def test_an_error_of_typing_says_what_to_do(udocker, words, told):
    done = udocker(*words)
    assert (done.status, done.out) == (125, "")
    assert told in done.err and done.err.startswith("Error: ") and done.err.count("\n") == 1
