"""``udocker inspect``."""

from udocker.cli import arguments_of
from udocker.errors import InvalidValue, NotFound
from udocker.model.reference import ImageReference, quoted


def inspect(context, values, arguments):
    """Print the metadata of a container or an image as JSON, or the path of a container's root."""
    (text,) = arguments_of("inspect", arguments, 1, 1)
    found = find_object(context, text)
    if values["path"] and hasattr(found, "root"):
        context.output.result(found.root)
        return
    document = found.config().raw
    import json
    context.output.result(json.dumps(document, indent=4, sort_keys=True))


def find_object(context, text):
    """Return the Container or StoredImage that ``text`` (str) means, in this order; or NotFound."""
    container = context.containers.lookup(text)
    if container is not None:
        return container
    try:
        image = context.images.lookup(ImageReference.parse(text))
    except InvalidValue:
        image = None
    if image is None:
        raise NotFound("no container or image: %s" % quoted(text),
                       "see 'udocker ps' and 'udocker images'")
    return image
