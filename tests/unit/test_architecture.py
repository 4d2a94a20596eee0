"""The arrows of ARCHITECTURE.md, and the other rules of the house that a program can check."""

import ast
import os
import re

import pytest

from udocker.cli.options import COMMANDS

APP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "app", "udocker")
#: A room may import from itself and from those before it; registry and store not from each other.
ROOMS = ["model", "host", "registry", "store", "image", "engine", "run", "cli"]
FORBIDDEN = {("store", "registry"), ("registry", "store")}
#: Libraries, and what of the standard library is too dear for the way to a running container.
LAZY = {"requests", "urllib3", "tqdm", "packaging", "certifi", "argparse", "json", "re", "typing",
        "subprocess", "tempfile", "configparser", "tarfile", "hashlib", "threading"}
#: Modules that "udocker run" of a container that is there imports.
FAST = ["errors.py", "cli/__init__.py", "cli/grammar.py", "cli/harmless.py", "cli/options.py", "cli/output.py", "cli/context.py",
        "cli/settings.py", "cli/run.py", "cli/spec.py", "model/reference.py", "model/jsontext.py", "model/oci.py",
        "model/spec.py", "model/mounts.py", "model/limits.py", "model/resolver.py", "model/plan.py", "host/facts.py", "host/probe.py", "host/tree.py",
        "host/files.py", "host/elf.py", "store/layout.py", "store/containers.py", "engine/base.py",
        "store/debris.py", "engine/bundle.py", "engine/choose.py", "engine/locate.py", "engine/proot.py",
        "host/processes.py", "store/runs.py", "run/identity.py", "run/plan.py", "run/supervise.py", "run/view.py"]
MAX_LINES = 350


def modules():
    found = []
    for directory, _, names in os.walk(APP):
        found += [os.path.relpath(os.path.join(directory, name), APP)
                  for name in names if name.endswith(".py")]
    return sorted(found)


def parse(module):
    with open(os.path.join(APP, module), encoding="utf-8") as file:
        return ast.parse(file.read(), module)


def imported(nodes):
    for node in nodes:
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield node.module
            for alias in node.names:
                yield node.module + "." + alias.name


def room_of(name):
    parts = name.split(".")
    return parts[1] if len(parts) > 1 and parts[0] == "udocker" and parts[1] in ROOMS else None


@pytest.mark.parametrize("module", modules())
def test_arrows_point_one_way(module):
    room = module.split("/")[0] if "/" in module else None
    for name in imported(ast.walk(parse(module))):
        other = room_of(name)
        if room is None:
            assert other is None or module == "__main__.py", "%s imports %s" % (module, name)
        elif other is not None:
            assert ROOMS.index(other) <= ROOMS.index(room), "%s imports %s" % (module, name)
            assert (room, other) not in FORBIDDEN, "%s imports %s" % (module, name)


@pytest.mark.parametrize("module", FAST)
def test_the_way_to_a_container_imports_nothing_dear(module):
    names = set(name.split(".")[0] for name in imported(parse(module).body))
    assert not names & LAZY


@pytest.mark.parametrize("module", modules())
def test_a_module_can_be_read_in_one_sitting(module):
    with open(os.path.join(APP, module), encoding="utf-8") as file:
        assert len(file.readlines()) <= MAX_LINES


def test_hints_name_commands_that_exist():
    known = set(command.name for command in COMMANDS)
    for module in modules():
        with open(os.path.join(APP, module), encoding="utf-8") as file:
            named = re.findall(r"'udocker ([a-z]+)", file.read())
        assert set(named) <= known, module


@pytest.mark.parametrize("module", modules())
def test_every_module_says_what_it_is_for(module):
    if module != "__main__.py":
        assert ast.get_docstring(parse(module))
