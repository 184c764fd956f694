"""Graphs alone: onnxruntime, Strongroom and plain tract in turns, each run in a process of its own, all on the same core:
cores of a shared machine are not equally fast. Then the first two on all cores, with as many threads.

The program that runs them for Strongroom is called `PROGRAM MODEL.onnx SECONDS [--plain-tract | --operators | --threads N | --inputs N]`
and prints one line of JSON: `median_ms`, `load_ms`, `rss_mb`, `max_abs` (how far its numbers lie from plain tract's, as a
part of the largest); with `--operators`, {type: ms of one run}; with `--inputs`, `max_abs` over so many and of how many
`outputs` the largest number stands in the same place, `same_largest`.
"""

import json
import os
import pathlib
import subprocess
import sys
from collections.abc import Iterator

from program import ROOT, environment
from report import OURS, graph_ratios

SAMPLES = sorted((ROOT / "model-artifacts").glob("*/*.onnx"))
ORT = pathlib.Path(__file__).with_name("onnxruntime_run.py")
ROUNDS, SECONDS, WORST = 7, 0.5, 3
INPUTS = 1000


def measure(program: str, graphs: dict[str, pathlib.Path], quick: bool) -> Iterator[tuple[str, dict]]:
    all_cores = os.sched_getaffinity(0)
    one, threads = {max(all_cores)}, len(all_cores)
    rounds, seconds = (1, "0.3") if quick else (ROUNDS, str(SECONDS))
    forms = {
        "onnxruntime": (one, lambda file: ort(file, seconds, 1)),
        OURS: (one, lambda file: said([program, str(file), seconds])),
        "tract": (one, lambda file: said([program, str(file), seconds, "--plain-tract"])),
        "onnxruntime, all cores": (all_cores, lambda file: ort(file, seconds, threads)),
        f"{OURS}, all cores": (all_cores, lambda file: said([program, str(file), seconds, "--threads", str(threads)])),
    }
    measured = {}
    for name, file in graphs.items():
        print(name, flush=True)
        found = {form: [] for form in forms}
        for _ in range(rounds):
            for form, (cores, run) in forms.items():
                os.sched_setaffinity(0, cores)  # inherited by the run
                found[form].append(run(file))
        measured[name] = found
        yield name, found
    os.sched_setaffinity(0, one)
    for name in sorted(measured, key=lambda name: graph_ratios(measured[name])[OURS])[-WORST:]:
        told = ort(graphs[name], seconds, 1, "--operators"), said([program, str(graphs[name]), seconds, "--operators"])
        measured[name]["operators"] = dict(zip(("onnxruntime", OURS), (each["operators"] for each in told)))
        yield name, measured[name]


def compare(program: str, graphs: dict[str, pathlib.Path], quick: bool) -> Iterator[tuple[str, dict]]:
    for name, file in graphs.items():
        print(name, flush=True)
        yield name, said([program, str(file), "0", "--inputs", str(10 if quick else INPUTS)])


def ort(file: pathlib.Path, seconds: str, threads: int, *options: str) -> dict:
    return said([sys.executable, str(ORT), str(file), seconds, str(threads), *options])


def said(command: list[str]) -> dict:
    """The line a run ends with."""
    done = subprocess.run(command, env=environment(), capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])
