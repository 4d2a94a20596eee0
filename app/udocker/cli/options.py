"""Every command and every option, once, as data.

The parser (cli/grammar.py), the help texts and whatever else describes the command line are made
from the tables here.
"""

from collections import namedtuple

from udocker.cli.grammar import parse, switch, value
from udocker.cli.harmless import HARMLESS
from udocker.errors import UsageError
from udocker.model.reference import quoted


class Command(namedtuple("Command", "name module arguments summary options greedy needs_user")):
    """A command: module (str, below udocker.cli, with a function named like the command, and ``_``
    after it where Python has that word for itself).

    arguments (str, for the help); greedy (bool): everything after the first word belongs to it;
    needs_user (bool): not for root.
    """

    __slots__ = ()


HELP = switch("-h", "--help", "show the help of the command")

GENERAL = (
    HELP,
    switch("-V", "--version", "show the version"),
    switch("-D", "--debug", "say what is done, and show tracebacks"),
    switch("-q", "--quiet", "say nothing but errors"),
    switch("--insecure", "accept registries without or with invalid TLS certificates"),
    value("--repo", "DIR", "use DIR in place of ~/.udocker; it must be a udocker repository"),
    switch("--allow-root", "run although the user is root"),
    value("--config", "FILE", "read this configuration file too"),
)

_PLATFORM = value("--platform", "OS/ARCH", "image for this platform, for example linux/arm64")
_PLATFORM_OF = value("--platform", "OS/ARCH", "what it is for, if not for this machine")
_AUTHFILE = value("--authfile", "FILE", "look for logins in this file first")
_REGISTRY = (
    value("--index", "URL", "index to search in"),
    value("--registry", "URL", "registry to pull from, instead of Docker Hub"),
    value("--httpproxy", "URL", "HTTP proxy"),
    _PLATFORM,
    _AUTHFILE,
)
_ARCHITECTURES = value("--arch", "ARCH", "for this architecture, not this machine's: "
                       "x86_64, i386, aarch64, ppc64le, all", many=True)
_LABELS = (
    value("-l", "--label", "KEY[=VALUE]", "give the container a label", many=True),
    value("--label-file", "FILE", "read labels from a file, one a line", many=True),
)
_FORMAT = value("--format", "FORMAT", "json, or text (the default)", default="text")

