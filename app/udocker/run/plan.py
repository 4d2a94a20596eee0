"""The heart: what was asked, what the image says and what the machine is become a plan.

``make_plan`` is pure but for looks at files through the view that it is given.
"""

import posixpath

from udocker.errors import HostError, InvalidValue, NotFound
from udocker.model.plan import EngineSettings, ExecutionPlan, Isolation, Launch, PlannedFile
from udocker.model.reference import quoted
from udocker.model.spec import Bind, UserSpec
from udocker.run import identity
from udocker.run.program import find_command, find_emulator, loadable
from udocker.run.view import covering

#: Bytes of a passwd or group file: sites with 100,000 accounts have about 10 MB.
MAX_ACCOUNTS_FILE = 32 * 1024 * 1024
PASSWD, GROUP = "/etc/passwd", "/etc/group"

#: Variables that steer an engine or us; an image has no business setting them.
_ENGINE_VARIABLES = ("PROOT_", "UDOCKER_", "FAKECHROOT_")


def make_plan(spec, config, container, view, facts, choice, settings, host_env, state, tty):
    """Return the ExecutionPlan.

    spec (ContainerSpec), config (ImageConfig or None where its metadata are not wanted),
    container (Container), view (ContainerView), facts (HostFacts), choice (engine.choose.Choice),
    settings (Settings), host_env (dict), state (str: a private directory, see EngineSettings),
    tty (bool).
    """
    reasons = list(choice.reasons)
    warnings = list(choice.warnings)
    if not view.allows("exec"):
        raise HostError("the root file system %s is on a file system mounted noexec, where nothing "
                        "can be executed" % quoted(container.root),
                        "set UDOCKER_CONTAINERS to a directory on another")
    binds = _binds(spec, view, facts, settings, warnings)
    if choice.mode[0] in "RS" and not view.allows("write"):
        binds = _mountable(binds, spec, view, reasons)
    who, files, auth_binds = _identity(spec, config, container, view, facts,
                                       choice.mode, reasons)
    binds += auth_binds
    tmpfs, scratch = spec.tmpfs, ()
    if not choice.mode.startswith("R"):  # without namespaces a directory has to do
        tmpfs, scratch = (), scratch_binds(spec.tmpfs, state, facts.pid)
        binds += scratch
    named_files, named_binds = _resolver_files(spec, container, view, reasons)
    files += named_files
    binds = tuple(bind for bind in binds if bind.target not in
                  [named.target for named in named_binds]) + named_binds
    env = _environment(spec, config, who, container, facts, choice.mode, settings, host_env,
                       warnings)
    mountpoints = _mountpoints(binds, spec.tmpfs, view)
    cwd = _workdir(spec, config, env, view, binds, reasons)
    if covering(cwd, binds) is None and cwd not in [path for path, _ in mountpoints] \
            and view.kind(cwd, binds) is None:
        mountpoints += ((cwd, True),)
    argv, program = find_command(spec, config, settings, env, cwd, view, binds, warnings)
    emulator = find_emulator(program, config, binds, view, facts, choice.mode, host_env)
    if choice.mode.startswith("F"):
        program, argv = loadable(program, argv, view, binds, choice.mode)
    launch = Launch("%s-%d" % (container.id[:13], facts.pid), container.path, container.root,
                    program, argv, env, cwd, binds, who,
                    spec.hostname or ("" if choice.mode[0] in "PF" else facts.hostname),
                    _kernel(spec, facts), spec.ports, tty, emulator,
                    EngineSettings(host_env.get("PROOT_TMP_DIR") or settings.tmpdir, state,
                                   settings.proot_killonexit, settings.proot_link2symlink,
                                   settings.proot_noseccomp, settings.fakechroot_cmd_subst,
                                   host_env),
                    spec.any_port,
                    Isolation(tmpfs, spec.read_only, spec.shm_size, spec.network))
    engine = choice.engine.plan(launch, choice.mode)
    return ExecutionPlan(choice.engine.name, choice.mode, container.id, argv[0], engine.argv,
                         engine.env, engine.directory, tuple(files) + engine.files, binds,
                         mountpoints, _cpus(spec.cpus), spec.limits,
                         tuple(bind.source for bind in scratch),
                         tuple(warnings) + engine.warnings, tuple(reasons) + engine.reasons,
                         launch, choice.engine.needs_keeper)


