"""What a release is made of, and that each of its parts installs what it should."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile

import pytest

import build
from tests.conftest import Udocker

#: One process builds it, once.
pytestmark = pytest.mark.xdist_group("release")

MACHINE = build.architecture_named(os.uname().machine)


@pytest.fixture(scope="module")
def release(engines, tmp_path_factory):
    """A directory (str) with a release of the bundles that are in dist/."""
    bundles = build.bundles_in(build.DIST)
    if MACHINE not in bundles:
        pytest.skip("no bundle for %s in dist/ ('build.py engines')" % MACHINE)
    directory = str(tmp_path_factory.mktemp("release"))
    for path in bundles.values():
        shutil.copy(path, directory)
    build.assemble_release(directory, "http://127.0.0.1:9/engines/")
    return directory


def known_to(program):
    with zipfile.ZipFile(program) as archive:
        return json.loads(archive.read(build.BUNDLES_IN_PROGRAM).decode("utf-8"))


def test_the_sums_are_those_of_all_files(release):
    with open(os.path.join(release, "SHA256SUMS")) as file:
        sums = dict(reversed(line.split()) for line in file)
    assert sorted(sums) == sorted(name for name in os.listdir(release) if name != "SHA256SUMS")
    for name, sha256 in sums.items():
        with open(os.path.join(release, name), "rb") as file:
            assert hashlib.sha256(file.read()).hexdigest() == sha256


def test_the_man_page_and_the_completions_are_those_of_the_program(release, home):
    udocker = Udocker(os.path.join(release, "udocker.pyz"), str(home))
    for name, words in build.PAGES.items():
        with open(os.path.join(release, name)) as file:
            assert file.read() == udocker.ok(*words)


@pytest.mark.parametrize("program, embedded", [("udocker.pyz", False), ("udocker-full.pyz", True)])
def test_a_program_knows_all_bundles_and_carries_them_or_not(release, program, embedded):
    known = known_to(os.path.join(release, program))
    assert known["base_url"] == "http://127.0.0.1:9/engines/"
    assert sorted(known["bundles"]) == sorted(build.bundles_in(release))
    for entry in known["bundles"].values():
        with open(os.path.join(release, entry["file"]), "rb") as file:
            data = file.read()
        assert (len(data), hashlib.sha256(data).hexdigest(), entry["embedded"]) \
            == (entry["size"], entry["sha256"], embedded)


def test_the_full_program_needs_nothing_else(release, home, demo_archive):
    program = shutil.copy(os.path.join(release, "udocker-full.pyz"), str(home))
    udocker = Udocker(program, str(home))
    udocker.ok("load", "-i", demo_archive)
    assert udocker.ok("-q", "run", "demo", "echo", "hello") == "hello\n"


def test_the_offline_archive_installs_with_one_command(release, home, demo_archive):
    name = "udocker-offline-%s" % build.program_version()
    with tarfile.open(os.path.join(release, name + ".tar")) as archive:
        archive.extractall(str(home))
    environ = Udocker("", str(home)).environment()
    done = subprocess.run([str(home / name / "install")], env=environ, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, universal_newlines=True)
    assert done.returncode == 0, done.stderr
    assert "try: " in done.stdout
    share = home / ".local" / "share"
    assert (share / "man/man1/udocker.1").read_text().startswith(".Dd ")
    for page in ("bash-completion/completions/udocker", "zsh/site-functions/_udocker",
                 "fish/vendor_completions.d/udocker.fish"):
        assert "udocker" in (share / page).read_text()
    shutil.rmtree(str(home / name))  # all that is needed was taken from there
    udocker = Udocker(str(home / ".local/bin/udocker"), str(home))
    udocker.ok("load", "-i", demo_archive)
    assert udocker.ok("-q", "run", "demo", "echo", "hello") == "hello\n"


def test_a_damaged_offline_archive_is_not_installed(release, home):
    name = "udocker-offline-%s" % build.program_version()
    with tarfile.open(os.path.join(release, name + ".tar")) as archive:
        archive.extractall(str(home))
    with open(str(home / name / "udocker.pyz"), "ab") as file:
        file.write(b"x")
    done = subprocess.run([str(home / name / "install")], stdout=subprocess.PIPE,
                          env=Udocker("", str(home)).environment(), stderr=subprocess.PIPE)
    assert done.returncode != 0 and b"damaged" in done.stderr
    assert not (home / ".local").exists() and not (home / ".udocker").exists()


def test_what_is_missing_is_told_by_name():
    done = subprocess.run([sys.executable, os.path.join(build.TOP, "build.py"), "engines", "vax"],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True)
    assert done.returncode == 2 and "there is no vax: one of x86_64" in done.stderr
