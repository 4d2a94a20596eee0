"""The built program as other builds of it would be: one that carries no engines, a later release.

A build differs in ``bundles.json`` only: a zip archive may hold a name twice, and the last one counts.
"""

import json
import os
import shutil
import zipfile

NAME = "udocker/engine/bundles.json"


def known_bundles(pyz):
    """Return what the program ``pyz`` (path) knows of its bundles (dict)."""
    with zipfile.ZipFile(pyz) as archive:
        return json.loads(archive.read(NAME).decode("utf-8"))


def rebuilt(pyz, path, **changes):
    """Copy ``pyz`` to ``path``, with ``changes`` to what it knows; return ``path`` (str)."""
    document = dict(known_bundles(pyz), **changes)
    shutil.copy(str(pyz), str(path))
    with zipfile.ZipFile(str(path), "a") as archive:
        # zipfile warns of a second one of the same name, which is just what is wanted
        del archive.NameToInfo[NAME]
        archive.writestr(NAME, json.dumps(document))
    return str(path)


def without_engines(pyz, path, machines=(os.uname().machine,), **changes):
    """As ``rebuilt``: the program knows the bundles for ``machines``, and carries none."""
    bundles = {machine: dict(entry, embedded=False)
               for machine, entry in known_bundles(pyz)["bundles"].items()
               if machine in machines}
    return rebuilt(pyz, path, **dict({"bundles": bundles}, **changes))


def embedded_bundle(pyz):
    """Return the bytes of the bundle for this machine in the program ``pyz``."""
    with zipfile.ZipFile(pyz) as archive:
        return archive.read("udocker/engine/bundles/" + bundle_name(pyz))


def bundle_names(pyz):
    """Return the names (list of str) of all bundles that ``pyz`` knows."""
    return [entry["file"] for entry in known_bundles(pyz)["bundles"].values()]


def bundle_name(pyz):
    """Return the name of the bundle for this machine."""
    return known_bundles(pyz)["bundles"][os.uname().machine]["file"]
