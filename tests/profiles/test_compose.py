"""The compose profiles, brought up with the image: from S3 and Secrets Manager (played by moto), from an export, on a laptop.

Usage: STRONGROOM_IMAGE=IMAGE STRONGROOM_PROGRAM=PROGRAM STRONGROOM_TEST_TOOLS=DIRECTORY python test_compose.py [-v], with the
Python of tests/python/requirements-profiles.txt, a running Docker and docker-compose.
"""

import contextlib
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import time
import unittest
import urllib.error
import urllib.request
import uuid

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/sagemaker"))
from cloud import Cloud, docker  # noqa: E402
from program import Place, artifact, run  # noqa: E402

COMPOSE = ROOT / "container/profiles/compose"
MODEL = "iris-random-forest"
FLOWER = b"5.1,3.5,1.4,0.2\n"
#: Who runs in prod.yaml, and who sits at the laptop.
SERVER, DEVELOPER = 65532, 1000
#: Longest wait for the server, in seconds.
PATIENCE = 60


def belongs_to(uid: int, *paths: pathlib.Path):
    for top in paths:
        for path in (top, *top.rglob("*")):
            os.chown(path, uid, uid)


class Up:
    """A project of compose, on a free port; `close` leaves nothing of it."""

    def __init__(self, *files: str | pathlib.Path, **settings: str):
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.address = f"127.0.0.1:{free.getsockname()[1]}"
        ours = {"STRONGROOM_IMAGE": os.environ["STRONGROOM_IMAGE"], "STRONGROOM_PUBLISH": self.address}
        outer = {name: value for name, value in os.environ.items() if not name.startswith(("STRONGROOM_", "AWS_"))}
        self.environment = outer | ours | settings
        two = subprocess.run(["docker", "compose", "version"], capture_output=True).returncode == 0
        named = [word for file in files for word in ("-f", str(file))]
        project = f"strongroom-{uuid.uuid4().hex[:12]}"
        self.command = [*(["docker", "compose"] if two else ["docker-compose"]), "-p", project, *named]
        try:
            self.compose("up", "--detach")
            self.container = self.compose("ps", "--quiet")
        except AssertionError:
            self.close()
            raise

    def compose(self, *words: str) -> str:
        done = subprocess.run([*self.command, *words], cwd=COMPOSE, env=self.environment, capture_output=True, text=True)
        if done.returncode != 0:
            raise AssertionError(f"{' '.join(words)}: {done.stderr}{done.stdout}")
        return done.stdout.strip()

    def request(self, path: str, body: bytes | None = None, **headers: str) -> bytes:
        with urllib.request.urlopen(urllib.request.Request(f"http://{self.address}{path}", body, headers)) as answer:
            return answer.read()

    def until_ready(self):
        self.wait(lambda: self.request("/ping") == b"")

    def wait(self, holds):
        begun = time.monotonic()
        while time.monotonic() - begun < PATIENCE:
            with contextlib.suppress(urllib.error.URLError, ConnectionError):
                if holds():
                    return
            time.sleep(0.2)
        raise AssertionError(f"not within {PATIENCE} s: {self.logs()}")

    def logs(self) -> str:
        return self.compose("logs", "--no-color")

    def status(self) -> dict[str, str]:
        """What the kernel says of the server."""
        pid = docker("inspect", "--format", "{{.State.Pid}}", self.container)
        lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
        return {name: value.strip() for name, value in (line.split(":", 1) for line in lines)}

    def close(self):
        self.compose("down", "--volumes", "--timeout", "30")


class Profiles(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if os.getuid() != 0:
            raise unittest.SkipTest("needs root, to give the key file to the server's user")

    def up(self, *files, **settings) -> Up:
        up = Up(*files, **settings)
        self.addCleanup(up.close)
        return up

    def place(self) -> Place:
        place = Place()
        self.addCleanup(place.close)
        place.publish(artifact(MODEL))
        return place

    def mounted(self, place: Place, mode: int = 0o400, owner: int = SERVER) -> Up:
        key = place.path / "key-of-the-server"
        shutil.copy(place.path / "key", key)
        os.chown(key, owner, owner)
        key.chmod(mode)
        run("export", MODEL, "--output", str(place.path / "exported"), **place.settings)
        files = {"STRONGROOM_EXPORT": str(place.path / "exported"), "STRONGROOM_KEY_FILE": str(key)}
        return self.up("prod.yaml", "mounted.yaml", **files)

    def answers(self, up: Up):
        up.until_ready()
        answer = json.loads(up.request("/invocations", FLOWER, **{"Content-Type": "text/csv"}))
        self.assertEqual(answer["predictions"][0]["label"], "setosa")

    def test_prod_serves_from_s3_with_a_key_of_secrets_manager(self):
        cloud = Cloud()
        self.addCleanup(cloud.close)
        cloud.publish(artifact(MODEL))
        # The fake's address and keys; in production the machine's role has them.
        extra = pathlib.Path(self.place().path) / "fake.yaml"
        extra.write_text(json.dumps({"services": {"strongroom": {"environment": cloud.settings}}}))
        self.answers(self.up("prod.yaml", extra, STRONGROOM_MODEL=MODEL))

    def test_prod_serves_what_was_exported_with_a_key_file(self):
        self.answers(self.mounted(self.place()))

    def test_the_server_runs_with_its_own_user_no_capability_and_a_filter_of_system_calls(self):
        up = self.mounted(self.place())
        up.until_ready()
        status = up.status()
        self.assertEqual(set(status["Uid"].split()), {str(SERVER)})
        for capabilities in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
            self.assertEqual(int(status[capabilities], 16), 0, capabilities)
        self.assertEqual((status["NoNewPrivs"], status["Seccomp"]), ("1", "2"))

    def test_docker_finds_the_server_healthy(self):
        up = self.mounted(self.place())
        up.wait(lambda: docker("inspect", "--format", "{{.State.Health.Status}}", up.container) == "healthy")

    def test_the_server_drains_and_ends_with_0_when_it_is_stopped(self):
        up = self.mounted(self.place())
        up.until_ready()
        up.compose("stop")
        self.assertEqual(docker("inspect", "--format", "{{.State.ExitCode}}", up.container), "0")
        self.assertIn('"drained"', up.logs())

    def test_a_key_file_that_others_may_read_is_refused(self):
        up = self.mounted(self.place(), mode=0o444)
        up.wait(lambda: "chmod 600" in up.logs())

    def test_a_laptop_serves_the_registry_and_the_key_of_its_user(self):
        home = self.place().path
        belongs_to(DEVELOPER, home)
        whose = f"{DEVELOPER}:{DEVELOPER}"
        up = self.up("dev.yaml", STRONGROOM_HOME=str(home), STRONGROOM_USER=whose, STRONGROOM_MODEL=MODEL)
        self.answers(up)
        self.assertIn(b'"openapi"', up.request("/openapi.json"))


if __name__ == "__main__":
    unittest.main()
