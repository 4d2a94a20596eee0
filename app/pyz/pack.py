"""Packs udocker.pyz: head, bytecode for each Python found, and a zip archive (ADR 0001).

Used by build.py. Standard library only.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile

PYZ = os.path.dirname(os.path.abspath(__file__))
APP = os.path.dirname(PYZ)
TOP = os.path.dirname(APP)
CACHE = os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"),
                     "udocker-build")
#: The packer, pinned like what it packs; it runs on every Python that builds (ADR 0001).
BUILD_TOOLS = ("shiv==1.0.8", "pip>=21,<26", "setuptools>=59,<81", "wheel")
#: What each library is imported as; anything else that pip brings is an error.
LIBRARIES = ("certifi", "charset_normalizer", "idna", "packaging", "pyparsing", "requests", "tqdm",
             "urllib3")
VERSIONS = tuple("3.%d" % minor for minor in range(6, 15))
#: In boot.py, where the table of bytecode blocks goes.
PLACE_OF_TABLE = '"@TABLE@": ()'
#: zip stores no earlier date (APPNOTE.TXT 4.4.6), and no date says anything here.
ZIP_DATE = (1980, 1, 1, 0, 0, 0)


class BuildError(Exception):
    """Something that whoever builds can understand."""


def say(text):
    sys.stderr.write("build.py: %s\n" % text)


def run(command, **options):
    """Run ``command`` (list of str); BuildError with its last lines if it fails."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          universal_newlines=True, **options)
    if done.returncode:
        lines = (done.stdout + done.stderr).strip().split("\n")
        raise BuildError("%s failed:\n%s" % (" ".join(command[:4]), "\n".join(lines[-15:])))
    return done.stdout


