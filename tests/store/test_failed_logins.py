"""Failed logins: distinct wrong passwords within a window, counted right from many processes."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa

from integration_server import StoreUnavailable
from integration_server.store import Store, failed_logins
from integration_server.store.failed_logins import FailedLogins, Who
from tests.store.processes import at_once

ANN = Who("archive", "ann", "10.0.0.1")
LONG_AGO = 0.0


@pytest.fixture
def failed(engine: sa.Engine) -> FailedLogins:
    return FailedLogins(engine)


def test_nobody_starts_with_failures(failed: FailedLogins) -> None:
    found = failed.failures(ANN, LONG_AGO)

    assert (found.who, found.count, found.last_at) == (ANN, 0, 0.0)


def test_one_wrong_password_counts_once_and_stays_where_it_was(failed: FailedLogins) -> None:
    failed.add(ANN, "mac-1", 100.0, LONG_AGO)
    failed.add(ANN, "mac-2", 110.0, LONG_AGO)
    failed.add(ANN, "mac-1", 120.0, LONG_AGO)

    found = failed.failures(ANN, LONG_AGO)
    assert (found.count, found.last_at) == (2, 110.0)


@pytest.mark.parametrize(
    "other", [Who("tenant", "ann", "10.0.0.1"), Who("archive", "bob", "10.0.0.1"), Who("archive", "ann", "10.0.0.2")]
)
def test_mounts_users_and_callers_are_counted_apart(other: Who, failed: FailedLogins) -> None:
    failed.add(ANN, "mac", 100.0, LONG_AGO)
    failed.add(other, "mac", 100.0, LONG_AGO)
    failed.add(other, "mac-2", 100.0, LONG_AGO)

    failed.clear(other)

    assert failed.failures(ANN, LONG_AGO).count == 1
    assert failed.failures(other, LONG_AGO).count == 0


def test_only_failures_within_the_window_count_and_older_ones_are_forgotten(failed: FailedLogins) -> None:
    bob = Who("archive", "bob", "10.0.0.1")
    failed.add(ANN, "mac-1", 100.0, LONG_AGO)
    failed.add(ANN, "mac-2", 200.0, LONG_AGO)

    assert failed.failures(ANN, 100.0).count == 1
    assert failed.failures(ANN, 99.0).count == 2
    failed.add(bob, "mac", 300.0, since=150.0)
    assert failed.failures(ANN, LONG_AGO).count == 1
    # A password that left the window counts anew.
    failed.add(ANN, "mac-1", 310.0, since=150.0)
    assert failed.failures(ANN, LONG_AGO).count == 2


def test_everybody_who_failed_is_listed_latest_first(failed: FailedLogins) -> None:
    bob = Who("archive", "bob", "10.0.0.1")
    failed.add(ANN, "mac-1", 100.0, LONG_AGO)
    failed.add(bob, "mac-1", 200.0, LONG_AGO)
    failed.add(ANN, "mac-2", 300.0, LONG_AGO)

    assert [(f.who, f.count, f.last_at) for f in failed.everybody(LONG_AGO)] == [(ANN, 2, 300.0), (bob, 1, 200.0)]
    assert [(f.who, f.count) for f in failed.everybody(100.0)] == [(ANN, 1), (bob, 1)]


def test_an_operator_forgets_one_name_on_all_mounts_or_everybody(failed: FailedLogins) -> None:
    for who in (ANN, Who("tenant", "ann", "x"), Who("archive", "bob", "x")):
        failed.add(who, "mac", 100.0, LONG_AGO)

    assert failed.forget("ann") == 2
    assert failed.forget("ann") == 0
    assert [f.who.username for f in failed.everybody(LONG_AGO)] == ["bob"]
    assert failed.forget(None) == 1


def test_names_of_any_letters_and_the_greatest_length_can_be_counted(failed: FailedLogins) -> None:
    """Up to what a login may be called at all; a store that cannot note the failure would let guesses pass."""
    for name in ("ä%_'\"\\;--", "\N{GRINNING FACE}" * 256, "x" * 1024):
        who = Who("m" * 100, name, "fe80:0000:0000:0000:0000:0000:0000:0001%an-interface")
        failed.add(who, "f" * 64, 100.0, LONG_AGO)
        assert failed.failures(who, LONG_AGO).count == 1


def test_processes_that_note_the_same_password_at_once_count_it_once(
    failed: FailedLogins, url: str, tmp_path: Path
) -> None:
    at_once(
        4,
        """
        def work(number, arguments):
            store = Store(arguments["url"], Path(arguments["folder"]))
            for turn in range(10):
                store.failed_logins.add(Who("m", "ann", "c"), f"same-{turn}", 100.0 + turn, 0.0)
                store.failed_logins.add(Who("m", "ann", "c"), f"own-{number}-{turn}", 100.0 + turn, 0.0)
            store.close()
        """,
        url=url,
        folder=str(tmp_path),
    )

    assert failed.failures(Who("m", "ann", "c"), LONG_AGO).count == 10 + 4 * 10


def test_those_who_fail_often_are_found_among_many_who_do_not(failed: FailedLogins) -> None:
    for number in range(20):
        failed.add(Who("archive", f"user{number}", "10.0.0.1"), "mac", 200.0, LONG_AGO)
    for number in range(3):
        failed.add(ANN, f"mac-{number}", 100.0 + number, LONG_AGO)

    (found,) = failed.repeated(LONG_AGO, 3, 10)
    assert (found.who, found.count, found.last_at) == (ANN, 3, 102.0)
    assert failed.repeated(101.0, 3, 10) == []
    assert len(failed.repeated(LONG_AGO, 1, 10)) == 10


def test_a_login_does_not_wait_long_for_a_lock_and_others_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failed_logins, "_LOCKED_SECONDS", 0.2)
    who = Who("m", "ann", "c")
    with closing(Store("", tmp_path)) as store, _locked(tmp_path / "store.db") as release:
        with pytest.raises(StoreUnavailable):
            store.failed_logins.add(who, "mac", 1.0, 0.0)
        with pytest.raises(StoreUnavailable):
            store.failed_logins.clear(who)
        threading.Timer(0.6, release).start()
        store.watches.want_scan("people")
        store.failed_logins.add(who, "mac", 1.0, 0.0)
        assert store.failed_logins.failures(who, 0.0).count == 1


@contextmanager
def _locked(file: Path) -> Iterator[Callable[[], object]]:
    """Another program holds the lock until what is given is called, in any thread."""
    with closing(sqlite3.connect(file, isolation_level=None, check_same_thread=False)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield lambda: connection.execute("ROLLBACK")
