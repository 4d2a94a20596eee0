"""``udocker install``: the engines of this machine's architecture."""

from udocker.cli import arguments_of


def install(context, values, arguments):
    """Install the bundle of engines, unless it is installed already."""
    arguments_of("install", arguments, 0, 0)
    from udocker import __version__
    from udocker.engine import obtain
    context.output.info("udocker command line interface %s" % __version__)
    store = context.engines
    installed = store.installed()
    if installed and not (values["force"] or values["purge"] or values["from"]) \
            and obtain.is_current(installed, context.facts.engine_architecture) \
            and all(store.find(name) for name in ("proot", "crun")):
        context.output.info("engines %s are installed in %s"
                            % (installed.version, context.layout.bin))
        return
    install_engines(context, values["from"], values["purge"])


def install_engines(context, asked, purge=False):
    """Install the engines from where the user ``asked`` (str or None) or a bundle is at hand."""
    from udocker.cli.network import fetch
    from udocker.engine import obtain
    store = context.engines
    architecture = context.facts.engine_architecture
    bundle = obtain.obtain(architecture, asked, context.settings.tarball,
                           lambda url, limit: fetch(context, url, limit))
    if not bundle.is_pinned:
        context.output.warning("%s has the SHA256 %s; this build of udocker knows none to compare"
                               % (bundle.origin, bundle.sha256))
    replaced = store.installed()
    installed = store.install(obtain.open_bundle(bundle), bundle.sha256)
    if purge and replaced is not None:
        # only now: had the installation failed, the engines that were there would still work
        store.discard(set(replaced.files) - set(installed.files))
    context.output.info("engines %s installed in %s, from %s"
                        % (installed.version, context.layout.bin, bundle.origin))
