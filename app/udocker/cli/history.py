"""What ``udocker history`` prints."""

import calendar
import time

from udocker.model.reference import printable

#: Seconds of the units in which docker tells how long ago something was, largest first.
_UNITS = (("years", 31536000), ("months", 2592000), ("weeks", 604800), ("days", 86400),
          ("hours", 3600), ("minutes", 60), ("seconds", 1))


def lines(image, is_whole, ids_only, now=None):
    """Return the lines (list of str) about ``image`` (StoredImage), the last step first.

    is_whole (bool): cut nothing; ids_only (bool). Sizes are those of the layers as they are stored.
    """
    steps = _steps(image)
    identity = "<missing>"
    if not image.is_version_1:
        digest = image.manifest().config.digest
        identity = str(digest) if is_whole else digest.short
    rows = [[identity if position == 0 else "<missing>", ago(created, now),
             created_by if is_whole else _cut(created_by, 45), human_size(size), comment]
            for position, (created, created_by, size, comment) in enumerate(steps)]
    if ids_only:
        return [row[0] for row in rows]
    rows.insert(0, ["IMAGE", "CREATED", "CREATED BY", "SIZE", "COMMENT"])
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    return ["   ".join([text.ljust(width) for text, width in zip(row, widths)]
                       + [row[4]]).rstrip() for row in rows]


def _steps(image):
    """Return [(created, created by, size in bytes, comment)], the last step first."""
    config = image.config()
    sizes = _sizes(image)
    history = config.raw.get("history")
    steps = [step for step in history if isinstance(step, dict)] if isinstance(history, list) else []
    filled = [step for step in steps if step.get("empty_layer") is not True]
    if len(filled) != len(sizes):  # it says nothing, or what cannot be
        steps = filled = [{"created": config.raw.get("created")} for _ in sizes]
    found, sizes = [], iter(sizes)
    for step in steps:
        size = 0 if step.get("empty_layer") is True else next(sizes)
        found.append((_text(step.get("created")), _text(step.get("created_by")), size,
                      _text(step.get("comment"))))
    return found[::-1]


def _sizes(image):
    if not image.is_version_1:
        return [layer.size for layer in image.manifest().layers]
    import os
    return [os.path.getsize(layer.path) for layer in image.layers()]


def _text(value):
    return printable(" ".join(value.split())) if isinstance(value, str) else ""


def _cut(text, width):
    return text if len(text) <= width else text[:width - 1] + "\u2026"


def ago(created, now=None):
    """Return how long ago ``created`` (str, RFC 3339) was, as docker says it."""
    try:
        then = calendar.timegm(time.strptime(created[:19], "%Y-%m-%dT%H:%M:%S"))
    except ValueError:
        return "N/A"
    return duration((time.time() if now is None else now) - then) + " ago"


def duration(seconds):
    """Return how docker says ``seconds`` (float) to people, for example ``3 hours`` (str)."""
    passed = max(0, int(seconds))
    for name, length in _UNITS:
        if passed >= 2 * length:
            return "%d %s" % (passed // length, name)
    return "1 second" if passed else "Less than a second"


def human_size(size):
    """Return ``size`` (int, bytes) in docker's way: powers of 1000, three digits."""
    number, unit = float(size), "B"
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if number < 1000 or unit == "TB":
            break
        number /= 1000
    return "%.3g%s" % (number, unit)
