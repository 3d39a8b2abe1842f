"""The flow against a model: whatever fails, crashes and is retried, nothing is lost and nobody is overtaken.

The model knows for each lane what was written, what the receiver has taken and what a person gave up, and judges each
hand-over by that. A crash drops the memory and begins again from the store, which is a real one.
"""

from __future__ import annotations

import random
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from integration_server.forwarding.delivery.flow import Flow
from integration_server.forwarding.delivery.health import Health
from integration_server.forwarding.delivery.parcels import Ending, Outcome, Parcel
from integration_server.forwarding.delivery.supply import Supply
from integration_server.sdk.events import USER_CREATED, USER_UPDATED
from integration_server.store import Store
from integration_server.store.subscriptions import new_subscription_id
from tests.forwarding.receivers import subscription, write_events

WINDOW = 4
PEOPLE = ["ada", "bob", "cyd", "dan"]
KINDS = [USER_UPDATED, USER_UPDATED, USER_UPDATED, USER_CREATED]
ENDINGS = [Ending.TAKEN] * 3 + [Ending.FAILED] * 2 + [Ending.UNAVAILABLE, Ending.REFUSED, Ending.BLOCKED]
_STORE: list[Store] = []


def the_store() -> Store:
    if not _STORE:
        _STORE.append(Store("", Path(tempfile.mkdtemp())))
    return _STORE[0]


