"""What runs in a container, on disk: ``containers/<id>/.runs/``, a small file for each run.

Nobody serves these files: whoever starts a run writes one, and whoever reads it looks whether that
process is still there (docs/adr/0007-runs.md). The first line of a record is what was started, and
it appears whole or not at all; the second, where somebody waited for the end, is the end.

Starting a container imports this module: it imports nothing that Python has not loaded already.
"""

import errno
import os
import stat
import time
from collections import namedtuple

from udocker.host import tree
from udocker.host.processes import Process, is_alive, place, start_of
from udocker.model.jsontext import dumps, loads

#: In the container's directory.
DIRECTORY = ".runs"
#: What is run: the container, or one more command in it.
RUN, EXEC = "run", "exec"
#: Bytes of a record: a command line and its environment are 2 MiB at most on most systems.
MAX_RECORD = 4 * 1024 * 1024
#: Seconds after which a record of another host is nobody's, unless somebody waits for its end: no
#: batch system lets a job run for longer.
FORGOTTEN = 60 * 24 * 3600
_TEMPORARY = ".tmp-"
_APPEND = os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


class Run(namedtuple("Run", "name container kind process keeper since mode instance state uid command spec "
                            "status ended")):
    """A run of a container.

    name (str: of its record), container (str: id), kind (str: RUN or EXEC), process (Process: the engine), keeper
    (Process of ours that waits for its end, or None), since (float: seconds since the epoch),
    mode (str), instance, state (str: how an OCI runtime calls it, and where it keeps that), uid
    (int: inside), command (tuple of str), spec (dict, as in the record), status (int, None while it
    is not known), ended (float or None).
    """

    __slots__ = ()

    @property
    def is_running(self):
        """True, False, or None where that cannot be seen from here: it is of another host."""
        if self.status is not None:
            return False
        alive = self.process.is_alive
        if alive is False and self.keeper is not None:
            return self.keeper.is_alive  # which is about to write down the end
        return alive

    @property
    def holds(self):
        """Whether it is taken to run: here, or on another host where somebody waits for its end. One
        that nobody waits for may have ended there without a word."""
        alive = self.is_running
        return self.keeper is not None if alive is None else alive

    @property
    def whereabouts(self):
        """What is known of it on another host (str), to follow the name of its container."""
        return "%s on %s" % ("runs" if self.holds else "was started, and may still run,",
                             self.process.host)


class Recorder(object):
    """Writes the record of one run."""

    def __init__(self, container, document):
        """container (Container), document (dict: kind, mode, instance, state, uid, command, spec, and
        keeper: whether there is one, namely who calls this)."""
        self._path = os.path.join(container.path, DIRECTORY)
        self._token = os.urandom(4).hex()
        self._here = place()
        self._document = document
        document["container"] = container.id  # a copy of the directory is not what runs
        if document["keeper"]:
            document["keeper"] = self._process(os.getpid())

    def begin(self):
        """Write down that this process is the run, and forget those that have ended; OSError."""
        pid = os.getpid()
        document = dict(self._document, process=self._process(pid), since=time.time())
        data = (dumps(document) + "\n").encode("ascii")
        try:
            directory = os.open(self._path, tree.LIST)
        except FileNotFoundError:
            os.mkdir(self._path, 0o700)
            directory = os.open(self._path, tree.LIST)
        try:
            temporary = _TEMPORARY + self._token
            fd = os.open(temporary, tree.CREATE, 0o600, dir_fd=directory)
            try:
                if os.write(fd, data) < len(data):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                os.rename(temporary, self._name(pid), src_dir_fd=directory,
                          dst_dir_fd=directory)
            except OSError:
                os.unlink(temporary, dir_fd=directory)
                raise
            finally:
                os.close(fd)
            self._forget_dead(directory, pid)
        finally:
            os.close(directory)

    def end(self, pid, status):
        """Write down that the run, which had the number ``pid`` (int), ended with ``status`` (int).

        It is to be a zombie still, so that nobody takes its record for an old one meanwhile.
        """
        line = '{"status":%d,"ended":%r}\n' % (status, time.time())
        try:
            fd = os.open(os.path.join(self._path, self._name(pid)), _APPEND)
            try:
                os.write(fd, line.encode("ascii"))
            finally:
                os.close(fd)
        except OSError:
            pass  # there is no record, or no space for more: the status is our caller's in any case

    def _process(self, pid):
        return self._here + (pid, start_of(pid) or "?")

    def _name(self, pid):
        host, _, namespace = self._here
        return "%s.%s.%d.%s" % (host.replace("/", "_"),
                                "".join(c for c in namespace if c.isdigit()), pid, self._token)

    def _forget_dead(self, directory, pid):
        """Remove records of this host whose process is gone: this one takes their place."""
        mine = self._name(pid)
        ours = mine.rsplit(".", 2)[0] + "."
        for name in os.listdir("/proc/self/fd/%d" % directory):
            pid = name.split(".")[-2] if name.startswith(ours) and name != mine else ""
            if pid.isdigit() and not is_alive(int(pid)):
                _unlink(name, directory)


