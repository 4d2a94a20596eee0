"""Read what an ELF file is for: which processor, which loader (System V ABI, "Object Files").

The file comes from an image: it is data here, never run or loaded.
"""

import struct
from collections import namedtuple

from udocker.errors import CorruptData
from udocker.host.tree import host_error

MAGIC = b"\x7fELF"

#: Program headers of a file: real ones have about a dozen.
MAX_HEADERS = 512
#: Bytes of the path of the loader: PATH_MAX.
MAX_INTERPRETER = 4096

_PT_DYNAMIC, _PT_INTERP = 2, 3

#: (e_machine, bits, is little-endian) -> the name that Go, and so images, have for it.
_ARCHITECTURES = {
    (3, 32, True): "386", (62, 64, True): "amd64", (40, 32, True): "arm", (183, 64, True): "arm64",
    (21, 64, True): "ppc64le", (21, 64, False): "ppc64", (22, 64, False): "s390x",
    (243, 64, True): "riscv64", (258, 64, True): "loong64",
    (8, 32, False): "mips", (8, 32, True): "mipsle", (8, 64, False): "mips64", (8, 64, True): "mips64le",
}


class Elf(namedtuple("Elf", "bits is_little_endian machine architecture interpreter is_dynamic")):
    """bits (32 or 64), is_little_endian (bool), machine (int: e_machine), architecture (str: as
    images call it, "" if none does), interpreter (bytes: the loader, b"" if it needs none),
    is_dynamic (bool: it has a dynamic section)."""

    __slots__ = ()

    @property
    def is_static(self):
        """Nothing is loaded into it, so that no LD_PRELOAD reaches it. True of libraries too."""
        return not self.interpreter


def read_elf(opened):
    """Return the Elf of ``opened`` (a binary file that can seek); CorruptData if it is none."""
    try:
        return _read(opened)
    except (struct.error, IndexError, OverflowError, ValueError):
        raise CorruptData("damaged ELF file")
    except OSError as error:
        raise host_error(error, getattr(opened, "name", None)) from error


def _read(opened):
    opened.seek(0)
    start = opened.read(64)
    if start[:4] != MAGIC:
        raise CorruptData("not an ELF file")
    bits = {1: 32, 2: 64}.get(start[4])
    order = {1: "<", 2: ">"}.get(start[5])
    if bits is None or order is None:
        raise CorruptData("damaged ELF file")
    machine, = struct.unpack_from(order + "H", start, 18)
    if bits == 64:
        table, = struct.unpack_from(order + "Q", start, 32)
        size, count = struct.unpack_from(order + "HH", start, 54)
        entry = struct.Struct(order + "I4xQ16xQ")
    else:
        table, = struct.unpack_from(order + "I", start, 28)
        size, count = struct.unpack_from(order + "HH", start, 42)
        entry = struct.Struct(order + "II8xI")
    if count > MAX_HEADERS or (count and size < entry.size):
        raise CorruptData("damaged ELF file: %d program headers of %d bytes" % (count, size))
    opened.seek(table)
    headers = opened.read(size * count)
    interpreter, is_dynamic = b"", False
    for number in range(count):
        kind, offset, length = entry.unpack_from(headers, number * size)
        if kind == _PT_DYNAMIC:
            is_dynamic = True
        elif kind == _PT_INTERP and not interpreter:
            if length > MAX_INTERPRETER:
                raise CorruptData("damaged ELF file: interpreter of %d bytes" % length)
            opened.seek(offset)
            interpreter = opened.read(length).partition(b"\0")[0]
    little = order == "<"
    return Elf(bits, little, machine, _ARCHITECTURES.get((machine, bits, little), ""),
               interpreter, is_dynamic)
