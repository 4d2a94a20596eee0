"""Programs that decompress, as child processes: from standard input to standard output.

A child ends with us whatever we die of: it writes into a pipe that nobody reads any more.
"""

import os

#: Bytes of the pipe that it writes into, where the kernel grants so many; 64 KiB is the usual, and
#: has both processes wait for each other all the time.
_PIPE_SIZE = 1 << 20
_F_SETPIPE_SZ = 1031  # fcntl.h
#: Seconds after which one that writes nothing has hung: it has a disk to wait for, nothing else.
_PATIENCE = 60
#: Seconds to wait for the thread that feeds one that was killed.
_BURIAL = 10


class Failed(Exception):
    """The program did not do it: it could not be started, failed, was killed, or hung."""


class Decoder(object):
    """One run of a program. Whoever made it closes it, in the same thread."""

    def __init__(self, argv, stdin, feed=None):
        """argv (sequence of str), stdin (int: descriptor of the data, which stays the caller's), or
        None and feed (iterable of bytes, which another thread goes through). Failed if it does not
        start.
        """
        import subprocess
        self._feeder = self._trouble = None
        try:
            self._process = subprocess.Popen(
                argv, stdin=subprocess.PIPE if stdin is None else stdin, stdout=subprocess.PIPE,
                stderr=subprocess.PIPE)
        except OSError as error:
            raise Failed("cannot start %s: %s" % (argv[0], os.strerror(error.errno).lower()))
        self._out = self._process.stdout.fileno()
        try:
            import fcntl
            fcntl.fcntl(self._out, _F_SETPIPE_SZ, _PIPE_SIZE)
        except OSError:
            pass  # the user has too many pipes; it works with a small one too
        if feed is not None:
            import threading
            self._feeder = threading.Thread(target=self._feed, args=(feed,), name="decoder")
            self._feeder.daemon = True
            try:
                self._feeder.start()
            except RuntimeError as error:  # "can't start new thread"
                self._feeder = None
                self.close()
                raise Failed(str(error))

    def chunks(self, size):
        """Yield what it writes, in bytes of ``size`` or a little less; Failed if it fails."""
        ready, there = [], 0
        while True:
            piece = self._read(size - there)
            if piece:
                ready.append(piece)
                there += len(piece)
            if there and (not piece or there > size // 2):
                yield ready[0] if len(ready) == 1 else b"".join(ready)
                ready, there = [], 0
            if not piece:
                break
        status = self._status()
        if self._feeder is not None:
            self._feeder.join()
        if self._trouble is not None:
            raise self._trouble
        if status:
            said = self._process.stderr.read(4096).decode("utf-8", "replace").strip()
            raise Failed((said.splitlines() or ["status %d" % status])[-1])

    def kill(self):
        """End it, from another thread; its reader gets Failed."""
        try:
            self._process.kill()
        except ProcessLookupError:
            pass  # it has just ended; Python before 3.9 does not look

    def close(self):
        """End it, and let nothing remain of it."""
        self.kill()
        self._process.wait()
        if self._feeder is not None:
            self._feeder.join(_BURIAL)  # it may hang in a read
        for stream in (self._process.stdout, self._process.stderr):
            stream.close()

    def _status(self):
        import subprocess
        try:
            return self._process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            raise Failed("does not end")

    def _read(self, size):
        import select
        poll = select.poll()
        poll.register(self._out, select.POLLIN)
        if not poll.poll(_PATIENCE * 1000):
            raise Failed("writes nothing for %d seconds" % _PATIENCE)
        return os.read(self._out, size)

    def _feed(self, feed):
        try:
            for data in feed:
                self._process.stdin.write(data)
        except BrokenPipeError:
            pass  # the program will say why
        except Exception as error:  # of the source: it belongs to the other thread
            self._trouble = error
        finally:
            try:
                self._process.stdin.close()
            except OSError:
                pass
