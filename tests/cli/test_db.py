"""``db``: the store is brought up to date, and what is wrong with it is told."""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Iterator

import pytest

from integration_server.cli.db import size
from integration_server.store import Store
from integration_server.store.journal import Change, Journal
from tests.cli.conftest import Place, Run, subscription
from tests.servers import PostgreSql


def test_upgrade_makes_the_schema_once(place: Place, run: Run) -> None:
    first = json.loads(run("db", "upgrade", place.config, "--json").stdout)
    assert first["before"] is None
    assert first["after"] >= "0002"
    again = run("db", "upgrade", place.config)
    assert (again.exit_code, again.stdout) == (0, f"the schema is this version's already ({first['after']})\n")


def test_check_counts_rows_and_says_that_all_is_well(place: Place, run: Run) -> None:
    run("db", "upgrade", place.config)
    result = run("db", "check", place.config)
    assert result.exit_code == 0
    assert str(place.data / "store.db") in result.stdout
    assert result.stdout.endswith("all is well\n")
    found = json.loads(run("db", "check", "--json", place.config).stdout)
    assert found["is_current"] is True
    assert found["faults"] == []
    assert found["rows"]["journal_state"] == 1
    assert found["rows"]["events"] == 0
    assert found["size_bytes"] > 4096


def test_store_that_nobody_has_made_is_told(place: Place, run: Run) -> None:
    result = run("db", "check", place.config)
    assert result.exit_code == 3
    assert "there is no schema yet" in result.stderr
    assert "integration-server db upgrade" in result.stderr


def test_older_schema_is_told_and_check_leaves_it_alone(place: Place, run: Run) -> None:
    run("db", "upgrade", place.config)
    _sql(place, "UPDATE alembic_version SET version_num = '0001'")
    for _ in range(2):
        result = run("db", "check", place.config)
        assert result.exit_code == 3
        assert "error: the schema is 0001, this version needs " in result.stderr


def test_schema_of_a_newer_version_is_neither_used_nor_changed(place: Place, run: Run) -> None:
    run("db", "upgrade", place.config)
    _sql(place, "UPDATE alembic_version SET version_num = '9999'")
    result = run("db", "upgrade", place.config)
    assert result.exit_code == 3
    assert "written by a newer version" in result.stderr
    checked = run("db", "check", place.config)
    assert checked.exit_code == 3
    assert "the schema is 9999, of a newer version" in checked.stderr
    assert "db upgrade" not in checked.stderr


def test_lost_journal_state_is_told(place: Place, run: Run) -> None:
    run("db", "upgrade", place.config)
    _sql(place, "DELETE FROM journal_state")
    result = run("db", "check", place.config)
    assert result.exit_code == 3
    assert "the journal's state is missing" in result.stderr


def test_damaged_file_is_told(place: Place, run: Run) -> None:
    run("db", "upgrade", place.config)
    path = place.data / "store.db"
    content = bytearray(path.read_bytes())
    content[4096 * 3 : 4096 * 6] = b"\xa5" * 4096 * 3
    path.write_bytes(content)
    result = run("db", "check", place.config)
    assert result.exit_code == 3
    assert "Traceback" not in result.output
    assert "error: " in result.stderr


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write everywhere")
def test_store_that_cannot_be_written_is_told(place: Place, run: Run) -> None:
    run("db", "upgrade", place.config)
    (place.data / "store.db").chmod(0o400)
    assert run("db", "check", place.config).exit_code == 3


def test_postgresql_is_checked_too(place: Place, run: Run, postgresql: PostgreSql) -> None:
    place.write("11-store.toml", f"[store]\nurl = {json.dumps(postgresql.create_database())}\n")
    assert run("db", "check", place.config).exit_code == 3
    assert run("db", "upgrade", place.config).exit_code == 0
    found = json.loads(run("db", "check", place.config, "--json").stdout)
    assert found["faults"] == []
    assert found["size_bytes"] > 100_000


@pytest.mark.parametrize(
    ("count", "text"), [(1, "1 byte"), (999, "999 bytes"), (49152, "49.2 kB"), (3_000_000_000_000_000, "3000.0 TB")]
)
def test_sizes_are_for_people_to_read(count: int, text: str) -> None:
    assert size(count) == text


def _sql(place: Place, statement: str) -> None:
    with sqlite3.connect(place.data / "store.db") as connection:
        connection.execute(statement)
    connection.close()


# -- prune -----------------------------------------------------------------------------------------------------------


DAY = 86400.0


@pytest.fixture
def old_events(place: Place) -> Iterator[Store]:
    """Serials 1 to 9, noticed 100 days ago, and 10, of now."""
    store = Store("", place.data)
    past = Journal(store._engine, lambda: time.time() - 100 * DAY)
    for number in range(1, 10):
        past.apply("hq", [_created(number)], 0)
    store.journal.apply("hq", [_created(10)], 0)
    yield store
    store.close()


def _created(number: int) -> Change:
    return Change("create", str(number), bytes(16), {"id": str(number), "username": f"u{number}", "groups": []})


@pytest.mark.usefixtures("old_events")
def test_old_events_are_removed_and_young_ones_stay(place: Place, run: Run) -> None:
    assert run("db", "prune", place.config, "--before", 101).stdout.startswith("removed 0 events")
    result = run("db", "prune", place.config)
    assert (result.exit_code, result.stdout) == (0, "removed 9 events; the journal begins with serial 10\n")
    assert [line.split()[0] for line in run("changes", "-c", place.config).stdout.splitlines()] == ["10"]


def test_events_that_somebody_has_not_got_yet_stay_and_it_is_said_who(
    place: Place, run: Run, old_events: Store
) -> None:
    for uid, cursor, state in (("wiki", 6, "ok"), ("crm", 8, "quarantined"), ("gone", 2, "ended")):
        old_events.subscriptions.add(subscription(uid, cursor=cursor, state=state))
    result = run("db", "prune", place.config, "--before", 1)
    assert result.stdout.startswith("removed 6 events; the journal begins with serial 7\n")
    assert "events from serial 7 on are as old, but kept: wiki (sub_wiki) has not got them yet" in result.stdout
    found = json.loads(run("db", "prune", place.config, "--before", 1, "--json").stdout)
    assert found == {"events": 0, "pruned_serial": 6, "holders": ["sub_wiki"], "kept_from": 7}
    old_events.subscriptions.remove("sub_wiki")
    assert "crm" in run("db", "prune", place.config, "--before", 1).stdout


def test_days_below_zero_are_a_usage_error(place: Place, run: Run) -> None:
    assert run("db", "prune", place.config, "--before", -1).exit_code == 2
