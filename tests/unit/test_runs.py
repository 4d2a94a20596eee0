"""Records of runs, logs, and what is asked of both: values, and files that mean no harm or do."""

import io
import json
import os
import resource
import signal
import time

import pytest

from tests.fakes import hosts
from udocker.cli.live import moment, signal_number
from udocker.cli.logs import Printer
from udocker.cli.ps import Filters
from udocker.cli.run import spec_from
from udocker.cli.options import find_command, parse_command
from udocker.errors import HostError, InvalidValue, UsageError
from udocker.host import processes
from udocker.host.processes import Process, descendants, place, process
from udocker.store import runs
from udocker.store.labels import add_labels, own_labels, parse_labels
from udocker.store.log import LogReader, LogWriter, parse_line, parse_time

HERE = list(process(os.getpid()))
#: No process has this number.
NOBODY = 999999999
RECORD = {"container": hosts.CONTAINER.id, "kind": "run", "keeper": None, "mode": "P1",
          "instance": "i", "state": "", "uid": 0, "command": ["sh"], "spec": {}, "process": HERE, "since": 1000.5}


@pytest.fixture
def container(tmp_path):
    return hosts.CONTAINER._replace(path=str(tmp_path))


def record(end=b"", **changes):
    return json.dumps(dict(RECORD, **changes)).encode() + b"\n" + end


def run(**changes):
    return runs.parse_record(record(**changes), "n")


# Records

def test_a_record_says_what_was_started_and_how_it_ended():
    parsed = runs.parse_record(record(b'{"status":7,"ended":2000.0}\n'), "n")
    assert parsed.process == tuple(HERE) and parsed.command == ("sh",) and parsed.since == 1000.5
    assert (parsed.status, parsed.ended) == (7, 2000.0) and parsed.is_running is False
    unfinished = runs.parse_record(record(b'{"status":7,"ended":'), "n")
    assert unfinished.status is None and unfinished.is_running is True


NO_RECORDS = [
    b"", b"\n", b"\n\n\n", b"{}\n", b"[]\n", b"null\n", b"\xff\xfe\n", b"\0" * 100 + b"\n",
    record()[:-1], record()[:-9] + b"\n", record(process=None), record(process=[]),
    record(process=HERE[:3] + ["7", "1"]), record(process=HERE[:3] + [1, "1"]),
    record(process=HERE[:3] + [-1, "1"]), record(process=[None] * 5), record(keeper="x"),
    record(since="now"), record(mode=1), record(command=[1]), record(command=None),
    record(spec=[]), record(uid="0"), record(b"[1]\n"), record(b'{"status":"7"}\n'),
    b"[" * 100000 + b"\n"]


@pytest.mark.parametrize("data", NO_RECORDS, ids=[str(n) for n in range(len(NO_RECORDS))])
def test_what_is_no_record_is_none(data):
    assert runs.parse_record(data, "n") is None


@pytest.mark.parametrize("changes, expected", [
    ({}, True),
    ({"process": HERE[:3] + [NOBODY, "1"]}, False),
    ({"process": HERE[:4] + ["1"]}, False),  # its number was given to another process
    ({"process": [HERE[0], "before"] + HERE[2:]}, False),  # started again since
    ({"process": ["elsewhere"] + HERE[1:]}, None),
    ({"process": HERE[:2] + ["pid:[1]"] + HERE[3:]}, None),
    ({"process": HERE[:3] + [NOBODY, "1"], "keeper": HERE}, True),  # about to write down the end
    ({"process": HERE[:3] + [NOBODY, "1"], "keeper": HERE[:3] + [NOBODY, "1"]}, False),
])
def test_who_runs(changes, expected):
    assert run(**changes).is_running is expected


def test_a_signal_goes_to_no_other_process():
    assert Process(*(HERE[:4] + ["1"])).send(signal.SIGKILL) is False
    assert Process(*(HERE[:3] + [NOBODY, "1"])).send(signal.SIGKILL) is False
    assert Process(*(["elsewhere"] + HERE[1:])).send(signal.SIGKILL) is False
    assert Process(*HERE).send(0) is True


def test_who_ran_in_a_namespace_that_is_no_more_is_dead(monkeypatch):
    there = Process(*(HERE[:2] + ["pid:[1]"] + HERE[3:]))
    assert there.is_alive is None
    monkeypatch.setattr(processes, "_INITIAL", HERE[2])  # as if all others descended from ours
    assert there.is_alive is False and Process(*HERE).is_alive is True


