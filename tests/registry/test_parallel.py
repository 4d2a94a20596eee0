"""Several downloads at once, and how they end together."""

import os
import threading
import time

import pytest

from udocker.errors import DigestMismatch
from udocker.registry.failures import Stopped
from udocker.registry.parallel import Stop, each
from udocker.registry.retry import Retries
from tests.registry.support import client, described

BLOBS = [bytes([number]) * 3000000 for number in range(6)]


@pytest.fixture
def stocked(fake):
    for data in BLOBS:
        fake.add_blob("test", data)
    return fake


def test_results_come_in_the_order_of_the_items():
    threads = set()

    def work(item):
        threads.add(threading.current_thread())
        time.sleep(0.002 * (5 - item))
        return item * 2

    assert each(work, range(6), Stop(), workers=3) == [0, 2, 4, 6, 8, 10]
    assert 1 < len(threads) <= 3
    assert each(work, [], Stop()) == []


def test_blobs_are_downloaded_at_the_same_time(stocked, tmp_path):
    stocked.fault("/blobs/", delay=0.002)
    registry, stop = client(stocked.url), Stop()
    running, most = [], []

    def work(data):
        running.append(1)
        most.append(len(running))
        registry.blob("test", described(data), str(tmp_path / str(data[0])), stop=stop)
        running.pop()

    each(work, BLOBS, stop, workers=3)
    assert max(most) == 3
    for data in BLOBS:
        assert (tmp_path / str(data[0])).read_bytes() == data


def test_when_one_fails_for_good_those_that_wait_stop_promptly(stocked, tmp_path):
    """The others hang in recv: the server says nothing for a minute and the timeout is far away."""
    bad = str(described(BLOBS[0]).digest)
    stocked.fault(bad, flip=7)
    stocked.fault("/blobs/", delay=60)
    registry, stop = client(stocked.url), Stop()
    began = time.time()
    with pytest.raises(DigestMismatch):
        each(lambda data: registry.blob("test", described(data), str(tmp_path / str(data[0])), stop=stop),
             BLOBS[:4], stop)
    assert time.time() - began < 3
    assert len(stocked.asked("/blobs/")) <= 5


def test_a_failure_that_waits_for_its_next_try_stops_promptly(stocked, tmp_path):
    stocked.fault("/blobs/", status=503)
    patient = client(stocked.url, retries=Retries(5, 30, 30))
    stop = Stop()
    threading.Timer(0.1, stop.set).start()
    began = time.time()
    with pytest.raises(Stopped):
        patient.blob("test", described(BLOBS[0]), str(tmp_path / "blob"), stop=stop)
    assert time.time() - began < 3


def test_a_stop_leaves_what_came_for_the_next_time(stocked, tmp_path):
    path = str(tmp_path / "blob")
    stop = Stop()

    def progress(count):
        if count > 1000000:
            stop.set()

    with pytest.raises(Stopped):
        client(stocked.url).blob("test", described(BLOBS[1]), path, progress, stop)
    assert 1000000 < os.path.getsize(path) < len(BLOBS[1])
    client(stocked.url).blob("test", described(BLOBS[1]), path)
    assert "range" in stocked.requests[-1].headers
    with open(path, "rb") as stream:
        assert stream.read() == BLOBS[1]


def test_nothing_is_begun_after_a_stop(stocked):
    stop = Stop()
    stop.set()
    done = []
    each(done.append, [1, 2, 3], stop)
    assert done == []
    with pytest.raises(Stopped):
        client(stocked.url).manifest("test", "latest", stop)
    assert not stocked.requests


def test_what_is_registered_after_the_stop_is_broken_at_once():
    stop, broken = Stop(), []
    stop.set()
    with stop.breaking(lambda: broken.append(1)):
        pass
    assert broken == [1]
    stop.set()
    assert broken == [1], "it is not registered any more"


def test_an_interrupt_of_the_caller_stops_all(stocked, tmp_path):
    """As Ctrl-C has it: the exception comes in the main thread, which waits for the others."""
    import signal
    stocked.fault("/blobs/", delay=60)
    registry, stop = client(stocked.url), Stop()
    timer = threading.Timer(0.2, lambda: os.kill(os.getpid(), signal.SIGINT))
    timer.start()
    began = time.time()
    with pytest.raises(KeyboardInterrupt):
        each(lambda data: registry.blob("test", described(data), str(tmp_path / str(data[0])), stop=stop),
             BLOBS[:3], stop)
    assert stop.is_set() and time.time() - began < 5


def test_the_first_failure_is_the_one_that_is_raised():
    stop = Stop()

    def work(item):
        if item == 0:
            raise ValueError("the cause")
        stop.wait(5)
        raise Stopped("a consequence")

    with pytest.raises(ValueError, match="the cause"):
        each(work, range(4), stop, workers=4)
