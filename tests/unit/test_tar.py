"""Reading tar: every format that layers come in, and everything that they should not be."""

import io
import random
import subprocess
import tarfile

import pytest

from tests.fakes.tars import (archive, directory, file, gnu_long, hard_link, header, padded, pax,
                              symlink)
from udocker.errors import CorruptData, UdockerError, UnsafeLayer
from udocker.host import tarfields
from udocker.host.tar import DIRECTORY, FILE, HARD_LINK, SYMLINK, Reader


def length(data):
    """What pytest is to call a parameter of bytes."""
    return str(len(data)) if isinstance(data, bytes) else None


def chunked(data, size):
    return [data[at:at + size] for at in range(0, len(data), size)]


def read(data, size=1 << 20, **options):
    """Return [(member, content)] of the archive ``data``, that comes in chunks of ``size``."""
    reader = Reader(chunked(data, size), **options)
    found = []
    for member in reader:
        if member.sparse is None:
            content = b"".join(bytes(piece) for piece in reader.content())
        else:
            content = bytearray(member.size)
            for offset, piece in reader.sparse_content(member):
                content[offset:offset + len(piece)] = piece
        found.append((member, bytes(content)))
    return found


def one(*parts):
    (member, content), = read(archive(*parts))
    return member, content


def test_plain_members():
    data = archive(file("a", b"content", mode=0o640, mtime=5), directory("d/"), symlink("l", "a b"),
                   hard_link("h", "a", size=500), file("e"))
    found = read(data)
    assert [(m.name, m.kind, m.target, content) for m, content in found] == [
        (b"a", FILE, b"", b"content"), (b"d/", DIRECTORY, b"", b""), (b"l", SYMLINK, b"a b", b""),
        (b"h", HARD_LINK, b"a", b""), (b"e", FILE, b"", b"")]
    member = found[0][0]
    assert (member.mode, member.mtime, member.size, member.offset) == (0o640, 5 * 10 ** 9, 7, 0)


@pytest.mark.parametrize("size", [1, 7, 511, 512, 513, 1000, 1537, 100000])
def test_chunks_of_any_size_give_the_same(size):
    data = archive(file("a", b"x" * 1000), pax({"path": "long/" * 100})
                   + file("b", b"y" * 512), gnu_long("z" * 150)
                   + file("c", b"z"), directory("d"))
    assert read(data, size) == read(data)


def test_content_that_nobody_reads_is_passed_over():
    data = archive(file("a", b"x" * 5000), file("b", b"y"), file("c", b"z" * 513))
    assert [m.name for m in Reader(chunked(data, 700))] == [b"a", b"b", b"c"]


def test_names_as_every_format_has_them():
    assert one(file("x" * 100))[0].name == b"x" * 100
    assert one(file("end", prefix="a/b"))[0].name == b"a/b/end"
    assert one(file("end", prefix="atime", magic=b"ustar  \0"))[0].name == b"end"
    assert one(file("end", prefix="junk", magic=b"\0" * 8))[0].name == b"end"
    assert one(gnu_long("n" * 200), gnu_long("t" * 150, b"K"), symlink("x", "y"))[0][0:1] == (b"n" * 200,)
    assert one(gnu_long("n" * 200), gnu_long("t" * 150, b"K"), symlink("x", "y"))[0].target == b"t" * 150
    member, _ = one(pax({"path": b"\xff\n", "linkpath": "t" * 300}) + symlink("x", "y"))
    assert (member.name, member.target) == (b"\xff\n", b"t" * 300)
    assert one(gnu_long("gnu") + pax({"path": "pax"}) + file("x"))[0].name == b"pax"
    assert one(pax({"path": "pax"}) + gnu_long("gnu") + file("x"))[0].name == b"pax"


def test_v7_has_files_of_type_zero_and_directories_by_their_slash():
    assert one(header("f", b"\0", size=1, magic=b"") + padded(b"x"))[1] == b"x"
    assert one(header("d/", b"\0", magic=b""))[0].kind == DIRECTORY
    assert one(header("c", b"7", size=1) + padded(b"x"))[1] == b"x"


