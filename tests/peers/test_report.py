"""What the report computes. Usage: PYTHONPATH=tests/sagemaker python -m unittest discover --start-directory tests/peers"""

import unittest
import xml.etree.ElementTree

import answers
import benchmarks
import report


def model(rates: dict[str, float], p99: dict[str, float] | None = None, memory: float = 100.0) -> dict:
    """A model as served.measure tells of it, the same for all photos and connections."""
    found = {}
    for form, rate in rates.items():
        turn = {"requests_per_second": rate, "p50_ms": 1.0, "p99_ms": (p99 or {}).get(form, 10.0), "memory_mb": memory}
        turn["stages"] = {"queue": 5.0, "decode": 1.0, "run": 2.5, "encode": 0.5}
        sizes = [size for size in report.SIZES if form not in (report.DRAFT, report.REDUCED) or size != "224 px"]
        loads = {size: {connections: [turn] for connections in report.CONNECTIONS} for size in sizes}
        found[form] = {"starts": [{"first_200_ms": 100.0, "load_ms": 50.0, "memory_mb": memory}], "loads": loads}
    return found


RATES = {"Strongroom": 30.0, "Strongroom, reduced": 60.0, "workers": 20.0, "threads": 10.0, "workers, draft": 40.0}
MACHINE = {"description": "a machine", "cores": 2, "onnxruntime": "1"}


class Ratios(unittest.TestCase):
    def test_plain_is_the_peer_that_answers_more_requests(self):
        swapped = model(RATES | {"workers": 10.0, "threads": 20.0})
        self.assertEqual(report.better_plain(model(RATES), "1 MP", "8"), "workers")
        self.assertEqual(report.better_plain(swapped, "1 MP", "8"), "threads")

    def test_p99_is_compared_with_the_peer_whose_requests_are_counted(self):
        with_p99 = model(RATES, {"Strongroom": 6.0, "workers": 12.0, "threads": 3.0})
        self.assertEqual(report.loaded(with_p99, "1 MP", "8", "p99_ms"), 0.5)

    def test_the_middle_of_the_turns_counts(self):
        self.assertEqual(report.middle([{"a": 1}, {"a": 100}, {"a": 2}], "a"), 2)

    def test_the_mean_of_double_and_half_is_one_and_the_worst_is_named(self):
        self.assertEqual(report.mean_and_worst({"fast": 2.0, "slow": 0.5}, more_is_better=True), "1.00 (0.50 slow)")
        self.assertEqual(report.mean_and_worst({"large": 2.0, "small": 0.5}, more_is_better=False), "1.00 (2.00 large)")

    def test_int8_has_means_of_its_own(self):
        page = report.served({"machine": MACHINE, "kernels": {}, "served": {"a": model(RATES), "a_int8": model(RATES | {"Strongroom": 4.0})}})
        self.assertIn("| fp32 | 224 px | 1 | 1.50 (1.50 a) | 1.00 (1.00 a) | - | - | - | - |", page)
        means = "0.20 (0.20 a_int8) | 1.00 (1.00 a_int8) | 1.50 (1.50 a_int8) | 1.00 (1.00 a_int8) | 3.00 (3.00 a_int8) | 1.00 (1.00 a_int8)"
        self.assertIn(f"| int8 | 12 MP | 8 | {means} |", page)


class Limits(unittest.TestCase):
    def test_waiting_is_no_work_and_the_limit_is_all_cores_running_the_graph(self):
        graph = {"onnxruntime": [{"median_ms": 50.0}]}
        page = report.limits({"machine": MACHINE, "served": {"a": model(RATES), "b": model(RATES)}, "kernels": {"a": graph}})
        self.assertIn("| a | 0.62 | 0.62 | 0.62 | 0.75 | 0.50 |", page)
        self.assertIn("| b | 0.62 | 0.62 | 0.62 | - | - |", page)


