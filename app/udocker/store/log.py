"""What a detached run says: ``containers/<id>/.runs/log``, and ``log.1`` with what is older.

The format is that of the container runtime interface (CRI), which collectors of logs know: a line
``TIME stdout|stderr F|P TEXT``, P where the text goes on in the next one of its stream.
"""

import calendar
import errno
import os
import stat
import time
from collections import namedtuple

from udocker.host import tree
from udocker.store.runs import DIRECTORY

#: Bytes of each of the two files: together they are what one container can fill of a quota.
LIMIT = 16 * 1024 * 1024
#: Bytes of text in one line of a log: a stream without ends of lines is cut there, as docker does.
MAX_TEXT = 16 * 1024
#: The files in the directory of runs.
_NEW, _OLD = "log", "log.1"
STREAMS = (b"stdout", b"stderr")
_WRITE = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC

#: time (bytes: RFC 3339), stream (0 or 1), is_whole (bool: the line ends here), text (bytes).
Line = namedtuple("Line", "time stream is_whole text")


class LogWriter(object):
    """Appends to the log of one container; several may do so at once."""

    def __init__(self, container, limit=LIMIT):
        """container (Container), limit (int: bytes of each file). HostError if it cannot be opened."""
        path = os.path.join(container.path, DIRECTORY)
        self._limit, self._lost = limit, 0
        self._directory = self._fd = None
        with tree.naming(path):
            try:
                os.mkdir(path, 0o700)
            except FileExistsError:
                pass
            self._directory = os.open(path, tree.LIST)
            self._open()

    def close(self):
        """Nothing more is written."""
        os.close(self._fd)
        os.close(self._directory)

    def write(self, stream, data):
        """Write down ``data`` (bytes) of ``stream`` (0: stdout, 1: stderr).

        Where that is not possible it is lost, and the log says how much, when it is again: whoever
        wrote it is not to be held up or ended by a full disk.
        """
        if self._lost:
            note = b"udocker: %d bytes were lost: the log could not be written\n" % self._lost
            if not self._append(_lines(1, note)):
                self._lost += len(data)
                return
            self._lost = 0
        if not self._append(_lines(stream, data)):
            self._lost += len(data)

    def _append(self, lines):
        try:
            status = os.fstat(self._fd)
            if status.st_nlink == 0 or status.st_size > self._limit:
                self._turn(status)
            written = os.write(self._fd, lines)
            if written < len(lines):
                # no part of a line is to stay: what comes next has to begin one
                os.ftruncate(self._fd, os.fstat(self._fd).st_size - written)
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError:
            return False
        return True

    def _turn(self, status):
        """Begin a new file, unless another writer has done so already, or somebody removed ours."""
        try:
            there = os.stat(_NEW, dir_fd=self._directory, follow_symlinks=False)
            if (there.st_dev, there.st_ino) == (status.st_dev, status.st_ino):
                os.rename(_NEW, _OLD, src_dir_fd=self._directory, dst_dir_fd=self._directory)
        except FileNotFoundError:
            pass
        self._open()

    def _open(self):
        fd = os.open(_NEW, _WRITE, 0o600, dir_fd=self._directory)
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            os.close(fd)
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        if self._fd is not None:
            os.close(self._fd)
        self._fd = fd


def _lines(stream, data):
    now = time.time()
    head = b"%s.%09dZ %s " % (time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)).encode("ascii"),
                              int(now % 1 * 1e9), STREAMS[stream])
    lines = []
    for text in data.split(b"\n"):
        while len(text) > MAX_TEXT:
            lines.append(b"%sP %s\n" % (head, text[:MAX_TEXT]))
            text = text[MAX_TEXT:]
        lines.append(b"%sF %s\n" % (head, text))
    last = text  # what follows the last end of a line: nothing, or the start of one
    lines.pop()
    if last:
        lines.append(b"%sP %s\n" % (head, last))
    return b"".join(lines)


def parse_line(raw):
    """Return the Line that ``raw`` (bytes, without its end) says, None if it is none."""
    fields = raw.split(b" ", 3)
    if len(fields) != 4 or fields[1] not in STREAMS or fields[2] not in (b"F", b"P"):
        return None
    return Line(fields[0], STREAMS.index(fields[1]), fields[2] == b"F", fields[3])


class LogReader(object):
    """The log of one container, from its beginning, and then what comes to it."""

    def __init__(self, container):
        """container (Container)."""
        self._fd = self._older = self._directory = None
        self._rest = b""
        try:
            self._directory = os.open(os.path.join(container.path, DIRECTORY), tree.LIST)
        except OSError:
            return
        self._older = self._open(_OLD)
        self._fd = self._open(_NEW)

    @property
    def exists(self):
        """Whether there was anything to be read when this was made."""
        return self._fd is not None or self._older is not None

    def lines(self):
        """Yield the Lines that were not yet read; call it again for those that came since."""
        if self._older is not None:
            for line in self._read(self._older):
                yield line
            os.close(self._older)
            self._older, self._rest = None, b""
        while True:
            if self._fd is None:
                self._fd = self._open(_NEW)
            if self._fd is None:
                return
            for line in self._read(self._fd):
                yield line
            if not self._was_turned():
                return
            for line in self._read(self._fd):  # what came before it was
                yield line
            os.close(self._fd)
            self._fd, self._rest = None, b""

    def _was_turned(self):
        status = os.fstat(self._fd)
        try:
            there = os.stat(_NEW, dir_fd=self._directory, follow_symlinks=False)
        except FileNotFoundError:
            return False
        return (there.st_dev, there.st_ino) != (status.st_dev, status.st_ino)

    def _read(self, fd):
        while True:
            piece = os.read(fd, 1 << 16)
            if not piece:
                return
            lines = (self._rest + piece).split(b"\n")
            self._rest = lines.pop()
            for raw in lines:
                line = parse_line(raw)
                if line is not None:
                    yield line

    def _open(self, name):
        if self._directory is None:
            return None
        try:
            fd = os.open(name, _READ, dir_fd=self._directory)
        except OSError:
            return None
        if stat.S_ISREG(os.fstat(fd).st_mode):
            return fd
        os.close(fd)
        return None


def parse_time(text):
    """Return the seconds since the epoch (float) of an RFC 3339 time in ``text`` (str); ValueError.

    What is left out at its end is zero; without a zone it is the local time.
    """
    moment, offset = text, None
    if text[-1:] in ("Z", "z"):
        moment, offset = text[:-1], 0
    elif len(text) > 6 and text[-6] in "+-" and text[-3] == ":" and "T" in text:
        hours, minutes = int(text[-5:-3]), int(text[-2:])
        moment, offset = text[:-6], (hours * 60 + minutes) * (60 if text[-6] == "+" else -60)
    moment, _, fraction = moment.partition(".")
    if fraction and not fraction.isdigit():
        raise ValueError(text)
    for form in ("%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d"):
        try:
            parsed = time.strptime(moment, form)
            break
        except ValueError:
            continue
    else:
        raise ValueError(text)
    seconds = time.mktime(parsed) if offset is None else calendar.timegm(parsed) - offset
    return seconds + (float("0." + fraction) if fraction else 0.0)
