"""udocker login and logout: what is verified, where it is kept, and that nobody sees it."""

import base64
import json
import os
import resource
import stat
import subprocess

import pytest

from tests.fakes import images
from tests.fakes.helper import install_helper
from tests.fakes.logins import BasicAuth, TokenAuth
from tests.fakes.registry import FakeRegistry
from tests.fakes.terminal import on_a_terminal

SECRET = "s3cr3t-Sentinel"
IMAGE = images.image([images.layer({"etc/": images.DIRECTORY})])


@pytest.fixture
def registry():
    with FakeRegistry(BasicAuth({"ann": SECRET})) as running:
        running.add("team/thing", "latest", IMAGE)
        yield running


def log_in(udocker, registry, *words, password=SECRET, **options):
    done = udocker("login", "-u", "ann", "--password-stdin", *(words or (registry.host,)),
                   input=password, **options)
    assert SECRET not in done.out + done.err
    return done


def entry(password=SECRET):
    return {"auth": base64.b64encode(("ann:" + password).encode()).decode()}


def read(path):
    with open(str(path)) as file:
        return json.load(file)


def docker_file(udocker):
    return os.path.join(udocker.home, ".docker", "config.json")


def can_pull(udocker, registry, **options):
    return udocker("pull", registry.host + "/team/thing", **options).status == 0


@pytest.mark.shows("logout")
@pytest.mark.parametrize("auth", [BasicAuth({"ann": SECRET}), TokenAuth({"ann": SECRET}),
                                  TokenAuth({"ann": SECRET}, anonymous=False)],
                         ids=["basic", "token", "strict-token"])
def test_a_login_is_verified_kept_used_and_forgotten(udocker, registry, auth):
    registry.auth = auth
    assert udocker("logout", registry.host).status == 1
    for password in ("wrong", SECRET + "x"):
        refused = log_in(udocker, registry, password=password)
        assert (refused.status, refused.out) == (125, ""), refused
        assert refused.err.count("\n") == 1 + ("creating repo" in refused.err), refused.err
        assert registry.host in refused.err and password not in refused.err
        assert not os.path.exists(docker_file(udocker)), "nothing is stored before"
    done = log_in(udocker, registry)
    assert (done.status, done.out) == (0, "Login Succeeded\n"), done
    assert "not encrypted" in done.err and docker_file(udocker) in done.err
    assert read(docker_file(udocker)) == {"auths": {registry.host: entry()}}
    assert stat.S_IMODE(os.stat(docker_file(udocker)).st_mode) == 0o600
    assert can_pull(udocker, registry)
    left = udocker("logout", registry.host)
    assert left.status == 0 and left.out == "" and docker_file(udocker) in left.err
    assert read(docker_file(udocker)) == {"auths": {}}
    gone = udocker("logout", registry.host)
    assert gone.status == 1 and gone.err == "Error: not logged in to %s\n" % registry.host


@pytest.mark.shows("login --registry", "logout --registry")
def test_servers_are_spelled_in_many_ways(udocker, registry):
    for words in ([registry.url], [registry.url + "/v2/"], ["--registry", registry.url],
                  ["--registry=" + registry.host, registry.host]):
        assert log_in(udocker, registry, *words).status == 0, words
        assert list(read(docker_file(udocker))["auths"]) == [registry.host]
    assert log_in(udocker, registry, "--registry=quay.io", registry.host).status == 125
    # without a server it is Docker Hub, or what is configured in its place
    assert log_in(udocker, registry, "--", env={"UDOCKER_REGISTRY": registry.url}).status == 0
    assert udocker("logout", env={"UDOCKER_REGISTRY": registry.url}).status == 0
    assert log_in(udocker, registry).status == 0
    assert udocker("logout", "--registry=" + registry.url).status == 0


