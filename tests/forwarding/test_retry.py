"""The schedule of tries."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integration_server.forwarding.delivery.retry import (
    ENDLESS_SCHEDULE,
    LONGEST,
    SCHEDULE,
    is_due,
    pause_after,
    pause_before_probe,
)

HALF = 0.5


def test_ten_tries_take_three_days_and_then_it_is_dead() -> None:
    pauses = [pause_after(attempt, None, lambda: HALF) for attempt in range(1, 11)]

    assert pauses == [5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400, None]


@given(attempt=st.integers(1, 9), luck=st.floats(0, 1, exclude_max=True))
def test_jitter_stays_within_a_tenth(attempt: int, luck: float) -> None:
    pause = pause_after(attempt, None, lambda: luck)

    assert pause is not None
    assert 0.9 * SCHEDULE[attempt - 1] <= pause <= 1.1 * SCHEDULE[attempt - 1]
    assert pause <= LONGEST


@pytest.mark.parametrize(("asked", "given"), [(0, 5), (60, 60), (1e9, 3600), (-5, 5)])
def test_receiver_may_ask_for_more_time_up_to_an_hour(asked: float, given: float) -> None:
    assert pause_after(1, asked, lambda: HALF) == given


def test_probes_become_rare_but_never_rarer_than_five_minutes() -> None:
    pauses = [pause_before_probe(probes, None, False, lambda: HALF) for probes in (0, 1, 2, 3, 10, 100_000)]

    assert pauses == [5, 10, 20, 40, 300, 300]
    assert pause_before_probe(3, None, True, lambda: HALF) == 3600
    assert pause_before_probe(3, 0.001, False, lambda: HALF) == 1
    assert pause_before_probe(3, 1e9, False, lambda: HALF) == 3600


def test_time_that_a_later_clock_wrote_down_is_due() -> None:
    assert is_due(100.0, 100.0)
    assert not is_due(100.1, 100.0)
    assert is_due(100.0 + 2 * LONGEST, 100.0)


def test_receiver_that_is_never_given_up_is_asked_every_hour_in_the_end() -> None:
    pauses = [
        pause_after(attempt, None, lambda: HALF, ENDLESS_SCHEDULE, gives_up=False) for attempt in (1, 7, 8, 10_000)
    ]

    assert pauses == [5, 3600, 3600, 3600]
