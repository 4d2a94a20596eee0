"""Options of ``run``, each looked at from the inside of a real container, in the modes that differ."""

import json
import os
import pwd
import shutil
import socket
import subprocess
import tarfile
import time

import pytest

from tests.conftest import Udocker
from udocker.cli.harmless import HARMLESS

MODES = ["P1", "F1", "R1"]
each_mode = pytest.mark.parametrize("mode", MODES)
#: Programs of the host that the image d has, with their libraries, so that mode F1 has something to
#: load; statically linked ones, such as those of the image demo, are beyond it.
PROGRAMS = ("sh", "cat", "id", "ls", "grep", "uname", "head", "env", "touch",
            "sleep")
PASSWD = "root:x:0:0:root:/root:/bin/sh\nsvc:x:33:33::/srv/svc:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n"
GROUP = "root:x:0:\nsvc:x:33:\nadm:x:4:\nnogroup:x:65534:\n"
ME = pwd.getpwuid(os.getuid())


def write_image(path):
    """Write the tar ``path`` (str) of a root file system of the host's own programs."""
    with tarfile.open(path, "w") as archive:
        def directory(name, mode=0o755):
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode = tarfile.DIRTYPE, mode
            archive.addfile(entry)

        def text(name, content):
            import io
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o644
            archive.addfile(entry, io.BytesIO(content.encode("ascii")))

        for name in ("bin", "etc", "tmp", "root", "srv", "srv/svc", "lib", "lib64"):
            directory(name, 0o777 if name == "tmp" else 0o755)
        text("etc/passwd", PASSWD)
        text("etc/group", GROUP)
        text("etc/hosts", "127.0.0.1 localhost\n")
        libraries = set()
        for program in PROGRAMS:
            place = os.path.realpath(shutil.which(program, path="/usr/bin:/bin"))
            archive.add(place, "bin/" + program)
            for line in subprocess.check_output(["ldd", place]).decode("utf-8").splitlines():
                libraries.update(word for word in line.split() if word.startswith("/"))
        for library in sorted(libraries):
            archive.add(os.path.realpath(library), library.lstrip("/"))


@pytest.fixture(scope="module")
def shared(pyz, demo_template, tmp_path_factory):
    """A Udocker whose home has the containers c (demo) and d (programs of the host)."""
    home = str(tmp_path_factory.mktemp("options"))
    subprocess.check_call(["cp", "-a", demo_template + "/.", home])
    udocker = Udocker(pyz, home)
    archive = os.path.join(home, "d.tar")
    write_image(archive)
    udocker.ok("import", archive, "d", "--mv")
    udocker.ok("create", "--name=d", "d")
    yield udocker
    subprocess.call(["chmod", "-R", "u+rwX", home])
    shutil.rmtree(home)


@pytest.fixture
def inside(shared):
    """Run a shell script in the container d, with options of run before it; return its output."""
    def run(script, *options, **more):
        return shared.ok("run", *(list(options) + ["d", "sh", "-c", script]), **more)
    return run


# identity

@pytest.mark.shows("run --user -u")
@pytest.mark.parametrize("user, ids, name, home", [
    ("svc", ("33", "33"), "svc", "/srv/svc"), ("33", ("33", "33"), "svc", "/srv/svc"),
    ("33:4", ("33", "4"), "svc", "/srv/svc"), ("svc:adm", ("33", "4"), "svc", "/srv/svc"),
    ("svc:4", ("33", "4"), "svc", "/srv/svc"), ("4242:4343", ("4242", "4343"), "udoc4242", "/"),
    ("root", ("0", "0"), "root", "/root"), ("0", ("0", "0"), "root", "/root"),
    ("0:0", ("0", "0"), "root", "/root"), (ME.pw_name, None, ME.pw_name, "/"),
])
@pytest.mark.parametrize("mode", ["P1", "R1"])
def test_who_one_is(inside, mode, user, ids, name, home):
    said = inside("id -u; id -g; id -un; echo $USER $LOGNAME; echo $HOME", "-u", user,
                  "--execmode=" + mode).split()
    mine = (str(os.getuid()), str(ME.pw_gid))
    if user in ("svc", "33") and mode == "P1":
        ids = mine  # the image's user has the real ids, so that files are his (facts of 1.3.17)
    if user in ("33:4", "svc:adm", "svc:4") and mode == "P1":
        ids = mine
    assert said[2:] == [name, name, name, home]
    assert tuple(said[:2]) == (ids or mine)


