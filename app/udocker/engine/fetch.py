"""Files from a web server, each to a file here: a mirror's bundles and its list of them."""

import os

from udocker.errors import CorruptData, NotFound, RegistryError
from udocker.host import tree
from udocker.model.oci import Descriptor
from udocker.model.reference import Digest

_CHUNK = 1 << 20
#: Statuses by which a server says that it does not have a file.
_ABSENT = (404, 410)


class Fetcher(object):
    """Fetches by http and https."""

    def __init__(self, open_transport, output):
        """open_transport (function of a URL that returns a registry.transport.Transport),
        output (cli.output.Output, or what has its progress)."""
        self._open_transport = open_transport
        self._output = output

    def bundle(self, url, bundle, path):
        """Bring ``bundle`` (Bundle, with a digest) from ``url`` (str) to the file ``path`` (str).

        What ``path`` holds already is taken for its beginning. NotFound, RegistryError; after
        CorruptData the file is empty.
        """
        from udocker.registry.blob import BlobDownload
        transport = self._open_transport(url)

        def ask(headers):
            return self._ask(transport, url, headers,
                             (200, 206, 416) if "Range" in headers else (200,))

        wanted = Descriptor("", Digest("sha256", bundle.sha256), bundle.size, None, (), ())
        with open_private(path) as sink, self._output.progress(bundle.size) as meter:
            BlobDownload(ask, wanted, sink, transport.pause, transport.retries,
                         meter.of_blob()).run()

    def file(self, url, path, limit):
        """Bring the file at ``url`` (str), of at most ``limit`` bytes, to the file ``path`` (str)."""
        with self._ask(self._open_transport(url), url, {}, (200,)) as response:
            announced = response.length
            done = 0
            with open_private(path) as sink, self._output.progress(announced) as meter:
                report = meter.of_blob() or (lambda count: None)
                with tree.naming(path):
                    sink.truncate()  # of what cannot be verified no beginning is of use
                for data in iter(lambda: response.read(_CHUNK), b""):
                    done += len(data)
                    if done > limit:
                        raise CorruptData("it is larger than any bundle of engines")
                    with tree.naming(path):
                        write_all(sink, data)
                    report(done)
        if announced is not None and done < announced:
            raise RegistryError("it broke off after %d of %d bytes" % (done, announced))

    def document(self, url, limit):
        """Return the bytes, at most ``limit``, at ``url`` (str); RegistryError, CorruptData."""
        transport = self._open_transport(url)
        return transport.read(lambda: self._ask(transport, url, {}, (200,)), limit, url)[1]

    @staticmethod
    def _ask(transport, url, headers, accepted):
        response = transport.open("GET", url, headers)
        if response.status in accepted:
            return response
        response.close()
        if response.status in _ABSENT:
            raise NotFound("it is not there")
        raise RegistryError("it answers with status %d" % response.status)


def open_private(path):
    """Open the file ``path`` (str), made if need be, to read and write it unbuffered; HostError."""
    with tree.naming(path):
        return open(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600),
                    "r+b", buffering=0)


def write_all(file, data):
    """Write all of ``data`` (bytes) to the unbuffered ``file``, which may take less at a time."""
    view = memoryview(data)
    while view:
        view = view[file.write(view):]
