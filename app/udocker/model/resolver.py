"""Names of hosts inside: /etc/hosts and /etc/resolv.conf of a run, docker-run(1), --add-host, --dns."""

from collections import namedtuple

from udocker.errors import InvalidValue
from udocker.model.reference import quoted

HOSTS, RESOLV = "/etc/hosts", "/etc/resolv.conf"
#: What docker calls the machine; its network is the container's.
_GATEWAY, _LOOPBACK = "host-gateway", "127.0.0.1"


class Resolver(namedtuple("Resolver", "hosts servers searches options")):
    """What was asked: hosts (tuple of (name, address)), the rest tuples of str."""

    __slots__ = ()

    @classmethod
    def parse(cls, hosts, servers, searches, options):
        """Return the Resolver of the values of --add-host, --dns, --dns-search and --dns-option
        (tuples of str), or None where there are none."""
        if not (hosts or servers or searches or options):
            return None
        for server in servers:
            if not _is_address(server):
                raise InvalidValue("invalid --dns %s: not an address" % quoted(server))
        for kind, words in (("search", searches), ("option", options)):
            for word in words:
                if not _is_word(word):
                    raise InvalidValue("invalid --dns-%s %s" % (kind, quoted(word)))
        return cls(tuple(_host(text) for text in hosts), servers, searches, options)

    def files(self, hosts, resolv):
        """Return {path: content (bytes)} of what changes in ``hosts`` and ``resolv`` (bytes)."""
        files = {}
        if self.hosts:
            lines = "".join("%s\t%s\n" % (address, name) for name, address in self.hosts)
            # what was asked comes first, because the first line with a name counts
            files[HOSTS] = lines.encode("ascii") + hosts
        if self.servers or self.searches or self.options:
            files[RESOLV] = self._resolv(resolv)
        return files

    def _resolv(self, data):
        """resolv.conf(5) ``data`` (bytes) with what was asked in place of what is there."""
        replaced = {b"nameserver": self.servers, b"search": self.searches,
                    b"domain": self.searches, b"options": self.options}
        lines = [line for line in data.split(b"\n")
                 if line and not replaced.get((line.split() or [b""])[0])]
        lines += [b"nameserver " + server.encode("ascii") for server in self.servers]
        if self.searches and self.searches != (".",):  # docker: a dot means none
            lines.append(b"search " + " ".join(self.searches).encode("ascii"))
        if self.options:
            lines.append(b"options " + " ".join(self.options).encode("ascii"))
        return b"\n".join(lines) + b"\n"


def _host(text):
    """Return (name, address) of ``NAME:ADDRESS`` or ``NAME=ADDRESS``."""
    separator = "=" if "=" in text else ":"
    name, _, address = text.partition(separator)
    address = address[1:-1] if address.startswith("[") and address.endswith("]") else address
    address = _LOOPBACK if address == _GATEWAY else address
    if not _is_word(name) or not _is_address(address):
        raise InvalidValue("invalid --add-host %s" % quoted(text),
                           "write it as name:address, for example db:127.0.0.1")
    return name, address


def _is_address(text):
    import _socket  # socket(2) itself: the module socket imports much more
    for family in (_socket.AF_INET, _socket.AF_INET6):
        try:
            _socket.inet_pton(family, text)
            return True
        except (OSError, ValueError, UnicodeError):
            pass
    return False


def _is_word(text):
    """Whether ``text`` (str) is one word of a line: no blank, no control, no comment."""
    return bool(text) and all(33 <= ord(c) < 127 and c not in "#;" for c in text)
