"""The part of Go's text/template that people write after docker's ``--format``.

Text, ``{{pipelines}}`` of fields, literals, variables and functions (cli/gofunctions.py), comments,
trimming, if, range and with. Grammar: https://pkg.go.dev/text/template. Values are those of JSON; a
name that a mapping lacks is an error, as in ``docker inspect``.
"""

import json
import re
from collections.abc import Mapping

from udocker.cli.gofunctions import (FUNCTIONS, Bad, Safe, is_true, json_text, known, shown)
from udocker.errors import UsageError
from udocker.model.reference import quoted

__all__ = ["Template", "json_text", "known"]

_ACTION = re.compile(r"""\{\{(-(?=\s))?((?:"(?:\\.|[^"\\])*"|`[^`]*`|[^"`])*?)((?<=\s)-)?\}\}""",
                     re.DOTALL)
_TOKEN = re.compile(r"""(?P<blank>\s+)
    |(?P<text>"(?:\\.|[^"\\])*"|`[^`]*`)
    |(?P<number>-?\d+(?:\.\d+)?)
    |(?P<value>(?:\$\w*)?(?:\.[^\W\d]\w*)+|\$\w*|\.)
    |(?P<close>\)(?:\.[^\W\d]\w*)*)
    |(?P<sign>:=|[=|,(])
    |(?P<name>[^\W\d]\w*)""", re.VERBOSE)
_CONSTANTS = {"true": True, "false": False, "nil": None}
_BLOCKS = ("if", "range", "with")
_UNSUPPORTED = ("define", "template", "block", "break", "continue")


class Template(object):
    """A template that was understood."""

    def __init__(self, text):
        """text (str); UsageError if it is no template, or has what is not supported."""
        self._text = text
        try:
            parser = _Parser(text)
            self._nodes = parser.block(())
        except Bad as error:
            raise self._refused(error)
        except RecursionError:
            raise self._refused(Bad("it is nested too deeply"))

    def apply(self, value):
        """Return the text (str) that the template makes of ``value``; UsageError."""
        return self._run(value, False)

    def headings(self, fields):
        """Return the text with the values of ``fields`` (dict) in place of the fields, as they are.

        No function changes them, and both ways of an ``if`` are gone: so UsageError for any
        field that there is not.
        """
        return self._run(fields, True)

    def _run(self, value, is_heading):
        state = _State(value, is_heading)
        try:
            for node in self._nodes:
                node(state, value)
        except Bad as error:
            raise self._refused(error)
        return "".join(state.out)

    def _refused(self, error):
        return UsageError("invalid --format %s: %s" % (quoted(self._text), error), error.hint)


class _State(object):
    """What one application of a template writes and knows."""

    def __init__(self, root, is_heading):
        self.out = []
        self.variables = {"$": root}
        self.is_heading = is_heading


class _Parser(object):
    """A template's text becomes functions of (state, dot), which write or return a value."""

    def __init__(self, text):
        self._pieces = _split(text)
        self._tokens = []  # of the action that is read, the next one last

    def block(self, ends):
        """Return the nodes up to an action that is one of ``ends`` (tuple of str), which is left
        in ``self._tokens``; those up to the end of the text if there are no ends."""
        nodes = []
        while self._pieces:
            kind, text = self._pieces.pop(0)
            if kind == "text":
                nodes.append(lambda state, dot, text=text: state.out.append(text))
                continue
            self._tokens = _tokens(text)
            if not self._tokens:
                continue  # a comment
            word = self._tokens[-1][1]
            if word in ("end", "else"):
                if word not in ends:
                    raise Bad("{{%s}} without a beginning" % word)
                return nodes
            if word in _UNSUPPORTED:
                raise Bad("{{%s}} is not supported" % word)
            nodes.append(self._control(self._tokens.pop()[1]) if word in _BLOCKS
                         else _printing(self._statement()))
        if ends:
            raise Bad("{{end}} is missing")
        return nodes

    def _control(self, word):
        names, value = self._declared()
        body = self.block(("else", "end"))
        otherwise = []
        if self._tokens.pop()[1] == "else":
            if self._tokens:  # else if, else with
                otherwise = [self._control(self._tokens.pop()[1])]
                return _BLOCK_MAKERS[word](names, value, body, otherwise)
            otherwise = self.block(("end",))
            self._tokens.pop()
        self._nothing_left()
        return _BLOCK_MAKERS[word](names, value, body, otherwise)

    def _statement(self):
        names, value = self._declared()
        if not names:
            return value

        def assign(state, dot):
            state.variables[names[-1]] = value(state, dot)
            return Safe("")
        return assign

    def _declared(self):
        """Read ``[$a[, $b] :=] pipeline`` up to the end of the action: (names, value)."""
        names, tokens = [], self._tokens[::-1]
        signs = [text for _, text in tokens[1:4]]
        if tokens and tokens[0][1].startswith("$") and signs:
            width = 2 if signs[0] in (":=", "=") else 4 if signs[0] == "," else 0
            names = [text for _, text in tokens[:width:2]]
            del self._tokens[len(self._tokens) - width:]
        value = self._pipeline()
        self._nothing_left()
        return names, value

    def _nothing_left(self):
        if self._tokens:
            raise Bad("unexpected %s" % quoted(self._tokens[-1][1]))

    def _pipeline(self):
        value = self._command(None)
        while self._tokens and self._tokens[-1][1] == "|":
            self._tokens.pop()
            value = self._command(value)
        return value

    def _command(self, last):
        """Read a function with its arguments, or a value; ``last``: what is piped into it."""
        if not self._tokens:
            raise Bad("a value is missing")
        kind, name = self._tokens[-1]
        if kind == "name" and name not in _CONSTANTS:
            self._tokens.pop()
            if name not in FUNCTIONS:
                raise Bad("function %s is not supported" % quoted(name),
                          "there are " + ", ".join(sorted(FUNCTIONS)))
            arguments = []
            while self._tokens and self._tokens[-1][1] != "|" and self._tokens[-1][0] != "close":
                arguments.append(self._operand())
            return _call(name, arguments + ([last] if last else []))
        value = self._operand()
        if last or (self._tokens and self._tokens[-1][1] != "|" and self._tokens[-1][0] != "close"):
            raise Bad("%s takes no arguments" % quoted(name))
        return value

    def _operand(self):
        kind, text = self._tokens.pop()
        if kind == "value":
            return _path(text)
        if text == "(":
            inner = self._pipeline()
            if not self._tokens or self._tokens[-1][0] != "close":
                raise Bad("')' is missing")
            names = self._tokens.pop()[1].split(".")[1:]
            return lambda state, dot: _walk(state, inner(state, dot), names)
        if kind == "text":
            constant = _string(text)
        elif kind == "number":
            constant = float(text) if "." in text else int(text)
        elif text in _CONSTANTS:
            constant = _CONSTANTS[text]
        elif text in FUNCTIONS:
            return _call(text, [])
        else:
            raise Bad("unexpected %s" % quoted(text))
        return lambda state, dot: constant


