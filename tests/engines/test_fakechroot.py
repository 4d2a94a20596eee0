"""libfakechroot.so keeps programs of a Debian 13 inside its root file system, as an ordinary user.

F1: each program is started with the container's own loader. F3: the programs name that loader themselves,
which patchelf wrote into them. Nothing here needs a mount, a namespace or ptrace.
"""
import os
import shutil
import subprocess
from collections import namedtuple

import pytest

from tests.engines.conftest import MACHINE, NAME, compiled

#: The loader, as programs name it, and Debian's name of the architecture.
Abi = namedtuple("Abi", "loader triplet")
ABIS = {
    "x86_64": Abi("/lib64/ld-linux-x86-64.so.2", "x86_64-linux-gnu"),
    "i386": Abi("/lib/ld-linux.so.2", "i386-linux-gnu"),
    "aarch64": Abi("/lib/ld-linux-aarch64.so.1", "aarch64-linux-gnu"),
    "ppc64le": Abi("/lib64/ld64.so.2", "powerpc64le-linux-gnu"),
}
ABI = ABIS[{"i686": "i386"}.get(MACHINE, MACHINE)]

#: They share a directory in one root file system.
pytestmark = pytest.mark.xdist_group("fakechroot")

LIBRARIES = ("/usr/lib/" + ABI.triplet, "/usr/lib64", "/usr/lib")


class Container:
    """A root file system, a directory of the host that is /mnt/bound in it, and one library."""

    def __init__(self, root, library, bound):
        self.root = os.path.realpath(root)
        self.bound = os.path.realpath(bound)
        self.loader = self.root + self.resolved(ABI.loader)
        directories = ":".join(self.root + name for name in LIBRARIES)
        self.environment = {
            "PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "LC_ALL": "C.UTF-8", "HOME": "/tmp",
            "LD_PRELOAD": library, "LD_LIBRARY_PATH": directories, "FAKECHROOT_LIBRARY_ORIG": directories,
            "FAKECHROOT_BASE": self.root, "FAKECHROOT_EXCLUDE_PATH": "/dev:/proc:/sys",
            "FAKECHROOT_DIR_MAP": self.bound + "!/mnt/bound", "FAKECHROOT_EXPAND_SYMLINKS": "true",
            "FAKECHROOT_DISALLOW_ENV_CHANGES": "true",
            "FAKECHROOT_CMD_SUBST": "/sbin/ldconfig=#RETURN(TRUE)#:/never=#RETURN(FALSE)#"}

    def resolved(self, path):
        """The name inside of what a path in the root leads to."""
        done = []
        left = path.split("/")
        while left:
            name = left.pop(0)
            if name == "..":
                done = done[:-1]
            elif name not in ("", "."):
                here = os.path.join(self.root, *(done + [name]))
                if os.path.islink(here):
                    target = os.readlink(here)
                    done = [] if target.startswith("/") else done
                    left = target.split("/") + left
                else:
                    done.append(name)
        return "/" + "/".join(done)

    def run(self, *words, **settings):
        """Starts a program by its path inside; returns (exit status, stdout and stderr)."""
        environment = dict(self.environment, FAKECHROOT_ELFLOADER=self.loader, FAKECHROOT_ARGV0=words[0])
        argv = [self.loader, self.root + self.resolved(words[0]) if not words[0].startswith("/mnt/bound/")
                else self.bound + words[0][len("/mnt/bound"):]]
        return _run(argv + list(words[1:]), dict(environment, **settings), self.root)

    def sh(self, script, **settings):
        return self.run("/bin/sh", "-c", script, **settings)


def _run(argv, environment, directory):
    done = subprocess.run(argv, env=environment, cwd=directory, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, universal_newlines=True)
    return done.returncode, done.stdout


@pytest.fixture(scope="session")
def library(engines):
    path = os.path.join(engines, "lib", "libfakechroot-%s.so" % NAME)
    if not os.path.exists(path):
        pytest.skip("no libfakechroot for %s" % MACHINE)
    return path


