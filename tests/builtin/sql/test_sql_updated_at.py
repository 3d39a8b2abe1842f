"""The feed by updated_at: kinds of columns, transactions that end late, where the position comes to rest."""

from __future__ import annotations

import datetime as dt
import json
import time
from collections.abc import Callable
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from integration_server import BackendMisconfigured, ComparisonNeeded, ConfigError, Overlap
from integration_server.builtin.sql import marks
from tests.builtin.sql import people_database as db
from tests.builtin.sql.feed_edits import NOW, SqlEdits, with_updated_at
from tests.builtin.sql.people_database import PeopleDatabase
from tests.builtin.sql.test_sql_outbox import Follower, told

KINDS = [(dialect, kind) for dialect, kinds in NOW.items() for kind in kinds]


def table_of(database: PeopleDatabase, **changes: Any) -> dict[str, Any]:
    return db.settings(database.url, updated_at_column="updated_at", **changes)


@pytest.fixture
def of_kind(request: pytest.FixtureRequest) -> Callable[[str], PeopleDatabase]:
    names = {"sqlite": "sqlite", "postgresql": "postgresql", "mysql": "mariadb"}

    def made(dialect: str) -> PeopleDatabase:
        found: PeopleDatabase = request.getfixturevalue(f"{names[dialect]}_database")
        return found

    return made


@pytest.mark.parametrize(("dialect", "kind"), KINDS)
def test_each_kind_of_column_tells_changes(
    dialect: str, kind: str, of_kind: Callable[[str], PeopleDatabase], tmp_path: Path
) -> None:
    database = of_kind(dialect)
    edits = SqlEdits(database, with_updated_at(database, kind))
    follower = Follower(table_of(database), tmp_path)
    with closing(follower.backend):
        everybody, _ = follower.look()
        # All bear the same time, and none is behind it.
        assert len(everybody) == 30
        edits.change("alice")
        first = follower.position
        assert "alice" in follower.look()[0]
        # Years have passed since the others changed.
        assert follower.position != first
        assert follower.look() == ({"alice"}, set())
        edits.change("bob")
        assert follower.look() == ({"alice", "bob"}, set())


@pytest.mark.parametrize(("dialect", "kind"), [("postgresql", "timestamptz"), ("mysql", "DATETIME(6)")])
def test_transaction_that_ends_late_is_told(
    dialect: str, kind: str, of_kind: Callable[[str], PeopleDatabase], tmp_path: Path
) -> None:
    database = of_kind(dialect)
    now = with_updated_at(database, kind)
    edits = SqlEdits(database, now)
    follower = Follower(table_of(database, overlap_seconds=4), tmp_path)
    with closing(follower.backend), database.engine().connect() as slow:
        slow.execute(sa.text(f"UPDATE persons SET full_name = 'slow', updated_at = {now} WHERE login = 'alice'"))
        time.sleep(1.1)
        edits.change("bob")
        assert "bob" in follower.look()[0]
        time.sleep(1.1)
        edits.change("carol")
        logins, _ = follower.look()
        assert "carol" in logins
        assert "alice" not in logins
        slow.commit()
        assert "alice" in follower.look()[0]


def test_position_comes_to_rest_and_the_next_change_is_told_alone(database: PeopleDatabase, tmp_path: Path) -> None:
    edits = SqlEdits(database, with_updated_at(database))
    follower = Follower(table_of(database, overlap_seconds=2), tmp_path)
    with closing(follower.backend):
        edits.change("alice")
        give_up = time.monotonic() + 20
        while follower.look()[0]:
            assert time.monotonic() < give_up, "a row is told again for ever"
            time.sleep(0.3)
        assert follower.look() == (set(), set())
        edits.change("bob")
        assert follower.look() == ({"bob"}, set())


def test_version_numbers_are_followed(database: PeopleDatabase, tmp_path: Path) -> None:
    database.run("ALTER TABLE persons ADD COLUMN updated_at BIGINT", "UPDATE persons SET updated_at = id")
    follower = Follower(table_of(database, overlap_seconds=2), tmp_path)
    with closing(follower.backend):
        assert len(follower.look()[0]) == 2
        database.run("UPDATE persons SET updated_at = 1000 WHERE login = 'alice'")
        assert "alice" in follower.look()[0]
        database.run("UPDATE persons SET updated_at = 1001 WHERE login = 'bob'")
        assert "bob" in follower.look()[0]