def test_children_are_found():
    import subprocess
    child = subprocess.Popen(["sleep", "60"])
    try:
        assert process(child.pid) in descendants([os.getpid()])
    finally:
        child.kill()
        child.wait()
    assert process(child.pid).is_alive is not True


def test_the_newest_tells_how_a_container_is():
    dead = {"process": HERE[:3] + [NOBODY, "1"]}
    older, later, alive = run(since=1, **dead), run(since=2, **dead), run(since=0)
    elsewhere = run(since=0, process=["elsewhere"] + HERE[1:], keeper=["elsewhere"] + HERE[1:])
    assert runs.newest([]) is None
    assert runs.newest([older, later]) == later
    assert runs.newest([older._replace(status=1, ended=3), later]).status == 1
    assert runs.newest([older, alive, later, elsewhere]) == alive
    assert runs.newest([older, elsewhere, later]) == elsewhere
    assert runs.newest([run(kind="exec")]) is None


def test_a_recorder_writes_the_end_and_forgets_the_dead(container):
    def recorder():
        return runs.Recorder(container, {key: value for key, value in RECORD.items()
                                         if key not in ("process", "since")})
    first = recorder()
    pid = os.fork()
    if pid == 0:
        first.begin()
        os._exit(3)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    first.end(pid, 3)
    os.waitpid(pid, 0)
    (ended,) = runs.runs_of(container)
    assert (ended.status, ended.process.pid) == (3, pid)
    second = recorder()
    second.begin()
    (there,) = runs.runs_of(container)
    assert there.process == tuple(HERE) and there.is_running
    directory = os.path.join(container.path, runs.DIRECTORY)
    assert [os.stat(os.path.join(directory, name)).st_mode & 0o077
            for name in os.listdir(directory)] == [0] and os.stat(directory).st_mode & 0o077 == 0


def test_records_that_are_not_ours_or_harmful_are_passed_by(container, tmp_path):
    directory = tmp_path / runs.DIRECTORY
    directory.mkdir()
    outside = tmp_path / "outside"
    outside.write_bytes(record())
    (directory / "a.1.2.link").symlink_to(outside)
    (directory / "a.1.2.dangling").symlink_to("nothing")
    os.mkfifo(str(directory / "a.1.2.fifo"))
    (directory / "a.1.2.dir").mkdir()
    with open(str(directory / "a.1.2.huge"), "wb") as file:
        file.truncate(runs.MAX_RECORD + 1)
    (directory / "a.1.2.text").write_bytes(b"\xff\0\n")
    (directory / "log").write_bytes(record())
    (directory / "a.1.2.copied").write_bytes(record(container="of another one"))
    (directory / "a.1.2.good").write_bytes(record())
    assert [one.name for one in runs.runs_of(container)] == ["a.1.2.good"]
    directory.rename(tmp_path / "moved")
    directory.symlink_to(tmp_path / "moved")
    assert runs.runs_of(container) == []


def test_a_record_of_another_host_is_forgotten_when_nobody_can_tell_its_end(container, tmp_path):
    (tmp_path / runs.DIRECTORY).mkdir()
    elsewhere = ["elsewhere"] + HERE[1:]
    for name, keeper, since in (("old", None, 1), ("kept", elsewhere, 1), ("new", None, time.time())):
        (tmp_path / runs.DIRECTORY / ("elsewhere.1.2." + name)).write_bytes(
            record(process=elsewhere, keeper=keeper, since=since))
    assert [one.name[-4:].strip(".2") for one in runs.runs_of(container)] == ["kept", "new"]
    assert len(os.listdir(str(tmp_path / runs.DIRECTORY))) == 2


