"""udocker search: 1.3.x's columns, docker's formats, and servers that cannot be trusted."""

import json
import os

import pytest

from tests.fakes import images
from tests.fakes.listings import Index
from tests.fakes.logins import TokenAuth
from tests.fakes.registry import FakeRegistry
from tests.fakes.terminal import on_a_terminal

IMAGE = images.image([images.layer({"etc/": images.DIRECTORY})])
HITS = [{"repo_name": "busybox", "short_description": "Busybox base image.", "star_count": 3000,
         "is_official": True, "is_automated": False}] + [
    {"repo_name": "user%03d/busybox" % number, "short_description": "x" * 100 if number == 1 else None,
     "star_count": 250 - number, "is_official": False, "is_automated": number % 2 == 0}
    for number in range(249)]
HEADING = "%-55s %8s %-70s %5s" % ("NAME", "OFFICIAL", "DESCRIPTION", "STARS")


@pytest.fixture
def registry():
    with FakeRegistry() as running:
        running.index = Index(HITS)
        running.add("team/thing", "latest", IMAGE)
        yield running


@pytest.mark.shows("search", "search --index --all --no-trunc --limit", "UDOCKER_INDEX")
def test_an_index_is_searched_in_the_columns_of_1_3(udocker, registry):
    lines = udocker.ok("search", "--index=" + registry.url, "busybox").splitlines()
    assert lines[0] == HEADING and len(lines) == 251
    assert lines[1] == "%-55s %8s %-70s %5s" % ("busybox", "[OK]", "Busybox base image.", 3000)
    assert lines[3] == "%-55s %8s %-70s %5s" % ("user001/busybox", "----", "x" * 70, 249)
    assert "x" * 100 in udocker.ok("search", "-a", "--no-trunc", "busybox",
                                   env={"UDOCKER_INDEX": registry.url})
    nothing = udocker("search", "--index", registry.url, "nothing-like-it")
    assert (nothing.status, nothing.out, nothing.err.count("Error")) == (0, "", 0)
    asked = len(registry.asked("/v2/search"))
    assert len(udocker.ok("search", "--limit=7", "--index=" + registry.url, "busybox").splitlines()) == 8
    assert len(registry.asked("/v2/search")) == asked + 1, "no more is asked for than is wanted"


@pytest.mark.shows("search --filter --format")
def test_filters_and_formats_are_docker_s(udocker, registry):
    index = "--index=" + registry.url
    assert len(udocker.ok("search", index, "--filter", "is-official=true", "busybox").splitlines()) == 2
    assert len(udocker.ok("search", index, "--filter=stars=240", "-f", "is-automated=true",
                          "busybox").splitlines()) == 1 + 6
    assert udocker.ok("search", index, "--limit=2", "--format", "{{.Name}}: {{.StarCount}}",
                      "busybox") == "busybox: 3000\nuser000/busybox: 250\n"
    first = udocker.ok("search", index, "--limit=1", "--format=json", "busybox")
    assert json.loads(first)["Name"] == "busybox"
    for words, message in [
            (["--limit=0"], "--limit"), (["--limit=x"], "--limit"), (["--limit=-1"], "--limit"),
            (["--filter=x"], "no such filter"), (["--filter=stars="], "no such filter"),
            (["--filter=is-official=maybe"], "no such filter"), (["--format={{.Nope}}"], "Nope"),
            (["--index=ftp://x"], "invalid registry"), (["--index="], "invalid registry"),
            (["y"], "syntax error"), (["--list-tags", "--index="], "invalid image name")]:
        done = udocker("search", index, "a b", *words)
        assert (done.status, done.out) == (125, "") and message in done.err, (words, done)
    for words, message in [(["--registry=a b", "x"], "invalid registry"), (["--limit"], "needs a value"),
                           (["a b/c d/x.y"], "no such"), (["--list-tags"], "argument is missing")]:
        done = udocker("search", *words, env={"UDOCKER_INDEX": registry.url + "/nowhere"})
        assert (done.status, done.out) == (125, ""), (words, done)


@pytest.mark.shows("search --registry")
def test_an_index_of_the_first_api_and_a_registry_without_any(udocker, registry):
    registry.fault("/v2/search", status=404)
    assert len(udocker.ok("search", "--index=" + registry.url, "busybox").splitlines()) == 251
    assert len(udocker.ok("search", registry.host + "/busybox").splitlines()) == 251
    registry.index = None
    registry.page = 2
    for number in range(5):
        registry.add("team/other%d" % number, "latest", IMAGE)
    for words in ([registry.host + "/OTHER"], ["--registry=" + registry.url, "other"]):
        lines = udocker.ok("search", *words).splitlines()
        assert [line.split()[0] for line in lines[1:]] == ["team/other%d" % n for n in range(5)]
    # the index has nothing to say, and the registry that stands for Docker Hub has
    both = udocker("search", "thing", env={"UDOCKER_REGISTRY": registry.url, "UDOCKER_INDEX": registry.url})
    assert both.status == 0 and "team/thing" in both.out and "no search" in both.err
    registry.lists = False
    done = udocker("search", registry.host + "/other")
    assert (done.status, done.out) == (125, "") and "no search and no list" in done.err


