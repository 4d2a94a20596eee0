"""Command lines that other programs are known to make, literally, in real containers.

What cannot be had here (Nextflow, COMPSs, Cromwell, Clementine, Galaxy) is replayed from its
sources: the words are theirs, only the names of images and directories are ours.
"""

import os
import re
import subprocess

import pytest

IMAGE = "demo:latest"


@pytest.fixture
def work(tmp_path):
    folder = tmp_path / "work dir"
    folder.mkdir()
    return folder


@pytest.fixture
def sh(udocker, demo_home, path, work):
    """Run a line of shell as such a program does, and return its standard output."""
    def run(line, status=0, **env):
        done = subprocess.run(["bash", "-ue", "-o", "pipefail", "-c", line], cwd=str(work),
                              env=udocker.environment(dict(env, PATH=path)), timeout=60,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, universal_newlines=True)
        assert done.returncode == status, (line, done.stdout, done.stderr)
        return done.stdout
    return run


@pytest.mark.shows("run --cpuset-cpus --bindhome", "create", "images")
def test_nextflow(sh, work, demo_home, path):
    """Nextflow <= 25.04, UdockerBuilder: the name is udocker.py."""
    (work / "command.sh").write_text("echo $FOO; pwd; cat /db/table; id -un > made\n")
    (demo_home / "db").mkdir()
    (demo_home / "db" / "table").write_text("of the data base\n")
    cpu = min(os.sched_getaffinity(0))
    env = {"NXF_TASK_WORKDIR": str(work)}
    images = (r'((udocker.py images | grep -E -o "^%s\s") || udocker.py pull "%s")>/dev/null'
              % (IMAGE, IMAGE))
    said = sh(images + '\n'
              'udocker.py run --rm --cpuset-cpus=%d -e "FOO=1" -v /tmp:/tmp -v %s:/db '
              '-v "$NXF_TASK_WORKDIR":"$NXF_TASK_WORKDIR" -w "$NXF_TASK_WORKDIR" --bindhome '
              '$(udocker.py create "%s") sh command.sh' % (cpu, demo_home / "db", IMAGE), **env)
    assert said.split("\n")[:3] == ["1", str(work), "of the data base"]
    assert (work / "made").read_text() == "root\n"
    assert sh("udocker.py ps").count(IMAGE) == 1  # the container c alone: --rm took the new one
    # an image that is not there is pulled, which fails here, and the task with it
    sh(images.replace(IMAGE, "127.0.0.1:1/no/such:1"), status=125)


def test_compss(sh, work, demo_home):
    """COMPSs, ContainerInvoker: directories end with a slash."""
    for name in ("app", "pycompss", "sandbox"):
        (demo_home / name).mkdir()
    (demo_home / "pycompss" / "worker.sh").write_text('echo "$PYTHONPATH $@ in $(pwd)"\n')
    (demo_home / "app" / "input").write_text("x\n")
    app, pycompss, sandbox = (str(demo_home / name) for name in ("app", "pycompss", "sandbox"))
    said = sh("udocker run --rm -v {2}:{2} -v {0}:{0} -v {1}/:{1}/ -e PYTHONPATH={0}:{1} -w {2} {3} "
              "sh {1}/worker.sh METHOD_CLASS function 1".format(app, pycompss, sandbox, IMAGE))
    assert said == "%s:%s METHOD_CLASS function 1 in %s\n" % (app, pycompss, sandbox)


def test_cromwell(sh, work, demo_home):
    """Cromwell's example configurations, with and without Slurm; images by digest too."""
    (demo_home / "job").mkdir()
    (demo_home / "job" / "script").write_text("#!/bin/sh\nwc -c < /cromwell/job/data > /cromwell/job/rc\n")
    (demo_home / "job" / "data").write_text("12345")
    sh("udocker run -v %s:/cromwell/job %s sh /cromwell/job/script" % (demo_home / "job", IMAGE))
    assert (demo_home / "job" / "rc").read_text() == "5\n"


def test_cromwell_by_digest(sh, registry, udocker):
    name = "%s/tools@%s" % (registry.host, registry.tags["tools"]["latest"])
    sh("udocker pull %s" % name)
    assert sh("udocker run --rm %s echo by digest" % name) == "by digest\n"


