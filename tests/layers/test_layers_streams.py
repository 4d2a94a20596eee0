"""T14 to T17: compression, damage, bombs, very many and very deep members; digests."""

import bz2
import gzip
import hashlib
import io
import lzma
import os
import random
import shutil
import subprocess
import sys
import time

import pytest

from tests.fakes.tars import (archive, directory, file, gnu_long, hard_link, pax, stream, symlink,
                              whiteout, zipped)
from udocker.errors import CorruptData, DigestMismatch, HostError, UdockerError, UnsafeLayer
from udocker.host.compress import DEFAULT_LIMITS, Blob
from udocker.host.layer import apply_layer
from udocker.model.reference import Digest

HAS_ZSTD = shutil.which("zstd")
TAR = archive(file("a", b"alpha" * 1000), directory("d"), file("d/b", os.urandom(100000)))


def by_zstd(data, *options):
    process = subprocess.Popen(("zstd", "-qc") + options, stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE)
    out, _ = process.communicate(data)
    assert process.returncode == 0
    return out


def cut(data, parts):
    step = len(data) // parts + 1
    return [data[at:at + step] for at in range(0, len(data), step)]


FORMATS = {
    "plain": lambda data: data,
    "gzip": zipped,
    "gzip with a name": lambda data: with_name(data),
    "gzip in members": lambda data: b"".join(map(zipped, cut(data, 50))),
    "gzip and zeros": lambda data: zipped(data) + bytes(1000),
    "gzip, zeros between": lambda data: (bytes(300)).join(map(zipped, cut(data, 5))),
    "gzip, empty members": lambda data: zipped(b"") + zipped(data) + zipped(b"") * 100,
    "bzip2": bz2.compress,
    "bzip2 in streams": lambda data: b"".join(map(bz2.compress, cut(data, 3))),
    "xz": lzma.compress,
    "xz in streams": lambda data: b"".join(map(lzma.compress, cut(data, 3))) + bytes(8),
}
if HAS_ZSTD:
    FORMATS["zstd"] = by_zstd
    FORMATS["zstd in frames"] = lambda data: b"".join(map(by_zstd, cut(data, 3)))
    FORMATS["zstd after a skippable frame"] = lambda data: (
        b"\x50\x2a\x4d\x18\x04\0\0\0skip" + by_zstd(data))
COMPRESSED = sorted(set(FORMATS) - set(["plain"]))


def with_name(data):
    out = io.BytesIO()
    with gzip.GzipFile("a name", "wb", fileobj=out, mtime=1) as opened:
        opened.write(data)
    return out.getvalue()


def digest(data):
    return Digest("sha256", hashlib.sha256(data).hexdigest())


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_t15_every_compression_is_read_whole(world, name):
    data = FORMATS[name](TAR)
    applied = apply_layer(world.root, stream(data), digest(TAR))
    assert world.names() == ["a", "d", "d/b"] and len(world.read("d/b")) == 100000
    assert (applied.members, applied.size) == (3, len(TAR))


def test_t15_a_member_for_each_byte_is_not_slow(world):
    data = b"".join(zipped(TAR[at:at + 1]) for at in range(20000)) + zipped(TAR[20000:])
    began = time.time()
    apply_layer(world.root, stream(data), digest(TAR))
    assert time.time() - began < 5


@pytest.mark.parametrize("name", COMPRESSED)
@pytest.mark.parametrize("part", [0.02, 0.3, 0.9, 0.9999])
def test_t15_data_that_end_early_are_an_error(world, name, part):
    data = FORMATS[name](TAR).rstrip(b"\0") if "zeros" in name else FORMATS[name](TAR)
    if "empty" in name or name == "xz in streams":
        data = FORMATS["gzip"](TAR)
    began = time.time()
    with pytest.raises(CorruptData):
        apply_layer(world.root, stream(data[:int(len(data) * part)]), digest(TAR))
    assert time.time() - began < 5


