"""libfakechroot for musl, in a root file system of its own: what a program sees there is the container's.

Programs are started as in mode F1: the container's loader is told to load the library, and starts the
program; what that executes goes through the loader again. The root file system is built as engines
are, see musl-root. Architectures that do not run here do so by QEMU's user mode (qemu-user-static).
"""
import os
import shutil
import subprocess
import sys

import pytest

from tests.engines.conftest import HERE, MACHINE, TOP

FOLDER = os.path.join(TOP, "engines-build")
if FOLDER not in sys.path:
    sys.path.insert(0, FOLDER)

LOADERS = {"x86_64": "ld-musl-x86_64.so.1", "i386": "ld-musl-i386.so.1", "aarch64": "ld-musl-aarch64.so.1",
           "ppc64le": "ld-musl-powerpc64le.so.1"}
ABSENT = "No such file or directory\n"
#: A file and a directory that the host has and the container has not.
HOST_FILE, HOST_DIRECTORY = "/etc/hostname", "/usr/share"

PATH_CALLS = """open open64 openat fopen fopen64 freopen stat lstat fstatat statx access faccessat statvfs ftok setmntent
                utimensat utime chmod realpath ftw nftw glob spawn_open""".split()
DIRECTORY_CALLS = "opendir scandir chdir statdir".split()

# Starts the container's loader under QEMU in place of itself: QEMU's user mode leaves execve() to the kernel.
QEMU_LOADER = r"""
#include <unistd.h>
int main(int argc, char **argv)
{
	char *words[1024] = { QEMU, LOADER };
	int i;
	for (i = 1; i <= argc && i < 1022; i++)
		words[i + 1] = argv[i];
	execv(QEMU, words);
	return 127;
}
"""


class Guest(object):
    """A root file system, and the way into it."""

    def __init__(self, root, library, loader):
        """root, library (str); loader (str): what starts a program."""
        self.root, self.library, self.loader = root, library, loader

    def __call__(self, *words, **more):
        """Run words[0], a path inside; return (status, output)."""
        environment = {
            "PATH": "/usr/bin:/bin", "HOME": "/root", "FAKECHROOT_BASE": self.root, "LD_PRELOAD": self.library,
            "LD_LIBRARY_PATH": self.root + "/lib", "FAKECHROOT_ELFLOADER": self.loader,
            "FAKECHROOT_ELFLOADER_OPT_ARGV0": "--argv0", "FAKECHROOT_EXPAND_SYMLINKS": "true",
            "FAKECHROOT_EXCLUDE_PATH": "/dev:/proc:/sys"}
        environment.update(more)
        done = subprocess.run([self.loader, "--argv0", words[0], self.root + words[0]] + list(words[1:]), env=environment,
                              cwd=self.root, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              universal_newlines=True, timeout=60)
        return done.returncode, done.stdout

    def says(self, *words, **more):
        """The output of a program that has to succeed."""
        status, output = self(*words, **more)
        assert status == 0, output
        return output


def built(arch):
    """(library, root file system) of an architecture, from the cache of the builder or built for it."""
    from builder import BuildError, recipe as recipes, sources, toolchain
    lock = sources.read_lock(os.path.join(FOLDER, "sources.lock"))
    lock.update(sources.read_lock(os.path.join(HERE, "musl-root", "sources.lock")))
    cache = os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "udocker-build")
    try:
        tools = toolchain.find(toolchain.target_named(arch), ())
        musl = recipes.build(recipes.load(os.path.join(FOLDER, "musl")), lock, tools, {}, cache)
        fakechroot, root = [recipes.build(recipes.load(folder), lock, tools, {"musl": musl}, cache)
                            for folder in (os.path.join(FOLDER, "fakechroot"), os.path.join(HERE, "musl-root"))]
    except BuildError as error:
        pytest.skip("nothing to test, it could not be built: %s" % error)
    return os.path.join(fakechroot, "lib", "libfakechroot-musl.so"), os.path.join(root, "root")


