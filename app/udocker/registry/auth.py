"""Answering a registry that asks who we are.

Specifications: RFC 9110, section 11 (challenges), RFC 7617 (Basic), and distribution's "Token
Authentication" and "OAuth 2" for Bearer: the registry names a realm, the realm gives a token for
a scope, the registry takes the token.

Who gets the user's password is decided here, and nowhere else:

- the registry that the user named, as (scheme, host, port), if it asks for Basic;
- the realm that this registry names, if it asks for Bearer. docker trusts the registry with that
  choice, and so do we where TLS has proved that the registry is speaking: Docker Hub's realm is
  another host than its registry. The realm must be https itself then.
- Where nothing proved it (plain HTTP, or a host called insecure), whoever is on the way could name
  the realm, so only one on the same host, or on a host the user called insecure, gets it; another
  realm is asked anonymously.

A challenge that comes from elsewhere, such as the target of a redirect, is not answered at all.
"""

import threading
from collections import namedtuple

from udocker.errors import AuthenticationError, CorruptData, InvalidValue, RegistryError
from udocker.model.jsontext import loads
from udocker.model.reference import printable
from udocker.registry.endpoint import is_loopback, origin
from udocker.registry.failures import denied, login_command, message_of, refusal

#: Bytes of a token answer. Tokens go into a header, and servers take some 8 or 16 KiB of those.
MAX_TOKEN_BODY = 64 * 1024
#: Seconds that a token is good for where its server does not say (distribution, "token").
DEFAULT_LIFETIME = 60
#: Part of its lifetime after which a token counts as used up: the clock and the way take some.
USABLE_LIFETIME = 0.9

#: Under which name we ask for tokens with OAuth.
CLIENT_ID = "udocker"

_Token = namedtuple("_Token", "header expires")


class Access(namedtuple("Access", "repository scopes")):
    """What a request has to be allowed to do.

    repository (str): whose login to take, "" for that of the registry as a whole; scopes (tuple of
    str): what to ask a token server for (distribution, "Token Scope Documentation").
    """

    __slots__ = ()

    @property
    def verb(self):
        """The deed, for failures.denied."""
        if self == LOGIN:
            return "log in"
        return "write to" if self.scopes and self.scopes[0].endswith("push") else "read"


def pulling(repository):
    """Return the Access that reads ``repository``, and no other: the registry may suggest more."""
    return Access(repository, ("repository:%s:pull" % repository,))


def pushing(repository, *sources):
    """Return the Access that writes to ``repository`` and reads the repositories ``sources``."""
    return Access(repository, ("repository:%s:pull,push" % repository,)
                  + tuple(pulling(source).scopes[0] for source in sources))


#: Reading the names of all repositories.
LISTING = Access("", ("registry:catalog:*",))
#: Nothing but to be somebody.
LOGIN = Access("", ())


class Challenge(namedtuple("Challenge", "scheme parameters")):
    """scheme (str, lower case), parameters (dict, keys in lower case)."""

    __slots__ = ()


def parse_challenges(header):
    """Return the Challenges in the value of a ``WWW-Authenticate`` header.

    Several of them are separated by the same commas as their parameters, and a scope has commas
    of its own inside quotes.
    """
    from urllib.request import parse_http_list
    challenges = []
    for item in parse_http_list(header or ""):
        name, equals, value = item.partition("=")
        words = name.split(None, 1)
        if not words:
            continue
        if len(words) == 2 or not equals:  # "Bearer realm" or "Negotiate": a new challenge
            challenges.append(Challenge(words[0].lower(), {}))
            if len(words) == 1 or not equals:
                continue
            name = words[1]
        if challenges:
            value = value.strip()
            if len(value) > 1 and value[0] == value[-1] == '"':
                value = value[1:-1]
            challenges[-1].parameters[name.strip().lower()] = value
    return challenges


