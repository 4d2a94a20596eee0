"""Modes F3 and F4: ELF files of a container that name the host's path of their loader.

Each file is patched in a copy and put in its place by a rename, after what it takes to undo that
was written down; so whatever interrupts this, every file is a whole one, and the way back is known.

State, in the container's directory: ``patch.undo`` (records, in the order in which files were
patched), ``patch.time`` (seconds since the epoch; written when all is patched, and only then),
``patch.path`` (the container's directory at that time), ``ld.so.path`` (the loader that the files
named before), ``ld.so`` (the loader that the files name: the
image's, but that it looks for libraries where it is told, and nowhere on the host).
"""

import contextlib
import hashlib
import json
import os
import shutil
import stat
import subprocess
import time
import zlib
from collections import namedtuple

from udocker.errors import CorruptData, EngineError, UdockerError
from udocker.host import delta, files, tree
from udocker.host.elf import MAGIC, read_elf
from udocker.model.reference import quoted

UNDO, TIME, PATH, LOADER = "patch.undo", "patch.time", "patch.path", "ld.so"
ORIGINAL_LOADER = "ld.so.path"
_COPIES = ".patching"
#: Files that patchelf is given at a time: a command line, and copies on the disk, of sane size.
_BATCH = 64
#: Bytes of an ELF file; what is larger is no program, and would be in memory twice.
MIN_SIZE, MAX_SIZE = 64, 4 * 1024 * 1024 * 1024
#: What glibc's loader has in it as places to look at; blanked, they mean nothing on any host.
#: Of musl's it is the list of directories that is used where no file has one.
_PLACES = (b"/etc/ld.so.cache", b"/etc/ld.so.preload", b"/etc/ld-musl-",
           b"/lib:/usr/local/lib:/usr/lib")

#: A file to be patched: names (list of bytes: paths below the root that are hard links of one
#: another), status (os.stat_result), elf (Elf).
Target = namedtuple("Target", "names status elf")


def require_patched(container):
    """Raise EngineError unless ``patch`` has been here, to its end, and nothing was moved since."""
    again = "'udocker setup --force --execmode=%s %s' does that" % (
        container.mode if container.mode in ("F3", "F4") else "F3", container.id)
    if not container.is_patched or not os.path.exists(os.path.join(container.path, TIME)):
        raise EngineError("the programs of container %s have to be set up for this mode"
                          % container.id, again)
    was = path_then(container)
    if was != container.path:
        raise EngineError("container %s was moved from %s, and its programs name that place; they "
                          "have to be set up again" % (container.id, quoted(was)), again)


def original_loader(container):
    """Return the loader (str: a path inside) that the programs named before, "" if they still do."""
    return read(container, ORIGINAL_LOADER)


def path_then(container):
    """Return the directory (str) that ``container`` had when its programs were changed."""
    return read(container, PATH)


def patch(container, guest, patchelf):
    """Patch the ELF files of ``container`` for ``guest`` (Guest) with ``patchelf`` (str: path)."""
    root = container.root
    loader = make_loader(container, guest)
    files.write_atomic(os.path.join(container.path, ORIGINAL_LOADER), os.fsencode(guest.loader))
    files.write_atomic(os.path.join(container.path, PATH), os.fsencode(container.path))
    with stage(container) as place, open(os.path.join(container.path, UNDO), "ab") as undo:
        found = targets(root, guest.architecture)
        for start in range(0, len(found), _BATCH):
            _patch_batch(root, found[start:start + _BATCH], place, loader, patchelf, undo)
    files.write_atomic(os.path.join(container.path, TIME), b"%d" % time.time())


def restore(container, patchelf):
    """Make the ELF files of ``container`` what they were.

    What was changed by programs inside since then cannot be undone byte by byte; patchelf takes our
    paths out of it. Returns how many files these were (int).
    """
    forget(container, TIME)
    was = path_then(container)
    changed = 0
    with stage(container) as place:
        for record, kept in records(os.path.join(container.path, UNDO)):
            if not _undo(container.root, record, kept, place):
                changed += _take_out(container.root, record, was, patchelf)
    for name in (LOADER, ORIGINAL_LOADER, PATH, UNDO):
        forget(container, name)
    return changed


