"""Small charts as inline SVG. Sizes are those of the viewBox; colours come from the stylesheet, by class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

_WIDTH, _HEIGHT = 320, 84
#: Room for the words below, and above for the largest number.
_BELOW, _ABOVE = 14, 12
_FLOOR = _HEIGHT - _BELOW
_GAP = 0.15

_SVG = Markup(
    '<svg class="chart" viewBox="0 0 {width} {height}" role="img" aria-label="{label}"'
    ' xmlns="http://www.w3.org/2000/svg">{content}</svg>'
)
_TEXT = Markup('<text x="{x}" y="{y}" text-anchor="{anchor}">{text}</text>')
_AXIS = Markup('<line class="axis" x1="0" y1="{y}" x2="{width}" y2="{y}"/>')


@dataclass(frozen=True, slots=True)
class Bar:
    """``parts`` are CSS classes with numbers, stacked from below; ``title`` is what it says when pointed at."""

    title: str
    parts: Sequence[tuple[str, int]]

    @property
    def height(self) -> int:
        return sum(number for _, number in self.parts)


def bars(columns: Sequence[Bar], label: str, first: str, last: str) -> Markup:
    """Stacked bars over the same width, the largest of which reaches the top. ``label`` says what it shows to whoever
    cannot see it; ``first`` and ``last`` stand below the ends."""
    top = max((bar.height for bar in columns), default=0)
    step = _WIDTH / max(1, len(columns))
    drawn = [_bar(bar, number * step, step, top) for number, bar in enumerate(columns) if bar.height]
    return _framed(drawn, label, top, first, last)


def line(points: Sequence[tuple[float, int]], label: str, first: str, last: str) -> Markup:
    """A line through points, whose place from left to right is from 0 to 1. The floor is zero."""
    top = max((value for _, value in points), default=0)
    places = [(place * _WIDTH, _y(value, top)) for place, value in points]
    drawn = [Markup('<polyline class="line" points="{}"/>').format(" ".join(f"{x:.1f},{y:.1f}" for x, y in places))]
    if places:
        # A single point would not show as a line.
        x, y = places[-1]
        drawn.append(Markup('<circle class="end" cx="{:.1f}" cy="{:.1f}" r="2"/>').format(x, y))
    return _framed(drawn, label, top, first, last)


def _framed(drawn: Sequence[Markup], label: str, top: int, first: str, last: str) -> Markup:
    words = [
        _TEXT.format(x=0, y=9, anchor="start", text=f"{top:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")),
        _TEXT.format(x=0, y=_HEIGHT - 3, anchor="start", text=first),
        _TEXT.format(x=_WIDTH, y=_HEIGHT - 3, anchor="end", text=last),
    ]
    content = Markup("").join([_AXIS.format(y=_FLOOR, width=_WIDTH), *drawn, *words])
    return _SVG.format(width=_WIDTH, height=_HEIGHT, label=label, content=content)


def _bar(bar: Bar, x: float, step: float, top: int) -> Markup:
    # There are a thousand of them on a page, and Markup.format() takes ten times as long.
    pieces, below = [f"<g><title>{escape(bar.title)}</title>"], 0
    place = f'x="{x + step * _GAP / 2:.1f}" width="{step * (1 - _GAP):.1f}"'
    for kind, number in bar.parts:
        if number:
            floor, below = _y(below, top), below + number
            y = _y(below, top)
            pieces.append(f'<rect class="{escape(kind)}" {place} y="{y:.1f}" height="{floor - y:.1f}"/>')
    return Markup("".join([*pieces, "</g>"]))


def _y(value: int, top: int) -> float:
    return _FLOOR - (_FLOOR - _ABOVE) * (value / top if top else 0.0)
