"""Opening the store: migrations run once, by one process, completely or not at all."""

from __future__ import annotations

import logging
import sqlite3
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from integration_server import ConfigError, StoreUnavailable
from integration_server.store import Store
from integration_server.store.engine import is_current, open_store, reading, shown, writing
from integration_server.store.schema import metadata
from tests.servers import PostgreSql
from tests.store.processes import at_once


def tables(engine: sa.Engine) -> set[str]:
    return set(sa.inspect(engine).get_table_names())


def test_migrations_make_what_the_schema_says(new_engine: sa.Engine) -> None:
    # The newest of them is the one that the schema names.
    assert is_current(new_engine)
    with new_engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, metadata) == []
    inspected = sa.inspect(new_engine)
    if new_engine.dialect.name == "sqlite":
        query = "SELECT name FROM sqlite_master WHERE type = 'table' AND sql LIKE '%AUTOINCREMENT%'"
        with new_engine.connect() as connection:
            counted = set(connection.scalars(sa.text(query)))
        assert counted == {table.name for table in metadata.sorted_tables if table.kwargs.get("sqlite_autoincrement")}
    for table in metadata.sorted_tables:
        if not (new_engine.dialect.name == "sqlite" and table.kwargs.get("sqlite_autoincrement")):
            assert inspected.get_pk_constraint(table.name)["name"] == table.primary_key.name
        found = {(key["name"], key["options"].get("ondelete")) for key in inspected.get_foreign_keys(table.name)}
        assert found == {(str(key.name), key.ondelete) for key in table.foreign_key_constraints}


def test_a_store_that_is_current_is_opened_as_it_is(new_engine: sa.Engine, new_url: str, tmp_path: Path) -> None:
    with writing(new_engine) as connection:
        connection.execute(sa.text("CREATE TABLE kept (x INTEGER)"))

    open_store(new_url, tmp_path).dispose()

    assert is_current(new_engine)
    assert "kept" in tables(new_engine)


def test_first_starts_at_the_same_moment_all_succeed(new_url: str, tmp_path: Path) -> None:
    at_once(
        4,
        """
        def work(number, arguments):
            store = Store(arguments["url"], Path(arguments["folder"]))
            store.failed_logins.add(Who("m", f"u{number}", "c"), "mac", 1.0, 0.0)
            store.close()
        """,
        url=new_url,
        folder=str(tmp_path),
    )
    store = Store(new_url, tmp_path)

    assert len(list(store.failed_logins.everybody(0.0))) == 4
    store.close()


def test_first_starts_of_the_default_store_never_meet_a_locked_file(tmp_path: Path) -> None:
    at_once(
        4,
        """
        def work(number, arguments):
            for turn in range(6):
                # All at the same moment, however unequal the turn before was.
                time.sleep(0.2 - time.time() % 0.2)
                Store("", Path(arguments["folder"]) / str(turn)).close()
        """,
        folder=str(tmp_path),
    )


def test_a_migration_that_dies_leaves_nothing_behind(new_url: str, tmp_path: Path) -> None:
    """Also not the tables before the one that it died at; the next start begins anew."""
    with pytest.raises(AssertionError):
        at_once(
            1,
            """
            def work(number, arguments):
                from alembic import op
                create_table, made = op.create_table, []
                def dying(name, *columns, **options):
                    if len(made) == 3:
                        os.kill(os.getpid(), 9)
                    made.append(create_table(name, *columns, **options))
                op.create_table = dying
                Store(arguments["url"], Path(arguments["folder"]))
            """,
            url=new_url,
            folder=str(tmp_path),
        )
    bare = sa.create_engine(new_url)
    assert tables(bare) == set()
    bare.dispose()

    engine = open_store(new_url, tmp_path)
    assert tables(engine) - {"sqlite_sequence"} == {*metadata.tables, "alembic_version"}
    engine.dispose()


def test_a_store_of_a_newer_version_is_left_alone(new_engine: sa.Engine, new_url: str, tmp_path: Path) -> None:
    with writing(new_engine) as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))

    with pytest.raises(ConfigError, match=r"newer version.*9999"):
        open_store(new_url, tmp_path)

    with reading(new_engine) as connection:
        assert connection.scalar(sa.text("SELECT version_num FROM alembic_version")) == "9999"


