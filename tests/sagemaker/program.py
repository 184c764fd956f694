"""The program under test: keys, registries and servers in a directory of their own."""

import json
import os
import pathlib
import queue
import shutil
import signal
import subprocess
import tempfile
import threading

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = os.environ.get("STRONGROOM_PROGRAM", "")
OURS = ("STRONGROOM_", "SAGEMAKER_", "AWS_")
#: Longest wait for a log line or an end, in seconds.
PATIENCE = 60


def artifact(name: str) -> pathlib.Path:
    return ROOT / "model-artifacts" / name


def environment(**settings: str) -> dict[str, str]:
    """This machine's environment without settings of Strongroom's, AWS's and SageMaker's, but for those given."""
    return {name: value for name, value in os.environ.items() if not name.startswith(OURS)} | settings


def run(*arguments: str, **settings: str) -> bytes:
    """Runs the program to its end; its standard output. A failure shows what it said."""
    done = subprocess.run([PROGRAM, *arguments], env=environment(**settings), capture_output=True)
    if done.returncode != 0:
        raise AssertionError(f"strongroom {' '.join(arguments)}: {done.stderr.decode()}{done.stdout.decode()}")
    return done.stdout


class Place:
    """A directory with a key and a registry, removed with `close`."""

    def __init__(self):
        self.path = pathlib.Path(tempfile.mkdtemp(prefix="strongroom-"))
        self.settings = {
            "STRONGROOM_REGISTRY": str(self.path / "registry"),
            "STRONGROOM_KEY": f"file:{self.path / 'key'}",
        }
        run("key", "new", "-o", str(self.path / "key"))

    def publish(self, bundle: pathlib.Path):
        run("publish", str(bundle), "--alias", "live", **self.settings)

    def publish_graph(self, name: str, graph: str, task: str):
        """A model of one of the small graphs of tests/predict."""
        bundle = self.path / name
        bundle.mkdir()
        shutil.copy(ROOT / "tests/predict" / graph, bundle / "m.onnx")
        (bundle / "model.toml").write_text(f'name = "{name}"\nversion = "1"\nlicense = "MIT"\n{task}')
        self.publish(bundle)

    def serve(self, model: str, **settings: str) -> "Served":
        served = Served(self.settings | {"STRONGROOM_MODEL": model} | settings)
        served.log("ready")
        return served

    def predict(self, model: str, file: pathlib.Path):
        return json.loads(run("predict", model, str(file), **self.settings))

    def close(self):
        shutil.rmtree(self.path)


class Served:
    """A serving process on a free port; its log is read from the first line on."""

    def __init__(self, settings: dict[str, str]):
        env = environment(STRONGROOM_BIND="127.0.0.1:0", **settings)
        self.child = subprocess.Popen([PROGRAM, "serve"], env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.lines: queue.Queue[dict] = queue.Queue()
        threading.Thread(target=self.read_log, daemon=True).start()
        host, port = self.log("listening")["address"].split(":")
        self.address = (host, int(port))

    def read_log(self):
        for line in self.child.stdout:
            self.lines.put(json.loads(line))

    def log(self, message: str, **fields) -> dict:
        """The next log line with this message and these fields."""
        while True:
            try:
                line = self.lines.get(timeout=PATIENCE)
            except queue.Empty:
                raise AssertionError(f"no log line {message!r} with {fields}") from None
            if line["message"] == message and fields.items() <= line.items():
                return line

    def terminate(self):
        self.child.send_signal(signal.SIGTERM)

    def close(self):
        self.child.kill()
        self.child.wait()
        self.child.stdout.close()
