import pytest

from udocker.cli.nouns import command_of
from udocker.cli.options import COMMANDS, find_command, parse_command, split_general
from udocker.errors import UsageError


def run(*words):
    return parse_command(find_command("run"), list(words))


def test_options_end_at_the_image():
    options, arguments = run("--rm", "image", "ls", "-l", "--name=x")
    assert options["rm"] and options["name"] is None
    assert arguments == ["image", "ls", "-l", "--name=x"]


@pytest.mark.parametrize("words", [
    ["-v", "/a:/b"], ["-v=/a:/b"], ["-v/a:/b"], ["--volume", "/a:/b"], ["--volume=/a:/b"],
    ["-itv", "/a:/b"], ["-itv=/a:/b"], ["-it", "-v", "/a:/b"],
])
def test_an_option_may_be_written_in_every_way(words):
    options, arguments = run(*(words + ["image"]))
    assert options["volume"] == ("/a:/b",)
    assert arguments == ["image"]


def test_options_that_may_be_repeated_keep_their_order():
    assert run("-e", "B=1", "--env=A=2", "-e=B=3", "i")[0]["env"] == ("B=1", "A=2", "B=3")


def test_a_value_may_begin_with_a_dash_and_be_empty():
    assert run("--entrypoint", "-x", "i")[0]["entrypoint"] == "-x"
    assert run("--entrypoint=", "i")[0]["entrypoint"] == ""


def test_two_dashes_end_the_options():
    assert run("--rm", "--", "image", "-x")[1] == ["image", "-x"]


def test_empty_arguments_of_the_command_stay():
    assert run("image", "sh", "-c", "", "")[1] == ["image", "sh", "-c", "", ""]


def test_a_switch_takes_what_go_calls_a_boolean():
    assert run("--rm=false", "i")[0]["rm"] is False
    assert run("--rm=1", "i")[0]["rm"] is True


def test_other_commands_take_options_anywhere():
    options, arguments = parse_command(find_command("rm"), ["c1", "-f", "c2"])
    assert options["force"] and arguments == ["c1", "c2"]


@pytest.mark.parametrize("words, message", [
    (["--nmae=x", "i"], "--name"), (["-Z", "i"], "-Z"), (["--rm=maybe", "i"], "--rm"),
    (["-v"], "HOST"), (["-itZ", "i"], "-Z"),
])
def test_a_wrong_option_is_named(words, message):
    with pytest.raises(UsageError) as caught:
        run(*words)
    assert message in caught.value.message + (caught.value.hint or "")


def test_general_options_stand_before_the_command():
    general, name, rest = split_general(["-q", "--repo", "/x", "--insecure", "run", "-q"])
    assert (general["quiet"], general["repo"], general["insecure"]) == (True, "/x", True)
    assert (name, rest) == ("run", ["-q"])


def test_a_misspelt_command_gets_a_suggestion():
    with pytest.raises(UsageError) as caught:
        find_command("imags")
    assert "images" in caught.value.hint


def test_no_command_says_one_thing_twice():
    for command in COMMANDS:
        flags = [flag for option in command.options for flag in option.flags]
        assert len(flags) == len(set(flags)), command.name


@pytest.mark.parametrize("words, expected", [
    (["image", "ls", "-q"], ("images", ["-q"])), (["image", "rm", "x"], ("rmi", ["x"])),
    (["image", "pull", "x"], ("pull", ["x"])), (["container", "ls", "-a"], ("ps", ["-a"])),
    (["container", "rm", "c"], ("rm", ["c"])), (["container", "run", "i"], ("run", ["i"])),
    (["image", "inspect", "x"], ("inspect", ["--type=image", "--format=json", "x"])),
    (["image"], ("help", [])), (["container", "--help"], ("help", [])),
])
def test_the_longer_spelling_of_docker(words, expected):
    known = [command.name for command in COMMANDS]
    assert command_of(words[0], words[1:], known) == expected


def test_a_verb_that_is_none_gets_those_that_there_are():
    with pytest.raises(UsageError) as caught:
        command_of("image", ["\033[31m"], ["images", "rmi"])
    assert "\\x1b[31m" in caught.value.message and caught.value.hint == "one of list, ls, remove, rm"
