"""The clerk: one thread that does the store's work for all sockets, so that the loop never waits for it.

What came meanwhile is done together: ten thousand acknowledgements are a handful of transactions.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Generic, TypeVar

from integration_server import StoreUnavailable
from integration_server.builtin.push.bonds import Mark
from integration_server.builtin.push.first_api import Ack
from integration_server.builtin.push.letters import Hello, Registration
from integration_server.builtin.push.office import PostOffice
from integration_server.builtin.push.session import Collect, Job, Received, Removal, Result
from integration_server.builtin.push.versions import Update

logger = logging.getLogger(__name__)

#: So long a version may take from the process that took it to this one.
POLL_SECONDS = 0.2
#: So long whoever was greeted may take until they count as connected, where the loop has much to do.
_MEETING_SECONDS = 10.0
#: Pieces of work in one transaction.
_AT_ONCE = 1000
_SLOW_AT_ONCE = 10
#: Changes that are read at once.
_CHANGES = 1000
_PRUNE_SECONDS = 600.0
_FIRST_PRUNE_SECONDS = 60.0
_TOUCH_SECONDS = 900.0
_COMPLAIN_SECONDS = 60.0

C = TypeVar("C")


@dataclass(frozen=True, slots=True)
class Work(Generic[C]):
    """Something to be done for a connection."""

    connection: C
    job: Job


class Clerk(Generic[C]):
    """``answer`` gets what was done, with results; ``tell`` what waits for user agents that ``connected`` names, and
    whether it may be told once more. All three are called in the clerk's thread. ``reads_all``: also what waits for
    those who are not connected. Without ``tell`` it does nothing but its work, which may be slow."""

    def __init__(
        self,
        office: PostOffice,
        answer: Callable[[Sequence[tuple[Work[C], Result]]], None],
        tell: Callable[[Update, bool], None] | None,
        connected: Callable[[], Sequence[str]],
        reads_all: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._office = office
        self._answer = answer
        self._tell = tell
        self._connected = connected
        self._reads_all = reads_all
        self._at_once = _AT_ONCE if tell is not None else _SLOW_AT_ONCE
        self._clock = clock
        self._condition = threading.Condition()
        self._waiting: list[Work[C]] = []
        self._is_stopping = False
        self._seen: int | None = None
        self._mark: Mark | None = None
        self._prune_at = clock() + _FIRST_PRUNE_SECONDS
        self._touch_at = clock() + _TOUCH_SECONDS
        self._complain_at = 0.0
        self._met_at = -math.inf
        self._thread = threading.Thread(target=self._run, name="push clerk", daemon=True)

    def start(self) -> None:
        """Begin, once. Raises StoreUnavailable."""
        if self._reads_all:
            # Whoever asks what waits once this has returned, and hears of changes from here, misses nothing.
            self._seen = self._office.last_change()
        self._thread.start()

    def stop(self, timeout: float) -> None:
        """End after the work that is begun."""
        with self._condition:
            self._is_stopping = True
            self._condition.notify()
        if self._thread.ident is not None:
            self._thread.join(timeout)

    def take(self, work: Work[C]) -> None:
        """Have something done soon."""
        with self._condition:
            self._waiting.append(work)
            if len(self._waiting) == 1:
                self._condition.notify()

    def _run(self) -> None:
        while True:
            with self._condition:
                if not self._waiting and not self._is_stopping:
                    self._condition.wait(POLL_SECONDS)
                if self._is_stopping:
                    return
                waiting, self._waiting = self._waiting, []
            try:
                if waiting:
                    self._expect()
                for start in range(0, len(waiting), self._at_once):
                    self._answer(self._done(waiting[start : start + self._at_once]))
                if self._tell is not None:
                    self._look(self._tell)
            except StoreUnavailable as exc:
                self._complain(exc)
            except Exception:
                logger.exception("the clerk of the push server failed and goes on")

    def _expect(self) -> None:
        """Somebody will be connected who is not yet: what comes once it was read what waits for them is news."""
        self._met_at = self._clock()
        if self._tell is not None and self._seen is None:
            self._seen = self._office.last_change()

    # -- work --------------------------------------------------------------------------------------------------------

    def _done(self, waiting: Sequence[Work[C]]) -> list[tuple[Work[C], Result]]:
        """Each kind together. Of one connection's work, only registrations and removals must keep their order."""
        order = sorted(waiting, key=lambda work: _ORDER[type(work.job)])
        done: list[tuple[Work[C], Result]] = []
        for kind, group in groupby(order, key=lambda work: type(work.job)):
            works = list(group)
            try:
                results = self._results(kind, [work.job for work in works])
            except StoreUnavailable as exc:
                self._complain(exc)
                results = [exc] * len(works)
            done += zip(works, results, strict=True)
        return done

    def _results(self, kind: type[Job], jobs: Sequence[Any]) -> Sequence[Result]:
        office = self._office
        if kind is Hello:
            return office.greet(jobs)
        if kind is Registration:
            return self._registered(jobs)
        if kind is Collect:
            return [office.collect(job.uaids) for job in jobs]
        if kind is Removal:
            for job in jobs:
                if job.channel is None:
                    office.purge(job.uaid)
            office.unregister([(job.uaid, job.channel) for job in jobs if job.channel is not None])
        elif kind is Received:
            office.acknowledge(
                (job.uaid, channel, version) for job in jobs for channel, version in job.versions.items()
            )
        elif kind is Ack:
            received: Update = {}
            for uaid, versions in (named for job in jobs for named in job.received.items()):
                known = received.setdefault(uaid, {})
                known.update({one: max(version, known.get(one, -1)) for one, version in versions.items()})
            office.confirm([uaid for job in jobs for uaid in job.uaids], received)
        return [None] * len(jobs)

    def _registered(self, jobs: Sequence[Registration]) -> Sequence[Result]:
        plain, bound = ([job for job in jobs if (job.bond is None) == is_plain] for is_plain in (True, False))
        registered = iter(self._office.register(plain) if plain else ())
        attached = iter(self._office.bind(bound) if bound else ())
        return [next(registered) if job.bond is None else next(attached) for job in jobs]

    # -- what is to be done now and then -----------------------------------------------------------------------------

    def _look(self, tell: Callable[[Update, bool], None]) -> None:
        self._read_changes(tell)
        self._read_bound(tell)
        now = self._clock()
        if now >= self._prune_at:
            self._prune_at = now + _PRUNE_SECONDS
            self._office.prune()
        if now >= self._touch_at:
            self._touch_at = now + _TOUCH_SECONDS
            if connected := self._connected():
                self._office.touch(connected)

    def _read_changes(self, tell: Callable[[Update, bool], None]) -> None:
        """Where others took versions for our clients. What was read when somebody was greeted is no change after that:
        both are done in this thread, in turn."""
        last = self._office.last_change()
        is_met = self._clock() - self._met_at < _MEETING_SECONDS
        if self._seen is None or not (self._reads_all or is_met or self._connected()):
            self._seen = last
        while self._seen < last:
            up_to = min(last, self._seen + _CHANGES)
            if found := self._office.changes(self._seen, up_to):
                tell(found, False)
            self._seen = up_to

    def _read_bound(self, tell: Callable[[Update, bool], None]) -> None:
        """What something in the directory touched. Here somebody may have what is told again: it was replayed."""
        now = self._office.mark()
        before, self._mark = self._mark, now
        if before is None or before == now:
            return
        try:
            found = self._office.bound_changes(before)
        except BaseException:
            self._mark = before
            raise
        if found:
            tell(found, True)

    def _complain(self, exc: StoreUnavailable) -> None:
        now = self._clock()
        if now >= self._complain_at:
            self._complain_at = now + _COMPLAIN_SECONDS
            logger.error("the push server cannot use its store: %s", exc)


_ORDER: dict[type, int] = {Hello: 0, Registration: 1, Removal: 1, Received: 2, Ack: 3, Collect: 4}
