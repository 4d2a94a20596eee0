"""Every engine runs the programs of a whole Debian, as people use them."""
import json
import os
import subprocess

import pytest

from tests.engines.test_oci_runtimes import configuration

WAYS = {
    "proot": ([], {}), "proot, root": (["-0"], {}), "proot, no seccomp": ([], {"PROOT_NO_SECCOMP": "1"}),
    "crun": None,
}
#: What every program gets of the host; crun makes them itself.
SYSTEM = ("/proc", "/dev")
PATH = "PATH=/usr/bin:/bin"
each_way = pytest.mark.parametrize("way", sorted(WAYS))


@pytest.fixture
def run(way, request, trixie_root, tmp_path):
    """A function: command -> what it wrote, its status being `status`; /mnt is tmp_path/mnt."""
    outside = tmp_path / "mnt"
    outside.mkdir()
    engine = request.getfixturevalue(way.split(",")[0])

    def start(*command, status=0, **options):
        environ = {"PATH": "/usr/bin:/bin"}
        if way == "crun":
            config = configuration(trixie_root, list(command))
            config["process"]["env"] = [PATH]
            config["mounts"] += [
                {"destination": "/dev", "type": "tmpfs", "source": "tmpfs"},
                {"destination": "/mnt", "type": "none", "source": str(outside), "options": ["rbind"]}]
            (tmp_path / "config.json").write_text(json.dumps(config))
            words = [engine, "--root", str(tmp_path / "state"), "--cgroup-manager=disabled", "run", "--bundle", str(tmp_path),
                     "test-%d" % os.getpid()]
        else:
            flags, variables = WAYS[way]
            environ.update(variables, PROOT_TMP_DIR=str(tmp_path))
            binds = [word for path in SYSTEM + ("%s:/mnt" % outside,) for word in ("-b", path)]
            words = [engine] + flags + ["-r", trixie_root] + binds + ["-w", "/"] + list(command)
        done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True,
                              env=environ, timeout=60, **dict({"stdin": subprocess.DEVNULL}, **options))
        assert done.returncode == status, done.stdout
        return done.stdout
    return start


@each_way
def test_it_is_the_container_that_is_listed(run, trixie_root, tmp_path):
    (tmp_path / "host-only").write_text("")
    assert set(os.listdir(trixie_root)) <= set(run("ls", "-A", "/").split())
    assert "No such file" in run("ls", str(tmp_path / "host-only"), status=2)


@each_way
def test_a_shell_has_pipes_and_substitutions(run):
    assert run("bash", "-c", 'seq 2000 | grep 7 | wc -l; echo "<$(cat /etc/debian_version | tail -c 1 | wc -l)>"').split() == ["542", "<1>"]


@each_way
def test_the_status_is_the_shell_s(run):
    run("bash", "-c", "exit 7", status=7)


@each_way
def test_a_child_that_a_signal_ends_is_seen_to(run):
    script = "exec 2>/dev/null; for name in KILL TERM SEGV; do (kill -$name $BASHPID); echo $?; done"
    assert run("bash", "-c", script).split() == ["137", "143", "139"]


@each_way
def test_a_program_may_have_many_threads_and_children(run):
    script = ("import concurrent.futures, subprocess\n"
              "pool = concurrent.futures.ThreadPoolExecutor(4)\n"
              "ask = lambda n: int(subprocess.check_output(['expr', str(n), '+', '1']))\n"
              "print(sum(pool.map(ask, range(12))))")
    assert run("python3", "-c", script) == "78\n"


@each_way
def test_what_is_bound_is_read_and_written(run, tmp_path):
    (tmp_path / "mnt" / "in").write_text("content")
    assert run("sh", "-c", "cat /mnt/in; tr a-z A-Z </mnt/in >/mnt/out") == "content"
    assert (tmp_path / "mnt" / "out").read_text() == "CONTENT"


@each_way
def test_standard_input_goes_in(run, tmp_path):
    (tmp_path / "data").write_text("to be sorted\n" * 3 + "first\n")
    with open(str(tmp_path / "data")) as data:
        assert run("sort", "-u", stdin=data) == "first\nto be sorted\n"


@each_way
def test_tar_packs_and_unpacks(run):
    script = ("cd /mnt; mkdir -m 0750 old new; cp /etc/debian_version old/file; ln -s file old/link; ln old/file old/hard;"
              "tar -C old -cf - . | tar -C new -xpf -; cmp old/file new/hard; stat -c '%A %h %N' new new/*")
    assert run("sh", "-ec", script).split("\n")[:-1] == [
        "drwxr-x--- 2 'new'", "-rw-r--r-- 2 'new/file'", "-rw-r--r-- 2 'new/hard'", "lrwxrwxrwx 1 'new/link' -> 'file'"]