class Deliveries(RuleBasedStateMachine):
    """Rules are what can happen; ``_judge`` is the model's verdict on each hand-over."""

    @initialize(
        batch_size=st.sampled_from([1, 1, 2, 3]),
        is_coalescing=st.booleans(),
        memory=st.sampled_from([3, 50]),
        is_one_lane=st.booleans(),
    )
    def begin(self, batch_size: int, is_coalescing: bool, memory: int, is_one_lane: bool) -> None:
        self.store = the_store()
        self.random = random.Random(7)
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
        self.kinds: dict[int, str] = {}
        self.taken: set[int] = set()
        self.durable: set[int] = set()
        self.given_up: set[int] = set()
        self.batches: dict[str, list[list[int]]] = {}
        #: Of each lane, the serials whose ids were sent, in any life.
        self.sent: dict[str, set[int]] = {}
        self._reload()

    def _reload(self) -> None:
        """As the roster does."""
        self.in_flight: list[Parcel] = []
        self.last: dict[str, tuple[int, bool]] = {}
        self.not_before: dict[str, float] = {}
        self.unsettled = 0
        #: Taken since the last start: a crash before they are written down lets them come again.
        self.fresh: set[int] = set()
        self.supply = Supply(self.store)
        found = self.store.subscriptions.get(self.id)
        assert found is not None
        settlements = self.store.settlements
        batches = settlements.open_batches(self.id)
        known = settlements.beyond(self.id, found.cursor, False)
        done = {batch.id: batch.members for batch in batches if batch.is_settled}
        health = Health(found, 3600.0, self.random.random)
        self.flow = Flow(found, health, 3, self.random.random, known, done, self.is_one_lane)
        self.window = 1 if self.is_one_lane else WINDOW
        self.flow._window = self.window
        self.flow.memory = self.memory
        lane = "*" if self.is_one_lane else None
        open_batches = [batch for batch in batches if not batch.is_settled]
        self.flow.restore(settlements.lanes(self.id), self.supply.parcels(self.flow, open_batches, lane))

    # -- what can happen ---------------------------------------------------------------------------------------------

    @rule(people=st.lists(st.tuples(st.sampled_from(PEOPLE), st.sampled_from(KINDS)), min_size=1, max_size=8))
    def write(self, people: list[tuple[str, str]]) -> None:
        for serial, (person, kind) in zip(write_events(self.store, people), people, strict=True):
            self.lanes.setdefault("*" if self.is_one_lane else person, []).append(serial)
            self.kinds[serial] = kind

    @rule()
    def settle(self) -> None:
        draft = self.flow.collect()
        if draft is not None:
            assert not self.store.settlements.settle([draft.settlement])
            self.flow.ledger.settled(draft)
            self.unsettled -= draft.finished
        self.durable |= self.fresh

    @rule()
    def fail_to_settle(self) -> None:
        draft = self.flow.collect()
        if draft is not None:
            self.flow.ledger.put_back(draft)

    @rule()
    def tend(self) -> None:
        while (lane := self.flow.wanted_lane()) is not None:
            self.settle()
            self.supply.load(self.flow, lane)
        for _ in range(100):
            if not self.flow.wants_input(self.now):
                break
            piece = self.supply.read(self.flow, self.store.journal.last_serial())
            if piece is None or not self.supply.feed(self.flow, piece):
                break

    @rule()
    def take(self) -> None:
        parcel = self.flow.take(self.now)
        if parcel is None:
            return
        if parcel.is_batch:
            self.settle()
        self.unsettled += parcel.weight
        self._judge(parcel)
        self.in_flight.append(parcel)

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
            self.last[lane] = (unit[-1].event.serial, is_taken)
            if is_taken:
                self.taken.update(item.event.serial for item in unit)
                self.fresh.update(item.event.serial for item in unit)
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

    @precondition(lambda self: not self.in_flight)
    @rule(is_retry=st.booleans(), which=st.integers(0, 5))
    def help(self, is_retry: bool, which: int) -> None:
        """A person retries or skips; the engine writes down and begins again."""
        self.settle()
        rows = self.store.deliveries.find([self.id])
        if not rows:
            return
        row = rows[which % len(rows)]
        if is_retry:
            self.store.deliveries.retry(row.id)
        elif self.store.deliveries.skip(row.id, "enough"):
            is_holder = row.state != "held"
            merged = [one for one in rows if one.lane == row.lane and one.state == "held" and one.serial < row.serial]
            self.given_up.update(one.serial for one in [row, *(merged if is_holder else [])])
        self._reload()

    # -- what must be true -------------------------------------------------------------------------------------------

    def _lane(self, person: str) -> str:
        return "*" if self.is_one_lane else person

    def _judge(self, parcel: Parcel) -> None:
        if parcel.is_batch:
            members = [[item.event.serial for item in unit] for unit in parcel.units]
            assert self.batches.setdefault(parcel.id, members) == members, "a batch changed under its id"
        if self.flow.health.is_resting:
            assert parcel.is_probe
            assert not self.in_flight, "more than one probe"
        for unit in parcel.units:
            serials = [item.event.serial for item in unit]
            lane = self._lane(unit[0].event.person_id)
            assert len(serials) == 1 or {self.kinds[serial] for serial in serials} == {USER_UPDATED}
            before = [serial for serial in self.lanes[lane] if serial < serials[-1] and serial not in serials]
            own = {item.event.serial for one in parcel.units for item in one if item.event.serial < serials[-1]}
            missing = set(before) - self.taken - self.given_up - own
            assert not missing, f"{serials} overtakes {missing}"
            assert not set(serials) & self.given_up, "a skipped event came nevertheless"
            assert not set(serials) <= self.durable, f"{serials} was taken and written down, and comes again"
            if self.is_one_lane and parcel.weight == 1 and not parcel.is_batch:
                newer = [serial for serial in self.taken if serial > serials[-1]]
                assert not newer, f"{serials} comes again after {newer}"
            sent = self.sent.setdefault(lane, set())
            assert serials[-1] in sent or serials[-1] > max(sent, default=0), f"{serials} is new, and older than {sent}"
            sent.add(serials[-1])
            newest, was_taken = self.last.get(lane, (0, False))
            assert serials[-1] >= newest, f"{serials} comes after {newest}"
            assert serials[-1] > newest or not was_taken, f"{serials} comes twice without a crash"
            busy = {self._lane(item.event.person_id) for one in self.in_flight for u in one.units for item in u}
            assert lane not in busy, "two of one lane at the same time"
            if not parcel.is_probe:
                assert self.now >= self.not_before.get(lane, 0.0), "a parked event came too early"
            self.last[lane] = (serials[-1], False)

    @invariant()
    def the_window_holds(self) -> None:
        if hasattr(self, "flow"):
            # A unit may be made of several merged events, which count.
            assert self.unsettled <= self.window + 8

    def teardown(self) -> None:
        """Once everything works again, everything arrives, and nothing is left in the store."""
        if not hasattr(self, "flow"):
            return
        while self.in_flight:
            self.finish(0, Ending.TAKEN)
        self.settle()
        self.store.deliveries.retry_all(self.id)
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
        assert found.cursor >= max((serial for lane in self.lanes.values() for serial in lane), default=0)
        assert not self.store.settlements.open_batches(self.id)
        assert not self.store.settlements.beyond(self.id, found.cursor, False)
        assert not self.store.deliveries.find([self.id], state="settled")
        assert not self.flow._lanes
        assert self.flow.size == 0
        self.store.subscriptions.remove(self.id)

    def _is_all_done(self) -> bool:
        written = {serial for lane in self.lanes.values() for serial in lane}
        return written <= self.taken | self.given_up and not self.store.deliveries.find([self.id])


TestDeliveries = Deliveries.TestCase
TestDeliveries.settings = settings(
    max_examples=60, stateful_step_count=50, deadline=None, suppress_health_check=list(HealthCheck)
)