def test_a_spec_is_what_it_was_after_it_was_written_down():
    values, argv = parse_command(find_command("run"), [
        "-v", "/a:/b:ro", "-v", "/c", "-e", "A=1", "-e", "HOST", "-e", "GONE", "-u", "5:6", "-w", "/w",
        "-p", "80:81/udp", "--entrypoint=a b", "--hostname=h", "--bindhome", "--novol=/dev", "--nometa",
        "--cpuset-cpus=0-1", "c", "sh", "\udc80"])
    spec = spec_from(values, argv[1:])
    written = json.loads(json.dumps(spec.to_object({"HOST": "here"})))
    empty = spec_from(parse_command(find_command("run"), [])[0], [])
    assert empty.updated(written) == spec._replace(
        env=(("A", "1"), ("HOST", "here"), ("GONE", "")))
    assert empty.updated({"of_a_later_version": 1}) == empty
    for damaged in ({"binds": [["/a"]]}, {"binds": 5}, {"user": []}, {"env": ["x"]}):
        with pytest.raises(InvalidValue):
            empty.updated(damaged)


# Logs

def text_of(container, stream=None):
    return b"".join(line.text + (b"\n" if line.is_whole else b"")
                    for line in LogReader(container).lines() if stream in (None, line.stream))


def test_streams_and_parts_of_lines_come_back_as_they_were(container):
    log = LogWriter(container)
    log.write(0, b"one\ntw")
    log.write(1, b"\xff\0 err")
    log.write(0, b"o\n\n")
    log.write(0, b"x" * 50000 + b"\nend")
    assert text_of(container, 0) == b"one\ntwo\n\n" + b"x" * 50000 + b"\nend"
    assert text_of(container, 1) == b"\xff\0 err"


def test_a_log_has_a_limit_and_a_reader_follows_it(container):
    log = LogWriter(container, limit=2000)
    other = LogWriter(container, limit=2000)
    reader = LogReader(container)
    seen = []
    for number in range(300):
        (log if number % 2 else other).write(0, b"line %d\n" % number)
        if number % 20 == 0:
            seen += [line.text for line in reader.lines()]
    seen += [line.text for line in reader.lines()]
    assert seen == [b"line %d" % number for number in range(300)]
    directory = os.path.join(container.path, runs.DIRECTORY)
    assert sorted(os.listdir(directory)) == ["log", "log.1"]
    assert sum(os.path.getsize(os.path.join(directory, name)) for name in ("log", "log.1")) < 5000
    kept = [line.text for line in LogReader(container).lines()]
    assert kept == seen[-len(kept):] and len(kept) > 30


def test_a_log_that_was_removed_begins_anew(container):
    log = LogWriter(container)
    log.write(0, b"before\n")
    os.unlink(os.path.join(container.path, runs.DIRECTORY, "log"))
    log.write(0, b"after\n")
    assert text_of(container) == b"after\n"


def test_what_does_not_fit_on_a_disk_is_lost_and_that_is_told(container):
    log = LogWriter(container)
    log.write(0, b"fits\n")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))  # SIGXFSZ is ignored by Python
    try:
        log.write(0, b"x" * 2000 + b"\n")
        log.write(1, b"y" * 2000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    log.write(0, b"again\n")
    assert text_of(container, 0) == b"fits\nagain\n"
    assert text_of(container, 1) == (b"udocker: 2001 bytes were lost: the log could not be written\n"
                                     b"udocker: 2000 bytes were lost: the log could not be written\n")


def test_a_log_that_is_a_link_is_not_written_through(container, tmp_path):
    (tmp_path / runs.DIRECTORY).mkdir()
    (tmp_path / runs.DIRECTORY / "log").symlink_to(tmp_path / "precious")
    with pytest.raises(HostError) as caught:
        LogWriter(container)
    assert ".runs" in str(caught.value) and not (tmp_path / "precious").exists()
    (tmp_path / runs.DIRECTORY / "log").unlink()
    (tmp_path / runs.DIRECTORY).rmdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / runs.DIRECTORY).symlink_to("elsewhere")
    with pytest.raises(HostError):
        LogWriter(container)
    assert os.listdir(str(tmp_path / "elsewhere")) == [] and not LogReader(container).exists


@pytest.mark.parametrize("raw", [b"", b"x", b"t stdout F", b"t stdin F x", b"t stdout X x", b"\xff"])
def test_what_is_no_line_of_a_log_is_none(raw):
    assert parse_line(raw) is None


@pytest.mark.parametrize("text, seconds", [
    ("1970-01-01T00:00:10Z", 10), ("1970-01-01T00:00:10.5Z", 10.5),
    ("1970-01-01T01:00:10+01:00", 10), ("1969-12-31T23:00:10.25-01:00", 10.25),
    ("1970-01-02T00:00Z", 86400), ("1970-01-02Z", 86400),
    ("2024-02-29T12:00:00.123456789Z", 1709208000.123456789)])
