"""Tests of bench/gate with a stand-in for valgrind; the real one counts in the preset `bench`."""

import contextlib
import importlib.machinery
import importlib.util
import io
import json
import os
import stat
import sys
import tempfile
import unittest
from unittest import mock

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.realpath(__file__))
LOADER = importlib.machinery.SourceFileLoader("gate", os.path.join(HERE, "gate"))
gate = importlib.util.module_from_spec(importlib.util.spec_from_loader("gate", LOADER))
LOADER.exec_module(gate)

ABOUT = {"compiler": "12.2.0", "standard_library": "libstdc++ 20220819", "architecture": "x86_64",
         "optimised": True}
# Writes what callgrind writes: one file for each return of the measured function, and one at the end.
VALGRIND = """#!/bin/sh
[ "$1" = --version ] && { echo valgrind-3.19.0; exit; }
for a; do
  case $a in
    --callgrind-out-file=*) out=${a#*=} ;;
    --extra=*) extra=${a#*=} ;;
  esac
done
number=0
for count in COUNTS; do
  number=$((number + 1))
  count=$((count + count * ${extra:-0} / 100))
  printf 'desc: Trigger: --dump-after=assay_bench_measured\\nsummary: %d\\n' "$count" > "$out.$number"
  echo "work/$number"
done
printf 'desc: Trigger: Program termination\\ntotals: 0\\n' > "$out.$((number + 1))"
"""


class GateTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        path = mock.patch.dict(os.environ, PATH=f"{self.folder}{os.pathsep}{os.environ['PATH']}")
        path.start()
        self.addCleanup(path.stop)
        # The inputs are fleet_test's matter.
        inputs = mock.patch.object(gate, "write_inputs")
        inputs.start()
        self.addCleanup(inputs.stop)
        self.baseline = os.path.join(self.folder, "baseline.json")
        self.program(ABOUT)

    def script(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(path, stat.S_IRWXU)
        return path

    def program(self, about):
        self.script("bench_work", f"#!/bin/sh\necho '{json.dumps(about)}'\n")

    def valgrind(self, *counts):
        self.script("valgrind", VALGRIND.replace("COUNTS", " ".join(map(str, counts))))

    def run_gate(self, *arguments):
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = gate.main(["--baseline", self.baseline, *arguments,
                              os.path.join(self.folder, "bench_work")])
        return code, out.getvalue() + err.getvalue()

    def test_passes_within_the_tolerance_and_fails_beyond(self):
        self.valgrind(1000, 2000)
        self.assertEqual(self.run_gate("--update")[0], 0)
        self.assertEqual(self.run_gate()[0], 0)
        self.valgrind(1049, 2000)
        self.assertEqual(self.run_gate()[0], 0)
        self.valgrind(1000, 2102)
        code, out = self.run_gate()
        self.assertEqual(code, 1)
        self.assertIn("work/2          2,102          2,000  +5.10 %  SLOWER", out)
        self.assertNotIn("1,000          1,000  +0.00 %  SLOWER", out)

    def test_a_gain_passes_and_asks_to_be_kept(self):
        self.valgrind(1000)
        self.run_gate("--update")
        self.valgrind(500)
        code, out = self.run_gate()
        self.assertEqual(code, 0)
        self.assertIn("faster: record it", out)

    def test_work_that_the_baseline_does_not_know_fails_and_so_does_the_reverse(self):
        self.valgrind(1000)
        self.run_gate("--update")
        self.valgrind(1000, 7)
        self.assertEqual(self.run_gate()[0], 1)
        self.run_gate("--update")
        self.valgrind(1000)
        self.assertEqual(self.run_gate()[0], 1)

    def test_other_compilers_and_builds_are_skipped(self):
        self.valgrind(1000)
        self.run_gate("--update")
        self.program(ABOUT | {"compiler": "13.1.0"})
        code, out = self.run_gate()
        self.assertEqual(code, gate.SKIPPED)
        self.assertIn("skipped: the baseline was taken with compiler 12.2.0, and this is 13.1.0", out)
        self.program(ABOUT | {"optimised": False})
        code, out = self.run_gate()
        self.assertEqual(code, gate.SKIPPED)
        self.assertIn("not optimised", out)

    def test_without_valgrind_it_is_skipped(self):
        with mock.patch.object(gate.shutil, "which", return_value=None):
            code, out = self.run_gate()
        self.assertEqual(code, gate.SKIPPED)
        self.assertIn("skipped: valgrind is not installed", out)

    def test_what_was_not_counted_is_trouble_and_not_a_pass(self):
        self.valgrind(1000, 0)
        code, out = self.run_gate("--update")
        self.assertEqual(code, 2)
        self.assertIn("callgrind counted", out)

    def test_no_baseline_is_trouble_and_not_a_pass(self):
        self.valgrind(1000)
        code, out = self.run_gate()
        self.assertEqual(code, 2)
        self.assertIn("record one with --update", out)

    def test_proves_that_seeded_regressions_are_caught(self):
        self.valgrind(1000, 3000)
        code, out = self.run_gate("--prove")
        self.assertEqual(code, 0)
        self.assertIn("each of 2 seeded regressions is caught", out)
        self.valgrind(1000, 10)  # 6 % of it is lost in rounding
        code, out = self.run_gate("--prove")
        self.assertEqual(code, 1)
        self.assertIn("work/2", out.splitlines()[-1])


if __name__ == "__main__":
    unittest.main()
