"""Engines from servers and disks that do wrong: one line, and what worked before still works."""

import fcntl
import io
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import tarfile
import termios
import time

import pytest

from tests.cli.test_engine_trouble import proot_of, refused
from tests.cli.test_interrupted import STRACE, traced
from tests.fakes.builds import (bundle_name, embedded_bundle, known_bundles, rebuilt,
                                without_engines)
from tests.fakes.certificates import make_certificate
from tests.fakes.registry import FakeRegistry

MACHINE = os.uname().machine


@pytest.fixture
def bare(pyz, engines, udocker, tmp_path):
    """``udocker``, as a build that knows its bundles and carries none."""
    udocker.pyz = without_engines(pyz, tmp_path / "udocker")
    return udocker


@pytest.fixture
def server(pyz, engines):
    """A server with the bundle for this machine."""
    with FakeRegistry() as running:
        running.files["/" + bundle_name(pyz)] = embedded_bundle(pyz)
        yield running


def left_over(udocker):
    """What an installation left that no engine is."""
    top = os.path.join(udocker.home, ".udocker")
    return [name for room in ("bin", "lib", "doc") if os.path.isdir(os.path.join(top, room))
            for name in os.listdir(os.path.join(top, room)) if name[0] == "." and name != ".lock"]


def fails(udocker, place, *words):
    """Install from ``place``: one line with ``words``, and no engine and no debris."""
    refused(udocker("install", "--from", place), *words)
    assert left_over(udocker) == []
    assert not os.path.exists(os.path.join(udocker.home, ".udocker", "bin"))


# Servers

@pytest.mark.parametrize("fault, words", [
    (dict(status=403), ["answers with status 403"]),
    (dict(status=404), ["it has no udocker-engines-"]),
    (dict(flip=5000), ["has the digest sha256:", "what came for sha256:"]),
    (dict(short=10), ["bytes"]),
    (dict(extra=b"more"), ["bytes"]),
    (dict(status=200, body=b"<html>log in</html>"), ["bytes"]),
    (dict(status=302, headers=[("Location", "ftp://elsewhere/")]), ["redirects to where"]),
    (dict(status=302, headers=[("Location", "/udocker-engines-")]), ["redirects too often"]),
    (dict(endless=True), ["bytes"]),
])
def test_a_mirror_that_does_wrong(bare, server, fault, words):
    server.fault("udocker-engines-", **fault)
    fails(bare, server.url, server.url, *words)


def test_a_mirror_that_is_gone(bare):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        fails(bare, "http://127.0.0.1:%d/" % free.getsockname()[1], "refused")
    fails(bare, "gopher://somewhere/", "not http or https")


def test_a_mirror_that_says_nothing_is_waited_for_as_configured(bare, server):
    os.mkdir(os.path.join(bare.home, ".udocker"))
    with open(os.path.join(bare.home, ".udocker", "udocker.conf"), "w") as file:
        file.write("[DEFAULT]\ntimeout = 1\n")
    server.fault("udocker-engines-", delay=10)
    refused(bare("install", "--from", server.url), "no answer in time")


def test_a_redirect_from_https_to_http_is_not_followed(bare, server, tmp_path):
    if not shutil.which("openssl"):
        pytest.skip("the program openssl is not installed")
    certificate = make_certificate(tmp_path)
    with FakeRegistry(certificate=certificate, name="localhost") as secure:
        secure.fault("udocker-engines-", status=302,
                     headers=[("Location", server.url + "/" + bundle_name(bare.pyz))])
        result = bare("install", "--from", secure.url, env={"SSL_CERT_FILE": certificate[0]})
    refused(result, "redirects from https to http")
    assert server.requests == []


