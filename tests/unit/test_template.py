import json

import pytest

from udocker.cli.gotemplate import Template
from udocker.cli.template import render
from udocker.errors import UsageError

FIELDS = {"ID": "IMAGE ID", "Repository": "REPOSITORY", "Tag": "TAG", "Size": "SIZE",
          "Labels": "LABELS", "Names": "NAMES"}
ROWS = [
    {"ID": "0123456789ab", "Repository": "busybox", "Tag": "latest", "Size": 7,
     "Labels": {"b": "2", "a.x": "1"}, "Names": ["one", "two"]},
    {"ID": "ba9876543210", "Repository": "host:5000/long/name", "Tag": "1", "Size": lambda: 12,
     "Labels": {}, "Names": []},
]
OBJECT = {"Config": {"Env": ["A=1", "B=2"], "Labels": {"k.x": "v", "e": None}, "User": ""},
          "State": {"Running": True, "Pid": 42}, "List": [{"N": 1}, {"N": 2}], "Null": None,
          "Ratio": 0.5, "Name": "n\x1b[31m\nx"}


@pytest.mark.parametrize("form, lines", [
    ("{{.ID}}", ["0123456789ab", "ba9876543210"]),
    ("{{ .Repository }}:{{.Tag}}", ["busybox:latest", "host:5000/long/name:1"]),
    (r"{{.Tag}}\t{{.Size}}\n-", ["latest\t7\n-", "1\t12\n-"]),
    ("{{json .Labels}}", ['{"a.x":"1","b":"2"}', "{}"]),
    ("{{join .Names \", \"}}", ["one, two", ""]),
    ("table {{.ID}}\t{{.Repository}}", ["IMAGE ID       REPOSITORY", "0123456789ab   busybox",
                                        "ba9876543210   host:5000/long/name"]),
    (r"table {{.Tag}}\t{{.Size}}\t{{join .Names `,`}}",
     ["TAG       SIZE      NAMES", "latest    7         one,two", "1         12        "]),
    ("table {{upper .Tag}}", ["TAG", "LATEST", "1"]),
    (r"table {{if .Names}}{{index .Names 0}}{{else}}{{.ID}}{{end}}\t{{len .Labels}}",
     ["NAMES          LABELS", "one            2", "ba9876543210   0"]),
    ("table {{range .Names}}{{.}}{{end}}", ["NAMES", "onetwo", ""]),
    ("no fields", ["no fields"] * 2),
    ("", ["", ""]),
])
def test_rows_in_the_form_that_was_asked_for(form, lines):
    assert list(render(form, ROWS, FIELDS)) == lines


def test_json_is_an_object_a_line():
    found = [json.loads(line) for line in render("json", ROWS, FIELDS)]
    assert found[0] == ROWS[0] and found[1]["Size"] == 12
    assert list(render("{{json .}}", ROWS, FIELDS)) == list(render("json", ROWS, FIELDS))


def test_a_table_by_itself_is_the_commands_own():
    assert list(render("table", [], FIELDS, r"table {{.Tag}}\t{{.ID}}")) == ["TAG       IMAGE ID"]
    assert list(render("table", ROWS, {"Tag": "T", "Size": "S"}))[0].split() == ["T", "S"]


def test_what_is_costly_is_found_out_only_if_it_is_asked_for():
    def never():
        raise AssertionError("asked for")
    assert list(render("{{.A}}", [{"A": "a", "B": never}], {"A": "A", "B": "B"})) == ["a"]


