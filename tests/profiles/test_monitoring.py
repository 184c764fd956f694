"""Alerts and dashboard ask for what a server really tells: Prometheus, with the profile's own files, scrapes one.

Usage: STRONGROOM_PROGRAM=PROGRAM python test_monitoring.py [-v], with the Python of
tests/python/requirements-profiles.txt, and prometheus.
"""

import base64
import concurrent.futures
import json
import math
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.error
import urllib.parse
import urllib.request

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/sagemaker"))
from program import Place, artifact  # noqa: E402

MONITORING = ROOT / "container/profiles/compose/monitoring"
MODEL = "imagenet-efficientnet-lite0"
CAT = (artifact(MODEL) / "self-test/chelsea.jpg").read_bytes()
#: Longest wait for a first scrape and for a rate, in seconds.
PATIENCE = 30


def setUpModule():
    global PLACE, SERVED, PROMETHEUS
    PLACE = Place()
    unittest.addModuleCleanup(PLACE.close)
    PLACE.publish(artifact(MODEL))
    # Easily overloaded.
    SERVED = PLACE.serve(MODEL, STRONGROOM_THREADS="1", STRONGROOM_QUEUE="0")
    unittest.addModuleCleanup(SERVED.close)
    PROMETHEUS = Prometheus(SERVED.address[1])
    unittest.addModuleCleanup(PROMETHEUS.close)
    PROMETHEUS.until(lambda: PROMETHEUS.query("strongroom_ready"))
    # Twice, since a rate is the difference of two scrapes; a counter begins to exist with its first request.
    for _ in range(2):
        requests()
        time.sleep(3)


def requests():
    """Answers, refusals, overload, and a record that fails among one that does not."""
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(lambda _: post(CAT, "image/jpeg"), range(16)))
    assert {200, 503} <= set(statuses), statuses
    assert post(b"{", "application/json") == 400
    good = json.dumps({"b64": base64.b64encode(CAT).decode()})
    lines = f'{good}\n{{"b64": "?"}}\n'.encode()
    # The one thread may still be at what was answered last.
    while (status := post(lines, "application/jsonlines")) == 503:
        time.sleep(0.1)
    assert status == 200, status


def post(body: bytes, media: str) -> int:
    host, port = SERVED.address
    request = urllib.request.Request(f"http://{host}:{port}/invocations", body, {"Content-Type": media})
    try:
        with urllib.request.urlopen(request) as answer:
            answer.read()
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


class Prometheus:
    """One that scrapes `port` every second, with the rules of the profile."""

    def __init__(self, port: int):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="strongroom-"))
        shutil.copy(MONITORING / "alerts.yml", self.directory)
        settings = yaml.safe_load((MONITORING / "prometheus.yml").read_text())
        settings["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
        settings["scrape_configs"][0]["static_configs"] = [{"targets": [f"127.0.0.1:{port}"]}]
        (self.directory / "prometheus.yml").write_text(yaml.safe_dump(settings))
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.address = f"127.0.0.1:{free.getsockname()[1]}"
        options = ["--config.file=prometheus.yml", "--storage.tsdb.path=data", f"--web.listen-address={self.address}"]
        self.child = subprocess.Popen(["prometheus", *options], cwd=self.directory, stderr=subprocess.DEVNULL)

    def read(self, path: str, **parameters: str):
        url = f"http://{self.address}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        with urllib.request.urlopen(url) as answer:
            return json.load(answer)["data"]

    def rules(self) -> list[dict]:
        return self.read("rules")["groups"][0]["rules"]

    def query(self, expression: str) -> list[float]:
        return [float(series["value"][1]) for series in self.read("query", query=expression)["result"]]

    def until(self, holds):
        begun = time.monotonic()
        while time.monotonic() - begun < PATIENCE:
            try:
                if holds():
                    return
            except (urllib.error.URLError, ConnectionError):
                pass  # Not listening yet.
            time.sleep(0.2)
        raise AssertionError(f"nothing was scraped in {PATIENCE} s")

    def close(self):
        self.child.terminate()
        self.child.wait()
        shutil.rmtree(self.directory)


class Expressions(unittest.TestCase):
    def has_series(self, expression: str):
        values = PROMETHEUS.query(expression)
        self.assertTrue(values, f"no series: {expression}")
        self.assertTrue(all(math.isfinite(value) for value in values), f"{expression}: {values}")

    def test_what_every_alert_watches_exists(self):
        rules = yaml.safe_load((MONITORING / "alerts.yml").read_text())["groups"][0]["rules"]
        for rule in rules:
            with self.subTest(rule["alert"]):
                watched, bounds = re.subn(r" [<>] [\d.]+$", "", rule["expr"])
                self.assertEqual(bounds, 1)
                self.has_series(watched)

    def test_every_alert_is_evaluated_without_an_error(self):
        PROMETHEUS.until(lambda: all(rule["health"] != "unknown" for rule in PROMETHEUS.rules()))
        for rule in PROMETHEUS.rules():
            self.assertEqual(rule["health"], "ok", rule.get("lastError"))

    def test_what_every_panel_shows_exists(self):
        dashboard = json.loads((MONITORING / "grafana/strongroom.json").read_text())
        for panel in dashboard["panels"]:
            for target in panel["targets"]:
                with self.subTest(panel["title"]):
                    expression = target["expr"].replace("$__rate_interval", "1m").replace("$instance", ".*")
                    self.assertNotIn("$", expression)
                    self.has_series(expression)

    def test_every_metric_of_the_server_but_the_number_of_loaded_models_is_shown_or_watched(self):
        texts = [(MONITORING / name).read_text() for name in ("alerts.yml", "grafana/strongroom.json")]
        told = {name for name in PROMETHEUS.read("label/__name__/values") if name.startswith("strongroom_")}
        families = {re.sub(r"_(bucket|count|sum|total)$", "", name) for name in told}
        unseen = {family for family in families if not any(family in text for text in texts)}
        self.assertEqual(unseen, {"strongroom_models"})


if __name__ == "__main__":
    unittest.main()
