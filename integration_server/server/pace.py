"""Which requests are over in a moment, told by how the last ones on the same path went."""

from __future__ import annotations

import os
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple

#: So many requests of a path are measured before it is said how they are, and so many may be slow.
SAMPLE = 8
MOST_SLOW = 3

#: The part of its time for which a quick one computes: of others, several had better wait side by side.
LEAST_COMPUTING = 0.5

#: A quick one is over by then. Where Windows runs, it tells alone: a thread's time is counted in ticks of 16 ms there.
QUICK_SECONDS = 0.002 if sys.platform == "win32" else 0.01

#: One that takes so long counts for all: it waits for something to happen.
ENDLESS_SECONDS = 1.0

#: How long it is believed afterwards. To measure takes some microseconds.
TRUST_SECONDS = 0.2

#: How long a path rests that was not quick; twice as long each time, as that may be how it is.
FIRST_REST_SECONDS = 1.0
LONGEST_REST_SECONDS = 32.0

#: Paths that are remembered. Whoever makes up more of them only has it learned anew.
MOST_PATHS = 256


class Taken(NamedTuple):
    """Seconds that passed, those for which the thread computed, and those for which it was ready to, but others had the
    processors."""

    passed: float
    computed: float
    delayed: float


class Stopwatch:
    """What the thread that makes it has done since. Linux alone tells of delays; elsewhere there seem to be none."""

    def __init__(self) -> None:
        self._delays: int | None = None
        with suppress(OSError):
            self._delays = os.open(f"/proc/self/task/{threading.get_native_id()}/schedstat", os.O_RDONLY)
        self._began = self._now()

    def start(self) -> None:
        self._began = self._now()

    def stop(self) -> Taken:
        """What has passed since ``start``."""
        return Taken(*[now - began for began, now in zip(self._began, self._now(), strict=True)])

    def close(self) -> None:
        if self._delays is not None:
            os.close(self._delays)

    def _now(self) -> Taken:
        delayed = 0.0
        if sys.platform != "win32" and self._delays is not None:
            delayed = int(os.pread(self._delays, 64, 0).split()[1]) * 1e-9
        return Taken(time.perf_counter(), time.thread_time(), delayed)


@dataclass(slots=True)
class Habit:
    """How requests of one path go. Times are of one monotonic clock. For one thread at a time.

    Quick is what computes for a moment. What waits for somebody else, or takes long, is not, and rests for a while. Of
    a new path it is taken for granted.
    """

    _rests_until: float = 0.0
    _trusted_until: float = 0.0
    _rest: float = FIRST_REST_SECONDS
    _measured: int = 0
    _slow: int = 0

    def is_quick(self, now: float) -> bool:
        return now >= self._rests_until

    def is_certain(self, now: float) -> bool:
        """Whether it need not be measured."""
        return now < self._trusted_until

    def begun(self) -> Habit:
        """Another one, which rests for as long as this one does."""
        return Habit(self._rests_until)

    def doubt(self) -> None:
        """Have the next ones measured."""
        self._trusted_until = 0.0

    def note(self, taken: Taken, now: float) -> None:
        """One was measured. One among many may be slow; that others had the processors says nothing about it."""
        passed = taken.passed - taken.delayed
        self._measured += 1
        if passed >= ENDLESS_SECONDS:
            self._slow += SAMPLE
        elif passed >= QUICK_SECONDS or (sys.platform != "win32" and taken.computed < LEAST_COMPUTING * passed):
            self._slow += 1
        if self._slow > MOST_SLOW:
            self._rests_until = now + self._rest
            self._rest = min(2 * self._rest, LONGEST_REST_SECONDS)
            self._measured = self._slow = 0
        elif self._measured >= SAMPLE:
            self._trusted_until = now + TRUST_SECONDS
            self._rest = FIRST_REST_SECONDS
            self._measured = self._slow = 0


class Pace:
    """The habits of all paths.

    First requests have one habit together, and a path begins with their rest: else requests that wait, each on a path
    that nobody has seen, would wait one after the other.
    """

    def __init__(self) -> None:
        self._habits: dict[str, Habit] = {}
        self._strangers = Habit()

    def of(self, path: str) -> Habit:
        """How the next request of a path is going to be judged."""
        found = self._habits.get(path)
        if found is None:
            if len(self._habits) >= MOST_PATHS:
                self._habits.clear()
            self._habits[path] = self._strangers.begun()
            found = self._strangers
        return found
