"""A small real registry: OCI distribution over a real socket, with faults to order.

    with FakeRegistry() as registry:
        registry.add("some/thing", "latest", image([layer({...})]))
        registry.fault("/blobs/", cut=1000, times=1)
        ... registry.host, registry.url, registry.requests ...

As a program: ``python3 tests/fakes/registry.py --port 5000 --layout DIR --repository NAME`` serves
the tags of an OCI layout.
"""

import gzip
import json
import os
import socket
import ssl
import sys
import threading
from collections import namedtuple
from http.server import BaseHTTPRequestHandler, HTTPServer
from socketserver import ThreadingMixIn
from urllib.parse import parse_qs, urlsplit

if __name__ == "__main__":  # as a program: the folder with ``tests`` is not on the path then
    sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
from tests.fakes.faults import NO_FAULT, make_fault
from tests.fakes.images import digest_of, manifests
from tests.fakes.listings import catalog
from tests.fakes.uploads import Uploads, lacking

PIECE = 64 * 1024

#: What was asked: headers is a dict with lower-case names.
Request = namedtuple("Request", "method path headers body")


class FakeRegistry(object):
    """auth (None, or one of tests.fakes.logins), certificate ((certificate, key) paths: speak TLS),
    page (int): the most tags given at a time; 0 for all."""

    def __init__(self, auth=None, certificate=None, page=0, port=0, address="127.0.0.1", name=None):
        self.auth, self.page = auth, page
        self.manifests, self.blobs, self.tags = {}, {}, {}
        self.files = {}  # path -> bytes: anything else that is to be served, without any login
        self.requests, self.faults = [], []
        self.uploads, self.index = Uploads(), None
        self.lists = True  # whether there is a catalogue
        self.connections = 0
        self.lock = threading.Lock()
        self._server = _Server((address, port), _Handler)
        self._server.registry = self
        self._server.context = None
        if certificate:
            self._server.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._server.context.load_cert_chain(*certificate)
        self.port = self._server.server_address[1]
        self.host = "%s:%d" % (name or address, self.port)
        self.url = ("https://" if certificate else "http://") + self.host
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def add(self, repository, tag, thing):
        """Serve ``thing`` (images.Image or ImageIndex) as ``repository:tag``."""
        for data, media_type in manifests(thing):
            self.add_manifest(repository, None, data, media_type)
        self.add_manifest(repository, tag, thing.manifest, thing.media_type)
        for data in thing.blobs.values():
            self.add_blob(repository, data)

    def add_manifest(self, repository, tag, data, media_type):
        digest = digest_of(data)
        self.manifests[repository, digest] = (data, media_type)
        if tag:
            self.tags.setdefault(repository, {})[tag] = digest
        return digest

    def add_blob(self, repository, data):
        self.blobs[repository, digest_of(data)] = data
        return digest_of(data)

    def fault(self, match, times=None, **what):
        """Do ``what`` wrong for paths that contain ``match``: see ``make_fault``."""
        self.faults.append(make_fault(match, times, **what))

    def take_fault(self, request):
        with self.lock:
            for position, fault in enumerate(self.faults):
                if fault.match not in request.path or fault.times == 0:
                    continue
                if fault.only_range and "range" not in request.headers:
                    continue
                if fault.only_login and "authorization" not in request.headers:
                    continue
                if fault.method not in (None, request.method):
                    continue
                if fault.times is not None:
                    self.faults[position] = fault._replace(times=fault.times - 1)
                return fault
        return NO_FAULT

    def asked(self, match):
        """The requests whose path contains ``match``."""
        with self.lock:
            return [request for request in self.requests if match in request.path]

    def close(self):
        if not self._thread.is_alive():
            return
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        self.close()


class _Server(ThreadingMixIn, HTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def get_request(self):
        connection, address = self.socket.accept()
        connection.settimeout(20)
        self.registry.connections += 1
        if self.context:
            # the handshake is done by the handler's thread, when it first reads
            connection = self.context.wrap_socket(connection, server_side=True,
                                                  do_handshake_on_connect=False)
        return connection, address

    def server_bind(self):
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)  # without HTTPServer's look-up of our own name
        self.server_address = self.socket.getsockname()

    def handle_error(self, request, client_address):
        pass  # clients that hang up or do not trust us are what many tests are about


