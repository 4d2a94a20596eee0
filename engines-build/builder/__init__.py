"""The engine builder: sources, toolchain, recipes, bundle. Standard library only, Python 3.6."""


class BuildError(Exception):
    """What the user is told, in one line, when a build cannot go on."""
