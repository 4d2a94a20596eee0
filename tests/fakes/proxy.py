"""A small real HTTP proxy: passes requests on (http) and opens tunnels (https), and records both."""

import select
import socket
import threading
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, HTTPServer
from socketserver import ThreadingMixIn
from urllib.parse import urlsplit


class FakeProxy(object):
    """requests: list of (method, target, headers with lower-case names)."""

    def __init__(self):
        self.requests = []
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.proxy = self
        self.host = "127.0.0.1:%d" % self._server.server_address[1]
        self.url = "http://" + self.host
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingMixIn, HTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        pass


class _Handler(BaseHTTPRequestHandler):
    disable_nagle_algorithm = True

    def log_message(self, *args):
        pass

    def _record(self):
        self.server.proxy.requests.append(
            (self.command, self.path, {name.lower(): value for name, value in self.headers.items()}))

    def do_GET(self):
        self._record()
        parts = urlsplit(self.path)
        connection = HTTPConnection(parts.netloc, timeout=10)
        headers = {name: value for name, value in self.headers.items()
                   if name.lower() not in ("proxy-authorization", "connection")}
        connection.request("GET", parts.path + ("?" + parts.query if parts.query else ""),
                           headers=headers)
        answer = connection.getresponse()
        body = answer.read()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("server", "date", "connection"):
                self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
        connection.close()

    def do_CONNECT(self):
        self._record()
        name, _, port = self.path.partition(":")
        there = socket.create_connection((name, int(port)), 10)
        self.send_response(200)
        self.end_headers()
        self.wfile.flush()
        ends = {self.connection: there, there: self.connection}
        while True:
            ready, _, _ = select.select(list(ends), [], [], 10)
            for end in ready:
                data = end.recv(65536)
                if not data:
                    there.close()
                    self.close_connection = True
                    return
                ends[end].sendall(data)
