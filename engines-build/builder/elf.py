"""The few questions that we ask of an ELF file that we built."""
import re
import struct
from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple

from builder import BuildError

ET_DYN = 3
PT_LOAD = 1
PT_DYNAMIC = 2
PT_INTERP = 3
PT_GNU_STACK = 0x6474e551
PF_X = 1
DT_NULL = 0
DT_NEEDED = 1
DT_STRTAB = 5
DT_VERNEED = 0x6ffffffe
DT_VERNEEDNUM = 0x6fffffff
SHT_SYMTAB = 2


class Segment(NamedTuple):
    """A program header, without what we do not ask for."""
    kind: int
    flags: int
    offset: int
    address: int
    size: int


class File(NamedTuple):
    """An ELF file of one machine, read into memory."""
    path: str
    content: bytes
    bits: int
    segments: List[Segment]


def check_static(path: str, expected: Tuple[int, int]) -> None:
    """Raises BuildError unless the file is a stripped, fully static program for `expected` (bits, e_machine)."""
    file = _read(path, expected)
    for segment in file.segments:
        if segment.kind == PT_INTERP:
            raise BuildError("%s: not static, it names a dynamic loader" % path)
    if any(tag == DT_NEEDED for tag, _ in _dynamic(file)):
        raise BuildError("%s: not static, it needs shared libraries" % path)


def check_shared(path: str, expected: Tuple[int, int], needs: Sequence[str], glibc: Optional[str]) -> None:
    """Raises BuildError unless the file is a stripped shared library for `expected` (bits, e_machine).

    needs: the libraries that it may need. glibc: the newest version of glibc (such as "2.17") of which
    it may ask for a symbol; None if it must not ask for any.
    """
    file = _read(path, expected)
    dynamic = _dynamic(file)
    if struct.unpack_from("<H", file.content, 16)[0] != ET_DYN or not dynamic:
        raise BuildError("%s: not a shared library" % path)
    for name in _needed(file, dynamic):
        if name not in needs:
            raise BuildError("%s: needs %s, which its recipe does not name" % (path, name))
    for name in sorted(_versions(file, dynamic)):
        if name.startswith("GLIBC_") and (glibc is None or _numbers(name) > _numbers(glibc)):
            raise BuildError("%s: needs %s, allowed is %s" % (path, name, glibc or "none"))


def _read(path: str, expected: Tuple[int, int]) -> File:
    """What every result has to be: for the right machine, stripped, without an executable stack."""
    with open(path, "rb") as data:
        content = data.read()
    if content[:4] != b"\x7fELF" or content[5] != 1:
        raise BuildError("%s: not a little-endian ELF file" % path)
    bits = {1: 32, 2: 64}.get(content[4])
    machine = struct.unpack_from("<H", content, 18)[0]
    if (bits, machine) != tuple(expected):
        raise BuildError("%s: built for the wrong machine (%s bits, e_machine %d)" % (path, bits, machine))
    segments = _segments(content, bits)
    if any(segment.kind == PT_GNU_STACK and segment.flags & PF_X for segment in segments):
        raise BuildError("%s: its stack is executable" % path)
    if SHT_SYMTAB in _section_types(content, bits):
        raise BuildError("%s: not stripped" % path)
    return File(path, content, bits, segments)


def _segments(content: bytes, bits: int) -> List[Segment]:
    if bits == 64:
        start, = struct.unpack_from("<Q", content, 32)
        size, count = struct.unpack_from("<HH", content, 54)
        rows = [struct.unpack_from("<IIQQQQ", content, start + index * size) for index in range(count)]
        return [Segment(kind, flags, offset, address, length) for kind, flags, offset, address, _, length in rows]
    start, = struct.unpack_from("<I", content, 28)
    size, count = struct.unpack_from("<HH", content, 42)
    rows = [struct.unpack_from("<IIIIIII", content, start + index * size) for index in range(count)]
    return [Segment(kind, flags, offset, address, length) for kind, offset, address, _, length, _, flags in rows]


def _section_types(content: bytes, bits: int) -> List[int]:
    where, form, sizes = (40, "<Q", 58) if bits == 64 else (32, "<I", 46)
    start, = struct.unpack_from(form, content, where)
    size, count = struct.unpack_from("<HH", content, sizes)
    return [struct.unpack_from("<I", content, start + index * size + 4)[0] for index in range(count)]


def _dynamic(file: File) -> List[Tuple[int, int]]:
    """The entries (tag, value) of the dynamic section, none in a static program."""
    step, form = (16, "<QQ") if file.bits == 64 else (8, "<II")
    entries = []
    for segment in file.segments:
        if segment.kind == PT_DYNAMIC:
            for position in range(segment.offset, segment.offset + segment.size, step):
                entry = struct.unpack_from(form, file.content, position)
                if entry[0] == DT_NULL:
                    break
                entries.append(entry)
    return entries


def _offset(file: File, address: int) -> int:
    """Where in the file that lies which is loaded at `address`."""
    for segment in file.segments:
        if segment.kind == PT_LOAD and segment.address <= address < segment.address + segment.size:
            return segment.offset + address - segment.address
    raise BuildError("%s: damaged, nothing is loaded at %#x" % (file.path, address))


def _text(file: File, values: Dict[int, int], position: int) -> str:
    """The name at `position` of the dynamic string table."""
    start = _offset(file, values[DT_STRTAB]) + position
    return file.content[start:file.content.index(b"\0", start)].decode("ascii", "replace")


def _needed(file: File, dynamic: List[Tuple[int, int]]) -> List[str]:
    return [_text(file, dict(dynamic), value) for tag, value in dynamic if tag == DT_NEEDED]


def _versions(file: File, dynamic: List[Tuple[int, int]]) -> List[str]:
    """The versions of symbols that the file needs of other libraries (LSB, Symbol Versioning)."""
    values = dict(dynamic)
    names = []
    if DT_VERNEED not in values:
        return names
    library = _offset(file, values[DT_VERNEED])
    for _ in range(values[DT_VERNEEDNUM]):
        _, count, _, first, following = struct.unpack_from("<HHIII", file.content, library)
        version = library + first
        for _ in range(count):
            _, _, _, name, next_version = struct.unpack_from("<IHHII", file.content, version)
            names.append(_text(file, values, name))
            version += next_version
        library += following
    return names


def _numbers(version: str) -> List[float]:
    """A version to compare: GLIBC_2.17 and 2.17 are the same, names like GLIBC_PRIVATE newer than all."""
    numbers = re.match(r"(?:GLIBC_)?(\d+(?:\.\d+)*)$", version)
    return [int(number) for number in numbers.group(1).split(".")] if numbers else [float("inf")]
