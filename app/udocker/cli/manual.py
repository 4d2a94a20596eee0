"""What the help texts and the man page say beside the table of options: groups, examples, statuses."""

#: (title, names of commands); a command that is in none of them stands under the last one.
GROUPS = (
    ("Run containers", "run exec start ps logs wait stop restart kill"),
    ("Containers", "create clone import export cp diff commit inspect setup name rename rmname "
                   "protect unprotect rm"),
    ("Images", "pull push images search tag history manifest verify save load rmi"),
    ("Registries", "login logout"),
    ("udocker itself", "install mirror doctor system mkrepo showconf version completion help"),
)

#: Command -> (command line, what it is for).
EXAMPLES = {
    "run": (("udocker run -it --rm ubuntu:24.04", "a shell in a new container that goes afterwards"),
            ("udocker run --rm -v $PWD:/w:ro -w /w python:3 python3 job.py", "your files inside"),
            ("udocker run --name=py --pull=reuse python:3", "the same container each time"),
            ("udocker run --dry-run --format=json c", "what would happen, and why")),
    "start": (("udocker start c", "run again, in the background, what ran in c"),),
    "restart": (("udocker restart c", "stop, and start"),),
    "exec": (("udocker exec -it c sh", "a shell beside what runs in c"),),
    "ps": (("udocker ps -m -s", "with execution modes and sizes"),),
    "logs": (("udocker logs c", "what a container in the background has said"),),
    "wait": (("udocker wait c", "until it ends; prints its exit status"),),
    "stop": (("udocker stop c", "end what runs in c"),),
    "kill": (("udocker kill c", "end it at once"),),
    "create": (("C=$(udocker create ubuntu:24.04)", "the id is all that is printed"),
               ("udocker create --name=u ubuntu:24.04", "one with a name, for 'udocker run u'")),
    "clone": (("udocker clone --name=copy c", "try something in a copy"),),
    "import": (("udocker import root.tar mine:1", "an image"),
               ("udocker import --tocontainer --name=c root.tar", "a container"),
               ("udocker import --clone c.tar", "one that export --clone wrote")),
    "export": (("udocker export -o root.tar c", "the root file system"),
               ("udocker export --clone -o c.tar c", "all of it, for another machine")),
    "cp": (("udocker cp c:/etc/passwd .", "out of a container"),
           ("udocker cp data.txt c:/tmp/", "and into one")),
    "diff": (("udocker diff c", "what is not as in the image"),),
    "commit": (("udocker commit c mine:1", "an image of a container"),),
    "inspect": (("udocker inspect ubuntu:24.04", "command, user, environment"),
                ("ls $(udocker inspect -p c)", "look into the root file system")),
    "setup": (("udocker setup c", "tell how it runs"),
              ("udocker setup --execmode=F3 c", "run it without ptrace"),
              ("udocker setup --nvidia c", "with the host's driver inside")),
    "name": (("udocker name 3f2a c", "call the container 3f2a... c"),),
    "rename": (("udocker rename old new", ""),),
    "rmname": (("udocker rmname c", "the container stays, nameless"),),
    "protect": (("udocker protect c", "rm and setup will refuse"),),
    "unprotect": (("udocker unprotect c", ""),),
    "rm": (("udocker rm c 3f2a", "by name, and by the start of an id"),),
    "pull": (("udocker pull ubuntu:24.04", "from Docker Hub"),
             ("udocker pull ghcr.io/owner/name@sha256:...", "exactly that one"),
             ("udocker pull --platform=linux/arm64 alpine", "for another machine")),
    "push": (("udocker push ghcr.io/me/mine:1", "what commit or tag has named"),),
    "images": (("udocker images -l", "with the layers"),),
    "search": (("udocker search samtools", ""),),
    "tag": (("udocker tag ubuntu:24.04 mine:1", ""),),
    "history": (("udocker history --no-trunc ubuntu:24.04", ""),),
    "manifest": (("udocker manifest inspect ubuntu:24.04", "which platforms there are"),),
    "verify": (("udocker verify ubuntu:24.04", ""),),
    "save": (("udocker save -o two.tar ubuntu:24.04 alpine", "for load, docker or podman"),
             ("udocker save ubuntu:24.04 | ssh host udocker load", "without a file")),
    "load": (("udocker load -i two.tar", ""),),
    "rmi": (("udocker rmi ubuntu:24.04", ""),),
    "login": (("udocker login ghcr.io", "asks for user and password"),),
    "logout": (("udocker logout ghcr.io", ""),),
    "install": (("udocker install", "the engines, from wherever they are known to be"),
                ("udocker install --from /media/stick/engines", "without a network")),
    "mirror": (("udocker mirror --arch all /srv/udocker", "for 'install --from', or a web server"),),
    "doctor": (("udocker doctor", ""),),
    "system": (("udocker system df", "how much disk is used"),
               ("udocker system prune", "give back what nothing uses")),
    "mkrepo": (("udocker mkrepo /scratch/me/udocker", "and then: udocker --repo=..., or UDOCKER_DIR"),),
    "showconf": (("udocker showconf", ""),),
    "version": (("udocker version", ""),),
    "completion": (("source <(udocker completion bash)", "now; in ~/.bashrc: always"),
                   ("udocker completion zsh > ~/.zfunc/_udocker", "a directory of fpath"),
                   ("udocker completion fish > ~/.config/fish/completions/udocker.fish", "")),
    "help": (("udocker help run", "as 'udocker run --help'"),
             ("udocker help --man > ~/.local/share/man/man1/udocker.1", "then: man udocker")),
}

#: As docker's and podman's: chroot(1) began with it.
STATUSES = (
    ("125", "udocker itself failed: the line on standard error says why"),
    ("126", "the command cannot be executed"),
    ("127", "the command is not in the container"),
    ("128+N", "the command died from signal N"),
    ("other", "the command's own"),
)
#: Commands whose exit status is that of a command inside.
RUNNERS = ("run", "exec")

#: Variables that everybody should have heard of; the man page has all.
FIRST_VARIABLES = ("UDOCKER_DIR", "UDOCKER_DEFAULT_EXECUTION_MODE", "UDOCKER_LOGLEVEL",
                   "UDOCKER_REGISTRY", "UDOCKER_TMP", "NO_COLOR")

FILES = (
    ("~/.udocker/", "images, containers and engines; UDOCKER_DIR is another place"),
    ("~/.udocker/udocker.conf", "configuration"),
    ("/etc/udocker.conf", "configuration for everybody"),
    ("~/.docker/config.json", "credentials, as docker and podman have them"),
)


def grouped(commands):
    """Return [(title, [Command])] of ``commands`` (sequence of Command), none left out."""
    by_name = {command.name: command for command in commands}
    groups = [(title, [by_name.pop(name) for name in names.split() if name in by_name])
              for title, names in GROUPS]
    groups[-1][1].extend(by_name[name] for name in sorted(by_name))
    return groups


def variables():
    """Return {variable: what it does} of all that this program reads."""
    from udocker.cli import settings
    found = {key.variable: key.help for key in settings.KEYS if key.variable}
    found.update(settings.VARIABLES)
    return found