def scratch_binds(tmpfs, state, pid):
    """Return the Binds of directories in ``state`` (str) that play ``tmpfs`` (tuple of Tmpfs) for the
    run that process ``pid`` (int or str) made."""
    return tuple(Bind("%s/tmpfs-%d-%s" % (state, number, pid), mount.target, False)
                 for number, mount in enumerate(tmpfs))


def _binds(spec, view, facts, settings, warnings):
    asked = list(spec.binds)
    if spec.bind_home:
        asked.append(Bind(facts.home, facts.home, False))
    for bind in asked:
        if view.host_kind(bind.source) is None:
            raise NotFound("invalid host volume path: %s does not exist" % quoted(bind.source))
    for device in spec.devices:
        if view.host_kind(device.source) not in ("other", "directory"):
            raise NotFound("invalid device: %s is no device of this machine" % quoted(device.source))
    targets = set(bind.target for bind in asked)
    system = [Bind(path, path, False) for path in settings.sysdirs_list
              if spec.sysdirs and path not in targets and view.host_kind(path) is not None]
    binds = system + asked
    for left_out in spec.no_binds:
        kept = [bind for bind in binds if bind.source != left_out]
        if len(kept) == len(binds):
            warnings.append("--novol %s: there is no such volume" % left_out)
        binds = kept
    return tuple(binds) + spec.devices


def _mountable(binds, spec, view, reasons):
    """Return those of ``binds`` that there is a place for where none can be made: the kernel mounts
    over what is there. InvalidValue if the user asked for one that is not."""
    for path, _ in _mountpoints(binds, (), view):
        if any(bind.target == path for bind in spec.binds):
            raise InvalidValue("invalid volume %s: the container has no such path, and its root file "
                               "system cannot be written" % quoted(path),
                               "mode P1 needs none, or choose one that is there")
        reasons.append(("without " + path, "the container has no such path, and cannot be written"))
        binds = tuple(bind for bind in binds if bind.target != path)
    return binds


def _identity(spec, config, container, view, facts, mode, reasons):
    """Return (Identity, PlannedFiles, Binds that show them)."""
    user = spec.user
    if user is None and config is not None and config.user:
        user = UserSpec.parse(config.user)
        reasons.append(("user %s" % str(user), "the image says so"))
    if mode[0] == "F" and (user is None or user.user in ("root", 0)) \
            or mode[0] == "S" and user is None:
        user = UserSpec(facts.user, None)
        reasons.append(("user %s" % facts.user, "nobody becomes root in mode %s" % mode))
    if spec.host_auth:
        passwd, group = view.read_host(PASSWD), view.read_host(GROUP)
    else:
        passwd = view.read(PASSWD, MAX_ACCOUNTS_FILE)
        group = view.read(GROUP, MAX_ACCOUNTS_FILE)
    # who may not change the files has to take the ids that they have
    keep_ids = spec.container_auth or not mode.startswith("P")
    who = identity.resolve(user, passwd, group, facts, keep_ids,
                           facts.home if spec.bind_home else "/",
                           not (spec.host_auth or spec.container_auth))
    if spec.container_auth:
        return who._replace(passwd=None, group=None), [], ()
    files, binds = [], []
    for name, target, content in (("passwd", PASSWD, who.passwd), ("group", GROUP, who.group)):
        if content is not None:
            file = _kept_file(container, "%s-%d-%d" % (name, who.uid, who.gid), content)
            files.append(file._replace(name=name))
            binds.append(Bind(file.path, target, False))
            reasons.append((target, "a copy in which %s has the ids %d:%d"
                            % (who.name, who.uid, who.gid)))
        elif spec.host_auth:
            binds.append(Bind(target, target, False))
    return who, files, tuple(binds)


def _resolver_files(spec, container, view, reasons):
    """Return (PlannedFiles, Binds that show them) of --add-host and --dns."""
    if spec.resolver is None:
        return [], ()
    from udocker.model.resolver import HOSTS, RESOLV
    before = view.read(HOSTS, MAX_ACCOUNTS_FILE) or view.read_host(HOSTS)
    files, binds = [], []
    for target, content in sorted(spec.resolver.files(before, view.read_host(RESOLV)).items()):
        files.append(_kept_file(container, posixpath.basename(target), content))
        binds.append(Bind(files[-1].path, target, False))
        reasons.append((target, "a copy with what --add-host or --dns says"))
    return files, tuple(binds)


