"""How the fake registry asks who somebody is: Basic, or Bearer with a token server of its own."""

import base64
from urllib.parse import parse_qs, urlsplit


class TokenAuth(object):
    """Bearer tokens, from ``/token`` of the same registry unless ``realm`` says otherwise.

    users (dict: name -> password), anonymous (bool: nobody in particular gets tokens, too),
    identity (dict: refresh token -> user name), field: ``token`` or ``access_token``,
    challenge (str): what the registry says with a 401, instead of the usual, good (callable of the
    Authorization header): whether the registry takes it, instead of the usual.
    """

    def __init__(self, users=None, anonymous=True, realm=None, field="token", expires_in=300,
                 identity=None, challenge=None, good=None):
        self.users, self.anonymous, self.realm, self.field = users or {}, anonymous, realm, field
        self.expires_in, self.identity, self.challenge = expires_in, identity or {}, challenge
        self.good = good
        self.valid = {}
        self.made = 0

    def header(self, registry, repository, error=""):
        if self.challenge:
            return self.challenge
        text = 'Bearer realm="%s",service="fake, really",scope="repository:%s:pull,push"' % (
            self.realm or registry.url + "/token", repository)
        return text + (',error="%s"' % error if error else "")

    def allows(self, authorization, repository):
        if self.good is not None and not self.good(authorization):
            return False
        return self.valid.get(authorization) == "repository:%s:pull" % repository

    def revoke(self):
        """Make every token invalid, as if its time were over."""
        self.valid.clear()

    def answer(self, request):
        """(status, document) for a request to the token server."""
        fields = {key: values[0] for key, values in parse_qs(
            request.body.decode("ascii") if request.method == "POST"
            else urlsplit(request.path).query).items()}
        known = _login(request.headers.get("authorization", ""), self.users)
        if request.method == "POST":
            known = self.identity.get(fields.get("refresh_token"))
        if known is None and (not self.anonymous or "authorization" in request.headers):
            return 401, {"errors": [{"code": "UNAUTHORIZED", "message": "incorrect password"}]}
        self.made += 1
        token = "token-%d-for-%s" % (self.made, known)
        self.valid["Bearer " + token] = fields.get("scope")
        return 200, {self.field: token, "expires_in": self.expires_in}


class BasicAuth(object):
    """users (dict: name -> password)."""

    def __init__(self, users):
        self.users = users

    def header(self, registry, repository, error=""):
        return 'Basic realm="fake"'

    def allows(self, authorization, repository):
        return _login(authorization, self.users) is not None


def basic(name, password):
    return "Basic " + base64.b64encode(("%s:%s" % (name, password)).encode("utf-8")).decode("ascii")


def _login(authorization, users):
    return next((name for name, password in users.items()
                 if basic(name, password) == authorization), None)