def _split(text):
    """Return [("text" or "action", str)]; blanks are gone where an action trims them."""
    pieces, position, trims = [], 0, False
    for match in _ACTION.finditer(text):
        before = text[position:match.start()]
        before = before.lstrip() if trims else before
        pieces.append(("text", _unescaped(before.rstrip() if match.group(1) else before)))
        pieces.append(("action", match.group(2)))
        position, trims = match.end(), bool(match.group(3))
    rest = text[position:]
    if "{{" in rest:
        raise Bad("'}}' is missing")
    pieces.append(("text", _unescaped(rest.lstrip() if trims else rest)))
    return [piece for piece in pieces if piece[0] == "action" or piece[1]]


def _unescaped(text):
    return text.replace("\\t", "\t").replace("\\n", "\n")


def _tokens(text):
    """Return the tokens of an action, the first one last; none of a comment."""
    if re.match(r"\s*/\*.*\*/\s*$", text, re.DOTALL):
        return []
    found, position = [], 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise Bad("unexpected %s" % quoted(text[position:].split()[0]))
        if match.lastgroup != "blank":
            found.append((match.lastgroup, match.group()))
        position = match.end()
    if not found:
        raise Bad("{{}} is empty")
    return found[::-1]


def _string(text):
    if text[0] == "`":
        return Safe(text[1:-1])
    try:
        return Safe(json.loads(text, strict=False))
    except ValueError:
        raise Bad("%s is no string" % quoted(text))


def _path(text):
    """Return the value that ``.A.B``, ``$``, ``$x.A`` or ``.`` names."""
    names = text.split(".")
    variable, names = names[0], [name for name in names[1:] if name]

    def value(state, dot):
        if not variable:
            return _walk(state, dot, names)
        if variable not in state.variables:
            raise Bad("there is no variable %s" % variable)
        return _walk(state, state.variables[variable], names)
    return value


def _walk(state, value, names):
    value = known(value)
    for name in names:
        if state.is_heading and isinstance(value, str):
            return value  # what is below a field has its heading
        if not isinstance(value, Mapping):
            raise Bad("there is no field %s in %s" % (quoted("." + name), quoted(shown(value))))
        if name not in value:
            raise Bad("there is no field %s" % quoted("." + name),
                      "there are " + ", ".join("." + shown(key) for key in sorted(value)))
        value = known(value[name])
    return value


def _call(name, arguments):
    function, least, most = FUNCTIONS[name]
    if len(arguments) < least or most is not None and len(arguments) > most:
        raise Bad("%s has %d arguments" % (name, len(arguments)))

    def value(state, dot):
        if state.is_heading:
            found = [argument(state, dot) for argument in arguments]
            found = [each for each in found if isinstance(each, str) and not isinstance(each, Safe)]
            return found[0] if found else ""
        if name in ("and", "or"):  # they look no further than they must
            for argument in arguments:
                found = argument(state, dot)
                if is_true(found) is (name == "or"):
                    break
            return found
        return function(*[argument(state, dot) for argument in arguments])
    return value


def _printing(value):
    return lambda state, dot: state.out.append(shown(value(state, dot)))


def _run(nodes, state, dot):
    for node in nodes:
        node(state, dot)


def _if(names, value, body, otherwise, changes_dot=False):
    def node(state, dot):
        found = value(state, dot)
        if names:
            state.variables[names[-1]] = found
        if state.is_heading:
            _run(body, state, found if changes_dot else dot)
            written = len(state.out)
            _run(otherwise, state, dot)
            del state.out[written:]
        elif is_true(found):
            _run(body, state, found if changes_dot else dot)
        else:
            _run(otherwise, state, dot)
    return node


def _with(names, value, body, otherwise):
    return _if(names, value, body, otherwise, True)


def _range(names, value, body, otherwise):
    def node(state, dot):
        found = value(state, dot)
        if state.is_heading:
            items = [("", found)]
        elif isinstance(found, Mapping):
            items = [(key, found[key]) for key in sorted(found)]
        elif isinstance(found, (list, tuple)):
            items = list(enumerate(found))
        elif found is None:
            items = []
        else:
            raise Bad("cannot range over %s" % quoted(shown(found)))
        for key, each in items:
            if len(names) > 1:
                state.variables[names[0]] = key
            if names:
                state.variables[names[-1]] = each
            _run(body, state, each)
        if not items:
            _run(otherwise, state, dot)
    return node


_BLOCK_MAKERS = {"if": _if, "with": _with, "range": _range}
