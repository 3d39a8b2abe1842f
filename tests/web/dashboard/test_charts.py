"""Charts are small, well formed, and say in words what they show."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from integration_server.web.dashboard.charts import Bar, bars, line

SVG = "{http://www.w3.org/2000/svg}"


def parsed(text: str) -> ElementTree.Element:
    assert not re.search(r'style=|on[a-z]+="|<script|data:', text)
    return ElementTree.fromstring(text)


def test_bars_stand_on_the_floor_and_the_largest_reaches_the_top() -> None:
    columns = [Bar("one", [("good", 4), ("bad", 6)]), Bar("nothing", [("good", 0)]), Bar("half", [("good", 5)])]
    drawn = parsed(bars(columns, "Logins", "then", "now"))
    groups = drawn.findall(f"{SVG}g")
    assert [group.findtext(f"{SVG}title") for group in groups] == ["one", "half"], "an empty one is not drawn"
    boxes = [
        [{key: float(r.get(key, 0)) for key in ("x", "y", "height")} for r in g.findall(f"{SVG}rect")] for g in groups
    ]
    (good, bad), (half,) = boxes
    assert good["y"] + good["height"] == half["y"] + half["height"] == 70
    assert bad["y"] + bad["height"] == good["y"]
    assert bad["y"] == 12
    assert half["height"] == 29
    assert half["x"] > 200


def test_what_a_chart_shows_is_told_in_words() -> None:
    drawn = parsed(bars([Bar("one", [("good", 1234)])], 'All <of> "it"', "then", "now"))
    assert (drawn.get("role"), drawn.get("aria-label")) == ("img", 'All <of> "it"')
    assert [text.text for text in drawn.findall(f"{SVG}text")] == ["1\N{NARROW NO-BREAK SPACE}234", "then", "now"]


def test_a_line_goes_from_left_to_right_above_zero() -> None:
    drawn = parsed(line([(0.0, 10), (0.5, 0), (1.0, 5)], "People", "then", "now"))
    polyline = drawn.find(f"{SVG}polyline")
    assert polyline is not None
    assert polyline.get("points") == "0.0,12.0 160.0,70.0 320.0,41.0"


def test_nothing_is_drawn_of_nothing() -> None:
    for drawn in (bars([], "x", "a", "b"), bars([Bar("x", [("good", 0)])], "x", "a", "b"), line([], "x", "a", "b")):
        assert parsed(drawn).findall(f".//{SVG}rect") == []
    assert parsed(line([(0.0, 0)], "x", "a", "b")) is not None
