"""What one subscription is handed next: a state machine without I/O, clock or lock of its own.

Whoever drives it feeds it events in order, takes parcels from it, says how each went, and writes down what it collects.
It keeps these rules:

- Of one lane, nothing is handed over before what came earlier is taken, refused by a person, or merged into it.
- Whatever is handed over and not yet written down fits into the window (``ledger.WINDOW`` events, or
  ``ledger.BATCH_WINDOW`` batches). After a crash these, and no others, come again, with the same ids and in order.
- A failed event holds its lane only. Where the receiver as a whole fails, everything rests, and one probe at a time
  finds out when it is back; that uses up no tries.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from integration_server.forwarding.health import Health
from integration_server.forwarding.ledger import BATCH_WINDOW, WINDOW, Draft, Ledger
from integration_server.forwarding.parcels import Ending, Item, Lane, Outcome, Parcel, Unit
from integration_server.forwarding.retry import Random, is_due, pause_after
from integration_server.sdk.events import USER_SNAPSHOT, Event
from integration_server.store.settlements import LaneRows, Members
from integration_server.store.subscriptions import Subscription

#: More lanes that wait for another try, and it is the receiver that is ill.
MOST_PARKED = 1000
#: A batch that failed so often is sent in halves.
BATCH_TRIES = 3
BATCH_PAUSE = 5.0
#: Failed probes of one event until the next one is tried: it may be the event's fault.
PROBES_OF_ONE = 3
#: When requests under way have held up everything for so long, what waits behind them is left to the store.
STUCK_SECONDS = 1.0
#: All of a lane that its receiver may have seen already must be read at once: see parcels.MOST_MERGED.
ROWS_AT_ONCE = 300

_Entry = tuple[int, int, Lane, Item]


class Flow:
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
    ) -> None:
        """``known`` and ``done_batches``: see Ledger; ``is_one_lane``: everything stays in one order."""
        self.subscription = subscription
        self.health = health
        self.ledger = Ledger(subscription, known or {}, done_batches or {})
        self.notices: list[tuple[str, dict[str, object]]] = []
        self.is_closing = False
        self.in_flight = 0
        self.size = 0
        self._connections = connections
        self._random = random
        self._is_one_lane = is_one_lane
        self._is_batching = subscription.batch_size > 1
        self._window = BATCH_WINDOW if self._is_batching else WINDOW
        self.memory = max(2 * WINDOW, 16 * subscription.batch_size)
        self._is_at_end = False
        self.is_primed = False
        self._lanes: dict[str, Lane] = {}
        self._ready: list[_Entry] = []
        self._tickets = itertools.count()
        self._parked: list[tuple[float, int, Lane]] = []
        self._parked_count = 0
        self._wanted: deque[Lane] = deque()
        self._returned: list[Parcel] = []
        self._claimed: dict[str, Item] = {}
        self._suspects: dict[str, Parcel] = {}
        self._probed: tuple[str, int] = ("", 0)
        self._next_send_at = 0.0
        self._stuck_at = 0.0
        self._types: dict[str, bool] = {}

    # -- what is read ------------------------------------------------------------------------------------------------

    def restore(self, lanes: Iterable[LaneRows], batches: Iterable[Parcel]) -> None:
        """Begin with what is stored: lanes with rows, and batches that were open."""
        for rows in lanes:
            lane = self._lanes[rows.lane] = Lane(rows.lane)
            lane.is_stored = True
            if rows.holder is None:
                self._want(lane)
            elif rows.holder.state == "dead":
                lane.until = math.inf
            else:
                self._park(lane, rows.holder.next_at or 0.0)
        for parcel in batches:
            for item in (item for unit in parcel.units for item in unit):
                lane = self._lanes.setdefault(item.lane, Lane(item.lane))
                self._unpark(lane)
                if lane.is_wanted:
                    lane.is_wanted = False
                    self._wanted.remove(lane)
                lane.queue.append(item)
                lane.taken += 1
                self.size += 1
                if not item.has_row:
                    self._claimed[item.event.id] = item
            self._returned.append(parcel)

    def wants_input(self, now: float) -> bool:
        """Whether there is room for more events."""
        if self.is_closing:
            return False
        if self.size < self.memory or not self.is_primed:
            return self.size < self.memory // 2 or not self.is_primed
        if self._returned or not self.in_flight or self._first_ready() is not None:
            return False
        if not self._stuck_at:
            self._stuck_at = now
        if not is_due(self._stuck_at + STUCK_SECONDS, now, STUCK_SECONDS):
            return False
        self._stuck_at = 0.0
        self._store_tails()
        return self.size < self.memory

    def feed(self, events: Iterable[tuple[int, Event]], read_to: int, is_end: bool) -> None:
        """More events with their positions, in order; all up to ``read_to`` have been looked at."""
        ledger = self.ledger
        is_fresh = not (ledger.is_resumed or self._claimed)
        for position, event in events:
            if not self._is_for_us(event):
                continue
            if not is_fresh:
                if ledger.is_known(event.id, position):
                    continue
                claimed = self._claimed.pop(event.id, None)
                if claimed is not None:
                    ledger.add(claimed)
                    continue
            self._queue(Item(event, position, "*" if self._is_one_lane else event.lane))
        ledger.read_position = max(read_to, ledger.read_position)
        self._is_at_end = is_end
        if is_end and not is_fresh:
            ledger.end_resume()
        if is_end or (ledger.outstanding >= self.memory and not self._claimed):
            self.is_primed = True

    def _is_for_us(self, event: Event) -> bool:
        subscription = self.subscription
        if event.type == USER_SNAPSHOT:
            return subscription.resource.matches(event)
        is_wanted = self._types.get(event.type)
        if is_wanted is None:
            is_wanted = self._types[event.type] = subscription.wants_type(event.type)
        return is_wanted and event.origin != subscription.id and subscription.resource.matches(event)

    def _queue(self, item: Item) -> None:
        lane = self._lanes.get(item.lane)
        if lane is None:
            lane = self._lanes[item.lane] = Lane(item.lane)
        if lane.is_stored:
            self.ledger.write(item, "held")
            return
        self.ledger.add(item)
        lane.queue.append(item)
        self.size += 1
        if len(lane.queue) == 1:
            self._push(lane)

    def end_replay(self) -> bool:
        """Go over from the replay of everybody to what happened since, once all of it is settled; whether it did."""
        if not (self.ledger.is_replaying and self._is_at_end and not self.ledger.outstanding and not self.size):
            return False
        self.ledger.end_replay()
        self._is_at_end = self.is_primed = False
        return True

    # -- lanes whose rows are in the store ---------------------------------------------------------------------------

    def wanted_lane(self) -> str | None:
        """A lane whose rows should be loaded now. Settle before they are read."""
        if not self._wanted or self.is_closing or self.size >= self.memory:
            return None
        return self._wanted[0].key

    def load(self, key: str, items: Sequence[Item], is_all: bool) -> None:
        """The first rows of a wanted lane; ``is_all`` where there are no more."""
        lane = self._lanes[key]
        self._wanted.remove(lane)
        lane.is_wanted = False
        lane.is_stored = not is_all
        for item in items:
            item.has_row = True
            lane.queue.append(item)
        self.size += len(items)
        self._release(lane)

    def _store_tails(self) -> None:
        """Somebody holds up a full memory: leave what waits behind them to the store, so that others move on."""
        for lane in self._lanes.values():
            if lane.taken and len(lane.queue) > lane.taken:
                for item in list(lane.queue)[: lane.taken]:
                    if not item.has_row:
                        self.ledger.write(item, "held")
                self._store_rest(lane)

    def _store_rest(self, lane: Lane) -> None:
        """Move what is not handed over from memory to the store."""
        rest = lane.queue[lane.taken :]
        del lane.queue[lane.taken :]
        for item in rest:
            if not item.has_row:
                self.ledger.write(item, "held")
        self.size -= len(rest)
        lane.is_stored = True

    # -- handing over ------------------------------------------------------------------------------------------------

    def due(self, now: float) -> float | None:
        """When ``take`` may have something: ``now`` for at once, None where time alone changes nothing."""
        if self.is_closing or not self.is_primed or self.health.state == "ended":
            return None
        if self.health.is_resting:
            if self.in_flight or not (self._returned or self._parked_count or self._first_ready()):
                return None
            return now if self.health.is_probe_due(now) else self.health.next_probe_at
        if self._is_full():
            return None
        times = [now if is_due(parcel.next_at, now) else parcel.next_at for parcel in self._returned]
        self._drop_stale()
        if self._parked:
            times.append(now if is_due(self._parked[0][0], now) else self._parked[0][0])
        if self._first_ready() is not None:
            times.append(now)
        return max(min(times), self._next_send_at) if times else None

    def _is_full(self) -> bool:
        most = self._connections if self.health.is_proven else 1
        return self.in_flight >= most or self.ledger.unsettled >= self._window

    @property
    def is_choked(self) -> bool:
        """Whether only a settlement lets it go on."""
        return self.ledger.unsettled * 2 >= self._window

    def take(self, now: float) -> Parcel | None:
        """What to hand over now, or None. A batch must be settled before it is sent."""
        due = self.due(now)
        if due is None or due > now:
            return None
        is_probe = self.health.is_resting
        if not is_probe:
            self._wake(now)
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
        for number, parcel in enumerate(self._returned):
            if (is_probe or is_due(parcel.next_at, now)) and parcel.id not in self._suspects:
                return self._returned.pop(number)
        units = self._pick(self._suspect_lanes() if is_probe else frozenset())
        if units:
            is_alone = not self._is_batching or (len(units) == 1 and units[0][-1].limit == 1)
            return Parcel(units, not is_alone or len(units[0]) > 1, is_alone=is_alone)
        if is_probe and self._is_more_to_probe():
            return self._next(now, is_probe)
        return None

    def _is_more_to_probe(self) -> bool:
        """Whether some of those that failed before may be tried again; what is parked must be loaded before."""
        self._drop_stale()
        if self._parked:
            lane = self._parked[0][2]
            self._unpark(lane)
            self._want(lane)
            return False
        was_any = bool(self._suspects)
        self._suspects.clear()
        return was_any

    def _pick(self, excluded: frozenset[str]) -> list[Unit]:
        """The oldest units of free lanes, as many as go together."""
        units: list[Unit] = []
        touched: set[Lane] = set()
        skipped: list[_Entry] = []
        most = self.subscription.batch_size
        while len(units) < most and self._ready:
            entry = heapq.heappop(self._ready)
            lane = entry[2]
            if not self._is_valid(entry, touched):
                continue
            if lane.key in excluded:
                skipped.append(entry)
                continue
            unit = lane.merged_unit() if self.subscription.is_coalescing else lane.unit()
            limit = min((item.limit for item in unit if item.limit), default=most)
            if units and len(units) >= limit:
                heapq.heappush(self._ready, entry)
                break
            most = min(most, limit)
            units.append(unit)
            lane.taken += len(unit)
            touched.add(lane)
            if len(lane.queue) > lane.taken:
                self._push(lane)
        for entry in skipped:
            heapq.heappush(self._ready, entry)
        return units

    def _push(self, lane: Lane) -> None:
        item = lane.queue[lane.taken]
        heapq.heappush(self._ready, (item.position, next(self._tickets), lane, item))

    def _is_valid(self, entry: _Entry, touched: Iterable[Lane] = ()) -> bool:
        """Whether what the entry speaks of is still the next of a free lane."""
        lane, item = entry[2], entry[3]
        if len(lane.queue) <= lane.taken or lane.queue[lane.taken] is not item:
            return False
        return not lane.taken or lane in touched

    def _first_ready(self) -> _Entry | None:
        while self._ready:
            if self._is_valid(self._ready[0]):
                return self._ready[0]
            heapq.heappop(self._ready)
        return None

    # -- how it went -------------------------------------------------------------------------------------------------

    def finish(self, parcel: Parcel, outcome: Outcome, now: float) -> None:
        """A parcel was tried."""
        self.in_flight -= 1
        self._stuck_at = 0.0
        self.ledger.finish(parcel, parcel.logged(self.subscription.id, outcome))
        health = self.health
        if outcome.ending is Ending.TAKEN:
            self._pass(parcel, now)
        elif outcome.ending is Ending.GONE:
            self._give_back(parcel)
            health.end(outcome.error or "the receiver wants no more")
            self._note("subscription.ended", reason=health.reason)
        elif outcome.ending is Ending.REFUSED:
            self._answered()
            self._suspects.clear()
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
        for unit in parcel.units:
            for item in unit:
                lane = self._lanes[item.lane]
                del lane.queue[0]
                lane.taken -= 1
                self.size -= 1
                if not parcel.is_batch:
                    self.ledger.done(item)
        if parcel.is_batch:
            self.ledger.done_batch(parcel)
        self._release_all(parcel)
        self._blame_suspects(now)

    def _answered(self) -> None:
        """The receiver is there."""
        if self.health.succeed():
            self._note("subscription.recovered")
        self._probed = ("", 0)

    def _fail(self, parcel: Parcel, outcome: Outcome, now: float) -> None:
        """The parcel was not taken, and that is about the parcel."""
        is_refused = outcome.ending is Ending.REFUSED
        parcel.fails += 1
        if len(parcel.units) == 1:
            self._set_aside(parcel, outcome, now)
            is_whole = True
        else:
            is_whole = not any(item.limit for unit in parcel.units for item in unit)
            if is_refused or not is_whole or parcel.fails >= BATCH_TRIES:
                self._halve(parcel)
            else:
                parcel.next_at = now + BATCH_PAUSE
                self._returned.append(parcel)
        # Parts of a batch that was broken up tell nothing new about the receiver.
        if not is_refused and is_whole:
            is_ill = self.health.fail(now, outcome.error or "")
            if not is_ill and self._parked_count > MOST_PARKED:
                self.health.rest(now, f"{self._parked_count} wait for another try", None)

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
            pause = pause_after(head.attempts, outcome.retry_after, self._random)
        next_at = None if pause is None else now + pause
        for item in unit[:-1]:
            self.ledger.write(item, "held")
        self.ledger.write(head, "dead" if next_at is None else "parked", next_at, outcome.error, outcome.status)
        del lane.queue[: len(unit)]
        lane.taken = 0
        self.size -= len(unit)
        self._store_rest(lane)
        if next_at is not None:
            self._park(lane, next_at)
            return
        lane.until = math.inf
        self._note("delivery.dead", event_id=head.event.id, person_id=head.event.person_id, error=outcome.error)

    def _halve(self, parcel: Parcel) -> None:
        """Send what was one batch in batches half as large."""
        limit = math.ceil(len(parcel.units) / 2)
        for unit in parcel.units:
            for item in unit:
                item.limit = limit
        self.ledger.close(parcel)
        self._suspects.pop(parcel.id, None)
        self._release_all(parcel)

    def _give_back(self, parcel: Parcel) -> None:
        """It goes again as it is."""
        if parcel.is_batch:
            self._returned.append(parcel)
            self._returned.sort(key=lambda one: one.members)
        else:
            self._release_all(parcel)

    def _release_all(self, parcel: Parcel) -> None:
        for key in {item.lane for unit in parcel.units for item in unit}:
            self._release(self._lanes[key])

    def _release(self, lane: Lane) -> None:
        """Nothing of it is handed over any more."""
        lane.taken = 0
        if lane.queue:
            self._push(lane)
        elif lane.is_stored:
            self._want(lane)
        else:
            del self._lanes[lane.key]

    # -- rest --------------------------------------------------------------------------------------------------------

    def _fail_at_rest(self, parcel: Parcel, outcome: Outcome, now: float) -> None:
        self._give_back(parcel)
        if not parcel.is_probe or self.health.state == "ended":
            return
        parcel.is_probe = False
        key, count = self._probed
        self._probed = (parcel.id, count + 1 if key == parcel.id else 1)
        if self._probed[1] >= PROBES_OF_ONE:
            self._suspects[parcel.id] = parcel
        if self.health.fail_probe(now, outcome.error or "", outcome.retry_after):
            self._note("subscription.quarantined", reason=outcome.error, since=self.health.failing_since)

    def _suspect_lanes(self) -> frozenset[str]:
        return frozenset(parcel.units[0][0].lane for parcel in self._suspects.values() if not parcel.is_batch)

    def _blame_suspects(self, now: float) -> None:
        """Something else passed, so it was they."""
        suspects, self._suspects = list(self._suspects.values()), {}
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

    # -- waiting -----------------------------------------------------------------------------------------------------

    def _park(self, lane: Lane, until: float) -> None:
        lane.until = until
        self._parked_count += 1
        heapq.heappush(self._parked, (until, next(self._tickets), lane))

    def _unpark(self, lane: Lane) -> None:
        if lane.until is not None and lane.until != math.inf:
            self._parked_count -= 1
        lane.until = None

    def _drop_stale(self) -> None:
        while self._parked and self._parked[0][2].until != self._parked[0][0]:
            heapq.heappop(self._parked)

    def _wake(self, now: float) -> None:
        """Ask for the lanes whose time has come."""
        while self._parked and is_due(self._parked[0][0], now):
            until, _, lane = heapq.heappop(self._parked)
            if lane.until == until:
                self._unpark(lane)
                self._want(lane)

    def _want(self, lane: Lane) -> None:
        if not lane.is_wanted:
            lane.is_wanted = True
            self._wanted.append(lane)

    def shift(self, seconds: float) -> None:
        """The clock was set forward by so much (or back): what waits, waits as long as before."""
        self.health.shift(seconds)
        self._next_send_at += seconds
        for lane in self._lanes.values():
            if lane.until is not None:
                lane.until += seconds
        self._parked = [(until + seconds, ticket, lane) for until, ticket, lane in self._parked]
        for parcel in self._returned:
            parcel.next_at += seconds

    # -- writing down ------------------------------------------------------------------------------------------------

    def collect(self, lease: tuple[str, str, int] | None = None) -> Draft | None:
        """What is to be written now; see Ledger."""
        return self.ledger.collect(self.health, lease)

    def _note(self, action: str, **details: Any) -> None:
        self.notices.append((action, details))
