import json

import pytest

from tests.fakes import hosts
from udocker.errors import CommandNotExecutable, CommandNotFound, InvalidValue, NotFound
from udocker.model.spec import Bind, Port, UserSpec
from udocker.run.plan import make_plan

IMAGE = hosts.config(Cmd=["ls"], Env=["PATH=/bin", "A=image"])


def plan(config=IMAGE, mode="P1", environ=None, files=None, origin="bundle", architecture="amd64",
         host=None, **spec):
    return make_plan(hosts.SPEC._replace(**spec), config, hosts.CONTAINER,
                     hosts.FakeView(files, host, architecture), hosts.FACTS, hosts.choice(mode, origin),
                     hosts.settings(), environ or {"TERM": "xterm"}, "/tmp/udocker-1000", False)


def env_of(made):
    if made.mode.startswith("P"):
        return dict(made.env)
    return dict(item.split("=", 1) for item in oci_config(made)["process"]["env"])


def oci_config(made):
    return json.loads(made.files[-1].content.decode("utf-8"))


def command_of(made):
    """What stands behind PRoot's own options."""
    return made.argv[made.argv.index("-w") + 2:]


@pytest.mark.parametrize("said, argv", [
    # image's entrypoint and cmd, ours, --entrypoint: what runs (docker-run(1))
    ((["/bin/sh"], ["-c", "x"], (), None), ("/bin/sh", "-c", "x")),
    ((["/bin/sh"], ["-c", "x"], ("-l",), None), ("/bin/sh", "-l")),
    (([], ["ls"], (), None), ("ls",)),
    (([], ["ls"], ("/bin/sh",), None), ("/bin/sh",)),
    ((["/bin/sh"], ["-c"], (), ("ls", "-a")), ("ls", "-a")),
    ((["/bin/sh"], ["-c"], ("/tmp",), ("ls",)), ("ls", "/tmp")),
    ((["/bin/sh"], ["-c"], ("ls",), ()), ("ls",)),
])
def test_entrypoint_and_command_combine_as_docker_has_it(said, argv):
    entrypoint, cmd, ours, replaced = said
    image = hosts.config(Entrypoint=entrypoint, Cmd=cmd, Env=["PATH=/bin"])
    assert command_of(plan(image, argv=ours, entrypoint=replaced)) == argv


def test_without_any_command_there_is_a_shell_and_a_warning():
    made = plan(hosts.config(Env=["PATH=/bin"]))
    assert command_of(made) == ("bash", "-i")
    assert any("what to run" in warning for warning in made.warnings)
    files = {path: kind for path, kind in hosts.FILES.items() if path != "/bin/bash"}
    assert command_of(plan(hosts.config(Env=["PATH=/bin"]), files=files)) == ("/bin/sh",)


@pytest.mark.parametrize("argv, error", [
    (("nothere",), CommandNotFound), (("/bin/nothere",), CommandNotFound),
    (("/etc",), CommandNotExecutable), (("/etc/motd",), CommandNotExecutable),
    (("./nothere",), CommandNotFound),
])
def test_a_command_that_cannot_run_is_told_before_anything_starts(argv, error):
    with pytest.raises(error):
        plan(argv=argv)


def test_a_command_may_be_in_a_volume():
    bind = Bind("/data", "/work", False)
    assert command_of(plan(argv=("/work/run.sh",), binds=(bind,))) == ("/work/run.sh",)
    with pytest.raises(CommandNotExecutable):
        plan(argv=("/work/notes",), binds=(bind,))


@pytest.mark.parametrize("mode", ["P1", "R1"])
def test_a_program_for_another_processor_is_not_started(mode):
    with pytest.raises(CommandNotExecutable) as caught:
        plan(architecture="arm64", mode=mode)
    assert "it is for arm64, and this machine is amd64" in caught.value.message
    for fine in ("386", ""):
        plan(architecture=fine, mode=mode)


@pytest.mark.parametrize("there, taken", [
    (("/opt/qemu-aarch64-static", "/opt/qemu-aarch64"), "/opt/qemu-aarch64-static"),
    (("/opt/qemu-aarch64",), "/opt/qemu-aarch64"),
])
def test_an_emulator_in_path_plays_the_other_processor(there, taken):
    host = dict(hosts.HOST, **{path: "executable" for path in there})
    made = plan(architecture="arm64", environ={"PATH": "relative:/usr/bin:/opt"}, host=host)
    assert made.argv[made.argv.index("-q") + 1] == taken
    assert "-q" not in plan(environ={"PATH": "/opt"}, host=host).argv


def test_a_script_is_for_what_its_image_is_for():
    image = hosts.config_of({"architecture": "arm64", "os": "linux", "config": {"Cmd": ["ls"], "Env": ["PATH=/bin"]}})
    with pytest.raises(CommandNotExecutable) as caught:
        plan(image, architecture="")
    assert "qemu-user-static" in caught.value.hint