def test_a_volume_label_is_passed_over():
    assert one(header("label", b"V"), file("a"))[0].name == b"a"


@pytest.mark.parametrize("field, value", [
    (b"0000000017\0\0", 15), (b"         17 ", 15), (b"17\0garbage\0\0", 15), (b"\0" * 12, 0),
    (b"000000000017", 15), (b"\x80" + b"\0" * 10 + b"\x0f", 15)])
def test_numbers_as_various_programs_write_them(field, value):
    member, content = one(header("a", size=field) + padded(b"x" * value))
    assert len(content) == member.size == value


def test_numbers_too_large_for_octal_digits():
    assert tarfields.number(b"\x80\x01" + bytes(10), 0) == 1 << 80
    assert tarfields.number(b"\xff" * 11 + b"\xfd", 0) == -3


def test_old_checksums_of_signed_bytes_are_fine():
    block = bytearray(header(b"\xff\xfe", checksum=0))
    total = sum(byte - 256 if byte > 127 else byte for byte in block[:148] + b" " * 8 + block[156:])
    block[148:156] = b"%06o\0 " % total
    assert one(bytes(block))[0].name == b"\xff\xfe"


def test_pax_sizes_times_and_attributes():
    member, content = one(pax({"size": "3", "mtime": "7.25", "uid": "99999999999",
                               "SCHILY.xattr.user.x": b"\0=\n", "comment": "c"})
                          + header("a", size=0) + padded(b"xyz"))
    assert content == b"xyz" and member.mtime == 7250000000 and member.xattrs == 1


