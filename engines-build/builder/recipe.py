"""A recipe: one engine's folder, the key of everything that goes into it, and its build."""
import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from typing import Any, Dict, List, NamedTuple, Sequence

from builder import BuildError, elf, sources, unpack
from builder.toolchain import TARGETS, Target, Tools, target_named

# What every build.sh finds in its environment besides the paths; it is part of every key.
# The date is a constant: nothing that we build may depend on the day it was built.
BUILD_ENVIRONMENT = {"LC_ALL": "C", "TZ": "UTC", "SOURCE_DATE_EPOCH": "1704067200"}


class Recipe(NamedTuple):
    """What recipe.json says; see engines-build/README.md."""
    folder: str
    name: str
    source: str                 # its version is the engine's
    sources: Dict[str, Any]     # name in sources.lock -> {"only": [...]} or {}
    needs: List[str]            # other recipes
    installs: Dict[str, Any]    # name in the bundle -> {"file": below OUT, "licence": SPDX expression, ...}
    licences: Dict[str, str]    # file name in the bundle's doc -> file among the sources, or ./file in the folder
    tools: Sequence[str] = ()   # names in toolchain.EXTRAS
    arches: Sequence[str] = tuple(TARGETS)  # the targets that it can be built for
    is_tool: bool = False       # it runs on the machine that builds, and is the same for every target


class Install(NamedTuple):
    """A file that a recipe puts into the bundle of a target."""
    name: str
    path: str
    licence: str
    is_program: bool


def load(folder: str, machine: str = platform.machine()) -> Recipe:
    """machine: the one that builds, which stands for {machine} in the names of sources."""
    with open(os.path.join(folder, "recipe.json"), encoding="utf-8") as text:
        said = json.load(text)
    said["source"] = said["source"].format(machine=machine)
    said["sources"] = {name.format(machine=machine): what for name, what in said["sources"].items()}
    return Recipe(folder=folder, name=os.path.basename(folder), **said)


def installs(recipe: Recipe, target: Target, built: str) -> List[Install]:
    """The files for the bundle of `target`, from `built`, each checked. Raises BuildError if one is not as it has to be."""
    found = []
    for name, what in recipe.installs.items():
        if target.arch not in what.get("arches", TARGETS):
            continue
        path = os.path.join(built, what["file"])
        machine = target_named(what.get("runs_on", target.arch)).elf
        kind = what.get("kind", "program")
        if kind == "program":
            elf.check_static(path, machine)
        elif kind == "shared":
            elf.check_shared(path, machine, what.get("needs", ()), (what.get("glibc") or {}).get(target.arch))
        else:
            raise BuildError("%s: %s is of an unknown kind: %s" % (recipe.name, name, kind))
        found.append(Install(name.format(arch=target.name), path, what["licence"], kind == "program"))
    return found


class Patch(NamedTuple):
    """A patch of one of the recipe's sources; `name` is the one it has in the bundle's doc."""
    source: str
    path: str
    name: str


def patches(recipe: Recipe) -> List[Patch]:
    """The recipe's patches in the order in which they are applied: patches/ is for `source`, patches/NAME/ for NAME."""
    found = []
    top = os.path.join(recipe.folder, "patches")
    for source, folder in [(recipe.source, top)] + [(name, os.path.join(top, name)) for name in sorted(recipe.sources)]:
        for file in sorted(os.listdir(folder)) if os.path.isdir(folder) else []:
            if file.endswith(".patch"):
                about = recipe.name if folder == top else "%s-%s" % (recipe.name, source)
                found.append(Patch(source, os.path.join(folder, file), "%s-%s" % (about, file)))
    return found


def key(recipe: Recipe, lock: Dict[str, sources.Source], tools: Tools, needed: Dict[str, str]) -> str:
    """SHA256 of everything that goes into the engine: its folder, its sources, the toolchain, what it needs."""
    parts = [("target", _where(recipe, tools))]
    if not recipe.is_tool:
        parts.append(("toolchain", tools.fingerprint))
    parts += sorted(BUILD_ENVIRONMENT.items())
    parts += [("tool " + name, tools.extras[name].fingerprint) for name in sorted(recipe.tools) if name in tools.extras]
    parts += [("needs " + name, needed[name]) for name in sorted(recipe.needs)]
    parts += [("source " + name, sources.pinned(lock, name).sha256) for name in sorted(recipe.sources)]
    for folder, folders, names in os.walk(recipe.folder):
        folders.sort()
        for name in sorted(names):
            if name.endswith(".md"):
                continue
            path = os.path.join(folder, name)
            with open(path, "rb") as content:
                digest = hashlib.sha256(content.read()).hexdigest()
            parts.append((os.path.relpath(path, recipe.folder), digest))
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _where(recipe: Recipe, tools: Tools) -> str:
    return "build-" + platform.machine() if recipe.is_tool else tools.target.arch


