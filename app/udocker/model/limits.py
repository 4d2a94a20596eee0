"""How much a run may have, as docker spells it: docker-run(1), --ulimit,
--shm-size and --cpuset-cpus."""

from collections import namedtuple

from udocker.errors import InvalidValue
from udocker.model.reference import quoted

#: Names of setrlimit(2).
NAMES = ("core", "cpu", "data", "fsize", "memlock", "msgqueue", "nice", "nofile", "nproc", "rss",
         "rtprio", "rttime", "sigpending", "stack")
UNLIMITED = -1
_UNITS = {"": 1, "b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
#: What the kernel's 64 bits hold with a sign.
_MOST = (1 << 63) - 1


class Limit(namedtuple("Limit", "name soft hard")):
    """A limit of setrlimit(2): name (str, one of NAMES), soft and hard (int, or UNLIMITED)."""

    __slots__ = ()

    @classmethod
    def parse(cls, text):
        """Return the Limit of ``NAME=SOFT[:HARD]``."""
        name, equals, values = text.partition("=")
        soft, colon, hard = values.partition(":")
        if not equals or name not in NAMES:
            raise InvalidValue("invalid ulimit %s" % quoted(text),
                               "write it as nofile=1024[:2048]; there are " + ", ".join(NAMES))
        limit = cls(name, _amount(soft, text), _amount(hard if colon else soft, text))
        if limit.hard != UNLIMITED and not 0 <= limit.soft <= limit.hard:
            raise InvalidValue("invalid ulimit %s: the soft limit is above the hard one" % quoted(text))
        return limit


def parse_size(text, what):
    """Return the bytes (int) of ``NUMBER[b|k|m|g|t]``; ``what`` (str) names it in errors."""
    number = text.lower()
    if number.endswith("b") and len(number) > 1 and number[-2] in "kmgt":
        number = number[:-1]
    unit = number[-1:] if number[-1:].isalpha() else ""
    number = number[:len(number) - len(unit)]
    whole, _, part = number.partition(".")
    if unit not in _UNITS or not _is_number(whole) or part and not _is_number(part):
        raise InvalidValue("invalid %s %s" % (what, quoted(text)), "write it as 64m or 2g")
    size = int(float(number) * _UNITS[unit])
    if not 0 < size <= _MOST:
        raise InvalidValue("invalid %s %s: out of range" % (what, quoted(text)))
    return size


def parse_cpus(text):
    """Return the processors (tuple of int) in ``0-2,4``, as cpuset(7) writes lists."""
    cpus = set()
    for part in text.split(","):
        first, dash, last = part.partition("-")
        last = last if dash else first
        if not (_is_number(first) and _is_number(last) and int(first) <= int(last) < 4096):
            raise InvalidValue("invalid --cpuset-cpus %s" % quoted(text),
                               "write it as 0-3 or 0,2")
        cpus.update(range(int(first), int(last) + 1))
    return tuple(sorted(cpus))


def _amount(text, whole):
    if text in ("-1", "unlimited"):
        return UNLIMITED
    if not _is_number(text) or int(text) > _MOST:
        raise InvalidValue("invalid ulimit %s: %s is no number" % (quoted(whole), quoted(text)))
    return int(text)


def _is_number(text):
    return 0 < len(text) < 20 and set(text) <= set("0123456789")
