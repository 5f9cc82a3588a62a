"""Tests of bench/compare: its statistics, how it interleaves, what it makes of answers and noise."""

import contextlib
import importlib.machinery
import importlib.util
import io
import itertools
import json
import os
import random
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.realpath(__file__))
LOADER = importlib.machinery.SourceFileLoader("compare", os.path.join(HERE, "compare"))
compare = importlib.util.module_from_spec(importlib.util.spec_from_loader("compare", LOADER))
LOADER.exec_module(compare)


def by_enumeration(a, b):
    """The two-sided p of Mann-Whitney U by all ways to split the values."""
    def u_of(first, second):
        return sum((x > y) + (x == y) / 2 for x in first for y in second)

    values = a + b
    middle = len(a) * len(b) / 2
    distance = abs(u_of(a, b) - middle)
    splits = list(itertools.combinations(range(len(values)), len(a)))
    at_least = 0
    for split in splits:
        first = [values[i] for i in split]
        second = [v for i, v in enumerate(values) if i not in split]
        at_least += abs(u_of(first, second) - middle) >= distance
    return at_least / len(splits)


class MannWhitneyTest(unittest.TestCase):
    def test_is_exact_for_few_values(self):
        coin = random.Random(1)
        for n, m in ((3, 3), (4, 6), (7, 5)):
            for _ in range(20):
                values = coin.sample(range(1000), n + m)
                a, b = values[:n], values[n:]
                self.assertAlmostEqual(compare.mann_whitney_u(a, b), by_enumeration(a, b), msg=(a, b))

    def test_known_values(self):
        self.assertAlmostEqual(compare.mann_whitney_u([1, 2, 3, 4, 5], [6, 7, 8, 9, 10]), 2 / 252)
        self.assertAlmostEqual(compare.mann_whitney_u([1, 2, 3], [4, 5, 6]), 0.1)

    def test_is_near_the_truth_with_ties(self):
        coin = random.Random(2)
        for _ in range(20):
            a = [coin.randrange(6) for _ in range(6)]
            b = [coin.randrange(6) + coin.randrange(3) for _ in range(6)]
            self.assertAlmostEqual(compare.mann_whitney_u(a, b), by_enumeration(a, b), delta=0.08,
                                   msg=(a, b))

    def test_says_nothing_of_equal_or_absent_values(self):
        self.assertEqual(compare.mann_whitney_u([5] * 9, [5] * 9), 1)
        self.assertEqual(compare.mann_whitney_u([], [1, 2]), 1)

    def test_counts_every_order_once(self):
        counts = compare.exact_u_distribution(5, 4)
        self.assertEqual(sum(counts), 126)
        self.assertEqual(counts, counts[::-1])


class RecordedNoiseTest(unittest.TestCase):
    """testdata/noise.json: one program against itself, on a machine that had other work to do."""

    @classmethod
    def setUpClass(cls):
        with open(os.path.join(HERE, "testdata/noise.json"), encoding="utf-8") as file:
            cls.cases = {case["name"]: [case["programs"][name]["samples"] for name in ("a", "b")]
                         for case in json.load(file)["cases"]}

    def test_the_recording_is_noisy(self):
        spreads = [max(a + b) / min(a + b) for a, b in self.cases.values()]
        self.assertGreater(max(spreads), 1.3)

    def test_chance_is_called_a_difference_about_as_often_as_promised(self):
        coin = random.Random(3)
        found = rounds = 0
        for a, b in self.cases.values():
            for _ in range(200):
                values = a + b
                coin.shuffle(values)
                found += compare.mann_whitney_u(values[: len(a)], values[len(a):]) < 0.05
                rounds += 1
        self.assertLess(found / rounds, 0.08)

    def test_twice_as_slow_is_found(self):
        for name, (a, b) in self.cases.items():
            self.assertLess(compare.mann_whitney_u(a, [2 * value for value in b]), 0.05, msg=name)


FAKE = """
import json, sys
log, name, time, answer = sys.argv[1:5]
if any(a.startswith("--benchmark_list_tests") for a in sys.argv):
    print("fast/1\\nslow/(x)")
    sys.exit()
wanted = next(a for a in sys.argv if a.startswith("--benchmark_filter=")).split("=", 1)[1]
open(log, "a").write(name + " " + wanted + "\\n")
if time == "broken":
    sys.exit("no such device")
import re
print(json.dumps({"context": {"num_cpus": 1}, "benchmarks": [
    {"name": n, "run_type": "iteration", "real_time": float(time), "time_unit": "us", "answer": float(answer)}
    for n in ("fast/1", "slow/(x)") if re.search(wanted, n)]}))
"""


class ProgramsTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.log = os.path.join(self.folder.name, "log")
        with open(os.path.join(self.folder.name, "fake.py"), "w", encoding="utf-8") as file:
            file.write(FAKE)

    def fake(self, name, time, answer=1):
        return f"{name}={sys.executable} -IS {self.folder.name}/fake.py {self.log} {name} {time} {answer}"

    def run_compare(self, *arguments):
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = compare.main(list(arguments))
        return code, out.getvalue(), err.getvalue()

    def calls(self):
        with open(self.log, encoding="utf-8") as file:
            return [line.split(" ", 1)[0] for line in file]

    def test_interleaves_and_takes_turns_in_beginning(self):
        code, _, _ = self.run_compare("--repetitions", "4", "--filter", "fast", self.fake("a", 5),
                                      self.fake("b", 10))
        self.assertEqual(code, 0)
        self.assertEqual(self.calls(), ["a", "b", "b", "a"] * 2)

    def test_reports_medians_ratio_and_significance(self):
        report = os.path.join(self.folder.name, "report.json")
        code, out, _ = self.run_compare("--repetitions", "4", "--out", report, self.fake("a", 5),
                                        self.fake("b", 10))
        self.assertEqual(code, 0)
        self.assertIn("| fast/1 | 5 us | 10 us  x2 (p 0.0", out)
        self.assertIn("| slow/(x) | 5 us |", out)
        with open(report, encoding="utf-8") as file:
            case = json.load(file)["cases"][0]
        self.assertEqual(case["programs"]["a"]["samples"], [5000] * 4)
        self.assertEqual(case["programs"]["b"]["ratio"], 2)

    def test_records_medians_without_samples_or_paths(self):
        record = os.path.join(self.folder.name, "record.json")
        code, _, _ = self.run_compare("--repetitions", "2", "--record", record, "--filter", "fast",
                                      self.fake("a", 5), self.fake("b", 10))
        self.assertEqual(code, 0)
        with open(record, encoding="utf-8") as file:
            text = file.read()
        case = json.loads(text)["cases"][0]
        self.assertEqual((case["a_ns"], case["b_ns"], case["ratio"]), (5000, 10000, 2))
        self.assertEqual(case["repetitions"], 2)
        self.assertNotIn(self.folder.name, text)
        self.assertNotIn("samples", text)

    def test_different_answers_fail(self):
        code, out, _ = self.run_compare("--repetitions", "2", self.fake("a", 5, 1), self.fake("b", 5, 2))
        self.assertEqual(code, 1)
        self.assertIn("ANSWERS DIFFER", out)

    def test_a_slower_first_program_fails_if_asked(self):
        slower = ("--repetitions", "4", "--filter", "fast", self.fake("new", 11), self.fake("old", 10))
        self.assertEqual(self.run_compare(*slower)[0], 0)
        self.assertEqual(self.run_compare("--fail-slower", "20", *slower)[0], 0)
        code, out, _ = self.run_compare("--fail-slower", "5", *slower)
        self.assertEqual(code, 1)
        self.assertIn("fast/1: new takes 1.100 times as long as old", out)

    def test_a_budget_ends_the_repetitions(self):
        self.run_compare("--repetitions", "50", "--budget", "0", "--filter", "fast", self.fake("a", 5),
                         self.fake("b", 5))
        self.assertEqual(len(self.calls()), 2)

    def test_a_program_that_cannot_run_is_trouble(self):
        code, _, err = self.run_compare(self.fake("a", "broken"), self.fake("b", 5))
        self.assertEqual(code, 2)
        self.assertIn("no such device", err)
        self.assertEqual(self.run_compare("a=/no/such/program --x", self.fake("b", 5))[0], 2)
        self.assertEqual(self.run_compare("nonsense")[0], 2)

    def test_reads_recorded_runs(self):
        names = []
        for name, times in (("old", (10, 12, 11)), ("new", (1, 2, 3))):
            path = os.path.join(self.folder.name, name + ".json")
            names.append(f"{name}={path}")
            entries = [{"name": "case", "run_name": "case", "run_type": "iteration", "real_time": time,
                        "time_unit": "ms"} for time in times]
            # Aggregates repeat what the repetitions say.
            entries.append(entries[0] | {"name": "case_mean", "run_type": "aggregate", "real_time": 99})
            with open(path, "w", encoding="utf-8") as file:
                json.dump({"context": {}, "benchmarks": entries}, file)
        code, out, _ = self.run_compare(*names)
        self.assertEqual(code, 0)
        self.assertIn("| case | 11 ms | 2 ms  x0.182 (p 0.1 ~) |", out)


if __name__ == "__main__":
    unittest.main()
