"""What the user sees: results on stdout and nothing else there; everything else on stderr."""

import os
import sys

from udocker.model.reference import printable

#: udocker 1.3.x's levels (UDOCKER_LOGLEVEL, verbose_level).
QUIET, WARNING, INFO, DEBUG = 1, 2, 3, 5


class Output(object):
    """Two streams and a level."""

    def __init__(self, level=INFO, stdout=None, stderr=None):
        self.level = level
        self._stdout = stdout or sys.stdout
        self._stderr = stderr or sys.stderr

    @property
    def is_watched(self):
        """Whether the results go to a person's terminal."""
        return self._stdout.isatty()

    def result(self, text):
        """Print a line of the result; names from images are escaped by whoever made the line."""
        try:
            self._stdout.write(text + "\n")
        except UnicodeEncodeError:
            # names of files need be no text, and locales need not know all letters
            self._stdout.flush()
            self._stdout.buffer.write((text + "\n").encode("utf-8", "surrogateescape"))

    def flush(self):
        """Push out what is buffered, so that a broken pipe shows here and not at exit."""
        self._stdout.flush()

    def info(self, text):
        self._say(INFO, "Info: " + text)

    def warning(self, text):
        self._say(WARNING, "Warning: " + text)

    def debug(self, text):
        self._say(DEBUG, "Debug: " + text)

    def error(self, message, hint=None):
        """Print the one line that says what is wrong and what to do."""
        self._say(0, "Error: " + message + (" (%s)" % hint if hint else ""))

    def banner(self, container_id, program):
        """Say what starts, where a person is watching."""
        if self.level < INFO or not self._stderr.isatty():
            return
        line = "*" * 78
        blank = "*" + " " * 76 + "*"
        self._stderr.write("\n".join(["", line, blank,
                                      "*" + ("STARTING " + container_id).center(76) + "*",
                                      blank, line, " executing: " + printable(program), ""]))
        self._stderr.flush()

    def progress(self, total):
        """Return a context whose value is told of bytes out of ``total`` that came.

        total (int, or a function that finds it out). A bar is drawn where a person is watching a
        terminal that can draw one.
        """
        shows = (self.level >= INFO and total and self._stderr.isatty()
                 and os.environ.get("TERM") != "dumb" and not os.environ.get("CI"))
        if not shows:
            return _NoBar()
        return _Bar(total() if callable(total) else total, self._stderr)

    def _say(self, level, text):
        if self.level >= level:
            self._stderr.write(printable(text) + "\n")
            self._stderr.flush()


def without_password(text):
    """``text`` (str) with the user and password of a URL in it hidden, as in http://***@host."""
    scheme, colon, rest = text.partition("://")
    account, at, host = rest.rpartition("@")
    return scheme + colon + "***@" + host if colon and at else text


class _NoBar(object):
    """Progress that nobody watches."""

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass

    def of_blob(self):
        """Return a function that takes how many bytes (int) of one blob are there."""
        return None


class _Bar(_NoBar):
    """Progress of several downloads in one bar."""

    def __init__(self, total, stream):
        from tqdm import tqdm
        self._bar = tqdm(total=total, unit="B", unit_scale=True, file=stream, leave=False)

    def __exit__(self, *error):
        self._bar.close()

    def of_blob(self):
        seen = [0]

        def report(count):
            self._bar.update(count - seen[0])  # after a restart this goes back
            seen[0] = count
        return report
