"""Who the user is to a registry: the files in which docker, podman and udocker 1.3.x keep it.

Formats: containers-auth.json(5), docker's config.json, and ~/.dockercfg, whose shape the keystore
of udocker 1.3.x has too.
"""

import os
from collections import namedtuple

from udocker.errors import HostError
from udocker.host.files import write_atomic
from udocker.model.jsontext import loads
from udocker.model.reference import DOCKER_HUB, DOCKER_HUB_NAMES
from udocker.registry.helper import HELPER_TIMEOUT, ask_helper

#: Under which docker keeps Docker Hub.
DOCKER_HUB_KEY = "https://index.docker.io/v1/"
#: docker's mark, in the place of a user name, for an identity token.
TOKEN_USER = "<token>"
#: Bytes of a file of credentials; a home full of them stays far below.
MAX_AUTH_FILE = 1024 * 1024


class Credential(namedtuple("Credential", "username password identity_token")):
    """A name and a password, or an identity token (OAuth 2 refresh token) in their place.

    Its text form shows no secret, so that none gets into a log, a traceback or a test's output.
    """

    __slots__ = ()

    def __repr__(self):
        return "Credential(username=%r, ...)" % self.username

    __str__ = __repr__

    def basic(self):
        """Return the value of an ``Authorization: Basic`` header (RFC 7617, UTF-8)."""
        return "Basic " + _encode("%s:%s" % (self.username, self.password))


Credential.__new__.__defaults__ = ("", "", "")


class AuthFile(namedtuple("AuthFile", "path flat is_private")):
    """One file of credentials.

    flat (bool): registries stand at the top, not under ``auths``. is_private (bool): as 1.3.x has
    it, the file counts only if it belongs to the user, and nobody else may read or write it.
    """

    __slots__ = ()

    def load(self, is_trusted=False):
        """Return the document (dict), {} where there is no file; HostError if it is unreadable.

        is_trusted (bool): whoever may read a private file, what is in it is only to be forgotten.
        """
        try:
            with open(self.path, "rb") as stream:
                if self.is_private and not is_trusted:
                    self._require_private(os.fstat(stream.fileno()))
                raw = stream.read(MAX_AUTH_FILE + 1)
        except (FileNotFoundError, NotADirectoryError):
            return {}
        except OSError as error:
            raise HostError("cannot read credentials in %s: %s" % (self.path, error.strerror))
        if not raw.strip():
            return {}
        try:
            document = loads(raw) if len(raw) <= MAX_AUTH_FILE else None
        except ValueError:
            document = None
        if not isinstance(document, dict):
            # and no more than that: the text around a syntax error may be a password
            raise HostError("cannot read credentials in %s: not a JSON object" % self.path)
        return document

    def _require_private(self, status):
        if status.st_uid != os.geteuid():
            raise HostError("ignoring the logins in %s: the file belongs to somebody else"
                            % self.path)
        if status.st_mode & 0o077:
            raise HostError("ignoring the logins in %s: others may read it; 'chmod 600' changes that"
                            % self.path)

    def _entries(self, document):
        entries = document if self.flat else document.setdefault("auths", {})
        if not isinstance(entries, dict):
            raise HostError("cannot change the logins in %s: its 'auths' are not an object"
                            % self.path)
        return entries

    def save(self, host, credential):
        """Keep ``credential`` for ``host`` (None: that there is one, in a helper).

        Whatever else the file says stays in it.
        """
        document = self.load()
        entries = self._entries(document)
        key = _spelling(entries, host)
        entry = entries.get(key)
        entry = dict(entry) if isinstance(entry, dict) else {"email": ""} if self.flat else {}
        for name in ("auth", "identitytoken", "username", "password"):
            entry.pop(name, None)
        if credential is not None and credential.identity_token:
            entry["identitytoken"] = credential.identity_token
        if credential is not None:
            entry["auth"] = _encode("%s:%s" % (credential.username, credential.password))
        entries[key] = entry
        _replace(self.path, document)

    def remove(self, host=None):
        """Forget ``host`` (None: every registry); return whether there was something to forget."""
        document = self.load(is_trusted=True)
        entries = self._entries(document)
        doomed = [key for key in entries if host is None or normal_key(key) == normal_key(host)]
        for key in doomed:
            del entries[key]
        if doomed:
            _replace(self.path, document)
        return bool(doomed)


AuthFile.__new__.__defaults__ = (False, False)


def auth_files(environ, authfile="", keystore=""):
    """Return the AuthFiles to look into, the first that knows a registry wins.

    authfile (str): one that the user named for this command; keystore (str): that of 1.3.x.
    """
    home = environ.get("HOME") or os.path.expanduser("~")
    config = environ.get("XDG_CONFIG_HOME") or os.path.join(home, ".config")
    docker = environ.get("DOCKER_CONFIG") or os.path.join(home, ".docker")
    runtime = environ.get("XDG_RUNTIME_DIR")
    files = [AuthFile(authfile), AuthFile(environ.get("REGISTRY_AUTH_FILE", ""))]
    if runtime:
        files.append(AuthFile(os.path.join(runtime, "containers", "auth.json")))
    files += [AuthFile(os.path.join(config, "containers", "auth.json")),
              AuthFile(os.path.join(docker, "config.json")),
              AuthFile(os.path.join(home, ".dockercfg"), True),
              AuthFile(keystore, True, True)]
    return tuple(entry for entry in files if entry.path)


