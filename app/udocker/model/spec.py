"""What the user said on the command line of ``run``, spelled as docker spells it."""

from collections import namedtuple

from udocker.errors import InvalidValue
from udocker.model.reference import quoted

#: ids of users and groups that Linux has; the last one means "no change" to chown(2).
MAX_ID = (1 << 32) - 2


class Bind(namedtuple("Bind", "source target read_only")):
    """A host path (absolute) shown inside at ``target`` (absolute, normalised, never ``/``)."""

    __slots__ = ()

    @classmethod
    def parse(cls, text):
        """Return the bind of ``HOST[:CONTAINER[:ro|rw]]``; flags docker has and we ignore pass."""
        parts = text.split(":")
        flags = []
        if len(parts) > 1 and not parts[-1].startswith("/"):
            flags = parts.pop().split(",")
        if not 1 <= len(parts) <= 2:
            raise InvalidValue("invalid volume %s" % quoted(text), _BIND_HINT)
        if parts[0] and "/" not in parts[0] and parts[-1].startswith("/"):
            raise InvalidValue("invalid volume %s: there are no named volumes" % quoted(text),
                               NO_NAMED_VOLUMES)
        unknown = [flag for flag in flags if flag not in _BIND_FLAGS]
        if unknown:
            raise InvalidValue("invalid volume %s: unknown option %s"
                               % (quoted(text), quoted(unknown[0])), _BIND_HINT)
        source, target = parts[0], parts[-1]
        for path in (source, target):
            if not path.startswith("/"):
                raise InvalidValue("invalid volume %s: %s is not an absolute path"
                                   % (quoted(text), quoted(path)), _BIND_HINT)
            if "\0" in path or "\n" in path:
                raise InvalidValue("invalid volume %s: a path with a line break" % quoted(text))
        return cls(_stripped(source), absolute(target, "volume"), "ro" in flags)


#: docker would make one; a directory of one's own does the same, and is where one sees it.
NO_NAMED_VOLUMES = "make a directory, and write its path: -v $PWD/data:/path"
_BIND_HINT = "write it as /host/path[:/container/path[:ro]]"
#: docker-run(1), --volume; all but ro are about mount propagation and labels, which need root.
_BIND_FLAGS = frozenset(["ro", "rw", "z", "Z", "consistent", "cached", "delegated", "nocopy",
                         "private", "rprivate", "shared", "rshared", "slave", "rslave"])


class Port(namedtuple("Port", "host container protocol")):
    """A port of the container (int) under another number (int) on the host."""

    __slots__ = ()

    @classmethod
    def parse(cls, text):
        """Return the port of ``[IP:]HOST:CONTAINER[/tcp|udp]``."""
        numbers, slash, protocol = text.partition("/")
        parts = numbers.split(":")
        protocol = protocol if slash else "tcp"
        if len(parts) not in (2, 3) or protocol not in ("tcp", "udp"):
            raise InvalidValue("invalid port %s" % quoted(text),
                               "write it as [address:]host:container, for example 8080:80")
        host, container = (_port(part, text) for part in parts[-2:])
        return cls(host, container, protocol)


class UserSpec(namedtuple("UserSpec", "user group")):
    """Whom to be inside: each a name (str), an id (int) or None where nothing was said."""

    __slots__ = ()

    @classmethod
    def parse(cls, text):
        """Return the user of ``NAME|UID[:GROUP|GID]``."""
        user, colon, group = text.partition(":")
        if (colon and not group) or not user:
            raise InvalidValue("invalid user %s" % quoted(text), "write it as name or uid[:gid]")
        return cls(_name_or_id(user, text), _name_or_id(group, text) if colon else None)

    def __str__(self):
        return "%s" % self.user if self.group is None else "%s:%s" % self


