"""A registry, as its images are read: resolve a name, fetch documents, fetch blobs, list tags.

Specification: OCI distribution 1.1; docker's registry API v2, which it grew out of.
"""

from collections import namedtuple

from udocker.errors import (CorruptData, DigestMismatch, HostError, InvalidValue, NotFound,
                            RegistryError, SizeMismatch)
from udocker.model.jsontext import loads
from udocker.model.oci import (DOCKER_LIST, DOCKER_MANIFEST, MAX_DOCUMENT, OCI_INDEX, OCI_MANIFEST,
                               Index, parse_document)
from udocker.model.reference import Digest, printable, quoted
from udocker.registry.auth import Authenticator
from udocker.registry.blob import BlobDownload
from udocker.registry.endpoint import origin, split_host
from udocker.registry.failures import (ConnectionFailed, StorageRefused, denied, message_of,
                                      refusal)

ACCEPT = ", ".join([OCI_INDEX, OCI_MANIFEST, DOCKER_LIST, DOCKER_MANIFEST])

#: How deep an index may stand inside another (image-index.md allows it, and nobody needs two).
MAX_INDEX_DEPTH = 1
#: Tags asked for at a time: what distribution gives at most.
TAGS_PAGE = 1000
#: Pages of tags: more than a million tags is a server that never ends.
MAX_TAG_PAGES = 1000

_NAME_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789._-/")


class Found(namedtuple("Found", "document digest")):
    """document (Index or Manifest) and its verified digest (Digest)."""

    __slots__ = ()


class Resolved(namedtuple("Resolved", "manifest digest top")):
    """manifest (Manifest) and its digest; top (Found): what the name itself stands for, which is
    the index where there is one."""

    __slots__ = ()


