"""What bench.py measured, as sections of docs/BENCHMARKS.md and as a plot: ratios first."""

import math
import statistics

SERVED = "## Against a Python server"
KERNELS = "## Against onnxruntime, graphs alone"
ANSWERS = "## Answers beside plain tract's"
SIZES, CONNECTIONS, USUAL = ("224 px", "1 MP", "12 MP"), ("1", "8", "32"), "8"
OURS, REDUCED, PLAIN, DRAFT = "Strongroom", "Strongroom, reduced", ("workers", "threads"), "workers, draft"


def middle(turns: list[dict], field: str) -> float:
    return statistics.median(turn[field] for turn in turns)


def geometric_mean(values: list[float]) -> float:
    return math.exp(statistics.fmean(map(math.log, values)))


def by_weights(names) -> dict[str, list[str]]:
    kinds = {"fp32": [name for name in names if not name.endswith("_int8")], "int8": [name for name in names if name.endswith("_int8")]}
    return {kind: models for kind, models in kinds.items() if models}


def better_plain(model: dict, size: str, connections: str) -> str:
    return max(PLAIN, key=lambda form: middle(model[form]["loads"][size][connections], "requests_per_second"))


def beside(peer: str) -> str:
    """Which of ours does a peer's work: both decode a JPEG at a smaller scale, or neither does."""
    return REDUCED if peer == DRAFT else OURS


def loaded(model: dict, size: str, connections: str, field: str, peer: str | None = None, ours: str | None = None) -> float:
    """Ours by the peer's; without a peer by that of the plain ones which answers more requests."""
    peer = peer or better_plain(model, size, connections)
    ours, theirs = (middle(model[form]["loads"][size][connections], field) for form in (ours or beside(peer), peer))
    return ours / theirs


def highest_memory(form: dict) -> float:
    return max(middle(turns, "memory_mb") for loads in form["loads"].values() for turns in loads.values())


def mean_and_worst(ratios: dict[str, float], more_is_better: bool) -> str:
    worst = (min if more_is_better else max)(ratios, key=ratios.get)
    return f"{geometric_mean(list(ratios.values())):.2f} ({ratios[worst]:.2f} {worst})"


def table(*rows: list[str]) -> str:
    head, *body = rows
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *body))


def served(found: dict) -> str:
    models, cores = found["served"], found["machine"]["cores"]
    summary, costs, each, absolute = (make(models) for make in (load_ratios, cost_ratios, ratios_of_models, absolute_rates))
    return f"""Made by `make bench-peers`, which measures and rewrites this section, `peers.json` and the plot. The peer is `tests/peers/fastapi_app.py`:
FastAPI, uvicorn with uvloop and httptools, Pillow, numpy, onnxruntime {found["machine"]["onnxruntime"]}. `workers` is one worker a core, each with
one thread; `threads` is one worker with {cores} threads; `draft` lets Pillow decode a JPEG at a smaller scale, which changes answers
a little; beside it stands Strongroom with bundles that do so too (`input.jpeg = "reduced"`). Models are torchvision's with random weights (`tests/peers/zoo.py`), and our sample. Both sides prepare images alike, and
a run ends where their answers disagree. Load comes from `wrk` on the same cores. Medians of turns: Strongroom, each peer,
Strongroom again, a new process each time.

Machine: {found["machine"]["description"]}.

Ratios are Strongroom's by the peer's, geometric means over the models, and in brackets the worst. Above 1 is better for
requests/s, below 1 for all else. 'Plain' is `workers` or `threads`, whichever answers more requests.

{summary}

Memory is the proportional set size of the whole process tree (where that may not be read, its resident memory): at rest, right
after the first 200 of `/ping`, and at its highest under load. `load` is what the model's session takes of the start.

{costs}

![Requests a second against the better plain peer](peers.svg)

Of each model, at {USUAL} connections: requests/s by the better plain peer's and, in brackets, by `draft`'s; memory under load and time to the
first 200 by those of `workers`.

{each}

Requests/s at {USUAL} connections: Strongroom / reduced / `workers` / `threads` / `draft`.

{absolute}

{limits(found)}"""


