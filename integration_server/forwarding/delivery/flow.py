"""What one subscription is handed next: a state machine without I/O, clock or lock of its own.

Whoever drives it feeds it events in order, takes parcels from it, says how each went, and writes down what it collects.
It keeps these rules:

- Of one lane, nothing is handed over before what came earlier is taken, refused by a person, or merged into it.
- Whatever is handed over and not yet written down fits into the window (``ledger.WINDOW`` events, or
  ``ledger.BATCH_WINDOW`` batches; two of either where everything is one lane). After a crash these, and no others, come
  again, with the same ids and in order.
- A failed event holds its lane only. Where the receiver as a whole fails, everything rests, and one probe at a time
  finds out when it is back; that uses up no tries.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from integration_server.forwarding.delivery.health import Health
from integration_server.forwarding.delivery.intake import Intake
from integration_server.forwarding.delivery.ledger import BATCH_WINDOW, STEPWISE_WINDOW, WINDOW, Draft
from integration_server.forwarding.delivery.parcels import Ending, Outcome, Parcel
from integration_server.forwarding.delivery.probing import Probing
from integration_server.forwarding.delivery.retry import ENDLESS_SCHEDULE, SCHEDULE, Random, is_due, pause_after
from integration_server.store.settlements import Members
from integration_server.store.subscriptions import Subscription

#: More lanes that wait for another try, and it is the receiver that is ill.
MOST_PARKED = 1000
#: A batch that failed so often is sent in halves.
BATCH_TRIES = 3
BATCH_PAUSE = 5.0
#: Batches that are made up before their turn, beside the one that is handed over.
BATCHES_AHEAD = 11
#: What is about the event, and shows that its receiver is there.
_ANSWERS = frozenset({Ending.REFUSED, Ending.BLOCKED})


class Flow(Intake):
    """One subscription. Used under one lock, the driver's."""

    def __init__(
        self,
        subscription: Subscription,
        health: Health,
        connections: int,
        random: Random,
        known: Mapping[str, str] | None = None,
        done_batches: Mapping[str, Members] | None = None,
        is_one_lane: bool = False,
        gives_up: bool = True,
        ends_for_good: bool = False,
    ) -> None:
        """``known`` and ``done_batches``: see Ledger; ``is_one_lane``: everything stays in one order; for ``gives_up``
        and ``ends_for_good`` see Consumer."""
        super().__init__(subscription, health, known or {}, done_batches or {}, is_one_lane)
        self.notices: list[tuple[str, dict[str, object]]] = []
        self._connections = connections
        self._random = random
        self._gives_up = gives_up
        self._ends_for_good = ends_for_good
        self._is_batching = subscription.batch_size > 1
        self._window = STEPWISE_WINDOW if is_one_lane else BATCH_WINDOW if self._is_batching else WINDOW
        self._probing = Probing()
        self._next_send_at = 0.0

    # -- handing over ------------------------------------------------------------------------------------------------

    def due(self, now: float) -> float | None:
        """When ``take`` may have something: ``now`` for at once, None where time alone changes nothing."""
        if self.is_closing or not self.is_primed or self.health.state == "ended":
            return None
        if self.health.is_resting:
            if self.in_flight or not (self._returned or self._parking.count or self._is_ready):
                return None
            return now if self.health.is_probe_due(now) else self.health.next_probe_at
        return None if self._is_full() else self._first_due(now)

    def _first_due(self, now: float) -> float | None:
        """The same, however much is handed over already."""
        if not self._returned and not self._parking.count:
            return max(now, self._next_send_at) if self._is_ready else None
        times = [now if is_due(parcel.next_at, now) else parcel.next_at for parcel in self._returned]
        parked_at = self._parking.first_at()
        if parked_at is not None:
            times.append(now if is_due(parked_at, now) else parked_at)
        if self._is_ready:
            times.append(now)
        return max(min(times), self._next_send_at) if times else None

    def _is_full(self) -> bool:
        most = self._connections if self.health.is_proven else 1
        return self.in_flight >= most or self.must_settle

    @property
    def is_stepwise(self) -> bool:
        """Whether each event must have been taken before the next is handed over."""
        return self._is_one_lane

    @property
    def must_settle(self) -> bool:
        """Whether nothing more is handed over before something is written down."""
        return self.ledger.unsettled >= self._window

    @property
    def must_settle_soon(self) -> bool:
        """Whether most of what may be handed over is not written down yet."""
        return not self.is_stepwise and self.ledger.unsettled * 4 >= 3 * self._window

    @property
    def is_pressing(self) -> bool:
        """Whether it will soon wait for the pump: for a settlement, for batches, or for more events of which there are
        some."""
        is_short = self._is_batching and len(self._returned) < BATCHES_AHEAD // 2 and self._has_full_batch()
        return self.must_settle_soon or is_short or self.wants_more

    def take(self, now: float) -> Parcel | None:
        """What to hand over now, or None. A batch must be settled before it is sent."""
        due = self.due(now)
        if due is None or due > now:
            return None
        return self._taken(now, is_probe=self.health.is_resting)

    def take_ahead(self, now: float) -> Parcel | None:
        """What comes next, before there is room for it: so it can be made ready while an answer is awaited. It counts
        as handed over, and is sent once ``has_room``, or cancelled."""
        if self.is_closing or not self.is_primed or not self.health.is_proven or self.is_stepwise:
            return None
        if self.subscription.rate_per_second is not None:
            # Nobody knows yet when it may be sent.
            return None
        if self.in_flight > self._connections or self.must_settle:
            return None
        due = self._first_due(now)
        return None if due is None or due > now else self._taken(now, is_probe=False)

    def has_room(self, done: int = 0) -> bool:
        """Whether what was taken ahead, and is counted, may be sent; so many others are over, which is still to be
        said."""
        most = self._connections if self.health.is_proven else 1
        is_well = not (self.is_closing or self.health.is_resting or self.health.state == "ended")
        return is_well and self.in_flight - done <= most

    def peek(self) -> Parcel | None:
        """What will be taken next if all goes well, step by step: the same unit in a parcel that counts nowhere."""
        if not self.is_stepwise or not self.health.is_proven or self._is_batching or self.subscription.is_coalescing:
            return None
        item = self._lanes.second("*")
        return None if item is None else Parcel(((item,),), False)

    def _taken(self, now: float, is_probe: bool) -> Parcel | None:
        if not is_probe:
            self._parking.wake(now)
        parcel = self._next(now, is_probe)
        if parcel is None:
            return None
        parcel.is_probe = is_probe
        self.in_flight += 1
        self.ledger.hand_over(parcel)
        if self.subscription.rate_per_second is not None:
            self._next_send_at = now + 1 / self.subscription.rate_per_second
        return parcel

    def _next(self, now: float, is_probe: bool) -> Parcel | None:
        for number, one in enumerate(self._returned):
            if (is_probe or is_due(one.next_at, now)) and not self._probing.is_suspect(one):
                return self._returned.pop(number)
        parcel = self._pick(self._probing.lanes() if is_probe else frozenset())
        if parcel is not None:
            if not is_probe:
                self.make_ready()
            return parcel
        if is_probe and self._is_more_to_probe():
            return self._next(now, is_probe)
        return None

    def _pick(self, excluded: frozenset[str]) -> Parcel | None:
        one = self.subscription
        if self._through.waiting:
            if not self._lanes.is_ready() and (stretch := self._take_stretch()) is not None:
                parcel = Parcel((), True, stretch=stretch)
                self._through.hand(parcel, stretch)
                return parcel
            # What is ready came earlier, and what follows it fills the batch up.
            self._fill_up(one.batch_size - self._lanes.count_ready(excluded))
        units = self._lanes.pick(one.batch_size, one.is_coalescing, excluded)
        if not units:
            return None
        is_alone = not self._is_batching or (len(units) == 1 and units[0][-1].limit == 1)
        return Parcel(units, not is_alone or len(units[0]) > 1, is_alone=is_alone)

    def make_ready(self) -> bool:
        """Make up batches that are full before their turn, so that one settlement writes down several of them, and
        nobody who hands them over has to wait for it; whether there are such."""
        has_made = False
        if self.is_closing or not (self._is_batching and self.is_primed and self.health.is_proven):
            return False
        while len(self._returned) < BATCHES_AHEAD and self._has_full_batch():
            if (parcel := self._pick(frozenset())) is None:
                break
            self.ledger.open(parcel)
            self._returned.append(parcel)
            has_made = True
        return has_made

    def _has_full_batch(self) -> bool:
        """Whether there may be one."""
        return self._lanes.most_ready + self._through.waiting >= self.subscription.batch_size

    def _is_more_to_probe(self) -> bool:
        """Whether some of those that failed before may be tried again; what is parked must be loaded before."""
        if self._parking.first_at() is not None:
            self._parking.wake_first()
            return False
        return bool(self._probing.release())

    # -- how it went -------------------------------------------------------------------------------------------------

    def finish(self, parcel: Parcel, outcome: Outcome, now: float) -> None:
        """A parcel was tried."""
        self.in_flight -= 1
        self._stuck_at = 0.0
        self.ledger.finish(parcel, parcel.logged(self.subscription.id, outcome))
        health = self.health
        if outcome.ending is not Ending.TAKEN:
            self._unfold(parcel)
        if outcome.ending is Ending.TAKEN:
            self._pass(parcel, now)
        elif outcome.ending is Ending.GONE:
            self._give_back(parcel)
            health.end(outcome.error or "the receiver wants no more")
            self._note("subscription.ended", reason=health.reason)
        elif outcome.ending in _ANSWERS:
            self._answered()
            self._probing.release()
            self._fail(parcel, outcome, now)
        elif health.is_resting or health.state == "ended":
            self._fail_at_rest(parcel, outcome, now)
        elif outcome.ending is Ending.UNAVAILABLE:
            self._give_back(parcel)
            health.rest(now, outcome.error or "", outcome.retry_after)
        else:
            self._fail(parcel, outcome, now)

    def cancel(self, parcel: Parcel) -> None:
        """A parcel was not even tried."""
        self.in_flight -= 1
        self.ledger.unsettled -= parcel.weight
        self._give_back(parcel)

    def _pass(self, parcel: Parcel, now: float) -> None:
        self._answered()
        if parcel.stretch is not None:
            self._through.drop(parcel)
        else:
            self._pass_items(parcel)
        if parcel.is_batch:
            self.ledger.done_batch(parcel)
        else:
            for item in parcel.items():
                self.ledger.done(item)
        self._blame_suspects(now)

    def _pass_items(self, parcel: Parcel) -> None:
        pop_front = self._lanes.pop_front
        for item in parcel.items():
            lane = pop_front(item.lane)
            if not lane.taken and (lane.queue or lane.is_stored):
                self._release(lane)

    def _answered(self) -> None:
        """The receiver is there."""
        if self.health.succeed():
            self._note("subscription.recovered")
        self._probing.answered()

    def _fail(self, parcel: Parcel, outcome: Outcome, now: float) -> None:
        """The parcel was not taken, and that is about the parcel."""
        is_answer = outcome.ending in _ANSWERS
        parcel.fails += 1
        if len(parcel.units) == 1:
            self._set_aside(parcel, outcome, now)
            is_whole = True
        else:
            is_whole = not any(item.limit for item in parcel.items())
            if is_answer or not is_whole or parcel.fails >= BATCH_TRIES:
                self._halve(parcel)
            else:
                parcel.next_at = now + BATCH_PAUSE
                self._returned.append(parcel)
        # Parts of a batch that was broken up tell nothing new about the receiver.
        if not is_answer and is_whole:
            is_ill = self.health.fail(now, outcome.error or "")
            if not is_ill and self._parking.count > MOST_PARKED:
                self.health.rest(now, f"{self._parking.count} wait for another try", None)

    def _set_aside(self, parcel: Parcel, outcome: Outcome, now: float) -> None:
        """Park a single event, or bury it; its lane waits behind it."""
        unit = parcel.units[0]
        head = unit[-1]
        lane = self._lanes[head.lane]
        if parcel.is_batch:
            self.ledger.close(parcel)
        head.attempts = parcel.attempt
        pause = None
        if outcome.ending is not Ending.REFUSED:
            pause = self._pause(head.attempts, outcome.retry_after)
        next_at = None if pause is None else now + pause
        for item in unit[:-1]:
            self.ledger.write(item, "held")
        self.ledger.write(head, "dead" if next_at is None else "parked", next_at, outcome.error, outcome.status)
        del lane.queue[: len(unit)]
        lane.taken = 0
        self._lanes.size -= len(unit)
        self._store_rest(lane)
        if next_at is not None:
            self._parking.park(lane, next_at)
            return
        lane.until = math.inf
        self._note("delivery.dead", event_id=head.event.id, person_id=head.event.person_id, error=outcome.error)

    def _pause(self, attempt: int, retry_after: float | None) -> float | None:
        schedule = SCHEDULE if self._gives_up else ENDLESS_SCHEDULE
        return pause_after(attempt, retry_after, self._random, schedule, self._gives_up)

    def _halve(self, parcel: Parcel) -> None:
        """Send what was one batch in batches half as large."""
        limit = math.ceil(len(parcel.units) / 2)
        has_merged = any(len(unit) > 1 for unit in parcel.units)
        for item in parcel.items():
            item.limit = limit
            if has_merged and not item.has_row:
                # Once its batch is forgotten, only rows are at hand all at once after a crash, to become one again.
                self.ledger.write(item, "held")
        self.ledger.close(parcel)
        self._probing.forget(parcel)
        self._release_all(parcel)

    def _give_back(self, parcel: Parcel) -> None:
        """It goes again as it is."""
        if parcel.is_batch:
            self._returned.append(parcel)
            self._returned.sort(key=lambda one: one.members)
        else:
            self._release_all(parcel)

    def _release_all(self, parcel: Parcel) -> None:
        for key in {item.lane for item in parcel.items()}:
            self._release(self._lanes[key])

    # -- rest --------------------------------------------------------------------------------------------------------

    def _fail_at_rest(self, parcel: Parcel, outcome: Outcome, now: float) -> None:
        self._give_back(parcel)
        if not parcel.is_probe or self.health.state == "ended":
            return
        parcel.is_probe = False
        self._probing.fail(parcel)
        if self.health.fail_probe(now, outcome.error or "", outcome.retry_after):
            self._note("subscription.quarantined", reason=outcome.error, since=self.health.failing_since)

    def _blame_suspects(self, now: float) -> None:
        """Something else passed, so it was they."""
        suspects = self._probing.release()
        if not suspects:
            return
        outcome = Outcome(Ending.FAILED, error="the receiver failed on it again and again, and took another")
        for parcel in suspects:
            if parcel.is_batch:
                self._returned.remove(parcel)
                if len(parcel.units) > 1:
                    self._halve(parcel)
                    continue
            else:
                self._lanes[parcel.units[0][0].lane].taken = len(parcel.units[0])
            self._set_aside(parcel, outcome, now)

    def shift(self, seconds: float) -> None:
        """The clock was set forward by so much (or back): what waits, waits as long as before."""
        self.health.shift(seconds)
        self._next_send_at += seconds
        self._parking.shift(seconds, self._lanes)
        for parcel in self._returned:
            parcel.next_at += seconds

    # -- writing down ------------------------------------------------------------------------------------------------

    def collect(self, lease: tuple[str, str, int] | None = None) -> Draft | None:
        """What is to be written now; see Ledger."""
        for parcel in self.ledger.overtaken:
            self._unfold(parcel)
        return self.ledger.collect(self.health, lease, self._ends_for_good)

    def _note(self, action: str, **details: Any) -> None:
        self.notices.append((action, details))