def make_loader(container, guest):
    """Write the loader that looks nowhere on the host, beside ROOT; return its path (str)."""
    with tree.Root(container.root) as root:
        data = root.read_file(guest.loader, 64 * 1024 * 1024)
    for place in _PLACES:
        data = data.replace(place, b"\0" + place[1:])
    path = os.path.join(container.path, LOADER)
    try:
        with open(path, "rb") as file:
            if file.read() == data:
                return path
    except OSError:
        pass  # not there yet
    files.write_atomic(path, data, 0o755)
    return path


@contextlib.contextmanager
def stage(container):
    """An empty directory on the file system of ``container``, for the block."""
    path = os.path.join(container.path, _COPIES)
    files.remove_tree(path)  # of one that was killed
    files.make_directories(path)
    try:
        yield path
    finally:
        files.remove_tree(path)


def targets(root, architecture):
    """Return the Targets below ``root``: the ELF files that a loader has to do with, of one
    ``architecture`` (str: GOARCH) or (None) of any."""
    found, by_inode = [], {}
    for directory, _, names in os.walk(os.fsencode(root)):
        for name in sorted(names):
            path = os.path.join(directory, name)
            try:
                status = os.lstat(path)
                if not stat.S_ISREG(status.st_mode) or status.st_uid != os.getuid() \
                        or not MIN_SIZE < status.st_size < MAX_SIZE:
                    continue
                inode = (status.st_dev, status.st_ino)
                if inode in by_inode:
                    by_inode[inode].append(path[len(root) + 1:])
                    continue
                with open(path, "rb") as file:
                    if file.read(4) != MAGIC:
                        continue
                    elf = read_elf(file)
            except (OSError, UdockerError):
                continue  # not readable or not whole: then no loader can do anything with it
            if elf.is_dynamic and architecture in (None, elf.architecture):
                target = Target([path[len(root) + 1:]], status, elf)
                found.append(target)
                if status.st_nlink > 1:
                    by_inode[inode] = target.names
    return found


def _patch_batch(root, batch, stage, loader, patchelf, undo):
    """Patch the ``batch`` (list of Target) in copies, write down the way back, put them in place."""
    copies = _copied(root, batch, stage)
    _run(patchelf, "--set-root-prefix", root, copies)
    programs = [copy for target, copy in zip(batch, copies) if target.elf.interpreter]
    if programs:
        _run(patchelf, "--set-interpreter", loader, programs)
    ready = []
    for target, copy in zip(batch, copies):
        original, changed = _content(_place(root, target.names[0])), _content(copy)
        if original == changed:
            continue
        steps, kept = delta.make(original, changed)
        kept = zlib.compress(kept)
        record = {"names": [os.fsdecode(name) for name in target.names], "steps": steps,
                  "kept": len(kept), "mode": stat.S_IMODE(target.status.st_mode),
                  "mtime_ns": target.status.st_mtime_ns,
                  "original": hashlib.sha256(original).hexdigest(),
                  "patched": hashlib.sha256(changed).hexdigest()}
        undo.write(json.dumps(record, sort_keys=True).encode("utf-8") + b"\n" + kept)
        ready.append((target, copy))
    undo.flush()
    os.fsync(undo.fileno())
    for target, copy in ready:
        put(root, target.names, copy, stat.S_IMODE(target.status.st_mode),
             target.status.st_mtime_ns)


def put(root, names, path, mode, mtime_ns):
    """Let the file ``path`` take the place of all ``names``, without changing what holds them."""
    os.chmod(path, mode)
    os.utime(path, ns=(mtime_ns, mtime_ns))
    for name in names:
        place = _place(root, name)
        with tree.naming(place):
            directory = os.path.dirname(place)
            before = os.stat(directory)
            link = path + b".link"
            os.link(path, link)
            os.rename(link, place)
            os.utime(directory, ns=(before.st_atime_ns, before.st_mtime_ns))
    os.unlink(path)