_KINDS = ("/manifests/", "/blobs/uploads/", "/blobs/", "/tags/list")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *args):
        pass

    def handle(self):
        if not self.server.context and self.connection.recv(1, socket.MSG_PEEK) == b"\x16":
            return  # somebody tries TLS: hang up, as other servers do
        BaseHTTPRequestHandler.handle(self)

    def do_GET(self):
        request = Request(self.command, self.path,
                          {name.lower(): value for name, value in self.headers.items()}, b"")
        registry = self.server.registry
        fault = registry.take_fault(request)
        if fault.wait:
            threading.Event().wait(fault.wait)
        if fault.cut_request is not None:
            size = min(fault.cut_request, int(self.headers.get("Content-Length") or 0))
            registry.uploads.part(self.path, self.rfile.read(size))
            with registry.lock:
                registry.requests.append(request)
            return self._hang_up()
        request = request._replace(body=self._request_body())
        with registry.lock:
            registry.requests.append(request)
        if fault.status:
            return self._send(fault, fault.status, fault.body, dict(fault.headers))
        path = urlsplit(request.path).path
        if path in registry.files:
            data = registry.files[path]
            return self._blob(fault, request, data, {}, '"%s"' % digest_of(data))
        if path == "/token":
            status, document = registry.auth.answer(request)
            return self._json(fault, status, document)
        if registry.index is not None and path in ("/v2/search/repositories", "/v1/search"):
            return self._json(fault, 200, registry.index.answer(registry.url, request))
        if path.rstrip("/") in ("/v2", "/v2/_catalog"):
            return self._top(registry, fault, request, path)
        return self._repository(registry, fault, request, path)

    def _request_body(self):
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = b""
        while True:
            size = int(self.rfile.readline().split(b";")[0], 16)
            body += self.rfile.read(size)
            self.rfile.readline()
            if not size:
                return body

    do_HEAD = do_POST = do_PUT = do_PATCH = do_GET

    def _top(self, registry, fault, request, path):
        """What belongs to no repository."""
        if self._refused(registry, fault, request, "", "catalog" if "catalog" in path else ""):
            return None
        if "catalog" not in path:
            return self._json(fault, 200, {})
        if not registry.lists:
            return self._error(fault, 404, "NOT_FOUND", "no such page")
        return self._json(fault, 200, *catalog(registry, request))

    def _refused(self, registry, fault, request, repository, action):
        """Ask for a login where there is none that allows ``action``; return whether it was asked."""
        sent = request.headers.get("authorization")
        if registry.auth is None or registry.auth.allows(sent, repository, action):
            return False
        self._error(fault, 401, "UNAUTHORIZED", "authentication required", {
            "WWW-Authenticate": registry.auth.header(registry, repository,
                                                     "invalid_token" if sent else "")})
        return True

    def _hang_up(self):
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def _repository(self, registry, fault, request, path):
        kind = next((kind for kind in _KINDS if kind in path), "")
        if not path.startswith("/v2/") or not kind:
            return self._error(fault, 404, "NOT_FOUND", "no such page")
        repository, _, rest = path[len("/v2/"):].partition(kind)
        is_push = request.method in ("POST", "PUT", "PATCH") or kind == "/blobs/uploads/"
        if self._refused(registry, fault, request, repository, "push" if is_push else "pull"):
            return None
        if is_push:
            return self._push(registry, fault, request, repository, kind, rest)
        if kind == "/tags/list":
            return self._tags(registry, fault, request, repository)
        if kind == "/manifests/":
            digest = registry.tags.get(repository, {}).get(rest, rest)
            data, media_type = registry.manifests.get((repository, digest), (None, None))
        else:
            digest, media_type = rest, "application/octet-stream"
            data = registry.blobs.get((repository, digest))
        if data is None:
            return self._error(fault, 404, "UNKNOWN", "unknown to \x1b[31mthis\x1b[0m registry")
        headers = {"Content-Type": fault.content_type or media_type,
                   "Docker-Content-Digest": fault.lie or digest}
        headers = {name: value for name, value in headers.items() if value != "none"}
        if kind == "/blobs/":
            return self._blob(fault, request, data, headers, '"%s"' % digest)
        return self._send(fault, 200, data, headers)

    def _blob(self, fault, request, data, headers, etag):
        headers["ETag"] = etag = fault.etag or etag
        headers["Accept-Ranges"] = "bytes"
        wanted = request.headers.get("range", "")
        if not wanted.startswith("bytes=") or fault.ignore_range:
            return self._send(fault, 200, data, headers)
        if request.headers.get("if-range", etag) != etag:
            return self._send(fault, 200, data, headers)
        start = int(wanted[len("bytes="):].split("-")[0])
        if start >= len(data) or fault.refuse_range:
            return self._send(fault, 416, b"", {"Content-Range": "bytes */%d" % len(data)})
        if fault.wrong_range:
            start += 1
        headers["Content-Range"] = "bytes %d-%d/%d" % (start, len(data) - 1, len(data))
        return self._send(fault, 206, data[start:], headers)

    def _tags(self, registry, fault, request, repository):
        names = sorted(registry.tags.get(repository, {}))
        if not names:
            return self._error(fault, 404, "NAME_UNKNOWN", "repository name not known to registry")
        last = parse_qs(urlsplit(request.path).query).get("last", [""])[0]
        names = [name for name in names if name > last]
        headers = {}
        if registry.page and len(names) > registry.page:
            names = names[:registry.page]
            headers["Link"] = '</v2/%s/tags/list?last=%s&n=%d>; rel="next"' % (
                repository, names[-1], registry.page)
        headers.update(dict(fault.headers))
        return self._json(fault, 200, {"name": repository, "tags": names}, headers)

    def _push(self, registry, fault, request, repository, kind, rest):
        if kind == "/blobs/uploads/":
            status, headers, code = registry.uploads.answer(registry, request, repository, rest)
            headers.update(dict(fault.headers))
            if code:
                return self._error(fault, status, code, code.lower(), headers)
            return self._send(fault, status, b"", headers)
        missing = lacking(registry, repository, request.body)
        if missing:
            return self._error(fault, 400, "MANIFEST_BLOB_UNKNOWN", "unknown blob " + missing)
        digest = registry.add_manifest(repository, rest if ":" not in rest else None, request.body,
                                       request.headers.get("content-type", ""))
        return self._send(fault, 201, b"", {"Docker-Content-Digest": digest, "Location": self.path})

    def _error(self, fault, status, code, message, headers=()):
        self._json(fault, status, {"errors": [{"code": code, "message": message}]}, dict(headers))

    def _json(self, fault, status, document, headers=()):
        headers = dict(headers, **{"Content-Type": fault.content_type or "application/json"})
        self._send(fault, status, fault.body or json.dumps(document).encode("ascii"), headers)

    def _send(self, fault, status, data, headers):
        """Everything leaves through here, so that every fault works for every answer."""
        if fault.encode:
            data = gzip.compress(data)
            headers["Content-Encoding"] = "gzip"
        if fault.flip is not None and data:
            flipped = bytearray(data)
            flipped[fault.flip] ^= 1
            data = bytes(flipped)
        data = data[:len(data) - fault.short] + fault.extra
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if fault.chunked:
            self.send_header("Transfer-Encoding", "chunked")
        elif fault.endless:
            self.send_header("Connection", "close")
        else:
            self.send_header("Content-Length", str(len(data) + fault.announce))
        self.end_headers()
        if self.command == "HEAD":
            return
        self._body(fault, data)
        if fault.cut is not None or fault.announce or fault.endless:
            self.wfile.flush()
            self._hang_up()

    def _body(self, fault, data):
        whole = data if fault.cut is None else data[:fault.cut]
        pieces = [whole[start:start + PIECE] for start in range(0, len(whole), PIECE)]
        stop = threading.Event()
        while True:
            for piece in pieces or ([b" " * PIECE] if fault.endless else []):
                if fault.delay:
                    stop.wait(fault.delay)
                if fault.chunked:
                    piece = b"%x\r\n%s\r\n" % (len(piece), piece)
                self.wfile.write(piece)
            if not fault.endless:
                break
        if fault.chunked and fault.cut is None:
            self.wfile.write(b"0\r\n\r\n")


