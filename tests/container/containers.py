"""The image under test, its containers, and the fake AWS they talk to; each is removed with `close`."""

import contextlib
import functools
import http.client
import io
import json
import os
import pathlib
import socket
import subprocess
import sys
import tarfile
import tempfile
import time
import uuid

from ask import ask
from cloud import docker
from image_registry import ImageRegistry
from program import PATIENCE, ROOT, artifact, run

IMAGE = os.environ["STRONGROOM_IMAGE"]
TOOLS = pathlib.Path(os.environ["STRONGROOM_TEST_TOOLS"])
IRIS, IMAGENET = "iris-random-forest", "imagenet-efficientnet-lite0"
FLOWERS = artifact(IRIS) / "self-test/flowers.csv"
#: What asks from inside a container's network.
ASK = pathlib.Path(__file__).with_name("ask.py")
#: The uid that the program takes where it is started as root.
NOBODY = 65532


@functools.cache
def layer() -> bytes:
    """The image's only layer, as an archive."""
    saved = subprocess.run(["docker", "save", IMAGE], capture_output=True, check=True).stdout
    with tarfile.open(fileobj=io.BytesIO(saved)) as archive:
        [image] = json.load(archive.extractfile("manifest.json"))
        [only] = image["Layers"]
        return archive.extractfile(only).read()


def entries() -> list[tarfile.TarInfo]:
    with tarfile.open(fileobj=io.BytesIO(layer())) as files:
        return files.getmembers()


def content(path: str) -> bytes:
    with tarfile.open(fileobj=io.BytesIO(layer())) as files:
        return files.extractfile(path).read()


@functools.cache
def pushed() -> ImageRegistry:
    """A registry that the image was pushed to."""
    with ImageRegistry() as registry:
        there = f"127.0.0.1:{registry.server_port}/strongroom:pushed"
        docker("tag", IMAGE, there)
        docker("push", there)
        docker("rmi", there)
        return registry


@contextlib.contextmanager
def distribution():
    """The registry that others are measured by, empty, on a port of its own."""
    with tempfile.TemporaryDirectory() as place, socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
        free.close()
        settings = {"version": 0.1, "http": {"addr": address}, "storage": {"filesystem": {"rootdirectory": place}}}
        file = pathlib.Path(place) / "config.json"
        file.write_text(json.dumps(settings))
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        with subprocess.Popen(["docker-registry", "serve", str(file)], **quiet) as process:
            try:
                wait_until_listening(address)
                yield address
            finally:
                process.terminate()


def wait_until_listening(address: str):
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return socket.create_connection(tuple(address.split(":"))).close()
        except ConnectionRefusedError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def bytes_pushed() -> int:
    return sum(map(len, pushed().blobs.values()))


def name(kind: str) -> str:
    return f"strongroom-{kind}-{uuid.uuid4().hex[:12]}"


def once(*options: str, arguments=(), **settings: str) -> subprocess.CompletedProcess:
    """A container run to its end."""
    command = ["docker", "run", "--rm", *options, *variables(settings), IMAGE, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)


def variables(settings: dict[str, str]) -> list[str]:
    return [option for key, value in settings.items() for option in ("--env", f"{key}={value}")]


