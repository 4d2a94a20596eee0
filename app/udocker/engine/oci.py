"""OCI runtimes, crun and runC: real namespaces. They need user namespaces.

The bundle's config.json (OCI runtime-spec 1.0.2) is made here, for one user id and without
cgroups, because an ordinary user in a batch job has neither more ids nor a cgroup of his own.

Modes: R1 runs the command itself; R2 and R3 run it under a PRoot inside, which lets root change
owners and ids that are not mapped (R2 with PRoot's seccomp filter, R3 without).
"""

import os
import posixpath

from udocker.engine.base import VERIFIED, Engine, EnginePlan
from udocker.errors import InvalidValue
from udocker.model.plan import PlannedFile
from udocker.model.reference import quoted
from udocker.model.spec import Bind

#: What docker gives a container (capabilities(7)); all are about the user namespace only.
CAPABILITIES = ("CAP_AUDIT_WRITE", "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID",
                "CAP_KILL", "CAP_MKNOD", "CAP_NET_BIND_SERVICE", "CAP_NET_RAW", "CAP_SETFCAP",
                "CAP_SETGID", "CAP_SETPCAP", "CAP_SETUID", "CAP_SYS_CHROOT")
#: Host directories that the runtime mounts itself, so that binding the host's would undo it.
OWN_MOUNTS = frozenset(["/dev", "/proc", "/sys"])
#: MPI and PyTorch keep their messages there; docker's 64 MiB break both.
SHM_SIZE = "2g"
#: Where PRoot is shown inside: in a file system of the runtime's own, not in that of the image.
INNER_PROOT = "/dev/.udocker"
#: What has to lie beside PRoot (engines-build/proot/README.md).
_PROOT_PARTS = ("", "-loader", "-loader32")


class OciRuntime(Engine):
    """What crun(1) and runc(8) have in common."""

    keeps_state = True
    #: tuple of str: what each of its commands is told.
    options = ()

    def __init__(self, program, proot=None, may_filter=True):
        """proot (Program or None): the PRoot of modes R2 and R3; may_filter (bool): it may put a
        seccomp filter on the programs."""
        Engine.__init__(self, program)
        self._proot, self._may_filter = proot, may_filter

    @property
    def needs_keeper(self):
        # only our crun sees to it that a signal ends who does not handle it (run/supervise.py)
        return not (self.name == "crun" and self.program.origin == VERIFIED)

    def inside(self, run):
        return _Entry(self, run)

    def spec(self, launch, mode):
        """Return the config.json (dict) of ``launch`` (Launch) in ``mode`` (str)."""
        return runtime_spec(launch, self._proot if mode in ("R2", "R3") else None,
                            mode == "R2" and self._may_filter)

    def plan(self, launch, mode):
        config = _json(self.spec(launch, mode), mode)
        argv, file, reasons = self._command(launch, config)
        warnings = []
        if launch.ports or launch.any_port:
            warnings.append("--publish changes nothing in mode %s: the network is the host's" % mode)
        if launch.kernel:
            warnings.append("--kernel changes nothing in mode %s" % mode)
        # by its directory one knows that it belongs to the container (host/processes.py)
        return EnginePlan(argv, _environment(launch), (file,), tuple(warnings), reasons,
                          launch.bundle)

    def _command(self, launch, config):
        """Return (argv, PlannedFile of the ``config`` (bytes), reasons)."""
        raise NotImplementedError


class Crun(OciRuntime):
    """crun(1)."""

    name = "crun"
    options = ("--cgroup-manager=disabled",)

    def _command(self, launch, config):
        argv = (self.program.path, "--root", launch.settings.state) + self.options + (
                "run", "--config", "{config}", "--bundle", launch.bundle, launch.instance)
        return (argv, PlannedFile("config", config, ""),
                (("--cgroup-manager=disabled", "an ordinary user owns no cgroup"),))


class Runc(OciRuntime):
    """runc(8)."""

    name = "runc"
    options = ("--rootless", "true")

    def plan(self, launch, mode):
        user = launch.identity
        plan = OciRuntime.plan(self, launch._replace(identity=user._replace(uid=0, gid=0)), mode)
        if not user.is_root:
            plan = plan._replace(warnings=plan.warnings + (
                "runC has no user but root where one id is all there is: %s is root (crun can)"
                % user.name,))
        return plan

    def _command(self, launch, config):
        # it reads config.json from its bundle and from nowhere else
        bundle = os.path.join(launch.settings.state, "bundle-" + launch.instance)
        argv = (self.program.path, "--root", launch.settings.state) + self.options + (
                "run", "--bundle", bundle, launch.instance)
        return (argv, PlannedFile("config", config, bundle + "/config.json"),
                (("--rootless", "an ordinary user owns no cgroup"),))


