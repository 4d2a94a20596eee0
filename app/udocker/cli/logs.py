"""How a log is shown: its two streams, its last lines, those of a time."""

import sys
from collections import deque

from udocker.store.log import parse_time


class Printer(object):
    """Prints Lines of a log (store/log.py) to the streams that they came from."""

    def __init__(self, timestamps, since, until, tail, outputs=None):
        """timestamps (bool); since, until (seconds since the epoch, or None); tail (int: how many
        lines of what is there at the beginning, None for all); outputs: two binary files."""
        self._timestamps, self._since, self._until, self._tail = timestamps, since, until, tail
        self._outputs = outputs or (sys.stdout.buffer, sys.stderr.buffer)
        self._goes_on = [False, False]

    def begin(self, lines):
        """Print the last of ``lines`` (iterable of Line)."""
        if self._tail is None:
            self.go_on(lines)
            return
        kept, pieces = deque(maxlen=self._tail), [[], []]
        for line in lines:
            if not self._is_wanted(line):
                continue
            mine = pieces[line.stream]
            if not mine:
                kept.append(mine)  # a line, all the pieces of which come into this list
            mine.append(line)
            if line.is_whole:
                pieces[line.stream] = []
        for mine in kept:
            for line in mine:
                self._print(line)
        self._flush()

    def go_on(self, lines):
        """Print ``lines`` (iterable of Line)."""
        for line in lines:
            if self._is_wanted(line):
                self._print(line)
        self._flush()

    def _is_wanted(self, line):
        if self._since is None and self._until is None:
            return True
        try:
            at = parse_time(line.time.decode("ascii"))
        except ValueError:
            return False
        return (self._since is None or at >= self._since) \
            and (self._until is None or at <= self._until)

    def _print(self, line):
        stream = line.stream
        if self._timestamps and not self._goes_on[stream]:
            self._outputs[stream].write(line.time + b" ")
        self._outputs[stream].write(line.text + (b"\n" if line.is_whole else b""))
        self._goes_on[stream] = not line.is_whole
        if stream:
            self._flush()  # so that lines of both come to a terminal in their order

    def _flush(self):
        for output in self._outputs:
            output.flush()
