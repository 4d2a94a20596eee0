"""What each key of udocker.conf and each variable changes, seen from outside."""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import tarfile
import time

import pytest

from tests.fakes.certificates import make_certificate
from tests.fakes.images import image, layer
from tests.fakes.logins import BasicAuth
from tests.fakes.proxy import FakeProxy
from tests.fakes.registry import FakeRegistry

shows = pytest.mark.shows


def configure(home, text):
    """Write the configuration file of the user."""
    (home / ".udocker").mkdir(exist_ok=True)
    (home / ".udocker" / "udocker.conf").write_text("[DEFAULT]\n" + text)


def plan(udocker, *words, **options):
    """Return what ``run --dry-run`` says (dict) of the container c."""
    return json.loads(udocker.ok("run", "--dry-run", "--format=json", *(words or ("c", "true")),
                                 **options))


@pytest.fixture
def registry():
    with FakeRegistry() as running:
        running.add("library/small", "latest", image([layer({"a": b"1"}), layer({"b": b"2"})]))
        yield running


# Where things are

@shows("UDOCKER_DIR", "UDOCKER_BIN", "UDOCKER_LIB", "UDOCKER_DOC", "UDOCKER_REPOS",
       "UDOCKER_LAYERS", "UDOCKER_CONTAINERS")
@pytest.mark.parametrize("by_file", [False, True], ids=["variables", "file"])
def test_each_part_may_lie_elsewhere(udocker, engines, demo_archive, home, tmp_path, by_file):
    variables = ("UDOCKER_BIN", "UDOCKER_LIB", "UDOCKER_DOC", "UDOCKER_REPOS", "UDOCKER_LAYERS",
                 "UDOCKER_CONTAINERS")
    parts = [name.partition("_")[2].lower() for name in variables]
    places = {part: str(tmp_path / ("my-" + part)) for part in parts}
    env = {"UDOCKER_DIR": str(tmp_path / "top")}
    if by_file:
        env["UDOCKER_DIR"] = None
        configure(home, "topdir = %s\n" % (tmp_path / "top")
                  + "".join("%sdir = %s\n" % item for item in places.items()))
    else:
        env.update(zip(variables, places.values()))
    udocker.ok("install", env=env)
    udocker.ok("load", "-i", demo_archive, env=env)
    udocker.ok("create", "--name=c", "demo", env=env)
    assert udocker.ok("run", "c", "echo", "hello", env=env) == "hello\n"
    for path in places.values():
        assert os.listdir(path)
    assert not set(parts) & set(os.listdir(str(tmp_path / "top")))


@shows("UDOCKER_TMP", "PROOT_TMP_DIR", "TMPDIR", "udocker.conf tmpdir")
def test_temporary_files_go_where_they_are_told(udocker, demo_home, tmp_path):
    def used(**env):
        return plan(udocker, env=env)["env"]["PROOT_TMP_DIR"]

    assert used(TMPDIR=None) == "/tmp"
    assert used(TMPDIR="/one") == "/one"
    configure(demo_home, "tmpdir = /two\n")
    assert used(TMPDIR="/one") == "/two"
    assert used(TMPDIR="/one", UDOCKER_TMP="/three") == "/three"
    assert used(UDOCKER_TMP="/three", PROOT_TMP_DIR="/four") == "/four"
    # it is where the runtime of R1 keeps its state, in a directory of ours
    udocker.ok("run", "--execmode=R1", "c", "true", env={"UDOCKER_TMP": str(tmp_path)})
    assert (tmp_path / ("udocker-%d" % os.getuid())).is_dir()


@shows("UDOCKER_KEYSTORE")
def test_credentials_of_1_3_may_lie_elsewhere(udocker, home, tmp_path):
    with FakeRegistry(auth=BasicAuth({"ann": "pw"})) as registry:
        registry.add("private", "latest", image([layer({"a": b"1"})]))
        name = registry.host + "/private"
        assert udocker("pull", name).status == 125
        store = tmp_path / "my-keys"
        store.write_text(json.dumps({registry.url: {"auth": "YW5uOnB3", "email": ""}}))
        store.chmod(0o600)
        udocker.ok("pull", name, env={"UDOCKER_KEYSTORE": str(store)})


