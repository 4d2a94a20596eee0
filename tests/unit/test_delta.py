import os
import random

import pytest

from udocker.host import delta


def original_of(original, changed):
    steps, kept = delta.make(original, changed)
    assert b"".join(delta.apply(steps, kept, changed)) == original
    return kept


def test_what_stayed_need_not_be_kept():
    data = os.urandom(20 * delta.PAGE + 17)
    assert original_of(data, data) == b""
    assert original_of(data, data + b"more") == b"" or len(original_of(data, data + b"more")) <= 17
    changed = b"head" + data[4:] + os.urandom(5000)
    assert len(original_of(data, changed)) <= 2 * delta.PAGE


def test_what_moved_by_pages_is_found_again():
    data = os.urandom(50 * delta.PAGE)
    moved = data[:delta.PAGE] + os.urandom(3 * delta.PAGE) + data[delta.PAGE:]
    assert original_of(data, moved) == b""


@pytest.mark.parametrize("seed", range(20))
def test_whatever_is_done_to_a_file_can_be_undone(seed):
    source = random.Random(seed)
    data = bytes(source.randrange(4) for _ in range(source.randrange(30000)))
    changed = bytearray(data)
    for _ in range(source.randrange(5)):
        place = source.randrange(len(changed) + 1)
        changed[place:place + source.randrange(9000)] = os.urandom(source.randrange(9000))
    original_of(data, bytes(changed))
    original_of(data, b"")
    original_of(b"", bytes(changed))
