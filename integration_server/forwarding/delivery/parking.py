"""Lanes of one flow that wait for a moment, and lanes whose rows are wanted from the store. Pure."""

from __future__ import annotations

import heapq
import itertools
import math
from collections import deque
from collections.abc import Iterable

from integration_server.forwarding.delivery.lanes import Lane
from integration_server.forwarding.delivery.retry import is_due


class Parking:
    """``count`` lanes wait for a moment; one that is dead waits for a person, and is not among them."""

    def __init__(self) -> None:
        self.count = 0
        self._heap: list[tuple[float, int, Lane]] = []
        self._tickets = itertools.count()
        self._wanted: deque[Lane] = deque()

    def park(self, lane: Lane, until: float) -> None:
        lane.until = until
        self.count += 1
        heapq.heappush(self._heap, (until, next(self._tickets), lane))

    def unpark(self, lane: Lane) -> None:
        if lane.until is not None and lane.until != math.inf:
            self.count -= 1
        lane.until = None

    def first_at(self) -> float | None:
        """When the first of them is to be woken."""
        while self._heap and self._heap[0][2].until != self._heap[0][0]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def wake(self, now: float) -> None:
        """Ask for the lanes whose time has come."""
        while (at := self.first_at()) is not None and is_due(at, now):
            self.wake_first()

    def wake_first(self) -> None:
        """Ask for the lane that would be woken next."""
        lane = heapq.heappop(self._heap)[2]
        self.unpark(lane)
        self.want(lane)

    def want(self, lane: Lane) -> None:
        """Its rows are to be loaded."""
        if not lane.is_wanted:
            lane.is_wanted = True
            self._wanted.append(lane)

    def unwant(self, lane: Lane) -> None:
        if lane.is_wanted:
            lane.is_wanted = False
            self._wanted.remove(lane)

    def wanted(self) -> Lane | None:
        """The lane that asked first."""
        return self._wanted[0] if self._wanted else None

    def shift(self, seconds: float, lanes: Iterable[Lane]) -> None:
        """The clock was set forward by so much."""
        for lane in lanes:
            if lane.until is not None:
                lane.until += seconds
        self._heap = [(until + seconds, ticket, lane) for until, ticket, lane in self._heap]