def test_who_leaves_the_condition_is_gone(database: PeopleDatabase, tmp_path: Path) -> None:
    edits = SqlEdits(database, with_updated_at(database))
    follower = Follower(table_of(database, where="full_name NOT LIKE 'Changed%'"), tmp_path)
    with closing(follower.backend):
        follower.look()
        edits.change("alice")
        logins, gone = follower.look()
        assert "alice" not in logins
        assert gone == {"1"}


def test_old_row_of_somebody_who_has_a_new_one_is_nobody_gone(sqlite_database: PeopleDatabase, tmp_path: Path) -> None:
    """A table that keeps old versions of rows."""
    sqlite_database.run(
        "CREATE TABLE versions (id INT, login TEXT, full_name TEXT, current INT, updated_at TEXT)",
        "INSERT INTO versions VALUES (1, 'ann', 'Ann', 1, '2026-01-01 00\\:00\\:00')",
    )
    table = db.settings(
        sqlite_database.url, **{**db.SIMPLE, "table": "versions", "password_column": None},
        where="current = 1", updated_at_column="updated_at",
    )  # fmt: skip
    follower = Follower(table, tmp_path)
    with closing(follower.backend):
        sqlite_database.run(
            "UPDATE versions SET current = 0, updated_at = '2026-01-02 00\\:00\\:00'",
            "INSERT INTO versions VALUES (1, 'anna', 'Anna', 1, '2026-01-02 00\\:00\\:00')",
        )
        assert follower.look() == ({"anna"}, set())


def test_many_rows_are_told_in_steps_that_can_be_gone_on_from(database: PeopleDatabase, tmp_path: Path) -> None:
    """All of one moment, as a statement that changes everybody leaves them."""
    now = with_updated_at(database)
    follower = Follower(table_of(database), tmp_path)
    with closing(follower.backend):
        database.load(4500)
        database.run(f"UPDATE persons SET updated_at = {now} WHERE id > 1000")
        everybody = set(map("u{}".format, range(1, 4501)))
        steps = list(follower.backend.changes(follower.position, db.soon()))
        assert len(steps) >= 3
        assert everybody <= set().union(*map(told, steps))
        # Whoever stops after each step comes to the end, too.
        position, logins, count = follower.position, set[str](), 0
        while everybody - logins:
            count += 1
            assert count < 10, "the same rows are told again and again"
            with closing(follower.backend.changes(position, db.soon())) as changes:  # type: ignore[type-var]
                step = next(changes)
                position = step.position
                logins |= told(step)
        other = db.opened(table_of(database), tmp_path)
        with closing(other):
            # Another process goes on as well.
            last = [told(step) for step in other.changes(steps[0].position, db.soon())]
        assert everybody <= told(steps[0]).union(*last)


def test_late_row_is_told_although_a_long_reading_went_past_it(database: PeopleDatabase, tmp_path: Path) -> None:
    now = with_updated_at(database)
    follower = Follower(table_of(database), tmp_path)
    with closing(follower.backend):
        database.load(2500)
        database.run(f"UPDATE persons SET updated_at = {now} WHERE id > 1000")
        steps = follower.backend.changes(follower.position, db.soon())
        first = next(steps)
        late = max(told(first) & {f"u{i}" for i in range(1, 2501)})
        database.run("UPDATE persons SET full_name = 'late' WHERE login = :login", login=late)
        for step in steps:
            follower.position = step.position
            assert late not in told(step)
        assert late in follower.look()[0]


def test_many_rows_without_an_order_mean_a_comparison(database: PeopleDatabase, tmp_path: Path) -> None:
    now = with_updated_at(database)
    names = {"id": "{id}-{login}", "username": "login"}
    follower = Follower(table_of(database, map=names, email_table=None, group_table=None), tmp_path)
    with closing(follower.backend):
        database.load(1900)
        database.run(f"UPDATE persons SET updated_at = {now} WHERE id > 1000")
        assert len(follower.look()[0]) >= 1900
        others = f"SELECT id + 5000000, {_doubled(database)}, {now} FROM persons"
        database.run(f"INSERT INTO persons (id, login, updated_at) {others}")
        with pytest.raises(ComparisonNeeded, match="more than 2000 rows changed at once"):
            follower.look()


