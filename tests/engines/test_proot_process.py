"""PRoot as a process: what it ends with, where signals go, and what it leaves behind."""
import os
import signal
import subprocess
import time

import pytest


def command(proot, root, *arguments):
    return [proot, "-r", root, "-w", "/", "/guest"] + list(arguments)


def run(proot, root, *arguments, **options):
    return subprocess.run(command(proot, root, *arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          universal_newlines=True, timeout=60, **options)


def start(proot, root, *arguments):
    """A PRoot whose guest has said that it is ready."""
    process = subprocess.Popen(command(proot, root, *arguments), stdout=subprocess.PIPE, universal_newlines=True)
    assert process.stdout.readline() == "ready\n"
    return process


def living(root):
    """The processes that run the guest program of `root`."""
    found = []
    for name in os.listdir("/proc"):
        try:
            with open("/proc/%s/maps" % name) as maps:
                if name.isdigit() and os.path.join(root, "guest") in maps.read():
                    found.append(int(name))
        except OSError:
            pass
    return found


def gone(root, seconds=5):
    deadline = time.time() + seconds
    while living(root) and time.time() < deadline:
        time.sleep(0.02)
    return living(root) == []


@pytest.mark.parametrize("status", (0, 1, 3, 126, 255))
def test_the_status_is_the_command_s(status, proot, guest_root):
    assert run(proot, guest_root, "exit", str(status)).returncode == status


@pytest.mark.parametrize("number", (signal.SIGTERM, signal.SIGKILL, signal.SIGINT, signal.SIGSEGV))
def test_a_fatal_signal_is_128_and_its_number(number, proot, guest_root):
    assert run(proot, guest_root, "signal", str(int(number))).returncode == 128 + number


def test_the_status_is_not_that_of_a_process_left_behind(proot, guest_root):
    assert run(proot, guest_root, "leave", "200", "3").returncode == 3


def test_kill_on_exit_ends_what_is_left_behind(proot, guest_root):
    started = time.time()
    done = subprocess.run([proot, "--kill-on-exit"] + command(proot, guest_root, "leave", "30000", "4")[1:])
    assert done.returncode == 4
    assert time.time() - started < 15
    assert gone(guest_root)


def test_127_where_there_is_no_such_command_and_126_where_it_cannot_be_executed(proot, guest_root):
    for name, mode, expected in (("missing", None, 127), ("file", 0o644, 126), ("broken", 0o755, 126), ("directory", None, 126)):
        path = os.path.join(guest_root, name)
        if mode:
            with open(path, "w") as file:
                file.write("neither a script nor a program")
            os.chmod(path, mode)
        elif name == "directory":
            os.mkdir(path)
        done = subprocess.run([proot, "-r", guest_root, "-w", "/", "/" + name], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert (name, done.returncode) == (name, expected)
        assert b"fatal error" in done.stderr and done.stdout == b""


@pytest.mark.parametrize("number", (signal.SIGTERM, signal.SIGINT, signal.SIGHUP))
def test_a_signal_to_proot_ends_the_command(number, proot, guest_root):
    process = start(proot, guest_root, "wait")
    process.send_signal(number)
    assert process.wait(10) == 128 + number
    assert gone(guest_root)


@pytest.mark.parametrize("number", (signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2, signal.SIGHUP))
def test_the_command_may_catch_a_signal_to_proot(number, proot, guest_root):
    process = start(proot, guest_root, "catch", str(int(number)))
    process.send_signal(number)
    assert process.wait(10) == 7


def test_a_signal_after_the_command_s_end_ends_what_it_left(proot, guest_root):
    process = subprocess.Popen(command(proot, guest_root, "leave", "30000", "5"))
    time.sleep(1)
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 5
    assert gone(guest_root)


def test_nothing_survives_a_proot_that_is_killed(proot, guest_root):
    process = start(proot, guest_root, "wait")
    assert len(living(guest_root)) == 1
    process.kill()
    process.wait()
    assert gone(guest_root)


def test_nothing_is_written_to_start_a_program(proot, guest_root, tmp_path):
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    os.chmod(str(temporary), 0o500)
    done = run(proot, guest_root, "exit", "0", env={"PROOT_TMP_DIR": str(temporary)})
    assert done.returncode == 0, done.stderr
    assert os.listdir(str(temporary)) == []


def test_without_its_loader_beside_it_proot_makes_one_and_removes_it(proot, guest_root, tmp_path):
    import shutil
    alone = str(tmp_path / "alone")
    shutil.copy(proot, alone)
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    for content in (None, b"something else"):
        if content:
            with open(alone + "-loader", "wb") as file:
                file.write(content)
            os.chmod(alone + "-loader", 0o755)
        assert run(alone, guest_root, "exit", "6", env={"PROOT_TMP_DIR": str(temporary)}).returncode == 6
        assert os.listdir(str(temporary)) == []


def test_threads_share_their_directory(proot, guest_root):
    assert run(proot, guest_root, "thread-chdir", "/tmp").stdout == "/tmp\n"


def test_a_thread_may_execute(proot, guest_root):
    done = run(proot, guest_root, "thread-exec", "exit", "9")
    assert (done.returncode, done.stderr) == (9, "")


def test_a_program_may_be_executed_by_descriptor(proot, guest_root):
    assert run(proot, guest_root, "fexec", "exit", "8").returncode == 8


def test_a_name_may_have_255_bytes(proot, guest_root):
    name = "n" * 255
    assert run(proot, guest_root, "make", "/tmp/" + name).returncode == 0
    assert os.listdir(os.path.join(guest_root, "tmp")) == [name]


def test_its_features_are_built_in(proot):
    said = subprocess.run([proot, "--version"], stdout=subprocess.PIPE, universal_newlines=True).stdout
    assert "process_vm = yes, seccomp_filter = yes" in said