class Authenticator(object):
    """Makes the ``Authorization`` headers for one registry; usable from several threads.

    transport (Transport), endpoint (Endpoint), credentials (has ``find(host, repository)``).
    """

    def __init__(self, transport, endpoint, credentials=None):
        self._transport = transport
        self._endpoint = endpoint
        self._credentials = credentials
        self._lock = threading.Lock()
        self._found = {}
        self._tokens = {}
        self._last = None  # the registry's origin and its challenge
        #: What the token server gave at LOGIN to be kept in the place of the password; "" for nothing.
        self.identity_token = ""

    def header(self, access, stop=None):
        """Return the header value (str) to start with; None as long as nobody has asked for one."""
        with self._lock:
            if self._last is None:
                return None
            return self._answer(access, None, stop)

    def answer(self, response, access, rejected, stop=None):
        """Return the header value that answers the 401 in ``response``.

        access (Access): what was asked for.
        rejected (str or None): the header value that got this 401.
        AuthenticationError where there is no answer, or the one given was the right one already.
        """
        # reading it also frees the connection, which the next request can use then
        said = message_of(response)
        challenge = self._choose(parse_challenges(response.headers.get("WWW-Authenticate")))
        if challenge is None:
            raise self._denied(access, said, False)
        if rejected and challenge.parameters.get("error") == "insufficient_scope":
            # a new token would be for the same scope: all that we ever ask for
            raise self._denied(access, said)
        with self._lock:
            self._last = (response.origin, challenge)
            header = self._answer(access, rejected, stop)
        if header is None or header == rejected:
            raise self._denied(access, said)
        return header

    def has_login(self, access):
        """Whether the user has a login for ``access`` at all."""
        return self._credential(access.repository) is not None

    @property
    def was_asked(self):
        """Whether the registry has wanted to know who we are."""
        return self._last is not None

    def _denied(self, access, said, logged_in=None):
        return denied(access.repository or "it", self._endpoint.name, said,
                      self.has_login(access) if logged_in is None else logged_in, access.verb)

    def _choose(self, challenges):
        for challenge in challenges:
            if challenge.scheme == "bearer" and challenge.parameters.get("realm"):
                return challenge
        for challenge in challenges:
            if challenge.scheme == "basic":
                return challenge
        return None

    def _answer(self, access, rejected, stop):
        where, challenge = self._last
        if challenge.scheme == "basic":
            credential = self._credential(access.repository)
            return credential.basic() if credential and credential.username else None
        realm = challenge.parameters["realm"]
        key = (realm, challenge.parameters.get("service", ""), access)
        token = self._tokens.get(key)
        # one that differs from the rejected one was fetched by another thread in the meantime
        if token is None or token.header == rejected or token.expires <= self._transport.clock():
            token = self._tokens[key] = self._fetch(where, *key, stop=stop)
        return token.header

    def _credential(self, repository):
        if repository not in self._found:
            self._found[repository] = (self._credentials.find(self._endpoint.host, repository)
                                       if self._credentials is not None else None)
        return self._found[repository]

    def _fetch(self, where, realm, service, access, stop):
        there = self._check_realm(realm, where)
        credential = self._credential(access.repository)
        if credential is not None and not self._may_see_password(where, there):
            if access == LOGIN:
                # a token for nobody in particular would look like a confirmation
                raise AuthenticationError("%s is not encrypted, and wants the password sent to %s"
                                          % (self._endpoint.name, printable(there[1])),
                                          "it was not sent; use https")
            credential = None
        fields = [("service", service)] if service else []
        what = "token from %s" % there[1]

        def ask():
            response = self._ask(realm, fields, access, credential, stop)
            if response.status != 200:
                with response:
                    raise self._refused(response, there, access, credential)
            return response

        _, body = self._transport.read(ask, MAX_TOKEN_BODY, what, stop)
        return self._parse(body, what, access)

    def _ask(self, realm, fields, access, credential, stop):
        from urllib.parse import urlencode
        if credential is not None and credential.identity_token:
            body = urlencode([("grant_type", "refresh_token"), ("client_id", CLIENT_ID),
                              ("refresh_token", credential.identity_token)] + fields
                             + [("scope", " ".join(access.scopes))])
            return self._transport.open(
                "POST", realm, {"Content-Type": "application/x-www-form-urlencoded"},
                body.encode("ascii"), stop=stop)
        fields = fields + [("scope", scope) for scope in access.scopes]
        if access == LOGIN:
            fields += [("account", credential.username)] if credential is not None else []
            fields += [("client_id", CLIENT_ID), ("offline_token", "true")]
        url = realm + ("&" if "?" in realm else "?") + urlencode(fields)
        headers = {"Authorization": credential.basic()} if credential is not None else {}
        return self._transport.open("GET", url, headers, stop=stop)

    def _check_realm(self, realm, where):
        """Return the origin of ``realm``; AuthenticationError where we do not go."""
        name = self._endpoint.name
        try:
            there = origin(realm)
        except InvalidValue as error:
            raise AuthenticationError("%s sends us to an impossible place for a token: %s"
                                      % (name, error.message))
        if there[0] == "http" and (where[0] == "https" or not self._is_near(where, there)):
            raise AuthenticationError(
                "%s wants the password sent to http://%s, where anyone on the way could read it"
                % (name, printable(there[1])),
                "ask the registry's administrators for an https realm")
        return there

    def _may_see_password(self, where, there):
        proved = where[0] == "https" and not self._transport.is_insecure(where[1], where[2])
        return proved or self._is_near(where, there)

    def _is_near(self, where, there):
        return (where[1] == there[1] or (is_loopback(where[1]) and is_loopback(there[1]))
                or self._transport.is_insecure(there[1], there[2]))

    def _refused(self, response, there, access, credential):
        name = self._endpoint.name
        if response.status in (400, 401, 403):
            if credential is not None and access != LOGIN:
                said = message_of(response)
                return AuthenticationError(
                    "%s does not accept this login%s" % (name, ": " + said if said else ""),
                    "log in again: " + login_command(name))
            return self._denied(access, message_of(response), False)
        if response.status == 429 or response.status >= 500:
            return refusal(response, "a token", there[1], self._transport.clock())
        return RegistryError("the token server %s of %s answered status %d"
                             % (there[1], name, response.status))

    def _parse(self, body, what, access):
        try:
            document = loads(body)
        except ValueError:
            document = None
        if not isinstance(document, dict):
            raise CorruptData("%s is not a JSON object" % printable(what))
        token = document.get("token") or document.get("access_token")
        # what goes into a header must not be able to end it
        if not isinstance(token, str) or not token or any(not "!" <= c <= "~" for c in token):
            raise CorruptData("%s holds no usable token" % printable(what))
        if access == LOGIN and isinstance(document.get("refresh_token"), str):
            self.identity_token = document["refresh_token"]
        lifetime = document.get("expires_in")
        if not isinstance(lifetime, (int, float)) or isinstance(lifetime, bool) or lifetime <= 0:
            lifetime = DEFAULT_LIFETIME
        return _Token("Bearer " + token, self._transport.clock() + USABLE_LIFETIME * lifetime)
