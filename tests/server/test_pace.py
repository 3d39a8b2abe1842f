"""What is said of a path's requests after some of them were measured."""

from __future__ import annotations

import os
import threading
import time

from integration_server.server.pace import (
    ENDLESS_SECONDS,
    FIRST_REST_SECONDS,
    LONGEST_REST_SECONDS,
    MOST_PATHS,
    MOST_SLOW,
    SAMPLE,
    TRUST_SECONDS,
    Habit,
    Pace,
    Stopwatch,
    Taken,
)

QUICK = Taken(0.0003, 0.0002, 0.0)
WAITING = Taken(0.02, 0.0002, 0.0)


def habit_after(*taken: Taken, now: float = 100.0) -> Habit:
    habit = Habit()
    for one in taken:
        habit.note(one, now)
    return habit


def test_new_path_is_taken_for_quick_and_measured() -> None:
    habit = Habit()
    assert habit.is_quick(100.0)
    assert not habit.is_certain(100.0)


def test_path_that_computes_is_believed_for_a_while() -> None:
    habit = habit_after(*[QUICK] * SAMPLE)
    assert habit.is_quick(100.0)
    assert habit.is_certain(100.0)
    assert not habit.is_certain(100.0 + TRUST_SECONDS)


def test_path_that_waits_rests() -> None:
    habit = habit_after(*[WAITING] * (MOST_SLOW + 1))
    assert not habit.is_quick(100.0)
    assert habit.is_quick(100.0 + FIRST_REST_SECONDS)


def test_one_slow_request_among_many_is_no_habit() -> None:
    habit = habit_after(WAITING, *[QUICK] * (SAMPLE - 1))
    assert habit.is_quick(100.0)
    assert habit.is_certain(100.0)


def test_request_without_end_counts_for_all() -> None:
    assert not habit_after(Taken(ENDLESS_SECONDS, 0.0, 0.0)).is_quick(100.0)


def test_waiting_for_a_processor_is_not_held_against_a_path() -> None:
    habit = habit_after(*[Taken(0.5, 0.0002, 0.4997)] * SAMPLE)
    assert habit.is_quick(100.0)


def test_rests_become_longer_up_to_a_limit() -> None:
    habit, now = Habit(), 100.0
    for _ in range(10):
        while habit.is_quick(now):
            habit.note(WAITING, now)
        assert not habit.is_quick(now + FIRST_REST_SECONDS / 2)
        now += LONGEST_REST_SECONDS
        assert habit.is_quick(now)


def test_path_that_became_quick_has_short_rests_again() -> None:
    habit = habit_after(*[WAITING] * (MOST_SLOW + 1), *[QUICK] * SAMPLE, *[WAITING] * (MOST_SLOW + 1), now=100.0)
    assert habit.is_quick(100.0 + FIRST_REST_SECONDS)


def test_doubted_path_is_measured() -> None:
    habit = habit_after(*[QUICK] * SAMPLE)
    habit.doubt()
    assert not habit.is_certain(100.0)


def test_each_path_has_a_habit_of_its_own() -> None:
    pace = Pace()
    for _ in range(SAMPLE):
        pace.of("/slow").note(WAITING, 100.0)
    assert not pace.of("/slow").is_quick(100.0)
    assert pace.of("/other").is_quick(100.0)


def test_paths_that_nobody_has_seen_are_judged_together() -> None:
    pace = Pace()
    for _ in range(SAMPLE):
        pace.of("/quick").note(QUICK, 100.0)
    for number in range(MOST_SLOW + 1):
        pace.of(f"/{number}").note(WAITING, 100.0)
    assert not pace.of("/another").is_quick(100.0)
    assert not pace.of("/another").is_quick(100.0)
    assert pace.of("/another").is_quick(100.0 + FIRST_REST_SECONDS)
    assert pace.of("/quick").is_quick(100.0)


def test_made_up_paths_take_no_more_than_so_much_room() -> None:
    pace = Pace()
    for number in range(3 * MOST_PATHS):
        pace.of(f"/{number}")
    assert len(pace._habits) <= MOST_PATHS


def test_stopwatch_tells_computing_from_waiting() -> None:
    stopwatch = Stopwatch()
    try:
        stopwatch.start()
        threading.Event().wait(0.05)
        waited = stopwatch.stop()
        stopwatch.start()
        until = time.thread_time() + 0.05
        while time.thread_time() < until:
            pass
        computed = stopwatch.stop()
    finally:
        stopwatch.close()
    assert waited.passed > 0.04
    assert waited.computed < 0.04
    # Windows counts in ticks.
    assert computed.computed > (0.02 if os.name == "nt" else 0.049)
    assert computed.delayed >= 0.0
