"""cwltool and miniwdl, as they come from PyPI, run their steps in containers of ours."""

import json
import os
import re
import subprocess

import pytest

CWLTOOL = "cwltool==3.3.20260925135507"
MINIWDL = "miniwdl==1.16.0"

SHOUT = """
cwlVersion: v1.2
class: CommandLineTool
requirements:
  DockerRequirement: {dockerPull: "%s"}
  InitialWorkDirRequirement:
    listing:
      - entryname: shout.sh
        entry: |
          echo "$FLAVOUR, in `pwd`, as `id -u`" > report.txt
          cat given/more.txt >> report.txt
          tr a-z A-Z < text.txt
      - entryname: given/more.txt
        entry: $(inputs.more)
      - entryname: text.txt
        entry: $(inputs.text)
  EnvVarRequirement:
    envDef: {FLAVOUR: "sweet and sour"}
baseCommand: [sh, shout.sh]
inputs: {text: File, more: File}
outputs:
  shouted: {type: stdout}
  report: {type: File, outputBinding: {glob: report.txt}}
stdout: shouted.txt
"""

COUNT = """
cwlVersion: v1.2
class: CommandLineTool
requirements:
  DockerRequirement: {dockerPull: "%s"}
baseCommand: [wc, -l]
inputs:
  text: {type: File, inputBinding: {position: 1}}
outputs:
  count: {type: stdout}
stdout: count.txt
"""

FLOW = """
cwlVersion: v1.2
class: Workflow
inputs: {text: File, more: File}
outputs:
  report: {type: File, outputSource: shout/report}
  shouted: {type: File, outputSource: shout/shouted}
  count: {type: File, outputSource: count/count}
steps:
  shout: {run: shout.cwl, in: {text: text, more: more}, out: [shouted, report]}
  count: {run: count.cwl, in: {text: shout/shouted}, out: [count]}
"""

WDL = """
version 1.0
task shout {
    input { File text  String image }
    command <<<
        echo "said by $(id -u)" >&2
        tr a-z A-Z < ~{text} > shouted.txt
        wc -l < shouted.txt
    >>>
    output { File shouted = "shouted.txt"  Int lines = read_int(stdout()) }
    runtime { docker: image  cpu: 1  memory: "100M" }
}
workflow twice {
    input { File text  String image }
    call shout as first { input: text = text, image = image }
    call shout as second { input: text = first.shouted, image = image }
    output { File shouted = second.shouted  Int lines = second.lines }
}
"""

FAILS = """
version 1.0
task fails {
    input { String image }
    command <<< echo "going wrong" >&2; exit 7 >>>
    output { String nothing = read_string(stdout()) }
    runtime { docker: image }
}
"""


@pytest.fixture
def work(tmp_path):
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "text.txt").write_text("one\ntwo\n")
    (folder / "more.txt").write_text("more\n")
    return folder


def call(udocker, path, work, *words, **env):
    done = subprocess.run([str(word) for word in words], cwd=str(work), stdin=subprocess.DEVNULL,
                          env=udocker.environment(dict(env, PATH=path)), stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, universal_newlines=True, timeout=120)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("by", ["--udocker", "--user-space-docker-cmd"])
def test_cwltool_runs_a_workflow(client, udocker, path, registry, work, by):
    cwltool = client(CWLTOOL)
    image = registry.host + "/tools"
    for name, text in (("shout", SHOUT % image), ("count", COUNT % image), ("flow", FLOW)):
        (work / (name + ".cwl")).write_text(text)
    if by == "--user-space-docker-cmd":
        by += "=" + os.path.join(path.split(":")[0], "udocker")
    status, out, err = call(udocker, path, work, os.path.join(cwltool, "cwltool"), by, "--outdir", "out",
                            "flow.cwl", "--text", "text.txt", "--more", "more.txt")
    assert status == 0, err
    outputs = json.loads(out)
    assert sorted(outputs) == ["count", "report", "shouted"]
    assert (work / "out" / "shouted.txt").read_text() == "ONE\nTWO\n"
    assert (work / "out" / "count.txt").read_text().split()[0] == "2"
    said, more = (work / "out" / "report.txt").read_text().splitlines()
    assert re.match(r"sweet and sour, in /\w+, as \d+$", said) and more == "more"
    assert "--volume=" in err and image in err  # what it called, it tells
    assert "CONTAINER" in udocker.ok("ps") and "tools" not in udocker.ok("ps")  # --rm left nothing


def test_cwltool_hears_of_what_failed(client, udocker, path, registry, work):
    (work / "count.cwl").write_text(COUNT % (registry.host + "/tools"))
    text = (work / "count.cwl").read_text().replace("[wc, -l]", "[sh, -c, 'echo why >&2; exit 7']")
    (work / "fails.cwl").write_text(text)
    status, _, err = call(udocker, path, work, os.path.join(client(CWLTOOL), "cwltool"), "--udocker",
                          "fails.cwl", "--text", "text.txt")
    assert status == 1 and "exited with status: 7" in err and "\nwhy\n" in err


def test_miniwdl_runs_tasks(client, udocker, path, registry, work):
    (work / "twice.wdl").write_text(WDL)
    miniwdl = os.path.join(client(MINIWDL), "miniwdl")
    words = (miniwdl, "run", "--dir", "out", "--no-color", "--error-json")
    backend = {"MINIWDL__SCHEDULER__CONTAINER_BACKEND": "udocker"}
    image = "image=%s/tools:latest" % registry.host
    status, out, err = call(udocker, path, work, *(words + ("twice.wdl", "text=text.txt", image)),
                            **backend)
    assert status == 0, err
    outputs = json.loads(out)["outputs"]
    assert outputs["twice.lines"] == 2
    with open(outputs["twice.shouted"]) as file:
        assert file.read() == "ONE\nTWO\n"
    assert "udocker_version" in err and "version: " in err
    (work / "fails.wdl").write_text(FAILS)
    status, out, err = call(udocker, path, work, *(words + ("fails.wdl", image)), **backend)
    assert status != 0 and json.loads(out)["cause"]["exit_status"] == 7
    assert "tools" not in udocker.ok("ps")
