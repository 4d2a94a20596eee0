"""The way back from a changed file to the file that it was, in as few bytes as can be.

Made for ELF files whose headers were rewritten: what is the same in both, in its place or moved by
whole pages, is taken from the changed file; only the rest has to be kept.
"""

import zlib

#: Bytes compared at a time; patchelf moves what it moves by whole pages of at least this size.
PAGE = 4096


def make(original, changed):
    """Return (steps, kept): how ``original`` comes out of ``changed`` (both bytes-like).

    steps (list of [offset in ``changed``, or -1 for ``kept``; length]), kept (bytes).
    """
    places = {}
    for offset in range(0, len(changed), PAGE):
        places.setdefault(_sum(changed[offset:offset + PAGE]), offset)
    steps, kept = [], bytearray()
    for offset in range(0, len(original), PAGE):
        page = original[offset:offset + PAGE]
        place = offset
        if changed[place:place + PAGE] != page:
            place = places.get(_sum(page), -1)
            if place >= 0 and changed[place:place + len(page)] != page:
                place = -1
        if place < 0:
            kept += page
            if steps and steps[-1][0] < 0:
                steps[-1][1] += len(page)
                continue
        elif steps and steps[-1][0] >= 0 and sum(steps[-1]) == place:
            steps[-1][1] += len(page)
            continue
        steps.append([place, len(page)])
    return steps, bytes(kept)


def apply(steps, kept, changed):
    """Yield the pieces of the original; the inverse of ``make``."""
    position = 0
    for place, length in steps:
        if place < 0:
            yield kept[position:position + length]
            position += length
        else:
            yield changed[place:place + length]


def _sum(page):
    return zlib.adler32(page), zlib.crc32(page)
