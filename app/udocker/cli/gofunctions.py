"""What a template may call: Go's own functions, and those that docker adds for ``--format``.

docker's are in its reference, "Format command and log output".
"""

import json
import re
from collections.abc import Mapping

from udocker.model.reference import printable, quoted


class Bad(Exception):
    """A template that cannot be; the text says why. hint (str or None): what there is instead."""

    def __init__(self, message, hint=None):
        super(Bad, self).__init__(message)
        self.hint = hint


class Safe(str):
    """Text of the template itself, or made from escaped text: it is printed as it is."""

    __slots__ = ()


def known(value):
    """Return ``value``, found out if it is a function."""
    return value() if callable(value) else value


def json_text(value):
    """Return ``value`` as JSON on one line, in ASCII."""
    # DEL is the one character that a terminal acts on and JSON lets through
    return Safe(json.dumps(_plain(value), sort_keys=True, separators=(",", ":"))
                .replace("\x7f", "\\u007f"))


def shown(value):
    """Return ``value`` as Go prints it, with nothing a terminal would act on."""
    value = known(value)
    if isinstance(value, Safe):
        return value
    if isinstance(value, str):
        return Safe(printable(value))
    if value is None:
        return Safe("<no value>")
    if isinstance(value, bool):
        return Safe("true" if value else "false")
    if isinstance(value, Mapping):
        return Safe("map[%s]" % " ".join("%s:%s" % (shown(key), shown(value[key]))
                                         for key in sorted(value)))
    if isinstance(value, (list, tuple)):
        return Safe("[%s]" % " ".join(shown(each) for each in value))
    return Safe("%g" % value if isinstance(value, float) else value)


def is_true(value):
    """Whether Go's ``if`` takes ``value`` for true: it is not false, 0, nil or empty."""
    return bool(value)


def _plain(value):
    value = known(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    return value


def _same(text, like):
    """``text`` (str), safe if the text ``like`` that it was made from is."""
    return Safe(text) if isinstance(like, Safe) else text


def _text(value, name):
    if not isinstance(value, str):
        raise Bad("%s wants a text, not %s" % (name, quoted(shown(value))))
    return value


def _number(value, name):
    if isinstance(value, bool) or not isinstance(value, int):
        raise Bad("%s wants a number, not %s" % (name, quoted(shown(value))))
    return value


def _join(values, separator):
    if isinstance(values, str):
        return values
    if not isinstance(values, (list, tuple)):
        raise Bad("join wants a list, not %s" % quoted(shown(values)))
    return Safe(shown(separator).join(shown(each) for each in values))


def _index(value, *keys):
    for key in keys:
        if isinstance(value, Mapping):
            value = known(value.get(key, ""))  # Go: the zero value of what the mapping holds
        elif isinstance(value, (list, tuple, str)):
            if not -1 < _number(key, "index") < len(value):
                raise Bad("index %d: there are %d" % (key, len(value)))
            value = value[key]
        elif value is None:
            return None
        else:
            raise Bad("index wants a list or a mapping, not %s" % quoted(shown(value)))
    return value


def _slice(value, *ends):
    if not isinstance(value, (list, tuple, str)):
        raise Bad("slice wants a list or a text, not %s" % quoted(shown(value)))
    ends = [_number(end, "slice") for end in ends] or [0]
    last = ends[1] if len(ends) > 1 else len(value)
    if not 0 <= ends[0] <= last <= len(value):
        raise Bad("slice: there are %d" % len(value))
    part = value[ends[0]:last]
    return _same(part, value) if isinstance(value, str) else part


def _len(value):
    if not isinstance(value, (list, tuple, str, Mapping)):
        raise Bad("len wants a list, a mapping or a text, not %s" % quoted(shown(value)))
    return len(value.encode("utf-8", "surrogateescape")) if isinstance(value, str) else len(value)


def _compare(name, test):
    def function(first, second):
        is_number = [isinstance(value, (int, float)) for value in (first, second)]
        if is_number[0] != is_number[1] or not is_number[0] and not (
                isinstance(first, str) and isinstance(second, str)):
            raise Bad("%s cannot compare %s with %s" % (name, quoted(shown(first)),
                                                       quoted(shown(second))))
        return test(first, second)
    return function


def _print(*values):
    # Go: a blank between two of which neither is a text
    text, before = "", ""
    for value in values:
        is_text = isinstance(value, str)
        text += (" " if before == "other" and not is_text else "") + shown(value)
        before = "text" if is_text else "other"
    return Safe(text)


def _println(*values):
    return Safe(" ".join(shown(value) for value in values) + "\n")


def _printf(form, *values):
    left = list(values)

    def verb(match):
        if match.group(2) == "%":
            return "%"
        if not left:
            raise Bad("printf: a value is missing for %s" % quoted(match.group()))
        value, kind = left.pop(0), match.group(2)
        if kind in "dxXo":
            return ("%" + match.group(1) + kind) % _number(value, "printf")
        if kind == "f":
            if not isinstance(value, float):
                value = _number(value, "printf")
            return ("%" + match.group(1) + kind) % value
        if kind == "q":
            value = json_text(value)
        return ("%" + match.group(1) + "s") % shown(value)

    text = re.sub(r"%([-+ 0]*\d*(?:\.\d+)?)([sdvqxXoft%])", verb, _text(form, "printf"))
    if left:
        raise Bad("printf has %d values too many" % len(left))
    return Safe(text)


def _pad(text, before, after):
    text = _text(text, "pad")
    return _same(" " * _number(before, "pad") + text + " " * _number(after, "pad"), text) \
        if text else text


def _case(name):
    def function(text):
        return _same(getattr(_text(text, name), name)(), text)
    return function


def _split(text, separator):
    text = _text(text, "split")
    return [_same(part, text) for part in (text.split(separator) if separator else list(text))]


def _truncate(text, length):
    return _same(_text(text, "truncate")[:_number(length, "truncate")], text)


#: name -> (function, fewest and most arguments).
FUNCTIONS = {
    "and": (None, 1, None), "or": (None, 1, None), "not": (lambda value: not is_true(value), 1, 1),
    "eq": (lambda first, *others: first in others, 2, None),
    "ne": (lambda first, second: first != second, 2, 2),
    "lt": (_compare("lt", lambda a, b: a < b), 2, 2), "le": (_compare("le", lambda a, b: a <= b), 2, 2),
    "gt": (_compare("gt", lambda a, b: a > b), 2, 2), "ge": (_compare("ge", lambda a, b: a >= b), 2, 2),
    "index": (_index, 1, None), "slice": (_slice, 1, 3), "len": (_len, 1, 1),
    "print": (_print, 0, None), "println": (_println, 0, None), "printf": (_printf, 1, None),
    "json": (json_text, 1, 1), "join": (_join, 2, 2), "split": (_split, 2, 2),
    "lower": (_case("lower"), 1, 1), "upper": (_case("upper"), 1, 1), "title": (_case("title"), 1, 1),
    "pad": (_pad, 3, 3), "truncate": (_truncate, 2, 2),
}
