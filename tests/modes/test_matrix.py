"""Every mode in images of every kind: what works is what docs/modes.md says, and the tree stays what
it was."""

import os
import subprocess

import pytest

from tests.conftest import PYZ
from tests.fakes import roots
from tests.modes import matrix

pytestmark = pytest.mark.timeout(900)


def image_of(kind, directory):
    """Return the Image of a root file system of ``kind`` (str), with ``directory`` (str) to work in."""
    if kind == "Debian 13":
        root = os.environ.get("UDOCKER_TEST_TRIXIE_ROOT")
        if not root:
            pytest.skip("no Debian 13: UDOCKER_TEST_TRIXIE_ROOT names none")
    else:
        root = os.path.join(directory, "rootfs")
        os.mkdir(root)
        try:
            roots.MAKERS[kind](root)
        except roots.RootError as error:
            pytest.skip(str(error))
    home = os.path.join(directory, "home")
    os.mkdir(home)
    return matrix.Image(PYZ, home, root)


# all of it is one visit to one container; musl is built in the process that tests its library
@pytest.fixture(scope="module", params=[
    pytest.param("Debian 13", marks=pytest.mark.xdist_group("matrix")),
    pytest.param("musl", marks=pytest.mark.xdist_group("fakechroot-musl")),
    pytest.param("static", marks=pytest.mark.xdist_group("matrix"))])
def kind(request):
    return request.param


@pytest.fixture(scope="module")
def image(engines, kind, tmp_path_factory):
    directory = str(tmp_path_factory.mktemp("matrix"))
    yield image_of(kind, directory)
    subprocess.call(["chmod", "-R", "u+rwX", directory])


@pytest.fixture(scope="module")
def results(image):
    return matrix.measure(image)


@pytest.fixture
def dynamic(kind, image):
    if kind == "static":
        pytest.skip("nothing is patched in a static image")
    return image


def test_going_through_all_modes_changes_nothing(results):
    assert results["back"] == {"tree": "ok"}


@pytest.mark.parametrize("mode", matrix.MODES)
def test_what_works_works(kind, results, mode):
    found = results[mode]
    if kind == "static" and mode[0] == "F":
        assert list(found) == ["setup"] and "/bin/sh is static" in found["setup"]
        return
    assert matrix.surprises(mode, found) == []
    assert found["apt_install" if kind == "Debian 13" else "c_program"] != "absent"


def test_a_patched_container_that_was_moved_says_so_and_can_be_mended(dynamic):
    image = dynamic
    image.switch("F3")
    there = os.path.dirname(image.root)
    elsewhere = there[:-4] + "0000"
    os.rename(there, elsewhere)
    try:
        name = os.path.basename(elsewhere)
        done = image.call("-q", "run", name, "true", check=False)
        assert done.returncode == 125 and b"was moved from" in done.stderr
        assert b"'udocker setup --force --execmode=F3" in done.stderr
        image.call("setup", "--force", "--execmode=F3", name)
        assert image.call("-q", "run", name, "sh", "-c", "echo $((6 * 7))").stdout == b"42\n"
    finally:
        os.rename(elsewhere, there)
        image.switch("P1")


def test_programs_that_are_patched_are_not_run_in_another_mode(dynamic):
    image = dynamic
    image.switch("F4")
    try:
        done = image.call("-q", "run", "--execmode=P1", "c", "true", check=False)
        assert done.returncode == 125 and b"are set up for mode F4" in done.stderr
    finally:
        image.switch("P1")
    assert image.call("-q", "run", "--execmode=P1", "c", "true").returncode == 0
