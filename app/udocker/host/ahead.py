"""Let a thread work ahead of the one that uses its results.

Inflating, hashing and writing all leave Python's lock while they work, so that with a thread for
each of them a layer takes as long as the slowest alone.
"""

import threading
from collections import deque

#: Chunks that may wait between two threads: it bounds memory, and evens out large and small files.
DEPTH = 4
#: Seconds to wait for the other thread when this one gave up, before leaving it to its blocked read.
GIVE_UP = 10


def ahead(chunks, depth=DEPTH):
    """Yield what ``chunks`` (iterable) yields, made by another thread while this one works.

    Its exceptions come out here. Without a thread (limits of the user) it is made in this one.
    """
    line = _Line(depth)
    worker = threading.Thread(target=line.fill, args=(chunks,), name="ahead")
    worker.daemon = True  # it may hang in a read, and must not keep the program from ending
    try:
        worker.start()
    except RuntimeError:  # "can't start new thread"
        for chunk in chunks:
            yield chunk
        return
    try:
        while True:
            item = line.take()
            if item is _END:
                break
            yield item
    finally:
        line.give_up()
        worker.join(GIVE_UP)
    if line.error is not None:
        raise line.error


_END = object()


class _Line(object):
    def __init__(self, depth):
        self._items = deque()
        self._room = threading.Semaphore(depth)
        self._there = threading.Semaphore(0)
        self._is_given_up = False
        self.error = None

    def fill(self, chunks):
        try:
            for chunk in chunks:
                self._room.acquire()
                if self._is_given_up:
                    break
                self._items.append(chunk)
                self._there.release()
        except BaseException as error:  # whatever it is, it belongs to the other thread
            self.error = error
        finally:
            close = getattr(chunks, "close", None)
            if close is not None:
                close()
            self._items.append(_END)
            self._there.release()

    def take(self):
        self._there.acquire()
        item = self._items.popleft()
        self._room.release()
        return item

    def give_up(self):
        self._is_given_up = True
        self._room.release()