def test_global_pax_headers_hold_for_all_that_follow():
    found = read(archive(pax({"mtime": "9"}, b"g"), file("a"), pax({"mtime": "10"}) + file("b"),
                         file("c"), pax({"mtime": ""}, b"g"), file("d", mtime=1)))
    assert [member.mtime // 10 ** 9 for member, _ in found] == [9, 10, 9, 1]


REAL = b"A" * 700 + bytes(1300) + b"B" * 100 + bytes(900)
REGIONS = [(0, 700), (2000, 100), (3000, 0)]
STORED = b"A" * 700 + b"B" * 100


def old_gnu(regions, real, stored, in_blocks=0):
    rows = [b"%011o\0%011o\0" % region for region in regions]
    first, rest = rows[:4 - 4 * bool(in_blocks)], rows[4 - 4 * bool(in_blocks):]
    tail = bytes(386 - 265) + b"".join(first).ljust(96, b"\0") + (
        b"\x01" if rest else b"\0") + b"%011o\0" % real
    blocks = b""
    while rest:
        now, rest = rest[:21], rest[21:]
        blocks += b"".join(now).ljust(504, b"\0") + (b"\x01" if rest else b"\0") + bytes(7)
    return header("s", b"S", size=len(stored), magic=b"ustar  \0", tail=tail) + blocks + padded(stored)


def sparse_forms():
    line = ",".join("%d,%d" % region for region in REGIONS)
    flat = [("GNU.sparse.size", "3000"), ("GNU.sparse.numblocks", "3")] + [
        (key, str(value)) for offset, length in REGIONS
        for key, value in (("GNU.sparse.offset", offset), ("GNU.sparse.numbytes", length))]
    table = padded(("3\n" + "".join("%d\n%d\n" % region for region in REGIONS)).encode())
    return {
        "old GNU": old_gnu(REGIONS, 3000, STORED),
        "old GNU, continued": old_gnu(REGIONS, 3000, STORED, in_blocks=1),
        "pax 0.0": pax(flat) + file("s", STORED),
        "pax 0.1": pax({"GNU.sparse.map": line, "GNU.sparse.size": "3000",
                        "GNU.sparse.name": "s"}) + file("GNUSparseFile.0/s", STORED),
        "pax 1.0": pax({"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": "s",
                        "GNU.sparse.realsize": "3000"}) + file("GNUSparseFile.0/s", table + STORED),
    }


@pytest.mark.parametrize("form", sorted(sparse_forms()))
@pytest.mark.parametrize("size", [100, 1 << 20])
def test_sparse_files(form, size):
    found = read(archive(sparse_forms()[form], file("next", b"n")), size)
    assert [(m.name, content) for m, content in found] == [(b"s", REAL), (b"next", b"n")]
    assert [m.name for m in Reader([archive(sparse_forms()[form], file("next"))])] == [b"s", b"next"]


@pytest.mark.parametrize("form", ["gnu", "posix --sparse-version=0.0", "posix --sparse-version=0.1",
                                  "posix --sparse-version=1.0"])
def test_sparse_files_of_gnu_tar(form, tmp_path):
    with open(str(tmp_path / "s"), "wb") as opened:
        for number in range(60):
            opened.seek(number * 40960)
            opened.write(b"%d" % number * 2000)
        opened.truncate(3000000)
    (tmp_path / "next").write_bytes(b"n")
    said = subprocess.check_output(["tar", "-S", "-c", "-C", str(tmp_path)]
                                   + ("--format=" + form).split() + ["s", "next"])
    assert len(said) < 2000000
    (sparse, content), (_, after) = read(said)
    assert sparse.sparse and content == (tmp_path / "s").read_bytes() and after == b"n"


@pytest.mark.parametrize("regions, real, stored", [
    ([(0, 10), (5, 10)], 100, 20), ([(90, 20)], 100, 20), ([(0, 10)], 100, 20),
    ([(50, 10), (0, 10)], 100, 20), ([(1 << 33, 10)], 100, 10), ([], 100, 20)])
def test_sparse_maps_that_lie_are_damaged(regions, real, stored):
    with pytest.raises(CorruptData):
        read(archive(old_gnu(regions, real, b"x" * stored)))


@pytest.mark.parametrize("records", [
    {"GNU.sparse.map": "0,3,5", "GNU.sparse.size": "3"}, {"GNU.sparse.map": "0,x", "GNU.sparse.size": "3"},
    {"GNU.sparse.map": "0,3"}, {"GNU.sparse.map": "0,-3", "GNU.sparse.size": "3"},
    {"GNU.sparse.major": "1", "GNU.sparse.realsize": "3"}])
def test_sparse_maps_of_pax_that_lie_are_damaged(records):
    with pytest.raises(CorruptData):
        read(archive(pax(records) + file("s", b"xyz")))


@pytest.mark.slow
def test_sparse_maps_have_a_limit():
    many = pax({"GNU.sparse.map": ",".join(["0,0"] * 100002), "GNU.sparse.size": "0"}) + file("s")
    for data in (many, old_gnu([(0, 0)] * 100002, 0, b"")):
        with pytest.raises(UnsafeLayer):
            read(archive(data))


def truncations():
    data = archive(pax({"path": "x" * 200}) + file("a", b"x" * 1000), file("b"))[:-1024]
    return [at for at in range(1, len(data), 100) if at % 512] + [512, 1024, 1536 + 512]


@pytest.mark.parametrize("at", truncations())
def test_an_archive_that_ends_early_is_damaged(at):
    data = archive(pax({"path": "x" * 200}) + file("a", b"x" * 1000), file("b"))
    with pytest.raises(CorruptData) as caught:
        read(data[:at], 300)
    assert "byte" in str(caught.value)


def test_an_archive_may_end_without_its_blocks_of_zeros():
    assert len(read(file("a") + file("b", b"x"))) == 2
    assert len(read(file("a") + bytes(512))) == 1
    assert read(bytes(1024)) == read(b"") == []


@pytest.mark.parametrize("data", [
    b"x" * 512, bytes(100) + b"x" * 412, file("a", checksum=1), b"\x1f\x8b" * 256,
    header("a", size=b"99999999999\0"), header("a", size=b"xyz"), header("a", size=b"-0000000001\0"),
    header("a", size=b"\xff" * 12), header("a", mode=b"rwx"), header("a", mtime=b"now"),
    pax({"size": "-1"}) + file("a"), pax({"size": "9" * 30}) + file("a"),
    pax({"mtime": "now"}) + file("a"), pax({"path": b"a\0b"}) + file("a"),
    pax({"linkpath": b"a\0b"}) + symlink("a", "b"),     header("x", b"x", size=5) + padded(b"junk\n") + file("a"),
    header("x", b"x", size=6) + padded(b"99 a=b") + file("a"),
    header("x", b"x", size=6) + padded(b"6 a=b ") + file("a"),
    header("x", b"x", size=5) + padded(b"5 ab\n") + file("a"),
    header("x", b"x", size=4) + padded(b"4 =\n") + file("a"),
    header("x", b"x", size=3) + padded(b"-1 ") + file("a"),
    header("x", b"x", size=3) + padded(b"0 =") + file("a"),
], ids=length)
def test_garbage_is_damaged(data):
    with pytest.raises(CorruptData):
        read(archive(data, file("after")))


@pytest.mark.parametrize("data", [pax({"a": "b"}), gnu_long("a"), gnu_long("a", b"K")], ids=length)
def test_an_extension_of_nothing_is_damaged(data):
    with pytest.raises(CorruptData):
        read(archive(file("before"), data))


@pytest.mark.parametrize("data", [
    pax({"path": "a/" * 2049}) + file("x"), pax({"path": "x" * 256}) + file("x"), gnu_long("x" * 5000)
    + file("x"), gnu_long("a/" + "x" * 256) + file("x"), gnu_long("x" * 5000, b"K") + symlink("x", "y"),
    header("x", b"x", size=2 << 20) + bytes(2 << 20), header("x", b"L", size=2 << 20) + bytes(2 << 20),
    header("x", b"x", size=1 << 60)], ids=length)
def test_names_and_headers_have_limits(data):
    with pytest.raises(UnsafeLayer):
        read(archive(data))
    assert one(pax({"path": "d/" * 1920 + "x" * 255}) + file("x"))[0].name.endswith(b"/" + b"x" * 255)


def test_members_have_a_limit():
    data = archive(*[file("f%d" % n) for n in range(11)])
    with pytest.raises(UnsafeLayer):
        read(data, max_members=10)
    assert len(read(data, max_members=11)) == 11


def test_it_reads_what_tarfile_writes():
    chance = random.Random(3)
    for form in (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        out, wanted = io.BytesIO(), []
        with tarfile.open(fileobj=out, mode="w", format=form) as archived:
            for number in range(60):
                info = tarfile.TarInfo("d%s/%s%d" % ("x" * chance.randint(0, 60), u"\u00e9" if
                                       form != tarfile.USTAR_FORMAT else "e", number))
                content = bytes(bytearray(chance.getrandbits(8) for _ in range(chance.randint(0, 2000))))
                info.size, info.mode, info.mtime = len(content), chance.getrandbits(9), number * 10 ** 7
                archived.addfile(info, io.BytesIO(content))
                wanted.append((info.name.encode("utf-8"), info.mode, info.mtime * 10 ** 9, content))
        found = read(out.getvalue(), 4000)
        assert [(m.name, m.mode, m.mtime, content) for m, content in found] == wanted


def test_any_bytes_give_members_or_an_error_of_ours():
    chance = random.Random(4)
    whole = archive(*list(sparse_forms().values()) + [gnu_long("n" * 200), file("a", b"x" * 600),
                                                      pax({"path": "p"}) + directory("d")])
    for turn in range(3000):
        data = bytearray(whole)
        for _ in range(chance.randint(1, 6)):
            at = chance.randrange(len(data))
            data[at] = chance.choice((0, 48, 49, 55, 0x80, 0xff, chance.randrange(256)))
            if turn % 2:  # with a right checksum the damage gets further
                block = at // 512 * 512
                data[block + 148:block + 156] = b" " * 8
                data[block + 148:block + 156] = b"%06o\0 " % sum(data[block:block + 512])
        try:
            reader = Reader(chunked(bytes(data[:chance.randint(512, len(data) * 2)]), 1000))
            for member in reader:
                pieces = reader.content() if member.sparse is None else reader.sparse_content(member)
                for piece in pieces:
                    assert len(piece)
        except UdockerError:
            pass