@pytest.mark.shows("search --authfile", "manifest --authfile")
def test_a_catalogue_may_want_a_login(udocker, registry):
    registry.index, registry.auth = None, TokenAuth({"ann": "geheim"}, anonymous=False)
    done = udocker("search", registry.host + "/thing")
    assert done.status == 125 and "'udocker login" in done.err
    udocker.ok("login", "-u", "ann", "--password-stdin", registry.host, input="geheim")
    assert "team/thing" in udocker.ok("search", registry.host + "/thing")
    name, place = registry.host + "/team/thing", os.path.join(udocker.home, "logins")
    os.rename(os.path.join(udocker.home, ".docker", "config.json"), place)
    for words in (["search", "--list-tags", name], ["search", registry.host + "/thing"],
                  ["manifest", "inspect", name]):
        assert udocker(*words).status == 125
        udocker.ok(words[0], "--authfile", place, *words[1:])


@pytest.mark.shows("search --list-tags")
def test_all_tags_are_listed_one_a_line(udocker, registry):
    registry.page = 3
    for number in range(10):
        registry.add("library/many", "v%d" % number, IMAGE)
    tags = ["v%d" % number for number in range(10)]
    assert udocker.ok("search", "--list-tags", registry.host + "/library/many").split() == tags
    assert udocker.ok("search", "--list-tags", "--registry=" + registry.url, "many").split() == tags
    assert udocker.ok("search", "--list-tags", "--registry=" + registry.url, "team/thing") == "latest\n"
    assert udocker.ok("search", "--limit=4", "--list-tags", registry.host + "/library/many").split() == tags[:4]
    done = udocker("search", "--list-tags", registry.host + "/team/nothing")
    assert (done.status, done.out) == (125, "") and "no such repository" in done.err


def test_what_a_server_sends_does_not_reach_the_terminal_as_it_is(udocker, registry):
    registry.index = Index([
        {"repo_name": "busybox\x1b[2J\n", "short_description": "a\r\nb\u202e\x07", "star_count": "many"},
        {"repo_name": "busybox2", "star_count": True, "is_official": "yes", "short_description": 3}])
    done = udocker("search", "--index=" + registry.url, "busybox")
    assert done.status == 0 and len(done.out.splitlines()) == 3
    assert not set("\x1b\r\u202e\x07").intersection(done.out), done.out
    registry.tags["team/thing"]["a\x1b[2J\nb"] = IMAGE.digest
    tags = udocker.ok("search", "--list-tags", registry.host + "/team/thing")
    assert "\x1b" not in tags and len(tags.splitlines()) == 2
    index = "--index=" + registry.url
    for fault, message in [
            (dict(body=b"[]", status=200), "no search"), (dict(body=b"<html>", status=200), "no search"),
            (dict(body=b'{"results": 3}', status=200), "no search"),
            (dict(endless=True, status=200), "no search"),
            (dict(status=418), "418"), (dict(status=429, headers=(("Retry-After", "3600"),)), "60 min")]:
        registry.faults[:] = []
        registry.fault("/search", **fault)
        done = udocker("search", index, "busybox")
        assert (done.status, done.out) == (125, "") and message in done.err, (fault, done)
    registry.faults[:] = []
    registry.fault("/tags/list", status=200, body=b'{"tags": []}',
                   headers=[("Link", '<http://127.0.0.1:1/v2/x>; rel="next"')])
    done = udocker("search", "--list-tags", registry.host + "/team/thing")
    assert done.status == 125 and "continues its list elsewhere" in done.err


def test_it_pauses_after_each_page_of_a_terminal(udocker, registry):
    words = ["search", "--index=" + registry.url, "busybox"]
    status, shown = on_a_terminal(udocker, words, [(b"[return or q to quit]", b"\n"), (b"quit]", b"q\n")])
    assert status == 0 and shown.count("[return or q to quit]") == 2
    assert shown.count("/busybox") == 2 * 22 - 1, "pages of 24 rows, without the heading and the prompt"
    assert len(registry.asked("page=2")) == 0, "what is not looked at is not asked for"
    status, shown = on_a_terminal(udocker, words[:1] + ["-a"] + words[1:], [])
    assert status == 0 and "quit" not in shown and shown.count("/busybox") == 249


def test_a_manifest_is_readable_and_harmless_on_a_terminal(udocker, registry):
    odd = IMAGE.manifest[:-1] + ', "annotations": {"a": "\u009b31m\u202e"}}'.encode("utf-8")
    registry.add_manifest("team/odd", "latest", odd, IMAGE.media_type)
    udocker.ok("images")
    status, shown = on_a_terminal(udocker, ["manifest", "inspect", registry.host + "/team/odd"], [])
    assert status == 0 and json.loads(shown) == json.loads(odd.decode("utf-8"))
    assert "\u009b" not in shown and "\u202e" not in shown and '\r\n    "schemaVersion": 2' in shown
