"""The threads that hand parcels over."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator

from integration_server.forwarding.delivery.flow import Flow
from integration_server.forwarding.delivery.parcels import Ending, Outcome, Parcel
from integration_server.sdk.consumers import Consumer
from integration_server.sdk.deadline import Deadline
from integration_server.sdk.errors import (
    BackendTimeout,
    ConsumerGone,
    ConsumerUnavailable,
    DeliveryBlocked,
    DeliveryError,
    DeliveryFailed,
    DeliveryRefused,
    StoreUnavailable,
)
from integration_server.store.subscriptions import Subscription

logger = logging.getLogger(__name__)

#: A thread that had nothing to do for so long ends.
_IDLE_SECONDS = 30.0
#: Of what is shown of an answer.
_RESPONSE_CHARACTERS = 20_000
#: When a parcel could not be handed over for a reason of our own.
_LATER = 0.5
#: (name, owner, fence) of a lease.
LeaseKey = tuple[str, str, int]


class Route:
    """One subscription with everything that is needed to deliver: its flow, its consumer, its lease.

    ``lock`` guards the flow. ``lease_until`` (monotonic seconds) is None where there are no leases.
    """

    def __init__(self, subscription: Subscription, flow: Flow, consumer: Consumer, timeout: float) -> None:
        self.subscription = subscription
        self.flow = flow
        self.consumer = consumer
        self.timeout = timeout
        self.lock = threading.Lock()
        self.lease: LeaseKey | None = None
        self.lease_until: float | None = None
        self.is_dirty = False
        self.is_queued = False
        self.attempts = 0
        #: The state of the receiver that the log knows of.
        self.told_state = subscription.state

    @property
    def id(self) -> str:
        return self.subscription.id

    @property
    def name(self) -> str:
        """What people call it."""
        return self.subscription.uid or self.subscription.id

    def is_ours(self) -> bool:
        """Whether the lease outlives a request that begins now."""
        return self.lease_until is None or time.monotonic() + self.timeout < self.lease_until


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
        """``save`` writes a batch down at once, or raises StoreUnavailable, or finds that its route counts no more and
        leaves it unsaved; ``notify`` is told of a route to which something happened, and when it is due again;
        ``settle`` writes down what happened to one that goes step by step, if that can be done now; ``count`` is told
        the consumer type of every try, and how it ended."""
        self._workers = workers
        proven = _Class(workers, is_shared=False)
        self._classes = (proven, _Class(max(1, workers // 2)), _Class(max(1, workers // 4)))
        self._clock = clock
        self._save = save
        self._notify = notify
        self._settle = settle
        self._count = count
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
                has_more = self._serve(last)
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
            health = route.flow.health
            own = self._classes[0 if health.is_proven else 2 if health.is_resting else 1]
            if own.enter(route):
                route.is_queued = False
                return route, own
        return None

    def _serve(self, route: Route) -> bool:
        """Hand one parcel over; whether there is more at once."""
        flow = route.flow
        now = self._clock()
        with route.lock:
            parcel = flow.take(now)
            due = flow.due(now)
            is_waiting = parcel is None and (due is not None or flow.wanted_lane() is not None)
        if parcel is None:
            # Mostly another courier was quicker, and the pump need not know.
            if is_waiting:
                self._notify(route, due)
            return False
        if due is not None and due <= now:
            self.offer(route)
        if not self._is_ready(route, parcel):
            with route.lock:
                flow.cancel(parcel)
            self._notify(route, now + _LATER)
            return False
        outcome = self._deliver(route, parcel)
        self._count(route.subscription.type, outcome.ending.value)
        now = self._clock()
        with route.lock:
            flow.finish(parcel, outcome, now)
            is_news, route.is_dirty = not route.is_dirty, True
        if flow.is_stepwise:
            # Nothing else may be sent before; the pump would do it, too, with two changes of threads for each event.
            self._settle(route)
            is_news = False
        with route.lock:
            due = flow.due(now)
            is_news = is_news or flow.is_pressing or due is None
        has_more = due is not None and due <= now
        if is_news or not has_more:
            self._notify(route, due)
        return has_more

    def _is_ready(self, route: Route, parcel: Parcel) -> bool:
        """Whether it may be sent: the lease outlives it, and a batch is written down, to be sent again as it is."""
        if not route.is_ours():
            return False
        if parcel.is_batch and not parcel.is_saved:
            try:
                self._save(route, parcel)
            except StoreUnavailable:
                return False
        return parcel.is_saved or not parcel.is_batch

    def _deliver(self, route: Route, parcel: Parcel) -> Outcome:
        at, began = time.time(), time.monotonic()
        delivery = parcel.delivery(route.id, route.subscription.active_secrets(at))
        try:
            receipt = route.consumer.deliver(delivery, Deadline(route.timeout))
        except Exception as exc:
            return failure(exc, at, time.monotonic() - began, route.id)
        response = receipt.response
        return Outcome(
            Ending.TAKEN,
            at,
            time.monotonic() - began,
            status=receipt.status,
            response=response and response[:_RESPONSE_CHARACTERS],
        )


def failure(exc: Exception, at: float, seconds: float, subscription_id: str) -> Outcome:
    """What a consumer raised, as an outcome."""
    ending = Ending.FAILED
    retry_after = exc.retry_after if isinstance(exc, DeliveryFailed) else None
    if isinstance(exc, (ConsumerUnavailable, BackendTimeout)):
        ending = Ending.UNAVAILABLE
    elif isinstance(exc, DeliveryBlocked):
        ending = Ending.BLOCKED
    elif isinstance(exc, DeliveryRefused):
        ending = Ending.REFUSED
    elif isinstance(exc, ConsumerGone):
        ending = Ending.GONE
    if not isinstance(exc, (DeliveryError, BackendTimeout)):
        logger.error("the consumer of %s failed in a way that it should not", subscription_id, exc_info=exc)
        return Outcome(ending, at, seconds, error=f"{type(exc).__name__} in the consumer")
    status = exc.status if isinstance(exc, DeliveryError) else None
    response = exc.response if isinstance(exc, DeliveryError) else None
    cut = response and response[:_RESPONSE_CHARACTERS]
    return Outcome(ending, at, seconds, str(exc), status, cut, retry_after)
