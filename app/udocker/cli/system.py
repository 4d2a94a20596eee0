"""``udocker system``: what takes how much space, and what of it nobody needs."""

import os
import sys

from udocker.cli import arguments_of
from udocker.cli.containers import is_idle
from udocker.cli.history import ago, human_size
from udocker.errors import Refused, UdockerError, UsageError
from udocker.host import files
from udocker.host.processes import is_alive
from udocker.model.reference import printable, quoted
from udocker.store import reclaim

#: Which of the options belong to which action.
_ACTIONS = {"df": ("verbose", "format"), "prune": ("all", "force", "dry_run")}

_SUMMARY = {"Type": "TYPE", "TotalCount": "TOTAL", "Active": "ACTIVE", "Size": "SIZE",
            "Reclaimable": "RECLAIMABLE"}
_DETAILS = {"Type": "TYPE", "Name": "NAME", "ID": "ID", "CreatedSince": "CREATED", "Size": "SIZE",
            "SharedSize": "SHARED SIZE", "UniqueSize": "UNIQUE SIZE", "Containers": "CONTAINERS",
            "Status": "STATUS"}
_TABLES = (
    ("Image", r"table {{.Name}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}\t{{.SharedSize}}"
              r"\t{{.UniqueSize}}\t{{.Containers}}"),
    ("Container", r"table {{.ID}}\t{{.Size}}\t{{.Status}}\t{{.Name}}"),
    ("Engine", r"table {{.Name}}\t{{.Size}}"),
    ("Debris", r"table {{.Name}}\t{{.Size}}\t{{.Status}}"))


def system(context, values, arguments):
    """Show how much space is used, or free some."""
    (action,) = arguments_of("system", arguments, 1, 1)
    if action not in _ACTIONS:
        raise UsageError("system: no such action: %s" % quoted(action), "df, or prune")
    for name in sum(_ACTIONS.values(), ()):
        if values[name] and name not in _ACTIONS[action]:
            raise UsageError("system %s takes no --%s" % (action, name.replace("_", "-")),
                             "see 'udocker help system'")
    return {"df": _df, "prune": _prune}[action](context, values)


def _df(context, values):
    from udocker.cli.template import render
    rows, form = _rows(context), values["format"]
    if not values["verbose"]:
        lines = list(render(form or "table", _summaries(rows), _SUMMARY))
    elif form:
        lines = list(render(form, rows, _DETAILS))
    else:
        lines = []
        for kind, table in _TABLES:
            lines += ["%s space usage:" % kind, ""]
            lines += list(render("table", [row for row in rows if row["Type"] == kind], _DETAILS,
                                 table)) + [""]
        lines.pop()
    for line in lines:
        context.output.result(line)


class _Row(dict):
    """A row of details; size and reclaimable (int, bytes) count for the summary, as is_active."""

    size = reclaimable = 0
    is_active = False


def _row(kind, name, size, **more):
    row = _Row({field: "" for field in _DETAILS}, Type=kind, Name=name, Size=human_size(size), **more)
    row.size = size
    return row


def _rows(context):
    containers = context.containers.list()
    found = _found(context, False)
    rows = _image_rows(context.images.list(), containers)
    for container in containers:
        row = _row("Container", ",".join(container.names), files.tree_size(container.path),
                   ID=container.id)
        row.is_active = not is_idle(container)
        row["Status"] = "running" if row.is_active else \
            "protected" if container.is_protected else "idle"
        if row["Status"] == "idle":
            row.reclaimable = row.size
        rows.append(row)
    layout = context.layout
    for path in (layout.bin, layout.lib, layout.doc):
        if os.path.isdir(path):
            row = _row("Engine", path, files.tree_size(path))
            row.is_active = True
            rows.append(row)
    for item in found.blobs + found.debris:
        row = _row("Debris", item.path, item.size, Status=item.what)
        row.reclaimable = item.size
        rows.append(row)
    return rows


