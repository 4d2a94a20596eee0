"""Imports udocker's modules from bytecode that lies in the archive, made at build time.

Python's own zipimport compiles a module anew at each start unless its bytecode lies beside it,
and there can lie that of one version of Python only. Here each version has its own block:
``code`` is {module: (is it a package, marshalled code)} of udocker, ``vendor`` tells where the
same of the libraries is, which is read when the first of them is imported. Data files, and
sources for tracebacks, come from zipimport all the same.

Globals: archive (str), code (dict), vendor (offset and length).
"""

import marshal
import sys

ModuleSpec = sys.modules["_frozen_importlib"].ModuleSpec


class Finder(object):
    """A meta path finder and loader (importlib.abc.MetaPathFinder, InspectLoader)."""

    def __init__(self, archive, code, vendor):
        self._archive = archive
        self._code = code
        self._vendor = vendor
        self._names = code["vendor names"]
        self._zip = None

    def find_spec(self, name, path=None, target=None):
        """Return the spec of module ``name`` (str), or None."""
        if name.partition(".")[0] in self._names and self._vendor:
            self._read_vendor()
        found = self._code.get(name)
        if found is None:
            return None
        is_package = found[0]
        origin = "%s/%s%s" % (self._archive, name.replace(".", "/"),
                              "/__init__.py" if is_package else ".py")
        spec = ModuleSpec(name, self, origin=origin, is_package=is_package)
        spec.has_location = True  # it has a __file__, which pkgutil.get_data goes by
        if is_package:
            spec.submodule_search_locations = [origin[:-len("/__init__.py")]]
        return spec

    def create_module(self, spec):
        return None

    def exec_module(self, module):
        exec(self.get_code(module.__spec__.name), module.__dict__)

    def get_code(self, name):
        return marshal.loads(self._code[name][1])

    def is_package(self, name):
        return self._code[name][0]

    def __getattr__(self, name):
        """get_data, get_source and the like: as zipimport does them."""
        if name.startswith("_"):
            raise AttributeError(name)
        if self._zip is None:
            import zipimport
            self._zip = zipimport.zipimporter(self._archive)
        return getattr(self._zip, name)

    def _read_vendor(self):
        import zlib
        offset, length = self._vendor
        self._vendor = None
        with open(self._archive, "rb") as file:
            file.seek(offset)
            self._code.update(marshal.loads(zlib.decompress(file.read(length))))


sys.meta_path.insert(0, Finder(archive, code, vendor))  # noqa: F821
