#!/usr/bin/env python3
"""Builds udocker: the engines, and what people get. Standard library only.

    build.py engines [ARCH...]         build bundles of engines into dist/ (this machine's if none)
    build.py pyz [--embed [ARCH...]]   build dist/udocker.pyz, with bundles of dist/ in it
    build.py release [ARCH...]         build dist/release/: programs, bundles, offline archive, man
                                       page, completions for shells, sums
    build.py check [ARCH...]           build the release anew, engines too, and compare every byte

ARCH: x86_64, i386, aarch64, ppc64le; all of them for a release.

A program knows the size and SHA256 of all bundles that lie in dist/ when it is built. The result
depends on the sources, on the pinned libraries and on the Pythons that are found, whose bytecode
goes in; not on the time, the place or the user.
"""

import argparse
import contextlib
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile

TOP = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(TOP, "app", "pyz"))
from pack import CACHE, VERSIONS, BuildError, pack, program_version, pythons, read, say  # noqa: E402,F401

DIST = os.path.join(TOP, "dist")
ENGINES_BUILD = os.path.join(TOP, "engines-build")
ARCHITECTURES = ("x86_64", "i386", "aarch64", "ppc64le")
ALIASES = {"i486": "i386", "i586": "i386", "i686": "i386"}
#: What the programs know of their bundles: see app/udocker/engine/obtain.py.
FORMAT = 1
PROGRAM, FULL_PROGRAM, SUMS = "udocker.pyz", "udocker-full.pyz", "SHA256SUMS"
#: What the program itself writes: file -> its words.
PAGES = {"udocker.1": ("help", "--man"), "udocker.bash": ("completion", "bash"),
         "_udocker": ("completion", "zsh"), "udocker.fish": ("completion", "fish")}
BUNDLES_IN_PROGRAM = "udocker/engine/bundles.json"


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command")
    for name in ("engines", "release", "check"):
        commands.add_parser(name).add_argument("architectures", metavar="ARCH", nargs="*",
                                               type=architecture_named)
    pyz = commands.add_parser("pyz")
    pyz.add_argument("--embed", metavar="ARCH", nargs="*", type=architecture_named, default=None,
                     help="carry the bundles for these; without a name, all that are in dist/")
    pyz.add_argument("--output", metavar="FILE", default=os.path.join(DIST, PROGRAM))
    for name in ("pyz", "release"):
        commands.choices[name].add_argument(
            "--base-url", metavar="URL", default="",
            help="where the program looks for bundles if the user names no other place")
    arguments = parser.parse_args()
    try:
        if arguments.command == "engines":
            for architecture in arguments.architectures or [architecture_named(os.uname().machine)]:
                build_engines(architecture, DIST)
        elif arguments.command == "pyz":
            build_pyz(arguments.output, arguments.embed, arguments.base_url)
        elif arguments.command == "release":
            release(arguments.architectures or ARCHITECTURES, arguments.base_url,
                    os.path.join(DIST, "release"))
        elif arguments.command == "check":
            check(arguments.architectures, os.path.join(DIST, "release"))
        else:
            parser.print_help(sys.stderr)
            return 2
    except BuildError as error:
        sys.stderr.write("build.py: %s\n" % error)
        return 1
    return 0


def architecture_named(name):
    """Return ``name`` (str) as ARCHITECTURES has it."""
    name = ALIASES.get(name, name)
    if name not in ARCHITECTURES:
        raise argparse.ArgumentTypeError("there is no %s: one of %s"
                                         % (name, ", ".join(ARCHITECTURES)))
    return name


# Engines

def build_engines(architecture, directory, cache=None):
    """Build the bundle for ``architecture`` (str) into ``directory``; return its path."""
    os.makedirs(directory, exist_ok=True)
    command = [sys.executable, os.path.join(ENGINES_BUILD, "build.py"), architecture,
               "--output", directory] + (["--cache", cache] if cache else [])
    if subprocess.call(command, stdout=sys.stderr):
        raise BuildError("the engines for %s were not built" % architecture)
    return bundle_path(directory, architecture)


def engines_version():
    return read(os.path.join(ENGINES_BUILD, "VERSION")).strip()


def bundle_path(directory, architecture):
    return os.path.join(directory, "udocker-engines-%s-%s.tar.gz"
                        % (engines_version(), architecture))


def bundles_in(directory):
    """Return {architecture: path} of the bundles of this version that lie in ``directory``."""
    return {architecture: bundle_path(directory, architecture) for architecture in ARCHITECTURES
            if os.path.isfile(bundle_path(directory, architecture))}


def describe(bundles, embedded, base_url):
    """Return the content (dict) of bundles.json: what a program knows of ``bundles`` (dict)."""
    return {"format": FORMAT, "version": engines_version(), "base_url": base_url,
            "bundles": {architecture: {"file": os.path.basename(path), "sha256": sha256_of(path),
                                       "size": os.path.getsize(path),
                                       "embedded": architecture in embedded}
                        for architecture, path in bundles.items()}}


# The one file

def build_pyz(output, embed, base_url):
    """Write the program to ``output``, with the bundles for ``embed`` (list of str, or None)."""
    bundles = bundles_in(DIST)
    if embed == []:
        embed = sorted(bundles)
        if not embed:
            raise BuildError("no bundle in %s: 'build.py engines' makes one" % DIST)
    missing = [architecture for architecture in embed or () if architecture not in bundles]
    if missing:
        raise BuildError("no bundle for %s in %s: 'build.py engines %s' makes it"
                         % (missing[0], DIST, missing[0]))
    pack_with(output, bundles, embed or (), base_url)


