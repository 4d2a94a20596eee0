import pytest

from udocker.cli.settings import KEYS, load
from udocker.errors import HostError, InvalidValue


def settings(tmp_path, text=None, repo=None, **environ):
    home = tmp_path / "home"
    (home / ".udocker").mkdir(parents=True, exist_ok=True)
    if text is not None:
        (home / ".udocker" / "udocker.conf").write_text(text)
    return load(dict(environ, HOME=str(home)), repo=repo)


def test_without_anything_the_defaults_count(tmp_path):
    found = settings(tmp_path)
    assert found.topdir == str(tmp_path / "home" / ".udocker")
    assert (found.autoinstall, found.verbose_level, found.tmpdir) == (True, 3, "/tmp")


def test_values_have_the_type_of_their_key(tmp_path):
    found = settings(tmp_path, "[DEFAULT]\nautoinstall = False\nverbose_level=5\n"
                               "cmd = ['sh', '-x']\nvalid_host_env = TERM, LANG\nhttp_proxy=None\n")
    assert found.autoinstall is False
    assert found.verbose_level == 5
    assert found.cmd == ("sh", "-x")
    assert found.valid_host_env == ("TERM", "LANG")
    assert found.http_proxy == ""


def test_the_bare_lines_of_1_1_are_read_too(tmp_path):
    found = settings(tmp_path, "# comment\nautoinstall = False\ntmpdir = \"/scratch\"\n")
    assert (found.autoinstall, found.tmpdir) == (False, "/scratch")


def test_the_environment_wins_over_files_and_the_command_line_over_both(tmp_path):
    found = settings(tmp_path, "[DEFAULT]\ntopdir = /file\n", UDOCKER_DIR="/environ")
    assert found.topdir == "/environ"
    assert settings(tmp_path, repo="/flag", UDOCKER_DIR="/environ").topdir == "/flag"


def test_each_value_knows_where_it_comes_from(tmp_path):
    found = dict(settings(tmp_path, "[DEFAULT]\ntimeout = 5\n", UDOCKER_LOGLEVEL="4").items())
    assert found["timeout"].origin.endswith("udocker.conf, line 2")
    assert found["verbose_level"].origin == "UDOCKER_LOGLEVEL"
    assert found["ctimeout"].origin == "default"


@pytest.mark.parametrize("text, told", [
    ("[DEFAULT]\nverbose_level = many\n", "line 2: verbose_level: 'many' is not a number"),
    ("[DEFAULT]\n\nverbose_level = 9\n", "line 3: verbose_level: '9' is out of range"),
    ("timeout = 0\n", "line 1: timeout: '0' is out of range"),
    ("# x\nautoinstall = maybe\n", "line 2: autoinstall: 'maybe' is neither true nor false"),
    ("autoinstall = \"'True\n", "line 1: autoinstall: "),
    ("[DEFAULT]\ncmd = [1, \n", "line 2: cmd: '[1,' is not a list"),
    ("cmd = {'a': 1}\n", "line 1: cmd: '{'a': 1}' is not a list"),
    ("cmd = [['a']]\n", "line 1: cmd: "),
    ("cmd = %s1%s\n" % ("[" * 5000, "]" * 5000), "line 1: cmd: "),
    ("[DEFAULT\nx = 1\n", "line 1: '[DEFAULT' is no section"),
    ("[DEFAULT]\nnonsense\n", "line 2: 'nonsense' is no setting"),
    ("[DEFAULT]\n= 1\n", "line 2: '= 1' is no setting"),
    ("timeout = \033[31m\n", "line 1: timeout: '\\x1b[31m' is not a number"),
])
def test_a_wrong_file_is_told_in_one_line_with_file_line_and_key(tmp_path, text, told):
    with pytest.raises(InvalidValue) as caught:
        settings(tmp_path, text)
    assert told in caught.value.message
    assert caught.value.message.startswith(str(tmp_path / "home" / ".udocker" / "udocker.conf"))
    assert "\n" not in caught.value.message and "\033" not in caught.value.message


