"""How the fake registry takes what is pushed: OCI distribution, "Push"."""

import hashlib
import json
import os
from urllib.parse import parse_qs, urlsplit

from tests.fakes.images import digest_of


class Uploads(object):
    """The uploads of one FakeRegistry.

    location (callable of (base URL, path) that returns the Location to tell), mounts (bool),
    largest (int: bytes of a request body, more get 413; 0 for no limit), keeps (bool: what came
    before a connection broke).
    """

    def __init__(self):
        self.location = lambda base, path: path
        self.mounts, self.largest, self.keeps = True, 0, True
        self.open = {}  # id -> bytes
        self.mounted = []

    def expire(self):
        """Forget every upload, as if its time were over."""
        self.open.clear()

    def answer(self, registry, request, repository, rest):
        """Return (status, headers, error code) for a request of ``/blobs/uploads/<rest>``."""
        query = {key: values[0] for key, values in parse_qs(urlsplit(request.path).query).items()}
        place = "/v2/%s/blobs/uploads/" % repository
        if self.largest and len(request.body) > self.largest:
            return 413, {}, "SIZE_INVALID"
        if request.method == "POST":
            data = registry.blobs.get((query.get("from"), query.get("mount")))
            if data is not None and self.mounts:
                registry.add_blob(repository, data)
                self.mounted.append((query["from"], repository, query["mount"]))
                return 201, {"Location": "/v2/%s/blobs/%s" % (repository, query["mount"])}, ""
            rest = hashlib.sha256(os.urandom(16)).hexdigest()
            self.open[rest] = b""
        elif rest not in self.open:
            return 404, {}, "BLOB_UPLOAD_UNKNOWN"
        elif request.method in ("PATCH", "PUT"):
            start = request.headers.get("content-range", "").partition("-")[0]
            if start and int(start) != len(self.open[rest]):
                return 416, {"Location": place + rest, "Range": self._range(rest)}, "RANGE_INVALID"
            self.open[rest] += request.body
        if request.method == "PUT":
            data = self.open.pop(rest)
            if digest_of(data) != query.get("digest"):
                return 400, {}, "DIGEST_INVALID"
            registry.add_blob(repository, data)
            return 201, {"Docker-Content-Digest": digest_of(data),
                         "Location": "/v2/%s/blobs/%s" % (repository, digest_of(data))}, ""
        return (204 if request.method == "GET" else 202), {
            "Location": self.location(registry.url, place + rest), "Range": self._range(rest)}, ""

    def _range(self, rest):
        return "0-%d" % max(0, len(self.open[rest]) - 1)

    def part(self, path, data):
        """Take what came of a body before its connection broke."""
        rest = urlsplit(path).path.rpartition("/")[2]
        if self.keeps and rest in self.open:
            self.open[rest] += data


def lacking(registry, repository, body):
    """Return the digest of a blob that the manifest ``body`` names and ``repository`` lacks; "" for none."""
    document = json.loads(body.decode("utf-8"))
    blobs = [document["config"]] + document["layers"] if "layers" in document else []
    return next((blob["digest"] for blob in blobs
                 if (repository, blob["digest"]) not in registry.blobs), "")