@pytest.mark.shows("run --user -u")
@pytest.mark.parametrize("user, name, home", [("svc", "svc", "/srv/svc"), ("root", ME.pw_name, "/"),
                                              (None, ME.pw_name, "/")])
def test_without_emulation_one_is_oneself(inside, user, name, home):
    options = ["--user=" + user] if user else []
    said = inside("id -u; echo $USER $HOME", "--execmode=F1", *options).split()
    assert said == [str(os.getuid()), name, home]


@each_mode
@pytest.mark.shows("run --containerauth")
def test_the_containers_accounts_are_copied_or_used_in_place(inside, mode):
    if mode != "F1":
        assert inside("cat /etc/passwd", "--execmode=" + mode) == PASSWD
    shown = inside("cat /etc/passwd", "--user=svc", "--execmode=" + mode)
    assert shown.count("\nsvc:") + shown.startswith("svc:") == 1 and "nobody:" in shown
    assert inside("cat /etc/passwd /etc/group; echo more >> /etc/group; tail=$(grep -c more /etc/group);"
                  " echo $tail", "--containerauth", "--user=svc",
                  "--execmode=" + mode).startswith(PASSWD + GROUP)
    assert "more\n" in inside("cat /etc/group", "--containerauth", "--user=svc", "--execmode=" + mode)


@each_mode
@pytest.mark.shows("run --hostauth")
def test_the_hosts_accounts_can_be_shown(inside, mode):
    with open("/etc/passwd") as passwd, open("/etc/group") as group:
        hosts = passwd.read(), group.read()
    said = inside("cat /etc/passwd; echo --; cat /etc/group; echo --; echo $USER", "--hostauth",
                  "--user=" + ME.pw_name, "--execmode=" + mode).split("--\n")
    assert said == [hosts[0], hosts[1], ME.pw_name + "\n"]


@each_mode
@pytest.mark.shows("run --bindhome")
def test_the_home_of_the_host_can_be_ones_own(inside, mode):
    if not os.path.isdir(ME.pw_dir):
        pytest.skip("the user %s has no home directory" % ME.pw_name)
    said = inside("pwd; echo $HOME; ls -d %s" % ME.pw_dir, "--bindhome", "--user=" + ME.pw_name,
                  "--execmode=" + mode).split()
    assert said == [ME.pw_dir] * 3


@each_mode
@pytest.mark.shows("run --hostenv")
def test_the_hosts_environment_can_be_passed(inside, mode):
    env = {"OF_MINE": "here", "VTE_VERSION": "1", "TERM": "dumb"}
    script = "echo \"$OF_MINE|$VTE_VERSION|$TERM\""
    assert inside(script, "--execmode=" + mode, env=env) == "||dumb\n"
    assert inside(script, "--hostenv", "--execmode=" + mode, env=env) == "here||dumb\n"


@each_mode
@pytest.mark.shows("run --nosysdirs --novol")
def test_what_the_host_shows_can_be_left_out(inside, mode):
    assert "nameserver" in inside("cat /etc/resolv.conf", "--execmode=" + mode)
    for option in ("--nosysdirs", "--novol=/etc/resolv.conf"):
        assert "nameserver" not in inside("cat /etc/resolv.conf || true", option,
                                          "--execmode=" + mode)


@each_mode
@pytest.mark.shows("run --nometa")
def test_what_the_image_says_can_be_ignored(shared, mode):
    # demo says: cat /etc/motd; d says nothing, and so runs the shell of the settings
    name = "c" if mode != "F1" else "d"
    done = shared("run", "--nometa", "--execmode=" + mode, name, input="echo shell $PWD\n")
    assert done.status == 0 and done.out.startswith("shell /")
    assert "neither you nor the image say what to run" in done.err


