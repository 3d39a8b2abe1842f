"""The brake on guessing: distinct wrong passwords of one user from one caller, never for good."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import pytest

from integration_server import Throttled
from integration_server.directory import throttle as throttle_module
from integration_server.directory.throttle import Throttle, ThrottlePolicy
from integration_server.store import Store
from integration_server.store.failed_logins import Failures, Who
from tests.directory.house import Clock, House

ANN = Who("archive", "ann", "10.0.0.1")
POLICY = {"free_failures": 3, "first_pause_seconds": 30.0, "longest_pause_seconds": 200.0, "window_seconds": 3600.0}


@pytest.fixture
def throttle(house: House) -> Throttle:
    return house.throttle(**POLICY)


def guess(throttle: Throttle, *passwords: str, who: Who = ANN) -> None:
    for password in passwords:
        throttle.check(who)
        throttle.failure(who, password)


def is_refused(throttle: Throttle, who: Who = ANN) -> bool:
    try:
        throttle.check(who)
    except Throttled:
        return True
    return False


@pytest.mark.parametrize(
    ("count", "pause"), [(0, 0), (1, 0), (2, 0), (3, 30), (4, 60), (5, 120), (6, 200), (7, 200), (10_000, 200)]
)
def test_each_further_wrong_password_doubles_the_pause_up_to_a_limit(count: int, pause: float) -> None:
    until = ThrottlePolicy(**POLICY).blocked_until(Failures(ANN, count, 1000.0))

    assert until == (1000.0 + pause if pause else 0.0)


def test_different_wrong_passwords_are_stopped(throttle: Throttle) -> None:
    guess(throttle, "a", "b")
    assert not is_refused(throttle)
    guess(throttle, "c")

    with pytest.raises(Throttled, match="3 different wrong passwords; refused for 30 s"):
        throttle.check(ANN)


def test_one_wrong_password_all_night_is_no_guessing(throttle: Throttle, clock: Clock) -> None:
    for _ in range(100):
        guess(throttle, "old password")
        clock.now += 60

    assert not is_refused(throttle)


def test_a_pause_ends_and_one_more_guess_starts_a_longer_one(throttle: Throttle, clock: Clock) -> None:
    guess(throttle, "a", "b", "c")
    clock.now += 29.9
    assert is_refused(throttle)
    clock.now += 0.2
    assert not is_refused(throttle)
    guess(throttle, "d")
    clock.now += 59
    assert is_refused(throttle)
    clock.now += 2
    assert not is_refused(throttle)


def test_an_old_password_repeated_after_the_pause_does_not_prolong_it(throttle: Throttle, clock: Clock) -> None:
    guess(throttle, "a", "b", "c")
    clock.now += 31
    guess(throttle, "a", "b", "c")

    assert not is_refused(throttle)


def test_nobody_is_refused_for_good(throttle: Throttle, clock: Clock) -> None:
    waited = 0.0
    for number in range(25):
        while is_refused(throttle):
            clock.now += 10
            waited += 10
            assert waited < 25 * 210
        guess(throttle, f"guess {number}")
    clock.now += 200

    assert not is_refused(throttle)
    clock.now += 3600
    guess(throttle, "x", "y")
    assert not is_refused(throttle)


def test_the_right_password_wipes_the_slate(throttle: Throttle) -> None:
    guess(throttle, "a", "b")
    throttle.success(ANN, throttle.check(ANN))
    guess(throttle, "c", "d")

    assert not is_refused(throttle)


def test_a_login_without_failures_writes_nothing(house: House, throttle: Throttle, tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "store.db", isolation_level=None) as locked:
        locked.execute("BEGIN IMMEDIATE")
        throttle.success(ANN, throttle.check(ANN))
        locked.execute("ROLLBACK")


@pytest.mark.parametrize(
    "other", [Who("archive", "bob", "10.0.0.1"), Who("archive", "ann", "10.0.0.2"), Who("tenant", "ann", "10.0.0.1")]
)
def test_others_are_not_refused_along(other: Who, throttle: Throttle) -> None:
    guess(throttle, "a", "b", "c")

    assert is_refused(throttle)
    assert not is_refused(throttle, other)


def test_nodes_with_one_store_count_together(throttle: Throttle, house: House) -> None:
    other = house.throttle(**POLICY)
    guess(throttle, "a", "b")
    guess(other, "b", "c")

    assert is_refused(throttle)
    assert is_refused(other)
    other.success(ANN, Failures(ANN, 3, 0.0))
    assert not is_refused(throttle)


def test_another_nodes_first_failures_are_known_a_second_later(throttle: Throttle, house: House, clock: Clock) -> None:
    other = house.throttle(**POLICY)
    assert not is_refused(throttle)
    guess(other, "a", "b", "c")
    clock.now += 1

    assert is_refused(throttle)


def test_an_operators_yes_counts_at_once(throttle: Throttle, house: House) -> None:
    guess(throttle, "a", "b", "c")
    house.store.failed_logins.forget("ann")

    assert not is_refused(throttle)


def test_however_many_names_are_guessed_at_none_is_overlooked(
    throttle: Throttle, house: House, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(throttle_module, "_MOST_SUSPECTS", 5)
    for number in range(10):
        guess(throttle, "a", "b", "c", who=Who("archive", f"user{number}", "10.0.0.1"))
        clock.now += 1
    other = house.throttle(**POLICY)

    assert all(is_refused(other, Who("archive", f"user{number}", "10.0.0.1")) for number in range(10))
    assert not is_refused(other)


def test_a_clock_that_was_set_back_hides_nobody(throttle: Throttle, house: House, clock: Clock) -> None:
    assert not is_refused(throttle)
    clock.now -= 3600
    guess(house.throttle(**POLICY), "a", "b", "c")

    assert is_refused(throttle)


def at_the_same_moment(throttle: Throttle, passwords: list[str]) -> list[str]:
    """Those of the passwords that get past the brake while all are being checked."""
    passed: list[str] = []
    everybody_came = threading.Barrier(len(passwords))

    def attempt(password: str) -> None:
        try:
            with throttle.attempt(ANN, password):
                passed.append(password)
                everybody_came.wait(10)
                throttle.failure(ANN, password)
        except Throttled:
            everybody_came.wait(10)

    threads = [threading.Thread(target=attempt, args=(password,)) for password in passwords]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    return passed


def test_guesses_at_the_same_moment_are_no_more_than_one_after_the_other(throttle: Throttle, clock: Clock) -> None:
    passed = at_the_same_moment(throttle, [f"guess {number}" for number in range(12)])

    assert 1 <= len(passed) <= 3
    assert is_refused(throttle) == (len(passed) == 3)
    clock.now += 31
    # What was refused unseen has left no trace.
    with throttle.attempt(ANN, "right") as failures:
        assert failures.count == len(passed)


def test_a_mail_client_with_many_connections_is_one_attempt(throttle: Throttle) -> None:
    assert len(at_the_same_moment(throttle, 12 * ["of last year"])) == 12
    assert not is_refused(throttle)


def test_an_attempt_that_ends_in_an_outage_leaves_no_trace(throttle: Throttle) -> None:
    def fail(password: str) -> None:
        with throttle.attempt(ANN, password):
            raise KeyError

    for number in range(10):
        with pytest.raises(KeyError):
            fail(f"guess {number}")

    assert not is_refused(throttle)


def test_counts_survive_a_restart(throttle: Throttle, tmp_path: Path, clock: Clock) -> None:
    guess(throttle, "a", "b", "c")
    store = Store("", tmp_path)

    assert is_refused(Throttle(store.failed_logins, b"k" * 32, ThrottlePolicy(**POLICY), clock))
    store.close()


def test_passwords_are_kept_as_macs_under_a_key_that_the_store_lacks(throttle: Throttle, tmp_path: Path) -> None:
    guess(throttle, "hush-hush")
    throttle.failure(Who("archive", "bob", "10.0.0.1"), "hush-hush")
    with sqlite3.connect(tmp_path / "store.db") as connection:
        rows = connection.execute("SELECT * FROM failed_logins").fetchall()
        macs = {row[0] for row in connection.execute("SELECT password_mac FROM failed_logins")}

    assert "hush-hush" not in str(rows)
    # The same password of two people is not recognised as such.
    assert len(macs) == 2
    assert all(len(mac) == 64 for mac in macs)


def test_passwords_of_any_letters_can_be_counted(throttle: Throttle) -> None:
    guess(throttle, "ä€", "half a surrogate \udcff", "\N{GRINNING FACE}" * 4000)

    assert is_refused(throttle)


def test_the_log_tells_when_a_pause_begins_and_no_password(
    throttle: Throttle, caplog: pytest.LogCaptureFixture
) -> None:
    guess(throttle, "wrong-1", "wrong-2", "wrong-3")

    (record,) = [r.getMessage() for r in caplog.records if "is refused" in r.getMessage()]
    assert "for 30 s, after 3 different wrong passwords" in record
    assert "wrong-3" not in caplog.text