def qemu_loader(arch, loader, path):
    """A static program for this machine that runs the loader under QEMU."""
    qemu = shutil.which("qemu-%s-static" % arch)
    if not qemu:
        pytest.skip("%s does not run here, and there is no qemu-%s-static (Debian package qemu-user-static)" % (arch, arch))
    subprocess.run(["gcc", "-O1", "-static", "-x", "c", "-", "-o", path, '-DQEMU="%s"' % qemu, '-DLOADER="%s"' % loader],
                   input=QEMU_LOADER, universal_newlines=True, check=True)
    return path


@pytest.fixture(scope="module", params=sorted(LOADERS))
def template(request, tmp_path_factory):
    """(root file system, library, loader) of an architecture."""
    arch = request.param
    library, root = built(arch)
    if arch == MACHINE or (arch, MACHINE) == ("i386", "x86_64"):
        return root, library, None
    helper = str(tmp_path_factory.mktemp("qemu") / arch)
    return root, library, lambda loader: qemu_loader(arch, loader, helper)


@pytest.fixture
def guest(template, tmp_path):
    """A Guest, whose root file system is the test's own."""
    source, library, emulated = template
    root = os.path.realpath(str(tmp_path / "root"))
    shutil.copytree(source, root, symlinks=True)
    for name in ("etc", "tmp", "root", "usr/bin"):
        os.makedirs(os.path.join(root, *name.split("/")), exist_ok=True)
    for name, content in (("etc/passwd", "insider:x:4711:42:In:/root:/bin/sh\n"), ("etc/inside", "contained\n"),
                          ("etc/group", "wheel:x:10:root,insider\nbroken\nempty:x:11:\nothers:x:12:insider\n"),
                          ("etc/shells", "# those\n/bin/sh\n/bin/inside\n"),
                          ("usr/bin/script", "#! /bin/sh -e\necho $0 $#:$1:$2\nexit 5\n")):
        with open(os.path.join(root, *name.split("/")), "w") as out:
            out.write(content)
    os.chmod(os.path.join(root, "usr", "bin", "script"), 0o755)
    loader = os.path.join(root, "lib", [name for name in os.listdir(os.path.join(root, "lib")) if name.startswith("ld-")][0])
    return Guest(root, library, emulated(loader) if emulated else loader)


@pytest.mark.parametrize("call", PATH_CALLS)
def test_a_file_of_the_container_is_seen_and_one_of_the_host_is_not(guest, call):
    assert os.path.exists(HOST_FILE)
    assert guest.says("/bin/calls", call, "/etc/inside") == ("/etc/inside\n" if call in ("realpath", "glob") else "\n")
    status, output = guest("/bin/calls", call, HOST_FILE)
    assert (status, output) == (1, ABSENT)


@pytest.mark.parametrize("call", DIRECTORY_CALLS)
def test_a_directory_of_the_container_is_seen_and_one_of_the_host_is_not(guest, call):
    assert guest.says("/bin/calls", call, "/etc") == ("/etc\n" if call == "chdir" else "\n")
    assert guest("/bin/calls", call, HOST_DIRECTORY) == (1, ABSENT)


@pytest.mark.parametrize("call, word, said", [
    ("getpwnam", "insider", "4711:/root"), ("getpwuid_r", "4711", "insider:/bin/sh"), ("getpwent", "", "insider,"),
    ("getgrnam", "wheel", "10:root:insider"), ("getgrgid_r", "10", "wheel:root"), ("getgrgid_r", "11", "empty:"),
    ("getgrouplist", "insider", "7,10,12,"), ("getusershell", "", "/bin/sh,/bin/inside,")])
def test_users_and_groups_are_the_container_s(guest, call, word, said):
    assert guest.says("/bin/calls", call, word) == said + "\n"


def test_a_user_of_the_host_is_unknown(guest):
    assert guest("/bin/calls", "getpwnam", "daemon") == (1, "not found\n")


