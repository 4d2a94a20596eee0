"""Where ``udocker cp`` copies from and to: docker's rules, as values (docker-cp(1))."""

from collections import namedtuple

from udocker.errors import InvalidValue, NotFound, Refused
from udocker.model.reference import quoted

STREAM = "-"


class Side(namedtuple("Side", "container path")):
    """One side of a copy: container (str, "" for this machine) and path (str)."""

    __slots__ = ()

    @classmethod
    def parse(cls, text):
        """Return the side that ``text`` (str) spells: PATH, ``-``, or CONTAINER:PATH.

        What begins with ``/`` or ``.`` is a path here, whatever colons it has.
        """
        if text.startswith(("/", ".")) or ":" not in text:
            if not text:
                raise InvalidValue("cp: an empty path")
            return cls("", text)
        container, _, path = text.partition(":")
        if not container or not path:
            raise InvalidValue("cp: invalid place %s" % quoted(text),
                               "write it as CONTAINER:PATH; a file of this name is ./%s" % text)
        return cls(container, path)

    @property
    def is_stream(self):
        return self == ("", STREAM)

    @property
    def means_directory(self):
        """Whether it is written as only directories are."""
        return self.path.endswith("/") or self.path.rpartition("/")[2] in (".", "..")

    @property
    def means_content(self):
        """Whether what is in the directory is meant, and not the directory."""
        return self.path.rpartition("/")[2] == "." or not self.path.strip("/")

    def __str__(self):
        return "%s:%s" % (self.container, self.path) if self.container else self.path


def goes_below(source, is_directory, target, kind):
    """Return whether a copy of ``source`` (Side) is to be put into ``target`` (Side) under its own
    name; false if it becomes ``target`` itself.

    is_directory (bool): whether the source is one. kind (str or None): what the target is, as
    host.tree.Root.kind says. NotFound or Refused where docker does not copy.
    """
    if source.means_directory and not is_directory:
        raise Refused("%s is not a directory" % quoted(str(source)))
    if kind == "directory":
        return not (is_directory and source.means_content)
    if kind is not None and (is_directory or target.means_directory):
        raise Refused("cannot copy a directory to %s, which is a file" % quoted(str(target))
                      if is_directory else "%s is not a directory" % quoted(str(target)))
    if kind is None and target.means_directory and not is_directory:
        raise NotFound("the directory %s does not exist" % quoted(str(target)))
    return False