@shows("-D --debug --config --repo", "UDOCKER_NOSYSCONF")
def test_the_command_line_counts_more_than_the_environment_and_that_more_than_files(
        udocker, home, tmp_path):
    def level(*words, **env):
        lines = udocker.ok(*(words + ("showconf",)), env=env).split("\n")
        return next(line for line in lines if line.startswith("verbose_level ="))

    configure(home, "verbose_level = 2\n")
    user = "%s, line 2" % (home / ".udocker" / "udocker.conf")
    assert level() == "verbose_level = 2    # " + user
    top = tmp_path / "top"
    udocker.ok("mkrepo", top)
    (top / "udocker.conf").write_text("verbose_level = 1\n")
    assert level(UDOCKER_DIR=str(top)).startswith("verbose_level = 1    # %s" % top)
    assert level("--repo=%s" % top).startswith("verbose_level = 1    # %s" % top)
    (tmp_path / "more.conf").write_text("verbose_level: 4\n")
    more = "--config=%s" % (tmp_path / "more.conf")
    assert level(more, UDOCKER_DIR=str(top)).startswith("verbose_level = 4    # %s" % tmp_path)
    assert level(more, UDOCKER_LOGLEVEL="0") == "verbose_level = 0    # UDOCKER_LOGLEVEL"
    assert "Traceback" in udocker("-D", more, "run", "a/../b", env={"UDOCKER_LOGLEVEL": "0"}).err
    assert not os.path.exists("/etc/udocker.conf") or level(UDOCKER_NOSYSCONF="1") == level()


# What is said

@shows("UDOCKER_LOGLEVEL", "-q --quiet")
def test_how_much_is_told(udocker, demo_home):
    configure(demo_home, "no_such_key = 1\n")

    def told(*words, **env):
        done = udocker(*(words + ("install",)), env=env)
        assert done.status == 0 and done.out == ""
        return {line.split(":")[0] for line in done.err.split("\n") if line}

    all_kinds = {"Info", "Warning"}
    for number, kinds in enumerate([set(), set(), {"Warning"}, all_kinds, all_kinds]):
        assert told(UDOCKER_LOGLEVEL=str(number)) == kinds
    assert told() == all_kinds and told("-q") == told("--quiet") == set()
    failing = ("run", "a/../b")
    assert "Traceback" in udocker(*failing, env={"UDOCKER_LOGLEVEL": "5"}).err
    for quiet in ("0", "1"):
        assert udocker(*failing, env={"UDOCKER_LOGLEVEL": quiet}).err.startswith("Error: ")


@shows("showconf")
def test_showconf_gives_no_password_away(udocker, home):
    configure(home, "http_proxy = http://ann:s3cret@proxy:3128\n")
    env = {"UDOCKER_TARBALL": "https://bob:hidden@mirror/ /srv/engines"}
    shown = udocker.ok("showconf", env=env)
    assert "http_proxy = http://***@proxy:3128    # " in shown
    assert "tarball = ['https://***@mirror/', '/srv/engines']    # UDOCKER_TARBALL\n" in shown
    said = shown + udocker.ok("version", env=env)
    assert "s3cret" not in said and "hidden" not in said


def test_a_wrong_file_is_one_line_that_names_file_line_and_key(udocker, home):
    configure(home, "# a comment\ntimeout = soon\n")
    done = udocker("images")
    path = home / ".udocker" / "udocker.conf"
    assert (done.status, done.out) == (125, "")
    assert done.err == "Error: %s, line 3: timeout: 'soon' is not a number\n" % path
    configure(home, "timeuot = 3\n")
    done = udocker("-D", "images")
    assert done.status == 0
    assert "Warning: %s, line 2: unknown key 'timeuot': did you mean 'timeout'?\n" % path in done.err
    # for help nothing has to be right
    configure(home, "timeout = soon\n")
    assert udocker("help").status == 0


# Engines

@shows("UDOCKER_DEFAULT_EXECUTION_MODE", "udocker.conf proot_noseccomp proot_killonexit",
       "udocker.conf proot_link2symlink", "PROOT_NO_SECCOMP")
