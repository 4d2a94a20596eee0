"""Plays apptainer(1): takes the options of its manual that it is given, and runs a program in a sandbox.

usage: python3 apptainer.py PROOT RECORD [what apptainer is told]

RECORD is a file that gets argv and environment, as JSON. The program runs in the directory by PRoot,
which stands for all of Apptainer's namespaces. An option that Apptainer 1.4 does not have ends it with
255, as Apptainer's own parser does. What this cannot show: whether a real one does what it is asked.
"""

import json
import os
import sys

#: Options of "apptainer exec" (apptainer-exec(1), 1.4), and whether a value follows.
OPTIONS = {"--writable": False, "--cleanenv": False, "--contain": False, "--no-mount": True,
           "--ipc": False, "--pid": False, "--pwd": True, "--home": True, "--no-home": False,
           "--fakeroot": False, "--hostname": True, "--bind": True}
PREFIX = "APPTAINERENV_"


def main(proot, record, *words):
    with open(record, "w") as file:
        json.dump({"argv": words, "env": dict(os.environ)}, file)
    words = list(words)
    given = {}
    if words[0] in ("--silent", "--quiet"):
        words.pop(0)
    if words.pop(0) != "exec":
        return refuse("unknown command")
    while words[0].startswith("-"):
        option = words.pop(0)
        if option not in OPTIONS:
            return refuse("unknown flag: " + option)
        given.setdefault(option, []).append(words.pop(0) if OPTIONS[option] else "")
    root, program = words[0], words[1:]
    if not os.path.isdir(root) or "--cleanenv" not in given:
        return refuse("no sandbox, or an environment that is not clean")
    argv = [proot, "--kill-on-exit", "-r", root, "-w", given.get("--pwd", ["/"])[0]]
    for path in ("/dev", "/proc", "/sys"):
        argv += ["-b", path]
    for bind in given.get("--home", []) + given.get("--bind", []):
        source, target = bind.split(":")[:2]
        argv += ["-b", "%s:%s" % (source, target)]
    argv += ["-0"] if "--fakeroot" in given else ["-i", "%d:%d" % (os.getuid(), os.getgid())]
    environ = {key[len(PREFIX):]: value for key, value in os.environ.items()
               if key.startswith(PREFIX)}
    environ["PROOT_TMP_DIR"] = os.environ.get("TMPDIR", "/tmp")
    os.execve(proot, argv + program, environ)


def refuse(message):
    sys.stderr.write("FATAL:   %s\n" % message)
    return 255


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
