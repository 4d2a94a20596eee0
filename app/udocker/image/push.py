"""From the store to a registry."""

import io
from collections import namedtuple

from udocker.errors import CorruptData, DigestMismatch, NoSuchPlatform, NotFound, UdockerError
from udocker.host.tree import naming
from udocker.image.save import as_version_2
from udocker.model.oci import parse_config
from udocker.model.reference import ImageReference
from udocker.registry.client import digest_of
from udocker.registry.endpoint import Endpoint
from udocker.registry.parallel import Stop, each
from udocker.registry.push import MOUNTED, SENT, THERE, Uploader

#: Repositories that are tried for a blob: each costs a request.
_MAX_MOUNTS = 2

_SAID = {SENT: "pushed %s", MOUNTED: "mounted %s", THERE: "already there: %s"}


class Pushed(namedtuple("Pushed", "digest size")):
    """What a tag means now: digest (Digest) and size (int, bytes) of its manifest."""

    __slots__ = ()


class Pusher(object):
    """Pushes images of an ImageStore."""

    def __init__(self, images, jobs, output, hub=""):
        """images (ImageStore), jobs (int: blobs at a time), output (cli.output.Output), hub (str):
        what stands in the place of Docker Hub for images whose name has no registry."""
        self._images, self._jobs, self._output, self._hub = images, jobs, output, hub

    def push(self, registry, image, reference, platform=None):
        """Push ``image`` (StoredImage) to ``registry`` (Registry) as ``reference``; return Pushed.

        reference (ImageReference): its tag is what will mean the image; the digest where it has
        none. platform (Platform or None): what the image has to be for.
        The image is the same bytes there as here, and so has the same digest. What is there already
        is not sent; the manifest goes last, and is read back.
        """
        manifest, blobs = as_version_2(image)
        digest = digest_of(manifest.raw)
        self._check(image, blobs[0], platform, reference, digest)
        repository, stop = registry.endpoint.path_of(reference), Stop()
        uploader = Uploader(registry.session, repository, stop)
        mounts = self._find_mounts(registry.endpoint, repository, blobs)

        def upload(blob):
            with _opened(blob) as source:
                how = uploader.blob(blob, source, mounts.get(str(blob.digest), ()), meter.of_blob())
            self._output.info(_SAID[how] % str(blob.digest))

        distinct = {blob.digest: blob for blob in blobs}.values()
        with self._output.progress(sum(blob.size for blob in distinct)) as meter:
            each(upload, sorted(distinct, key=lambda blob: -blob.size), stop, self._jobs)
        uploader.manifest(manifest, reference.tag or str(digest))
        self._verify(registry, repository, digest)
        return Pushed(digest, len(manifest.raw))

    @staticmethod
    def _check(image, config, platform, reference, digest):
        if reference.digest not in (None, digest):
            raise DigestMismatch("image %s has the digest %s, and cannot be pushed as %s"
                                 % (image, digest, reference.digest), "name a tag to push to")
        if platform is None:
            return
        with _opened(config) as file:
            there = parse_config(file.read()).platform
        if there is None or platform.accepts(there) is None:
            raise NoSuchPlatform("image %s is not for platform %s" % (image, platform),
                                 "it is for %s" % str(there or "no platform that it tells"))

    def _find_mounts(self, endpoint, repository, blobs):
        """Return {digest: repositories of this registry that may have that blob}."""
        wanted, found = set(str(blob.digest) for blob in blobs), {}
        for image in self._images.list():
            try:
                reference = ImageReference.parse(image.name)
                there = Endpoint.of(reference, self._hub)
                path = there.path_of(reference)
            except UdockerError:
                continue  # a name that udocker 1.3.x made, and no registry has
            if (there.host, there.prefix) != (endpoint.host, endpoint.prefix) or path == repository:
                continue
            for digest in wanted.intersection(image.links()):
                paths = found.setdefault(digest, [])
                if path not in paths and len(paths) < _MAX_MOUNTS:
                    paths.append(path)
        return found

    @staticmethod
    def _verify(registry, repository, digest):
        try:
            registry.manifest(repository, digest)
        except NotFound:
            raise CorruptData("%s took the image, and does not have it as %s"
                              % (registry.endpoint.name, digest))


def _opened(blob):
    if blob.path is None:
        return io.BytesIO(blob.data)
    with naming(blob.path):
        return open(blob.path, "rb")
