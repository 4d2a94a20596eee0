"""HTTP as registries need it: who sees which secret, what is asked again, how much is read.

This stands on urllib3 alone, the library that does the work inside requests: importing requests
costs another 40 ms on every pull, and it brings what we must not use (its sessions follow
redirects, keep cookies, read .netrc and remember verify=False; importing it asks certifi to take
a file out of the pyz). ``_exchange`` is the only place that knows the library.

Redirects are followed here, one by one, because every one of them is a decision: a registry
sends blobs away to a storage that must not see the registry's token (CVE-2020-15157,
CVE-2025-50181). Bodies are asked for as they are (``Accept-Encoding: identity``) and never
decoded: the digest is over the bytes sent, and a decoder is a bomb's fuse (CVE-2025-66471).
"""

import os
import threading
import time

from udocker import __version__
from udocker.errors import InvalidValue, RegistryError
from udocker.model.reference import printable
from udocker.registry.endpoint import origin
from udocker.registry.failures import ConnectionFailed, Stopped, connection_failure
from udocker.registry.parallel import WORKERS
from udocker.registry.proxies import Proxies
from udocker.registry.response import Response
from udocker.registry.retry import TRANSIENT_STATUSES, Retries, Timeouts, retry_after
from udocker.registry.tls import Trust

USER_AGENT = "udocker/" + __version__

#: docker follows 10; a registry, its storage and a content network need three.
MAX_REDIRECTS = 5

_REDIRECTS = frozenset([301, 302, 303, 307, 308])
_KEEP_METHOD = frozenset([307, 308])  # RFC 9110, sections 15.4.8 and 15.4.9
_SECRET_HEADERS = frozenset(["authorization", "cookie", "proxy-authorization"])


