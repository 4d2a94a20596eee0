import pytest

from udocker.errors import InvalidValue
from udocker.model.limits import Limit, parse_size
from udocker.model.mounts import Tmpfs, parse_device, parse_mount
from udocker.model.resolver import Resolver
from udocker.model.spec import Bind


@pytest.mark.parametrize("text, mount", [
    ("type=bind,source=/a,target=/b", Bind("/a", "/b", False)),
    ("type=bind,src=/a/,dst=/b/,readonly", Bind("/a", "/b", True)),
    ("type=bind,src=/a,destination=/b,ro=true", Bind("/a", "/b", True)),
    ("type=bind,src=/a,dst=/b,readonly=false,bind-propagation=rslave", Bind("/a", "/b", False)),
    ("target=/b,source=/,type=bind", Bind("/", "/b", False)),
    ('type=bind,"source=/a,b",target=/c', Bind("/a,b", "/c", False)),
    ('type=bind,"source=/a""b",target=/c', Bind('/a"b', "/c", False)),
    ("type=bind,source=/a=b:c,target=/c d", Bind("/a=b:c", "/c d", False)),
    ("type=tmpfs,target=/t", Tmpfs("/t", ())),
    ("type=tmpfs,dst=/t,tmpfs-size=64m,tmpfs-mode=1777,ro", Tmpfs("/t", ("size=64m", "mode=1777", "ro"))),
])
def test_a_mount_is_spelled_as_docker_spells_it(text, mount):
    assert parse_mount(text) == mount


@pytest.mark.parametrize("text, message", [
    ("", "unknown key ''"), ("type=bind", "no target"), ("type=bind,source=/a", "no target"),
    ("type=bind,source=a,target=/b", "absolute path"), ("type=bind,target=/b", "absolute path"),
    ("source=/a,target=/b", "no named volumes"), ("type=volume,source=v,target=/b", "no named volumes"),
    ("type=npipe,target=/b", "invalid mount"), ("type=tmpfs,source=/a,target=/b", "invalid mount"),
    ("type=bind,source=/a,target=/b,tmpfs-size=1", "invalid mount"),
    ("type=bind,source=/a,target=/b,what=1", "unknown key 'what'"),
    ("type=bind,source=/a,target=/b,target=/c", "twice"), ("type=bind,source=,target=/b", "no value"),
    ("type=bind,source,target=/b", "no value"), ("type=bind,source=/a,target=/b,ro=maybe", "readonly"),
    ("type=bind,source=/a,target=/", "root of the container"), ("type=bind,source=/a,target=b", "absolute"),
    ("type=bind,source=/a,target=/../b", "absolute"), ('type=bind,"source=/a,target=/b', "quote"),
    ('type=bind,"source=/a"x,target=/b', "after a quote"), ("type=bind,source=/a\n,target=/b", "line break"),
    ("type=tmpfs,target=/t,tmpfs-size=much", "tmpfs"),
])
def test_what_is_no_mount_says_why(text, message):
    with pytest.raises(InvalidValue) as caught:
        parse_mount(text)
    assert message in caught.value.message and "\n" not in caught.value.message


@pytest.mark.parametrize("text, tmpfs", [
    ("/t", Tmpfs("/t", ())), ("/t/:size=1m,noexec", Tmpfs("/t", ("size=1m", "noexec"))),
])
def test_a_tmpfs(text, tmpfs):
    assert Tmpfs.parse(text) == tmpfs


@pytest.mark.parametrize("text", ["", "t", "/", "/t:", "/t:size", "/t:size=", "/t:size=x", "/t:what",
                                  "/t:mode=1777,", "/t/..", "/t:rw=1", "/t:size=1m:x"])
def test_what_is_no_tmpfs(text):
    with pytest.raises(InvalidValue):
        Tmpfs.parse(text)