def test_modes_and_what_proot_is_told(udocker, demo_home):
    usual = plan(udocker)
    assert usual["mode"] == "P1" and "PROOT_NO_SECCOMP" not in usual["env"]
    assert "--kill-on-exit" in usual["argv"] and "--link2symlink" not in usual["argv"]
    assert plan(udocker, env={"UDOCKER_DEFAULT_EXECUTION_MODE": "R1"})["mode"] == "R1"
    assert plan(udocker, env={"PROOT_NO_SECCOMP": "1"})["env"]["PROOT_NO_SECCOMP"] == "1"
    wrong = udocker("run", "c", env={"UDOCKER_DEFAULT_EXECUTION_MODE": "X7"})
    assert wrong.status == 125 and "X7" in wrong.err
    configure(demo_home, "override_default_execution_mode = P2\n")
    assert plan(udocker)["mode"] == "P2"
    udocker.ok("setup", "--execmode=P1", "c")
    assert plan(udocker)["mode"] == "P1", "what the container was given counts more"
    configure(demo_home, "proot_noseccomp = yes\nproot_killonexit = False\n"
                         "proot_link2symlink = True\n")
    told = plan(udocker)
    assert told["env"]["PROOT_NO_SECCOMP"] == "1"
    assert "--kill-on-exit" not in told["argv"] and "--link2symlink" in told["argv"]
    assert udocker.ok("run", "c", "echo", "hello") == "hello\n"


@shows("UDOCKER_USE_PROOT_EXECUTABLE", "UDOCKER_USE_RUNC_EXECUTABLE",
       "UDOCKER_USE_SINGULARITY_EXECUTABLE")
def test_engines_may_be_others(udocker, demo_home, tmp_path):
    ours = demo_home / ".udocker" / "bin"
    machine = os.uname().machine
    for name in ("proot-" + machine, "proot-%s-loader" % machine, "crun-" + machine):
        shutil.copy(str(ours / name), str(tmp_path / name.replace("-" + machine, "")))
    (tmp_path / "apptainer").write_text("#!/bin/sh\nexit 0\n")
    (tmp_path / "apptainer").chmod(0o755)
    for name, variable, mode in (("proot", "UDOCKER_USE_PROOT_EXECUTABLE", "P1"),
                                 ("crun", "UDOCKER_USE_RUNC_EXECUTABLE", "R1"),
                                 ("apptainer", "UDOCKER_USE_SINGULARITY_EXECUTABLE", "S1")):
        path = str(tmp_path / name)
        assert plan(udocker, "--execmode=" + mode, "c", "true", env={variable: path})["argv"][0] == path
        configure(demo_home, "%s = %s\n" % (variable.partition("_")[2].lower(), path))
        assert plan(udocker, "--execmode=" + mode, "c", "true")["argv"][0] == path
        missing = udocker("run", "--execmode=" + mode, "c", env={variable: "/nope"})
        assert missing.status == 125 and "/nope" in missing.err
    configure(demo_home, "use_proot_executable = UDOCKER\n")
    assert plan(udocker)["argv"][0] == str(ours / ("proot-" + machine))


@pytest.fixture(scope="module")
def dynamic_root(tmp_path_factory):
    """An archive (str) of a root file system with this machine's shell, loader and C library."""
    shell = os.path.realpath("/bin/sh")
    listed = subprocess.run(["ldd", shell], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                            universal_newlines=True).stdout
    needed = {word for word in listed.split() if word.startswith("/")}
    if not needed:
        pytest.skip("ldd tells no libraries of %s" % shell)
    path = str(tmp_path_factory.mktemp("dynamic") / "root.tar")
    with tarfile.open(path, "w", dereference=True) as archive:
        archive.add(shell, "bin/sh")
        for name in needed:
            archive.add(name, name.lstrip("/"))
    return path


@shows("UDOCKER_FAKECHROOT_SO", "UDOCKER_FAKECHROOT_CMD_SUBST", "UDOCKER_USE_PATCHELF_EXECUTABLE",
       "UDOCKER_FAKECHROOT_LIBC", "UDOCKER_FAKECHROOT_EXPAND_SYMLINKS")