def load_ratios(models: dict) -> str:
    rows = []
    for kind, names in by_weights(models).items():
        for size in SIZES:
            for connections in CONNECTIONS:
                cells = [kind, size, connections]
                for peer, ours in ((None, OURS), (DRAFT, REDUCED), (None, REDUCED)):
                    for field, more in (("requests_per_second", True), ("p99_ms", False)):
                        measured = size in models[names[0]][ours]["loads"]
                        ratios = lambda: {name: loaded(models[name], size, connections, field, peer, ours) for name in names}
                        cells.append(mean_and_worst(ratios(), more) if measured else "-")
                rows.append(cells)
    sides = ("plain", "reduced by `draft`", "reduced by plain")
    head = ["weights", "photo", "connections", *(f"{what}, {side}" for side in sides for what in ("requests/s", "p99"))]
    return table(head, *rows)


def cost_ratios(models: dict) -> str:
    rows = []
    for peer in (*PLAIN, DRAFT):
        cells = [f"`{peer}`"]
        for cost in (
            lambda form: middle(form["starts"], "memory_mb"),
            highest_memory,
            lambda form: middle(form["starts"], "first_200_ms"),
            lambda form: middle(form["starts"], "load_ms"),
        ):
            ratios = {name: cost(model[beside(peer)]) / cost(model[peer]) for name, model in models.items()}
            cells.append(mean_and_worst(ratios, more_is_better=False))
        rows.append(cells)
    return table(["peer", "memory at rest", "memory under load", "start to first 200", "load"], *rows)


def ratios_of_models(models: dict) -> str:
    rows = []
    for name, model in models.items():
        cells = [name]
        for size in SIZES:
            draft = size in model[DRAFT]["loads"]
            by_draft = f" ({loaded(model, size, USUAL, 'requests_per_second', DRAFT):.2f})" if draft else ""
            cells.append(f"{loaded(model, size, USUAL, 'requests_per_second'):.2f}{by_draft}")
        workers, start = model["workers"], lambda form: middle(form["starts"], "first_200_ms")
        cells += [f"{highest_memory(model[OURS]) / highest_memory(workers):.2f}", f"{start(model[OURS]) / start(workers):.2f}"]
        rows.append(cells)
    return table(["model", *SIZES, "memory", "first 200"], *rows)


def absolute_rates(models: dict) -> str:
    rows = []
    for name, model in models.items():
        cells = [name]
        for size in SIZES:
            loads = [model[form]["loads"].get(size) for form in (OURS, REDUCED, *PLAIN, DRAFT)]
            cells.append(" / ".join(f"{middle(load[USUAL], 'requests_per_second'):.1f}" if load else "-" for load in loads))
        rows.append(cells)
    return table(["model", *SIZES], *rows)


def limits(found: dict) -> str:
    """What a request's time is spent on, and how much of it no server can save."""
    rows, cores = [], found["machine"]["cores"]
    for name, model in found["served"].items():
        shares = [f"{share_of_graph(model[OURS]['loads'][size][USUAL]):.2f}" for size in SIZES]
        by_limit = ["-", "-"]
        if name in found["kernels"]:
            limit = cores * 1000 / middle(found["kernels"][name]["onnxruntime"], "median_ms")
            plain = better_plain(model, "224 px", USUAL)
            rates = (middle(model[form]["loads"]["224 px"][USUAL], "requests_per_second") for form in (OURS, plain))
            by_limit = [f"{rate / limit:.2f}" for rate in rates]
        rows.append([name, *shares, *by_limit])
    return f"""Where a request's time goes, at {USUAL} connections: of what Strongroom's threads spend on it, the graph's share (with resizing; the
rest is decoding and encoding). And requests/s at 224 px by a limit: what {cores} cores would answer that did nothing but
run the graph, each as fast as onnxruntime runs it alone on one of them (above). What a server can be faster than a peer by is
what the peer is below the limit, and what its own kernels are above it.

{table(["model", *(f"graph, {size}" for size in SIZES), "Strongroom by the limit", "better plain peer by the limit"], *rows)}"""