def _kept_file(container, name, content):
    """Return the PlannedFile ``name`` (str) beside the root file system of ``container``.

    One for each content, so that runs side by side never see each other's, and none has to be
    deleted afterwards.
    """
    from binascii import crc32
    path = "%s/identity/%s-%08x" % (container.path, name, crc32(content) & 0xffffffff)
    return PlannedFile(name, content, path)


def _environment(spec, config, who, container, facts, mode, settings, host_env, warnings):
    """Return the container's environment: image < udocker < host < files and flags."""
    env = {}
    for key, value in (config.env if config is not None else ()):
        if key.startswith(_ENGINE_VARIABLES):
            warnings.append("the image sets %s, which is ignored" % key)
        else:
            env[key] = value
    env.setdefault("PATH", settings.root_path if who.is_root else settings.user_path)
    env.setdefault("HOME", who.home)
    if spec.host_env:
        passed = [key for key in host_env if key not in settings.invalid_host_env]
    else:
        # the host's PATH names the host's directories; it comes with --hostenv only
        passed = [key for key in settings.valid_host_env if key in host_env and key != "PATH"]
    env.update((key, host_env[key]) for key in passed)
    env.update({
        "USER": who.name, "LOGNAME": who.name, "USERNAME": who.name, "SHLVL": "0",
        "PS1": container.id[:8] + "[\\W]\\$ ",
        "container_ruser": facts.user, "container_root": container.root,
        "container_uuid": container.id, "container_execmode": mode,
        "container_names": ",".join(container.names),
    })
    for key, value in spec.env:
        env[key] = host_env.get(key, "") if value is None else value
    return tuple(env.items())


def _workdir(spec, config, env, view, binds, reasons):
    asked = spec.workdir or (config.workdir if config is not None else "")
    if asked:
        if not asked.startswith("/"):
            asked = "/" + asked
        path = posixpath.normpath(asked)
        kind = "directory" if path in [mount.target for mount in spec.tmpfs] \
            else view.kind(path, binds)
        if kind is None and _can_be_made(path, view, binds):
            reasons.append(("working directory " + path, "made, because it is not there"))
        elif kind != "directory":
            raise NotFound("invalid working directory: %s is no directory in the container"
                           % quoted(asked), "make it, mount it with -v, or choose another with -w")
        return path
    home = dict(env)["HOME"]
    if home.startswith("/") and view.kind(home, binds) == "directory":
        return home
    reasons.append(("working directory /", "the home directory %s is not there" % home))
    return "/"


def _can_be_made(path, view, binds):
    """Whether the directory ``path`` (str) can be made in the root file system, and be named."""
    above = posixpath.dirname(path)
    while view.kind(above, binds) is None:
        above = posixpath.dirname(above)
    # engines show paths that they cannot enter as they are, on somebody's terminal
    return covering(path, binds) is None and view.kind(above, binds) == "directory" \
        and path.isprintable()


def _mountpoints(binds, tmpfs, view):
    """Return (path, is it a directory) of the targets that the root file system lacks."""
    places = [mount.target for mount in tmpfs]
    missing = [(place, True) for place in places if view.kind(place, ()) is None]
    for position, bind in enumerate(binds):
        others = binds[:position] + binds[position + 1:]
        if bind.target not in places and view.kind(bind.target, ()) is None and covering(bind.target, others) is None:
            missing.append((bind.target, view.host_kind(bind.source) == "directory"))
    return tuple(missing)


def _kernel(spec, facts):
    from udocker.engine.proot import OLDEST_USEFUL_KERNEL, PRETENDED_KERNEL
    if spec.kernel:
        return spec.kernel
    return PRETENDED_KERNEL if (0, 0) < facts.kernel_version < OLDEST_USEFUL_KERNEL else ""


def _cpus(text):
    if not text:
        return ()
    from udocker.model.limits import parse_cpus
    return parse_cpus(text)
