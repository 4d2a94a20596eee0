"""What can go wrong, as types.

A function that cannot do what its name says raises one of these; nothing returns False, None or
"" to say that it failed. ``cli.main`` is the one place that turns them into a line on stderr and
an exit status.
"""


class UdockerError(Exception):
    """A failure that the user can understand.

    message (str): one line that says what is wrong.
    hint (str or None): one line that says what to do about it.
    """

    #: docker's status for "the tool itself failed" (docker-run(1), EXIT STATUS).
    exit_code = 125

    def __init__(self, message, hint=None):
        super(UdockerError, self).__init__(message)
        self.message = message
        self.hint = hint


class UsageError(UdockerError):
    """The command line is not one that we understand."""


class InvalidValue(UdockerError):
    """A value (a reference, a digest, a bind, a configuration key) is malformed."""


class NotFound(UdockerError):
    """An image, container, name, manifest or platform does not exist."""


class NoSuchPlatform(NotFound):
    """The image exists, but not for the platform that was asked for."""


class AlreadyExists(UdockerError):
    """What was to be made is there already."""


class Refused(UdockerError):
    """The object is protected, in use, or not ours to touch."""


class CorruptData(UdockerError):
    """Bytes that came from outside or from disk are not what they claim to be."""


class DigestMismatch(CorruptData):
    """The bytes do not have the digest that they were asked for by."""


class SizeMismatch(CorruptData):
    """The bytes are more or fewer than their descriptor says."""


class UnsafeLayer(CorruptData):
    """A layer that tries to reach outside the root file system, or past a limit."""


class RegistryError(UdockerError):
    """A registry could not be reached, refused, or answered nonsense."""


class AuthenticationError(RegistryError):
    """The registry wants other credentials than it got."""


class HostError(UdockerError):
    """The machine said no: disk full, permission denied, a missing facility."""


class EngineError(UdockerError):
    """No engine can run this container here."""


class CommandNotExecutable(UdockerError):
    """The command is there but cannot be invoked."""

    exit_code = 126


class CommandNotFound(UdockerError):
    """The command is not in the container."""

    exit_code = 127
