"""A machine, a user and a container's files, as values: what a plan is made from."""

from udocker.cli.settings import load
from udocker.engine.base import Program
from udocker.engine.choose import Choice
from udocker.engine.oci import runtime
from udocker.engine.proot import PRoot
from udocker.engine.singularity import Singularity
from udocker.host.facts import HostFacts
from udocker.model.oci import config_from_object
from udocker.model.spec import ContainerSpec
from udocker.run.view import covering
from udocker.store.containers import Container

FACTS = HostFacts("amd64", "6.1.0", "node1", 1000, 100, (100, 27), "ann", "/home/ann", 42)
CONTAINER = Container("11111111-2222-4333-8444-555555555555",
                      "/u/containers/11111111-2222-4333-8444-555555555555", ("c",))
PASSWD = b"""root:x:0:0:root:/root:/bin/bash
www-data:x:33:33:www:/var/www:/usr/sbin/nologin
"""
GROUP = b"root:x:0:\nwww-data:x:33:\nadm:x:4:\n"
SPEC = ContainerSpec((), (), (), (), None, "", None, (), "", "", True, False, False, False, False,
                     True, "", "")
#: What a usual image has: path -> kind, or bytes.
FILES = {"/": "directory", "/root": "directory", "/tmp": "directory", "/srv": "directory",
         "/bin": "directory", "/bin/sh": "executable", "/bin/bash": "executable",
         "/bin/ls": "executable", "/etc": "directory", "/etc/passwd": PASSWD, "/etc/group": GROUP,
         "/etc/motd": "file"}
HOST_ACCOUNTS = {"/etc/passwd": b"root:x:0:0:root:/root:/bin/sh\nann:x:1000:100::/home/ann:/bin/sh\n",
                 "/etc/group": b"root:x:0:\nusers:x:100:\n"}
HOST = {"/dev": "directory", "/proc": "directory", "/sys": "directory",
        "/etc/resolv.conf": "file", "/home/ann": "directory", "/data": "directory",
        "/data/run.sh": "executable", "/data/notes": "file"}


class FakeView(object):
    """The files of a container and of the host, in two dictionaries."""

    def __init__(self, files=None, host=None, architecture="amd64"):
        self._architecture = architecture
        self._files = FILES if files is None else files
        self._host = HOST if host is None else host

    def read(self, path, limit):
        content = self._files.get(path)
        return content if isinstance(content, bytes) else b""

    def kind(self, path, binds):
        bind = covering(path, binds)
        if bind is not None:
            return self.host_kind(bind.source + path[len(bind.target):])
        kind = self._files.get(path.rstrip("/") or "/")
        return "file" if isinstance(kind, bytes) else kind

    def read_host(self, path):
        return HOST_ACCOUNTS[path]

    def allows(self, what):
        return True

    def architecture(self, path, binds):
        return self._architecture

    def host_kind(self, path):
        return self._host.get(path)


def config(**section):
    """An ImageConfig with these settings."""
    return config_from_object({"config": section})


def config_of(document):
    """The ImageConfig of the whole ``document`` (dict)."""
    return config_from_object(document)


def choice(mode="P1", origin="bundle", name=None):
    """A Choice of the engine of ``mode``, whose program has the file ``name`` (str or None)."""
    def program(name):
        return Program("/u/bin/" + name, "", origin)

    if mode.startswith("R"):
        engine = runtime(program(name or "crun-x86_64"), program("proot-x86_64"))
    elif mode.startswith("S"):
        engine = Singularity(program(name or "apptainer"))
    else:
        engine = PRoot(program("proot-x86_64"))
    return Choice(engine, mode, (), ())


def settings():
    """The Settings of a machine without configuration."""
    return load({"HOME": "/nonexistent"})
