"""The modes that matter on other architectures, in machines that QEMU emulates: UDOCKER_TEST_FOREIGN=1.

It takes some minutes an architecture. By hand, with results for scripts/mode-table, as the output:

    scripts/machine --limit 1200 --file /u/tests=tests --file /u/udocker.pyz=dist/udocker.pyz aarch64 \\
        'cd /u; python3 -m tests.modes.matrix --modes=P1,F1,F3,R1 /u/udocker.pyz "Debian 13, aarch64=/debian"'
"""

import json
import os
import shutil
import subprocess

import pytest

from tests.conftest import PYZ
from tests.engines.conftest import TOP
from tests.engines.test_foreign import ROWS, files_for
from tests.fakes import roots
from tests.fakes.machines import Machine, MachineError
from tests.modes import matrix

MODES = ("P1", "F1", "F3", "R1")
LIMIT_S = 1200
SCRIPT = """cp /program /debian/bin/program
cd /checkout
export PYTHONDONTWRITEBYTECODE=1 TMPDIR=/tmp
python3 -m tests.modes.matrix --modes=%s /udocker.pyz there=/debian >/tmp/results 2>/tmp/said
test -s /tmp/results && cat /tmp/results || cat /tmp/said
""" % ",".join(MODES)

pytestmark = pytest.mark.timeout(LIMIT_S + 300)


@pytest.mark.parametrize("arch", [
    pytest.param(arch, marks=pytest.mark.xdist_group(arch))
    for arch in sorted(ROWS) if ROWS[arch].is_emulated])
def test_what_works_here_works_on(arch, tmp_path):
    if not os.environ.get("UDOCKER_TEST_FOREIGN"):
        pytest.skip("UDOCKER_TEST_FOREIGN is not set: it takes some minutes")
    if not any(file.startswith("cli/") for file in files_for(arch)):
        pytest.skip("dist/udocker.pyz does not carry the engines for %s" % arch)
    compiler, program = ROWS[arch].compiler, str(tmp_path / "program")
    if not shutil.which(compiler):
        pytest.skip("no %s to compile %s with" % (compiler, os.path.basename(roots.PROGRAM)))
    subprocess.check_call([compiler, "-O1", "-pthread", roots.PROGRAM, "-o", program])
    files = {"/checkout/tests": os.path.join(TOP, "tests"), "/udocker.pyz": PYZ,
             "/program": program}
    try:
        machine = Machine(arch, os.environ.get("UDOCKER_TEST_MACHINES") or "")
    except MachineError as error:
        pytest.skip(str(error))
    said = machine.run(SCRIPT, files=files, limit_s=LIMIT_S).output
    assert said.startswith("{"), said[-2000:]
    found = json.loads(said)["there"]
    assert found.pop("back") == {"tree": "ok"}
    assert {mode: matrix.surprises(mode, found[mode]) for mode in found} == {mode: [] for mode in MODES}
    assert all(found[mode]["c_program"] == "ok" for mode in MODES)
