"""What is configured: defaults < /etc < user < repository < --config < environment < flags.

Each value knows where it came from, and has the type that its key says. The keys, files and
variables are those of udocker 1.3.x.
"""

import os
from collections import namedtuple

from udocker.errors import HostError, InvalidValue
from udocker.model.reference import quoted

Key = namedtuple("Key", "name kind default variable")
Value = namedtuple("Value", "value origin")

SYSTEM_FILE = "/etc/udocker.conf"

#: kind: "text", "number", "boolean" or "words" (a list of str).
KEYS = (
    Key("verbose_level", "number", 3, "UDOCKER_LOGLEVEL"),
    Key("topdir", "text", "", "UDOCKER_DIR"),
    Key("bindir", "text", "", "UDOCKER_BIN"),
    Key("libdir", "text", "", "UDOCKER_LIB"),
    Key("docdir", "text", "", "UDOCKER_DOC"),
    Key("reposdir", "text", "", "UDOCKER_REPOS"),
    Key("layersdir", "text", "", "UDOCKER_LAYERS"),
    Key("containersdir", "text", "", "UDOCKER_CONTAINERS"),
    Key("tmpdir", "text", "", "UDOCKER_TMP"),
    Key("keystore", "text", "keystore", "UDOCKER_KEYSTORE"),
    Key("tarball", "words", (), "UDOCKER_TARBALL"),
    Key("autoinstall", "boolean", True, ""),
    Key("cmd", "words", ("bash", "-i"), ""),
    Key("root_path", "text", "/usr/sbin:/sbin:/usr/bin:/bin", ""),
    Key("user_path", "text", "/usr/local/bin:/usr/bin:/bin", ""),
    Key("sysdirs_list", "words",
        ("/dev", "/proc", "/sys", "/etc/resolv.conf", "/etc/host.conf", "/lib/modules"), ""),
    Key("override_default_execution_mode", "text", "", "UDOCKER_DEFAULT_EXECUTION_MODE"),
    Key("proot_killonexit", "boolean", True, ""),
    Key("proot_link2symlink", "boolean", False, ""),
    Key("use_proot_executable", "text", "", "UDOCKER_USE_PROOT_EXECUTABLE"),
    Key("use_runc_executable", "text", "", "UDOCKER_USE_RUNC_EXECUTABLE"),
    Key("use_patchelf_executable", "text", "", "UDOCKER_USE_PATCHELF_EXECUTABLE"),
    Key("fakechroot_so", "text", "", "UDOCKER_FAKECHROOT_SO"),
    Key("use_singularity_executable", "text", "", "UDOCKER_USE_SINGULARITY_EXECUTABLE"),
    Key("nvi_lib_list", "words", (), ""),
    Key("nvi_bin_list", "words", (), ""),
    Key("nvi_etc_list", "words", (), ""),
    Key("nvi_dev_list", "words", (), ""),
    Key("lib_dirs_list_nvidia", "words", (), ""),
    Key("valid_host_env", "words", ("TERM", "PATH", "PROOT_TMP_DIR"), ""),
    Key("invalid_host_env", "words", ("VTE_VERSION",), ""),
    Key("http_proxy", "text", "", ""),
    Key("http_insecure", "boolean", False, ""),
    Key("timeout", "number", 30, ""),
    Key("ctimeout", "number", 6, ""),
    Key("dockerio_registry_url", "text", "", "UDOCKER_REGISTRY"),
    Key("dockerio_index_url", "text", "https://hub.docker.com", "UDOCKER_INDEX"),
    Key("download_jobs", "number", 4, "UDOCKER_DOWNLOAD_JOBS"),
)

_BY_NAME = {key.name: key for key in KEYS}

#: Keys of 1.3.x that mean nothing here (a part that is not built, or that needs no setting any
#: more); a file that has them is still a good file.
OBSOLETE = frozenset("""
    homedir config tarball_release installinfo installretry dri_list mountpoint_prefixes
    default_execution_modes default_execution_mode proot_noseccomp ld_so_cache
    fakechroot_expand_symlinks fakechroot_cmd_subst fakechroot_libc libc_search
    lib_dirs_list_essential lib_dirs_list_append access_files
    runc_nomqueue runc_capabilities
    singularity_options cpu_affinity_exec_tools location download_timeout http_agent
    use_curl_executable docker_registries
    """.split())