def runs_of(container):
    """Return the Runs (list) that are written down for ``container`` (Container), the newest last.

    What is no record of ours is none; what killed processes have left is removed.
    """
    try:
        directory = os.open(os.path.join(container.path, DIRECTORY), tree.LIST)
    except OSError:
        return []
    try:
        found = []
        for name in os.listdir("/proc/self/fd/%d" % directory):
            if name.startswith(_TEMPORARY):
                _remove_old(name, directory)
                continue
            fd = open_record(name, directory) if name.count(".") > 2 else None
            if fd is not None:
                run = read_record(fd, name)
                os.close(fd)
                if run is not None and _is_forgotten(run):
                    _unlink(name, directory)
                elif run is not None and run.container == container.id:
                    found.append(run)
    finally:
        os.close(directory)
    return sorted(found, key=lambda run: run.since)


def newest(runs):
    """Return the Run of kind RUN that tells how the container is: the newest that runs here, else
    on another host, else the last that is known of; None where there was none."""
    def rank(run):
        return 2 if run.is_running else 1 if run.holds else 0, run.ended or run.since
    return max((run for run in runs if run.kind == RUN), key=rank, default=None)


def open_run(container, run):
    """Return a descriptor of the record of ``run`` (Run), which can be read even when the container
    has been removed; None if it has gone."""
    try:
        directory = os.open(os.path.join(container.path, DIRECTORY), tree.LIST)
    except OSError:
        return None
    try:
        return open_record(run.name, directory)
    finally:
        os.close(directory)


def open_record(name, directory):
    """Return a descriptor of record ``name`` (str) in directory ``directory`` (a descriptor), None
    where there is none of ours: what others wrote makes us do nothing."""
    try:
        fd = os.open(name, _READ, dir_fd=directory)
    except OSError:
        return None
    status = os.fstat(fd)
    if stat.S_ISREG(status.st_mode) and status.st_uid == os.geteuid() \
            and status.st_size <= MAX_RECORD:
        return fd
    os.close(fd)
    return None


def read_record(fd, name):
    """Return the Run of the record open as ``fd``, None where it is none. ``name`` (str): its own."""
    data = b""
    while len(data) <= MAX_RECORD:
        piece = os.pread(fd, MAX_RECORD, len(data))
        if not piece:
            return parse_record(data, name)
        data += piece
    return None


def parse_record(data, name):
    """Return the Run that ``data`` (bytes) says; None if that is no record."""
    lines = data.split(b"\n")  # what stands after the last end of a line is not whole
    try:
        start = loads(lines[0]) if len(lines) > 1 else {}
        end = loads(lines[1]) if len(lines) > 2 else {}
        run = Run(name, start["container"], start["kind"], _process(start["process"]),
                  _process(start["keeper"]) if start["keeper"] else None, float(start["since"]),
                  start["mode"], start["instance"], start["state"], start["uid"],
                  tuple(start["command"]), start["spec"], end.get("status"), end.get("ended"))
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        return None
    texts = (run.kind, run.mode, run.instance, run.state) + run.command
    numbers = (run.uid, run.status or 0, run.ended or 0)
    if all(isinstance(text, str) for text in texts) and isinstance(run.spec, dict) \
            and all(isinstance(number, (int, float)) for number in numbers):
        return run
    return None


def _process(fields):
    host, boot, namespace, pid, started = fields
    if not all(isinstance(text, str) for text in (host, boot, namespace, started)) \
            or not isinstance(pid, int) or pid < 2:
        raise ValueError("no process")
    return Process(host, boot, namespace, pid, started)


def _is_forgotten(run):
    return run.keeper is None and run.since < time.time() - FORGOTTEN and run.is_running is None


def _remove_old(name, directory):
    try:
        if os.stat(name, dir_fd=directory, follow_symlinks=False).st_mtime < time.time() - 24 * 3600:
            _unlink(name, directory)
    except OSError:
        pass


def _unlink(name, directory):
    try:
        os.unlink(name, dir_fd=directory)
    except OSError:
        pass  # somebody else was faster, or may do it
