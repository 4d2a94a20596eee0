"""Mode S1: with the Apptainer of this machine, or one that only plays it (tests/fakes/apptainer.py)."""

import json
import os
import shutil
import signal
import subprocess
import sys

import pytest

FAKE = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "fakes",
                    "apptainer.py")


REAL = shutil.which("apptainer") or shutil.which("singularity")


def test_a_real_one_is_here():
    if not REAL:
        pytest.skip("neither apptainer nor singularity is in PATH: mode S1 is seen with a played one")


@pytest.fixture(params=["real", "played"] if REAL else ["played"])
def environment(request, demo_home, tmp_path):
    """What makes udocker find an Apptainer: a PATH."""
    if request.param == "real":
        return {"PATH": os.environ["PATH"]}
    place = tmp_path / "bin"
    place.mkdir()
    proot = demo_home / ".udocker" / "bin" / ("proot-" + os.uname().machine)
    (place / "apptainer").write_text("#!/bin/sh\nexec %s %s %s %s \"$@\"\n" % (
        sys.executable, FAKE, proot, tmp_path / "record"))
    (place / "apptainer").chmod(0o755)
    return {"PATH": "%s:/usr/bin:/bin" % place}


@pytest.fixture
def s1(udocker, environment):
    """Run words in the container c, which is in mode S1; returns the Result."""
    udocker.ok("setup", "--execmode=S1", "c", env=environment)

    def run(*words, **options):
        return udocker("-q", "run", *words, env=dict(environment, SECRET="of the host"), **options)
    return run


def test_a_command_runs_with_its_volumes_its_environment_and_its_status(s1, demo_home, tmp_path):
    (tmp_path / "directory").mkdir()
    (tmp_path / "directory" / "file").write_text("given\n")
    done = s1("-v", "%s:/volume" % (tmp_path / "directory"), "-v",
              "%s:/etc/motd" % (tmp_path / "directory" / "file"), "-w", "/etc", "-e", "A=b c", "c",
              "sh", "-c", "cat /volume/file motd; pwd; echo $A-$SECRET-$container_execmode; "
                          "test -e %s && echo host; exit 7" % demo_home)
    assert done.status == 7 and done.out == "given\ngiven\n/etc\nb c--S1\n", done


def test_ten_megabytes_go_in_and_out(s1):
    data = os.urandom(10 * 1024 * 1024)
    assert s1("c", "cat", input=data, binary=True).out == data


def test_the_user_is_ours_unless_root_is_asked_for(s1):
    assert s1("c", "id", "-u").out.strip() == "%d" % os.getuid()
    done = s1("--user=root", "c", "id", "-u")
    assert done.out.strip() == "0", done


def test_a_signal_ends_it(s1, udocker, environment):
    running = udocker.start("-q", "run", "c", "sh", "-c", "echo up; exec sleep 60", env=environment,
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    try:
        assert running.stdout.readline() == b"up\n"
        running.send_signal(signal.SIGTERM)
        assert running.wait(20) in (-signal.SIGTERM, 128 + signal.SIGTERM)
    finally:
        running.kill()
        running.communicate()


def test_going_to_s1_and_back_changes_nothing(s1, udocker, environment, tmp_path):
    s1("c", "true")
    udocker.ok("setup", "--execmode=P1", "c")
    assert udocker.ok("-q", "run", "c", "sh", "-c", "echo $container_execmode") == "P1\n"


def test_nothing_of_the_host_s_environment_is_handed_on(s1, tmp_path):
    s1("c", "true")
    if not (tmp_path / "record").exists():
        pytest.skip("a real Apptainer leaves no record")
    record = json.loads((tmp_path / "record").read_text())
    assert "SECRET" not in record["env"] and "APPTAINERENV_SECRET" not in record["env"]
    assert {"--contain", "--cleanenv", "--no-mount"} <= set(record["argv"])


def test_without_any_it_is_said(udocker, demo_home):
    done = udocker("run", "--execmode=S1", "c", "true", env={"PATH": "/nonexistent",
                                                            "UDOCKER_PYTHON": sys.executable})
    assert done.status == 125 and done.err.count("\n") == 1
    assert "neither apptainer nor singularity is in PATH" in done.err
