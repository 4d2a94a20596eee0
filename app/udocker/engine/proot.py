"""PRoot: a tracer that rewrites the paths in system calls. Needs nothing but ptrace(2).

Modes: P1 lets a seccomp filter pick the system calls that have to be looked at, P2 stops at each.
"""

import os

from udocker.engine.base import VERIFIED, Engine, EnginePlan, unmet
from udocker.errors import InvalidValue
from udocker.model.reference import quoted

#: Linux older than this lacks what the C libraries of today's images insist on at start.
OLDEST_USEFUL_KERNEL = (3, 2)
#: What those libraries are told instead; any recent release will do.
PRETENDED_KERNEL = "6.0.0"


class PRoot(Engine):
    """proot(1)."""

    name = "proot"

    def __init__(self, program, may_filter=True):
        """may_filter (bool): it may put a seccomp filter on the programs."""
        Engine.__init__(self, program)
        self._may_filter = may_filter

    def plan(self, launch, mode):
        settings = launch.settings
        argv = [self.program.path]
        warnings, reasons = unmet(launch, mode), []
        if settings.kill_on_exit:
            argv.append("--kill-on-exit")
            reasons.append(("--kill-on-exit", "no process outlives the command"))
        if settings.link2symlink:
            argv.append("--link2symlink")
            reasons.append(("--link2symlink", "configured: the file system has no hard links"))
        for bind in launch.binds:
            argv += ["-b", _bind_argument(bind)]
        unprotected = [bind.target for bind in launch.binds if bind.read_only]
        if unprotected:
            warnings.append("volume %s is not read-only: PRoot cannot protect it (mode R1 can)"
                            % ", ".join(unprotected))
        if launch.identity.is_root:
            argv.append("-0")
            reasons.append(("-0", "the user inside is root"))
        else:
            argv += ["-i", "%d:%d" % (launch.identity.uid, launch.identity.gid)]
            reasons.append(("-i", "the user inside is %s" % launch.identity.name))
        if launch.kernel:
            argv += ["-k", launch.kernel]
            reasons.append(("-k", "asked for, or the host's kernel is too old for the image"))
        if launch.emulator:
            argv += ["-q", launch.emulator]
            reasons.append(("-q", "the programs are for another processor"))
        for port in launch.ports:
            argv += ["-p", "%d:%d" % (port.container, port.host)]
        if launch.any_port:
            argv.append("-n")
            reasons.append(("-n", "what listens gets a port that is free"))
        if launch.hostname:
            warnings.append("--hostname needs a mode with namespaces (R1)")
        argv += ["-r", launch.root, "-w", launch.cwd]
        argv += launch.argv
        env = [("PROOT_TMP_DIR", settings.tmp)]
        if mode == "P2" or not self._may_filter:
            env.append(("PROOT_NO_SECCOMP", "1"))
            reasons.append(("PROOT_NO_SECCOMP", "mode P2 stops at every system call" if mode == "P2"
                            else "seccomp filters are forbidden here: slower, as mode P2"))
        elif settings.no_seccomp:
            env.append(("PROOT_NO_SECCOMP", "1"))
            reasons.append(("PROOT_NO_SECCOMP", "configured: P1 stops at every system call too"))
        # PRoot hands its own environment down, so that of the container is that of PRoot. Its own
        # variables come last, and none of its prefix from elsewhere gets here (run/plan.py).
        inherited = launch.env
        if self.program.origin != VERIFIED:
            # ours is static; another one would load the image's libraries into itself, on the host
            dropped = [key for key, _ in inherited if key.startswith("LD_")]
            inherited = tuple(item for item in inherited if item[0] not in dropped)
            warnings += ["%s is not set: %s is not udocker's own" % (key, self.program.path)
                         for key in dropped]
        return EnginePlan(tuple(argv), inherited + tuple(env), (), tuple(warnings),
                          tuple(reasons))


def _bind_argument(bind):
    for path in (bind.source, bind.target):
        if ":" in path:
            raise InvalidValue("invalid volume %s: PRoot takes no ':' in a path" % quoted(path))
    return bind.source if bind.source == bind.target else "%s:%s" % (bind.source, bind.target)


def is_contained(program):
    """Whether the PRoot ``program`` (str, path) keeps a process inside its root.

    Some builds trust a seccomp filter that they were built without, and leave the process on the
    host. So a file that exists only inside is read: the host's cat, shown inside with the host's
    libraries, sees it if and only if paths are rewritten.
    """
    import subprocess
    import tempfile

    from udocker.host.files import remove_tree
    root = tempfile.mkdtemp(prefix="udocker-probe-")
    try:
        token = os.urandom(16).hex()
        with open(os.path.join(root, "inside-" + token), "w") as file:
            file.write(token)
        argv = [program]
        for path in ("/usr", "/bin", "/lib", "/lib64", "/nix"):
            if os.path.exists(path):
                argv += ["-b", path]
        argv += ["-r", root, "-w", "/", "/bin/cat", "/inside-" + token]
        try:
            done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=subprocess.DEVNULL, timeout=PROBE_SECONDS)
        except (OSError, subprocess.TimeoutExpired):
            return False
        return done.returncode == 0 and done.stdout == token.encode("ascii")
    finally:
        remove_tree(root)


#: A PRoot that works answers in milliseconds; one that hangs must not hang us.
PROBE_SECONDS = 20
