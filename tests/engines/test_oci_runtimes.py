"""crun and runC as an ordinary user: one id, no cgroups; crun's configuration from a file without a name."""
import json
import os
import subprocess
import tempfile

import pytest


@pytest.fixture(scope="module", autouse=True)
def user_namespaces():
    done = subprocess.run(["unshare", "--user", "--map-root-user", "true"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          universal_newlines=True)
    if done.returncode:
        pytest.skip("no user namespaces here: %s" % done.stdout.strip())


def configuration(root, arguments):
    mapping = lambda number: [{"containerID": 0, "hostID": number, "size": 1}]  # noqa: E731
    return {
        "ociVersion": "1.0.2",
        "process": {"terminal": False, "user": {"uid": 0, "gid": 0}, "args": arguments, "env": ["PATH=/"], "cwd": "/"},
        "root": {"path": root},
        "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"}],
        "linux": {"uidMappings": mapping(os.getuid()), "gidMappings": mapping(os.getgid()),
                  "namespaces": [{"type": name} for name in ("pid", "ipc", "uts", "mount", "user")]},
    }


def run_crun(program, config, tmp_path, **options):
    with tempfile.TemporaryFile(dir=str(tmp_path)) as file:  # it has no name
        file.write(config)
        file.flush()
        return subprocess.run(
            [program, "--root", str(tmp_path / "state"), "--cgroup-manager=disabled", "run", "--bundle", str(tmp_path),
             "--config", "/proc/self/fd/%d" % file.fileno(), "test-%d" % os.getpid()],
            pass_fds=(file.fileno(),), stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60, **options)


def run_runc(program, config, tmp_path, **options):
    (tmp_path / "config.json").write_bytes(config)
    return subprocess.run(
        [program, "--root", str(tmp_path / "state"), "--rootless", "true", "run", "--bundle", str(tmp_path),
         "test-%d" % os.getpid()], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60, **options)


@pytest.fixture(params=[run_crun, run_runc], ids=["crun", "runc"])
def run(request, crun, runc, guest_root, tmp_path):
    program = crun if request.param is run_crun else runc

    def start(*arguments, **options):
        config = json.dumps(configuration(guest_root, list(arguments))).encode()
        return request.param(program, config, tmp_path, **options)
    return start


@pytest.mark.parametrize("status", (0, 1, 42, 255))
def test_the_status_is_the_command_s(status, run):
    done = run("/guest", "exit", str(status))
    assert (done.returncode, done.stdout, done.stderr) == (status, b"", b"")


def test_standard_input_and_output_are_pipes_to_the_command(run):
    data = bytes(bytearray(range(256))) * 4000
    assert run("/guest", "cat", input=data).stdout == data


def test_what_the_first_process_leaves_behind_ends_with_it(run):
    assert run("/guest", "leave", "30000", "3").returncode == 3


@pytest.mark.parametrize("run", [run_crun], ids=["crun"], indirect=True)  # runC's is 1 for both
def test_127_where_there_is_no_such_command_and_126_where_it_cannot_be_executed(run, guest_root):
    path = os.path.join(guest_root, "file")
    with open(path, "w") as file:
        file.write("neither a script nor a program")
    assert run("/missing").returncode == 127
    assert run("/file").returncode == 126
    os.chmod(path, 0o755)
    assert run("/file").returncode == 126


def test_no_state_is_left_behind(run, tmp_path):
    run("/guest", "exit", "0")
    assert os.listdir(str(tmp_path / "state")) == []


def test_what_is_built_into_crun(crun, tmp_path):
    # --root: without it even this wants a directory in /run that may be written
    said = subprocess.run([crun, "--root", str(tmp_path), "--version"], stdout=subprocess.PIPE, universal_newlines=True).stdout
    assert "crun version 1.21" in said and "+CAP" in said and "+SECCOMP" in said


def test_what_is_built_into_runc(runc):
    said = subprocess.run([runc, "--version"], stdout=subprocess.PIPE, universal_newlines=True).stdout
    assert "runc version 1.3.6" in said and "spec: 1.2" in said
