"""Strongroom and its peers as running servers: started, asked, weighed."""

import contextlib
import dataclasses
import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import tomllib

from program import PATIENCE, PROGRAM, ROOT, Place, artifact, environment

CORES = len(os.sched_getaffinity(0))
#: More than connections are opened: neither side turns a request away.
QUEUE = 64
IMAGENET = "imagenet-efficientnet-lite0"
ZOO_S = """name = "{name}"
version = "1"
license = "BSD-3-Clause"

[task.classify]
graph = "model.onnx"
activation = "softmax"
labels = "labels.txt"

[task.classify.input]
width = 224
height = 224
pixels = {{ scale = 0.00392156862745098, mean = [0.485, 0.456, 0.406], std = [0.229, 0.224, 0.225] }}
"""


@dataclasses.dataclass(frozen=True)
class Form:
    """A server and how it is set up; a peer's `workers` is 0 for Strongroom."""

    name: str
    workers: int = 0
    threads: int = CORES
    #: Whether a JPEG is decoded at a smaller scale.
    draft: bool = False


STRONGROOM, REDUCED = Form("Strongroom"), Form("Strongroom, reduced", draft=True)
PLAIN = (Form("workers", workers=CORES, threads=1), Form("threads", workers=1))
DRAFT = Form("workers, draft", workers=CORES, threads=1, draft=True)
FORMS = (STRONGROOM, REDUCED, *PLAIN, DRAFT)


class Model:
    """One model as both sides have it: published sealed, and described to the peer."""

    def __init__(self, place: Place, name: str, zoo: pathlib.Path):
        self.place, self.name = place, name
        bundle = artifact(name)
        if name != IMAGENET:
            bundle = place.path / name
            bundle.mkdir()
            shutil.copy(zoo / f"{name}.onnx", bundle / "model.onnx")
            (bundle / "labels.txt").write_text("".join(f"class {index}\n" for index in range(1000)))
            (bundle / "model.toml").write_text(ZOO_S.format(name=name))
        place.publish(bundle)
        place.publish(reduced(bundle, name, place.path / f"{name}-reduced"))
        self.peer_s = place.path / f"{name}.json"
        self.peer_s.write_text(json.dumps(peer_s(bundle)))


def reduced(bundle: pathlib.Path, name: str, to: pathlib.Path) -> pathlib.Path:
    """The same bundle under another name, whose photos are decoded at a smaller scale. Its self-test is of the other one."""
    shutil.copytree(bundle, to, ignore=shutil.ignore_patterns("self-test"))
    lines = (bundle / "model.toml").read_text().partition("[[self_test]]")[0].splitlines()
    lines[lines.index(f'name = "{name}"')] = f'name = "{to.name}"'
    lines.insert(lines.index("[task.classify.input]") + 1, 'jpeg = "reduced"')
    (to / "model.toml").write_text("\n".join(lines) + "\n")
    return to


def peer_s(bundle: pathlib.Path) -> dict:
    """What fastapi_app.py must know, from the bundle itself, so that both do the same."""
    task = tomllib.loads((bundle / "model.toml").read_text())["task"]["classify"]
    pixels, resize = task["input"]["pixels"], task["input"].get("resize", {})
    return {
        "model": str(bundle / task["graph"]),
        "labels": (bundle / task["labels"]).read_text().splitlines(),
        "softmax": task.get("activation") == "softmax",
        "shorter_side": resize.get("shorter-side"),
        "interpolation": task["input"].get("interpolation", "bilinear"),
        "scale": pixels.get("scale", 1),
        "mean": pixels["mean"],
        "std": pixels["std"],
    }


