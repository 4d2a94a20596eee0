"""Labels that a container was given (``--label``), beside those of its image."""

import os

from udocker.errors import CorruptData, InvalidValue
from udocker.host import files
from udocker.model.jsontext import dumps, loads
from udocker.model.reference import quoted

#: Bytes of the file with them, and of a --label-file.
MAX_LABELS = 1024 * 1024


def own_labels(container):
    """Return the labels (dict of str) that were given to ``container``; CorruptData."""
    try:
        with open(_path(container), "rb") as file:
            raw = file.read(MAX_LABELS)
    except OSError:
        return {}
    try:
        labels = loads(raw)
    except ValueError:
        labels = None
    if not isinstance(labels, dict) or not all(isinstance(text, str) for text in labels.values()):
        raise CorruptData("the labels of container %s are damaged" % container.id,
                          "remove %s" % quoted(_path(container)))
    return labels


def add_labels(container, labels):
    """Give ``labels`` (dict of str) to ``container``, in place of those with the same keys."""
    if labels:
        labels = dict(own_labels(container), **labels)
        files.write_atomic(_path(container), dumps(labels).encode("ascii"))


def parse_labels(texts, paths):
    """Return the labels (dict) in ``texts`` (KEY or KEY=VALUE), and before them those in the files
    ``paths``, a label a line; InvalidValue."""
    labels = {}
    for path in paths:
        try:
            with open(path, encoding="utf-8") as file:
                lines = file.read(MAX_LABELS).splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise InvalidValue("cannot read --label-file %s: %s"
                               % (quoted(path), getattr(error, "strerror", None) or "not UTF-8"))
        lines = [line.strip() for line in lines]
        labels.update(_label(line) for line in lines if line and not line.startswith("#"))
    labels.update(_label(text) for text in texts)
    return labels


def _label(text):
    key, _, value = text.partition("=")
    if not key or " " in key:
        raise InvalidValue("invalid label %s" % quoted(text), "write it as KEY=VALUE")
    return key, value


def _path(container):
    return os.path.join(container.path, "labels")
