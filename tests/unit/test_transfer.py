"""docker's rules of ``cp``, as a table."""

import pytest

from udocker.errors import InvalidValue, UdockerError
from udocker.model.transfer import Side, goes_below


@pytest.mark.parametrize("text, container, path", [
    ("c:/a", "c", "/a"), ("c:a", "c", "a"), ("c:/a:b", "c", "/a:b"), ("c:.", "c", "."),
    ("a", "", "a"), ("/a:b", "", "/a:b"), ("./a:b", "", "./a:b"), ("../a:b", "", "../a:b"),
    ("-", "", "-"), ("c:-", "c", "-"), (".", "", "."), ("a/b:c", "a/b", "c")])
def test_a_side_is_a_path_here_or_in_a_container(text, container, path):
    assert Side.parse(text) == (container, path)
    assert Side.parse(text).is_stream == (text == "-")


@pytest.mark.parametrize("text", ["", ":", ":/a", "c:"])
def test_what_is_neither(text):
    with pytest.raises(InvalidValue):
        Side.parse(text)


BELOW, ITSELF = True, False


@pytest.mark.parametrize("source, is_directory, target, kind, expected", [
    ("f", False, "t", None, ITSELF), ("f", False, "t/", None, "does not exist"),
    ("f", False, "t/.", None, "does not exist"),
    ("f", False, "t", "file", ITSELF), ("f", False, "t", "executable", ITSELF),
    ("f", False, "t/", "file", "is not a directory"), ("f", False, "t", "directory", BELOW),
    ("f", False, "t/", "directory", BELOW), ("f/", False, "t", None, "'f/' is not a directory"),
    ("f/.", False, "t", "directory", "is not a directory"),
    ("d", True, "t", None, ITSELF), ("d", True, "t/", None, ITSELF), ("d/.", True, "t", None, ITSELF),
    ("d", True, "t", "file", "cannot copy a directory"),
    ("d", True, "t", "other", "cannot copy a directory"), ("d", True, "t", "directory", BELOW),
    ("d/", True, "t", "directory", BELOW), ("d/.", True, "t", "directory", ITSELF),
    (".", True, "t", "directory", ITSELF), ("c:/", True, "t", "directory", ITSELF),
    ("c:/d/..", True, "t", "directory", BELOW),
])
def test_where_a_copy_goes(source, is_directory, target, kind, expected):
    def ask():
        return goes_below(Side.parse(source), is_directory, Side.parse(target), kind)
    if isinstance(expected, bool):
        assert ask() is expected
    else:
        with pytest.raises(UdockerError) as caught:
            ask()
        assert expected in caught.value.message
