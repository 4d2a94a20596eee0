"""The engines for other architectures pass the tests that the ones for this machine pass.

A machine of the architecture (tests/fakes/machines.py) boots once and runs pytest there, on the
files of the table; what becomes of each of their functions is one test here. Engines for i386 run
on x86_64 as they are. An engine more needs nothing here but, perhaps, the name of its file.

UDOCKER_TEST_MACHINES   the directory where scripts/machine keeps what the machines boot from
"""
import ast
import os
import shlex
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
import zipfile
from collections import namedtuple

import pytest

from tests.conftest import PYZ
from tests.engines.conftest import PROGRAMS, TOP, bundle_of, compile_program
from tests.fakes.machines import Machine, MachineError

ENGINES = ("engines/test_proot_process.py", "engines/test_proot_containment.py", "engines/test_oci_runtimes.py")
#: Where there is a whole Debian of the architecture; the last two are about udocker itself.
ALL = ENGINES + ("engines/test_debian.py", "engines/test_fakechroot.py", "cli/test_inside.py", "cli/test_signals.py")
#: compiler, is_emulated (else the programs run on this machine), files of tests.
Row = namedtuple("Row", "compiler is_emulated files")
ROWS = {
    "aarch64": Row("aarch64-linux-gnu-gcc", True, ALL),
    "ppc64le": Row("powerpc64le-linux-gnu-gcc", True, ALL),
    "i386": Row("i686-linux-gnu-gcc", False, ENGINES),
}
#: A minute or two are usual, where nothing else runs.
LIMIT_S = 900
#: What goes into a machine: enough of the checkout for pytest to work there.
CHECKOUT = ("app", "engines-build", "scripts", "tests", "tox.ini")

pytestmark = pytest.mark.timeout(LIMIT_S + 300)


def functions(file):
    with open(os.path.join(TOP, "tests", file)) as text:
        return [node.name for node in ast.parse(text.read()).body if getattr(node, "name", "").startswith("test_")]


def everything():
    for arch, row in sorted(ROWS.items()):
        group = pytest.mark.xdist_group(arch)  # one process, and so one boot
        for file in row.files:
            module = os.path.basename(file)[:-3]
            for function in functions(file):
                yield pytest.param(arch, file, function, marks=group, id="%s-%s-%s" % (arch, module, function))


@pytest.fixture(scope="session")
def outcomes(tmp_path_factory):
    """A function: architecture -> {(module, function): list of (name, outcome, what was said)}."""
    known = {}

    def ask(arch):
        if arch not in known:
            try:
                known[arch] = run_there(arch, str(tmp_path_factory.mktemp(arch)))
            except (pytest.skip.Exception, pytest.fail.Exception) as reason:
                known[arch] = reason
        if isinstance(known[arch], BaseException):
            raise known[arch]
        return known[arch]
    return ask


@pytest.mark.parametrize("arch, file, function", everything())
def test_on(arch, file, function, outcomes):
    if file not in files_for(arch):
        pytest.skip("dist/udocker.pyz does not carry the engines for %s" % arch)
    cases = outcomes(arch).get((os.path.basename(file)[:-3], function), [])
    wrong = ["%s %s\n%s" % (name, outcome, said) for name, outcome, said in cases if outcome in ("failure", "error")]
    if wrong or not cases:
        pytest.fail("on %s: %s" % (arch, "\n\n".join(wrong) or "it was not run"), pytrace=False)
    if all(outcome == "skipped" for _, outcome, _ in cases):
        pytest.skip("on %s: %s" % (arch, cases[0][2]))


def run_there(arch, directory):
    """Run the files of `arch`, and return what became of them."""
    row = ROWS[arch]
    bundle = os.path.join(TOP, "dist", bundle_of(arch))
    if not os.path.exists(bundle):
        pytest.skip("there is no dist/%s: 'build.py engines %s' makes it" % (os.path.basename(bundle), arch))
    for name in PROGRAMS:
        compile_program(name, os.path.join(directory, name), compiler=row.compiler)
    if arch == "ppc64le":
        compile_program("probe", os.path.join(directory, "probe-scv"), "-DSCV", compiler=row.compiler)
    if row.is_emulated:
        return parse(in_machine(arch, bundle, directory))
    if os.uname().machine != "x86_64":
        pytest.skip("engines for %s run on x86_64" % arch)
    return parse(on_this_machine(arch, bundle, directory))