def test_a_store_lies_in_any_folder(tmp_path: Path) -> None:
    folder = tmp_path / "50% of a blank #1 ü"
    store = Store("", folder)
    store.close()

    assert (folder / "store.db").exists()


def test_the_file_of_a_store_is_shown_as_people_write_it(tmp_path: Path) -> None:
    file = tmp_path / "ein größerer Ordner" / "store.db"
    assert shown(sa.URL.create("sqlite", database=str(file))) == f"sqlite:///{file}"
    assert shown(sa.make_url("sqlite:///C:\\a b\\store.db")) == "sqlite:///C:\\a b\\store.db"
    assert "hush" not in shown(sa.make_url("postgresql+psycopg://me:hush@db/store"))


def test_sqlite_lets_readers_work_beside_a_writer(tmp_path: Path) -> None:
    engine = open_store("", tmp_path)
    with writing(engine) as writer:
        writer.execute(sa.text("INSERT INTO index_generations (backend, started_at) VALUES ('hq', 1)"))
        with reading(engine) as reader:
            assert reader.scalar(sa.text("SELECT count(*) FROM index_generations")) == 0
    with reading(engine) as reader:
        assert reader.scalar(sa.text("SELECT count(*) FROM index_generations")) == 1
        assert reader.scalar(sa.text("PRAGMA journal_mode")) == "wal"
    engine.dispose()


def test_a_transaction_that_fails_changes_nothing(new_engine: sa.Engine) -> None:
    def good_then_bad() -> None:
        with writing(new_engine) as connection:
            connection.execute(sa.text("INSERT INTO index_generations (backend, started_at) VALUES ('hq', 1)"))
            connection.execute(sa.text("INSERT INTO index_generations (backend, started_at) VALUES ('hq', NULL)"))

    with pytest.raises(StoreUnavailable):
        good_then_bad()

    with reading(new_engine) as connection:
        assert connection.scalar(sa.text("SELECT count(*) FROM index_generations")) == 0


# -- what goes wrong -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("nonsense", "URL"),
        ("nonsense://x", "nonsense"),
        ("mysql+pymysql://user:hush-hush@127.0.0.1/x", "not supported"),
        ("postgresql+nodriver://user:hush-hush@127.0.0.1/x", "nodriver"),
        ("postgresql+psycopg://user:hush-hush@127.0.0.1:1/x", "127.0.0.1"),
        ("postgresql+psycopg://user:hush-hush@127.0.0.1:hush-hush/x", "URL"),
        ("sqlite:////nonexistent-folder/x/store.db", "nonexistent-folder"),
    ],
)
def test_a_store_that_cannot_be_opened_says_why_and_shows_no_password(url: str, told: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as raised:
        open_store(url, tmp_path)

    assert "[store]" in str(raised.value)
    assert told in str(raised.value)
    assert "hush-hush" not in str(raised.value)


def test_a_file_that_is_no_database_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "store.db").write_bytes(b"precious" * 1000)

    with pytest.raises(ConfigError, match="not a database"):
        open_store("", tmp_path)

    assert (tmp_path / "store.db").read_bytes() == b"precious" * 1000


def test_a_data_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")

    with pytest.raises(ConfigError, match="file"):
        open_store("", tmp_path / "file" / "data")


def test_a_broken_store_is_unavailable_and_its_values_stay_out_of_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = Store("", tmp_path)
    with sqlite3.connect(tmp_path / "store.db") as connection:
        connection.execute("DROP TABLE name_index")

    with caplog.at_level(logging.DEBUG), pytest.raises(StoreUnavailable):
        store.name_index.add(1, ["somebody"], ["7"])

    assert "name_index" in caplog.text
    assert "somebody" not in caplog.text
    store.close()


def test_a_server_that_is_down_makes_the_store_unavailable_until_it_is_back(
    postgresql: PostgreSql, tmp_path: Path
) -> None:
    store = Store(postgresql.create_database(), tmp_path)
    assert not store.name_index.is_built("hq")

    with postgresql.stopped(), pytest.raises(StoreUnavailable):
        store.name_index.is_built("hq")

    assert not store.name_index.is_built("hq")
    store.close()


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:"])
def test_a_store_in_memory_is_refused(url: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="must name a file"):
        open_store(url, tmp_path)
