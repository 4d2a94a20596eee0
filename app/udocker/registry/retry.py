"""When to ask again, and how long to wait before it: values, and one pure function."""

from collections import namedtuple

#: Seconds to wait for a connection, and for the next bytes on one (1.3.x: ctimeout 6, timeout 12;
#: registries that make a layer ready only when it is asked for need longer than 12).
CONNECT_TIMEOUT = 6
READ_TIMEOUT = 30

#: Answers after which the same request may succeed: too many requests, and a server or a proxy
#: that has a bad moment (RFC 9110, sections 15.6; RFC 6585, section 4).
TRANSIENT_STATUSES = frozenset([429, 500, 502, 503, 504])

Timeouts = namedtuple("Timeouts", "connect read")
Timeouts.__new__.__defaults__ = (CONNECT_TIMEOUT, READ_TIMEOUT)


class Retries(namedtuple("Retries", "attempts base_delay max_delay max_wait")):
    """How stubborn to be.

    attempts (int): how often a request is made in all, at least 1.
    base_delay (seconds): the wait before the second attempt; it doubles from there.
    max_delay (seconds): where doubling stops.
    max_wait (seconds): the longest ``Retry-After`` that is obeyed; one that is longer ends in an
    error that names it, because nobody wants to watch a program sleep for an hour.
    """

    __slots__ = ()

    def delay(self, attempt):
        """Return the seconds to wait after the failed ``attempt`` (from 1).

        A random part keeps the thousand nodes of a job, which all failed at once, from coming
        back at once.
        """
        import random
        longest = min(self.base_delay * 2 ** (attempt - 1), self.max_delay)
        return longest * random.uniform(0.5, 1.0)


Retries.__new__.__defaults__ = (4, 0.5, 8.0, 60)


def retry_after(value, now):
    """Return the seconds that a ``Retry-After`` header (str) asks for, None where it says nothing.

    It is a number or a date (RFC 9110, section 10.2.3); ``now`` is seconds since the epoch.
    """
    value = (value or "").strip()
    if value.isdecimal():
        return int(value[:9])  # past 30 years the digits stop to matter
    if not value:
        return None
    from email.utils import mktime_tz, parsedate_tz
    try:
        date = parsedate_tz(value)
        return max(0, int(mktime_tz(date) - now + 0.999)) if date else None
    except (ValueError, OverflowError, TypeError, IndexError):
        return None


def spell_seconds(seconds):
    """``seconds`` (int) as people say it: ``90 s``, ``2 h 5 min``."""
    if seconds < 120:
        return "%d s" % seconds
    minutes = (seconds + 59) // 60
    if minutes < 120:
        return "%d min" % minutes
    return "%d h %d min" % divmod(minutes, 60)
