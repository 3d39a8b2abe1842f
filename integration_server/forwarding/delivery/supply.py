"""What flows are fed with, read from the store. Used by one thread."""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from integration_server.forwarding.delivery.flow import Flow
from integration_server.forwarding.delivery.intake import ROWS_AT_ONCE
from integration_server.forwarding.delivery.parcels import Item, Parcel
from integration_server.sdk.events import USER_SNAPSHOT, Event
from integration_server.sdk.stretches import EventPage
from integration_server.store import Store
from integration_server.store.deliveries import DeliveryRow
from integration_server.store.people import Person
from integration_server.store.settlements import OpenBatch
from integration_server.store.subscriptions import Subscription

_EVENTS_AT_ONCE = 1000
_PAGES = 4


@dataclass(frozen=True, slots=True)
class Piece:
    """What was read for one flow: a page of which it gets what stands from ``begin`` on, or people of a replay with
    their positions up to ``read_to``. ``is_end``: that was the last there is. ``has_moved``: it leads farther than
    before."""

    read_to: int
    is_end: bool
    page: EventPage | None = None
    begin: int = 0
    people: Sequence[tuple[int, Event]] = ()
    has_moved: bool = True


class Supply:
    """Keeps the pages that were read last, for all flows."""

    def __init__(self, store: Store) -> None:
        self._store = store
        #: Each with the position that it follows.
        self._pages: deque[tuple[int, EventPage]] = deque(maxlen=_PAGES)

    def read(self, flow: Flow, last_serial: int) -> Piece | None:
        """What a flow is fed next, or None where there is nothing. Raises StoreUnavailable."""
        if flow.ledger.is_replaying:
            return self._read_people(flow)
        position = flow.ledger.read_position
        if position >= last_serial:
            return None if flow.is_primed else Piece(position, True)
        page = self._page(position)
        if not page.serials:
            return Piece(last_serial, True)
        read_to = page.serials[-1]
        return Piece(read_to, read_to >= last_serial, page, bisect_right(page.serials, position))

    def feed(self, flow: Flow, piece: Piece) -> bool:
        """Give a flow what was read for it; whether it may want more at once."""
        if piece.page is not None:
            flow.feed_page(piece.page, piece.begin, piece.is_end)
        else:
            flow.feed(piece.people, piece.read_to, piece.is_end)
        return piece.has_moved or flow.end_replay()

    def _page(self, position: int) -> EventPage:
        """One that has the event which follows a position."""
        for after, page in self._pages:
            if after <= position < page.serials[-1]:
                return page
        page = self._store.journal.page(position, _EVENTS_AT_ONCE)
        if page.serials:
            self._pages.append((position, page))
        return page

    def _read_people(self, flow: Flow) -> Piece:
        subscription, ledger = flow.subscription, flow.ledger
        people = self._people(subscription, ledger.read_position)
        read_to = people[-1].key if people else ledger.read_position
        # Those who changed since are told of by their own events, which follow.
        pairs = [
            (person.key, snapshot(subscription.id, ledger.replay_serial, person, subscription.changed_at))
            for person in people
            if person.serial <= ledger.replay_serial
        ]
        return Piece(read_to, len(people) < _EVENTS_AT_ONCE, people=pairs, has_moved=bool(people))

    def _people(self, subscription: Subscription, after_key: int) -> list[Person]:
        return self._store.journal.people(subscription.resource.backend, after_key, _EVENTS_AT_ONCE)

    def load(self, flow: Flow, lane: str) -> None:
        """Give a flow the first rows of a lane. Settle it before. Raises StoreUnavailable."""
        id = flow.subscription.id
        rows = self._store.settlements.waiting(id, lane, ROWS_AT_ONCE)
        items, lost = [], []
        for row in rows:
            found = self._event(row)
            if found is None:
                lost.append(row.event_id)
                continue
            position, event = found
            if not flow.ledger.is_replaying:
                position = row.serial
            item = Item(event, position, lane, row.attempts, has_row=True)
            # Whatever failed alone goes alone; so do people of a replay that is over: their key is no serial.
            if row.state == "parked" or (event.type == USER_SNAPSHOT and not flow.ledger.is_replaying):
                item.limit = 1
            items.append(item)
        if lost:
            self._store.settlements.drop(id, lost)
        flow.load(lane, items, len(rows) < ROWS_AT_ONCE)

    def _event(self, row: DeliveryRow) -> tuple[int, Event] | None:
        """What a row is about, with its position in what it was read from; None where that is no longer kept."""
        if row.event_type == USER_SNAPSHOT:
            person = self._store.journal.person(row.backend, row.person_id)
            if person is None:
                return None
            return person.key, snapshot(row.subscription_id, row.serial, person, row.created_at)
        events = self._store.journal.events(row.serial - 1, 1)
        return (row.serial, events[0]) if events and events[0].serial == row.serial else None

    def parcels(self, flow: Flow, batches: Sequence[OpenBatch], lane_of: str | None) -> list[Parcel]:
        """Batches that were open, to be sent again as they were. ``lane_of``: the one lane, if so."""
        found = []
        for batch in batches:
            units = [unit for members in batch.members if (unit := self._items(flow, members, lane_of))]
            if units:
                found.append(Parcel(units, True, batch.id))
        return found

    def _items(self, flow: Flow, positions: Sequence[int], lane_of: str | None) -> list[Item]:
        ledger = flow.ledger
        items = []
        for position in positions:
            event = self._at(flow, position)
            if event is not None:
                has_row = position <= ledger.read_position or ledger.is_waiting(event.id)
                items.append(Item(event, position, lane_of or event.lane, has_row=has_row))
        return items

    def _at(self, flow: Flow, position: int) -> Event | None:
        """What stands at a position."""
        if not flow.ledger.is_replaying:
            events = self._store.journal.events(position - 1, 1)
            return events[0] if events and events[0].serial == position else None
        people = self._store.journal.people(None, position - 1, 1)
        if not people or people[0].key != position:
            return None
        subscription = flow.subscription
        return snapshot(subscription.id, flow.ledger.replay_serial, people[0], subscription.changed_at)


def snapshot(subscription_id: str, serial: int, person: Person, at: float) -> Event:
    """Somebody as they are now. The id is the same however often this is made for one replay."""
    text = "\0".join((subscription_id, str(serial), person.backend, person.person_id))
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    groups = cast(Sequence[str], person.document.get("groups") or ())
    return Event(
        serial,
        f"evt_{digest[:32]}",
        USER_SNAPSHOT,
        person.backend,
        person.person_id,
        at,
        after=person.document,
        groups=tuple(groups),
    )
