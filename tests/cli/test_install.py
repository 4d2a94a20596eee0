"""Where engines come from, without any network but loopback: each place, and what stays as it was."""

import json
import os
import shutil
import subprocess
import zipfile

import pytest

from tests.cli.test_engine_trouble import change_manifest, proot_of
from tests.fakes.builds import (bundle_name, bundle_names, embedded_bundle, known_bundles,
                                rebuilt, without_engines)
from tests.fakes.old_tarball import LIBRARIES, make_tarball, static_program
from tests.fakes.registry import FakeRegistry
from tests.fakes.static_server import serving

MACHINE = os.uname().machine


@pytest.fixture
def bare(pyz, engines, udocker, tmp_path):
    """``udocker``, as a build that knows its bundles and carries none."""
    (tmp_path / "bin").mkdir()
    udocker.pyz = without_engines(pyz, tmp_path / "bin" / "udocker")
    return udocker


@pytest.fixture
def bundle(pyz, engines, tmp_path):
    """Path (pathlib.Path) of the bundle for this machine, in a directory of its own."""
    (tmp_path / "bundles").mkdir()
    path = tmp_path / "bundles" / bundle_name(pyz)
    path.write_bytes(embedded_bundle(pyz))
    return path


def install(udocker, *words, **options):
    """Install; it must succeed, say so, and leave nothing but the engines."""
    result = udocker("install", *words, **options)
    assert result.status == 0 and result.out == "" and "installed in" in result.err, result
    require_engines(udocker)
    return result.err


def require_engines(udocker):
    top = os.path.join(udocker.home, ".udocker")
    with open(os.path.join(top, "lib", "engines-%s.json" % MACHINE)) as file:
        manifest = json.load(file)
    for name, entry in manifest["files"].items():
        assert os.path.getsize(os.path.join(top, name)) == entry["size"]
    for room in ("bin", "lib", "doc"):
        assert [name for name in os.listdir(os.path.join(top, room)) if name[0] == "."] == [
            ".lock"] * (room == "lib")


@pytest.mark.shows("install")
def test_from_the_program_itself(udocker, engines):
    assert "from this program" in install(udocker)


def test_from_beside_the_program(bare, bundle, tmp_path):
    shutil.copy(str(bundle), str(tmp_path / "bin"))
    assert "from %s" % (tmp_path / "bin" / bundle.name) in install(bare)
    shutil.rmtree(os.path.join(bare.home, ".udocker"))
    os.symlink(bare.pyz, str(tmp_path / "link"))
    bare.pyz = str(tmp_path / "link")
    install(bare)


def test_from_a_file_a_directory_and_a_file_url(bare, bundle):
    install(bare, "--from", bundle)
    install(bare, "--from", bundle.parent)
    install(bare, "--from", "file://%s" % bundle)
    renamed = bundle.parent / "engines.tar.gz"
    bundle.rename(renamed)
    assert "Warning" not in install(bare, "--from", renamed)


def test_from_a_real_web_server(bare, bundle):
    with serving(bundle.parent) as url:
        for place in (url, url.rstrip("/"), url + bundle.name):
            assert "from " + place in install(bare, "--from", place)


def test_from_mirrors_in_turn(bare, bundle, tmp_path):
    with serving(bundle.parent) as url, serving(tmp_path / "bin") as empty:
        err = install(bare, env={"UDOCKER_TARBALL": "/nowhere %s %s" % (empty, url)})
    assert "Warning: /nowhere: cannot read it: no such file or directory\n" in err
    assert "Warning: %s: it has no %s\n" % (empty, bundle.name) in err
    assert "from " + url in err


def test_from_where_the_release_is_published(pyz, udocker, bundle, tmp_path):
    with serving(bundle.parent) as url:
        udocker.pyz = without_engines(pyz, tmp_path / "published", base_url=url)
        assert "from " + url in install(udocker)


def test_a_run_installs_from_a_mirror_that_it_knows(bare, bundle, demo_archive):
    bare.ok("load", "-i", demo_archive)
    bare.ok("create", "--name=c", "demo")
    assert "proot is not installed" in bare("run", "c").err
    with serving(bundle.parent) as url:
        assert bare.ok("run", "c", env={"UDOCKER_TARBALL": url}).startswith("Hello")
    assert bare.ok("run", "c").startswith("Hello")


