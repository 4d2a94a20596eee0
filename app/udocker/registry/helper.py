"""Talking to a ``docker-credential-*`` program (docker-credential-helpers, "get", "store", "erase")."""

import os

from udocker.model.jsontext import loads
from udocker.model.reference import quoted

#: Seconds for a helper to answer: one that waits for a keyring nobody can unlock on a compute
#: node must not hold up a pull of a public image.
HELPER_TIMEOUT = 10
#: Bytes of an answer, and of a question, which has to fit into a pipe (pipe(7)): a token of a cloud
#: has 2 or 3 KB.
MAX_ANSWER = 64 * 1024

_NAME_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")


def ask_helper(name, server, environ, warn, timeout=HELPER_TIMEOUT):
    """Return (user name, secret) that the helper ``name`` has for ``server``; None for none.

    The question goes in by stdin and the answer comes by stdout, so neither is in any argv. What
    a failing helper prints is not repeated: it may be the secret. ``warn`` is told of failures.
    """
    if not _is_name(name):
        warn("ignoring a credential helper with an invalid name")
        return None
    program = "docker-credential-" + name
    try:
        status, output = _run([program, "get"], (server + "\n").encode("utf-8"), environ, timeout)
    except OSError as error:
        warn("cannot run the credential helper %s: %s" % (program, error.strerror))
        return None
    if status is None:
        warn("the credential helper %s gave no usable answer in %g s" % (program, timeout))
        return None
    if status != 0:
        if b"credentials not found" not in output:  # how a helper says that it has none
            warn("the credential helper %s failed with status %d for %s"
                 % (program, status, quoted(server)))
        return None
    try:
        answer = loads(output)
        username, secret = answer["Username"], answer["Secret"]
    except (ValueError, KeyError, TypeError):
        username = secret = None
    if not isinstance(username, str) or not isinstance(secret, str) or not secret:
        warn("the credential helper %s answered what is no credential" % program)
        return None
    return username, secret


def tell_helper(name, action, message, environ, timeout=HELPER_TIMEOUT):
    """Let the helper ``name`` do ``action`` (``store`` or ``erase``); return what went wrong, or "".

    message: a dict (``ServerURL``, ``Username``, ``Secret``) or a str (the server), for its stdin.
    """
    import json
    if not _is_name(name):
        return "the credential helper in the file of logins has an invalid name"
    program = "docker-credential-" + name
    question = (json.dumps(message, ensure_ascii=False) if isinstance(message, dict)
                else message + "\n").encode("utf-8")
    if len(question) > MAX_ANSWER:
        return "the login is too long for the credential helper %s" % program
    try:
        status, _ = _run([program, action], question, environ, timeout)
    except OSError as error:
        return "cannot run the credential helper %s: %s" % (program, error.strerror)
    if status is None:
        return "the credential helper %s did not end in %g s" % (program, timeout)
    return "the credential helper %s failed with status %d" % (program, status) if status else ""


def _is_name(name):
    return isinstance(name, str) and bool(name) and _NAME_CHARACTERS.issuperset(name)


def _run(argv, question, environ, timeout):
    """Return (exit status, stdout); status None when it took too long or said too much."""
    import select
    import signal
    import subprocess
    import time
    deadline = time.monotonic() + timeout
    # a session of its own, so that what the helper started goes with it
    process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL, env=dict(environ), start_new_session=True)
    output = b""
    status = None
    poll = select.poll()
    poll.register(process.stdout, select.POLLIN | select.POLLHUP)
    try:
        try:
            process.stdin.write(question)  # far less than a pipe holds: this cannot block
            process.stdin.close()
        except BrokenPipeError:
            pass  # it does not read its question; its answer will tell
        while len(output) <= MAX_ANSWER:
            if not poll.poll(1000 * max(0, deadline - time.monotonic())):
                break
            data = os.read(process.stdout.fileno(), MAX_ANSWER)
            if not data:
                status = process.wait(timeout=max(0.01, deadline - time.monotonic()))
                break
            output += data
    except subprocess.TimeoutExpired:
        pass
    finally:
        if status is None:
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            process.wait()
        process.stdout.close()
    return status, output
