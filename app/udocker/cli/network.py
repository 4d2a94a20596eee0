"""How commands get at the network."""

from udocker.errors import RegistryError


def open_transport(context, settings, host):
    """Return a Transport as ``settings`` have it; --insecure counts for ``host`` (str) only."""
    from udocker.registry.retry import Retries, Timeouts
    from udocker.registry.transport import Transport
    insecure = (host,) if context.insecure or settings.http_insecure else ()
    return Transport(insecure, settings.http_proxy, Timeouts(settings.ctimeout, settings.timeout),
                     Retries(), context.environ, debug=context.output.debug)


def fetch(context, url, limit):
    """Return the bytes (at most ``limit``) at ``url`` (str); RegistryError, CorruptData."""
    from udocker.registry.endpoint import origin
    transport = open_transport(context, context.settings, origin(url)[1])

    def ask():
        response = transport.open("GET", url)
        if response.status != 200:
            response.close()
            raise RegistryError("%s answers with status %d" % (url, response.status))
        return response

    return transport.read(ask, limit, url)[1]
