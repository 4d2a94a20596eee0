"""Programs that decompress, as child processes: right, hostile, slow, dead and missing ones."""

import hashlib
import io
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest

from tests.fakes.tars import archive, file, zipped
from tests.layers.test_layers_streams import COMPRESSED, FORMATS, HAS_ZSTD, TAR, by_zstd, digest
from udocker.errors import CorruptData, DigestMismatch, UnsafeLayer
from udocker.host import compress, decoder
from udocker.host.compress import DEFAULT_LIMITS, Decoders
from udocker.host.layer import apply_layer

APP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "app")
#: Programs that speak the language of ours: PROGRAM -dc.
PROGRAMS = [name for name in ("igzip", "gzip") if shutil.which(name)]
BIG = archive(file("a", os.urandom(3 << 20)), file("b", b"text " * 1000000))
each_program = pytest.mark.parametrize("name", PROGRAMS)


@pytest.fixture(autouse=True)
def every_size_is_worth_it(monkeypatch):
    monkeypatch.setattr(compress, "WORTH_A_PROGRAM", 0)


@pytest.fixture
def on_disk(tmp_path):
    """Write data into a file and open it for reading."""
    opened = []

    def write(data):
        path = tmp_path / ("blob-%d" % len(opened))
        path.write_bytes(data)
        opened.append(open(str(path), "rb"))
        return opened[-1]
    yield write
    for stream in opened:
        stream.close()


@pytest.fixture
def program(tmp_path):
    """Make a program of the lines of a shell script; return its path."""
    def make(script):
        path = tmp_path / "decoder"
        path.write_text("#!/bin/sh\n" + script)
        path.chmod(0o755)
        return str(path)
    return make


def by(gzip=None, zstd=None):
    return {"decoders": Decoders(gzip, zstd)}


def decoders(name):
    return by(shutil.which(name), shutil.which("zstd"))


#: Servers of other tests, that were there before.
OTHERS = set()


@pytest.fixture(autouse=True)
def others():
    OTHERS.clear()
    OTHERS.update(children())


def children():
    """Return the pids (list of str) of the processes that this test has started."""
    with open("/proc/self/task/%d/children" % os.getpid()) as opened:
        return [pid for pid in opened.read().split() if pid not in OTHERS]


@each_program
@pytest.mark.parametrize("form", sorted(FORMATS))
def test_every_compression_is_read_whole(world, on_disk, name, form):
    applied = apply_layer(world.root, on_disk(FORMATS[form](TAR)), digest(TAR), **decoders(name))
    assert world.names() == ["a", "d", "d/b"]
    assert (applied.members, applied.size) == (3, len(TAR))


@each_program
@pytest.mark.parametrize("form", COMPRESSED)
@pytest.mark.parametrize("part", [0.02, 0.3, 0.9, 0.9999])
def test_data_that_end_early_are_an_error(world, on_disk, name, form, part):
    form = "gzip" if "zeros" in form or "empty" in form or form == "xz in streams" else form
    data = FORMATS[form](TAR)
    with pytest.raises(CorruptData):
        apply_layer(world.root, on_disk(data[:int(len(data) * part)]), digest(TAR), **decoders(name))


@each_program
@pytest.mark.parametrize("form", COMPRESSED)
@pytest.mark.parametrize("where", [0.2, 0.5, 0.99])
def test_data_that_changed_are_an_error(world, on_disk, name, form, where):
    form = "gzip" if "zeros" in form or "empty" in form else form
    data = bytearray(FORMATS[form](TAR))
    at = int(len(data) * where)
    data[at:at + 8] = b"\xff\xff\0\0\xff\0\xff\x01"
    with pytest.raises(CorruptData):
        apply_layer(world.root, on_disk(bytes(data)), digest(TAR), **decoders(name))


@pytest.mark.skipif(not HAS_ZSTD, reason="the program zstd is not installed")
@pytest.mark.parametrize("garbage", [b"x", b"garbage" * 100])
def test_garbage_after_zstd_is_an_error(world, on_disk, garbage):
    with pytest.raises(CorruptData):
        apply_layer(world.root, on_disk(by_zstd(TAR) + garbage), digest(TAR),
                    **by(zstd=shutil.which("zstd")))


