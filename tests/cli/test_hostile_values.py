"""Hostile values of every option of ``run`` where there is a container: what is planned is shown, and
what is refused is refused, with nothing a terminal would act on."""

import pytest

from tests.unit.test_bad_values import HOSTILE, require_one_line
from udocker.cli import main
from udocker.cli.grammar import Harmless
from udocker.cli.options import find_command


@pytest.mark.parametrize("mode", ["P1", "R1"])
def test_what_is_planned_or_refused_is_clean(udocker, demo_home, monkeypatch, capfd, mode):
    for name, value in udocker.environment().items():
        monkeypatch.setenv(name, value)
    planned = refused = 0
    pulling = find_command("pull").options  # there is nothing to pull
    for option in find_command("run").options:
        if not option.metavar or isinstance(option, Harmless) or option in pulling:
            continue
        for text in HOSTILE if mode == "P1" else HOSTILE[7:11]:
            status = main(["run", "--execmode=" + mode, "--dry-run", option.flags[-1] + "=" + text,
                           "c", "true"])
            out, err = capfd.readouterr()
            assert status in (0, 125, 126, 127), (option.flags, ascii(text))
            if status:
                refused += 1
                require_one_line(err)
            else:
                planned += 1
                assert out.replace("\n", "").isprintable() and "\nInfo: forged" not in out, ascii(out)
                assert err == "" or err.startswith("Warning: ") and err.replace("\n", "").isprintable()
    assert planned > 20 and refused > 20
