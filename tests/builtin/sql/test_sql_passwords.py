"""Right and wrong passwords: by a column, a column and its salt, the admin's own statement."""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path
from typing import Any

import pytest

from integration_server import (
    AmbiguousEntry,
    BackendMisconfigured,
    BackendTimeout,
    BadEntry,
    Deadline,
    Entry,
    Lookup,
    Verdict,
)
from integration_server.builtin.sql import SqlBackend
from tests.builtin.sql.people_database import SIMPLE, PeopleDatabase, opened, settings, soon, ssha256

RIGHT = "Tr0ub4dor & 3"


def _entry(backend: SqlBackend, login: str) -> Entry:
    found = backend.find(Lookup("login", login), soon())
    assert found is not None
    return found


def _verdict(backend: SqlBackend, login: str, password: str) -> Verdict:
    return backend.verify(_entry(backend, login), password, soon())


_ACCOUNTS = "CREATE TABLE accounts (login VARCHAR(50), stored CHAR(200), salt VARCHAR(50))"


@pytest.fixture
def accounts(sqlite_database: PeopleDatabase) -> PeopleDatabase:
    """A table of accounts in a file: how hashes are read is the same everywhere."""
    sqlite_database.run(_ACCOUNTS)
    return sqlite_database


@pytest.fixture
def served_accounts(database: PeopleDatabase) -> PeopleDatabase:
    """The same in each kind of database: statements are not."""
    database.run(_ACCOUNTS)
    return database


def _add(database: PeopleDatabase, login: str, stored: str | None, salt: str | None = None) -> None:
    database.run("INSERT INTO accounts VALUES (:login, :stored, :salt)", login=login, stored=stored, salt=salt)


def _backend(database: PeopleDatabase, folder: Path, **changes: Any) -> SqlBackend:
    table = {**SIMPLE, "table": "accounts", "password_column": "stored", "map": {"username": "login"}, **changes}
    return opened(settings(database.url, **table), folder)


