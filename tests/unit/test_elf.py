import io
import os
import random
import struct
import sys

import pytest

from udocker.errors import CorruptData, UdockerError
from udocker.host.elf import Elf, read_elf


def elf(machine=62, bits=64, order="<", interpreter=b"/lib/ld.so\0", kinds=(1, 3, 2), **changes):
    """Return an ELF file (bytes) with a program header of each of ``kinds``."""
    start = struct.pack("4sBBB9x", b"\x7fELF", bits // 32, 1 if order == "<" else 2, 1)
    size, entry = (64, 56) if bits == 64 else (52, 32)
    table, count = changes.get("table", size), changes.get("count", len(kinds))
    entry_size, length = changes.get("entry_size", entry), changes.get("length", len(interpreter))
    at = size + entry * len(kinds)
    if bits == 64:
        head = struct.pack(order + "HHIQQQIHHHHHH", 2, machine, 1, 0, table, 0, 0, size,
                           entry_size, count, 0, 0, 0)
        rows = [struct.pack(order + "IIQQQQQQ", kind, 4, at, 0, 0, length, 0, 1) for kind in kinds]
    else:
        head = struct.pack(order + "HHIIIIIHHHHHH", 2, machine, 1, 0, table, 0, 0, size,
                           entry_size, count, 0, 0, 0)
        rows = [struct.pack(order + "IIIIIIII", kind, at, 0, 0, length, 0, 4, 1) for kind in kinds]
    return start + head + b"".join(rows) + interpreter


@pytest.mark.parametrize("machine, bits, order, name", [
    (62, 64, "<", "amd64"), (3, 32, "<", "386"), (183, 64, "<", "arm64"), (40, 32, "<", "arm"),
    (21, 64, "<", "ppc64le"), (21, 64, ">", "ppc64"), (22, 64, ">", "s390x"),
    (243, 64, "<", "riscv64"), (258, 64, "<", "loong64"), (8, 32, ">", "mips"), (9999, 64, "<", ""),
])
def test_processors_have_the_names_that_images_use(machine, bits, order, name):
    found = read_elf(io.BytesIO(elf(machine, bits, order)))
    assert found == Elf(bits, order == "<", machine, name, b"/lib/ld.so", True)
    assert not found.is_static


def test_without_a_loader_it_is_static():
    found = read_elf(io.BytesIO(elf(kinds=(1, 1))))
    assert found.is_static and not found.is_dynamic
    assert read_elf(io.BytesIO(elf(kinds=()))).is_static


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="no ELF here")
def test_the_running_python_is_read():
    with open(os.path.realpath(sys.executable), "rb") as opened:
        found = read_elf(opened)
    assert found.architecture and (found.bits == 64) == (sys.maxsize > 2 ** 32)
    assert found.is_little_endian == (sys.byteorder == "little")
    assert found.is_static or os.path.exists(found.interpreter)


@pytest.mark.parametrize("data", [
    b"", b"#!/bin/sh\n", b"\x7fELF", b"\x7fELF\x02\x01", elf()[:60], elf()[:100],
    elf(count=65535), elf(kinds=(1,) * 513), elf(entry_size=0), elf(entry_size=10), elf(table=1 << 63),
    elf(table=(1 << 64) - 1), elf(length=1 << 40), b"\x7fELF\x03\x01" + bytes(60),
])
def test_damaged_files_are_said_to_be(data):
    with pytest.raises(CorruptData):
        read_elf(io.BytesIO(data))


def test_any_bytes_give_an_answer_or_an_error_of_ours():
    chance, whole = random.Random(1), elf()
    for _ in range(3000):
        data = bytearray(whole)
        for _ in range(chance.randint(1, 5)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        try:
            read_elf(io.BytesIO(bytes(data[:chance.randint(0, len(data) * 2)])))
        except UdockerError:
            pass
