"""Sources: what `sources.lock` pins, and how a pinned file gets into the cache, checked."""
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from typing import Dict, List, NamedTuple, Optional

from builder import BuildError

LOCK_FIELDS = 6
BLOCK = 1 << 20
# A stalled mirror must not hang a build for ever.
TIMEOUT_S = 60
APT_HELPER = "/usr/lib/apt/apt-helper"


class Source(NamedTuple):
    """One line of sources.lock."""
    name: str
    suite: str
    version: str
    licence: str
    path: str
    sha256: str

    @property
    def file(self) -> str:
        return os.path.basename(self.path)


class Place(NamedTuple):
    """Somewhere that a source may be had from: a directory, or an archive's URL."""
    kind: str  # "directory", "url", or "apt" (a URL to be fetched the way apt does)
    where: str


def read_lock(path: str) -> Dict[str, Source]:
    """The sources of a lock file by name. Raises BuildError on a line that is not as it should be."""
    sources = {}
    with open(path, encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            fields = line.split("#", 1)[0].split()
            if not fields:
                continue
            if len(fields) != LOCK_FIELDS or not re.match(r"[0-9a-f]{64}$", fields[-1]):
                raise BuildError("%s line %d: not 'name suite version licence path sha256'" % (path, number))
            sources[fields[0]] = Source(*fields)
    return sources


def pinned(lock: Dict[str, Source], name: str) -> Source:
    if name not in lock:
        raise BuildError("sources.lock does not have %s" % name)
    return lock[name]


def places() -> List[Place]:
    """Where to look, best first. What the user names is final: nothing else is tried then."""
    named = []
    if os.environ.get("UDOCKER_DEBIAN_ARCHIVE"):
        named.append(Place("url", os.environ["UDOCKER_DEBIAN_ARCHIVE"]))
    if os.environ.get("UDOCKER_SOURCES"):
        named.append(Place("directory", os.environ["UDOCKER_SOURCES"]))
    return named or _apt_places() or _debootstrap_places()


def _apt_places() -> List[Place]:
    """The Debian archives of the machine's own apt configuration."""
    try:
        answer = subprocess.run(
            ["apt-get", "indextargets", "--format", "$(ORIGIN)|$(LABEL)|$(CODENAME)|$(REPO_URI)", "Created-By: Packages"],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, universal_newlines=True, check=False).stdout
    except OSError:
        return []
    found = []
    for line in answer.splitlines():
        origin, label, codename, uri = (line.split("|", 3) + [""] * 3)[:4]
        # Origin and label are known only once the lists were fetched; without them, trust the distribution.
        debian = (origin, label) == ("Debian", "Debian") if origin else _is_debian()
        if debian and "security" not in codename and Place("apt", uri) not in found:
            found.append(Place("apt", uri))
    return found


def _is_debian() -> bool:
    try:
        with open("/etc/os-release", encoding="utf-8") as lines:
            return "ID=debian" in [line.strip() for line in lines]
    except OSError:
        return False


def _debootstrap_places() -> List[Place]:
    """On Ubuntu and the like: the mirror that an installed debootstrap names for Debian."""
    scripts = "/usr/share/debootstrap/scripts"
    found = []
    for path in [os.path.join(scripts, name) for name in ("sid", "trixie", "bookworm")] + [shutil.which("debootstrap") or ""]:
        try:
            with open(path, encoding="utf-8", errors="replace") as text:
                uris = re.findall(r'^\s*(?:default_mirror\s+|DEF_MIRROR=)"?(https?://[^\s"]+/debian)/?"?\s*$', text.read(), re.M)
        except OSError:
            continue
        found += [Place("url", uri) for uri in uris if Place("url", uri) not in found]
    return found


def fetch(source: Source, cache: str) -> str:
    """The path of `source`'s file, checked against its SHA256, in the cache. Downloads it if it is not there."""
    downloads = os.path.join(cache, "downloads")
    kept = os.path.join(downloads, source.sha256)
    if os.path.exists(kept):
        if _sha256(kept) == source.sha256:
            return kept
        os.unlink(kept)
    candidates = places()
    if not candidates:
        raise BuildError(
            "no Debian archive to fetch %s from: set UDOCKER_DEBIAN_ARCHIVE to an archive's URL, "
            "or UDOCKER_SOURCES to a directory that holds the file" % source.file)
    os.makedirs(downloads, exist_ok=True)
    problems = []
    for place in candidates:
        partial = tempfile.mktemp(prefix=source.name + "-", suffix=".part", dir=downloads)
        try:
            problem = _obtain(source, place, partial)
            if problem is None:
                os.rename(partial, kept)
                return kept
            problems.append(problem)
        finally:
            if os.path.exists(partial):
                os.unlink(partial)
    raise BuildError("cannot fetch %s: %s" % (source.file, "; ".join(problems)))


def _obtain(source: Source, place: Place, partial: str) -> Optional[str]:
    """Puts the file at `partial` if this place has the right one. What was wrong otherwise."""
    if place.kind == "directory":
        path = os.path.join(place.where, source.file)
        try:
            shutil.copyfile(path, partial)
        except OSError as error:
            return "%s: %s" % (path, error.strerror)
        shown = path
    else:
        shown = place.where.rstrip("/") + "/" + source.path
        sys.stderr.write("fetching %s\n" % shown)
        problem = _download(shown, partial, as_apt_does=place.kind == "apt")
        if problem:
            return problem
    digest = _sha256(partial)
    if digest != source.sha256:
        return "%s has SHA256 %s, sources.lock says %s" % (shown, digest, source.sha256)
    return None


def _download(url: str, path: str, as_apt_does: bool) -> Optional[str]:
    """apt's own helper knows apt's proxies and methods; anything else goes through urllib."""
    if as_apt_does and os.path.exists(APT_HELPER):
        done = subprocess.run([APT_HELPER, "download-file", url, path], stdin=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, universal_newlines=True, check=False)
        if done.returncode == 0:
            return None
        words = [line for line in done.stderr.splitlines() if line.startswith("E:")]
        return words[-1] if words else "%s: apt-helper failed" % url
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_S) as answer, open(path, "wb") as out:
            shutil.copyfileobj(answer, out, BLOCK)
    except (urllib.error.URLError, OSError, ValueError) as error:
        return "%s: %s" % (url, getattr(error, "reason", None) or error)
    return None


def _sha256(path: str) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as data:
        for block in iter(lambda: data.read(BLOCK), b""):
            digest.update(block)
    return digest.hexdigest()
