"""What a flow hands over when it begins again from the store: after a crash, or because a person skipped something."""

from __future__ import annotations

from typing import Any

import pytest

from integration_server.forwarding.delivery import supply
from integration_server.forwarding.delivery.parcels import Ending, Outcome, Parcel
from integration_server.sdk.events import USER_CREATED, USER_UPDATED
from integration_server.store import Store
from integration_server.store.deliveries import EarlierWaits
from integration_server.store.journal import Change
from tests.forwarding.receivers import flow_of, subscription, write_events

NOW = 1_800_000_000.0


class Line:
    """One subscription, over the lives of its flow. The serials of a new store begin with 1."""

    def __init__(self, store: Store, is_one_lane: bool = False, **fields: Any) -> None:
        self.store = store
        self._is_one_lane = is_one_lane
        store.subscriptions.add(subscription("sub", cursor=store.journal.last_serial(), **fields))
        self.begin()

    def begin(self) -> None:
        self.flow, self.supply = flow_of(self.store, "sub", self._is_one_lane)

    def write(self, *people: str, kind: str = USER_UPDATED) -> None:
        write_events(self.store, [(person, kind) for person in people])
        self.tend()

    def tend(self) -> None:
        while (lane := self.flow.wanted_lane()) is not None:
            self.settle()
            self.supply.load(self.flow, lane)
        while self.flow.wants_input(NOW):
            piece = self.supply.read(self.flow, self.store.journal.last_serial())
            if piece is None or not self.supply.feed(self.flow, piece):
                break

    def settle(self) -> None:
        draft = self.flow.collect()
        if draft is not None:
            assert not self.store.settlements.settle([draft.settlement])
            self.flow.ledger.settled(draft)

    def lose_answer(self) -> None:
        """The store writes, and nobody learns of it."""
        draft = self.flow.collect()
        assert draft is not None
        assert not self.store.settlements.settle([draft.settlement])
        self.flow.ledger.put_back(draft)

    def is_ready(self) -> bool:
        self.tend()
        return self.flow.due(NOW) == NOW

    def take(self, now: float = NOW) -> Parcel:
        self.tend()
        parcel = self.flow.take(now)
        if parcel is None:
            # What was parked is loaded before it is handed over.
            self.tend()
            parcel = self.flow.take(now)
        assert parcel is not None
        if parcel.is_batch:
            self.settle()
        return parcel

    def finish(self, parcel: Parcel, ending: Ending = Ending.TAKEN) -> None:
        self.flow.finish(parcel, Outcome(ending, error="no"), NOW)

    def rest(self) -> list[list[list[int]]]:
        """Take all that there is; what was in each parcel."""
        found = []
        while self.is_ready():
            parcel = self.take()
            found.append(serials(parcel))
            self.finish(parcel)
        self.settle()
        return found

    def skip(self, serial: int) -> None:
        [row] = [row for row in self.store.deliveries.find(["sub"]) if row.serial == serial]
        assert self.store.deliveries.skip(row.id, "enough")


def serials(parcel: Parcel) -> list[list[int]]:
    return [[item.event.serial for item in unit] for unit in parcel.units]


def test_nothing_overtakes_what_came_again_in_a_batch_and_was_refused(sqlite: Store) -> None:
    line = Line(sqlite, batch_size=2)
    line.write("ada")
    line.finish(line.take(), Ending.FAILED)
    line.write("ada")
    line.settle()
    first = line.take(NOW + 6)
    line.write("ada")
    line.finish(first)
    # The second event has a row since it waited for the first, the third has none.
    assert serials(line.take()) == [[2], [3]]
    line.begin()
    line.write("ada")
    line.finish(line.take(), Ending.REFUSED)
    line.settle()

    line.begin()

    assert line.rest() == [[[2], [3]], [[4]]]