class Transport(object):
    """Makes requests for one command; usable from several threads at once.

    insecure (iterable of str): hosts (``name:port``, or ``name`` for each of its ports) whose
        certificate is not verified and to whom plain HTTP may be spoken. No other host is affected.
    proxy (str): a proxy URL; "" to follow the environment (``https_proxy``, ``no_proxy``, ...).
    timeouts (Timeouts), retries (Retries).
    environ (mapping): the environment; None for the process's own.
    trust (Trust): certificate authorities; None for those that the environment and host name.
    debug (callable of str): told one line a request, without its secrets; None for silence.
    clock (callable): seconds since the epoch. sleep (callable of seconds): None for a real one,
        which a Stop ends early.
    """

    def __init__(self, insecure=(), proxy="", timeouts=Timeouts(), retries=Retries(), environ=None,
                 trust=None, debug=None, clock=time.time, sleep=None):
        environ = os.environ if environ is None else environ
        self.retries = retries
        self.clock = clock
        self._insecure = frozenset(host.lower() for host in insecure)
        self._proxies = Proxies(proxy, environ)
        self._timeouts = timeouts
        self._trust = trust or Trust(environ)
        self._debug = debug
        self._sleep = sleep
        self._lock = threading.Lock()
        self._pools = {}

    def is_insecure(self, host, port=0):
        """Whether the user called ``host`` (``name`` or ``name:port``) insecure."""
        return host in self._insecure or (port and "%s:%d" % (host, port) in self._insecure)

    def open(self, method, url, headers=None, body=None, stop=None, attempts=None, patience=None):
        """Return the Response to a request, after its redirects.

        Any status may come back; GET and HEAD are tried again first where that may help, at most
        ``attempts`` times in all (None: as ``retries`` has it). Others are when it says so.
        body: bytes, or a function without arguments that returns an iterable of bytes, called for
        each attempt; ``headers`` then tell their length. patience: seconds to wait for the answer,
        where that may take longer than others.
        ConnectionFailed, RegistryError (redirects, a Retry-After too long), Stopped.
        The caller closes the response.
        """
        headers = dict(headers or {})
        here = origin(url)
        for _ in range(MAX_REDIRECTS + 1):
            response = self._persist(method, url, here, headers, body, stop, attempts, patience)
            target = response.headers.get("Location")
            followed = _REDIRECTS if method in ("GET", "HEAD") else _KEEP_METHOD
            if response.status not in followed or not target:
                return response
            response.discard()
            url = self.resolve(url, target)
            there = origin(url)
            if there != here:
                # for good: a redirect back must not find them again in a stranger's request
                headers = {name: value for name, value in headers.items()
                           if name.lower() not in _SECRET_HEADERS}
            here = there
        raise RegistryError("%s redirects too often" % printable(here[1]))

    def read(self, ask, limit, what, stop=None):
        """Return (Response, bytes): what ``ask()`` answers, and its body of at most ``limit``.

        ask (callable): makes the request and returns the Response, or raises. It is called again
        when the body breaks off. CorruptData where there is more than ``limit``; ``what`` (str)
        names it.
        """
        attempt = 0
        while True:
            attempt += 1
            with ask() as response:
                try:
                    return response, response.read_all(limit, what)
                except ConnectionFailed as error:
                    if not error.transient or attempt >= self.retries.attempts:
                        raise
            self.pause(self.retries.delay(attempt), stop)

    def resolve(self, url, target):
        """Return the URL that ``target`` (str), in the answer to a request of ``url``, sends us to.

        RegistryError where that is none, or one that anyone on the way could change.
        """
        from urllib.parse import urljoin
        here = origin(url)
        try:
            target = urljoin(url, target)
            there = origin(target)
        except (InvalidValue, ValueError) as error:
            raise RegistryError("%s redirects to where we do not go: %s"
                                % (printable(here[1]), getattr(error, "message", "malformed URL")))
        if here[0] == "https" and there[0] == "http" and not self.is_insecure(here[1], here[2]):
            raise RegistryError("%s redirects from https to http (%s)"
                                % (printable(here[1]), printable(there[1])),
                                "anyone on the way could read and change what comes; "
                                "ask the registry's administrators")
        return target

    def pause(self, seconds, stop=None):
        """Wait; Stopped when ``stop`` comes before the time is over."""
        if self._sleep is not None:
            self._sleep(seconds)
        elif stop is None:
            time.sleep(seconds)
        else:
            stop.wait(seconds)
        if stop is not None and stop.is_set():
            raise Stopped("stopped")

    def close(self):
        """Close every connection that is kept for later."""
        with self._lock:
            pools, self._pools = list(self._pools.values()), {}
        for pool in pools:
            pool.clear()

    def _persist(self, method, url, here, headers, body, stop, attempts, patience):
        """One hop, tried again where a second try does no harm and may help."""
        if attempts is None:
            attempts = self.retries.attempts if method in ("GET", "HEAD") else 1
        attempt = 0
        while True:
            attempt += 1
            try:
                response = self._exchange(method, url, here, headers, body, stop, patience)
            except ConnectionFailed as error:
                if not error.transient or attempt >= attempts:
                    raise
                wait = None
            else:
                if response.status not in TRANSIENT_STATUSES or attempt >= attempts:
                    return response
                wait = retry_after(response.headers.get("Retry-After"), self.clock())
                if wait is not None and wait > self.retries.max_wait:
                    return response  # the caller tells the user how long that is
                response.discard()
            self.pause(max(wait or 0, self.retries.delay(attempt)), stop)

    def _exchange(self, method, url, here, headers, body, stop, patience):
        """One request on the wire, one Response."""
        if stop is not None and stop.is_set():
            raise Stopped("stopped")
        from urllib3 import Timeout
        from urllib3.exceptions import HTTPError
        scheme, host, port = here
        proxy = self._proxies.for_origin(scheme, host, port)
        sent = {"User-Agent": USER_AGENT, "Accept-Encoding": "identity"}
        sent.update(headers)
        timeouts = self._timeouts
        if callable(body):
            # to urllib3 sending is a part of connecting, and a server may let us wait meanwhile
            body, timeouts = body(), timeouts._replace(connect=max(timeouts))
        try:
            raw = self._pool(proxy, here).urlopen(
                method, url, body=body, headers=sent, redirect=False, retries=False,
                preload_content=False, decode_content=False,
                timeout=Timeout(connect=timeouts.connect, read=patience or timeouts.read))
        except (HTTPError, OSError, ValueError) as error:
            name = "%s:%d" % (host, port)
            failure = connection_failure(error, name, _host_of(proxy))
            self._tell("%s %s: %s", method, url, failure.message)
            raise failure from None  # the text of the cause holds whole URLs
        self._tell("%s %s: %d", method, url, raw.status)
        return Response(raw, url, here, _secrets_in(sent, body), stop)

    def _pool(self, proxy, here):
        """The connections that share a proxy and a policy for certificates.

        The policy is part of the key: a connection made without verification must never serve a
        host that wants it (CVE-2024-35195).
        """
        import urllib3
        scheme, host, port = here
        verify = not (self.is_insecure(host) or self.is_insecure(host, port))
        extra = ()
        if scheme == "https" and verify:
            extra = self._trust.files_for("%s:%d" % (host, port))
            if port == 443:
                extra += self._trust.files_for(host)
        key = (proxy, scheme, verify, extra)
        with self._lock:
            pool = self._pools.get(key)
            if pool is None:
                settings = {"num_pools": 8, "maxsize": 2 * WORKERS}
                if scheme == "https" or proxy:
                    settings["ssl_context"] = self._trust.context(extra, verify)
                    # urllib3 sets the context's mode from this for every connection
                    settings["cert_reqs"] = "CERT_REQUIRED" if verify else "CERT_NONE"
                # they are for programmers: that a host is insecure was the user's own word
                urllib3.disable_warnings()
                pool = self._pools[key] = _manager(proxy, settings)
        return pool

    def _tell(self, line, method, url, result):
        if self._debug is not None:
            # the query of a redirect is a signature: whoever has it can read the blob
            self._debug(printable(line % (method, url.partition("?")[0], result)))


def _secrets_in(headers, body):
    """What of a request must not be shown: the token or password, and as it is spelled in Basic."""
    from binascii import Error, a2b_base64
    secrets = [headers.get("Authorization", "").partition(" ")[2]]
    try:
        secrets.append(a2b_base64(secrets[0]).decode("utf-8").partition(":")[2])
    except (Error, ValueError):
        pass  # it is a token
    if isinstance(body, bytes) and b"refresh_token=" in body:
        from urllib.parse import parse_qs
        secrets += parse_qs(body.decode("ascii"))["refresh_token"]
    return tuple(secret for secret in secrets if secret)


def _manager(proxy, settings):
    import urllib3
    if not proxy:
        return urllib3.PoolManager(**settings)
    if proxy.lower().startswith("socks"):
        from urllib3.contrib.socks import SOCKSProxyManager
        return SOCKSProxyManager(proxy, **settings)
    from urllib.parse import unquote, urlsplit
    parts = urlsplit(proxy)
    headers = None
    if parts.username:
        headers = urllib3.make_headers(proxy_basic_auth="%s:%s" % (
            unquote(parts.username), unquote(parts.password or "")))
    return urllib3.ProxyManager(proxy, proxy_headers=headers, **settings)


def _host_of(proxy):
    from urllib.parse import urlsplit
    return urlsplit(proxy).hostname or "" if proxy else ""
