"""Making people, and marking addresses as verified: whole, once, and as the mapping knows them afterwards."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from integration_server import (
    BackendError,
    BackendMisconfigured,
    BackendUnavailable,
    ConfigError,
    Email,
    Entry,
    Lookup,
    NewAccount,
    ReadOnlyBackend,
    User,
)
from integration_server.builtin.sql import SqlBackend
from integration_server.sdk.testing import open_mapper
from tests.builtin.sql.people_database import MAP, PeopleDatabase, opened, settings, soon

_ROOT = Path(__file__).parents[3]
_EMAILS = {
    "table": "mails",
    "user_column": "person",
    "address_column": "address",
    "key_column": "id",
    "primary_column": "is_primary",
    "verified_column": "is_verified",
    "is_writable": True,
}
_MAP = {
    "id": "id",
    "username": "login",
    "full_name": "full_name",
    "biography": "bio",
    "tz": "zone",
    "emails": "emails",
    "unverified_emails": "emails_unverified",
    "preferred_emails": "emails_preferred",
}
_COLUMNS = {"full_name_column": "full_name", "biography_column": "bio", "tz_column": "zone"}
_OWN = {
    "create_statements": [
        "INSERT INTO people (login, full_name, bio, zone) VALUES (:email, :full_name, :biography, :tz)",
        "INSERT INTO mails (person, address, is_primary, is_verified) "
        "SELECT id, :email, 1 = 1, 1 = 1 FROM people WHERE login = :email",
    ]
}
ZOE = NewAccount("Zoe@x.example", "Zoë O'Hara", "Reads\n\"and\" 'writes'; -- %s :x", "Europe/Berlin")
_SIMPLE_MAP = {key: value for key, value in _MAP.items() if "emails" not in key} | {"emails": "mail"}


def _create(database: PeopleDatabase, key: str | None = None) -> None:
    """Two tables; the database numbers the people where no type of key is given."""
    numbers = {
        "sqlite": "INTEGER PRIMARY KEY",
        "postgresql": "SERIAL PRIMARY KEY",
        "mysql": "INTEGER AUTO_INCREMENT PRIMARY KEY",
    }
    made = key or numbers[sa.make_url(database.url).get_backend_name()]
    columns = "login VARCHAR(80) UNIQUE, full_name VARCHAR(80) NOT NULL, bio VARCHAR(80), zone VARCHAR(40)"
    database.run(
        f"CREATE TABLE people (id {made}, {columns}, mail VARCHAR(80))",
        f"CREATE TABLE mails (person {key or 'INTEGER'}, address VARCHAR(80), is_primary BOOLEAN, is_verified BOOLEAN)",
    )


def _table(database: PeopleDatabase, **changes: Any) -> dict[str, Any]:
    alone = {"table": "people", "password_column": None, "group_table": None, "map": _MAP, "email_table": _EMAILS}
    return settings(database.url, **{**alone, "writing": {**_COLUMNS, "username_column": "login"}, **changes})


@pytest.fixture(params=["rows", "statements", "uuid", "one table"])
def table(request: pytest.FixtureRequest, database: PeopleDatabase) -> dict[str, Any]:
    """Each way to make people in turn."""
    _create(database, {"uuid": "VARCHAR(40)"}.get(request.param))
    changes: dict[str, dict[str, Any]] = {
        "rows": {},
        "statements": {"writing": _OWN},
        "uuid": {"writing": {**_COLUMNS, "id_column": "id", "username_column": "login"}},
        "one table": {
            "email_table": None,
            "map": _SIMPLE_MAP,
            "writing": {**_COLUMNS, "email_column": "mail", "username_column": "login"},
        },
    }
    return _table(database, **changes[request.param])


def _entry(backend: SqlBackend, user_id: str) -> Entry:
    entry = backend.find(Lookup("id", user_id), soon())
    assert entry is not None
    return entry


def _user(table: dict[str, Any], folder: Path, backend: SqlBackend, user_id: str) -> User:
    return next(open_mapper(SqlBackend, table, folder).entry_page(_entry(backend, user_id)).users())


def _count(database: PeopleDatabase, table: str = "people") -> int:
    return int(database.scalar(f"SELECT COUNT(*) FROM {table}"))


def test_a_person_who_was_made_is_known_with_all_that_was_given(table: dict[str, Any], tmp_path: Path) -> None:
    backend = opened(table, tmp_path)
    user_id = backend.create_account(ZOE, soon())
    user = _user(table, tmp_path, backend, user_id)
    assert (user.id, user.full_name, user.biography, user.tz) == (user_id, ZOE.full_name, ZOE.biography, ZOE.tz)
    assert user.emails == (Email(ZOE.email, is_verified=True, is_preferred=True),)
    backend.close()


def test_what_is_not_known_of_a_person_stays_empty(table: dict[str, Any], tmp_path: Path) -> None:
    backend = opened(table, tmp_path)
    user = _user(table, tmp_path, backend, backend.create_account(NewAccount("a@x.example", "A"), soon()))
    assert (user.full_name, user.biography, user.tz) == ("A", None, None)
    backend.close()


def test_eight_who_make_the_same_person_make_one(
    database: PeopleDatabase, table: dict[str, Any], tmp_path: Path
) -> None:
    backend = opened(table, tmp_path)
    start = threading.Barrier(8)

    def make(number: int) -> str:
        start.wait()
        return backend.create_account(ZOE, soon())

    with ThreadPoolExecutor(8) as threads:
        ids = set(threads.map(make, range(8)))
    assert len(ids) == 1
    assert _count(database) == 1
    assert _count(database, "mails") in (0, 1)
    backend.close()


def test_metacharacters_are_values_like_others(database: PeopleDatabase, table: dict[str, Any], tmp_path: Path) -> None:
    backend = opened(table, tmp_path)
    for number, hostile in enumerate(("'; DROP TABLE people; --", "%s%(x)s", ":email", "?", 'a"b\\', "{x}", "😀")):
        account = NewAccount(f"{hostile}{number}@x.example", hostile, hostile, hostile)
        user = _user(table, tmp_path, backend, backend.create_account(account, soon()))
        assert (user.full_name, user.biography, user.tz) == (hostile,) * 3
        assert user.emails[0].address == account.email
        assert _count(database) == number + 1
    backend.close()


def test_what_cannot_be_stored_is_refused_and_nothing_is_made(
    database: PeopleDatabase, table: dict[str, Any], tmp_path: Path
) -> None:
    backend = opened(table, tmp_path)
    monsters = [
        NewAccount("", "x"),
        NewAccount("a\0@x.example", "x"),
        NewAccount("a\ud800@x.example", "x"),
        NewAccount("a@x.example", "x\0"),
        NewAccount("a@x.example", "x", "\udcff"),
        NewAccount("a" * 1_000_001, "x"),
        NewAccount("a" * 20_000, "x"),
        NewAccount("a@x.example", "x", "y" * 1_000_001),
    ]
    if sa.make_url(database.url).get_backend_name() != "sqlite":  # which knows no widths
        monsters += [NewAccount("a" * 100, "secret"), NewAccount("a@x.example", "secret" * 20)]
    for monster in monsters:
        with pytest.raises(BackendError) as caught:
            backend.create_account(monster, soon())
        assert not isinstance(caught.value, BackendUnavailable)
        assert "secretsecret" not in f"{caught.value} {caught.value.__cause__!r}"
    assert _count(database) == _count(database, "mails") == 0
    backend.close()


def test_who_would_not_be_found_afterwards_is_not_made(database: PeopleDatabase, tmp_path: Path) -> None:
    _create(database)
    for changes in ({"where": "zone = 'nowhere'"}, {"writing": {"create_statements": _OWN["create_statements"][:1]}}):
        backend = opened(_table(database, **changes), tmp_path)
        with pytest.raises(BackendMisconfigured, match="is not found by"):
            backend.create_account(ZOE, soon())
        assert _count(database) == _count(database, "mails") == 0
        backend.close()


def test_what_fails_half_way_is_undone(database: PeopleDatabase, tmp_path: Path) -> None:
    _create(database)
    database.run("DROP TABLE mails", "CREATE TABLE mails (person INTEGER, address VARCHAR(80))")
    for writing in ({**_COLUMNS, "username_column": "login"}, _OWN):
        backend = opened(_table(database, writing=writing), tmp_path)
        with pytest.raises(BackendMisconfigured):
            backend.create_account(ZOE, soon())
        assert _count(database) == 0
        backend.close()


def test_a_process_that_is_killed_leaves_nothing_half_made(sqlite_database: PeopleDatabase, tmp_path: Path) -> None:
    _create(sqlite_database)
    script = f"""