@pytest.fixture(scope="session")
def container(library, trixie_root, tmp_path_factory):
    bound = tmp_path_factory.mktemp("bound")
    for program, name in (("fakechroot_calls", "glibc-calls"), ("calls", "calls"), ("guest", "static")):
        shutil.copy(compiled(program, tmp_path_factory), str(bound / name))
    (bound / "sub").mkdir()
    (bound / "near").symlink_to("file")
    (bound / "absolute").symlink_to("/etc/debian_version")
    (bound / "file").write_text("bound\n")
    # where a test may write inside
    work = os.path.join(trixie_root, "tmp", "fakechroot-test")
    shutil.rmtree(work, ignore_errors=True)
    os.mkdir(work)
    with open(os.path.join(work, "inside"), "w") as file:
        file.write("inside\n")
    yield Container(trixie_root, library, str(bound))
    shutil.rmtree(work)


@pytest.fixture(scope="session")
def host_only(tmp_path_factory):
    """The path of a file that is not in the container."""
    path = tmp_path_factory.mktemp("host") / "file"
    path.write_text("host\n")
    return str(path)


INSIDE = "/tmp/fakechroot-test/inside"
#: Calls that say whether a path is there: of every C library, and of glibc.
CALLS = [("calls", name) for name in (
    "open open64 openat fopen fopen64 freopen stat lstat fstatat statx access faccessat statvfs ftok setmntent utimensat "
    "utime chmod realpath ftw nftw glob spawn_open").split()] + [("glibc-calls", name) for name in (
        "lstat64 fstatat64 open_2 eaccess statfs realpath_chk canonicalize fchmodat lutimes inotify getxattr truncate "
        "pathconf fopen_append renameat2 linkat fts nftw64 scandirat dirfd threads").split()]


@pytest.mark.parametrize("program,call", CALLS)
def test_a_call_sees_the_container_and_not_the_host(container, host_only, program, call):
    status, said = container.run("/mnt/bound/" + program, call, INSIDE)
    assert status == 0, said
    assert container.run("/mnt/bound/" + program, call, "/mnt/bound/file")[0] == 0
    status, said = container.run("/mnt/bound/" + program, call, host_only)
    assert status == 1, said


@pytest.mark.parametrize("words,expected", [
    ("glibc-calls readlink_chk /bin", "usr/bin"),
    ("glibc-calls getcwd /usr/share", "/usr/share"),
    ("glibc-calls getcwd /mnt/bound/sub", "/mnt/bound/sub"),
    ("glibc-calls popen_status false", "1"),
    ("glibc-calls auxv", "/mnt/bound/glibc-calls /mnt/bound/glibc-calls"),
    ("glibc-calls exe", "/mnt/bound/glibc-calls"),
    ("glibc-calls again", "/mnt/bound/glibc-calls again"),
    ("glibc-calls fexecve /bin/echo", "x"),
    ("glibc-calls execveat /bin/echo", "x"),
    ("glibc-calls execve /bin/echo", "x"),
    ("glibc-calls execvpe echo", "x"),
    ("glibc-calls datagram /tmp/fakechroot-test/datagrams", "hello"),
    ("calls unix_socket /tmp/fakechroot-test/stream", "/tmp/fakechroot-test/stream"),
    ("calls getpwnam root", "0:/root"),
    ("calls getpwuid_r 0", "root:/bin/bash"),
    ("calls getgrgid_r 4", "adm:"),
    ("calls getgrouplist root", "7,"),
    ("calls popen /bin/pwd", "/"),
    ("calls system /bin/false", "1"),
    ("calls execlp x", "told x"),
    ("calls posix_spawn /bin/false", "1"),
])
def test_a_call_says_what_it_would_say_inside(container, words, expected):
    program, rest = words.split(" ", 1)
    status, said = container.run("/mnt/bound/" + program, *rest.split())
    assert said.strip() == expected
    assert status == 0 or "again" in words


def test_getpwent_lists_the_container_s_users(container):
    with open(os.path.join(container.root, "etc/passwd")) as passwd:
        names = [line.split(":")[0] for line in passwd]
    assert container.run("/mnt/bound/calls", "getpwent")[1] == ",".join(names) + ",\n"