def test_an_identity_token_is_kept_in_the_place_of_the_password(udocker, registry):
    registry.auth = TokenAuth({"ann": SECRET}, anonymous=False, offline="refresh-Sentinel")
    done = log_in(udocker, registry)
    assert done.status == 0 and "refresh-Sentinel" not in done.err
    kept = read(docker_file(udocker))["auths"][registry.host]
    assert kept["identitytoken"] == "refresh-Sentinel" and SECRET not in str(kept)
    assert can_pull(udocker, registry)
    # and the user may have one to begin with
    udocker.ok("logout", registry.host)
    done = udocker("login", "-u", "<token>", "--password-stdin", registry.host, input="refresh-Sentinel")
    assert done.status == 0, done
    assert read(docker_file(udocker))["auths"][registry.host]["identitytoken"] == "refresh-Sentinel"
    done = udocker("login", "-u", "<token>", "--password-stdin", registry.host, input="another")
    assert done.status == 125


def test_a_registry_for_everybody_confirms_nothing(udocker, registry):
    registry.auth = None
    done = log_in(udocker, registry)
    assert done.status == 0 and "could not be checked" in done.err
    assert registry.requests[-1].headers["authorization"].startswith("Basic ")
    udocker.ok("logout", registry.host)
    # one that asks nobody, and yet takes no wrong password
    registry.fault("/v2/", only_login=True, status=401, body=b'{"errors": [{"message": "who?"}]}')
    done = log_in(udocker, registry)
    assert done.status == 125 and "does not accept this login: who?" in done.err
    assert read(docker_file(udocker)) == {"auths": {}}
    # and what is no registry at all
    registry.faults[:] = []
    registry.fault("/v2/", status=200, body=b"<html>welcome")
    done = log_in(udocker, registry)
    assert done.status == 125 and "does not answer as a registry does" in done.err
    assert "authorization" not in registry.requests[-1].headers
    registry.faults[:] = []
    registry.fault("/v2/", status=404)
    done = log_in(udocker, registry)
    assert done.status == 125 and "no such registry on" in done.err


@pytest.mark.shows("login --authfile", "logout --authfile", "pull --authfile", "create --authfile", "run --authfile")
def test_it_is_kept_where_it_is_read_first(udocker, registry, tmp_path):
    run = tmp_path / "run" / "containers" / "auth.json"
    run.parent.mkdir(parents=True)
    run.write_text(json.dumps({"auths": {"quay.io": entry("x")}}))
    env = {"XDG_RUNTIME_DIR": str(tmp_path / "run")}
    assert log_in(udocker, registry, env=env).status == 0
    assert list(read(docker_file(udocker))["auths"]) == [registry.host]
    # podman's file knows the registry, so what it has counts, and is what must be replaced
    run.write_text(json.dumps({"auths": {registry.host: entry("old")}, "x": 1}))
    assert log_in(udocker, registry, env=env).status == 0
    assert read(run) == {"auths": {registry.host: entry()}, "x": 1}
    for place, environ, words in (
            (tmp_path / "a.json", {"REGISTRY_AUTH_FILE": str(tmp_path / "a.json")}, []),
            (tmp_path / "b.json", {}, ["--authfile=" + str(tmp_path / "b.json")]),
            (tmp_path / "dock" / "config.json", {"DOCKER_CONFIG": str(tmp_path / "dock")}, [])):
        assert log_in(udocker, registry, registry.host, *words, env=environ).status == 0
        assert read(place) == {"auths": {registry.host: entry()}}
    assert can_pull(udocker, registry, home=tmp_path) is False
    assert udocker("pull", "--authfile", tmp_path / "b.json", registry.host + "/team/thing",
                   home=tmp_path).status == 0
    for words in (["create"], ["run", "--rm"]):  # there is nothing to run in it, but it is pulled
        udocker("rmi", registry.host + "/team/thing", home=tmp_path)
        udocker(words[0], "--authfile", tmp_path / "b.json", *(words[1:] + [registry.host + "/team/thing"]),
                home=tmp_path)
        assert registry.host in udocker("images", home=tmp_path).out
    # logout with a file means that file; without, it leaves nothing that would be read
    assert udocker("logout", "--authfile", tmp_path / "b.json", registry.host).status == 0
    assert read(tmp_path / "b.json") == {"auths": {}} and read(docker_file(udocker))["auths"]
    env["REGISTRY_AUTH_FILE"] = str(tmp_path / "a.json")
    assert udocker("logout", registry.host, env=env).err.count("removed the login") == 3
    assert not can_pull(udocker, registry, env=env)


