"""``commit --change``, as a table."""

import pytest

from udocker.errors import InvalidValue
from udocker.model.instruction import apply_changes

BASE = {"Env": ["PATH=/bin", "A=1"], "Cmd": ["old"], "Entrypoint": ["was"], "Labels": {"k": "v"},
        "WorkingDir": "/w", "ExposedPorts": {"80/tcp": {}}}


@pytest.mark.parametrize("text, key, value", [
    ('CMD ["a", "b c"]', "Cmd", ["a", "b c"]), ("cmd echo $A", "Cmd", ["/bin/sh", "-c", "echo $A"]),
    ("CMD [not json", "Cmd", ["/bin/sh", "-c", "[not json"]), ("CMD", "Cmd", []), ("CMD []", "Cmd", []),
    ('ENTRYPOINT ["/e"]', "Entrypoint", ["/e"]), ("ENTRYPOINT", "Entrypoint", []),
    ("ENV B=2", "Env", ["PATH=/bin", "A=1", "B=2"]), ("ENV A=2", "Env", ["PATH=/bin", "A=2"]),
    ("ENV A=b C='d e' F=\"g $A\"", "Env", ["PATH=/bin", "A=b", "C=d e", "F=g 1"]),
    ("ENV PATH=$PATH:/x", "Env", ["PATH=/bin:/x", "A=1"]),
    ("ENV PATH=${PATH}y", "Env", ["PATH=/biny", "A=1"]),
    ("ENV A '$A' \\$A", "Env", ["PATH=/bin", "A=$A $A"]), ("ENV A x y", "Env", ["PATH=/bin", "A=x y"]),
    ("ENV A=", "Env", ["PATH=/bin", "A="]), ("ENV A=$NO", "Env", ["PATH=/bin", "A="]),
    ("ENV A=$", "Env", ["PATH=/bin", "A=$"]), ('ENV A="\\"\\\\n"', "Env", ["PATH=/bin", 'A="\\n']),
    ("LABEL a=b c=\"d e\"", "Labels", {"k": "v", "a": "b", "c": "d e"}),
    ("LABEL k=", "Labels", {"k": ""}), ("USER 1000:1000", "User", "1000:1000"),
    ("WORKDIR x/../y", "WorkingDir", "/w/y"), ("WORKDIR /z", "WorkingDir", "/z"),
    ("EXPOSE 443 53/udp", "ExposedPorts", {"80/tcp": {}, "443/tcp": {}, "53/udp": {}}),
    ("EXPOSE 1-2", "ExposedPorts", {"80/tcp": {}, "1/tcp": {}, "2/tcp": {}}),
    ("VOLUME /a /b", "Volumes", {"/a": {}, "/b": {}}), ('VOLUME ["/a b"]', "Volumes", {"/a b": {}}),
    ("STOPSIGNAL SIGINT", "StopSignal", "SIGINT"), ("ONBUILD RUN x", "OnBuild", ["RUN x"]),
    ("  USER   me  ", "User", "me"),
])
def test_an_instruction_changes_what_it_is_for(text, key, value):
    changed = apply_changes(BASE, [text])
    assert changed[key] == value
    assert {name: changed.get(name) for name in BASE if name not in (key, "Cmd")} \
        == {name: BASE[name] for name in BASE if name not in (key, "Cmd")}


def test_a_new_entrypoint_drops_the_command_of_the_old_one():
    assert "Cmd" not in apply_changes(BASE, ['ENTRYPOINT ["x"]'])
    assert apply_changes(BASE, ["CMD a", 'ENTRYPOINT ["x"]'])["Cmd"] == ["/bin/sh", "-c", "a"]
    assert apply_changes(BASE, ['ENTRYPOINT ["x"]', '["a"]'.join(["CMD ", ""])])["Cmd"] == ["a"]


def test_the_base_stays_as_it_was():
    before = repr(BASE)
    apply_changes(BASE, ["ENV X=1", "LABEL a=b", "EXPOSE 1", "VOLUME /v"])
    assert repr(BASE) == before


@pytest.mark.parametrize("text", [
    "", "RUN x", "FROM a", "ENV", "ENV =x", "ENV A", "ENV A=1 B", "ENV A='x", "ENV A=${x", "ENV A=${a-b}",
    "LABEL", "EXPOSE", "EXPOSE 0", "EXPOSE 70000", "EXPOSE x", "EXPOSE 80/xyz", "EXPOSE 5-2", "USER",
    "USER a b", "WORKDIR", "VOLUME", "VOLUME ''", "ONBUILD", "STOPSIGNAL", "\x1b[31m x"])
def test_what_cannot_be_understood_is_named(text):
    with pytest.raises(InvalidValue) as caught:
        apply_changes(BASE, [text])
    assert caught.value.message.startswith("--change '") and caught.value.message.isprintable()
