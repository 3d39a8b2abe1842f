"""What was measured: medians that know how far the rounds were apart, and the lines of the table."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Self


class Median(float):
    """The median of some rounds, with the least and the most of them: the noise."""

    low: float
    high: float

    def __new__(cls, rounds: Iterable[float]) -> Self:
        values = list(rounds)
        self = super().__new__(cls, statistics.median(values))
        self.low, self.high = min(values), max(values)
        return self


@dataclass(frozen=True, slots=True)
class Measured:
    """One line of the table. ``ours`` and ``floor`` are medians in ``unit``.

    The target is the most that the figure may be, or with ``is_least`` the least. Without one, the line is there to
    compare.
    """

    name: str
    ours: float
    floor: float
    unit: str
    target: float | None
    note: str = ""
    is_ratio: bool = True
    is_least: bool = False

    @property
    def figure(self) -> float:
        return self.ours / self.floor if self.is_ratio else self.ours

    @property
    def is_met(self) -> bool:
        if self.target is None:
            return True
        return self.figure >= self.target if self.is_least else self.figure <= self.target

    @property
    def target_text(self) -> str:
        if self.target is None:
            return ""
        return f"{'at least ' if self.is_least else ''}{self.target:g} {'x' if self.is_ratio else self.unit}"

    @property
    def met_text(self) -> str:
        return "" if self.target is None else "yes" if self.is_met else "NO"

    def as_dict(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "ours": _rounded(self.ours),
            "ours_range": _range(self.ours),
            "floor": _rounded(self.floor) if self.is_ratio else None,
            "floor_range": _range(self.floor) if self.is_ratio else None,
            "unit": self.unit,
            "figure": _rounded(self.figure),
            "is_ratio": self.is_ratio,
            "target": self.target,
            "is_least": self.is_least,
            "is_met": self.is_met,
            "note": self.note,
        }


@dataclass(frozen=True, slots=True)
class Series:
    """How one cost grows: medians in ``unit`` over growing numbers of ``of``."""

    name: str
    of: str
    unit: str
    points: Sequence[tuple[int, float]]

    def as_dict(self) -> dict[str, Any]:
        points = [{"x": x, "y": _rounded(y), "range": _range(y)} for x, y in self.points]
        return {"name": self.name, "of": self.of, "unit": self.unit, "points": points}


def _rounded(value: float) -> float:
    """Four digits that mean something."""
    return float(f"{float(value):.4g}")


def _range(value: float) -> list[float] | None:
    return [_rounded(value.low), _rounded(value.high)] if isinstance(value, Median) else None


def taken_in_turn(rounds: int, *measures: Callable[[], float]) -> tuple[Median, ...]:
    """The medians of several measures; in each round every one is taken once, so that all meet the same noise."""
    taken = [[measure() for measure in measures] for _ in range(rounds)]
    return tuple(Median(values) for values in zip(*taken, strict=True))


def interleaved(rounds: int, ours: Callable[[], float], floor: Callable[[], float]) -> tuple[Median, Median]:
    floors, own = taken_in_turn(rounds, floor, ours)
    return own, floors