class Server:
    """A server that answers; `first_200_ms` is from the start of its process, `load_ms` what it says of itself."""

    def __init__(self, model: Model, form: Form):
        self.form, self.log = form, model.place.path / "log"
        self.port = free_port()
        command, settings = fastapi_s(model, form, self.port) if form.workers else strongroom_s(model, form, self.port)
        with self.log.open("wb") as log:
            begun = time.perf_counter()
            self.child = subprocess.Popen(command, env=settings, stdout=log, stderr=log, start_new_session=True)
        ping = self.wait()
        self.first_200_ms = (time.perf_counter() - begun) * 1000
        self.load_ms = json.loads(ping)["load_ms"] if form.workers else self.load_of_the_log()

    def wait(self) -> bytes:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline and self.child.poll() is None:
            with contextlib.suppress(OSError, http.client.HTTPException):
                status, answer = self.ask("GET", "/ping")
                if status == 200:
                    return answer
            time.sleep(0.002)
        self.close()
        raise SystemExit(f"{self.form.name} does not become ready; it said:\n{self.log.read_text()}")

    def ask(self, method: str, path: str, body: bytes | None = None, media_type: str = "") -> tuple[int, bytes]:
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)) as connection:
            connection.request(method, path, body, {"Content-Type": media_type} if media_type else {})
            answer = connection.getresponse()
            return answer.status, answer.read()

    def classify(self, photo: pathlib.Path) -> list[dict]:
        status, answer = self.ask("POST", "/invocations", photo.read_bytes(), "image/jpeg")
        if status != 200:
            raise SystemExit(f"{self.form.name} answers {photo.name} with {status}: {answer.decode()}")
        return json.loads(answer)

    def load_of_the_log(self) -> float:
        lines = (json.loads(line) for line in self.log.read_text().splitlines())
        return next(line["duration_ms"] for line in lines if line.get("stage") == "load")

    def stages(self) -> dict[str, float]:
        """Seconds that all requests together spent in each stage, of Strongroom; peers do not tell."""
        if self.form.workers:
            return {}
        lines = self.ask("GET", "/metrics")[1].decode().splitlines()
        found = (re.fullmatch(r'strongroom_request_stage_seconds_sum\{.*stage="(\w+)".*\} (\S+)', line) for line in lines)
        return {line[1]: float(line[2]) for line in found if line}

    def memory_mb(self) -> float:
        return sum(map(memory_mb, tree(self.child.pid)))

    def close(self):
        self.child.send_signal(signal.SIGTERM)
        try:
            self.child.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(self.child.pid, signal.SIGKILL)
            self.child.wait()


def strongroom_s(model: Model, form: Form, port: int) -> tuple[list[str], dict[str, str]]:
    name = f"{model.name}-reduced" if form.draft else model.name
    settings = {"STRONGROOM_MODEL": name, "STRONGROOM_BIND": f"127.0.0.1:{port}", "STRONGROOM_QUEUE": str(QUEUE)}
    return [PROGRAM, "serve"], environment(**model.place.settings, **settings)


def fastapi_s(model: Model, form: Form, port: int) -> tuple[list[str], dict[str, str]]:
    app = str(ROOT / "tests/peers/fastapi_app.py")
    setting = [str(model.peer_s), str(port), str(form.workers), str(form.threads), *(["--draft"] if form.draft else [])]
    return [sys.executable, app, *setting], environment()


def free_port() -> int:
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as taken:
        return taken.getsockname()[1]


def tree(root: int) -> list[int]:
    """A process and all that come from it."""
    parents = {}
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
    found = [root]
    for process in found:
        found += [child for child, parent in parents.items() if parent == process]
    return found


def memory_mb(process: int) -> float:
    """Proportional set size: pages that several share count once in the sum. Whoever may not ask for it gets resident memory."""
    with contextlib.suppress(ProcessLookupError, FileNotFoundError):
        try:
            lines, wanted = pathlib.Path(f"/proc/{process}/smaps_rollup").read_text(), "Pss:"
        except PermissionError:
            lines, wanted = pathlib.Path(f"/proc/{process}/status").read_text(), "VmRSS:"
        return next(int(line.split()[1]) / 1000 for line in lines.splitlines() if line.startswith(wanted)) * 1.024
    return 0.0