def test_programs(container):
    """What distributions start, with pipes, and the exit status at the end."""
    status, said = container.sh("""
        echo one two | tr ' ' '\\n' | sort -r | tr '\\n' ' '; id -un 0; getent passwd 0; bash -c 'echo $BASH $0'
        find /etc/apt -name trusted.gpg.d; perl -e 'print join(",", glob("/etc/debian_v*")), " ", -e "/bin/sh", "\\n"'
        ls -ld /etc | cut -c1; dpkg --compare-versions 1.10 gt 1.9 && echo newer; cd /usr/share/doc && pwd && cd .. && pwd; exit 7""")
    with open(os.path.join(container.root, "etc/passwd")) as passwd:
        root = passwd.readline()
    assert said == ("two one root\n" + root + "/usr/bin/bash bash\n/etc/apt/trusted.gpg.d\n"
                    "/etc/debian_version 1\nd\nnewer\n/usr/share/doc\n/usr/share\n")
    assert status == 7


def test_trees_of_files(container):
    status, said = container.sh("""
        set -e; cd /tmp/fakechroot-test; mkdir many; seq 2000 | while read n; do echo $n > many/$n; done
        tar cf many.tar many; mkdir out; tar xf many.tar -C out; cp -a many copy; diff -r many out/many; diff -r many copy
        find copy -type f | wc -l; rm -r many many.tar out copy; ls -d many* copy""")
    assert status == 2 and said.startswith("2000\n") and "cannot access 'copy'" in said


def test_links_stay_inside(container, host_only):
    status, said = container.sh("""
        cd /tmp/fakechroot-test; ln -s /etc/debian_version absolute; cat absolute; readlink absolute
        ln -s ../../etc/debian_version relative; cat relative; ln -s {host} out; cat out
        ln -s ../../../../../../..{host} up; cat up; ln -s loop loop; cat loop; ln -s b a; ln -s /tmp/fakechroot-test/a b; cat a
        realpath absolute ../../../../etc; readlink -f /proc/self/root/etc; cat /proc/self/root{host}
        rm absolute relative out up loop a b""".format(host=host_only))
    with open(os.path.join(container.root, "etc/debian_version")) as text:
        version = text.read()
    missing, loop = "No such file or directory\n", "Too many levels of symbolic links\n"
    assert said == (version + "/etc/debian_version\n" + version + "cat: out: " + missing + "cat: up: " + missing +
                    "cat: loop: " + loop + "cat: a: " + loop + "/etc/debian_version\n/etc\n/etc\n" +
                    "cat: /proc/self/root%s: %s" % (host_only, missing))
    assert status == 0


def test_a_directory_that_lies_elsewhere(container):
    """What would be a mount has a parent inside, and its links are the container's."""
    status, said = container.sh("""
        cd /mnt/bound/sub && cd .. && pwd && cat file && cd .. && pwd; cat /mnt/bound/near; realpath /mnt/bound/near
        cmp /mnt/bound/absolute /etc/debian_version && ls -d /mnt/bound/../../etc
        cd /mnt/bound && echo new > sub/new && mv sub/new sub/moved && cat sub/moved && rm sub/moved""")
    assert (status, said) == (0, "/mnt/bound\nbound\n/mnt\nbound\n/mnt/bound/file\n/mnt/bound/../../etc\nnew\n")


def test_scripts_are_read_as_the_kernel_reads_them(container):
    status, said = container.sh(r"""
        cd /tmp/fakechroot-test
        printf '#! \t/bin/sh -e \necho $0 $1 $-\n' > one; printf '#!/tmp/fakechroot-test/one\n' > two
        printf 'echo none $1\n' > three; printf '#!/usr/bin/env -S sh -e\necho four\n' > four
        printf '#!/none/such\n' > five; chmod +x one two three four five; echo x > six
        ./one a; ./two b; ./three c; env ./three d; ./four; ./five; ./six; rm one two three four five six""")
    lines = said.splitlines()
    assert lines[:5] == ["./one a e", "/tmp/fakechroot-test/one ./two e", "none c", "none d", "four"]
    assert lines[5].endswith("./five: not found") and lines[6].endswith("./six: Permission denied")
    assert status == 0