def test_links_lead_to_files_of_the_container(guest):
    etc = os.path.join(guest.root, "etc")
    os.symlink("inside", os.path.join(etc, "relative"))
    os.symlink("/etc/inside", os.path.join(etc, "absolute"))
    os.symlink(HOST_FILE, os.path.join(etc, "dangling"))
    os.symlink("/etc", os.path.join(guest.root, "directory"))
    for name in ("/etc/relative", "/etc/absolute", "/directory/absolute"):
        assert guest.says("/bin/cat", name) == "contained\n"
        assert guest.says("/bin/calls", "realpath", name) == "/etc/inside\n"
    assert guest.says("/bin/calls", "readlink", "/etc/absolute") == "/etc/inside\n"
    assert guest.says("/bin/sh", "-c", "cd /directory/../etc; cat absolute; echo *ative") == "contained\nrelative\n"
    assert guest("/bin/cat", "/etc/dangling")[0] == 1


def test_libraries_and_their_names(guest):
    assert guest.says("/bin/calls", "dlopen", "/lib/libanswer.so") == "42\n"
    assert guest.says("/bin/calls", "dlopen", "libanswer.so") == "42\n"
    for call in ("dladdr", "dl_iterate_phdr"):
        assert guest.says("/bin/calls", call, "/lib/libanswer.so") == "/lib/libanswer.so\n"


@pytest.mark.parametrize("call, word, said", [
    ("popen", "cat /etc/inside", "contained"), ("system", "cat /etc/inside > /tmp/x; exit 7", "7"), ("execlp", "it", "told it"),
    ("posix_spawn", "/usr/bin/script", "/usr/bin/script 2:a:b c\n5")])
def test_programs_are_started_in_the_container(guest, call, word, said):
    assert guest.says("/bin/calls", call, word).rstrip("\n") == said


@pytest.mark.parametrize("way, said", [("setenv", "contained\n11"), ("clearenv", "contained\n1"), ("environ", "contained\n1"),
                                       ("execle", "1 0")])
def test_no_change_of_the_environment_leads_out(guest, way, said):
    assert guest.says("/bin/calls", "environment", way) == said + "\n"


def test_the_shell(guest):
    assert guest.says("/bin/sh", "-c", "pwd; cd etc; pwd; cat < inside | grep -c cont; script 1 '2 3' || echo $?; (exit 9); echo $?") \
        == "/\n/etc\n1\n/usr/bin/script 2:1:2 3\n5\n9\n"
    assert guest("/bin/sh", "-c", "exit 3") == (3, "")
    assert guest.says("/bin/sh", "-c", "ls /etc | sort") == "group\ninside\npasswd\nshells\n"
    assert guest.says("/bin/find", "/etc", "-name", "in*") == "/etc/inside\n"


def test_files_are_made_in_the_container(guest):
    name = guest.says("/bin/calls", "mkstemp", "/tmp/made-XXXXXX").strip()
    assert os.path.exists(guest.root + name) and not os.path.exists(name)
    assert guest.says("/bin/sh", "-c", "mkdir -p /a/b; echo x > /a/b/c; mv /a/b/c /a/d; ln -s /a/d /a/e; cp -r /a /f; cat /f/e") == "x\n"
    assert sorted(os.listdir(os.path.join(guest.root, "f"))) == ["b", "d", "e"]


@pytest.mark.parametrize("path", ["/tmp/socket", "tmp/socket"])
def test_unix_sockets_are_the_container_s(guest, path):
    assert guest.says("/bin/calls", "unix_socket", path) == path + "\n"
    assert os.path.exists(os.path.join(guest.root, "tmp", "socket"))


def test_word_expansion_runs_the_container_s_shell(guest):
    assert guest.says("/bin/calls", "wordexp", "$(cat /etc/inside)*") == "contained*\n"


def test_the_library_needs_no_library_and_no_glibc(template):
    from builder import elf, toolchain
    arch = [arch for arch in LOADERS if "-%s-" % arch in template[1]][0]
    elf.check_shared(template[1], toolchain.target_named(arch).elf, (), None)
