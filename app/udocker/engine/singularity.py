"""Apptainer and Singularity, mode S1: what an administrator has installed, found in PATH.

The root file system is given as a sandbox directory. Nothing of the host is shown but what the
plan says, so that a container is the same in this mode as in the others.
"""

import os

from udocker.engine.base import Engine, EnginePlan, unmet

#: What it needs of the host to start: its helpers, its own settings.
_INHERITED = ("PATH", "HOME", "USER", "LOGNAME", "LANG", "TMPDIR", "XDG_RUNTIME_DIR")
#: Host directories of which it shows its own, so that binding the host's would undo that.
OWN_MOUNTS = frozenset(["/dev", "/proc", "/sys"])
_PREFIXES = {"apptainer": "APPTAINER", "singularity": "SINGULARITY"}


class Singularity(Engine):
    """apptainer(1), singularity(1)."""

    name = "singularity"

    def plan(self, launch, mode):
        prefix = _PREFIXES.get(os.path.basename(self.program.path), "SINGULARITY")
        argv = [self.program.path, "--silent", "exec", "--writable", "--cleanenv", "--contain",
                "--no-mount", "bind-paths", "--ipc", "--pid", "--pwd", launch.cwd]
        reasons = [("--contain", "only what the plan shows is to be seen of the host")]
        home = dict(launch.env).get("HOME", "/")
        if home != "/" and os.path.isdir(launch.root + home):
            # it sets HOME itself, to what it mounts there
            argv += ["--home", "%s:%s" % (launch.root + home, home)]
        else:
            argv.append("--no-home")
        if launch.identity.is_root:
            argv.append("--fakeroot")
            reasons.append(("--fakeroot", "the user inside is root"))
        if launch.hostname:
            argv += ["--hostname", launch.hostname]
        for bind in launch.binds:
            if bind.target in OWN_MOUNTS:
                continue
            argv += ["--bind", "%s:%s%s" % (bind.source, bind.target,
                                            ":ro" if bind.read_only else "")]
        argv += [launch.root] + list(launch.argv)
        warnings = unmet(launch, mode)
        if launch.ports or launch.any_port:
            warnings.append("--publish changes nothing in mode %s: the network is the host's" % mode)
        if launch.kernel:
            warnings.append("--kernel changes nothing in mode %s" % mode)
        environ = launch.settings.environ
        inherited = tuple((key, environ[key]) for key in _INHERITED if key in environ)
        env = tuple(("%sENV_%s" % (prefix, key), value) for key, value in launch.env)
        return EnginePlan(tuple(argv), inherited + env, (), tuple(warnings), tuple(reasons))
