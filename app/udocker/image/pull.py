"""From a registry to the store."""

from udocker.errors import CorruptData, NoSuchPlatform
from udocker.host import files
from udocker.model.oci import parse_config
from udocker.registry.parallel import Stop, each

#: What pull says of a layer that is not there yet; 1.3.x's words.
_DOWNLOADING = "downloading layer %s"


class Puller(object):
    """Pulls images into an ImageStore."""

    def __init__(self, images, locked, jobs, output):
        """images (ImageStore), locked (function that returns a lock to enter), jobs (int: blobs
        at a time), output (cli.output.Output, or what has its info, warning and progress)."""
        self._images = images
        self._locked = locked
        self._jobs = jobs
        self._output = output

    def pull(self, registry, reference, platform, is_asked):
        """Pull ``reference`` (ImageReference) for ``platform``; return the StoredImage.

        is_asked (bool): the user named the platform, and will have no other.

        Blobs that are here are not fetched. Each new one has a temporary name of its own until
        its size and digest were checked, and the image appears when all of them have.
        """
        repository, manifest = registry.first(reference, lambda path: registry.resolve(
            path, reference.digest or reference.tag, platform).manifest)
        wanted = {str(blob.digest): blob for blob in (manifest.config,) + manifest.layers}
        missing = [blob for blob in wanted.values() if not self._images.claim_blob(blob)]
        self._download(registry, repository, missing)
        self._check_platform(manifest, platform, is_asked)
        try:
            with self._locked():
                return self._images.put_image(reference, manifest)
        except CorruptData:
            # another udocker deleted, with the last image that had it, a layer that we counted on
            self._download(registry, repository, [blob for blob in wanted.values()
                                                  if not self._images.has_blob(blob)])
            with self._locked():
                return self._images.put_image(reference, manifest)

    def _check_platform(self, manifest, platform, is_asked):
        """An image that is in no index says what it is for in its configuration only."""
        there = parse_config(self._images.read_blob(manifest.config.digest)).platform
        if there is None or platform.accepts(there) is not None:
            return
        if is_asked:
            with self._locked():
                self._images.discard_unused(blob.digest for blob
                                            in (manifest.config,) + manifest.layers)
            raise NoSuchPlatform("no image for platform %s" % str(platform),
                                 "available platforms: %s" % str(there))
        self._output.warning("this image is for %s, and this machine is %s" % (there, platform))

    def _download(self, registry, repository, blobs):
        """Fetch ``blobs`` (sequence of Descriptor), several at once; all or an error."""
        stop = Stop()

        def fetch(blob):
            self._output.info(_DOWNLOADING % str(blob.digest))
            partial = self._images.partial_path(blob.digest)
            try:
                registry.blob(repository, blob, partial, meter.of_blob(), stop)
                self._images.publish_blob(partial, blob.digest)
            except BaseException:
                files.remove_tree(partial)
                raise

        with self._output.progress(sum(blob.size for blob in blobs)) as meter:
            # the largest first, so that none is left to be waited for alone at the end
            each(fetch, sorted(blobs, key=lambda blob: -blob.size), stop, self._jobs)
