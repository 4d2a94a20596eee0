"""The fields of tar headers: numbers, checksums, pax records."""

from udocker.errors import CorruptData

#: What utimensat(2) surely takes, in nanoseconds; times beyond are as good as these.
EARLIEST, LATEST = -(1 << 31) * 1000000000, (1 << 33) * 1000000000


def number(field, offset):
    """Return the int in a numeric field: octal digits, or GNU's base-256 for what needs more.

    offset (int): where the header is, for CorruptData.
    """
    try:
        return int(field.rstrip(b"\0 ") or b"0", 8)
    except ValueError:
        pass
    if field[0] in (0x80, 0xff):  # a byte that marks base-256 and has the sign, two's complement
        return int.from_bytes(field[1:], "big", signed=field[0] == 0xff)
    try:
        return int(field.partition(b"\0")[0].strip() or b"0", 8)
    except ValueError:
        raise CorruptData("damaged number in the tar header at byte %d" % offset)


def is_checksum(block, checksum):
    """Tell whether ``checksum`` is that of ``block``, as unsigned or (old tars) signed bytes."""
    try:
        stated = number(checksum, 0)
    except CorruptData:
        return False
    blank = block[:148] + b" " * 8 + block[156:]
    return stated in (sum(blank), sum(byte - 256 if byte > 127 else byte for byte in blank))


def pax_records(data, offset):
    """Return the dict (str: bytes) of the records in the pax header ``data``.

    The parts of a sparse map of version 0.0 come as one, in the way of 0.1.
    """
    records, numbers, at = {}, [], 0
    while at < len(data):
        space = data.find(b" ", at, at + 9)
        try:
            end = at + int(data[at:space])
        except ValueError:
            end = 0
        key, equals, value = data[space + 1:end - 1].partition(b"=")
        if not at < space < end <= len(data) or data[end - 1] != 0x0a or not equals or not key:
            raise CorruptData("damaged pax header at byte %d" % offset)
        key = key.decode("utf-8", "replace")
        if key in ("GNU.sparse.offset", "GNU.sparse.numbytes"):
            numbers.append(value)
        else:
            records[key] = value
        at = end
    if numbers:
        records["GNU.sparse.map"] = b",".join(numbers)
    return records


def pax_number(value, offset):
    """Return the int that the decimal ``value`` (bytes) of a pax record spells."""
    if value.isdigit() and len(value) < 20:
        return int(value)
    raise CorruptData("damaged number in the pax header at byte %d" % offset)


def pax_time(value, offset):
    """Return the nanoseconds (int) in ``value`` (bytes): decimal seconds with any fraction."""
    seconds, _, fraction = value.partition(b".")
    negative = seconds.startswith(b"-")
    try:
        whole = abs(int(seconds or b"0")) * 1000000000 + int((fraction + b"0" * 9)[:9])
    except ValueError:
        raise CorruptData("damaged time in the pax header at byte %d" % offset)
    return -whole if negative else whole


def settable_time(mtime):
    """Return ``mtime`` (int, nanoseconds) as near as a file can have it."""
    return min(max(mtime, EARLIEST), LATEST)
