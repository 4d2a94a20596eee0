"""What ``udocker commit --change`` says: instructions of a Dockerfile, applied to a configuration.

The words are those of the Dockerfile reference, and the section is that of OCI image-spec config.md.
"""

import posixpath

from udocker.errors import InvalidValue
from udocker.model.jsontext import loads
from udocker.model.reference import quoted

_BLANKS = " \t"
_NAME = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")


def apply_changes(section, texts):
    """Return ``section`` (dict: "config" of an image's configuration) as ``texts`` (sequence of
    str, each an instruction) change it; InvalidValue names the one that cannot be understood."""
    section = dict(section)
    given = set()
    for text in texts:
        word, _, rest = text.strip().partition(" ")
        rest = rest.strip()
        function = _INSTRUCTIONS.get(word.upper())
        if function is None:
            raise InvalidValue("--change %s: no such instruction" % quoted(text),
                               "one of %s" % ", ".join(sorted(_INSTRUCTIONS)))
        try:
            function(section, rest)
        except ValueError as error:
            raise InvalidValue("--change %s: %s" % (quoted(text), error))
        given.add(word.upper())
        if word.upper() == "ENTRYPOINT" and "CMD" not in given:
            section.pop("Cmd", None)  # it was meant for the other entrypoint
    return section


def _command(rest):
    """Return the words (list of str) of the exec form, or of a shell for all else."""
    if not rest:
        return []
    words = _json_list(rest)
    return ["/bin/sh", "-c", rest] if words is None else words


def _json_list(rest):
    if not rest.startswith("["):
        return None
    try:
        words = loads(rest.encode("utf-8"))
    except ValueError:
        return None
    return words if isinstance(words, list) and all(isinstance(word, str) for word in words) else None


def _cmd(section, rest):
    section["Cmd"] = _command(rest)


def _entrypoint(section, rest):
    section["Entrypoint"] = _command(rest)


def _env(section, rest):
    entries = [entry for entry in section.get("Env") or () if isinstance(entry, str)]
    for key, value in _pairs(section, rest):
        if not key or "=" in key:
            raise ValueError("a variable needs a name")
        entry = "%s=%s" % (key, value)
        places = [at for at, old in enumerate(entries) if old.partition("=")[0] == key]
        if places:
            entries[places[0]] = entry
        else:
            entries.append(entry)
    section["Env"] = entries


def _label(section, rest):
    section["Labels"] = dict(section.get("Labels") or {}, **dict(_pairs(section, rest)))


def _expose(section, rest):
    ports = dict(section.get("ExposedPorts") or {})
    for word in _some_words(section, rest):
        port, _, protocol = word.partition("/")
        first, _, last = port.partition("-")
        if not all(number.isdecimal() and 0 < int(number) < 65536 for number in (first, last or first)) \
                or protocol not in ("", "tcp", "udp", "sctp") or int(last or first) < int(first):
            raise ValueError("no port: %s" % quoted(word))
        for number in range(int(first), int(last or first) + 1):
            ports["%d/%s" % (number, protocol or "tcp")] = {}
    section["ExposedPorts"] = ports


def _volume(section, rest):
    words = _json_list(rest)
    words = _some_words(section, rest) if words is None else words
    if not all(words):
        raise ValueError("a volume needs a path")
    section["Volumes"] = dict(section.get("Volumes") or {}, **{word: {} for word in words})


def _user(section, rest):
    section["User"] = _one_word(section, rest)


def _workdir(section, rest):
    section["WorkingDir"] = posixpath.normpath(
        posixpath.join("/", section.get("WorkingDir") or "/", _one_word(section, rest)))


def _stopsignal(section, rest):
    section["StopSignal"] = _one_word(section, rest)


def _onbuild(section, rest):
    if not rest:
        raise ValueError("an instruction is missing")
    section["OnBuild"] = list(section.get("OnBuild") or ()) + [rest]


_INSTRUCTIONS = {"CMD": _cmd, "ENTRYPOINT": _entrypoint, "ENV": _env, "EXPOSE": _expose,
                 "LABEL": _label, "ONBUILD": _onbuild, "STOPSIGNAL": _stopsignal, "USER": _user,
                 "VOLUME": _volume, "WORKDIR": _workdir}


def _pairs(section, rest):
    """Return [(key, value)] of ``KEY=VALUE ...``, or of the older ``KEY VALUE``."""
    words = _words(section, rest)
    if words and "=" not in words[0]:
        key, _, value = rest.partition(" ")
        if not value.strip():
            raise ValueError("a value is missing")
        return [(key, " ".join(_words(section, value.strip())))]
    if not words or any("=" not in word for word in words):
        raise ValueError("write it as KEY=VALUE")
    return [(key, value) for key, _, value in (word.partition("=") for word in words)]


def _some_words(section, rest):
    words = _words(section, rest)
    if not words:
        raise ValueError("a value is missing")
    return words


def _one_word(section, rest):
    words = _some_words(section, rest)
    if len(words) != 1 or not words[0]:
        raise ValueError("one value is wanted")
    return words[0]


def _words(section, text):
    """Return the words (list of str) of ``text``: quotes, backslashes and $NAME as a shell has them.

    $NAME and ${NAME} mean what the image's environment says, nothing where that is silent.
    """
    values = dict(entry.partition("=")[::2] for entry in section.get("Env") or ()
                  if isinstance(entry, str))
    words, word, quote, at = [], None, "", 0
    while at < len(text):
        char = text[at]
        at += 1
        if not quote and char in _BLANKS:
            if word is not None:
                words.append(word)
            word = None
            continue
        word = word or ""
        if char == quote:
            quote = ""
        elif not quote and char in "'\"":
            quote = char
        elif char == "\\" and quote != "'" and at < len(text) \
                and (not quote or text[at] in "\"\\$"):
            word += text[at]
            at += 1
        elif char == "$" and quote != "'":
            name, at = _variable(text, at)
            word += values.get(name, "") if name else "$"
        else:
            word += char
    if quote:
        raise ValueError("a quote is not closed")
    return words if word is None else words + [word]


def _variable(text, at):
    """Return (name, where it ends) of the variable at ``at``, which follows a ``$``."""
    if text[at:at + 1] == "{":
        end = text.find("}", at)
        if end < 0 or not _NAME.issuperset(text[at + 1:end]):
            raise ValueError("only $NAME and ${NAME} are understood")
        return text[at + 1:end], end + 1
    end = at
    while end < len(text) and text[end] in _NAME:
        end += 1
    return text[at:end], end
