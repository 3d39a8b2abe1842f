"""What ``check`` says, so that an admin knows what to do."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa

from integration_server import BackendMisconfigured, Finding
from integration_server.builtin.sql.address import is_remote
from tests.builtin.sql.people_database import MAP, SIMPLE, PeopleDatabase, opened, settings, soon


def _check(table: dict[str, object], folder: Path) -> list[Finding]:
    backend = opened(table, folder)
    try:
        return list(backend.check(soon()))
    finally:
        backend.close()


def _texts(findings: list[Finding], level: str) -> str:
    return "\n".join(finding.message for finding in findings if finding.level == level)


def test_a_good_backend_gets_facts_and_no_complaints(people: PeopleDatabase, tmp_path: Path) -> None:
    findings = _check(settings(people.url), tmp_path)
    assert {finding.level for finding in findings} == {"ok"}
    told = _texts(findings, "ok")
    name = {"sqlite": "SQLite 3.", "postgresql": "PostgreSQL 15.", "mysql": "MariaDB "}
    assert name[sa.make_url(people.url).get_backend_name()] in told
    assert "30 rows in persons" in told
    assert "password schemes of 30 rows: ssha256 30" in told
    assert "a-secret" not in told


def test_missing_tables_and_columns_are_named_with_the_nearest(people: PeopleDatabase, tmp_path: Path) -> None:
    for changes, expected in (
        ({"table": "person"}, "there is no table 'person'; did you mean 'persons'?"),
        ({"password_column": "pasword"}, "table 'persons' has no column 'pasword'; did you mean 'password'?"),
        ({"map": {**MAP, "nickname": "fullname"}}, "has no column 'fullname'; did you mean 'full_name'?"),
        ({"map": {**MAP, "nickname": "xyz"}}, "has no column 'xyz'; there are full_name, id, login, password"),
        (
            {"email_table": {"table": "adresses", "user_column": "p", "address_column": "a", "key_column": "id"}},
            "there is no table 'adresses'; did you mean 'addresses'?",
        ),
    ):
        findings = _check(settings(people.url, **changes), tmp_path)
        assert expected in _texts(findings, "error")


def test_a_broken_condition_or_statement_is_an_error(people: PeopleDatabase, tmp_path: Path) -> None:
    with pytest.raises(BackendMisconfigured):
        _check(settings(people.url, where="no_such_column = 1"), tmp_path)
    own = {
        **SIMPLE,
        "table": None,
        "password_column": None,
        "list_statement": "SELECT id, login, full_name FROM persons",
        "find_statement": "SELECT id, login FROM persons WHERE login = :value",
    }
    findings = _check(settings(people.url, **own, auth_statement="SELECT 'x' WHERE :value <> ''"), tmp_path)
    assert _texts(findings, "error") == ""
    with pytest.raises(BackendMisconfigured, match="gives no column 'full_name'; it gives id, login"):
        _check(settings(people.url, **{**own, "list_statement": "SELECT id, login FROM persons"}), tmp_path)
    with pytest.raises(BackendMisconfigured):
        _check(settings(people.url, **{**own, "find_statement": "SELEC :value"}), tmp_path)
    with pytest.raises(BackendMisconfigured):
        _check(settings(people.url, **own, auth_statement="SELECT x FROM nowhere WHERE y = :value"), tmp_path)


def test_what_keeps_people_out_is_counted(database: PeopleDatabase, tmp_path: Path) -> None:
    database.run(
        "CREATE TABLE accounts (id INTEGER, login VARCHAR(50), stored VARCHAR(100))",
        "INSERT INTO accounts VALUES (1, 'ann', '{MD5}wKWIiQ/RY4Ps1xhLPPhyJg=='), (2, 'twin', '{ROT26}x'), "
        "(3, 'twin', '!'), (4, NULL, NULL), (5, ' padded', '{ROT26}y'), (5, 'other', NULL), (6, 'Ann', NULL)",
    )
    table = {**SIMPLE, "table": "accounts", "password_column": "stored", "where": "login IS NOT NULL"}
    mapping = {"id": "id", "username": {"from": "login", "ignore_case": True}}
    findings = _check(settings(database.url, **{**table, "map": mapping}), tmp_path)
    warnings = _texts(findings, "warning")
    assert "login (username) is not unique: 2 values in more than one row" in warnings
    assert "id (id) is not unique: 1 value in more than one row, such as 5;" in warnings
    assert "1 value of login with blanks around" in warnings
    assert "2 of 6 passwords cannot be checked" in _texts(findings, "error")
    assert "ROT26" in _texts(findings, "error")
    assert "none 3, md5 (weak) 1" in _texts(findings, "ok")
    findings = _check(settings(database.url, **{**table, "where": None, "map": mapping}), tmp_path)
    assert "1 row without login" in _texts(findings, "error")


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgresql://db.example.org/x", True),
        ("postgresql://192.0.2.7/x", True),
        ("postgresql://localhost/x", False),
        ("postgresql://127.0.0.1:5433/x", False),
        ("postgresql:///x?host=/run/postgresql", False),
        ("mariadb://[::1]/x", False),
    ],
)
def test_what_crosses_a_network_is_known(url: str, expected: bool) -> None:
    assert is_remote(sa.make_url(url)) is expected


def test_the_server_says_whether_it_encrypts(postgresql_people: PeopleDatabase, tmp_path: Path) -> None:
    backend = opened(settings(postgresql_people.url), tmp_path)
    backend._driver.is_remote = True
    assert "without TLS" in _texts(list(backend.check(soon())), "warning")
    backend.close()


def test_no_id_and_no_passwords_are_warned_of(people: PeopleDatabase, tmp_path: Path) -> None:
    table = settings(people.url, **{**SIMPLE, "password_column": None, "map": {"username": "login"}})
    warnings = _texts(_check(table, tmp_path), "warning")
    assert "[map] id is not set" in warnings
    assert "nobody can log in here" in warnings


def test_a_missing_index_is_warned_of_once_the_table_is_large(database: PeopleDatabase, tmp_path: Path) -> None:
    database.run(
        "CREATE TABLE accounts (id INTEGER, login VARCHAR(50) NOT NULL)",
        "CREATE TABLE mails (who INTEGER, address VARCHAR(50))",
    )
    side = {"table": "mails", "user_column": "who", "address_column": "address", "key_column": "id"}
    mapping = {"id": "id", "username": {"from": "login", "ignore_case": True}, "emails": "emails"}
    table = settings(
        database.url, **{**SIMPLE, "table": "accounts", "password_column": None, "map": mapping, "email_table": side}
    )
    assert "index" not in _texts(_check(table, tmp_path), "warning")
    with database.engine().begin() as connection:
        rows = [{"id": i, "login": f"u{i}"} for i in range(1200)]
        connection.execute(sa.text("INSERT INTO accounts VALUES (:id, :login)"), rows)
        connection.execute(sa.text("INSERT INTO mails VALUES (:id, :login)"), rows)
    warnings = _texts(_check(table, tmp_path), "warning")
    assert "no index on login: every login reads the whole table" in warnings
    assert "no index on who of the table of emails" in warnings
    database.run("CREATE INDEX by_login ON accounts (login)", "CREATE INDEX by_who ON mails (who)")
    warnings = _texts(_check(table, tmp_path), "warning")
    assert "every login reads" not in warnings
    assert "table of emails" not in warnings
    # MariaDB's collation ignores case anyway.
    assert ("ignores case" in warnings) is ("mysql" not in database.url)
    if "sqlite" in database.url:
        database.run("CREATE INDEX nocase ON accounts (login COLLATE NOCASE)")
    elif "postgresql" in database.url:
        database.run("CREATE INDEX folded ON accounts (lower(login))")
    assert "index" not in _texts(_check(table, tmp_path), "warning")
