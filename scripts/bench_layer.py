#!/usr/bin/env python3
"""Compare applying a layer with ``tar -xzf`` and Python's ``tarfile``.

    scripts/bench_layer.py [--rounds N] [--in DIRECTORY] [LAYER.tar.gz ...]

Without layers, it makes one of 20,000 small files and one of large ones. Prints medians in
seconds of interleaved runs, and the ratios to tar. What is unpacked is only removed at the very
end: on ext4, unpacking soon after a large removal is many times slower, for every program.
"""

import argparse
import hashlib
import io
import os
import random
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import zlib

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "app"))

from udocker.host.layer import apply_layer  # noqa: E402 (the path above comes first)
from udocker.model.reference import Digest  # noqa: E402


def by_udocker(layer, target, diff_id):
    with open(layer, "rb") as stream:
        apply_layer(target, stream, diff_id)


def by_udocker_unchecked(layer, target, diff_id):
    with open(layer, "rb") as stream:
        apply_layer(target, stream)


def by_tar(layer, target, diff_id):
    subprocess.check_call(["tar", "-xzf", layer, "-C", target])


def by_tarfile(layer, target, diff_id):
    with tarfile.open(layer) as archive:
        try:
            archive.extractall(target, filter="fully_trusted")
        except TypeError:  # Python before the filters
            archive.extractall(target)


WAYS = [("tar -xzf", by_tar), ("udocker", by_udocker), ("unchecked", by_udocker_unchecked),
        ("tarfile", by_tarfile)]


def make_layer(path, files, size, folders):
    """Write a layer of ``files`` files of about ``size`` bytes, compressible as programs are."""
    chance = random.Random(files)
    words = [bytes(bytearray(chance.getrandbits(8) for _ in range(12))) for _ in range(2000)]
    with tarfile.open(path, "w:gz", compresslevel=6) as archive:
        for number in range(files):
            if number < folders:
                entry = tarfile.TarInfo("d%03d" % number)
                entry.type, entry.mode = tarfile.DIRTYPE, 0o755
                archive.addfile(entry)
        for number in range(files):
            entry = tarfile.TarInfo("d%03d/f%05d" % (number * folders // files, number))
            content = b"".join(chance.choice(words) for _ in range(chance.randint(1, size // 6)))
            entry.size, entry.mode, entry.mtime = len(content), 0o644, 1600000000 + number
            archive.addfile(entry, io.BytesIO(content))


def digest_of(layer):
    hasher, inflater = hashlib.sha256(), zlib.decompressobj(31)
    with open(layer, "rb") as stream:
        for data in iter(lambda: stream.read(1 << 20), b""):
            hasher.update(inflater.decompress(data))
    return Digest("sha256", hasher.hexdigest())


def bench(layer, rounds, place):
    """Return {way: sorted list of seconds} for ``layer``; what it unpacks is left in ``place``."""
    diff_id = digest_of(layer)
    times = dict((name, []) for name, _ in WAYS)
    for turn in range(rounds):
        for name, way in WAYS[turn % len(WAYS):] + WAYS[:turn % len(WAYS)]:
            target = tempfile.mkdtemp(dir=place)
            start = time.time()
            way(layer, target, diff_id)
            times[name].append(time.time() - start)
    return dict((name, sorted(values)) for name, values in times.items())


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("layers", nargs="*")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--in", dest="directory", default=None)
    options = parser.parse_args()
    place = tempfile.mkdtemp(prefix="bench-layer-", dir=options.directory)
    try:
        layers = options.layers
        if not layers:
            layers = [os.path.join(place, name) for name in ("small.tar.gz", "large.tar.gz")]
            make_layer(layers[0], 20000, 1500, 200)
            make_layer(layers[1], 60, 3000000, 5)
        print("%-28s" % "seconds (ratio to tar)" + "".join("%18s" % name for name, _ in WAYS))
        for layer in layers:
            times = bench(layer, options.rounds, place)
            middle = dict((name, values[len(values) // 2]) for name, values in times.items())
            print("%-28s" % os.path.basename(layer)[-28:] + "".join(
                "%11.2f (%4.2f)" % (middle[name], middle[name] / middle["tar -xzf"])
                for name, _ in WAYS), flush=True)
    finally:
        shutil.rmtree(place, ignore_errors=True)


if __name__ == "__main__":
    main()