@each_mode
@pytest.mark.shows("run --location")
def test_a_root_file_system_elsewhere(shared, tmp_path, mode):
    root = shared.ok("inspect", "-p", "d").strip()
    place = tmp_path / "a root"
    subprocess.check_call(["cp", "-a", root, str(place)])
    said = shared.ok("run", "--location=%s" % place, "--execmode=" + mode, "-w", "/made", "word", "sh",
                     "-c", "echo $PWD > /tmp/from-inside; cat /etc/group /tmp/from-inside")
    assert said.startswith("root:x:0:") and said.endswith("/made\n")
    assert (place / "tmp" / "from-inside").read_text() == "/made\n" and (place / "made").is_dir()
    assert len(shared.ok("ps").splitlines()) == 3  # it is no container of the repository
    for wrong in ("", str(tmp_path / "nothing"), "/etc/passwd"):
        done = shared("run", "--location=" + wrong, "word", "true")
        assert done.status == 125 and "--location" in done.err and done.err.count("\n") == 1


@pytest.mark.shows("run --kernel")
@pytest.mark.parametrize("mode", ["P1", "P2", "F1", "R1"])
def test_another_kernel_release(shared, mode):
    done = shared("run", "--kernel=9.8.7", "--execmode=" + mode, "d", "uname", "-r")
    if mode[0] == "P":
        assert done.out == "9.8.7\n"
    else:
        assert done.out == os.uname().release + "\n"
        assert done.err == "Warning: --kernel changes nothing in mode %s\n" % mode


@each_mode
@pytest.mark.shows("run --dri")
def test_drivers_of_graphics_cards(inside, mode):
    there = [path for path in ("/usr/lib64/dri", "/lib64/dri", "/usr/lib/dri", "/lib/dri",
                               "/usr/lib/x86_64-linux-gnu/dri") if os.path.isdir(path)]
    shown = inside("ls -d /usr/lib64/dri /lib64/dri /usr/lib/dri /lib/dri "
                   "/usr/lib/x86_64-linux-gnu/dri 2>/dev/null || true", "--dri", "--execmode=" + mode)
    assert sorted(shown.split()) == sorted(there)


@each_mode
@pytest.mark.shows("run --cpuset-cpus")
def test_processors(inside, mode):
    cpu = max(os.sched_getaffinity(0))
    said = inside("grep Cpus_allowed_list /proc/self/status", "--cpuset-cpus=%d" % cpu,
                  "--execmode=" + mode)
    assert said.split()[1] == str(cpu)


@each_mode
@pytest.mark.shows("run --env-file", "run --env -e")
def test_variables_from_files(inside, tmp_path, mode):
    path = tmp_path / "env"
    path.write_bytes(b"\xef\xbb\xbfBOM=1\r\n# no\r\n  #nor this\nQ='a b' \n  LEFT=x\nEQ=a=b\nHASH=a # b\n"
                     b"OF_HOST\nUNSET\nEMPTY=\nNL=\xc2\x85\xe2\x80\xa8.\nTWICE=1\nTWICE=2\nOVER=1")
    said = inside("env", "--env-file=%s" % path, "-e", "OVER=2", "-e", "OF_HOST2", "-e", "A=b c",
                  "--execmode=" + mode, env={"OF_HOST": "h", "OF_HOST2": "h2"}).split("\n")
    for line in ("BOM=1", "Q='a b' ", "LEFT=x", "EQ=a=b", "HASH=a # b", "OF_HOST=h", "EMPTY=",
                 "NL=\x85\u2028.", "TWICE=2", "OVER=2", "OF_HOST2=h2", "A=b c"):
        assert line in said, line
    assert not any(line.startswith(("UNSET", "TWICE=1", "#")) for line in said)
    for number, content in ((1, b"A B=1"), (2, b"\n=x"), (1, b"A\tB"), (0, b"A=\xff")):
        path.write_bytes(content)
        with pytest.raises(AssertionError) as caught:
            inside("true", "--env-file=%s" % path)
        assert ("line %d:" % number if number else "not UTF-8") in str(caught.value)


# what is mounted

@each_mode
@pytest.mark.shows("run --mount", "run --volume -v")
def test_mounts_and_volumes_in_every_spelling(shared, tmp_path, mode):
    (tmp_path / "data, mine").mkdir()
    (tmp_path / "data, mine" / "file").write_text("there")
    relative = "./" + (tmp_path / "data, mine").name
    options = ["--mount", "type=bind,\"source=%s/data, mine\",target=/m,readonly=false" % tmp_path,
               "-v", relative + ":/v:z,rshared", "--volume=%s/data, mine:/w:rw" % tmp_path]
    said = shared.ok("run", "--execmode=" + mode, *(options + [
        "d", "sh", "-c", "cat /m/file /v/file /w/file; echo new > /m/made; cat /v/made"]), cwd=tmp_path)
    assert said == "theretheretherenew\n"


