"""``udocker inspect``."""

from udocker.cli import arguments_of
from udocker.errors import InvalidValue, NotFound
from udocker.model.reference import ImageReference, quoted


def inspect(context, values, arguments):
    """Print the metadata of a container or an image as JSON, or the path of a container's root."""
    (text,) = arguments_of("inspect", arguments, 1, 1)
    container = context.containers.lookup(text)
    if container is not None and values["path"]:
        context.output.result(container.root)
        return
    if container is not None:
        document = container.config().raw
    else:
        try:
            image = context.images.lookup(ImageReference.parse(text))
        except InvalidValue:
            image = None
        if image is None:
            raise NotFound("no container or image: %s" % quoted(text),
                           "see 'udocker ps' and 'udocker images'")
        document = image.config().raw
    import json
    context.output.result(json.dumps(document, indent=4, sort_keys=True))
