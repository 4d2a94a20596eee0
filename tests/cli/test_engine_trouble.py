"""Engines that are missing, foreign, not to be trusted, or forbidden by the kernel."""

import json
import os
import shutil
import stat
import subprocess
import sys

import pytest

from udocker import __version__

DENY = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "fakes", "deny.py")

#: A PRoot that leaves the program on the host: it drops all that PRoot is told, and runs the rest.
UNCONTAINED = """#!/bin/sh
while [ $# -gt 0 ]; do
    case "$1" in
        -b|-r|-w|-k|-i|-p) shift 2 ;;
        -*) shift ;;
        *) break ;;
    esac
done
exec "$@"
"""


def proot_of(home):
    return str(home / ".udocker" / "bin" / ("proot-" + os.uname().machine))


def no_bundle(home):
    """The environment in which udocker does not help itself to its own engines."""
    (home / ".udocker" / "udocker.conf").write_text("[DEFAULT]\nautoinstall = False\n")
    return {}


def refused(result, *words):
    assert result.status == 125 and result.out == "", result
    lines = [line for line in result.err.split("\n") if line and not line.startswith("Info: ")]
    assert len(lines) == 1, result.err
    for word in words:
        assert word in lines[0], lines[0]


def below_a_filter(udocker, calls, *words):
    """Run udocker where the kernel refuses ``calls``; return (status, stdout, stderr)."""
    done = subprocess.run([sys.executable, DENY, calls] + udocker.command(*words),
                          env=udocker.environment(), stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
    return done.returncode, done.stdout.decode("utf-8"), done.stderr.decode("utf-8")


def test_engines_that_were_deleted_come_back(udocker, demo_home):
    shutil.rmtree(str(demo_home / ".udocker" / "bin"))
    result = udocker("run", "c")
    assert result.status == 0 and result.out.startswith("Hello")
    assert "installed" in result.err


def test_an_engine_that_was_changed_is_replaced(udocker, demo_home):
    with open(proot_of(demo_home), "ab") as file:
        file.write(b"x")
    size = os.path.getsize(proot_of(demo_home))
    assert udocker("run", "c").status == 0
    assert os.path.getsize(proot_of(demo_home)) == size - 1


def test_an_engine_that_was_copied_without_its_time_is_still_known(udocker, demo_home):
    os.utime(proot_of(demo_home), (1, 1))
    no_bundle(demo_home)
    result = udocker("run", "c")
    assert result.status == 0 and result.err == ""


def test_a_missing_engine_is_named_with_what_to_do(udocker, demo_home):
    shutil.rmtree(str(demo_home / ".udocker" / "bin"))
    refused(udocker("run", "c", env=no_bundle(demo_home)), "proot", "'udocker install'")


def test_an_engine_that_cannot_be_executed_is_named(udocker, demo_home):
    os.chmod(proot_of(demo_home), 0o644)
    refused(udocker("run", "c"), "proot", "cannot be executed", "install --force")
    assert udocker("install", "--force").status == 0
    assert udocker("run", "c").status == 0


def test_a_foreign_proot_that_contains_is_used_and_remembered(udocker, demo_home):
    foreign = str(demo_home / "elsewhere" / "proot")
    os.mkdir(os.path.dirname(foreign))
    for suffix in ("", "-loader", "-loader32"):
        shutil.copy(proot_of(demo_home) + suffix, foreign + suffix)
    result = udocker("run", "c", env={"UDOCKER_USE_PROOT_EXECUTABLE": foreign})
    assert result.status == 0 and result.out.startswith("Hello"), result.err
    known = (demo_home / ".udocker" / "lib" / "contained-proots").read_text()
    assert known.startswith(foreign + " ")


def test_a_foreign_proot_that_leaves_programs_on_the_host_is_refused(udocker, demo_home):
    foreign = demo_home / "proot"
    foreign.write_text(UNCONTAINED)
    foreign.chmod(0o755)
    environment = {"UDOCKER_USE_PROOT_EXECUTABLE": str(foreign)}
    refused(udocker("run", "c", env=environment), str(foreign), "does not keep")
    assert not os.path.exists(str(demo_home / ".udocker" / "lib" / "contained-proots"))


def test_a_proot_of_path_is_only_a_last_resort_and_is_probed_too(udocker, demo_home, tmp_path):
    (tmp_path / "proot").write_text(UNCONTAINED)
    (tmp_path / "proot").chmod(0o755)
    path = {"PATH": str(tmp_path) + ":/usr/bin:/bin"}
    assert udocker("run", "c", env=path).status == 0
    shutil.rmtree(str(demo_home / ".udocker" / "bin"))
    no_bundle(demo_home)
    refused(udocker("run", "c", env=path), "does not keep")


def test_an_engine_that_is_configured_and_not_there_is_named(udocker, demo_home):
    refused(udocker("run", "c", env={"UDOCKER_USE_PROOT_EXECUTABLE": "/nope/proot"}), "/nope/proot")


def test_where_ptrace_is_forbidden_it_is_said(udocker, demo_home):
    status, out, err = below_a_filter(udocker, "ptrace", "run", "c")
    assert (status, out) == (125, "")
    assert err.count("\n") == 1 and "ptrace is forbidden" in err and "--execmode=auto" in err


def test_where_user_namespaces_are_forbidden_it_is_said(udocker, demo_home):
    status, out, err = below_a_filter(udocker, "unshare", "run", "--execmode=R1", "c")
    assert (status, out) == (125, "")
    assert err.count("\n") == 1 and "no user namespaces" in err


@pytest.mark.parametrize("calls, mode", [("ptrace", "R1"), ("unshare", "P1")])
def test_auto_finds_what_is_allowed(udocker, demo_home, calls, mode):
    status, out, err = below_a_filter(udocker, calls, "run", "--execmode=auto", "c", "env")
    assert status == 0, err
    assert "container_execmode=" + mode in out


def test_where_nothing_is_allowed_each_reason_is_said(udocker, demo_home):
    status, out, err = below_a_filter(udocker, "ptrace,unshare", "run", "--execmode=auto", "c")
    assert (status, out) == (125, "")
    assert "ptrace is forbidden" in err and "no user namespaces" in err


@pytest.mark.parametrize("damage, words", [
    (lambda data: data[:-1000], ["damaged"]),
    (lambda data: data[:5000] + b"\0" * 100 + data[5100:], ["damaged", "manifest"]),
    (lambda data: b"", ["damaged"]),
    (lambda data: b"not a bundle", ["damaged"]),
])
def test_a_bundle_that_is_damaged_leaves_the_engines_that_work(udocker, demo_home, tmp_path, damage,
                                                               words, pyz):
    bundle = tmp_path / "bundle.tar.gz"
    bundle.write_bytes(damage(embedded_bundle(pyz)))
    result = udocker("install", "--from", bundle)
    assert result.status == 125
    # this program knows the digest of its own bundle, so that comes first
    assert "SHA256" in result.err
    assert udocker("run", "c").status == 0


def test_the_right_bundle_is_taken_from_a_file_and_a_directory(udocker, home, tmp_path, pyz):
    name = "udocker-engines-%s-%s.tar.gz" % (__version__, os.uname().machine)
    (tmp_path / name).write_bytes(embedded_bundle(pyz))
    assert udocker("install", "--from", tmp_path / name).status == 0
    assert udocker("install", "--force", "--from", tmp_path).status == 0
    assert os.stat(proot_of(home)).st_mode & stat.S_IXUSR
    hidden = [name for name in os.listdir(str(home / ".udocker" / "lib")) if name.startswith(".")]
    assert hidden == [".lock"]


def test_purge_removes_the_engines_and_nothing_else(udocker, demo_home):
    ours = demo_home / ".udocker" / "bin" / "my-own"
    ours.write_text("keep me")
    assert udocker("install", "--purge").status == 0
    assert ours.read_text() == "keep me" and os.path.exists(proot_of(demo_home))


def change_manifest(home, change):
    path = home / ".udocker" / "lib" / ("engines-%s.json" % os.uname().machine)
    manifest = json.loads(path.read_text())
    change(manifest)
    path.write_text(json.dumps(manifest))


@pytest.mark.shows("install --purge")
def test_purge_removes_what_an_older_bundle_had(udocker, demo_home):
    old = demo_home / ".udocker" / "bin" / "old-engine"
    old.write_text("of an older release")
    change_manifest(demo_home, lambda manifest: manifest["files"].update({"bin/old-engine": {}}))
    assert udocker("install", "--purge").status == 0
    assert not old.exists() and udocker("run", "c").status == 0


def test_engines_of_another_release_are_replaced_by_install(udocker, demo_home):
    assert "are installed" in udocker("install").err
    change_manifest(demo_home, lambda manifest: manifest.update(bundle="0" * 64))
    assert "installed in" in udocker("install").err
    assert "are installed" in udocker("install").err


def embedded_bundle(pyz):
    import zipfile
    with zipfile.ZipFile(pyz) as archive:
        name, = [name for name in archive.namelist() if name.startswith("udocker/engine/bundles/")
                 and name.endswith("-%s.tar.gz" % os.uname().machine)]
        return archive.read(name)
