"""Writing to a registry: blobs that it lacks, then the manifest.

Specification: OCI distribution 1.1, "Push". A small blob goes with the request that ends its
upload; a larger one in one piece before that, as docker sends it, and in several where the
registry, or a proxy before it, takes no pieces of that size. An upload that breaks off goes on where
the registry says that it stands.
"""

import time

from udocker.errors import (AuthenticationError, CorruptData, DigestMismatch, HostError, NotFound,
                            RegistryError)
from udocker.model.reference import printable
from udocker.registry.auth import pushing
from udocker.registry.blob import CHUNK, MAX_RESTARTS, MIN_CHUNK, MIN_PROGRESS
from udocker.registry.failures import ConnectionFailed, Stopped, StorageRefused, refusal
from udocker.registry.retry import TRANSIENT_STATUSES, retry_after

#: Bytes of a blob that is not worth a request of its own.
SMALL = 1024 * 1024
#: Bytes of a piece for registries that take no large ones: the least that some storages take
#: (Amazon S3: 5 MiB), and less than what proxies refuse.
PIECE = 8 * 1024 * 1024
#: Seconds for a registry to say that it has all of a blob: it may compute its digest first, and
#: move it to where it stays.
PATIENCE = 300

#: How a blob came to be in a repository.
THERE, MOUNTED, SENT = "exists", "mounted", "pushed"


class Uploader(object):
    """Writes to one repository of the registry of ``session`` (Session); for several threads."""

    def __init__(self, session, repository, stop=None):
        self._session, self.repository, self._stop = session, repository, stop

    def blob(self, descriptor, source, mounts=(), progress=None):
        """See to it that the repository has the blob; return THERE, MOUNTED or SENT.

        descriptor (Descriptor); source (binary file, seekable): its bytes; mounts (sequence of
        str): repositories of the same registry that may have it; progress (callable of int): told
        how many bytes are there, fewer after a restart.
        CorruptData where the bytes of ``source`` are not those of the descriptor.
        """
        return _BlobUpload(self._session, self.repository, self._stop, descriptor, source, mounts,
                           progress or (lambda count: None)).run()

    def manifest(self, manifest, reference):
        """Let ``reference`` (a tag, or the str of its digest) mean ``manifest`` (Manifest)."""
        session = self._session
        what = "image %s:%s" % (self.repository, reference)
        with session.ask(pushing(self.repository), "PUT",
                         session.url_in(self.repository, "manifests/" + reference), what,
                         {"Content-Type": manifest.media_type}, (200, 201, 202), self._stop,
                         body=manifest.raw, attempts=session.transport.retries.attempts,
                         patience=PATIENCE):
            pass  # its claims are worth nothing: the caller reads what is there now


class _Again(Exception):
    """What was tried may succeed later: error (RegistryError), wait (seconds, or None)."""

    def __init__(self, error, wait=None):
        super(_Again, self).__init__(error.message)
        self.error, self.wait = error, wait


