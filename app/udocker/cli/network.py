"""How commands get at the network."""


def open_transport(context, settings, host):
    """Return a Transport as ``settings`` have it; --insecure counts for ``host`` (str) only."""
    from udocker.registry.retry import Retries, Timeouts
    from udocker.registry.transport import Transport
    insecure = (host,) if context.insecure or settings.http_insecure else ()
    return Transport(insecure, settings.http_proxy, Timeouts(settings.ctimeout, settings.timeout),
                     Retries(), context.environ, debug=context.output.debug)


def fetcher(context):
    """Return the engine.fetch.Fetcher of mirrors."""
    from udocker.engine.fetch import Fetcher
    from udocker.registry.endpoint import origin
    return Fetcher(lambda url: open_transport(context, context.settings, origin(url)[1]),
                   context.output)
