"""What went wrong between us and a registry, in words."""

from udocker.errors import AuthenticationError, NotFound, RegistryError, UdockerError
from udocker.model.jsontext import loads
from udocker.model.reference import DOCKER_HUB, printable
from udocker.registry.retry import retry_after, spell_seconds

#: Bytes of an error body that are read: what a registry has to say fits, and it may be hostile.
MAX_ERROR_BODY = 64 * 1024
#: Characters of a registry's own words that are shown.
MAX_SHOWN = 300

#: Why a registry says no to what is well formed.
_REASONS = {405: "it may be read-only, or hold copies of another registry only",
            413: "it takes nothing as large as this, or a proxy before it does not",
            507: "there is no room for it in the registry"}


class ConnectionFailed(RegistryError):
    """No answer, or not all of it.

    transient (bool): the same request may yet succeed. distrusted (bool): somebody is there, but
    has no certificate that we believe.
    """

    def __init__(self, message, hint=None, transient=True, distrusted=False):
        super(ConnectionFailed, self).__init__(message, hint)
        self.transient = transient
        self.distrusted = distrusted


class StorageRefused(RegistryError):
    """The storage that the registry sent us to does not take the signature of the redirect."""


class Stopped(UdockerError):
    """The work was stopped from outside (another download failed, or the user said so)."""


def connection_failure(error, host, proxy_host=""):
    """Return the ConnectionFailed for what urllib3 or the socket raised.

    error (Exception), host (str): whom we wanted to reach, proxy_host (str): through whom.
    Nothing of urllib3's own text is passed on: it repeats URLs, and those of redirects are signed.
    """
    import socket
    import ssl
    from urllib3 import exceptions
    from urllib3.util.ssl_match_hostname import CertificateError
    chain = list(_causes(error))
    if any(isinstance(cause, exceptions.ProxyError) for cause in chain):
        return ConnectionFailed("cannot reach the proxy %s: %s"
                                % (printable(proxy_host), _reason(chain)),
                                "check --httpproxy, http_proxy and https_proxy")
    whom = printable(host)
    for cause in chain:
        if isinstance(cause, exceptions.SSLError) and not isinstance(cause, ssl.SSLError):
            continue  # urllib3's wrapper: what it wraps comes later in the chain
        if (isinstance(cause, (ssl.CertificateError, CertificateError))
                or "CERTIFICATE_VERIFY_FAILED" in str(cause)):
            return ConnectionFailed(
                "cannot trust %s: %s" % (whom, _certificate_reason(cause)),
                "put its CA certificate in /etc/containers/certs.d/%s/ca.crt, or name a file with "
                "it in SSL_CERT_FILE; --insecure turns the check off" % printable(host),
                transient=False, distrusted=True)
        if isinstance(cause, ssl.SSLError):
            return ConnectionFailed("cannot reach %s: no TLS there (%s)" % (whom, printable(
                (cause.reason or "handshake failed").lower().replace("_", " "))),
                "a registry without TLS needs http:// before its name, or --insecure",
                transient=False)
        if isinstance(cause, socket.gaierror):
            return ConnectionFailed("cannot find %s: no address for this name" % whom,
                                    "check the name, the network, and the proxy settings",
                                    transient=cause.errno == socket.EAI_AGAIN)
    return ConnectionFailed("cannot reach %s: %s" % (whom, _reason(chain)))


