"""``udocker manifest inspect``."""

import sys

from udocker.cli import arguments_of
from udocker.errors import UsageError
from udocker.model.oci import Platform
from udocker.model.reference import ImageReference, quoted


def manifest(context, values, arguments):
    """Print the manifest or index that a registry has now: byte for byte, or for a person to read.

    It is the registry that is asked, as docker does, whatever is in the store.
    """
    action, name = arguments_of("manifest", arguments, 2, 2)
    if action != "inspect":
        raise UsageError("manifest: no such action: %s" % quoted(action),
                         "usage: udocker manifest inspect [OPTIONS] IMAGE")
    from udocker.cli.network import open_registry
    reference = ImageReference.parse(name)
    version = reference.digest or reference.tag
    registry = open_registry(context, reference, values)
    if values["platform"]:
        platform = Platform.parse(values["platform"])
        _, document = registry.first(
            reference, lambda path: registry.resolve(path, version, platform).manifest)
    else:
        _, found = registry.first(reference, lambda path: registry.manifest(path, version))
        document = found.document
    if sys.stdout.isatty():
        import json
        from udocker.model.jsontext import loads
        # in ASCII: a terminal would obey what a registry may have put into it
        context.output.result(json.dumps(loads(document.raw), indent=4))
        return
    context.output.flush()
    sys.stdout.buffer.write(document.raw)
    sys.stdout.buffer.flush()