@pytest.mark.shows("logout --all")
def test_the_keystore_of_1_3_is_read_and_emptied(udocker, registry):
    path = os.path.join(udocker.home, ".udocker", "keystore")
    udocker.ok("images")
    text = json.dumps({registry.url: dict(entry(), email=""), "https://quay.io": dict(entry(), email="")})
    with open(path, "w") as file:
        file.write(text)
    os.chmod(path, 0o640)
    refused = udocker("pull", registry.host + "/team/thing")
    assert refused.status == 125 and "others may read it; 'chmod 600'" in refused.err
    os.chmod(path, 0o600)
    assert can_pull(udocker, registry)
    udocker.ok("mkrepo", "elsewhere")
    udocker.ok("--repo=elsewhere", "pull", registry.host + "/team/thing")
    # a new login is kept elsewhere, where it counts; the old one goes with it
    assert log_in(udocker, registry).status == 0 and read(path) == json.loads(text)
    os.chmod(path, 0o644)
    assert udocker("logout", registry.host).err.count("removed the login") == 2
    assert list(read(path)) == ["https://quay.io"] and stat.S_IMODE(os.stat(path).st_mode) == 0o600
    assert udocker("logout", "-a").status == 0 and read(path) == {}
    assert udocker("logout", "--all").status == 1


@pytest.mark.parametrize("section", [{"credsStore": "vault"}, {"credHelpers": {"HOST": "vault"}}], ids=str)
def test_a_credential_helper_keeps_it(udocker, registry, tmp_path, section):
    path = install_helper(str(tmp_path / "bin"), "vault")
    section = json.loads(json.dumps(section).replace("HOST", registry.host))
    os.makedirs(os.path.dirname(docker_file(udocker)))
    with open(docker_file(udocker), "w") as file:
        json.dump(dict(section, auths={registry.host: entry("old")}, other=[1]), file)
    done = log_in(udocker, registry, env={"PATH": path})
    assert done.status == 0 and "not encrypted" not in done.err, done
    assert read(docker_file(udocker)) == dict(section, auths={registry.host: {}}, other=[1])
    assert read(tmp_path / "bin" / "vault.json") == {
        registry.host: {"Username": "ann", "Secret": SECRET}}
    assert can_pull(udocker, registry, env={"PATH": path})
    assert not can_pull(udocker, registry)
    assert udocker("logout", registry.host, env={"PATH": path}).err.count("removed the login") == 2
    assert read(tmp_path / "bin" / "vault.json") == {}
    assert log_in(udocker, registry, env={"PATH": path}).status == 0
    assert udocker("logout", "-a", env={"PATH": path}).status == 0
    assert read(tmp_path / "bin" / "vault.json") == {}
    calls = (tmp_path / "bin" / "log").read_text()
    assert "'store'" in calls and "'erase'" in calls and "'get'" in calls
    assert SECRET not in calls, "no command line had it: neither the helper's nor ours"


@pytest.mark.parametrize("before, message", [
    ("sys.exit(3)", "failed with status 3"),
    ("print(question); sys.stderr.write(question); sys.exit(1)", "failed with status 1"),
    ("print('x' * 100000)", "did not end"),
], ids=["fails", "repeats it", "garbage"])
def test_a_helper_that_does_wrong(udocker, registry, tmp_path, before, message):
    path = install_helper(str(tmp_path / "bin"), "vault", before)
    os.makedirs(os.path.dirname(docker_file(udocker)))
    text = json.dumps({"credsStore": "vault", "auths": {registry.host: entry("old")}})
    with open(docker_file(udocker), "w") as file:
        file.write(text)
    done = log_in(udocker, registry, env={"PATH": path})
    assert done.status == 125 and done.out == "" and message in done.err, done
    with open(docker_file(udocker)) as file:
        assert file.read() == text, "what was there is there still"


