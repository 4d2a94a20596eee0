"""``udocker login`` and ``logout``."""

import sys

from udocker.cli import arguments_of
from udocker.errors import UsageError


def login(context, values, arguments):
    """Log in: the registry confirms it first, and then it is kept where it will be read."""
    arguments_of("login", arguments, 0, 1)
    from udocker.cli.network import open_transport, settings_for
    from udocker.registry.logins import make_credential, verify
    endpoint = _endpoint(context, values, arguments)
    credential = make_credential(*_ask_user(context, values))
    if endpoint.scheme == "http" and not endpoint.is_loopback:
        context.output.warning("the password goes to %s where others can read it on its way"
                               % endpoint.name)
    settings = settings_for(context, {"httpproxy": values["httpproxy"]})
    credential, confirmed = verify(open_transport(context, settings, endpoint.host), endpoint,
                                   credential)
    if not confirmed:
        context.output.warning("%s asks nobody for a password, so this one could not be checked"
                               % endpoint.name)
    is_named = bool(values["authfile"] or context.environ.get("REGISTRY_AUTH_FILE"))
    kept = _logins(context, values, is_named).keep(endpoint.host, credential)
    if kept.is_plain:
        context.output.warning("the login is stored in %s, where it is not encrypted; docker's "
                               "'credsStore' in that file names a program that keeps it safer"
                               % kept.place)
    context.output.result("Login Succeeded")


def logout(context, values, arguments):
    """Forget a login, or all of them, wherever they are read from; return 1 if there is none."""
    arguments_of("logout", arguments, 0, 1)
    if values["all"] and (arguments or values["registry"]):
        raise UsageError("logout: --all and a registry", "leave out one of them")
    endpoint = None if values["all"] else _endpoint(context, values, arguments)
    logins = _logins(context, values, values["authfile"] is not None)
    places = logins.forget(endpoint.host if endpoint else None)
    for place in places:
        context.output.info("removed the login to %s from %s" % (
            endpoint.name if endpoint else "every registry", place))
    if not places:
        context.output.error("not logged in to %s" % (endpoint.name if endpoint else "any registry"))
    return 0 if places else 1


def _endpoint(context, values, arguments):
    from udocker.registry.endpoint import DOCKER_HUB_REGISTRY, Endpoint
    named = list(arguments) + ([values["registry"]] if values["registry"] is not None else [])
    if len(set(named)) > 1:
        raise UsageError("two registries: %s" % " and ".join(named), "log in to one at a time")
    server = named[0] if named else context.settings.dockerio_registry_url or DOCKER_HUB_REGISTRY
    endpoint = Endpoint.parse(server)
    return Endpoint.parse(DOCKER_HUB_REGISTRY) if endpoint.is_docker else endpoint


def _logins(context, values, is_named):
    from udocker.cli.network import login_files
    from udocker.registry.logins import Logins
    return Logins(login_files(context, values), is_named, context.environ, context.output.warning)


def _ask_user(context, values):
    """Return (user name, password), asking on the terminal for what the options do not have."""
    username, password = values["username"], values["password"]
    if values["password_stdin"]:
        if password is not None:
            raise UsageError("login: --password and --password-stdin", "leave out --password")
        if username is None:
            raise UsageError("login: --password-stdin wants --username too")
        if sys.stdin.isatty():
            raise UsageError("login: standard input is a terminal, and would show the password",
                             "leave out --password-stdin to be asked for it")
        return username, _read_password(sys.stdin.buffer)
    if password is not None:
        context.output.warning("a password among the arguments can be read by everybody who lists "
                               "the processes of this machine; --password-stdin keeps it secret")
    if (username is None or password is None) and not sys.stdin.isatty():
        raise UsageError("login: no user name or no password, and no terminal to ask for it",
                         "echo PASSWORD | udocker login --username=NAME --password-stdin")
    if username is None:
        sys.stderr.write("Username: ")
        sys.stderr.flush()
        username = sys.stdin.readline().strip()
    if password is None:
        import getpass
        try:
            password = getpass.getpass("Password: ")
        except EOFError:
            password = ""
    return username, password


def _read_password(stream):
    """Return all of ``stream`` as text, without the end of the line; bounded."""
    from udocker.registry.logins import MAX_PASSWORD
    data = stream.read(MAX_PASSWORD + 3)
    if data.endswith(b"\n"):
        data = data[:-2] if data.endswith(b"\r\n") else data[:-1]
    return data.decode("utf-8", "surrogateescape")
