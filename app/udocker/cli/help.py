"""``udocker help``: from the tables of commands and options to a page as wide as the terminal."""

import os
import shutil
import sys
import textwrap

from udocker.cli import arguments_of, manual, options
from udocker.cli.grammar import Harmless
from udocker.cli.output import Output

#: Columns: of a page where no terminal says its width, and those that nobody reads across.
WIDTH, WIDEST = 80, 100
#: Columns for flags; longer ones get a line of their own.
_FLAGS = 30


def help(context, values, arguments):
    """Print the general help, that of a command, or the man page."""
    arguments_of("help", arguments, 0, 1)
    say = Output().result  # the context's would read settings, which may be wrong
    command = options.find_command(arguments[0]) if arguments else None
    if values.get("man"):
        from udocker.cli.manpage import man_page
        say(man_page())
        return
    page = Page(*_look_of(sys.stdout, os.environ))
    if command is None:
        general_help(page)
    else:
        command_help(page, command)
    say("\n".join(page.lines))


def _look_of(stream, environ):
    """Return (width, whether headings may be bold) of what is written to ``stream``."""
    if not stream.isatty():
        return WIDTH, False
    width = shutil.get_terminal_size((WIDTH, 24)).columns
    return max(40, min(width, WIDEST)), not environ.get("NO_COLOR") \
        and environ.get("TERM", "dumb") != "dumb"


class Page(object):
    """Lines of text of one width."""

    def __init__(self, width=WIDTH, has_bold=False):
        self.lines = []
        self._width, self._has_bold = width, has_bold

    def heading(self, text):
        self.lines += ["", "\033[1m%s\033[0m" % text if self._has_bold else text]

    def text(self, text, indent=""):
        self.lines += textwrap.wrap(text, self._width, initial_indent=indent,
                                    subsequent_indent=indent, break_on_hyphens=False,
                                    break_long_words=False) or [""]

    def rows(self, rows, most=_FLAGS):
        """Add rows (of (str, str)) in two columns, the first up to ``most`` wide."""
        most = min(most, self._width // 2)
        column = max([len(left) for left, _ in rows if len(left) <= most] or [0]) + 4
        for left, right in rows:
            wrapped = textwrap.wrap(right, self._width - column, break_on_hyphens=False)
            if len(left) > most or not wrapped:
                self.lines.append("  " + left)
            else:
                self.lines.append("  %-*s%s" % (column - 2, left, wrapped.pop(0)))
            self.lines += [" " * column + line for line in wrapped]


def general_help(page):
    """Write ``udocker help``."""
    page.text("usage: udocker [OPTIONS] COMMAND [ARGUMENT...]")
    page.lines.append("")
    page.text("Runs docker and OCI containers as an ordinary user, without root and without docker.")
    for title, commands in manual.grouped(options.COMMANDS):
        if commands:
            page.heading(title + ":")
            page.rows([("%-10s" % command.name, command.summary) for command in commands])
    page.heading("Options:")
    page.rows(option_rows(options.GENERAL))
    page.heading("Environment:")
    variables = manual.variables()
    page.rows([(name, variables[name]) for name in manual.FIRST_VARIABLES])
    _statuses(page)
    page.lines.append("")
    page.text("'udocker help COMMAND' says more about a command, 'udocker help --man' is the man "
              "page, 'udocker doctor' tells what works here. For a start:")
    page.lines += ["", "  udocker run -it --rm IMAGE"]


def command_help(page, command):
    """Write ``udocker help COMMAND``."""
    page.text(usage(command))
    page.lines.append("")
    page.text(command.summary[0].upper() + command.summary[1:] + ".")
    page.heading("Options:")
    page.rows(option_rows(effective(command.options)))
    others = without_effect(command.options)
    if others:
        page.heading("Accepted from users of docker, and without effect:")
        page.text(", ".join(others), "  ")
    examples = manual.EXAMPLES.get(command.name)
    if examples:
        page.heading("Examples:")
        for line, purpose in examples:
            page.lines.append("  " + line)
            if purpose:
                page.text(purpose, "      ")
    if command.name in manual.RUNNERS:
        _statuses(page)


def effective(table):
    """Return the options (list of Option) in ``table`` that change something."""
    return [option for option in table if not isinstance(option, Harmless)]


def without_effect(table):
    """Return the flags (list of str) of the others."""
    return sorted(option.flags[-1] for option in table if isinstance(option, Harmless))


def usage(command):
    """Return the line that says how ``command`` (Command) is called."""
    return ("usage: udocker %s [OPTIONS] %s" % (command.name, command.arguments)).rstrip()


def _statuses(page):
    page.heading("Exit status:")
    page.rows(manual.STATUSES)


def option_rows(table):
    """Return [(flags, text)] of the options in ``table`` (sequence of Option)."""
    return [(("" if len(option.flags[0]) == 2 else "    ") + ", ".join(option.flags)
             + (" " + option.metavar if option.metavar else ""), option_text(option))
            for option in table]


def option_text(option):
    """Return what there is to say about ``option`` (Option)."""
    text = option.help
    if option.many:
        text += " (may be repeated)"
    if option.metavar and option.default and "default" not in text:
        text += " (default: %s)" % option.default
    return text
