"""What is known of a release's bundles of engines: their names, sizes and digests.

This program has ``bundles.json`` in it (written by build.py) and believes nothing else. A mirror has
``udocker-engines.json``, which only serves to tell people what lies there.

    {"format": 1, "version": "2.0.0", "base_url": "https://host/directory/",
     "bundles": {"x86_64": {"file": "udocker-engines-2.0.0-x86_64.tar.gz", "sha256": "...",
                            "size": 123, "embedded": true}}}
"""

import pkgutil
from collections import namedtuple

from udocker import __version__
from udocker.errors import CorruptData, InvalidValue
from udocker.host.facts import ENGINE_ARCHITECTURES
from udocker.model.jsontext import loads
from udocker.model.oci import ARCHITECTURES
from udocker.model.reference import Digest, quoted

FORMAT = 1
#: Bytes of a bundle, packed: ours have about 20 MB, a tarball of udocker 1.3.x twice that.
MAX_BUNDLE = 256 * 1024 * 1024
#: What all bundles are called first, and what a mirror calls its list of them.
PREFIX, INDEX = "udocker-engines-", "udocker-engines.json"

#: Machine as ``uname -m`` says it, by which bundles are known -> architecture in the names of
#: engines, which are those of udocker 1.3.x.
ENGINE_NAMES = {"x86_64": "x86_64", "i386": "x86", "aarch64": "arm64", "ppc64le": "ppc64le"}
_MACHINES = {name: machine for machine, name in ENGINE_NAMES.items()}

#: One bundle: machine (str), file (str: its name), sha256 (str), size (int), embedded (bool: this
#: program carries it). sha256 is "" where nothing is known of it.
Bundle = namedtuple("Bundle", "machine file sha256 size embedded")


class Release(namedtuple("Release", "version base_url bundles")):
    """version (str), base_url (str: where its bundles are published, or ""), bundles (dict:
    machine -> Bundle)."""

    __slots__ = ()

    def bundle(self, machine):
        """Return the Bundle for ``machine`` (str), known or not."""
        name = "%s%s-%s.tar.gz" % (PREFIX, self.version, machine)
        return self.bundles.get(machine) or Bundle(machine, name, "", 0, False)


def own():
    """Return the Release that this program belongs to; without bundles in a developer's build."""
    data = resource("bundles.json")
    return parse(data) if data else Release(__version__, "", {})


def parse(data):
    """Return the Release that ``data`` (bytes) describes; CorruptData."""
    try:
        document = loads(data)
        if document["format"] != FORMAT:
            raise CorruptData("a list of bundles in a newer format")
        bundles = {}
        for machine, entry in document["bundles"].items():
            name, size = entry["file"], entry["size"]
            if "/" in name or not name.startswith(PREFIX) or not 0 < size <= MAX_BUNDLE:
                raise ValueError("strange bundle")
            bundles[machine] = Bundle(machine, name, Digest.parse("sha256:" + entry["sha256"]).hex,
                                      size, entry.get("embedded") is True)
        version = document["version"] + ""
        return Release(version, document.get("base_url", ""), bundles)
    except (ValueError, KeyError, TypeError, AttributeError, InvalidValue):
        raise CorruptData("a damaged list of bundles")


def resource(name):
    """Return the bytes of ``name`` (str) in this program, or None."""
    try:
        return pkgutil.get_data("udocker.engine", name)
    except (OSError, ValueError):
        return None


def machine_of(engine_architecture):
    """Return the machine (str) of an architecture in the names of engines (str)."""
    return _MACHINES.get(engine_architecture, engine_architecture)


def machines_named(words, release, native):
    """Return the machines (list of str) that ``words`` (of --arch) name; ``native`` without any.

    Each word is a name, ``all``, or several with commas between. docker's and Debian's names of
    processors will do as well.
    """
    names = [name for word in words for name in word.lower().split(",") if name]
    if words and not names:
        raise InvalidValue("--arch names nothing", _known(release))
    found = []
    for name in names or [native]:
        if name == "all":
            if not release.bundles:
                raise InvalidValue("this build of udocker knows no bundles, so all of them are none",
                                   "name an architecture")
            found += sorted(release.bundles)
            continue
        machine = machine_of(ENGINE_ARCHITECTURES.get(ARCHITECTURES.get(name), name))
        if names and machine not in release.bundles and machine not in ENGINE_NAMES:
            raise InvalidValue("there are no engines for the architecture %s" % quoted(name),
                               _known(release))
        found.append(machine)
    return sorted(set(found), key=found.index)


def _known(release):
    return "there are %s, and all" % ", ".join(sorted(release.bundles or ENGINE_NAMES))
