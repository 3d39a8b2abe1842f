"""Tables of plugins: each step runs once, whole or not at all, whoever comes first."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa

from integration_server import ConfigError, Notice, StoreUnavailable, Tables
from integration_server.sdk.events import wants_type
from integration_server.sdk.storage import no_storage
from integration_server.store.bell import Bell
from integration_server.store.journal import Journal
from integration_server.store.plugin_storage import PluginStorage
from integration_server.store.standing_query import StandingConnection


def make(connection: sa.Connection) -> None:
    connection.exec_driver_sql("CREATE TABLE notes (text VARCHAR(20))")


def widen(connection: sa.Connection) -> None:
    connection.exec_driver_sql("ALTER TABLE notes ADD COLUMN author VARCHAR(20)")


def fail(connection: sa.Connection) -> None:
    connection.exec_driver_sql("CREATE TABLE notes_more (text VARCHAR(20))")
    raise ZeroDivisionError


def columns(storage: PluginStorage) -> list[str]:
    with storage.reading() as connection:
        return [column["name"] for column in sa.inspect(connection).get_columns("notes")]


def test_steps_run_in_order_and_once(new_engine: sa.Engine) -> None:
    first = PluginStorage(new_engine, Tables("notes", (make,)), Bell())
    with first.writing() as connection:
        connection.exec_driver_sql("INSERT INTO notes VALUES ('kept')")
    assert columns(first) == ["text"]
    assert columns(PluginStorage(new_engine, Tables("notes", (make,)), Bell())) == ["text"]
    second = PluginStorage(new_engine, Tables("notes", (make, widen)), Bell())
    assert columns(second) == ["text", "author"]
    with second.reading() as connection:
        assert connection.exec_driver_sql("SELECT text, author FROM notes").all() == [("kept", None)]


def test_nothing_is_asked_before_the_first_use(new_engine: sa.Engine) -> None:
    PluginStorage(new_engine, Tables("notes", (make,)), Bell())
    assert "notes" not in sa.inspect(new_engine).get_table_names()


def test_step_that_fails_leaves_nothing(new_engine: sa.Engine) -> None:
    storage = PluginStorage(new_engine, Tables("notes", (make, fail)), Bell())
    for _ in range(2):
        with pytest.raises(ZeroDivisionError), storage.reading():
            pass
    assert not {"notes", "notes_more"} & set(sa.inspect(new_engine).get_table_names())
    assert columns(PluginStorage(new_engine, Tables("notes", (make,)), Bell())) == ["text"]


def test_tables_of_a_newer_version_are_left_alone(new_engine: sa.Engine) -> None:
    columns(PluginStorage(new_engine, Tables("notes", (make, widen)), Bell()))
    older = PluginStorage(new_engine, Tables("notes", (make,)), Bell())
    with pytest.raises(StoreUnavailable, match="newer version"), older.reading():
        pass


def test_many_that_come_first_make_the_tables_once(new_engine: sa.Engine) -> None:
    found: list[list[str]] = []

    def run() -> None:
        found.append(columns(PluginStorage(new_engine, Tables("notes", (make, widen)), Bell())))

    threads = [threading.Thread(target=run) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [["text", "author"]] * 6


def test_block_that_raises_is_undone(new_engine: sa.Engine) -> None:
    storage = PluginStorage(new_engine, Tables("notes", (make,)), Bell())

    def write() -> None:
        with storage.writing() as connection:
            connection.exec_driver_sql("INSERT INTO notes VALUES ('x')")
            raise KeyError

    with pytest.raises(KeyError):
        write()
    with storage.reading() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM notes").scalar() == 0


def test_broken_statement_is_the_stores_failure(new_engine: sa.Engine) -> None:
    storage = PluginStorage(new_engine, Tables("notes", (make,)), Bell())
    with pytest.raises(StoreUnavailable), storage.writing() as connection:
        connection.exec_driver_sql("INSERT INTO no_such_table VALUES (1)")


@pytest.mark.parametrize("name", ["", "Notes", "no tes", "1st", "people", "name", "kept", "x" * 61, "tokens"])
def test_names_that_are_none_or_taken_are_refused(new_engine: sa.Engine, name: str) -> None:
    with pytest.raises(ConfigError, match="cannot be called"):
        PluginStorage(new_engine, Tables(name, (make,)), Bell())


def notice(number: int) -> Notice:
    return Notice("notes.written", "forum", str(number), {"number": number}, origin="sub_1")


def test_events_of_a_plugin_are_journalled_with_its_own_rows_and_the_bell_rings(new_engine: sa.Engine) -> None:
    bell = Bell()
    storage = PluginStorage(new_engine, Tables("notes", (make,)), bell)
    with storage.writing() as connection:
        connection.exec_driver_sql("INSERT INTO notes VALUES ('x')")
        storage.tell(connection, [notice(1), notice(2)])
        assert bell.count == 0
    assert bell.count == 1
    first, second = Journal(new_engine).events(0, 10)
    assert (first.serial, second.serial) == (1, 2)
    assert first.id != second.id
    assert (first.type, first.backend, first.person_id, first.after) == ("notes.written", "forum", "1", {"number": 1})
    assert (first.origin, first.changed, first.before, first.groups) == ("sub_1", None, None, ())


def test_events_of_a_plugin_are_undone_with_its_own_rows(new_engine: sa.Engine) -> None:
    bell = Bell()
    storage = PluginStorage(new_engine, Tables("notes", (make,)), bell)

    def write() -> None:
        with storage.writing() as connection:
            storage.tell(connection, [notice(1)])
            raise KeyError

    with pytest.raises(KeyError):
        write()
    assert (bell.count, Journal(new_engine).last_serial()) == (0, 0)
    with storage.writing() as connection:
        connection.exec_driver_sql("INSERT INTO notes VALUES ('x')")
    assert bell.count == 0, "what was undone rang later"


@pytest.mark.parametrize("type", ["other.written", "notes", "notes.", "user.created", "notes.a.b", "notes.*"])
def test_a_plugin_tells_events_of_its_own_kind_alone(new_engine: sa.Engine, type: str) -> None:
    storage = PluginStorage(new_engine, Tables("notes", (make,)), Bell())
    with pytest.raises(ValueError, match="no type of event of notes"), storage.writing() as connection:
        storage.tell(connection, [Notice(type, "forum", "1", {})])
    assert Journal(new_engine).last_serial() == 0


@pytest.mark.parametrize(
    ("pattern", "is_wanted"),
    [("*", False), ("notes.*", True), ("notes.written", True), ("n*.written", False), ("*.written", False)],
)
def test_events_of_a_plugin_are_got_by_those_alone_who_name_it(pattern: str, is_wanted: bool) -> None:
    assert wants_type(pattern, "notes.written") is is_wanted
    assert wants_type("*", "user.created")
    assert wants_type("*", "test.ping")


def test_question_is_answered_with_what_is_committed(new_engine: sa.Engine) -> None:
    storage = PluginStorage(new_engine, Tables("notes", (make,)), Bell())
    question = storage.question("SELECT text FROM notes WHERE text = ? OR text = ?")
    assert "notes" not in sa.inspect(new_engine).get_table_names(), "making it asks nothing"
    assert question.first(("a", "b")) is None
    with storage.writing() as connection:
        connection.exec_driver_sql("INSERT INTO notes VALUES ('b')")
        assert question.first(("a", "b")) is None
    found = question.first(("a", "b"))
    assert found is not None
    assert found[0] == "b"


def test_question_to_a_store_that_fails_is_an_outage(new_engine: sa.Engine) -> None:
    storage = PluginStorage(new_engine, Tables("notes", (make,)), Bell())
    question = storage.question("SELECT text FROM notes WHERE text = ?")
    assert question.first(("a",)) is None
    with storage.writing() as connection:
        connection.exec_driver_sql("DROP TABLE notes")
    for _ in range(2):
        with pytest.raises(StoreUnavailable):
            question.first(("a",))
    with storage.writing() as connection:
        make(connection)
    assert question.first(("a",)) is None, "it heals by itself"


def test_many_questions_take_one_connection(new_engine: sa.Engine) -> None:
    standing = StandingConnection(new_engine)
    storages = [PluginStorage(new_engine, Tables("notes", (make,)), Bell(), standing=standing) for _ in range(4)]
    for storage in storages:
        for number in range(10):
            assert storage.question(f"SELECT {number}").first(()) == (number,)
    assert new_engine.pool.checkedout() <= 1  # type: ignore[attr-defined]


def test_question_without_a_store_is_an_outage() -> None:
    question = no_storage(Tables("notes", (make,))).question("SELECT 1")
    with pytest.raises(StoreUnavailable):
        question.first(())


def test_statement_is_a_transaction_of_its_own(new_engine: sa.Engine) -> None:
    storage = PluginStorage(new_engine, Tables("notes", (make,)), Bell())
    put = storage.statement("INSERT INTO notes VALUES (?)")
    assert "notes" not in sa.inspect(new_engine).get_table_names(), "making it writes nothing"
    for text in ("a", "it's 100 %"):
        assert put.run((text,)) == 1
    with storage.reading() as connection:
        found = connection.exec_driver_sql("SELECT text FROM notes ORDER BY text").scalars().all()
    assert found == ["a", "it's 100 %"]
    assert storage.statement("UPDATE notes SET text = ? WHERE text <> ?").run(("b", "c")) == 2
    assert storage.statement("DELETE FROM notes WHERE text = ?").run(("c",)) == 0


def test_statement_in_a_store_that_fails_is_an_outage(new_engine: sa.Engine) -> None:
    storage = PluginStorage(new_engine, Tables("notes", (make,)), Bell())
    put = storage.statement("INSERT INTO notes VALUES (?)")
    put.run(("a",))
    with storage.writing() as connection:
        connection.exec_driver_sql("DROP TABLE notes")
    for _ in range(2):
        with pytest.raises(StoreUnavailable):
            put.run(("a",))
    with storage.writing() as connection:
        make(connection)
    assert put.run(("a",)) == 1, "it heals by itself"


def test_statement_waits_for_another_writer_while_questions_are_answered(new_engine: sa.Engine) -> None:
    storage = PluginStorage(new_engine, Tables("notes", (make,)), Bell())
    put, question = storage.statement("INSERT INTO notes VALUES (?)"), storage.question("SELECT count(*) FROM notes")
    put.run(("a",))
    with ThreadPoolExecutor(1) as executor:
        with storage.writing() as connection:
            connection.exec_driver_sql("UPDATE notes SET text = 'b'")
            changing = storage.statement("UPDATE notes SET text = ?")
            waiting = executor.submit(changing.run, ("c",))
            assert question.first(()) == (1,)
            assert not waiting.done()
        assert waiting.result(10) == 1
    assert storage.question("SELECT text FROM notes").first(()) == ("c",)


def test_statement_without_a_store_is_an_outage() -> None:
    with pytest.raises(StoreUnavailable):
        no_storage(Tables("notes", (make,))).statement("DELETE FROM notes").run(())
