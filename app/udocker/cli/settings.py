"""What is configured: defaults < /etc < user < repository < --config < environment < flags.

Each value knows where it came from, and has the type that its key says. The keys, files and
variables are those of udocker 1.3.x.
"""

import os
from collections import namedtuple

from udocker.errors import HostError, InvalidValue
from udocker.model.reference import quoted

Key = namedtuple("Key", "name kind default variable help")
Value = namedtuple("Value", "value origin")

SYSTEM_FILE = "/etc/udocker.conf"

#: kind: "text", "count" (an int from 1), "level" (of messages), "boolean" or "words" (a list of
#: str). help: one line, for docs/configuration.md and the man page.
KEYS = (
    Key("verbose_level", "level", 3, "UDOCKER_LOGLEVEL",
        "what is told: 0 and 1 errors, 2 warnings too, 3 and 4 what is done, 5 as --debug"),
    Key("topdir", "text", "", "UDOCKER_DIR", "where images and containers are: ~/.udocker"),
    Key("bindir", "text", "", "UDOCKER_BIN", "the engines' programs: bin in topdir"),
    Key("libdir", "text", "", "UDOCKER_LIB", "the engines' libraries: lib in topdir"),
    Key("docdir", "text", "", "UDOCKER_DOC", "the engines' licences: doc in topdir"),
    Key("reposdir", "text", "", "UDOCKER_REPOS", "images: repos in topdir"),
    Key("layersdir", "text", "", "UDOCKER_LAYERS", "layers of images: layers in topdir"),
    Key("containersdir", "text", "", "UDOCKER_CONTAINERS", "containers: containers in topdir"),
    Key("tmpdir", "text", "", "UDOCKER_TMP", "temporary files: TMPDIR, or /tmp"),
    Key("keystore", "text", "keystore", "UDOCKER_KEYSTORE",
        "credentials of 1.3.x: a file in topdir, or a path"),
    Key("tarball", "words", (), "UDOCKER_TARBALL",
        "where 'install' finds engines: files, directories, URLs"),
    Key("autoinstall", "boolean", True, "", "install engines when a run finds none"),
    Key("cmd", "words", ("bash", "-i"), "",
        "what runs where neither you nor the image say it"),
    Key("root_path", "text", "/usr/sbin:/sbin:/usr/bin:/bin", "",
        "PATH of root in an image without one"),
    Key("user_path", "text", "/usr/local/bin:/usr/bin:/bin", "",
        "PATH of others in an image without one"),
    Key("sysdirs_list", "words",
        ("/dev", "/proc", "/sys", "/etc/resolv.conf", "/etc/host.conf", "/lib/modules"), "",
        "what of the host every container sees, unless --nosysdirs"),
    Key("override_default_execution_mode", "text", "", "UDOCKER_DEFAULT_EXECUTION_MODE",
        "mode of containers that were given none, or auto"),
    Key("proot_noseccomp", "boolean", False, "PROOT_NO_SECCOMP", "P1 does without seccomp, as P2"),
    Key("proot_killonexit", "boolean", True, "", "no process outlives its run (P modes)"),
    Key("proot_link2symlink", "boolean", False, "",
        "make symbolic links of hard links (P modes), for file systems without"),
    Key("use_proot_executable", "text", "", "UDOCKER_USE_PROOT_EXECUTABLE",
        "this PRoot; UDOCKER means our own"),
    Key("use_runc_executable", "text", "", "UDOCKER_USE_RUNC_EXECUTABLE",
        "this runtime for R modes; crun or runc: ours of that name"),
    Key("use_patchelf_executable", "text", "", "UDOCKER_USE_PATCHELF_EXECUTABLE",
        "this patchelf for F3 and F4; UDOCKER means our own"),
    Key("fakechroot_so", "text", "", "UDOCKER_FAKECHROOT_SO",
        "this library for F modes: a path, or a name in libdir"),
    Key("fakechroot_cmd_subst", "words", (), "UDOCKER_FAKECHROOT_CMD_SUBST",
        "programs that F modes replace: /PROGRAM=/SUBSTITUTE, on the host"),
    Key("use_singularity_executable", "text", "", "UDOCKER_USE_SINGULARITY_EXECUTABLE",
        "this Apptainer or Singularity for S1"),
    Key("nvi_lib_list", "words", (), "", "patterns of the NVIDIA driver's libraries"),
    Key("nvi_bin_list", "words", (), "", "the NVIDIA driver's programs"),
    Key("nvi_etc_list", "words", (), "", "the NVIDIA driver's files in /etc"),
    Key("nvi_dev_list", "words", (), "", "patterns of NVIDIA devices"),
    Key("lib_dirs_list_nvidia", "words", (), "", "where to look for the NVIDIA driver first"),
    Key("valid_host_env", "words", ("TERM", "PATH", "PROOT_TMP_DIR"), "",
        "variables of the host that containers get"),
    Key("invalid_host_env", "words", ("VTE_VERSION",), "",
        "variables that they do not get with --hostenv either"),
    Key("http_proxy", "text", "", "", "proxy for registries and mirrors"),
    Key("http_insecure", "boolean", False, "", "as --insecure"),
    Key("timeout", "count", 30, "", "seconds of silence after which a request is given up"),
    Key("ctimeout", "count", 6, "", "seconds that a connection may take to be made"),
    Key("dockerio_registry_url", "text", "", "UDOCKER_REGISTRY",
        "registry for names without a host, in place of Docker Hub"),
    Key("dockerio_index_url", "text", "https://hub.docker.com", "UDOCKER_INDEX",
        "where to search for images"),
    Key("download_jobs", "count", 4, "UDOCKER_DOWNLOAD_JOBS", "layers to download at a time"),
)