class Credentials(object):
    """Finds the credential for an image.

    files (sequence of AuthFile), environ (mapping): what a helper program gets, warn (callable of
    str): told what was wrong with a file or a helper, because the search goes on without it: an
    anonymous pull of a public image must not fail on a broken password file.
    """

    def __init__(self, files, environ=None, warn=None, helper_timeout=HELPER_TIMEOUT):
        self._files = files
        self._environ = os.environ if environ is None else environ
        self._warn = warn or (lambda text: None)
        self._helper_timeout = helper_timeout

    def find(self, host, repository=""):
        """Return the Credential for ``repository`` on the registry ``host``; None for none."""
        for source in self._files:
            try:
                document = source.load()
            except HostError as error:
                self._warn(error.message)
                continue
            found = (self._from_flat(document, host, repository) if source.flat
                     else self._from_config(document, host, repository))
            if found is not None:
                return found
        return None

    def _from_flat(self, document, host, repository):
        return _best(document, host, repository)

    def _from_config(self, document, host, repository):
        helpers = section(document, "credHelpers")
        for key in helpers:
            if normal_key(key) == normal_key(host):
                # a helper for this registry is there instead of a password (containers-auth.json)
                return self._ask(helpers[key], host)
        found = _best(section(document, "auths"), host, repository)
        if found is None and document.get("credsStore"):
            found = self._ask(document["credsStore"], host)
        return found

    def _ask(self, name, host):
        return ask_for(name, host, self._environ, self._warn, self._helper_timeout)


def ask_for(name, host, environ, warn, timeout=HELPER_TIMEOUT):
    """Return the Credential that the helper ``name`` has for ``host`` (str); None for none."""
    answer = ask_helper(name, server_of(host), environ, warn, timeout)
    if answer is None:
        return None
    username, secret = answer
    return Credential("", "", secret) if username == TOKEN_USER else Credential(username, secret)


def server_of(host):
    """Return what credential helpers call the registry ``host`` (str)."""
    return DOCKER_HUB_KEY if normal_key(host) == DOCKER_HUB else host


def normal_key(key):
    """Return ``host[/path]`` for the many spellings of a registry in files of credentials."""
    for scheme in ("https://", "http://"):
        if key.startswith(scheme):
            key = key[len(scheme):]
    host, _, path = key.strip("/").partition("/")
    if path in ("v1", "v2"):
        path = ""
    host = host.lower()
    if host in DOCKER_HUB_NAMES:
        host = DOCKER_HUB
    return "%s/%s" % (host, path) if path else host


def _best(entries, host, repository):
    """The most specific of ``host/a/b``, ``host/a`` and ``host`` that has a credential."""
    known = {}
    for key, entry in entries.items():
        credential = _parse_entry(entry)
        if credential is not None:
            known.setdefault(normal_key(key), credential)
    name = normal_key(host)
    steps = repository.split("/") if repository else []
    for length in range(len(steps), -1, -1):
        found = known.get("/".join([name] + steps[:length]))
        if found is not None:
            return found
    return None


def _parse_entry(entry):
    """The Credential in one entry; None where it is empty or unreadable."""
    if not isinstance(entry, dict):
        return None
    token, auth = entry.get("identitytoken"), entry.get("auth")
    if isinstance(token, str) and token:
        return Credential("", "", token)
    if isinstance(auth, str) and auth:
        username, colon, password = _decode(auth).partition(":")
        return Credential(username, password) if colon and username else None
    username, password = entry.get("username"), entry.get("password")
    if isinstance(username, str) and isinstance(password, str) and username:
        return Credential(username, password)
    return None


def _spelling(entries, host):
    """The key under which ``host`` already stands, or a new one."""
    for key in entries:
        if normal_key(key) == normal_key(host):
            return key
    return server_of(host)


def section(document, name):
    """Return the object (dict) ``name`` of a file of credentials; {} where there is none."""
    found = document.get(name)
    return found if isinstance(found, dict) else {}


def _encode(text):
    from binascii import b2a_base64
    return b2a_base64(text.encode("utf-8"), newline=False).decode("ascii")


def _decode(text):
    from binascii import Error, a2b_base64
    try:
        # some programs leave the padding out, and docker ends the text with NUL bytes
        return a2b_base64(text + "=" * (-len(text) % 4)).decode("utf-8").rstrip("\0")
    except (Error, ValueError):
        return ""


def _replace(path, document):
    """Write ``document`` in the place of ``path``: all of it or nothing, and for the user only."""
    import json
    path = os.path.realpath(path)  # a link into somebody's dotfiles stays a link
    try:
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        write_atomic(path, (json.dumps(document, indent=4) + "\n").encode("ascii"), 0o600)
    except OSError as error:
        raise HostError("cannot write credentials to %s: %s" % (path, error.strerror))
    except HostError as error:
        raise HostError("cannot write credentials: " + error.message, error.hint)
