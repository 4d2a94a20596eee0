"""Every mode in a Debian 13: what works is what docs/modes.md says, and the tree stays what it was."""

import os
import subprocess

import pytest

from tests.conftest import PYZ
from tests.modes import matrix

#: All of it is one visit to one container.
pytestmark = [pytest.mark.timeout(900), pytest.mark.xdist_group("matrix")]
#: (mode, check): what is known not to work, and why.
KNOWN = {
    ("F", "apt_install"): "nobody is root there",
    ("R1", "apt_install"): "one id is all there is to give files to",
}


@pytest.fixture(scope="module")
def image(engines, tmp_path_factory):
    """The Image of a Debian 13."""
    root = os.environ.get("UDOCKER_TEST_TRIXIE_ROOT")
    if not root:
        pytest.skip("no Debian 13: UDOCKER_TEST_TRIXIE_ROOT names none")
    home = str(tmp_path_factory.mktemp("matrix"))
    yield matrix.Image(PYZ, home, root)
    subprocess.call(["chmod", "-R", "u+rwX", home])


@pytest.fixture(scope="module")
def results(image):
    return matrix.measure(image)


def test_going_through_all_modes_changes_nothing(results):
    assert results["back"] == {"tree": "ok"}


@pytest.mark.parametrize("mode", matrix.MODES)
def test_what_works_works(results, mode):
    found = results[mode]
    assert len(found) > 15, found
    for check, result in found.items():
        if mode[0] == "F" and check == "socket_name" and result not in ("ok", "absent"):
            # below a root file system whose path is too long for an address (docs/modes.md)
            assert result == "failed: AssertionError: /proc/self/fd/4/named"
        elif (mode, check) in KNOWN or (mode[0], check) in KNOWN:
            assert result not in ("ok", "absent"), "%s works now: docs/modes.md says no" % check
        else:
            assert result in ("ok", "absent"), "%s: %s" % (check, result)


def test_a_patched_container_that_was_moved_says_so_and_can_be_mended(image):
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
        assert image.call("-q", "run", name, "bash", "-c", "echo $((6 * 7))").stdout == b"42\n"
    finally:
        os.rename(elsewhere, there)
        image.switch("P1")


def test_programs_that_are_patched_are_not_run_in_another_mode(image):
    image.switch("F4")
    try:
        done = image.call("-q", "run", "--execmode=P1", "c", "true", check=False)
        assert done.returncode == 125 and b"are set up for mode F4" in done.stderr
    finally:
        image.switch("P1")
    assert image.call("-q", "run", "--execmode=P1", "c", "true").returncode == 0
