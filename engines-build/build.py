#!/usr/bin/env python3
"""Builds an engine bundle: udocker-engines-VERSION-ARCH.tar.gz.

usage: engines-build/build.py ARCH --output DIR [--cache DIR] [--toolchain apt|host|container] [--times FILE]
       engines-build/build.py ARCH --packages

What it does is told on stderr; the bundle's path is the only thing on stdout. See README.md here.
"""
import argparse
import json
import os
import shutil
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

from builder import BuildError, bundle, container, recipe as recipes, sources, toolchain  # noqa: E402

# What is in a bundle; a recipe says for which architectures it is.
ENGINES = ("proot", "fakechroot", "crun", "runc", "patchelf", "zstd", "igzip")


def main(arguments):
    parser = argparse.ArgumentParser(usage=__doc__.split("usage: ")[1].split("\n\n")[0], description=__doc__.split("\n")[0])
    parser.add_argument("arch", metavar="ARCH", help="x86_64, i386, aarch64 or ppc64le")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--output", metavar="DIR", help="where the bundle goes")
    what.add_argument("--packages", action="store_true", help="only print the Debian packages that building takes")
    parser.add_argument("--cache", metavar="DIR", default=None, help="default: $XDG_CACHE_HOME/udocker-build")
    parser.add_argument("--toolchain", choices=("apt", "host", "container"), default=None,
                        help="apt: install what is missing; host: use what is there; container: build in an image "
                             "(default: the first of these that can work)")
    parser.add_argument("--times", metavar="FILE", default=None,
                        help="add to FILE what each engine took to build, and how large it is (JSON; not with container)")
    chosen = parser.parse_args(arguments)
    cache = os.path.abspath(chosen.cache or default_cache())
    started = time.time()
    try:
        target = toolchain.target_named(chosen.arch)
        if chosen.packages:
            print(" ".join(toolchain.packages_for(target, tools_of(recipes_for(target)))))
            return 0
        make_output(chosen.output)
        result = build(target, os.path.abspath(chosen.output), cache, chosen.toolchain, chosen.times)
    except (BuildError, OSError) as error:
        sys.stderr.write("build.py: error: %s\n" % " ".join(str(error).split()))
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("build.py: interrupted\n")
        return 130
    sys.stderr.write("done in %.1f s\n" % (time.time() - started))
    print(result)
    return 0


def default_cache():
    return os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "udocker-build")


def make_output(directory):
    """Fails now rather than after minutes of building."""
    os.makedirs(directory, exist_ok=True)
    with tempfile.TemporaryFile(dir=directory):
        pass


def build(target, output, cache, choice, times=None):
    lock = sources.read_lock(os.path.join(HERE, "sources.lock"))
    found = recipes_for(target)
    extras = tools_of(found)
    if choice is None:
        choice = choose(target, extras)
    if choice == "container":
        if times:
            raise BuildError("--times needs the toolchain on this machine (--toolchain host or apt)")
        return build_in_container(target, found, lock, output, cache)
    if choice == "apt":
        try:
            tools = toolchain.find(target, extras)
        except BuildError:
            toolchain.install_with_apt(target, extras)
            tools = toolchain.find(target, extras)
    else:
        tools = toolchain.find(target, extras)
    return build_here(target, tools, found, lock, output, cache, times)


def choose(target, extras):
    """The way to a toolchain when the user named none."""
    try:
        toolchain.find(target, extras)
        return "host"
    except BuildError as error:
        if os.geteuid() == 0 and shutil.which("apt-get"):
            return "apt"
        if container.program():
            return "container"
        raise BuildError("%s; run as root on Debian or Ubuntu, or install docker, podman or buildah" % error)


def recipes_for(target):
    """The recipes for a target, each after those that it needs."""
    found = []

    def add(recipe):
        for need in recipe.needs:
            add(recipes.load(os.path.join(HERE, need)))
        if recipe not in found:
            found.append(recipe)

    for name in ENGINES:
        recipe = recipes.load(os.path.join(HERE, name))
        if target.arch in recipe.arches:
            add(recipe)
    return found


def tools_of(found):
    """What the recipes ask of the toolchain beyond what all get."""
    return {name for recipe in found for name in recipe.tools}


def build_in_container(target, found, lock, output, cache):
    top = os.path.dirname(HERE)
    version = read_version()
    name = bundle.file_name(version, target)
    result = os.path.join(output, name)
    packages = toolchain.packages_for(target, tools_of(found))
    # starting a container takes longer than looking up what the last one made
    tools = toolchain.Tools(target, False, {}, "container " + container.fingerprint(top, packages), {})
    keys = {}
    for recipe in found:
        keys[recipe.name] = recipes.key(recipe, lock, tools, keys)
    inputs = bundle.inputs_key([bundle.Engine(recipe, keys[recipe.name]) for recipe in found], version, target)
    kept = os.path.join(cache, "bundles", "%s-%s" % (inputs[:40], name))
    if not os.path.exists(kept):
        for recipe in found:  # here, where the network is; the container needs none
            for source in sorted(recipe.sources):
                sources.fetch(sources.pinned(lock, source), cache)
        container.build(top, target, packages, output, cache)
        os.makedirs(os.path.dirname(kept), exist_ok=True)
        publish(kept, lambda path: shutil.copyfile(result, path))
    publish(result, lambda path: shutil.copyfile(kept, path))
    return result


def read_version():
    with open(os.path.join(HERE, "VERSION"), encoding="utf-8") as text:
        return text.read().strip()


def build_here(target, tools, found, lock, output, cache, times):
    built = {}
    for recipe in found:
        built[recipe.name] = recipes.build(recipe, lock, tools, {name: built[name] for name in recipe.needs}, cache)
    engines = [bundle.Engine(recipe, built[recipe.name]) for recipe in found]
    version = read_version()
    inputs = bundle.inputs_key(engines, version, target)
    name = bundle.file_name(version, target)
    kept = os.path.join(cache, "bundles", "%s-%s" % (inputs[:40], name))
    result = os.path.join(output, name)
    if not os.path.exists(kept):
        os.makedirs(os.path.dirname(kept), exist_ok=True)
        publish(kept, lambda path: bundle.write(path, engines, version, target, lock))
    publish(result, lambda path: shutil.copyfile(kept, path))
    if times:
        add_times(times, [recipes.times(engine.recipe, target, tools, engine.built, cache) for engine in engines])
    return result


def add_times(path, records):
    """Puts the records into the JSON file at `path`, in place of those of the same engines and architectures."""
    known = {}
    if os.path.exists(path):
        with open(path, encoding="utf-8") as text:
            known = {(record["arch"], record["engine"]): record for record in json.load(text)}
    known.update({(record["arch"], record["engine"]): record for record in records})
    with open(path, "w", encoding="utf-8") as text:
        json.dump([known[name] for name in sorted(known)], text, indent=1, sort_keys=True)
        text.write("\n")


def publish(path, write):
    """Writes beside and renames: whoever finds the file finds all of it."""
    handle, partial = tempfile.mkstemp(prefix=".part-", dir=os.path.dirname(path))
    os.close(handle)
    try:
        write(partial)
        os.chmod(partial, 0o644)
        os.rename(partial, path)
    finally:
        if os.path.exists(partial):
            os.unlink(partial)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