@pytest.mark.parametrize("text, made", [
    ("{{.State.Pid}}", "42"), ("{{.State.Running}}", "true"), ("{{.Null}}", "<no value>"),
    ("{{.Config.Env}}", "[A=1 B=2]"), ("{{.State}}", "map[Pid:42 Running:true]"),
    ("{{.Ratio}}", "0.5"), ("{{.Config.User}}", ""),
    ("{{index .Config.Labels \"k.x\"}}", "v"), ("{{index .Config.Labels `none`}}", ""),
    ("{{index .List 1 \"N\"}}", "2"), ("{{(index .List 1).N}}", "2"),
    ("{{range .Config.Env}}{{.}};{{end}}", "A=1;B=2;"),
    ("{{range $i, $e := .Config.Env}}{{$i}}{{$e}}{{end}}", "0A=11B=2"),
    ("{{range $k, $v := .State}}{{$k}}={{$v}} {{end}}", "Pid=42 Running=true "),
    ("{{range .Null}}x{{else}}none{{end}}", "none"),
    ("{{range .List}}{{.N}}{{$.State.Pid}}{{end}}", "142242"),
    ("{{if .State.Running}}up{{else}}down{{end}}", "up"),
    ("{{if eq .State.Pid 1}}a{{else if gt .State.Pid 41}}b{{else}}c{{end}}", "b"),
    ("{{if and .State.Running (not .Null) (or .Null .Ratio)}}yes{{end}}", "yes"),
    ("{{with .State}}{{.Pid}}{{end}}{{with .Null}}x{{else}}y{{end}}", "42y"),
    ("{{$x := .State.Pid}}{{$x}}{{$x = 3}}{{$x}}", "423"),
    ("{{.Config.Env | json}}", '["A=1","B=2"]'), ("{{json .Null}}", "null"),
    ("{{len .Config.Env}}{{len \"four\"}}", "24"),
    ("{{upper \"a\"}}{{\"B\" | lower}}{{title \"cd ef\"}}", "AbCd Ef"),
    ("{{split \"a/b\" \"/\" | json}}", '["a","b"]'), ("{{truncate \"abcdef\" 3}}", "abc"),
    ("{{pad \"x\" 1 2}}|", " x  |"), ("{{slice .Config.Env 1}}", "[B=2]"),
    ("{{slice \"abcdef\" 1 3}}", "bc"),
    ("{{printf \"%-4s|%03d|%v|%q|%%\" \"a\" 7 .Config.Env \"z\"}}", 'a   |007|[A=1 B=2]|"z"|%'),
    ("{{println 1 \"a\"}}", "1 a\n"), ("{{print 1 2 \"a\"}}", "1 2a"),
    ("a {{- /* trimmed */ -}} b", "ab"), ("a {{- \"x\" -}} b", "axb"), ("{{/* a comment */}}", ""),
    ("{{\"}}\"}}", "}}"), ("{{true}}{{-1}}{{eq 1 2 1}}{{ne 1 2}}{{lt 1 2}}{{le 2 1}}{{ge 2 1}}",
                          "true-1truetruetruefalsetrue"),
    ("{{.Name}}", "n\\x1b[31m\\nx"), ("{{json .Name}}", '"n\\u001b[31m\\nx"'),
    ("{{join .Config.Env \"\\n\"}}", "A=1\nB=2"), ("{{slice .Name 1 2}}", "\\x1b"),
    ("{{range split .Name \"[\"}}{{.}}{{end}}", "n\\x1b31m\\nx"),
    ("{{printf \"%s\" .Name}}", "n\\x1b[31m\\nx"),
])
def test_what_a_template_makes_of_an_object(text, made):
    assert Template(text).apply(OBJECT) == made


@pytest.mark.parametrize("text, message", [
    ("{{", "'}}' is missing"), ("{{}}", "empty"), ("{{.ID", "'}}' is missing"),
    ("{{.No}}", "'.No'"), ("{{if .No}}x{{end}}", "'.No'"), ("{{if .ID}}{{else}}{{.No}}{{end}}", "'.No'"),
    ("{{json .No}}", "'.No'"), ("{{.ID | nosuch}}", "'nosuch'"), ("{{nosuch}}", "'nosuch'"),
    ("{{template \"x\"}}", "{{template}} is not supported"), ("{{break}}", "{{break}} is not"),
    ("{{define \"x\"}}{{end}}", "{{define}}"), ("{{if .ID}}x", "{{end}} is missing"),
    ("{{end}}", "without a beginning"), ("{{else}}", "without a beginning"), ("{{if}}x{{end}}", "missing"),
    ("{{.ID .Tag}}", "takes no arguments"), ("{{(.ID}}", "')'"), ("{{.ID)}}", "unexpected ')'"),
    ("{{len}}", "0 arguments"), ("{{len .ID .Tag}}", "2 arguments"), ("{{.ID |}}", "missing"),
    ("{{$x}}", "$x"), ("{{#}}", "'#'"), ("{{\"\\q\"}}", "no string"), ("{{len \"a}}", "'}}' is missing"),
    ("{{.ID.More.No}}x{{.No}}", "'.No'"), ("{{" + "(" * 5000 + "}}", "too deeply"),
])
def test_what_is_no_template_says_why_before_anything_is_printed(text, message):
    with pytest.raises(UsageError) as caught:
        render(text, ROWS, FIELDS)
    assert message in caught.value.message and "\n" not in caught.value.message


@pytest.mark.parametrize("text, message", [
    ("{{.ID.More}}", "'.More'"), ("{{index .Names 2}}", "there are 2"), ("{{len .Size}}", "len"),
    ("{{range .Size}}{{end}}", "range"), ("{{join .Labels \",\"}}", "join"), ("{{lt .ID 1}}", "lt"),
    ("{{upper .Size}}", "upper"), ("{{printf \"%s\"}}", "printf"), ("{{printf \"x\" 1}}", "printf"),
    ("{{printf \"%f\" .ID}}", "printf"), ("{{slice .ID 99}}", "slice"), ("{{index .Size 0}}", "index"), ("{{pad .ID .ID 1}}", "pad"),
])
def test_what_does_not_fit_a_value_says_why(text, message):
    with pytest.raises(UsageError) as caught:
        list(render(text, ROWS, FIELDS))
    assert message in caught.value.message


def test_an_unknown_field_names_those_that_there_are():
    with pytest.raises(UsageError) as caught:
        render("{{.Nmae}}", [], FIELDS)
    assert caught.value.hint == "there are .ID, .Labels, .Names, .Repository, .Size, .Tag"
