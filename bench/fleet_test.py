"""Tests of bench/fleet: what it writes is what its names say, and the same each time."""

import gzip
import importlib.machinery
import importlib.util
import io
import contextlib
import json
import os
import sys
import tempfile
import unittest
from unittest import mock

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.realpath(__file__))
LOADER = importlib.machinery.SourceFileLoader("fleet", os.path.join(HERE, "fleet"))
fleet = importlib.util.module_from_spec(importlib.util.spec_from_loader("fleet", LOADER))
LOADER.exec_module(fleet)


def objects(name, seed=1):
    return [json.loads(line) for line in fleet.lines_of(name, seed)]


def of_kind(kind, found):
    return [o for o in found if o["kind"] == kind]


class FleetTest(unittest.TestCase):
    def test_full_nodes_have_eight_gpus_each_with_names_of_their_own(self):
        found = objects("inv-full-12.jsonl.gz")
        self.assertEqual(len(of_kind("Node", found)), 12)
        slices = of_kind("ResourceSlice", found)
        self.assertEqual({s["spec"]["nodeName"] for s in slices},
                         {n["metadata"]["name"] for n in of_kind("Node", found)})
        uuids = [d["attributes"]["uuid"]["string"] for s in slices for d in s["spec"]["devices"]]
        self.assertEqual(len(set(uuids)), 96)

    def test_mig_devices_consume_counters_that_there_are(self):
        found = of_kind("ResourceSlice", objects("inv-mig-2.jsonl.gz"))
        self.assertEqual(len(found), 2 * 9)
        counters = {s["name"]: s["counters"] for s in found[0]["spec"]["sharedCounters"]}
        devices = [d for s in found[1:9] for d in s["spec"]["devices"]]
        self.assertEqual(len(devices), 8 * 15)
        for device in devices:
            for consumed in device["consumesCounters"]:
                self.assertLessEqual(consumed["counters"].keys(), counters[consumed["counterSet"]].keys())
        # Seven of the smallest fill a GPU.
        small = [d for d in devices[:15] if "1g10gb" in d["name"]]
        self.assertEqual(len(small), 7)

    def test_fills_use_devices_that_the_fleet_has(self):
        devices = {(s["spec"]["pool"]["name"], d["name"])
                   for s in of_kind("ResourceSlice", objects("inv-full-10.jsonl.gz"))
                   for d in s["spec"]["devices"]}
        for name, count in (("fill-half-10.jsonl.gz", 40), ("fill-7of8-10.jsonl.gz", 70),
                            ("fill-1of8-10.jsonl.gz", 10)):
            used = [(r["pool"], r["device"]) for c in objects(name)
                    for r in c["status"]["allocation"]["devices"]["results"]]
            self.assertEqual(len(used), count)
            self.assertEqual(len(set(used)), count)
            self.assertLessEqual(set(used), devices)

    def test_mig_devices_in_use_are_no_more_than_a_gpu_has(self):
        consumed = {(s["spec"]["pool"]["name"], d["name"]): d["consumesCounters"][0]
                    for s in of_kind("ResourceSlice", objects("inv-mig-5.jsonl.gz"))
                    for d in s["spec"].get("devices", [])}
        sets = {s["name"]: s["counters"] for s in next(fleet.mig_slices(0))["spec"]["sharedCounters"]}
        left = {}
        claims = objects("fill-mig-5.jsonl.gz")
        self.assertGreater(len(claims), 40)
        for claim in claims:
            result = claim["status"]["allocation"]["devices"]["results"][0]
            use = consumed[result["pool"], result["device"]]
            for name, counter in use["counters"].items():
                at = (result["pool"], use["counterSet"], name)
                has = left.get(at, sets[use["counterSet"]][name]["value"])
                left[at] = int(str(has).removesuffix("Mi")) - int(counter["value"].removesuffix("Mi"))
        self.assertGreaterEqual(min(left.values()), 0)

    def test_chance_is_the_seeds(self):
        name = "fill-random-50.jsonl.gz"
        self.assertEqual(objects(name, 1), objects(name, 1))
        self.assertNotEqual(objects(name, 1), objects(name, 2))
        self.assertTrue(120 < len(objects(name, 1)) < 280)

    def test_shares_are_distinct(self):
        ids = {c["status"]["allocation"]["devices"]["results"][0]["shareID"]
               for c in of_kind("ResourceClaim", objects("fill-shares-100.jsonl.gz"))}
        self.assertEqual(len(ids), 100)

    def test_groups_of_the_worst_cases(self):
        devices = of_kind("ResourceSlice", objects("worst/sat-late-8-5.jsonl"))[0]["spec"]["devices"]
        groups = [d["attributes"]["group"]["int"] for d in devices]
        self.assertEqual(groups, [0] * 4 + [1] * 4 + [1000] * 5)
        claim = objects("worst/tail-16-5.jsonl")[-1]
        self.assertEqual(len(claim["spec"]["devices"]["requests"]), 5)

    def test_every_input_of_the_cases_can_be_written(self):
        names = fleet.names_for(os.path.join(HERE, "macro/allocator/cases.json"), 0)
        self.assertIn("inv-full-100000.jsonl.gz", names)
        for name in names:
            self.assertTrue(json.loads(next(iter(fleet.lines_of(name, 1)), "{}")) or "shares-0" in name)

    def test_small_fleets_can_be_asked_for(self):
        names = fleet.names_for(os.path.join(HERE, "macro/allocator/cases.json"), 10)
        self.assertIn("inv-full-10.jsonl.gz", names)
        self.assertNotIn("inv-full-100.jsonl.gz", names)

    def test_unknown_names_are_refused(self):
        for name in ("inv-none-10.jsonl.gz", "nonsense", "worst/none-1-2.jsonl"):
            with self.assertRaises(SystemExit):
                list(fleet.lines_of(name, 1))

    def test_writes_files_once(self):
        with tempfile.TemporaryDirectory() as folder:
            arguments = ["fleet", folder, "inv-full-2.jsonl.gz", "claims-single-3.jsonl"]
            for expected in (2, 0):
                out = io.StringIO()
                with mock.patch.object(sys, "argv", arguments), contextlib.redirect_stdout(out):
                    fleet.main()
                self.assertEqual(len(out.getvalue().split()), expected)
            with gzip.open(os.path.join(folder, "inv-full-2.jsonl.gz"), "rt", encoding="utf-8") as file:
                self.assertEqual(len(file.readlines()), 6)


if __name__ == "__main__":
    unittest.main()