_RUN = _REGISTRY + (
    switch("--rm", "delete the container afterwards"),
    value("--name", "NAME", "name the container"),
    value("--pull", "WHEN", "missing (the default), never, always, or reuse (of --name)",
          default="missing"),
    value("-v", "--volume", "HOST[:DIR[:ro]]", "show a host file or directory inside", many=True),
    value("--mount", "KEY=VALUE,...", "type=bind,source=HOST,target=DIR[,readonly], or "
          "type=tmpfs,target=DIR", many=True),
    value("--tmpfs", "DIR[:OPTIONS]", "show an empty directory that goes with the run", many=True),
    value("--device", "HOST[:DEVICE]", "show a device inside", many=True),
    switch("--dri", "show the directories of the host's graphics drivers"),
    value("--gpus", "all|N|device=LIST", "show the host's NVIDIA driver inside"),
    value("--novol", "DIR", "leave out one of the default volumes", many=True),
    value("-e", "--env", "KEY[=VALUE]", "set an environment variable, or copy the host's",
          many=True),
    value("--env-file", "FILE", "read environment variables from a file", many=True),
    value("-u", "--user", "NAME|UID[:GID]", "be this user inside"),
    value("-w", "--workdir", "DIR", "start in this directory"),
    value("--entrypoint", "COMMAND", "replace the image's entrypoint"),
    value("-p", "--publish", "HOST:PORT", "let PORT of the container be HOST (P modes)",
          many=True),
    switch("-P", "--netcoop", "--publish-all",
           "give what listens a port that is free (P modes)"),
    value("-h", "--hostname", "NAME", "host name inside (R modes)"),
    value("--net", "--network", "NETWORK", "host, as it always is, or none (R modes)"),
    value("--add-host", "NAME:ADDRESS", "let NAME be this host inside", many=True),
    value("--dns", "ADDRESS", "ask this name server", many=True),
    value("--dns-search", "DOMAIN", "look for names in this domain", many=True),
    value("--dns-opt", "--dns-option", "OPTION", "an option of resolv.conf", many=True),
    switch("--read-only", "let nothing be changed but in volumes (R modes)"),
    value("--shm-size", "SIZE", "size of /dev/shm (R modes)"),
    value("--ulimit", "NAME=SOFT[:HARD]", "set a limit, for example nofile=4096", many=True),
    value("--location", "DIR", "run the root file system in DIR; the first argument, which stands "
          "for the container, then means nothing"),
    value("--execmode", "MODE", "P1, P2, F1 to F4, R1 to R3, S1 or auto, for this run only"),
    switch("-i", "--interactive", "accepted; standard input is always connected"),
    switch("-t", "--tty", "accepted; a terminal stays a terminal"),
    value("-a", "--attach", "STREAM", "accepted; all streams are connected", many=True),
    switch("--bindhome", "show the home directory inside"),
    switch("--hostauth", "use the host's users and groups"),
    switch("--containerauth", "use the container's passwd and group files as they are"),
    switch("--hostenv", "pass the whole host environment"),
    switch("--nosysdirs", "show none of the default host directories"),
    switch("--nometa", "ignore what the image says about command, user and environment"),
    value("--cpuset-cpus", "LIST", "run on these processors only"),
    value("--kernel", "RELEASE", "let uname tell this kernel release (P modes)"),
    switch("--nobanner", "print no banner"),
    switch("-d", "--detach", "leave it running, and print the container's id; see logs, stop, wait"),
    value("--cidfile", "FILE", "write the container's id to this new file"),
) + _LABELS + (
    switch("--dry-run", "print what would be done, with the reasons, and do nothing"),
    _FORMAT,
) + HARMLESS


def _command(name, module, arguments, summary, *options, **more):
    taken = [flag for option in options for flag in option.flags]
    flags = tuple(flag for flag in HELP.flags if flag not in taken)  # docker's run has another -h
    return Command(name, module, arguments, summary, (HELP._replace(flags=flags),) + options,
                   more.get("greedy", False), more.get("needs_user", True))


