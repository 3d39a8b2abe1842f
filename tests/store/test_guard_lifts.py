"""Guards that are lifted once: for a day, and for one use."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa

from integration_server.store.guard_lifts import LIFTED_SECONDS, GuardLifts


@pytest.fixture
def now() -> list[float]:
    return [1_000_000.0]


@pytest.fixture
def lifts(engine: sa.Engine, now: list[float]) -> GuardLifts:
    return GuardLifts(engine, lambda: now[0])


def test_a_lift_is_used_once(lifts: GuardLifts) -> None:
    made = lifts.lift("frontend", "archive", "admin:ann")
    assert lifts.all() == [made]
    assert lifts.use("frontend", "archive") == made
    assert lifts.use("frontend", "archive") is None
    assert lifts.all() == []


def test_frontends_and_backends_of_one_name_have_their_own(lifts: GuardLifts) -> None:
    lifts.lift("frontend", "hq", "admin:ann")
    assert lifts.use("backend", "hq") is None
    assert lifts.use("frontend", "other") is None
    assert lifts.use("frontend", "hq") is not None


def test_an_unused_lift_ends_after_a_day(lifts: GuardLifts, now: list[float]) -> None:
    lifts.lift("backend", "hq", "admin:ann")
    now[0] += LIFTED_SECONDS - 1
    assert lifts.all()
    now[0] += 1
    assert lifts.all() == []
    assert lifts.use("backend", "hq") is None
    assert not lifts.end("backend", "hq")


def test_lifting_again_begins_the_day_anew(lifts: GuardLifts, now: list[float]) -> None:
    lifts.lift("backend", "hq", "admin:ann")
    now[0] += LIFTED_SECONDS / 2
    again = lifts.lift("backend", "hq", "a" * 500)
    assert lifts.all() == [again]
    assert (again.until, again.actor) == (now[0] + LIFTED_SECONDS, "a" * 200)


def test_a_lift_can_be_ended(lifts: GuardLifts) -> None:
    lifts.lift("backend", "hq", "admin:ann")
    assert lifts.end("backend", "hq")
    assert not lifts.end("backend", "hq")


def test_of_many_who_ask_at_once_one_gets_it(lifts: GuardLifts) -> None:
    lifts.lift("frontend", "archive", "admin:ann")
    with ThreadPoolExecutor(8) as executor:
        got = list(executor.map(lambda _: lifts.use("frontend", "archive"), range(16)))
    assert sum(lift is not None for lift in got) == 1
