"""Tests of bench/plot: the picture is well-formed, and its points lie where the values say."""

import contextlib
import importlib.machinery
import importlib.util
import io
import json
import os
import sys
import tempfile
import unittest
from xml.etree import ElementTree

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.realpath(__file__))
LOADER = importlib.machinery.SourceFileLoader("plot", os.path.join(HERE, "plot"))
plot = importlib.util.module_from_spec(importlib.util.spec_from_loader("plot", LOADER))
LOADER.exec_module(plot)
SVG = "{http://www.w3.org/2000/svg}"


def case(name, **medians):
    return {"name": name, "programs": {p: ({"median": m} if m else {"error": "none"})
                                       for p, m in medians.items()}}


class PlotTest(unittest.TestCase):
    def draw(self, cases, *arguments):
        with tempfile.TemporaryDirectory() as folder:
            report, picture = os.path.join(folder, "r.json"), os.path.join(folder, "p.svg")
            with open(report, "w", encoding="utf-8") as file:
                json.dump({"cases": cases}, file)
            err = io.StringIO()
            with contextlib.redirect_stderr(err):
                code = plot.main([report, "--out", picture, *arguments])
            if code:
                return code, err.getvalue()
            return code, ElementTree.parse(picture).getroot()

    def lines(self, root):
        return {line.get("class"): [tuple(map(float, p.split(","))) for p in line.get("points").split()]
                for line in root.iter(SVG + "polyline")}

    def test_points_lie_where_the_values_say(self):
        code, root = self.draw([case("a/first-fit/10", ours=1e3, theirs=1e5),
                                case("a/first-fit/1000", ours=1e4, theirs=1e7)])
        self.assertEqual(code, 0)
        lines = self.lines(root)
        (x0, y0), (x1, y1) = lines["line a"]
        (u0, v0), (u1, v1) = lines["line b"]
        self.assertEqual((x0, x1), (u0, u1))
        # Four decades from 1e3 to 1e7, upwards; ours climbs one of them, theirs two.
        decade = (y0 - v1) / 4
        self.assertGreater(decade, 0)
        self.assertAlmostEqual(y0 - y1, decade, delta=0.2)
        self.assertAlmostEqual(v0 - v1, 2 * decade, delta=0.2)

    def test_says_the_ratio_at_the_largest_size_that_both_have(self):
        _, root = self.draw([case("a/10", ours=10, theirs=30), case("a/100", ours=10, theirs=5000),
                             case("a/1000", ours=10, theirs=None)])
        self.assertIn("×500 at 100 nodes", [t.text for t in root.iter(SVG + "text")])

    def test_a_panel_for_each_shape_that_grows(self):
        _, root = self.draw([case("a/10", ours=1), case("a/100", ours=2), case("b<&>/10", ours=1),
                             case("b<&>/100", ours=2), case("single", ours=1), case("c/10", ours=1)])
        shapes = [t.text for t in root.iter(SVG + "text") if t.get("class") == "shape"]
        self.assertEqual(shapes, ["a", "b<&>"])

    def test_lower_bounds_are_hollow_and_named_so(self):
        least = case("a/100", ours=5)
        least["programs"]["ours"]["at_least"] = True
        _, root = self.draw([case("a/10", ours=1), least])
        marks = [m for m in root.iter(SVG + "circle") if "least" in m.get("class")]
        self.assertEqual(len(marks), 1)
        self.assertIn("more than 5 ns", marks[0].find(SVG + "title").text)

    def test_stands_alone_and_follows_the_scheme(self):
        _, root = self.draw([case("a/10", ours=1), case("a/100", ours=2)])
        text = ElementTree.tostring(root, encoding="unicode")
        self.assertIn("prefers-color-scheme: dark", text)
        for outside in ("href", "url(", "<script", "@import"):
            self.assertNotIn(outside, text)

    def test_shapes_can_be_chosen(self):
        cases = [case("a/10", ours=1), case("a/100", ours=2), case("b/10", ours=1), case("b/100", ours=2)]
        _, root = self.draw(cases, "--filter", "^b$")
        self.assertEqual([t.text for t in root.iter(SVG + "text") if t.get("class") == "shape"], ["b"])

    def test_nothing_to_draw_is_said(self):
        code, err = self.draw([case("single", ours=1)])
        self.assertEqual(code, 2)
        self.assertIn("no case with more than one number of nodes", err)


if __name__ == "__main__":
    unittest.main()
