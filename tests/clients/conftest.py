import os
import subprocess
import sys

import pytest


@pytest.fixture(scope="session")
def old_program(tmp_path_factory):
    """Path of udocker 1.3.17's command, installed from PyPI, and the directory it needs."""
    target = str(tmp_path_factory.mktemp("udocker-1.3.17"))
    done = subprocess.run([sys.executable, "-m", "pip", "install", "-q", "--target", target,
                           "udocker==1.3.17"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode:
        pytest.skip("udocker 1.3.17 cannot be installed from PyPI: %s"
                    % done.stdout.decode("utf-8", "replace").strip().split("\n")[-1])
    return os.path.join(target, "bin", "udocker"), target
