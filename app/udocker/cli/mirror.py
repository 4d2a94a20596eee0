"""``udocker mirror``: the bundles of engines, for machines that reach no other place."""

import os

from udocker.cli import arguments_of
from udocker.errors import EngineError, UdockerError


def mirror(context, values, arguments):
    """Collect and verify the bundles of this release in a directory, and say how to serve it."""
    directory, = arguments_of("mirror", arguments, 1, 1)
    from udocker.cli.install import exclusive
    from udocker.cli.network import fetcher
    from udocker.engine import obtain
    from udocker.engine.mirror import Mirror
    from udocker.engine.release import machines_named, own
    release = own()
    if not release.bundles:
        raise EngineError("this build of udocker knows no bundles that it could verify",
                          "a released udocker does")
    target = Mirror(os.path.abspath(directory))
    collector = obtain.Collector(release, fetcher(context), context.output)
    failures = []
    with exclusive(target.directory, context.output):
        for machine in machines_named(values["arch"], release, "all"):
            bundle = release.bundle(machine)
            try:
                if not bundle.sha256:
                    raise EngineError("this build of udocker knows no bundle for %s" % machine)
                if target.has(bundle):
                    context.output.info("%s is there already" % bundle.file)
                    continue
                where = [values["from"]] if values["from"] else obtain.places(
                    bundle, release, context.settings.tarball)
                obtained = collector.obtain(bundle, where, target.directory)
                target.add(bundle, obtained.path)
                context.output.info("%s, from %s" % (bundle.file, obtained.origin))
            except UdockerError as error:
                failures.append(error)
        target.describe(release)
    if failures:
        raise EngineError("; ".join(error.message for error in failures),
                          failures[0].hint if len(failures) == 1 else None)
    _explain(context.output, target.directory)


def _explain(output, directory):
    output.info("to serve it: cd %s && python3 -m http.server 8000" % directory)
    output.info("to use it, there or where it is a directory: "
                "UDOCKER_TARBALL=http://%s:8000/ udocker install" % os.uname().nodename)
