#!/usr/bin/env python3
"""Makes the libraries to link with, so that the result works with every glibc from a floor on.

usage: stubs.py LIBC FLOOR DIRECTORY         (LIBC: the toolchain's libc.so.6; FLOOR: 2.17)

A linker binds to the newest version of a symbol that its C library has, and old systems do not
know that one. So we link with a libc.so.6 and a libdl.so.2 that hold no code: every symbol of LIBC,
in the last version that was there at the FLOOR. What came later is missing, and linking says so.
Written are NAME.s and NAME.map for each, to be assembled and linked with -shared.
"""
import os
import struct
import sys

SHT_DYNSYM, SHT_VERDEF, SHT_VERSYM = 11, 0x6ffffffd, 0x6fffffff
SHN_UNDEF, SHN_ABS, STT_OBJECT, STB_LOCAL = 0, 0xfff1, 1, 0
# Before glibc 2.34 these were in a library of their own, where newer ones find them as well.
LIBDL = frozenset(["dlopen", "dlmopen", "dlclose", "dlsym", "dlvsym", "dlerror", "dladdr", "dladdr1", "dlinfo"])


def main(arguments):
    libc, floor, directory = arguments
    symbols = at_floor(dynamic_symbols(libc), parsed("GLIBC_" + floor))
    for name, chosen in [("libc.so.6", [row for row in symbols if row[0] not in LIBDL]),
                         ("libdl.so.2", [row for row in symbols if row[0] in LIBDL])]:
        with open(os.path.join(directory, name + ".s"), "w") as out:
            out.write(".data\n")
            for symbol, _, is_object, size in chosen:
                out.write(".globl {0}\n.type {0},%{1}\n.size {0},{2}\n{0}:.skip {2}\n".format(
                    symbol, "object" if is_object else "function", size or 1))
        with open(os.path.join(directory, name + ".map"), "w") as out:
            for version in sorted({row[1] for row in chosen}, key=parsed):
                out.write("%s { %s };\n" % (version, " ".join(row[0] + ";" for row in chosen if row[1] == version)))


def parsed(version):
    """GLIBC_2.2.5 -> (2, 2, 5); None for what is no release, such as GLIBC_PRIVATE."""
    numbers = version.replace("GLIBC_", "", 1).split(".")
    return tuple(int(number) for number in numbers) if all(map(str.isdigit, numbers)) else None


def at_floor(symbols, floor):
    """[(name, version, is object, size)]: of each name the last version not newer than the floor."""
    best = {}
    for row in symbols:
        number = parsed(row[1])
        if number and number <= floor and (row[0] not in best or parsed(best[row[0]][1]) < number):
            best[row[0]] = row
    return [best[name] for name in sorted(best)]


def dynamic_symbols(path):
    """Yields (name, version, is object, size) of what a library (little-endian ELF) offers."""
    with open(path, "rb") as data:
        elf = data.read()
    wide = elf[4] == 2
    start, = struct.unpack_from("<Q" if wide else "<I", elf, 40 if wide else 32)
    step, count = struct.unpack_from("<HH", elf, 58 if wide else 46)
    sections = {}
    tables = []
    for index in range(count):
        row = struct.unpack_from("<IIQQQQII" if wide else "<IIIIIIII", elf, start + index * step)
        tables.append(row)
        sections[row[1]] = row  # there is one of each kind that is of interest
    kind_symbols, kind_versions, definitions = (sections[kind] for kind in (SHT_DYNSYM, SHT_VERSYM, SHT_VERDEF))
    names = version_names(elf, definitions, tables)
    strings = tables[kind_symbols[6]][4]
    size_of = 24 if wide else 16
    for index in range(1, kind_symbols[5] // size_of):
        at = kind_symbols[4] + index * size_of
        if wide:
            name, info, _, section, _, size = struct.unpack_from("<IBBHQQ", elf, at)
        else:
            name, _, size, info, _, section = struct.unpack_from("<IIIBBH", elf, at)
        version = struct.unpack_from("<H", elf, kind_versions[4] + 2 * index)[0] & 0x7fff
        if section not in (SHN_UNDEF, SHN_ABS) and info >> 4 != STB_LOCAL and version in names:
            yield text(elf, strings + name), names[version], info & 15 == STT_OBJECT, size


def version_names(elf, definitions, tables):
    """{index: name} of the versions that a library defines."""
    names = {}
    strings = tables[definitions[6]][4]
    at = definitions[4]
    while True:
        _, _, index, _, _, auxiliary, following = struct.unpack_from("<HHHHIII", elf, at)
        names[index] = text(elf, strings + struct.unpack_from("<I", elf, at + auxiliary)[0])
        if not following:
            return names
        at += following


def text(elf, at):
    return elf[at:elf.index(b"\0", at)].decode("ascii")


if __name__ == "__main__":
    main(sys.argv[1:])