def test_times(text, seconds):
    assert parse_time(text) == pytest.approx(seconds)


def test_moments():
    assert moment(None) is None and moment("12.5") == 12.5
    assert moment("1h30m") == pytest.approx(time.time() - 5400, abs=5)
    assert moment("1970-01-01T00:00:10Z") == 10
    for text in ("", "yesterday", "10x", "1h3", "-5m", "12:00", "2024-13-01", "m", "1970-01-01T00:00:1xZ"):
        with pytest.raises(InvalidValue):
            moment(text)


@pytest.mark.parametrize("text, number", [("TERM", 15), ("SIGTERM", 15), ("term", 15), ("9", 9),
                                          ("USR1", 10)])
def test_signals(text, number):
    assert signal_number(text) == number


@pytest.mark.parametrize("text", ["", "0", "65", "-9", "NONSENSE", "SIG_IGN", "_DFL", "TERM\n", "MASK",
                                  "9" * 5000])
def test_what_is_no_signal(text):
    with pytest.raises(InvalidValue):
        signal_number(text)


def shown(container, **how):
    outputs = io.BytesIO(), io.BytesIO()
    options = dict({"timestamps": False, "since": None, "until": None, "tail": None}, **how)
    Printer(outputs=outputs, **options).begin(LogReader(container).lines())
    return outputs[0].getvalue(), outputs[1].getvalue()


def test_what_is_shown_of_a_log(container):
    log = LogWriter(container)
    log.write(0, b"a\nb")
    log.write(1, b"e\n")
    log.write(0, b"b\nc\nrest")
    assert shown(container) == (b"a\nbb\nc\nrest", b"e\n")
    assert shown(container, tail=2) == (b"c\nrest", b"")
    assert shown(container, tail=4) == (b"bb\nc\nrest", b"e\n")
    assert shown(container, tail=0) == (b"", b"")
    out, err = shown(container, timestamps=True, tail=1)
    assert out.endswith(b"Z rest") and out.count(b"Z ") == 1 and out.startswith(b"20")
    now = time.time()
    assert shown(container, since=now + 60) == shown(container, until=now - 60) == (b"", b"")
    assert shown(container, since=now - 60, until=now + 60) == shown(container)


# Filters and labels

class Listed(object):
    state = "exited"
    run = run(process=HERE[:3] + [NOBODY, "1"])._replace(status=7)

    def __init__(self, names=("web-1",), image="ubuntu:22.04", labels=None):
        self.container = hosts.CONTAINER._replace(names=names)
        self.container_image = image
        self._labels = labels or {"a": "1", "b": ""}

    def labels(self):
        return self._labels


@pytest.mark.parametrize("texts, expected", [
    ([], True), (["status=exited"], True), (["status=running"], False),
    (["status=running", "status=exited"], True), (["exited=7"], True), (["exited=0"], False),
    (["name=web"], True), (["name=^/web-1$"], True), (["name=^eb"], False), (["id=1111"], True),
    (["id=2"], False), (["label=a"], True), (["label=a=1"], True), (["label=a=2"], False),
    (["label=a", "label=c"], False), (["label=a", "name=x"], False)])
def test_filters(texts, expected):
    assert Filters(texts).match(Listed()) is expected


@pytest.mark.parametrize("text", ["", "exited=" + "9" * 5000, "status", "status=", "status=up", "colour=red", "name=(",
                                  "exited=x", "=x"])
def test_filters_that_are_none(text):
    with pytest.raises(UsageError):
        Filters([text])


def test_labels(container, tmp_path):
    (tmp_path / "file").write_text("# comment\n\nfrom=file\na=file\n")
    labels = parse_labels(["a=1=2", "b"], [str(tmp_path / "file")])
    assert labels == {"from": "file", "a": "1=2", "b": ""}
    add_labels(container, labels)
    add_labels(container, {"b": "later", "\u00e4": "\udc80"})
    assert own_labels(container) == dict(labels, b="later", **{"\u00e4": "\udc80"})
    for text in ("", "=x", "a b=c"):
        with pytest.raises(InvalidValue):
            parse_labels([text], [])
    with pytest.raises(InvalidValue):
        parse_labels([], [str(tmp_path / "missing")])
    assert place()[0] == HERE[0]