class _Entry(Engine):
    """The way into the namespaces of a container that an OCI runtime runs."""

    def __init__(self, runtime, run):
        """runtime (OciRuntime), run (store.runs.Run)."""
        Engine.__init__(self, runtime.program)
        self.name = runtime.name
        self._runtime, self._run = runtime, run

    def plan(self, launch, mode):
        uid = launch.identity.uid
        if uid != self._run.uid:
            raise InvalidValue("no user with the uid %d: mode %s shows one user, which is uid %d in "
                               "this run" % (uid, mode, self._run.uid), "leave out --user")
        process = _json(self._runtime.spec(launch, mode)["process"], mode)
        argv = (self.program.path, "--root", self._run.state) + self._runtime.options \
            + ("exec", "--process", "{process}", self._run.instance)
        return EnginePlan(argv, _environment(launch), (PlannedFile("process", process, ""),), (),
                          (("exec", "the container is running"),))


def _json(document, mode):
    """Return ``document`` (dict) as JSON (bytes); InvalidValue where a text is no UTF-8, which a
    runtime would refuse, or change."""
    import json
    try:
        return json.dumps(document, sort_keys=True, indent=1, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError as error:
        place = error.object[max(0, error.start - 20):error.end + 20].strip()
        raise InvalidValue("mode %s takes UTF-8 only, and this is none: %s" % (mode, quoted(place)),
                           "leave it out, or take mode P1, which takes any bytes")


def _environment(launch):
    return (("PATH", "/usr/bin:/bin"), ("TMPDIR", launch.settings.tmp))


def runtime(program, proot=None, may_filter=True):
    """Return the OciRuntime that drives ``program`` (Program), by the name of its file."""
    is_runc = os.path.basename(program.path).startswith("runc")
    return (Runc if is_runc else Crun)(program, proot, may_filter)


def runtime_spec(launch, proot=None, may_filter=True):
    """Return the config.json (dict; OCI runtime-spec 1.0.2, config.md) of ``launch``.

    proot (Program or None): runs the command; may_filter (bool): with its seccomp filter.
    """
    capabilities = list(CAPABILITIES)
    args, env, tools = list(launch.argv), list(launch.env), []
    if proot is not None:
        inner = posixpath.join(INNER_PROOT, os.path.basename(proot.path))
        args = [inner, "--kill-on-exit"] + (["-0"] if launch.identity.is_root else []) \
            + ["-w", launch.cwd] + args
        env += [] if may_filter else [("PROOT_NO_SECCOMP", "1")]
        tools = [_bind_mount(Bind(proot.path + part, inner + part, True)) for part in _PROOT_PARTS
                 if os.path.exists(proot.path + part)]
    identity, isolation = launch.identity, launch.isolation
    namespaces = ["pid", "ipc", "uts", "mount", "user"]
    namespaces += ["network"] if isolation.network == "none" else []
    return {
        "ociVersion": "1.0.2",
        "process": {
            "terminal": launch.tty,
            "user": {"uid": identity.uid, "gid": identity.gid},
            "args": args,
            "env": ["%s=%s" % item for item in env],
            "cwd": launch.cwd,
            "capabilities": {name: capabilities for name in
                             ("bounding", "effective", "permitted", "inheritable", "ambient")},
            "noNewPrivileges": True,
        },
        "root": {"path": launch.root, "readonly": isolation.read_only},
        "hostname": launch.hostname,
        "mounts": _own_mounts(isolation.shm_size or SHM_SIZE)
        + [_tmpfs_mount(mount) for mount in isolation.tmpfs]
        + [_bind_mount(bind) for bind in launch.binds if bind.target not in OWN_MOUNTS] + tools,
        "linux": {
            "uidMappings": [{"containerID": identity.uid, "hostID": identity.host_uid, "size": 1}],
            "gidMappings": [{"containerID": identity.gid, "hostID": identity.host_gid, "size": 1}],
            "namespaces": [{"type": kind} for kind in namespaces],
        },
    }


def _own_mounts(shm_size):
    return [
        {"destination": "/proc", "type": "proc", "source": "proc"},
        {"destination": "/dev", "type": "tmpfs", "source": "tmpfs",
         "options": ["nosuid", "strictatime", "mode=755", "size=65536k"]},
        {"destination": "/dev/pts", "type": "devpts", "source": "devpts",
         "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"]},
        {"destination": "/dev/shm", "type": "tmpfs", "source": "shm",
         "options": ["nosuid", "noexec", "nodev", "mode=1777", "size=%s" % shm_size]},
        {"destination": "/dev/mqueue", "type": "mqueue", "source": "mqueue",
         "options": ["nosuid", "noexec", "nodev"]},
        # sysfs can only be mounted by who owns the network namespace, and that is the host's
        {"destination": "/sys", "type": "none", "source": "/sys",
         "options": ["rbind", "nosuid", "noexec", "nodev", "ro"]},
    ]


def _tmpfs_mount(mount):
    # what docker has unless told otherwise; of two options that say the opposite the last counts
    return {"destination": mount.target, "type": "tmpfs", "source": "tmpfs",
            "options": ["nosuid", "nodev", "noexec", "mode=1777"] + list(mount.options)}


def _bind_mount(bind):
    # a device on a file system mounted nodev cannot be opened
    flags = ["nosuid"] if bind.source.startswith("/dev/") else ["nosuid", "nodev"]
    return {"destination": bind.target, "type": "none", "source": bind.source,
            "options": ["rbind"] + flags + ["ro" if bind.read_only else "rw"]}
