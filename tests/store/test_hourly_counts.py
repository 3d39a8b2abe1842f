"""Hours, on SQLite and PostgreSQL: what several processes add loses nothing."""

from __future__ import annotations

import threading

import pytest
import sqlalchemy as sa

from integration_server.store.hourly_counts import WHATS, HourlyCount, HourlyCounts, What


@pytest.fixture
def counts(engine: sa.Engine) -> HourlyCounts:
    return HourlyCounts(engine)


def count(what: What, number: int, hour: int = 7, at: float = 1.0, frontend: str = "archive") -> HourlyCount:
    return HourlyCount(frontend, hour, what, number, at)


def test_numbers_are_added_and_people_replaced(counts: HourlyCounts) -> None:
    counts.add([count("accepted", 2), count("lists", 1), count("people", 40)])
    counts.add([count("accepted", 3, at=2.0), count("people", 4, at=2.0)])
    found = {one.what: (one.number, one.latest_at) for one in counts.since(0)}
    assert found == {"accepted": (5, 2.0), "lists": (1, 1.0), "people": (4, 2.0)}


def test_hours_come_in_order_and_from_one_on(counts: HourlyCounts) -> None:
    counts.add([count("accepted", 1, hour) for hour in (9, 7, 8)] + [count("people", 5, 9)])
    assert [one.hour for one in counts.since(8, "accepted")] == [8, 9]
    assert [one.what for one in counts.since(9, "people")] == ["people"]


def test_the_latest_of_each_is_told(counts: HourlyCounts) -> None:
    counts.add([count("lists", 1, 7, 10.0), count("lists", 1, 8, 20.0), count("lists", 1, 8, 15.0, "other")])
    assert counts.latest() == {("archive", "lists"): 20.0, ("other", "lists"): 15.0}


def test_old_hours_are_forgotten(counts: HourlyCounts) -> None:
    counts.add([count("lists", 1, hour) for hour in (5, 6, 7)])
    assert counts.prune(7) == 2
    assert [one.hour for one in counts.since(0)] == [7]


def test_processes_that_add_at_the_same_time_lose_nothing_and_do_not_wait_for_each_other(
    counts: HourlyCounts,
) -> None:
    failures: list[BaseException] = []

    def add(is_backwards: bool) -> None:
        rows = [count(what, 1, frontend=name) for name in ("a", "b", "c") for what in WHATS]
        try:
            for _ in range(20):
                counts.add(rows[::-1] if is_backwards else rows)
        except BaseException as exc:
            failures.append(exc)

    threads = [threading.Thread(target=add, args=(number % 2 == 1,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []
    assert {one.number for one in counts.since(0) if one.what != "people"} == {80}