class ContainerSpec(namedtuple("ContainerSpec",
                               "argv env binds no_binds user workdir entrypoint ports "
                               "hostname mode sysdirs bind_home host_auth container_auth "
                               "host_env metadata cpus kernel devices tmpfs read_only shm_size "
                               "network any_port limits resolver gpus")):
    """What the user asked of a run, apart from which container it is.

    argv (tuple of str): the command, empty for the image's.
    env (tuple of (str, str or None)): None copies the host's value.
    binds (tuple of Bind), no_binds (tuple of str: default binds to leave out).
    user (UserSpec or None), workdir (str), entrypoint (tuple of str, or None for the image's).
    ports (tuple of Port), hostname (str), mode (str: P1 ..., auto, or "").
    cpus, kernel (str), devices (tuple of Bind), tmpfs (tuple of Tmpfs), shm_size (int: bytes, 0 for
    ours), network (str: "", or "none"), limits (tuple of Limit), resolver (Resolver or None),
    gpus (str: what --gpus says).
    The rest are bool; any_port: what listens gets a port that is free, whichever it asks for.
    """

    __slots__ = ()

    def to_object(self, host_env):
        """Return it as a dict for JSON, with the values that ``host_env`` (dict) has where it is to
        be copied from. What --hostenv passes is not in it: that is no business of a file."""
        env = tuple((key, host_env.get(key, "") if value is None else value)
                    for key, value in self.env)
        return dict(self._replace(env=env)._asdict())

    def updated(self, document):
        """Return this with what ``document`` (dict, from ``to_object``) has of it; InvalidValue."""
        fields, nested = {}, _nested()
        try:
            for name, value in document.items():
                value = _frozen(value)
                if name in nested and value is not None:
                    value = nested[name](value)
                if name in self._fields:
                    fields[name] = value
        except (TypeError, ValueError):
            raise InvalidValue("what is written down of a run is damaged", "'udocker run' it again")
        return self._replace(**fields)


def _frozen(value):
    """Return ``value`` with tuples in place of the lists that JSON has for both."""
    return tuple(_frozen(item) for item in value) if isinstance(value, list) else value


def _nested():
    """Return the fields of ContainerSpec that are more than texts: how each is made of tuples."""
    from udocker.model.limits import Limit
    from udocker.model.mounts import Tmpfs
    from udocker.model.resolver import Resolver

    def many(kind):
        return lambda items: tuple(kind(*item) for item in items)

    return {"env": many(lambda key, value: (key, value)), "binds": many(Bind), "ports": many(Port),
            "devices": many(Bind), "tmpfs": many(Tmpfs), "limits": many(Limit),
            "user": lambda item: UserSpec(*item), "resolver": lambda item: Resolver(*item)}


ContainerSpec.__new__.__defaults__ = ((), (), False, 0, "", False, (), None,
                                      "")


def absolute(path, what):
    """Return ``path`` normalised; InvalidValue unless it is absolute, without ``..``, not ``/``."""
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if not path.startswith("/") or ".." in parts:
        raise InvalidValue("invalid %s %s: not an absolute path without '..'"
                           % (what, quoted(path)))
    if not parts:
        raise InvalidValue("invalid %s %s: the root of the container cannot be replaced"
                           % (what, quoted(path)))
    return "/" + "/".join(parts)


def _stripped(path):
    return path.rstrip("/") or "/"


def _port(text, whole):
    if text.isdecimal() and len(text) <= 5 and 0 < int(text) < 65536:
        return int(text)
    raise InvalidValue("invalid port %s: %s is not a port number" % (quoted(whole), quoted(text)))


def _name_or_id(text, whole):
    if text.isdecimal():
        number = int(text) if len(text) < 20 else MAX_ID + 1
        if number > MAX_ID:
            raise InvalidValue("invalid user %s: id too large" % quoted(whole))
        return number
    # the characters that useradd(8) takes; none of them can break a line of passwd(5)
    if text.startswith(("-", ".")) or not text.replace("-", "_").replace(".", "_").rstrip("$").isidentifier():
        raise InvalidValue("invalid user %s" % quoted(whole), "write it as name or uid[:gid]")
    return text
