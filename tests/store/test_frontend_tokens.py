"""The one token of a frontend: made once, replaced at once, never readable."""

from __future__ import annotations

import logging
import re
import sqlite3
import string
from pathlib import Path

import pytest
import sqlalchemy as sa

from integration_server import StoreUnavailable
from integration_server.store import Store
from integration_server.store.engine import open_store, reading
from integration_server.store.frontend_tokens import FrontendTokens, new_token
from integration_server.store.schema import frontend_tokens as table
from tests.servers import PostgreSql
from tests.store.processes import at_once


@pytest.fixture
def tokens(engine: sa.Engine) -> FrontendTokens:
    return FrontendTokens(engine, lambda: 7.0)


def test_a_token_is_a_number_below_62_to_the_32nd_in_groupservers_digits(monkeypatch: pytest.MonkeyPatch) -> None:
    made = [new_token() for _ in range(300)]
    assert len(set(made)) == 300
    assert all(re.fullmatch("[0-9a-zA-Z]{28,32}", token) for token in made)
    assert sum(len(token) == 32 for token in made) > 270

    def asked(number: int) -> str:
        monkeypatch.setattr("secrets.randbelow", lambda limit: number % limit)
        return new_token()

    assert (asked(0), asked(61), asked(62), asked(10), asked(36)) == ("0", "Z", "10", "a", "A")
    assert asked(62**32 - 1) == "Z" * 32
    assert asked(62**32) == "0"
    assert [asked(n) for n in range(62)] == list(string.digits + string.ascii_lowercase + string.ascii_uppercase)


def test_the_first_token_is_made_once_and_said_once(tokens: FrontendTokens) -> None:
    token = tokens.ensure("hooks")
    assert token is not None
    assert tokens.ensure("hooks") is None
    assert tokens.matches("hooks", token)
    assert tokens.mounts() == ["hooks"]


def test_a_new_token_ends_the_old_one_at_once_and_no_other_frontends(
    tokens: FrontendTokens, url: str, tmp_path: Path
) -> None:
    other = tokens.ensure("branch")
    first = tokens.ensure("hooks")
    elsewhere = FrontendTokens(open_store(url, tmp_path))
    assert first is not None
    assert other is not None
    assert elsewhere.matches("hooks", first)
    second = tokens.rotate("hooks")
    assert not elsewhere.matches("hooks", first)
    assert elsewhere.matches("hooks", second)
    assert elsewhere.matches("branch", other)
    assert not elsewhere.matches("branch", second)
    elsewhere._engine.dispose()


def test_a_rotation_makes_the_first_token_where_there_is_none(tokens: FrontendTokens) -> None:
    token = tokens.rotate("hooks")
    assert tokens.matches("hooks", token)
    assert tokens.ensure("hooks") is None


def test_nothing_else_is_the_token(tokens: FrontendTokens) -> None:
    assert not tokens.matches("hooks", "")
    token = tokens.rotate("hooks")
    for wrong in ("", token + "\n", " " + token, token.swapcase(), token[:-1], "\ud800", "ü", "\0", "x" * 1_000_000):
        assert not tokens.matches("hooks", wrong)


def test_the_store_holds_a_digest_only(tokens: FrontendTokens, engine: sa.Engine) -> None:
    token = tokens.rotate("hooks")
    with reading(engine) as connection:
        row = connection.execute(sa.select(table)).one()
    assert (row.mount, row.created_at) == ("hooks", 7.0)
    assert re.fullmatch("[0-9a-f]{64}", row.digest)
    assert token not in repr(row)


def test_of_processes_that_make_the_first_token_at_once_one_gets_it(
    tokens: FrontendTokens, url: str, tmp_path: Path
) -> None:
    made = at_once(
        4,
        """
        def work(number, arguments):
            store = Store(arguments["url"], Path(arguments["folder"]))
            found = []
            for turn in range(10):
                time.sleep(0.05 - time.time() % 0.05)
                found.append(store.frontend_tokens.ensure(f"hooks-{turn}"))
            store.close()
            return found
        """,
        url=url,
        folder=str(tmp_path),
    )
    for turn, answers in enumerate(zip(*made, strict=True)):
        (token,) = (answer for answer in answers if answer is not None)
        assert tokens.matches(f"hooks-{turn}", token)


def test_of_processes_that_rotate_at_once_none_fails_and_the_last_one_counts(
    tokens: FrontendTokens, url: str, tmp_path: Path
) -> None:
    made = at_once(
        4,
        """
        def work(number, arguments):
            store = Store(arguments["url"], Path(arguments["folder"]))
            found = [store.frontend_tokens.rotate("hooks") for turn in range(10)]
            store.close()
            return found
        """,
        url=url,
        folder=str(tmp_path),
    )
    assert sum(tokens.matches("hooks", token) for found in made for token in found) == 1
    assert any(tokens.matches("hooks", found[-1]) for found in made)


def test_a_store_that_is_down_is_no_verdict(postgresql: PostgreSql, tmp_path: Path) -> None:
    store = Store(postgresql.create_database(), tmp_path)
    token = store.frontend_tokens.rotate("hooks")
    with postgresql.stopped():
        for ask in (store.frontend_tokens.ensure, store.frontend_tokens.rotate):
            with pytest.raises(StoreUnavailable):
                ask("hooks")
        with pytest.raises(StoreUnavailable):
            store.frontend_tokens.matches("hooks", token)
    assert store.frontend_tokens.matches("hooks", token)
    store.close()


def test_a_token_is_in_no_log_and_in_no_error(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("integration_server.store.frontend_tokens.new_token", lambda: "TopSecretToken")
    store = Store("", tmp_path)
    with caplog.at_level(logging.DEBUG):
        store.frontend_tokens.ensure("hooks")
        store.frontend_tokens.matches("hooks", "TopSecretToken")
        with sqlite3.connect(tmp_path / "store.db") as connection:
            connection.execute("DROP TABLE frontend_tokens")
        with pytest.raises(StoreUnavailable) as rotating:
            store.frontend_tokens.rotate("hooks")
        with pytest.raises(StoreUnavailable) as matching:
            store.frontend_tokens.matches("hooks", "TopSecretToken")
    store.close()
    told = [caplog.text, *(f"{error.value} {error.value.__cause__}" for error in (rotating, matching))]
    assert "frontend_tokens" in caplog.text
    assert all("TopSecretToken" not in text for text in told)


def test_age_of_a_token_is_known(engine: sa.Engine) -> None:
    tokens = FrontendTokens(engine, lambda: 7.0)
    assert tokens.ages() == {}
    tokens.rotate("groups")
    assert tokens.ages() == {"groups": 7.0}