def test_what_f_modes_are_told(udocker, demo_home, dynamic_root, tmp_path):
    udocker.ok("import", "--tocontainer", "--name=dynamic", dynamic_root)
    ours = str(demo_home / ".udocker" / "lib" / ("libfakechroot-%s.so" % os.uname().machine))
    other = shutil.copy(ours, str(tmp_path / "other.so"))
    script = "/bin/there-is-none && echo replaced; echo done"
    words = ("run", "--execmode=F1", "dynamic", "/bin/sh", "-c", script)
    assert udocker.ok(*words) == "done\n"
    env = {"UDOCKER_FAKECHROOT_CMD_SUBST": "/bin/there-is-none=#RETURN(TRUE)#"}
    assert udocker.ok(*words, env=env) == "replaced\ndone\n"
    wrong = udocker(*words, env={"UDOCKER_FAKECHROOT_CMD_SUBST": "nonsense"})
    assert wrong.status == 125 and "nonsense" in wrong.err
    usual = plan(udocker, *(("--execmode=F1",) + words[2:]))["env"]
    assert usual["LD_PRELOAD"] == ours
    for env in ({"UDOCKER_FAKECHROOT_LIBC": "/nope"}, {"UDOCKER_FAKECHROOT_EXPAND_SYMLINKS": "no"}):
        unchanged = plan(udocker, *(("--execmode=F1",) + words[2:]), env=env)["env"]
        assert unchanged == usual and udocker.ok(*words, env=env) == "done\n"
    env = {"UDOCKER_FAKECHROOT_SO": other}
    assert plan(udocker, *(("--execmode=F1",) + words[2:]), env=env)["env"]["LD_PRELOAD"] == other
    assert udocker.ok(*words, env=env) == "done\n"
    # a patchelf that leaves a trace
    real = str(demo_home / ".udocker" / "bin" / ("patchelf-" + os.uname().machine))
    traced = tmp_path / "patchelf"
    traced.write_text('#!/bin/sh\necho "$@" >> %s\nexec %s "$@"\n' % (tmp_path / "trace", real))
    traced.chmod(0o755)
    udocker.ok("setup", "--execmode=F3", "dynamic",
               env={"UDOCKER_USE_PATCHELF_EXECUTABLE": str(traced)})
    assert "--set-root-prefix" in (tmp_path / "trace").read_text()
    assert udocker.ok("run", "dynamic", "/bin/sh", "-c", "echo F3") == "F3\n"


@shows("udocker.conf lib_dirs_list_nvidia nvi_lib_list nvi_bin_list nvi_etc_list nvi_dev_list")
def test_what_belongs_to_the_nvidia_driver(udocker, demo_home, tmp_path):
    for name in ("tool", "settings", "libnvidia-ml.so.1"):
        shutil.copy("/bin/true", str(tmp_path / name))
    configure(demo_home, "lib_dirs_list_nvidia = {0}\nnvi_lib_list = libnvidia-ml.so*\n"
                         "nvi_bin_list = {0}/tool\nnvi_etc_list = ['{0}/settings']\n"
                         "nvi_dev_list = nul?\n".format(tmp_path))
    udocker.ok("setup", "--nvidia", "c")
    sources = [bind["source"] for bind in plan(udocker)["binds"]]
    for name in ("tool", "settings", "libnvidia-ml.so.1"):
        assert str(tmp_path / name) in sources
    assert "/dev/null" in sources


@shows("UDOCKER_USE_CURL_EXECUTABLE", "PROOT_NEW_SECCOMP")
def test_what_changes_nothing_any_more(udocker, demo_home, registry):
    env = {"UDOCKER_USE_CURL_EXECUTABLE": "/nope", "PROOT_NEW_SECCOMP": "1"}
    udocker.ok("pull", registry.host + "/library/small", env=env)
    assert plan(udocker, env=env)["env"] == plan(udocker)["env"]
    assert udocker.ok("run", "c", "echo", "hello", env=env) == "hello\n"


@shows("UDOCKER_TARBALL", "udocker.conf autoinstall")
def test_engines_come_when_a_run_needs_them_unless_that_is_forbidden(udocker, demo_home, tmp_path):
    udocker.ok("mirror", tmp_path / "mirror")
    shutil.rmtree(str(demo_home / ".udocker" / "bin"))
    configure(demo_home, "autoinstall = no\n")
    refused = udocker("run", "c", "true")
    assert refused.status == 125 and "'udocker install'" in refused.err
    configure(demo_home, "autoinstall = yes\n")
    udocker.ok("run", "c", "true")
    # the program's own come first; "version" tells what else there is
    env = {"UDOCKER_TARBALL": str(tmp_path / "mirror")}
    assert "tarball: %s\n" % (tmp_path / "mirror") in udocker.ok("version", env=env)


# What containers get

