"""What ``udocker images`` prints when it is asked for more than 1.3.x knew, and which images."""

from fnmatch import fnmatchcase

from udocker.cli.history import ago, human_size
from udocker.cli.inspect import image_size, manifest_digest
from udocker.cli.template import columns, render
from udocker.errors import InvalidValue, UdockerError, UsageError
from udocker.model.reference import DEFAULT_TAG, ImageReference, printable, quoted

#: What a row has, and the heading of its column (docker-images(1)).
FIELDS = {
    "Repository": "REPOSITORY", "Tag": "TAG", "Digest": "DIGEST", "ID": "IMAGE ID",
    "CreatedSince": "CREATED", "CreatedAt": "CREATED AT", "Size": "SIZE", "Platform": "PLATFORM",
    "Containers": "CONTAINERS", "SharedSize": "SHARED SIZE", "UniqueSize": "UNIQUE SIZE",
    "VirtualSize": "SIZE",
}
TABLE = r"table {{.Repository}}\t{{.Tag}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}"
DIGESTS = r"table {{.Repository}}\t{{.Tag}}\t{{.Digest}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}"
_NONE = "<none>"


def lines(images, form, is_whole, with_digests):
    """Return the lines (iterator of str) about ``images`` (list of StoredImage) in ``form`` (str)."""
    return render(form, (_row(image, is_whole) for image in images), FIELDS,
                  DIGESTS if with_digests else TABLE)


def overview(images):
    """Return the lines (list of str) for a person: those of 1.3.x, and id, age and size."""
    rows = ["REPOSITORY\tP\tIMAGE ID\tCREATED\tSIZE"]
    for image in images:
        row = _row(image, False)
        rows.append("\t".join([printable(str(image)), "P" if image.is_protected else ".",
                               row["ID"], row["CreatedSince"](), row["Size"]()]))
    return columns(rows)


def identity(image, is_whole):
    """Return the id (str) of ``image`` (StoredImage): 12 digits, or all of it."""
    try:
        digest = image.id()
    except UdockerError:
        return _NONE
    return str(digest) if is_whole else digest.short


def chosen(store, arguments, filters):
    """Return those of the images in ``store`` (ImageStore) that an argument (a name, with or without
    tag; list of str) and all ``filters`` (tuple of str, KEY=VALUE) mean."""
    found = store.list()
    for text in arguments:
        found = [image for image in found if _has_name(image, text)]
    for text in filters:
        key, equals, value = text.partition("=")
        if not equals or not value or key not in _FILTERS:
            raise UsageError("invalid --filter %s" % quoted(text),
                             "there are %s" % ", ".join(key + "=" for key in sorted(_FILTERS)))
        keeps = _FILTERS[key](store, value)
        found = [image for image in found if keeps(image)]
    return found


def _row(image, is_whole):
    def guarded(function):
        def value():
            try:
                return function()
            except (UdockerError, OSError):
                return _NONE  # a damaged image is shown too
        return value

    return {
        "Repository": image.name, "Tag": image.tag, "ID": identity(image, is_whole),
        "Digest": guarded(lambda: _NONE if image.is_version_1 else manifest_digest(image)),
        "CreatedSince": guarded(lambda: ago(_created(image))),
        "CreatedAt": guarded(lambda: _created(image) or "N/A"),
        "Size": guarded(lambda: human_size(image_size(image))),
        "VirtualSize": guarded(lambda: human_size(image_size(image))),
        "Platform": guarded(lambda: str(image.config().platform or "unknown")),
        "Containers": "N/A", "SharedSize": "N/A", "UniqueSize": "N/A",
    }


def _created(image):
    created = image.config().raw.get("created")
    return created if isinstance(created, str) else ""


def _has_name(image, text):
    """Whether ``text`` (a name or a pattern of names, with or without tag) means ``image``."""
    if any(character in text for character in "*?["):
        return fnmatchcase(image.name, text) or fnmatchcase(str(image), text)
    reference = ImageReference.parse(text)
    has_tag = reference.digest is not None or reference.tag != DEFAULT_TAG \
        or text.endswith(":" + DEFAULT_TAG)
    return image.name in reference.spellings() and (not has_tag or image.tag == reference.version)


def _labelled(store, value):
    key, equals, wanted = value.partition("=")

    def keeps(image):
        labels = _or(image.config, {"labels": {}})
        labels = getattr(labels, "labels", {})
        return key in labels and (not equals or labels[key] == wanted)
    return keeps


def _dangling(store, value):
    if value.lower() not in ("true", "1", "false", "0"):
        raise UsageError("invalid --filter %s" % quoted("dangling=" + value), "true or false")
    # an image without a name is none here: it goes when its last name goes
    return lambda image: value.lower() in ("false", "0")


def _compared(is_later):
    def made(store, value):
        try:
            limit = _created(store.find(ImageReference.parse(value)))[:19]
        except InvalidValue:
            raise UsageError("invalid --filter: no image %s" % quoted(value))
        # RFC 3339 in UTC: what is earlier is less
        return lambda image: (_or(lambda: _created(image), "")[:19] > limit if is_later
                              else "" < _or(lambda: _created(image), "")[:19] < limit)
    return made


def _or(function, otherwise):
    try:
        return function()
    except UdockerError:
        return otherwise


#: key -> function of (store, value) that returns whether an image is kept, as a function.
_FILTERS = {"reference": lambda store, value: lambda image: _has_name(image, value),
            "dangling": _dangling, "label": _labelled,
            "before": _compared(False), "since": _compared(True)}
