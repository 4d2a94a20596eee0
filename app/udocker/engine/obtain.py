"""Where a bundle of engines comes from, and the proof that it is the right one.

Wherever it is found, it is first brought into a private file, hashed on its way, and compared with
what this program knows of it (engine/release.py). Nothing else is ever unpacked.
"""

import hashlib
import os
import sys
from collections import namedtuple

from udocker.engine import unpack
from udocker.engine.fetch import open_private, write_all
from udocker.engine.release import INDEX, MAX_BUNDLE, PREFIX, parse, resource
from udocker.errors import (CorruptData, DigestMismatch, EngineError, HostError, InvalidValue,
                            NotFound, RegistryError, UdockerError)
from udocker.host import tree
from udocker.model.oci import MAX_DOCUMENT
from udocker.model.reference import quoted
from udocker.store.debris import PARTIAL

#: The place (str) that stands for the bundle in this very program.
EMBEDDED = "embedded:"
#: What a place can do wrong, so that the next one is tried.
_FAILURES = (RegistryError, CorruptData, NotFound, InvalidValue)
_CHUNK = 1 << 20

#: A bundle in a file of ours: path (str), sha256 (str), origin (str: where it was found),
#: is_verified (bool: its digest is the one that this program was released with).
Obtained = namedtuple("Obtained", "path sha256 origin is_verified")


def at_hand(bundle):
    """Return the places (list of str) that have ``bundle`` (Bundle) and cost no network."""
    if not bundle.sha256:
        return []  # what lies beside the program could be anybody's
    program = os.path.abspath(sys.argv[0])
    beside = [os.path.join(os.path.dirname(path), bundle.file)
              for path in sorted({program, os.path.realpath(program)})]
    return [EMBEDDED] * bundle.embedded + [path for path in beside if os.path.isfile(path)]


def places(bundle, release, mirrors):
    """Return where to look for ``bundle`` (Bundle), in order: files, directories, URLs (str)."""
    return at_hand(bundle) + list(mirrors) + [release.base_url] * bool(release.base_url)