def test_redirects_are_followed(bare, bundle):
    with FakeRegistry() as mirror, FakeRegistry() as storage:
        storage.files["/there"] = bundle.read_bytes()
        mirror.fault("/" + bundle.name, status=302, headers=[("Location", storage.url + "/there")])
        install(bare, "--from", mirror.url)


# What is installed already

@pytest.mark.shows("install --force")
def test_what_is_there_is_not_installed_again(udocker, demo_home):
    before = os.stat(proot_of(demo_home)).st_ino
    assert "are installed in" in udocker("install").err
    assert os.stat(proot_of(demo_home)).st_ino == before
    assert "engines installed" not in install(udocker, "--force")
    assert os.stat(proot_of(demo_home)).st_ino != before


def test_engines_that_are_not_as_they_were_are_installed_again(udocker, demo_home):
    os.unlink(str(demo_home / ".udocker" / "bin" / ("crun-" + MACHINE)))
    install(udocker)
    assert "are installed in" in udocker("install").err


def test_engines_of_a_newer_release_stay(udocker, demo_home):
    change_manifest(demo_home, lambda manifest: manifest.update(version="10.0", bundle="0" * 64,
                                                                program="10.0"))
    assert "10.0 are installed" in udocker("install").err
    assert udocker("run", "c") == (0, udocker("run", "c").out, "")
    assert "engines 2." in install(udocker, "--force")


def test_a_run_replaces_older_engines_by_those_it_carries(udocker, demo_home):
    change_manifest(demo_home, lambda manifest: manifest.update(version="1.9.0", bundle="0" * 64,
                                                                program="1.9.0"))
    first, second = udocker("run", "c"), udocker("run", "c")
    assert first.status == 0 and "engines 2." in first.err and "installed in" in first.err
    assert (second.status, second.err) == (0, "")


def test_a_run_keeps_older_engines_rather_than_ask_a_network(bare, bundle, demo_home):
    change_manifest(demo_home, lambda manifest: manifest.update(version="1.9.0", bundle="0" * 64,
                                                                program="1.9.0"))
    with FakeRegistry() as mirror:
        result = bare("run", "c", env={"UDOCKER_TARBALL": mirror.url})
        assert (result.status, result.err) == (0, "") and mirror.requests == []
    manifest = json.loads((demo_home / ".udocker/lib/engines-{}.json".format(MACHINE)).read_text())
    assert manifest["version"] == "1.9.0" and manifest["program"] != "1.9.0", "it looks only once"


def test_older_engines_run_where_nothing_can_be_written(udocker, demo_home):
    change_manifest(demo_home, lambda manifest: manifest.update(version="1.9.0", bundle="0" * 64,
                                                                program="1.9.0"))
    lib = demo_home / ".udocker" / "lib"
    lib.chmod(0o555)
    try:
        result = udocker("run", "c")
    finally:
        lib.chmod(0o755)
    assert (result.status, result.err) == (0, "") and result.out.startswith("Hello")


# Several architectures

def two_machines(pyz, path, bundle):
    """A build that knows a bundle for this machine and one for another, which is as fake as can be:
    the files of this one under the other's name. Return (its path, the directory of both)."""
    import hashlib
    import io
    import tarfile
    known = known_bundles(pyz)
    other = "aarch64" if MACHINE != "aarch64" else "x86_64"
    name = {"aarch64": "arm64"}.get(other, other)
    entry = known["bundles"][MACHINE]
    path_of_other = str(bundle.parent / entry["file"].replace(MACHINE, other))
    with tarfile.open(str(bundle)) as source, tarfile.open(path_of_other, "w:gz") as target:
        for member in source:
            data = source.extractfile(member).read() if member.isreg() else b""
            if member.name.endswith("lib/engines-%s.json" % MACHINE):
                data = data.replace(MACHINE.encode(), name.encode())
            member.name = member.name.replace(MACHINE, name)
            member.size = len(data)
            target.addfile(member, io.BytesIO(data))
    with open(path_of_other, "rb") as file:
        data = file.read()
    known["bundles"] = {MACHINE: entry}
    known["bundles"][other] = {"file": os.path.basename(path_of_other), "size": len(data),
                               "sha256": hashlib.sha256(data).hexdigest(), "embedded": False}
    return (without_engines(rebuilt(pyz, path, **known), str(path) + "-bare", (MACHINE, other)),
            other, name)


