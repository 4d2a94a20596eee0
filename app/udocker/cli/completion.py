"""``udocker completion``: the scripts for shells, and the answers that these ask for.

The scripts know nothing but how to ask: what may stand in a place says ``completion --words``, of
the table of options and of what is on disk. A line of its answer is a word, or a word, a tab and
what it means; or a mark that says that names of files may stand there.
"""

from udocker.cli import arguments_of, options
from udocker.cli.help import effective
from udocker.cli.output import Output
from udocker.errors import UdockerError, UsageError

FILES, DIRECTORIES = ":files", ":dirs"

#: Where a shell would do something with a character, or a terminal, a name is not offered.
_HARMLESS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./:@+-")
_PLATFORMS = ("linux/amd64", "linux/386", "linux/arm64", "linux/arm/v7", "linux/ppc64le",
              "linux/riscv64", "linux/s390x")

BASH = r"""# bash completion for udocker: source <(udocker completion bash)
_udocker()
{
    local line=${COMP_LINE:0:COMP_POINT} words cur prefix= answer
    read -ra words <<<"$line"
    [[ $line == *[[:blank:]] ]] && words+=("")
    cur=${words[${#words[@]} - 1]}
    # bash completes what comes after the last of these, as far as they break words
    [[ $COMP_WORDBREAKS == *:* ]] && prefix=${cur%"${cur##*[:=]}"}
    COMPREPLY=()
    while IFS= read -r answer; do
        case $answer in
            :files | :dirs)
                compopt -o filenames 2>/dev/null
                while IFS= read -r answer; do
                    COMPREPLY+=("$answer")
                done < <(compgen "-${answer:1:1}" -- "${cur#"$prefix"}") ;;
            *)
                answer=${answer%%$'\t'*}
                COMPREPLY+=("${answer#"$prefix"}") ;;
        esac
    done < <("${words[0]/#\~/$HOME}" completion --words -- "${words[@]:1}" 2>/dev/null)
}
complete -F _udocker udocker udocker.py udocker.pyz
"""

ZSH = r"""#compdef udocker udocker.py udocker.pyz
# zsh completion for udocker: in a directory of fpath, as _udocker; or source it after compinit
_udocker()
{
    local line
    local -a found
    for line in ${(f)"$(${(Q)words[1]} completion --words -- "${(@Q)words[2,CURRENT]}" 2>/dev/null)"}; do
        case $line in
            :files) compset -P '*[:=]'; _files ;;
            :dirs) compset -P '*[:=]'; _files -/ ;;
            *$'\t'*) found+=("${${line%%$'\t'*}//:/\\:}:${line#*$'\t'}") ;;
            *) found+=("${line//:/\\:}") ;;
        esac
    done
    (( $#found )) && _describe udocker found
}
if [[ $funcstack[1] == _udocker ]]; then
    _udocker "$@"
else
    compdef _udocker udocker udocker.py udocker.pyz
fi
"""

FISH = r"""# fish completion for udocker: in ~/.config/fish/completions, as udocker.fish
function __udocker_complete
    set -l current (commandline -ct)
    set -l words (commandline -opc)
    for line in ($words[1] completion --words -- $words[2..-1] "$current" 2>/dev/null)
        switch $line
            case :files
                __fish_complete_path "$current"
            case :dirs
                __fish_complete_directories "$current"
            case '*'
                echo $line
        end
    end
end
for name in udocker udocker.py udocker.pyz
    complete -c $name -f -a '(__udocker_complete)'
end
"""

SCRIPTS = {"bash": BASH, "zsh": ZSH, "fish": FISH}


def completion(context, values, arguments):
    """Print the script for a shell, or what may stand in place of the last word."""
    say = Output().result
    if values["words"]:
        for line in answers(context.environ, arguments or [""]):
            say(line)
        return
    (shell,) = arguments_of("completion", arguments, 1, 1)
    if shell not in SCRIPTS:
        raise UsageError("there is no completion for this shell", "one of bash, zsh, fish")
    say(SCRIPTS[shell].rstrip("\n"))


def answers(environ, words):
    """Return the lines (list of str) for the last of ``words``, those of a command line."""
    disk = _Disk(environ, words[:-1])
    current = words[-1]
    place = _Place(options.GENERAL, words[:-1], True)
    if place.arguments:
        try:
            command = options.find_command(place.arguments[0])
        except UdockerError:
            return []
        place = _Place(command.options, place.rest, command.greedy)
        wanted = _argument(command, len(place.arguments))
    else:
        command, wanted = None, ""
    prefix = ""
    if place.pending is not None:
        wanted = place.pending.metavar
    elif place.takes_options and current.startswith("--") and "=" in current:
        flag, _, value = current.partition("=")
        wanted = next((option.metavar for option in place.table if flag in option.flags), "")
        prefix, current = flag + "=", value
    elif place.takes_options and current.startswith("-"):
        return _matching([(flag, option.help) for option in effective(place.table)
                          for flag in option.flags], current)
    elif command is None:
        return _matching([(entry.name, entry.summary) for entry in options.COMMANDS], current)
    return _values(disk, command, wanted, prefix, current)