def test_the_environment_does_not_lead_out(container, host_only):
    status, said = container.sh("""
        env -i /bin/cat {inside}; env -i FAKECHROOT_BASE=/ FAKECHROOT_EXCLUDE_PATH=/ LD_PRELOAD= /bin/cat {inside} {host}
        unset LD_PRELOAD LD_LIBRARY_PATH FAKECHROOT_BASE; cat {inside}
        LD_LIBRARY_PATH=/opt/lib env | grep ^LD_LIBRARY_PATH""".format(inside=INSIDE, host=host_only))
    expected = "inside\ninside\ncat: %s: No such file or directory\ninside\n" % host_only
    said = said.replace("/bin/cat: ", "cat: ")  # coreutils before 9.2 give their whole name
    assert said == expected + "LD_LIBRARY_PATH=%s/opt/lib:%s\n" % (container.root, container.environment["FAKECHROOT_LIBRARY_ORIG"])
    for call in ("setenv", "clearenv", "environ"):
        status, said = container.run("/mnt/bound/calls", "environment", call)
        # contained, it looks for a file that only the root file system of musl's tests has
        assert status == 0 and "cat: /etc/inside: No such file" in said


@pytest.mark.parametrize("start", ["/mnt/bound/static exit 0", "bash -c /mnt/bound/static", "env -i /mnt/bound/static",
                                   "find /mnt/bound/file -exec /mnt/bound/static {} +"])
def test_a_static_program_is_refused(container, start):
    status, said = container.sh(start)
    assert "fakechroot: /mnt/bound/static: a static program cannot be kept inside the container" in said
    assert status == (1 if start.startswith("find") else 126)


def test_commands_that_only_return(container):
    assert container.sh("/sbin/ldconfig; echo $?; /never; echo $?") == (0, "0\n1\n")


def test_a_unix_socket_with_a_path_that_is_too_long_on_the_host(container):
    directory = "/tmp/fakechroot-test/" + "d" * 84  # 108 bytes are what an address has, see unix(7)
    assert len(directory) + 2 < 108 < len(container.root + directory)
    os.mkdir(container.root + directory)
    try:
        assert container.run("/mnt/bound/glibc-calls", "datagram", directory + "/s") == (0, "hello\n")
    finally:
        shutil.rmtree(container.root + directory)


def test_a_path_that_is_too_long_is_an_error(container):
    script = "d=/tmp/fakechroot-test; p=$d; while [ ${#p} -lt 4080 ]; do p=$p/.; done; cat $p/inside; cat $p/./././././inside"
    status, said = container.sh(script)
    assert status == 1
    assert said.startswith("inside\n") and said.endswith("File name too long\n")


def test_programs_that_name_their_loader(container, engines):
    """F3; and what is new, and does not name it, is started with the loader all the same."""
    patchelf = os.path.join(engines, "bin", "patchelf-" + NAME)
    if not os.path.exists(patchelf):
        pytest.skip("no patchelf for %s" % MACHINE)
    os.mkdir(container.root + "/tmp/fakechroot-test/bin")
    try:
        for name in ("sh", "cat", "readlink", "env"):
            path = "%s/tmp/fakechroot-test/bin/%s" % (container.root, name)
            shutil.copy(container.root + container.resolved("/bin/" + name), path)
            subprocess.check_call([patchelf, "--set-root-prefix", container.root, path])
        environment = dict(container.environment, PATH="/tmp/fakechroot-test/bin:/usr/bin:/bin",
                           FAKECHROOT_PATCH_ELFLOADER=container.loader)
        script = "cat %s; readlink /proc/self/exe; env -i /bin/cat %s; sort %s; exit 5" % (INSIDE, INSIDE, INSIDE)
        status, said = _run([container.root + "/tmp/fakechroot-test/bin/sh", "-c", script], environment, container.root)
    finally:
        shutil.rmtree(container.root + "/tmp/fakechroot-test/bin")
    assert (status, said) == (5, "inside\n/tmp/fakechroot-test/bin/readlink\ninside\ninside\n")