@pytest.mark.shows("install --arch --from --purge")
def test_engines_of_several_architectures_side_by_side(pyz, udocker, bundle, tmp_path):
    udocker.pyz, other, name = two_machines(pyz, tmp_path / "two", bundle)
    err = install(udocker, "--arch", "all", "--from", bundle.parent)
    assert "engines 2.0.0 installed in" in err and "engines 2.0.0 for %s installed in" % other in err
    bin_directory = os.path.join(udocker.home, ".udocker", "bin")
    assert {"crun-" + MACHINE, "crun-" + name} <= set(os.listdir(bin_directory))
    before = sorted(os.listdir(bin_directory))
    # what one has left is not what the other has
    install(udocker, "--purge", "--from", bundle.parent)
    assert sorted(os.listdir(bin_directory)) == before
    shutil.rmtree(os.path.join(udocker.home, ".udocker"))
    udocker.ok("install", "--arch=" + name, "--from", bundle.parent)
    assert all(name in file for file in os.listdir(bin_directory))


def test_an_architecture_may_be_named_as_others_name_it(udocker, engines):
    for name in ("amd64", "x86-64", "X86_64") if MACHINE == "x86_64" else (MACHINE,):
        assert "installed in" in udocker("install", "--force", "--arch", name).err
    result = udocker("install", "--arch=vax")
    assert result.status == 125 and "'vax'" in result.err and MACHINE in result.err
    assert udocker("install", "--arch=,").status == 125


def test_the_bundle_of_another_architecture_is_called_that(pyz, udocker, bundle, tmp_path):
    udocker.pyz, other, _ = two_machines(pyz, tmp_path / "two", bundle)
    wrong = bundle.parent / bundle.name.replace(MACHINE, other)
    result = udocker("install", "--from", wrong)
    assert result.status == 125 and "it is the bundle for %s" % other in result.err


# A mirror

@pytest.mark.shows("mirror --from", "mirror")
def test_a_mirror_serves_another_home(udocker, bare, engines, pyz, tmp_path):
    mirror = tmp_path / "mirror"
    udocker.pyz = pyz
    said = udocker("mirror", mirror)
    assert said.status == 0 and said.out == "" and "python3 -m http.server" in said.err, said
    assert not os.path.exists(os.path.join(udocker.home, ".udocker"))
    assert sorted(os.listdir(str(mirror))) == sorted(
        [".lock", "SHA256SUMS", "index.html", "udocker-engines.json"] + bundle_names(pyz))
    subprocess.check_call(["sha256sum", "-c", "--quiet", "SHA256SUMS"], cwd=str(mirror))
    bare.pyz = without_engines(pyz, tmp_path / "bin" / "udocker", known_bundles(pyz)["bundles"])
    with serving(mirror) as url:
        err = install(bare, env={"UDOCKER_TARBALL": url})
        assert "from " + url in err
        # a mirror of the mirror, and of the directory
        assert bare("mirror", tmp_path / "second", "--from", url).status == 0
    assert bare("mirror", tmp_path / "third", "--from", mirror).status == 0
    for name in os.listdir(str(mirror)):
        for copy in ("second", "third"):
            assert name == ".lock" or ((tmp_path / copy / name).read_bytes()
                                       == (mirror / name).read_bytes())
    install(bare, "--from", tmp_path / "third")


def test_a_mirror_fetches_what_is_missing_or_wrong_only(bare, bundle, tmp_path):
    mirror = tmp_path / "mirror"
    with FakeRegistry() as server:
        server.files["/" + bundle.name] = bundle.read_bytes()
        for asked in (1, 1):
            assert bare("mirror", mirror, "--from", server.url).status == 0
            assert len(server.asked(bundle.name)) == asked
        (mirror / bundle.name).write_bytes(b"damaged")
        assert bare("mirror", mirror, "--from", server.url).status == 0
    assert (mirror / bundle.name).read_bytes() == bundle.read_bytes()
    assert (mirror / bundle.name).stat().st_mode & 0o777 == 0o644


