"""``udocker ps``: the containers on disk, and what became of them."""

import os
import re
import time

from udocker.cli import arguments_of
from udocker.cli.history import duration
from udocker.engine.choose import DEFAULT_MODE
from udocker.errors import InvalidValue, UdockerError, UsageError
from udocker.model.reference import ImageReference, printable, quoted
from udocker.store.labels import own_labels
from udocker.store.runs import newest, runs_of

#: docker's words for how a container is, of those that there are here.
CREATED, RUNNING, EXITED = "created", "running", "exited"
#: Fields for --format, with docker's headings; the last three are ours.
FIELDS = {"ID": "CONTAINER ID", "Image": "IMAGE", "Command": "COMMAND", "CreatedAt": "CREATED AT",
          "RunningFor": "CREATED", "Ports": "PORTS", "State": "STATE", "Status": "STATUS",
          "Size": "SIZE", "Names": "NAMES", "Labels": "LABELS", "Mounts": "MOUNTS",
          "Networks": "NETWORKS", "LocalVolumes": "LOCAL VOLUMES", "Platform": "PLATFORM",
          "Mode": "MODE", "Host": "HOST", "Pid": "PID"}
_TABLE = (r"table {{.ID}}\t{{.Image}}\t{{.Command}}\t{{.RunningFor}}\t{{.Status}}\t{{.Names}}")
#: Characters of a command that docker shows.
_COMMAND_WIDTH = 20


def ps(context, values, arguments):
    """List the containers that are on disk."""
    arguments_of("ps", arguments, 0, 0)
    wanted = Filters(values["filter"])
    found = [Listed(container) for container in context.containers.list()]
    found = [one for one in found if wanted.match(one)]
    if values["latest"]:
        values["last"] = "1"
    found = _last(found, values["last"])
    if values["quiet"]:
        for one in found:
            context.output.result(one.container.id)
    elif values["format"]:
        from udocker.cli.template import render
        rows = [one.row(not values["no_trunc"], values["size"]) for one in found]
        for line in render(values["format"], rows, FIELDS, _TABLE):
            context.output.result(line)
    else:
        _list(context, values, found)