def test_a_mirror_of_another_release_says_which(pyz, udocker, server, tmp_path):
    known = known_bundles(pyz)
    assert udocker("mirror", tmp_path / "mirror").status == 0
    server.files["/udocker-engines.json"] = (tmp_path / "mirror/udocker-engines.json").read_bytes()
    for entry in known["bundles"].values():
        entry.update(file=entry["file"].replace(known["version"], "2.1.0"), embedded=False)
    udocker.pyz = rebuilt(pyz, tmp_path / "later", version="2.1.0", bundles=known["bundles"])
    said = "it has the engines '%s', this udocker wants 2.1.0" % known["version"]
    for place in (server.url, server.url + "/udocker-engines-2.1.0-%s.tar.gz" % MACHINE,
                  tmp_path / "mirror"):
        fails(udocker, place, said)
    server.files["/udocker-engines.json"] = b"{"
    fails(udocker, server.url, "it has no udocker-engines-2.1.0-")


def test_each_place_that_failed_is_named_in_one_line(bare, server):
    server.fault("udocker-engines-", status=403)
    result = bare("install", env={"UDOCKER_TARBALL": "/nowhere %s" % server.url})
    refused(result, "/nowhere: cannot read it", server.url + ": it answers with status 403")


def test_a_tampered_mirror_is_told_about_when_another_one_is_right(bare, server):
    with FakeRegistry() as tampered:
        tampered.files.update(server.files)
        tampered.fault("udocker-engines-", flip=5000)
        result = bare("install", env={"UDOCKER_TARBALL": "%s,%s" % (tampered.url, server.url)})
    assert result.status == 0 and left_over(bare) == []
    assert "Warning: %s: what came for sha256:" % tampered.url in result.err


# Downloads that break off

def ranges(server):
    return [request.headers.get("range") for request in server.asked("udocker-engines-")]


@pytest.mark.parametrize("fault", [{}, {"ignore_range": True}, {"refuse_range": True},
                                   {"wrong_range": True}, {"flip": 5, "times": 1}])
def test_the_next_run_goes_on_where_the_last_one_broke_off(bare, server, fault):
    server.fault("udocker-engines-", cut=100000)
    refused(bare("install", "--from", server.url), "broke off")
    partial, = left_over(bare)
    assert partial.endswith(".part") and len(server.requests) > 1
    del server.requests[:], server.faults[:]
    if fault:
        server.fault("udocker-engines-", only_range=True, **fault)
    assert bare("install", "--from", server.url).status == 0
    assert ranges(server)[0].startswith("bytes=") and left_over(bare) == []
    assert os.access(proot_of_home(bare), os.X_OK)


def proot_of_home(udocker):
    return os.path.join(udocker.home, ".udocker", "bin", "proot-" + MACHINE)


def test_a_download_that_was_killed_is_resumed(bare, server):
    server.fault("udocker-engines-", delay=0.2, times=1)
    process = bare.start("install", "--from", server.url, stderr=subprocess.DEVNULL)
    lib = os.path.join(bare.home, ".udocker", "lib")
    for _ in range(200):
        if any(os.path.getsize(os.path.join(lib, name)) for name in left_over(bare)):
            break
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL and left_over(bare)
    assert bare("install", "--from", server.url).status == 0
    assert ranges(server)[1].startswith("bytes=") and left_over(bare) == []


def test_two_at_once_download_once(bare, server):
    server.fault("udocker-engines-", delay=0.1)
    environment = {"UDOCKER_TARBALL": server.url}
    jobs = [bare.start("install", env=environment, stderr=subprocess.PIPE) for _ in range(3)]
    said = [job.communicate()[1].decode("utf-8") for job in jobs]
    assert [job.returncode for job in jobs] == [0, 0, 0]
    assert len(server.asked("udocker-engines-")) == 1, said
    assert len([err for err in said if "waiting for it" in err and "are installed" in err]) == 2


def test_a_terminal_shows_progress(bare, server):
    server.fault("udocker-engines-", delay=0.05)
    master, slave = os.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))
    try:
        process = bare.start("install", "--from", server.url, stderr=slave, env={"TERM": "xterm"})
        os.close(slave)
        shown = b""
        while True:
            try:
                data = os.read(master, 4096)
            except OSError:  # EIO: nobody has the other side any more
                break
            if not data:
                break
            shown += data
        assert process.wait() == 0 and b"%|" in shown, shown
    finally:
        os.close(master)


# Archives

