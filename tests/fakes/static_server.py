"""The real static web server: ``python3 -m http.server``, as a process of its own."""

import contextlib
import subprocess
import sys


@contextlib.contextmanager
def serving(directory):
    """The URL of ``directory`` (path), for the block."""
    # not --directory, which Python 3.6 does not have
    server = subprocess.Popen([sys.executable, "-u", "-m", "http.server", "--bind", "127.0.0.1", "0"],
                              cwd=str(directory), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, universal_newlines=True)
    try:
        # "Serving HTTP on 127.0.0.1 port 41234 (http://127.0.0.1:41234/) ..."
        yield "http://127.0.0.1:%s/" % server.stdout.readline().split(" port ")[1].split(" ")[0]
    finally:
        server.kill()
        server.communicate()
