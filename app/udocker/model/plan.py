"""What will happen: the values between what was asked and the process that runs."""

from collections import namedtuple

from udocker.model.reference import printable


class Launch(namedtuple("Launch", "instance bundle root program argv env cwd binds identity hostname "
                                  "kernel ports tty emulator settings any_port isolation")):
    """A process in a container, before any engine has a say.

    instance (str: a name that no other run has), bundle (str: the container's directory),
    root (str: host path of the root file system), program (str: what is to be executed, as a path
    in the container), argv (tuple of str: its name and arguments), env (tuple of (str, str)), cwd (str), binds (tuple of Bind,
    in order), identity (Identity), hostname (str), kernel (str: release to tell, or ""),
    ports (tuple of Port), tty (bool: a terminal on both ends), emulator (str: host path of what
    plays the processor that the program is for, "" for none), settings (EngineSettings),
    any_port (bool: what listens gets a port that is free), isolation (Isolation).
    """

    __slots__ = ()


#: What only an engine with namespaces can do: tmpfs (tuple of Tmpfs), read_only (bool: the root file
#: system), shm_size (int: bytes of /dev/shm, 0 for what the engine thinks right), network (str:
#: "none" for one without connections).
Isolation = namedtuple("Isolation", "tmpfs read_only shm_size network")

#: What an engine needs to know of us: tmp and state (str: directories for its temporary files and
#: for what it keeps while containers run), kill_on_exit, link2symlink and no_seccomp (bool),
#: substitutes (tuple of str: PROGRAM=SUBSTITUTE), environ (dict: the host's environment).
EngineSettings = namedtuple("EngineSettings",
                            "tmp state kill_on_exit link2symlink no_seccomp substitutes environ")


class Identity(namedtuple("Identity", "uid gid name home shell passwd group host_uid host_gid")):
    """Who the process is inside.

    uid, gid (int), name, home, shell (str); passwd, group (bytes or None): files to show in place
    of the container's, None where those will do; host_uid, host_gid (int): who it is outside.
    """

    __slots__ = ()

    @property
    def is_root(self):
        return self.uid == 0


class ExecutionPlan(namedtuple("ExecutionPlan", "engine mode container program argv env "
                                                "directory files binds mountpoints cpus limits scratch "
                                                "warnings reasons launch needs_keeper")):
    """What will be executed, and why.

    program (str: what runs inside), argv (tuple of str: on the host), env (tuple of (str, str): the
    engine's own), directory (str: of the host, to start in; "" for ours), files (tuple of
    PlannedFile), binds (tuple of Bind), mountpoints (tuple of (str, bool): paths to be made in the
    root file system, is it a directory), cpus (tuple of int: the processors to run on, empty for
    all), limits (tuple of Limit), scratch (tuple of str: directories of the host that are made before
    and removed afterwards), warnings (tuple of str), reasons (tuple of (str, str): what was decided,
    why), launch (Launch: what the engine was asked for), needs_keeper (bool: see Engine).
    """

    __slots__ = ()

    def to_object(self):
        """Return the plan as dicts, lists and strings, for JSON."""
        return {
            "engine": self.engine, "mode": self.mode, "container": self.container,
            "program": self.program, "argv": list(self.argv), "env": dict(self.env),
            "directory": self.directory,
            "files": [{"name": file.name, "content": file.content.decode("utf-8", "replace")}
                      for file in self.files],
            "binds": [{"source": bind.source, "target": bind.target, "read_only": bind.read_only}
                      for bind in self.binds],
            "mountpoints": [path for path, _ in self.mountpoints], "cpus": list(self.cpus),
            "scratch": list(self.scratch),
            "limits": [{"name": limit.name, "soft": limit.soft, "hard": limit.hard}
                       for limit in self.limits],
            "warnings": list(self.warnings),
            "reasons": [{"what": what, "why": why} for what, why in self.reasons],
        }

    def to_text(self):
        """Return the plan as people read it."""
        lines = ["engine     %s (mode %s)" % (self.engine, self.mode),
                 "container  %s" % self.container]
        lines += ["argv       %s" % printable(word) for word in self.argv]
        lines += ["env        %s=%s" % (printable(key), printable(value)) for key, value in self.env]
        lines += ["bind       %s -> %s%s" % (printable(bind.source), printable(bind.target),
                                             " (read-only)" if bind.read_only else "")
                  for bind in self.binds]
        lines += ["mountpoint %s" % printable(path) for path, _ in self.mountpoints]
        lines += ["file       %s (%d bytes)" % (file.name, len(file.content))
                  for file in self.files]
        lines += ["scratch    %s" % printable(path) for path in self.scratch]
        lines += ["limit      %s=%d:%d" % limit for limit in self.limits]
        lines += ["warning    %s" % printable(warning) for warning in self.warnings]
        lines += ["because    %s: %s" % (printable(what), printable(why)) for what, why in self.reasons]
        return "\n".join(lines)


class PlannedFile(namedtuple("PlannedFile", "name content path")):
    """A file that is written before the engine starts.

    name (str), content (bytes), path (str: where it is kept; "" for a file without a name in the
    file system, which argv calls ``{name}`` and which goes with the process).
    """

    __slots__ = ()
