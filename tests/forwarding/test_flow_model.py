"""The flow against a model: whatever fails, crashes, is retried or skipped, nothing is lost and nobody is overtaken.

The model knows for each lane what was written, what the receiver has taken and what a person gave up, and judges each
hand-over by that. A crash drops the memory and begins again from the store, which is a real one.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from integration_server.forwarding.delivery import lanes, supply
from integration_server.forwarding.delivery.ledger import STEPWISE_WINDOW
from integration_server.forwarding.delivery.parcels import Ending, Outcome, Parcel, Unit
from integration_server.sdk.events import USER_CREATED, USER_SNAPSHOT, USER_UPDATED, Event
from integration_server.store import Store
from integration_server.store.deliveries import DeliveryRow, EarlierWaits
from integration_server.store.journal import Change
from integration_server.store.subscriptions import new_subscription_id
from tests.forwarding.receivers import flow_of, subscription, write_events

WINDOW = 4
PEOPLE = ["ada", "bob", "cyd", "dan"]
KINDS = [USER_UPDATED, USER_UPDATED, USER_UPDATED, USER_CREATED]
ENDINGS = [Ending.TAKEN] * 3 + [Ending.FAILED] * 2
ENDINGS += [Ending.UNAVAILABLE, Ending.REFUSED, Ending.BLOCKED, Ending.GONE]
_STORE: list[Store] = []


def the_store() -> Store:
    """With everybody in it, for replays."""
    if not _STORE:
        store = Store("", Path(tempfile.mkdtemp()))
        changes = [Change("create", id, id.encode().ljust(16), {"id": id, "groups": []}) for id in PEOPLE]
        store.journal.apply("hq", changes, store.journal.last_serial())
        _STORE.append(store)
    return _STORE[0]


def number_of(one: Event | DeliveryRow) -> int:
    """Its place in the order of all events. Those of a replay of everybody come before all others."""
    kind = one.type if isinstance(one, Event) else one.event_type
    return PEOPLE.index(one.person_id) - len(PEOPLE) if kind == USER_SNAPSHOT else one.serial


class Deliveries(RuleBasedStateMachine):
    """Rules are what can happen; ``_judge`` is the model's verdict on each hand-over."""

    @initialize(
        batch_size=st.sampled_from([1, 1, 2, 3]),
        is_coalescing=st.booleans(),
        memory=st.sampled_from([4, 50]),
        is_one_lane=st.booleans(),
        piece=st.sampled_from([3, 6, 1000]),
        is_replaying=st.booleans(),
    )
    def begin(
        self,
        batch_size: int,
        is_coalescing: bool,
        memory: int,
        is_one_lane: bool,
        piece: int,
        is_replaying: bool,
    ) -> None:
        self.patches = pytest.MonkeyPatch()
        if piece < 1000:
            # So that what is read and merged at once is cut within a few events, too.
            self.patches.setattr(supply, "_EVENTS_AT_ONCE", piece)
            self.patches.setattr(supply, "ROWS_AT_ONCE", 5)
            self.patches.setattr(lanes, "MOST_MERGED", 3)
        self.store = the_store()
        self.now = 1_800_000_000.0
        self.memory = memory
        self.is_one_lane = is_one_lane
        self.id = new_subscription_id()
        self.store.subscriptions.add(
            subscription(
                self.id,
                cursor=self.store.journal.last_serial(),
                batch_size=batch_size,
                is_coalescing=is_coalescing,
            )
        )
        self.lanes: dict[str, list[int]] = {}
        self.kinds: dict[int, tuple[str, str]] = {}
        self.taken: set[int] = set()
        self.durable: set[int] = set()
        self.given_up: set[int] = set()
        self.batches: dict[str, list[list[int]]] = {}
        #: Of each lane, the serials whose ids were sent, in any life.
        self.sent: dict[str, set[int]] = {}
        if is_replaying:
            self.store.subscriptions.replay_snapshot(self.id)
            for number, person in enumerate(PEOPLE, -len(PEOPLE)):
                self._expect(number, person, USER_SNAPSHOT)
        self._reload()

    def _expect(self, number: int, person: str, kind: str) -> None:
        self.lanes.setdefault(self._lane(person), []).append(number)
        self.kinds[number] = (person, kind)

    def _reload(self) -> None:
        #: A person has changed something, and the engine has not begun again since.
        self.is_asked = False
        #: What was given up before the last start must not come. Later it may, until the engine has noticed.
        self.gone = set(self.given_up)
        self.in_flight: list[Parcel] = []
        #: Taken before there was room for it, and not sent.
        self.ahead: Parcel | None = None
        self.last: dict[str, tuple[int, bool]] = {}
        self.not_before: dict[str, float] = {}
        self.unsettled = 0
        #: Taken since the last start: a crash before they are written down lets them come again.
        self.fresh: set[int] = set()
        self.flow, self.supply = flow_of(self.store, self.id, self.is_one_lane)
        self.window = STEPWISE_WINDOW if self.is_one_lane else WINDOW
        self.flow._window = self.window
        self.flow.memory = self.memory

    # -- what can happen ---------------------------------------------------------------------------------------------

    @rule(people=st.lists(st.tuples(st.sampled_from(PEOPLE), st.sampled_from(KINDS)), min_size=1, max_size=8))
    def write(self, people: list[tuple[str, str]]) -> None:
        for serial, (person, kind) in zip(write_events(self.store, people), people, strict=True):
            self._expect(serial, person, kind)

    @rule()
    def settle(self) -> None:
        draft = self.flow.collect()
        if draft is not None:
            assert not self.store.settlements.settle([draft.settlement])
            self.flow.ledger.settled(draft)
            self.unsettled -= draft.finished
        self.durable |= self.fresh

    @rule()
    def advance(self) -> None:
        """Where the cursor is all there is to write, it is written alone."""
        ledger = self.flow.ledger
        found = ledger.advance(self.flow.health)
        if found is None or not self.store.settlements.advance(self.id, self.flow.subscription.epoch, found[0]):
            self.settle()
            return
        ledger.advanced(*found)
        self.unsettled -= found[1]
        self.durable |= self.fresh

    @rule(is_written=st.booleans())
    def fail_to_settle(self, is_written: bool) -> None:
        """``is_written``: it was the answer to the commit that was lost."""
        draft = self.flow.collect()
        if draft is not None:
            if is_written:
                assert not self.store.settlements.settle([draft.settlement])
            self.flow.ledger.put_back(draft)

    @rule(is_taking=st.booleans())
    def tend(self, is_taking: bool = False) -> None:
        """``is_taking``: somebody takes something between the settlement and the reading of rows."""
        while (lane := self.flow.wanted_lane()) is not None:
            self.settle()
            parcel = self.flow.take(self.now) if is_taking and self.ahead is None else None
            self.supply.load(self.flow, lane)
            if parcel is not None:
                self._send(parcel)
        for _ in range(100):
            if not self.flow.wants_input(self.now):
                break
            piece = self.supply.read(self.flow, self.store.journal.last_serial())
            if piece is None or not self.supply.feed(self.flow, piece):
                break

    @precondition(lambda self: self.ahead is None)
    @rule()
    def take(self) -> None:
        parcel = self.flow.take(self.now)
        if parcel is not None:
            self._send(parcel)

    @precondition(lambda self: self.ahead is None and self.in_flight)
    @rule()
    def take_ahead(self) -> None:
        """While an answer is awaited."""
        self.ahead = self.flow.take_ahead(self.now)

    @precondition(lambda self: self.ahead is not None)
    @rule(is_sent=st.booleans())
    def end_ahead(self, is_sent: bool) -> None:
        parcel, self.ahead = self.ahead, None
        assert parcel is not None
        if is_sent and self.flow.has_room():
            self._send(parcel)
        else:
            self.flow.cancel(parcel)

    def _send(self, parcel: Parcel) -> None:
        if parcel.is_batch:
            self.settle()
        # One at a time, however many events became one; a probe does not wait for the one before to be written down.
        assert self.unsettled < WINDOW or parcel.is_probe
        self.unsettled += parcel.weight
        self._judge(parcel)
        self.in_flight.append(parcel)

    @precondition(lambda self: self.ahead is None)
    @rule(is_written=st.booleans())
    def take_in_vain(self, is_written: bool) -> None:
        """What is taken cannot be written down, and so is not sent."""
        parcel = self.flow.take(self.now)
        if parcel is not None:
            self.fail_to_settle(is_written)
            self.flow.cancel(parcel)

    @precondition(lambda self: self.in_flight)
    @rule(which=st.integers(0, 10), ending=st.sampled_from(ENDINGS))
    def finish(self, which: int, ending: Ending) -> None:
        parcel = self.in_flight.pop(which % len(self.in_flight))
        was_resting = self.flow.health.is_resting
        self.flow.finish(parcel, Outcome(ending, error="no"), self.now)
        is_taken = ending is Ending.TAKEN
        for unit in parcel.units if is_taken else reversed(parcel.units):
            # A batch that was not taken comes again from its beginning.
            lane = self._lane(unit[0].event.person_id)
            numbers = _numbers(unit)
            self.last[lane] = (numbers[-1], is_taken)
            if is_taken:
                self.taken.update(numbers)
                self.fresh.update(numbers)
                self.not_before.pop(lane, None)
        is_set_aside = ending is Ending.BLOCKED or (ending is Ending.FAILED and not was_resting)
        if is_set_aside and len(parcel.units) == 1:
            self.not_before[self._lane(parcel.events[0].person_id)] = self.now + 4.4

    @rule(seconds=st.sampled_from([1.0, 6.0, 400.0, 90_000.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule(step=st.sampled_from([-90_000.0, -30.0, 3600.0]))
    def set_clock(self, step: float) -> None:
        self.now += step
        self.flow.shift(step)
        self.not_before = {lane: at + step for lane, at in self.not_before.items()}

    @rule()
    def crash(self) -> None:
        self._reload()

    @rule(is_retry=st.booleans(), which=st.integers(0, 5))
    def help(self, is_retry: bool, which: int) -> None:
        """A person retries or skips."""
        rows = self.store.deliveries.find([self.id])
        if not rows:
            return
        self.is_asked = True
        row = rows[which % len(rows)]
        if is_retry:
            self.store.deliveries.retry(row.id)
            return
        try:
            assert self.store.deliveries.skip(row.id, "enough")
        except EarlierWaits:
            return
        is_holder = row.state != "held"
        merged = [one for one in rows if one.lane == row.lane and one.state == "held" and one.serial < row.serial]
        self.given_up.update(number_of(one) for one in [row, *(merged if is_holder else [])])

    @rule(batch_size=st.integers(1, 3))
    def change(self, batch_size: int) -> None:
        """A person changes the settings, which also revives a receiver that ended. Coalescing is never turned off here:
        then what became one and failed is told one by one, as asked for."""
        self.store.subscriptions.change(self.id, batch_size=batch_size, is_coalescing=True, is_active=True)
        self.is_asked = True

    @precondition(lambda self: self.is_asked)
    @rule()
    def notice(self) -> None:
        """The engine sees that somebody has changed something: it finishes what is under way, and begins again."""
        self.flow.is_closing = True
        if self.ahead is not None:
            self.end_ahead(False)
        if not self.in_flight:
            self.settle()
            self._reload()

    # -- what must be true -------------------------------------------------------------------------------------------

    def _lane(self, person: str) -> str:
        return "*" if self.is_one_lane else person

    def _judge(self, parcel: Parcel) -> None:
        if parcel.is_batch:
            members = [_numbers(unit) for unit in parcel.units]
            assert self.batches.setdefault(parcel.id, members) == members, "a batch changed under its id"
        if self.flow.health.is_resting:
            assert parcel.is_probe
            assert not self.in_flight, "more than one probe"
        for unit in parcel.units:
            serials = _numbers(unit)
            person = unit[0].event.person_id
            lane = self._lane(person)
            assert len(serials) == 1 or {self.kinds[serial] for serial in serials} == {(person, USER_UPDATED)}
            before = [serial for serial in self.lanes[lane] if serial < serials[-1] and serial not in serials]
            own = {number for one in parcel.units for number in _numbers(one) if number < serials[-1]}
            missing = set(before) - self.taken - self.given_up - own
            assert not missing, f"{serials} overtakes {missing}"
            assert not set(serials) & self.gone, "a skipped event came nevertheless"
            assert not set(serials) & self.durable, f"{serials} was taken and written down, and comes again"
            if self.is_one_lane and parcel.weight == 1 and not parcel.is_batch:
                newer = [serial for serial in self.taken if serial > serials[-1]]
                assert len(newer) < STEPWISE_WINDOW, f"{serials} comes again after {newer}"
            sent = self.sent.setdefault(lane, set())
            assert serials[-1] in sent or serials[-1] > max(sent, default=-99), (
                f"{serials} is new, and older than {sent}"
            )
            sent.add(serials[-1])
            newest, was_taken = self.last.get(lane, (-99, False))
            assert serials[-1] >= newest, f"{serials} comes after {newest}"
            assert serials[-1] > newest or not was_taken, f"{serials} comes twice without a crash"
            busy = {self._lane(item.event.person_id) for one in self.in_flight for u in one.units for item in u}
            assert lane not in busy, "two of one lane at the same time"
            if not parcel.is_probe:
                assert self.now >= self.not_before.get(lane, 0.0), "a parked event came too early"
            self.last[lane] = (serials[-1], False)

    def teardown(self) -> None:
        """Once everything works again, everything arrives, and nothing is left in the store."""
        if not hasattr(self, "flow"):
            return
        try:
            self._end()
        finally:
            self.patches.undo()

    def _end(self) -> None:
        if self.ahead is not None:
            self.end_ahead(False)
        while self.in_flight:
            self.finish(0, Ending.TAKEN)
        self.settle()
        self.store.deliveries.retry_all(self.id)
        self.store.subscriptions.change(self.id, is_active=True)
        self._reload()
        for _ in range(3000):
            self.tend()
            self.take()
            if self.in_flight:
                self.finish(0, Ending.TAKEN)
                continue
            self.settle()
            if self._is_all_done():
                break
            self.now += 90_000.0 if self.flow.due(self.now) is None or (self.flow.due(self.now) or 0) > self.now else 0
        assert self._is_all_done(), self.store.deliveries.find([self.id])
        found = self.store.subscriptions.get(self.id)
        assert found is not None
        assert not self.store.settlements.open_batches(self.id)
        assert not self.store.settlements.beyond(self.id, found.cursor, found.replay_serial is not None)
        assert not self.store.deliveries.find([self.id], state="settled")
        assert not self.flow._lanes
        assert self.flow.size == 0
        self.store.subscriptions.remove(self.id)

    def _is_all_done(self) -> bool:
        """What was taken before a crash may have to come again."""
        written = {serial for lane in self.lanes.values() for serial in lane}
        found = self.store.subscriptions.get(self.id)
        assert found is not None
        is_told = written <= self.taken | self.given_up and found.cursor >= max(written, default=0)
        return is_told and not self.store.deliveries.find([self.id])


def _numbers(unit: Unit) -> list[int]:
    return [number_of(item.event) for item in unit]


TestDeliveries = Deliveries.TestCase
TestDeliveries.settings = settings(
    max_examples=60, stateful_step_count=50, deadline=None, suppress_health_check=list(HealthCheck)
)
