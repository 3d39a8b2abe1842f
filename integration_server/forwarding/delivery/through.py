"""What passes through a flow by the batch, without a look at each event. Pure.

Nothing in such a batch may have to wait for anything ahead of it in its lane. Whatever turns out to have to, or is in a
batch that was not taken, becomes items among the lanes, which keep the order one by one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Sequence

from integration_server.forwarding.delivery.parcels import Item, Parcel
from integration_server.sdk.stretches import EventPage, Part, Stretch


class Through:
    """Stretches that wait, all of them behind whatever was handed over; and batches that are, or will be next."""

    def __init__(self) -> None:
        self._waiting: deque[Part] = deque()
        #: By id; what comes first was read first.
        self._out: dict[str, tuple[Parcel, Stretch]] = {}
        self._out_lanes: set[str] = set()
        #: Events that wait.
        self.waiting = 0
        #: All events, those handed over included.
        self.size = 0

    @property
    def first(self) -> int | None:
        """The position of the first event that is not done."""
        for _, stretch in self._out.values():
            return stretch.serials[0]
        for page, places in self._waiting:
            return page.serials[places[0]]
        return None

    @property
    def out(self) -> Sequence[Parcel]:
        """What is handed over or made ready, in the order in which it was read."""
        return [parcel for parcel, _ in self._out.values()]

    def append(self, page: EventPage, places: Sequence[int]) -> None:
        """What was just read."""
        if places:
            self._waiting.append((page, places))
            self.waiting += len(places)
            self.size += len(places)

    def take(self, most: int) -> Stretch | None:
        """What waits first, up to so many events, which do not wait any more; None where nothing does."""
        parts: list[Part] = []
        while self._waiting and most:
            page, places = self._waiting.popleft()
            count = _whole_lanes(page, places, most) if len(places) > most else len(places)
            parts.append((page, places[:count]))
            self.waiting -= count
            if count < len(places):
                self._waiting.appendleft((page, places[count:]))
                break
            most -= count
        return Stretch(parts) if parts else None

    def take_free(self, stretch: Stretch, held: Collection[str]) -> tuple[Stretch | None, list[Item]]:
        """A stretch without the events of some lanes, and those as items, which are here no more."""
        free: list[Part] = []
        items: list[Item] = []
        for page, places in stretch.parts:
            lanes = page.lanes
            if left := [place for place in places if lanes[place] not in held]:
                free.append((page, left))
            items += [
                Item(page.event(place), page.serials[place], lanes[place]) for place in places if lanes[place] in held
            ]
        self.size -= len(items)
        return Stretch(free) if free else None, items

    def busy(self, lanes: Iterable[str]) -> list[Parcel]:
        """The batches in which there is something of these lanes."""
        if self._out_lanes.isdisjoint(lanes):
            return []
        lanes = frozenset(lanes)
        return [parcel for parcel, stretch in self._out.values() if not lanes.isdisjoint(stretch.lanes)]

    def hand(self, parcel: Parcel, stretch: Stretch) -> None:
        """A batch was made of what was taken."""
        self._out[parcel.id] = parcel, stretch
        self._out_lanes.update(stretch.lanes)

    def drop(self, parcel: Parcel) -> None:
        """It was taken by its receiver, or its items are among the lanes now."""
        _, stretch = self._out.pop(parcel.id)
        self._out_lanes.difference_update(stretch.lanes)
        self.size -= len(stretch)


def _whole_lanes(page: EventPage, places: Sequence[int], most: int) -> int:
    """How many of them to take, up to ``most``, so that events of one lane in a row stay together: what follows in the
    next batch would have to wait for this one."""
    lanes = page.lanes
    count = most
    while count and lanes[places[count - 1]] == lanes[places[count]]:
        count -= 1
    return count or most
