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
def results(engines, tmp_path_factory):
    root = os.environ.get("UDOCKER_TEST_TRIXIE_ROOT")
    if not root:
        pytest.skip("no Debian 13: UDOCKER_TEST_TRIXIE_ROOT names none")
    home = str(tmp_path_factory.mktemp("matrix"))
    yield matrix.measure(PYZ, root, home)
    subprocess.call(["chmod", "-R", "u+rwX", home])


def test_going_through_all_modes_changes_nothing(results):
    assert results["back"] == {"tree": "ok"}


@pytest.mark.parametrize("mode", matrix.MODES)
def test_what_works_works(results, mode):
    found = results[mode]
    assert len(found) > 15, found
    for check, result in found.items():
        if (mode, check) in KNOWN or (mode[0], check) in KNOWN:
            assert result not in ("ok", "absent"), "%s works now: docs/modes.md says no" % check
        else:
            assert result in ("ok", "absent"), "%s: %s" % (check, result)