import os, pathlib, signal
from integration_server import NewAccount
from integration_server.builtin.sql.addresses import AddressRows
from tests.builtin.sql.people_database import opened, soon
AddressRows.insert = lambda *_: os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))
opened({_table(sqlite_database)!r}, pathlib.Path({str(tmp_path)!r})).create_account(NewAccount("z@x", "Z"), soon())
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=_ROOT, capture_output=True, timeout=60, check=False)
    assert done.returncode == -signal.SIGKILL if sys.platform != "win32" else done.returncode, done.stderr
    backend = opened(_table(sqlite_database), tmp_path)
    assert _count(sqlite_database) == 0
    assert backend.create_account(ZOE, soon()) == "1"
    backend.close()


def test_a_user_name_that_somebody_else_has_is_not_given_twice(database: PeopleDatabase, tmp_path: Path) -> None:
    _create(database)
    database.run("INSERT INTO people (login, full_name) VALUES ('zoe@x.example', 'Z')")
    backend = opened(_table(database), tmp_path)
    with pytest.raises(BackendError, match="the same login"):
        backend.create_account(NewAccount("zoe@x.example", "Zoë"), soon())
    assert _count(database) == 1
    backend.close()


def test_own_statements_list_find_and_make_people(database: PeopleDatabase, tmp_path: Path) -> None:
    _create(database)
    people = "SELECT id, login, full_name, bio, zone, login AS mail FROM people"
    table = _table(
        database,
        table=None,
        email_table=None,
        map=_SIMPLE_MAP,
        list_statement=people,
        find_statement=f"{people} WHERE login = :value",
        find_by_id_statement=f"{people} WHERE CAST(id AS CHAR(9)) = :value",
        find_by_email_statement=f"{people} WHERE LOWER(login) = LOWER(:value)",
        writing={"create_statements": _OWN["create_statements"][0]},
    )
    backend = opened(table, tmp_path)
    user_id = backend.create_account(ZOE, soon())
    found = backend.find(Lookup("mail", "zoe@X.example", ignore_case=True), soon())
    assert found is not None
    assert str(found.attributes["id"]) == user_id
    assert backend.create_account(ZOE, soon()) == user_id
    backend.close()


