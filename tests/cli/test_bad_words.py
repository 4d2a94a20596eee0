"""Whatever is typed: one line that says what is wrong, no trace of a terminal's codes, status 125."""

import pytest

from udocker.cli.options import COMMANDS

#: Values that no option can do anything with, or that must not reach a terminal as they are.
HOSTILE = "\033[31m:a b,=c\nd\udcff"
#: Commands that wait for somebody, or that read what is not theirs where a test runs.
LEFT_OUT = ("completion", "help")
#: What an argument is, by its name in the usage; of what is there, so that the option is what fails.
ARGUMENTS = {"CONTAINER": "c", "IMAGE": "demo", "CONTAINER|IMAGE": "c"}


def with_value():
    """(command, the words of a call that has a hostile value) for each option that takes one."""
    for command in COMMANDS:
        if command.name in LEFT_OUT:
            continue
        for option in command.options:
            if option.metavar:
                first = command.arguments.split(" ")[0].strip("[].")
                target = [ARGUMENTS[first]] if first in ARGUMENTS else []
                flag = option.flags[-1]
                dry = ["--dry-run"] if command.name == "run" else []
                yield command.name, [command.name] + dry + ["%s=%s" % (flag, HOSTILE)] + target


CALLS = list(with_value())


@pytest.mark.parametrize("name", sorted({name for name, _ in CALLS}))
def test_a_hostile_value_is_one_line(udocker, demo_home, name):
    for words in [words for command, words in CALLS if command == name]:
        done = udocker(*words, timeout=30)
        assert done.status in (0, 1, 125, 127), (words, done)
        assert "internal error" not in done.err and "Traceback" not in done.err, (words, done.err)
        # a --format is the user's own text, as docker has it
        assert "\033" not in done.err + ("" if "--format=" in str(words) else done.out), (words, done)
        lines = [line for line in done.err.split("\n") if line.startswith("Error: ")]
        assert len(lines) == (1 if done.status == 125 else len(lines)), (words, done.err)


@pytest.mark.parametrize("text", [HOSTILE, "", ".."], ids=["hostile", "empty", "dots"])
def test_a_hostile_argument_is_one_line(udocker, demo_home, text):
    for command in COMMANDS:
        if command.name in ("run", "exec") + LEFT_OUT or not command.arguments:
            continue
        done = udocker(command.name, "--", text, timeout=30)
        assert done.status in (0, 1, 125), (command.name, done)
        assert "internal error" not in done.err and "Traceback" not in done.err, (command.name, done.err)
        assert "\033" not in done.err + done.out, (command.name, done)
