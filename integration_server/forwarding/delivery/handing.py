"""One courier at one subscription: parcel after parcel, the next made ready while an answer is awaited.

Receivers mostly take longer to answer than we take to make a parcel ready, so what is left for us between an answer
and the next request is little. Nothing is sent earlier than it may be: see ``Flow.take_ahead``.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from integration_server.forwarding.delivery.parcels import Ending, Outcome, Parcel
from integration_server.forwarding.delivery.route import Ready, Route
from integration_server.sdk.consumers import Delivery, Preparing
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

logger = logging.getLogger(__name__)

#: Of what is shown of an answer.
_RESPONSE_CHARACTERS = 20_000
#: When a parcel could not be handed over for a reason of our own.
_LATER = 0.5
#: What was made ready so long ago is made anew: its timestamp and its secret are no longer those of now.
_FRESH_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Desk:
    """Who has to be told. ``save`` writes a batch down at once, or raises StoreUnavailable, or finds that its route
    counts no more and leaves it unsaved; ``notify`` is told of a route to which something happened, and when it is due
    again; ``settle`` writes down what happened to one that goes step by step, if that can be done now; ``count`` is
    told the consumer type of every try, and how it ended; ``offer`` lets another courier look at a route."""

    clock: Callable[[], float]
    save: Callable[[Route, Parcel], None]
    notify: Callable[[Route, float | None], None]
    settle: Callable[[Route], None]
    count: Callable[[str, str], None]
    offer: Callable[[Route], None]


class Handing:
    """Made for one turn of a courier at a route; ``may_go_on`` tells whether it may take another parcel."""

    def __init__(self, route: Route, desk: Desk, may_go_on: Callable[[], bool]) -> None:
        self._route = route
        self._flow = route.flow
        self._desk = desk
        self._may_go_on = may_go_on
        self._thread = threading.get_ident()
        #: What was taken last, while its successor is on its way already; that is noted while that is waited for.
        self._taken: tuple[Parcel, Outcome, float] | None = None
        #: Step by step: what will come next.
        self._peeked: Ready | None = None
        self._is_waiting = False
        self._waits_since = 0.0

    def run(self) -> bool:
        """Hand over what there is; whether there is more at once."""
        ready = self._first()
        if ready is None:
            return False
        try:
            return self._run(ready)
        finally:
            with self._route.lock:
                self._leave()

    def _run(self, first: Ready) -> bool:
        ready: Ready | None = first
        while ready is not None:
            if not self._is_sendable(ready.parcel):
                return False
            outcome = self._deliver(ready)
            ready, has_more = self._next(ready.parcel, outcome)
            if ready is None:
                return has_more
        return False

    def _first(self) -> Ready | None:
        route, flow = self._route, self._flow
        now = self._desk.clock()
        with route.lock:
            ready = self._ready(now)
            due = route.due(now)
            if ready is not None:
                route.couriers[self] = time.monotonic()
            is_waiting = ready is None and (due is not None or flow.wants_more or flow.wanted_lane() is not None)
        if ready is None:
            # Mostly another courier was quicker, and the pump need not know.
            if is_waiting:
                self._desk.notify(route, due)
            return None
        if due is not None and due <= now and not route.is_quick:
            self._desk.offer(route)
        return ready

    def _ready(self, now: float) -> Ready | None:
        """What may be sent now. Under the route's lock."""
        route, flow = self._route, self._flow
        ahead = route.ahead
        if ahead is None:
            parcel = flow.take(now)
            return None if parcel is None else self._prepared(parcel)
        if flow.has_room():
            route.ahead = None
            return ahead
        return None

    def _prepared(self, parcel: Parcel) -> Ready:
        """With what was made ready of it when it was only likely to come."""
        peeked, self._peeked = self._peeked, None
        if peeked is None or peeked.parcel.sent_id != parcel.sent_id or peeked.parcel.attempt != parcel.attempt:
            return Ready(parcel)
        return Ready(parcel, peeked.at, peeked.send)

    def _is_sendable(self, parcel: Parcel) -> bool:
        """Whether it may be sent; what may not is not handed over any more."""
        may_be_sent = False
        try:
            may_be_sent = self._may_be_sent(parcel)
        finally:
            if not may_be_sent:
                self._put_off(parcel)
        return may_be_sent

    def _may_be_sent(self, parcel: Parcel) -> bool:
        """Whether the lease outlives it, and a batch is written down, to be sent again as it is."""
        if not self._route.is_ours():
            return False
        if parcel.is_batch and not parcel.is_saved:
            try:
                self._desk.save(self._route, parcel)
            except StoreUnavailable:
                return False
        return parcel.is_saved or not parcel.is_batch

    def _put_off(self, parcel: Parcel) -> None:
        now = self._desk.clock()
        with self._route.lock:
            self._flow.cancel(parcel)
            self._leave()
        self._desk.notify(self._route, now + _LATER)

    def _deliver(self, ready: Ready) -> Outcome:
        route = self._route
        at, began = time.time(), time.monotonic()
        self._is_waiting, self._waits_since = True, began
        route.couriers[self] = began
        deadline = Deadline(route.timeout, self._wait)
        try:
            if ready.send is not None and began - ready.at < _FRESH_SECONDS:
                receipt = ready.send(deadline)
            else:
                receipt = route.consumer.deliver(self._delivery(ready.parcel, at), deadline)
            response = receipt.response and receipt.response[:_RESPONSE_CHARACTERS]
        except BaseException as exc:
            # Some that a plugin lets out are no Exception, such as asyncio's CancelledError; they end no thread here.
            return failure(exc, at, time.monotonic() - began, route.id)
        finally:
            self._is_waiting = False
        now = time.monotonic()
        route.note(self._waits_since - began, now - self._waits_since)
        return Outcome(Ending.TAKEN, at, now - began, status=receipt.status, response=response)

    def _delivery(self, parcel: Parcel, now: float) -> Delivery:
        return parcel.delivery(self._route.id, self._route.subscription.active_secrets(now))

    # -- while an answer is awaited ----------------------------------------------------------------------------------

    def _wait(self) -> None:
        """Note what happened to the last parcel, and make the next ready. Once for each, and by the courier itself: a
        plugin's own thread may say it too late."""
        if not self._is_waiting or threading.get_ident() != self._thread:
            return
        self._is_waiting = False
        try:
            self._look_ahead()
        except Exception:
            logger.exception("a courier of %s failed while it waited", self._route.id)
        self._waits_since = time.monotonic()

    def _look_ahead(self) -> None:
        route, flow = self._route, self._flow
        may_go_on = self._may_go_on()
        now = self._desk.clock()
        ready = None
        with route.lock:
            is_news = self._note_taken() or flow.is_pressing
            if may_go_on and flow.is_stepwise:
                if (parcel := flow.peek()) is not None:
                    ready = self._peeked = Ready(parcel)
            elif may_go_on and route.ahead is None and (parcel := flow.take_ahead(now)) is not None:
                ready = route.ahead = Ready(parcel)
        if flow.is_stepwise:
            # The pump would do it, too, with two changes of threads for each event.
            self._desk.settle(route)
            is_news = flow.is_pressing
        if is_news:
            self._desk.notify(route, None)
        consumer = route.consumer
        if ready is not None and isinstance(consumer, Preparing) and (ready.parcel.is_saved or flow.is_stepwise):
            self._prepare(consumer, ready)

    def _prepare(self, consumer: Preparing, ready: Ready) -> None:
        try:
            ready.send = consumer.prepare(self._delivery(ready.parcel, time.time()))
        except (DeliveryError, BackendTimeout, StoreUnavailable):
            return  # It will be raised again when it is delivered.
        except BaseException:
            logger.exception("the consumer of %s cannot make an event ready", self._route.id)
            return
        ready.at = time.monotonic()

    def _note_taken(self) -> bool:
        """Whether that is news for whoever writes it down. Under the route's lock."""
        if self._taken is None:
            return False
        is_news = self._finish(*self._taken)
        self._taken = None
        return is_news

    def _finish(self, parcel: Parcel, outcome: Outcome, now: float) -> bool:
        """Whether that is news for whoever writes it down. Under the route's lock."""
        route = self._route
        self._flow.finish(parcel, outcome, now)
        self._desk.count(route.subscription.type, outcome.ending.value)
        was_dirty, route.is_dirty = route.is_dirty, True
        return not was_dirty

    # -- when it came ------------------------------------------------------------------------------------------------

    def _next(self, parcel: Parcel, outcome: Outcome) -> tuple[Ready | None, bool]:
        """What to send now, or None and whether there is more."""
        route, flow = self._route, self._flow
        now = self._desk.clock()
        with route.lock:
            is_spare = route.is_spare(self, time.monotonic())
            if is_spare:
                # At once: of two that could be spared, one stays.
                del route.couriers[self]
            elif (ahead := self._at_once(outcome)) is not None:
                self._taken = parcel, outcome, now
                return ahead, True
            is_news = self._note_taken()
            is_news = self._finish(parcel, outcome, now) or is_news
        if flow.is_stepwise and flow.must_settle:
            self._desk.settle(route)
        with route.lock:
            # What came of it may be that the route counts in another class now.
            ready = self._ready(now) if not is_spare and self._may_go_on() else None
            due = None
            if ready is None:
                self._leave()
                due = route.due(now)
            is_news = is_news and not flow.is_stepwise
            is_news = is_news or flow.is_pressing or (ready is None and due is None)
        if flow.is_stepwise and ready is None:
            self._desk.settle(route)
        has_more = due is not None and due <= now
        if is_news or (ready is None and not has_more):
            self._desk.notify(route, due)
        return ready, has_more and not is_spare

    def _at_once(self, outcome: Outcome) -> Ready | None:
        """What is ready to go out before anything else is done, once it was taken. Under the route's lock."""
        route = self._route
        if outcome.ending is not Ending.TAKEN or self._taken is not None or route.ahead is None:
            return None
        if not self._may_go_on() or not self._flow.has_room(done=1):
            return None
        ahead, route.ahead = route.ahead, None
        return ahead

    def _leave(self) -> None:
        """Leave nothing behind that nobody may come for. Under the route's lock."""
        route = self._route
        if route.couriers.pop(self, None) is None:
            return
        self._note_taken()
        ahead, route.ahead = route.ahead, None
        if ahead is not None:
            self._flow.cancel(ahead.parcel)


def failure(exc: BaseException, at: float, seconds: float, subscription_id: str) -> Outcome:
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
