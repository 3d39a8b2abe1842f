"""``python -m bench.report [FILE ...]``: from what runs measured (``--json``) to the tables and plots of docs/.

The kinds of each file take the places of those in ``docs/benchmarks.json``. From that come the blocks of
``docs/benchmarks.rst`` and ``README.rst`` between ``.. measured: NAME`` and ``.. end of NAME``, and
``docs/images/bench-*.svg``. Without a file, they are made anew from what is there.
"""

from __future__ import annotations

import json
import re
import sys
import textwrap
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from bench.svg import Curve, Dot, curves, dots, number

ROOT = Path(__file__).parents[1]
DATA = ROOT / "docs" / "benchmarks.json"

Kinds = dict[str, dict[str, Any]]
Line = dict[str, Any]

#: Name and title of a picture, what grows and what it costs, the names of the series, whether costs are logarithms.
_GROWTH = (
    ("growth-users", "A list of more and more users", ("users", "seconds"), "list from SQLite: ", True),
    (
        "growth-subscriptions",
        "More and more subscriptions",
        ("subscriptions", "deliveries a second"),
        "deliveries",
        False,
    ),
    ("growth-clients", "More and more clients", ("clients", "logins a second"), "auth from SQLite: ", False),
)
_HEADS = ("figure", "target", "ours", "beside", "of what")
_WIDTH = 120


def pages(kinds: Kinds) -> dict[Path, str]:
    """Every file that follows from these results, with what has to be in it."""
    found = {}
    for path in (ROOT / "docs" / "benchmarks.rst", ROOT / "README.rst"):
        found[path] = _filled(path.read_text(encoding="utf-8"), kinds)
    for name, drawing in _drawings(kinds):
        found[ROOT / "docs" / "images" / f"bench-{name}.svg"] = drawing
    return found


def _filled(page: str, kinds: Kinds) -> str:
    def block(match: re.Match[str]) -> str:
        name = match[1]
        content = readme(kinds) if name == "readme" else _section(kinds[name]) if name in kinds else _MISSING
        return f".. measured: {name}\n\n{content}\n.. end of {name}\n"

    return re.sub(r"^\.\. measured: (\w+)\n.*?^\.\. end of \1\n", block, page, flags=re.MULTILINE | re.DOTALL)


_MISSING = "Not measured yet.\n"


def _section(kind: dict[str, Any]) -> str:
    return f"{_table(kind['lines'])}\n{_circumstances(kind)}"


def _circumstances(kind: dict[str, Any]) -> str:
    machine = kind["machine"]
    where = f"{machine['processor']}, {machine['cores']} cores, {machine['memory_gb']} GB, {machine['system']}"
    text = (
        f"Measured on {machine['date']} with version {machine['version']} on {where}, CPython {machine['python']}; the "
        f"load average was {machine['load']:g} before. Medians of {kind['rounds']} rounds, with the least and the most."
    )
    return textwrap.fill(text, _WIDTH) + "\n"


def _table(lines: Iterable[Line]) -> str:
    rows = [_cells(line) for line in lines]
    widths = [max(map(len, column)) for column in zip(_HEADS, *rows, strict=True)]
    widths[-1] = min(widths[-1], max(30, _WIDTH - sum(widths[:-1]) - 2 * (len(widths) - 1)))
    border = "  ".join("=" * width for width in widths)
    body = [text for row in rows for text in _wrapped(row, widths)]
    return "\n".join([border, *_wrapped(_HEADS, widths), border, *body, border]) + "\n"


def _wrapped(row: Iterable[str], widths: list[int]) -> Iterator[str]:
    *firsts, last = row
    first, *rest = textwrap.wrap(last, widths[-1]) or [""]
    yield "  ".join([*(cell.ljust(width) for cell, width in zip(firsts, widths, strict=False)), first]).rstrip()
    for text in rest:
        yield " " * (sum(widths[:-1]) + 2 * len(firsts)) + text


def _cells(line: Line) -> tuple[str, ...]:
    what = f"{line['name']} ({line['unit']})"
    figure = f"{number(line['figure'])} x" if line["is_ratio"] else f"{number(line['figure'])} {line['unit']}"
    beside = _ranged(line["floor"], line["floor_range"]) if line["is_ratio"] else ""
    return figure, _target(line), _ranged(line["ours"], line["ours_range"]), beside, _beside(what, line)


def _beside(what: str, line: Line) -> str:
    if line["is_ratio"]:
        return f"{what}; beside: {line['note']}"
    return f"{what}; {line['note']}" if line["note"] else what


