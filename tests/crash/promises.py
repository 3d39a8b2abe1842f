"""What a receiver may rely on, checked against everything that it received.

The rules, for one subscription; "taken" means that the receiver answered with a whole 2xx, whether or not the sender
lived to read it; a "life" is the time between two kills of the sender.

1.  Every request is signed, at the time it was sent. One id stands for one content, however often it is sent. A batch
    holds events in the order of the journal.
2.  First deliveries are in order in each lane (person): an event that was never sent before comes only after all events
    of its lane with lower serials were taken.
3.  Within one life, what was taken never comes again.
4.  In a later life, what was taken may come again, but of each life at most WINDOW (256) events (BATCH_WINDOW (16)
    requests, where the subscription takes batches): what was not written down at its end. Mostly these are the last
    ones that were sent, but of several that are under way at once, a later one may be written down first. And it comes
    before anything newer of its lane is sent, and repeats of one lane are in order. That is mostly at once; where the
    lane's events had to wait in the store, it is when the lane's turn comes. So nothing of a lane comes after something
    newer of it was taken in the same life, and a receiver that remembers the highest serial of each person is never
    confused.
5.  Every event of the journal that the subscription is told of was taken. Where updates are coalesced, an event may be
    left out if it is a user.updated whose next event in the lane is one, too.
"""

from __future__ import annotations

import itertools
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from tests.crash.directories import Someone
from tests.crash.memory import Noted, someone
from tests.receiver import Received

#: As docs/forwarding.rst promises it.
WINDOW: Final = 256
BATCH_WINDOW: Final = 16

Lane = tuple[str, str]


@dataclass(slots=True)
class Told:
    """What one receiver was told, and how much of it more than once: a run without any repeat proves little."""

    events: int = 0
    repeats: int = 0
    failures: int = 0
    state: dict[Lane, Someone | None] = field(default_factory=dict)
    taken: set[str] = field(default_factory=set)


@dataclass(slots=True)
class _Subscription:
    """The rules 2 to 4, walked through request by request."""

    journal: dict[Lane, list[Noted]]
    births: Sequence[float]
    is_coalescing: bool
    #: So much of one life may come again, at most.
    window: int
    told: Told = field(default_factory=Told)
    #: For each event's id: the life in which it was last taken, and the request with which it was.
    taken_in: dict[str, tuple[int, str]] = field(default_factory=dict)
    #: For each life: the requests of it of which something came again.
    again: dict[int, set[str]] = field(default_factory=lambda: defaultdict(set))
    #: For each lane: its highest serial that was taken, ever and in the current life.
    highest: dict[Lane, int] = field(default_factory=lambda: defaultdict(int))
    highest_now: dict[Lane, int] = field(default_factory=lambda: defaultdict(int))
    sent: set[str] = field(default_factory=set)
    life: int = 0

    def request(self, one: Received) -> None:
        life = bisect_right(self.births, one.at)
        if life != self.life:
            self.life = life
            self.highest_now.clear()
        self.told.failures += not one.is_taken
        for event in one.events:
            self._event(event, one)
        self.sent.add(one.id)

    def _event(self, event: dict[str, Any], one: Received) -> None:
        data = event["data"]
        lane, serial, event_id = (data["backend"], data["person_id"]), data["serial"], event["id"]
        place = f"request {one.number} ({one.id}, life {self.life}), event {event_id} serial {serial} of {lane}"
        if event_id in self.taken_in:
            self._repeat(event_id, place)
        elif event_id not in self.sent:
            self._first(lane, serial, place)
        assert serial >= self.highest_now[lane], f"{place}: comes after {self.highest_now[lane]} in the same life"
        self.sent.add(event_id)
        if one.is_taken:
            self.told.events += 1
            self.taken_in[event_id] = self.life, one.id
            self.highest[lane] = max(self.highest[lane], serial)
            self.highest_now[lane] = serial
            self.told.taken.add(event_id)
            after = data.get("object")
            self.told.state[lane] = someone(after) if after is not None else None

    def _first(self, lane: Lane, serial: int, place: str) -> None:
        earlier = [noted for noted in self.journal[lane] if noted.serial < serial]
        missing = [noted for noted in earlier if noted.id not in self.taken_in]
        if self.is_coalescing:
            # What is missing may be inside its successor, where both are updates.
            upto = [noted for noted in self.journal[lane] if noted.serial <= serial]
            inside = {a for a, b in itertools.pairwise(upto) if a.type == b.type == "user.updated"}
            missing = [noted for noted in missing if noted not in inside]
        assert not missing, f"{place}: sent before {missing} was taken"
        assert serial > self.highest[lane], f"{place}: sent for the first time after {self.highest[lane]}"

    def _repeat(self, event_id: str, place: str) -> None:
        life, request_id = self.taken_in[event_id]
        self.told.repeats += 1
        assert life < self.life, f"{place}: was taken in this life"
        # What the crash found unwritten comes again, at once or when its lane's turn comes.
        again = self.again[life]
        again.add(request_id)
        assert len(again) <= self.window, f"{place}: of life {life}, {len(again)} requests came again"


def check(
    requests: Sequence[Received],
    journal: Sequence[Noted],
    births: Sequence[float],
    secret: str,
    *,
    is_coalescing: bool = False,
    undelivered: Collection[Lane] = (),
) -> Told:
    """What the receiver was told. Raises AssertionError for a broken rule. ``undelivered``: lanes blocked by design."""
    by_lane: dict[Lane, list[Noted]] = defaultdict(list)
    for noted in journal:
        by_lane[noted.lane].append(noted)
    _check_contents(requests, {noted.id: noted for noted in journal}, secret, is_coalescing)
    # One that takes batches gets all its events in batches, but for what is tried alone after its batch failed.
    window = BATCH_WINDOW if any(one.is_batch for one in requests) else WINDOW
    subscription = _Subscription(by_lane, births, is_coalescing, window)
    for one in requests:
        subscription.request(one)
    _check_complete(by_lane, subscription.told, is_coalescing, undelivered)
    return subscription.told


def _check_contents(requests: Sequence[Received], journal: dict[str, Noted], secret: str, is_coalescing: bool) -> None:
    """Rule 1."""
    contents: dict[str, Any] = {}
    for one in requests:
        assert one.is_signed_with(secret), f"request {one.number}: {one.headers}"
        assert one.headers["content-type"] == "application/json"
        if one.is_batch:
            assert one.serials == sorted(set(one.serials)), f"request {one.number}: {one.serials}"
            assert contents.setdefault(one.id, one.serials) == one.serials, f"batch {one.id} changed"
        else:
            assert one.id == one.document["id"], f"request {one.number}: {one.id} is not {one.document['id']}"
        for event in one.events:
            noted = journal[event["id"]]
            told = (event["data"]["serial"], event["type"], event["data"]["backend"], event["data"]["person_id"])
            assert told == (noted.serial, noted.type, noted.backend, noted.person_id), f"request {one.number}"
            content = event["data"].get("object") if is_coalescing else event
            assert contents.setdefault(event["id"], content) == content, f"event {event['id']} changed"


def _check_complete(
    journal: dict[Lane, list[Noted]], told: Told, is_coalescing: bool, undelivered: Collection[Lane]
) -> None:
    """Rule 5."""
    for lane, events in journal.items():
        if lane in undelivered:
            continue
        for noted, successor in zip(events, [*events[1:], None], strict=True):
            if noted.id in told.taken:
                continue
            assert is_coalescing, f"never delivered: {noted}"
            assert successor is not None, f"never delivered: {noted}"
            assert noted.type == successor.type == "user.updated", f"never delivered: {noted}"
