"""What an option is, and the parser that reads words by a table of them.

It is not argparse, because importing that costs as much as starting Python, and because docker's
grammar (options end at the image, ``-it``, ``-v=x``) is not argparse's.
"""

from collections import namedtuple

from udocker.errors import UsageError
from udocker.model.reference import quoted


class Option(namedtuple("Option", "flags metavar help many default")):
    """An option: flags (tuple of str), metavar ("" for a switch), help, many (may be repeated).

    Its value is found under the last flag's name, without dashes, ``-`` written as ``_``.
    """

    __slots__ = ()

    @property
    def name(self):
        return self.flags[-1].lstrip("-").replace("-", "_")

    @property
    def initial(self):
        if self.many:
            return ()
        return self.default if self.metavar else False


class Harmless(Option):
    """An option of docker that nothing here can honour, and that harms nobody: one warning tells all
    that were given. default (tuple of str, or None for all): values that need none."""

    __slots__ = ()

    def is_unmet(self, value):
        """Whether ``value`` (tuple of str; bool of a switch) asks for what is not done."""
        if self.default is None:
            return False
        return value if not self.metavar else any(text not in self.default for text in value)


def switch(*flags, **more):
    """An option without a value; its last argument is the help."""
    return Option(flags[:-1], "", flags[-1], False, more.get("default", False))


def value(*flags, **more):
    """An option with a value; its last two arguments are metavar and help."""
    return Option(flags[:-2], flags[-2], flags[-1], more.get("many", False), more.get("default"))


def harmless(flags, metavar, *true_anyway):
    """A Harmless option of ``flags`` (str, separated by blanks); no metavar: a switch."""
    return Harmless(tuple(flags.split()), metavar, "accepted, and changes nothing here",
                    bool(metavar), true_anyway)


def parse(table, words, stop_at_first):
    """Read ``words`` by ``table`` (tuple of Option): return (dict of values, list of arguments).

    ``stop_at_first``: the first word that is no option ends the options, as docker's run has it.
    """
    by_flag = {flag: option for option in table for flag in option.flags}
    options = {option.name: option.initial for option in table}
    arguments = []
    pending = list(reversed(words))
    while pending:
        word = pending.pop()
        if word == "--":
            break
        if len(word) < 2 or word[0] != "-":
            arguments.append(word)
            if stop_at_first:
                break
            continue
        if word.startswith("--"):
            flag, equals, attached = word.partition("=")
            _read(by_flag, options, flag, attached if equals else None, pending)
            continue
        _read_short(by_flag, options, word, pending)
    arguments.extend(reversed(pending))
    return options, arguments


def _read_short(by_flag, options, word, pending):
    """Read ``-v=x``, ``-vx``, ``-it`` or ``-itv x``."""
    for position in range(1, len(word)):
        flag, attached = "-" + word[position], word[position + 1:]
        option = by_flag.get(flag)
        if option is None or option.metavar or attached.startswith("="):
            if attached.startswith("="):
                _read(by_flag, options, flag, attached[1:], pending)
            else:
                _read(by_flag, options, flag, attached or None, pending)
            return
        _read(by_flag, options, flag, None, pending)


def _read(by_flag, options, flag, attached, pending):
    option = by_flag.get(flag)
    if option is None:
        from difflib import get_close_matches
        close = get_close_matches(flag, sorted(by_flag), 1)
        raise UsageError("unknown option %s" % quoted(flag),
                         "did you mean '%s'?" % close[0] if close else None)
    if not option.metavar:
        options[option.name] = _boolean(flag, attached)
        return
    if attached is None:
        if not pending:
            raise UsageError("option %s needs a value: %s" % (flag, option.metavar))
        attached = pending.pop()
    if option.many:
        options[option.name] += (attached,)
    else:
        options[option.name] = attached


def _boolean(flag, attached):
    """docker's switches take ``--rm=false`` (Go's flag package: 1, t, true, 0, f, false)."""
    if attached is None or attached.lower() in ("1", "t", "true"):
        return True
    if attached.lower() in ("0", "f", "false"):
        return False
    # the value is not repeated: it may be a password, as in --password-stdin=secret
    raise UsageError("option %s takes no value but true and false" % flag)