BROKEN = [
    ("{half %s" % SECRET, "not a JSON object"), ("[]", "not a JSON object"), ('"%s"' % SECRET, "not a JSON"),
    ('{"auths": ["%s"]}' % SECRET, "'auths' are not an object"), ("\xff" + SECRET, "not a JSON object"),
    ('{"credsStore": "../%s"}' % SECRET, "invalid name"), ('{"credsStore": "absent"}', "cannot run"),
]


def test_a_file_of_logins_that_is_no_good(udocker, registry):
    os.makedirs(os.path.dirname(docker_file(udocker)))
    for text, message in BROKEN:
        with open(docker_file(udocker), "w", encoding="latin-1") as file:
            file.write(text)
        done = log_in(udocker, registry)
        assert done.status == 125 and done.out == "" and message in done.err, (text, done)
        if "helper" not in done.err:
            assert docker_file(udocker) in done.err
        with open(docker_file(udocker), encoding="latin-1") as file:
            assert file.read() == text
    pulled = udocker("pull", registry.host + "/team/thing")
    assert pulled.status == 125 and "docker-credential-absent" in pulled.err, pulled
    os.chmod(docker_file(udocker), 0)
    done = log_in(udocker, registry)
    assert done.status == 125 and "ermission denied" in done.err and docker_file(udocker) in done.err
    os.unlink(docker_file(udocker))
    os.chmod(os.path.dirname(docker_file(udocker)), 0o500)
    done = log_in(udocker, registry)
    os.chmod(os.path.dirname(docker_file(udocker)), 0o700)
    assert done.status == 125 and "cannot write" in done.err and "config.json" in done.err, done


def test_a_full_disk_leaves_the_old_file(udocker, registry):
    """A limit on the size of files stands for the disk."""
    assert log_in(udocker, registry).status == 0
    with open(docker_file(udocker)) as file:
        before = dict(json.load(file), filling="x" * 200000)
    with open(docker_file(udocker), "w") as file:
        json.dump(before, file)

    def limited():
        resource.setrlimit(resource.RLIMIT_FSIZE, (100000, 100000))

    process = udocker.start("login", "-u", "ann", "--password-stdin", registry.host, stdin=subprocess.PIPE,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=limited)
    out, err = process.communicate(SECRET.encode(), timeout=60)
    assert process.returncode == 125 and out == b"" and b"cannot write" in err, err
    assert read(docker_file(udocker)) == before
    assert os.listdir(os.path.dirname(docker_file(udocker))) == ["config.json"]


def test_what_can_be_no_login_is_refused_before_anybody_is_asked(udocker, registry):
    asked = len(registry.requests)
    here = registry.host
    for words, data, message in [
            (["-u", "ann", here], SECRET, "no terminal"), ([], SECRET, "no terminal"),
            (["--password-stdin", here], SECRET, "wants --username"),
            (["-u", "ann", "-p", SECRET, "--password-stdin", here], SECRET, "leave out --password"),
            (["-u", "ann", "--password-stdin", here], "", "password is empty"),
            (["-u", "ann", "--password-stdin", here], "\n", "password is empty"),
            (["-u", "", "--password-stdin", here], SECRET, "user name is empty"),
            (["-u", "a:b", "--password-stdin", here], SECRET, "invalid user name"),
            (["-u", "a\x1b[31mb", "--password-stdin", here], SECRET, "invalid user name"),
            (["-u", "ann", "--password-stdin", here], SECRET * 1000, "longer than"),
            (["-u", "ann", "--password-stdin", here], SECRET.encode() + b"\xff", "UTF-8"),
            (["-u", "ann", "--password-stdin=" + SECRET, here], "", "takes no value"),
            (["-u", "ann", "--password-stdin", "a b"], SECRET, "invalid registry"),
            (["-u", "ann", "--password-stdin", "http://ann:%s@host" % SECRET], SECRET, "password"),
            (["-u", "ann", "--password-stdin", here, "x"], SECRET, "syntax error"),
            (["-u"], "", "needs a value"), (["--username"], "", "needs a value")]:
        done = udocker("login", *words, input=data)
        assert (done.status, done.out) == (125, "") and message in done.err, (words, done)
        assert SECRET not in done.err and "\x1b" not in done.err
    assert len(registry.requests) == asked
    for words in (["-a", registry.host], ["a b"], ["a", "b"]):
        assert udocker("logout", *words).status == 125