def _doubled(database: PeopleDatabase) -> str:
    return "CONCAT('v', login)" if "mysql" in database.url else "'v' || login"


def test_time_in_the_far_future_does_not_stop_the_feed(postgresql_database: PeopleDatabase, tmp_path: Path) -> None:
    edits = SqlEdits(postgresql_database, with_updated_at(postgresql_database))
    postgresql_database.run("UPDATE persons SET updated_at = '9999-12-31' WHERE login = 'frank'")
    follower = Follower(table_of(postgresql_database), tmp_path)
    with closing(follower.backend):
        edits.change("alice")
        assert "alice" in follower.look()[0]
        edits.change("bob")
        assert "bob" in follower.look()[0]
        warnings = [f.message for f in follower.backend.check(db.soon()) if f.level == "warning"]
    assert any("a time in the future, 9999-12-31" in warning for warning in warnings)


def test_empty_table_begins_with_its_first_row(database: PeopleDatabase, tmp_path: Path) -> None:
    now = with_updated_at(database)
    database.run("DELETE FROM persons")
    follower = Follower(table_of(database), tmp_path)
    with closing(follower.backend):
        assert follower.look() == (set(), set())
        SqlEdits(database, now).add("ann")
        assert follower.look() == ({"ann"}, set())


def test_rows_of_second_tables_come_with_a_change(database: PeopleDatabase, tmp_path: Path) -> None:
    edits = SqlEdits(database, with_updated_at(database))
    follower = Follower(table_of(database), tmp_path)
    with closing(follower.backend):
        follower.look()
        database.run("INSERT INTO memberships (person, name) VALUES (1, 'board')")
        edits.change("alice")
        (step, *_) = follower.backend.changes(follower.position, db.soon())
    assert step.entries is not None
    groups = dict(zip((row[1] for row in step.entries.rows), (row[-1] for row in step.entries.rows), strict=True))
    assert groups["alice"] == ["board", "staff"]


@pytest.mark.parametrize("value", ["'next week'", "'2026-11-22'", "x'00ff'"])
def test_column_that_holds_no_times_is_said_to(value: str, sqlite_database: PeopleDatabase, tmp_path: Path) -> None:
    with_updated_at(sqlite_database)
    sqlite_database.run(f"UPDATE persons SET updated_at = {value} WHERE id = 1")
    with closing(db.opened(table_of(sqlite_database), tmp_path)) as backend:
        if value.startswith("x"):
            # A binary version; all others must be one, too.
            position = backend.feed_position(db.soon())
            with pytest.raises(BackendMisconfigured, match="several types"):
                list(backend.changes(position, db.soon()))
        else:
            with pytest.raises(BackendMisconfigured, match="updated_at holds texts such as"):
                backend.feed_position(db.soon())


def test_days_are_no_times(postgresql_database: PeopleDatabase, tmp_path: Path) -> None:
    postgresql_database.run(
        "ALTER TABLE persons ADD COLUMN updated_at date", "UPDATE persons SET updated_at = '2026-11-22'"
    )
    with (
        closing(db.opened(table_of(postgresql_database), tmp_path)) as backend,
        pytest.raises(BackendMisconfigured, match="holds days"),
    ):
        backend.feed_position(db.soon())


def test_column_of_another_type_than_before_means_a_comparison(sqlite_database: PeopleDatabase, tmp_path: Path) -> None:
    with_updated_at(sqlite_database, "INTEGER")
    follower = Follower(table_of(sqlite_database), tmp_path)
    with closing(follower.backend):
        follower.position = json.dumps(["updated_at", "persons", "updated_at", ["text", "0"], []])
        with pytest.raises(ComparisonNeeded, match="another type"):
            follower.look()


