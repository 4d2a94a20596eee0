"""From the options of ``run`` to a ContainerSpec."""

import os

from udocker.errors import InvalidValue
from udocker.model.reference import quoted
from udocker.model.spec import Bind, ContainerSpec, Port, UserSpec

#: Where distributions have the drivers of graphics cards, and their devices (--dri).
DRI = ("/usr/lib64/dri", "/lib64/dri", "/usr/lib/dri", "/lib/dri", "/usr/lib/x86_64-linux-gnu/dri",
       "/usr/lib/aarch64-linux-gnu/dri")
DRI_DEVICES = "/dev/dri"


def spec_from(values, argv):
    """Return the ContainerSpec of the option ``values`` (dict) and ``argv`` (list of str)."""
    env = []
    for path in values["env_file"]:
        env.extend(_read_env_file(path, os.environ))
    env.extend(_variable(text) for text in values["env"])
    entrypoint = values["entrypoint"]
    mounts = _mounts(values)
    return ContainerSpec(
        tuple(argv), tuple(env), tuple(mount for mount in mounts if isinstance(mount, Bind)),
        values["novol"], UserSpec.parse(values["user"]) if values["user"] else None,
        values["workdir"] or "",
        None if entrypoint is None else tuple(entrypoint.split()),
        tuple(Port.parse(text) for text in values["publish"]), values["hostname"] or "",
        values["execmode"] or "", not values["nosysdirs"], values["bindhome"],
        values["hostauth"], values["containerauth"], values["hostenv"], not values["nometa"],
        values["cpuset_cpus"] or "", values["kernel"] or "", _devices(values),
        tuple(mount for mount in mounts if not isinstance(mount, Bind)), values["read_only"],
        _shm_size(values), _network(values), values["publish_all"], _limits(values),
        _resolver(values), values["gpus"] or "")


def _mounts(values):
    """Return the Binds and Tmpfs of -v, --mount, --tmpfs and --dri, in this order."""
    found = []
    for text in values["volume"]:
        if text.startswith(("./", "../", ".:")):  # docker takes them for what they are to a shell
            path, colon, rest = text.partition(":")
            text = os.path.abspath(path) + colon + rest
        found.append(Bind.parse(text))
    if values["mount"] or values["tmpfs"]:
        from udocker.model.mounts import Tmpfs, parse_mount
        found += [parse_mount(text) for text in values["mount"]]
        found += [Tmpfs.parse(text) for text in values["tmpfs"]]
    if values["dri"]:
        found += [Bind(path, path, False) for path in DRI if os.path.isdir(path)]
    return found


def _devices(values):
    if not values["device"] and not values["dri"]:
        return ()
    from udocker.model.mounts import parse_device
    devices = [parse_device(text) for text in values["device"]]
    if values["dri"] and os.path.isdir(DRI_DEVICES):
        devices.append(Bind(DRI_DEVICES, DRI_DEVICES, False))
    return tuple(devices)


def _limits(values):
    if not values["ulimit"]:
        return ()
    from udocker.model.limits import Limit
    return tuple(Limit.parse(text) for text in values["ulimit"])


def _shm_size(values):
    if values["shm_size"] is None:
        return 0
    from udocker.model.limits import parse_size
    return parse_size(values["shm_size"], "--shm-size")


def _network(values):
    return "none" if values["network"] == "none" else ""


def _resolver(values):
    asked = [values[name] for name in ("add_host", "dns", "dns_search", "dns_option")]
    if not any(asked):
        return None
    from udocker.model.resolver import Resolver
    return Resolver.parse(*asked)


def _read_env_file(path, environ):
    """Return [(key, value or None)] of a file in docker's syntax: KEY=VALUE, KEY, # comments.

    A KEY alone copies what is in ``environ`` (dict), and is nothing where it is not there.
    """
    try:
        with open(path, "rb") as file:
            lines = file.read().decode("utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidValue("cannot read --env-file %s: %s"
                           % (quoted(path), getattr(error, "strerror", None) or "not UTF-8"))
    entries = []
    for number, line in enumerate(lines, 1):
        line = (line[:-1] if line.endswith("\r") else line).lstrip()
        if line and not line.startswith("#"):
            try:
                entries.append(_variable(line))
            except InvalidValue as error:
                raise InvalidValue("%s line %d: %s" % (quoted(path), number, error.message), error.hint)
    return [(key, value) for key, value in entries if value is not None or key in environ]


def _variable(text):
    """Return (key, value, or None where the host's is to be copied) of ``KEY[=VALUE]``."""
    key, equals, value = text.partition("=")
    if not key or any(c.isspace() for c in key) or "\0" in text or key[0].isdigit():
        raise InvalidValue("invalid environment variable %s" % quoted(text),
                           "write it as KEY=VALUE, or KEY to copy the host's")
    return key, (value if equals else None)