@pytest.mark.skipif(not HAS_ZSTD, reason="the program zstd is not installed")
@pytest.mark.parametrize("is_file", [True, False])
def test_zstd_needs_no_program_but_ours(world, on_disk, program, monkeypatch, is_file):
    without_modules(monkeypatch)
    ours = program("exec %s \"$@\"\n" % shutil.which("zstd"))
    monkeypatch.setenv("PATH", "/nonexistent")
    stream = on_disk(ZSTD_BIG) if is_file else io.BytesIO(ZSTD_BIG)
    assert apply_layer(world.root, stream, digest(BIG), **by(zstd=ours)).members == 2


@pytest.mark.skipif(not HAS_ZSTD, reason="the program zstd is not installed")
def test_zstd_that_cannot_be_started_is_done_without(world, on_disk, monkeypatch):
    without_modules(monkeypatch)
    apply_layer(world.root, on_disk(ZSTD_BIG), digest(BIG), **by(zstd="/nonexistent/zstd"))
    assert world.names() == ["a", "b"]


@pytest.mark.parametrize("script, words", [("exit 3", "status 3"), ("echo no memory >&2; exit 1",
                                                                    "no memory"),
                                           ("kill -9 $$", "status -9")])
def test_zstd_that_fails_says_why(world, on_disk, program, monkeypatch, script, words):
    without_modules(monkeypatch)
    with pytest.raises(CorruptData) as caught:
        apply_layer(world.root, on_disk(b"\x28\xb5\x2f\xfd" + bytes(100)), digest(BIG),
                    **by(zstd=program(script)))
    assert words in str(caught.value)


def without_modules(monkeypatch):
    for name in ("compression.zstd", "backports.zstd", "zstandard"):
        monkeypatch.setitem(sys.modules, name, None)


ZSTD_BIG = by_zstd(BIG) if HAS_ZSTD else b""
#: gzip does the work up to a point, and then the program fails in its own way.
PARTLY = "gzip -dc | head -c %d\n"


@pytest.mark.parametrize("script", [
    "exit 0", PARTLY % 10240, "exit 1", "kill -9 $$", "echo sorry >&2; exit 2", PARTLY % 5000 + "exit 1",
    PARTLY % (2 << 20) + "exit 1", PARTLY % (2 << 20) + "kill -9 $$", "gzip -dc; exit 1"])
def test_where_a_program_fails_python_has_the_last_word(world, on_disk, program, script):
    applied = apply_layer(world.root, on_disk(zipped(BIG)), digest(BIG), **by(program(script)))
    assert (applied.members, applied.size) == (2, len(BIG)) and not children()


@pytest.mark.parametrize("path", ["/nonexistent/igzip", "/dev/null", "/"])
def test_a_program_that_cannot_be_started_is_done_without(world, on_disk, path):
    apply_layer(world.root, on_disk(zipped(BIG)), digest(BIG), **by(path))
    assert world.names() == ["a", "b"]


@pytest.mark.parametrize("script", ["exec sleep 600", PARTLY % (1 << 20) + "exec sleep 600",
                                    "gzip -dc; exec >&-; exec sleep 600"])
def test_a_program_that_hangs_is_done_without(world, on_disk, program, monkeypatch, script):
    monkeypatch.setattr(decoder, "_PATIENCE", 0.5)
    apply_layer(world.root, on_disk(zipped(BIG)), digest(BIG), **by(program(script)))
    assert world.names() == ["a", "b"] and not children()


@pytest.mark.parametrize("script", ["gzip -dc | tr a b", "gzip -dc; echo more"])
def test_a_program_that_lies_is_found_out(world, on_disk, program, script):
    with pytest.raises(CorruptData):
        apply_layer(world.root, on_disk(zipped(BIG)), digest(BIG), **by(program(script)))


def test_without_a_digest_no_program_is_believed(world, on_disk, program):
    path = program("touch $0.was-here; exec gzip -dc")
    apply_layer(world.root, on_disk(zipped(BIG)), **by(path))
    assert not os.path.exists(path + ".was-here")
    apply_layer(world.root, on_disk(zipped(BIG)), digest(BIG), **by(path))
    assert os.path.exists(path + ".was-here")


def test_small_layers_are_left_to_python(world, on_disk, program, monkeypatch):
    monkeypatch.setattr(compress, "WORTH_A_PROGRAM", 1 << 20)
    path = program("touch $0.was-here; exec gzip -dc")
    apply_layer(world.root, on_disk(zipped(TAR)), digest(TAR), **by(path))
    apply_layer(world.root, io.BytesIO(zipped(BIG)), digest(BIG), **by(path))  # no file either
    assert not os.path.exists(path + ".was-here")


