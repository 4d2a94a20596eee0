"""Real shells complete command lines: what a user types, a tab, and what becomes of it."""

import os
import pty
import select
import shutil
import subprocess
import time

import pytest

#: What each shell has to be told before it completes, and starts with nothing of the user's own.
START = {
    "bash": (["bash", "--norc", "--noprofile", "-i"], "source <(udocker completion bash)"),
    "zsh": (["zsh", "-f", "-i"], "PS1='$ '; unsetopt zle_bracketed_paste; autoload -U compinit; "
            "compinit -u -D; source <(udocker completion zsh)"),
}


@pytest.fixture
def commands(udocker, demo_home, tmp_path):
    """A home with 'udocker' in PATH, two containers and two images; the environment (dict)."""
    (tmp_path / "bin").mkdir()
    os.symlink(udocker.pyz, str(tmp_path / "bin" / "udocker"))
    udocker.ok("tag", "demo", "registry.example:5000/team/tool:1.0")
    udocker.ok("create", "--name=my-second", "demo")
    (demo_home / "archive.tar").write_text("")
    env = udocker.environment({"PATH": "%s:/usr/local/bin:/usr/bin:/bin" % (tmp_path / "bin")})
    return dict(env, TERM="dumb", HISTFILE="")


class Terminal(object):
    """A shell that believes a person to be there."""

    def __init__(self, words, environ, cwd):
        self.leader, follower = pty.openpty()
        self.process = subprocess.Popen(words, stdin=follower, stdout=follower, stderr=follower,
                                        env=environ, cwd=cwd, start_new_session=True, close_fds=True)
        os.close(follower)
        self.seen = ""

    def type(self, text):
        os.write(self.leader, text.encode("utf-8"))

    def wait_for(self, text, seconds=20):
        """Return what came up to ``text`` (str), from now on."""
        end = time.time() + seconds
        while text not in self.seen:
            ready = select.select([self.leader], [], [], max(0, end - time.time()))[0]
            assert ready, "no %r in %r" % (text, self.seen)
            self.seen += os.read(self.leader, 4096).decode("utf-8", "replace")
        before, _, self.seen = self.seen.partition(text)
        return before

    def close(self):
        self.process.kill()
        self.process.wait()
        os.close(self.leader)


@pytest.fixture(params=sorted(START))
def shell(request, commands, demo_home):
    """A Terminal with bash or zsh, ready to complete."""
    words, start = START[request.param]
    if shutil.which(words[0]) is None:
        pytest.skip("the shell %s is not installed" % words[0])
    terminal = Terminal(words, commands, str(demo_home))
    terminal.type(start + "; echo rea''dy\n")
    terminal.wait_for("ready\r\n")
    yield terminal
    terminal.close()


def test_bash_and_zsh_complete_what_is_typed(shell):
    # what is run in the end is the completed line, by the real program
    for typed, said in (
            ("udocker imag\t", "registry.example:5000/team/tool:1.0"),      # a command
            ("udocker inspect -p my-\t", "/ROOT"),                             # a container
            ("udocker inspect de\t", '"Cmd"'),                                 # an image
            ("udocker verify registry.example:50\t", "Info: image Ok"),        # one with colons
            ("udocker images --pla\t", "linux/amd64"),                         # an option
            ("udocker run --dry-run --execmode=R1\t my-\t", "(mode R1)"),      # a value, and after it
            ("udocker -q run --entrypoint echo c arch\t", "archive.tar")):      # a file
        shell.type(typed + "; echo en''d\n")
        assert said in shell.wait_for("end\r\n"), typed


@pytest.mark.shows("completion")
def test_fish_completes_what_is_typed(commands, demo_home):
    if shutil.which("fish") is None:
        pytest.skip("the shell fish is not installed")
    script = demo_home / "udocker.fish"
    with open(str(script), "wb") as out:
        subprocess.check_call(["udocker", "completion", "fish"], env=commands, stdout=out)

    def complete(line):
        done = subprocess.run(["fish", "--no-config", "-c", "source %s; complete -C '%s'"
                               % (script, line)], env=commands, cwd=str(demo_home),
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              universal_newlines=True, timeout=30)
        assert done.returncode == 0, done.stderr
        return [entry.split("\t")[0] for entry in done.stdout.split("\n") if entry]

    assert complete("udocker imag") == ["images"]
    assert complete("udocker rm my") == ["my-second"]
    assert complete("udocker verify reg") == ["registry.example:5000/team/tool:1.0"]
    assert complete("udocker run --execm") == ["--execmode"]
    assert "archive.tar" in complete("udocker load -i ar")
    assert "R1" in complete("udocker setup --execmode R")


@pytest.mark.shows("completion --words")
def test_what_may_stand_where(udocker, demo_home, commands):
    def may_stand(*words):
        out = udocker.ok("completion", "--words", "--", *words)
        return [line.split("\t")[0] for line in out.split("\n") if line]

    assert {"run", "ps", "help"} <= set(may_stand(""))
    assert may_stand("--ins") == ["--insecure"]
    assert may_stand("--repo", "") == may_stand("mkrepo", "") == [":dirs"]
    assert may_stand("rm", "") == ["c", "my-second"]
    assert set(may_stand("run", "--rm", "")) == {"c", "my-second", "demo:latest",
                                                 "registry.example:5000/team/tool:1.0"}
    assert may_stand("run", "c", "") == may_stand("run", "c", "ls", "--a") == [":files"]
    assert may_stand("run", "--pull", "") == ["missing", "never", "always", "reuse"]
    assert may_stand("run", "--pull=re") == ["--pull=reuse"]
    assert may_stand("run", "-v", "") == may_stand("run", "-itv", "") == [":files"]
    assert may_stand("rename", "c", "") == may_stand("create", "--name", "") == []
    assert may_stand("nonsense", "") == []
    assert may_stand("completion", "z") == ["zsh"]
    identifier = os.path.basename(os.path.dirname(udocker.ok("inspect", "-p", "c").strip()))
    assert may_stand("rm", identifier[:6]) == [identifier]
    other = str(demo_home / "other")
    assert may_stand("--repo=" + other, "rm", "") == [] and not os.path.exists(other)


def test_a_name_that_a_shell_would_run_is_not_offered(udocker, demo_home):
    containers = demo_home / ".udocker" / "containers"
    target = os.readlink(str(containers / "c"))
    for name in ("$(touch pwned)", "a;b", "new\nline", "\033[31m", "-x", "harmless"):
        os.symlink(target, str(containers / name))
    out = udocker.ok("completion", "--words", "--", "rm", "")
    assert [line.split("\t")[0] for line in out.split("\n") if line] == ["c", "harmless"]


def test_it_is_quick_and_changes_nothing(udocker, home, tmp_path):
    assert udocker.ok("completion", "--words", "--", "rm", "") == ""
    (home / "broken.conf").write_text("timeout = soon\n")
    done = udocker("completion", "--words", "--", "--config", "broken.conf", "rm", "")
    assert (done.status, done.out, done.err) == (0, "", "")
    assert not (home / ".udocker").exists()
    wrong = udocker("completion", "tcsh")
    assert wrong.status == 125 and "bash, zsh, fish" in wrong.err
