"""Reading JSON without importing ``json``.

``import json`` pulls in ``re`` and ``enum`` and costs as much as starting Python itself, on the
path of every ``udocker run``. CPython's scanner is a C function that needs neither, so it is
called directly. Whatever it does not take, for whichever reason (text that is no JSON, another
implementation of Python, a changed interface), goes to the library, which has the last word.
"""

_WHITESPACE = " \t\n\r"  # RFC 8259, section 2


def loads(data):
    """Return what the JSON text ``data`` (bytes in UTF-8, or str) says; ValueError if it is none."""
    text = data.decode("utf-8") if isinstance(data, bytes) else data
    try:
        return _scan(text)
    except Exception:  # not only ValueError: the bare scanner reports some errors as SystemError
        return _loads_with_library(text)


class _Context(object):
    """What the C scanner asks its caller for: the attributes of json.JSONDecoder."""

    strict = True
    object_hook = None
    object_pairs_hook = None
    parse_float = float
    parse_int = int
    memo = {}

    @staticmethod
    def parse_constant(name):
        """NaN and Infinity are Python's own extension, not JSON."""
        raise ValueError("not JSON: %s" % name)


def _scan(text):
    from _json import make_scanner
    start = len(text) - len(text.lstrip(_WHITESPACE))
    value, end = make_scanner(_Context())(text, start)
    if text[end:].strip(_WHITESPACE):
        raise ValueError("not JSON: something follows the value")
    return value


def _loads_with_library(text):
    import json
    try:
        return json.loads(text, parse_constant=_Context.parse_constant)
    except RecursionError:
        raise ValueError("JSON nested too deeply")


def dumps(value):
    """Return ``value`` (dicts with str keys, lists, tuples, str, numbers, bool, None) as one line of
    JSON (str, ASCII only)."""
    try:
        from _json import encode_basestring_ascii, make_encoder
        encode = make_encoder(None, _refuse, encode_basestring_ascii, None, ":", ",", False, False,
                              False)
        return "".join(encode(value, 0))
    except Exception:  # as above: another Python, a changed interface, or nothing for JSON
        import json
        return json.dumps(value, separators=(",", ":"), allow_nan=False)


def _refuse(value):
    raise TypeError("not for JSON: %r" % (value,))