class Settings(object):
    """The value and the origin of every key; attributes are the values."""

    def __init__(self, values, unknown=()):
        self._values = values
        #: (file, key) of keys in the files that nothing knows.
        self.unknown = tuple(unknown)

    def __getattr__(self, name):
        try:
            return self._values[name].value
        except KeyError:
            raise AttributeError(name)

    def items(self):
        """Return (key name, Value) of each key, in the order of the table."""
        return [(key.name, self._values[key.name]) for key in KEYS]

    def replaced(self, origin, **values):
        """Return Settings in which ``values`` that are not None stand, coming from ``origin``."""
        merged = dict(self._values)
        merged.update((name, Value(value, origin))
                      for name, value in values.items() if value is not None)
        return Settings(merged, self.unknown)


def load(environ, config_file=None, repo=None):
    """Return the Settings of this machine, user and command line.

    environ (dict), config_file (str or None: --config), repo (str or None: --repo).
    """
    home = environ.get("HOME") or os.path.expanduser("~")
    values = {key.name: Value(key.default, "default") for key in KEYS}
    unknown = []
    user_dir = os.path.join(home, ".udocker")
    top = repo or environ.get("UDOCKER_DIR") or user_dir
    files = [SYSTEM_FILE, os.path.join(user_dir, "udocker.conf"), os.path.join(top, "udocker.conf")]
    if config_file:
        if not os.path.isfile(config_file):
            raise HostError("no such configuration file: %s" % quoted(config_file))
        files.append(config_file)
    for path in _distinct(files):
        if os.path.isfile(path):
            found, strange = _read_file(path)
            values.update(found)
            unknown.extend(strange)
    for key in KEYS:
        text = environ.get(key.variable) if key.variable else None
        if text:
            values[key.name] = Value(_convert(key, text, key.variable), key.variable)
    if repo:
        values["topdir"] = Value(repo, "--repo")
    if not values["topdir"].value:
        values["topdir"] = Value(user_dir, "default")
    if not values["tmpdir"].value:
        values["tmpdir"] = Value(environ.get("TMPDIR") or "/tmp",
                                 "TMPDIR" if environ.get("TMPDIR") else "default")
    return Settings(values, unknown)


def _distinct(paths):
    seen = []
    for path in paths:
        if path not in seen:
            seen.append(path)
    return seen


def _read_file(path):
    """Return ({key: Value}, [(path, unknown key)]) of a file, of 1.3.x (INI) or 1.1.x (bare lines)."""
    import configparser
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
        has_section = any(line.lstrip().startswith("[") for line in text.splitlines()
                          if not line.startswith((" ", "\t", "#")))
        parser.read_string(text if has_section else "[DEFAULT]\n" + text, path)
    except (OSError, UnicodeDecodeError) as error:
        raise HostError("cannot read configuration file %s: %s" % (path, error))
    except configparser.Error as error:
        raise InvalidValue("bad configuration file: %s" % " ".join(str(error).split()))
    values, unknown = {}, []
    for name, text in parser.defaults().items():
        key = _BY_NAME.get(name)
        if key is not None:
            origin = "%s: %s" % (path, name)
            text = _unquoted(text)
            if text != "None":
                values[name] = Value(_convert(key, text, origin), path)
        elif name not in OBSOLETE:
            unknown.append((path, name))
    return values, unknown


def _convert(key, text, origin):
    text = text.strip()
    if key.kind == "number":
        try:
            return int(text)
        except ValueError:
            raise InvalidValue("%s: %s is not a number" % (origin, quoted(text)))
    if key.kind == "boolean":
        if text.lower() in ("true", "yes", "on", "1"):
            return True
        if text.lower() in ("false", "no", "off", "0", ""):
            return False
        raise InvalidValue("%s: %s is neither true nor false" % (origin, quoted(text)))
    if key.kind == "words":
        return _words(text, origin)
    return text


def _words(text, origin):
    """A Python list or tuple, as 1.x wrote them, or words between blanks and commas."""
    if text[:1] in "[(" and text:
        from ast import literal_eval
        try:
            return tuple(str(item) for item in literal_eval(text))
        except (ValueError, SyntaxError, TypeError):
            raise InvalidValue("%s: %s is not a list" % (origin, quoted(text)))
    return tuple(_unquoted(word) for word in text.replace(",", " ").split())


def _unquoted(text):
    text = text.strip()
    if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"":
        return text[1:-1]
    return text