class Registry(object):
    """Reads from one registry; usable from several threads at once.

    transport (Transport), endpoint (Endpoint), credentials (Credentials, or None: anonymous).
    Repositories are paths as ``endpoint.path_of(reference)`` gives them. ``stop`` (Stop, or None)
    ends a call early, with Stopped. Errors: NotFound, AuthenticationError, RegistryError for
    everything between us and the registry, CorruptData for what it sent.
    """

    def __init__(self, transport, endpoint, credentials=None):
        self.endpoint = endpoint
        self._transport = transport
        self._auth = Authenticator(transport, endpoint, credentials)
        self._base = ""

    def manifest(self, repository, reference, stop=None):
        """Return the Found for ``reference``, a tag (str) or a Digest.

        DigestMismatch where the bytes are not those of the Digest asked for, or not those that the
        registry itself says they are.
        """
        what = _image(repository, reference)
        response, raw = self._read(repository, "manifests/" + str(reference), {"Accept": ACCEPT},
                                   MAX_DOCUMENT, what, stop)
        digest = self._verified(raw, reference, response, what)
        served = response.headers.get("Content-Type", "")
        try:
            return Found(parse_document(raw, served), digest)
        except CorruptData as error:
            raise CorruptData("%s on %s: %s" % (printable(what), self.endpoint.name, error.message),
                              error.hint or "it was served as %s" % (quoted(served) if served else
                                                                     "nothing in particular"))

    def digest(self, repository, tag, stop=None):
        """Return the Digest that the registry gives ``tag`` at present; None where it does not say.

        It is the registry's word, fit to see whether an image has changed: nothing was fetched
        that could prove it. (Docker Hub does not count this as a pull.)
        """
        with self._ask(repository, "manifests/" + tag, {"Accept": ACCEPT}, _image(repository, tag),
                       stop, method="HEAD") as response:
            claimed = response.headers.get("Docker-Content-Digest", "").strip()
        return Digest.parse(claimed) if claimed else None

    def resolve(self, repository, reference, platform, stop=None):
        """Return the Resolved image for ``platform`` (Platform) behind ``reference``.

        NotFound, with what there is in its hint, where an index has none for the platform. (An
        image that is in no index says its platform in its configuration only.)
        """
        top = found = self.manifest(repository, reference, stop)
        for depth in range(MAX_INDEX_DEPTH + 1):
            if not isinstance(found.document, Index):
                break
            entry = found.document.select(platform)
            found = self.manifest(repository, entry.digest, stop)
            if len(found.document.raw) != entry.size:
                raise SizeMismatch("%s has %d bytes, and %d in its index"
                                   % (entry.digest, len(found.document.raw), entry.size))
            if entry.media_type and entry.media_type != found.document.media_type:
                raise CorruptData("%s is %s, and %s in its index"
                                  % (entry.digest, found.document.media_type,
                                     printable(entry.media_type)))
        if isinstance(found.document, Index):
            raise CorruptData("the index of %s:%s holds an index that holds an index"
                              % (repository, reference))
        return Resolved(found.document, found.digest, top)

    def blob(self, repository, descriptor, sink, progress=None, stop=None):
        """Download the blob of ``descriptor`` (Descriptor) into ``sink`` and verify it.

        sink: a path (str; made if it is not there), or a binary file that can seek (and read, if
        it is not empty). The part of the blob that it already holds is not fetched again.
        progress (callable of int): told how many bytes of the blob are there.
        DigestMismatch, SizeMismatch: the sink is empty then. After other errors it keeps what came;
        HostError is for those of the sink itself (no space left).
        """
        if isinstance(sink, str):
            with _open_for_update(sink) as stream:
                return self.blob(repository, descriptor, stream, progress, stop)
        what = "blob %s of %s" % (descriptor.digest, repository)

        def ask(headers):
            try:
                return self._ask(repository, "blobs/" + str(descriptor.digest), headers, what, stop,
                                 accepted=(200, 206, 416) if "Range" in headers else (200,))
            except NotFound:
                if not descriptor.urls:
                    raise
                # such URLs come from the image's author, not from the registry that the user
                # chose, so they are not followed (CVE-2020-15157)
                raise RegistryError("%s has a foreign layer, which is kept at %s"
                                    % (repository, quoted(descriptor.urls[0])),
                                    "ask for an image that holds all of its layers")

        def pause(seconds):
            self._transport.pause(seconds, stop)

        BlobDownload(ask, descriptor, sink, pause, self._transport.retries, progress).run()

    def read_blob(self, repository, descriptor, limit=MAX_DOCUMENT, stop=None):
        """Return the verified bytes of a small blob, such as an image's configuration."""
        if descriptor.size > limit:
            raise CorruptData("blob %s of %d bytes is larger than the limit of %d"
                              % (descriptor.digest, descriptor.size, limit))
        import io
        sink = io.BytesIO()
        self.blob(repository, descriptor, sink, stop=stop)
        return sink.getvalue()

    def tags(self, repository, stop=None):
        """Return every tag of ``repository`` (list of str), in the registry's order."""
        what = "repository %s" % repository
        path = "tags/list?n=%d" % TAGS_PAGE
        tags, seen = [], set()
        while path not in seen:
            seen.add(path)
            if len(seen) > MAX_TAG_PAGES:
                break
            response, raw = self._read(repository, path, {}, MAX_DOCUMENT, what, stop)
            try:
                page = loads(raw)["tags"]
                tags += [tag for tag in page or () if isinstance(tag, str)]  # null: none left
            except (ValueError, KeyError, TypeError):
                raise CorruptData("the tags of %s on %s are not a list"
                                  % (repository, self.endpoint.name))
            path = self._next_page(repository, path, response.headers.get("Link", ""))
            if not path:
                return tags
        raise CorruptData("the tags of %s on %s have no end" % (repository, self.endpoint.name))

    def _next_page(self, repository, path, link):
        """The path of the page that a ``Link`` header (RFC 8288) calls next; "" for none."""
        from urllib.parse import urljoin
        target, _, parameters = link.partition(">")
        if 'rel="next"' not in parameters.replace(" ", "") and "rel=next" not in parameters:
            return ""
        base = self._url(repository, "")
        url = urljoin(self._url(repository, path), target.strip().lstrip("<"))
        if not url.startswith(base):
            # a token goes with the request, so a list does not get to say where to
            raise RegistryError("%s continues its list of tags elsewhere" % self.endpoint.name)
        return url[len(base):]

    def _read(self, repository, path, headers, limit, what, stop):
        return self._transport.read(lambda: self._ask(repository, path, headers, what, stop),
                                    limit, what, stop)

    def _ask(self, repository, path, headers, what, stop, accepted=(200,), method="GET"):
        """Return the Response for ``/v2/<repository>/<path>`` if its status is ``accepted``."""
        if not repository or not _NAME_CHARACTERS.issuperset(repository) or ".." in repository:
            raise InvalidValue("invalid repository %s" % quoted(repository),
                               "names in a registry are lower case")
        url = self._url(repository, path)
        here = origin(url)
        authorization = self._auth.header(repository, stop)
        for attempt in (1, 2):
            asked = dict(headers, Authorization=authorization) if authorization else headers
            response = self._transport.open(method, url, asked, stop=stop)
            if response.status in accepted:
                return response
            with response:
                if response.origin != here:
                    raise self._storage_failure(response, what)
                if response.status == 401 and attempt == 1:
                    # once: a token that has just been made and is refused stays refused
                    authorization = self._auth.answer(response, repository, authorization, stop)
                    continue
                if response.status in (401, 403):
                    raise denied(what, self.endpoint.name, message_of(response),
                                 logged_in=self._auth.has_login(repository))
                raise refusal(response, what, self.endpoint.name, self._transport.clock())

    def _storage_failure(self, response, what):
        """What the target of a redirect said. Its challenge is not for us to answer."""
        message = "%s keeps %s on %s, which answered status %d" % (
            self.endpoint.name, what, response.origin[1], response.status)
        if response.status in (401, 403):
            # the signature in the redirect has run out: ask the registry for a new one
            return StorageRefused(message, "try again")
        return RegistryError(message, "try again later")

    def _url(self, repository, path):
        return "%s/v2/%s/%s" % (self._base or self._find_base(), repository, path)

    def _find_base(self):
        """Find out whether the registry speaks TLS, where it may do without (as docker does)."""
        endpoint = self.endpoint
        scheme = endpoint.scheme or "https"
        if not endpoint.scheme and (endpoint.is_loopback
                                    or self._transport.is_insecure(*split_host(endpoint.host))):
            try:
                probe = "https://%s%s/v2/" % (endpoint.host, endpoint.prefix)
                self._transport.open("GET", probe, attempts=1).discard()
            except ConnectionFailed as error:
                if error.distrusted:
                    raise  # it does speak TLS, and proved to be someone else
                scheme = "http"
        self._base = "%s://%s%s" % (scheme, endpoint.host, endpoint.prefix)
        return self._base

    def _verified(self, raw, reference, response, what):
        """Return the Digest of ``raw``, after it was compared with all that is claimed."""
        claims = []
        if isinstance(reference, Digest):
            claims.append((reference, "was asked for"))
        claimed = response.headers.get("Docker-Content-Digest", "").strip()
        if claimed:
            claims.append((Digest.parse(claimed), "the registry says"))
        for digest, whose in claims:
            actual = digest_of(raw, digest.algorithm)
            if actual != digest:
                raise DigestMismatch("%s on %s has the digest %s where %s is what %s"
                                     % (printable(what), self.endpoint.name, actual, digest, whose))
        return reference if isinstance(reference, Digest) else digest_of(raw)


def _open_for_update(path):
    import os
    try:
        return open(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600), "r+b")
    except OSError as error:
        raise HostError("cannot write %s: %s" % (path, error.strerror))


def _image(repository, reference):
    return "image %s%s%s" % (repository, "@" if isinstance(reference, Digest) else ":", reference)


def digest_of(raw, algorithm="sha256"):
    """Return the Digest of ``raw`` (bytes)."""
    import hashlib
    return Digest(algorithm, hashlib.new(algorithm, raw).hexdigest())