def _list(context, values, found):
    """The table of 1.3.x, to which scripts are used."""
    shows_status = values["status"] or os.isatty(1)
    header = "%-36.36s %s %s " % ("CONTAINER ID", "P", "M")
    header += "%-3s " % "MOD" if values["mode"] else ""
    header += "%-6s " % "SIZE" if values["size"] else ""
    header += "%-18.18s " % "PLATFORM" if values["platform"] else ""
    header += "%-18s %-20s" % ("NAMES", "IMAGE")
    context.output.result(header + (" STATUS" if shows_status else ""))
    for one in found:
        container = one.container
        line = "%-36.36s %s %s " % (container.id, "P" if container.is_protected else ".",
                                    _access(container))
        if values["mode"]:
            line += "%2.2s " % (container.mode or DEFAULT_MODE)
        if values["size"]:
            from udocker.host.files import tree_size
            line += "%5.5s " % (tree_size(container.root) // (1024 * 1024))
        if values["platform"]:
            line += "%-18.18s " % one.platform()
        # the names as the Python list that scripts have learnt to read
        line += "%-18.100s %-20.100s" % (list(container.names) or "", printable(container.image))
        context.output.result(line + (" " + one.status() if shows_status else ""))


def timestamp(seconds):
    """Return ``seconds`` (float since the epoch, or None) as docker tells a time (RFC 3339)."""
    if seconds is None:
        return "0001-01-01T00:00:00Z"
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + ".%09dZ" % (seconds % 1 * 1e9)


class Listed(object):
    """A Container, and how it is."""

    def __init__(self, container):
        self.container = container
        self.run = newest(runs_of(container))

    @property
    def state(self):
        """CREATED, RUNNING or EXITED."""
        if self.run is None:
            return CREATED
        return EXITED if self.run.is_running is False else RUNNING

    @property
    def created(self):
        """When it was made (float: seconds since the epoch)."""
        for path in (self.container.path + "/container.json", self.container.path):
            try:
                return os.stat(path).st_ctime  # nothing writes that file again
            except OSError:
                continue
        return 0.0

    def status(self):
        """Return the state as people read it: ``running 3 minutes``."""
        if self.run is None:
            return CREATED
        passed = duration(time.time() - (self.run.ended or self.run.since))
        running = self.run.is_running
        if running:
            return "running %s" % passed
        if running is None:
            host = printable(self.run.process.host)
            return "running on %s %s" % (host, passed) if self.run.holds \
                else "started on %s %s ago" % (host, passed)
        if self.run.status is None:
            return "exited, started %s ago" % passed
        return "exited (%d) %s ago" % (self.run.status, passed)

    def docker_status(self):
        """Return the state as docker's own users read it: ``Up 3 minutes``."""
        state = self.state
        if state == EXITED:
            status = self.run.status
            return "Exited (%s) %s ago" % ("?" if status is None else status, duration(
                time.time() - (self.run.ended or self.run.since)))
        return "Up " + duration(time.time() - self.run.since) if state == RUNNING else "Created"

    def state_object(self):
        """Return the state as ``docker inspect`` has it (dict)."""
        run, state = self.run, self.state
        is_running = state == RUNNING
        status = run.status if run is not None else 0
        return {"Status": state, "Running": is_running, "Paused": False, "Restarting": False,
                "Pid": run.process.pid if is_running else 0,
                "ExitCode": 0 if status is None else status,
                "StartedAt": timestamp(run.since if run is not None else None),
                "FinishedAt": timestamp(run.ended if run is not None else None),
                "Host": run.process.host if is_running else ""}

    def labels(self):
        """Return its labels (dict), those of the image too."""
        labels = {}
        for read in (lambda: self.container.config().labels, lambda: own_labels(self.container)):
            try:
                labels.update(read())
            except UdockerError:
                pass  # damaged: it is listed all the same
        return labels

    def platform(self):
        try:
            return str(self.container.config().platform or "unknown")
        except UdockerError:
            return "unknown"

    def command(self):
        """Return what it ran last, or would run (tuple of str)."""
        if self.run is not None:
            return self.run.command
        try:
            config = self.container.config()
        except UdockerError:
            return ()
        return config.entrypoint + config.cmd

    def row(self, is_cut, shows_size):
        """Return the values of FIELDS (dict); is_cut (bool): short, as docker has it."""
        return {
            "ID": self.container.id, "Names": ",".join(self.container.names),
            "Image": self.container.image, "State": self.state, "Status": self.docker_status,
            "Command": lambda: '"%s"' % _cut(" ".join(self.command()), is_cut),
            "CreatedAt": lambda: time.strftime("%Y-%m-%d %H:%M:%S %z %Z",
                                               time.localtime(self.created)),
            "RunningFor": lambda: duration(time.time() - self.created) + " ago",
            "Labels": lambda: ",".join("%s=%s" % item for item in sorted(self.labels().items())),
            "Size": (lambda: _size(self.container)) if shows_size else "", "Ports": "",
            "Mounts": lambda: ",".join(bind["Source"] for bind in self.volumes()), "Networks": "host", "LocalVolumes": "0",
            "Platform": self.platform, "Mode": self.container.mode or DEFAULT_MODE,
            "Host": self.run.process.host if self.state == RUNNING else "",
            "Pid": self.run.process.pid if self.state == RUNNING else 0,
        }

    def volumes(self):
        """Return the volumes of what it ran last, as ``docker inspect`` has them (list of dict)."""
        binds = self.run.spec.get("binds") if self.run is not None else None
        return [{"Type": "bind", "Source": bind[0], "Destination": bind[1], "RW": not bind[2]}
                for bind in binds or () if isinstance(bind, list) and len(bind) > 2]


class Filters(object):
    """What --filter asks for: all of the keys, and of one key any (of labels all)."""

    def __init__(self, texts):
        """texts (sequence of ``KEY=VALUE``); UsageError, InvalidValue."""
        self._tests = {}
        for text in texts:
            key, equals, value = text.partition("=")
            if key not in _TESTS or not equals:
                raise UsageError("invalid --filter %s" % quoted(text),
                                 "KEY=VALUE, and KEY is one of %s" % ", ".join(sorted(_TESTS)))
            self._tests.setdefault(key, []).append(_TESTS[key](value))

    def match(self, one):
        """Whether ``one`` (Listed) is asked for."""
        return all((all if key == "label" else any)(test(one) for test in tests)
                   for key, tests in self._tests.items())


def _of_status(value):
    if value not in (CREATED, RUNNING, EXITED):
        raise UsageError("invalid --filter status=%s" % printable(value),
                         "one of %s, %s and %s" % (CREATED, RUNNING, EXITED))
    return lambda one: one.state == value


def _of_exited(value):
    if not value.isdecimal() or len(value) > 3:
        raise UsageError("invalid --filter exited=%s" % printable(value), "an exit status")
    return lambda one: one.state == EXITED and one.run.status == int(value)


def _of_name(value):
    try:
        pattern = re.compile(value)
    except re.error:
        raise UsageError("invalid --filter name=%s" % printable(value), "a regular expression")
    # docker's names begin with a slash, and so do patterns that people write for them
    return lambda one: any(pattern.search(name) or pattern.search("/" + name)
                           for name in one.container.names)


def _of_id(value):
    return lambda one: one.container.id.startswith(value)


def _of_label(value):
    key, equals, wanted = value.partition("=")
    return lambda one: key in one.labels() and (not equals or one.labels()[key] == wanted)


def _of_ancestor(value):
    wanted = ImageReference.parse(value)

    def test(one):
        try:
            image = ImageReference.parse(one.container.image)
        except InvalidValue:
            return False
        return image.name in wanted.spellings() and image.version == wanted.version
    return test


_TESTS = {"status": _of_status, "exited": _of_exited, "name": _of_name, "id": _of_id,
          "label": _of_label, "ancestor": _of_ancestor}


def _last(found, text):
    try:
        number = int(text)
    except ValueError:
        raise UsageError("invalid --last %s" % quoted(text), "a number of containers")
    if number < 0:
        return found
    return sorted(found, key=lambda one: -one.created)[:number]


def _cut(text, is_cut):
    return text[:_COMMAND_WIDTH - 1] + "\u2026" if is_cut and len(text) > _COMMAND_WIDTH else text


def _size(container):
    from udocker.host.files import tree_size
    return "%.1fMB" % (tree_size(container.root) / 1e6)


def _access(container):
    """1.3.x's column M: D (not a directory), N (not ours), W (writable), R (read-only)."""
    if not os.path.isdir(container.root):
        return "D"
    if os.stat(container.root).st_uid != os.getuid():
        return "N"
    return "W" if os.access(container.root, os.W_OK) else "R"
