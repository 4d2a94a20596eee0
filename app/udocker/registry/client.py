"""A registry, as its images are read: resolve a name, fetch documents, fetch blobs, list tags.

Specification: OCI distribution 1.1; docker's registry API v2, which it grew out of.
"""

from collections import namedtuple

from udocker.errors import (CorruptData, DigestMismatch, HostError, NoSuchPlatform, NotFound,
                            RegistryError, SizeMismatch)
from udocker.model.oci import (DOCKER_LIST, DOCKER_MANIFEST, MAX_DOCUMENT, OCI_INDEX, OCI_MANIFEST,
                               Index, parse_document)
from udocker.model.reference import Digest, printable, quoted
from udocker.registry.auth import pulling
from udocker.registry.blob import BlobDownload
from udocker.registry.session import Session

ACCEPT = ", ".join([OCI_INDEX, OCI_MANIFEST, DOCKER_LIST, DOCKER_MANIFEST])

#: How deep an index may stand inside another (image-index.md allows it, and nobody needs two).
MAX_INDEX_DEPTH = 1
#: Tags asked for at a time: what distribution gives at most.
TAGS_PAGE = 1000


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
        self.session = Session(transport, endpoint, credentials)

    def first(self, reference, look):
        """Return (path, ``look(path)``) for the first path at which ``reference`` is.

        look (callable of str): raises NotFound where it is not.
        """
        paths = self.endpoint.paths_of(reference)
        for path in paths[:-1]:
            try:
                return path, look(path)
            except NoSuchPlatform:
                raise
            except NotFound:
                continue
        return paths[-1], look(paths[-1])

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
            self.session.transport.pause(seconds, stop)

        BlobDownload(ask, descriptor, sink, pause, self.session.transport.retries, progress).run()

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
        url = self.session.url_in(repository, "tags/list?n=%d" % TAGS_PAGE)
        tags = []
        for page in self.session.pages(pulling(repository), url, what, stop):
            try:
                # null: none left
                tags += [tag for tag in page["tags"] or () if isinstance(tag, str)]
            except (KeyError, TypeError):
                raise CorruptData("the tags of %s on %s are not a list"
                                  % (repository, self.endpoint.name))
        return tags

    def _read(self, repository, path, headers, limit, what, stop):
        return self.session.read(pulling(repository), self.session.url_in(repository, path), what,
                                 limit, headers, stop)

    def _ask(self, repository, path, headers, what, stop, accepted=(200,), method="GET"):
        return self.session.ask(pulling(repository), method, self.session.url_in(repository, path),
                                what, headers, accepted, stop)

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
