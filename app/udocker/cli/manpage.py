"""The man page udocker(1), in the macros of mdoc(7), of the same tables as the help."""

import textwrap

from udocker import __version__
from udocker.cli import manual, options
from udocker.cli.help import effective, option_text, without_effect

#: When its text was last gone over: it is the same page for the same sources.
_DATE = "November 24, 2026"


def man_page():
    """Return the text of the page."""
    lines = [".Dd " + _DATE, ".Dt UDOCKER 1", ".Os", ".Sh NAME", ".Nm udocker",
             ".Nd run containers as an ordinary user", ".Sh SYNOPSIS", ".Nm", ".Op Ar OPTIONS",
             ".Ar COMMAND", ".Op Ar ARGUMENT ...", ".Sh DESCRIPTION", ".Nm"]
    lines += _text("pulls docker and OCI images and runs them without root, without a daemon, and, "
                   "once an image is there, without a network. This is version %s." % __version__)
    lines.append(".Pp")
    lines += _text("An option that takes a value has it in the next word, or after an equals sign. "
                   "Short options may be written together. Options end at the image or container "
                   "of run: what follows belongs to the command inside.")
    lines.append(".Pp")
    lines += _text("An IMAGE is NAME, NAME:TAG or NAME@DIGEST, with the host of a registry before "
                   "it, or from Docker Hub. A CONTAINER is a name, an id, or the start of an id that "
                   "no other has.")
    lines += [".Sh OPTIONS", "These stand before the command."] + _options(options.GENERAL)
    lines.append(".Sh COMMANDS")
    for title, commands in manual.grouped(options.COMMANDS):
        if commands:
            lines += [".Ss %s" % title, ".Bl -tag -width Ds"]
            for command in commands:
                lines += _command(command)
            lines.append(".El")
    for title, rows, macro in (
            ("ENVIRONMENT", sorted(manual.variables().items()), "Ev"),
            ("FILES", manual.FILES, "Pa"), ("EXIT STATUS", manual.STATUSES, "Er")):
        lines += [".Sh " + title, ".Bl -tag -width Ds"]
        for name, text in rows:
            lines += [".It %s %s" % (macro, _word(name))] + _text(text)
        lines.append(".El")
    return "\n".join(lines)


def _command(command):
    words = ["Cm " + _word(command.name)]
    if len(command.options) > 1:
        words.append("Oo Ar OPTIONS Oc")
    if command.arguments:
        words.append("Ar " + " ".join(map(_word, command.arguments.split())))
    lines = [".It " + " ".join(words)]
    lines += _text(command.summary[0].upper() + command.summary[1:] + ".")
    lines += _options([option for option in effective(command.options) if option.name != "help"])
    others = without_effect(command.options)
    if others:
        lines += [".Pp"] + _text("Accepted from users of docker, and without effect: %s."
                                 % ", ".join(others))
    examples = manual.EXAMPLES.get(command.name, ())
    if examples:
        lines.append(".Pp")
        for line, purpose in examples:
            if purpose:
                lines += _text(purpose[0].upper() + purpose[1:] + ":")
            lines.append(".Dl " + _word(line))
    return lines


def _options(table):
    if not table:
        return []
    lines = [".Bl -tag -width Ds"]
    for option in table:
        flags = " , ".join("Fl " + _word(flag[1:]) for flag in option.flags)
        lines.append(".It %s%s" % (flags, " Ar " + _word(option.metavar) if option.metavar else ""))
        lines += _text(option_text(option))
    return lines + [".El"]


def _text(text):
    """Return ``text`` as lines that troff takes for what they say, each sentence from a new one."""
    return ["\\&" + line if line[0] == "." else line
            for sentence in text.replace(". ", ".\n").split("\n")
            for line in textwrap.wrap(_escaped(sentence), 78, break_on_hyphens=False,
                                      break_long_words=False)]


def _word(word):
    """Return ``word`` as an argument of a macro, which takes it for no other macro."""
    return "\\&" + _escaped(word)


def _escaped(text):
    for character, escape in (("\\", "\\e"), ("-", "\\-"), ("'", "\\(aq"), ("~", "\\(ti"),
                              ("^", "\\(ha"), ("`", "\\(ga")):
        text = text.replace(character, escape)
    return text
