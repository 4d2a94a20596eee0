"""Logging in and out: a login is verified by its registry, kept, and forgotten (ADR 6)."""

from collections import namedtuple

from udocker.errors import AuthenticationError, HostError, InvalidValue, RegistryError
from udocker.model.reference import quoted
from udocker.registry.auth import LOGIN
from udocker.registry.credentials import (TOKEN_USER, Credential, ask_for, normal_key, section,
                                          server_of)
from udocker.registry.failures import message_of
from udocker.registry.helper import HELPER_TIMEOUT, tell_helper
from udocker.registry.session import Session

#: Bytes of a password: it goes into a header, and servers take some 8 or 16 KiB of those. Keys of
#: service accounts, which clouds let one use as a password, have 2 or 3 KB.
MAX_PASSWORD = 8 * 1024

#: Bytes of what a registry says of itself: it is next to nothing.
MAX_ANSWER = 64 * 1024

#: Where a login is kept: place (str, for people), is_plain (bool: who reads the file has it).
Kept = namedtuple("Kept", "place is_plain")


def make_credential(username, password):
    """Return the Credential of what somebody typed (str); InvalidValue if it can be none.

    The password of docker's user ``<token>`` is an identity token. Messages show no password.
    """
    for name, text in (("user name", username), ("password", password)):
        if not text:
            raise InvalidValue("the %s is empty" % name)
        try:
            size = len(text.encode("utf-8"))
        except UnicodeEncodeError:
            raise InvalidValue("the %s is not text in UTF-8" % name) from None
        if size > MAX_PASSWORD:
            raise InvalidValue("the %s is longer than %d bytes" % (name, MAX_PASSWORD))
    if ":" in username or not username.isprintable():
        # RFC 7617, section 2: the first colon begins the password
        raise InvalidValue("invalid user name %s" % quoted(username),
                           "it has no colons and no control characters")
    if username == TOKEN_USER:
        return Credential("", "", password)
    return Credential(username, password)


class _Only(object):
    """Credentials that know one, whoever asks."""

    def __init__(self, credential):
        self._credential = credential

    def find(self, host, repository=""):
        return self._credential


def verify(transport, endpoint, credential):
    """Return (Credential to keep, whether the registry has confirmed it).

    AuthenticationError where the registry does not take ``credential``. One that lets everybody in
    confirms nothing. The Credential to keep is another where the token server gave an identity
    token in the place of the password.
    """
    session = Session(transport, endpoint, _Only(credential))
    url = session.url("")
    _, body = session.read(LOGIN, url, "registry", MAX_ANSWER)
    if session.auth.was_asked:
        if session.auth.identity_token:
            credential = Credential("", "", session.auth.identity_token)
        return credential, True
    if body.strip() and not body.lstrip().startswith(b"{"):
        # any other server on the web; it was not told the password, and will not be
        raise RegistryError("%s does not answer as a registry does" % endpoint.name,
                            "is the name right?")
    if credential.username:
        # some ask nobody, and yet look at a password that comes without being asked for
        with transport.open("GET", url, {"Authorization": credential.basic()}) as response:
            if response.status in (401, 403):
                said = message_of(response)
                raise AuthenticationError("%s does not accept this login%s" % (
                    endpoint.name, ": " + said if said else ""), "nothing was stored")
    return credential, False


class Logins(object):
    """The places where logins are kept.

    files (sequence of AuthFile, in the order in which they are read), is_named (bool): the user
    means the first of them, and no other. environ (mapping) for helper programs, warn (callable of
    str).
    """

    def __init__(self, files, is_named, environ, warn, timeout=HELPER_TIMEOUT):
        self._files, self._is_named = files, is_named
        self._environ, self._warn, self._timeout = environ, warn, timeout

    def keep(self, host, credential):
        """Keep ``credential`` where it is read first for ``host`` (str); return Kept.

        HostError where that is not possible; what was there is there still then.
        """
        source = self._place_for(host)
        helper = self._helper(source.load(), host)
        if helper is None:
            source.save(host, credential)
            return Kept(source.path, True)
        username, secret = credential.username, credential.password
        if credential.identity_token:
            username, secret = TOKEN_USER, credential.identity_token
        self._tell(source, helper, "store", {"ServerURL": server_of(host), "Username": username,
                                             "Secret": secret})
        source.save(host, None)  # as docker: it says that there is one, and takes an old one out
        return Kept("the credential helper docker-credential-%s" % helper, False)

    def forget(self, host=None):
        """Forget the login for ``host`` (str; None: every one); return where it was (list of str)."""
        places = []
        for source in self._files[:1] if self._is_named else self._files:
            try:
                document = source.load(is_trusted=True)
                hosts = [host] if host is not None else self._hosts(source, document)
                if source.remove(host):
                    places.append(source.path)
                for each in hosts:
                    places += self._forget_in_helper(source, document, each)
            except HostError as error:
                self._warn(error.message)
        return places

    def _place_for(self, host):
        ours = [source for source in self._files if not source.flat]
        if self._is_named:
            return ours[0]
        for source in ours[:-1]:
            try:
                document = source.load()
            except HostError as error:
                self._warn(error.message)
                continue
            known = list(section(document, "auths")) + list(section(document, "credHelpers"))
            if any(normal_key(key) == normal_key(host) for key in known):
                return source
        return ours[-1]  # docker's, which everybody reads, on all hosts that share the home

    @staticmethod
    def _helper(document, host):
        for key, name in section(document, "credHelpers").items():
            if normal_key(key) == normal_key(host):
                return name
        return document.get("credsStore") or None

    @staticmethod
    def _hosts(source, document):
        keys = [] if source.flat else (list(section(document, "auths"))
                                       + list(section(document, "credHelpers")))
        return sorted(set(normal_key(key) for key in keys))

    def _forget_in_helper(self, source, document, host):
        helper = self._helper(document, host)
        if helper is None or ask_for(helper, host, self._environ, self._warn, self._timeout) is None:
            return []
        self._tell(source, helper, "erase", server_of(host))
        return ["the credential helper docker-credential-%s" % helper]

    def _tell(self, source, helper, action, message):
        failure = tell_helper(helper, action, message, self._environ, self._timeout)
        if failure:
            raise HostError(failure, "%s asks for it, under credsStore or credHelpers" % source.path)
