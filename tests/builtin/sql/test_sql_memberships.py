"""Putting people into groups: once, whole, and nowhere else."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from integration_server import (
    BackendError,
    BackendMisconfigured,
    BackendTimeout,
    BackendUnavailable,
    ConfigError,
    Deadline,
    Entry,
    Lookup,
    ReadOnlyBackend,
    UnknownGroup,
)
from integration_server.builtin.sql import SqlBackend
from tests.builtin.sql.people_database import MAP, PeopleDatabase, opened, settings, soon

MEMBERSHIPS = {"table": "memberships", "user_column": "person", "group_column": "name", "key_column": "id"}
WRITABLE = {**MEMBERSHIPS, "is_writable": True}
OWN = {
    "add_member_statements": [
        "INSERT INTO memberships (person, name) VALUES (:user, :group)",
        "INSERT INTO notes (person, what) VALUES (:user, 'came')",
    ],
    "remove_member_statements": [
        "DELETE FROM memberships WHERE person = :user AND name = :group",
        "INSERT INTO notes (person, what) VALUES (:user, 'left')",
    ],
}
_HOSTILE = ("'; DROP TABLE memberships; --", "%s", "%(x)s", ":group", "?", 'a"b', "a\\'b", "{x}", "😀", "x' OR '1'='1")


@pytest.fixture(params=["rows", "statements"])
def table(request: pytest.FixtureRequest, database: PeopleDatabase) -> dict[str, Any]:
    """Each way to write memberships in turn."""
    if request.param == "rows":
        return settings(database.url, group_table=WRITABLE)
    database.run("CREATE TABLE notes (person INTEGER, what VARCHAR(9))")
    return settings(database.url, writing=OWN)


@pytest.fixture
def writable(database: PeopleDatabase) -> dict[str, Any]:
    return settings(database.url, group_table=WRITABLE)


def _entry(backend: SqlBackend, login: str = "alice") -> Entry:
    entry = backend.find(Lookup("login", login), soon())
    assert entry is not None
    return entry


def _groups(backend: SqlBackend, login: str = "alice") -> list[object]:
    found = _entry(backend, login).attributes["groups"]
    assert isinstance(found, list)
    return found


def _count(database: PeopleDatabase, table: str = "memberships") -> int:
    return int(database.scalar(f"SELECT COUNT(*) FROM {table}"))


def test_a_member_is_added_once_and_removed_once(
    database: PeopleDatabase, table: dict[str, Any], tmp_path: Path
) -> None:
    backend = opened(table, tmp_path)
    entry, before, others = _entry(backend), _groups(backend), _groups(backend, "bob")
    assert backend.add_member(entry, "rowing", soon()) is True
    assert backend.add_member(entry, "rowing", soon()) is False
    assert sorted(map(str, _groups(backend))) == sorted([*map(str, before), "rowing"])
    assert backend.remove_member(entry, "rowing", soon()) is True
    assert backend.remove_member(entry, "rowing", soon()) is False
    assert _groups(backend) == before
    assert _groups(backend, "bob") == others
    backend.close()


def test_eight_who_add_the_same_member_leave_one_row(
    database: PeopleDatabase, table: dict[str, Any], tmp_path: Path
) -> None:
    backends = [opened(table, tmp_path) for _ in range(2)]
    entry = _entry(backends[0])
    start = threading.Barrier(8)

    def add(number: int) -> bool:
        start.wait()
        return backends[number % 2].add_member(entry, "rowing", soon())

    with ThreadPoolExecutor(8) as threads:
        news = list(threads.map(add, range(8)))
    assert sorted(news) == [False] * 7 + [True]
    assert database.scalar("SELECT COUNT(*) FROM memberships WHERE name = 'rowing'") == 1
    for backend in backends:
        backend.close()


def test_different_members_come_and_go_at_once(
    database: PeopleDatabase, writable: dict[str, Any], tmp_path: Path
) -> None:
    backend = opened(writable, tmp_path)
    before = _count(database)
    entries = [_entry(backend, login) for login in ("alice", "bob")]

    def work(number: int) -> None:
        for _ in range(3):
            assert backend.add_member(entries[number % 2], f"g{number}", soon())
            assert backend.remove_member(entries[number % 2], f"g{number}", soon())

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(work, range(4)))
    assert _count(database) == before
    backend.close()


def test_a_row_that_another_program_wrote_meanwhile_is_no_error(
    database: PeopleDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database.run("CREATE UNIQUE INDEX once ON memberships (person, name)")
    backend = opened(settings(database.url, group_table=WRITABLE), tmp_path)
    entry = _entry(backend)
    database.run("INSERT INTO memberships (person, name) VALUES (1, 'rowing')")
    really, looks = backend._memberships._is_in, iter([False])  # the first look came before that program

    def look(*arguments: Any) -> bool | None:
        return really(*arguments) if (seen := next(looks, None)) is None else seen

    monkeypatch.setattr(backend._memberships, "_is_in", look)
    assert backend.add_member(entry, "rowing", soon()) is False
    assert database.scalar("SELECT COUNT(*) FROM memberships WHERE name = 'rowing'") == 1
    backend.close()


def test_metacharacters_are_group_names_like_others(
    database: PeopleDatabase, table: dict[str, Any], tmp_path: Path
) -> None:
    backend = opened(table, tmp_path)
    entry, before = _entry(backend), _count(database)
    for hostile in _HOSTILE:
        assert backend.add_member(entry, hostile, soon()) is True, hostile
        assert hostile in _groups(backend)
        assert _count(database) == before + 1
        assert backend.remove_member(entry, hostile, soon()) is True, hostile
        assert _count(database) == before
    backend.close()


def test_what_no_group_can_be_called_is_an_unknown_group(
    database: PeopleDatabase, table: dict[str, Any], tmp_path: Path
) -> None:
    backend = opened(table, tmp_path)
    entry, before = _entry(backend), _count(database)
    for monster in ("", "a\0b", "\0", "\ud800", "x" * 1_000_000):
        for change in (backend.add_member, backend.remove_member):
            with pytest.raises(UnknownGroup):
                change(entry, monster, soon())
    assert _count(database) == before
    backend.close()


def test_names_that_do_not_fit_are_refused_and_never_cut(
    database: PeopleDatabase, table: dict[str, Any], tmp_path: Path
) -> None:
    backend = opened(table, tmp_path)
    entry, before = _entry(backend), _count(database)
    if sa.make_url(database.url).get_backend_name() == "sqlite":
        assert backend.add_member(entry, "x" * 60, soon()) is True  # SQLite knows no widths
    else:
        with pytest.raises(BackendMisconfigured) as caught:
            backend.add_member(entry, "x" * 60, soon())
        assert "xxx" not in f"{caught.value} {caught.value.__cause__!r}"
        assert _count(database) == before
    backend.close()


def test_a_group_that_is_not_listed_is_unknown(database: PeopleDatabase, table: dict[str, Any], tmp_path: Path) -> None:
    database.run("CREATE TABLE teams (name VARCHAR(50))", "INSERT INTO teams VALUES ('rowing'), ('Chess')")
    for listed in ({"table": "teams"}, {"statement": "SELECT name FROM teams -- all"}):
        backend = opened({**table, "group_list": {**listed, "id_column": "name"}}, tmp_path)
        entry, before = _entry(backend), _count(database)
        for unknown in ("sailing", "ROWING", "chess", "rowing ", "' OR 1=1 --", "%", "1"):
            for change in (backend.add_member, backend.remove_member):
                with pytest.raises(UnknownGroup, match="there is no group"):
                    change(entry, unknown, soon())
        assert _count(database) == before
        assert backend.add_member(entry, "Chess", soon()) is True
        assert backend.remove_member(entry, "Chess", soon()) is True
        backend.close()


def test_numbers_of_groups_stay_numbers(database: PeopleDatabase, tmp_path: Path) -> None:
    database.run(
        "CREATE TABLE teams (id INTEGER PRIMARY KEY)",
        "INSERT INTO teams VALUES (7), (17)",
        "CREATE TABLE member (person INTEGER, team INTEGER REFERENCES teams (id))",
    )
    member = {"table": "member", "user_column": "person", "group_column": "team", "key_column": "id"}
    for listed in ({"table": "teams"}, {"statement": "SELECT id FROM teams"}):
        lists = {"group_table": {**member, "is_writable": True}, "group_list": {**listed, "id_column": "id"}}
        backend = opened(settings(database.url, **lists), tmp_path)
        entry = _entry(backend)
        for unknown in ("8", "07", "7x", "seven", "7.0"):
            with pytest.raises(UnknownGroup):
                backend.add_member(entry, unknown, soon())
        assert backend.add_member(entry, "17", soon()) is True
        assert database.scalar("SELECT team FROM member") == 17
        assert backend.remove_member(entry, "17", soon()) is True
        backend.close()


def test_another_case_is_another_group(database: PeopleDatabase, table: dict[str, Any], tmp_path: Path) -> None:
    backend = opened(table, tmp_path)
    entry = _entry(backend)
    backend.add_member(entry, "rowing", soon())
    assert backend.remove_member(entry, "ROWING", soon()) is False
    assert "rowing" in _groups(backend)
    backend.close()


def test_a_statement_that_fails_undoes_those_before_it(database: PeopleDatabase, tmp_path: Path) -> None:
    before = _count(database)
    own = {**OWN, "add_member_statements": [OWN["add_member_statements"][0], "INSERT INTO nowhere VALUES (1)"]}
    backend = opened(settings(database.url, writing=own), tmp_path)
    with pytest.raises(BackendMisconfigured):
        backend.add_member(_entry(backend), "rowing", soon())
    assert _count(database) == before
    backend.close()


def test_a_change_that_does_not_show_is_undone_and_told(database: PeopleDatabase, tmp_path: Path) -> None:
    own = {**OWN, "add_member_statements": ["INSERT INTO memberships (person, name) VALUES (:user + 1, :group)"]}
    before = _count(database)
    backend = opened(settings(database.url, writing=own), tmp_path)
    with pytest.raises(BackendMisconfigured, match=r"add_member_statements: .* does not show"):
        backend.add_member(_entry(backend), "rowing", soon())
    assert _count(database) == before
    backend.close()


def test_statements_do_without_a_table_of_memberships(database: PeopleDatabase, tmp_path: Path) -> None:
    own = {
        "add_member_statements": "INSERT INTO memberships (person, name) SELECT id, :group FROM persons "
        "WHERE id = :user AND NOT EXISTS (SELECT 1 FROM memberships WHERE person = :user AND name = :group)",
        "remove_member_statements": "DELETE FROM memberships WHERE person = :user AND name = :group",
    }
    mapping = {key: value for key, value in MAP.items() if key != "groups"}
    backend = opened(settings(database.url, writing=own, group_table=None, map=mapping), tmp_path)
    entry = _entry(backend)
    assert backend.add_member(entry, "rowing", soon()) is True
    assert backend.add_member(entry, "rowing", soon()) is False
    assert backend.remove_member(entry, "rowing", soon()) is True
    assert backend.remove_member(entry, "rowing", soon()) is False
    backend.close()


def test_a_backend_that_is_only_read_names_the_key_to_set(database: PeopleDatabase, tmp_path: Path) -> None:
    before = _count(database)
    backend = opened(settings(database.url), tmp_path)
    for change in (backend.add_member, backend.remove_member):
        with pytest.raises(ReadOnlyBackend, match=r"is_writable in \[backends.test.group_table\]"):
            change(_entry(backend), "rowing", soon())
    assert _count(database) == before
    backend.close()


def test_reading_stays_read_only_beside_writing(
    database: PeopleDatabase, writable: dict[str, Any], tmp_path: Path
) -> None:
    backend = opened(writable, tmp_path)
    with pytest.raises(BackendError):
        backend._connections.ask(
            soon(), lambda session: session.fetch(backend._driver.query("DELETE FROM memberships"), {})
        )
    assert _count(database) > 0
    backend.close()


def test_an_outage_is_not_an_answer(sqlite_database: PeopleDatabase, tmp_path: Path) -> None:
    backend = opened(settings(sqlite_database.url, group_table=WRITABLE), tmp_path)
    entry = _entry(backend)
    (tmp_path / "people.db").rename(tmp_path / "elsewhere.db")
    with pytest.raises(BackendUnavailable):
        backend.add_member(entry, "rowing", soon())
    assert not (tmp_path / "people.db").exists()
    backend.close()


def test_a_lock_that_others_hold_is_waited_for_no_longer_than_the_deadline(
    database: PeopleDatabase, writable: dict[str, Any], tmp_path: Path
) -> None:
    backend = opened(writable, tmp_path)
    entry = _entry(backend)
    before = _count(database)
    with database.engine().connect() as connection:
        begin = {
            "sqlite": ["BEGIN IMMEDIATE"],
            "postgresql": ["LOCK TABLE memberships IN ACCESS EXCLUSIVE MODE"],
            "mysql": ["LOCK TABLES memberships WRITE"],
        }
        for statement in begin[connection.dialect.name]:
            connection.exec_driver_sql(statement)
        with pytest.raises((BackendTimeout, BackendUnavailable)):
            backend.add_member(entry, "rowing", Deadline(0.5))
    assert _count(database) == before
    assert backend.add_member(entry, "rowing", soon()) is True
    backend.close()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"group_table": {**WRITABLE, "table": None, "statement": "SELECT 1 AS person, 'x' AS name"}},
            r"\[backends.test.group_table\] is_writable needs a table",
        ),
        ({"writing": {**OWN, "remove_member_statements": []}}, r"\[backends.test.writing\] .* go together"),
        ({"writing": OWN, "group_table": WRITABLE}, "does not go with is_writable"),
        ({"writing": OWN, "map": {**MAP, "id": "{id}/x"}}, "needs people's id to be one column"),
        (
            {"writing": {**OWN, "add_member_statements": "INSERT INTO x VALUES (:user, :team)"}},
            r"\[backends.test\] add_member_statements holds the unknown parameter :team",
        ),
        ({"writing": {**OWN, "add_member_statements": "DELETE FROM x WHERE a = :group"}}, "must say :user"),
    ],
)
def test_settings_that_cannot_work_together_are_named(changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=message):
        opened(settings("sqlite:///people.db", **changes), tmp_path)
