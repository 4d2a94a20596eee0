#!/usr/bin/env python3
"""Builds an engine bundle: udocker-engines-ARCH.tar.gz.

usage: engines-build/build.py ARCH --output DIR [--cache DIR] [--toolchain apt|host|container]

What it does is told on stderr; the bundle's path is the only thing on stdout. See README.md here.
"""
import argparse
import os
import shutil
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

from builder import BuildError, bundle, container, recipe as recipes, sources, toolchain  # noqa: E402

# What the bundle of each architecture holds.
ENGINES = {"x86_64": ("proot", "crun"), "i386": ("proot", "crun"), "aarch64": ("proot", "crun"), "ppc64le": ("proot", "crun")}


def main(arguments):
    parser = argparse.ArgumentParser(usage=__doc__.split("usage: ")[1].split("\n")[0], description=__doc__.split("\n")[0])
    parser.add_argument("arch", metavar="ARCH", help="x86_64, i386, aarch64 or ppc64le")
    parser.add_argument("--output", metavar="DIR", required=True, help="where the bundle goes")
    parser.add_argument("--cache", metavar="DIR", default=None, help="default: $XDG_CACHE_HOME/udocker-build")
    parser.add_argument("--toolchain", choices=("apt", "host", "container"), default=None,
                        help="apt: install what is missing; host: use what is there; container: build in an image "
                             "(default: the first of these that can work)")
    chosen = parser.parse_args(arguments)
    cache = os.path.abspath(chosen.cache or default_cache())
    started = time.time()
    try:
        target = toolchain.target_named(chosen.arch)
        make_output(chosen.output)
        result = build(target, os.path.abspath(chosen.output), cache, chosen.toolchain)
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


def build(target, output, cache, choice):
    lock = sources.read_lock(os.path.join(HERE, "sources.lock"))
    found = [recipes.load(os.path.join(HERE, name)) for name in needed_names(target)]
    if choice is None:
        choice = choose(target)
    if choice == "container":
        return build_in_container(target, found, lock, output, cache)
    if choice == "apt":
        try:
            tools = toolchain.find(target)
        except BuildError:
            toolchain.install_with_apt(target)
            tools = toolchain.find(target)
    else:
        tools = toolchain.find(target)
    return build_here(target, tools, found, lock, output, cache)


def choose(target):
    """The way to a toolchain when the user named none."""
    try:
        toolchain.find(target)
        return "host"
    except BuildError as error:
        if os.geteuid() == 0 and shutil.which("apt-get"):
            return "apt"
        if container.program():
            return "container"
        raise BuildError("%s; run as root on Debian or Ubuntu, or install docker, podman or buildah" % error)


def needed_names(target):
    """The recipes for a target, each after those that it needs."""
    names = []

    def add(name):
        for need in recipes.load(os.path.join(HERE, name)).needs:
            add(need)
        if name not in names:
            names.append(name)

    for name in ENGINES[target.arch]:
        add(name)
    return names


def bundle_name(target):
    return "udocker-engines-%s.tar.gz" % target.name


def build_in_container(target, found, lock, output, cache):
    top = os.path.dirname(HERE)
    result = os.path.join(output, bundle_name(target))
    # starting a container takes longer than looking up what the last one made
    tools = toolchain.Tools(target, False, {}, "container " + container.fingerprint(top))
    keys = {}
    for recipe in found:
        keys[recipe.name] = recipes.key(recipe, lock, tools, keys)
    inputs = bundle.inputs_key([bundle.Engine(recipe, keys[recipe.name]) for recipe in found], read_version(), target)
    kept = os.path.join(cache, "bundles", "%s-%s" % (inputs[:40], bundle_name(target)))
    if not os.path.exists(kept):
        for recipe in found:  # here, where the network is; the container needs none
            for name in sorted(recipe.sources):
                sources.fetch(lock[name], cache)
        container.build(top, target, output, cache)
        os.makedirs(os.path.dirname(kept), exist_ok=True)
        publish(kept, lambda path: shutil.copyfile(result, path))
    publish(result, lambda path: shutil.copyfile(kept, path))
    return result


def read_version():
    with open(os.path.join(HERE, "VERSION"), encoding="utf-8") as text:
        return text.read().strip()


def build_here(target, tools, found, lock, output, cache):
    built = {}
    for recipe in found:
        built[recipe.name] = recipes.build(recipe, lock, tools, {name: built[name] for name in recipe.needs}, cache)
    engines = [bundle.Engine(recipe, built[recipe.name]) for recipe in found]
    version = read_version()
    inputs = bundle.inputs_key(engines, version, target)
    kept = os.path.join(cache, "bundles", "%s-%s" % (inputs[:40], bundle_name(target)))
    result = os.path.join(output, bundle_name(target))
    if not os.path.exists(kept):
        os.makedirs(os.path.dirname(kept), exist_ok=True)
        publish(kept, lambda path: bundle.write(path, engines, version, target, lock))
    publish(result, lambda path: shutil.copyfile(kept, path))
    return result


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
