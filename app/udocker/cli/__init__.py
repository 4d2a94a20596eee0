"""The face: one table of commands, one place where errors become messages and exit statuses."""

import errno
import os
import sys

from udocker.cli import options
from udocker.cli.output import QUIET, Output
from udocker.errors import UdockerError, UsageError

#: Signals as a shell reports them: 128 + SIGINT, 128 + SIGPIPE.
INTERRUPTED, BROKEN_PIPE = 130, 141


def main(words=None):
    """Run udocker with ``words`` (list of str, default sys.argv[1:]); return the exit status."""
    words = sys.argv[1:] if words is None else words
    debug = _wants_debug(words)
    try:
        status = _dispatch(words)
        sys.stdout.flush()
        return status
    except KeyboardInterrupt:
        return _complain(debug, "interrupted", None, INTERRUPTED)
    except BrokenPipeError:
        _give_up_output()  # who reads it has gone
        return BROKEN_PIPE
    except UdockerError as error:
        return _complain(debug, error.message, error.hint, error.exit_code)
    except OSError as error:
        from udocker.host.tree import host_error
        known = host_error(error)
        if error.errno == errno.ENOSPC and error.filename is None:
            known.message += " (standard output)"
            _give_up_output()
        return _complain(debug, known.message, known.hint, known.exit_code)
    except Exception as error:  # a defect of ours: still one line, still the right status
        return _complain(debug, "internal error: %s: %s" % (type(error).__name__, error),
                         "--debug shows where; please report it", UdockerError.exit_code)


def _give_up_output():
    """Keep Python from trying again at exit to write what is left for standard output."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def _wants_debug(words):
    """Whether -D or --debug stands before the command, or UDOCKER_LOGLEVEL says the same; asked
    before anything can go wrong."""
    if os.environ.get("UDOCKER_LOGLEVEL") == "5":
        return True
    for word in words:
        if not word.startswith("-"):
            return False
        if word in ("-D", "--debug"):
            return True
    return False


def _dispatch(words):
    general, name, rest = options.split_general(words)
    if general["version"]:
        name = "version"
    if name in options.NOUNS:
        from udocker.cli.nouns import command_of
        name, rest = command_of(name, rest, [command.name for command in options.COMMANDS])
    if general["help"]:
        name, rest = "help", [name] if name else []
    if not name:
        name = "help"
    command = options.find_command(name)
    values, arguments = options.parse_command(command, rest)
    if values["help"]:
        command, values, arguments = options.find_command("help"), {}, [name]
    from udocker.cli.context import Context
    context = Context(general, os.environ)
    if command.needs_user:
        context.require_user()
    module = __import__("udocker.cli." + command.module, fromlist=["*"])
    function = getattr(module, command.name, None) or getattr(module, command.name + "_")
    return function(context, values, arguments) or 0


def arguments_of(command, arguments, least, most):
    """Return ``arguments`` if there are between ``least`` and ``most``; UsageError otherwise."""
    if least <= len(arguments) <= most:
        return arguments
    known = options.find_command(command)
    if len(arguments) < least:
        raise UsageError("%s: an argument is missing" % command,
                         "usage: udocker %s [OPTIONS] %s" % (command, known.arguments))
    raise UsageError("syntax error at: %s" % " ".join(arguments[most:]),
                     "usage: udocker %s [OPTIONS] %s" % (command, known.arguments))


def _complain(debug, message, hint, status):
    if debug:
        import traceback
        traceback.print_exc()
    Output(QUIET).error(message, hint)
    return status
