"""``udocker push``."""

from udocker.cli import arguments_of
from udocker.cli.output import WARNING
from udocker.errors import NotFound, UsageError
from udocker.model.oci import Platform
from udocker.model.reference import ImageReference, quoted


def push(context, values, arguments):
    """Upload an image, and print what its name means now, in docker's words."""
    arguments_of("push", arguments, 1, 2)
    from udocker.cli.network import open_registry, settings_for
    from udocker.image.push import Pusher
    if values["quiet"]:
        context.output.level = min(context.output.level, WARNING)
    settings = settings_for(context, values)
    platform = Platform.parse(values["platform"]) if values["platform"] else None
    pusher = Pusher(context.images, settings.download_jobs, context.output,
                    settings.dockerio_registry_url)
    for image, target in _wanted(context, values, arguments):
        registry = open_registry(context, target, values)
        context.output.info("pushing %s to %s/%s" % (image, registry.endpoint.name,
                                                     registry.endpoint.path_of(target)))
        pushed = pusher.push(registry, image, target, platform)
        if values["quiet"]:
            context.output.result(str(pushed.digest))
        else:
            context.output.result("%s: digest: %s size: %d" % (
                target.tag or target.digest, pushed.digest, pushed.size))


def _wanted(context, values, arguments):
    """Return [(StoredImage, the ImageReference to push it to)]."""
    # skopeo and podman name the kind of a place, and this is the only one here
    names = [name[len("docker://"):] if name.startswith("docker://") else name
             for name in arguments]
    source = ImageReference.parse(names[0])
    target = ImageReference.parse(names[-1])
    if not values["all_tags"]:
        return [(context.images.find(source), target)]
    for name, reference in zip(names, (source, target)):
        if reference.digest or name.endswith(":" + reference.tag):
            raise UsageError("push: --all-tags wants a name without a tag: %s" % quoted(name))
    found = [image for image in context.images.list()
             if image.name in source.spellings() and ":" not in image.tag]
    if not found:
        raise NotFound("image not found: %s" % quoted(source.name), "see 'udocker images'")
    return [(image, target._replace(tag=image.tag)) for image in found]
