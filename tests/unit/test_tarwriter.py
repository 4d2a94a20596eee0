import io
import tarfile

import pytest

from udocker.host.tar import DIRECTORY, FIFO, FILE, HARD_LINK, SYMLINK, Reader
from udocker.host.tarwriter import Writer


def written(*members):
    """The archive (bytes) of ``members``: (name, kind, content, options)."""
    out = io.BytesIO()
    writer = Writer(out)
    for name, kind, content, options in members:
        writer.add(name, kind, size=options.pop("size", len(content)), **options)
        writer.write(content)
        writer.pad()
    writer.close()
    return out.getvalue()


NAMES = [b"a", b"a" * 100, b"a" * 101, b"d/" * 60 + b"x", b"\xff\xfe\n\t \\", b"x" * 255,
         b"/".join([b"y" * 250] * 10), "\u00e9\u4e2d".encode("utf-8")]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_of_any_bytes_is_read_again_by_us_and_by_python(name):
    data = written((name, FILE, b"content", {}), (b"link", SYMLINK, b"", {"target": name}),
                   (b"hard", HARD_LINK, b"", {"target": name}))
    members = list(Reader([data]))
    assert [member.name for member in members] == [name, b"link", b"hard"]
    assert [member.target for member in members] == [b"", name, name]
    with tarfile.open(fileobj=io.BytesIO(data), encoding="utf-8", errors="surrogateescape") as archive:
        first, link, hard = archive.getmembers()
        assert first.name.encode("utf-8", "surrogateescape") == name
        assert link.linkname == hard.linkname == first.name
        assert archive.extractfile(first).read() == b"content"


@pytest.mark.parametrize("mtime", [0, 1, 1600000000, 8 ** 11, 1 << 40, -1, -(1 << 33)])
def test_times_of_all_centuries(mtime):
    data = written((b"a", FILE, b"", {"mtime": mtime}))
    assert next(iter(Reader([data]))).mtime == mtime * 1000000000
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        assert archive.getmember("a").mtime == mtime


def test_kinds_modes_and_owners():
    data = written((b"d", DIRECTORY, b"", {"mode": 0o1777}), (b"p", FIFO, b"", {"mode": 0o600}),
                   (b"s", FILE, b"x", {"mode": 0o4755}))
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        found = {member.name: member for member in archive}
    assert found["d"].isdir() and found["p"].isfifo() and found["s"].isreg()
    assert [found[name].mode for name in "dps"] == [0o1777, 0o600, 0o4755]
    assert all((member.uid, member.gid, member.uname) == (0, 0, "") for member in found.values())
    assert len(data) % 10240 == 0 and data.endswith(bytes(1024))


@pytest.mark.parametrize("count", [0, 1, 3, 4, 5, 24, 25, 26, 100])
def test_sparse_files_of_few_and_many_regions(count):
    regions = [(8192 * number, 512) for number in range(count)]
    size = 8192 * count + 4096
    data = written((b"sparse", FILE, b"x" * 512 * count, {"regions": regions, "size": size}),
                   (b"next", FILE, b"y", {}))
    reader = Reader([data])
    members = iter(reader)
    member = next(members)
    assert member.size == size and [item for item in member.sparse if item[1]] == regions
    assert b"".join(bytes(piece) for _, piece in reader.sparse_content(member)) == b"x" * 512 * count
    assert next(members).name == b"next"
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        content = archive.extractfile("sparse").read()
    assert len(content) == size and content.count(b"x") == 512 * count


def test_a_file_larger_than_octal_digits_can_tell():
    out = io.BytesIO()
    Writer(out).add(b"large", FILE, size=1 << 34)
    with tarfile.open(fileobj=io.BytesIO(out.getvalue() + bytes(1024))) as archive:
        member = archive.next()
    assert member.size == 1 << 34