def archive(path, *members):
    """Write a tar of ``members`` ((name, type, linkname or content))."""
    with tarfile.open(str(path), "w:gz") as tar:
        for name, kind, content in members:
            info = tarfile.TarInfo(name)
            info.type = kind
            if kind == tarfile.REGTYPE:
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
            else:
                info.linkname = content
                tar.addfile(info)
    return path


VERSION = ("udocker_dir/lib/VERSION", tarfile.REGTYPE, b"1.2.11\n")
MANIFEST = ("udocker_dir/lib/engines-%s.json" % MACHINE, tarfile.REGTYPE,
            json.dumps({"version": "1", "files": {}}).encode())
HOSTILE = [
    ("udocker_dir/bin/../../../outside", tarfile.REGTYPE, b"x"),
    ("udocker_dir/../outside", tarfile.REGTYPE, b"x"),
    ("/outside", tarfile.REGTYPE, b"x"),
    ("udocker_dir/etc/outside", tarfile.REGTYPE, b"x"),
    ("udocker_dir/bin/link", tarfile.SYMTYPE, "/etc/passwd"),
    ("udocker_dir/bin/link", tarfile.SYMTYPE, "../../../outside"),
    ("udocker_dir/bin/link", tarfile.LNKTYPE, "udocker_dir/lib/VERSION"),
    ("udocker_dir/bin/pipe", tarfile.FIFOTYPE, ""),
    ("udocker_dir/bin/disk", tarfile.BLKTYPE, ""),
]


@pytest.mark.parametrize("number", range(len(HOSTILE)))
@pytest.mark.parametrize("kind", [VERSION, MANIFEST], ids=["1.3.x", "ours"])
def test_an_archive_that_reaches_elsewhere(pyz, engines, udocker, tmp_path, number, kind):
    udocker.pyz = rebuilt(pyz, tmp_path / "unknowing", bundles={})
    path = archive(tmp_path / "engines.tar.gz", kind, HOSTILE[number])
    refused(udocker("install", "--from", path), "strange member")
    assert left_over(udocker) == [] and not (tmp_path / "outside").exists()
    assert os.listdir(os.path.join(udocker.home, ".udocker", "bin")) == []


def test_a_link_has_no_place_in_a_bundle_of_ours(pyz, engines, udocker, tmp_path):
    udocker.pyz = rebuilt(pyz, tmp_path / "unknowing", bundles={})
    path = archive(tmp_path / "engines.tar.gz", MANIFEST,
                   ("udocker_dir/bin/link", tarfile.SYMTYPE, "proot"))
    refused(udocker("install", "--from", path), "strange member")


def test_a_file_through_a_link(pyz, engines, udocker, tmp_path):
    udocker.pyz = rebuilt(pyz, tmp_path / "unknowing", bundles={})
    path = archive(tmp_path / "engines.tar.gz", VERSION,
                   ("udocker_dir/bin/link", tarfile.SYMTYPE, "proot"),
                   ("udocker_dir/bin/link", tarfile.REGTYPE, b"x"))
    assert udocker("install", "--from", path).status == 125 and left_over(udocker) == []


def test_a_bomb(pyz, engines, udocker, tmp_path):
    import gzip
    udocker.pyz = rebuilt(pyz, tmp_path / "unknowing", bundles={})
    with gzip.open(str(tmp_path / "bomb.tar.gz"), "wb", 1) as file:
        info = tarfile.TarInfo("udocker_dir/bin/bomb")
        info.size = 1 << 40
        file.write(info.tobuf())
        for _ in range(64):
            file.write(b"\0" * (1 << 20))
    refused(udocker("install", "--from", tmp_path / "bomb.tar.gz"), "larger than any real one")
    assert left_over(udocker) == []


def test_an_archive_for_another_architecture_of_an_unknown_release(pyz, engines, udocker, tmp_path):
    udocker.pyz = rebuilt(pyz, tmp_path / "unknowing", bundles={})
    path = archive(tmp_path / "engines.tar.gz", VERSION,
                   ("udocker_dir/lib/engines-vax.json", tarfile.REGTYPE, b"{}"))
    refused(udocker("install", "--from", path), "not a bundle of engines for", "but for 'vax'")


