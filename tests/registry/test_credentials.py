"""Where logins are kept: files (T36) and helpers (T35)."""

import base64
import json
import os
import stat
import subprocess
import sys
import time

import pytest

from udocker.errors import HostError
from udocker.registry.credentials import AuthFile, Credential, Credentials, auth_files, normal_key
from udocker.registry.logins import Logins


def auth(name, password):
    return {"auth": base64.b64encode(("%s:%s" % (name, password)).encode()).decode()}


def write(path, document):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return str(path)


def find(document, host, repository="", flat=False, tmp_path=None, warn=None):
    path = write(tmp_path / "auth.json", document)
    return Credentials([AuthFile(path, flat)], {}, warn).find(host, repository)


PLACES = [
    # place below HOME, the environment that names it, and whether registries stand at the top
    ("named.json", {"REGISTRY_AUTH_FILE": "{home}/named.json"}, False),
    ("run/containers/auth.json", {"XDG_RUNTIME_DIR": "{home}/run"}, False),
    ("cfg/containers/auth.json", {"XDG_CONFIG_HOME": "{home}/cfg"}, False),
    (".config/containers/auth.json", {}, False),
    ("dock/config.json", {"DOCKER_CONFIG": "{home}/dock"}, False),
    (".docker/config.json", {}, False),
    (".dockercfg", {}, True),
]


@pytest.mark.parametrize("place, environ, flat", PLACES, ids=[place[0] for place in PLACES])
def test_every_file_of_the_convention_is_read(tmp_path, place, environ, flat):
    environ = {name: value.format(home=tmp_path) for name, value in environ.items()}
    environ["HOME"] = str(tmp_path)
    entries = {"quay.io": auth("ann", "pw")}
    write(tmp_path / place, entries if flat else {"auths": entries})
    assert Credentials(auth_files(environ), environ).find("quay.io") == Credential("ann", "pw")


def test_the_files_are_read_in_the_order_of_the_convention(tmp_path):
    environ = {"HOME": str(tmp_path), "REGISTRY_AUTH_FILE": str(tmp_path / "1"),
               "XDG_RUNTIME_DIR": str(tmp_path / "2"), "XDG_CONFIG_HOME": str(tmp_path / "3")}
    places = ["0", "1", "2/containers/auth.json", "3/containers/auth.json", ".docker/config.json",
              ".dockercfg", "keystore"]
    for number, place in enumerate(places):
        entries = {"quay.io": auth("user%d" % number, "pw")}
        os.chmod(write(tmp_path / place, entries if number >= 5 else {"auths": entries}), 0o600)
    files = auth_files(environ, authfile=str(tmp_path / "0"), keystore=str(tmp_path / "keystore"))
    for number, place in enumerate(places):
        assert Credentials(files, environ).find("quay.io").username == "user%d" % number
        os.unlink(str(tmp_path / place))
    assert Credentials(files, environ).find("quay.io") is None


def test_the_keystore_of_1_3_is_read(tmp_path):
    """As udocker 1.3.17 writes it: by the URL of the registry."""
    document = {"https://registry-1.docker.io": dict(auth("ann", "pw"), email=""),
                "https://quay.io": dict(auth("bob", "pw"), email="")}
    assert find(document, "docker.io", "library/ubuntu", True, tmp_path).username == "ann"
    assert find(document, "quay.io", "a/b", True, tmp_path).username == "bob"


@pytest.mark.parametrize("key", [
    "docker.io", "index.docker.io", "registry-1.docker.io", "https://index.docker.io/v1/",
    "https://index.docker.io/v1", "https://docker.io", "http://index.docker.io/v2/"])
def test_docker_hub_has_many_names(tmp_path, key):
    for host in ("docker.io", "registry-1.docker.io", "index.docker.io"):
        assert find({"auths": {key: auth("ann", "pw")}}, host, tmp_path=tmp_path)


def test_the_most_specific_entry_wins(tmp_path):
    document = {"auths": {"quay.io": auth("host", "x"), "quay.io/a": auth("a", "x"),
                          "quay.io/a/b": auth("ab", "x"), "https://quay.io/a/b/c": auth("abc", "x")}}
    for repository, name in (("a/b/c", "abc"), ("a/b/d", "ab"), ("a/x", "a"), ("ab", "host"), ("", "host"),
                             ("a/bc", "a")):
        assert find(document, "quay.io", repository, tmp_path=tmp_path).username == name


