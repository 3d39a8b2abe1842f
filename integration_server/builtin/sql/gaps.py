"""Numbers of a sequence that were passed by: they belong to transactions that are still running, or to none.

A database hands out sequence numbers when a row is written, and shows the row when its transaction ends: number 6 may
be seen before number 5. A reader that moved on to 6 for good would miss 5. So each number that is missing is looked
for again, until the transaction that may hold it is certainly over. Pure: no I/O, no clock.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

#: More ranges than this are not watched; the oldest are let go, and what they may bring waits for a comparison.
MOST = 300


@dataclass(frozen=True, slots=True)
class Gap:
    """Missing numbers from ``first`` to ``last``.

    ``fence``: the number of the first transaction that began after the gap was seen, where the database tells.
    """

    first: int
    last: int
    fence: int | None = None

    def without(self, numbers: Sequence[int]) -> Iterator[Gap]:
        """What is left when these of its numbers, in order, are there."""
        first = self.first
        for number in numbers:
            if number > first:
                yield Gap(first, number - 1, self.fence)
            first = number + 1
        if first <= self.last:
            yield Gap(first, self.last, self.fence)


def between(after: int, numbers: Iterable[int], fence: int | None) -> Iterator[Gap]:
    """The gaps in increasing numbers that follow ``after``."""
    expected = after + 1
    for number in numbers:
        if number > expected:
            yield Gap(expected, number - 1, fence)
        expected = number + 1


def remaining(gaps: Iterable[Gap], numbers: Sequence[int]) -> Iterator[Gap]:
    """The gaps without numbers that have shown up."""
    for gap in gaps:
        inside = sorted(number for number in numbers if gap.first <= number <= gap.last)
        yield from gap.without(inside)