@shows("udocker.conf cmd root_path user_path sysdirs_list valid_host_env invalid_host_env")
def test_what_containers_get(udocker, demo_home):
    root = os.path.join(udocker.ok("inspect", "-p", "c").strip(), "..")
    config = os.path.join(root, "container.json")
    with open(config) as file:
        document = json.load(file)
    document["config"] = {}
    with open(config, "w") as file:
        json.dump(document, file)
    configure(demo_home, "cmd = ['sh', '-c', 'echo nothing said']\nroot_path = /bin:/mine\n"
                         "user_path = /bin:/theirs\nsysdirs_list = /dev /proc\n"
                         "valid_host_env = MINE, TERM\ninvalid_host_env = ['SECRET']\n")
    assert udocker.ok("run", "c") == "nothing said\n"
    script = "echo $PATH $MINE $SECRET; ls /sys"
    env = {"MINE": "mine", "SECRET": "secret"}
    assert udocker.ok("run", "c", "sh", "-c", script, env=env) == "/bin:/mine mine\n"
    assert udocker.ok("run", "--user=nobody", "c", "sh", "-c", script, env=env) \
        == "/bin:/theirs mine\n"
    assert udocker.ok("run", "--hostenv", "c", "sh", "-c", "echo $MINE $SECRET", env=env) == "mine\n"


# Registries

@shows("UDOCKER_REGISTRY")
def test_the_registry_for_names_without_a_host(udocker, registry, home):
    udocker.ok("pull", "small", env={"UDOCKER_REGISTRY": registry.url})
    configure(home, "dockerio_registry_url = %s\n" % registry.url)
    udocker.ok("pull", "small")
    assert "small:latest" in udocker.ok("images")


@shows("udocker.conf http_proxy")
def test_a_proxy(udocker, registry, home):
    with FakeProxy() as proxy:
        configure(home, "http_proxy = %s\n" % proxy.url)
        udocker.ok("pull", "--registry=" + registry.url, "small")
        assert any("/v2/library/small/" in target for _, target, _ in proxy.requests)
        seen = len(proxy.requests)
        configure(home, "http_proxy = http://127.0.0.1:1\n")
        udocker.ok("rmi", "small")
        udocker.ok("pull", "--registry=" + registry.url, "--httpproxy=" + proxy.url, "small")
        assert len(proxy.requests) > seen


@shows("--insecure", "udocker.conf http_insecure")
def test_a_registry_whose_certificate_nobody_knows(udocker, home, tmp_path):
    if shutil.which("openssl") is None:
        pytest.skip("the program openssl is not installed")
    certificate = make_certificate(tmp_path)
    with FakeRegistry(certificate=certificate) as registry:
        registry.add("small", "latest", image([layer({"a": b"1"})]))
        name = registry.host + "/small"
        refused = udocker("pull", name)
        assert refused.status == 125 and "--insecure" in refused.err
        udocker.ok("--insecure", "pull", name)
        udocker.ok("rmi", name)
        configure(home, "http_insecure = False\n")
        assert udocker("pull", name).status == 125
        configure(home, "http_insecure = True\n")
        udocker.ok("pull", name)


@shows("udocker.conf timeout")
def test_patience(udocker, registry, home):
    registry.fault("/manifests/", delay=25, times=1)
    configure(home, "timeout = 1\n")
    started = time.time()
    udocker.ok("pull", "--registry=" + registry.url, "small")
    assert time.time() - started < 20


@shows("udocker.conf ctimeout")
def test_patience_with_connections(udocker, home):
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        address = listening.getsockname()
        # who listens and never accepts: the second connection of these waits for ever
        with contextlib.ExitStack() as stack:
            for _ in range(4):
                waiting = stack.enter_context(socket.socket())
                waiting.setblocking(False)
                waiting.connect_ex(address)
            configure(home, "ctimeout = 1\n")
            started = time.time()
            done = udocker("pull", "--registry=http://%s:%d" % address, "small")
    assert done.status == 125 and time.time() - started < 15
    assert "no answer in time" in done.err


@shows("UDOCKER_DOWNLOAD_JOBS")
def test_layers_come_side_by_side(udocker, registry):
    def connections(jobs):
        before = registry.connections
        registry.fault("/blobs/", delay=0.3, times=3)
        udocker.ok("pull", "--registry=" + registry.url, "small",
                   env={"UDOCKER_DOWNLOAD_JOBS": jobs})
        udocker.ok("rmi", "small")
        return registry.connections - before

    assert connections("1") < connections("4")
