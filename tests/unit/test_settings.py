import pytest

from udocker.cli.settings import load
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


@pytest.mark.parametrize("text, words", [
    ("[DEFAULT]\nverbose_level = many\n", ["udocker.conf", "verbose_level", "many"]),
    ("[DEFAULT]\nautoinstall = maybe\n", ["udocker.conf", "autoinstall", "maybe"]),
    ("[DEFAULT]\ncmd = [1, \n", ["udocker.conf", "cmd"]),
    ("[DEFAULT\nx = 1\n", ["udocker.conf", "line"]),
    ("[DEFAULT]\nnonsense\n", ["udocker.conf", "line"]),
])
def test_a_wrong_file_is_named_with_its_line_or_key(tmp_path, text, words):
    with pytest.raises(InvalidValue) as caught:
        settings(tmp_path, text)
    for word in words:
        assert word in caught.value.message
    assert "\n" not in caught.value.message


def test_a_key_of_1_3_that_means_nothing_here_is_no_news_and_an_unknown_one_is(tmp_path):
    found = settings(tmp_path, "[DEFAULT]\nuse_curl_executable = /x\nnonsense = 1\n")
    assert [text.rpartition("/")[2] for text in found.unknown] \
        == ["udocker.conf, line 3: unknown key 'nonsense'"]


def test_a_configuration_file_that_was_named_must_be_there(tmp_path):
    with pytest.raises(HostError):
        load({"HOME": str(tmp_path)}, config_file=str(tmp_path / "none"))
