"""``udocker version``, ``showconf``, ``mkrepo`` and ``help``."""

from udocker import __version__
from udocker.cli import arguments_of, options
from udocker.cli.output import without_password
from udocker.model.reference import printable


def version(context, values, arguments):
    """Print the version in the three lines of 1.3.x."""
    arguments_of("version", arguments, 0, 0)
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


def help(context, values, arguments):
    """Print the general help, or that of a command."""
    arguments_of("help", arguments, 0, 1)
    if arguments:
        context.output.result(command_help(options.find_command(arguments[0])))
    else:
        context.output.result(general_help())


def general_help():
    """Return the text of ``udocker help``."""
    width = max(len(command.name) for command in options.COMMANDS)
    lines = ["usage: udocker [OPTIONS] COMMAND [ARGUMENTS]", "",
             "Runs docker and OCI containers as an ordinary user.", "", "Commands:"]
    lines += ["  %-*s  %s" % (width, command.name, command.summary)
              for command in options.COMMANDS]
    lines += ["", "Options:"] + _option_lines(options.GENERAL)
    lines += ["", "'udocker help COMMAND' says more about a command. For a start:",
              "  udocker run -it --rm IMAGE"]
    return "\n".join(lines)


def command_help(command):
    """Return the text of ``udocker help COMMAND``."""
    usage = "usage: udocker %s [OPTIONS] %s" % (command.name, command.arguments)
    summary = command.summary[0].upper() + command.summary[1:] + "."
    return "\n".join([usage.rstrip(), "", summary, "", "Options:"]
                     + _option_lines(command.options))


def _option_lines(table):
    lines = []
    for option in table:
        flags = ", ".join(option.flags) + (" " + option.metavar if option.metavar else "")
        text = option.help + (" (may be repeated)" if option.many else "")
        if len(flags) <= 26:
            lines.append("  %-26s %s" % (flags, text))
        else:
            lines += ["  " + flags, " " * 29 + text]
    return lines
