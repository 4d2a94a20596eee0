"""Several at once, and all of them stopped when one has failed for good."""

import threading
from contextlib import contextmanager

#: Downloads at once. docker and its kin take three to six: enough to hide the round trips of one
#: registry, few enough not to be a nuisance to it.
WORKERS = 4

#: Seconds for which a failed pull waits for its other threads. They are woken, so this is only
#: ever used up by a file system that hangs.
PATIENCE = 10


class Stop(object):
    """A request to stop, which also wakes those who wait on the network.

    A thread in the middle of ``recv`` does not look at a flag, so whoever is about to wait
    registers, with ``breaking``, how the wait can be broken.
    """

    def __init__(self):
        self._event = threading.Event()
        self._lock = threading.Lock()
        self._breakers = []

    def is_set(self):
        return self._event.is_set()

    def wait(self, seconds):
        """Wait ``seconds``, or less when the stop comes; return whether it has come."""
        return self._event.wait(seconds)

    def set(self):
        """Stop everyone: from here on ``is_set`` is true, and who waits is woken."""
        self._event.set()
        with self._lock:
            breakers = list(self._breakers)
        for breaker in breakers:
            breaker()

    @contextmanager
    def breaking(self, breaker):
        """While in this context, ``set`` calls ``breaker()`` from its own thread."""
        with self._lock:
            self._breakers.append(breaker)
        try:
            if self.is_set():
                breaker()  # it came just before the registration
            yield
        finally:
            with self._lock:
                self._breakers.remove(breaker)


def each(work, items, stop, workers=WORKERS):
    """Call ``work(item)`` for every one of ``items``, several at once; return the results in order.

    stop (Stop): set when one call raises or the caller is interrupted; ``work`` must heed it.
    What the *first* call to fail raised is raised here, after the other threads have ended: what
    they raise because they were stopped says nothing.
    """
    items = list(items)
    results = [None] * len(items)
    pending = iter(range(len(items)))
    failures = []
    lock = threading.Lock()

    def loop():
        while not stop.is_set():
            with lock:
                position = next(pending, None)
            if position is None:
                return
            try:
                results[position] = work(items[position])
            except BaseException as error:  # also KeyboardInterrupt: it is the caller's to see
                with lock:
                    failures.append(error)
                stop.set()
                return

    # daemons: a thread that hangs in a file system must not keep the program from ending
    threads = [threading.Thread(target=loop, daemon=True)
               for _ in range(max(1, min(workers, len(items))))]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            while thread.is_alive():
                if stop.is_set():
                    thread.join(PATIENCE)
                    break
                thread.join(0.1)
    except BaseException:
        stop.set()
        for thread in threads:
            if thread.ident is not None:
                thread.join(PATIENCE)
        raise
    if failures:
        raise failures[0]
    return results
