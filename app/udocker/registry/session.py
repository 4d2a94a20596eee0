"""Requests to one registry: where it is, who asks, and what its refusals mean."""

from udocker.errors import CorruptData, InvalidValue, RegistryError
from udocker.model.jsontext import loads
from udocker.model.oci import MAX_DOCUMENT
from udocker.model.reference import quoted
from udocker.registry.auth import Authenticator
from udocker.registry.endpoint import origin, split_host
from udocker.registry.failures import (ConnectionFailed, StorageRefused, denied, message_of,
                                      refusal)

#: Pages of a list: more than a thousand of them is a server that never ends.
MAX_PAGES = 1000

_NAME_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789._-/")


class Session(object):
    """One registry, asked by one user; usable from several threads at once.

    transport (Transport), endpoint (Endpoint), credentials (Credentials, or None: anonymous).
    """

    def __init__(self, transport, endpoint, credentials=None):
        self.endpoint = endpoint
        self.transport = transport
        self.auth = Authenticator(transport, endpoint, credentials)
        self._base = ""

    def url(self, path):
        """Return the URL of ``path`` (str) below ``/v2/``."""
        return "%s/v2/%s" % (self._base or self._find_base(), path)

    def url_in(self, repository, path):
        """Return the URL of ``path`` in ``repository``; InvalidValue if that is no name."""
        if not repository or not _NAME_CHARACTERS.issuperset(repository) or ".." in repository:
            raise InvalidValue("invalid repository %s" % quoted(repository),
                               "names in a registry are lower case")
        return self.url("%s/%s" % (repository, path))

    def ask(self, access, method, url, what, headers=None, accepted=(200,), stop=None, **request):
        """Return the Response to a request if its status is one of ``accepted``; raise otherwise.

        access (auth.Access): what the request has to be allowed to do; what (str): names in errors
        what is asked for; request: as Transport.open has it. Only the registry itself is told who
        asks: ``url`` may be elsewhere, where the registry has sent us.
        """
        here = origin(url)
        is_known = here == origin(self.url(""))
        authorization = self.auth.header(access, stop) if is_known else None
        for attempt in (1, 2):
            sent = dict(headers or {})
            if authorization:
                sent["Authorization"] = authorization
            response = self.transport.open(method, url, sent, stop=stop, **request)
            if response.status in accepted:
                return response
            with response:
                if not is_known or response.origin != here:
                    raise self._storage_failure(response, what)
                if response.status == 401 and attempt == 1:
                    # once: a token that has just been made and is refused stays refused
                    authorization = self.auth.answer(response, access, authorization, stop)
                    continue
                if response.status in (401, 403):
                    raise denied(what, self.endpoint.name, message_of(response),
                                 self.auth.has_login(access), access.verb)
                raise refusal(response, what, self.endpoint.name, self.transport.clock())

    def read(self, access, url, what, limit, headers=None, stop=None):
        """Return (Response, bytes): the body, of at most ``limit``, that ``url`` gives."""
        return self.transport.read(
            lambda: self.ask(access, "GET", url, what, headers, stop=stop), limit, what, stop)

    def pages(self, access, url, what, stop=None):
        """Yield the documents of a list that comes by the page, the first one at ``url``.

        The next one is where a ``Link`` header (RFC 8288) says, which must be the same place.
        CorruptData where it has no end.
        """
        below, seen = url.partition("?")[0], set()
        while url:
            if url in seen or len(seen) >= MAX_PAGES:
                raise CorruptData("the list of %s on %s has no end" % (what, self.endpoint.name))
            seen.add(url)
            response, raw = self.read(access, url, what, MAX_DOCUMENT, stop=stop)
            try:
                document = loads(raw)
            except ValueError:
                raise CorruptData("the list of %s on %s is not JSON" % (what, self.endpoint.name))
            yield document
            url = self._next(url, below, response.headers.get("Link", ""))

    def _next(self, url, below, link):
        from urllib.parse import urljoin
        target, _, parameters = link.partition(">")
        if 'rel="next"' not in parameters.replace(" ", "") and "rel=next" not in parameters:
            return ""
        url = urljoin(url, target.strip().lstrip("<"))
        if url.partition("?")[0] != below:
            # a token goes with the request, so a list does not get to say where to
            raise RegistryError("%s continues its list elsewhere" % self.endpoint.name)
        return url

    def _storage_failure(self, response, what):
        """What the target of a redirect said. Its challenge is not for us to answer."""
        message = "%s keeps %s on %s, which answered status %d" % (
            self.endpoint.name, what, response.origin[1], response.status)
        if response.status in (401, 403):
            # the signature in the redirect has run out: ask the registry for a new one
            return StorageRefused(message, "try again")
        return RegistryError(message, "try again later")

    def _find_base(self):
        """Find out whether the registry speaks TLS, where it may do without (as docker does)."""
        endpoint = self.endpoint
        scheme = endpoint.scheme or "https"
        if not endpoint.scheme and (endpoint.is_loopback
                                    or self.transport.is_insecure(*split_host(endpoint.host))):
            try:
                probe = "https://%s%s/v2/" % (endpoint.host, endpoint.prefix)
                self.transport.open("GET", probe, attempts=1).discard()
            except ConnectionFailed as error:
                if error.distrusted:
                    raise  # it does speak TLS, and proved to be someone else
                scheme = "http"
        self._base = "%s://%s%s" % (scheme, endpoint.host, endpoint.prefix)
        return self._base
