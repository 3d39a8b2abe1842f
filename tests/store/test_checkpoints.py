"""SQLite's log: what large transactions wrote leaves it beside whoever writes, and it does not grow on and on."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from integration_server.store import engine as engines
from integration_server.store.engine import begun, open_store, reading, writing
from tests.waiting import wait_for

MANY_KB = 10_000
PAGE = 4096


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[sa.Engine]:
    engine = open_store("", tmp_path)
    with writing(engine) as connection:
        connection.execute(sa.text("CREATE TABLE filling (x BLOB)"))
    yield engine
    engine.dispose()
    assert not checkpoints()


def checkpoints() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "checkpoint"]


def size(folder: Path, suffix: str = "") -> int:
    """In pages of the file, or so."""
    return (folder / f"store.db{suffix}").stat().st_size // PAGE


def fill(connection: sa.Connection, pages: int) -> None:
    connection.execute(sa.text("INSERT INTO filling VALUES (zeroblob(:size))"), {"size": pages * PAGE})


def test_large_transaction_is_not_kept_waiting_for_the_file(sqlite: sa.Engine, tmp_path: Path) -> None:
    before = size(tmp_path)
    with sqlite.connect() as connection:
        with begun(connection, cache_kb=MANY_KB):
            fill(connection, 2_000)
        assert (size(tmp_path), checkpoints()) == (before, []), "only the log has it"
        assert size(tmp_path, "-wal") >= 2_000

    wait_for(lambda: size(tmp_path) >= 2_000, "a checkpoint")
    wait_for(lambda: not checkpoints(), "its end")
    with writing(sqlite, cache_kb=MANY_KB) as connection:
        fill(connection, 10)
    assert size(tmp_path, "-wal") < 2_200, "it begins anew"


def test_small_transactions_make_checkpoints_of_their_own(sqlite: sa.Engine, tmp_path: Path) -> None:
    """Also over a connection that wrote much before."""
    with writing(sqlite, cache_kb=MANY_KB) as connection:
        fill(connection, 10)
    wait_for(lambda: not checkpoints(), "the end of a checkpoint")

    with writing(sqlite) as connection:
        fill(connection, 1_500)

    assert size(tmp_path) >= 1_500
    assert not checkpoints()


def test_log_does_not_grow_beyond_its_limit(sqlite: sa.Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where one transaction follows the other over one connection, so that no thread makes a checkpoint."""
    monkeypatch.setattr(engines, "_LONGEST_LOG_PAGES", 3_000)
    with sqlite.connect() as connection:
        for _ in range(20):
            with begun(connection, cache_kb=MANY_KB):
                fill(connection, 1_000)
            assert size(tmp_path, "-wal") < 5_000

    assert size(tmp_path) >= 16_000


def test_disposal_leaves_neither_thread_nor_log(tmp_path: Path) -> None:
    engine = open_store("", tmp_path)
    with writing(engine) as connection:
        connection.execute(sa.text("CREATE TABLE filling (x BLOB)"))
    for _ in range(3):
        with writing(engine, cache_kb=MANY_KB) as connection:
            fill(connection, 1_500)

    engine.dispose()

    assert not checkpoints()
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("store.db")] == ["store.db"]
    assert size(tmp_path) >= 4_500


def test_reader_sees_the_same_while_a_checkpoint_is_made(sqlite: sa.Engine) -> None:
    with reading(sqlite) as reader:
        reader.exec_driver_sql("BEGIN")
        count = sa.text("SELECT count(*) FROM filling")
        assert reader.scalar(count) == 0
        for _ in range(3):
            with writing(sqlite, cache_kb=MANY_KB) as connection:
                fill(connection, 1_500)
        wait_for(lambda: not checkpoints(), "the end of checkpoints")
        assert reader.scalar(count) == 0
        reader.exec_driver_sql("ROLLBACK")
        assert reader.scalar(count) == 3


def test_checkpoint_that_fails_is_told_and_harms_nobody(
    sqlite: sa.Engine, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    execute = sa.Connection.exec_driver_sql

    def fails(connection: sa.Connection, statement: str, *values: Any) -> Any:
        if "wal_checkpoint" in statement:
            raise sa.exc.OperationalError("PRAGMA", {}, OSError("disk I/O error"))
        return execute(connection, statement, *values)

    with monkeypatch.context() as patch:
        patch.setattr(sa.Connection, "exec_driver_sql", fails)
        with writing(sqlite, cache_kb=MANY_KB) as connection:
            fill(connection, 1_500)
        wait_for(lambda: not checkpoints(), "the end of a checkpoint")

    assert "disk I/O error" in caplog.text
    with writing(sqlite) as connection:
        fill(connection, 1)
