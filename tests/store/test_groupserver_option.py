"""GroupServer's token where GroupServer itself keeps it."""

from __future__ import annotations

import logging
import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from integration_server import ConfigError, StoreUnavailable
from integration_server.store import Store
from integration_server.store.groupserver_option import OptionTable, read_token, rotate
from tests.servers import PostgreSql
from tests.store.groupserver import OTHERS, change, make_option_table, rows
from tests.store.processes import at_once

ROW = "component_id = 'gs.auth.token' AND option_id = 'authToken' AND site_id = ''"


@pytest.fixture
def url(postgresql: PostgreSql) -> str:
    return postgresql.create_database()


@pytest.fixture
def dsn(url: str) -> str:
    return make_option_table(url)


def test_the_token_is_read_anew_each_time(dsn: str, url: str) -> None:
    table = OptionTable(dsn)
    assert table.token() == "oldToken"
    change(url, f"UPDATE option SET value = 'changed' WHERE {ROW}")
    assert table.token() == "changed"
    for nothing in ("''", "NULL"):
        change(url, f"UPDATE option SET value = {nothing} WHERE {ROW}")
        assert table.token() is None
    change(url, f"DELETE FROM option WHERE {ROW}")
    assert table.token() is None
    table.close()


def test_the_table_may_lie_in_another_schema(dsn: str, url: str) -> None:
    change(url, "CREATE SCHEMA groups", "ALTER TABLE option SET SCHEMA groups")
    table = OptionTable(dsn, "groups")
    assert table.token() == "oldToken"
    table.close()


def test_an_outage_is_no_answer_and_ends_by_itself(dsn: str, postgresql: PostgreSql) -> None:
    table = OptionTable(dsn)
    assert table.token() == "oldToken"
    with postgresql.stopped(), pytest.raises(StoreUnavailable) as raised:
        table.token()
    assert postgresql.password not in str(raised.value)
    assert "Connection refused" in str(raised.value) or "connection" in str(raised.value)
    assert table.token() == "oldToken"
    table.close()


def test_a_server_that_stands_still_is_waited_for_briefly(dsn: str, postgresql: PostgreSql) -> None:
    table = OptionTable(dsn)
    assert table.token() == "oldToken"
    with postgresql.frozen():
        began = time.monotonic()
        with pytest.raises(StoreUnavailable):
            table.token()
        assert time.monotonic() - began < 15
    assert table.token() == "oldToken"
    table.close()


def test_a_lock_on_the_table_is_waited_for_briefly(dsn: str, url: str) -> None:
    table = OptionTable(dsn)
    with psycopg.connect(url.replace("+psycopg", "")) as other:
        other.execute("LOCK TABLE option")
        with pytest.raises(StoreUnavailable, match="no answer within"):
            table.token()
    assert table.token() == "oldToken"
    table.close()


def test_a_database_without_the_table_is_unavailable_to_a_frontend(url: str) -> None:
    table = OptionTable(url)
    with pytest.raises(StoreUnavailable, match=r'relation "option" does not exist'):
        table.token()
    table.close()


@pytest.mark.parametrize("url", ["sqlite:///x", "nonsense", "postgres://u:hush@h:hush/x", "mysql://u:hush@h/x"])
def test_what_is_no_postgresql_url_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(ConfigError) as raised:
        OptionTable(url)
    assert "hush" not in str(raised.value)


def test_a_rotation_replaces_just_the_row_of_the_token(dsn: str, url: str) -> None:
    token = rotate(dsn)
    assert rows(url) == {*OTHERS, ("gs.auth.token", "authToken", "", "", token)}
    assert read_token(dsn) == token != "oldToken"
    change(url, f"DELETE FROM option WHERE {ROW}")
    assert read_token(dsn) is None
    assert rotate(url) == read_token(url)


def test_a_rotation_that_fails_leaves_the_old_token_and_says_nothing_of_the_new_one(
    dsn: str, url: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    change(url, "ALTER TABLE option ADD CONSTRAINT short CHECK (length(value) < 12)")
    monkeypatch.setattr("integration_server.store.groupserver_option.new_token", lambda: "TopSecretToken")
    with caplog.at_level(logging.DEBUG), pytest.raises(ConfigError, match="short") as raised:
        rotate(dsn)
    assert "TopSecret" not in caplog.text + str(raised.value)
    assert raised.value.__suppress_context__
    assert read_token(dsn) == "oldToken"


def test_rotations_at_the_same_moment_all_succeed_and_the_last_one_counts(dsn: str) -> None:
    made = at_once(
        3,
        """
        def work(number, arguments):
            from integration_server.store.groupserver_option import rotate
            time.sleep(0.5 - time.time() % 0.5)
            return [rotate(arguments["dsn"]) for turn in range(4)]
        """,
        dsn=dsn,
    )
    assert read_token(dsn) in [found[-1] for found in made]


def test_many_threads_share_the_connections(dsn: str) -> None:
    table = OptionTable(dsn)
    with ThreadPoolExecutor(16) as threads:
        assert set(threads.map(lambda _: table.token(), range(200))) == {"oldToken"}
    table.close()


# -- our own stores ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_store_of_ours_with_one_frontends_token_gets_a_new_one(
    kind: str, postgresql: PostgreSql, tmp_path: Path
) -> None:
    url = postgresql.create_database() if kind == "postgresql" else f"sqlite:///{tmp_path / 'store.db'}"
    store = Store(url, tmp_path)
    with pytest.raises(ConfigError, match=r"holds no frontend's token yet"):
        rotate(url)
    first = store.frontend_tokens.ensure("hooks")
    second = rotate(url)
    assert first is not None
    assert (store.frontend_tokens.matches("hooks", first), store.frontend_tokens.matches("hooks", second)) == (0, 1)
    store.frontend_tokens.ensure("branch")
    with pytest.raises(ConfigError, match=r"several frontends \(branch, hooks\); 'integration-server token rotate"):
        rotate(url)
    assert store.frontend_tokens.matches("hooks", second)
    store.close()


def test_groupservers_table_goes_before_a_store_beside_it(dsn: str, url: str, tmp_path: Path) -> None:
    store = Store(url, tmp_path)
    ours = store.frontend_tokens.rotate("hooks")
    assert rotate(dsn) == read_token(dsn)
    assert store.frontend_tokens.matches("hooks", ours)
    store.close()


def test_a_database_of_somebody_else_is_left_as_it_is(url: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no table 'option' and is no store of integration-server") as raised:
        rotate(url)
    assert PostgreSql.password not in str(raised.value)
    file = tmp_path / "other.db"
    with sqlite3.connect(file) as connection:
        connection.execute("CREATE TABLE x (y)")
    before = file.read_bytes()
    with pytest.raises(ConfigError, match="no store"):
        rotate(f"sqlite:///{file}")
    assert file.read_bytes() == before
    (tmp_path / "text").write_text("no database at all, but long enough to be looked at" * 100)
    with pytest.raises(ConfigError, match="not a database"):
        rotate(f"sqlite:///{tmp_path / 'text'}")


def test_a_file_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="names no file"):
        rotate(f"sqlite:///{tmp_path / 'folder' / 'store.db'}")
    assert list(tmp_path.iterdir()) == []
