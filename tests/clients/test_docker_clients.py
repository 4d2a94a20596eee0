"""What was made for the command lines of docker and podman, as PyPI has it, calls ours."""

import os
import subprocess

WHALES = "python-on-whales==0.81.0"
COMPOSE = "podman-compose==1.6.0"

SCRIPT = """
import sys
from python_on_whales import DockerClient
docker = DockerClient(client_call=["udocker"])
docker.image.pull(sys.argv[1], quiet=True)
docker.image.tag(sys.argv[1], "tools")
assert docker.image.exists("tools") and not docker.image.exists("no-such-image")
image = docker.image.inspect("tools")
assert image.id in [one.id for one in docker.image.list()] and image.config.cmd == ["sh"]
said = docker.run("tools", ["sh", "-c", "cat /w/file; echo $A $(id -u) $(pwd)"], remove=True,
                  volumes=[(sys.argv[2], "/w", "ro")], envs={"A": "b"}, workdir="/w", user="7:8")
assert said == "data\\nb 7 /w", said
docker.image.save("tools", output="saved.tar")
docker.image.remove("tools")
assert not docker.image.exists("tools")
docker.image.load("saved.tar")
assert docker.image.exists("tools")
try:
    docker.run("tools", ["sh", "-c", "exit 9"], remove=True)
except Exception as error:
    assert error.return_code == 9
else:
    raise AssertionError("a status of 9 was no error")
container = docker.run("tools", ["sh", "-c", "echo started; exec sleep 60"], detach=True, name="back")
assert container.id in [one.id for one in docker.ps(all=True)]
assert docker.container.inspect("back").name.strip("/") == "back" and container.state.running
assert docker.execute("back", ["echo", "inside"]) == "inside"
docker.container.stop("back", time=1)
assert "started" in docker.container.logs("back")
assert not docker.container.inspect("back").state.running
docker.container.remove("back")
assert not docker.container.exists("back")
print("all of it")
"""


#: There are no networks and no pods to be made, and so services in the host's network only.
SERVICES = """
services:
  one:
    image: %s/tools
    network_mode: host
    environment: {FLAVOUR: "sweet and sour"}
    volumes: [".:/w"]
    working_dir: /w
    command: [sh, -c, 'echo "$$FLAVOUR" in `pwd`; cat file']
"""


def test_podman_compose_runs_a_service(client, udocker, path, registry, tmp_path):
    (tmp_path / "file").write_text("data\n")
    (tmp_path / "compose.yaml").write_text(SERVICES % registry.host)
    done = subprocess.run(
        [os.path.join(client(COMPOSE), "podman-compose"), "--in-pod=false", "--podman-path",
         os.path.join(path.split(":")[0], "udocker"), "run", "--rm", "-T", "one"], env=udocker.environment({"PATH": path}), cwd=str(tmp_path),
        timeout=120, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        universal_newlines=True)
    assert (done.returncode, done.stdout) == (0, "sweet and sour in /w\ndata\n"), done.stderr


def test_python_on_whales(client, udocker, path, registry, tmp_path):
    (tmp_path / "file").write_text("data\n")
    programs = client(WHALES)
    done = subprocess.run(
        [os.path.join(programs, "python"), "-c", SCRIPT, registry.host + "/tools", str(tmp_path)],
        env=udocker.environment({"PATH": path}), cwd=str(tmp_path), timeout=120,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True)
    assert done.returncode == 0 and done.stdout.endswith("all of it\n"), done.stdout
