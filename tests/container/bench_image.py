"""Measures the container image and writes its section of docs/BENCHMARKS.md.

Usage: as test_image.py, with the environment `fastapi` of scripts/test-tools, on Debian or Ubuntu.
"""

import contextlib
import datetime
import http.client
import pathlib
import re
import statistics
import subprocess
import time

from benchmarks import write_section
from cloud import docker
from containers import IMAGE, IMAGENET, IRIS, TOOLS, Exported, bytes_pushed, entries, machine_s_python, name, variables
from program import PATIENCE, ROOT, Place, artifact

HEADING = "## The container image"
STARTS = 15


class Started:
    """A container in the machine's own network, so that the first answer is not delayed by a proxy or by ARP."""

    def __init__(self, port: int, *options: str):
        self.name = name("bench")
        docker("create", "--name", self.name, "--network", "host", *options)
        called = time.time()
        starting = subprocess.Popen(["docker", "start", self.name], stdout=subprocess.DEVNULL)
        answered, self.ready = first_answers(port)
        starting.wait()
        begun = docker("inspect", "--format", "{{.State.StartedAt}}", self.name)
        begun = datetime.datetime.fromisoformat(re.sub(r"(\.\d{6})\d*Z", r"\1+00:00", begun)).timestamp()
        self.from_call, self.answer, self.ready = answered - called, answered - begun, self.ready - begun
        time.sleep(2)
        pid = docker("inspect", "--format", "{{.State.Pid}}", self.name)
        status = dict(line.split(":\t") for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines())
        self.resident, self.threads = int(status["VmRSS"].split()[0]) / 1024, int(status["Threads"])
        docker("rm", "--force", self.name)


def first_answers(port: int) -> tuple[float, float]:
    """When /ping first answered at all, and when it first answered 200."""
    answered = None
    deadline = time.time() + PATIENCE
    while time.time() < deadline:
        with contextlib.suppress(OSError, http.client.HTTPException):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
            connection.request("GET", "/ping")
            status = connection.getresponse().status
            connection.close()
            answered = answered or time.time()
            if status == 200:
                return answered, time.time()
        time.sleep(0.0005)
    raise AssertionError(f"nothing answers at {port}")


def strongroom(exported: Exported, port: int) -> Started:
    settings = variables({"STRONGROOM_BIND": f"127.0.0.1:{port}"})
    return Started(port, *exported.options(), *settings, IMAGE, "serve")


def fastapi(port: int) -> Started:
    model = artifact(IMAGENET) / "efficientnet_lite0.onnx"
    server = [str(ROOT / "tests/container/fastapi_server.py"), str(model), str(port)]
    python = str(TOOLS.resolve() / "fastapi/bin/python")
    options = [*machine_s_python(), "--env", "PYTHONDONTWRITEBYTECODE=1", "--entrypoint", python]
    return Started(port, *options, IMAGE, *server)


def row(label: str, starts: list[Started]) -> str:
    middle = lambda measured: statistics.median(map(measured, starts))
    times = [middle(each) * 1000 for each in (lambda s: s.answer, lambda s: s.ready, lambda s: s.from_call)]
    cells = [*(f"{value:.0f}" for value in times), f"{middle(lambda s: s.resident):.0f}", str(starts[-1].threads)]
    return f"| {label} | {' | '.join(cells)} |"


def files() -> str:
    lines = [f"| `/{entry.name}` | {entry.size / 1e6:.2f} |" for entry in entries() if entry.isfile()]
    total = int(docker("inspect", "--format", "{{.Size}}", IMAGE)) / 1e6
    sums = [f"| all of it, in one layer | {total:.2f} |", f"| as a registry keeps it | {bytes_pushed() / 1e6:.2f} |"]
    return "\n".join([*lines, *sums])


def megabytes_of_python_packages() -> float:
    """Files of the environment but for what builds it; compiled Python counts, as pip leaves it in images too."""
    site = TOOLS / "fastapi/lib"
    found = (file for file in site.rglob("*") if file.is_file() and not {"pip", "setuptools"} & set(file.parts))
    return sum(file.stat().st_size for file in found) / 1e6


def megabytes_of_debian() -> float:
    """What apt would install into an empty directory for Python: the sum of Installed-Size."""
    wanted = ["?essential", "usr-is-merged", "python3", "ca-certificates"]
    empty = ["-o", "Dir::State::status=/dev/null", "--no-install-recommends", "--simulate"]
    run = lambda *command: subprocess.run(command, capture_output=True, text=True, check=True).stdout
    packages = re.findall(r"^Inst (\S+)", run("apt-get", *empty, "install", *wanted), re.M)
    shown = run("apt-cache", "show", "--no-all-versions", *packages)
    return sum(map(int, re.findall(r"^Installed-Size: (\d+)", shown, re.M))) * 1024 / 1e6


def section() -> str:
    with contextlib.closing(Place()) as place:
        exported = {}
        for model in (IRIS, IMAGENET):
            place.publish(artifact(model))
            exported[model] = Exported(place, model)
        starts = {IRIS: [], IMAGENET: [], "fastapi": []}
        # In turns, as the machine's other work comes and goes.
        for turn in range(STARTS):
            port = 18100 + 4 * turn
            starts[IRIS].append(strongroom(exported[IRIS], port))
            starts[IMAGENET].append(strongroom(exported[IMAGENET], port + 1))
            starts["fastapi"].append(fastapi(port + 2))
    packages, debian = megabytes_of_python_packages(), megabytes_of_debian()
    return f"""Made by `make bench-image`, which measures and rewrites this section.

| file | MB |
|---|---|
{files()}

The layers of FastAPI with onnxruntime, without a model or a line of code of one's own, come to {packages + debian:.0f} MB:
{packages:.0f} MB are the files of `tests/python/requirements-fastapi.txt` as pip installs them, {debian:.0f} MB what Debian says it
installs for `python3`, `ca-certificates` and its essential packages. Computed, as no base image was pulled.

Medians of {STARTS} starts with Docker, in ms: from the time that Docker notes as the container's start to the first answer of
`/ping`, whatever it says, and to the first 200; and from the call of `docker start` to the first answer, most of which is
Docker's own. Resident memory in MB and threads two seconds after, idle. FastAPI runs in a container too, with this machine's
Python and onnxruntime mounted, which spares it the reading of layers.

| served | first answer | ready | from `docker start` | memory | threads |
|---|---|---|---|---|---|
{row(IRIS, starts[IRIS])}
{row(IMAGENET, starts[IMAGENET])}
{row("FastAPI and onnxruntime, " + IMAGENET, starts["fastapi"])}
"""


if __name__ == "__main__":
    write_section(HEADING, section())
