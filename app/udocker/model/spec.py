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
                               "host_env metadata cpus kernel")):
    """What the user asked of a run, apart from which container it is.

    argv (tuple of str): the command, empty for the image's.
    env (tuple of (str, str or None)): None copies the host's value.
    binds (tuple of Bind), no_binds (tuple of str: default binds to leave out).
    user (UserSpec or None), workdir (str), entrypoint (tuple of str, or None for the image's).
    ports (tuple of Port), hostname (str), mode (str: P1 ..., auto, or "").
    The rest are bool, but for cpus and kernel (str).
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
        fields = {}
        try:
            for name, value in document.items():
                if name in _NESTED and value is not None:
                    value = _NESTED[name](value)
                if name in self._fields:
                    fields[name] = tuple(value) if isinstance(value, list) else value
        except (TypeError, ValueError):
            raise InvalidValue("what is written down of a run is damaged", "'udocker run' it again")
        return self._replace(**fields)


#: Fields of ContainerSpec that are more than texts: how each is made of lists.
_NESTED = {
    "env": lambda items: tuple((key, value) for key, value in items),
    "binds": lambda items: tuple(Bind(*item) for item in items),
    "ports": lambda items: tuple(Port(*item) for item in items),
    "user": lambda item: UserSpec(*item),
}


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
    if text.isdigit() and len(text) <= 5 and 0 < int(text) < 65536:
        return int(text)
    raise InvalidValue("invalid port %s: %s is not a port number" % (quoted(whole), quoted(text)))


def _name_or_id(text, whole):
    if text.isdigit():
        number = int(text)
        if number > MAX_ID:
            raise InvalidValue("invalid user %s: id too large" % quoted(whole))
        return number
    # the characters that useradd(8) takes; none of them can break a line of passwd(5)
    if not text.replace("-", "_").replace(".", "_").rstrip("$").isidentifier():
        raise InvalidValue("invalid user %s" % quoted(whole), "write it as name or uid[:gid]")
    return text