def load_layout(registry, folder, repository):
    """Serve the tags of the OCI layout in ``folder`` as ``repository``."""
    blobs = os.path.join(folder, "blobs", "sha256")
    for name in os.listdir(blobs):
        with open(os.path.join(blobs, name), "rb") as stream:
            data = stream.read()
        registry.add_blob(repository, data)
        if data[:1] == b"{" and len(data) < 4 << 20:
            document = json.loads(data.decode("utf-8"))
            if document.get("schemaVersion") == 2:
                registry.add_manifest(repository, None, data, document.get("mediaType") or (
                    "application/vnd.oci.image.%s.v1+json"
                    % ("index" if "manifests" in document else "manifest")))
    with open(os.path.join(folder, "index.json")) as stream:
        for entry in json.load(stream)["manifests"]:
            tag = (entry.get("annotations") or {}).get("org.opencontainers.image.ref.name", "latest")
            registry.tags.setdefault(repository, {})[tag] = entry["digest"]


def main():
    import argparse
    parser = argparse.ArgumentParser(description="serve the images of an OCI layout")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--layout")
    parser.add_argument("--repository", default="test")
    options = parser.parse_args()
    with FakeRegistry(port=options.port) as registry:
        if options.layout:
            load_layout(registry, options.layout, options.repository)
        print(registry.url, flush=True)
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            pass


if __name__ == "__main__":
    main()