@pytest.mark.parametrize("host", ["quay.io.evil.example", "evil.example", "quay.io:5000", "notquay.io", "io"])
def test_a_login_is_for_its_own_host_and_port(tmp_path, host):
    document = {"auths": {"quay.io": auth("ann", "pw"), "https://quay.io/": auth("ann", "pw")}}
    assert find(document, host, "a/b", tmp_path=tmp_path) is None


@pytest.mark.parametrize("entry, expected", [
    (auth("ann", "p:w:x"), Credential("ann", "p:w:x")),
    (auth("ann", "g\u00e4heim"), Credential("ann", "g\u00e4heim")),
    (auth("_json_key", '{\n "a": 1\n}'), Credential("_json_key", '{\n "a": 1\n}')),
    ({"auth": base64.b64encode(b"ann:pw\0\0").decode()}, Credential("ann", "pw")),
    ({"auth": base64.b64encode(b"anna:pw").decode().rstrip("=")}, Credential("anna", "pw")),
    ({"identitytoken": "t", "auth": base64.b64encode(b"00000000:").decode()}, Credential("", "", "t")),
    ({"username": "ann", "password": "pw"}, Credential("ann", "pw")),
    ({}, None), (None, None), ("text", None), ({"auth": ""}, None), ({"auth": "!!!"}, None),
    ({"auth": 3}, None), ({"auth": base64.b64encode(b"nocolon").decode()}, None),
    ({"auth": base64.b64encode(b"\xff\xfe:x").decode()}, None),
], ids=str)
def test_an_entry_is_read_or_passed_over(tmp_path, entry, expected):
    assert find({"auths": {"quay.io": entry}}, "quay.io", tmp_path=tmp_path) == expected


@pytest.mark.parametrize("text", ["{", "[]", "geheim", '"x"', "x" * (2 << 20)], ids=["{", "[]", "word", "str", "huge"])
def test_a_broken_file_is_reported_without_its_text_and_passed_over(tmp_path, text):
    warnings = []
    assert find(text, "quay.io", tmp_path=tmp_path, warn=warnings.append) is None
    assert len(warnings) == 1 and "auth.json" in warnings[0] and "geheim" not in warnings[0]


def test_an_empty_file_knows_nobody(tmp_path):
    warnings = []
    assert find("", "quay.io", tmp_path=tmp_path, warn=warnings.append) is None and not warnings


def test_a_credential_shows_no_secret():
    for credential in (Credential("ann", "geheim"), Credential("", "", "geheim")):
        for text in (repr(credential), str(credential), "%s" % (credential,), "{}".format(credential),
                     repr([credential])):
            assert "geheim" not in text


# T36: writing

