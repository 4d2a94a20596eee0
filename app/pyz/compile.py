"""Compile packages for the Python that runs this; used by build.py, once for each version.

usage: compile.py SOURCE_DIRECTORY OUTPUT COMPILED_PY NAME...

Writes OUTPUT.udocker and OUTPUT.vendor, marshalled as pyz/compiled.py reads them. NAMEs are the
libraries. Marshal version 2 has no references to objects, whose presence would depend on
reference counts: with the hash seed fixed, the same input gives the same bytes.
"""

import marshal
import os
import sys
import zlib

MARSHAL_VERSION = 2


def compiled(path, shown):
    with open(path, "rb") as file:
        code = compile(file.read(), shown, "exec", dont_inherit=True, optimize=0)
    return marshal.dumps(code, MARSHAL_VERSION)


def modules_of(source, package):
    """Return {name: (is_package, code)} of what Python can compile below source/package."""
    found = {}
    top = os.path.join(source, package)
    if os.path.isfile(top + ".py"):
        return {package: (False, compiled(top + ".py", "udocker.pyz/%s.py" % package))}
    for directory, children, files in os.walk(top):
        children.sort()
        for name in sorted(files):
            if not name.endswith(".py"):
                continue
            path = os.path.join(directory, name)
            relative = os.path.relpath(path, source)
            parts = relative[:-3].split(os.sep)
            is_package = parts[-1] == "__init__"
            module = ".".join(parts[:-1] if is_package else parts)
            try:
                found[module] = (is_package, compiled(path, "udocker.pyz/" + relative))
            except SyntaxError:
                pass  # a library's module for another Python; zipimport will say so if asked
    return found


def main(source, output, loader, libraries):
    code = modules_of(source, "udocker")
    code["compiled"] = (False, compiled(loader, "udocker.pyz/compiled.py"))
    code["vendor names"] = tuple(libraries)
    vendor = {}
    for name in libraries:
        vendor.update(modules_of(source, name))
    with open(output + ".udocker", "wb") as file:
        file.write(marshal.dumps(code, MARSHAL_VERSION))
    with open(output + ".vendor", "wb") as file:
        file.write(zlib.compress(marshal.dumps(vendor, MARSHAL_VERSION), 9))
    magic = sys.modules["_frozen_importlib_external"].MAGIC_NUMBER.hex()
    sys.stdout.write("%s %d.%d\n" % (magic, sys.version_info[0], sys.version_info[1]))


main(sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4:])
