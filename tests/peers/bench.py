"""Measures Strongroom against the Python server one would write instead, and writes docs/peers.json, docs/peers.svg and
three sections of docs/BENCHMARKS.md.

With the environment `peers` of scripts/test-tools, PYTHONPATH=tests/sagemaker, and in the environment:
  STRONGROOM_PROGRAM   the program under test
  STRONGROOM_ZOO       the directory that zoo.py wrote
  STRONGROOM_KERNELS   the program that runs graphs alone (`cargo bench --bench kernels`); without it, --kernels and --answers are left out
"""

import argparse
import contextlib
import json
import os
import pathlib
import sys

import benchmarks
import kernels
import onnxruntime
import report
import served
from program import PROGRAM, ROOT
from servers import CORES, IMAGENET

RESULTS, PLOT = ROOT / "docs/peers.json", ROOT / "docs/peers.svg"
QUICK = "mobilenet_v3_small"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    part = parser.add_mutually_exclusive_group()
    part.add_argument("--kernels", action="store_true", help="measure graphs alone, not servers")
    part.add_argument("--answers", action="store_true", help=f"compare {kernels.INPUTS} answers of each graph with plain tract's")
    parser.add_argument("--only", metavar="MODEL[,MODEL]", help="measure these; what is known of others is kept")
    shows = f"show on {QUICK} (or those of --only) that it works: the page is printed, no file is written"
    parser.add_argument("--quick", action="store_true", help=shows)
    return parser.parse_args()


def chosen(only: str | None, quick: bool, names: list[str], others: list[str]) -> list[str]:
    """The models to measure, in the order of the page; `others` are known to the other half of the bench alone."""
    wanted = only.split(",") if only else [QUICK] if quick else names
    unknown = [name for name in wanted if name not in names + others]
    if unknown:
        sys.exit(f"no such model: {', '.join(unknown)}; there are {', '.join(sorted({*names, *others}))}")
    return [name for name in names if name in wanted]


def results(machine: dict) -> dict:
    """What is known from this machine and these versions; what others said is not mixed with it."""
    with contextlib.suppress(FileNotFoundError):
        found = json.loads(RESULTS.read_text())
        if found["machine"] == machine:
            return nothing(machine) | found
    return nothing(machine)


def nothing(machine: dict) -> dict:
    return {"machine": machine, "served": {}, "kernels": {}, "answers": {}}


def main():
    options = arguments()
    zoo = pathlib.Path(os.environ.get("STRONGROOM_ZOO", ""))
    graphs = sorted(zoo.glob("*.onnx"))
    if not PROGRAM or not graphs:
        sys.exit("STRONGROOM_PROGRAM and STRONGROOM_ZOO must name the program and the zoo's directory; `make bench-peers` does")
    machine = {"description": benchmarks.machine(), "cores": CORES, "onnxruntime": onnxruntime.__version__}
    found = nothing(machine) if options.quick else results(machine)
    files = {file.stem: file for file in (*graphs, *kernels.SAMPLES)}
    halves = [IMAGENET, *(file.stem for file in graphs)], list(files)
    part = "kernels" if options.kernels else "answers" if options.answers else "served"
    names = chosen(options.only, options.quick, *(halves if part == "served" else halves[::-1]))
    program = os.environ.get("STRONGROOM_KERNELS")
    if part == "served":
        measured = served.measure(names, zoo, options.quick)
    elif program:
        measure = kernels.measure if part == "kernels" else kernels.compare
        measured = measure(program, {name: files[name] for name in names}, options.quick)
    else:
        print("STRONGROOM_KERNELS names no program: graphs alone are left out")
        return
    if not names:
        return
    for name, numbers in measured:
        found[part][name] = numbers
        if not options.quick:
            RESULTS.write_text(json.dumps(found, indent=1) + "\n")
    heading, write = report.SECTIONS[part]
    text = write(found)
    if options.quick:
        print(f"\n{heading}\n\n{text}")
    else:
        PLOT.write_text(report.plot(found))
        benchmarks.write_section(heading, text)


if __name__ == "__main__":
    main()
