"""``udocker start``, ``restart``, ``stop``, ``kill``, ``wait`` and ``logs``: containers that run."""

import os
import signal
import time

from udocker.cli import arguments_of
from udocker.errors import InvalidValue, NotFound, Refused, UdockerError, UsageError
from udocker.model.reference import quoted
from udocker.store.runs import newest, open_run, read_record, runs_of

_MANY = 1 << 20
#: Seconds between two looks at what somebody else writes.
_SHORT_SLEEP, _LONG_SLEEP = 0.02, 0.5
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 24 * 3600}


def start(context, values, arguments):
    """Run again what a container ran last, or what its image says; print what it was called."""
    attached = values["attach"] or values["interactive"]
    arguments_of("start", arguments, 1, 1 if attached else _MANY)
    if attached:
        container = context.containers.find(arguments[0])
        if not values["interactive"]:
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        return _start(context, container, True)
    return _each(context, arguments, lambda container: _start(context, container))


def restart(context, values, arguments):
    """Stop containers, and start them."""
    seconds = _seconds(values["time"])
    arguments_of("restart", arguments, 1, _MANY)

    def again(container):
        _stop(container, values["signal"], seconds)
        _start(context, container)
    return _each(context, arguments, again)


def stop(context, values, arguments):
    """End all processes of containers."""
    seconds = _seconds(values["time"])
    arguments_of("stop", arguments, 1, _MANY)
    return _each(context, arguments,
                 lambda container: _stop(container, values["signal"], seconds))


def kill(context, values, arguments):
    """Send a signal to what containers run."""
    from udocker.run import end
    number = signal_number(values["signal"])
    arguments_of("kill", arguments, 1, _MANY)
    return _each(context, arguments, lambda container: end.send(container, number))


def wait(context, values, arguments):
    """Wait for the end of what containers run, and print the exit status of each."""
    arguments_of("wait", arguments, 1, _MANY)

    def statuses(container):
        context.output.result("%d" % _wait(container))
        context.output.flush()
    return _each(context, arguments, statuses, False)


def logs(context, values, arguments):
    """Print what a container has said while it ran detached, each stream where it belongs."""
    from udocker.cli.logs import Printer
    from udocker.store.log import LogReader
    (text,) = arguments_of("logs", arguments, 1, 1)
    container = context.containers.find(text)
    printer = Printer(values["timestamps"], moment(values["since"]), moment(values["until"]),
                      _tail(values["tail"]))
    reader = LogReader(container)
    if not reader.exists:
        raise NotFound("container %s has no log" % container.id,
                       "'udocker run -d' and 'udocker start' keep one")
    is_running = values["follow"] and _is_running(container)
    printer.begin(reader.lines())
    while is_running:
        time.sleep(_SHORT_SLEEP)
        is_running = _is_running(container)  # asked first: what it said last is read after that
        printer.go_on(reader.lines())


def signal_number(text):
    """Return the number (int) of the signal ``text`` (str: TERM, SIGTERM or 15); InvalidValue."""
    name = text.upper()
    name = name if name.startswith("SIG") else "SIG" + name
    if text.isdecimal() and len(text) < 4 and 0 < int(text) < signal.NSIG:
        return int(text)
    if name in ("SIG_IGN", "SIG_DFL", "SIG_BLOCK") or "_" in name or not hasattr(signal, name):
        raise InvalidValue("invalid signal %s" % quoted(text), "a name like TERM, or a number")
    return int(getattr(signal, name))


def moment(text):
    """Return the seconds since the epoch (float) that ``text`` says (str: a time as in RFC 3339, such
    seconds, or a duration like 1h30m before now); None for None; InvalidValue."""
    from udocker.store.log import parse_time
    if text is None:
        return None
    try:
        if text.replace(".", "", 1).isdecimal():
            return float(text)
        if text[-1:] in _UNITS and not text.startswith(("-", "+")) and "-" not in text:
            return time.time() - _duration(text)
        return parse_time(text)
    except (ValueError, OverflowError):
        raise InvalidValue("invalid time %s" % quoted(text),
                           "write it as 2025-01-31T12:00:00, or as 10m for ten minutes ago")


def _duration(text):
    total, number = 0.0, ""
    for character in text:
        if character in _UNITS:
            total += float(number) * _UNITS[character]
            number = ""
        else:
            number += character
    if number:
        raise ValueError(text)
    return total


def _each(context, arguments, work, says_name=True):
    """Do ``work`` with each container; go on after one with which that fails; return the status."""
    status = 0
    for text in arguments:
        try:
            work(context.containers.find(text))
            if says_name:
                context.output.result(text)
        except UdockerError as error:
            context.output.error(error.message, error.hint)
            status = error.exit_code
    return status


def _start(context, container, attached=False):
    from udocker.cli.exec import spec_of
    from udocker.cli.run import ready_for, recorder, start_away
    run = newest(runs_of(container))
    if run is not None and run.holds:
        if attached or run.is_running is None:
            raise Refused("container %s is running already%s" % (
                container.id, "" if run.is_running else " on " + run.process.host))
        return 0
    spec = spec_of(run)
    if not attached:
        start_away(context, lambda: ready_for(context, spec, container, True), spec, container)
        return 0
    from udocker.run import supervise
    plan = ready_for(context, spec, container)
    context.output.flush()
    return supervise.run(plan, recorder(context, plan, spec, container, has_keeper=True))


def _stop(container, name, seconds):
    from udocker.run import end
    end.stop(container, signal_number(name or _stop_signal(container)), seconds)


def _stop_signal(container):
    """Return what the image of ``container`` says (OCI image-spec, config.md, StopSignal)."""
    try:
        section = container.config().raw.get("config")
        name = section.get("StopSignal") if isinstance(section, dict) else None
        signal_number(name)
        return name
    except (UdockerError, AttributeError):
        return "TERM"


def _wait(container):
    run = newest(runs_of(container))
    if run is None:
        raise Refused("container %s has not been run yet" % container.id)
    fd = open_run(container, run)
    sleep = _SHORT_SLEEP
    while run is not None and run.is_running is not False:
        if run.is_running is None and run.keeper is None:
            raise Refused("container %s was started on %s, and nobody there waits for its end"
                          % (container.id, run.process.host), "'udocker run -d' waits")
        time.sleep(sleep)
        sleep = min(sleep * 1.5, _LONG_SLEEP)
        run = read_record(fd, run.name) if fd is not None else None
    if fd is not None:
        os.close(fd)
    if run is None or run.status is None:
        raise Refused("container %s has ended, and its exit status went to whoever started it"
                      % container.id, "that of 'udocker run -d' and 'udocker start' is kept")
    return run.status


def _is_running(container):
    run = newest(runs_of(container))
    return run is not None and run.holds


def _seconds(text):
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < 1e9:
        raise UsageError("invalid --time %s" % quoted(text), "a number of seconds")
    return seconds


def _tail(text):
    if text == "all" or text.startswith("-") and text[1:].isdecimal():
        return None
    if not text.isdecimal() or len(text) > 18:  # more lines than any file has
        raise UsageError("invalid --tail %s" % quoted(text), "a number of lines, or all")
    return int(text)
