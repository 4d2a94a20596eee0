import os
import stat
import tempfile

import pytest

from tests.fakes import tars
from udocker.errors import UdockerError
from udocker.host.files import remove_tree
from udocker.host.layer import apply_layer


def look(path):
    """Return what is at ``path`` and below: {relative path (bytes): (kind, mode, mtime, content)}."""
    path = os.fsencode(str(path))
    seen = {}
    todo = [b""]
    while todo:
        relative = todo.pop()
        where = os.path.join(path, relative)
        status = os.lstat(where)
        kind, content = stat.S_IFMT(status.st_mode), None
        if stat.S_ISDIR(status.st_mode):
            todo.extend(os.path.join(relative, name) for name in os.listdir(where))
        elif stat.S_ISLNK(status.st_mode):
            content = os.readlink(where)
        elif stat.S_ISREG(status.st_mode):
            with open(where, "rb") as opened:
                content = opened.read()
        seen[relative] = (kind, stat.S_IMODE(status.st_mode), status.st_mtime_ns, content)
    return seen


class World(object):
    """A root file system and an outside that must not change, next to each other."""

    def __init__(self, place):
        self.place = place
        self.root = os.path.join(place, "root")
        self.outside = os.path.join(place, "outside")
        os.mkdir(self.root)
        os.makedirs(os.path.join(self.outside, "directory", "below"))
        for name in ("victim", "directory/victim", "directory/below/victim"):
            with open(os.path.join(self.outside, name), "wb") as opened:
                opened.write(b"precious")
        os.symlink("victim", os.path.join(self.outside, "link"))
        self._before = self._surroundings()

    def _surroundings(self):
        return look(self.outside), sorted(os.listdir(self.place))

    def assert_outside_untouched(self):
        assert self._surroundings() == self._before

    def apply(self, *parts, **options):
        """Apply the archive of ``parts``, as it is or (raw=True) without an end."""
        data = b"".join(parts) if options.pop("raw", False) else tars.archive(*parts)
        return apply_layer(self.root, tars.stream(data), **options)

    def fails(self, kind, *parts, **options):
        """Assert that applying raises ``kind`` (of error) and return its message."""
        with pytest.raises(kind) as caught:
            self.apply(*parts, **options)
        assert "\n" not in str(caught.value) and "\x1b" not in str(caught.value)
        return str(caught.value)

    def attempt(self, *parts, **options):
        """Apply, or be refused with an error of ours; return the error or None."""
        try:
            self.apply(*parts, **options)
        except UdockerError as error:
            return error

    def names(self):
        """Return the sorted paths (str) in the root."""
        return sorted(os.fsdecode(name) for name in look(self.root) if name)

    def read(self, name):
        with open(self.path(name), "rb") as opened:
            return opened.read()

    def path(self, name):
        return os.path.join(self.root, name)

    def mode(self, name):
        return stat.S_IMODE(os.lstat(self.path(name)).st_mode)


def place_for_tests(tmp_path):
    """Return where to make root file systems: UDOCKER_TEST_DIRECTORY, in memory, or as pytest does.

    On a disk that others use too the tests take several times longer, and show nothing else.
    """
    return os.environ.get("UDOCKER_TEST_DIRECTORY") or (
        "/dev/shm" if os.access("/dev/shm", os.W_OK) else str(tmp_path))


@pytest.fixture
def world(tmp_path):
    place = tempfile.mkdtemp(prefix="udocker-test-", dir=place_for_tests(tmp_path))
    try:
        made = World(place)
        yield made
        made.assert_outside_untouched()
    finally:
        remove_tree(place)
