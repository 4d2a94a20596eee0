"""Values: immutable, no input or output, no import from any other room.

They are ``collections.namedtuple`` subclasses rather than ``typing.NamedTuple``: importing
``typing`` costs more than everything else that starting a local container imports
(docs/adr/0002-start-up.md).
"""
