"""``udocker version``, ``showconf`` and ``mkrepo``."""

from udocker import __version__
from udocker.cli import arguments_of
from udocker.cli.output import without_password
from udocker.model.reference import printable


def version(context, values, arguments):
    """Print the version in the three lines of 1.3.x, or as docker's callers ask for it."""
    arguments_of("version", arguments, 0, 0)
    if values.get("format"):
        from udocker.cli.gotemplate import Template, json_text
        # who asks wants a daemon's version, and there is none but us
        part = {"Version": __version__, "Os": "linux", "Arch": context.facts.architecture}
        document = {"Client": part, "Server": part}
        context.output.result(json_text(document) if values["format"] == "json"
                              else Template(values["format"]).apply(document))
        return
    from udocker.engine.release import own
    context.output.result("version: %s" % __version__)
    context.output.result("tarball: %s" % printable(" ".join(
        without_password(place) for place in context.settings.tarball)))
    release = own()
    context.output.result("tarball_release: %s" % (release.version if release.bundles else "none"))


def showconf(context, values, arguments):
    """Print every key with its value and where that comes from."""
    arguments_of("showconf", arguments, 0, 0)
    say = context.output.result
    say("-" * 80)
    say("\t\tConfiguration options")
    say("-" * 80)
    for name, item in context.settings.items():
        value = item.value
        if isinstance(value, tuple):
            value = [without_password(word) for word in value]
        elif isinstance(value, str):
            value = without_password(value)
        say(printable("%s = %s    # %s" % (name, value, item.origin)))
    say("-" * 80)


def mkrepo(context, values, arguments):
    """Make the directories of a repository where nothing is yet."""
    (path,) = arguments_of("mkrepo", arguments, 1, 1)
    import os
    from udocker.errors import AlreadyExists
    from udocker.model.reference import quoted
    from udocker.store.layout import Layout
    if os.path.lexists(path):
        raise AlreadyExists("localrepo directory already exists: %s" % quoted(path))
    Layout.below(path, context.settings).make(whole=True)
