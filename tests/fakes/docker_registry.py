"""A real registry: Debian's program docker-registry, on a free port of loopback."""

import os
import shutil
import socket
import subprocess
import time

DOCKER_REGISTRY = shutil.which("docker-registry")


class RealRegistry(object):
    """A docker-registry program of this machine, on a free loopback port."""

    def __init__(self, folder, auth=""):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.host = "127.0.0.1:%d" % free.getsockname()[1]
        self.base = "http://" + self.host
        self.data = os.path.join(folder, "data")
        config = os.path.join(folder, "config.yml")
        with open(config, "w") as stream:
            stream.write("version: 0.1\nlog: {level: error}\n"
                         "storage: {filesystem: {rootdirectory: %s}}\n"
                         "http: {addr: '%s'}\n%s" % (self.data, self.host, auth))
        self._log = open(os.path.join(folder, "log"), "wb")
        self._process = subprocess.Popen([DOCKER_REGISTRY, "serve", config], stdin=subprocess.DEVNULL,
                                         stdout=self._log, stderr=subprocess.STDOUT)
        name, port = self.host.split(":")
        for _ in range(500):
            try:
                socket.create_connection((name, int(port)), 1).close()
                return
            except OSError:
                if self._process.poll() is not None:
                    break
                time.sleep(0.02)
        self.stop()
        with open(os.path.join(folder, "log")) as stream:
            raise AssertionError("docker-registry does not start: " + stream.read()[-1000:])

    def stop(self):
        self._process.terminate()
        self._process.wait(10)
        self._log.close()
