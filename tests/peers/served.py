"""Servers under load, in turns: of each model and size of photo Strongroom, its peers, Strongroom again, and so on."""

import contextlib
import json
import pathlib
import subprocess
import tempfile
import threading
from collections.abc import Iterator

import photos
from answers import disagreement
from program import ROOT, Place
from servers import CORES, FORMS, STRONGROOM, Form, Model, Server

CONNECTIONS = (1, 8, 32)
ROUNDS = 2
#: Least and most of one load, and what goes before the first.
SECONDS, QUICK_SECONDS, WARM_UP = (2.0, 12.0), (1.0, 12.0), 3.0
#: How far scores may lie apart. Both see the same pixels, but for what two resizers round differently; a decoder at a
#: smaller scale sees others. In int8 each rounds for itself.
APART = {"whole": 0.01, "draft": 0.1, "int8": 0.2}


def measure(names: list[str], zoo: pathlib.Path, quick: bool) -> Iterator[tuple[str, dict]]:
    with contextlib.closing(Place()) as place, tempfile.TemporaryDirectory() as directory:
        files = photos.write(pathlib.Path(directory))
        for name in names:
            model = Model(place, name, zoo)
            compare_answers(model, files)
            yield name, in_turns(model, files, quick)


def compare_answers(model: Model, files: dict[str, pathlib.Path]):
    """Ends the run unless all forms give the same answers: else it would compare different work."""
    answers = {}
    for form in FORMS:
        with contextlib.closing(Server(model, form)) as server:
            answers[form] = {size: server.classify(file) for size, file in files.items()}
    for form in FORMS[1:]:
        for size in files:
            kind = "int8" if model.name.endswith("_int8") else "draft" if form.draft else "whole"
            reason = disagreement(answers[STRONGROOM][size], answers[form][size], APART[kind])
            if reason:
                raise SystemExit(f"{model.name}, {size}: Strongroom and {form.name} disagree: {reason}")


def in_turns(model: Model, files: dict[str, pathlib.Path], quick: bool) -> dict:
    """{form: {"starts": [...], "loads": {size: {connections: [...]}}}}, a list's entry for each turn."""
    found = {form.name: {"starts": [], "loads": {}} for form in FORMS}
    for size in photos.SIZES:
        # A photo of the model's own size is decoded whole in any case.
        forms = [form for form in FORMS if not (form.draft and size == "224 px")]
        for turn in range(1 if quick else ROUNDS):
            for form in forms:
                print(f"{model.name}, {size}, turn {turn + 1}: {form.name}", flush=True)
                start, loads = one_turn(model, form, files[size], QUICK_SECONDS if quick else SECONDS)
                found[form.name]["starts"].append(start)
                for connections, measured in loads.items():
                    found[form.name]["loads"].setdefault(size, {}).setdefault(connections, []).append(measured)
    return found


def one_turn(model: Model, form: Form, photo: pathlib.Path, seconds: tuple[float, float]) -> tuple[dict, dict[str, dict]]:
    least, most = seconds
    with contextlib.closing(Server(model, form)) as server:
        start = {"first_200_ms": server.first_200_ms, "load_ms": server.load_ms, "memory_mb": server.memory_mb()}
        rate = load(server, photo, CORES, WARM_UP)["requests_per_second"]
        loads = {}
        for connections in CONNECTIONS:
            # Long enough for each connection to be answered twice, and for four answers, where a model is slow.
            enough = max(2 * connections, 4) / rate
            loads[str(connections)] = measured = load(server, photo, connections, min(max(least, enough), most))
            rate = measured["requests_per_second"]
        return start, loads


def load(server: Server, photo: pathlib.Path, connections: int, seconds: float) -> dict:
    command = ["wrk", "--threads", "1", "--connections", str(connections), "--duration", f"{max(1, round(seconds))}s"]
    script = ["--timeout", "120s", "--script", str(ROOT / "tests/peers/post.lua")]
    url = f"http://127.0.0.1:{server.port}/invocations"
    weighed = []
    clock = threading.Timer(seconds / 2, lambda: weighed.append(server.memory_mb()))
    clock.start()
    before = server.stages()
    done = subprocess.run([*command, *script, url, "--", str(photo)], capture_output=True, text=True)
    clock.join()
    if done.returncode != 0:
        raise SystemExit(f"wrk failed: {done.stderr}{done.stdout}")
    said = json.loads(done.stdout.splitlines()[-1])
    if said["refused"] or said["broken"] or not said["requests"]:
        raise SystemExit(f"{server.form.name} at {connections} connections: {said}; it said:\n{server.log.read_text()[-2000:]}")
    rate = said["requests"] / said["seconds"]
    measured = {"requests_per_second": rate, "p50_ms": said["p50_ms"], "p99_ms": said["p99_ms"], "memory_mb": weighed[0]}
    stages = {stage: round(seconds - before.get(stage, 0.0), 4) for stage, seconds in server.stages().items()}
    return measured | ({"stages": stages} if stages else {})