def test_a_confirmed_address_is_verified_and_preferred_where_none_is(database: PeopleDatabase, tmp_path: Path) -> None:
    _create(database)
    table = _table(database)
    backend = opened(table, tmp_path)
    user_id = backend.create_account(ZOE, soon())
    database.run("UPDATE mails SET is_primary = :no, is_verified = :no", no=False)
    for address in ("second@x.example", "third@x.example"):
        row = "INSERT INTO mails (person, address, is_primary, is_verified) VALUES (:who, :address, :no, :no)"
        database.run(row, who=int(user_id), address=address, no=False)
    entry = _entry(backend, user_id)
    for address in ("SECOND@x.example", "third@x.example", "third@x.example"):
        backend.confirm_email(entry, address, soon())
    assert set(_user(table, tmp_path, backend, user_id).emails) == {
        Email("second@x.example", is_verified=True, is_preferred=True),
        Email("third@x.example", is_verified=True, is_preferred=False),
        Email(ZOE.email, is_verified=False, is_preferred=False),
    }
    with pytest.raises(BackendError, match="no such address"):
        backend.confirm_email(entry, "' OR 1=1 --", soon())
    backend.close()


def test_own_statements_confirm_addresses(database: PeopleDatabase, tmp_path: Path) -> None:
    _create(database)
    statement = "UPDATE people SET mail = :email WHERE id = :user"
    table = _table(database, email_table=None, map=_SIMPLE_MAP, writing={"confirm_email_statements": statement})
    database.run("INSERT INTO people (login, full_name) VALUES ('a', 'A'), ('b', 'B')")
    backend = opened(table, tmp_path)
    entry = backend.find(Lookup("login", "a"), soon())
    assert entry is not None
    backend.confirm_email(entry, "a'@x.example", soon())
    assert database.scalar("SELECT mail FROM people WHERE login = 'a'") == "a'@x.example"
    assert database.scalar("SELECT mail FROM people WHERE login = 'b'") is None
    backend.close()


