"""A driver that the plugin does not know by heart: pg8000, by way of SQLAlchemy alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from integration_server import BackendError, BackendMisconfigured, BackendUnavailable, Lookup, NewAccount, Verdict
from integration_server.builtin.sql import SqlBackend
from integration_server.sdk.testing import list_users, open_mapper
from tests.builtin.sql import people_database as db
from tests.builtin.sql.people_database import PeopleDatabase, opened, settings, soon
from tests.servers import PEOPLE, PostgreSql


@pytest.fixture
def table(postgresql_people: PeopleDatabase) -> dict[str, Any]:
    url = sa.make_url(postgresql_people.url).set(drivername="postgresql+pg8000")
    return settings(url.render_as_string(hide_password=False))


def test_everybody_is_listed_found_and_logged_in(table: dict[str, Any], tmp_path: Path) -> None:
    backend = opened(table, tmp_path)
    users = list_users(backend, open_mapper(SqlBackend, table, tmp_path), soon())
    assert {user.username for user in users} == {person.uid for person in PEOPLE}
    for person in PEOPLE:
        entry = backend.find(Lookup("login", person.uid.upper(), ignore_case=True), soon())
        assert entry is not None
        assert entry.attributes["emails"] == list(person.emails)
        assert backend.verify(entry, person.password, soon()) is Verdict.ACCEPTED
        assert backend.verify(entry, "x", soon()) is Verdict.REJECTED
    for hostile in ("' OR 1=1 --", "%", "alice\0", "\ud800", "x" * 1_000_000):
        assert backend.find(Lookup("login", hostile), soon()) is None
    assert [finding.level for finding in backend.check(soon())].count("error") == 0
    backend.close()


def test_members_come_and_go_in_one_transaction(table: dict[str, Any], tmp_path: Path) -> None:
    backend = opened({**table, "group_table": {**table["group_table"], "is_writable": True}}, tmp_path)
    entry = backend.find(Lookup("login", "alice"), soon())
    assert entry is not None
    for change in (backend.add_member, backend.remove_member):
        assert change(entry, "rowing", soon()) is True
        assert change(entry, "rowing", soon()) is False
    with pytest.raises(BackendMisconfigured) as caught:
        backend.add_member(entry, "x" * 60, soon())
    assert "xxx" not in f"{caught.value} {caught.value.__cause__!r}"
    backend.close()


def test_people_are_made_and_their_addresses_confirmed(table: dict[str, Any], tmp_path: Path) -> None:
    url = sa.make_url(table["url"]).set(drivername="postgresql+psycopg").render_as_string(hide_password=False)
    PeopleDatabase(url).run(
        "CREATE TABLE members (id SERIAL PRIMARY KEY, login VARCHAR(80))",
        "CREATE TABLE mails (person INTEGER, address VARCHAR(80), is_verified BOOLEAN)",
    )
    mails = {"table": "mails", "user_column": "person", "address_column": "address", "key_column": "id"}
    mapping = {"id": "id", "username": "login", "emails": "emails", "unverified_emails": "emails_unverified"}
    changes = {
        "table": "members",
        "password_column": None,
        "group_table": None,
        "email_table": {**mails, "verified_column": "is_verified", "is_writable": True},
        "map": mapping,
        "writing": {"username_column": "login"},
    }
    backend = opened(settings(table["url"], **changes), tmp_path)
    user_id = backend.create_account(NewAccount("z@x.example", "Z"), soon())
    PeopleDatabase(url).run("UPDATE mails SET is_verified = false")
    entry = backend.find(Lookup("id", user_id), soon())
    assert entry is not None
    assert entry.attributes["emails_unverified"] == ["z@x.example"]
    backend.confirm_email(entry, "z@x.example", soon())
    entry = backend.find(Lookup("id", user_id), soon())
    assert entry is not None
    assert entry.attributes["emails_unverified"] == []
    backend.close()


def test_outages_and_mistakes_are_told_apart(
    table: dict[str, Any], postgresql: PostgreSql, postgresql_people: PeopleDatabase, tmp_path: Path
) -> None:
    backend = opened(table, tmp_path)
    mapper = open_mapper(SqlBackend, table, tmp_path)
    assert backend.find(Lookup("login", "alice"), soon()) is not None
    with postgresql.stopped():
        for _ in range(2):
            with pytest.raises(BackendUnavailable):
                backend.find(Lookup("login", "alice"), soon())
            with pytest.raises(BackendUnavailable):
                list_users(backend, mapper, soon())
    assert backend.find(Lookup("login", "alice"), soon()) is not None
    postgresql.restart()
    assert backend.find(Lookup("login", "alice"), soon()) is not None
    with db.renamed(postgresql_people).start():
        with pytest.raises(BackendMisconfigured):
            backend.find(Lookup("login", "alice"), soon())
        with pytest.raises(BackendError):
            list_users(backend, mapper, soon())
    assert len(list_users(backend, mapper, soon())) == len(PEOPLE)
    backend.close()