@pytest.mark.shows("mirror --arch")
def test_a_mirror_of_what_cannot_be_had_lists_what_there_is(pyz, udocker, bundle, tmp_path):
    udocker.pyz, other, _ = two_machines(pyz, tmp_path / "two", bundle)
    (bundle.parent / bundle.name.replace(MACHINE, other)).unlink()
    result = udocker("mirror", tmp_path / "mirror", "--from", bundle.parent)
    assert result.status == 125 and other in result.err and result.err.count("Error") == 1
    index = json.loads((tmp_path / "mirror" / "udocker-engines.json").read_text())
    assert list(index["bundles"]) == [MACHINE] and (tmp_path / "mirror" / bundle.name).exists()
    assert udocker("mirror", tmp_path / "one", "--arch", MACHINE, "--from", bundle.parent).status == 0


def test_a_mirror_needs_to_know_what_is_right(pyz, udocker, tmp_path):
    udocker.pyz = rebuilt(pyz, tmp_path / "unknowing", bundles={})
    result = udocker("mirror", tmp_path / "mirror")
    assert result.status == 125 and "knows no bundles" in result.err
    assert not (tmp_path / "mirror").exists()


# Tarballs of udocker 1.3.x

def wrapper(program):
    return b'#!/bin/sh\nexec %s "$@"\n' % os.fsencode(program)


def test_a_tarball_of_udocker_13_is_taken_and_believed_nothing(pyz, bare, demo_home, tmp_path):
    good = tmp_path / "good"
    shutil.move(str(demo_home / ".udocker" / "bin"), str(good))
    shutil.rmtree(str(demo_home / ".udocker" / "lib"))
    program = static_program(tmp_path)
    tarball = make_tarball(tmp_path / "udocker-englib-1.2.11.tar.gz", program,
                           wrapper(good / ("proot-" + MACHINE)))
    result = bare("install", "--from", tarball)
    assert result.status == 0 and "Warning: nothing can verify" in result.err
    top = demo_home / ".udocker"
    assert (top / "lib" / "VERSION").read_text() == "1.2.11\n"
    assert (top / "bin" / "runc-x86_64").read_bytes() == program
    for name in LIBRARIES:
        assert (top / "lib" / name).read_bytes() == b"\x7fELF a library"
    assert (top / "lib" / "libfakechroot-Red-7-x86_64.so").is_symlink()
    # it is seen to contain, and then used: the one for kernels of today
    assert bare.ok("run", "c").startswith("Hello")
    assert "proot-%s-4_8_0 " % MACHINE in (top / "lib" / "contained-proots").read_text()
    # one that does not contain is refused, wherever it came from
    make_tarball(tarball, program, wrapper("/bin/true"))
    assert bare("install", env={"UDOCKER_TARBALL": tarball}).status == 0
    result = bare("run", "c")
    assert result.status == 125 and "does not keep" in result.err
    # our own take their place where there are some
    bare.pyz = pyz
    assert bare.ok("run", "c").startswith("Hello")
    require_engines(bare)


def test_a_tarball_of_udocker_13_from_a_mirror(bare, tmp_path):
    make_tarball(tmp_path / "udocker-englib-1.2.11.tar.gz", b"program", b"proot")
    with serving(tmp_path) as url:
        result = bare("install", env={"UDOCKER_TARBALL": url + "udocker-englib-1.2.11.tar.gz"})
    assert result.status == 0 and "tarball of udocker 1.3.x" in result.err


def test_a_tarball_of_udocker_13_may_not_take_the_name_of_ours(bare, bundle):
    make_tarball(bundle, b"program", b"proot")
    result = bare("install", "--from", bundle)
    assert result.status == 125 and "SHA256" in result.err
    assert os.listdir(os.path.join(bare.home, ".udocker", "lib")) == [".lock"]


def test_a_build_that_knows_no_bundles_takes_one_with_a_warning(pyz, udocker, bundle, tmp_path):
    with zipfile.ZipFile(pyz) as archive:
        assert archive.testzip() is None
    udocker.pyz = rebuilt(pyz, tmp_path / "unknowing", bundles={})
    assert "Warning: nothing can verify" in install(udocker, "--from", bundle)
    assert "are installed" in udocker("install").err