@pytest.mark.shows("load -i", "setup --execmode", "rm", "rmi")
def test_clementine(sh, work, demo_home, demo_archive):
    """Clementine reads the last line of load, and looks for two messages."""
    sh("udocker --allow-root rmi %s" % IMAGE)
    for _ in range(2):  # loading it again is no error
        last = sh("udocker --allow-root load -i %s" % demo_archive).strip().split("\n")[-1]
    loaded = last.strip("[']")
    assert loaded == IMAGE
    name = "clementine-7"
    sh("udocker --allow-root create --name=%s %s" % (name, loaded))
    again = "udocker --allow-root create --name=%s %s 2>&1" % (name, loaded)
    assert "container name already exists" in sh(again, status=125)
    sh("udocker --allow-root setup --execmode=P2 %s" % name)
    sh("udocker --allow-root run --rm -v '%s':/mnt %s sh -c 'echo done > /mnt/result'" % (work, name))
    assert (work / "result").read_text() == "done\n"
    assert "invalid container id" in sh("udocker --allow-root rm %s 2>&1" % name, status=125)
    sh("udocker --allow-root rmi %s" % loaded)


@pytest.mark.shows("run --name -v --rm --user --net", "images --no-trunc")
def test_galaxy(sh, work, demo_home, udocker):
    """Galaxy, docker_util.py, with docker_cmd set to ours."""
    inputs = demo_home / "inputs"
    inputs.mkdir()
    (inputs / "dataset").write_text("data\n")
    sh("udocker inspect %s" % IMAGE)
    assert re.search("^%s " % IMAGE, sh("udocker images --no-trunc"), re.MULTILINE)
    said = sh('udocker run -e "GALAXY_SLOTS=$GALAXY_SLOTS" -e "HOME=$HOME" --name 3f2a-9c '
              "-v {0}:{0}:ro -v '{1}':'{1}':rw -m 100m --cpus ${{GALAXY_SLOTS:-1}} -w '{1}' --net none "
              "--rm --user {2}:{3} {4} sh -c 'echo $GALAXY_SLOTS $(id -u):$(id -g); cat {0}/dataset; "
              "echo out > out'".format(inputs, work, os.getuid(), os.getgid(), IMAGE),
              GALAXY_SLOTS="2")
    assert said == "2 %d:%d\ndata\n" % (os.getuid(), os.getgid())
    assert (work / "out").read_text() == "out\n"
    assert "3f2a-9c" not in sh("udocker ps")
    # a job that somebody cancels
    job = udocker.start("run", "--name", "3f2a-9d", "--rm", IMAGE, "sh", "-c", "echo up; sleep 60",
                        stdout=subprocess.PIPE)
    try:
        assert job.stdout.readline() == b"up\n"
        sh("udocker kill 3f2a-9d")
        assert job.wait(20) == 137
    finally:
        job.kill()
        job.communicate()


@pytest.mark.shows("setup --execmode --nvidia --force", "run --workdir --volume")
def test_job_scripts(sh, work, demo_home):
    """What Slurm scripts and notebooks do."""
    (demo_home / "lib").mkdir()
    line = ("udocker run --rm --workdir=/scratch --volume='%s':/scratch %s sh -c 'pwd > here'"
            % (work, IMAGE))
    for env in ({}, {"UDOCKER_DEFAULT_EXECUTION_MODE": "P2"}, {"UDOCKER_LOGLEVEL": "1"}):
        sh(line, **env)
        assert (work / "here").read_text() == "/scratch\n"
    sh("udocker setup --execmode=P2 --nvidia c")
    sh("udocker setup --nvidia --force c")
    assert sh("udocker setup c") == "execmode: P2\nnvidiamode: True\n"
    sh("udocker --allow-root --quiet ps")


@pytest.mark.parametrize("name", ["udocker", "udocker.py", "udocker.pyz"])
def test_each_name_will_do_as_a_link_and_as_a_copy(udocker, demo_home, tmp_path, name):
    import shutil
    (tmp_path / "copy").mkdir()
    copied = shutil.copy(udocker.pyz, str(tmp_path / "copy" / name))
    linked = str(tmp_path / name)
    os.symlink(udocker.pyz, linked)
    for program in (copied, linked):
        udocker.pyz = program
        assert udocker.ok("run", "c", "echo", "hello") == "hello\n"
        assert udocker.ok("--version").startswith("version: 2.")
