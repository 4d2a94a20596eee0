"""Building in a container image, where the machine has docker, podman or buildah and no toolchain."""
import hashlib
import os
import shutil
import subprocess
import sys
from typing import Any, List, Optional

from builder import BuildError
from builder.toolchain import Target

PROGRAMS = ("docker", "podman", "buildah")
DEFAULT_BASE = "debian:trixie"


def program() -> Optional[str]:
    """The first of the known programs that is installed and answers."""
    for name in PROGRAMS:
        if shutil.which(name) and _succeeds([name, "info"]):
            return name
    return None


def base() -> str:
    """The image that the toolchain's image starts from."""
    return os.environ.get("UDOCKER_BUILD_BASE") or DEFAULT_BASE


def fingerprint(top: str, packages: List[str]) -> str:
    """What identifies the toolchain in the image, as far as it can be known without starting it."""
    digest = hashlib.sha256(" ".join([base()] + packages).encode())
    with open(_dockerfile(top), "rb") as content:
        digest.update(hashlib.sha256(content.read()).digest())
    return digest.hexdigest()


def build(top: str, target: Target, packages: List[str], output: str, cache: str) -> None:
    """Builds the bundle into `output` with engines-build/build.py in a container, which needs no network.

    top: the directory that has engines-build/ and dockerfiles/. packages: what the image has to have.
    """
    tool = program()
    if tool is None:
        raise BuildError("none of %s is installed and works" % ", ".join(PROGRAMS))
    image = "udocker-engines-build:%s-%s" % (target.arch, fingerprint(top, packages)[:16])
    os.makedirs(os.path.join(cache, "logs"), exist_ok=True)
    log_path = os.path.join(cache, "logs", "container-%s.log" % target.arch)
    context = os.path.join(top, "engines-build")
    with open(log_path, "w", encoding="utf-8") as log:
        if not _succeeds([tool, "inspect", "--type", "image", image]):
            sys.stderr.write("building the image %s from %s with %s (log: %s)\n" % (image, base(), tool, log_path))
            _run([tool, "bud" if tool == "buildah" else "build", "--build-arg", "BASE=" + base(),
                  "--build-arg", "PACKAGES=" + " ".join(packages), "-f", _dockerfile(top), "-t", image,
                  os.path.dirname(_dockerfile(top))],
                 log, "the image %s could not be built from %s" % (image, base()))
        sys.stderr.write("building in it\n")
        volumes = ["-v", context + ":/engines-build:ro", "-v", cache + ":/cache", "-v", output + ":/output"]
        command = ["python3", "-B", "/engines-build/build.py", target.arch, "--toolchain", "host", "--cache", "/cache",
                   "--output", "/output"]
        if tool == "buildah":
            _run_with_buildah(image, volumes, command, log)
        else:
            # docker's root is the host's root, podman's is the user; what is made has to be the user's
            identity = ["--user", "%d:%d" % (os.getuid(), os.getgid())] if tool == "docker" else []
            _run([tool, "run", "--rm", "--network", "none", "--security-opt", "label=disable"] + identity + volumes + [image] + command,
                 log, "the build in the image %s failed" % image)


def _run_with_buildah(image: str, volumes: List[str], command: List[str], log: Any) -> None:
    started = subprocess.run(["buildah", "from", image], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log,
                             universal_newlines=True, check=False)
    if started.returncode:
        raise BuildError("no container could be made of the image %s, see %s" % (image, log.name))
    container = started.stdout.strip()
    try:
        _run(["buildah", "run"] + volumes + [container, "--"] + command, log, "the build in the image %s failed" % image)
    finally:
        _succeeds(["buildah", "rm", container])


def _dockerfile(top: str) -> str:
    return os.path.join(top, "dockerfiles", "Dockerfile")


def _succeeds(command: List[str]) -> bool:
    return subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                          check=False).returncode == 0


def _run(command: List[str], log: Any, failure: str) -> None:
    if subprocess.run(command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, check=False).returncode:
        raise BuildError("%s, see %s" % (failure, log.name))
