"""``udocker pull``, ``images``, ``rmi``, ``tag``, ``verify`` and ``history``, and how a command gets an image that is missing."""

from udocker.cli import arguments_of
from udocker.cli.output import QUIET
from udocker.errors import CorruptData, NotFound, Refused, UdockerError, UsageError
from udocker.model.oci import Platform
from udocker.model.reference import ImageReference, printable, quoted

_MB = 1024 * 1024


def pull(context, values, arguments):
    """Download an image, or all tags of it; with --quiet nothing is printed but the names."""
    (name,) = arguments_of("pull", arguments, 1, 1)
    reference = ImageReference.parse(name)
    wanted = [reference]
    if values["all_tags"]:
        if reference.digest or name.rpartition("/")[2].count(":"):
            raise UsageError("pull --all-tags wants a name without a tag", "leave the tag out")
        from udocker.cli.network import open_registry
        registry = open_registry(context, reference, values)
        wanted = [reference._replace(tag=tag)
                  for tag in registry.first(reference, registry.tags)[1]]
    if values["quiet"]:
        context.output.level = min(context.output.level, QUIET)
    for each in wanted:
        image = download(context, each, values)
        if values["quiet"]:
            context.output.result(str(image))


def images(context, values, arguments):
    """List the images, in lines that begin with name:tag unless another --format is asked for."""
    arguments_of("images", arguments, 0, 1)
    from udocker.cli import imagelist
    say, form = context.output.result, values["format"]
    found = imagelist.chosen(context.images, arguments, values["filter"])
    if values["quiet"]:
        for image in found:
            say(imagelist.identity(image, values["no_trunc"]))
        return
    if values["digests"] and form is None:
        form = "table"
    if form is not None:
        for line in imagelist.lines(found, form, values["no_trunc"], values["digests"]):
            say(line)
        return
    if context.output.is_watched and not values["long"] and not values["platform"]:
        for line in imagelist.overview(found):
            say(line)
        return
    say("REPOSITORY")
    for image in found:
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
    """Delete images and the layers that no other image has; go on after one that cannot be."""
    arguments_of("rmi", arguments, 1, 1 << 20)
    status = 0
    for text in arguments:
        try:
            with context.locked():
                for image in _meant(context.images, text, values["force"]):
                    context.output.info("deleting image: %s" % str(image))
                    context.images.remove(image, values["force"])
        except UdockerError as error:
            context.output.error(error.message, error.hint)
            status = error.exit_code
    return status


def _meant(store, text, takes_all):
    """Return the StoredImages (list) that ``rmi`` is to delete; Refused where an id has many names."""
    reference = ImageReference.parse(text)
    same = [] if store.lookup(reference) else store.with_id(reference)
    if len(same) > 1 and not takes_all:
        raise Refused("image %s has the names %s" % (quoted(text), ", ".join(map(str, same))),
                      "name one of them, or 'udocker rmi -f' deletes all")
    return same or [store.find(reference)]


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
    if image is None:
        image = (context.images.with_id(reference) or [None])[0]
        if image is not None:
            return image  # an id means one image, whatever is to be pulled or chosen
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