@pytest.mark.parametrize("name", COMPRESSED)
@pytest.mark.parametrize("where", [0.2, 0.5, 0.99])
def test_t15_data_that_changed_are_an_error(world, name, where):
    data = bytearray(FORMATS[name](TAR))
    at = int(len(data) * where)
    data[at:at + 8] = b"\xff\xff\0\0\xff\0\xff\x01"
    if bytes(data) == FORMATS[name](TAR) or ("zeros" in name and where == 0.99):
        data[at // 2] ^= 0x55
    began = time.time()
    with pytest.raises(CorruptData):
        apply_layer(world.root, stream(bytes(data)), digest(TAR))
    assert time.time() - began < 5


@pytest.mark.parametrize("name", ["gzip", "bzip2", "xz"] + ["zstd"] * bool(HAS_ZSTD))
@pytest.mark.parametrize("garbage", [b"x", b"garbage" * 100, b"\0\0\0garbage", b"\x1f\x8b"])
def test_t15_garbage_after_the_end_is_an_error(world, name, garbage):
    with pytest.raises(CorruptData):
        apply_layer(world.root, stream(FORMATS[name](TAR) + garbage))


@pytest.mark.parametrize("data", [b"", b"x", b"not a tar" * 1000, b"\x1f\x8b", b"BZh9", bytes(511),
                                  b"\xfd7zXZ\0", zipped(b"text" * 1000), b"\x28\xb5\x2f\xfdxxxx"],
                         ids=["nothing", "a letter", "text", "gzip's magic", "bzip2's magic",
                              "half a header", "xz's magic", "zipped text", "zstd's magic"])
def test_t15_what_is_no_layer_is_an_error(world, data):
    with pytest.raises(CorruptData):
        apply_layer(world.root, stream(data))


@pytest.mark.parametrize("data", [bytes(1024), zipped(bytes(10240)), zipped(b"")],
                         ids=["plain", "zipped", "zipped nothing"])
def test_an_empty_layer_is_one(world, data):
    assert apply_layer(world.root, stream(data)).members == 0


def test_zstd_without_anything_that_reads_it_says_what_to_install(world, monkeypatch):
    monkeypatch.setenv("PATH", "/nonexistent")
    for name in ("compression.zstd", "backports.zstd", "zstandard"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(HostError) as caught:
        apply_layer(world.root, stream(b"\x28\xb5\x2f\xfd" + bytes(100)))
    assert "zstd" in caught.value.message and "install" in caught.value.hint


@pytest.mark.parametrize("change", [b"", bytes(512), b"\0"], ids=["none", "a block", "a byte"])
def test_t26_the_digest_is_that_of_the_whole_stream(world, change):
    assert apply_layer(world.root, stream(zipped(TAR + change)), digest(TAR + change)).members == 3
    wrong = digest(TAR + b"x")
    with pytest.raises(DigestMismatch) as caught:
        apply_layer(world.root, stream(zipped(TAR + change)), wrong)
    assert str(wrong) in str(caught.value)
    sha512 = Digest("sha512", hashlib.sha512(TAR).hexdigest())
    assert apply_layer(world.root, stream(TAR), sha512).members == 3


def test_progress_is_told(world):
    told = []
    data = zipped(archive(*[file("f%d" % n, os.urandom(100000)) for n in range(30)]))
    apply_layer(world.root, stream(data), progress=told.append)
    assert told == sorted(told) and told[-1] == len(data) and len(told) > 2


class Broken(io.BytesIO):
    name = "/store/blob"

    def read(self, size=-1):
        if self.tell() > 100000:
            raise OSError(5, "Input/output error")
        return super(Broken, self).read(min(size, 65536))


def test_t40_a_blob_that_cannot_be_read_is_named(world):
    with pytest.raises(HostError) as caught:
        apply_layer(world.root, Broken(zipped(archive(file("a", os.urandom(500000))))))
    assert str(caught.value) == "input/output error: '/store/blob'"


#: Not getrusage(2), whose maximum counts what the process was before it became Python.
PEAK = """
def peak():
    "Most memory that this process has had, in KiB."
    with open("/proc/self/status") as status:
        return [int(line.split()[1]) for line in status if line.startswith("VmHWM:")][0]
"""

BOMB = PEAK + """
import io, os, sys, zlib
sys.path.insert(0, sys.argv[1])
from udocker.host import compress
from udocker.host.layer import apply_layer
from udocker.errors import UnsafeLayer

class Bomb(object):
    "10 GiB of zeros after a header, compressed as it is read."
    def __init__(self, header):
        self.deflate = zlib.compressobj(9, zlib.DEFLATED, 31)
        self.ready = self.deflate.compress(header)
        self.left, self.zeros = 10240, bytes(1 << 20)
    def read(self, size):
        while len(self.ready) < size and self.left:
            self.left -= 1
            self.ready += self.deflate.compress(self.zeros)
        out, self.ready = self.ready[:size], self.ready[size:]
        return out

limits = compress.DEFAULT_LIMITS._replace(allowance=64 << 20)
try:
    apply_layer(sys.argv[2], Bomb(bytes.fromhex(sys.argv[3])), limits=limits)
except UnsafeLayer as error:
    print(error)
print(peak() // 1024)
"""
APP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "app")


@pytest.mark.slow
def test_t16_a_bomb_is_stopped_and_takes_little_memory(world):
    header = file("zeros", size=10 << 30)
    said = subprocess.check_output([sys.executable, "-c", BOMB, APP, world.root,
                                    "".join("%02x" % byte for byte in bytearray(header))])
    message, megabytes = said.decode().splitlines()
    assert "times its size" in message
    assert os.path.getsize(world.path("zeros")) <= 66 << 20
    assert int(megabytes) < 100


def test_t16_the_caps_hold_by_size_and_by_ratio(world):
    data = zipped(archive(file("a", bytes(4 << 20))))
    for limits, refused in ((DEFAULT_LIMITS, False), (DEFAULT_LIMITS._replace(size=1 << 20), True),
                            (DEFAULT_LIMITS._replace(allowance=1 << 20), True),
                            (DEFAULT_LIMITS._replace(allowance=1 << 20, ratio=2000), False)):
        error = world.attempt(data, raw=True, limits=limits)
        assert isinstance(error, UnsafeLayer) is refused, limits
    assert 500 < sum(map(len, Blob(stream(data)))) / len(data) < 1100


def test_t16_a_sparse_file_takes_no_room(world):
    records = {"GNU.sparse.map": "0,3,%d,4" % (1 << 33), "GNU.sparse.size": str((1 << 33) + 4),
               "GNU.sparse.name": "s"}
    world.apply(pax(records) + file("x", b"abcdefg"))
    status = os.stat(world.path("s"))
    assert status.st_size == (1 << 33) + 4 and status.st_blocks < 1000
    os.truncate(world.path("s"), 3)


def test_t16_a_file_larger_than_files_can_be_is_an_error(world):
    records = {"GNU.sparse.map": "%d,4" % (1 << 62), "GNU.sparse.size": str((1 << 62) + 4),
               "GNU.sparse.name": "s"}
    assert "4611686018427387908" in world.fails(UnsafeLayer, pax(records) + file("x", b"abcd"))


MANY = PEAK + """
import sys
sys.path[:0] = sys.argv[1:3]
from tests.fakes.tars import file, directory, whiteout
from udocker.host.layer import apply_layer
import io
class Endless(io.RawIOBase):
    def __init__(self, parts): self.parts, self.ready = parts, b""
    def read(self, size):
        while len(self.ready) < size:
            part = next(self.parts, None)
            if part is None: break
            self.ready += part
        out, self.ready = self.ready[:size], self.ready[size:]
        return out
count = int(sys.argv[4])
def parts():
    one = file("x")
    for n in range(count // 100):
        yield directory("d%d" % n) if n < 5000 else b""
        yield one * 99
    yield bytes(1024)
before = peak()
open(sys.argv[3] + "/lower", "w").close()  # so that what is made has to be remembered
applied = apply_layer(sys.argv[3], Endless(parts()))
print(applied.members, (peak() - before) // 1024)
"""


@pytest.mark.slow
def test_t17_very_many_members_take_little_memory(world):
    count = int(os.environ.get("UDOCKER_TEST_MEMBERS", "100000"))
    said = subprocess.check_output([sys.executable, "-c", MANY, APP, os.path.dirname(APP), world.root,
                                    str(count)])
    members, megabytes = map(int, said.split())
    assert members >= count * 0.9
    assert megabytes < 20 + count * 16 // 1000000  # the buffers, and 8 bytes a member
    with pytest.raises(UnsafeLayer):
        world.apply(file("a"), file("b"), limits=DEFAULT_LIMITS._replace(members=1))


def test_t17_a_very_deep_path_is_made_or_refused(world):
    deep = "d/" * 2040
    world.apply(pax({"path": deep + "f"}) + file("x", b"deep"))
    assert "4096" in world.fails(UnsafeLayer, pax({"path": "d/" * 10000 + "f"}) + file("x"))
    # links lead deeper than any name can: l1 is 1000 deep, l2 1000 below that, and so on
    parts = [directory("s"), symlink("l0", "s")]
    for number in range(10):
        below = "l%d/%s" % (number, "d/" * 1000)
        parts += [pax({"path": below}) + directory("x"),
                  pax({"linkpath": below}) + symlink("l%d" % (number + 1), "x")]
    assert "deep" in world.fails(UnsafeLayer, *parts)


def test_t17_whiteouts_of_what_is_deep_have_no_recursion(world):
    limit = sys.getrecursionlimit()
    deep = "d/" * 1500
    world.apply(pax({"path": deep + "f"}) + file("x"), pax({"path": deep + "g"}) + file("x"))
    sys.setrecursionlimit(max(200, len(__import__("inspect").stack()) + 60))
    try:
        world.apply(pax({"path": deep + "f"}) + file("x", b"new"), whiteout("d/.wh..wh..opq"))
        assert os.listdir(world.path("")) == ["d"]
        world.apply(file("other"), whiteout(".wh.d"))
    finally:
        sys.setrecursionlimit(limit)
    assert world.names() == ["other"]


def test_t14_names_up_to_the_limits_and_duplicates(world):
    long = "x" * 255
    world.apply(pax({"path": long}) + file("y", b"1"), gnu_long("d/" * 1900 + long) + file("z", b"2"),
                file("twice", b"first"), file("twice", b"second"), hard_link("h", "twice"))
    assert world.read(long) == b"1" and world.read("h") == b"second"
    world.fails(UnsafeLayer, gnu_long("x" * 256) + file("z"))
    world.fails(UnsafeLayer, gnu_long("x/" * 3000) + file("z"))
    assert world.attempt(pax({"linkpath": "t" * 4096}) + symlink("l", "x")) is not None


@pytest.mark.slow
def test_t15_no_thread_or_descriptor_stays_behind(world):
    import threading
    threads, descriptors = threading.active_count(), len(os.listdir("/proc/self/fd"))
    chance = random.Random(9)
    for turn in range(40):
        data = bytearray(zipped(archive(*[file("f%d" % n, os.urandom(5000)) for n in range(50)])))
        if turn % 2:
            data[chance.randrange(20, len(data))] ^= 0xff
        else:
            # more than may wait between the threads
            data = zipped(archive(file("f"), file("../f"), file("g", bytes(12 << 20))), 1)
        with pytest.raises(UdockerError):
            apply_layer(world.root, stream(bytes(data)), digest(b""))
    assert threading.active_count() == threads
    assert len(os.listdir("/proc/self/fd")) == descriptors


def test_memory_and_threads_may_be_refused(world, monkeypatch):
    import threading

    def start(self):
        raise RuntimeError("can't start new thread")
    monkeypatch.setattr(threading.Thread, "start", start)  # the limit of a login node
    apply_layer(world.root, stream(zipped(TAR)), digest(TAR))
    assert world.names() == ["a", "d", "d/b"]
