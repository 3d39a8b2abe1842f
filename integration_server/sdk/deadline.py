"""Time limits that hold even where a library's own time-outs do not (they count per read, not per call)."""

from __future__ import annotations

import heapq
import itertools
import logging
import threading
import time
from collections.abc import Callable
from typing import Literal

from integration_server.sdk.errors import BackendTimeout

logger = logging.getLogger(__name__)

#: Seconds; the platform's clock refuses to wait for a thousand years, and the thread must not end over it.
_LONGEST_WAIT = 3600.0
#: So many calls that are over may stay in the heap, beside as many as there are others.
_SPARE_ENTRIES = 64
#: To read an answer that came while its deadline was held, and to look again whether it still is.
_READING_SECONDS = 1.0
_HELD_SECONDS = 0.1


class Deadline:
    """A moment by which an answer is due, measured on the monotonic clock."""

    __slots__ = ("_at", "_is_held", "_meanwhile", "_seconds")

    def __init__(self, seconds: float, meanwhile: Callable[[], object] | None = None) -> None:
        """``meanwhile`` is what whoever wants the answer has to do until it comes; see ``wait_begins``."""
        self._seconds = seconds
        self._at = time.monotonic() + seconds
        self._meanwhile = meanwhile
        self._is_held = False

    @property
    def at(self) -> float:
        """The moment, in seconds of ``time.monotonic()``."""
        return self._at

    def left(self, now: float) -> float:
        """Seconds from ``now`` until a call may be over: not before what is done meanwhile has ended."""
        return max(self._at - now, _HELD_SECONDS) if self._is_held else self._at - now

    def is_over(self) -> bool:
        return time.monotonic() >= self._at

    def remaining(self) -> float:
        """Seconds left, always above 0. Raises BackendTimeout when none are."""
        left = self._at - time.monotonic()
        if left <= 0:
            raise BackendTimeout(f"no answer within {self._seconds:g} s")
        return left

    def wait_begins(self) -> None:
        """Said by whoever has sent a request and would now wait for the answer: the time is used. Never fails.

        Where that takes longer than the answer has left, such as for a store that is locked, the other side is not to
        blame: what it sent meanwhile can still be read."""
        if self._meanwhile is None:
            return
        began = time.monotonic()
        self._is_held = True
        try:
            self._meanwhile()
        finally:
            now = time.monotonic()
            self._at = max(self._at, now + min(now - began, _READING_SECONDS))
            self._is_held = False

    def sooner(self, seconds: float) -> Deadline:
        """This deadline, or one in ``seconds`` where that comes first."""
        other = Deadline(seconds, self._meanwhile)
        return other if other._at < self._at else self


class _Guard:
    """What ``Watchdog.guard`` gives. A class, since a generator would take three times as long in every login."""

    __slots__ = ("_armed", "_deadline", "_watchdog")

    def __init__(self, watchdog: Watchdog, deadline: Deadline, cancel: Callable[[], object]) -> None:
        self._watchdog = watchdog
        self._deadline = deadline
        self._armed = [cancel]

    def __enter__(self) -> None:
        self._watchdog._arm(self._deadline, self._armed)

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: object
    ) -> Literal[False]:
        if not self._watchdog._disarm(self._armed) and (exc is None or isinstance(exc, Exception)):
            raise BackendTimeout("no answer within the time limit; the call was cancelled") from exc
        return False


class Watchdog:
    """Calls ``cancel`` for work that overruns its deadline: one daemon thread for all calls, started when needed.

    ``cancel`` must be quick and safe from another thread, such as shutting a socket down or ``sqlite3``'s
    ``interrupt``; the call that waits on it then fails by itself.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._condition = threading.Condition(self._lock)
        self._heap: list[tuple[float, int, list[Callable[[], object]], Deadline]] = []
        self._disarmed = 0
        self._tickets = itertools.count()
        self._thread: threading.Thread | None = None

    def guard(self, deadline: Deadline, cancel: Callable[[], object]) -> _Guard:
        """Run the body; when ``deadline`` passes before it ends, call ``cancel`` once.

        Raises BackendTimeout in place of whatever the cancelled call raised or returned: some libraries end quietly,
        with half an answer, when their connection is shut down.
        """
        return _Guard(self, deadline, cancel)

    def _arm(self, deadline: Deadline, armed: list[Callable[[], object]]) -> None:
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="watchdog", daemon=True)
                self._thread.start()
            entry = (deadline.at, next(self._tickets), armed, deadline)
            heapq.heappush(self._heap, entry)
            if self._heap[0] is entry:
                self._condition.notify()

    def _disarm(self, armed: list[Callable[[], object]]) -> bool:
        """Whether the call was still running free; afterwards it can no longer be cancelled."""
        with self._lock:
            was_armed = bool(armed)
            if was_armed:
                armed.clear()
                self._disarmed += 1
                # Calls are many and short, deadlines are long: what is over must not pile up until its deadline.
                if self._disarmed > _SPARE_ENTRIES + len(self._heap) // 2:
                    self._heap = [entry for entry in self._heap if entry[2]]
                    heapq.heapify(self._heap)
                    self._disarmed = 0
            return was_armed

    def _run(self) -> None:
        while True:
            with self._condition:
                while self._heap and not self._heap[0][2]:
                    heapq.heappop(self._heap)
                    self._disarmed -= 1
                if not self._heap:
                    self._condition.wait()
                    continue
                wait = self._heap[0][0] - time.monotonic()
                if wait > 0:
                    self._condition.wait(min(wait, _LONGEST_WAIT))
                    continue
                _, ticket, armed, deadline = heapq.heappop(self._heap)
                now = time.monotonic()
                if (left := deadline.left(now)) > 0:
                    heapq.heappush(self._heap, (now + left, ticket, armed, deadline))
                    continue
                # Called under the lock: once the guarded body has left, its connection may serve somebody else.
                for cancel in armed[:]:
                    armed.clear()
                    try:
                        cancel()
                    except Exception:
                        logger.warning("could not cancel an overdue backend call", exc_info=True)