@each_mode
@pytest.mark.shows("run --tmpfs")
def test_directories_that_go_with_the_run(shared, mode):
    done = shared("run", "--execmode=" + mode, "--tmpfs", "/scratch:size=1m", "--mount",
                  "type=tmpfs,dst=/srv", "-w", "/scratch", "d", "sh", "-c",
                  "echo x > mine; cat mine; touch /srv/y; ls /srv; pwd; exit 3")
    assert (done.status, done.out, done.err) == (3, "x\ny\n/scratch\n", "")
    assert shared.ok("run", "--execmode=" + mode, "d", "ls", "/scratch", "/srv") \
        == "/scratch:\n\n/srv:\nsvc\n"
    place = os.path.join(shared.home, "udocker-%d" % os.getuid())
    assert not os.path.isdir(place) or not [n for n in os.listdir(place) if n.startswith("tmpfs")]


def test_a_run_with_scratch_that_is_killed_is_swept_by_the_next(shared):
    job = shared.start("run", "--tmpfs=/t", "c", "sh", "-c", "echo in; exec sleep 2",
                       stdout=subprocess.PIPE)
    assert job.stdout.read(3) == b"in\n"
    place = os.path.join(shared.home, "udocker-%d" % os.getuid())
    (name,) = [name for name in os.listdir(place) if name.startswith("tmpfs")]
    job.kill()
    job.communicate()
    shared.ok("run", "--tmpfs=/t", "c", "true")
    assert name not in os.listdir(place)


@each_mode
def test_one_more_command_sees_the_directories_of_the_run(shared, mode):
    container = shared.ok("create", "d").strip()
    shared.ok("run", "-d", "--tmpfs=/t", "--execmode=" + mode, container, "sh", "-c",
              "echo in > /t/file; sleep 60")
    try:
        assert shared.ok("exec", container, "sh", "-c",
                         "while ! test -s /t/file; do sleep 0.05; done; cat /t/file") == "in\n"
    finally:
        shared.ok("rm", "-f", container)


@each_mode
@pytest.mark.shows("run --device")
def test_devices(shared, mode):
    said = shared.ok("run", "--execmode=" + mode, "--device", "/dev/zero:/dev/mine:rw", "--device",
                     "/dev/null", "d", "sh", "-c", "head -c 3 /dev/mine; echo x > /dev/null", binary=True)
    assert said == b"\0\0\0"
    for wrong in ("/dev/no-such-device", "/etc/passwd"):
        done = shared("run", "--device", wrong, "d", "true")
        assert done.status == 125 and "no device" in done.err


@each_mode
@pytest.mark.shows("run --add-host --dns --dns-search --dns-option --dns-opt")
def test_names_of_hosts(inside, mode):
    said = inside("cat /etc/hosts; echo --; cat /etc/resolv.conf", "--add-host", "db:10.1.2.3",
                  "--dns=9.9.9.9", "--dns-search=example.org", "--dns-option=ndots:2",
                  "--dns-opt", "rotate", "--execmode=" + mode)
    hosts, resolv = said.split("--\n")
    assert hosts == "10.1.2.3\tdb\n127.0.0.1 localhost\n"
    assert resolv.endswith("nameserver 9.9.9.9\nsearch example.org\noptions ndots:2 rotate\n")
    assert resolv.count("nameserver") == 1
    assert inside("cat /etc/hosts", "--execmode=" + mode) == "127.0.0.1 localhost\n"


# limits and isolation

@each_mode
@pytest.mark.shows("run --ulimit")
def test_limits(shared, mode):
    # F1 and R1 need descriptors of their own
    said = shared.ok("run", "--execmode=" + mode, "--ulimit", "nofile=100:200", "--ulimit=core=0",
                     "d", "sh", "-c", "ulimit -n; ulimit -Hn; ulimit -c")
    assert said == "100\n200\n0\n"
    done = shared("run", "--rm", "--ulimit", "nofile=999999999", "demo", "true")
    assert done.status == 125 and "nofile=999999999" in done.err and done.err.count("\n") == 1