def files_for(arch):
    """The row's files, without those about a udocker that has no engines for the architecture."""
    carried = []
    if os.path.exists(PYZ):
        with zipfile.ZipFile(PYZ) as archive:
            carried = archive.namelist()
    has_engines = "udocker/engine/bundles/" + bundle_of(arch) in carried
    return [file for file in ROWS[arch].files if has_engines or not file.startswith("cli/")]


def pytest_command(python, arch, results):
    files = ["tests/" + file for file in files_for(arch)]
    return [python, "-m", "pytest", "-q", "--junitxml=" + results] + files


def in_machine(arch, bundle, directory):
    if not os.environ.get("UDOCKER_TEST_MACHINES"):
        pytest.skip("UDOCKER_TEST_MACHINES names no directory with a machine of %s" % arch)
    variables = ["UDOCKER_TEST_ENGINES=/bundle.tar.gz", "UDOCKER_TEST_PROGRAMS=/programs", "UDOCKER_TEST_TRIXIE_ROOT=/debian",
                 "PYTHONDONTWRITEBYTECODE=1"]
    command = ["env"] + variables + pytest_command("python3", arch, "/tmp/results")
    script = "cd /udocker && %s >/tmp/said 2>&1; cat /tmp/results || cat /tmp/said" % " ".join(shlex.quote(word) for word in command)
    files = {"/udocker/" + name: os.path.join(TOP, name) for name in CHECKOUT}
    files.update({"/bundle.tar.gz": bundle, "/programs": directory})
    if os.path.exists(PYZ):
        files["/udocker/dist/udocker.pyz"] = PYZ
    try:
        machine = Machine(arch, os.environ["UDOCKER_TEST_MACHINES"])
    except MachineError as error:
        pytest.skip(str(error))
    try:
        return machine.run(script, files=files, limit_s=LIMIT_S).output
    except MachineError as error:
        pytest.fail(str(error), pytrace=False)


def on_this_machine(arch, bundle, directory):
    results = os.path.join(directory, "results")
    with tempfile.TemporaryDirectory(prefix="udt-") as work:
        environ = dict(os.environ, UDOCKER_TEST_ENGINES=bundle, UDOCKER_TEST_PROGRAMS=directory, UDOCKER_TEST_ARCH=arch)
        # the Debian is not one for `arch`; and what is skipped there is told here
        for name in ("UDOCKER_TEST_TRIXIE_ROOT", "UDOCKER_TEST_SKIPS"):
            environ.pop(name, None)
        done = subprocess.run(pytest_command(sys.executable, arch, results) + ["--basetemp=" + os.path.join(work, "tmp")],
                              cwd=TOP, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=LIMIT_S)
        subprocess.call(["chmod", "-R", "u+rwX", work])
    if not os.path.exists(results):
        return done.stdout.decode("utf-8", "replace")
    with open(results, encoding="utf-8") as text:
        return text.read()


def parse(text):
    """{(module, function): list of (name, outcome, what was said)} of pytest's JUnit file."""
    try:
        cases = ElementTree.fromstring(text.strip().encode("utf-8")).iter("testcase")
    except ElementTree.ParseError:
        pytest.fail("pytest did not run there: %s" % text[-2000:], pytrace=False)
    found = {}
    for case in cases:
        children = [(child.tag, child.get("message") or "", child.text or "") for child in case if child.tag in ("failure", "error", "skipped")]
        outcome, message, said = (children or [("passed", "", "")])[0]
        key = (case.get("classname").split(".")[-1], case.get("name").split("[")[0])
        found.setdefault(key, []).append((case.get("name"), outcome, message if outcome == "skipped" else said))
    return found
