"""What is executed in the container: the image's command or the user's, and what loads or emulates it."""

import os
import posixpath

from udocker.errors import CommandNotExecutable, CommandNotFound
from udocker.host.facts import ALSO_RUNS, BINFMT, qemu_name
from udocker.model.reference import quoted

_FALLBACK_SHELL = "/bin/sh"
#: Scripts whose interpreter is a script, and so on: execve(2) stops there too.
MAX_INTERPRETERS = 5


def find_command(spec, config, settings, env, cwd, view, binds, warnings):
    """Return (argv, path of the program in the container)."""
    entrypoint = config.entrypoint if config is not None else ()
    arguments = spec.argv
    if spec.entrypoint is not None:
        entrypoint = spec.entrypoint
    elif not arguments and config is not None:
        arguments = config.cmd
    argv = tuple(entrypoint) + tuple(arguments)
    path = dict(env)["PATH"]
    if not argv:
        argv = settings.cmd
        if _kind_of_command(argv[0], path, cwd, view, binds)[0] is None:
            argv = (_FALLBACK_SHELL,)
        warnings.append("neither you nor the image say what to run: %s" % " ".join(argv))
    kind, found = _kind_of_command(argv[0], path, cwd, view, binds)
    if kind is None:
        raise CommandNotFound("command not found or has no execute bit set: %s" % quoted(argv[0]),
                              "looked in %s" % (path if "/" not in argv[0] else "the container"))
    if kind != "executable":
        raise CommandNotExecutable("cannot execute %s: %s" % (
            quoted(found), "it is a directory" if kind == "directory" else "permission denied"))
    return argv, found


def find_emulator(program, config, binds, view, facts, mode, host_env):
    """Return the path of the emulator that ``program`` needs, "" if it needs none.

    CommandNotExecutable if it is for a processor that is not here, and nothing plays its part.
    """
    there = view.architecture(program, binds)
    if not there and config is not None and config.platform is not None:
        there = config.platform.architecture  # a script: it is for whatever the image is for
    if not there or there in ALSO_RUNS.get(facts.architecture, (facts.architecture,)):
        return ""
    name = qemu_name(there)
    hint = "pull the image with --platform=linux/%s" % facts.architecture
    if mode.startswith("P"):
        for file_name in (name + "-static", name):  # the static one needs nothing of the image
            for directory in host_env.get("PATH", "").split(":"):
                path = posixpath.join(directory, file_name)
                if path.startswith("/") and view.host_kind(path) == "executable":
                    return path
        hint += ", or have %s in PATH (Debian's package qemu-user-static)" % name
    elif view.host_kind(BINFMT + name):
        return ""  # the kernel starts the emulator by itself
    else:
        hint += ", or run it in mode P1 with %s in PATH" % name
    raise CommandNotExecutable("cannot execute %s: it is for %s, and this machine is %s"
                               % (quoted(program), there, facts.architecture), hint)


def loadable(program, argv, view, binds, mode):
    """Return (program, argv) of what a dynamic loader is to load: no script, and nothing static.

    program (str): with links resolved. CommandNotExecutable where there is no such thing.
    """
    for _ in range(MAX_INTERPRETERS):
        real = view.real_path(program, binds)
        start = view.read_start(real, binds)
        if start[:4] == b"\x7fELF":
            if not view.elf(real, binds).interpreter:
                raise CommandNotExecutable(
                    "cannot execute %s: it is statically linked, and mode %s reaches only what is "
                    "dynamically linked" % (quoted(program), mode), "modes P1 and R1 can")
            return real, argv
        if start[:2] != b"#!":
            return view.real_path(_FALLBACK_SHELL, binds), (_FALLBACK_SHELL, program) + argv[1:]
        # execve(2): one word after the interpreter, blanks and all
        words = os.fsdecode(start[2:].split(b"\n", 1)[0].strip()).split(None, 1)
        if not words or view.kind(words[0], binds) != "executable":
            raise CommandNotExecutable("cannot execute %s: there is no interpreter %s"
                                       % (quoted(program), quoted(" ".join(words))))
        argv = tuple(words) + (program,) + argv[1:]
        program = words[0]
    raise CommandNotExecutable("cannot execute %s: too many interpreters" % quoted(program))


def _kind_of_command(name, path, cwd, view, binds):
    """Return (kind, path) of the program ``name``, as execvp(3) would find it."""
    if "/" in name:
        found = posixpath.normpath(posixpath.join(cwd, name))
        return view.kind(found, binds), found
    best = (None, name)
    for directory in path.split(":"):
        found = posixpath.join(cwd, directory, name)
        kind = view.kind(found, binds)
        if kind == "executable":
            return kind, found
        if kind == "file" and best[0] is None:
            best = (kind, found)
    return best
