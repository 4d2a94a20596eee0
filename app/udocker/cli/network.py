"""How commands get at the network."""


def open_transport(context, settings, host):
    """Return a Transport as ``settings`` have it; --insecure counts for ``host`` (str) only."""
    from udocker.registry.retry import Retries, Timeouts
    from udocker.registry.transport import Transport
    insecure = (host,) if context.insecure or settings.http_insecure else ()
    return Transport(insecure, settings.http_proxy, Timeouts(settings.ctimeout, settings.timeout),
                     Retries(), context.environ, debug=context.output.debug)


def settings_for(context, values):
    """Return the Settings with what the option ``values`` of a command say of the network."""
    return context.settings.replaced(
        "command line", http_proxy=values.get("httpproxy"),
        dockerio_registry_url=values.get("registry"), dockerio_index_url=values.get("index"))


def open_registry(context, reference, values):
    """Return the Registry that has ``reference`` (ImageReference), as the option ``values`` say."""
    from udocker.registry.client import Registry
    from udocker.registry.endpoint import Endpoint
    settings = settings_for(context, values)
    endpoint = Endpoint.of(reference, settings.dockerio_registry_url)
    return Registry(open_transport(context, settings, endpoint.host), endpoint,
                    credentials(context, values))


def credentials(context, values):
    """Return the Credentials of the user, those in ``--authfile`` first."""
    import os
    from udocker.errors import NotFound
    from udocker.model.reference import quoted
    from udocker.registry.credentials import Credentials
    named = values.get("authfile")
    if named is not None and not os.path.exists(named):
        raise NotFound("no such file: %s" % quoted(named), "'udocker login --authfile' makes one")
    return Credentials(login_files(context, values), context.environ, context.output.warning)


def login_files(context, values):
    """Return the AuthFiles that logins are looked for in, in their order."""
    import os
    from udocker.registry.credentials import AuthFile, auth_files
    keystore = context.layout.keystore
    files = auth_files(context.environ, values.get("authfile") or "", keystore)
    # 1.3.x has its keystore in the home whatever --repo says
    usual = os.path.join(context.homes[0], context.settings.keystore)
    return files if usual == keystore else files + (AuthFile(usual, flat=True, is_private=True),)


def fetcher(context):
    """Return the engine.fetch.Fetcher of mirrors."""
    from udocker.engine.fetch import Fetcher
    from udocker.registry.endpoint import origin
    return Fetcher(lambda url: open_transport(context, context.settings, origin(url)[1]),
                   context.output)
