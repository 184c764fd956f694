"""Runs one graph with onnxruntime and prints what `cargo bench --bench kernels` prints of it, as one line of JSON.

Usage: onnxruntime_run.py MODEL.onnx SECONDS THREADS [--operators]    adds {"operators": {type: ms of one run}}
"""

import collections
import json
import os
import pathlib
import statistics
import sys
import tempfile
import time

import numpy as np
import onnxruntime

TYPES = {"tensor(float)": np.float32, "tensor(double)": np.float64, "tensor(int64)": np.int64, "tensor(int32)": np.int32}


def main(model: str, seconds: float, threads: int, operators: bool):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.enable_profiling = operators
    options.profile_file_prefix = os.path.join(tempfile.mkdtemp(), "profile")
    begun = time.perf_counter()
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    said = {"load_ms": (time.perf_counter() - begun) * 1000}
    random = np.random.default_rng(0)
    fixed = lambda shape: [size if isinstance(size, int) else 1 for size in shape]
    inputs = {each.name: random.standard_normal(fixed(each.shape)).astype(TYPES[each.type]) for each in session.get_inputs()}
    session.run(None, inputs)
    times, end = [], time.perf_counter() + seconds
    while not times or time.perf_counter() < end:
        begun = time.perf_counter()
        session.run(None, inputs)
        times.append(time.perf_counter() - begun)
    status = pathlib.Path("/proc/self/status").read_text()
    said["median_ms"] = statistics.median(times) * 1000
    said["rss_mb"] = int(status.split("VmRSS:")[1].split()[0]) * 1.024 / 1000
    if operators:
        said["operators"] = by_operator(session.end_profiling(), len(times) + 1)
    print(json.dumps(said))


def by_operator(profile: str, runs: int) -> dict[str, float]:
    spent = collections.Counter()
    for event in json.loads(pathlib.Path(profile).read_text()):
        if event["cat"] == "Node" and event["name"].endswith("_kernel_time"):
            spent[event["args"]["op_name"]] += event["dur"] / 1000 / runs
    return dict(spent.most_common())


if __name__ == "__main__":
    if len(sys.argv) < 4:
        raise SystemExit(__doc__)
    main(sys.argv[1], float(sys.argv[2]), int(sys.argv[3]), "--operators" in sys.argv[4:])
