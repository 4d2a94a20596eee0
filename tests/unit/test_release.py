"""Names, sizes and digests of bundles: what is believed of a list, and how machines are called."""

import json

import pytest

from udocker.engine.base import is_older
from udocker.engine.release import Release, machine_of, machines_named, parse
from udocker.errors import CorruptData, InvalidValue

ENTRY = {"file": "udocker-engines-2.0.0-x86_64.tar.gz", "sha256": "a" * 64, "size": 9}


def listed(entry=ENTRY, **more):
    document = {"format": 1, "version": "2.0.0", "bundles": {"x86_64": entry}}
    return json.dumps(dict(document, **more)).encode("ascii")


def test_a_list():
    release = parse(listed(base_url="https://host/"))
    assert (release.version, release.base_url) == ("2.0.0", "https://host/")
    bundle = release.bundle("x86_64")
    assert (bundle.sha256, bundle.size, bundle.embedded) == ("a" * 64, 9, False)
    unknown = release.bundle("aarch64")
    assert unknown.file == "udocker-engines-2.0.0-aarch64.tar.gz" and unknown.sha256 == ""


@pytest.mark.parametrize("data", [
    b"", b"[]", b"{}", b"\xff", listed(format=2), listed(bundles=[]), listed(version=2), listed(None)]
    + [listed(dict(ENTRY, **wrong)) for wrong in (
        {"file": "../udocker-engines-x"}, {"file": "other.tar.gz"}, {"file": 7}, {"size": 0},
        {"size": "9"}, {"size": 1 << 40}, {"sha256": "A" * 64}, {"sha256": ""})])
def test_a_list_that_is_none(data):
    with pytest.raises(CorruptData):
        parse(data)


@pytest.mark.parametrize("words, machines", [
    ((), ["x86_64"]), (("arm64",), ["aarch64"]), (("i686", "i386,x86"), ["i386"]),
    (("ppc64el,AMD64",), ["ppc64le", "x86_64"]), (("all",), ["x86_64"])])
def test_names_of_machines(words, machines):
    assert machines_named(words, parse(listed()), "x86_64") == machines


@pytest.mark.parametrize("words, known", [
    (("vax",), parse(listed())), ((",",), parse(listed())), (("all",), Release("1", "", {}))])
def test_names_of_no_machine(words, known):
    with pytest.raises(InvalidValue):
        machines_named(words, known, "x86_64")


def test_a_machine_that_no_engine_is_for_is_itself():
    assert machines_named((), parse(listed()), machine_of("riscv64")) == ["riscv64"]


@pytest.mark.parametrize("older, newer", [("1.9.0", "2.0.0"), ("2.0.0", "2.0.1"), ("2.9", "2.10"),
                                          ("", "0.1"), ("2.0", "2.0.1rc1")])
def test_which_is_older(older, newer):
    assert is_older(older, newer) and not is_older(newer, older) and not is_older(newer, newer)
