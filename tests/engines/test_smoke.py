"""The smoke test of each engine, which its build runs where it can, on the bundles in dist/: for other
architectures under QEMU's user mode. That has no ptrace: PRoot, and containers, are in test_foreign.py.
"""
import os
import shutil
import subprocess
import tarfile
from collections import namedtuple

import pytest

from tests.engines.conftest import TOP, bundle_of

#: The architecture's name in bundles, the prefix of Debian's compilers for it, what starts its programs.
Row = namedtuple("Row", "name prefix run")
ROWS = {
    "x86_64": Row("x86_64", "", ""),
    "i386": Row("x86", "i686-linux-gnu-", ""),
    "aarch64": Row("arm64", "aarch64-linux-gnu-", "qemu-aarch64-static"),
    "ppc64le": Row("ppc64le", "powerpc64le-linux-gnu-", "qemu-ppc64le-static"),
}
ENGINES = ("crun", "fakechroot", "igzip", "patchelf", "runc", "zstd")


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("arch", sorted(ROWS))
def test_smoke(arch, engine, tmp_path):
    row = ROWS[arch]
    bundle = os.path.join(TOP, "dist", bundle_of(arch))
    if not os.path.exists(bundle):
        pytest.skip("there is no dist/%s: 'build.py engines %s' makes it" % (os.path.basename(bundle), arch))
    if os.uname().machine != "x86_64":
        pytest.skip("the compilers named here run on x86_64")
    for program in (row.prefix + "gcc", row.run):
        if program and not shutil.which(program):
            pytest.skip("there is no %s" % program)
    names = {"bin/%s-%s" % (engine, row.name): "bin/" + engine, "lib/lib%s-%s.so" % (engine, row.name): "lib/lib%s.so" % engine}
    out = tmp_path / "out"
    with tarfile.open(bundle) as archive:
        for member in archive:
            target = names.get(member.name.partition("/")[2])
            if target:
                (out / target).parent.mkdir(parents=True)
                with open(str(out / target), "wb") as file:
                    shutil.copyfileobj(archive.extractfile(member), file)
                (out / target).chmod(0o755)
    assert out.exists(), "the bundle has no " + engine
    with open(os.path.join(TOP, "engines-build", "sources.lock")) as lock:
        version = [line.split()[2] for line in lock if line.startswith(engine + " ")]
    (tmp_path / "work").mkdir()
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C", "OUT": str(out), "ARCH": arch, "CC": row.prefix + "gcc",
                   "RUN": row.run, "VERSION": "".join(version)}
    done = subprocess.run(["sh", "-x", os.path.join(TOP, "engines-build", engine, "smoke.sh")], cwd=str(tmp_path / "work"),
                          env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          universal_newlines=True, timeout=120)
    assert done.returncode == 0, done.stdout
