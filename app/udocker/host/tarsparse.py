"""Maps of sparse files in tar archives (GNU tar manual, "Storing Sparse Files")."""

import struct

from udocker.errors import CorruptData, UnsafeLayer
from udocker.host.tarfields import number, pax_number

#: Regions of one file, held in memory. A file with more is written faster without holes.
MAX_REGIONS = 100000

_ENTRY = struct.Struct("12s12s")
_IN_HEADER, _IN_HEADER_AT = 4, 386
_IN_BLOCK = 21
_EXTENDED_AT, _REAL_SIZE = 482, slice(483, 495)
_MORE_AT = 504


def gnu_map(block, next_block, offset):
    """Return (regions, size of the file) of an old GNU sparse header (type S).

    block (bytes): the header; next_block: a function that reads the block after it, for
    headers that go on; regions: list of (offset in the file, length).
    """
    regions = _entries(block, _IN_HEADER_AT, _IN_HEADER, offset)
    more, size = block[_EXTENDED_AT], number(block[_REAL_SIZE], offset)
    while more:
        block = next_block()
        regions += _entries(block, 0, _IN_BLOCK, offset)
        more = block[_MORE_AT]
        _check_count(len(regions))
    return regions, size


def _entries(block, at, count, offset):
    found = []
    for start, length in (_ENTRY.unpack_from(block, at + i * _ENTRY.size) for i in range(count)):
        if not start[0] and not length[0]:
            break
        found.append((number(start, offset), number(length, offset)))
    return found


def pax_map(value, offset):
    """Return the regions in ``value`` (bytes), a GNU.sparse.map of version 0.1."""
    _check_count(value.count(b",") // 2)
    numbers = [pax_number(part, offset) for part in value.split(b",")] if value else []
    if len(numbers) % 2:
        raise CorruptData("damaged map of a sparse file at byte %d" % offset)
    return list(zip(numbers[::2], numbers[1::2]))


def content_map(next_block, offset):
    """Return (regions, bytes of it) of a map of version 1.0, which the content starts with."""
    data, used = b"", 0

    def line():
        nonlocal data, used
        while b"\n" not in data:
            if len(data) > 20:
                raise CorruptData("damaged map of a sparse file at byte %d" % offset)
            data += next_block()
            used += 512
        text, _, data = data.partition(b"\n")
        return pax_number(text, offset)

    count = line()
    _check_count(count)
    return [(line(), line()) for _ in range(count)], used


def check_map(regions, size, stored, offset):
    """CorruptData unless ``regions`` lie in order in ``size`` bytes and add up to ``stored``."""
    end = total = 0
    for start, length in regions:
        if start < end or length < 0:
            break
        end = start + length
        total += length
    else:
        if end <= size and total == stored:
            return
    raise CorruptData("damaged map of a sparse file at byte %d" % offset)


def _check_count(count):
    if count > MAX_REGIONS:
        raise UnsafeLayer("a sparse file of more than %d regions" % MAX_REGIONS)