def test_a_file_that_is_no_text_is_told_with_its_line(tmp_path):
    path = tmp_path / "more.conf"
    path.write_bytes(b"[DEFAULT]\n# fine\ntmpdir = /\xff\n")
    with pytest.raises(InvalidValue) as caught:
        load({"HOME": str(tmp_path)}, config_file=str(path))
    assert caught.value.message == "%s, line 3: this is not UTF-8" % path
    with pytest.raises(HostError) as caught:
        load({"HOME": str(tmp_path)}, config_file=str(tmp_path))
    assert "is a directory" in caught.value.message


@pytest.mark.parametrize("text, expected", [
    ("tmpdir = /a\n", "/a"), ("tmpdir: /a\n", "/a"), ("[DEFAULT]\ntmpdir=/a\n", "/a"),
    ("TmpDir = /a\n", "/a"), ("\ufefftmpdir = /a\n", "/a"), ("tmpdir = '/a b'\r\n", "/a b"),
    ("tmpdir = /a=b:c\n", "/a=b:c"), ("; tmpdir = /b\ntmpdir = /a", "/a"),
    ("tmpdir = /b\ntmpdir = /a\n", "/a"), ("tmpdir = None\n", "/tmp"), ("tmpdir =\n", "/tmp"),
    ("tmpdir =\n    /a\n", "/a"), ("[other]\ntmpdir = /b\n[DEFAULT]\ntmpdir = /a\n", "/a"),
])
def test_a_line_may_be_written_in_several_ways(tmp_path, text, expected):
    assert settings(tmp_path, text).tmpdir == expected


@pytest.mark.parametrize("text, expected", [
    ("cmd = ['a b', 'c']", ("a b", "c")), ("cmd = ('a',)", ("a",)), ("cmd = a b,c", ("a", "b", "c")),
    ("cmd = [\n  'a',\n  'b',\n  ]", ("a", "b")), ("cmd = []", ()), ("cmd =", ()),
    ("cmd = [1, 'a']", ("1", "a")), ("cmd = 'a', \"b\"", ("a", "b")),
])
def test_a_list_may_be_written_in_several_ways(tmp_path, text, expected):
    assert settings(tmp_path, text).cmd == expected


@pytest.mark.parametrize("key", KEYS, ids=lambda key: key.name)
def test_every_key_has_its_type_from_files_and_variables(tmp_path, key):
    good, typed = {"text": ("/x", "/x"), "count": ("7", 7), "level": ("2", 2),
                   "boolean": ("yes", True), "words": ("a, b", ("a", "b"))}[key.kind]
    found = dict(settings(tmp_path, "%s = %s\n" % (key.name, good)).items())[key.name]
    assert found.value == typed and type(found.value) is type(typed)
    assert found.origin.endswith("udocker.conf, line 1")
    if key.variable:
        found = dict(settings(tmp_path, "", **{key.variable: good}).items())[key.name]
        assert found == (typed, key.variable)
    if key.kind in ("count", "level", "boolean"):
        with pytest.raises(InvalidValue):
            settings(tmp_path, "%s = wrong\n" % key.name)
        if key.variable:
            with pytest.raises(InvalidValue) as caught:
                settings(tmp_path, "", **{key.variable: "wrong"})
            assert caught.value.message.startswith(key.variable + ": 'wrong'")


def test_the_file_of_the_system_counts_least_and_can_be_left_out(tmp_path):
    system = tmp_path / "system.conf"
    system.write_text("timeout = 11\nctimeout = 12\n")
    home = tmp_path / "home"
    (home / ".udocker").mkdir(parents=True)
    (home / ".udocker" / "udocker.conf").write_text("timeout = 13\n")
    found = load({"HOME": str(home)}, system_file=str(system))
    assert (found.timeout, found.ctimeout) == (13, 12)
    found = load({"HOME": str(home), "UDOCKER_NOSYSCONF": "1"}, system_file=str(system))
    assert (found.timeout, found.ctimeout) == (13, 6)


def test_a_key_of_1_3_that_means_nothing_here_is_no_news_and_an_unknown_one_is(tmp_path):
    found = settings(tmp_path, "[DEFAULT]\nuse_curl_executable = /x\nnonsense = 1\n")
    assert [text.rpartition("/")[2] for text in found.unknown] \
        == ["udocker.conf, line 3: unknown key 'nonsense'"]


def test_a_configuration_file_that_was_named_must_be_there(tmp_path):
    with pytest.raises(HostError):
        load({"HOME": str(tmp_path)}, config_file=str(tmp_path / "none"))
