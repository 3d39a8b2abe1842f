"""Small drawings as SVG: rows of dots and curves, with what rounds lay between. Readable on light and dark ground."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

WIDTH = 760
_STYLE = """
.ground { fill: #ffffff } text { fill: #24292f; font: 13px system-ui, sans-serif } .title { font-weight: 600 }
.small { font-size: 12px; fill: #57606a } .grid { stroke: #d8dee4 } .range { stroke-width: 2; opacity: .55 }
.line { fill: none; stroke-width: 2 }
.c0 { fill: #0a5fb4; stroke: #0a5fb4 } .c1 { fill: #b3510a; stroke: #b3510a } .c2 { fill: #6b3fa0; stroke: #6b3fa0 }
.c3 { fill: #1a7f37; stroke: #1a7f37 } .line { fill: none } text.c0, text.c1, text.c2, text.c3 { stroke: none }
@media (prefers-color-scheme: dark) {
.ground { fill: #14181d } text { fill: #e6edf3 } .small { fill: #9da7b1 } .grid { stroke: #333b44 }
.c0 { fill: #6cb6ff; stroke: #6cb6ff } .c1 { fill: #f0a35e; stroke: #f0a35e } .c2 { fill: #c8a2f5; stroke: #c8a2f5 }
.c3 { fill: #6bc46d; stroke: #6bc46d } .line { fill: none }
}
"""

Range = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Dot:
    """One row: a value, and what the rounds lay between."""

    label: str
    value: float
    range: Range
    color: int


@dataclass(frozen=True, slots=True)
class Curve:
    label: str
    points: Sequence[tuple[float, float, Range]]
    color: int


@dataclass(frozen=True, slots=True)
class Track:
    """What something was from moment to moment: (time, value)."""

    label: str
    points: Sequence[tuple[float, float]]
    color: int


@dataclass(frozen=True, slots=True)
class Scale:
    """From values to places, by their logarithm or in proportion."""

    low: float
    high: float
    begin: float
    end: float
    is_log: bool = True

    def __call__(self, value: float) -> float:
        low, high, value = (math.log10(x) if self.is_log else x for x in (self.low, self.high, value))
        return round(self.begin + (value - low) / (high - low) * (self.end - self.begin), 1)

    def ticks(self) -> list[float]:
        if self.is_log:
            powers = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
            return [10.0**power for power in powers if self.low <= 10.0**power <= self.high]
        step = 10 ** math.floor(math.log10(self.high))
        while self.high / step < 3:
            step /= 2
        return [step * number for number in range(int(self.high / step) + 1)]


def number(value: float) -> str:
    """Three digits that mean something, with commas: 0.0123, 4.56, 78,900."""
    if value == 0:
        return "0"
    digits = 2 - math.floor(math.log10(abs(value)))
    rounded = round(value, digits)
    return f"{rounded:,.{max(0, digits)}f}" if digits > 0 else f"{rounded:,.0f}"


def dots(title: str, unit: str, groups: Sequence[tuple[str, Sequence[Dot]]]) -> str:
    """Groups of rows on one axis of logarithms."""
    values = [value for _, rows in groups for row in rows for value in (*row.range, row.value)]
    scale = Scale(min(values) / 1.5, max(values) * 1.5, 250, WIDTH - 110)
    body: list[str] = []
    y = 40
    for name, rows in groups:
        body.append(_text(16, y + 14, name, "title"))
        y += 26
        for row in rows:
            body += _row(row, y, scale)
            y += 24
        y += 10
    grid = [f'<line class="grid" x1="{scale(x)}" x2="{scale(x)}" y1="44" y2="{y}"/>' for x in scale.ticks()]
    labels = [_text(scale(x), y + 16, _tick(x), "small", "middle") for x in scale.ticks()]
    return _document(title, f"{unit}; each step is ten times as much", y + 30, [*grid, *body, *labels])


def _row(row: Dot, y: int, scale: Scale) -> list[str]:
    low, high = (scale(x) for x in row.range)
    return [
        _text(238, y + 13, row.label, "title" if row.color == 0 else "", "end"),
        f'<line class="range c{row.color}" x1="{low}" x2="{high}" y1="{y + 9}" y2="{y + 9}"/>',
        f'<circle class="c{row.color}" cx="{scale(row.value)}" cy="{y + 9}" r="5"/>',
        _text(max(high, scale(row.value)) + 12, y + 13, number(row.value), "small"),
    ]


def curves(title: str, units: tuple[str, str], lines: Sequence[Curve], *, is_log: bool) -> str:
    """Curves over an axis of logarithms; ``units`` are of what grows and of the cost."""
    xs = [x for line in lines for x, _, _ in line.points]
    ys = [y for line in lines for _, value, between in line.points for y in (value, *between)]
    across = Scale(min(xs), max(xs), 74, WIDTH - 150)
    up = Scale(min(ys) / 1.5 if is_log else 0, max(ys) * (1.5 if is_log else 1.1), 310, 56, is_log)
    body = []
    for y in up.ticks():
        body.append(f'<line class="grid" x1="74" x2="{WIDTH - 150}" y1="{up(y)}" y2="{up(y)}"/>')
        body.append(_text(66, up(y) + 4, _tick(y), "small", "end"))
    body += [_text(across(x), 330, f"{x:,.0f}", "small", "middle") for x in sorted(set(xs))]
    body.append(_text((74 + WIDTH - 150) / 2, 350, units[0], "small", "middle"))
    for line in lines:
        body += _curve(line, across, up)
    body += _labels(lines, up)
    return _document(title, units[1], 364, body)


def tracks(title: str, units: tuple[str, str], lines: Sequence[Track]) -> str:
    """Lines over time, from zero up; ``units`` are of the time and of the values. Equal labels are written once."""
    across = Scale(0, max(x for line in lines for x, _ in line.points), 74, WIDTH - 150, is_log=False)
    up = Scale(0, max(max(y for line in lines for _, y in line.points), 1) * 1.1, 310, 56, is_log=False)
    body = []
    for y in up.ticks():
        body.append(f'<line class="grid" x1="74" x2="{WIDTH - 150}" y1="{up(y)}" y2="{up(y)}"/>')
        body.append(_text(66, up(y) + 4, _tick(y), "small", "end"))
    body += [_text(across(x), 330, f"{x:g}", "small", "middle") for x in across.ticks()]
    body.append(_text((74 + WIDTH - 150) / 2, 350, units[0], "small", "middle"))
    for line in lines:
        places = " ".join(f"{across(x)},{up(y)}" for x, y in line.points)
        body.append(f'<polyline class="line c{line.color}" points="{places}"/>')
    body += _labels(list({line.label: line for line in lines}.values()), up)
    return _document(title, units[1], 364, body)


def _curve(line: Curve, across: Scale, up: Scale) -> Iterable[str]:
    places = [(across(x), up(y)) for x, y, _ in line.points]
    yield f'<polyline class="line c{line.color}" points="{" ".join(f"{x},{y}" for x, y in places)}"/>'
    for (x, y), (_, _, (low, high)) in zip(places, line.points, strict=True):
        yield f'<line class="range c{line.color}" x1="{x}" x2="{x}" y1="{up(low)}" y2="{up(high)}"/>'
        yield f'<circle class="c{line.color}" cx="{x}" cy="{y}" r="4"/>'


def _labels(lines: Sequence[Curve | Track], up: Scale) -> Iterable[str]:
    """What each curve is, at its end, and none upon another."""
    lowest = 0.0
    for y, line in sorted(((up(line.points[-1][1]), line) for line in lines), key=lambda one: one[0]):
        lowest = max(y + 4, lowest + 16)
        yield _text(WIDTH - 140, lowest, line.label, f"c{line.color}")


def _tick(value: float) -> str:
    return f"{value:,.0f}" if value >= 1 or value == 0 else f"{value:g}"


def _text(x: float, y: float, text: str, kind: str = "", anchor: str = "start") -> str:
    return f'<text x="{x:g}" y="{y:g}" class="{kind}" text-anchor="{anchor}">{escape(text)}</text>'


def _document(title: str, subtitle: str, height: int, body: Iterable[str]) -> str:
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}"'
    lines = [
        f'{head} role="img" aria-label="{escape(title)}">',
        f"<style>{_STYLE}</style>",
        f'<rect class="ground" width="{WIDTH}" height="{height}" rx="6"/>',
        _text(16, 24, title, "title"),
        _text(WIDTH - 16, 24, subtitle, "small", "end"),
        *body,
        "</svg>",
    ]
    return "\n".join(lines) + "\n"