@pytest.mark.shows("login", "login --username --password")
def test_a_password_among_the_arguments_is_taken_with_a_warning(udocker, registry):
    for words in (["--username=ann", "--password=" + SECRET], ["-u", "ann", "-p", SECRET]):
        done = udocker("login", *(words + [registry.host]))
        assert done.status == 0 and "can be read by everybody" in done.err and SECRET not in done.err


@pytest.mark.shows("login --password-stdin")
def test_it_asks_on_a_terminal_without_showing_the_password(udocker, registry):
    status, shown = on_a_terminal(udocker, ["login", registry.host], [
        (b"Username: ", b"ann\n"), (b"Password: ", SECRET.encode() + b"\n")])
    assert status == 0 and "Login Succeeded" in shown and SECRET not in shown, shown
    status, shown = on_a_terminal(udocker, ["login", "-u", "ann", registry.host], [
        (b"Password: ", b"wrong\n")])
    assert status == 125 and "Error: " in shown and "wrong" not in shown
    status, shown = on_a_terminal(udocker, ["login", "-u", "ann", "--password-stdin", registry.host], [])
    assert status == 125 and "would show the password" in shown


def test_no_output_of_any_command_has_the_secret(udocker, registry, tmp_path):
    """--debug, tracebacks, a registry that repeats what it got, and commands that use the login."""
    proxy = "http://proxyuser:%s@127.0.0.1:port" % SECRET
    host, thing, token = registry.host, registry.host + "/team/thing", entry()["auth"]
    everything = []

    def run(*words, **options):
        done = udocker("--debug", *words, **options)
        everything.append(done.out + done.err)
        return done

    assert run("login", "-u", "ann", "--password-stdin", host, input=SECRET).status == 0
    assert run("pull", thing).status == 0
    assert run("push", thing, host + "/team/other").status == 0
    assert run("manifest", "inspect", thing).status == 0
    assert run("search", "--list-tags", thing).status == 0
    assert run("search", host + "/team").status == 0
    config = os.path.join(udocker.home, ".udocker", "udocker.conf")
    with open(config, "w") as file:
        file.write("http_proxy = %s\n" % proxy)
    run("showconf")
    os.unlink(config)
    for words in (["inspect", thing], ["create", "--name=x", thing], ["images", "-l"],
                  ["inspect", "x"], ["run", "--dry-run", "x", "sh"],
                  ["search", "--httpproxy=" + proxy, host + "/x"]):
        run(*words)
    echo = json.dumps({"errors": [{"message": "you said Basic " + token}]}).encode()
    registry.fault("/v2/", status=401, body=echo, headers=[("WWW-Authenticate", "Basic")])
    failed = run("login", "-u", "ann", "--password-stdin", host, input=SECRET)
    assert failed.status == 125 and "Traceback" in failed.err
    registry.faults[:] = []
    registry.auth = TokenAuth({"ann": "another"}, anonymous=False)
    assert run("login", "-u", "ann", "--password-stdin", host, input=SECRET).status == 125
    assert run("pull", thing).status == 125
    os.chmod(os.path.join(udocker.home, ".docker"), 0)
    run("pull", thing)
    os.chmod(os.path.join(udocker.home, ".docker"), 0o700)
    assert run("logout", host).status == 0
    shown = "\n".join(everything)
    assert "GET http" in shown
    assert [line for line in shown.splitlines() if SECRET in line or token in line] == []
