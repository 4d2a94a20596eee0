"""``udocker install``, and the installation that a run needs."""

import contextlib
import os

from udocker import __version__
from udocker.cli import arguments_of
from udocker.engine.base import is_older
from udocker.errors import EngineError, Refused, UdockerError

#: Seconds to wait for another udocker that downloads and installs.
_PATIENCE = 1800


def install(context, values, arguments):
    """Install the bundles of engines that are not installed already."""
    arguments_of("install", arguments, 0, 0)
    from udocker.engine.release import machine_of, machines_named, own
    context.output.info("udocker command line interface %s" % __version__)
    release = own()
    native = machine_of(context.facts.engine_architecture)
    failures = []
    for machine in machines_named(values["arch"], release, native):
        try:
            _Installation(context, release, machine).run(values["from"], values["force"],
                                                         values["purge"])
        except UdockerError as error:
            failures.append(error)
    if len(failures) > 1:
        raise EngineError("; ".join(error.message for error in failures))
    if failures:
        raise failures[0]


def install_for_run(context, is_needed, architecture=None):
    """Install the engines of ``architecture`` (str: GOARCH; None: this machine's) for a run.

    is_needed (bool): there are none, so take them from wherever this program knows. If there are
    some, newer ones are installed if that costs no network, and if it fails the old ones will do.
    """
    from udocker.engine.release import machine_of, own
    from udocker.host.facts import ENGINE_ARCHITECTURES
    name = ENGINE_ARCHITECTURES.get(architecture, architecture) \
        or context.facts.engine_architecture
    installation = _Installation(context, own(), machine_of(name))
    if is_needed:
        installation.run_if_known()
        return
    try:
        installation.renew()
    except UdockerError as error:
        context.output.debug("no newer engines: " + error.message)


class _Installation(object):
    """Installs the bundle of a release for one machine."""

    def __init__(self, context, release, machine):
        from udocker.engine.release import ENGINE_NAMES
        self._context = context
        self._output = context.output
        self._release = release
        self._bundle = release.bundle(machine)
        architecture = ENGINE_NAMES.get(machine, machine)
        self._is_native = architecture == context.facts.engine_architecture
        self._store = context.engines_for(architecture)

    def run(self, asked, force, purge):
        """Install from where the user ``asked`` (str or None), unless that changes nothing."""
        is_explicit = asked or force or purge
        if not is_explicit and self._is_done():
            return
        with self._lock():
            if is_explicit or not self._is_done():  # another udocker may just have done it
                self._install([asked] if asked else self._places(), purge)

    def run_if_known(self):
        """Install from the places that this program knows, if there are any."""
        if not self._places():
            return
        with self._lock():
            if not self._is_done():
                self._install(self._places())

    def renew(self):
        """Replace engines of an older release by those at hand, and remember to have looked."""
        from udocker.engine import obtain
        places = obtain.at_hand(self._bundle)
        installed = self._store.installed()
        if not places and installed is None:
            return
        with self._lock():
            if places and not self._is_done(tell=False):
                self._install(places)
            elif installed is not None:
                self._store.settle(__version__)

    def _lock(self):
        return exclusive(self._context.layout.lib, self._output)

    def _places(self):
        from udocker.engine import obtain
        return obtain.places(self._bundle, self._release, self._context.settings.tarball)

    def _is_done(self, tell=True):
        """Whether the engines of this release, or newer ones, are installed."""
        installed = self._store.installed()
        if installed is None or not self._store.is_intact(installed):
            return False
        if is_older(self._release.version, installed.version):
            stay = ", newer than the %s of this udocker: they stay" % self._release.version
        elif self._bundle.sha256 in ("", installed.bundle):
            stay = ""
        else:
            return False
        if tell:
            self._output.info("engines %s%s are installed in %s%s" % (
                installed.version, self._of_machine, self._context.layout.bin, stay))
        return True

    def _install(self, places, purge=False):
        from udocker.cli.network import fetcher
        from udocker.engine import obtain
        layout = self._context.layout
        collector = obtain.Collector(self._release, fetcher(self._context), self._output)
        obtained = collector.obtain(self._bundle, places, layout.lib)
        try:
            replaced = self._store.installed()
            with open(obtained.path, "rb") as archive:
                installed = self._store.install(archive, obtained.sha256, __version__)
        finally:
            os.unlink(obtained.path)
        if not obtained.is_verified:
            self._output.warning("nothing can verify %s, of SHA256 %s%s" % (
                obtained.origin, obtained.sha256, "" if installed.files else
                ": a tarball of udocker 1.3.x, whose PRoot is used only after it was seen to keep "
                "programs inside"))
        if purge and replaced is not None:
            # only now: had the installation failed, the engines that were there would still work
            self._store.discard(set(replaced.files) - set(installed.files))
        self._output.info("engines %s%s installed in %s, from %s" % (
            installed.version, self._of_machine, layout.bin, obtained.origin))
        if self._is_native and self._store.cannot_start(installed):
            self._output.warning("%s does not execute programs, it is probably mounted noexec: "
                                 "set UDOCKER_BIN to another directory and install again"
                                 % layout.bin)

    @property
    def _of_machine(self):
        return "" if self._is_native else " for " + self._bundle.machine


@contextlib.contextmanager
def exclusive(directory, output):
    """Exclude other udockers that install into ``directory`` (str), saying so if one does."""
    from udocker.host import files
    from udocker.host.lock import Lock
    files.make_directories(directory)
    path = os.path.join(directory, ".lock")
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(Lock(path, timeout=0))
        except Refused:
            output.info("another udocker puts engines into %s: waiting for it" % directory)
            stack.enter_context(Lock(path, timeout=_PATIENCE))
        yield