class _BlobUpload(object):
    def __init__(self, session, repository, stop, descriptor, source, mounts, progress):
        self._session, self._repository, self._stop = session, repository, stop
        self._access = pushing(repository)
        self._digest, self._size = descriptor.digest, descriptor.size
        self._source, self._mounts, self._progress = source, mounts, progress
        self._what = "blob %s of %s" % (descriptor.digest, repository)
        self._place = ""    # where the registry wants the rest
        self._done = 0      # bytes that it has
        self._piece = None  # bytes that it takes at a time; None: no limit is known
        self._restarts = 0

    def run(self):
        if self._is_there():
            return THERE
        retries, failures = self._session.transport.retries, 0
        while True:
            before = self._done
            try:
                if not self._place and self._begin():
                    return MOUNTED
                if self._send() and self._finish():
                    return SENT
            except (ConnectionFailed, StorageRefused, _Again) as failure:
                error, wait = getattr(failure, "error", failure), getattr(failure, "wait", None)
                failures += 1
                if (failures >= retries.attempts or wait and wait > retries.max_wait
                        or not getattr(error, "transient", True)):
                    raise error from None
                self._session.transport.pause(max(wait or 0, retries.delay(failures)), self._stop)
                if self._is_there():  # it had all of it, and only its answer was lost
                    return SENT
                self._find_position()
                if self._done - before >= MIN_PROGRESS:
                    failures = 0

    def _is_there(self):
        try:
            self._ask("HEAD", self._session.url_in(self._repository, "blobs/%s" % str(self._digest)),
                      (200,)).close()
        except NotFound:
            return False
        self._progress(self._size)
        return True

    def _begin(self):
        """Begin an upload; return whether there is no need for one, since the blob was mounted."""
        from urllib.parse import urlencode
        url = self._session.url_in(self._repository, "blobs/uploads/")
        mounts, self._mounts = self._mounts, ()
        for source in mounts:
            query = urlencode([("mount", str(self._digest)), ("from", source)])
            try:
                with self._ask("POST", url + "?" + query, (201, 202), b"",
                               access=pushing(self._repository, source)) as response:
                    if response.status == 201:
                        self._progress(self._size)
                        return True
                    self._move(response)  # it will not, and has begun an upload
            except (AuthenticationError, NotFound):
                continue  # not for us to read: there is another way
            return False
        with self._ask("POST", url, (202,), b"") as response:
            self._move(response)
            self._limit(response.headers.get("OCI-Chunk-Min-Length", ""))
        return False

    def _move(self, response):
        target = response.headers.get("Location")
        if not target:
            raise RegistryError("%s does not say where to upload to" % self._session.endpoint.name)
        self._place = self._session.transport.resolve(response.url, target)

    def _limit(self, least):
        if self._piece is not None and least.isdecimal() and len(least) < 12:
            self._piece = max(self._piece, int(least))

    def _send(self):
        """Send what the last request does not take along; return whether that is left to do."""
        while self._size - self._done > (0 if self._done else SMALL):
            amount = min(self._size - self._done, self._piece or self._size)
            headers = {"Content-Type": "application/octet-stream", "Content-Length": str(amount)}
            if amount != self._size:
                headers["Content-Range"] = "%d-%d" % (self._done, self._done + amount - 1)
            with self._ask("PATCH", self._place, (202, 404, 413, 416), self._bytes(amount),
                           headers) as response:
                if response.status == 413 and amount > PIECE:
                    self._piece = PIECE
                    self._restart("takes only small pieces of %s")
                    return False
                if response.status in (404, 416):  # it has ended, or stands elsewhere
                    self._restart("does not go on with the upload of %s")
                    return False
                if response.status != 202:
                    raise self._refusal(response)
                before = self._done
                self._move(response)
                self._stand_at(response, before + amount)
                if self._done <= before:
                    self._restart("takes nothing of %s")
                    return False
        return True

    def _finish(self):
        """Say which blob it is; return whether the registry has it now."""
        from urllib.parse import quote
        place = "%s%sdigest=%s" % (self._place, "&" if "?" in self._place else "?",
                                   quote(str(self._digest), ""))
        rest = self._size - self._done
        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(rest)}
        with self._ask("PUT", place, (200, 201, 202, 400, 404, 416), self._bytes(rest), headers,
                       patience=PATIENCE) as response:
            if response.status == 400:
                refused = self._refusal(response)
                self._check_source()
                if self._restarts:
                    raise refused
                self._restart("refuses %s")
                return False
            if response.status in (404, 416):
                self._restart("does not go on with the upload of %s")
                return False
            claimed = response.headers.get("Docker-Content-Digest", str(self._digest)).strip()
            if claimed != str(self._digest):
                raise DigestMismatch("%s has stored %s as %s" % (
                    self._session.endpoint.name, self._what, printable(claimed)))
        self._progress(self._size)
        return True

    def _find_position(self):
        """After a failure: go on where the registry stands, or from the beginning."""
        if not self._place:
            return
        try:
            with self._ask("GET", self._place, (200, 202, 204)) as response:
                if response.headers.get("Location"):
                    self._move(response)
                self._stand_at(response, 0)
        except (RegistryError, NotFound):
            self._place, self._done = "", 0  # it cannot say

    def _stand_at(self, response, expected):
        """Go on after the bytes that the answer's ``Range`` tells; ``expected`` if it has none."""
        span = response.headers.get("Range", "").rpartition("=")[2]
        _, _, last = span.partition("-")
        if last.isdecimal() and len(last) < 20:
            # "0-0" is both one byte and, as docker's registry has it, none
            expected = int(last) + 1 if last != "0" else 0
        if expected > self._size:
            raise RegistryError("%s has more of %s than there is"
                                % (self._session.endpoint.name, self._what))
        self._done = expected
        self._progress(self._done)

    def _restart(self, complaint):
        self._restarts += 1
        if self._restarts > MAX_RESTARTS:
            raise RegistryError("%s %s" % (self._session.endpoint.name, complaint % self._what))
        self._place, self._done = "", 0
        self._progress(0)

    def _ask(self, method, url, accepted, body=None, headers=None, access=None, **more):
        """As Session.ask; _Again where it may succeed after a look at what the registry has."""
        attempts = self._session.transport.retries.attempts
        if method in ("PATCH", "PUT"):
            accepted, attempts = accepted + tuple(TRANSIENT_STATUSES), 1
        response = self._session.ask(access or self._access, method, url, self._what, headers,
                                     accepted, self._stop, body=body, attempts=attempts, **more)
        if response.status in TRANSIENT_STATUSES:
            with response:
                raise _Again(self._refusal(response), retry_after(
                    response.headers.get("Retry-After"), self._session.transport.clock()))
        return response

    def _refusal(self, response):
        return refusal(response, self._what, self._session.endpoint.name,
                       self._session.transport.clock())

    def _bytes(self, amount):
        """Return a function that gives the next ``amount`` bytes by the piece."""
        start = self._done

        def pieces():
            self._source.seek(start)
            sent, size = 0, MIN_CHUNK
            while sent < amount:
                if self._stop is not None and self._stop.is_set():
                    raise Stopped("stopped")
                try:
                    data = self._source.read(min(size, amount - sent))
                except OSError as error:  # not the network's, as it would seem to be from here
                    raise HostError("cannot read blob %s: %s" % (self._digest, error.strerror))
                if not data:
                    raise self._damaged()
                began = time.monotonic()
                yield data
                sent += len(data)
                self._progress(start + sent)
                if time.monotonic() - began < 0.1:
                    size = min(2 * size, CHUNK)
        return pieces

    def _check_source(self):
        """Raise CorruptData if it is our bytes that are wrong."""
        import hashlib
        hasher = hashlib.new(self._digest.algorithm)
        self._source.seek(0)
        for data in iter(lambda: self._source.read(CHUNK), b""):
            hasher.update(data)
        if hasher.hexdigest() != self._digest.hex or self._source.tell() != self._size:
            raise self._damaged()

    def _damaged(self):
        return CorruptData("blob %s is damaged here" % str(self._digest),
                           "'udocker verify' says more; pull or load the image again")