def test_a_backend_that_is_only_read_names_the_key_to_set(people: PeopleDatabase, tmp_path: Path) -> None:
    backend = opened(settings(people.url), tmp_path)
    with pytest.raises(ReadOnlyBackend, match=r"create_statements, .* in \[backends.test.writing\]"):
        backend.create_account(ZOE, soon())
    backend.confirm_email(_entry(backend, "1"), "x@x.example", soon())  # it knows no unverified ones
    backend.close()
    marked = {**_EMAILS, "table": "addresses", "verified_column": "is_primary", "is_writable": False}
    mapping = {**MAP, "unverified_emails": "emails_unverified"}
    backend = opened(settings(people.url, email_table=marked, map=mapping), tmp_path)
    with pytest.raises(ReadOnlyBackend, match=r"is_writable in \[backends.test.email_table\]"):
        backend.confirm_email(_entry(backend, "1"), "x@x.example", soon())
    backend.close()


def test_columns_that_are_missing_are_found_by_check(sqlite_database: PeopleDatabase, tmp_path: Path) -> None:
    _create(sqlite_database)
    backend = opened(_table(sqlite_database, writing={"username_column": "log_in"}), tmp_path)
    assert any("no column 'log_in'; did you mean 'login'?" in finding.message for finding in backend.check(soon()))
    backend.close()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"email_table": {**_EMAILS, "is_writable": False}}, "set its is_writable"),
        (
            {"email_table": {**_EMAILS, "table": None, "statement": "SELECT 1"}},
            r"email_table\] is_writable needs a table",
        ),
        ({"writing": {**_OWN, "username_column": "login"}}, "create_statements does not go with columns"),
        ({"writing": _COLUMNS}, "needs username_column, email_column or id_column"),
        ({"writing": {"create_statements": "INSERT INTO x VALUES (:mail)"}}, "unknown parameter :mail"),
        ({"writing": {"create_statements": "INSERT INTO x VALUES (:full_name)"}}, "must say :email"),
        ({"writing": {"confirm_email_statements": "UPDATE x SET y = :user"}}, "must say :email"),
        (
            {"writing": {"id_column": "id"}, "email_table": None, "map": _SIMPLE_MAP},
            r"\[backends.test.writing\] set email_column",
        ),
        ({"find_by_email_statement": "SELECT :value"}, "find_by_email_statement does not go with table"),
        ({"map": {**_MAP, "id": "{id}"}}, "needs people's id to be one column"),
    ],
)
def test_settings_that_cannot_work_together_are_named(changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=message):
        opened(_table(PeopleDatabase("sqlite:///people.db"), **changes), tmp_path)
