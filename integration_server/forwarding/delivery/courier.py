"""The threads that hand parcels over."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator

from integration_server.forwarding.delivery.handing import Desk, Handing
from integration_server.forwarding.delivery.parcels import Parcel
from integration_server.forwarding.delivery.route import Route

logger = logging.getLogger(__name__)

#: A thread that had nothing to do for so long ends.
_IDLE_SECONDS = 30.0


class _Class:
    """Receivers that are equally trustworthy: how many may be served at one time, how many are, and who waits.

    Those of one owner leave a quarter to others: whoever subscribes a hundred receivers that hang must not keep other
    owners' new ones waiting.
    """

    def __init__(self, most: int, is_shared: bool = True) -> None:
        self.most = most
        self.most_of_one = most - max(1, most // 4) if is_shared and most > 1 else most
        self.count = 0
        self.benched: deque[Route] = deque()
        self._owners: Counter[str] = Counter()

    def enter(self, route: Route) -> bool:
        """Whether it may be served now; otherwise it waits."""
        owner = route.subscription.owner
        if self.count >= self.most or self._owners[owner] >= self.most_of_one:
            self.benched.append(route)
            return False
        self.count += 1
        self._owners[owner] += 1
        return True

    def leave(self, route: Route) -> Iterator[Route]:
        """It was served; those who waited, to be looked at again."""
        self.count -= 1
        self._owners[route.subscription.owner] -= 1
        while self.benched:
            yield self.benched.popleft()


class Couriers:
    """Up to ``workers`` threads, started when there is something to do.

    At most half of them serve receivers that have taken nothing since they were started or last failed, and at most a
    quarter receivers at rest: however many of those hang, the others are served.
    """

    def __init__(
        self,
        workers: int,
        clock: Callable[[], float],
        save: Callable[[Route, Parcel], None],
        notify: Callable[[Route, float | None], None],
        settle: Callable[[Route], None],
        count: Callable[[str, str], None],
    ) -> None:
        """For ``clock`` to ``count`` see Desk."""
        self._workers = workers
        proven = _Class(workers, is_shared=False)
        self._classes = (proven, _Class(max(1, workers // 2)), _Class(max(1, workers // 4)))
        self._desk = Desk(clock, save, notify, settle, count, self.offer)
        self._condition = threading.Condition()
        self._queue: deque[Route] = deque()
        self._threads: set[threading.Thread] = set()
        self._idle = 0
        self._is_stopping = False

    def offer(self, route: Route) -> None:
        """There may be something to hand over."""
        with self._condition:
            if route.is_queued or self._is_stopping:
                return
            route.is_queued = True
            self._queue.append(route)
            # Threads that were woken and have not run yet still count as idle, and so do their routes.
            if self._idle >= len(self._queue):
                self._condition.notify()
            elif len(self._threads) < self._workers:
                thread = threading.Thread(target=self._run, name="courier", daemon=True)
                self._threads.add(thread)
                thread.start()

    def stop(self, timeout: float) -> bool:
        """End the threads; whether all of them ended in time."""
        with self._condition:
            self._is_stopping = True
            self._queue.clear()
            for some in self._classes:
                some.benched.clear()
            self._condition.notify_all()
            threads = list(self._threads)
        until = time.monotonic() + timeout
        for thread in threads:
            thread.join(max(0.0, until - time.monotonic()))
        return not any(thread.is_alive() for thread in threads)

    def _run(self) -> None:
        last: Route | None = None
        own, has_more = self._classes[0], False
        while (found := self._next(last, own, has_more)) is not None:
            last, own = found
            try:
                has_more = Handing(last, self._desk, self._going_on(last, own)).run()
            except Exception:
                logger.exception("a courier of %s failed", last.id)
                has_more = False

    def _next(self, last: Route | None, own: _Class, has_more: bool) -> tuple[Route, _Class] | None:
        """Put back what was served, and wait for the next, with the class that it counts in."""
        with self._condition:
            if last is not None:
                self._queue.extend(own.leave(last))
            if last is not None and has_more and not last.is_queued and not self._is_stopping:
                last.is_queued = True
                self._queue.append(last)
            while not self._is_stopping:
                found = self._pop()
                if found is not None:
                    return found
                self._idle += 1
                is_woken = self._condition.wait(_IDLE_SECONDS)
                self._idle -= 1
                if not is_woken and not self._queue:
                    break
            self._threads.discard(threading.current_thread())
            return None

    def _pop(self) -> tuple[Route, _Class] | None:
        while self._queue:
            route = self._queue.popleft()
            own = self._classes[_class_number(route)]
            if own.enter(route):
                route.is_queued = False
                return route, own
        return None

    def _going_on(self, route: Route, own: _Class) -> Callable[[], bool]:
        """Whether a route may be served once more while it is being served: nobody waits for a courier, nor for the
        place that it takes up."""
        classes, queue, benched = self._classes, self._queue, own.benched
        return lambda: not (queue or benched or self._is_stopping) and classes[_class_number(route)] is own


def _class_number(route: Route) -> int:
    health = route.flow.health
    return 0 if health.is_proven else 2 if health.is_resting else 1