def test_a_stream_that_does_not_begin_with_its_file_is_left_to_python(world, on_disk):
    stream = on_disk(b"before" + zipped(BIG))
    stream.read(6)
    apply_layer(world.root, stream, digest(BIG), **decoders(PROGRAMS[0]))
    assert world.names() == ["a", "b"]


@each_program
def test_the_limits_hold(world, on_disk, name):
    data = zipped(archive(file("a", bytes(40 << 20))))
    for limits in (DEFAULT_LIMITS._replace(size=1 << 20), DEFAULT_LIMITS._replace(allowance=4 << 20)):
        with pytest.raises(UnsafeLayer):
            apply_layer(world.root, on_disk(data), digest(b""), limits, **decoders(name))
        # a program reads ahead, here all of it, so that 200 times that is what it may come to
        assert os.path.getsize(world.path("a")) < len(data) * 200 + (2 << 20) and not children()


@each_program
def test_progress_is_told(world, on_disk, name):
    told = []
    data = zipped(archive(*[file("f%d" % n, os.urandom(300000)) for n in range(30)]), 1)
    with pytest.raises(DigestMismatch):
        apply_layer(world.root, on_disk(data), digest(b""), progress=told.append, **decoders(name))
    assert told == sorted(told) and told[-1] == len(data) and len(told) > 2


@pytest.mark.slow
@each_program
def test_no_process_thread_or_descriptor_stays_behind(world, on_disk, name):
    import threading
    parts = [file("f"), file("../f"), file("g", os.urandom(12 << 20))]
    stream = on_disk(zipped(archive(*parts), 1))
    threads, descriptors = threading.active_count(), len(os.listdir("/proc/self/fd"))
    for _ in range(10):
        stream.seek(0)
        with pytest.raises(UnsafeLayer):
            apply_layer(world.root, stream, digest(b""), **decoders(name))
        assert not children()
    assert threading.active_count() == threads
    assert len(os.listdir("/proc/self/fd")) == descriptors


def test_a_program_that_hangs_holds_nobody_who_gives_up(world, on_disk, program):
    data = zipped(archive(file("../f"), file("g", os.urandom(2 << 20))), 1)
    path = program(PARTLY % (1 << 20) + "exec sleep 600")
    began = time.monotonic()
    with pytest.raises(UnsafeLayer):
        apply_layer(world.root, on_disk(data), digest(b""), **by(path))
    assert time.monotonic() - began < 9 and not children()  # the thread would be waited for


WORK = """
import sys
sys.path.insert(0, sys.argv[1])
from udocker.host import compress
from udocker.host.layer import apply_layer
from udocker.model.reference import Digest
with open(sys.argv[3], "rb") as stream:
    apply_layer(sys.argv[2], stream, Digest("sha256", "0" * 64),
                decoders=compress.Decoders(sys.argv[4], None))
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGKILL])
def test_the_program_does_not_outlive_us(world, on_disk, program, number):
    header = file("endless", size=30 << 30)  # the limit of the ratio is far
    path = program("echo $$ > $0.pid; gzip -dc; exec yes")
    blob = on_disk(zipped(header + os.urandom(2 << 20)))
    process = subprocess.Popen([sys.executable, "-c", WORK, APP, world.root, blob.name, path],
                               stderr=subprocess.DEVNULL)
    try:
        pid = wait_for(lambda: read(path + ".pid"))
        process.send_signal(number)
        assert process.wait(30) != 0
        wait_for(lambda: not os.path.exists("/proc/" + pid))
    finally:
        process.kill()
        process.wait()


def read(path):
    try:
        with open(path) as opened:
            return opened.read().strip()
    except OSError:
        return ""


def wait_for(condition):
    for _ in range(400):
        value = condition()
        if value:
            return value
        time.sleep(0.05)
    raise AssertionError("it did not happen")


def test_digests_are_those_of_the_whole(world, on_disk):
    wrong = digest(BIG + b"x")
    with pytest.raises(DigestMismatch) as caught:
        apply_layer(world.root, on_disk(zipped(BIG)), wrong, **decoders(PROGRAMS[0]))
    assert hashlib.sha256(BIG).hexdigest() in str(caught.value)
