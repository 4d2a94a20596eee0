"""Questions to a machine that may not answer.

A file system whose server is gone keeps whoever asks it, and no signal but the last one helps. So
each question is asked by a child process, which may be left behind.
"""

import os
from collections import namedtuple

from udocker.errors import UdockerError

#: Seconds that a question may take: a healthy file server answers in a fraction of one.
PATIENCE = 5
#: Seconds to wait for the end of a child that was killed; one that hangs in the kernel never ends.
_BURIAL = 0.5


class Unknown(namedtuple("Unknown", "reason")):
    """In place of an answer: why there is none (str)."""

    __slots__ = ()


class Once(object):
    """Another object, each of whose methods is called once at most for the same arguments.

    What came of that, a result or an UdockerError, is what every further call gives.
    """

    def __init__(self, inner):
        self._inner = inner
        self._outcomes = {}

    def __getattr__(self, name):
        method = getattr(self._inner, name)

        def call(*arguments):
            key = (name,) + arguments
            if key not in self._outcomes:
                try:
                    self._outcomes[key] = method(*arguments), None
                except UdockerError as error:
                    self._outcomes[key] = None, error
            result, error = self._outcomes[key]
            if error is not None:
                raise error
            return result
        return call


def ask(function, *arguments, **options):
    """Return what ``function(*arguments)`` returns (something that pickle takes), or Unknown.

    seconds (a keyword): how long that may take. Whatever the function changes is lost with the
    process that it runs in.
    """
    import pickle
    import signal
    seconds = options.get("seconds", PATIENCE)
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.setpgid(0, 0)
            os.close(reader)
            _answer(writer, function, arguments)
        finally:
            os._exit(0)
    os.close(writer)
    try:
        data = _read_until(reader, seconds)
    finally:
        os.close(reader)
        _kill_group(pid, signal.SIGKILL)
        _bury(pid)
    if data is None:
        return Unknown("no answer within %d seconds" % seconds)
    return pickle.loads(data) if data else Unknown("the process that asked was killed")


def _answer(writer, function, arguments):
    import pickle
    try:
        answer = function(*arguments)
    except UdockerError as error:
        answer = Unknown(error.message)
    except OSError as error:
        answer = Unknown((error.strerror or str(error)).lower())
    except BaseException as error:
        answer = Unknown("%s: %s" % (type(error).__name__, error))
    with os.fdopen(writer, "wb") as pipe:
        pipe.write(pickle.dumps(answer))


def _read_until(reader, seconds):
    """Return all that comes (bytes) until the end, or None where that takes too long."""
    import select
    import time
    deadline = time.monotonic() + seconds
    pieces = []
    while True:
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([reader], [], [], left)[0]:
            return None
        piece = os.read(reader, 1 << 16)
        if not piece:
            return b"".join(pieces)
        pieces.append(piece)


def _kill_group(pid, number):
    for kill in (os.killpg, os.kill):  # the group may not be there yet
        try:
            kill(pid, number)
        except OSError:
            pass


def _bury(pid):
    import time
    deadline = time.monotonic() + _BURIAL
    while os.waitpid(pid, os.WNOHANG) == (0, 0) and time.monotonic() < deadline:
        time.sleep(0.002)