def test_hashes_of_several_schemes_stand_side_by_side(
    accounts: PeopleDatabase, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    _add(accounts, "strong", ssha256(RIGHT))
    _add(accounts, "weak", "{MD5}" + "wKWIiQ/RY4Ps1xhLPPhyJg==")
    _add(accounts, "locked", "!")
    _add(accounts, "empty", "")
    _add(accounts, "null", None)
    backend = _backend(accounts, tmp_path)
    for login in ("strong", "weak", "locked", "empty", "null"):
        expected = Verdict.ACCEPTED if login == "strong" else Verdict.REJECTED
        assert _verdict(backend, login, RIGHT) is expected, login
        assert _verdict(backend, login, RIGHT + " ") is Verdict.REJECTED, login
        assert _verdict(backend, login, "!") is Verdict.REJECTED, login
    warnings = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert [record.getMessage() for record in warnings] == ["backend test: passwords are stored in the weak scheme md5"]
    backend.close()


def test_an_unknown_scheme_names_the_person_and_the_scheme_but_not_the_hash(
    accounts: PeopleDatabase, tmp_path: Path
) -> None:
    _add(accounts, "ann", "{ROT26}verysecretverysecret")
    backend = _backend(accounts, tmp_path)
    with pytest.raises(BadEntry, match=r"entry 'ann': .*ROT26") as caught:
        _verdict(backend, "ann", RIGHT)
    assert "verysecret" not in f"{caught.value} {caught.value.__cause__!r}"
    backend.close()


def test_unmarked_hashes_need_a_declared_scheme(accounts: PeopleDatabase, tmp_path: Path) -> None:
    _add(accounts, "ann", hashlib.md5(RIGHT.encode()).hexdigest())
    backend = _backend(accounts, tmp_path)
    with pytest.raises(BadEntry):
        _verdict(backend, "ann", RIGHT)
    backend.close()
    backend = _backend(accounts, tmp_path, password_scheme="md5_hex")
    assert _verdict(backend, "ann", RIGHT) is Verdict.ACCEPTED
    assert _verdict(backend, "ann", "x") is Verdict.REJECTED
    backend.close()


def test_salts_may_have_a_column_of_their_own(accounts: PeopleDatabase, tmp_path: Path) -> None:
    inner = hashlib.md5(b"A*b'c").hexdigest() + hashlib.md5(RIGHT.encode()).hexdigest()
    _add(accounts, "ann", hashlib.md5(inner.encode()).hexdigest(), "A*b'c")
    backend = _backend(accounts, tmp_path, password_scheme="ipb_md5", salt_column="salt")
    assert _verdict(backend, "ann", RIGHT) is Verdict.ACCEPTED
    assert _verdict(backend, "ann", "x") is Verdict.REJECTED
    backend.close()


def test_plain_passwords_are_taken_only_where_they_are_declared(accounts: PeopleDatabase, tmp_path: Path) -> None:
    _add(accounts, "ann", "{PLAIN}" + RIGHT)
    backend = _backend(accounts, tmp_path)
    with pytest.raises(BadEntry):
        _verdict(backend, "ann", RIGHT)
    backend.close()
    backend = _backend(accounts, tmp_path, allow_plain_passwords=True)
    assert _verdict(backend, "ann", RIGHT) is Verdict.ACCEPTED
    assert _verdict(backend, "ann", RIGHT.lower()) is Verdict.REJECTED
    backend.close()


def test_without_a_place_for_passwords_nobody_logs_in_and_nobody_is_refused(
    accounts: PeopleDatabase, tmp_path: Path
) -> None:
    _add(accounts, "ann", ssha256(RIGHT))
    backend = _backend(accounts, tmp_path, password_column=None)
    with pytest.raises(BackendMisconfigured, match="password_column"):
        _verdict(backend, "ann", RIGHT)
    backend.verify_nobody("x", soon())
    backend.close()


def test_an_own_statement_gives_the_hash(served_accounts: PeopleDatabase, tmp_path: Path) -> None:
    _add(served_accounts, "ann", ssha256(RIGHT))
    _add(served_accounts, "o'bob", ssha256("other"))
    for statement in (
        "SELECT stored FROM accounts WHERE login = :value",
        "SELECT stored, salt FROM accounts WHERE login = :username",
        "SELECT stored FROM accounts WHERE login = :id AND login = :value AND login = :username;",
    ):
        backend = _backend(served_accounts, tmp_path, password_column=None, auth_statement=statement)
        # CHAR columns come padded.
        assert _verdict(backend, "ann", RIGHT) is Verdict.ACCEPTED
        assert _verdict(backend, "ann", "other") is Verdict.REJECTED
        assert _verdict(backend, "o'bob", "other") is Verdict.ACCEPTED
        backend.verify_nobody(RIGHT, soon())
        backend.close()


def test_an_own_statement_that_gives_nothing_rejects(accounts: PeopleDatabase, tmp_path: Path) -> None:
    _add(accounts, "ann", ssha256(RIGHT))
    statement = "SELECT stored FROM accounts WHERE login = :value AND 1 = 0"
    backend = _backend(accounts, tmp_path, password_column=None, auth_statement=statement)
    assert _verdict(backend, "ann", RIGHT) is Verdict.REJECTED
    backend.close()


def test_an_own_statement_that_gives_two_hashes_is_ambiguous(accounts: PeopleDatabase, tmp_path: Path) -> None:
    _add(accounts, "ann", ssha256(RIGHT))
    _add(accounts, "bob", ssha256("other"))
    statement = "SELECT stored FROM accounts WHERE :value <> ''"
    backend = _backend(accounts, tmp_path, password_column=None, auth_statement=statement)
    with pytest.raises(AmbiguousEntry, match="several passwords for entry 'ann'"):
        _verdict(backend, "ann", RIGHT)
    backend.close()


def test_an_own_statement_compares_the_password(served_accounts: PeopleDatabase, tmp_path: Path) -> None:
    _add(served_accounts, "ann", RIGHT)
    _add(served_accounts, "bob", "x' OR '1'='1")
    for statement in (
        "SELECT 1 FROM accounts WHERE login = :value AND stored = :password",
        "SELECT login FROM accounts WHERE login = :username AND stored = :password",
        # A row that says no.
        "SELECT stored = :password FROM accounts WHERE login = :value",
        "SELECT CASE WHEN stored = :password THEN 1 END FROM accounts WHERE login = :value",
    ):
        backend = _backend(served_accounts, tmp_path, password_column=None, auth_statement=statement)
        assert _verdict(backend, "ann", RIGHT) is Verdict.ACCEPTED
        assert _verdict(backend, "bob", "x' OR '1'='1") is Verdict.ACCEPTED
        for wrong in ("x' OR '1'='1", "%", RIGHT + "x", "\ud800", "x" * 100_000, "' OR 1=1 --"):
            assert _verdict(backend, "ann", wrong) is Verdict.REJECTED, (statement, wrong[:20])
        backend.verify_nobody(RIGHT, soon())
        backend.close()


def test_the_text_of_an_error_about_a_password_is_not_shown(
    served_accounts: PeopleDatabase, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    _add(served_accounts, "ann", RIGHT)
    statements = [
        "SELECT 1 FROM accounts WHERE login = :value AND nothing(:password) = 1",
        "SELEC 1 FROM accounts WHERE login = :value AND :password = stored",
        "SELECT 1 FROM accounts WHERE login = :value AND CAST(:password AS INTEGER) / 0 = 1 AND nothing = 1",
        "SELECT 1 FROM nowhere WHERE login = :value AND stored = :password ",
    ]
    for statement in statements:
        backend = _backend(served_accounts, tmp_path, password_column=None, auth_statement=statement)
        with pytest.raises(BackendMisconfigured) as caught:
            _verdict(backend, "ann", "Hunter2-Hunter2")
        causes = [caught.value, caught.value.__cause__, caught.value.__context__]
        assert not any("Hunter2" in f"{exc} {exc!r} {getattr(exc, '__context__', '')!r}" for exc in causes)
        backend.close()
    assert "Hunter2" not in caplog.text


def test_after_the_deadline_there_is_no_verdict(people: PeopleDatabase, tmp_path: Path) -> None:
    backend = opened(settings(people.url), tmp_path)
    entry = _entry(backend, "alice")
    with pytest.raises(BackendTimeout):
        backend.verify(entry, "x", Deadline(0))
    with pytest.raises(BackendTimeout):
        backend.verify_nobody("x", Deadline(0))
    backend.close()


def test_nobody_costs_what_the_stored_passwords_cost(
    people: PeopleDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = opened(settings(people.url), tmp_path)
    seen: list[object] = []
    monkeypatch.setattr(backend._passwords.checker, "observe", seen.append)
    backend.verify_nobody("x", soon())
    backend.verify_nobody("x", soon())
    assert len(seen) == 30
    assert all(str(stored).startswith("{SSHA256}") for stored in seen)
    backend.close()
