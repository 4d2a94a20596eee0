"""crun: real namespaces, as the OCI runtime specification has them. Needs user namespaces.

The bundle's config.json is made here, for one user id and without cgroups, because an ordinary
user in a batch job has neither more ids nor a cgroup of his own.
"""

import os

from udocker.engine.base import Engine, EnginePlan
from udocker.host.files import remove_tree
from udocker.host.processes import is_alive
from udocker.model.plan import PlannedFile

#: What docker gives a container (capabilities(7)); all are about the user namespace only.
CAPABILITIES = ("CAP_AUDIT_WRITE", "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID",
                "CAP_KILL", "CAP_MKNOD", "CAP_NET_BIND_SERVICE", "CAP_NET_RAW", "CAP_SETFCAP",
                "CAP_SETGID", "CAP_SETPCAP", "CAP_SETUID", "CAP_SYS_CHROOT")
#: Host directories that the runtime mounts itself, so that binding the host's would undo it.
OWN_MOUNTS = frozenset(["/dev", "/proc", "/sys"])
#: MPI and PyTorch keep their messages there; docker's 64 MiB break both.
SHM_SIZE = "2g"


class Crun(Engine):
    """crun(1), mode R1."""

    name = "crun"
    keeps_state = True

    @staticmethod
    def forget_dead(state):
        """Remove from the directory ``state`` (str) what a crun that was killed left there.

        A run is called after its container and the process that becomes crun.
        """
        for name in os.listdir(state):
            pid = name.rpartition("-")[2]
            if pid.isdigit() and not is_alive(int(pid)):
                remove_tree(os.path.join(state, name))

    def plan(self, launch, mode):
        import json
        spec = runtime_spec(launch)
        config = json.dumps(spec, sort_keys=True, indent=1).encode("utf-8")
        argv = (self.program.path, "--root", launch.settings.state, "--cgroup-manager=disabled",
                "run", "--config", "{config}", "--bundle", launch.bundle, launch.instance)
        warnings = []
        if launch.ports:
            warnings.append("--publish changes nothing in mode %s: the network is the host's" % mode)
        if launch.kernel:
            warnings.append("--kernel changes nothing in mode %s" % mode)
        env = (("PATH", "/usr/bin:/bin"), ("TMPDIR", launch.settings.tmp))
        return EnginePlan(argv, env, (PlannedFile("config", config, ""),),
                          tuple(warnings),
                          (("--cgroup-manager=disabled", "an ordinary user owns no cgroup"),))


def runtime_spec(launch):
    """Return the config.json (dict; OCI runtime-spec 1.0.2, config.md) of ``launch``."""
    capabilities = list(CAPABILITIES)
    identity = launch.identity
    return {
        "ociVersion": "1.0.2",
        "process": {
            "terminal": launch.tty,
            "user": {"uid": identity.uid, "gid": identity.gid},
            "args": list(launch.argv),
            "env": ["%s=%s" % item for item in launch.env],
            "cwd": launch.cwd,
            "capabilities": {name: capabilities for name in
                             ("bounding", "effective", "permitted", "inheritable", "ambient")},
            "noNewPrivileges": True,
        },
        "root": {"path": launch.root, "readonly": False},
        "hostname": launch.hostname,
        "mounts": _own_mounts() + [_bind_mount(bind) for bind in launch.binds
                                   if bind.target not in OWN_MOUNTS],
        "linux": {
            "uidMappings": [{"containerID": identity.uid, "hostID": identity.host_uid, "size": 1}],
            "gidMappings": [{"containerID": identity.gid, "hostID": identity.host_gid, "size": 1}],
            "namespaces": [{"type": kind} for kind in ("pid", "ipc", "uts", "mount", "user")],
        },
    }


def _own_mounts():
    return [
        {"destination": "/proc", "type": "proc", "source": "proc"},
        {"destination": "/dev", "type": "tmpfs", "source": "tmpfs",
         "options": ["nosuid", "strictatime", "mode=755", "size=65536k"]},
        {"destination": "/dev/pts", "type": "devpts", "source": "devpts",
         "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"]},
        {"destination": "/dev/shm", "type": "tmpfs", "source": "shm",
         "options": ["nosuid", "noexec", "nodev", "mode=1777", "size=" + SHM_SIZE]},
        {"destination": "/dev/mqueue", "type": "mqueue", "source": "mqueue",
         "options": ["nosuid", "noexec", "nodev"]},
        # sysfs can only be mounted by who owns the network namespace, and that is the host's
        {"destination": "/sys", "type": "none", "source": "/sys",
         "options": ["rbind", "nosuid", "noexec", "nodev", "ro"]},
    ]


def _bind_mount(bind):
    return {"destination": bind.target, "type": "none", "source": bind.source,
            "options": ["rbind", "nosuid", "nodev", "ro" if bind.read_only else "rw"]}