@pytest.mark.shows("run --read-only --shm-size --net --network --hostname -h")
def test_what_needs_namespaces(shared):
    options = ["--read-only", "--shm-size=5m", "--net=none", "-h", "elsewhere"]
    script = "touch /written || true; df -k /dev/shm | tail -1; hostname; grep -c : /proc/net/dev"
    done = shared("run", "--execmode=R1", *(options + ["c", "sh", "-c", script]))
    assert "ead-only" in done.err and done.err.count("\n") == 1
    assert done.out.split()[1] == "5120" and done.out.split()[-2:] == ["elsewhere", "1"]
    done = shared("run", "--execmode=P1", *(options + ["c", "true"]))
    assert done.status == 0 and done.err.count("Warning: ") == 2 == done.err.count("\n")
    assert "--read-only, --shm-size, --net=none: that needs a mode with namespaces" in done.err


@pytest.mark.shows("run --net --network")
def test_a_network_of_ones_own_leads_nowhere(shared):
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(1)
        server.settimeout(20)
        command = ["c", "nc", "-w", "2", "127.0.0.1", str(server.getsockname()[1])]
        assert shared("run", "--execmode=R1", "--net=none", *command).status != 0
        job = shared.start("run", "--execmode=R1", "--net=host", *command, stdin=subprocess.DEVNULL)
        server.accept()[0].close()
        assert job.wait(20) == 0


@pytest.mark.shows("run --workdir -w")
@each_mode
def test_a_working_directory_is_made_as_docker_does(inside, mode):
    assert inside("pwd", "-w", "/new/%s/deep" % mode, "--execmode=" + mode) == "/new/%s/deep\n" % mode


@pytest.mark.shows("run --entrypoint")
def test_entrypoints(shared):
    assert shared.ok("run", "--entrypoint", "", "c", "echo", "plain") == "plain\n"
    assert shared.ok("run", "--entrypoint=echo a", "c", "b") == "a b\n"
    assert shared.ok("run", "--entrypoint", "echo", "c") == "\n"


@pytest.mark.shows("run --gpus")
def test_gpus_are_shown_or_their_absence_is_told(shared):
    done = shared("run", "--gpus", "all", "c", "echo", "done")
    assert (done.status, done.out) == (0, "done\n")
    if not os.path.exists("/proc/driver/nvidia"):
        assert done.err == "Warning: --gpus without effect: no NVIDIA driver for %s on this machine\n" \
            % {"x86_64": "amd64", "aarch64": "arm64"}[os.uname().machine]


def test_what_nobody_can_honour_is_told_once_and_in_one_line(shared):
    galaxy = ["-m", "2g", "--cpus", "4", "--net", "bridge", "--security-opt=seccomp=unconfined",
              "--security-opt", "x", "--privileged"]
    done = shared("run", *(galaxy + ["c", "echo", "done"]))
    assert (done.status, done.out) == (0, "done\n")
    assert done.err == "Warning: accepted, but without effect here: --memory --cpus --security-opt " \
        "--privileged --network\n"
    quiet = shared("-q", "run", *(galaxy + ["c", "true"]))
    assert quiet.err == ""
    silent = shared("run", "--net=host", "--pid=host", "--ipc=host", "--restart=no", "--sig-proxy=false",
                    "--expose=80", "-it", "-a", "stdout", "--log-driver=none", "--memory=0", "c", "true")
    assert (silent.status, silent.err) == (0, "")


@pytest.mark.shows("run HARMLESS")
def test_every_option_that_nobody_can_honour(shared):
    valued = (
        "--memory --memory-reservation --memory-swap --memory-swappiness --kernel-memory "
        "--oom-score-adj --pids-limit --cpus --cpu-shares --cpu-count --cpu-percent --cpu-period "
        "--cpu-quota --cpu-rt-period --cpu-rt-runtime --cpuset-mems --blkio-weight "
        "--blkio-weight-device --device-read-bps --device-read-iops --device-write-bps "
        "--device-write-iops --device-cgroup-rule --io-maxbandwidth --io-maxiops --cap-add "
        "--cap-drop --security-opt --group-add --ipc --pid --uts --userns --cgroupns "
        "--cgroup-parent --isolation --runtime --sysctl --link --link-local-ip --ip --ip6 "
        "--mac-address --network-alias --domainname --volumes-from --volume-driver --storage-opt "
        "--restart --stop-signal --stop-timeout --log-driver --log-opt --health-cmd "
        "--health-interval --health-retries --health-start-interval --health-start-period "
        "--health-timeout --annotation").split()
    switches = ["--oom-kill-disable", "--privileged", "--init"]
    silent = ["--expose=80", "--detach-keys=ctrl-a", "--no-healthcheck", "--sig-proxy=false",
              "--disable-content-trust"]
    done = shared("run", *([flag + "=9x" for flag in valued] + switches + silent + ["c", "echo", "done"]))
    assert (done.status, done.out) == (0, "done\n")
    start = "Warning: accepted, but without effect here: "
    assert done.err.startswith(start) and done.err.count("\n") == 1
    named = done.err[len(start):].split()
    assert sorted(named) == sorted(valued + switches)
    assert set(named) | {flag.split("=")[0] for flag in silent} \
        == {option.flags[-1] for option in HARMLESS}  # none is forgotten here


