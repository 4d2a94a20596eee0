"""``udocker inspect``."""

import os

from udocker.cli import arguments_of
from udocker.errors import InvalidValue, NotFound, UdockerError, UsageError
from udocker.model.reference import ImageReference, quoted

_KINDS = ("container", "image")


def inspect(context, values, arguments):
    """Print the metadata of containers and images as JSON, what --format makes of docker's names for
    them, or the path of a container's root; go on after one that is not there."""
    arguments_of("inspect", arguments, 1, 1 << 20)
    if values["type"] not in (None,) + _KINDS:
        raise UsageError("invalid --type %s" % quoted(values["type"]), "container or image")
    template = None
    if values["format"] not in (None, "json"):
        from udocker.cli.gotemplate import Template
        template = Template(values["format"])
    status, documents = 0, []
    for text in arguments:
        try:
            found = find_object(context, text, values["type"])
            if values["path"] and hasattr(found, "root"):
                context.output.result(found.root)
            elif values["format"] is None:
                documents.append(_plain(found, values["size"]))
            else:
                described = describe(found, values["size"])
                if template is None:
                    documents.append(described)
                else:
                    context.output.result(template.apply(described))
        except UsageError:
            raise
        except UdockerError as error:
            if len(arguments) == 1:
                raise
            context.output.error(error.message, error.hint)
            status = error.exit_code
    if documents:
        import json
        if values["format"] == "json":
            context.output.result(json.dumps(documents, sort_keys=True))
        else:  # one object is itself, as in 1.3.x
            context.output.result(json.dumps(documents[0] if len(arguments) == 1 else documents,
                                             indent=4, sort_keys=True))
    return status


def find_object(context, text, kind=None):
    """Return the Container or StoredImage that ``text`` (str) means, in this order; or NotFound.

    kind (str or None): only a "container", or only an "image".
    """
    container = context.containers.lookup(text) if kind != "image" else None
    if container is not None:
        return container
    image = None
    if kind != "container":
        try:
            reference = ImageReference.parse(text)
            image = context.images.lookup(reference)
            image = image or (context.images.with_id(reference) or [None])[0]
        except InvalidValue:
            pass
    if image is None:
        # "no such image" is what callers of docker look for
        raise NotFound("no %s: %s" % ("such " + kind if kind else "container or image", quoted(text)),
                       "see 'udocker ps' and 'udocker images'")
    return image


def describe(found, with_size=False):
    """Return what is known of ``found`` (Container or StoredImage) under docker's names (dict), and
    under those of the image's configuration."""
    config = found.config()
    raw = _document(found)
    section = raw.get("config") if isinstance(raw.get("config"), dict) else {}
    document = dict(raw)
    document["Config"] = dict({
        "Env": [], "Cmd": None, "Entrypoint": None, "User": "", "WorkingDir": "", "Labels": {},
        "Volumes": None, "ExposedPorts": {}}, **section)
    if hasattr(found, "root"):
        from udocker.store.labels import own_labels
        document["Config"]["Labels"] = dict(config.labels, **own_labels(found))
        document.update(_of_container(found, config, with_size))
    else:
        document["Config"]["Labels"] = config.labels
        document.update(_of_image(found, config))
    return document


def _of_image(image, config):
    digests = [] if image.is_version_1 else ["%s@%s" % (image.name, manifest_digest(image))]
    platform = config.platform
    return {
        "Id": str(image.id()), "RepoTags": [str(image)], "RepoDigests": digests,
        "Created": _text(config.raw.get("created")), "Author": _text(config.raw.get("author")),
        "Comment": _text(config.raw.get("comment")),
        "Architecture": platform.architecture if platform else "",
        "Os": platform.os if platform else "", "Variant": platform.variant if platform else "",
        "Size": image_size(image),
        "RootFS": {"Type": "layers", "Layers": [str(digest) for digest in config.diff_ids]},
    }


def _of_container(container, config, with_size):
    from udocker.cli.ps import Listed, timestamp
    listed = Listed(container)
    command = list(listed.command())
    document = {
        "Id": container.id, "Name": "/" + (container.names[0] if container.names else container.id),
        "Names": list(container.names), "Image": container.image,
        "Created": timestamp(listed.created),
        "Path": command[0] if command else "", "Args": command[1:],
        "Platform": config.platform.os if config.platform else "", "Mounts": listed.volumes(),
        "ExecMode": container.mode, "RootPath": container.root,
        "State": listed.state_object(),
    }
    if with_size:
        from udocker.host.files import tree_size
        document["SizeRootFs"] = tree_size(container.root)
    return document


def _plain(found, with_size):
    document = _document(found)
    if with_size and hasattr(found, "root"):
        from udocker.host.files import tree_size
        return dict(document, SizeRootFs=tree_size(found.root))
    return document


def _document(found):
    """Return the configuration of ``found`` (Container or StoredImage) as it is written (dict), with
    the labels that a container was given beside those of its image."""
    document = found.config().raw
    if not hasattr(found, "root"):
        return document
    from udocker.store.labels import own_labels
    own = own_labels(found)
    if not own:
        return document
    section = document.get("config")
    section = dict(section) if isinstance(section, dict) else {}
    there = section.get("Labels")
    section["Labels"] = dict(there if isinstance(there, dict) else {}, **own)
    return dict(document, config=section)


def manifest_digest(image):
    """Return the digest (str) of the manifest of ``image`` (StoredImage of version 2)."""
    import hashlib
    return "sha256:" + hashlib.sha256(image.manifest().raw).hexdigest()


def image_size(image):
    """Return the bytes (int) of the layers of ``image`` (StoredImage), as they are stored."""
    if image.is_version_1:
        return sum(os.path.getsize(layer.path) for layer in image.layers())
    return sum(layer.size for layer in image.manifest().layers)


def _text(value):
    return value if isinstance(value, str) else ""
