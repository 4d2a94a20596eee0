import pytest

from tests.fakes.hosts import FACTS, GROUP, PASSWD
from udocker.errors import NotFound
from udocker.model.spec import UserSpec
from udocker.run.identity import parse_passwd, resolve


def identity(user=None, group=None, passwd=PASSWD, groups=GROUP, keep_ids=False, may_fake=True):
    spec = None if user is None else UserSpec(user, group)
    return resolve(spec, passwd, groups, FACTS, keep_ids, "/fake/home", may_fake)


@pytest.mark.parametrize("user", [None, 0, "root"])
def test_root_is_root_and_no_file_changes(user):
    who = identity(user)
    assert (who.uid, who.gid, who.home, who.passwd, who.group) == (0, 0, "/root", None, None)


def test_a_user_of_the_image_keeps_name_home_and_shell_and_gets_our_ids():
    who = identity("www-data")
    assert (who.uid, who.gid, who.name, who.home) == (1000, 100, "www-data", "/var/www")
    assert parse_passwd(who.passwd)[0] == ("www-data", 1000, 100, "/var/www", "/usr/sbin/nologin")
    assert b"www-data_:x:100:" in who.group  # the name is taken by another gid


def test_a_user_who_has_our_ids_already_needs_no_file():
    passwd = PASSWD + b"me:x:1000:100::/home/me:/bin/sh\n"
    who = identity("me", passwd=passwd, groups=GROUP + b"users:x:100:\n")
    assert (who.passwd, who.group) == (None, None)


def test_an_image_user_with_our_uid_does_not_answer_to_our_name():
    passwd = PASSWD + b"other:x:1000:1000::/:/bin/sh\n"
    who = identity("www-data", passwd=passwd)
    assert parse_passwd(who.passwd)[0].name == "www-data"  # getpwuid(3) takes the first


def test_ids_without_a_name_stay_what_was_asked_for():
    who = identity(4242, 4343)
    assert (who.uid, who.gid, who.home) == (4242, 4343, "/fake/home")
    assert parse_passwd(who.passwd)[0][:3] == ("udoc4242", 4242, 4343)
    assert b":x:4343:" in who.group


def test_ids_of_the_image_stay_where_the_engine_maps_them():
    who = identity("www-data", keep_ids=True)
    assert (who.uid, who.gid, who.passwd, who.group) == (33, 33, None, None)


@pytest.mark.parametrize("user, group, may_fake", [
    ("joe", None, True), ("ann", None, False), (4242, None, False), ("www-data", "nope", True),
])
def test_whom_nobody_knows_is_refused(user, group, may_fake):
    with pytest.raises(NotFound):
        identity(user, group, may_fake=may_fake)


def test_a_group_can_be_named():
    assert identity("www-data", "adm", keep_ids=True).gid == 4


@pytest.mark.parametrize("passwd", [b"", b"\n\n", b"garbage", b"a:b:c:d:e:f:g\n", b"\xff\xfe:x:1:1",
                                    b"root:x:0:0\n", b"+::::::\n"])
def test_a_damaged_passwd_still_has_root(passwd):
    assert identity(passwd=passwd).name == "root"
    assert parse_passwd(identity(4242, 4343, passwd=passwd).passwd)[0].uid == 4242


def test_lines_of_passwd_and_group_that_are_none_are_passed_over():
    lines = b"a:x:\xc2\xb2:0::/:/bin/sh\nb:x:" + b"9" * 5000 + b":0::/:/bin/sh\nc:x:-1:0::/:\nd:x:1\n:::::::\n"
    assert parse_passwd(lines) == []
    assert identity("www-data", passwd=lines + PASSWD, groups=b"e:x:\xc2\xb2\n" + GROUP).name == "www-data"
