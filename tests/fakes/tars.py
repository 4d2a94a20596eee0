"""Make tar archives header by header, hostile ones too.

    archive(directory("a"), file("a/x", b"content"), symlink("a/l", "../x"), whiteout("a/.wh.y"))

Everything takes names as str or bytes; nothing is checked.
"""

import gzip
import io

MTIME = 1600000000


def raw(name):
    return name if isinstance(name, bytes) else name.encode("utf-8", "surrogateescape")


def octal(value, length):
    if isinstance(value, bytes):
        return value.ljust(length, b"\0")[:length]
    text = b"%0*o" % (length - 1, value)
    return text + b"\0" if len(text) == length - 1 else b"\x80" + value.to_bytes(length - 1, "big")


def header(name, kind=b"0", size=0, mode=0o644, mtime=MTIME, target=b"", magic=b"ustar\x0000",
           prefix=b"", uid=1000, gid=1000, checksum=None, tail=None):
    """Return the 512 bytes of a header; ``tail`` (bytes) replaces all after the magic."""
    start = (raw(name).ljust(100, b"\0")[:100] + octal(mode, 8) + octal(uid, 8) + octal(gid, 8)
             + octal(size, 12) + octal(mtime, 12))
    end = kind + raw(target).ljust(100, b"\0")[:100] + magic.ljust(8, b"\0")
    if tail is None:
        tail = b"\0" * 80 + raw(prefix).ljust(155, b"\0")
    end += tail.ljust(512 - 8 - len(start) - len(end), b"\0")
    total = sum(start) + 8 * 32 + sum(end) if checksum is None else checksum
    return start + b"%06o\0 " % total + end


def padded(data):
    return data + b"\0" * (-len(data) % 512)


def file(name, data=b"", **fields):
    fields.setdefault("size", len(data))
    return header(name, b"0", **fields) + padded(data)


def directory(name, **fields):
    fields.setdefault("mode", 0o755)
    return header(name, b"5", **fields)


def symlink(name, target, **fields):
    return header(name, b"2", target=target, **fields)


def hard_link(name, target, **fields):
    return header(name, b"1", target=target, **fields)


def fifo(name, **fields):
    return header(name, b"6", **fields)


def device(name, kind=b"3", major=0, minor=0, **fields):
    return header(name, kind, tail=b"\0" * 64 + octal(major, 8) + octal(minor, 8), **fields)


def whiteout(name):
    return file(name, mode=0)


def pax(records, kind=b"x"):
    """Return a pax header of ``records`` (dict, or list of pairs where a key comes twice)."""
    lines = []
    for key, value in records.items() if isinstance(records, dict) else records:
        line = b" " + raw(key) + b"=" + raw(value) + b"\n"
        length = len(line)
        while len(b"%d" % length) + len(line) != length:
            length = len(b"%d" % length) + len(line)
        lines.append(b"%d" % length + line)
    data = b"".join(lines)
    return header("PaxHeaders/x", kind, size=len(data)) + padded(data)


def gnu_long(name, kind=b"L"):
    data = raw(name) + b"\0"
    return header("././@LongLink", kind, size=len(data), magic=b"ustar  \0") + padded(data)


def archive(*parts):
    """Return the archive (bytes) of ``parts``, with the two blocks of zeros at the end."""
    return b"".join(parts) + b"\0" * 1024


def zipped(data, level=6):
    return gzip.compress(data, level)


def stream(data):
    return io.BytesIO(data)
