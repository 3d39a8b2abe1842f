"""What a flow has read and not handed over yet; the half of ``flow`` that is fed. Pure."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set

from integration_server.forwarding.delivery.health import Health
from integration_server.forwarding.delivery.lanes import Lane, Lanes
from integration_server.forwarding.delivery.ledger import WINDOW, Ledger
from integration_server.forwarding.delivery.parcels import Item, Parcel
from integration_server.forwarding.delivery.parking import Parking
from integration_server.forwarding.delivery.retry import is_due
from integration_server.sdk.events import Event
from integration_server.sdk.stretches import EventPage, Stretch, placed
from integration_server.store.settlements import LaneRows, Members
from integration_server.store.subscriptions import Subscription

#: When requests under way have held up everything for so long, what waits behind them is left to the store.
STUCK_SECONDS = 1.0
#: All of a lane that its receiver may have seen already must be read at once: see lanes.MOST_MERGED.
ROWS_AT_ONCE = 300
#: Where fewer than one in so many events of a page are wanted, a smaller page is made of them.
MOST_KEPT = 4


class Intake:
    """Keeps events in memory, by lane, or leaves them to the store where their lane waits there."""

    def __init__(
        self,
        subscription: Subscription,
        health: Health,
        known: Mapping[str, str],
        done_batches: Mapping[str, Members],
        is_one_lane: bool,
    ) -> None:
        self.subscription = subscription
        self.health = health
        self.ledger = Ledger(subscription, known, done_batches)
        self.memory = max(2 * WINDOW, 32 * subscription.batch_size)
        self.is_closing = False
        self.is_primed = False
        self.in_flight = 0
        self._is_one_lane = is_one_lane
        self._is_at_end = False
        self._lanes = Lanes()
        self._through = self.ledger.through
        # One by one where events become one, or all of them are one lane.
        self._may_pass_through = subscription.batch_size > 1 and not (subscription.is_coalescing or is_one_lane)
        self._parking = Parking()
        self._returned: list[Parcel] = []
        self._claimed: dict[str, Item] = {}
        self._stuck_at = 0.0
        #: Which types this receiver wants, as far as that was asked.
        self._types: dict[str, bool] = {}

    @property
    def size(self) -> int:
        """Events in memory."""
        return self._lanes.size + self._through.size

    @property
    def _is_ready(self) -> bool:
        """Whether something could be handed over as far as the lanes are concerned."""
        return self._through.waiting > 0 or self._lanes.is_ready()

    # -- what is read ------------------------------------------------------------------------------------------------

    def restore(self, lanes: Iterable[LaneRows], batches: Iterable[Parcel]) -> None:
        """Begin with what is stored: lanes with rows, and batches that were open."""
        # How many rows of a lane are in no batch.
        left: Counter[str] = Counter()
        for rows in lanes:
            left[rows.lane] = rows.count
            lane = self._lanes.get(rows.lane)
            lane.is_stored = True
            if rows.holder is None:
                self._parking.want(lane)
            elif rows.holder.state == "dead":
                lane.until = math.inf
            else:
                self._parking.park(lane, rows.holder.next_at or 0.0)
        for parcel in batches:
            if any(self.ledger.is_given_up(item.event.id) for item in parcel.items()):
                self._take_apart(parcel)
                continue
            for item in parcel.items():
                lane = self._lanes.get(item.lane)
                self._parking.unpark(lane)
                self._parking.unwant(lane)
                lane.queue.append(item)
                lane.taken += 1
                self._lanes.size += 1
                if item.has_row:
                    left[item.lane] -= 1
                else:
                    self._claimed[item.event.id] = item
                # Else what is read next would get a row, while this has none, and come first after another crash.
                lane.is_stored = left[item.lane] > 0
            self._returned.append(parcel)

    def _take_apart(self, parcel: Parcel) -> None:
        """Something in it was given up, so it cannot go as it was: what is left goes anew, from its rows."""
        self.ledger.close(parcel)
        for item in parcel.items():
            if item.has_row or self.ledger.is_given_up(item.event.id):
                continue
            self.ledger.keep(item)
            lane = self._lanes.get(item.lane)
            lane.is_stored = True
            if lane.until is None:
                self._parking.want(lane)

    @property
    def is_hungry(self) -> bool:
        """Whether half of what is kept in memory is gone."""
        return self.size < self.memory // 2

    @property
    def wants_more(self) -> bool:
        """Whether it has room for more events, of which there are some."""
        return self.is_hungry and not self._is_at_end

    def wants_input(self, now: float) -> bool:
        """Whether there is room for more events."""
        if self.is_closing:
            return False
        if self.is_primed and self._is_held_whole():
            return False
        if self.is_hungry or not self.is_primed:
            return True
        if self.size < self.memory:
            # Where all that is at hand waits for what is handed over, somebody else may be next in the journal.
            return not (self._is_one_lane or self._returned or self._is_ready)
        if self._is_one_lane or self._returned or not self.in_flight or self._is_ready:
            return False
        if not self._stuck_at:
            self._stuck_at = now
        if not is_due(self._stuck_at + STUCK_SECONDS, now, STUCK_SECONDS):
            return False
        self._stuck_at = 0.0
        self._store_tails()
        return self.size < self.memory

    def _is_held_whole(self) -> bool:
        """Whether everything comes after what the store has: then what was not read yet can stay in the journal."""
        return self._is_one_lane and any(lane.is_stored for lane in self._lanes)

    def feed(self, events: Iterable[tuple[int, Event]], read_to: int, is_end: bool) -> None:
        """More people of a replay with their positions, in order; all up to ``read_to`` have been looked at."""
        matches = self.subscription.resource.matches
        self._take_in((position, event) for position, event in events if matches(event))
        self._fed(read_to, is_end)

    def feed_page(self, page: EventPage, begin: int, is_end: bool) -> None:
        """More events, in order: those of a page from a place on."""
        read_to, places = page.serials[-1], self._wanted(page, begin)
        if self._may_pass_through and self._is_fresh:
            # Memory is counted by events: what waits must not keep many times as many.
            if places and len(places) * MOST_KEPT < len(page.serials):
                page, places = page.only(places), range(len(places))
            self._through.append(page, places)
        elif places:
            self._take_in(zip(placed(page.serials, places), placed(page.events, places), strict=True))
        self._fed(read_to, is_end)

    @property
    def _is_fresh(self) -> bool:
        """Whether nothing of what is read can be done already, or have a row."""
        return not (self.ledger.is_resumed or self._claimed)

    def _take_in(self, events: Iterable[tuple[int, Event]]) -> None:
        ledger = self.ledger
        is_fresh = self._is_fresh
        for position, event in events:
            if not is_fresh:
                if ledger.is_known(event.id, position):
                    continue
                claimed = self._claimed.pop(event.id, None)
                if claimed is not None:
                    ledger.add(claimed)
                    continue
            self._enter(Item(event, position, "*" if self._is_one_lane else event.lane))

    def _enter(self, item: Item) -> bool:
        """The last of its lane so far. Whether it is the first, too: then the lane is ready."""
        lane = self._lanes.get(item.lane)
        if lane.is_stored:
            self.ledger.write(item, "held")
            lane.newest_id = item.event.id if lane.is_wanted else None
            return False
        self.ledger.add(item)
        self._lanes.append(lane, item)
        return len(lane.queue) == 1

    def _fed(self, read_to: int, is_end: bool) -> None:
        ledger = self.ledger
        ledger.read_position = max(read_to, ledger.read_position)
        self._is_at_end = is_end
        if is_end and not self._is_fresh:
            ledger.end_resume()
        is_enough = ledger.outstanding >= self.memory or (self._is_held_whole() and not ledger.is_resumed)
        if is_end or (is_enough and not self._claimed):
            self.is_primed = True

    def _wanted(self, page: EventPage, begin: int) -> Sequence[int]:
        """Where on a page those are that are for this receiver. Every page comes here for every receiver, so one that
        is wanted as a whole is looked at as a whole."""
        one, types = self.subscription, self._types
        for kind in page.kinds.difference(types):
            types[kind] = one.wants_type(kind)
        resource = one.resource
        everything = range(begin, len(page.serials))
        if resource.kind != "all" and resource.backend not in page.sources:
            return ()
        is_all = resource.kind == "all" or (resource.kind == "backend" and len(page.sources) == 1)
        if is_all and one.id not in page.writers and all(types[kind] for kind in page.kinds):
            return everything
        kinds, origins, events, matches = page.types, page.origins, page.events, resource.matches
        return [
            place
            for place in everything
            if types[kinds[place]] and origins[place] != one.id and (is_all or matches(events[place]))
        ]

    def end_replay(self) -> bool:
        """Go over from the replay of everybody to what happened since, once all of it is settled; whether it did."""
        if not (self.ledger.is_replaying and self._is_at_end and not self.ledger.outstanding and not self.size):
            return False
        self.ledger.end_replay()
        self._is_at_end = self.is_primed = False
        return True

    # -- what passes through by the batch ----------------------------------------------------------------------------

    def _take_stretch(self) -> Stretch | None:
        """The next events that wait for nothing in their lanes. Those before which something stands become items; where
        that are most, all do, since a batch of what is left would be a small one."""
        stretch = self._through.take(self.subscription.batch_size)
        if stretch is None:
            return None
        held = self._held(stretch)
        if not held:
            return stretch
        free, items = self._through.take_free(stretch, held)
        for item in items:
            self._enter(item)
        if free is not None and len(free) < len(items):
            self._enter_all(free)
            return None
        return free

    def _fill_up(self, most: int) -> None:
        """Make items of what waits first, until so many of them are ready."""
        while most > 0 and (stretch := self._through.take(most)) is not None:
            self._held(stretch)
            most -= self._enter_all(stretch)

    def _enter_all(self, stretch: Stretch) -> int:
        """Make items of what was taken; how many lanes are ready by that."""
        _, items = self._through.take_free(stretch, frozenset(stretch.lanes))
        return sum(map(self._enter, items))

    def _held(self, stretch: Stretch) -> Set[str]:
        """The lanes in which something stands before it, of which there are items then."""
        for parcel in self._through.busy(stretch.lanes):
            self._unfold(parcel)
        return self._lanes.among(stretch.lanes)

    def _unfold(self, parcel: Parcel) -> None:
        """Make items of a batch that is handed over: something went wrong, or something else waits for it."""
        if parcel.stretch is None:
            return
        items = list(parcel.items())
        self._through.drop(parcel)
        parcel.stretch = None
        for item in items:
            lane = self._lanes.get(item.lane)
            lane.queue.append(item)
            lane.taken += 1
        self._lanes.size += len(items)
        self.ledger.add_earlier(items)

    # -- lanes whose rows are in the store ---------------------------------------------------------------------------

    def wanted_lane(self) -> str | None:
        """A lane whose rows should be loaded now. Settle before they are read."""
        if self.is_closing or self.size >= self.memory:
            return None
        lane = self._parking.wanted()
        return None if lane is None else lane.key

    def load(self, key: str, items: Sequence[Item], is_all: bool) -> None:
        """The first rows of a wanted lane; ``is_all`` where there are no more."""
        lane = self._lanes[key]
        self._parking.unwant(lane)
        # What was added while they were read is not among them.
        is_newest = lane.newest_id is None or bool(items and items[-1].event.id == lane.newest_id)
        lane.is_stored = not (is_all and is_newest)
        lane.newest_id = None
        for item in items:
            item.has_row = True
            lane.queue.append(item)
        self._lanes.size += len(items)
        self._release(lane)

    def _store_tails(self) -> None:
        """Somebody holds up a full memory: leave what waits behind them to the store, so that others move on."""
        for lane in self._lanes:
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
        self._lanes.size -= len(rest)
        lane.is_stored = True

    def _release(self, lane: Lane) -> None:
        """Nothing of it is handed over any more."""
        lane.taken = 0
        if lane.queue:
            self._lanes.push(lane)
        elif lane.is_stored:
            self._parking.want(lane)
        else:
            self._lanes.remove(lane)
