"""Where a bundle of engines comes from, and the proof that it is the right one.

The digest of every bundle of a release is in the program (``bundles.json``, written by build.py):
whatever a mirror, a directory or a file offers has to match it before a byte is unpacked.
"""

import hashlib
import io
import os
import pkgutil
import sys
from collections import namedtuple

from udocker.errors import CorruptData, DigestMismatch, EngineError, HostError, UdockerError
from udocker.model.jsontext import loads
from udocker.model.reference import quoted

#: Bytes of a bundle: ours have about 3 MB for one architecture.
MAX_BUNDLE = 64 * 1024 * 1024

#: A bundle in memory: data (bytes), sha256 (str), origin (str: where it was found),
#: is_pinned (bool: its digest is the one that this program was released with).
Bundle = namedtuple("Bundle", "data sha256 origin is_pinned")


def file_name(architecture):
    """Return the name (str) of the bundle for an engine architecture (str)."""
    return "udocker-engines-%s.tar.gz" % architecture


def pinned():
    """Return {bundle file name: {"sha256": str, "size": int}} of this release."""
    data = _resource("bundles.json")
    return loads(data) if data else {}


def has_embedded(architecture):
    """Whether this very program carries the bundle for ``architecture``."""
    return bool(pinned().get(file_name(architecture), {}).get("embedded"))


def is_current(installed, architecture):
    """Whether ``installed`` (engine.bundle.Installed) came in the bundle of this release.

    True where this build knows no bundle for ``architecture`` (str).
    """
    entry = pinned().get(file_name(architecture))
    return entry is None or entry["sha256"] == installed.bundle


def obtain(architecture, asked, mirrors, fetch):
    """Return the verified Bundle for ``architecture`` (str).

    asked (str or None): FILE, DIR or URL that the user named, and then the only one to be tried.
    mirrors (sequence of str: files, directories, URLs), fetch (function of URL and the most bytes
    to take, returning bytes). EngineError lists what was tried.
    """
    name = file_name(architecture)
    if asked:
        return _verified(_read(asked, name, fetch), name, asked)
    embedded = _resource("bundles/" + name)
    if embedded:
        return _verified(embedded, name, "this program")
    beside = os.path.join(os.path.dirname(os.path.abspath(sys.argv[0])), name)
    tried = []
    for place in ([beside] if os.path.isfile(beside) else []) + list(mirrors):
        try:
            return _verified(_read(place, name, fetch), name, place)
        except UdockerError as error:
            tried.append("%s: %s" % (place, error.message))
    raise EngineError("no bundle of engines for %s: %s"
                      % (architecture, "; ".join(tried) or "none embedded, no mirror configured"),
                      "'udocker install --from FILE|DIR|URL' takes %s from elsewhere" % name)


def _verified(data, name, origin):
    sha256 = hashlib.sha256(data).hexdigest()
    entry = pinned().get(name)
    if entry and entry["sha256"] != sha256:
        raise DigestMismatch("bundle %s from %s has the SHA256 %s, expected %s"
                             % (name, quoted(origin), sha256, entry["sha256"]),
                             "it is of another release, or was tampered with")
    return Bundle(data, sha256, origin, bool(entry))


def _read(place, name, fetch):
    if "://" in place:
        url = place if place.endswith((".gz", ".tgz")) else place.rstrip("/") + "/" + name
        return fetch(url, MAX_BUNDLE)
    path = os.path.join(place, name) if os.path.isdir(place) else place
    try:
        with open(path, "rb") as file:
            data = file.read(MAX_BUNDLE + 1)
    except OSError as error:
        raise HostError("cannot read %s: %s" % (quoted(path), os.strerror(error.errno)))
    if len(data) > MAX_BUNDLE:
        raise CorruptData("%s is larger than any bundle of engines" % quoted(path))
    return data


def _resource(name):
    try:
        return pkgutil.get_data("udocker.engine", name)
    except (OSError, ValueError):
        return None


def open_bundle(bundle):
    """Return a binary file with the content of ``bundle`` (Bundle)."""
    return io.BytesIO(bundle.data)
