"""``udocker setup``, and the modes of a container that it changes."""

import os
import subprocess

import pytest

pytestmark = pytest.mark.usefixtures("demo_home")


def root_of(udocker):
    return udocker.ok("inspect", "-p", "c").strip()


def tree(root):
    """What is in a root file system: types, permissions, sizes, links and content."""
    return subprocess.check_output(
        "find . -printf '%p %y %m %s %l\\n' | sort; find . -type f -print0 | sort -z | xargs -0 cksum",
        shell=True, cwd=root)


@pytest.mark.shows("setup")
def test_it_tells_how_a_container_is_set_up(udocker):
    assert udocker.ok("setup", "c") == "execmode: P1\nnvidiamode: False\n"
    udocker.ok("setup", "--execmode=R1", "c")
    assert udocker.ok("setup", "c") == "execmode: R1\nnvidiamode: False\n"
    assert " R1 " in udocker.ok("ps", "-m")


@pytest.mark.parametrize("mode", ["P2", "R1", "R2", "R3"])
@pytest.mark.shows("setup --execmode", "run --execmode")
def test_a_container_runs_in_the_mode_that_it_was_given(udocker, mode):
    udocker.ok("setup", "--execmode=" + mode, "c")
    said = udocker.ok("-q", "run", "c", "sh", "-c", "echo $container_execmode; id -u")
    assert said.split() == [mode, "0"]
    assert udocker.ok("-q", "run", "--execmode=P1", "c", "sh", "-c",
                      "echo $container_execmode").strip() == "P1"


@pytest.mark.parametrize("words, message", [
    (("--execmode=X1", "c"), "invalid execution mode 'X1'"),
    (("--execmode=auto", "c"), "invalid execution mode 'auto'"),
    (("--execmode=P2", "nothere"), "container 'nothere' not found"),
    (("--execmode=P2",), "an argument is missing"), ((), "an argument is missing"),
])
def test_what_cannot_be_is_refused(udocker, words, message):
    done = udocker("setup", *words)
    assert done.status != 0 and message in done.err and done.out == ""
    assert udocker.ok("setup", "c").startswith("execmode: P1\n")


def test_a_protected_container_stays_as_it_is(udocker):
    open(os.path.join(os.path.dirname(root_of(udocker)), "PROTECT"), "w").close()
    done = udocker("setup", "--execmode=P2", "c")
    assert done.status != 0 and "is protected" in done.err
    assert udocker.ok("setup", "c").startswith("execmode: P1\n")


def test_a_container_that_runs_is_not_changed(udocker):
    running = udocker.start("-q", "run", "c", "sh", "-c", "echo up; exec sleep 60",
                            stdout=subprocess.PIPE)
    try:
        assert running.stdout.readline() == b"up\n"
        done = udocker("setup", "--execmode=R1", "c")
        assert done.status != 0 and "in use by process" in done.err
    finally:
        running.terminate()
        running.communicate()


@pytest.mark.shows("setup --purge")
def test_after_all_modes_and_a_purge_the_tree_is_what_it_was(udocker, tmp_path):
    before = tree(root_of(udocker))
    for mode in ("R1", "P2", "R2", "R3", "P1"):
        udocker.ok("setup", "--execmode=" + mode, "c")
        udocker.ok("run", "-v", "%s:/a/new/place" % tmp_path, "c", "true")
    assert tree(root_of(udocker)) != before, "nothing was there to be purged"
    udocker.ok("setup", "--purge", "c")
    assert tree(root_of(udocker)) == before


@pytest.mark.shows("setup --fixperm")
def test_files_that_nobody_could_use_are_mended(udocker):
    root = root_of(udocker)
    os.mkdir(root + "/locked")
    with open(root + "/locked/script", "w") as file:
        file.write("#!/bin/sh\n")
    os.chmod(root + "/locked/script", 0o055)
    os.chmod(root + "/locked", 0)
    udocker.ok("setup", "--fixperm", "c")
    assert os.stat(root + "/locked").st_mode & 0o700 == 0o700
    assert os.stat(root + "/locked/script").st_mode & 0o777 == 0o755


def test_files_of_our_subordinate_ids_become_ours(udocker):
    root = root_of(udocker)
    os.makedirs(root + "/given/below")
    for name in ("given/file", "given/below/file"):
        open(os.path.join(root, name), "w").close()
    done = subprocess.run(["unshare", "--map-root-user", "--map-auto", "sh", "-c",
                           "chmod 600 given/file; chown -R 33:44 given; chmod 700 given/below"],
                          cwd=root, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode:
        pytest.skip("no subordinate ids, or no newuidmap or unshare that can use them: %s"
                    % done.stdout.decode("utf-8", "replace").strip())
    assert os.stat(root + "/given/file").st_uid != os.getuid()
    done = udocker("setup", "--fixperm", "c", env={"PATH": "/nonexistent"})
    assert done.status == 125 and done.err.count("\n") == 1 and "package uidmap" in done.err
    done = udocker("rm", "c")
    assert done.status == 125 and "cannot be deleted whole" in done.err
    assert "--fixperm" in done.err.splitlines()[-1]
    udocker.ok("setup", "--fixperm", "c")
    for name in ("given", "given/file", "given/below", "given/below/file"):
        status = os.stat(os.path.join(root, name))
        assert (status.st_uid, status.st_gid) == (os.getuid(), os.getgid())
    udocker.ok("rm", "c")


def test_root_inside_may_give_files_away_under_the_proot_of_r2(udocker):
    script = "touch /tmp/f && chown 33:33 /tmp/f && echo given"
    assert udocker.ok("-q", "run", "--execmode=R2", "c", "sh", "-c", script) == "given\n"
    assert udocker("-q", "run", "--execmode=R1", "c", "sh", "-c", script).status != 0


@pytest.mark.shows("setup --nvidia", "udocker.conf nvi_lib_list lib_dirs_list_nvidia")
def test_the_driver_is_looked_for_at_each_run(udocker, demo_home, tmp_path):
    (demo_home / "lib").mkdir()
    (demo_home / ".udocker/udocker.conf").write_text(
        "[DEFAULT]\nlib_dirs_list_nvidia = ['%s']\nnvi_lib_list = ['libnvidia-ml.so*']\n"
        % (demo_home / "lib"))
    done = udocker("setup", "--nvidia", "c")
    assert done.status == 0 and "no NVIDIA driver" in done.err
    assert "nvidiamode: True" in udocker.ok("setup", "c")
    done = udocker("run", "c", "true")
    assert done.status != 0 and "no NVIDIA driver" in done.err
    with open("/bin/true", "rb") as program:
        (demo_home / "lib/libnvidia-ml.so.1").write_bytes(program.read())
    for mode in ("P1", "R1"):
        listed = udocker.ok("-q", "run", "--execmode=" + mode, "c", "sh", "-c",
                            "find /usr/lib* -name 'libnvidia*' -size +1k")
        assert "libnvidia-ml.so.1" in listed


@pytest.mark.parametrize("mode", ["F1", "F3"])
def test_an_image_without_a_dynamic_program_is_not_for_f_modes(udocker, mode):
    done = udocker("setup", "--execmode=" + mode, "c")
    assert done.status != 0 and "/bin/sh is static" in done.err and "P1 and R1" in done.err
    assert udocker.ok("setup", "c").startswith("execmode: P1\n")
    assert udocker("run", "--execmode=F1", "c", "true").status == 125
