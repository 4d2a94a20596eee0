"""The texts beside the table of options fit what is in the table."""

import re
import shlex

import pytest

from udocker.cli import manual
from udocker.cli.help import Page, command_help, option_rows
from udocker.cli.options import COMMANDS, find_command, parse_command, split_general, switch, value


def test_every_command_is_in_one_group():
    names = [name for _, words in manual.GROUPS for name in words.split()]
    assert len(names) == len(set(names))
    assert {command.name for command in COMMANDS} <= set(names)
    assert sum(len(found) for _, found in manual.grouped(COMMANDS)) == len(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_every_command_has_examples_that_can_be_typed(command):
    lines = manual.EXAMPLES[command.name]
    assert lines
    for line, _ in lines:
        for words in spoken(line):
            _, name, rest = split_general(words)
            parse_command(find_command(name), rest)


def spoken(line):
    """The command lines of udocker in a line of shell (lists of str)."""
    line = line.replace("$(", " ; ").replace("<(", " ; ").replace(")", " ; ").replace(">", " ; ")
    for part in line.replace("|", ";").split(";"):
        words = shlex.split(part)
        if "udocker" in words:
            yield words[words.index("udocker") + 1:]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_the_help_of_every_command_fits(command):
    page = Page(80)
    command_help(page, command)
    text = "\n".join(page.lines)
    assert text.startswith("usage: udocker %s [OPTIONS]" % command.name)
    assert "--help " in text and "\nExamples:\n  " in text and "\033" not in text
    assert max(map(len, page.lines)) <= 80
    # flags and texts stand in two columns
    options = text.partition("\nOptions:\n")[2].partition("\n\n")[0]
    rows = re.findall(r"(?m)^  (?:-\w, |    )--.*?  +(?=\S)", options)
    assert rows and len({len(row) for row in rows}) == 1, rows


def test_rows_are_aligned_and_wrapped():
    page = Page(50)
    page.rows(option_rows((switch("-a", "--all", "word " * 12),
                           value("--name", "NAME", "short", default="x"),
                           value("--a-very-long-option-indeed", "OF-THIS-KIND", "text", many=True))))
    assert page.lines == [
        "  -a, --all        word word word word word word",
        "                   word word word word word word",
        "      --name NAME  short (default: x)",
        "      --a-very-long-option-indeed OF-THIS-KIND",
        "                   text (may be repeated)"]
