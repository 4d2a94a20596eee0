"""The few questions that we ask of an ELF file that we built."""
import struct
from typing import List, Tuple

from builder import BuildError

PT_DYNAMIC = 2
PT_INTERP = 3
PT_GNU_STACK = 0x6474e551
PF_X = 1
DT_NULL = 0
DT_NEEDED = 1
SHT_SYMTAB = 2


def check_static(path: str, expected: Tuple[int, int]) -> None:
    """Raises BuildError unless the file is a stripped, fully static program for `expected` (bits, e_machine)."""
    with open(path, "rb") as data:
        content = data.read()
    if content[:4] != b"\x7fELF" or content[5] != 1:
        raise BuildError("%s: not a little-endian ELF file" % path)
    bits = {1: 32, 2: 64}.get(content[4])
    machine = struct.unpack_from("<H", content, 18)[0]
    if (bits, machine) != tuple(expected):
        raise BuildError("%s: built for the wrong machine (%s bits, e_machine %d)" % (path, bits, machine))
    for kind, flags, offset, size in _segments(content, bits):
        if kind == PT_INTERP:
            raise BuildError("%s: not static, it names a dynamic loader" % path)
        if kind == PT_GNU_STACK and flags & PF_X:
            raise BuildError("%s: its stack is executable" % path)
        if kind == PT_DYNAMIC and _needs_libraries(content, bits, offset, size):
            raise BuildError("%s: not static, it needs shared libraries" % path)
    if SHT_SYMTAB in _section_types(content, bits):
        raise BuildError("%s: not stripped" % path)


def _segments(content: bytes, bits: int) -> List[Tuple[int, int, int, int]]:
    if bits == 64:
        start, = struct.unpack_from("<Q", content, 32)
        size, count = struct.unpack_from("<HH", content, 54)
        rows = [struct.unpack_from("<IIQQQQ", content, start + index * size) for index in range(count)]
        return [(kind, flags, offset, length) for kind, flags, offset, _, _, length in rows]
    start, = struct.unpack_from("<I", content, 28)
    size, count = struct.unpack_from("<HH", content, 42)
    rows = [struct.unpack_from("<IIIIIII", content, start + index * size) for index in range(count)]
    return [(kind, flags, offset, length) for kind, offset, _, _, length, _, flags in rows]


def _needs_libraries(content: bytes, bits: int, offset: int, size: int) -> bool:
    step, form = (16, "<qq") if bits == 64 else (8, "<ii")
    for position in range(offset, offset + size, step):
        tag = struct.unpack_from(form, content, position)[0]
        if tag == DT_NULL:
            return False
        if tag == DT_NEEDED:
            return True
    return False


def _section_types(content: bytes, bits: int) -> List[int]:
    where, form, sizes = (40, "<Q", 58) if bits == 64 else (32, "<I", 46)
    start, = struct.unpack_from(form, content, where)
    size, count = struct.unpack_from("<HH", content, sizes)
    return [struct.unpack_from("<I", content, start + index * size + 4)[0] for index in range(count)]
