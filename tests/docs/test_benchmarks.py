"""The page of benchmarks, its pictures and the figures of the readme are what ``docs/benchmarks.json`` holds."""

from __future__ import annotations

import json
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from bench.__main__ import KINDS
from bench.measured import Measured, Median, Series
from bench.report import DATA, ROOT, pages
from bench.svg import number

RESULTS = json.loads(DATA.read_text(encoding="utf-8"))


def test_pages_and_pictures_are_what_was_measured() -> None:
    for path, content in pages(RESULTS).items():
        # git may have changed the ends of lines.
        assert path.read_text(encoding="utf-8") == content, f"{path.name}: run .venv/bin/python -m bench.report"


def test_every_benchmark_has_its_place_on_the_page() -> None:
    page = (ROOT / "docs" / "benchmarks.rst").read_text(encoding="utf-8")
    assert set(re.findall(r"^\.\. measured: (\w+)$", page, re.MULTILINE)) == set(KINDS)


def test_figures_of_the_readme_are_those_of_the_file() -> None:
    readme = (ROOT / "README.rst").read_text(encoding="utf-8")
    first_screen = "\n".join(readme.splitlines()[:45])
    lines = RESULTS["rivals"]["lines"]
    for start in ("list", "auth"):
        line = next(one for one in lines if one["name"].startswith(start) and "privacyIDEA" in one["note"])
        assert f"{number(line['figure'])} times" in " ".join(first_screen.split())


@pytest.mark.parametrize("path", [path for path in pages(RESULTS) if path.suffix == ".svg"], ids=lambda path: path.name)
def test_pictures_are_drawn_within_their_frame_and_in_light_and_dark(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert "prefers-color-scheme: dark" in text
    root = ElementTree.fromstring(text)
    width, height = float(root.attrib["width"]), float(root.attrib["height"])
    for element in root.iter():
        for name, most in (("x", width), ("x1", width), ("x2", width), ("cx", width), ("y", height), ("cy", height)):
            assert 0 <= float(element.attrib.get(name, 0)) <= most, element.attrib


def test_noise_is_kept_beside_the_median() -> None:
    line = Measured("a", Median([3.0, 1.0, 2.0]), Median([1.0]), "s", 2.0).as_dict()
    assert (line["ours"], line["ours_range"], line["figure"], line["is_met"]) == (2.0, [1.0, 3.0], 2.0, True)
    points = Series("a", "users", "s", [(10, Median([1.0, 5.0, 2.0]))]).as_dict()["points"]
    assert points == [{"x": 10, "y": 2.0, "range": [1.0, 5.0]}]


def test_line_without_a_target_is_there_to_compare() -> None:
    line = Measured("a", 1.0, 2.0, "s", None)
    assert (line.target_text, line.met_text, line.is_met) == ("", "", True)


def test_numbers_are_shown_with_three_digits() -> None:
    shown = {0: "0", 0.01234: "0.0123", 4.5678: "4.57", 78.94: "78.9", 123.4: "123", 78901: "78,900"}
    assert {value: number(value) for value in shown} == shown