class Served:
    """A container that serves, asked at a published port, or from inside its network where it has none."""

    def __init__(self, *options: str, arguments=("serve",), **settings: str):
        self.isolated = "none" in options
        self.name = name("served")
        publish = [] if self.isolated else ["--publish", "127.0.0.1::8080"]
        docker("run", "--detach", "--name", self.name, *publish, *options, *variables(settings), IMAGE, *arguments)

    def state(self, field: str) -> str:
        return docker("inspect", "--format", f"{{{{{field}}}}}", self.name)

    def wait_until_ready(self):
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline and self.state(".State.Running") == "true":
            try:
                if self.request("GET", "/ping")[0] == 200:
                    return
            except (OSError, http.client.HTTPException):
                pass
            time.sleep(0.05)
        raise AssertionError(f"{self.state('.State.Status')}, not ready: {self.output()}")

    def request(self, method: str, path: str, body: bytes = b"", media_type: str = "text/csv") -> tuple[int, bytes]:
        if self.isolated:
            return self.request_inside(method, path, body, media_type)
        port = int(docker("port", self.name, "8080/tcp").rsplit(":", 1)[1])
        return ask(port, method, path, body, media_type)

    def request_inside(self, *request) -> tuple[int, bytes]:
        """Only root may enter a container's network."""
        inside = ["nsenter", f"--net=/proc/{self.state('.State.Pid')}/ns/net", sys.executable, ASK]
        method, path, body, media_type = request
        done = subprocess.run([*inside, "8080", method, path, media_type], input=body, capture_output=True)
        if done.returncode != 0:
            raise OSError(done.stderr.decode())
        status, content = done.stdout.split(b"\n", 1)
        return int(status), content

    def invoke(self, body: bytes, media_type: str = "text/csv"):
        status, content = self.request("POST", "/invocations", body, media_type)
        if status != 200:
            raise AssertionError(f"{status}: {content}")
        return json.loads(content)

    def output(self) -> str:
        done = subprocess.run(["docker", "logs", self.name], capture_output=True, text=True)
        return done.stdout + done.stderr

    def log(self, message: str) -> dict:
        """The first log line with this message."""
        lines = (json.loads(line) for line in self.output().splitlines() if line.startswith("{"))
        found = next((line for line in lines if line.get("message") == message), None)
        if found is None:
            raise AssertionError(f"no log line {message!r}: {self.output()}")
        return found

    def missing_layers(self) -> set[str]:
        """Layers of the sandbox that the log says are not in force."""
        states = self.log("sandbox")
        layers = {key.removeprefix("sandbox_"): state for key, state in states.items() if key.startswith("sandbox_")}
        assert len(layers) == 6, states
        return {layer for layer, state in layers.items() if state.startswith("missing: ")}

    def close(self):
        subprocess.run(["docker", "rm", "--force", self.name], capture_output=True)


class Exported:
    """A model as SageMaker mounts it, and its key, which only the user who reads it may read."""

    def __init__(self, place, model: str):
        self.path = place.path / f"{model}-exported"
        run("export", model, "--output", str(self.path), **place.settings)
        self.key = place.path / "key"

    def options(self, user: int = 0) -> list[str]:
        mine = self.key.with_name(f"key-of-{user}")
        mine.unlink(missing_ok=True)
        mine.write_bytes(self.key.read_bytes())
        mine.chmod(0o600)
        os.chown(mine, user, user)
        volumes = ["--volume", f"{self.path}:/opt/ml/model:ro", "--volume", f"{mine}:/run/key:ro"]
        return [*volumes, "--env", "STRONGROOM_KEY=file:/run/key"]


def machine_s_python(*more: pathlib.Path) -> list[str]:
    """Options that bring this machine's Python into a container, and libc, which the image has not."""
    of_python = {"/usr", "/lib", "/lib64", os.path.realpath(sys.base_prefix)}
    places = {*of_python, str(TOOLS.resolve()), str(ROOT), *map(str, more)}
    return [option for place in sorted(places) for option in ("--volume", f"{os.path.realpath(place)}:{place}:ro")]


class FakeAws:
    """Moto in a container of its own, which runs this machine's Python; others reach it as `moto`."""

    def __init__(self, network: str, *certificate: pathlib.Path):
        self.name = name("moto")
        python = TOOLS.resolve() / "py/bin/python"
        docker(
            "run", "--detach", "--interactive", "--name", self.name, "--network", network, "--network-alias", "moto",
            *machine_s_python(*(file.parent for file in certificate)), "--entrypoint", str(python), IMAGE,
            str(ROOT / "tests/sagemaker/moto_server.py"), "0.0.0.0", *map(str, certificate),
        )  # fmt: skip
        self.scheme = "https" if certificate else "http"
        self.port = self.first_line()
        self.settings = {
            "AWS_ENDPOINT_URL": f"{self.scheme}://moto:{self.port}",
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def first_line(self) -> int:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            if line := docker("logs", self.name):
                return int(line.splitlines()[0])
            time.sleep(0.1)
        raise AssertionError("moto does not start")

    def address_from_here(self) -> str:
        ip = docker("inspect", "--format", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", self.name)
        return f"{self.scheme}://{ip}:{self.port}"

    def close(self):
        subprocess.run(["docker", "rm", "--force", self.name], capture_output=True)
