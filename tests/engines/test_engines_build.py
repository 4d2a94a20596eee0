"""engines-build/build.py: what it does with bad input, and what a bundle is. Nothing is compiled here."""
import gzip
import hashlib
import io
import json
import os
import re
import shutil
import stat
import subprocess
import sys
import tarfile

import pytest

from tests.engines.conftest import BUILD, MACHINE, TOP

FOLDER = os.path.join(TOP, "engines-build")
# A port on which nothing listens: the connection is refused at once.
NOWHERE = "http://127.0.0.1:1/archive"


def build(tmp_path, *arguments, **variables):
    environment = dict(os.environ, XDG_CACHE_HOME=str(tmp_path / "cache"), PYTHONDONTWRITEBYTECODE="1")
    for name in ("UDOCKER_DEBIAN_ARCHIVE", "UDOCKER_SOURCES"):
        environment.pop(name, None)
    environment.update(variables)
    return subprocess.run([sys.executable, BUILD] + list(arguments or (MACHINE, "--output", str(tmp_path / "out"), "--toolchain", "host")),
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True, env=environment, timeout=120)


@pytest.fixture
def compiler():
    if not shutil.which("gcc") or not shutil.which("patch") or not shutil.which("make"):
        pytest.skip("no gcc, make and patch: what comes after finding them cannot be reached")


def refused(done, tmp_path, *words):
    """One line of reason, no result, and nothing half done."""
    assert done.returncode != 0
    assert done.stdout == ""
    lines = [line for line in done.stderr.splitlines() if not line.startswith("fetching ")]
    assert len(lines) == 1 and lines[0].startswith("build.py: error: "), done.stderr
    for word in words:
        assert word in lines[0]
    left = [name for folder in ("out", "cache") for _, _, names in os.walk(str(tmp_path / folder)) for name in names]
    assert left == []


def test_no_network_is_one_line(compiler, tmp_path):
    refused(build(tmp_path, UDOCKER_DEBIAN_ARCHIVE=NOWHERE), tmp_path, "cannot fetch musl", NOWHERE)


def test_a_wrong_digest_is_one_line_and_nothing_is_unpacked(compiler, tmp_path):
    (tmp_path / "sources").mkdir()
    (tmp_path / "sources" / "musl_1.2.5.orig.tar.gz").write_bytes(b"not what was pinned")
    digest = hashlib.sha256(b"not what was pinned").hexdigest()
    refused(build(tmp_path, UDOCKER_SOURCES=str(tmp_path / "sources")), tmp_path, "cannot fetch musl", digest, "sources.lock says")


def test_a_file_in_the_cache_that_was_changed_is_not_used(compiler, tmp_path):
    with open(os.path.join(FOLDER, "sources.lock")) as lock:
        pinned = re.search(r"^musl .* ([0-9a-f]{64})$", lock.read(), re.M).group(1)
    downloads = tmp_path / "cache" / "udocker-build" / "downloads"
    downloads.mkdir(parents=True)
    (downloads / pinned).write_bytes(b"changed")
    refused(build(tmp_path, UDOCKER_DEBIAN_ARCHIVE=NOWHERE), tmp_path, "cannot fetch musl")


def test_a_source_that_is_missing_where_it_should_be_is_one_line(compiler, tmp_path):
    (tmp_path / "sources").mkdir()
    refused(build(tmp_path, UDOCKER_SOURCES=str(tmp_path / "sources")), tmp_path, "musl_1.2.5.orig.tar.gz: No such file")


def test_no_archive_at_all_is_one_line(compiler, tmp_path):
    tools = tmp_path / "tools"  # all that is needed, and neither apt nor debootstrap
    tools.mkdir()
    for name in ("gcc", "ar", "ranlib", "strip", "objcopy", "objdump", "ld", "as", "make", "patch", "sh"):
        os.symlink(shutil.which(name), str(tools / name))
    done = build(tmp_path, PATH=str(tools))
    if "fetching" in done.stderr:
        pytest.skip("debootstrap is installed, so there is an archive")
    refused(done, tmp_path, "UDOCKER_DEBIAN_ARCHIVE", "UDOCKER_SOURCES")


def test_no_compiler_is_one_line(tmp_path):
    (tmp_path / "empty").mkdir()
    refused(build(tmp_path, PATH=str(tmp_path / "empty")), tmp_path, "missing for", "gcc", "make", "patch")


def test_a_directory_that_cannot_be_written_to_is_one_line(tmp_path):
    refused(build(tmp_path, MACHINE, "--output", "/proc/self/out"), tmp_path, "/proc/self/out")


def test_an_unknown_architecture_is_one_line(tmp_path):
    refused(build(tmp_path, "vax", "--output", str(tmp_path / "out")), tmp_path, "vax", "x86_64", "aarch64")


@pytest.fixture
def builder(monkeypatch):
    monkeypatch.syspath_prepend(FOLDER)
    import builder
    return builder


def test_the_lock_pins_every_source_of_every_recipe(builder):
    from builder import recipe, sources
    lock = sources.read_lock(os.path.join(FOLDER, "sources.lock"))
    used = set()
    for name in os.listdir(FOLDER):
        if os.path.exists(os.path.join(FOLDER, name, "recipe.json")):
            loaded = recipe.load(os.path.join(FOLDER, name))
            assert loaded.source in loaded.sources
            used |= set(loaded.sources)
    assert used == set(lock)
    for source in lock.values():
        assert source.path.startswith("pool/main/") and ".." not in source.path


@pytest.mark.parametrize("line", ("musl trixie 1.2.5 MIT pool/x", "musl trixie 1.2.5 MIT pool/x 12ab", "musl"))
def test_a_damaged_lock_names_the_line(line, builder, tmp_path):
    from builder import BuildError, sources
    path = tmp_path / "sources.lock"
    path.write_text("# comment\n\n" + line + "\n")
    with pytest.raises(BuildError, match="line 3"):
        sources.read_lock(str(path))


