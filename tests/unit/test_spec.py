import pytest

from udocker.errors import InvalidValue
from udocker.model.spec import Bind, Port, UserSpec


@pytest.mark.parametrize("text, bind", [
    ("/a", Bind("/a", "/a", False)),
    ("/a:/b", Bind("/a", "/b", False)),
    ("/a/:/b/", Bind("/a", "/b", False)),
    ("/a:/b:ro", Bind("/a", "/b", True)),
    ("/a:/b:rw", Bind("/a", "/b", False)),
    ("/a:/b:ro,z", Bind("/a", "/b", True)),
    ("/a:ro", Bind("/a", "/a", True)),
    ("/with blank:/b//c/./d", Bind("/with blank", "/b/c/d", False)),
    ("/:/host", Bind("/", "/host", False)),
])
def test_a_volume_is_spelled_as_docker_spells_it(text, bind):
    assert Bind.parse(text) == bind


@pytest.mark.parametrize("text", ["", "a", "a:/b", "/a:b", "/a:/", "/a:/b/..", "/a:/b:wo", "/a:/b:/c",
                                  "/a\n:/b", "/a:/b\0", "/a:/b:", ":/b"])
def test_what_is_no_volume_is_refused(text):
    with pytest.raises(InvalidValue):
        Bind.parse(text)


@pytest.mark.parametrize("text, port", [
    ("8080:80", Port(8080, 80, "tcp")), ("127.0.0.1:8080:80", Port(8080, 80, "tcp")),
    ("53:53/udp", Port(53, 53, "udp")),
])
def test_a_port_is_spelled_as_docker_spells_it(text, port):
    assert Port.parse(text) == port


@pytest.mark.parametrize("text", ["", "80", "0:80", "80:65536", "a:b", "1:2:3:4", "80:80/icmp", "-1:2"])
def test_what_is_no_port_is_refused(text):
    with pytest.raises(InvalidValue):
        Port.parse(text)


@pytest.mark.parametrize("text, user", [
    ("root", UserSpec("root", None)), ("1000", UserSpec(1000, None)),
    ("1000:100", UserSpec(1000, 100)), ("www-data:adm", UserSpec("www-data", "adm")),
])
def test_a_user_is_a_name_or_ids(text, user):
    assert UserSpec.parse(text) == user
    assert str(UserSpec.parse(text)) == text


@pytest.mark.parametrize("text", ["", ":", "a:", ":b", "a b", "a\nroot:x:0", "4294967295", "a:b:c",
                                  "../x", "a;b"])
def test_what_is_no_user_is_refused(text):
    with pytest.raises(InvalidValue):
        UserSpec.parse(text)