COMMANDS = (
    _command("run", "run", "CONTAINER|IMAGE [COMMAND [ARG...]]",
             "run a command in a container, creating it from an image if need be",
             *_RUN, greedy=True),
    _command("pull", "images", "IMAGE", "download an image from a registry", *(_REGISTRY + (
        switch("-a", "--all-tags", "download every tag that the registry has"),
        switch("-q", "--quiet", "say nothing but the name of the image"),))),
    _command("images", "images", "[NAME[:TAG]]", "list the images",
             switch("-l", "--long", "show the layers as well"),
             switch("-p", "--platform", "show the platform"),
             switch("-a", "--all", "accepted; all images are always listed"),
             switch("-q", "--quiet", "print ids only"),
             switch("--no-trunc", "print ids in full"),
             switch("--digests", "show digests"),
             value("-f", "--filter", "KEY=VALUE", "only those with this reference, label, or made "
                   "before or since that image", many=True),
             value("--format", "FORMAT", "json, table, or a Go template: '{{.Repository}}:{{.Tag}} "
                   "{{.ID}} {{.Size}}'")),
    _command("create", "containers", "IMAGE", "make a container from an image, and print its id",
             value("--name", "NAME", "name the container"),
             switch("--force", "make it even if the name is taken, without the name"),
             value("--pull", "WHEN", "missing (the default), never, or always", default="missing"),
             switch("-i", "--interactive", "accepted; that is up to run and start"),
             switch("-t", "--tty", "accepted; that is up to run and start"),
             *(_LABELS + _REGISTRY)),
    _command("start", "live", "CONTAINER...", "run again, detached, what a container ran last",
             switch("-a", "--attach", "stay, and exit as it does"),
             switch("-i", "--interactive", "as --attach, with standard input")),
    _command("exec", "exec", "CONTAINER COMMAND [ARG...]", "run one more command in a running container",
             switch("-i", "--interactive", "connect standard input"),
             switch("-t", "--tty", "accepted; a terminal stays a terminal"),
             switch("-d", "--detach", "do not wait for it; what it says is lost"),
             value("-e", "--env", "KEY[=VALUE]", "set an environment variable, or copy the host's",
                   many=True),
             value("--env-file", "FILE", "read environment variables from a file", many=True),
             value("-w", "--workdir", "DIR", "start in this directory"),
             value("-u", "--user", "NAME|UID[:GID]", "be this user inside"),
             switch("--privileged", "accepted; changes nothing"), greedy=True),
    _command("logs", "live", "CONTAINER", "print what a detached container has said",
             switch("-f", "--follow", "go on until it ends"),
             value("-n", "--tail", "LINES", "only the last ones (default: all)", default="all"),
             switch("-t", "--timestamps", "show when each line came"),
             value("--since", "TIME", "what came after a time like 2025-01-31T12:00:00, or in the last 10m"),
             value("--until", "TIME", "what came before it")),
    _command("stop", "live", "CONTAINER...", "end all processes of containers, politely first",
             value("-s", "--signal", "SIGNAL", "in place of SIGTERM, or what the image says"),
             value("-t", "--time", "SECONDS", "kill it after these (default: 10)", default="10")),
    _command("restart", "live", "CONTAINER...", "stop containers, and start them",
             value("-s", "--signal", "SIGNAL", "in place of SIGTERM, or what the image says"),
             value("-t", "--time", "SECONDS", "kill it after these (default: 10)", default="10")),
    _command("kill", "live", "CONTAINER...", "send a signal to what containers run",
             value("-s", "--signal", "SIGNAL", "this one (default: KILL)", default="KILL")),
    _command("wait", "live", "CONTAINER...",
             "wait until containers have ended, and print their exit statuses (of detached runs)"),
    _command("ps", "ps", "", "list the containers, all of them, with their STATUS on a terminal",
             switch("-m", "--mode", "show the execution mode"),
             switch("-s", "--size", "show the size in MB"),
             switch("-p", "--platform", "show the platform"),
             switch("--status", "show whether and since when it runs, or how it ended"),
             switch("-a", "--all", "accepted; not only the running ones are listed anyway"),
             switch("-q", "--quiet", "print ids only"),
             switch("--no-trunc", "accepted; ids are never cut"),
             switch("-l", "--latest", "only the one that was made last"),
             value("-n", "--last", "NUMBER", "only so many that were made last", default="-1"),
             value("-f", "--filter", "KEY=VALUE", "only those with this status (created, running, "
                   "exited), exited, name, id, label, or ancestor (image)", many=True),
             value("--format", "FORMAT", "json, table, or a Go template of .ID .Names .Image .Status "
                   ".State .Command .CreatedAt .RunningFor .Labels ...")),
    _command("rm", "containers", "CONTAINER...", "delete containers",
             switch("-f", "--force", "stop what runs first; delete also what has odd permissions"),
             switch("-a", "--all", "delete all that are neither protected nor in use")),
    _command("rmi", "images", "IMAGE...", "delete images",
             switch("-f", "--force", "go on where something is missing already")),
    _command("setup", "setup", "CONTAINER", "change how a container runs, or tell how it does",
             value("--execmode", "MODE", "P1, P2, F1 to F4, R1 to R3, or S1"),
             switch("--force", "set it up again, in the same mode too"),
             switch("--purge", "remove the mount points that runs have left"),
             switch("--fixperm", "make files usable that belong to other ids, or to nobody"),
             switch("--nvidia", "show the host's NVIDIA driver inside")),
    _command("name", "containers", "CONTAINER NAME", "give a container a name"),
    _command("rmname", "containers", "NAME", "take a name from its container"),
    _command("inspect", "inspect", "CONTAINER|IMAGE...", "print what an image or container says",
             value("-f", "--format", "FORMAT", "json, or a Go template of docker's names: "
                   "'{{.Id}} {{json .Config.Env}}'"),
             value("--type", "KIND", "container or image, where both have the name"),
             switch("-s", "--size", "with the size of a container's root file system"),
             switch("-p", "--path", "print the path of the container's root file system")),
    _command("rename", "containers", "OLD NEW", "give a container another name in place of one"),
    _command("clone", "containers", "CONTAINER", "copy a container, and print the new id",
             value("--name", "NAME", "name the copy"),
             switch("--force", "make it even if the name is taken, without the name")),
    _command("tag", "images", "IMAGE NEW", "give an image one more name"),
    _command("verify", "images", "IMAGE", "check an image's digests and archives"),
    _command("history", "images", "IMAGE", "show the steps in which an image was made",
             switch("--no-trunc", "cut nothing"),
             switch("-q", "--quiet", "print ids only")),
    _command("protect", "protection", "CONTAINER|IMAGE", "keep from being deleted or replaced"),
    _command("unprotect", "protection", "CONTAINER|IMAGE", "end that"),
    _command("save", "archives", "IMAGE...", "write images to an archive for load, docker or podman",
             value("-o", "--output", "FILE|-", "a new file; standard output if absent")),
    _command("load", "archives", "[NAME[:TAG]]", "take images from an archive made by save",
             value("-i", "--input", "FILE|-", "the archive; standard input if absent"),
             switch("-q", "--quiet", "accepted; only the names are printed anyway")),
    _command("import", "archives", "TAR|- [IMAGE]",
             "make an image, or a container, of a root file system",
             switch("--mv", "delete TAR afterwards"),
             switch("--tocontainer", "make a container, and print its id"),
             switch("--clone", "make a container of one that export --clone wrote"),
             value("--name", "NAME", "name the container"),
             _PLATFORM_OF),
    _command("export", "archives", "CONTAINER", "write a container's root file system to an archive",
             value("-o", "--output", "FILE|-", "this file; standard output if absent"),
             switch("--clone", "with what udocker knows of it, for import --clone")),
    _command("cp", "copying", "CONTAINER:PATH HOST|- | HOST|- CONTAINER:PATH",
             "copy files between a container and this machine, or as a tar archive",
             switch("-a", "--archive", "accepted; modes and times are kept, owners cannot be"),
             switch("-L", "--follow-link", "copy what a link leads to, not the link"),
             switch("-q", "--quiet", "show no progress")),
    _command("commit", "changes", "CONTAINER IMAGE[:TAG]",
             "make an image of a container, and print its id",
             value("-a", "--author", "NAME", "who made it"),
             value("-m", "--message", "TEXT", "what was done"),
             value("-c", "--change", "INSTRUCTION", "an instruction of a Dockerfile to apply: CMD, "
                   "ENTRYPOINT, ENV, WORKDIR, USER, LABEL, EXPOSE, VOLUME", many=True),
             switch("-p", "--pause", "accepted; nothing is paused")),
    _command("diff", "changes", "CONTAINER", "show what of a container is not as in its image"),
    _command("login", "login", "[SERVER]", "log in to a registry, and keep that for later",
             value("-u", "--username", "NAME", "the user name; asked for if absent"),
             value("-p", "--password", "PASSWORD", "the password, which others then see in the list "
                   "of processes"),
             switch("--password-stdin", "read the password from standard input"),
             value("--registry", "SERVER", "the same as SERVER"),
             value("--httpproxy", "URL", "HTTP proxy"),
             value("--authfile", "FILE", "keep the login in this file")),
    _command("logout", "login", "[SERVER]", "forget the login to a registry",
             switch("-a", "--all", "forget the logins to all registries"),
             value("--registry", "SERVER", "the same as SERVER"),
             value("--authfile", "FILE", "forget what is in this file, and no other")),
    _command("push", "push", "IMAGE [DESTINATION]", "upload an image to a registry",
             value("--registry", "URL", "registry to push to, instead of Docker Hub"),
             value("--httpproxy", "URL", "HTTP proxy"),
             value("--platform", "OS/ARCH", "push it only if it is for this platform"),
             _AUTHFILE,
             switch("-a", "--all-tags", "push every tag that is here"),
             switch("-q", "--quiet", "print the digest only")),
    _command("search", "search", "[SERVER/]WORD | --list-tags IMAGE",
             "look for images in an index or a registry",
             switch("-a", "--all", "do not pause after each page"),
             switch("--no-trunc", "cut nothing"),
             switch("--list-tags", "list the tags of an image"),
             value("--index", "URL", "index to search in"),
             value("--registry", "URL", "registry to search in, instead of Docker Hub"),
             value("--httpproxy", "URL", "HTTP proxy"),
             _AUTHFILE,
             value("--limit", "N", "at most so many results"),
             value("-f", "--filter", "KEY=VALUE", "is-official=true, is-automated=false, stars=N",
                   many=True),
             value("--format", "FORMAT", "json, or a Go template: '{{.Name}} {{.StarCount}}'")),
    _command("manifest", "manifest", "inspect IMAGE", "print what a registry says of an image",
             *_REGISTRY),
    _command("system", "system", "df|prune", "show what takes how much space, or remove what nobody "
             "needs",
             switch("-v", "--verbose", "df: each image and container, and what is left over"),
             value("--format", "FORMAT", "df: table, json, or a template of Go"),
             switch("-a", "--all", "prune: also images that no container was made from"),
             switch("-f", "--force", "prune: do not ask"),
             switch("--dry-run", "prune: only show what would be removed")),
    _command("mkrepo", "about", "DIR", "make a repository, for --repo or UDOCKER_DIR"),
    _command("install", "install", "", "install the engines",
             switch("--force", "install again"),
             switch("--purge", "remove what other bundles have left"),
             value("--from", "FILE|DIR|URL", "take the bundle of engines from here"),
             _ARCHITECTURES),
    _command("mirror", "mirror", "DIR", "collect the engines' bundles for machines without a network",
             value("--from", "FILE|DIR|URL", "take the bundles from here"),
             _ARCHITECTURES, needs_user=False),
    _command("doctor", "doctor", "", "show what this host can do, and what would help",
             switch("--json", "the same as --format=json"), _FORMAT),
    _command("version", "about", "", "show the version",
             value("-f", "--format", "FORMAT", "json, or a Go template: '{{.Server.Version}}'"),
             needs_user=False),
    _command("showconf", "about", "", "show the configuration and where each value comes from",
             needs_user=False),
    _command("completion", "completion", "bash|zsh|fish",
             "print a script that completes commands in a shell",
             switch("--words", "print what may stand in place of the last word, for the script"),
             greedy=True, needs_user=False),
    _command("help", "help", "[COMMAND]", "show help",
             switch("--man", "print the man page"), needs_user=False),
)

#: What docker puts before some commands: see cli/nouns.py.
NOUNS = ("image", "container")

_BY_NAME = {command.name: command for command in COMMANDS}


def find_command(name):
    """Return the Command called ``name`` (str); UsageError with a suggestion if there is none."""
    command = _BY_NAME.get(name)
    if command is None:
        from difflib import get_close_matches
        close = get_close_matches(name, sorted(_BY_NAME), 1)
        raise UsageError("invalid command: %s" % quoted(name),
                         "did you mean '%s'?" % close[0] if close else "see 'udocker help'")
    return command


def split_general(words):
    """Read the options that stand before the command: return (options, command name, the rest)."""
    options, rest = parse(GENERAL, words, stop_at_first=True)
    return options, (rest[0] if rest else ""), rest[1:]


def parse_command(command, words):
    """Return (options, arguments) of ``words`` (list of str), which follow the command's name."""
    try:
        return parse(command.options, words, stop_at_first=command.greedy)
    except UsageError as error:
        error.hint = error.hint or "see 'udocker help %s'" % command.name
        raise