def _target(line: Line) -> str:
    if line["target"] is None:
        return ""
    met = "met" if line["is_met"] else "NOT MET"
    return f"{'>=' if line['is_least'] else '<='} {line['target']:g} {met}"


def _ranged(value: float, between: list[float] | None) -> str:
    return number(value) + (f" ({number(between[0])}-{number(between[1])})" if between else "")


def _line(kinds: Kinds, start: str, beside: str) -> Line:
    lines = kinds["rivals"]["lines"]
    return next(line for line in lines if line["name"].startswith(start) and beside in line["note"])


def readme(kinds: Kinds) -> str:
    """The two figures that matter most, as two sentences."""
    if "rivals" not in kinds:
        return _MISSING
    users = re.search(r"list, ([\d,]+) users", kinds["rivals"]["lines"][0]["name"])
    listed = _line(kinds, "list", "privacyIDEA")
    script = _line(kinds, "list", "PHP")
    shared = next(line for line in kinds["rivals"]["lines"] if "shared" in line["name"])
    auth, auth_script = _line(kinds, "auth", "privacyIDEA"), _line(kinds, "auth", "PHP")
    cores = kinds["rivals"]["machine"]["cores"]
    text = (
        f"* **Lists.** {users[1] if users else ''} users out of SQLite at {number(listed['ours'])} users a second, "
        f"{_times(listed)} as fast as privacyIDEA. A PHP script without any guard lists "
        f"{number(script['floor'])} a second; of a list that callers share (``max_age_seconds``), we send "
        f"{number(shared['ours'])}.",
        f"* **Logins.** {number(auth['ours'])} a second on {cores} cores, {_times(auth)} as many as privacyIDEA and "
        f"{_times(auth_script)} as many as the script.",
    )
    shown = [textwrap.fill(line, _WIDTH, subsequent_indent="  ") for line in text]
    machine = kinds["rivals"]["machine"]
    if machine["load"] > machine["cores"] / 2:
        shown.append("\nThese figures were taken on a machine that had other work to do, and are not the last word.")
    return "\n".join(shown) + "\n"


def _times(line: Line) -> str:
    return f"{number(line['figure'])} times"


def _drawings(kinds: Kinds) -> Iterator[tuple[str, str]]:
    if "rivals" in kinds:
        lines = kinds["rivals"]["lines"]
        yield "lists", dots("Whole lists", "users a second", _groups(lines, "list, "))
        yield "logins", dots("Logins", "logins a second", _groups(lines, "auth, "))
    series = kinds.get("growth", {}).get("series", [])
    for name, title, units, start, is_log in _GROWTH:
        found = [one for one in series if one["name"].startswith(start)]
        if found:
            yield name, curves(title, units, list(_curves(found, start)), is_log=is_log)


def _curves(series: Iterable[dict[str, Any]], start: str) -> Iterator[Curve]:
    for one in series:
        label = one["name"].removeprefix(start) if start.endswith(": ") else "ours"
        points = [(point["x"], point["y"], tuple(point["range"])) for point in one["points"]]
        yield Curve(label, points, _color(label))


def _color(label: str) -> int:
    if label.startswith("ours"):
        return 0
    return next((color for color, name in ((1, "privacyIDEA"), (2, "PHP")) if name in label), 3)


def _groups(lines: Iterable[Line], start: str) -> list[tuple[str, list[Dot]]]:
    """One group for each source: ours, and what it was measured beside."""
    groups: dict[str, dict[str, Dot]] = {}
    for line in lines:
        if not line["name"].startswith(start):
            continue
        name = line["name"].removeprefix(start)
        name, _, shared = name.partition(", shared")
        rows = groups.setdefault(name, {})
        for label, side in (("ours, shared" if shared else "ours", "ours"), (line["note"].partition(", ")[0], "floor")):
            rows[label] = Dot(label, line[side], tuple(line[f"{side}_range"]), _color(label))
    return [(name, sorted(rows.values(), key=lambda row: -row.value)) for name, rows in groups.items()]


def main() -> None:
    kinds: Kinds = json.loads(DATA.read_text(encoding="utf-8")) if DATA.exists() else {}
    for name in sys.argv[1:]:
        kinds.update(json.loads(Path(name).read_text(encoding="utf-8")))
    DATA.write_text(json.dumps(kinds, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    for path, content in pages(kinds).items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(content, encoding="utf-8")
        print(path.relative_to(ROOT))


if __name__ == "__main__":
    main()