def share_of_graph(turns: list[dict]) -> float:
    working = lambda stages: sum(seconds for stage, seconds in stages.items() if stage != "queue")
    return statistics.median(turn["stages"]["run"] / working(turn["stages"]) for turn in turns)


def kernels(found: dict) -> str:
    models = found["kernels"]
    rows, means = [], []
    for name, model in models.items():
        speed, base = graph_ratios(model), middle(model["onnxruntime"], "median_ms")
        apart = max(turn["max_abs"] for turn in model[OURS])
        cells = [f"{speed[column]:.2f}" for column in GRAPH_RATIOS]
        rows.append([name, *cells, f"{base:.2f}", f"{apart:.0e}"])
    for kind, names in by_weights(models).items():
        ratios = {column: {name: graph_ratios(models[name])[column] for name in names} for column in GRAPH_RATIOS}
        means.append([kind, *(mean_and_worst(ratios[column], more_is_better=False) for column in GRAPH_RATIOS)])
    return f"""Made by `make bench-peers`, which measures and rewrites this section. onnxruntime {found["machine"]["onnxruntime"]} in Python, Strongroom's
engine and plain tract run each graph in turns, on one thread of the same core, and the first two on all {found["machine"]["cores"]} cores with as
many threads (`all cores`: there ours hands each request to an inference thread, as a server does, which is most of
a forest's time). Medians of turns' ratios to onnxruntime: below 1 is faster or smaller. `load` is the time from the file to a graph that can run; `memory` is what the process holds in the end, Python and numpy
included on onnxruntime's side.

Machine: {found["machine"]["description"]}.

Geometric means over the models, and in brackets the worst:

{table(["weights", *GRAPH_RATIOS], *means)}

`apart` is how far Strongroom's numbers lie from plain tract's, by the largest.

{table(["model", *GRAPH_RATIOS, "onnxruntime, ms", "apart"], *rows)}

{operators(models)}"""


#: The ratio's column: the form, the field and whose field it is divided by.
GRAPH_RATIOS = {
    "Strongroom": (OURS, "median_ms", "onnxruntime"),
    "tract": ("tract", "median_ms", "onnxruntime"),
    "all cores": (f"{OURS}, all cores", "median_ms", "onnxruntime, all cores"),
    "load": (OURS, "load_ms", "onnxruntime"),
    "memory": (OURS, "rss_mb", "onnxruntime"),
}


def graph_ratios(model: dict) -> dict[str, float]:
    """Of turns that followed each other, the middle one's: the machine's pace changes from one to the next."""
    turns = lambda form, by: zip(model[form], model[by])
    middle_of = lambda form, field, by: statistics.median(ours[field] / theirs[field] for ours, theirs in turns(form, by))
    return {column: middle_of(*ratio) for column, ratio in GRAPH_RATIOS.items()}


def operators(models: dict) -> str:
    """Where the time goes in the models that fare worst."""
    rows = []
    worst = sorted((name for name in models if "operators" in models[name]), key=lambda name: -graph_ratios(models[name])[OURS])
    for name in worst[:3]:
        rows.append([name, *(spent(models[name]["operators"][form]) for form in ("onnxruntime", OURS))])
    return "By operator, in ms of one run, of the three that fare worst:\n\n" + table(["model", "onnxruntime", OURS], *rows)


def spent(by_operator: dict[str, float]) -> str:
    most = sorted(by_operator.items(), key=lambda entry: -entry[1])[:6]
    return ", ".join(f"{name} {ms:.2f}" for name, ms in most) or "none of its own"


