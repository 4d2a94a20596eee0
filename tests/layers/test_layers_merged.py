"""What headers say that layers come to is what applying them makes."""

import os
import random
import stat
import tempfile

from tests.fakes import tars
from tests.layers.conftest import World, look, place_for_tests
from tests.layers.test_layers_random import member
from udocker.errors import UdockerError
from udocker.host.compress import NO_DECODERS
from udocker.host.files import remove_tree
from udocker.host.merged import Merged
from udocker.host.tar import DIRECTORY, FIFO, FILE, SYMLINK
from udocker.host.tarfields import settable_time

SERIES = int(os.environ.get("UDOCKER_TEST_SERIES", "1000"))
KINDS = {stat.S_IFREG: FILE, stat.S_IFDIR: DIRECTORY, stat.S_IFLNK: SYMLINK, stat.S_IFIFO: FIFO}


def applied(root):
    """What is in ``root``: {path: (kind, and of it what a layer decides)}."""
    found = {}
    for path, (kind, mode, mtime, content) in look(root).items():
        kind = KINDS[kind]
        found[path] = (kind, content if kind == SYMLINK else mode & 0o777,
                       (mtime, len(content)) if kind == FILE else None)
    found.pop(b"")
    return found


def merged(node, way=b""):
    found = {}
    for name, child in node.below.items():
        path = way + name
        mode = 0o755 if child.mode is None else \
            child.mode & 0o777 | (0o700 if child.kind == DIRECTORY else 0o600)
        found[path] = (child.kind, child.target if child.kind == SYMLINK else mode,
                       (settable_time(child.mtime), child.size) if child.kind == FILE else None)
        if child.below is not None:
            found.update(merged(child, path + b"/"))
    return found


def test_random_layers_come_to_the_same(tmp_path):
    compared = files = 0
    for seed in range(SERIES):
        chance = random.Random(seed)
        where = tempfile.mkdtemp(prefix="udocker-test-", dir=place_for_tests(tmp_path))
        old = os.umask(0o022)
        try:
            world, seen = World(where), Merged()
            for _ in range(6):
                data = tars.archive(*[member(chance, world.outside)
                                      for _ in range(chance.randint(1, 8))])
                try:
                    world.apply(data, raw=True)
                except UdockerError:
                    break
                seen.add(tars.stream(data), NO_DECODERS)
                assert merged(seen.root) == applied(world.root), "seed %d" % seed
                compared, files = compared + 1, files + len(merged(seen.root))
        finally:
            os.umask(old)
            remove_tree(where)
    assert compared > SERIES // 2 and files > SERIES
