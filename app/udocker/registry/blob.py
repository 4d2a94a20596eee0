"""One blob from the wire to a file: measured and hashed on its way, resumed where it broke off."""

import time

from udocker.errors import DigestMismatch, HostError, RegistryError, SizeMismatch
from udocker.registry.failures import ConnectionFailed, StorageRefused

#: Bytes read, hashed and written at a time, at most: large enough that Python's own cost vanishes
#: and that hashing, which lets other threads run, takes a while.
CHUNK = 1024 * 1024
#: And at least: what comes over a slow line is shown, and kept if the line breaks, a little at a
#: time. A piece that took less than QUICK seconds makes the next one larger.
MIN_CHUNK = 64 * 1024
QUICK = 0.1
#: Bytes that make an interrupted attempt count as progress; a connection that breaks sooner, again
#: and again, is not one to wait for.
MIN_PROGRESS = 1024 * 1024
#: How often a blob is begun anew: the range is not honoured, the blob changed under its name.
MAX_RESTARTS = 2
#: Downloads of a blob whose bytes turned out to be others: a proxy's bad copy may be gone the
#: second time; the third would be the same as the second.
DIGEST_ATTEMPTS = 2


class BlobDownload(object):
    """Brings ``descriptor`` into ``sink``.

    ask (callable of dict): requests the blob with these headers; returns a Response with status
        200, 206 or 416, or raises.
    descriptor (Descriptor): the size and digest that the bytes must have.
    sink (binary file, seekable): what is in it already is taken for the beginning of the blob
        (and checked with the rest), which needs it readable too.
    pause (callable of seconds), retries (Retries).
    progress (callable of int, or None): told how many bytes are there; fewer after a restart.
    """

    def __init__(self, ask, descriptor, sink, pause, retries, progress=None):
        self._ask = ask
        self._size = descriptor.size
        self._digest = descriptor.digest
        self._sink = sink
        self._pause = pause
        self._retries = retries
        self._progress = progress or (lambda count: None)
        self._hash = None
        self._done = 0
        self._etag = ""
        self._restarts = 0

    def run(self):
        """Do it; the sink then holds the blob and nothing else, flushed.

        DigestMismatch or SizeMismatch leave the sink empty. After other errors it holds the part
        that came, from which another download may go on. HostError where the sink fails.
        """
        try:
            self._run()
        except OSError as error:  # those of the network have become RegistryErrors already
            raise HostError("cannot write blob %s: %s"
                            % (self._digest, error.strerror or "the file failed"))

    def _run(self):
        self._take_up()
        for attempt in range(1, DIGEST_ATTEMPTS + 1):
            try:
                self._fill()
                self._check()
                self._sink.flush()
                return
            except (DigestMismatch, SizeMismatch):
                self._reset()
                if attempt == DIGEST_ATTEMPTS:
                    raise

    def _take_up(self):
        """Hash what an earlier download left in the sink."""
        left = self._sink.seek(0, 2)
        self._reset(keep=0 < left <= self._size)
        while self._done < left <= self._size:
            data = self._sink.read(min(CHUNK, left - self._done))
            if not data:
                break
            self._hash.update(data)
            self._done += len(data)
        if self._done:
            self._progress(self._done)

    def _reset(self, keep=False):
        import hashlib
        self._hash = hashlib.new(self._digest.algorithm)
        self._done = 0
        self._etag = ""
        self._sink.seek(0)
        if not keep:
            self._sink.truncate()
            self._progress(0)

    def _fill(self):
        failures = 0
        while self._done < self._size:
            before = self._done
            try:
                with self._request() as response:
                    if not self._position(response):
                        continue
                    failure = self._copy(response)
            except StorageRefused as error:
                failure = error
            if failure is not None:
                failures = 1 if self._done - before >= MIN_PROGRESS else failures + 1
                if failures >= self._retries.attempts:
                    raise failure
                self._pause(self._retries.delay(failures))

    def _request(self):
        headers = {}
        if self._done:
            headers["Range"] = "bytes=%d-" % self._done
            if self._etag:
                headers["If-Range"] = self._etag
        return self._ask(headers)

    def _position(self, response):
        """Whether the body of ``response`` goes where the sink stands; else all begins anew."""
        etag = _strong(response.headers.get("ETag", ""))
        if response.status == 416:
            self._restart("does not have the range that is left of %s")
            return False
        if response.status == 206:
            start, total = _content_range(response.headers.get("Content-Range", ""))
            if (start != self._done or total not in (None, self._size)
                    or (self._etag and etag and etag != self._etag)):
                self._restart("sends another part of %s than was asked for")
                return False
        elif self._done:
            self._restart("does not resume %s")  # but it sends the whole: take it
        self._etag = etag
        expected = self._size - self._done
        if response.length not in (None, expected):
            raise SizeMismatch("the server sends %d bytes of %s, which has %d"
                               % (response.length, self._digest, expected))
        return True

    def _restart(self, complaint):
        self._restarts += 1
        if self._restarts > MAX_RESTARTS:
            raise RegistryError("the server " + complaint % str(self._digest))
        self._reset()

    def _copy(self, response):
        """Take the body as far as it comes; return the ConnectionFailed that ended it early."""
        amount = MIN_CHUNK
        while True:
            room = self._size - self._done
            began = time.monotonic()
            try:
                # at the end ask for one byte more, to see that there is none
                data = response.read(min(amount, room) or 1)
            except ConnectionFailed as error:
                return error
            if not data:
                break
            if len(data) > room:
                raise SizeMismatch("more than the %d bytes of %s came" % (self._size, self._digest))
            self._hash.update(data)
            self._write(data)
            self._done += len(data)
            self._progress(self._done)
            quick = time.monotonic() - began < QUICK
            amount = min(2 * amount, CHUNK) if quick else max(amount // 2, MIN_CHUNK)
        if self._done == self._size:
            return None
        if response.length is None and response.is_chunked:
            raise SizeMismatch("only %d bytes of %s came, which has %d"
                               % (self._done, self._digest, self._size))
        return ConnectionFailed("the connection broke off after %d of %d bytes of %s"
                                % (self._done, self._size, self._digest))

    def _write(self, data):
        view = memoryview(data)
        while view:  # an unbuffered file may take less than it is given
            view = view[self._sink.write(view):]

    def _check(self):
        if self._hash.hexdigest() != self._digest.hex:
            raise DigestMismatch(
                "what came for %s has the digest %s:%s"
                % (self._digest, self._digest.algorithm, self._hash.hexdigest()),
                "the server or something on the way changed it; nothing of it was kept")


def _strong(etag):
    """``etag`` if If-Range may carry it (RFC 9110, section 13.1.5), else ""."""
    return etag if len(etag) > 2 and etag[0] == etag[-1] == '"' else ""


def _content_range(value):
    """(start, total) of ``bytes START-END/TOTAL``; None for what is not there."""
    unit, _, rest = value.strip().partition(" ")
    span, _, total = rest.partition("/")
    start = span.partition("-")[0].strip()
    if unit.lower() != "bytes" or not start.isdecimal():
        return None, None
    return int(start), int(total) if total.strip().isdecimal() else None
