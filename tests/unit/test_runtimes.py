"""What the OCI runtimes and Singularity are told."""

import json

import pytest

from tests.fakes import hosts
from udocker.model.spec import Bind, UserSpec
from udocker.run.plan import make_plan

IMAGE = hosts.config(Cmd=["ls"], Env=["PATH=/bin"])


def plan(mode, name=None, environ=None, **spec):
    return make_plan(hosts.SPEC._replace(**spec), IMAGE, hosts.CONTAINER, hosts.FakeView(),
                     hosts.FACTS, hosts.choice(mode, name=name), hosts.settings(),
                     environ or {"TERM": "xterm"}, "/tmp/udocker-1000", False)


def config_of(made):
    return json.loads([file for file in made.files if file.name == "config"][0].content.decode())


@pytest.mark.parametrize("mode, filter_is_on", [("R2", True), ("R3", False)])
def test_a_proot_inside_runs_the_command(mode, filter_is_on):
    process = config_of(plan(mode))["process"]
    assert process["args"] == ["/dev/.udocker/proot-x86_64", "--kill-on-exit", "-0", "-w", "/root",
                               "ls"]
    assert ("PROOT_NO_SECCOMP=1" not in process["env"]) == filter_is_on
    assert config_of(plan("R1"))["process"]["args"] == ["ls"]


def test_who_is_not_root_is_not_made_root_by_the_proot_inside():
    args = config_of(plan("R2", user=UserSpec("www-data", None)))["process"]["args"]
    assert "-0" not in args and args[-1] == "ls"


def test_crun_gets_its_config_from_a_file_without_a_name():
    made = plan("R1")
    assert made.engine == "crun" and "{config}" in made.argv
    assert [file.path for file in made.files if file.name == "config"] == [""]


def test_runc_gets_a_bundle_of_its_own_for_each_run():
    made = plan("R1", name="runc-x86_64")
    bundle = "/tmp/udocker-1000/bundle-11111111-2222-42"
    assert made.engine == "runc"
    assert made.argv[made.argv.index("--bundle") + 1] == bundle
    assert [file.path for file in made.files if file.name == "config"] == [bundle + "/config.json"]
    assert config_of(made) == config_of(plan("R1"))


def test_singularity_shows_what_the_plan_says_and_nothing_else():
    made = plan("S1", binds=(Bind("/data", "/x", True),), user=UserSpec("root", None), environ={
        "PATH": "/usr/bin", "HOME": "/home/ann", "SECRET": "1", "TERM": "xterm"})
    words = " ".join(made.argv)
    assert "--bind /data:/x:ro" in words and "--contain" in words and "--fakeroot" in words
    assert made.argv[-2:] == (hosts.CONTAINER.root, "ls")
    env = dict(made.env)
    assert env["APPTAINERENV_PATH"] == "/bin" and env["PATH"] == "/usr/bin"
    assert "SECRET" not in env and "APPTAINERENV_SECRET" not in env


def test_singularity_of_the_old_name_reads_its_own_variables():
    env = dict(plan("S1", name="singularity").env)
    assert env["SINGULARITYENV_PATH"] == "/bin" and "APPTAINERENV_PATH" not in env