# ports

def _get(port, process):
    """Return what the web server at ``port`` has as /motd, once it is there."""
    for _ in range(100):
        try:
            with socket.create_connection(("127.0.0.1", port), 5) as connection:
                connection.sendall(b"GET /motd HTTP/1.0\r\n\r\n")
                return connection.makefile("rb").read().split(b"\r\n\r\n", 1)[1]
        except OSError:
            assert process.poll() is None, "it ended"
            time.sleep(0.05)
    raise AssertionError("nobody listens")


def _free_port():
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        return holder.getsockname()[1]


@pytest.mark.shows("run --publish -p")
@pytest.mark.parametrize("mode, form", [("P1", "%d:80"), ("P2", "127.0.0.1:%d:80")])
def test_a_port_of_the_container_is_another_outside(shared, mode, form):
    port = _free_port()
    job = shared.start("run", "--execmode=" + mode, "-p", form % port, "c", "httpd", "-f", "-p",
                       "127.0.0.1:80", "-h", "/etc")
    try:
        with open(shared.ok("inspect", "-p", "c").strip() + "/etc/motd", "rb") as motd:
            assert _get(port, job) == motd.read()
    finally:
        job.terminate()
        job.wait(20)


@pytest.mark.shows("run --publish-all --netcoop -P")
@pytest.mark.parametrize("option", ["-P", "--publish-all", "--netcoop"])
def test_a_port_that_is_taken_becomes_one_that_is_free(shared, option):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen(1)
        port = taken.getsockname()[1]
        script = "httpd -p 127.0.0.1:%d -h /etc && wget -qO- http://127.0.0.1:%d/group" % (port, port)
        assert shared("run", "c", "sh", "-c", script).status != 0
        assert "root:" in shared.ok("run", option, "c", "sh", "-c", script)
    done = shared("run", option, "--execmode=R1", "c", "true")
    assert done.status == 0 and "--publish changes nothing in mode R1" in done.err


def test_what_is_planned_is_shown_and_nothing_is_made(shared, tmp_path):
    plan = json.loads(shared.ok("run", "--dry-run", "--format=json", "--tmpfs=/t", "--ulimit=nofile=99",
                                "-w", "/planned", "c", "true"))
    assert plan["limits"] == [{"name": "nofile", "soft": 99, "hard": 99}]
    assert len(plan["scratch"]) == 1 and not os.path.exists(plan["scratch"][0])
    root = shared.ok("inspect", "-p", "c").strip()
    assert not os.path.exists(root + "/planned")


@pytest.mark.parametrize("mode", MODES)
def test_bytes_that_are_no_text_get_inside_or_are_refused(shared, mode):
    words = ["run", "--execmode=" + mode, "-e", "A=x\udcffy", "d", "sh", "-c", "echo \"$A$1\"", "sh", "\udcfe"]
    done = subprocess.run([os.fsencode(word) for word in shared.command(*words)], cwd=shared.home,
                          env=shared.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if mode == "R1":  # the runtimes read JSON, which has no such bytes
        assert done.returncode == 125 and b"takes UTF-8 only" in done.stderr
        assert done.stderr.count(b"\n") == 1 and done.stderr.decode("utf-8").strip().isprintable()
    else:
        assert done.stdout == b"x\xffy\xfe\n"


def test_what_users_of_docker_type_first(shared, tmp_path):
    (tmp_path / "file").write_text("mine")
    done = shared("run", "-it", "--rm", "-v", "%s:/w:ro" % tmp_path, "-w", "/w", "demo", "cat", "file")
    assert (done.status, done.out) == (0, "mine") and done.err.count("\n") <= 1