def build(recipe: Recipe, lock: Dict[str, sources.Source], tools: Tools, needed: Dict[str, str], cache: str) -> str:
    """The directory of the built engine in the cache. `needed`: recipe name -> such a directory.

    The directory is complete once it has its name: it is built beside and renamed.
    """
    identity = key(recipe, lock, tools, {name: os.path.basename(path) for name, path in needed.items()})
    version = lock[recipe.source].version
    where = _where(recipe, tools)
    shown = "%s %s for %s" % (recipe.name, version, where)
    built = os.path.join(cache, "engines", "%s-%s-%s" % (recipe.name, where, identity[:40]))
    if os.path.isdir(built):
        sys.stderr.write("%s: cached\n" % shown)
        return built
    archives = {name: sources.fetch(lock[name], cache) for name in sorted(recipe.sources)}
    for folder in ("engines", "tmp", "logs"):
        os.makedirs(os.path.join(cache, folder), exist_ok=True)
    log = os.path.join(cache, "logs", "%s-%s.log" % (recipe.name, where))
    work = tempfile.mkdtemp(prefix=recipe.name + "-", dir=os.path.join(cache, "tmp"))
    sys.stderr.write("%s: building (log: %s)\n" % (shown, log))
    started, before = time.time(), os.times()
    try:
        for name, archive in archives.items():
            unpack.unpack(archive, os.path.join(work, "src", name), recipe.sources[name].get("only", ()))
        os.makedirs(os.path.join(work, "build"))
        out = os.path.join(work, "out")
        os.makedirs(out)
        with open(log, "w", encoding="utf-8") as record:
            for patch in patches(recipe):
                with open(patch.path, "rb") as text:
                    _run(["patch", "-p1", "--forward", "--fuzz=0", "-d", os.path.join(work, "src", patch.source)],
                         record, "%s: %s does not apply" % (shown, patch.name), stdin=text)
            environment = _environment(recipe, version, tools, needed, work)
            _run(["sh", os.path.join(recipe.folder, "build.sh")], record, "%s: the build failed" % shown,
                 env=environment, cwd=os.path.join(work, "build"))
            smoke = os.path.join(recipe.folder, "smoke.sh")
            if os.path.exists(smoke) and tools.runs_here():
                _run(["sh", smoke], record, "%s: the smoke test failed" % shown,
                     env=environment, cwd=os.path.join(work, "build"))
        _keep_licences(recipe, work, os.path.join(out, "licences"))
        try:
            os.rename(out, built)
        except OSError:
            if not os.path.isdir(built):  # another build of the same was quicker: as good as ours
                raise
    finally:
        shutil.rmtree(work, ignore_errors=True)
    seconds, after = time.time() - started, os.times()
    sys.stderr.write("%s: built in %.0f s\n" % (shown, seconds))
    used = after.children_user + after.children_system - before.children_user - before.children_system
    with open(_times_path(cache, recipe, where), "w", encoding="utf-8") as text:
        json.dump({"engine": recipe.name, "version": version, "arch": where, "seconds": round(seconds, 1), "cpu_seconds": round(used, 1)}, text)
    return built


def _times_path(cache: str, recipe: Recipe, where: str) -> str:
    return os.path.join(cache, "logs", "%s-%s.json" % (recipe.name, where))


def times(recipe: Recipe, target: Target, tools: Tools, built: str, cache: str) -> Dict[str, Any]:
    """What the last build of the engine took and made, for a table; without seconds if the cache does not know."""
    where = _where(recipe, tools)
    try:
        with open(_times_path(cache, recipe, where), encoding="utf-8") as text:
            found = json.load(text)
    except OSError:
        found = {"engine": recipe.name, "arch": where}
    found["bytes"] = sum(os.path.getsize(install.path) for install in installs(recipe, target, built))
    return found


def _environment(recipe: Recipe, version: str, tools: Tools, needed: Dict[str, str], work: str) -> Dict[str, str]:
    """What a build.sh is given, and nothing that the user's environment could change in it."""
    environment = {"PATH": os.environ.get("PATH", os.defpath), "HOME": work, "TMPDIR": work}
    environment.update(BUILD_ENVIRONMENT)
    environment.update(tools.programs)
    environment.update({tools.extras[name].variable: tools.extras[name].program for name in recipe.tools if name in tools.extras})
    environment.update({
        "ARCH": tools.target.arch, "TRIPLET": tools.target.triplet, "VERSION": version,
        "ENGINE_DIR": recipe.folder, "SRC": os.path.join(work, "src"), "OUT": os.path.join(work, "out"),
        "JOBS": str(os.cpu_count() or 1),
        # No path of the build may get into a binary, or two builds would differ.
        "CFLAGS": "-ffile-prefix-map=%s=." % work,
    })
    environment.update({"DEP_" + name.upper(): path for name, path in needed.items()})
    return environment


def _keep_licences(recipe: Recipe, work: str, directory: str) -> None:
    os.makedirs(directory)
    for name, origin in recipe.licences.items():
        root = recipe.folder if origin.startswith("./") else os.path.join(work, "src")
        shutil.copyfile(os.path.join(root, origin), os.path.join(directory, name))


def _run(command: List[str], log: Any, failure: str, **options: Any) -> None:
    options.setdefault("stdin", subprocess.DEVNULL)
    done = subprocess.run(command, stdout=log, stderr=subprocess.STDOUT, check=False, **options)
    if done.returncode:
        raise BuildError("%s (exit status %d), see %s" % (failure, done.returncode, log.name))
