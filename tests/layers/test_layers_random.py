"""T19: layers at random, by seed. Whatever they are, nothing outside changes, and every error is
one of ours.

UDOCKER_TEST_LAYERS: how many (default 3000). UDOCKER_TEST_SEED: which ones (default 0).
"""

import os
import random
import tempfile

from tests.fakes import tars
from tests.layers.conftest import World, place_for_tests
from udocker.errors import UdockerError
from udocker.host.files import remove_tree

LAYERS = int(os.environ.get("UDOCKER_TEST_LAYERS", "3000"))
SEED = int(os.environ.get("UDOCKER_TEST_SEED", "0"))
#: Layers applied to one root, one after the other, before it is looked at and a new one begun.
SERIES = 6

PARTS = ["a", "b", "c", "d", "..", ".", "", "victim", "directory", "link", "below", ".wh.a", ".wh.b",
         ".wh.victim", ".wh.directory", ".wh..wh..opq", ".wh.", ".wh..", ".wh...", ".wh..wh.plnk",
         "\u00e9", "x\ny", "root", "outside", "x" * 90]


def name(chance, outside):
    parts = [chance.choice(PARTS[:4] if chance.random() < 0.93 else PARTS)
             for _ in range(chance.randint(1, 3))]
    text = "/".join(parts)
    shape = chance.random()
    if shape < 0.03:
        return outside + "/" + text
    return "/" + text if shape < 0.1 else text


def member(chance, outside):
    kind = chance.random()
    where, mode = name(chance, outside), chance.choice((0, 0o644, 0o755, 0o7777, 0o400))
    if kind < 0.3:
        made = tars.file(where, b"evil" * chance.randint(0, 400), mode=mode)
    elif kind < 0.5:
        made = tars.directory(where, mode=mode)
    elif kind < 0.7:
        made = tars.symlink(where, name(chance, outside) if chance.random() < 0.5 else chance.choice(
            ("../outside", "../../outside/directory", outside, "..", ".", "/", "a/b", "")))
    elif kind < 0.75:
        made = tars.hard_link(where, name(chance, outside))
    elif kind < 0.92:
        folder = where.rpartition("/")[0]
        made = tars.whiteout((folder + "/" if folder else "") + chance.choice(PARTS[11:20]))
    elif kind < 0.95:
        made = tars.fifo(where)
    elif kind < 0.97:
        made = tars.device(where, chance.choice((b"3", b"4")), 1, 3)
    elif kind < 0.975:
        made = tars.header(where, bytes(bytearray([chance.randrange(256)])))
    else:
        made = tars.directory(".", mode=mode)
    if chance.random() < 0.1:
        made = tars.pax({"path": name(chance, outside), "mtime": "%d.5" % chance.randint(-9, 9)}) + made
    return made


def test_t19_random_layers_never_leave_the_root_and_fail_only_in_our_way(tmp_path):
    done = refused = 0
    chance = random.Random(SEED)
    for series in range(LAYERS // SERIES):
        seed = chance.getrandbits(32)
        own = random.Random(seed)
        where = tempfile.mkdtemp(prefix="udocker-test-", dir=place_for_tests(tmp_path))
        try:
            world = World(where)
            for _ in range(SERIES):
                data = tars.archive(*[member(own, world.outside) for _ in range(own.randint(1, 8))])
                if own.random() < 0.05:
                    damaged = bytearray(data)
                    damaged[own.randrange(len(data))] ^= 1 << own.randrange(8)
                    data = bytes(damaged)
                try:
                    world.apply(data, raw=True)
                    done += 1
                except UdockerError as error:
                    refused += 1
                    assert str(error).isprintable(), "seed %d" % seed
                except Exception as error:
                    raise AssertionError("seed %d: %r" % (seed, error)) from error
            world.assert_outside_untouched()
        finally:
            remove_tree(where)
    print("%d applied, %d refused" % (done, refused))
    assert done > LAYERS // 10 and refused > LAYERS // 10
