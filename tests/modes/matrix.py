"""Every execution mode in every image: what works.

    python -m tests.modes.matrix [--modes=M,...] UDOCKER.PYZ NAME=ROOTFS...   prints the results as JSON
"""

import collections
import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import tarfile
import tempfile
import time

MODES = ("P1", "P2", "F1", "F2", "F3", "F4", "R1", "R2", "R3")
HERE = os.path.dirname(os.path.abspath(__file__))
STDIN_BYTES = 10 * 1024 * 1024
#: (mode, check): what is known not to work, and why.
KNOWN = {
    ("F", "apt_install"): "nobody is root there",
    ("R1", "apt_install"): "one id is all there is to give files to",
}
#: What every image has; the rest may be "absent".
EVERYWHERE = {"list", "pipes", "tar_2000", "script", "links", "volume", "environment", "exit_status",
              "stdin_10_mb", "sigterm"}
#: A run that takes longer than this hangs.
LIMIT_S = 300


class Image(object):
    """A container of one image, whose mode changes."""

    def __init__(self, pyz, home, rootfs):
        """pyz, home, rootfs (str)."""
        self._pyz, self._home = pyz, home
        #: shown in the container as /volume/sub
        self._volume = os.path.join(home, "only-on-the-host")
        os.makedirs(self._volume)
        with open(os.path.join(self._volume, "file"), "w") as file:
            file.write("given\n")
        archive = os.path.join(home, "image.tar")
        write_archive(rootfs, archive)
        self.call("load", "-i", archive)
        os.unlink(archive)
        self.call("create", "--name=c", "matrix:latest")
        self.root = self.call("inspect", "-p", "c").stdout.decode().strip()

    def results(self, mode):
        """Return {check: "ok", "absent", or what failed} of all checks in ``mode`` (str)."""
        found = collections.OrderedDict()
        done = self.call("setup", "--execmode=" + mode, "c", check=False)
        if done.returncode:
            return {"setup": last_line(done.stderr)}
        with open(os.path.join(HERE, "checks.sh"), "rb") as script:
            done = self._run(script.read(), "-v", self._volume + ":/volume/sub",
                             "-e", "HOST_ONLY=" + self._volume, "c", "sh")
        for line in done.stdout.decode("utf-8", "replace").splitlines():
            name, _, result = line.partition(" ")
            found[name] = result
        if not found:
            return {"start": last_line(done.stderr)}
        found["exit_status"] = self._expect(7, b"exit 7\n")
        done = self._run(b"\0" * STDIN_BYTES, "c", "wc", "-c")
        found["stdin_10_mb"] = "ok" if done.stdout.split() == [b"%d" % STDIN_BYTES] \
            else last_line(done.stderr)
        found["sigterm"] = self._terminated()
        return found

    def _expect(self, status, script):
        done = self._run(script, "c", "sh")
        return "ok" if done.returncode == status else "status %d" % done.returncode

    def _terminated(self):
        running = subprocess.Popen([self._pyz, "-q", "run", "c", "sh", "-c", "echo up; exec sleep 60"],
                                   env=self._environment(), cwd=self._home, stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        try:
            if running.stdout.readline() != b"up\n":
                return "did not start"
            running.send_signal(signal.SIGTERM)
            try:
                status = running.wait(15)
            except subprocess.TimeoutExpired:
                return "went on"
            # by the signal itself, or as a shell tells it
            return "ok" if status in (-signal.SIGTERM, 128 + signal.SIGTERM) else "status %d" % status
        finally:
            running.kill()
            running.wait()
            running.stdout.close()

    def tree(self):
        """Return what is in the root file system."""
        return tree_of(self.root)

    def switch(self, mode, check=True):
        """Set the mode; return whether that could be done, which with ``check`` it must."""
        return self.call("setup", "--execmode=" + mode, "c", check=check).returncode == 0

    def purge(self):
        self.call("setup", "--purge", "c")

    def _run(self, data, *words):
        return self.call("-q", "run", *words, input=data, check=False)

    def call(self, *words, **options):
        """Run udocker with ``words``; it must succeed unless ``check`` is false."""
        check = options.pop("check", True)
        options.setdefault("input", b"")
        done = subprocess.run([self._pyz] + list(words), env=self._environment(), cwd=self._home,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=LIMIT_S,
                              **options)
        if check and done.returncode:
            raise RuntimeError("udocker %s: %s" % (" ".join(words), done.stderr.decode()))
        return done

    def _environment(self):
        return {"HOME": self._home, "PATH": "/usr/bin:/bin", "UDOCKER_PYTHON": sys.executable,
                "TMPDIR": os.environ.get("TMPDIR", "/tmp")}


def tree_of(root):
    """Return a digest of the names, modes, links and content of all below ``root`` (str)."""
    checksum = hashlib.sha256()
    for directory, directories, names in os.walk(os.fsencode(root)):
        directories.sort()
        for name in sorted(directories + names):
            path = os.path.join(directory, name)
            status = os.lstat(path)
            checksum.update(b"%s %o " % (path, status.st_mode))
            if os.path.islink(path):
                checksum.update(os.readlink(path))
            elif os.path.isfile(path):
                with open(path, "rb") as file:
                    checksum.update(hashlib.sha256(file.read()).digest())
    return checksum.hexdigest()


def write_archive(rootfs, path, name="matrix"):
    """Write ``rootfs`` (directory) as an archive of docker save with the image ``name``:latest."""
    with tempfile.TemporaryFile(dir=os.path.dirname(path)) as layer:
        with tarfile.open(fileobj=layer, mode="w") as archive:
            archive.add(rootfs, ".", filter=lambda entry: None if entry.isdev() else entry)
        layer.seek(0)
        checksum = hashlib.sha256()
        for block in iter(lambda: layer.read(1 << 20), b""):
            checksum.update(block)
        config = json.dumps({"architecture": architecture_of(rootfs), "os": "linux", "config": {},
                             "rootfs": {"type": "layers",
                                        "diff_ids": ["sha256:" + checksum.hexdigest()]}}).encode()
        config_name = hashlib.sha256(config).hexdigest() + ".json"
        manifest = json.dumps([{"Config": config_name, "RepoTags": [name + ":latest"],
                                "Layers": ["layer.tar"]}]).encode()
        with tarfile.open(path, "w") as archive:
            for member, data in ((config_name, config), ("manifest.json", manifest)):
                entry = tarfile.TarInfo(member)
                entry.size = len(data)
                archive.addfile(entry, io.BytesIO(data))
            entry = tarfile.TarInfo("layer.tar")
            entry.size = layer.seek(0, os.SEEK_END)
            layer.seek(0)
            archive.addfile(entry, layer)


def architecture_of(rootfs):
    """Return the architecture of the programs in ``rootfs`` as images call it."""
    with open(os.path.join(rootfs, "bin", "ls"), "rb") as file:
        machine = file.read(20)[18]  # e_machine, whose second byte is 0 for all of these
    return {3: "386", 62: "amd64", 183: "arm64", 21: "ppc64le"}[machine]


def last_line(data):
    lines = data.decode("utf-8", "replace").strip().split("\n")
    return lines[-1][:200]


def surprises(mode, found):
    """Return what in the results ``found`` (dict) of ``mode`` (str) is not as docs/modes.md has it."""
    wrong = ["%s: %s" % (check, found.get(check)) for check in EVERYWHERE if found.get(check) != "ok"]
    for check, result in found.items():
        if mode[0] == "F" and check == "socket_name" and result not in ("ok", "absent"):
            # below a root file system whose path is too long for an address
            is_known = result == "failed: AssertionError: /proc/self/fd/4/named"
        elif (mode, check) in KNOWN or (mode[0], check) in KNOWN:
            is_known = result != "ok"
        else:
            is_known = result in ("ok", "absent")
        if not is_known:
            wrong.append("%s: %s" % (check, result))
    return wrong


def measure(image, modes=MODES):
    """Return {mode: results} of the Image, and of "back": is the tree what it was."""
    before = image.tree()
    found = collections.OrderedDict()
    for mode in modes:
        if image.switch(mode, check=False):
            image.switch("P1")
    image.purge()
    found["back"] = {"tree": "ok" if image.tree() == before else "is not what it was"}
    for mode in modes:
        started = time.time()
        found[mode] = image.results(mode)
        sys.stderr.write("%s: %.0f s\n" % (mode, time.time() - started))
    return found


def main(words):
    found, modes = collections.OrderedDict(), MODES
    if words[0].startswith("--modes="):
        modes = words.pop(0).partition("=")[2].split(",")
    for word in words[1:]:
        name, _, rootfs = word.partition("=")
        with tempfile.TemporaryDirectory() as home:
            found[name] = measure(Image(words[0], home, rootfs), modes)
            subprocess.call(["chmod", "-R", "u+rwX", home])
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main(sys.argv[1:])
