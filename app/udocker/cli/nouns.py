"""docker's longer spelling: ``image ls`` is ``images``, ``container rm`` is ``rm``."""

from udocker.errors import UsageError
from udocker.model.reference import quoted

#: Noun -> verb -> command, where they are not called the same.
_RENAMED = {
    "image": {"ls": "images", "list": "images", "rm": "rmi", "remove": "rmi"},
    "container": {"ls": "ps", "list": "ps", "remove": "rm"},
}
#: Noun -> verbs that are commands.
_SAME = {
    "image": "pull push tag history save load import inspect",
    "container": "run create exec start restart stop kill wait logs cp diff commit export inspect "
                 "rename rm ps",
}


def command_of(noun, words, known):
    """Return (command, the rest of ``words``) of a ``noun`` (str) with its verb in ``words``.

    known (container of str): the commands that there are. UsageError for another verb.
    """
    verbs = dict((verb, verb) for verb in _SAME[noun].split())
    verbs.update(_RENAMED[noun])
    verbs = {verb: command for verb, command in verbs.items() if command in known}
    if words and words[0] in verbs:
        # the shorter spelling prints what 1.3.x prints; this one nobody has but docker's callers
        form = ["--type=" + noun, "--format=json"] if words[0] == "inspect" else []
        return verbs[words[0]], form + words[1:]
    raise UsageError("%s %s: there is no such command" % (noun, quoted(words[0])) if words
                     else "%s: the command is missing" % noun, "one of %s" % ", ".join(sorted(verbs)))
