"""``udocker search``."""

import sys
from itertools import islice

from udocker.cli import arguments_of
from udocker.errors import InvalidValue, UdockerError, UsageError
from udocker.model.reference import DOCKER_HUB_NAMES, ImageReference, printable, quoted

#: 1.3.x's columns, which its users cut out by position; and without the cutting.
_CUT, _WHOLE = "%-55.80s %8.8s %-70.70s %5.5s", "%-55s %8s %-70s %5s"
#: What an answer to the prompt begins with to end the list.
_ENOUGH = ("q", "Q", "e", "E")
#: Rows of a terminal that does not say how many it has.
_ROWS = 24

_DIGITS = frozenset("0123456789")

_FIELDS = {"Name": "NAME", "Description": "DESCRIPTION", "StarCount": "STARS",
           "IsOfficial": "OFFICIAL", "IsAutomated": "AUTOMATED"}


def search(context, values, arguments):
    """Print the images that are found for a word, or the tags of an image."""
    arguments_of("search", arguments, 1 if values["list_tags"] else 0, 1)
    limit = _limit(values["limit"])
    word = arguments[0] if arguments else ""
    if values["list_tags"]:
        lines = (printable(tag) for tag in _tags(context, values, word))
        return _show(context, values, None, islice(lines, limit))
    wanted = [_filter(text) for text in values["filter"]]
    hits = (hit for hit in _hits(context, values, word) if all(test(hit) for test in wanted))
    hits = islice(hits, limit)
    if values["format"] is not None:
        from udocker.cli.template import render
        rows = ({"Name": hit.name, "Description": hit.description, "StarCount": hit.stars,
                 "IsOfficial": hit.is_official, "IsAutomated": hit.is_automated} for hit in hits)
        return _show(context, values, None, render(values["format"], rows, _FIELDS))
    form = _WHOLE if values["no_trunc"] else _CUT
    lines = (form % (_line(hit.name), "[OK]" if hit.is_official else "----",
                     _line(hit.description), hit.stars) for hit in hits)
    return _show(context, values, form % ("NAME", "OFFICIAL", "DESCRIPTION", "STARS"), lines)


def _show(context, values, heading, lines):
    """Print ``lines`` (iterator of str) as they come, a page at a time where a person reads them."""
    pauses = not values["all"] and sys.stdin.isatty() and sys.stdout.isatty()
    rows = 0
    if pauses:
        from shutil import get_terminal_size
        # 0: a terminal that does not know its size
        rows = max(1, (get_terminal_size((80, _ROWS)).lines or _ROWS) - 2)
    for number, line in enumerate(lines):
        if number == 0 and heading is not None:
            context.output.result(heading)
        if rows and number and number % rows == 0:
            context.output.flush()
            sys.stderr.write("[return or q to quit]")
            sys.stderr.flush()
            answer = sys.stdin.readline()
            if not answer or answer.startswith(_ENOUGH):
                return
        context.output.result(line)


def _tags(context, values, name):
    from udocker.cli.network import open_registry
    reference = ImageReference.parse(name)
    registry = open_registry(context, reference, values)
    return registry.first(reference, registry.tags)[1]


def _hits(context, values, word):
    """Return an iterator of the Hits for ``word``, from where the user says they are to be found."""
    from udocker.cli.network import settings_for
    from udocker.registry.search import search_index, search_registry
    settings = settings_for(context, values)
    host, slash, rest = word.partition("/")
    is_host = slash and ("." in host or ":" in host or host == "localhost")
    if is_host:
        word = rest
        if host not in DOCKER_HUB_NAMES:
            return search_registry(_open(context, values, settings, host), word)
    registry = settings.dockerio_registry_url
    if values["registry"] is not None and values["index"] is None:
        return search_registry(_open(context, values, settings, registry), word)
    try:
        return search_index(_open(context, values, settings, settings.dockerio_index_url), word)
    except UdockerError as error:
        if not registry:
            raise
        context.output.warning("%s; searching in %s" % (error.message, registry))
        return search_registry(_open(context, values, settings, registry), word)


def _open(context, values, settings, address):
    from udocker.cli.network import credentials, open_transport
    from udocker.registry.endpoint import Endpoint
    from udocker.registry.session import Session
    endpoint = Endpoint.parse(address)
    return Session(open_transport(context, settings, endpoint.host), endpoint,
                   credentials(context, values))


def _limit(text):
    if text is None:
        return None
    if not _DIGITS.issuperset(text) or not text or int(text[:9]) < 1:
        raise InvalidValue("search: --limit is not a positive number: %s" % quoted(text))
    return int(text[:9])


def _filter(text):
    """Return a function of a Hit for docker's ``is-official=true``, ``stars=3``."""
    key, equals, value = text.partition("=")
    if key == "stars" and value and _DIGITS.issuperset(value):
        return lambda hit: hit.stars >= int(value[:9])
    if key in ("is-official", "is-automated") and value.lower() in ("true", "1", "false", "0"):
        wanted = value.lower() in ("true", "1")
        return lambda hit: getattr(hit, key.replace("-", "_")) is wanted
    raise UsageError("search: no such filter: %s" % quoted(text),
                     "is-official=true, is-automated=false or stars=NUMBER")


def _line(text):
    """``text`` of a server, harmless on a terminal, in one line."""
    return printable(" ".join(text.split()))