def records(path):
    """Yield (record, what it keeps (bytes)) of the file ``path``, the last first."""
    found = []
    try:
        with open(path, "rb") as file:
            while True:
                line = file.readline()
                if not line.endswith(b"\n"):
                    break  # the end, or one that was begun when all ended
                record = json.loads(line.decode("utf-8"))
                found.append((record, file.tell()))
                file.seek(record["kept"], os.SEEK_CUR)
            for record, offset in reversed(found):
                file.seek(offset)
                yield record, file.read(record["kept"])
    except FileNotFoundError:
        return
    except (ValueError, KeyError, TypeError):
        raise CorruptData("damaged file %s" % quoted(path))


def _undo(root, record, kept, stage):
    """Make a file what it was before; return whether that could be done."""
    names = [os.fsencode(name) for name in record["names"]]
    place = _place(root, names[0])
    try:
        changed = _content(place)
    except OSError:
        return True  # removed since
    digest = hashlib.sha256(changed).hexdigest()
    if digest != record["patched"]:
        return digest == record["original"]
    copy = os.path.join(os.fsencode(stage), b"0")
    checksum = hashlib.sha256()
    with open(copy, "wb") as file:
        for piece in delta.apply(record["steps"], zlib.decompress(kept), changed):
            checksum.update(piece)
            file.write(piece)
    if checksum.hexdigest() != record["original"]:
        raise CorruptData("cannot undo the change of %s" % quoted(os.fsdecode(place)))
    put(root, [name for name in names if _is_same(_place(root, name), place)], copy,
         record["mode"], record["mtime_ns"])
    return True


def restore_prefix(root, found, stage, prefix, patchelf):
    """Take ``prefix`` (bytes: the path of a root) out of the files ``found`` (list of Target)."""
    for start in range(0, len(found), _BATCH):
        batch = found[start:start + _BATCH]
        copies = _copied(root, batch, stage)
        _run(patchelf, "--restore-root-prefix", os.fsdecode(prefix), copies)
        for target, copy in zip(batch, copies):
            put(root, target.names, copy, stat.S_IMODE(target.status.st_mode),
                target.status.st_mtime_ns)


def _copied(root, batch, stage):
    """Return the paths (list of bytes) of copies of the ``batch`` (list of Target)."""
    copies = [os.path.join(os.fsencode(stage), b"%d" % number) for number in range(len(batch))]
    for target, copy in zip(batch, copies):
        shutil.copyfile(_place(root, target.names[0]), copy)
    return copies


def _take_out(root, record, was, patchelf):
    """Take our paths out of a file that was changed since; return how many (0 or 1)."""
    place = _place(root, os.fsencode(record["names"][0]))
    take_out(patchelf, was, place)
    return 1


def take_out(patchelf, was, path):
    """Let ``patchelf`` (str) take the container's directory of that time (str) out of a file."""
    _run(patchelf, "--restore-root-prefix", was + "/ROOT", [path])


def _is_same(path, other):
    try:
        return os.path.samefile(path, other)
    except OSError:
        return False


def _run(patchelf, option, value, paths):
    done = subprocess.run([os.fsencode(patchelf), option.encode(), os.fsencode(value)] + paths,
                          stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                          stderr=subprocess.PIPE)
    if done.returncode:
        lines = done.stderr.decode("utf-8", "replace").strip().split("\n")
        raise EngineError("patchelf failed: %s" % lines[-1])


def _place(root, name):
    return os.path.join(os.fsencode(root), name)


def _content(path):
    with open(path, "rb") as file:
        return file.read()


def read(container, name):
    try:
        with open(os.path.join(container.path, name), "rb") as file:
            return os.fsdecode(file.read(1 << 16)).strip()
    except OSError:
        return ""


def forget(container, name):
    path = os.path.join(container.path, name)
    with tree.naming(path):
        try:
            os.unlink(path)
        except FileNotFoundError:
            pass  # it was never written