def test_check_tells_of_rows_without_a_time_and_of_a_missing_index(database: PeopleDatabase, tmp_path: Path) -> None:
    with_updated_at(database)
    database.load(1000)
    with closing(db.opened(table_of(database), tmp_path)) as backend:
        messages = [f.message for f in backend.check(db.soon()) if "updated_at" in f.message]
    assert any("1000 rows have no updated_at" in message for message in messages)
    assert any("no index on updated_at" in message for message in messages)
    database.run("CREATE INDEX changed ON persons (updated_at)")
    with closing(db.opened(table_of(database), tmp_path)) as backend:
        messages = [f.message for f in backend.check(db.soon()) if "updated_at" in f.message]
    assert not any("no index on updated_at" in message for message in messages)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"changes_statement": None}, "go together"),
        ({"updated_at_column": None}, "go together"),
        ({"changes_statement": "SELECT id, login FROM persons"}, "must name"),
        ({"changes_statement": "SELECT id, login FROM persons WHERE u > :from AND u > :since"}, "unknown parameter"),
    ],
)
def test_statements_that_cannot_work_are_refused(changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    table = {
        "type": "sql",
        "url": "sqlite:///people.db",
        "list_statement": "SELECT id, login, u FROM persons",
        "find_statement": "SELECT id, login FROM persons WHERE login = :value",
        "changes_statement": "SELECT id, login, u FROM persons WHERE u > :since",
        "updated_at_column": "u",
        "map": {"id": "id", "username": "login"},
    }
    table = {key: value for key, value in {**table, **changes}.items() if value is not None}
    with pytest.raises(ConfigError, match=message):
        db.opened(table, tmp_path)


# -- marks and overlaps, without a database ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mark", "before"),
    [
        (dt.datetime.fromisoformat("2026-01-01T00:01:00"), dt.datetime.fromisoformat("2026-01-01T00:00:00")),
        (dt.datetime(2026, 1, 1, 0, 1, tzinfo=dt.UTC), dt.datetime(2026, 1, 1, tzinfo=dt.UTC)),
        ("2026-01-01 00:01:00", "2026-01-01 00:00:00"),
        ("2026-01-01T00:01:00.123Z", "2026-01-01T00:00:00"),
        ("2026-01-01T00:01:00+02:00", "2026-01-01T00:00:00"),
        ("2026-01-01 00:01", "2026-01-01 00:00"),
        ("20260101000100Z", "20260101000000"),
        (1_767_225_660, 1_767_225_600),
        (1_767_225_660_000, 1_767_225_600_000),
        (1_767_225_660_000_000, 1_767_225_600_000_000),
        (1_767_225_660.5, 1_767_225_600.5),
        (Decimal("1767225660.25"), Decimal("1767225600.25")),
        (100, 40),
        (b"\0\1", None),
    ],
)
def test_mark_of_a_minute_before(mark: marks.Mark, before: marks.Mark | None) -> None:
    found = marks.earlier(mark, 60, "updated_at")
    assert found == before
    assert type(found) is type(before)


@pytest.mark.parametrize(
    "mark",
    [
        None, 5, 5.25, "2026-01-01T00:01:00Z", b"\0\xff", Decimal("1.250"),
        dt.datetime.fromisoformat("2026-01-01T01:01:01.123456"),
        dt.datetime.fromisoformat("2026-01-01T00:00:00+02:00"),
    ],
)  # fmt: skip
def test_mark_survives_its_position(mark: marks.Mark | None) -> None:
    found = marks.read(json.loads(json.dumps(marks.written(mark))))
    assert found == mark
    assert type(found) is type(mark)


def test_overlap_lets_a_mark_settle_only_after_it_was_the_newest_for_long_enough() -> None:
    now = [0.0]
    overlap: Overlap[int] = Overlap(10, clock=lambda: now[0])
    assert overlap.settled(overlap.now()) is None
    overlap.note(1)
    now[0] = 9
    overlap.note(2)
    assert overlap.settled(9) is None
    now[0] = 12
    overlap.note(2)
    assert overlap.settled(12) == 1
    assert overlap.settled(18) == 1
    assert overlap.settled(19) == 2
    assert overlap.settled(1000) == 2