@pytest.mark.parametrize("name, kind, link", (
    ("top/../../out", tarfile.REGTYPE, ""), ("top/link", tarfile.SYMTYPE, "/etc/passwd"), ("top/link", tarfile.SYMTYPE, "../../x"),
    ("top/hard", tarfile.LNKTYPE, "top/../../x")))
def test_a_source_archive_stays_in_its_directory(name, kind, link, builder, tmp_path):
    from builder import BuildError, unpack
    path = str(tmp_path / "source.tar.gz")
    with tarfile.open(path, "w:gz") as archive:
        entry = tarfile.TarInfo(name)
        entry.type, entry.linkname = kind, link
        archive.addfile(entry)
    with pytest.raises(BuildError):
        unpack.unpack(path, str(tmp_path / "unpacked" / "here"))
    assert sorted(os.listdir(str(tmp_path))) == ["source.tar.gz", "unpacked"]


def test_every_patch_says_why_and_under_which_licence():
    for folder, _, names in os.walk(FOLDER):
        for name in names:
            if name.endswith(".patch"):
                assert re.match(r"\d{4}-[a-z0-9-]+\.patch$", name)
                with open(os.path.join(folder, name)) as text:
                    header = text.read().split("\n--- ")[0]
                assert "\nLicense: GPL-2.0-or-later\n" in header
                assert len(header) > 120, name


def test_a_bundle_is_what_its_manifest_says(engines):
    names = {"aarch64": "arm64"}.get(MACHINE, MACHINE)
    with open(os.path.join(engines, "lib", "engines-%s.json" % names)) as text:
        manifest = json.load(text)
    with open(os.path.join(FOLDER, "VERSION")) as text:
        version = text.read().strip()
    assert (manifest["format"], manifest["version"], manifest["arch"]) == (1, version, names)
    assert re.match(r"[0-9a-f]{64}$", manifest["inputs"])
    found = {os.path.relpath(os.path.join(folder, name), engines)
             for folder, _, files in os.walk(engines) for name in files}
    assert found - {"lib/engines-%s.json" % names} == set(manifest["files"])
    for name, entry in manifest["files"].items():
        path = os.path.join(engines, name)
        with open(path, "rb") as content:
            data = content.read()
        assert (len(data), hashlib.sha256(data).hexdigest()) == (entry["size"], entry["sha256"])
        assert stat.S_IMODE(os.stat(path).st_mode) == (0o755 if name.startswith("bin/") else 0o644)
        if name.startswith("bin/"):
            assert entry["engine"] and entry["version"] and entry["licence"]
            assert data[:4] == b"\x7fELF"
            assert b"/cache/tmp/" not in data and b"udocker-build/tmp" not in data  # no path of the build
    with open(os.path.join(engines, "lib", "VERSION")) as text:
        assert text.read() == version + "\n"


def test_a_bundle_of_the_same_engines_is_the_same_bytes(builder, tmp_path):
    from builder import bundle, recipe, sources, toolchain
    lock = sources.read_lock(os.path.join(FOLDER, "sources.lock"))
    target = toolchain.target_named("x86_64")
    loaded = recipe.load(os.path.join(FOLDER, "musl"))  # it installs nothing: only texts are bundled
    made = []
    for name in ("one", "two"):
        built = tmp_path / name / "musl-x86_64-0123"
        (built / "licences").mkdir(parents=True)
        for licence in loaded.licences:
            (built / "licences" / licence).write_text("licence")
        path = str(tmp_path / (name + ".tar.gz"))
        bundle.write(path, [bundle.Engine(loaded, str(built))], "1.0", target, lock)
        with open(path, "rb") as content:
            made.append(content.read())
    assert made[0] == made[1]
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(made[0]))) as archive:
        members = archive.getmembers()
    assert [member.name for member in members if member.isfile()] == sorted(member.name for member in members if member.isfile())
    assert {(member.uid, member.gid, member.uname, member.gname) for member in members} == {(0, 0, "", "")}
    assert len({member.mtime for member in members}) == 1


@pytest.mark.parametrize("name, words", (("/bin/sh", "it names a dynamic loader"), (os.path.join(FOLDER, "VERSION"), "not a little-endian ELF")))
def test_a_program_that_is_not_static_is_refused(name, words, builder):
    from builder import BuildError, elf, toolchain
    with pytest.raises(BuildError, match=words):
        elf.check_static(os.path.realpath(name), toolchain.target_named(MACHINE).elf)


def test_a_key_changes_with_every_input(builder, tmp_path):
    from builder import recipe, sources, toolchain
    lock = sources.read_lock(os.path.join(FOLDER, "sources.lock"))
    copy = str(tmp_path / "crun")
    shutil.copytree(os.path.join(FOLDER, "crun"), copy)
    tools = toolchain.Tools(toolchain.target_named("x86_64"), True, {}, "a toolchain")
    key = lambda: recipe.key(recipe.load(copy), lock, tools, {})  # noqa: E731
    seen = [key()]
    assert key() == seen[0]
    for change in ("README.md", "build.sh", "patches/" + os.listdir(os.path.join(copy, "patches"))[0]):
        with open(os.path.join(copy, change), "a") as text:
            text.write("\n")
        seen.append(key())
    assert seen[1] == seen[0], "a README is no input"
    assert len(set(seen)) == 3
    tools = tools._replace(fingerprint="another toolchain")
    seen.append(key())
    lock["crun"] = lock["crun"]._replace(sha256="0" * 64)
    seen.append(key())
    assert len(set(seen)) == 5
