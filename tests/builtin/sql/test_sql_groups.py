"""Which groups there are: whole, in the ids that people's memberships use, or an error."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from integration_server import (
    BackendMisconfigured,
    BackendTimeout,
    BackendUnavailable,
    BadEntry,
    ConfigError,
    Deadline,
    Finding,
    Group,
)
from tests.builtin.sql.people_database import PeopleDatabase, opened, settings, soon

LIST = {"table": "teams", "id_column": "name", "title_column": "title", "privacy_column": "privacy"}
_EVERY_COLUMN = {**LIST, "url_column": "url", "email_column": "mail", "type_column": "kind"}


def _teams(database: PeopleDatabase, *rows: str) -> None:
    columns = "name VARCHAR(50), title VARCHAR(50), url VARCHAR(50), mail VARCHAR(50), kind INTEGER, privacy CHAR(9)"
    database.run(f"CREATE TABLE teams ({columns})", *(f"INSERT INTO teams VALUES ({row})" for row in rows))


def _groups(database: PeopleDatabase, folder: Path, listed: dict[str, Any] | None) -> tuple[Group, ...] | None:
    backend = opened(settings(database.url, group_list=listed), folder)
    try:
        return backend.groups(soon())
    finally:
        backend.close()


def test_groups_are_told_with_all_that_is_known_of_them(database: PeopleDatabase, tmp_path: Path) -> None:
    _teams(
        database, "'staff', 'Stäff', 'https://x.example/s', 's@x.example', 7, 'public'", "'b', '', NULL, ' ', NULL, ''"
    )
    assert set(_groups(database, tmp_path, _EVERY_COLUMN) or ()) == {
        Group("staff", "Stäff", "https://x.example/s", "s@x.example", "7", "public"),
        Group("b"),
    }
    assert set(_groups(database, tmp_path, LIST) or ()) == {Group("staff", "Stäff", privacy="public"), Group("b")}


def test_a_statement_may_make_the_groups(database: PeopleDatabase, tmp_path: Path) -> None:
    statement = "SELECT DISTINCT name AS id, UPPER(name) AS shown FROM memberships ORDER BY name -- all of them"
    found = _groups(database, tmp_path, {"statement": statement, "id_column": "id", "title_column": "shown"})
    names = sorted(str(name) for (name,) in _rows(database, "SELECT DISTINCT name FROM memberships"))
    assert names
    assert found == tuple(Group(name, name.upper()) for name in names)


def _rows(database: PeopleDatabase, statement: str) -> list[Any]:
    with database.connected() as connection:
        return list(connection.exec_driver_sql(statement))


def test_numbers_are_ids_as_texts(database: PeopleDatabase, tmp_path: Path) -> None:
    database.run("CREATE TABLE teams (name INTEGER, title VARCHAR(9))", "INSERT INTO teams VALUES (17, 'a')")
    assert _groups(database, tmp_path, {"table": "teams", "id_column": "name"}) == (Group("17"),)


def test_no_groups_are_none_and_no_list_is_no_answer(database: PeopleDatabase, tmp_path: Path) -> None:
    _teams(database)
    assert _groups(database, tmp_path, LIST) == ()
    assert _groups(database, tmp_path, None) is None


@pytest.mark.parametrize("rows", [("NULL, 'nameless', NULL, NULL, 1, 'x'",), ("'a', 'x', NULL, NULL, 1, 'x'",) * 2])
def test_a_group_without_an_id_of_its_own_is_an_error(
    sqlite_database: PeopleDatabase, tmp_path: Path, rows: tuple[str, ...]
) -> None:
    _teams(sqlite_database, *rows)
    with pytest.raises(BadEntry, match="group_list"):
        _groups(sqlite_database, tmp_path, LIST)


def test_what_cannot_be_read_is_no_answer(database: PeopleDatabase, tmp_path: Path) -> None:
    backend = opened(settings(database.url, group_list=LIST), tmp_path)
    with pytest.raises(BackendMisconfigured):
        backend.groups(soon())
    _teams(database, *(f"'g{n}', 'x', NULL, NULL, 1, 'x'" for n in range(50)))
    assert len(backend.groups(soon()) or ()) == 50
    deadline = Deadline(0.001)
    while not deadline.is_over():
        pass
    with pytest.raises(BackendTimeout):
        backend.groups(deadline)
    backend.close()


def test_an_outage_is_not_an_empty_list(sqlite_database: PeopleDatabase, tmp_path: Path) -> None:
    _teams(sqlite_database)
    backend = opened(settings(sqlite_database.url, group_list=LIST), tmp_path)
    assert backend.groups(soon()) == ()
    (tmp_path / "people.db").rename(tmp_path / "elsewhere.db")
    with pytest.raises(BackendUnavailable):
        backend.groups(soon())
    backend.close()


def test_a_list_is_a_table_or_a_statement(tmp_path: Path) -> None:
    for changes in ({"table": None}, {"statement": "SELECT 1"}):
        with pytest.raises(ConfigError, match=r"\[backends.test.group_list\] needs either table or statement"):
            opened(settings("sqlite:///people.db", group_list={**LIST, **changes}), tmp_path)


def test_check_counts_groups_and_names_what_is_missing(people: PeopleDatabase, tmp_path: Path) -> None:
    listed = {"statement": "SELECT DISTINCT name FROM memberships", "id_column": "name"}
    backend = opened(settings(people.url, group_list=listed), tmp_path)
    assert any("groups in group_list" in finding.message for finding in backend.check(soon()))
    backend.close()
    backend = opened(settings(people.url, group_list={"table": "membership", "id_column": "name"}), tmp_path)
    assert Finding("error", "there is no table 'membership'; did you mean 'memberships'?") in backend.check(soon())
    backend.close()