@pytest.mark.parametrize("text, bind", [
    ("/dev/fuse", ("/dev/fuse", "/dev/fuse")), ("/dev/a:/dev/b", ("/dev/a", "/dev/b")),
    ("/dev/a:rwm", ("/dev/a", "/dev/a")), ("/dev/a:/dev/b:r", ("/dev/a", "/dev/b")),
])
def test_a_device(text, bind):
    assert parse_device(text) == Bind(bind[0], bind[1], False)


@pytest.mark.parametrize("text", ["", "fuse", "/dev/a:x", "/dev/a:/b:/c", "/dev/a:", "/dev/../etc",
                                  "/dev/a\n", "/dev/a:/dev/b:rwx"])
def test_what_is_no_device(text):
    with pytest.raises(InvalidValue):
        parse_device(text)


@pytest.mark.parametrize("text, limit", [
    ("nofile=1024", ("nofile", 1024, 1024)), ("nofile=1024:2048", ("nofile", 1024, 2048)),
    ("core=0", ("core", 0, 0)), ("stack=-1", ("stack", -1, -1)),
    ("memlock=1:unlimited", ("memlock", 1, -1)),
])
def test_a_limit(text, limit):
    assert Limit.parse(text) == limit


@pytest.mark.parametrize("text", ["", "nofile", "nofile=", "nofile=x", "nofile=2:1", "nofile=-2",
                                  "what=1", "nofile=1:2:3", "nofile=1:", "nofile=\u0661", "=1",
                                  "nofile=99999999999999999999", "stack=-1:5"])
def test_what_is_no_limit(text):
    with pytest.raises(InvalidValue):
        Limit.parse(text)


@pytest.mark.parametrize("text, size", [("1", 1), ("64m", 64 << 20), ("64MB", 64 << 20), ("2g", 2 << 30),
                                        ("1.5k", 1536), ("10b", 10)])
def test_a_size(text, size):
    assert parse_size(text, "--shm-size") == size


@pytest.mark.parametrize("text", ["", "m", "-1", "0", "1x", "1 m", "1.m.", "nan", "1e3", "9999999999999t"])
def test_what_is_no_size(text):
    with pytest.raises(InvalidValue):
        parse_size(text, "--shm-size")


def test_names_of_hosts_come_first_and_name_servers_in_place_of_others():
    asked = Resolver.parse(("db:10.0.0.1", "v6=::1", "br:[fe80::1]", "me:host-gateway"),
                           ("9.9.9.9",), ("a.example", "b.example"), ("ndots:2",))
    files = asked.files(b"127.0.0.1 localhost", b"# mine\nsearch old\ndomain x\nnameserver 1.1.1.1\n"
                        b"options old\nsortlist 1.2.3.4\n")
    assert files == {
        "/etc/hosts": b"10.0.0.1\tdb\n::1\tv6\nfe80::1\tbr\n127.0.0.1\tme\n127.0.0.1 localhost",
        "/etc/resolv.conf": b"# mine\nsortlist 1.2.3.4\nnameserver 9.9.9.9\n"
                            b"search a.example b.example\noptions ndots:2\n"}
    assert Resolver.parse((), (), (".",), ()).files(b"", b"search x\nnameserver 1.1.1.1\n") \
        == {"/etc/resolv.conf": b"nameserver 1.1.1.1\n"}
    assert Resolver.parse((), (), (), ()) is None


@pytest.mark.parametrize("asked", [
    (("db",), (), (), ()), (("db:",), (), (), ()), ((":1.2.3.4",), (), (), ()), (("a b:1.2.3.4",), (), (), ()),
    (("a\nb:1.2.3.4",), (), (), ()), (("db:1.2.3",), (), (), ()), (("db:1.2.3.4\n",), (), (), ()),
    (("d\udcffb:1.2.3.4",), (), (), ()), ((), ("x",), (), ()), ((), ("",), (), ()), ((), ("1.2.3.4\udcff",), (), ()),
    ((), (), ("a b",), ()), ((), (), ("",), ()), ((), (), (), ("a\nb",)), ((), (), (), ("a#b",)),
])
def test_what_is_no_name_or_address_is_refused(asked):
    with pytest.raises(InvalidValue):
        Resolver.parse(*asked)
