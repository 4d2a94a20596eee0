"""A terminal with somebody at it, who types when asked."""

import os
import pty
import select
import subprocess
import time


def on_a_terminal(udocker, words, answers, timeout=30):
    """Run udocker with ``words`` as a terminal's own program; return (status, what it showed).

    answers (list of (bytes, bytes)): what to type when the first has been shown, in this order.
    """
    terminal, side = pty.openpty()
    # setsid(1) makes it the terminal that /dev/tty is, as a login does
    process = subprocess.Popen(["setsid", "--ctty", "--wait"] + udocker.command(*words),
                               cwd=udocker.home, env=udocker.environment(), stdin=side, stdout=side,
                               stderr=side)
    os.close(side)
    shown, seen, end, answers = b"", 0, time.time() + timeout, list(answers)
    while time.time() < end:
        if select.select([terminal], [], [], 0.1)[0]:
            try:
                data = os.read(terminal, 65536)
            except OSError:  # EIO: nobody has it open any more
                break
            shown += data
        if answers and answers[0][0] in shown[seen:]:
            time.sleep(0.1)  # getpass(3) throws away what was typed before the echo went off
            seen = len(shown)
            os.write(terminal, answers.pop(0)[1])
    os.close(terminal)  # hangs up on what is still there
    return process.wait(timeout), shown.decode("utf-8", "replace")
