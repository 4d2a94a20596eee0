"""engines-build/build.py: what it does with bad input, and what a bundle is. Nothing is compiled here."""
import gzip
import hashlib
import io
import json
import os
import re
import shutil
import stat
import struct
import subprocess
import sys
import tarfile

import pytest

from tests.engines.conftest import BUILD, MACHINE, NAME, TOP

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
    missing = [name for name in ("gcc", "g++", "nasm", "make", "patch") if not shutil.which(name)]
    if missing:
        pytest.skip("no %s: what comes after finding the toolchain cannot be reached" % ", ".join(missing))


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
    for name in ("gcc", "g++", "nasm", "ar", "ranlib", "strip", "objcopy", "objdump", "ld", "as", "make", "patch", "sh"):
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
            for machine in ("x86_64", "aarch64"):
                loaded = recipe.load(os.path.join(FOLDER, name), machine)
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


def test_a_debian_package_is_unpacked_as_its_data(builder, tmp_path):
    from builder import BuildError, unpack
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:xz") as archive:
        entry = tarfile.TarInfo("./usr/bin/program")
        entry.size, entry.mode = 3, 0o755
        archive.addfile(entry, io.BytesIO(b"abc"))

    def member(name, content):
        return b"%-16s%-12d%-6d%-6d%-8s%-10d`\n" % (name, 0, 0, 0, b"100644", len(content)) + content + b"\n" * (len(content) % 2)

    package = b"!<arch>\n" + member(b"debian-binary", b"2.0\n") + member(b"control.tar.xz", b"odd")
    path = tmp_path / "package"
    path.write_bytes(package + member(b"data.tar.xz", data.getvalue()))
    unpack.unpack(str(path), str(tmp_path / "out"), ["usr/bin"])
    assert (tmp_path / "out" / "usr" / "bin" / "program").read_bytes() == b"abc"
    path.write_bytes(package)
    with pytest.raises(BuildError, match="without data"):
        unpack.unpack(str(path), str(tmp_path / "again"))


def test_patches_are_for_the_source_whose_folder_they_are_in(builder, tmp_path):
    from builder import recipe
    copy = str(tmp_path / "crun")
    shutil.copytree(os.path.join(FOLDER, "crun"), copy)
    os.mkdir(os.path.join(copy, "patches", "libcap"))
    with open(os.path.join(copy, "patches", "libcap", "0001-x.patch"), "w"):
        pass
    found = recipe.patches(recipe.load(copy))
    assert [patch.source for patch in found] == ["crun"] * (len(found) - 1) + ["libcap"]
    assert found[0].name.startswith("crun-0001-") and found[-1].name == "crun-libcap-0001-x.patch"


def test_a_recipe_with_a_source_that_is_not_pinned_is_one_line(builder, tmp_path):
    from builder import BuildError, sources
    with pytest.raises(BuildError, match="sources.lock does not have golang-vax"):
        sources.pinned({}, "golang-vax")


