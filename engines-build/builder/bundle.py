"""The bundle: built engines, their licences and their manifest in one archive, the same bytes every time."""
import gzip
import hashlib
import io
import json
import os
import tarfile
from typing import Any, Dict, List, NamedTuple, Optional

from builder import recipe as recipes, sources
from builder.toolchain import Target

FORMAT = 1
TOP = "udocker_dir"


class Engine(NamedTuple):
    """A recipe and the directory in which its result lies."""
    recipe: recipes.Recipe
    built: str


class Member(NamedTuple):
    """A file of the bundle, and what the manifest says of it besides size and digest."""
    content: bytes
    mode: int
    about: Dict[str, str]


def file_name(version: str, target: Target) -> str:
    return "udocker-engines-%s-%s.tar.gz" % (version, target.arch)


def inputs_key(engines: List[Engine], version: str, target: Target) -> str:
    """SHA256 that names the bundle: the keys of the engines in it, its version, and this code."""
    with open(__file__, "rb") as code:
        parts = [FORMAT, version, target.arch, hashlib.sha256(code.read()).hexdigest()]
    parts += sorted(os.path.basename(engine.built) for engine in engines)
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def write(path: str, engines: List[Engine], version: str, target: Target, lock: Dict[str, sources.Source]) -> None:
    """Writes the archive at `path`. Raises BuildError if a program in it is not what it has to be."""
    origins = {engine.recipe.name: _origin(engine, lock) for engine in engines}
    members = _members(engines, version, target, origins)
    manifest = {
        "format": FORMAT, "version": version, "arch": target.name, "inputs": inputs_key(engines, version, target),
        "engines": origins,
        "files": {name: dict(member.about, sha256=hashlib.sha256(member.content).hexdigest(), size=len(member.content))
                  for name, member in members.items()},
    }
    text = json.dumps(manifest, indent=1, sort_keys=True) + "\n"
    members["lib/engines-%s.json" % target.name] = Member(text.encode(), 0o644, {})
    with open(path, "wb") as out:
        with gzip.GzipFile(filename="", mode="wb", compresslevel=9, fileobj=out, mtime=0) as packed:
            with tarfile.open(mode="w", fileobj=packed, format=tarfile.USTAR_FORMAT) as archive:
                for folder in ("", "/bin", "/doc", "/lib"):
                    archive.addfile(_entry(TOP + folder, 0o755, None))
                for name in sorted(members):
                    member = members[name]
                    archive.addfile(_entry(TOP + "/" + name, member.mode, member.content), io.BytesIO(member.content))


def _entry(name: str, mode: int, content: Optional[bytes]) -> tarfile.TarInfo:
    """A header that says nothing about who built it, where, or when."""
    entry = tarfile.TarInfo(name)
    entry.mode = mode
    entry.mtime = int(recipes.BUILD_ENVIRONMENT["SOURCE_DATE_EPOCH"])
    if content is None:
        entry.type = tarfile.DIRTYPE
    else:
        entry.size = len(content)
    return entry


def _origin(engine: Engine, lock: Dict[str, sources.Source]) -> Dict[str, Any]:
    """What an engine was made of, for the manifest."""
    recipe = engine.recipe
    return {
        "version": lock[recipe.source].version,
        "needs": sorted(recipe.needs),
        "sources": [{"name": name, "version": lock[name].version, "licence": lock[name].licence, "suite": lock[name].suite,
                     "path": lock[name].path, "sha256": lock[name].sha256} for name in sorted(recipe.sources)],
        "patches": [{"file": "doc/" + patch.name, "of": patch.source, "sha256": hashlib.sha256(_read(patch.path)).hexdigest()}
                    for patch in recipes.patches(recipe)],
    }


def _members(engines: List[Engine], version: str, target: Target, origins: Dict[str, Any]) -> Dict[str, Member]:
    members = {"lib/VERSION": Member((version + "\n").encode(), 0o644, {})}
    for engine in engines:
        recipe = engine.recipe
        about = {"engine": recipe.name, "version": origins[recipe.name]["version"]}
        for install in recipes.installs(recipe, target, engine.built):
            members[install.name] = Member(_read(install.path), 0o755 if install.is_program else 0o644,
                                           dict(about, licence=install.licence))
        for name in recipe.licences:
            members["doc/" + name] = Member(_read(os.path.join(engine.built, "licences", name)), 0o644, about)
        for patch in recipes.patches(recipe):
            members["doc/" + patch.name] = Member(_read(patch.path), 0o644, about)
    members["doc/SOURCES-%s.txt" % target.name] = Member(_sources_text(origins, version, target).encode(), 0o644, {})
    return members


def _read(path: str) -> bytes:
    with open(path, "rb") as content:
        return content.read()


def _sources_text(origins: Dict[str, Any], version: str, target: Target) -> str:
    """What the licences ask for: from which sources, with which patches, and where to get both."""
    lines = [
        "Sources of the engines in the udocker engine bundle %s for %s" % (version, target.arch),
        "",
        "The programs were built from the files below, which are part of Debian's packages: any Debian",
        "mirror has them under the path given, for as long as the suite named has that version, and",
        "Debian's snapshot archive for good. Check the SHA256. Our patches lie beside this file as",
        "NAME-NNNN-*.patch; the build scripts are in engines-build/ of udocker's source. A program linked",
        "with glibc has the one of the Debian release that it was built on (source package glibc,",
        "LGPL-2.1-or-later, text in libcrun-COPYING.txt).",
        "",
    ]
    for name, origin in origins.items():
        lines += ["%s %s" % (name, origin["version"])]
        for source in origin["sources"]:
            lines += ["  %s: %s (%s)" % (source["name"], source["version"], source["licence"]),
                      "    %s (%s)" % (source["path"], source["suite"]), "    SHA256 %s" % source["sha256"]]
        lines += ["  patched with %s" % os.path.basename(patch["file"]) for patch in origin["patches"]]
        lines += [""]
    return "\n".join(lines)
