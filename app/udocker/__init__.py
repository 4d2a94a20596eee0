"""udocker: containers for ordinary users, with nothing installed by an administrator."""

__version__ = "2.0.0"
