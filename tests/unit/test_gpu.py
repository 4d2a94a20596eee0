"""The host's NVIDIA driver, from a tree that looks like one."""

import os
import struct

import pytest

from tests.fakes import hosts
from udocker.cli.settings import Value
from udocker.engine import gpu
from udocker.errors import NotFound
from udocker.host.tree import Root

#: (GOARCH, e_machine, bits, directory): those that there are engines for.
ARCHITECTURES = [("amd64", 62, 64, "x86_64-linux-gnu"), ("386", 3, 32, "i386-linux-gnu"),
                 ("arm64", 183, 64, "aarch64-linux-gnu"),
                 ("ppc64le", 21, 64, "powerpc64le-linux-gnu")]


def library(machine=62, bits=64):
    """The start of a shared library for the processor ``machine`` (ELF's e_machine)."""
    size = 64 if bits == 64 else 52
    head = b"\x7fELF" + bytes([2 if bits == 64 else 1, 1, 1]) + b"\0" * 9
    return (head + struct.pack("<HH", 3, machine)).ljust(size, b"\0")


@pytest.fixture
def driver(tmp_path):
    """(settings that name a fake driver, its directory, an empty container)."""
    lib = tmp_path / "lib"
    lib.mkdir()
    for name in ("libcuda.so.535.1", "libnvidia-ml.so.535.1", "libnvidia-brandnew.so.535.1"):
        (lib / name).write_bytes(library())
    os.symlink("libcuda.so.535.1", str(lib / "libcuda.so.1"))
    os.symlink("gone", str(lib / "libnvidia-gone.so.1"))
    (lib / "libcudart.so.12").write_bytes(library())
    (lib / "libnvidia-tls.so.535.1").write_bytes(library(3, 32))
    (lib / "libnvidia-script.so").write_text("GROUP ( libnvidia-ml.so.1 )")
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\n")
    root = tmp_path / "ROOT"
    root.mkdir()
    settings = hosts.settings().replaced("test")
    settings._values.update(lib_dirs_list_nvidia=Value((str(lib),), "test"),
                            nvi_bin_list=Value((str(tool), "/nonexistent"), "test"))
    return settings, lib, root


def binds(driver, architecture="amd64", environ=None):
    settings, _, root = driver
    with Root(str(root)) as opened:
        return gpu.driver_binds(settings, opened, architecture, environ or {})


def test_the_libraries_of_the_driver_are_shown_where_the_container_looks(driver):
    (driver[2] / "usr/lib/x86_64-linux-gnu").mkdir(parents=True)
    found = {bind.target: bind.source for bind in binds(driver)}
    directory = "/usr/lib/x86_64-linux-gnu/"
    for name in ("libcuda.so.1", "libcuda.so.535.1", "libnvidia-brandnew.so.535.1"):
        assert found[directory + name] == str(driver[1] / name)
    # CUDA's own library is the image's; the rest is for another processor, a link to nothing, text
    for name in ("libcudart.so.12", "libnvidia-tls.so.535.1", "libnvidia-gone.so.1",
                 "libnvidia-script.so"):
        assert directory + name not in found
    tool = str(driver[1].parent / "nvidia-smi")
    assert found[tool] == tool and "/nonexistent" not in found


@pytest.mark.parametrize("made, expected", [("usr/lib64", "/usr/lib64"), ("usr/lib", "/usr/lib")])
def test_other_distributions_have_other_directories(driver, made, expected):
    (driver[2] / made).mkdir(parents=True)
    assert os.path.dirname(binds(driver)[0].target) == expected


@pytest.mark.parametrize("architecture, machine, bits, directory", ARCHITECTURES)
def test_each_architecture_has_its_libraries_and_its_place(driver, architecture, machine, bits,
                                                           directory):
    for _, number, size, name in ARCHITECTURES:  # one driver for all, in one directory
        (driver[1] / ("libcuda.so.1." + name)).write_bytes(library(number, size))
    (driver[2] / "usr/lib" / directory).mkdir(parents=True)
    targets = [bind.target for bind in binds(driver, architecture)]
    inside = "/usr/lib/%s/libcuda.so.1." % directory
    assert [path for path in targets if path.startswith(inside)] == [inside + directory]


def test_a_driver_for_another_processor_is_none(driver):
    with pytest.raises(NotFound) as caught:
        binds(driver, "arm64")
    assert "no NVIDIA driver for arm64" in caught.value.message


def test_what_the_dynamic_loader_knows_is_found():
    entries = [b"/opt/nvidia/lib64/libcuda.so.1", b"/lib/libc.so.6", b"/opt/nvidia/lib64/libx.so"]
    strings, table = b"", b""
    start = 48 + 24 * len(entries)
    for path in entries:
        table += struct.pack("=iIIIQ", 0x303, start + len(strings), start + len(strings), 0, 0)
        strings += path + b"\0"
    cache = (b"glibc-ld.so.cache1.1" + struct.pack("=II", len(entries), len(strings))).ljust(48, b"\0")
    data = cache + table + strings
    assert gpu.cached_directories(data) == ["/opt/nvidia/lib64", "/lib"]
    assert gpu.cached_directories(b"ld.so-1.7.0\0".ljust(16, b"\0") + data) \
        == ["/opt/nvidia/lib64", "/lib"]
    for damaged in (data[:60], data[:90], b"", b"x" * 100, data[:-4]):
        assert isinstance(gpu.cached_directories(damaged), list)


def test_the_real_cache_of_this_machine_can_be_read():
    if not os.path.exists(gpu.CACHE):
        pytest.skip("no %s on this machine" % gpu.CACHE)
    with open(gpu.CACHE, "rb") as file:
        found = gpu.cached_directories(file.read())
    assert found and all(os.path.isabs(path) for path in found)