@pytest.mark.parametrize("damage", [lambda data: data[:-1000], lambda data: b"",
                                    lambda data: data[:5000] + b"\1" * 100 + data[5100:]])
def test_a_bundle_that_was_changed_tells_both_digests(bare, pyz, tmp_path, damage):
    path = tmp_path / bundle_name(pyz)
    path.write_bytes(damage(embedded_bundle(pyz)))
    expected = known_bundles(pyz)["bundles"][MACHINE]["sha256"]
    fails(bare, path, "it has the SHA256", "expected " + expected)
    fails(bare, tmp_path, "it has the SHA256", "expected " + expected)


# Disks

def require_a_run(udocker):
    assert udocker.ok("run", "c").startswith("Hello")


@pytest.mark.skipif(STRACE is None, reason="the program strace is not installed")
@pytest.mark.parametrize("error, words", [("ENOSPC", "no space left"), ("EDQUOT", "quota"),
                                          ("EIO", "input/output")])
def test_a_disk_that_fails_leaves_the_engines_that_work(udocker, demo_home, error, words):
    failed = 0
    for call in ("write", "fsync", "rename", "mkdir"):
        for number in (1, 4, 9):
            status, err = traced(udocker, ["install", "--force"],
                                 "%s:error=%s:when=%d" % (call, error, number))
            lines = [line for line in err.split("\n") if line and not line.startswith("Info: ")]
            if status:
                failed += 1
                assert status == 125 and len(lines) <= 1, (call, number, err)
                assert not lines or words in lines[0].lower(), (call, number, err)
                assert left_over(udocker) == [], (call, number)
            require_a_run(udocker)
    assert failed >= 5


def mounted(udocker, options, script):
    """Run ``script`` (of sh) with a tmpfs on the user's ~/.udocker; return (status, stdout, stderr)."""
    if shutil.which("unshare") is None or subprocess.call(
            ["unshare", "-rm", "true"], stderr=subprocess.DEVNULL):
        pytest.skip("no user namespaces here, in which to mount something")
    os.makedirs(os.path.join(udocker.home, ".udocker"), exist_ok=True)
    script = 'mount -t tmpfs -o %s none "$HOME/.udocker" || exit 99\n%s' % (options, script)
    done = subprocess.run(["unshare", "-rm", "sh", "-c", script, udocker.pyz, "--allow-root"],
                          env=udocker.environment(), stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
    assert done.returncode != 99, done.stderr
    return done.returncode, done.stdout.decode("utf-8"), done.stderr.decode("utf-8")


@pytest.mark.parametrize("size", ["100k", "1200k", "2400k"])
def test_a_disk_that_is_full(udocker, engines, size):
    status, there, err = mounted(udocker, "size=" + size, '"$0" "$1" install; status=$?\n'
                                 'find "$HOME/.udocker"; exit $status')
    assert status == 125 and err.count("Error: ") == 1 and "o space left on device" in err
    assert "/lib/.lock\n" in there and ".partial" not in there and ".making" not in there


def test_a_disk_that_executes_nothing(udocker, engines, tmp_path):
    other = str(tmp_path / "bin")
    status, _, err = mounted(udocker, "noexec,size=64m", '"$0" "$1" install\n'
                             'UDOCKER_BIN=%s "$0" "$1" install' % other)
    assert status == 0 and err.count("Warning: ") == 1
    warning, = [line for line in err.split("\n") if line.startswith("Warning: ")]
    assert "noexec" in warning and "UDOCKER_BIN" in warning
    # across file systems: nothing is renamed from one to the other
    assert os.access(os.path.join(other, "proot-" + MACHINE), os.X_OK)


def test_a_directory_that_is_read_only(udocker, demo_home):
    lib = demo_home / ".udocker" / "lib"
    lib.chmod(0o555)
    try:
        assert "are installed" in udocker("install").err
        refused(udocker("install", "--force"), "permission denied")
    finally:
        lib.chmod(0o755)
    require_a_run(udocker)
    assert os.access(proot_of(demo_home), os.X_OK)
