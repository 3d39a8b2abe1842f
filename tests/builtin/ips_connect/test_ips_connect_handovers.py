"""Handovers against a model of which changes may have been made.

None of them is ever forgotten, whatever crashes, fails, or comes late from a server that serves this slave no more.
Where nothing fails, no other is in doubt but the first two after a crash under the mark.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from integration_server import Notice, Question, Statement, Storage, StoreUnavailable
from integration_server.builtin.ips_connect.handovers import Handovers
from integration_server.builtin.ips_connect.tables import TABLES, handed_over
from integration_server.store import Store
from integration_server.store.subscriptions import new_subscription_id

#: So many may be handed over and not written down as taken; see Consumer.lane.
WINDOW = 2
_STORE: list[Store] = []


def the_store() -> Store:
    if not _STORE:
        _STORE.append(Store("", Path(tempfile.mkdtemp())))
    return _STORE[0]


class Faults:
    """What becomes of the next statement: it fails, before or after it was written."""

    def __init__(self) -> None:
        self.next: str | None = None

    def around(self, moment: str) -> None:
        if self.next == moment:
            self.next = None
            raise StoreUnavailable("the store has failed")


class FaultyStorage(Storage):
    """The real one, where nothing is at fault."""

    def __init__(self, storage: Storage, faults: Faults) -> None:
        self._storage = storage
        self._faults = faults

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        self._faults.around("reading")
        with self._storage.reading() as connection:
            yield connection

    def question(self, statement: str) -> Question:
        return self._storage.question(statement)

    def statement(self, statement: str) -> Statement:
        return FaultyStatement(self._storage.statement(statement), self._faults)

    def writing(self, is_durable: bool = True) -> Any:
        return self._storage.writing(is_durable)

    def tell(self, connection: sa.Connection, notices: Sequence[Notice]) -> None:
        self._storage.tell(connection, notices)


class FaultyStatement(Statement):
    def __init__(self, statement: Statement, faults: Faults) -> None:
        self._statement = statement
        self._faults = faults

    def run(self, values: Sequence[object]) -> int:
        self._faults.around("before")
        count = self._statement.run(values)
        self._faults.around("after")
        return count


class Doubts(RuleBasedStateMachine):
    """The engine as far as one slave sees it, which is one lane: events come in order, each until it is taken, and
    after a crash again from the first that was not written down as taken."""

    @initialize()
    def begin(self) -> None:
        self.id = new_subscription_id()
        self.faults = Faults()
        #: Whether each is one that cannot be repeated.
        self.once: list[bool] = []
        self.maybe_made: set[int] = set()
        self.settled = 0
        self.has_failed = False
        self.late: list[tuple[Handovers, int | None, bool, int]] = []
        self.life = 0
        #: In which of its lives the engine sent each last.
        self.sent_in: dict[int, int] = {}
        self._start()

    def _start(self) -> None:
        self.handovers = Handovers(self.id, FaultyStorage(the_store().storage(TABLES), self.faults))
        self.life += 1
        self.position = self.settled
        self.in_flight: int | None = None
        self.was_in_doubt = self.is_prepared = False
        #: Those that come first are in doubt without having been sent: so many more of them, and which.
        self.vague_left = WINDOW if self._is_marked() else 0
        self.vague: set[int] = set()

    def _is_marked(self) -> bool:
        query = sa.select(handed_over.c.event).where(handed_over.c.subscription == self.id)
        with the_store().storage(TABLES).reading() as connection:
            return "*" in (connection.scalar(query) or "")

    def _is_once(self, number: int, is_new_once: bool) -> bool:
        if number == len(self.once):
            self.once.append(is_new_once)
        return self.once[number]

    # -- what can happen ---------------------------------------------------------------------------------------------

    @precondition(lambda self: self.in_flight is None and self.position - self.settled < WINDOW)
    @rule(is_new_once=st.booleans())
    def hand_over(self, is_new_once: bool) -> None:
        number = self.position
        is_once = self._is_once(number, is_new_once)
        if self.vague_left and number not in self.vague:
            self.vague_left -= 1
            self.vague.add(number)
        try:
            found = self.handovers.begin(f"evt_{number}", is_once)
        except StoreUnavailable:
            return
        if is_once:
            assert found or number not in self.maybe_made, f"{number} may have been made, and that is forgotten"
            is_explained = number in self.maybe_made or number in self.vague or self.has_failed
            assert is_explained or not found, f"{number} is in doubt for no reason"
        self.sent_in[number] = self.life
        self.in_flight, self.was_in_doubt, self.is_prepared = number, found and is_once, False

    @precondition(lambda self: self.in_flight is not None and not self.is_prepared)
    @rule(is_new_once=st.booleans())
    def make_the_next_ready(self, is_new_once: bool) -> None:
        self.is_prepared = True
        if self._is_once(self.position + 1, is_new_once):
            with suppress(StoreUnavailable):
                self.handovers.announce()

    @precondition(lambda self: self.in_flight is not None)
    @rule(answer=st.sampled_from(["taken", "taken", "refused", "lost"]))
    def answer(self, answer: str) -> None:
        number, self.in_flight = self.in_flight, None
        assert number is not None
        event = f"evt_{number}"
        if answer == "taken":
            self.maybe_made.add(number)
            self.handovers.end(event)
            self.position += 1
        elif answer == "refused" and not self.was_in_doubt:
            self.maybe_made.discard(number)
            self.handovers.forget(event)
        else:
            self.maybe_made.add(number)
            self.handovers.leave(event)

    @precondition(lambda self: self.in_flight is not None)
    @rule(count=st.integers(1, 3), is_settled=st.booleans())
    def go_on(self, count: int, is_settled: bool) -> None:
        """One change after another, each made ready while the last is on its way."""
        for _ in range(count):
            if not self.is_prepared:
                self.make_the_next_ready(True)
            self.answer("taken")
            self.settle(2 if is_settled else 1)
            self.hand_over(True)
            if self.in_flight is None:
                break

    @rule(count=st.integers(1, WINDOW))
    def settle(self, count: int) -> None:
        self.settled = min(self.position, self.settled + count)

    @rule()
    def crash(self) -> None:
        if self.in_flight is not None:
            self.maybe_made.add(self.in_flight)
        self._start()

    @precondition(lambda self: self.in_flight is None)
    @rule()
    def stop(self) -> None:
        self.handovers.rest()
        self._start()

    @rule()
    def lose_the_lease(self) -> None:
        """Another server goes on; this one finds that out late."""
        self.late.append((self.handovers, self.in_flight, self.was_in_doubt, self.life))
        self.crash()

    @precondition(lambda self: self.late)
    @rule(how=st.sampled_from(["end", "leave", "forget", "rest", "announce"]))
    def find_out_late(self, how: str) -> None:
        self.has_failed = True
        handovers, number, was_in_doubt, life = self.late[-1]
        with suppress(StoreUnavailable):
            if how == "announce":
                handovers.announce()
                return
            if number is None or how == "rest" or (how == "forget" and was_in_doubt):
                handovers.rest()
            else:
                getattr(handovers, how)(f"evt_{number}")
                if how == "forget" and self.sent_in[number] == life:
                    self.maybe_made.discard(number)
        self.late.pop()

    @rule(moment=st.sampled_from(["reading", "before", "after"]))
    def let_the_store_fail(self, moment: str) -> None:
        self.has_failed = True
        self.faults.next = moment


TestDoubts = Doubts.TestCase
TestDoubts.settings = settings(
    max_examples=200, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
)


def test_change_that_is_refused_and_comes_again_leaves_the_next_in_doubt() -> None:
    """Only two events that differ use up the doubt that a crash leaves."""
    storage = the_store().storage(TABLES)
    id = new_subscription_id()
    dying = Handovers(id, storage)
    dying.begin("evt_1", False)
    dying.announce()
    dying.end("evt_1")
    dying.begin("evt_2", True)
    reborn = Handovers(id, storage)
    for _ in range(3):
        reborn.begin("evt_1", False)
        reborn.forget("evt_1")
    reborn.begin("evt_1", False)
    reborn.end("evt_1")
    assert reborn.begin("evt_2", True)


def test_change_is_written_down_where_nobody_knows_whether_the_mark_has_given_way() -> None:
    storage, faults = the_store().storage(TABLES), Faults()
    id = new_subscription_id()
    dying = Handovers(id, FaultyStorage(storage, faults))
    dying.begin("evt_1", True)
    dying.announce()
    dying.end("evt_1")
    dying.begin("evt_2", True)
    faults.next = "after"
    dying.end("evt_2")
    assert faults.next is None
    dying.begin("evt_3", True)
    assert Handovers(id, storage).begin("evt_3", True)


def test_server_that_lost_its_lease_writes_nothing_over_what_its_successor_handed_over() -> None:
    storage, id = the_store().storage(TABLES), new_subscription_id()
    frozen = Handovers(id, storage)
    frozen.begin("evt_1", True)
    frozen.announce()
    successor = Handovers(id, storage)
    for event in ("evt_1", "evt_2", "evt_3"):
        assert successor.begin(event, True) is (event != "evt_3")
        successor.announce()
        successor.end(event)
    successor.begin("evt_4", True)
    frozen.end("evt_1")
    frozen.rest()
    reborn = Handovers(id, storage)
    assert reborn.begin("evt_4", True)
