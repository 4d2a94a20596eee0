"""What a container looks like from the inside."""

import os
import pwd
import re
import subprocess
import sys

import pytest

MODES = ["P1", "P2", "R1"]
each_mode = pytest.mark.parametrize("mode", MODES)


@pytest.fixture
def inside(udocker, demo_home):
    """Run a shell script in the container c, with options of run before it; return its output."""
    def run(script, *options):
        return udocker.ok("run", *(list(options) + ["c", "sh", "-c", script]))
    return run


@each_mode
def test_one_is_root_and_at_home(inside, mode):
    assert inside("id -u; id -g; whoami; pwd; echo $HOME $USER", "--execmode=" + mode).split() \
        == ["0", "0", "root", "/root", "/root", "root"]


@each_mode
@pytest.mark.shows("run --user")
def test_one_may_be_a_user_of_the_image(inside, mode):
    lines = inside("whoami; touch /tmp/mine; ls -l /tmp/mine", "--execmode=" + mode,
                   "--user=nobody").split("\n")
    assert lines[0] == "nobody" and lines[1].split()[2] == "nobody"


@each_mode
@pytest.mark.shows("run --user")
def test_one_may_have_ids_that_nobody_has(inside, mode):
    assert inside("id -u; id -g; grep -c . /etc/passwd", "--execmode=" + mode,
                  "--user=4242:4343").split()[:2] == ["4242", "4343"]


def test_numeric_ids_get_a_line_that_parses(inside):
    line = inside("grep 4242 /etc/passwd", "--user=4242:4343").strip()
    assert re.match(r"udoc4242:x:4242:4343:[^:]*:/:/bin/sh$", line)


def test_one_may_be_oneself_with_ones_home(inside, udocker):
    me = pwd.getpwuid(os.getuid())
    said = inside("whoami; id -u; echo $HOME", "--user=" + me.pw_name).split()
    assert said == [me.pw_name, str(me.pw_uid), "/"]


@pytest.mark.shows("run --containerauth")
def test_what_root_adds_to_passwd_and_group_stays(inside, udocker):
    inside("echo me:x:7:7::/:/bin/sh >> /etc/passwd; echo we:x:7: >> /etc/group")
    assert inside("whoami", "--containerauth", "--user=me").strip() == "me"
    assert "we:x:7:" in inside("cat /etc/group")


@pytest.mark.shows("run --hostauth")
def test_the_hosts_users_may_be_shown(inside):
    with open("/etc/passwd") as file:
        assert inside("cat /etc/passwd", "--hostauth") == file.read()


def test_a_stranger_is_an_error(udocker, demo_home):
    result = udocker("run", "--user=no-such-user", "c", "true")
    assert result.status == 125 and "user not found: 'no-such-user'" in result.err
    assert udocker("run", "--hostauth", "--user=no-such-user", "c", "true").status == 125


@pytest.mark.shows("run -v")
def test_a_volume_is_read_only_where_that_can_be(udocker, demo_home, tmp_path):
    (tmp_path / "data").write_text("precious")
    volume = "%s:/data:ro" % tmp_path
    result = udocker("run", "--execmode=R1", "-v", volume, "c", "sh", "-c",
                     "cat /data/data; echo more >> /data/data")
    assert result.out == "precious" and result.status != 0 and "ead-only" in result.err
    assert (tmp_path / "data").read_text() == "precious"
    warned = udocker("run", "--execmode=P1", "-v", volume, "c", "cat", "/data/data")
    assert warned.out == "precious"
    assert warned.err.count("\n") == 1 and "not read-only" in warned.err


@each_mode
def test_a_volume_in_a_volume_finds_or_gets_its_place(inside, udocker, tmp_path, mode):
    outer, away = tmp_path / "outer", tmp_path / "away"
    for folder in (outer, away):
        folder.mkdir()
    (tmp_path / "file").write_text("deep")
    os.symlink(str(away), str(outer / "link"))
    assert inside("cat /o/new/file; ls -d /o/dir", "--execmode=" + mode, "-v", "%s:/o" % outer, "-v",
                  "%s:/o/new/file" % (tmp_path / "file"), "-v", "%s:/o/dir" % away) == "deep/o/dir\n"
    assert (outer / "new" / "file").read_text() == "" and (outer / "dir").is_dir()
    # what a link in a volume says counts inside only
    udocker("run", "--execmode=" + mode, "-v", "%s:/o" % outer, "-v",
            "%s:/o/link/file" % (tmp_path / "file"), "c", "true")
    assert not list(away.iterdir())


@each_mode
@pytest.mark.shows("run -v")
def test_volumes_may_lie_in_each_other_and_have_blanks(inside, tmp_path, mode):
    (tmp_path / "outer dir").mkdir()
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "file").write_text("deep")
    (tmp_path / "outer dir" / "sub").mkdir()
    assert inside("cat /o/sub/file; echo new > /o/made", "--execmode=" + mode,
                  "-v", "%s:/o" % (tmp_path / "outer dir"),
                  "-v", "%s:/o/sub" % (tmp_path / "inner")) == "deep"
    assert (tmp_path / "outer dir" / "made").read_text() == "new\n"


@each_mode
def test_a_volume_may_lie_where_nothing_is(inside, tmp_path, mode):
    (tmp_path / "file").write_text("here")
    assert inside("cat /a/b/file /c/d/e; ls -d /a/b; ls /c/d", "--execmode=" + mode,
                  "-v", "%s:/a/b" % tmp_path, "-v", "%s:/c/d/e" % (tmp_path / "file")) \
        == "herehere/a/b\ne\n"


