"""Which of people's addresses are verified, and which are preferred."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from integration_server import BadEntry, ConfigError, Email, Lookup
from integration_server.builtin.sql import SqlBackend
from integration_server.builtin.sql.sqlite import SqliteSession
from integration_server.sdk.testing import list_users, open_mapper
from tests.builtin.sql.people_database import MAP, PeopleDatabase, opened, settings, soon

EMAILS = {"table": "addresses", "user_column": "person", "address_column": "address", "key_column": "id"}
MARKED = {**EMAILS, "primary_column": "is_primary", "verified_column": "is_verified"}
KINDS = {**MAP, "unverified_emails": "emails_unverified", "preferred_emails": "emails_preferred"}


def _marked(database: PeopleDatabase) -> dict[str, Any]:
    """Alice (1) has one address of each kind, bob (2) a primary one that nobody has verified."""
    database.run(
        "ALTER TABLE addresses ADD COLUMN is_verified INTEGER",
        "UPDATE addresses SET is_verified = 1",
        "DELETE FROM addresses WHERE person IN (1, 2)",
        "INSERT INTO addresses (person, address, is_primary, is_verified) VALUES (1, 'c@x.example', :no, 1)",
        "INSERT INTO addresses (person, address, is_primary, is_verified) VALUES (1, 'b@x.example', :no, 0)",
        "INSERT INTO addresses (person, address, is_primary, is_verified) VALUES (1, 'a@x.example', :yes, 1)",
        "INSERT INTO addresses (person, address, is_primary, is_verified) VALUES (2, 'd@x.example', :yes, NULL)",
        yes=True,
        no=False,
    )
    return settings(database.url, email_table=MARKED, map=KINDS)


def test_addresses_carry_what_the_table_says_of_them(database: PeopleDatabase, tmp_path: Path) -> None:
    table = _marked(database)
    backend, mapper = opened(table, tmp_path), open_mapper(SqlBackend, table, tmp_path)
    expected = {
        "1": (
            Email("a@x.example", is_verified=True, is_preferred=True),
            Email("c@x.example", is_verified=True, is_preferred=False),
            Email("b@x.example", is_verified=False, is_preferred=False),
        ),
        "2": (Email("d@x.example", is_verified=False, is_preferred=False),),
    }
    users = {user.id: user for user in list_users(backend, mapper, soon())}
    for user_id, emails in expected.items():
        assert users[user_id].emails == emails
        entry = backend.find(Lookup("id", user_id), soon())
        assert entry is not None
        assert next(mapper.entry_page(entry).users()).emails == emails
    assert all(email.is_verified for user in users.values() if user.id not in expected for email in user.emails)
    backend.close()


def test_people_are_found_by_an_address_of_any_kind(database: PeopleDatabase, tmp_path: Path) -> None:
    backend = opened(_marked(database), tmp_path)
    for address in ("a@x.example", "B@X.example", "c@x.example"):
        entry = backend.find(Lookup("emails", address, ignore_case=True), soon())
        assert entry is not None
        assert entry.attributes["login"] == "alice"
    backend.close()


def _noted(really: Any, asked: list[str]) -> Any:
    def fetch(self: Any, query: Any, *rest: Any) -> Any:
        asked.append(query.sql)
        return really(self, query, *rest)

    return fetch


def test_kinds_cost_no_question_more(
    sqlite_database: PeopleDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sqlite_database.load(3000)
    plain = settings(sqlite_database.url)
    counts = []
    for table in (plain, _marked(sqlite_database)):
        backend = opened(table, tmp_path)
        asked: list[str] = []
        monkeypatch.setattr(SqliteSession, "fetch", _noted(SqliteSession.fetch, asked))
        for _ in backend.users(soon()):
            pass
        monkeypatch.undo()
        counts.append(len(asked))
        backend.close()
    assert counts[0] == counts[1]


def test_only_what_the_mapping_names_is_asked(database: PeopleDatabase, tmp_path: Path) -> None:
    table = {**_marked(database), "map": {**MAP, "unverified_emails": "emails_unverified"}}
    backend = opened(table, tmp_path)
    entry = backend.find(Lookup("login", "alice"), soon())
    assert entry is not None
    assert entry.attributes["emails_unverified"] == ["b@x.example"]
    assert "emails_preferred" not in entry.attributes
    backend.close()


def test_a_mark_that_is_neither_yes_nor_no_is_an_error(database: PeopleDatabase, tmp_path: Path) -> None:
    table = _marked(database)
    database.run("UPDATE addresses SET is_verified = 7 WHERE address = 'c@x.example'")
    backend = opened(table, tmp_path)
    with pytest.raises(BadEntry, match="neither yes nor no"):
        backend.find(Lookup("login", "alice"), soon())
    backend.close()


def test_a_mark_that_is_not_used_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match='set unverified_emails = "emails_unverified" in'):
        opened(settings("sqlite:///people.db", email_table=MARKED), tmp_path)
