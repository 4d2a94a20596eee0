"""What a command has at hand: settings, stores, facts, output; each made when it is asked for."""

import os

from udocker.cli import settings as settings_module
from udocker.cli.output import DEBUG, QUIET, Output
from udocker.errors import HostError


class Context(object):
    """One invocation of udocker. Making it asks nothing of any file system."""

    def __init__(self, general, environ):
        """general (dict: the options before the command), environ (dict)."""
        self.environ = environ
        self.debug = general["debug"]
        self.insecure = general["insecure"]
        self._general = general
        self._settings = None
        self._output = None
        self._facts = None
        self._layout = None

    @property
    def settings(self):
        """Settings of this machine, user and command line."""
        if self._settings is None:
            self._settings = settings_module.load(self.environ, self._general["config"],
                                                  self._general["repo"])
            for text in self._settings.unknown:
                self.output.warning(text)
        return self._settings

    @property
    def output(self):
        """The Output, as loud as settings and options say."""
        if self._output is None:
            quiet = QUIET if self._general["quiet"] else self.settings.verbose_level
            # reading the settings may have had something to say
            self._output = self._output or Output(DEBUG if self.debug else quiet)
        return self._output

    @property
    def facts(self):
        """HostFacts of this machine."""
        if self._facts is None:
            from udocker.host.facts import read_facts
            self._facts = read_facts()
        return self._facts

    def require_user(self):
        """Raise HostError where root would run this by mistake."""
        if os.geteuid() == 0 and not self._general["allow_root"]:
            raise HostError("do not run as root !",
                            "udocker is for ordinary users; --allow-root overrides this")

    @property
    def homes(self):
        """The directories (list of str) that configuration is looked for in."""
        home = self.environ.get("HOME") or os.path.expanduser("~")
        named = (self._general["repo"], self.environ.get("UDOCKER_DIR"))
        return [os.path.join(home, ".udocker")] + [path for path in named if path]

    @property
    def layout(self):
        """The Layout, whose directories are there."""
        if self._layout is None:
            from udocker.store.layout import Layout
            layout = Layout.of(self.settings)
            if self._general["repo"] is not None:
                layout.require_repository()
            elif layout.make():
                self.output.info("creating repo: %s" % layout.top)
            self._layout = layout
        return self._layout

    @property
    def containers(self):
        from udocker.store.containers import ContainerStore
        return ContainerStore(self.layout)

    @property
    def images(self):
        from udocker.store.images import ImageStore
        return ImageStore(self.layout)

    @property
    def engines(self):
        """The EngineStore of this host's architecture."""
        return self.engines_for(self.facts.engine_architecture)

    def engines_for(self, architecture):
        """Return the EngineStore of ``architecture`` (str, as in HostFacts.engine_architecture)."""
        from udocker.engine.bundle import EngineStore
        return EngineStore(self.layout, architecture, self.facts.kernel_version)

    @property
    def decoders(self):
        """Decoders: those of our own that are installed, and nobody else's."""
        from udocker.engine.base import VERIFIED
        from udocker.host.compress import Decoders
        store = self.engines
        if store.installed() is None:
            self._autoinstall(False)  # if that costs no network; whoever needs them will be told
        found = [store.find(name) for name in ("igzip", "zstd")]
        return Decoders(*[program.path if program and program.origin == VERIFIED else None
                          for program in found])

    def locked(self):
        """A context in which no other udocker changes images or blobs here."""
        from udocker.host.lock import Lock
        return Lock(os.path.join(self.layout.top, ".lock"))

    def locator(self):
        """Return the engine Locator."""
        from udocker.engine.locate import Locator
        layout = self.layout
        return Locator(self.settings, self.engines, self._autoinstall,
                       os.path.join(layout.lib, "contained-proots"))

    def _autoinstall(self, is_needed, architecture=None):
        """Install engines for a run, where the configuration does not forbid it."""
        if self.settings.autoinstall:
            from udocker.cli.install import install_for_run
            install_for_run(self, is_needed, architecture)