def test_a_program_for_another_processor_says_so(udocker, demo_home, tmp_path):
    other = {"x86_64": 183}.get(os.uname().machine, 62)  # e_machine: AArch64, x86-64
    header = bytearray(64)
    header[:7] = b"\x7fELF\x02\x01\x01"
    header[18] = other
    program = tmp_path / "program"
    program.write_bytes(bytes(header))
    program.chmod(0o755)
    # without an emulator in PATH, which would play it
    result = udocker("run", "-v", "%s:/program" % program, "c", "/program",
                     env={"PATH": "/nonexistent", "UDOCKER_PYTHON": sys.executable})
    assert result.status == 126 and "it is for" in result.err and result.err.count("\n") == 1


@each_mode
@pytest.mark.shows("run --bindhome")
def test_the_home_directory_may_be_shown(inside, mode):
    me = pwd.getpwuid(os.getuid())
    if not os.path.isdir(me.pw_dir):
        pytest.skip("the user %s has no home directory" % me.pw_name)
    assert inside("test -d %s && echo yes" % me.pw_dir, "--bindhome",
                  "--execmode=" + mode).strip() == "yes"


@each_mode
@pytest.mark.shows("run --nosysdirs")
def test_the_system_is_there_unless_left_out(inside, mode):
    assert inside("test -e /proc/1 && test -c /dev/null && test -d /sys/kernel && echo yes",
                  "--execmode=" + mode).strip() == "yes"
    if mode != "R1":
        assert inside("ls /proc /sys", "--nosysdirs", "--execmode=" + mode).split() \
            == ["/proc:", "/sys:"]


@pytest.mark.shows("run --env-file -e")
def test_variables_come_from_files_as_docker_reads_them(inside, tmp_path):
    path = tmp_path / "env"
    path.write_text("# comment\nA=one two\nB='quoted'\nTERM\n\nC=\n")
    said = inside("echo \"$A|$B|$C|$TERM\"", "--env-file=%s" % path, "-e", "C=three").strip()
    assert said == "one two|'quoted'|three|"


@pytest.mark.parametrize("text", ["A B=1", "=x", "1A=2"])
def test_a_variable_that_is_none_is_refused(udocker, demo_home, tmp_path, text):
    assert udocker("run", "-e", text, "c", "true").status == 125
    (tmp_path / "env").write_text(text + "\n")
    assert udocker("run", "--env-file=%s" % (tmp_path / "env"), "c", "true").status == 125


@pytest.mark.shows("run --cpuset-cpus")
def test_processors_can_be_chosen(inside):
    cpu = min(os.sched_getaffinity(0))
    said = inside("grep Cpus_allowed_list /proc/self/status", "--cpuset-cpus=%d" % cpu)
    assert said.split() == ["Cpus_allowed_list:", str(cpu)]


@pytest.mark.shows("run --kernel")
def test_another_kernel_can_be_told(inside):
    assert inside("uname -r", "--kernel=9.8.7").strip() == "9.8.7"


@pytest.mark.shows("run --hostname --execmode")
def test_a_host_name_can_be_told_where_there_are_namespaces(inside):
    assert inside("hostname", "--hostname=elsewhere", "--execmode=R1").strip() == "elsewhere"


@pytest.mark.shows("run --pull --name --rm")
def test_pull_policies(udocker, demo_home):
    assert udocker("run", "--pull=never", "--rm", "demo", "true").status == 0
    assert udocker("run", "--pull=never", "nothing", "true").status == 125
    assert udocker("run", "--pull=sometimes", "demo", "true").status == 125
    udocker.ok("run", "--name=kept", "demo", "touch", "/tmp/here")
    again = udocker("run", "--pull=reuse", "--name=kept", "demo", "ls", "/tmp")
    assert again.out == "here\n"
    assert udocker("run", "--name=kept", "demo", "true").status == 125


def test_udocker_becomes_the_engine(udocker, demo_home):
    process = udocker.start("run", "c", "sh", "-c", "echo ready; read line", stdin=subprocess.PIPE,
                            stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"ready\n"
    program = os.readlink("/proc/%d/exe" % process.pid)
    process.communicate(b"go\n", timeout=20)
    assert os.path.basename(program).startswith("proot-") and process.returncode == 0


@each_mode
@pytest.mark.shows("run -i -t")
def test_a_terminal_is_one_inside_too(udocker, demo_home, mode):
    import pty
    leader, follower = pty.openpty()
    process = udocker.start("run", "-it", "--execmode=" + mode, "c", "sh", "-c",
                            "test -t 0 && test -t 1 && echo terminal; exit 9",
                            stdin=follower, stdout=follower, stderr=subprocess.PIPE)
    os.close(follower)
    said = b""
    try:
        while b"terminal" not in said:
            said += os.read(leader, 1000)
    except OSError:
        pass  # EIO: the other side is closed
    errors = process.communicate(timeout=20)[1]
    os.close(leader)
    assert process.returncode == 9 and b"terminal" in said, (said, errors)


def test_runs_side_by_side_in_one_container(udocker, demo_home):
    jobs = [udocker.start("run", "--execmode=" + MODES[n % 3], "c", "sh", "-c",
                          "sleep 0.2; exit %d" % n) for n in range(12)]
    assert [job.wait(60) for job in jobs] == list(range(12))