class Kernels(unittest.TestCase):
    def found(self) -> dict:
        turn = lambda ms: [{"median_ms": ms, "load_ms": ms, "rss_mb": ms, "max_abs": 1e-6}]
        graph = {"onnxruntime": turn(10.0), "Strongroom": turn(12.0), "tract": turn(40.0)}
        graph |= {"onnxruntime, all cores": turn(5.0), "Strongroom, all cores": turn(7.0)}
        graph |= {"operators": {"onnxruntime": {"Conv": 9.0}, "Strongroom": {"Conv": 8.0, "Pool": 1.0}}}
        return {"machine": MACHINE, "served": {"a": model(RATES)}, "kernels": {"a": graph}}

    def test_times_are_by_onnxruntime_s(self):
        self.assertIn("| a | 1.20 | 4.00 | 1.40 | 1.20 | 1.20 | 10.00 | 1e-06 |", report.kernels(self.found()))

    def test_a_turn_is_compared_with_the_one_beside_it(self):
        turns = lambda *times: [{"median_ms": ms, "load_ms": ms, "rss_mb": ms, "max_abs": 0.0} for ms in times]
        graph = {"onnxruntime": turns(10.0, 20.0, 20.0), "Strongroom": turns(5.0, 10.0, 30.0), "tract": turns(1.0, 1.0, 1.0)}
        graph |= {"onnxruntime, all cores": turns(1.0, 1.0, 1.0), "Strongroom, all cores": turns(1.0, 1.0, 1.0)}
        self.assertEqual(report.graph_ratios(graph)["Strongroom"], 0.5)

    def test_answers_are_told_with_how_far_they_are_apart(self):
        told = {"inputs": 1000, "max_abs": 2.4e-6, "same_largest": 999, "outputs": 1000}
        self.assertIn("| a | 1000 | 2e-06 | 999 of 1000 |", report.answers({"machine": MACHINE, "answers": {"a": told}}))

    def test_the_worst_are_told_by_operator(self):
        self.assertIn("| a | Conv 9.00 | Conv 8.00, Pool 1.00 |", report.kernels(self.found()))

    def test_the_plot_is_xml_with_a_bar_of_each_ratio(self):
        bars = xml.etree.ElementTree.fromstring(report.plot(self.found())).iter("{http://www.w3.org/2000/svg}rect")
        lengths = [float(bar.get("width")) for bar in bars if bar.get("height") == "8"]
        self.assertEqual(len(lengths), 3 + 2)
        self.assertAlmostEqual(lengths[3] / lengths[4], 4.0 / 1.2, places=2)


class Sections(unittest.TestCase):
    PAGE = "# Title\n\n## One\n\nold\n\n### Part\n\nold\n\n## Two\n\nkept\n"

    def test_a_section_is_replaced_in_place(self):
        page = benchmarks.with_section(self.PAGE, "## One", "new")
        self.assertEqual(page, "# Title\n\n## One\n\nnew\n\n## Two\n\nkept\n")

    def test_the_last_section_is_replaced(self):
        page = benchmarks.with_section(self.PAGE, "## Two", "new\n")
        self.assertTrue(page.endswith("old\n\n## Two\n\nnew\n"))

    def test_a_new_section_comes_last(self):
        page = benchmarks.with_section(self.PAGE, "## Three", "new")
        self.assertEqual(page, self.PAGE + "\n## Three\n\nnew\n")

    def test_writing_again_changes_nothing(self):
        once = benchmarks.with_section(self.PAGE, "## One", "new")
        self.assertEqual(benchmarks.with_section(once, "## One", "new"), once)


class Answers(unittest.TestCase):
    def answer(self, **scores: float) -> list[dict]:
        return [{"label": label, "score": score} for label, score in scores.items()]

    def test_equal_answers_agree(self):
        self.assertEqual(answers.disagreement(self.answer(a=0.6, b=0.3), self.answer(a=0.6, b=0.3), 0.01), "")

    def test_labels_that_are_nearly_equal_may_change_places(self):
        self.assertEqual(answers.disagreement(self.answer(a=0.400, b=0.395), self.answer(b=0.400, a=0.395), 0.01), "")

    def test_another_best_label_is_a_disagreement(self):
        self.assertIn("'a'", answers.disagreement(self.answer(a=0.6, b=0.3), self.answer(b=0.6, a=0.3), 0.01))

    def test_a_best_label_that_is_missing_is_a_disagreement(self):
        self.assertIn("'a'", answers.disagreement(self.answer(a=0.05, b=0.04), self.answer(b=0.04, c=0.03), 0.1))

    def test_another_score_is_a_disagreement(self):
        self.assertIn("apart", answers.disagreement(self.answer(a=0.6, b=0.3), self.answer(a=0.65, b=0.3), 0.01))


if __name__ == "__main__":
    unittest.main()