_BY_NAME = {key.name: key for key in KEYS}

#: Keys of 1.3.x that change nothing here, and why; a file that has them is still a good file.
OBSOLETE = {
    "homedir": "topdir says where the data are",
    "config": "the names of the files are fixed; --config names one more",
    "tarball_release": "a program knows which engines it wants",
    "installinfo": "no news are fetched",
    "installretry": "each place is tried once, and each request as often as makes sense",
    "dri_list": "--dri shows the directories that are there",
    "mountpoint_prefixes": "mount points are made wherever they are missing",
    "default_execution_modes": "write override_default_execution_mode, or auto there",
    "default_execution_mode": "write override_default_execution_mode",
    "ld_so_cache": "F modes need no cache of the loader",
    "libc_search": "one library serves every C library",
    "fakechroot_libc": "one library serves every C library",
    "fakechroot_expand_symlinks": "links always stay inside",
    "lib_dirs_list_essential": "F modes look where the image's loader looks",
    "lib_dirs_list_append": "F modes look where the image's loader looks",
    "access_files": "F modes serve access(2) from the start",
    "runc_nomqueue": "what is mounted is what the kernel has",
    "runc_capabilities": "R modes keep what the user namespace gives",
    "singularity_options": "the options are those that make S1 like the other modes",
    "cpu_affinity_exec_tools": "no program is needed for --cpuset-cpus",
    "location": "--location names it for a run",
    "download_timeout": "a download may last as long as it goes on; timeout is about silence",
    "http_agent": "the name of this program is told",
    "use_curl_executable": "curl is not used",
    "docker_registries": "a name with a host says which registry it means",
}

#: The same for variables.
OBSOLETE_VARIABLES = {
    "UDOCKER_USE_CURL_EXECUTABLE": "curl is not used",
    "UDOCKER_FAKECHROOT_LIBC": "one library serves every C library",
    "UDOCKER_FAKECHROOT_EXPAND_SYMLINKS": "links always stay inside",
    "PROOT_NEW_SECCOMP": "our PRoot finds out by itself what the kernel does",
}

#: Variables that are no key's, and what they do.
VARIABLES = {
    "UDOCKER_NOSYSCONF": "if set, %s is not read" % SYSTEM_FILE,
    "UDOCKER_PYTHON": "the Python that runs udocker",
    "PROOT_TMP_DIR": "PRoot's temporary files, which must be executable there: tmpdir",
    "TMPDIR": "temporary files, where tmpdir says nothing else",
    "NO_COLOR": "if set, nothing is emphasised",
}

#: What a level of messages may be (1.3.x's).
_LEVELS = (-1, 5)


class Settings(object):
    """The value and the origin of every key; attributes are the values."""

    def __init__(self, values, unknown=()):
        self._values = values
        #: Lines (tuple of str) that say what in the files means nothing.
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


def load(environ, config_file=None, repo=None, system_file=SYSTEM_FILE):
    """Return the Settings of this machine, user and command line.

    environ (dict), config_file (str or None: --config), repo (str or None: --repo).
    """
    home = environ.get("HOME") or os.path.expanduser("~")
    values = {key.name: Value(key.default, "default") for key in KEYS}
    unknown = []
    user_dir = os.path.join(home, ".udocker")
    top = repo or environ.get("UDOCKER_DIR") or user_dir
    files = [] if environ.get("UDOCKER_NOSYSCONF") else [system_file]
    files += [os.path.join(user_dir, "udocker.conf"), os.path.join(top, "udocker.conf")]
    files = [path for path in _distinct(files) if os.path.isfile(path)]
    if config_file is not None:
        if not os.path.exists(config_file):
            raise HostError("no such configuration file: %s" % quoted(config_file))
        files.append(config_file)
    for path in files:
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
    """Return ({key: Value}, [str: what means nothing]) of a configuration file."""
    from udocker.cli import conffile
    entries, strange = conffile.read(path)
    values = {}
    for entry in entries:
        key = _BY_NAME.get(entry.key)
        if key is None:
            if entry.key not in OBSOLETE:
                strange.append("%s: unknown key %s%s" % (
                    entry.place, quoted(entry.key), _suggestion(entry.key)))
            continue
        text = _unquoted(entry.text)
        if text != "None":
            values[key.name] = Value(_convert(key, text, "%s: %s" % (entry.place, key.name)),
                                     entry.place)
    return values, strange


def _suggestion(name):
    from difflib import get_close_matches
    close = get_close_matches(name, sorted(_BY_NAME), 1)
    return ": did you mean '%s'?" % close[0] if close else ""


def _convert(key, text, origin):
    """Return ``text`` (str) in the type of ``key``; InvalidValue names ``origin`` (str)."""
    text = text.strip()
    if key.kind in ("count", "level"):
        least, most = _LEVELS if key.kind == "level" else (1, 1 << 31)
        try:
            number = int(text)
        except ValueError:
            raise InvalidValue("%s: %s is not a number" % (origin, quoted(text)))
        if not least <= number <= most:
            raise InvalidValue("%s: %s is out of range" % (origin, quoted(text)),
                               "from %d to %d" % (least, most))
        return number
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
    if text[:1] and text[0] in "[({":
        from ast import literal_eval
        try:
            items = literal_eval(text)
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            items = None
        if not isinstance(items, (list, tuple)) \
                or not all(isinstance(item, (str, int)) for item in items):
            raise InvalidValue("%s: %s is not a list" % (origin, quoted(text)),
                               "write ['a', 'b'], or a b")
        return tuple(str(item) for item in items)
    return tuple(_unquoted(word) for word in text.replace(",", " ").split())


def _unquoted(text):
    text = text.strip()
    if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"":
        return text[1:-1]
    return text
