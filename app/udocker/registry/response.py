"""An answer from a registry: its body is read by the piece, bounded, and never decoded."""

import os

from udocker.errors import CorruptData, RegistryError
from udocker.model.reference import printable
from udocker.registry.failures import ConnectionFailed, Stopped, connection_failure
from udocker.registry.parallel import Stop

#: Bytes of an unwanted body that are read so that its connection can be used again; past them a
#: new connection is cheaper.
MAX_DRAINED = 64 * 1024


class Response(object):
    """An answer whose body is still on the wire.

    status (int), headers (case does not matter), origin ((scheme, host, port) of who answered),
    url (str): what was asked in the end, after redirects; secrets (tuple of str): what was sent with
    that and must not be shown.
    """

    def __init__(self, raw, url, where, secrets=(), stop=None):
        self._raw = raw
        self._stop = stop or Stop()
        self.status = raw.status
        self.headers = raw.headers
        self.url, self.origin, self.secrets = url, where, secrets

    def read(self, amount):
        """Return the next bytes, at most ``amount`` and fewer only at the end; b"" at the end.

        ConnectionFailed when the connection breaks, Stopped when the Stop of the request is set.
        """
        from urllib3.exceptions import HTTPError
        failure = None
        with self._stop.breaking(self._break):
            try:
                data = self._raw.read(amount, decode_content=False)
            except (HTTPError, OSError, ValueError, AttributeError) as error:
                failure = connection_failure(error, "%s:%d" % self.origin[1:])
        if self._stop.is_set():
            raise Stopped("stopped")
        if failure is not None:
            raise failure from None
        return data or b""

    def read_up_to(self, limit):
        """Return the body, or its first ``limit`` bytes where it is longer."""
        parts, room = [], limit
        while room:
            data = self.read(room)
            if not data:
                break
            parts.append(data)
            room -= len(data)
        return b"".join(parts)

    def read_all(self, limit, what):
        """Return the whole body; CorruptData if it has more than ``limit`` bytes."""
        announced = self.length
        data = self.read_up_to(limit + 1) if (announced or 0) <= limit else b""
        if len(data) > limit or (announced or 0) > limit:
            raise CorruptData("%s is larger than the limit of %d bytes" % (printable(what), limit))
        if announced is not None and len(data) < announced:
            raise ConnectionFailed("%s broke off after %d of %d bytes"
                                   % (printable(what), len(data), announced))
        return data

    @property
    def length(self):
        """Bytes of the body as the server announces them; None where it does not."""
        value = self.headers.get("Content-Length", "")
        return int(value) if value.isdecimal() and len(value) < 20 else None

    @property
    def is_chunked(self):
        """Whether the body says itself where it ends, so that a short one is not a broken one."""
        return "chunked" in self.headers.get("Transfer-Encoding", "").lower()

    def discard(self):
        """Be done with the body, keeping the connection if that is cheap."""
        try:
            if (self.length or 0) <= MAX_DRAINED:
                self.read_up_to(MAX_DRAINED)
        except RegistryError:
            pass  # nobody wanted it
        self.close()

    def close(self):
        """Let go of the connection: kept where the body was read to its end, else closed."""
        if not self._raw.closed:
            self._raw.close()
        self._raw.release_conn()

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        self.close()

    def _break(self):
        """Wake the thread that waits in ``read``: the end of the stream has come for it."""
        import socket
        try:
            connection = socket.socket(fileno=os.dup(self._raw.fileno()))
        except (OSError, ValueError, AttributeError):
            return  # there is no connection any more, so nobody waits on it
        try:
            connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        finally:
            connection.close()