def test_mount_points_that_are_missing_are_made():
    binds = (Bind("/data", "/new/place", False), Bind("/data/notes", "/new/file", False),
             Bind("/data", "/new/place/below", False), Bind("/data", "/srv", False))
    assert plan(binds=binds, sysdirs=False).mountpoints \
        == (("/new/place", True), ("/new/file", False))


def test_what_the_user_sets_wins_over_all_the_rest():
    made = plan(env=(("A", "mine"), ("B", None), ("C", None), ("USER", "me")),
                environ={"TERM": "xterm", "B": "host", "PATH": "/host/bin"})
    env = env_of(made)
    assert (env["A"], env["B"], env["C"], env["USER"]) == ("mine", "host", "", "me")
    assert (env["PATH"], env["TERM"], env["HOME"]) == ("/bin", "xterm", "/root")


def test_the_last_of_two_settings_counts():
    assert env_of(plan(env=(("A", "1"), ("A", "2"))))["A"] == "2"


def test_an_image_cannot_steer_the_engine():
    image = hosts.config(Cmd=["ls"], Env=["PATH=/bin", "PROOT_NO_SECCOMP=1", "PROOT_TMP_DIR=/x",
                                          "UDOCKER_DIR=/x", "LD_PRELOAD=/lib/x.so"])
    made = plan(image)
    env = env_of(made)
    assert "PROOT_NO_SECCOMP" not in env and "UDOCKER_DIR" not in env
    assert env["PROOT_TMP_DIR"] == "/tmp"
    assert env["LD_PRELOAD"] == "/lib/x.so"  # for the container; a static PRoot does not read it
    assert len(made.warnings) == 3


def test_a_foreign_proot_is_not_given_the_images_libraries():
    image = hosts.config(Cmd=["ls"], Env=["PATH=/bin", "LD_PRELOAD=/lib/x.so"])
    made = plan(image, origin="foreign")
    assert "LD_PRELOAD" not in env_of(made)
    assert any("LD_PRELOAD" in warning for warning in made.warnings)


def test_the_hosts_path_does_not_get_in_unless_asked():
    image = hosts.config(Cmd=["/bin/ls"])
    assert env_of(plan(image, environ={"PATH": "/host"}))["PATH"] == "/usr/sbin:/sbin:/usr/bin:/bin"
    assert env_of(plan(image, environ={"PATH": "/host", "X": "1"}, host_env=True))["X"] == "1"


def test_what_1_3_tells_the_container_is_told():
    env = env_of(plan())
    assert env["container_uuid"] == hosts.CONTAINER.id
    assert env["container_names"] == "c"
    assert env["container_execmode"] == "P1"
    assert env["container_root"] == hosts.CONTAINER.root
    assert env["container_ruser"] == "ann"


def test_without_metadata_the_image_says_nothing():
    image = hosts.config(Cmd=["/bin/ls"], Env=["A=1"], User="www-data", WorkingDir="/srv")
    made = plan(image)
    assert "A" in env_of(made) and made.argv[made.argv.index("-w") + 1] == "/srv"
    bare = plan(None, argv=("/bin/ls",))
    assert "A" not in env_of(bare) and bare.argv[bare.argv.index("-w") + 1] == "/root"
    assert "-0" in bare.argv


@pytest.mark.parametrize("workdir, found", [("/srv", "/srv"), ("srv", "/srv"), ("/srv/./", "/srv"),
                                            ("/srv/../tmp", "/tmp")])
def test_the_working_directory_is_the_one_asked_for(workdir, found):
    made = plan(workdir=workdir)
    assert made.argv[made.argv.index("-w") + 1] == found


def test_a_working_directory_that_is_not_there_is_made_as_docker_does():
    made = plan(workdir="/nope/deep", sysdirs=False)
    assert made.mountpoints == (("/nope/deep", True),)
    assert made.argv[made.argv.index("-w") + 1] == "/nope/deep"
    assert plan(workdir="/srv", sysdirs=False).mountpoints == ()
    # but not on the host, and not in place of something else
    for workdir in ("/etc/motd", "/work/nope", "/etc/motd/below/it", "/new\x1b[31m"):
        with pytest.raises(NotFound):
            plan(workdir=workdir, binds=(Bind("/data", "/work", False),))


def test_a_home_that_is_not_there_is_none():
    made = plan(env=(("HOME", "/nope"),))
    assert made.argv[made.argv.index("-w") + 1] == "/"


def test_a_volume_that_is_not_on_the_host_is_an_error():
    with pytest.raises(NotFound) as caught:
        plan(binds=(Bind("/nope", "/x", False),))
    assert "invalid host volume path" in caught.value.message


def test_a_volume_takes_the_place_of_a_default_one():
    made = plan(binds=(Bind("/data", "/dev", False),))
    assert [bind.source for bind in made.binds if bind.target == "/dev"] == ["/data"]


def test_default_volumes_can_be_left_out():
    assert not plan(sysdirs=False).binds
    made = plan(no_binds=("/sys", "/nope"))
    assert "/sys" not in [bind.source for bind in made.binds]
    assert any("/nope" in warning for warning in made.warnings)


