"""Which proxy stands before a host: what was configured, or the environment's conventions."""

from udocker.errors import InvalidValue, RegistryError
from udocker.model.reference import quoted
from udocker.registry.endpoint import is_loopback


class Proxies(object):
    """configured (str): a proxy URL that the user gave, or ""; environ (mapping)."""

    def __init__(self, configured, environ):
        self._configured = configured
        self._environ = environ

    def for_origin(self, scheme, host, port):
        """Return the proxy URL (str, "" for none) for requests to ``scheme://host:port``."""
        if excluded(host, port, self._variable("no_proxy")):
            return ""
        proxy = self._configured
        if not proxy:
            # as Go has it, and so docker and its kin: an exported proxy never stands before
            # this machine itself, where it could only be wrong
            if is_loopback(host):
                return ""
            proxy = self._variable(scheme + "_proxy") or self._variable("all_proxy")
        return _checked(proxy) if proxy else ""

    def _variable(self, name):
        value = self._environ.get(name)
        # HTTP_PROXY in capitals is what a CGI server makes of a request's "Proxy:" header
        if value is None and not (name == "http_proxy" and "REQUEST_METHOD" in self._environ):
            value = self._environ.get(name.upper())
        return (value or "").strip()


def excluded(host, port, no_proxy):
    """Whether ``no_proxy`` (str: names, domains, addresses, networks, ``*``) excludes the host."""
    for entry in no_proxy.replace(",", " ").lower().split():
        if entry == "*":
            return True
        if "/" in entry:
            if _in_network(host, entry):
                return True
            continue
        name, colon, entry_port = entry.rpartition(":")
        if colon and entry_port.isdecimal() and name.count(":") == 0:
            if int(entry_port) != port:
                continue
        else:
            name = entry
        name = name.strip("[]").lstrip("*").lstrip(".")
        if name and (host == name or host.endswith("." + name)):
            return True
    return False


def _in_network(host, network):
    import ipaddress
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(network, strict=False)
    except ValueError:
        return False


def _checked(proxy):
    """``proxy`` with a scheme; it may hold a password, so no message repeats it."""
    from urllib.parse import urlsplit
    if "://" not in proxy:
        proxy = "http://" + proxy
    try:
        parts = urlsplit(proxy)
        scheme, host = parts.scheme.lower(), parts.hostname
        parts.port
    except ValueError:
        scheme, host = "", None
    if not host:
        raise InvalidValue("invalid proxy URL", "write it as http://host:port")
    if scheme.startswith("socks"):
        try:
            import socks  # noqa: F401
        except ImportError:
            raise RegistryError("the proxy %s is a SOCKS proxy, which needs the Python module "
                                "PySocks" % quoted(host), "install it or name an HTTP proxy")
    elif scheme not in ("http", "https"):
        raise InvalidValue("invalid proxy URL: %s is not http, https or socks" % quoted(scheme),
                           "write it as http://host:port")
    return proxy