def _image_rows(images, containers):
    """What is shared counts for the first image that has it, in the sum."""
    sizes = {image: {os.path.basename(os.readlink(os.path.join(image.path, name))): size
                     for name, size in image.links().items()} for image in images}
    owners = {}
    for image, blobs in sizes.items():
        for name in blobs:
            owners.setdefault(name, []).append(image)
    made = [container.image for container in containers]
    idle = set(image for image in images if str(image) not in made and not image.is_protected)
    rows, counted = [], set()
    for image in images:
        blobs = sizes[image]
        unique = sum(size for name, size in blobs.items() if len(owners[name]) == 1)
        total = sum(blobs.values())
        row = _row("Image", str(image), total, ID=_short_id(image), CreatedSince=_created(image),
                   SharedSize=human_size(total - unique), UniqueSize=human_size(unique),
                   Containers=str(made.count(str(image))))
        new = {name: size for name, size in blobs.items() if name not in counted}
        counted.update(new)
        row.size = sum(new.values())
        # it goes when all who have it go
        row.reclaimable = sum(size for name, size in new.items() if idle.issuperset(owners[name]))
        row.is_active = str(image) in made
        rows.append(row)
    return rows


def _short_id(image):
    try:
        return "" if image.is_version_1 else image.manifest().config.digest.short
    except UdockerError:
        return ""  # damaged; 'udocker verify' says how


def _created(image):
    try:
        created = image.config().raw.get("created")
    except UdockerError:
        created = None
    return ago(created) if isinstance(created, str) else "N/A"


def _summaries(rows):
    lines = []
    for kind, name in (("Image", "Images"), ("Container", "Containers"), ("Engine", "Engines"),
                       ("Debris", "Debris")):
        those = [row for row in rows if row["Type"] == kind]
        size, free = sum(row.size for row in those), sum(row.reclaimable for row in those)
        lines.append({"Type": name, "TotalCount": str(len(those)), "Size": human_size(size),
                      "Active": str(sum(1 for row in those if row.is_active)),
                      "Reclaimable": human_size(free) + (" (%d%%)" % (100 * free // size)
                                                         if size else "")})
    return lines


def _found(context, with_images):
    """Return the reclaim.Found, with what runtimes of ours that were killed left in --tmp."""
    found = reclaim.find(context.layout, context.images, context.containers, with_images)
    return found._replace(debris=found.debris + _dead_state(context))


def _dead_state(context):
    directory = os.path.join(context.settings.tmpdir, "udocker-%d" % context.facts.uid)
    try:
        if os.lstat(directory).st_uid != context.facts.uid:
            return []
        names = os.listdir(directory)
    except OSError:
        return []
    return [reclaim.Item(path, files.tree_size(path), "state of a run that ended")
            for path in (os.path.join(directory, name) for name in names
                         if name.rpartition("-")[2].isdigit()
                         and not is_alive(int(name.rpartition("-")[2])))]


def _prune(context, values):
    with_images = values["all"]
    if with_images and reclaim.is_making(context.layout):
        context.output.warning("a container is being made: images stay for now")
        with_images = False
    if not values["dry_run"] and not values["force"]:
        _ask(with_images)
    if values["dry_run"]:
        found = _found(context, with_images)
    else:
        dead = _dead_state(context)
        with context.locked():
            found = reclaim.remove_blobs(context.layout, context.images, context.containers,
                                         with_images)
        found = found._replace(debris=found.debris + dead)
        reclaim.remove_debris(found, context.output.warning)
    say = context.output.result
    word = "would delete" if values["dry_run"] else "deleted"
    for image in found.images:
        say("%s image: %s" % (word, printable(str(image))))
    for item in found.blobs + found.debris:
        say("%s %s: %s" % (word, item.what, printable(item.path)))
    say("Total %s space: %s" % ("reclaimable" if values["dry_run"] else "reclaimed",
                                human_size(found.size)))


def _ask(with_images):
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise Refused("system prune: nobody to ask here", "-f does it without asking, --dry-run "
                      "shows what would be removed")
    sys.stderr.write("This removes what interrupted commands left, layers that no image has%s.\n"
                     "Continue? [y/N] " % (", and images that no container was made from"
                                           if with_images else ""))
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise Refused("system prune: nothing was removed")
