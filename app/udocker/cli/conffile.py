"""Configuration files: the INI of udocker 1.3.x, and the bare lines of 1.1.x.

Not configparser: it knows no line numbers to tell the user, and takes as long as all else at start.
"""

from collections import namedtuple

from udocker.errors import HostError, InvalidValue
from udocker.model.reference import printable, quoted

#: A line of a file: key (str, lower case), text (str), place (str: file and line, for messages).
Entry = namedtuple("Entry", "key text place")
#: The section that counts; what stands before any section belongs to it too.
SECTION = "DEFAULT"


def read(path):
    """Return ([Entry], [str: what in it means nothing]) of the file ``path`` (str), in its order.

    HostError if it cannot be read, InvalidValue with the line if it is no configuration file.
    """
    entries, strange = [], []
    section = SECTION
    for number, line in enumerate(_lines(path), 1):
        place = "%s, line %d" % (printable(path), number)
        text = line.strip()
        if not text or text[0] in "#;":
            continue
        if line[0] in " \t" and entries and section == SECTION:
            last = entries[-1]  # the value goes on
            entries[-1] = last._replace(text=(last.text + " " + text).strip())
        elif text[0] == "[":
            section = text[1:].partition("]")[0].strip()
            if "]" not in text:
                raise InvalidValue("%s: %s is no section" % (place, quoted(text)),
                                   "write it as [%s]" % SECTION)
            if section != SECTION:
                strange.append("%s: section [%s] means nothing, only [%s] does"
                               % (place, printable(section), SECTION))
        else:
            at = min([position for position in map(text.find, "=:") if position > 0] or [0])
            if not at:
                raise InvalidValue("%s: %s is no setting" % (place, quoted(text)),
                                   "write it as KEY = VALUE")
            if section == SECTION:
                entries.append(Entry(text[:at].strip().lower(), text[at + 1:].strip(), place))
    return entries, strange


def _lines(path):
    try:
        with open(path, "rb") as file:
            data = file.read()
    except OSError as error:
        raise HostError("cannot read configuration file %s: %s"
                        % (quoted(path), (error.strerror or str(error)).lower()))
    try:
        return data.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise InvalidValue("%s, line %d: this is not UTF-8"
                           % (printable(path), data.count(b"\n", 0, error.start) + 1))