def pack(output, known, carried=()):
    """Write the program to ``output`` (str).

    known (dict): what it knows of its bundles, see ``bundles.json`` in udocker/engine/obtain.py.
    carried (sequence of str): paths of the bundles that it has inside.
    """
    with tempfile.TemporaryDirectory(prefix="udocker-build-") as work:
        stage = os.path.join(work, "stage")
        shutil.copytree(libraries(), stage)
        shutil.copytree(os.path.join(APP, "udocker"), os.path.join(stage, "udocker"),
                        ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
        shutil.copy(os.path.join(PYZ, "main.py"), os.path.join(stage, "__main__.py"))
        shutil.copy(os.path.join(TOP, "LICENSE"), os.path.join(stage, "udocker", "LICENSE"))
        with open(os.path.join(stage, "udocker", "engine", "bundles.json"), "w") as file:
            json.dump(known, file, indent=1, sort_keys=True)
        for path in carried:
            target = os.path.join(stage, "udocker", "engine", "bundles", os.path.basename(path))
            os.makedirs(os.path.dirname(target), exist_ok=True)
            shutil.copy(path, target)
        blocks = compile_blocks(stage, work)
        data = assemble(stage, blocks)
    os.makedirs(os.path.dirname(os.path.abspath(output)), exist_ok=True)
    temporary = "%s.%d" % (output, os.getpid())
    with open(temporary, "wb") as file:
        file.write(data)
    os.chmod(temporary, 0o755)
    os.rename(temporary, output)
    say("%s: %d kB, SHA256 %s, bytecode for %s" % (
        output, len(data) // 1024, hashlib.sha256(data).hexdigest(),
        " ".join(version for version, _, _ in blocks.values())))


def libraries():
    """Return a directory with the pinned libraries, packed by shiv once for each set of pins."""
    pins = os.path.join(APP, "requirements.txt")
    key = hashlib.sha256((read(pins) + repr(BUILD_TOOLS)).encode("utf-8")).hexdigest()[:16]
    done = os.path.join(CACHE, "libraries-" + key)
    if os.path.isdir(done):
        return done
    say("packing the libraries (once)")
    os.makedirs(CACHE, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="libraries-", dir=CACHE) as work:
        environment = os.path.join(work, "venv")
        run([sys.executable, "-m", "venv", environment])
        python = os.path.join(environment, "bin", "python")
        run([python, "-m", "pip", "install", "-q"] + list(BUILD_TOOLS))
        packed = os.path.join(work, "libraries.pyz")
        run([os.path.join(environment, "bin", "shiv"), "--reproducible", "--output-file", packed,
             "--no-deps", "--require-hashes", "--only-binary=:all:", "--implementation", "py",
             "--abi", "none", "--platform", "any", "--requirement", pins])
        stage = os.path.join(work, "stage")
        with zipfile.ZipFile(packed) as archive:
            for info in archive.infolist():
                prefix, slash, name = info.filename.partition("/")
                if prefix == "site-packages" and is_wanted(name):
                    target = os.path.join(stage, name)
                    os.makedirs(os.path.dirname(target), exist_ok=True)
                    with open(target, "wb") as file:
                        file.write(archive.read(info))
        strange = [name for name in os.listdir(stage)
                   if name not in LIBRARIES and not name.endswith(".dist-info")]
        if strange:
            raise BuildError("the libraries bring something unknown: %s" % ", ".join(strange))
        os.rename(stage, done)
    return done


def is_wanted(name):
    """Of a wheel: the modules, their data, and the licence; not the installer's books."""
    top, slash, rest = name.partition("/")
    if top.endswith(".dist-info"):
        return "LICEN" in rest.upper() or rest == "METADATA"
    return bool(rest) and not name.endswith((".pyc", "/")) and top != "bin"


def compile_blocks(stage, work):
    """Return {magic number: (version, udocker's bytecode, the libraries')} of the Pythons here."""
    blocks = {}
    for python in pythons():
        output = os.path.join(work, "block")
        # not -I, with which Python does not see the hash seed
        magic, version = run(
            [python, "-s", "-S", "-B", os.path.join(PYZ, "compile.py"), stage, output,
             os.path.join(PYZ, "compiled.py")] + list(LIBRARIES),
            env={"PYTHONHASHSEED": "0"}).split()
        if magic not in blocks:
            with open(output + ".udocker", "rb") as own, open(output + ".vendor", "rb") as vendor:
                blocks[magic] = (version, own.read(), vendor.read())
    return blocks


def pythons():
    """Return one interpreter (path) for each version that we support and that is here."""
    versions = os.path.join(os.environ.get("PYENV_ROOT") or os.path.expanduser("~/.pyenv"),
                            "versions")
    places = [os.path.join(versions, name, "bin") for name in sorted(os.listdir(versions))] \
        if os.path.isdir(versions) else []
    places += ["/usr/bin", "/usr/local/bin", os.path.dirname(sys.executable)]
    found = []
    for version in VERSIONS:
        candidates = [os.path.join(place, "python" + version) for place in places]
        if sys.version.startswith(version + "."):
            candidates.append(sys.executable)
        there = [path for path in candidates if os.access(path, os.X_OK)]
        found += there[:1]
    return found


def assemble(stage, blocks):
    """Return the bytes of the program: head, blocks of bytecode, zip archive of ``stage``."""
    head = read(os.path.join(PYZ, "head.sh"))
    boot = read(os.path.join(PYZ, "boot.py")).strip()
    if "'" in boot:
        raise BuildError("boot.py must not have a single quote: it stands between two of them")
    head = head.replace("@VERSION@", program_version()).replace("@BOOT@", boot)
    # the table's numbers have a fixed width, so that its length does not depend on them
    entry = '"%s": (%9d, %9d, %9d, %9d)'
    size = len(head.replace(PLACE_OF_TABLE, ", ".join(entry % (magic, 0, 0, 0, 0) for magic in blocks)))
    table, body = [], b""
    for magic, (_, own, vendor) in blocks.items():
        start = size + len(body)
        table.append(entry % (magic, start, len(own), start + len(own), len(vendor)))
        body += own + vendor
    head = head.replace(PLACE_OF_TABLE, ", ".join(table)).encode("ascii")
    assert len(head) == size
    with tempfile.TemporaryFile() as file:
        file.write(head + body)
        with zipfile.ZipFile(file, "a", zipfile.ZIP_DEFLATED) as archive:
            for path, name in sorted(files_below(stage)):
                info = zipfile.ZipInfo(name, ZIP_DATE)
                info.external_attr = 0o644 << 16
                info.compress_type = zipfile.ZIP_STORED if name.endswith(".gz") \
                    else zipfile.ZIP_DEFLATED
                with open(path, "rb") as source:
                    archive.writestr(info, source.read())
        file.seek(0)
        return file.read()


def program_version():
    """Return the version (str) of udocker."""
    names = {}
    exec(read(os.path.join(APP, "udocker", "__init__.py")), names)
    return names["__version__"]


def files_below(top):
    for directory, _, names in os.walk(top):
        for name in names:
            path = os.path.join(directory, name)
            yield path, os.path.relpath(path, top)


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()