def pack_with(output, bundles, embed, base_url):
    pack(output, describe(bundles, embed, base_url), [bundles[name] for name in embed])


# A release

def release(architectures, base_url, output):
    """Build everything that is published into the directory ``output``, which is replaced."""
    for architecture in architectures:
        build_engines(architecture, DIST)
    with made_beside(output) as stage:
        for architecture in architectures:
            shutil.copy(bundle_path(DIST, architecture), stage)
        assemble_release(stage, base_url)
    say("%s: %s" % (output, ", ".join(sorted(os.listdir(output)))))


def assemble_release(directory, base_url):
    """Make, in ``directory``, all that is made from the bundles that lie there."""
    bundles = bundles_in(directory)
    pack_with(os.path.join(directory, PROGRAM), bundles, (), base_url)
    pack_with(os.path.join(directory, FULL_PROGRAM), bundles, sorted(bundles), base_url)
    for name, words in sorted(PAGES.items()):
        write(os.path.join(directory, name), said_by(os.path.join(directory, PROGRAM), words))
    write_offline_archive(directory, [PROGRAM] + [os.path.basename(bundles[name])
                                                  for name in sorted(bundles)])
    write(os.path.join(directory, SUMS), sums(directory, sorted(os.listdir(directory))))


def said_by(program, words):
    """Return what ``program`` (str, path) prints for ``words``, which nothing of this machine changes."""
    environ = {"PATH": os.environ.get("PATH", os.defpath), "HOME": "/nonexistent", "LC_ALL": "C.UTF-8",
               "UDOCKER_PYTHON": sys.executable}
    try:
        return subprocess.check_output([program] + list(words), env=environ,
                                       universal_newlines=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise BuildError("%s does not run: %s" % (program, error))


def write_offline_archive(directory, names):
    """Write what a machine without network installs from: the program, bundles, a script."""
    top = "udocker-offline-" + program_version()
    script = read(os.path.join(TOP, "scripts", "offline-install")).encode("utf-8")
    with tarfile.open(os.path.join(directory, top + ".tar"), "w",
                      format=tarfile.USTAR_FORMAT) as archive:
        def add(name, data, mode=0o644):
            entry = tarfile.TarInfo(top + "/" + name)
            entry.size, entry.mode = len(data), mode  # no owner, no time: the same bytes each time
            archive.addfile(entry, io.BytesIO(data))

        for name in names:
            add(name, read_bytes(os.path.join(directory, name)),
                0o755 if name == PROGRAM else 0o644)
        add("install", script, 0o755)
        add("LICENSE", read_bytes(os.path.join(TOP, "LICENSE")))
        add(SUMS, sums(directory, names).encode("ascii"))


def check(architectures, published):
    """Build the release in ``published`` anew and compare; BuildError if a byte differs.

    The engines for ``architectures`` (all of the release if none) are built from their sources,
    without anything that was built before.
    """
    if not os.path.isfile(os.path.join(published, SUMS)):
        raise BuildError("no release in %s: 'build.py release' makes one" % published)
    with zipfile.ZipFile(os.path.join(published, PROGRAM)) as program:
        base_url = json.loads(program.read(BUNDLES_IN_PROGRAM).decode("utf-8"))["base_url"]
    with tempfile.TemporaryDirectory(prefix="udocker-check-") as work:
        again = os.path.join(work, "again")
        os.mkdir(again)
        os.mkdir(os.path.join(work, "cache"))
        if os.path.isdir(os.path.join(CACHE, "downloads")):  # they are checked by their digests
            os.symlink(os.path.join(CACHE, "downloads"), os.path.join(work, "cache", "downloads"))
        for architecture, path in sorted(bundles_in(published).items()):
            if architecture in (architectures or ARCHITECTURES):
                build_engines(architecture, again, os.path.join(work, "cache"))
            else:
                shutil.copy(path, again)
        assemble_release(again, base_url)
        names = sorted(set(os.listdir(published)) | set(os.listdir(again)))
        differing = [name for name in names if not is_same(name, published, again)]
    if differing:
        raise BuildError("not the same, built again: %s" % ", ".join(differing))
    say("built again, the same byte for byte: %s" % ", ".join(names))


def is_same(name, *directories):
    paths = [os.path.join(directory, name) for directory in directories]
    return all(os.path.isfile(path) for path in paths) and len(set(map(sha256_of, paths))) == 1


# Files

@contextlib.contextmanager
def made_beside(directory):
    """A new directory that takes the place of ``directory`` if the block succeeds."""
    os.makedirs(os.path.dirname(directory), exist_ok=True)
    stage = tempfile.mkdtemp(prefix=".release-", dir=os.path.dirname(directory))
    try:
        os.chmod(stage, 0o755)
        yield stage
        if os.path.isdir(directory):
            shutil.rmtree(directory)
        os.rename(stage, directory)
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def sums(directory, names):
    """Return what sha256sum(1) would print of ``names`` (sequence of str) in ``directory``."""
    return "".join("%s  %s\n" % (sha256_of(os.path.join(directory, name)), name) for name in names)


def sha256_of(path):
    return hashlib.sha256(read_bytes(path)).hexdigest()


def read_bytes(path):
    with open(path, "rb") as file:
        return file.read()


def write(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


if __name__ == "__main__":
    sys.exit(main())
