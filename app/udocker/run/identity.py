"""Who the process is inside: users, groups, and the passwd and group files that say so.

An ordinary user has one uid and one gid, whatever the image thinks. So a user of the image keeps
its name, home and shell, and gets the ids of the real user; for that, its line in a copy of
passwd(5) is changed. root needs no copy: the engines pretend it.
"""

from collections import namedtuple

from udocker.errors import NotFound
from udocker.model.plan import Identity
from udocker.model.reference import quoted

#: A line of passwd(5).
Account = namedtuple("Account", "name uid gid home shell")
#: A line of group(5).
Group = namedtuple("Group", "name gid")

DEFAULT_SHELL = "/bin/sh"


def resolve(user, passwd, group, facts, keep_ids, fake_home, may_fake):
    """Return the Identity of ``user`` in a container.

    user (UserSpec or None for root), passwd and group (bytes: the files that count),
    facts (HostFacts), keep_ids (bool: the engine maps any id to the real one, so no id has to
    change), fake_home (str: home of a user that the files do not know), may_fake (bool: such a
    user may be added). NotFound if the user or group is nowhere.
    """
    accounts, groups = parse_passwd(passwd), parse_group(group)
    wanted = user.user if user is not None else 0
    account = _find_account(wanted, accounts)
    if account is None:
        account = _unknown_account(wanted, facts, fake_home, may_fake)
        is_new = wanted != 0
    else:
        is_new = False
    gid = account.gid if user is None or user.group is None else _find_gid(user.group, groups)
    if account.uid == 0:
        return Identity(0, gid, account.name, account.home, account.shell, None, None,
                        facts.uid, facts.gid)
    if is_new and isinstance(wanted, int):
        uid = wanted  # ids that nobody has a name for are what was asked for
        gid = gid if user.group is not None or not keep_ids else facts.gid
    elif keep_ids:
        uid = account.uid
    else:
        uid, gid = facts.uid, facts.gid
    account = account._replace(uid=uid, gid=gid)
    new_passwd = None if account in accounts and _find_account(uid, accounts) == account \
        else _with_account(passwd, account)
    new_group = None if any(entry.gid == gid for entry in groups) \
        else _with_line(group, "%s:x:%d:" % (_free_name(account.name, groups), gid))
    return Identity(uid, gid, account.name, account.home, account.shell, new_passwd, new_group,
                    facts.uid, facts.gid)


def parse_passwd(data):
    """Return the Accounts in ``data`` (bytes), skipping lines that are none."""
    accounts = []
    for fields in _lines(data):
        if len(fields) >= 7 and _is_id(fields[2]) and _is_id(fields[3]):
            accounts.append(Account(fields[0], int(fields[2]), int(fields[3]), fields[5] or "/",
                                    fields[6] or DEFAULT_SHELL))
    return accounts


def parse_group(data):
    """Return the Groups in ``data`` (bytes), skipping lines that are none."""
    return [Group(fields[0], int(fields[2])) for fields in _lines(data)
            if len(fields) >= 3 and _is_id(fields[2])]


def _is_id(text):
    return text.isdecimal() and len(text) <= 10  # digits of a number with 32 bits


def _lines(data):
    return [line.split(":") for line in data.decode("utf-8", "surrogateescape").split("\n")]


def _find_account(wanted, accounts):
    for account in accounts:
        if wanted in (account.uid, account.name):
            return account
    return None


def _unknown_account(wanted, facts, fake_home, may_fake):
    if wanted in (0, "root"):
        return Account("root", 0, 0, "/root", DEFAULT_SHELL)
    if isinstance(wanted, int):
        if may_fake:
            return Account("udoc%d" % wanted, wanted, facts.gid, fake_home, DEFAULT_SHELL)
    elif may_fake and wanted == facts.user:
        return Account(wanted, facts.uid, facts.gid, fake_home, DEFAULT_SHELL)
    raise NotFound("user not found: %s" % quoted(str(wanted)),
                   "the image does not have it; give uid[:gid], or %s" % facts.user)


def _find_gid(wanted, groups):
    if isinstance(wanted, int):
        return wanted
    for group in groups:
        if group.name == wanted:
            return group.gid
    raise NotFound("group not found: %s" % quoted(wanted), "the image does not have it; give a gid")


def _with_account(data, account):
    """``data`` with ``account`` as the first and only line of its name."""
    line = "%s:x:%d:%d:%s:%s:%s" % (account.name, account.uid, account.gid, account.name,
                                    account.home, account.shell)
    name = account.name.encode("utf-8", "surrogateescape") + b":"
    rest = [old for old in data.split(b"\n") if old and not old.startswith(name)]
    return b"\n".join([line.encode("utf-8", "surrogateescape")] + rest + [b""])


def _with_line(data, line):
    separator = b"" if not data or data.endswith(b"\n") else b"\n"
    return data + separator + line.encode("utf-8", "surrogateescape") + b"\n"


def _free_name(name, groups):
    names = set(group.name for group in groups)
    while name in names:
        name += "_"
    return name