def refusal(response, what, name, now):
    """Return the exception for an answer that is not the one that was asked for.

    response (transport.Response), what (str): names what was wanted, name (str): the registry,
    now: seconds since the epoch.
    """
    status = response.status
    said = message_of(response)
    tail = ": " + said if said else ""
    what, name = printable(what), printable(name)
    if status == 404:
        return NotFound("no such %s on %s%s" % (what, name, tail))
    if status in (401, 403):
        return denied(what, name, said)
    if status == 407:
        return RegistryError("the proxy before %s wants a user name and a password" % name,
                             "write them into its URL: http://user:password@host:port")
    if status == 429:
        seconds = retry_after(response.headers.get("Retry-After"), now)
        when = "in " + spell_seconds(seconds) if seconds else "later"
        return RegistryError("%s says: too many requests%s" % (name, tail),
                             "try again %s, or log in: %s" % (when, login_command(name)))
    if status >= 500 and status not in _REASONS:
        return RegistryError("%s failed with status %d for %s%s" % (name, status, what, tail),
                             "this is the registry's own trouble; try again later")
    return RegistryError("%s answered status %d for %s%s" % (name, status, what, tail),
                         _REASONS.get(status))


def denied(what, name, said="", logged_in=False, verb="read"):
    """Return the AuthenticationError for ``what`` on the registry ``name``.

    logged_in (bool): there is a login, which does not help; verb (str): what was to be done,
    "read" or "write to" it, or "log in".
    """
    tail = ": " + said if said else ""
    if verb == "log in":
        return AuthenticationError("%s does not accept this login%s" % (name, tail),
                                   "nothing was stored; are user name and password right?")
    hint = ("this account may not %s it, or it does not exist" % verb if logged_in else
            "it does not exist, or it needs a login: " + login_command(name))
    return AuthenticationError("access to %s on %s is denied%s" % (what, name, tail), hint)


def login_command(name):
    """Return what to type to log in to the registry ``name`` (str)."""
    return "'udocker login%s'" % ("" if name == DOCKER_HUB else " " + printable(name))


def message_of(response):
    """Return what an error body says (str, harmless to print, bounded); "" if it says nothing.

    OCI distribution, "Error Codes": ``{"errors": [{"code": ..., "message": ...}]}``. Token servers
    use ``details`` or OAuth's ``error_description``.
    """
    try:
        document = loads(response.read_up_to(MAX_ERROR_BODY))
    except (ValueError, RegistryError):
        return ""  # HTML, or nothing: the status says what there is to say
    if not isinstance(document, dict):
        return ""
    errors = document.get("errors")
    if isinstance(errors, list) and errors and isinstance(errors[0], dict):
        document = errors[0]
    for key in ("message", "code", "details", "error_description", "error"):
        text = document.get(key)
        if isinstance(text, str) and text.strip():
            text = text.strip()
            for secret in response.secrets:  # some repeat what they were sent
                text = text.replace(secret, "***")
            return printable(text if len(text) <= MAX_SHOWN else text[:MAX_SHOWN] + "...")
    return ""


def _causes(error):
    """``error`` and everything that it wraps, outermost first."""
    seen = []
    todo = [error]
    while todo:
        current = todo.pop(0)
        if any(current is other for other in seen):
            continue
        seen.append(current)
        yield current
        for inner in (getattr(current, "reason", None), getattr(current, "original_error", None),
                      current.__cause__, current.__context__) + tuple(current.args):
            if isinstance(inner, BaseException):
                todo.append(inner)


def _reason(chain):
    import os
    import socket
    from urllib3 import exceptions
    # first: urllib3 calls a refused connection a kind of timeout
    for cause in chain:
        if isinstance(cause, OSError) and cause.errno and not isinstance(cause, socket.gaierror):
            return os.strerror(cause.errno).lower()
        if isinstance(cause, socket.gaierror):
            return "no address for its name"
    for cause in chain:
        if isinstance(cause, (exceptions.TimeoutError, socket.timeout)):
            return "no answer in time"
    for cause in chain:
        if isinstance(cause, OSError) and "Tunnel connection failed" in str(cause):
            return printable(str(cause))[:MAX_SHOWN].lower()
    return "the connection was closed"


def _certificate_reason(cause):
    text = getattr(cause, "verify_message", "") or str(cause)
    _, found, detail = text.partition("certificate verify failed")
    text = detail.partition("(_ssl")[0].strip(" :]") if found else text
    return printable(text or "its certificate cannot be verified")[:MAX_SHOWN]
