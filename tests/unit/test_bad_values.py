"""Every option with a missing, malformed, doubled and hostile value: one clear line, whatever it is.

The tests go over the table of options, so a new option is here as soon as it is there. What a value
must not be, beside hostile, stands in REFUSED.
"""

import re

import pytest

from udocker.cli import main
from udocker.cli.options import find_command
from udocker.errors import UdockerError

#: What no option takes for more than a text, and no message may show as it is.
HOSTILE = ["", " ", ":", ",", "=", "/", "a b", "a\nb", "\nInfo: forged", "\x1b[31mred\x1b]0;title\x07",
           "\udcff\udcfe", "\u202ereversed", "/../../etc", "-1", "99999999999999999999", "%s%n", "{{",
           "\"", "'", "x" * 5000, "/" + "x/" * 3000, "\t", "a:b:c:d:e", "\u00b2",
           "9" * 5000]
#: A word that is neither a container nor an image: who gets so far has taken the option.
NOBODY = "No One"
#: Options of run whose values have a form: some that do not.
REFUSED = {
    "--volume": ["", "a", "name:/x", "/a:b", "/a:/", "/a:/b:what", "/a:/b:/c", "/a\n:/b", "/a:/../b", ":/b"],
    "--mount": ["", "type=bind", "type=what,target=/a", "target=/a,target=/b", "type=bind,source=a,target=/b"],
    "--tmpfs": ["", "t", "/", "/t:what", "/t:size=x"], "--device": ["", "x", "/dev/a:x"],
    "--env": ["", "=a", "a b=c", "1a=b", "\n=x"], "--env-file": ["", "/nonexistent", "/"],
    "--user": ["a:", ":a", "a b", "a\nb:x:0:0", "-1", "4294967295", "a:b:c", "\udcff"],
    "--publish": ["", "80", "a:b", "0:80", "80:65536", "1:2:3:4", "80:80/x"],
    "--add-host": ["", "a", "a:", "a b:1.2.3.4", "a:b", "a\nb:1.2.3.4"], "--dns": ["", "x", "1.2.3"],
    "--dns-search": ["", "a b", "a\nb"], "--dns-option": ["", "a b", "a\nnameserver 6.6.6.6"],
    "--shm-size": ["", "x", "-1", "0", "1x"], "--ulimit": ["", "nofile", "what=1", "nofile=2:1"],
    "--pull": ["", "sometimes", "missing "], "--location": ["", "/nonexistent", "/etc/passwd"],
    "--format": ["", "yaml", "json "],
}


def value_options(command):
    return [option for option in find_command(command).options if option.metavar]


def said(capfd, *words):
    """Run the program in this process; return (status, what it says on standard error)."""
    status = main(["--allow-root"] + list(words))
    out, err = capfd.readouterr()
    assert out == "" or status == 0
    return status, err


def require_one_line(err):
    errors = [line for line in err.split("\n") if line.startswith("Error: ")]
    assert len(errors) == 1 and err.endswith("\n"), err
    assert all(line.startswith(("Error: ", "Warning: ")) for line in err.split("\n")[:-1]), err
    assert err.replace("\n", "").isprintable(), ascii(err)
    assert not re.search("internal error|Traceback|Exception", err), err
    assert len(err) < 1500, err


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch, capfd):
    """A new user's home (pathlib.Path), whose registry is nowhere."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("UDOCKER_REGISTRY", "http://localhost:1")
    monkeypatch.delenv("UDOCKER_DIR", raising=False)
    assert said(capfd, "ps")[0] == 0
    return tmp_path


@pytest.mark.parametrize("command", ["run", "create", "pull", "images", "inspect", "history", "rmi"])
def test_a_value_that_is_missing_is_missed(capfd, command):
    for option in value_options(command):
        for flag in option.flags:
            status, err = said(capfd, command, flag)
            assert status == UdockerError.exit_code
            assert err == "Error: option %s needs a value: %s (see 'udocker help %s')\n" % (
                flag, option.metavar, command)


@pytest.mark.parametrize("command", ["run", "create", "pull", "inspect"])
def test_hostile_values_make_one_line(capfd, command, home):
    for option in value_options(command):
        for text in HOSTILE:
            status, err = said(capfd, command, option.flags[-1] + "=" + text, NOBODY)
            assert status == UdockerError.exit_code, (option.flags, text)
            require_one_line(err)
    assert not [path for path in home.rglob("ROOT")]  # and no container


def test_hostile_values_of_images(capfd):
    for option in value_options("images"):
        for text in HOSTILE:
            status, err = said(capfd, "images", option.flags[-1] + "=" + text)
            if status:
                require_one_line(err)


@pytest.mark.parametrize("option", sorted(REFUSED))
def test_a_value_of_another_form_is_refused_and_shown(capfd, option):
    assert option in [each.flags[-1] for each in value_options("run")]
    for text in REFUSED[option]:
        status, err = said(capfd, "run", option + "=" + text, NOBODY)
        assert status == UdockerError.exit_code
        require_one_line(err)
        assert NOBODY not in err, "%s=%s was taken" % (option, ascii(text))


def test_a_value_given_twice_counts_as_docker_has_it(capfd):
    for option in value_options("run"):
        status, err = said(capfd, "run", option.flags[-1], "1", option.flags[-1], "\x1b[2J", NOBODY)
        assert status == UdockerError.exit_code
        require_one_line(err)


@pytest.mark.parametrize("command", ["run", "create", "pull", "images", "inspect", "rmi", "tag", "rm"])
def test_hostile_names_and_flags_make_one_line(capfd, command):
    least = {"tag": ["demo"]}.get(command, [])
    for text in HOSTILE:
        if text.isdecimal():
            continue  # a good name
        status, err = said(capfd, command, *(least + ["--", text]))
        assert status == UdockerError.exit_code or command == "images", ascii(text)
        if status:
            require_one_line(err)
        for flag in ("--" + text, "-" + text, "--rm=" + text) if text else ():
            status, err = said(capfd, command, flag, NOBODY)
            if status:
                require_one_line(err)


@pytest.mark.parametrize("option", ["--registry", "--httpproxy", "--platform"])
def test_where_to_pull_from_may_be_nonsense(capfd, option):
    # no names of hosts among them: nobody is asked for one
    texts = [" ", ":", "a b", "a\nb", "\x1b[31m", "\udcff", "http://", "ftp://x/", "http://[::1",
             "http://localhost:99999"]
    name = "x" if option == "--registry" else "localhost:1/x"
    for text in texts[3:5] if option == "--httpproxy" else texts:  # each is tried three times
        status, err = said(capfd, "pull", option + "=" + text, name)
        assert status == UdockerError.exit_code
        require_one_line(err)