def test_a_volume_that_cannot_be_protected_is_warned_of_and_one_that_can_is_not():
    bind = Bind("/data", "/x", True)
    assert any("read-only" in warning for warning in plan(binds=(bind,)).warnings)
    made = plan(binds=(bind,), mode="R1")
    assert not made.warnings
    mount = [m for m in oci_config(made)["mounts"] if m["destination"] == "/x"][0]
    assert "ro" in mount["options"] and mount["source"] == "/data"


def test_root_is_pretended_without_touching_a_file():
    made = plan()
    assert "-0" in made.argv and made.files == ()


def test_a_user_of_the_image_gets_the_ids_of_the_real_one():
    made = plan(user=UserSpec("www-data", None))
    assert made.argv[made.argv.index("-i") + 1] == "1000:100"
    passwd = [file for file in made.files if file.name == "passwd"][0].content
    assert b"www-data:x:1000:100:www-data:/var/www:/usr/sbin/nologin\n" in passwd
    assert [line[:9] for line in passwd.split(b"\n")].count(b"www-data:") == 1
    assert "/etc/passwd" in [bind.target for bind in made.binds]
    assert env_of(made)["HOME"] == "/var/www"


def test_with_namespaces_a_user_of_the_image_keeps_its_ids():
    made = plan(user=UserSpec("www-data", None), mode="R1")
    spec = oci_config(made)
    assert spec["process"]["user"] == {"uid": 33, "gid": 33}
    assert spec["linux"]["uidMappings"] == [{"containerID": 33, "hostID": 1000, "size": 1}]
    assert [file.name for file in made.files] == ["config"]


def test_ids_that_no_file_knows_get_lines_that_parse():
    made = plan(user=UserSpec(1234, 5678))
    assert made.argv[made.argv.index("-i") + 1] == "1234:5678"
    files = {file.name: file.content for file in made.files}
    line = files["passwd"].split(b"\n")[0].split(b":")
    assert len(line) == 7 and line[2:4] == [b"1234", b"5678"]
    assert b":5678:" in files["group"]


def test_the_real_user_can_be_inside_and_a_stranger_cannot():
    assert env_of(plan(user=UserSpec("ann", None)))["USER"] == "ann"
    assert env_of(plan(user=UserSpec("ann", None), bind_home=True))["HOME"] == "/home/ann"
    with pytest.raises(NotFound):
        plan(user=UserSpec("joe", None))
    with pytest.raises(NotFound):
        plan(user=UserSpec("www-data", "nogroup"))


def test_runs_side_by_side_do_not_share_a_file_of_different_content():
    one = plan(user=UserSpec(1234, 5678)).files[0].path
    other = plan(user=UserSpec("www-data", None)).files[0].path
    assert one != other and one == plan(user=UserSpec(1234, 5678)).files[0].path


def test_the_hosts_users_may_be_shown_and_then_nobody_else_is_known():
    made = plan(host_auth=True, user=UserSpec("ann", None))
    assert env_of(made)["USER"] == "ann" and made.files == ()
    assert [bind.source for bind in made.binds if bind.target.startswith("/etc/g")] == ["/etc/group"]
    with pytest.raises(NotFound):
        plan(host_auth=True, user=UserSpec("www-data", None))


def test_the_containers_own_files_stay_where_that_is_asked():
    assert plan(user=UserSpec("www-data", None), container_auth=True).files == ()


def test_an_image_without_accounts_still_has_root():
    files = {path: kind for path, kind in hosts.FILES.items() if path != "/etc/passwd"}
    made = plan(files=files)
    assert env_of(made)["USER"] == "root" and env_of(made)["HOME"] == "/root"


def test_ports_are_mapped_where_the_engine_can_and_warned_of_where_not():
    port = (Port(8080, 80, "tcp"),)
    argv = plan(ports=port).argv
    assert argv[argv.index("-p") + 1] == "80:8080"
    assert any("--publish" in warning for warning in plan(ports=port, mode="R1").warnings)


def test_mode_p2_tells_proot_to_do_without_its_filter():
    assert env_of(plan(mode="P2"))["PROOT_NO_SECCOMP"] == "1"
    assert "PROOT_NO_SECCOMP" not in env_of(plan())


@pytest.mark.parametrize("text, cpus", [("0", (0,)), ("0-2,5", (0, 1, 2, 5))])
def test_processors_are_listed_as_cpuset_has_it(text, cpus):
    assert plan(cpus=text).cpus == cpus


@pytest.mark.parametrize("text", ["a", "1-", "3-1", "-1", "1,,2", "9999999"])
def test_what_is_no_list_of_processors_is_refused(text):
    with pytest.raises(InvalidValue):
        plan(cpus=text)


def test_a_plan_says_why_and_survives_json():
    made = plan(user=UserSpec("www-data", None))
    again = json.loads(json.dumps(made.to_object()))
    assert again["argv"] == list(made.argv)
    assert {"what", "why"} == set(again["reasons"][0])
    assert "because" in made.to_text()
