"""Every command, option, variable and key has a test, and docs/commands.md says which."""

import importlib.machinery
import importlib.util
import os
import subprocess
import sys

import pytest

from tests.conftest import ROOT

SCRIPT = os.path.join(ROOT, "scripts", "command-table")


@pytest.fixture(scope="module")
def table():
    loader = importlib.machinery.SourceFileLoader("command_table", SCRIPT)
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("command_table", loader))
    loader.exec_module(module)
    return module


def test_nothing_lacks_a_test(table):
    assert table.survey()[0] == []


def test_the_pages_are_fresh_or_scripts_command_table_writes_them(table):
    for path, text in table.survey()[1].items():
        assert table.read(path) == text, path


def test_the_script_says_what_is_wrong(table):
    done = subprocess.run([sys.executable, SCRIPT, "--check"], stdout=subprocess.PIPE,
                          universal_newlines=True)
    problems = table.survey()[0]
    assert done.stdout.splitlines()[:len(problems)] == problems
    assert done.returncode == (1 if done.stdout else 0)


@pytest.mark.parametrize("mark, body, problem", [
    ('"run --rm"', '"--rm"', ""), ('"run -v"', '"-itv"', ""), ('"run --volume"', '"-v"', ""),
    ('"run", "-D"', '"-D", "run"', ""), ('"UDOCKER_TMP"', "UDOCKER_TMP=1", ""),
    ('"udocker.conf tmpdir"', '"a = 1\\ntmpdir = 2"', ""),
    ('"run --rm"', '"--rmi"', "does not name it"), ('"run --rm"', '""', "does not name it"),
    ('"run --no-such"', '"--no-such"', "not there"), ('"no_such"', "no_such", "not there"),
    ('"UDOCKER_NONE"', "UDOCKER_NONE", "not there"),
])
def test_a_mark_is_believed_only_if_the_test_names_what_it_shows(table, tmp_path, mark, body, problem):
    path = tmp_path / "test_x.py"
    path.write_text("@pytest.mark.shows(%s)\ndef test_it():\n    do(%s)\n" % (mark, body))
    shown, problems = table.assign(list(table.marks_of(str(path))), table.things())
    assert bool(shown) != bool(problem) or body == '"-D", "run"'
    assert problem in "".join(problems) and bool(problem) == bool(problems)


def test_what_1_3_17_has_is_missed(table):
    old = table.read_commands(table.DATA % "commands")
    assert old["run"][1][("-v", "--volume")] == (True, False)
    assert old["save"] == (True, {("-o", "--output"): (True, True)})
    old["run"][1][("--no-such",)] = (False, True)
    old["run"][1][("--rm",)] = (True, False)
    old["no-such"] = (True, {})
    missed = list(table.absent(old, ["UDOCKER_NONE", "UDOCKER_TMP", "tmpdir", "no_such_key"]))
    for line in ("run --no-such: 1.3.17 has it", "run --rm: 1.3.17 has it with a value",
                 "no-such: 1.3.17 has it", "UDOCKER_NONE: 1.3.17 has it", "no_such_key: 1.3.17 has it"):
        assert line in missed
    assert not any("tmpdir" in line or "UDOCKER_TMP" in line for line in missed)
