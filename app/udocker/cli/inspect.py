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
    if hasattr(found, "root"):
        document = _with_labels(document, found)
    import json
    context.output.result(json.dumps(document, indent=4, sort_keys=True))


def _with_labels(document, container):
    """Return ``document`` with the labels that ``container`` was given, beside those of its image."""
    from udocker.store.labels import own_labels
    own = own_labels(container)
    if not own:
        return document
    section = document.get("config")
    section = dict(section) if isinstance(section, dict) else {}
    there = section.get("Labels")
    section["Labels"] = dict(there if isinstance(there, dict) else {}, **own)
    return dict(document, config=section)


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
