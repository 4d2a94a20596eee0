"""What is in a layer: read it once, check all of it, and tell how to name it."""

import hashlib
from collections import namedtuple

from udocker.host.compress import DEFAULT_LIMITS, Blob
from udocker.host.tar import Reader
from udocker.model.reference import Digest

#: digest (Digest) and size (int) of the bytes as they are; diff_id (Digest) of what they unpack to.
Content = namedtuple("Content", "digest size diff_id")


def check_layer(stream, digest="sha256", diff_id="sha256", report=None):
    """Read the layer in ``stream`` (binary file) to its end and return its Content.

    CorruptData if it is no tar archive, compressed or not, or damaged; UnsafeLayer past a limit.
    digest, diff_id (str): the algorithms. report: called, if given, with the bytes read so far.
    """
    hashed = _Hashed(stream, hashlib.new(digest), report)
    unpacked = hashlib.new(diff_id)

    def chunks():
        for chunk in Blob(hashed):
            unpacked.update(chunk)
            yield chunk

    reader = Reader(chunks(), DEFAULT_LIMITS.members)
    for _ in reader:
        pass
    reader.drain()
    return Content(Digest(digest, hashed.hasher.hexdigest()), hashed.size,
                   Digest(diff_id, unpacked.hexdigest()))


class _Hashed(object):
    """A stream that is hashed while it is read."""

    def __init__(self, stream, hasher, report):
        self.hasher, self.size = hasher, 0
        self._stream, self._report = stream, report
        self.name = getattr(stream, "name", None)

    def read(self, size):
        data = self._stream.read(size)
        self.hasher.update(data)
        self.size += len(data)
        if self._report is not None:
            self._report(self.size)
        return data
