"""The host's NVIDIA driver, shown in a container: libraries, tools, settings, devices.

They are bound, not copied, so that the container always has those that belong to the kernel module
that is loaded. What belongs to the driver stands in tables of file name patterns; a new library is
a line there, or in the configuration.
"""

import os
import struct

from udocker.engine.guest import MULTIARCH
from udocker.errors import NotFound, UdockerError
from udocker.host.elf import read_elf
from udocker.model.spec import Bind

#: Libraries of the driver, as the glob patterns of their file names.
LIBRARIES = (
    "libcuda.so*", "libcudadebugger.so*", "libnvcuvid.so*", "libnvoptix.so*", "libOpenCL.so*",
    "libnvidia-*.so*", "libGLX_nvidia.so*", "libEGL_nvidia.so*", "libGLESv1_CM_nvidia.so*",
    "libGLESv2_nvidia.so*", "libvdpau_nvidia.so*", "libnvsandboxutils.so*",
)
#: Programs of the driver, which have the same place on the host and inside.
PROGRAMS = tuple("/usr/bin/nvidia-" + name for name in (
    "smi", "debugdump", "persistenced", "settings", "cuda-mps-control", "cuda-mps-server",
    "modprobe", "xconfig", "bug-report.sh", "imex", "imex-ctl"))
#: Settings by which loaders of OpenCL, Vulkan and EGL find the driver.
SETTINGS_FILES = (
    "/etc/OpenCL/vendors/nvidia.icd",
    "/etc/vulkan/icd.d/nvidia_icd.json", "/usr/share/vulkan/icd.d/nvidia_icd.json",
    "/etc/vulkan/implicit_layer.d/nvidia_layers.json",
    "/usr/share/vulkan/implicit_layer.d/nvidia_layers.json",
    "/usr/share/glvnd/egl_vendor.d/10_nvidia.json",
    "/usr/share/egl/egl_external_platform.d/15_nvidia_gbm.json",
    "/usr/share/egl/egl_external_platform.d/10_nvidia_wayland.json",
)
#: Devices, as patterns of names in /dev.
DEVICES = ("nvidia*",)
#: Where drivers lie whose installer did not tell the dynamic loader.
USUAL_DIRECTORIES = ("/usr/lib/{0}", "/usr/lib/{0}/nvidia/current", "/usr/lib64", "/usr/lib64/nvidia",
                     "/usr/lib/nvidia", "/usr/lib", "/usr/local/nvidia/lib64",
                     "/usr/lib/wsl/lib")
#: The dynamic loader's list of libraries (ldconfig(8)).
CACHE = "/etc/ld.so.cache"
_MAGIC = b"glibc-ld.so.cache1.1"
#: Bytes: distributions with everything installed have some 500 kB.
_MAX_CACHE = 16 * 1024 * 1024


def driver_binds(settings, root, architecture, environ):
    """Return the Binds (tuple) that show this host's driver in ``root`` (host.tree.Root).

    architecture (str): GOARCH of the container; environ (dict): for its LD_LIBRARY_PATH.
    NotFound if there is no driver for it.
    """
    found = libraries(settings, architecture, environ)
    if not any(name.startswith("libcuda.so") or name.startswith("libnvidia-ml.so")
               for name in found):
        raise NotFound("no NVIDIA driver for %s on this machine" % architecture,
                       "is it a node with GPUs? lib_dirs_list_nvidia in the configuration names "
                       "other directories")
    inside = _library_directory(root, architecture)
    binds = [Bind(path, inside + "/" + name, False) for name, path in sorted(found.items())]
    for path in (settings.nvi_bin_list or PROGRAMS) + (settings.nvi_etc_list or SETTINGS_FILES):
        if os.path.isfile(path):
            binds.append(Bind(path, path, False))
    return tuple(binds) + tuple(Bind(path, path, False) for path in devices(settings))


def libraries(settings, architecture, environ):
    """Return {file name: path} of the driver's libraries for ``architecture`` (str: GOARCH)."""
    from fnmatch import fnmatch
    patterns = settings.nvi_lib_list or LIBRARIES
    found = {}
    for directory in _directories(settings, architecture, environ):
        try:
            names = sorted(os.listdir(directory))
        except OSError:
            continue
        for name in names:
            path = os.path.join(directory, name)
            if name not in found and any(fnmatch(name, pattern) for pattern in patterns) \
                    and _is_for(path, architecture):
                found[name] = path
    return found


def devices(settings):
    """Return the paths (list of str) of the driver's devices."""
    from fnmatch import fnmatch
    found = []
    for directory in ("/dev", "/dev/nvidia-caps"):
        try:
            names = sorted(os.listdir(directory))
        except OSError:
            continue
        found += [os.path.join(directory, name) for name in names
                  if any(fnmatch(name, pattern.rpartition("/")[2])
                         for pattern in settings.nvi_dev_list or DEVICES)
                  and not os.path.isdir(os.path.join(directory, name))]
    return found


def cached_directories(data):
    """Return the directories (list of str) of the libraries in ``data``: an ld.so.cache (bytes).

    The format is glibc's "new" one, alone or behind the old one (glibc, sysdeps/generic/dl-cache.h).
    """
    start = data.find(_MAGIC)
    if start < 0:
        return []
    found = []
    try:
        count, = struct.unpack_from("=I", data, start + 20)
        for number in range(min(count, len(data) // 24)):
            offset, = struct.unpack_from("=I", data, start + 48 + number * 24 + 8)
            path = data[start + offset:data.index(b"\0", start + offset)]
            directory = os.path.dirname(os.fsdecode(path))
            if directory not in found:
                found.append(directory)
    except (struct.error, ValueError):
        pass  # damaged: what was read of it will do
    return found


def _directories(settings, architecture, environ):
    """Where the driver's libraries may be, the most particular first."""
    named = list(settings.lib_dirs_list_nvidia)
    named += [path for path in environ.get("LD_LIBRARY_PATH", "").split(":")
              if path.startswith("/")]
    try:
        with open(CACHE, "rb") as file:
            named += cached_directories(file.read(_MAX_CACHE))
    except OSError:
        pass  # a host with musl has none
    named += [path.format(MULTIARCH.get(architecture, architecture)) for path in USUAL_DIRECTORIES]
    return [path for number, path in enumerate(named) if path not in named[:number]]


def _is_for(path, architecture):
    try:
        with open(path, "rb") as file:
            return read_elf(file).architecture == architecture
    except (OSError, UdockerError):
        return False  # a dangling link, a linker script, one for the other word size


def _library_directory(root, architecture):
    """Return where libraries of ``architecture`` (str) lie in ``root``, as its loader sees it."""
    for path in ("/usr/lib/" + MULTIARCH.get(architecture, architecture), "/usr/lib64"):
        if root.kind(path) == "directory":
            return path
    return "/usr/lib"
