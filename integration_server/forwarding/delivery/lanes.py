"""The events of one flow that wait in memory: each lane's queue, and which lane is next. Pure."""

from __future__ import annotations

import heapq
import itertools
from collections import deque
from collections.abc import Container, Iterable, Iterator, Set

from integration_server.forwarding.delivery.parcels import Item, Unit
from integration_server.sdk.events import USER_UPDATED

#: Updates are made into one among so many of a lane, its first: after a crash all of them must be at hand again.
MOST_MERGED = 200


class Lane:
    """What must stay in order. ``taken`` items at the front of ``queue`` are handed over. ``is_stored``: there are rows
    in the store that come after the queue. ``is_wanted``: they are to be loaded; ``newest_id``: the event of the last
    that was added since then. ``until``: nothing of it is handed over before (infinity: one is dead)."""

    __slots__ = ("is_stored", "is_wanted", "key", "newest_id", "queue", "taken", "until")

    def __init__(self, key: str) -> None:
        self.key = key
        # A list takes far less room than a deque, and most lanes hold one item.
        self.queue: list[Item] = []
        self.taken = 0
        self.is_stored = False
        self.is_wanted = False
        self.newest_id: str | None = None
        self.until: float | None = None

    def merged_unit(self) -> list[Item]:
        """The next item, or all updates of one person in a row that begin there."""
        first = self.queue[self.taken]
        unit = [first]
        if first.event.type == USER_UPDATED:
            for item in self.queue[self.taken + 1 : MOST_MERGED]:
                if item.event.type != USER_UPDATED or item.event.lane != first.event.lane:
                    break
                unit.append(item)
        return unit


#: Position, ticket (so that lanes are never compared), lane, and the item that was its next one.
_Entry = tuple[int, int, Lane, Item]


class Lanes:
    """All lanes that hold something, by key. An entry of what is ready may be out of date, and is dropped when it
    comes up."""

    def __init__(self) -> None:
        self._by_key: dict[str, Lane] = {}
        # What was read stands in order by itself; only what becomes ready later has to be sorted in.
        self._read: deque[_Entry] = deque()
        self._ready: list[_Entry] = []
        self._tickets = itertools.count()
        #: Items in all queues.
        self.size = 0

    def __getitem__(self, key: str) -> Lane:
        return self._by_key[key]

    def __iter__(self) -> Iterator[Lane]:
        return iter(self._by_key.values())

    def __len__(self) -> int:
        return len(self._by_key)

    def get(self, key: str) -> Lane:
        """The lane, which may be a new one."""
        lane = self._by_key.get(key)
        if lane is None:
            lane = self._by_key[key] = Lane(key)
        return lane

    def among(self, keys: Iterable[str]) -> Set[str]:
        """Those of these lanes that hold something, here or in the store."""
        return self._by_key.keys() & keys if self._by_key else frozenset()

    def remove(self, lane: Lane) -> None:
        """It is empty, in memory and in the store."""
        del self._by_key[lane.key]

    def append(self, lane: Lane, item: Item) -> None:
        """What was just read."""
        lane.queue.append(item)
        self.size += 1
        if len(lane.queue) == 1:
            entry = (item.position, next(self._tickets), lane, item)
            if self._read and self._read[-1] > entry:
                heapq.heappush(self._ready, entry)
            else:
                self._read.append(entry)

    def pop_front(self, key: str) -> Lane:
        """The lane, whose first item is handed over and taken for good; see ``taken`` for what is left to be."""
        lane = self._by_key[key]
        del lane.queue[0]
        lane.taken -= 1
        self.size -= 1
        if not lane.queue and not lane.is_stored:
            del self._by_key[key]
        return lane

    def second(self, key: str) -> Item | None:
        """What follows the one item of a lane that is handed over; None where that cannot be said."""
        lane = self._by_key.get(key)
        return lane.queue[1] if lane is not None and lane.taken == 1 and len(lane.queue) > 1 else None

    def push(self, lane: Lane) -> None:
        """The first of a lane that is not handed over is ready."""
        item = lane.queue[lane.taken]
        heapq.heappush(self._ready, (item.position, next(self._tickets), lane, item))

    def pick(self, most: int, is_coalescing: bool, excluded: Container[str]) -> list[Unit]:
        """The oldest units of free lanes, as many as go together. They count as taken then."""
        units: list[Unit] = []
        touched: set[Lane] = set()
        skipped: list[_Entry] = []
        while len(units) < most and (entry := self._pop()) is not None:
            _, _, lane, item = entry
            taken, queue = lane.taken, lane.queue
            if len(queue) <= taken or queue[taken] is not item or (taken and lane not in touched):
                continue
            if excluded and lane.key in excluded:
                skipped.append(entry)
                continue
            unit: Unit = lane.merged_unit() if is_coalescing else (item,)
            limit = item.limit if len(unit) == 1 else min((one.limit for one in unit if one.limit), default=0)
            if limit:
                if units and len(units) >= limit:
                    heapq.heappush(self._ready, entry)
                    break
                most = min(most, limit)
            units.append(unit)
            lane.taken = taken = taken + len(unit)
            touched.add(lane)
            if len(queue) > taken:
                self.push(lane)
        for entry in skipped:
            heapq.heappush(self._ready, entry)
        return units

    def _pop(self) -> _Entry | None:
        if self._ready and (not self._read or self._ready[0] < self._read[0]):
            return heapq.heappop(self._ready)
        return self._read.popleft() if self._read else None

    @property
    def most_ready(self) -> int:
        """Not more lanes than this are free and have something."""
        return len(self._read) + len(self._ready)

    def count_ready(self, excluded: Container[str]) -> int:
        """How many lanes are free and have something, some aside."""
        ready = {entry[2] for entry in itertools.chain(self._read, self._ready) if _is_valid(entry)}
        return sum(1 for lane in ready if lane.key not in excluded)

    def is_ready(self) -> bool:
        """Whether some lane is free and has something."""
        while self._read:
            if _is_valid(self._read[0]):
                return True
            self._read.popleft()
        while self._ready:
            if _is_valid(self._ready[0]):
                return True
            heapq.heappop(self._ready)
        return False


def _is_valid(entry: _Entry) -> bool:
    """Whether what the entry speaks of is still the next of a free lane."""
    lane = entry[2]
    return not lane.taken and bool(lane.queue) and lane.queue[0] is entry[3]
