"""``setup --nvidia`` with a driver that looks like one: what a container sees of it, mode by mode."""

import os
import subprocess

import pytest

from tests.conftest import Udocker
from tests.fakes import roots
from tests.modes.matrix import write_archive
from tests.unit.test_gpu import ARCHITECTURES, library



@pytest.fixture(scope="module")
def machine(demo_template, pyz, tmp_path_factory):
    """(Udocker, directory of the driver): a machine with a driver, and the container d."""
    top = str(tmp_path_factory.mktemp("nvidia"))
    home, root, driver = (os.path.join(top, name) for name in ("home", "root", "driver"))
    subprocess.check_call(["cp", "-a", demo_template, home])
    os.mkdir(driver)
    write_driver(driver, "535.1")
    with open(os.path.join(home, ".udocker", "udocker.conf"), "w") as file:
        file.write("[DEFAULT]\nlib_dirs_list_nvidia = ['%s']\nnvi_bin_list = ['%s/nvidia-smi']\n"
                   "nvi_etc_list = ['%s/nvidia.icd']\n" % (driver, driver, driver))
    roots.make_dynamic(root)
    os.makedirs(root + "/usr/lib/" + os.uname().machine + "-linux-gnu", exist_ok=True)
    write_archive(root, os.path.join(top, "tar"), "dynamic")
    udocker = Udocker(pyz, home)
    udocker.ok("load", "-i", os.path.join(top, "tar"))
    udocker.ok("create", "--name=d", "dynamic")
    assert udocker.ok("setup", "--nvidia", "d") == ""
    yield udocker, driver
    subprocess.call(["chmod", "-R", "u+rwX", home])


def write_driver(directory, version):
    """Put a driver of ``version`` into ``directory``, in place of the one there, as updates do."""
    for name in os.listdir(directory):
        os.unlink(os.path.join(directory, name))
    for name in ("libcuda.so", "libnvidia-ml.so", "libnvidia-neverseen.so"):
        for goarch, number, bits, _ in ARCHITECTURES:
            content = library(number, bits) + version.encode("ascii")
            with open(os.path.join(directory, "%s.%s.%s" % (name, goarch, version)), "wb") as file:
                file.write(content)
    os.symlink("libcuda.so.%s.%s" % (ARCHITECTURES[0][0], version), directory + "/libcuda.so.1")
    for name, text in (("nvidia-smi", "#!/bin/sh\necho driver %s\n" % version), ("nvidia.icd", version)):
        with open(os.path.join(directory, name), "w") as file:
            file.write(text)
        os.chmod(os.path.join(directory, name), 0o755)


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="the driver is one for x86_64 here")
@pytest.mark.parametrize("mode", ["P1", "R1", "F1"])
def test_the_driver_is_there_and_an_update_needs_nothing(machine, mode):
    udocker, driver = machine
    for version in ("535.1", "550.2"):
        write_driver(driver, version)
        said = udocker.ok("-q", "run", "--execmode=" + mode, "d", "sh", "-c",
                          "%s/nvidia-smi; cat %s/nvidia.icd; echo; "
                          "cat /usr/lib/x86_64-linux-gnu/libcuda.so.1 | wc -c; "
                          "cat /usr/lib/x86_64-linux-gnu/libnvidia-neverseen.so.amd64.%s >/dev/null "
                          "&& echo new" % (driver, driver, version))
        assert said.split() == ["driver", version, version, "%d" % (64 + len(version)), "new"]
        # those for other processors are of no use, and are not shown
        listed = udocker.ok("-q", "run", "--execmode=" + mode, "d", "sh", "-c",
                            "for f in /usr/lib/*/libcuda.so.arm64.%s; do test -s $f && echo $f; done; "
                            "true" % version)
        assert listed == ""


def test_without_a_driver_the_run_says_so(machine):
    udocker, driver = machine
    for name in os.listdir(driver):
        os.unlink(os.path.join(driver, name))
    done = udocker("run", "d", "true")
    assert done.status == 125 and done.err.count("\n") == 1 and "no NVIDIA driver for" in done.err
