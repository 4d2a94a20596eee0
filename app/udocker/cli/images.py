"""``udocker pull``, ``images``, ``rmi``, ``tag``, ``verify`` and ``history``, and how a command gets an image that is missing."""

from udocker.cli import arguments_of
from udocker.errors import CorruptData, NotFound, UdockerError
from udocker.model.oci import Platform
from udocker.model.reference import ImageReference, printable

_MB = 1024 * 1024


def pull(context, values, arguments):
    """Download an image."""
    (name,) = arguments_of("pull", arguments, 1, 1)
    download(context, ImageReference.parse(name), values)


def images(context, values, arguments):
    """List the images, in lines that begin with name:tag."""
    arguments_of("images", arguments, 0, 0)
    say = context.output.result
    say("REPOSITORY")
    for image in context.images.list():
        line = "%s    %s" % (printable(str(image)), "P" if image.is_protected else ".")
        if values["platform"]:
            line = "%-18.18s %s %s" % (_platform_of(image), "P" if image.is_protected else ".",
                                       printable(str(image)))
        say(line)
        if values["long"]:
            say("  %s" % printable(image.path))
            for name, size in sorted(image.links().items()):
                say("    /%s (%d MB)" % (printable(name), size // _MB))


def rmi(context, values, arguments):
    """Delete an image and the layers that no other image has."""
    (name,) = arguments_of("rmi", arguments, 1, 1)
    store = context.images
    with context.locked():
        image = store.find(ImageReference.parse(name))
        context.output.info("deleting image: %s" % str(image))
        store.remove(image, values["force"])


def tag(context, values, arguments):
    """Give an image one more name."""
    source, target = arguments_of("tag", arguments, 2, 2)
    with context.locked():
        context.images.tag(context.images.find(ImageReference.parse(source)),
                           ImageReference.parse(target))


def verify(context, values, arguments):
    """Check an image; return 1 if something in it is not what its digest says."""
    (name,) = arguments_of("verify", arguments, 1, 1)
    from udocker.image.verify import verify as check
    say, errors = context.output.info, []

    def failed(message, hint):
        errors.append(message)
        context.output.error(message, hint)

    image = context.images.find(ImageReference.parse(name))
    say("verifying: %s" % str(image))
    say("loading structure")
    say("verifying layers")
    try:
        check(image, lambda blob: say("layer ok: %s" % blob), failed, context.output.progress)
    except CorruptData as error:
        failed(error.message, error.hint)
    if errors:
        context.output.error("image verification failure", "'udocker rmi -f %s', and pull or load "
                             "it again" % str(image))
        return 1
    say("image Ok")
    return 0


def history(context, values, arguments):
    """Print the steps in which an image was made, the last one first, in docker's columns."""
    (name,) = arguments_of("history", arguments, 1, 1)
    from udocker.cli.history import lines
    image = context.images.find(ImageReference.parse(name))
    for line in lines(image, values["no_trunc"], values["quiet"]):
        context.output.result(line)


def ensure_image(context, reference, values):
    """Return the StoredImage of ``reference``, pulled if need be, as --pull in ``values`` says."""
    policy = values.get("pull", "missing")
    image = context.images.lookup(reference)
    if image is not None and policy != "always":
        wanted = _wanted_platform(values)
        if wanted is None or policy == "never":
            return image
        there = image.config().platform
        if there is not None and wanted.accepts(there) is not None:
            return image
    if policy == "never":
        raise NotFound("image not found: %s" % str(reference), "--pull=never forbids to pull it")
    return download(context, reference, values)


def download(context, reference, values):
    """Pull ``reference`` (ImageReference) as the option ``values`` say; return the StoredImage."""
    from udocker.cli.network import open_registry
    from udocker.image.pull import Puller
    puller = Puller(context.images, context.locked, context.settings.download_jobs, context.output)
    wanted = _wanted_platform(values)
    return puller.pull(open_registry(context, reference, values), reference,
                       wanted or context.facts.platform, wanted is not None)


def _wanted_platform(values):
    return Platform.parse(values["platform"]) if values["platform"] else None


def _platform_of(image):
    try:
        return str(image.config().platform or "unknown")
    except UdockerError:
        return "unknown"
