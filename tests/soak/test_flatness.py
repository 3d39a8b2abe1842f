"""What counts as flat."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest

from tests.receiver import Received
from tests.soak.flatness import judge_count, judge_memory, judge_processes, judge_store, quarters, warmed
from tests.soak.sampling import ProcessSample, StoreSample
from tests.soak.slaves import check_slave


def points(value: Callable[[int], float], seconds: int = 400) -> list[tuple[float, float]]:
    return [(float(at), value(at)) for at in range(seconds + 1)]


def test_the_second_quarter_is_put_beside_the_last() -> None:
    second, last = quarters(points(float, 8))
    assert (second, last) == ([2, 3, 4], [6, 7, 8])


def test_a_short_life_is_not_judged() -> None:
    assert not warmed([])
    assert not warmed(points(float, 60))
    assert warmed(points(float, 75))


def test_the_warm_up_of_a_long_life_is_a_tenth_of_it() -> None:
    assert warmed(points(float, 400))[0][0] == 40


def test_memory_that_settles_is_flat() -> None:
    assert judge_memory("it", points(lambda at: 100 + min(at, 90) + at % 3)).is_flat


def test_memory_that_grows_all_the_time_is_not_flat() -> None:
    assert not judge_memory("it", points(lambda at: 100 + at / 10)).is_flat


def test_connections_that_come_and_go_are_flat() -> None:
    assert judge_count("it", points(lambda at: 40 + at % 7)).is_flat


@pytest.mark.parametrize("seconds", [30, 60])
def test_a_descriptor_that_is_lost_now_and_then_is_not_flat(seconds: int) -> None:
    assert not judge_count("it", points(lambda at: 40 + at % 2 + at // seconds)).is_flat


@pytest.mark.parametrize(("seconds", "every", "is_flat"), [(100, 10, True), (100, 3, False), (600, 60, False)])
def test_pools_may_fill_in_a_short_life(seconds: int, every: int, is_flat: bool) -> None:
    samples = [
        ProcessSample(float(at), 1, 7, "the worker process", 100.0, 60 + at // every, 20) for at in range(seconds)
    ]
    found = [one for one in judge_processes(samples) if one.name.startswith("file descriptors")]
    assert [one.is_flat for one in found] == [is_flat]


def test_each_process_is_judged_in_each_life_that_is_long_enough() -> None:
    samples = [
        ProcessSample(float(at), 1 if at < 30 else 2, pid, "the worker process", 100.0, 40, 20 + at * (pid == 8))
        for at, pid in itertools.product(range(200), (7, 8))
    ]
    verdicts = judge_processes(samples)
    assert len(verdicts) == 6
    assert [one.name for one in verdicts if not one.is_flat] == ["threads of the worker process 8 (life 2)"]


def stores(size: Callable[[int], float], deliveries: Callable[[int], int]) -> list[StoreSample]:
    return [
        StoreSample(float(at), size(at), 4.0, 20.0, 12, {"events": at * 2, "deliveries": deliveries(at)})
        for at in range(0, 400, 5)
    ]


def test_a_store_may_grow_by_its_journal() -> None:
    assert all(one.is_flat for one in judge_store(stores(lambda at: 1 + at / 100, lambda at: at % 9)))


def test_a_store_that_grows_by_more_than_its_journal_is_not_flat() -> None:
    grown = [one.name for one in judge_store(stores(lambda at: 1 + at / 50, lambda at: 0)) if not one.is_flat]
    assert grown == ["size of store.db, 390 events later"]


def test_rows_that_nobody_removes_are_not_flat() -> None:
    grown = [one.name for one in judge_store(stores(lambda at: 1, lambda at: at)) if not one.is_flat]
    assert grown == ["rows of deliveries"]


def told(*names: str) -> list[Received]:
    heads = [f"GET /far?do=changeName&id=1&name={name} HTTP/1.1".encode() for name in names]
    return [Received(number, 0.0, 200, head, b"") for number, head in enumerate(heads)]


def test_a_slave_may_be_told_again_and_of_what_nobody_acknowledged() -> None:
    assert check_slave(told("a", "b", "b", "c"), ["a", "b", "c"], {"a", "c"}) == 3


def test_a_slave_that_lacks_a_change_is_found() -> None:
    with pytest.raises(AssertionError, match="never told of"):
        check_slave(told("a", "c"), ["a", "b", "c"], {"a", "b", "c"})


def test_a_slave_that_was_told_in_another_order_is_found() -> None:
    with pytest.raises(AssertionError, match="came after"):
        check_slave(told("b", "a"), ["a", "b"], {"a", "b"})