def test_times_of_several_builds_are_kept_together(builder, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(FOLDER)
    import importlib.util
    spec = importlib.util.spec_from_file_location("engines_build", BUILD)
    program = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(program)
    path = str(tmp_path / "times.json")
    program.add_times(path, [{"arch": "x86_64", "engine": "a", "seconds": 1}, {"arch": "i386", "engine": "a", "seconds": 2}])
    program.add_times(path, [{"arch": "x86_64", "engine": "a", "seconds": 3}])
    with open(path) as text:
        assert [(record["arch"], record["seconds"]) for record in json.load(text)] == [("i386", 2), ("x86_64", 3)]


def test_every_patch_says_why_and_under_which_licence():
    for folder, _, names in os.walk(FOLDER):
        for name in names:
            if name.endswith(".patch"):
                assert re.match(r"\d{4}-[a-z0-9-]+\.patch$", name)
                with open(os.path.join(folder, name)) as text:
                    header = text.read().split("\n--- ")[0]
                assert re.search(r"^License: (GPL-[23]\.0-or-later|LGPL-2\.1-or-later|Apache-2\.0)$", header, re.M), name
                assert len(header) > 120, name


def test_a_bundle_is_what_its_manifest_says(engines):
    with open(os.path.join(engines, "lib", "engines-%s.json" % NAME)) as text:
        manifest = json.load(text)
    with open(os.path.join(FOLDER, "VERSION")) as text:
        version = text.read().strip()
    assert (manifest["format"], manifest["version"], manifest["arch"]) == (1, version, NAME)
    assert re.match(r"[0-9a-f]{64}$", manifest["inputs"])
    found = {os.path.relpath(os.path.join(folder, name), engines)
             for folder, _, files in os.walk(engines) for name in files}
    assert found - {"lib/engines-%s.json" % NAME} == set(manifest["files"])
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
    for name, engine in manifest["engines"].items():  # all that is needed to build it again
        assert engine["version"] and engine["sources"]
        assert set(engine["needs"]) <= set(manifest["engines"])
        for source in engine["sources"]:
            assert re.match(r"[0-9a-f]{64}$", source["sha256"]) and source["path"] and source["licence"]
        for patch in engine["patches"]:
            assert manifest["files"][patch["file"]]["sha256"] == patch["sha256"]
    assert {entry["engine"] for entry in manifest["files"].values() if "engine" in entry} <= set(manifest["engines"])


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


def elf_file(bits, machine, needs=(), versions=(), kind=3, stack=6, symbols=False):
    """A shared library without any code, as bytes.

    versions: [(library, [version ...])] of the symbols that it needs.
    """
    names = bytearray(b"\0")

    def named(text):
        names.extend(text.encode() + b"\0")
        return len(names) - len(text) - 1

    wide = bits == 64
    header, program, section = (64, 56, 64) if wide else (52, 32, 40)
    start = header + 3 * program
    tags = [(1, named(name)) for name in needs]
    verneed = b""
    for number, (library, wanted) in enumerate(versions):
        last = number == len(versions) - 1
        verneed += struct.pack("<HHIII", 1, len(wanted), named(library), 16, 0 if last else 16 + 16 * len(wanted))
        for position, name in enumerate(wanted):
            verneed += struct.pack("<IHHII", 0, 0, 2, named(name), 0 if position == len(wanted) - 1 else 16)
    # loaded at an address that is not its place in the file, as linkers do with what can be written to
    base = 0x10000
    length = (len(tags) + 4) * (16 if wide else 8)
    tags += [(5, base + start + length)]
    if versions:
        tags += [(0x6ffffffe, base + start + length + len(names)), (0x6fffffff, len(versions))]
    tags += [(0, 0)]
    dynamic = b"".join(struct.pack("<QQ" if wide else "<II", *tag) for tag in tags).ljust(length, b"\0")
    body = dynamic + bytes(names) + verneed
    total = start + len(body)

    def segment(kind, flags, offset, size):
        if wide:
            return struct.pack("<IIQQQQQQ", kind, flags, offset, base + offset, 0, size, size, 1)
        return struct.pack("<IIIIIIII", kind, offset, base + offset, 0, size, size, flags, 1)

    sections = struct.pack("<II", 0, 2 if symbols else 0).ljust(section, b"\0")
    rest = (0, header, total, 0, header, program, 3, section, 1, 0)
    return b"\x7fELF" + bytes([2 if wide else 1, 1, 1]).ljust(12, b"\0") + struct.pack("<HHI", kind, machine, 1) \
        + struct.pack("<QQQIHHHHHH" if wide else "<IIIIHHHHHH", *rest) \
        + segment(1, 4, 0, total) + segment(2, 6, start, length) + segment(0x6474e551, stack, 0, 0) + body + sections


GLIBC = [("libdl.so.2", ["GLIBC_2.2.5"]), ("libc.so.6", ["GLIBC_2.4", "GLIBC_2.2.5"])]


@pytest.mark.parametrize("bits, machine", ((64, 62), (32, 3)))
@pytest.mark.parametrize("about, needs, glibc, words", (
    (dict(needs=["libc.so.6", "libdl.so.2"], versions=GLIBC), ["libc.so.6", "libdl.so.2"], "2.4", None),
    (dict(needs=["libc.so.6"], versions=GLIBC), ["libc.so.6"], "2.17", None),
    (dict(needs=["libc.so"]), ["libc.so"], None, None),
    (dict(needs=["libc.so.6"], versions=GLIBC), ["libc.so.6"], "2.3.99", "needs GLIBC_2.4, allowed is 2.3.99"),
    (dict(needs=["libc.so.6"], versions=[("libc.so.6", ["GLIBC_2.17", "GLIBC_2.2.5"])]), ["libc.so.6"], "2.4", "needs GLIBC_2.17"),
    (dict(needs=["libc.so.6"], versions=[("libc.so.6", ["GLIBC_PRIVATE"])]), ["libc.so.6"], "2.99", "needs GLIBC_PRIVATE"),
    (dict(needs=["libc.so.6"], versions=GLIBC), ["libc.so.6"], None, "needs GLIBC_2.2.5, allowed is none"),
    (dict(needs=["libc.so.6", "libm.so.6"]), ["libc.so.6"], "2.4", "needs libm.so.6, which its recipe does not name"),
    (dict(stack=7), [], None, "its stack is executable"),
    (dict(symbols=True), [], None, "not stripped"),
    (dict(kind=2), [], None, "not a shared library"),
))
def test_a_shared_library_asks_for_what_its_recipe_allows(bits, machine, about, needs, glibc, words, builder, tmp_path):
    from builder import BuildError, elf
    path = tmp_path / "lib.so"
    path.write_bytes(elf_file(bits, machine, **about))
    if words is None:
        elf.check_shared(str(path), (bits, machine), needs, glibc)
        with pytest.raises(BuildError, match="built for the wrong machine"):
            elf.check_shared(str(path), (64, 183), needs, glibc)
        with pytest.raises(BuildError, match="needs shared libraries"):
            elf.check_static(str(path), (bits, machine))
    else:
        with pytest.raises(BuildError, match=words):
            elf.check_shared(str(path), (bits, machine), needs, glibc)


def test_what_a_recipe_installs_is_of_a_kind_for_some_architectures(builder, tmp_path):
    from builder import BuildError, recipe, toolchain
    (tmp_path / "lib.so").write_bytes(elf_file(64, 62, ["libc.so.6"], GLIBC))
    shared = {"file": "lib.so", "licence": "MIT", "kind": "shared", "needs": ["libc.so.6"],
              "glibc": {"x86_64": "2.4"}, "arches": ["x86_64"]}
    loaded = recipe.load(os.path.join(FOLDER, "musl"))._replace(installs={"lib/a-{arch}.so": shared})
    found = recipe.installs(loaded, toolchain.target_named("x86_64"), str(tmp_path))
    assert [(install.name, install.licence, install.is_program) for install in found] == [("lib/a-x86_64.so", "MIT", False)]
    assert recipe.installs(loaded, toolchain.target_named("i386"), str(tmp_path)) == []
    shared["glibc"] = {"aarch64": "2.17"}
    with pytest.raises(BuildError, match="allowed is none"):
        recipe.installs(loaded, toolchain.target_named("x86_64"), str(tmp_path))
    shared["kind"] = "script"
    with pytest.raises(BuildError, match="unknown kind: script"):
        recipe.installs(loaded, toolchain.target_named("x86_64"), str(tmp_path))


@pytest.mark.parametrize("arch, packages", (
    ("x86_64", ["gcc", "libc6-dev", "make", "patch", "g++", "nasm"]),
    ("aarch64", ["gcc", "libc6-dev", "make", "patch", "gcc-aarch64-linux-gnu", "libc6-dev-arm64-cross", "g++-aarch64-linux-gnu"])))
def test_what_recipes_ask_for_is_among_the_packages(arch, packages, builder, monkeypatch):
    from builder import BuildError, toolchain
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    target = toolchain.target_named(arch)
    assert toolchain.packages_for(target, ["nasm", "cxx"]) == packages
    with pytest.raises(BuildError, match="no such tool: cobol .*cxx, nasm"):
        toolchain.packages_for(target, ["cobol"])


def test_the_packages_of_an_architecture_can_be_asked_for(tmp_path):
    done = build(tmp_path, "ppc64le", "--packages")
    assert (done.returncode, done.stderr) == (0, "")
    assert "gcc" in done.stdout.split() and "make" in done.stdout.split()
    assert done.stdout.count("\n") == 1


def test_a_key_changes_with_every_input(builder, tmp_path):
    from builder import recipe, sources, toolchain
    lock = sources.read_lock(os.path.join(FOLDER, "sources.lock"))
    copy = str(tmp_path / "crun")
    shutil.copytree(os.path.join(FOLDER, "crun"), copy)
    tools = toolchain.Tools(toolchain.target_named("x86_64"), True, {}, "a toolchain",
                            {"cxx": toolchain.FoundExtra("CXX", "g++", "a compiler")})
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
    with open(os.path.join(copy, "recipe.json")) as text:
        said = json.load(text)
    with open(os.path.join(copy, "recipe.json"), "w") as text:
        json.dump(dict(said, tools=["cxx"]), text)
    seen.append(key())
    tools.extras["cxx"] = tools.extras["cxx"]._replace(fingerprint="another compiler")
    seen.append(key())
    assert len(set(seen)) == 7
