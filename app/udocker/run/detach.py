"""A run without a terminal: in a session of its own, with a keeper that writes down what it says
and how it ends."""

import os
import select
import signal
import sys
import time

from udocker.errors import EngineError, HostError, UdockerError
from udocker.host.tree import host_error
from udocker.model.jsontext import dumps, loads
from udocker.run import end, supervise

_STARTED = b"."
#: Seconds that what was said before the end may take to arrive, where a pipe stays open.
_DRAINING = 1.0
_PIECE = 1 << 16


class Starting(object):
    """The way back to who waits for the start."""

    def __init__(self, fd):
        self._fd = fd

    def succeed(self):
        """The engine is about to be started; if that fails, ``fail`` comes after this."""
        os.write(self._fd, _STARTED)

    def fail(self, error):
        """error (UdockerError): why nothing was started."""
        if self._fd is not None:
            os.write(self._fd,
                     dumps([error.message, error.hint, error.exit_code]).encode("ascii"))

    def forget(self):
        """Close our end; that of an engine closes when it begins."""
        os.close(self._fd)
        self._fd = None


def away(work):
    """Call ``work(Starting)`` in a process without a terminal; return when its engine has started.

    UdockerError, if that has failed. ``work`` has our standard error until it calls ``keep``.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        _become_keeper(work, writer)
    os.close(writer)
    told = b""
    while True:
        piece = os.read(reader, _PIECE)
        if not piece:
            break
        told += piece
    os.close(reader)
    if not told:
        raise EngineError("the container could not be started: its keeper was ended")
    if told != _STARTED:
        message, hint, status = loads(told.lstrip(_STARTED))
        error = UdockerError(message, hint)
        error.exit_code = status
        raise error


def _become_keeper(work, writer):
    """Call ``work``; does not return."""
    starting = Starting(writer)
    try:
        os.setsid()
        null = os.open(os.devnull, os.O_RDWR)
        for fd in (0, 1):
            os.dup2(null, fd)
        _close_all_but(writer)
        work(starting)
    except UdockerError as error:
        _tell(starting, error)
    except OSError as error:
        _tell(starting, host_error(error))
    except BaseException as error:
        _tell(starting, UdockerError("internal error: %s: %s" % (type(error).__name__, error)))
    finally:
        os._exit(0)


def _tell(starting, error):
    try:
        starting.fail(error)
    except OSError:
        pass  # it has started, and whoever waited has gone


def _close_all_but(kept):
    """Close what we were given: a lock or a pipe of the shell is not to live as long as we do."""
    for name in os.listdir("/proc/self/fd"):
        if int(name) > 2 and int(name) != kept:
            try:
                os.close(int(name))
            except OSError:
                pass  # that of the listing itself


def begin(plan, recorder, starting):
    """Become the engine of ``plan`` (ExecutionPlan), with no one to talk to. Does not return."""
    starting.succeed()
    os.dup2(1, 2)
    supervise.replace_process(plan, recorder)


def keep(plan, recorder, log, container, starting):
    """Run ``plan`` (ExecutionPlan) to its end; return its exit status (int) as a shell tells it.

    log (store.log.LogWriter), container (Container), starting (Starting).
    """
    try:
        supervise.make_scratch(plan)
        return _keep(plan, recorder, log, container, starting)
    finally:
        supervise.remove_scratch(plan)


def _keep(plan, recorder, log, container, starting):
    supervise.adopt_orphans(plan)
    forwarded = (signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)
    signal.pthread_sigmask(signal.SIG_BLOCK, forwarded)
    out, err = os.pipe(), os.pipe()
    pid = os.fork()
    if pid == 0:
        _become_engine(plan, recorder, out[1], err[1], starting, forwarded)
    bury = supervise.forward(plan, pid, forwarded)
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
        signal.signal(number, signal.SIG_IGN)
    os.close(out[1])
    os.close(err[1])
    starting.forget()
    os.dup2(1, 2)
    os.chdir("/")  # a keeper is no reason for a file system to be busy
    _listen(pid, {out[0]: 0, err[0]: 1}, log, container, forwarded)
    return bury(recorder)


def _become_engine(plan, recorder, out, err, starting, blocked):
    try:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, blocked)
        os.dup2(out, 1)
        os.dup2(err, 2)
        try:
            supervise.become(plan, recorder, starting.succeed)
        except OSError as error:
            raise HostError("cannot write down in the container's directory what runs: %s"
                            % os.strerror(error.errno), "run it without --detach")
    except UdockerError as error:
        starting.fail(error)
    finally:
        os._exit(HostError.exit_code)


def _listen(pid, streams, log, container, blocked):
    """Write down what comes from ``streams`` ({descriptor: number}) until the child ``pid`` and all
    that it started have ended."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer)
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, blocked)
    poll = select.poll()
    for fd in list(streams) + [reader]:
        poll.register(fd, select.POLLIN)
    deadline = None
    while deadline is None or streams and time.monotonic() < deadline:
        if deadline is None and os.waitid(os.P_PID, pid,
                                          os.WEXITED | os.WNOWAIT | os.WNOHANG) is not None:
            deadline = time.monotonic() + _DRAINING
            try:
                end.end_rest(container)
            except HostError:
                pass  # a process that hangs: the run has ended all the same
            continue
        for fd, _ in poll.poll(None if deadline is None else 100):
            data = os.read(fd, _PIECE)
            if fd == reader:
                continue
            if data:
                log.write(streams[fd], data)
            else:
                poll.unregister(fd)
                del streams[fd]