def answers(found: dict) -> str:
    rows = []
    for name, told in found["answers"].items():
        rows.append([name, str(told["inputs"]), f"{told['max_abs']:.0e}", f"{told['same_largest']} of {told['outputs']}"])
    return f"""Made by `make bench-answers`, which rewrites this section. Each graph is given random numbers from -1 to 1, by Strongroom's engine
and by tract with its own kernels alone. `apart` is the largest difference of any number, by the largest number of its output;
of int8 graphs it is more, for a sum near the middle of two bytes becomes one or the other. The last column counts outputs whose largest number,
the class, stands in the same place.

Machine: {found["machine"]["description"]}.

{table(["model", "inputs", "apart", "same largest"], *rows)}"""


#: Of each part of the results: the section's heading and what writes it.
SECTIONS = {"served": (SERVED, served), "kernels": (KERNELS, kernels), "answers": (ANSWERS, answers)}

LEFT, WIDTH, BAR, GAP = 190, 520, 9, 10
STYLE = """<style>
text { fill: #222 } .back { fill: #fff } .one { stroke: #222 } .a { fill: #4c78a8 } .b { fill: #f58518 } .c { fill: #54a24b }
@media (prefers-color-scheme: dark) { text { fill: #ddd } .back { fill: #161b22 } .one { stroke: #ddd } .a { fill: #79a7d6 } .b { fill: #ffa94d } .c { fill: #7bc67b } }
</style>"""


def plot(found: dict) -> str:
    panels, top = [], 0
    rates = {
        name: [loaded(model, size, USUAL, "requests_per_second") for size in SIZES] for name, model in found["served"].items()
    }
    speeds = {name: [1 / graph_ratios(model)[form] for form in (OURS, "tract")] for name, model in found["kernels"].items()}
    for title, legend, bars in (
        (f"Requests/s at {USUAL} connections by the better plain peer's", SIZES, rates),
        ("Speed of graphs alone, one thread, by onnxruntime's", (OURS, "plain tract"), speeds),
    ):
        if bars:
            svg, height = panel(title, legend, bars, top)
            panels.append(svg)
            top += height
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 780 {top}" font-family="sans-serif" font-size="12">'
    return "\n".join([head, STYLE, f'<rect class="back" width="780" height="{top}"/>', *panels, "</svg>\n"])


def panel(title: str, legend: tuple[str, ...], bars: dict[str, list[float]], top: int) -> tuple[str, int]:
    scale = WIDTH / max(1.1, *(value for values in bars.values() for value in values))
    lines = [f'<text x="10" y="{top + 20}" font-size="13" font-weight="bold">{title}: longer is better</text>']
    for index, (name, shade) in enumerate(zip(legend, "abc")):
        x = LEFT + 110 * index
        lines.append(f'<rect class="{shade}" x="{x}" y="{top + 31}" width="10" height="10"/><text x="{x + 15}" y="{top + 40}">{name}</text>')
    y = top + 62
    for name, values in bars.items():
        lines.append(f'<text x="10" y="{y + BAR * len(values) / 2 + 4:.0f}">{name}</text>')
        for value, shade in zip(values, "abc"):
            length = value * scale
            lines.append(f'<rect class="{shade}" x="{LEFT}" y="{y}" width="{length:.1f}" height="{BAR - 1}"/>')
            lines.append(f'<text x="{LEFT + length + 4:.1f}" y="{y + BAR - 1}" font-size="9">{value:.2f}</text>')
            y += BAR
        y += GAP
    one = LEFT + scale
    lines.append(f'<text x="{one:.1f}" y="{top + 56}" text-anchor="middle" font-size="10">1</text>')
    lines.append(f'<line class="one" x1="{one:.1f}" y1="{top + 59}" x2="{one:.1f}" y2="{y - GAP}" stroke-dasharray="3 3"/>')
    return "\n".join(lines), y + GAP - top