def test_updates_that_became_one_in_a_batch_stay_one_after_it_was_refused(
    sqlite: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supply, "_EVENTS_AT_ONCE", 6)
    line = Line(sqlite, batch_size=2, is_coalescing=True)
    line.flow.memory = 4
    line.write("ada")
    line.write("bob", "cyd", "dan", "eve", "fay", "ada")
    batch = line.take()
    assert serials(batch) == [[1, 7], [2]]
    line.finish(batch, Ending.REFUSED)
    line.settle()

    line.begin()
    # So little is kept in memory that it is full before all are read again.
    line.flow.memory = 4

    assert serials(line.take()) == [[1, 7], [2]]


def test_batch_with_a_skipped_event_goes_anew_without_it(sqlite: Store) -> None:
    line = Line(sqlite, batch_size=3)
    line.write("ada")
    line.finish(line.take(), Ending.FAILED)
    line.write("ada")
    line.settle()
    first = line.take(NOW + 6)
    line.write("ada", "bob")
    line.finish(first)
    batch = line.take()
    assert serials(batch) == [[2], [3], [4]]

    line.skip(2)
    line.begin()

    again = line.take()
    assert serials(again) == [[3], [4]]
    assert again.id != batch.id
    line.finish(again)
    line.settle()
    assert sqlite.settlements.open_batches("sub") == []
    line.begin()
    line.tend()
    line.settle()
    assert sqlite.deliveries.find(["sub"], state="settled") == []
    assert line.rest() == []


def test_skipped_person_of_a_replay_does_not_come_again(sqlite: Store) -> None:
    changes = [Change("create", id, id.encode().ljust(16), {"id": id, "groups": []}) for id in ("ada", "bob", "cyd")]
    sqlite.journal.apply("hq", changes, 0)
    line = Line(sqlite)
    assert sqlite.subscriptions.replay_snapshot("sub")
    line.begin()
    line.finish(line.take())
    line.take()
    line.finish(line.take(), Ending.FAILED)
    line.settle()
    [cyd] = sqlite.deliveries.find(["sub"])

    assert sqlite.deliveries.skip(cyd.id, "enough")
    line.begin()

    told = []
    while line.is_ready():
        parcel = line.take()
        told += [one.person_id for one in parcel.events]
        line.finish(parcel)
    assert told == ["bob"]


def held(sqlite: Store, is_coalescing: bool, kind: str = USER_UPDATED) -> Line:
    """Of ada's three, the first is dead."""
    line = Line(sqlite, is_coalescing=is_coalescing)
    line.write("ada")
    line.finish(line.take(), Ending.REFUSED)
    line.write("ada", kind=kind)
    line.write("ada")
    line.settle()
    return line


def test_update_that_may_have_become_one_with_an_earlier_one_is_not_skipped_before_it(sqlite: Store) -> None:
    line = held(sqlite, is_coalescing=True)
    for serial in (3, 2):
        with pytest.raises(EarlierWaits):
            line.skip(serial)
    assert [row.state for row in sqlite.deliveries.find(["sub"])] == ["dead", "held", "held"]

    for serial in (1, 2, 3):
        line.skip(serial)
    line.begin()
    assert line.rest() == []


@pytest.mark.parametrize(("is_coalescing", "kind"), [(False, USER_UPDATED), (True, USER_CREATED)])
def test_event_that_becomes_one_with_no_other_is_skipped_before_earlier_ones(
    sqlite: Store, is_coalescing: bool, kind: str
) -> None:
    line = held(sqlite, is_coalescing, kind)
    line.skip(3)
    line.skip(1)
    line.begin()
    assert line.rest() == [[[2]]]


def test_batch_whose_answer_was_lost_as_it_was_written_down_is_written_again(sqlite: Store) -> None:
    line = Line(sqlite, batch_size=2)
    line.write("ada", "bob")
    batch = line.flow.take(NOW)
    assert batch is not None
    line.lose_answer()

    line.settle()

    assert [one.id for one in sqlite.settlements.open_batches("sub")] == [batch.id]


def test_event_stays_skipped_that_was_written_down_when_the_answer_was_lost(sqlite: Store) -> None:
    line = Line(sqlite)
    line.write("ada")
    line.finish(line.take(), Ending.REFUSED)
    line.lose_answer()

    line.skip(1)
    line.settle()

    assert sqlite.deliveries.find(["sub"]) == []