class _Place(object):
    """Where in a command line a word stands, after the words that are read already.

    table: the options there may be; takes_options (bool): whether there may be any; pending: the
    Option whose value it is, or None; arguments: those that came before; rest: what follows the
    first of them.
    """

    def __init__(self, table, words, stop_at_first):
        self.table, self.pending, self.takes_options = table, None, True
        self.arguments, self.rest = [], []
        by_flag = {flag: option for option in table for flag in option.flags}
        for position, word in enumerate(words):
            if self.pending is not None:
                self.pending = None
            elif self.takes_options and word == "--":
                self.takes_options = False
            elif self.takes_options and word.startswith("--"):
                option = by_flag.get(word)
                self.pending = option if option is not None and option.metavar else None
            elif self.takes_options and len(word) > 1 and word[0] == "-":
                option = by_flag.get("-" + word[-1])
                self.pending = option if option is not None and option.metavar else None
            else:
                self.arguments.append(word)
                if stop_at_first:
                    self.takes_options = False
                    self.rest = self.rest or list(words[position + 1:])


def _argument(command, number):
    """Return what the argument ``number`` (from 0) of ``command`` is, as its usage calls it."""
    names = command.arguments.split()
    if number < len(names):
        return names[number]
    return names[-1] if names and names[-1].rstrip("]").endswith("...") else ""


def _values(disk, command, wanted, prefix, current):
    """Return the lines for a value or argument that the usage calls ``wanted`` (str)."""
    found = []
    for part in wanted.replace("[", "|").replace("]", "|").replace(":", "|").split("|"):
        part = part.rstrip(".")
        if part in ("FILE", "TAR", "HOST", "PATH", "ARG"):
            return [FILES]
        if part == "DIR":
            return [DIRECTORIES]
        if part == "COMMAND" and command is not None and command.name != "help":
            return [FILES]
        found += _known(disk, part, current)
    return _matching([(prefix + value, text) for value, text in found], prefix + current)


def _known(disk, name, current):
    """Return [(value, what it means)] of what the usage calls ``name`` (str)."""
    if name == "CONTAINER":
        return disk.containers(current)
    if name == "IMAGE":
        return disk.images()
    if name == "COMMAND":
        return [(command.name, command.summary) for command in options.COMMANDS]
    if name == "MODE":
        from udocker.engine.choose import MODES
        return [(mode, "") for mode in MODES]
    if name == "WHEN":
        from udocker.cli.run import PULL
        return [(when, "") for when in PULL]
    if name == "KEY":
        return [(key, "") for key in sorted(disk.environ)]
    if name == "FORMAT":
        return [("json", ""), ("text", "")]
    if name == "OS/ARCH":
        return [(platform, "") for platform in _PLATFORMS]
    return [(name, "")] if name.islower() else []


class _Disk(object):
    """What images and containers there are; nothing is made only because somebody looks."""

    def __init__(self, environ, words):
        """environ (dict), words (list of str): among them may be --repo and --config."""
        self.environ, self._words = environ, words

    def containers(self, current):
        """Return [(name, image)] of all containers, and of ids that begin with ``current``."""
        from udocker.store.containers import ContainerStore
        try:
            containers = ContainerStore(self._layout()).list()
        except (UdockerError, OSError):
            return []
        found = [(name, container.image) for container in containers for name in container.names]
        if current:
            found += [(container.id, container.image) for container in containers]
        return sorted(item for item in found if not item[0].startswith("-"))

    def images(self):
        """Return [(name, "")] of all images."""
        from udocker.store.images import ImageStore
        try:
            return [(str(image), "") for image in ImageStore(self._layout()).list()]
        except (UdockerError, OSError):
            return []

    def _layout(self):
        from udocker.cli import settings
        from udocker.store.layout import Layout
        general = options.split_general(self._words)[0]
        return Layout.of(settings.load(self.environ, general["config"], general["repo"]))


def _matching(found, current):
    lines = []
    for value, text in found:
        if value.startswith(current) and value not in (FILES, DIRECTORIES) \
                and _HARMLESS.issuperset(value.replace("=", "")):
            shown = "".join(c for c in text if c.isprintable())
            lines.append(value + "\t" + shown if shown else value)
    return lines