def test_t36_a_login_is_kept_for_the_user_alone_and_the_rest_of_the_file_stays(tmp_path):
    old_umask = os.umask(0)
    try:
        path = tmp_path / "new" / "config.json"
        AuthFile(str(path), False).save("quay.io", Credential("ann", "pw"))
    finally:
        os.umask(old_umask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    document = {"auths": {"quay.io": dict(auth("old", "old"), note="mine"), "x.example": auth("x", "x")},
                "HttpHeaders": {"X": "1"}, "psFormat": "table", "nested": {"a": [1, None, 1.5]}}
    path.write_text(json.dumps(document))
    os.chmod(str(path), 0o644)
    AuthFile(str(path), False).save("quay.io", Credential("ann", "n\u00e4w"))
    document["auths"]["quay.io"].update(auth("ann", "n\u00e4w"))
    assert json.loads(path.read_text()) == document
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert os.listdir(str(path.parent)) == ["config.json"], "no temporary file is left"


def test_t36_a_login_replaces_the_one_of_another_spelling(tmp_path):
    path = write(tmp_path / "keystore", {"https://registry-1.docker.io": dict(auth("a", "b"), email="")})
    AuthFile(path, True).save("docker.io", Credential("ann", "pw"))
    with open(path) as stream:
        assert json.load(stream) == {"https://registry-1.docker.io": dict(auth("ann", "pw"), email="")}
    AuthFile(path, True).save("quay.io", Credential("", "", "token"))
    assert Credentials([AuthFile(path, True)], {}).find("quay.io") == Credential("", "", "token")


def test_t36_an_identity_token_gives_way_to_a_password(tmp_path):
    path = write(tmp_path / "a", {"auths": {"quay.io": {"identitytoken": "t", "auth": "x"}}})
    AuthFile(path, False).save("quay.io", Credential("ann", "pw"))
    assert Credentials([AuthFile(path, False)], {}).find("quay.io") == Credential("ann", "pw")


def test_t36_a_logout_removes_every_spelling_and_nothing_else(tmp_path):
    path = write(tmp_path / "a", {"auths": {"https://quay.io/v2/": auth("a", "b"), "quay.io": auth("a", "b"),
                                            "quay.io/x": auth("c", "d")}, "other": 1})
    entry = AuthFile(path, False)
    assert entry.remove("quay.io") and not entry.remove("quay.io")
    with open(path) as stream:
        assert json.load(stream) == {"auths": {"quay.io/x": auth("c", "d")}, "other": 1}
    assert entry.remove() and not entry.remove()


def test_t36_a_broken_file_is_not_overwritten(tmp_path):
    path = write(tmp_path / "a", "{half")
    with pytest.raises(HostError):
        AuthFile(path, False).save("quay.io", Credential("ann", "pw"))
    with open(path) as stream:
        assert stream.read() == "{half"


def test_t36_a_link_stays_a_link(tmp_path):
    real = write(tmp_path / "dotfiles" / "config.json", {})
    os.symlink(real, str(tmp_path / "config.json"))
    AuthFile(str(tmp_path / "config.json"), False).save("quay.io", Credential("ann", "pw"))
    assert os.path.islink(str(tmp_path / "config.json"))
    assert Credentials([AuthFile(real, False)], {}).find("quay.io")


def test_t36_a_place_that_cannot_be_written_is_named(tmp_path):
    write(tmp_path / "file", "x")
    with pytest.raises(HostError, match="cannot write credentials to .*file/config.json"):
        AuthFile(str(tmp_path / "file" / "config.json"), False).save("quay.io", Credential("a", "b"))


# T35: helpers

HELPER = """#!%s
import sys, time, os
question = sys.stdin.read().strip()
open(%r, "a").write(repr(sys.argv[1:]) + question + "\\n")
%%s
""" % (sys.executable, "{log}")


@pytest.fixture
def helper(tmp_path):
    """A function that installs ``docker-credential-test`` and returns its environment."""
    def install(body, name="test"):
        folder = tmp_path / "bin"
        folder.mkdir(exist_ok=True)
        path = folder / ("docker-credential-" + name)
        path.write_text(HELPER.format(log=str(tmp_path / "log")) % body)
        path.chmod(0o755)
        return {"PATH": str(folder) + ":" + os.environ["PATH"], "HOME": str(tmp_path)}
    return install


ANSWER = 'print(\'{"ServerURL": "x", "Username": "%s", "Secret": "geheim"}\')'


def ask(tmp_path, environ, document, host="quay.io", timeout=5.0):
    warnings = []
    path = write(tmp_path / "config.json", document)
    return Credentials([AuthFile(path, False)], environ, warnings.append, timeout).find(host), warnings


@pytest.mark.parametrize("document", [
    {"credHelpers": {"quay.io": "test"}},
    {"credsStore": "test"},
    {"credsStore": "test", "auths": {"quay.io": {}}},
    {"credHelpers": {"quay.io": "test"}, "credsStore": "other", "auths": {"quay.io": auth("no", "no")}},
], ids=str)
def test_a_helper_is_asked_on_stdin(tmp_path, helper, document):
    environ = helper(ANSWER % "ann")
    assert ask(tmp_path, environ, document) == (Credential("ann", "geheim"), [])
    assert (tmp_path / "log").read_text() == "['get']quay.io\n"


def test_a_helper_is_asked_for_docker_hub_as_docker_asks(tmp_path, helper):
    environ = helper(ANSWER % "<token>")
    found, _ = ask(tmp_path, environ, {"credsStore": "test"}, "registry-1.docker.io")
    assert found == Credential("", "", "geheim")
    assert (tmp_path / "log").read_text() == "['get']https://index.docker.io/v1/\n"


def test_a_helper_for_another_registry_is_not_asked(tmp_path, helper):
    environ = helper(ANSWER % "ann")
    assert ask(tmp_path, environ, {"credHelpers": {"gcr.io": "test"}}) == (None, [])
    assert not (tmp_path / "log").exists()


def test_a_login_in_the_file_comes_before_the_general_helper(tmp_path, helper):
    environ = helper(ANSWER % "helper")
    found, _ = ask(tmp_path, environ, {"credsStore": "test", "auths": {"quay.io": auth("file", "pw")}})
    assert found.username == "file"


@pytest.mark.parametrize("body, warned", [
    ("print('credentials not found in native keychain'); sys.exit(1)", False),
    ("print('geheim'); sys.exit(1)", True),
    ("print('geheim: garbage')", True),
    ("print('{\"Username\": \"ann\"}')", True),
    ("print('{\"Username\": 1, \"Secret\": \"geheim\"}')", True),
    ("print('[]')", True),
    ("", True),
    ("sys.stdout.write('geheim' * 100000)", True),
    ("os.kill(os.getpid(), 9)", True),
], ids=lambda value: str(value)[:30])
def test_t35_a_helper_that_fails_means_anonymous_and_a_warning(tmp_path, helper, body, warned):
    found, warnings = ask(tmp_path, helper(body), {"credsStore": "test"})
    assert found is None and bool(warnings) == warned
    assert "geheim" not in "".join(warnings)


@pytest.mark.parametrize("body", [
    "time.sleep(60)",
    "print('{', flush=True); time.sleep(60)",
    "os.close(1); time.sleep(60)",
    "import subprocess; subprocess.Popen(['sleep', '60']); time.sleep(60)",
    "while True: sys.stdout.write('geheim' * 1000)",
], ids=lambda value: str(value)[:30])
def test_t35_a_helper_that_hangs_is_ended_with_all_that_it_started(tmp_path, helper, body):
    began = time.time()
    found, warnings = ask(tmp_path, helper(body), {"credsStore": "test"}, timeout=0.5)
    assert found is None and len(warnings) == 1 and time.time() - began < 5
    time.sleep(0.05)
    assert str(tmp_path) not in subprocess.check_output(["ps", "axww"]).decode("utf-8", "replace")


@pytest.mark.parametrize("body", ["time.sleep(60)", "os.close(0); os.close(1); time.sleep(60)",
                                  "while True: sys.stdout.write(question)"], ids=lambda value: value[:12])
def test_t35_a_helper_that_hangs_stores_nothing(tmp_path, helper, body):
    document = {"credsStore": "test", "auths": {"quay.io": auth("old", "pw")}}
    path = write(tmp_path / "config.json", document)
    logins = Logins([AuthFile(path)], False, helper(body), None, timeout=0.5)
    with pytest.raises(HostError, match="did not end in 0.5 s"):
        logins.keep("quay.io", Credential("ann", "geheim"))
    with open(path) as stream:
        assert json.load(stream) == document


def test_a_helper_keeps_docker_hub_and_identity_tokens_as_docker_does(tmp_path, helper):
    path = write(tmp_path / "config.json", {"credsStore": "test"})
    kept = Logins([AuthFile(path)], False, helper(""), None).keep(
        "registry-1.docker.io", Credential("", "", "geheim"))
    assert not kept.is_plain
    action, _, question = (tmp_path / "log").read_text().partition("{")
    assert action == "['store']"
    assert json.loads("{" + question) == {"ServerURL": "https://index.docker.io/v1/",
                                          "Username": "<token>", "Secret": "geheim"}
    with open(path) as stream:
        assert json.load(stream) == {"credsStore": "test", "auths": {"https://index.docker.io/v1/": {}}}


def test_a_login_that_is_too_long_for_a_helper_is_refused(tmp_path, helper):
    path = write(tmp_path / "config.json", {"credsStore": "test"})
    with pytest.raises(HostError, match="too long"):
        Logins([AuthFile(path)], False, helper(""), None).keep("x", Credential("", "", "t" * 70000))
    assert not (tmp_path / "log").exists()


def test_files_of_others_and_for_others_are_not_a_keystore(tmp_path):
    path = write(tmp_path / "keystore", {"quay.io": auth("ann", "pw")})
    warnings = []
    for mode, known in ((0o600, True), (0o400, True), (0o640, False), (0o602, False), (0o644, False)):
        os.chmod(path, mode)
        found = Credentials([AuthFile(path, True, True)], {}, warnings.append).find("quay.io")
        assert bool(found) is known
    assert len(warnings) == 3 and all(path in text and "pw" not in text for text in warnings)
    if os.geteuid() != 0:
        with pytest.raises(HostError, match="belongs to somebody else"):
            AuthFile("/etc/passwd", True, True).load()


@pytest.mark.parametrize("name", ["../../bin/sh", "", "a b", "a;b", 3, None, ["x"], "-x/y"])
def test_t35_a_helper_with_an_odd_name_is_not_run(tmp_path, name):
    found, warnings = ask(tmp_path, {"PATH": "/bin"}, {"credHelpers": {"quay.io": name}})
    assert found is None and warnings


def test_t35_a_helper_that_is_not_there_is_named(tmp_path):
    found, warnings = ask(tmp_path, {"PATH": str(tmp_path)}, {"credsStore": "absent"})
    assert found is None and "docker-credential-absent" in warnings[0]


def test_keys_are_compared_in_one_spelling():
    assert normal_key("https://Index.Docker.io/v1/") == "docker.io"
    assert normal_key("http://Host:5000/A/b/") == "host:5000/A/b"
