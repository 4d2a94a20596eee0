"""What is mounted in a container beside volumes, as docker spells it: docker-run(1), --mount,
--tmpfs and --device."""

from collections import namedtuple

from udocker.errors import InvalidValue
from udocker.model.reference import quoted
from udocker.model.spec import NO_NAMED_VOLUMES, Bind, absolute

_HINT = "write it as type=bind,source=/host/path,target=/path[,readonly], or type=tmpfs,target=/path"
_TMPFS_HINT = "write it as /path[:size=64m,mode=1777]"
#: Keys of --mount, and those that mean the same.
_KEYS = {"type": "type", "source": "source", "src": "source", "target": "target", "dst": "target",
         "destination": "target", "readonly": "readonly", "ro": "readonly",
         "tmpfs-size": "size", "tmpfs-mode": "mode"}
#: Keys about propagation, caches and volumes, which are as harmless as the flags of --volume.
_HARMLESS = frozenset(["bind-propagation", "bind-nonrecursive", "bind-recursive", "consistency",
                       "volume-nocopy", "readonly-force-recursive"])
_TRUE, _FALSE = ("", "1", "t", "true"), ("0", "f", "false")
#: Options of mount(8) for a tmpfs that need no privilege; those with a value end in ``=``.
_TMPFS_OPTIONS = frozenset(["rw", "ro", "exec", "noexec", "suid", "nosuid", "dev", "nodev", "noatime",
                            "size=", "mode=", "uid=", "gid=", "nr_inodes="])


class Tmpfs(namedtuple("Tmpfs", "target options")):
    """An empty file system at ``target`` (str, absolute) with mount(8)'s ``options`` (tuple)."""

    __slots__ = ()

    @classmethod
    def parse(cls, text):
        """Return the Tmpfs of ``/path[:option,...]``."""
        path, colon, options = text.partition(":")
        found = tuple(options.split(",")) if colon else ()
        for option in found:
            name, equals, given = option.partition("=")
            if name + equals not in _TMPFS_OPTIONS or equals and not given.rstrip("kKmMgG%").isdecimal():
                raise InvalidValue("invalid tmpfs %s: unknown option %s"
                                   % (quoted(text), quoted(option)), _TMPFS_HINT)
        return cls(absolute(path, "tmpfs"), found)


def parse_mount(text):
    """Return the Bind or Tmpfs of ``key=value,...``: fields as in a line of CSV."""
    given = {}
    for field in _fields(text):
        key, equals, value = field.partition("=")
        name = _KEYS.get(key.lower())
        if name is None and key.lower() not in _HARMLESS:
            raise InvalidValue("invalid mount %s: unknown key %s" % (quoted(text), quoted(key)), _HINT)
        if name is not None and name in given:
            raise InvalidValue("invalid mount %s: %s is given twice" % (quoted(text), quoted(key)), _HINT)
        if not equals and name != "readonly" and name is not None or equals and not value:
            raise InvalidValue("invalid mount %s: %s has no value" % (quoted(text), quoted(key)), _HINT)
        given[name] = value
    if "target" not in given:
        raise InvalidValue("invalid mount %s: it has no target" % quoted(text), _HINT)
    if "\0" in text or "\n" in text:
        raise InvalidValue("invalid mount %s: a path with a line break" % quoted(text))
    kind = given.get("type", "volume")
    is_read_only = _boolean(given.get("readonly", "false"), text)
    target = absolute(given["target"], "mount")
    if kind == "tmpfs" and "source" not in given:
        options = [("%s=%s" % (name, given[name])) for name in ("size", "mode") if name in given]
        return Tmpfs.parse(":".join([target, ",".join(options + ["ro"] * is_read_only)]).rstrip(":"))
    if kind == "bind" and "size" not in given and "mode" not in given:
        source = given.get("source", "")
        if not source.startswith("/"):
            raise InvalidValue("invalid mount %s: the source of a bind is an absolute path"
                               % quoted(text), _HINT)
        return Bind(source.rstrip("/") or "/", target, is_read_only)
    if kind == "volume":
        raise InvalidValue("invalid mount %s: there are no named volumes" % quoted(text),
                           NO_NAMED_VOLUMES)
    raise InvalidValue("invalid mount %s" % quoted(text), _HINT)


def parse_device(text):
    """Return the Bind that shows the device of ``/dev/x[:/dev/y[:rwm]]``."""
    parts = text.split(":")
    if len(parts) > 1 and not parts[-1].startswith("/"):
        rights = parts.pop()
        if not rights or set(rights) - set("rwm"):
            raise InvalidValue("invalid device %s" % quoted(text), _DEVICE_HINT)
    if not 1 <= len(parts) <= 2 or "\n" in text or "\0" in text:
        raise InvalidValue("invalid device %s" % quoted(text), _DEVICE_HINT)
    source, target = (absolute(path, "device") for path in (parts[0], parts[-1]))
    return Bind(source, target, False)


_DEVICE_HINT = "write it as /dev/name[:/dev/name-inside[:rwm]]"


def _boolean(value, text):
    if value.lower() in _TRUE:
        return True
    if value.lower() in _FALSE:
        return False
    raise InvalidValue("invalid mount %s: readonly is true or false" % quoted(text), _HINT)


def _fields(text):
    """Return the fields (list of str) of a line of CSV (RFC 4180)."""
    fields, position = [], 0
    while True:
        if text[position:position + 1] != '"':
            end = text.find(",", position)
            fields.append(text[position:] if end < 0 else text[position:end])
        else:
            field, position = "", position + 1
            while True:
                end = text.find('"', position)
                if end < 0:
                    raise InvalidValue("invalid mount %s: a quote is missing" % quoted(text), _HINT)
                field += text[position:end]
                position = end + 1
                if text[position:position + 1] != '"':
                    break
                field += '"'
                position += 1
            if position < len(text) and text[position] != ",":
                raise InvalidValue("invalid mount %s: text after a quote" % quoted(text), _HINT)
            fields.append(field)
            end = position if position < len(text) else -1
        if end < 0:
            return fields
        position = end + 1
