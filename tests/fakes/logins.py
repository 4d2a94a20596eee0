"""How the fake registry asks who somebody is: Basic, or Bearer with a token server of its own."""

import base64
from urllib.parse import parse_qs, urlsplit


class TokenAuth(object):
    """Bearer tokens, from ``/token`` of the same registry unless ``realm`` says otherwise.

    users (dict: name -> password), anonymous (bool: nobody in particular gets tokens, too),
    identity (dict: refresh token -> user name), offline (str: an identity token for those who ask for
    one), readers (tuple of names that get no token to push with), field: ``token`` or ``access_token``,
    challenge (str): what the registry says with a 401, instead of the usual, good (callable of the
    Authorization header): whether the registry takes it, instead of the usual.
    """

    def __init__(self, users=None, anonymous=True, realm=None, field="token", expires_in=300,
                 identity=None, challenge=None, good=None, offline="", readers=()):
        self.users, self.anonymous, self.realm, self.field = users or {}, anonymous, realm, field
        self.expires_in, self.identity, self.challenge = expires_in, identity or {}, challenge
        self.good, self.offline, self.readers = good, offline, readers
        self.valid = {}
        self.made = 0

    def header(self, registry, repository, error=""):
        if self.challenge:
            return self.challenge
        text = 'Bearer realm="%s",service="fake, really",scope="repository:%s:pull,push"' % (
            self.realm or registry.url + "/token", repository)
        return text + (',error="%s"' % error if error else "")

    def allows(self, authorization, repository, action):
        if self.good is not None and not self.good(authorization):
            return False
        granted = self.valid.get(authorization)
        if granted is None or not action:
            return granted is not None
        if action == "catalog":
            return "registry:catalog:*" in granted
        return any(scope.startswith("repository:%s:" % repository)
                   and action in scope.rpartition(":")[2].split(",") for scope in granted)

    def revoke(self):
        """Make every token invalid, as if its time were over."""
        self.valid.clear()

    def answer(self, request):
        """(status, document) for a request to the token server."""
        fields = parse_qs(request.body.decode("ascii") if request.method == "POST"
                          else urlsplit(request.path).query)
        known = _login(request.headers.get("authorization", ""), self.users)
        if request.method == "POST":
            known = self.identity.get(fields.get("refresh_token", [""])[0])
        if known is None and (not self.anonymous or "authorization" in request.headers):
            return 401, {"errors": [{"code": "UNAUTHORIZED", "message": "incorrect password"}]}
        self.made += 1
        token = "token-%d-for-%s" % (self.made, known)
        scopes = [word for text in fields.get("scope", []) for word in text.split()]
        if known in self.readers:
            scopes = [scope.replace("pull,push", "pull") for scope in scopes]
        self.valid["Bearer " + token] = scopes
        document = {self.field: token, "expires_in": self.expires_in}
        if self.offline and "offline_token" in fields:
            self.identity[self.offline] = known
            document["refresh_token"] = self.offline
        return 200, document


class BasicAuth(object):
    """users (dict: name -> password)."""

    def __init__(self, users):
        self.users = users

    def header(self, registry, repository, error=""):
        return 'Basic realm="fake"'

    def allows(self, authorization, repository, action):
        return _login(authorization, self.users) is not None


def basic(name, password):
    return "Basic " + base64.b64encode(("%s:%s" % (name, password)).encode("utf-8")).decode("ascii")


def _login(authorization, users):
    return next((name for name, password in users.items()
                 if basic(name, password) == authorization), None)
