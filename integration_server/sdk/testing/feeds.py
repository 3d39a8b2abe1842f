"""What every change feed must do."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from functools import partial
from typing import Any, ClassVar, NamedTuple, Protocol

import pytest

from integration_server.sdk.contracts import Backend, ChangeFeed
from integration_server.sdk.deadline import Deadline
from integration_server.sdk.errors import BackendTimeout, ComparisonNeeded
from integration_server.sdk.mapping import Mapper
from integration_server.sdk.model import User
from integration_server.sdk.testing.harness import in_background, in_threads, list_users, settle
from integration_server.sdk.testing.suite import Outage, Suite

Population = Mapping[str, str | None]

#: What somebody may find in a store that was damaged, or that another version of the plugin wrote.
NONSENSE: tuple[str, ...] = (
    *("", " ", "0", "-1", "1e999", "null", "true", '""', "[]", "{}", "[[]]", "nonsense", "\0", "\ud800", "\U0001f600"),
    *('{"high": 1}', '["updated_at"]', '["outbox", 1, []]', "1700000000", "20260101000000Z", "2026-01-01T00:00:00Z"),
    *("9" * 10_000, "[" * 100_000, "x" * 1_000_000, "'; DROP TABLE persons; --", "*)(objectClass=*"),
)


class Edits(Protocol):
    """Changes made at the source, as whoever owns it makes them: not through this server.

    Each returns when the source has the change for good. ``username`` is a mapped user name.
    """

    def add(self, username: str) -> object:
        """Somebody new."""

    def change(self, username: str) -> object:
        """Another value in any mapped field but id and user name; a different one each time."""

    def remove(self, username: str) -> object:
        """Somebody is no longer there."""


class Told(NamedTuple):
    """What a feed told from a position on: people by id, in its order, who is gone, and where it ended.

    ``is_comparison``: it said no more than that everybody must be compared.
    """

    users: tuple[User, ...]
    gone: tuple[str, ...]
    position: str
    is_comparison: bool = False


class ChangeFeedConformance(Suite):
    """What every ChangeFeed must do; use it together with BackendConformance, or alone.

    Override the fixture ``edits`` beside those of the other suites.
    """

    #: False for a feed that knows only that something changed, and raises ComparisonNeeded.
    tells_people: ClassVar[bool] = True
    #: False for a feed that does not notice who is gone.
    tells_gone: ClassVar[bool] = True
    #: How soon a change must be told.
    feed_seconds: ClassVar[float] = 10.0

    @pytest.fixture
    def edits(self) -> Edits:
        """The hands that change the source."""
        raise NotImplementedError("override the fixture 'edits'")

    # -- asking ----------------------------------------------------------------------------------------------------

    def feed(self, backend: Backend) -> ChangeFeed:
        """The backend as what it claims to be."""
        assert isinstance(backend, ChangeFeed), f"{type(backend).__name__} is no ChangeFeed"
        return backend

    def position(self, backend: Backend) -> str:
        return self.feed(backend).feed_position(self.deadline())

    def told(self, backend: Backend, mapper: Mapper, position: str, deadline: Deadline | None = None) -> Told:
        """Everything that the feed tells from a position on; a ComparisonNeeded counts as telling everything."""
        users: list[User] = []
        gone: list[str] = []
        try:
            with closing(_closable(self.feed(backend).changes(position, deadline or self.deadline()))) as steps:
                for step in steps:
                    position = step.position
                    users += mapper.page(step.entries).users() if step.entries is not None else ()
                    gone += step.gone
        except ComparisonNeeded:
            return Told((), (), position, is_comparison=True)
        return Told(tuple(users), tuple(gone), position)

    def eventually(self, what: str, ask: Callable[[], Told], is_there: Callable[[Told], bool]) -> Told:
        """What the feed tells as soon as the change is in it; the test fails where that takes too long."""
        give_up = time.monotonic() + self.feed_seconds
        while True:
            found = ask()
            if found.is_comparison and self.tells_people:
                pytest.fail(f"{what}: the feed asks for a comparison instead of telling")
            if found.is_comparison or (self.tells_people and is_there(found)):
                return found
            if time.monotonic() > give_up:
                pytest.fail(f"{what}: not told within {self.feed_seconds:g} s; told were {found}")
            time.sleep(0.05)

    def listed(self, backend: Backend, mapper: Mapper) -> dict[str, User]:
        """Everybody by user name."""
        return {user.username: user for user in list_users(backend, mapper, self.deadline())}

    def must_tell(self, backend: Backend, mapper: Mapper, position: str, username: str, what: str) -> Told:
        """The feed tells this person, just as the listing shows them."""

        def is_there(told: Told) -> bool:
            now = self.listed(backend, mapper).get(username)
            latest = {user.id: user for user in told.users}
            return now is not None and latest.get(now.id) == now

        return self.eventually(what, lambda: self.told(backend, mapper, position), is_there)

    # -- what it promises ------------------------------------------------------------------------------------------

    def test_feed_has_a_name_that_check_shows(self, backend: Backend) -> None:
        name = self.feed(backend).feed()
        assert isinstance(name, str), "the settings of this suite must allow a feed"
        assert name.strip()
        shown = [finding.message for finding in backend.check(self.deadline())]
        assert any(name in message for message in shown), f"check() does not say that {name!r} is used: {shown}"

    def test_position_is_a_text_of_reasonable_length(self, backend: Backend) -> None:
        position = self.position(backend)
        assert isinstance(position, str)
        assert 0 < len(position) < 64_000
        assert position.encode(), "a position must be a text that can be stored"

    def test_change_is_told(self, backend: Backend, mapper: Mapper, population: Population, edits: Edits) -> None:
        position = self.position(backend)
        for username in list(population)[:2]:
            edits.change(username)
            told = self.must_tell(backend, mapper, position, username, f"a change of {username!r}")
            position = self.after(backend, told)

    def after(self, backend: Backend, told: Told) -> str:
        """Where to go on: a new position where the feed knows no more of the old one."""
        return self.position(backend) if told.is_comparison else told.position

    def test_newcomer_is_told(self, backend: Backend, mapper: Mapper, edits: Edits) -> None:
        position = self.position(backend)
        edits.add("newcomer")
        self.must_tell(backend, mapper, position, "newcomer", "somebody new")

    def test_removal_is_told_or_at_least_no_error(
        self, backend: Backend, mapper: Mapper, population: Population, edits: Edits
    ) -> None:
        username, other = list(population)[:2]
        person = self.listed(backend, mapper)[username]
        position = self.position(backend)
        edits.remove(username)
        edits.change(other)
        told = self.must_tell(backend, mapper, position, other, "a change after a removal")
        if self.tells_people and self.tells_gone:
            assert person.id in told.gone, f"{username!r} is gone, but the feed does not tell"
        assert not set(told.gone) - {person.id}, f"told as gone although they are there: {told.gone}"

    def test_who_left_and_came_back_is_there(self, backend: Backend, mapper: Mapper, edits: Edits) -> None:
        edits.add("returner")
        position = self.position(backend)
        edits.remove("returner")
        edits.add("returner")
        told = self.must_tell(backend, mapper, position, "returner", "somebody who came back")
        assert self.listed(backend, mapper)["returner"].id not in told.gone

    def test_nothing_is_missed_between_position_and_listing(
        self, backend: Backend, mapper: Mapper, population: Population, edits: Edits
    ) -> None:
        before, after = list(population)[:2]
        position = self.position(backend)
        edits.change(before)
        list_users(backend, mapper, self.deadline())
        edits.change(after)
        self.must_tell(backend, mapper, position, before, "a change just before the listing")
        self.must_tell(backend, mapper, position, after, "a change just after the listing")

    def test_follower_sees_what_a_listing_shows(
        self, backend: Backend, mapper: Mapper, population: Population, edits: Edits
    ) -> None:
        names = list(population)[:3]
        position = self.position(backend)
        known = {user.id: user for user in list_users(backend, mapper, self.deadline())}

        def work() -> None:
            for turn in range(4):
                for name in names:
                    edits.change(name)
                edits.add(f"extra{turn}")

        done = in_background(work)
        while True:
            was_done = done.done()
            told = self.told(backend, mapper, position)
            if told.is_comparison:
                assert not self.tells_people, "the feed asks for a comparison instead of telling"
                position = self.position(backend)
                known = {user.id: user for user in list_users(backend, mapper, self.deadline())}
            else:
                known.update((user.id, user) for user in told.users)
                position = told.position
            if was_done:
                break
            time.sleep(0.02)
        settle(done, 60, "the changes")
        self.eventually_equal(backend, mapper, position, known)

    def eventually_equal(self, backend: Backend, mapper: Mapper, position: str, known: dict[str, User]) -> None:
        give_up = time.monotonic() + self.feed_seconds
        while True:
            now = {user.id: user for user in list_users(backend, mapper, self.deadline())}
            if known == now:
                return
            told = self.told(backend, mapper, position)
            if told.is_comparison:
                position, known = self.position(backend), now
            else:
                known.update((user.id, user) for user in told.users)
                position = told.position
            if time.monotonic() > give_up:
                wrong = [user.username for key, user in now.items() if known.get(key) != user]
                pytest.fail(f"who only follows the feed does not know the present state of {wrong}")

    def test_who_stops_after_each_step_gets_to_the_end(
        self, backend: Backend, mapper: Mapper, population: Population, edits: Edits
    ) -> None:
        names = list(population)[:3]
        position = start = self.position(backend)
        for name in names:
            edits.change(name)
            self.must_tell(backend, mapper, start, name, "a change")
        missing = set(names)
        for _ in range(100):
            steps = _closable(self.feed(backend).changes(position, self.deadline()))
            try:
                step = next(steps, None)
            except ComparisonNeeded:
                assert not self.tells_people
                return
            steps.close()
            if step is None:
                break
            position = step.position
            missing -= {user.username for user in mapper.page(step.entries).users()} if step.entries else set()
            if not missing:
                return
        pytest.fail(f"who takes one step at a time never comes to {sorted(missing)}: positions must make headway")

    def test_old_position_tells_everything_again(
        self, backend: Backend, mapper: Mapper, population: Population, edits: Edits
    ) -> None:
        first, second = list(population)[:2]
        position = self.position(backend)
        edits.change(first)
        self.must_tell(backend, mapper, position, first, "a change")
        edits.change(second)
        self.must_tell(backend, mapper, position, second, "another change")
        self.must_tell(backend, mapper, position, first, "the first change, asked for from the old position")

    def test_position_outlives_the_backend(
        self,
        backend: Backend,
        make_backend: Callable[[], Backend],
        mapper: Mapper,
        population: Population,
        edits: Edits,
    ) -> None:
        position = self.position(backend)
        backend.close()
        username = next(iter(population))
        edits.change(username)
        self.must_tell(make_backend(), mapper, position, username, "a change while the server was off")

    def test_quiet_source_tells_nobody_gone_and_comes_to_an_end(
        self, backend: Backend, mapper: Mapper, population: Population
    ) -> None:
        position = self.position(backend)
        for _ in range(3):
            told = self.told(backend, mapper, position)
            assert not told.is_comparison, "the feed asks for a comparison although nothing changed"
            assert not told.gone
            assert {user.username for user in told.users} <= set(population)
            position = told.position

    def test_rows_have_a_value_for_each_name(
        self, backend: Backend, mapper: Mapper, population: Population, edits: Edits
    ) -> None:
        position = self.position(backend)
        username = next(iter(population))
        edits.change(username)
        self.must_tell(backend, mapper, position, username, "a change")
        if self.tells_people:
            for step in self.feed(backend).changes(position, self.deadline()):
                assert isinstance(step.gone, tuple)
                if step.entries is not None:
                    assert set(mapper.attributes) <= set(step.entries.names)
                    assert all(len(row) == len(step.entries.names) for row in step.entries.rows)

    def test_nonsense_is_no_position(self, backend: Backend, mapper: Mapper) -> None:
        position = self.position(backend)
        twisted = (position[:-1], position[1:], position + "x", position.swapcase() + " ", position[::-1])
        for wrong in dict.fromkeys((*NONSENSE, *twisted)):
            try:
                steps = list(self.feed(backend).changes(wrong, self.deadline()))
            except ComparisonNeeded:
                continue
            except Exception as exc:
                pytest.fail(f"the position {wrong[:60]!r} raised {type(exc).__name__} ({str(exc)[:200]})")
            pytest.fail(f"the position {wrong[:60]!r} was taken for one: {str(steps)[:200]}")

    def test_outage_of_the_feed_is_not_an_answer(
        self,
        backend: Backend,
        make_backend: Callable[[], Backend],
        mapper: Mapper,
        population: Population,
        outages: Sequence[Outage],
        edits: Edits,
    ) -> None:
        username = next(iter(population))
        for name, start in self.all_outages(outages):
            fresh = make_backend()
            position = self.position(backend)
            with start():
                for one in (backend, fresh):
                    feed = self.feed(one)
                    self.must_refuse(f"feed_position() while {name}", feed.feed_position)
                    self.must_refuse(f"changes() while {name}", partial(self.all_of, feed, position))
            self.must_recover(f"feed_position() after {name}", partial(self.position, backend))
            edits.change(username)
            self.must_tell(backend, mapper, position, username, f"a change after {name}")

    def all_of(self, feed: ChangeFeed, position: str, deadline: Deadline) -> list[object]:
        """All steps; ComparisonNeeded is an answer, too, and none that an outage may give."""
        try:
            return list(feed.changes(position, deadline))
        except ComparisonNeeded as exc:
            return [exc]

    def test_deadline_that_has_passed_is_a_timeout_of_the_feed(self, backend: Backend) -> None:
        for _ in range(2):
            position = self.position(backend)
            with pytest.raises(BackendTimeout):
                self.feed(backend).feed_position(Deadline(0.0))
            with pytest.raises(BackendTimeout):
                list(self.feed(backend).changes(position, Deadline(0.0)))

    def test_several_followers_do_not_disturb_each_other(
        self, backend: Backend, mapper: Mapper, population: Population, edits: Edits
    ) -> None:
        position = self.position(backend)
        username = next(iter(population))
        edits.change(username)
        self.must_tell(backend, mapper, position, username, "a change")
        now = self.listed(backend, mapper)[username]

        def work(number: int) -> None:
            for _ in range(3):
                told = self.told(backend, mapper, position)
                assert told.is_comparison or now in told.users, "a follower among others is not told"

        in_threads(work, 4)

    def test_feed_that_is_left_early_can_be_asked_again(
        self, backend: Backend, mapper: Mapper, population: Population, edits: Edits
    ) -> None:
        position = self.position(backend)
        username = next(iter(population))
        edits.change(username)
        self.must_tell(backend, mapper, position, username, "a change")
        for _ in range(20):
            steps = _closable(self.feed(backend).changes(position, self.deadline()))
            try:
                next(steps, None)
            except ComparisonNeeded:
                assert not self.tells_people
            steps.close()
        self.must_tell(backend, mapper, position, username, "a change, after others left early")


def _closable(steps: Iterator[object]) -> Any:
    if not hasattr(steps, "close"):
        pytest.fail("changes() must return an iterator with close(), such as a generator")
    return steps