class Collector(object):
    """Brings the bundles of a release into a directory."""

    def __init__(self, release, fetcher, output):
        """release (Release), fetcher (engine.fetch.Fetcher), output (cli.output.Output)."""
        self._release = release
        self._fetcher = fetcher
        self._output = output

    def obtain(self, bundle, where, directory):
        """Return the Obtained of ``bundle`` (Bundle), in a file in ``directory`` (str).

        where (list of str): places, tried in turn. EngineError says what is wrong with each. The
        caller moves the file or removes it. What came of a broken download is left, under a name
        that only its digest makes, for the next try.
        """
        path = os.path.join(directory, "%s%s.part"
                            % (PARTIAL, bundle.sha256 or os.urandom(8).hex()))
        failures = []
        for place in where:
            try:
                obtained = self._obtain(bundle, place, path)
            except _FAILURES as error:
                failures.append((place, error))
            else:
                for failed, error in failures:
                    self._output.warning("%s: %s" % (_shown(failed), error.message))
                return obtained
        raise EngineError("no engines for %s: %s" % (bundle.machine, "; ".join(
            "%s: %s" % (_shown(place), error.message) for place, error in failures)
            or "this program carries none and knows no mirror"), _advice(bundle, failures))

    def _obtain(self, bundle, place, path):
        is_url = _is_url(place)
        name = place.partition("?")[0].rpartition("/")[2]
        names_file = not is_url or name.endswith((".gz", ".tgz"))
        try:
            if is_url and bundle.sha256 and not (names_file and _is_foreign(name)):
                self._fetch(place if names_file else _below(place, bundle.file), bundle, path)
                return Obtained(path, bundle.sha256, place, True)
            if place == EMBEDDED:
                sha256, size = _write(path, [resource("bundles/" + bundle.file) or b""])
            elif is_url:
                self._fetcher.file(place if names_file else _below(place, bundle.file), path,
                                   MAX_BUNDLE)
                sha256, size = unpack.sha256_of(path), os.path.getsize(path)
            else:
                source = place[len("file://"):] if place.startswith("file://") else place
                sha256, size = self._copy(source, bundle, path)
            is_verified = self._judge(bundle, place, path, sha256, size)
            return Obtained(path, sha256, _shown(place), is_verified)
        except (CorruptData, HostError, NotFound):
            _remove(path)
            raise
        except BaseException:
            # without a digest nothing tells whether it is the beginning of anything
            if not (is_url and bundle.sha256) or _is_empty(path):
                _remove(path)
            raise

    def _fetch(self, url, bundle, path):
        try:
            self._fetcher.bundle(url, bundle, path)
        except NotFound:
            index = _below(url.rpartition("/")[0], INDEX)
            try:
                there = parse(self._fetcher.document(index, MAX_DOCUMENT)).version
            except UdockerError:
                there = self._release.version
            raise self._absent(bundle, there)

    def _copy(self, source, bundle, path):
        if os.path.isdir(source):
            directory, source = source, os.path.join(source, bundle.file)
            if not os.path.exists(source):
                raise self._absent(bundle, _version_in(directory) or self._release.version)
        return _write(path, _pieces(source))

    def _absent(self, bundle, version):
        if version != self._release.version:
            return NotFound("it has the engines %s, this udocker wants %s"
                            % (quoted(version), self._release.version))
        return NotFound("it has no %s" % bundle.file)

    def _judge(self, bundle, place, path, sha256, size):
        """Whether ``path`` is the bundle; DigestMismatch if it should be. Not so what nothing is
        known of: any bundle in a developer's build, the tarballs of udocker 1.3.x in each."""
        if sha256 == bundle.sha256:
            return True
        if not bundle.sha256 or _is_foreign(os.path.basename(place)) and unpack.is_old(path):
            return False
        for other in self._release.bundles.values():
            if other.sha256 == sha256:
                raise DigestMismatch("it is the bundle for %s" % other.machine)
        raise DigestMismatch("it has the SHA256 %s (%d bytes), expected %s (%d bytes)"
                             % (sha256, size, bundle.sha256, bundle.size),
                             "it is of another release, or was tampered with")


def _write(path, pieces):
    """Make the file ``path`` of ``pieces`` (of bytes); return (SHA256, size)."""
    checksum, size = hashlib.sha256(), 0
    with open_private(path) as target, tree.naming(path):
        target.truncate()
        for data in pieces:
            size += len(data)
            if size > MAX_BUNDLE:
                raise CorruptData("it is larger than any bundle of engines")
            checksum.update(data)
            write_all(target, data)
    return checksum.hexdigest(), size


def _pieces(path):
    """Yield the bytes of the file ``path`` (str); NotFound if it cannot be read."""
    try:
        with open(path, "rb") as file:
            for data in iter(lambda: file.read(_CHUNK), b""):
                yield data
    except OSError as error:
        raise NotFound("cannot read it: " + os.strerror(error.errno).lower())


def _version_in(directory):
    """Return the version that the list in the mirror ``directory`` (str) tells, or None."""
    try:
        with open(os.path.join(directory, INDEX), "rb") as file:
            return parse(file.read(MAX_DOCUMENT)).version
    except (OSError, CorruptData):
        return None


def _is_url(place):
    return "://" in place and not place.startswith("file://")


def _is_foreign(name):
    """Whether a file of this name may be another thing than a bundle of ours."""
    return not name.startswith(PREFIX)


def _below(url, name):
    return url.rstrip("/") + "/" + name


def _shown(place):
    return "this program" if place == EMBEDDED else place


def _advice(bundle, failures):
    if len(failures) == 1 and failures[0][1].hint:
        return failures[0][1].hint
    return "'udocker install --from FILE|DIR|URL' takes %s from elsewhere" % bundle.file


def _is_empty(path):
    try:
        return os.path.getsize(path) == 0
    except OSError:
        return True


def _remove(path):
    try:
        os.unlink(path)
    except OSError:
        pass  # it was never made, or the error that is on its way says why
