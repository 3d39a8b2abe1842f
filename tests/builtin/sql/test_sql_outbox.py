"""The outbox: what the shipped triggers note, in which order it becomes visible, and how it is read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from integration_server import BackendMisconfigured, Changes, ComparisonNeeded, ConfigError, Deadline
from integration_server.builtin.sql import SqlBackend, SqlSettings
from integration_server.builtin.sql import outbox as outbox_module
from integration_server.builtin.sql.outbox_script import outbox_script
from tests.builtin.sql import people_database as db
from tests.builtin.sql.feed_edits import SqlEdits, run_script, with_outbox
from tests.builtin.sql.people_database import PeopleDatabase


class Follower:
    """Follows one backend from its present position on."""

    def __init__(self, table: dict[str, Any], folder: Path) -> None:
        self.backend: SqlBackend = db.opened(table, folder)
        self.position = self.backend.feed_position(db.soon())

    def look(self) -> tuple[set[str], set[str]]:
        """Whose rows are told, and who is gone."""
        logins: set[str] = set()
        gone: set[str] = set()
        for step in self.backend.changes(self.position, db.soon()):
            self.position = step.position
            logins |= told(step)
            gone |= set(step.gone)
        return logins, gone


def told(step: Changes) -> set[str]:
    if step.entries is None:
        return set()
    column = step.entries.names.index("login")
    return {str(row[column]) for row in step.entries.rows}


@pytest.fixture
def follower(database: PeopleDatabase, tmp_path: Path) -> Iterator[Follower]:
    one = Follower(with_outbox(database), tmp_path)
    yield one
    one.backend.close()


def in_use(database: PeopleDatabase) -> dict[str, Any]:
    """An outbox that holds a row: while it never held one, numbers that were passed by mean a comparison."""
    table = with_outbox(database)
    SqlEdits(database).change("carol")
    return table


@contextmanager
def transaction(database: PeopleDatabase) -> Iterator[sa.Connection]:
    """A connection in a transaction that the test ends."""
    with database.engine().connect() as connection:
        yield connection


@pytest.fixture(params=["postgresql", "mariadb"])
def shared(request: pytest.FixtureRequest) -> PeopleDatabase:
    """The databases in which several write at once."""
    found: PeopleDatabase = request.getfixturevalue(f"{request.param}_database")
    return found


# -- what is noted ----------------------------------------------------------------------------------------------------


def test_row_inserted_changed_and_deleted_is_told(database: PeopleDatabase, follower: Follower) -> None:
    edits = SqlEdits(database)
    edits.add("ann")
    assert follower.look() == ({"ann"}, set())
    edits.change("ann")
    assert follower.look() == ({"ann"}, set())
    edits.remove("ann")
    assert follower.look() == (set(), {"500001"})
    assert follower.look() == (set(), set())


def test_changed_id_is_somebody_gone_and_somebody_new(database: PeopleDatabase, follower: Follower) -> None:
    database.run("UPDATE persons SET id = 777 WHERE id = 1")
    assert follower.look() == ({"alice"}, {"1"})


def test_rows_of_second_tables_are_told_as_their_persons(database: PeopleDatabase, follower: Follower) -> None:
    database.run("INSERT INTO memberships (person, name) VALUES (1, 'board')")
    assert follower.look() == ({"alice"}, set())
    database.run("UPDATE addresses SET person = 2 WHERE person = 1 AND position = 1")
    assert follower.look() == ({"alice", "bob"}, set())
    database.run("DELETE FROM memberships WHERE person = 2")
    assert follower.look() == ({"bob"}, set())


def test_second_table_that_refers_to_another_column_is_told(database: PeopleDatabase, tmp_path: Path) -> None:
    database.run(
        "CREATE TABLE teams (login VARCHAR(100), team VARCHAR(50))",
        "INSERT INTO teams (login, team) VALUES ('alice', 'red')",
    )
    group_table = {"table": "teams", "user_column": "login", "key_column": "login", "group_column": "team"}
    follower = Follower(with_outbox(database, group_table=group_table), tmp_path)
    with closing(follower.backend):
        database.run("UPDATE teams SET login = 'bob'")
        assert follower.look() == ({"alice", "bob"}, set())


def test_who_leaves_the_condition_is_gone(database: PeopleDatabase, tmp_path: Path) -> None:
    follower = Follower(with_outbox(database, where="full_name NOT LIKE 'Gone%'"), tmp_path)
    with closing(follower.backend):
        database.run("UPDATE persons SET full_name = 'Gone home' WHERE login = 'alice'")
        assert follower.look() == (set(), {"1"})
        database.run("UPDATE persons SET full_name = 'Alice again' WHERE login = 'alice'")
        assert follower.look() == ({"alice"}, set())


def test_own_statements_are_followed_by_an_outbox(database: PeopleDatabase, tmp_path: Path) -> None:
    with_outbox(database)
    people = "SELECT id, login, full_name FROM persons WHERE full_name <> 'hidden' -- everybody"
    table = {
        "type": "sql",
        "url": database.url,
        "list_statement": people,
        "find_statement": "SELECT id, login, full_name FROM persons WHERE login = :value",
        "outbox_table": {"table": "integration_outbox"},
        "map": {"id": "id", "username": "login", "full_name": "full_name"},
    }
    follower = Follower(table, tmp_path)
    with closing(follower.backend):
        SqlEdits(database).change("alice")
        database.run("UPDATE persons SET full_name = 'hidden' WHERE login = 'bob'")
        assert follower.look() == ({"alice"}, {"2"})
        with pytest.raises(ConfigError, match="write them yourself"):
            follower.backend.outbox_script(None)


def test_truncated_tables_are_told_on_postgresql(postgresql_database: PeopleDatabase, tmp_path: Path) -> None:
    follower = Follower(with_outbox(postgresql_database), tmp_path)
    with closing(follower.backend):
        postgresql_database.run("TRUNCATE memberships")
        logins, gone = follower.look()
        assert "alice" in logins
        assert "lonely" not in logins
        assert not gone
        postgresql_database.run("TRUNCATE persons")
        assert follower.look() == (set(), {str(i) for i in range(1, 31)})


def test_many_changes_are_told_in_steps(database: PeopleDatabase, follower: Follower) -> None:
    database.load(1200)
    steps = list(follower.backend.changes(follower.position, db.soon()))
    assert len(steps) > 2
    assert len(set().union(*map(told, steps))) == 1200
    # From the position of any step on, the others follow.
    rest = list(follower.backend.changes(steps[0].position, db.soon()))
    assert len(set().union(*map(told, rest))) == 1200 - len(told(steps[0]))


def test_text_ids_of_every_script_are_told(database: PeopleDatabase, tmp_path: Path) -> None:
    names = {"id": "login", "username": "login", "full_name": "full_name"}
    follower = Follower(with_outbox(database, map=names, email_table=None, group_table=None), tmp_path)
    with closing(follower.backend):
        for person in ("李雷", "o'brien", "two words", "star*"):
            SqlEdits(database).change(person)
        assert follower.look() == ({"李雷", "o'brien", "two words", "star*"}, set())
        database.run("UPDATE persons SET login = 'ALICE' WHERE login = 'alice'")
        assert follower.look() == ({"ALICE"}, {"alice"})


# -- out of order -----------------------------------------------------------------------------------------------------


def test_transaction_that_ends_late_is_told_and_delays_nobody(shared: PeopleDatabase, tmp_path: Path) -> None:
    follower = Follower(in_use(shared), tmp_path)
    with closing(follower.backend), transaction(shared) as slow, transaction(shared) as quick:
        slow.execute(sa.text("UPDATE persons SET full_name = 'slow' WHERE login = 'alice'"))
        quick.execute(sa.text("UPDATE persons SET full_name = 'quick' WHERE login = 'bob'"))
        quick.commit()
        assert follower.look() == ({"bob"}, set())
        assert follower.look() == (set(), set())
        slow.commit()
        assert follower.look() == ({"alice"}, set())
        assert follower.look() == (set(), set())


def test_transaction_that_ran_when_the_position_was_taken_is_told(shared: PeopleDatabase, tmp_path: Path) -> None:
    table = in_use(shared)
    with transaction(shared) as slow:
        slow.execute(sa.text("UPDATE persons SET full_name = 'slow' WHERE login = 'alice'"))
        SqlEdits(shared).change("bob")
        follower = Follower(table, tmp_path)
        with closing(follower.backend):
            slow.commit()
            assert follower.look() == ({"alice"}, set())


def test_late_transaction_is_told_after_a_restart_of_the_server(shared: PeopleDatabase, tmp_path: Path) -> None:
    table = in_use(shared)
    first = Follower(table, tmp_path)
    with transaction(shared) as slow:
        slow.execute(sa.text("UPDATE persons SET full_name = 'slow' WHERE login = 'alice'"))
        SqlEdits(shared).change("bob")
        assert first.look() == ({"bob"}, set())
        first.backend.close()
        second = Follower(table, tmp_path)
        second.position = first.position
        with closing(second.backend):
            slow.commit()
            assert second.look() == ({"alice"}, set())


def test_rolled_back_numbers_are_given_up_when_nobody_can_hold_them(
    shared: PeopleDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox_module, "_SETTLING_SECONDS", 0.0)
    follower = Follower(in_use(shared), tmp_path)
    edits = SqlEdits(shared)
    with closing(follower.backend), transaction(shared) as doomed:
        doomed.execute(sa.text("UPDATE persons SET full_name = 'never' WHERE login = 'alice'"))
        edits.change("bob")
        assert follower.look() == ({"bob"}, set())
        held = follower.position
        assert follower.look() == (set(), set())
        assert follower.position == held
        doomed.rollback()
        if not shared.url.startswith("postgresql"):
            # MariaDB does not tell an account without rights which transactions run.
            monkeypatch.setattr(outbox_module, "_LONGEST_SECONDS", 0.0)
        assert follower.look() == (set(), set())
        assert follower.position != held
        assert "[]" in follower.position
        assert follower.look() == (set(), set())


def test_gap_stays_open_while_its_transaction_runs_however_long(
    postgresql_database: PeopleDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox_module, "_SETTLING_SECONDS", 0.0)
    monkeypatch.setattr(outbox_module, "_LONGEST_SECONDS", 0.0)
    follower = Follower(in_use(postgresql_database), tmp_path)
    edits = SqlEdits(postgresql_database)
    with closing(follower.backend), transaction(postgresql_database) as slow:
        slow.execute(sa.text("UPDATE persons SET full_name = 'slow' WHERE login = 'alice'"))
        for _ in range(5):
            edits.change("bob")
            assert follower.look() == ({"bob"}, set())
        slow.commit()
        assert follower.look() == ({"alice"}, set())


# -- pruning, loss, nonsense ------------------------------------------------------------------------------------------


def _pruning(settings: dict[str, Any]) -> str:
    """The statement that the script tells the admin."""
    script = outbox_script(SqlSettings.model_validate(settings))
    lines = script.partition("never the newest one:\n")[2].splitlines()
    return " ".join(line.removeprefix("--").strip() for line in lines[:2]).rstrip(";")


def test_pruning_as_the_script_says_loses_nothing_that_was_not_told(database: PeopleDatabase, tmp_path: Path) -> None:
    table = with_outbox(database)
    follower = Follower(table, tmp_path)
    edits = SqlEdits(database)
    with closing(follower.backend):
        for person in ("alice", "bob", "carol"):
            edits.change(person)
        assert follower.look()[0] == {"alice", "bob", "carol"}
        database.run("UPDATE integration_outbox SET made_at = '2020-01-01 00\\:00\\:00'")
        database.run(_pruning(table).replace(":", "\\:"))
        assert database.scalar("SELECT COUNT(*) FROM integration_outbox") == 1
        assert follower.look() == (set(), set())
        edits.change("erin")
        assert follower.look() == ({"erin"}, set())


def test_rows_pruned_before_they_were_read_mean_a_comparison(database: PeopleDatabase, follower: Follower) -> None:
    edits = SqlEdits(database)
    edits.change("alice")
    follower.look()
    edits.change("bob")
    edits.change("carol")
    edits.change("erin")
    database.run(
        "DELETE FROM integration_outbox WHERE id < (SELECT m FROM (SELECT MAX(id) AS m FROM integration_outbox) x)"
    )
    with pytest.raises(ComparisonNeeded, match="deleted before they were read"):
        follower.look()
    follower.position = follower.backend.feed_position(db.soon())
    assert follower.look() == (set(), set())
    edits.change("frank")
    assert follower.look() == ({"frank"}, set())


def test_numbers_passed_by_in_an_outbox_that_never_held_a_row_mean_a_comparison(
    shared: PeopleDatabase, tmp_path: Path
) -> None:
    """They may be on their way, or were deleted after weeks in which this server was off."""
    follower = Follower(with_outbox(shared), tmp_path)
    with closing(follower.backend), transaction(shared) as slow:
        slow.execute(sa.text("UPDATE persons SET full_name = 'slow' WHERE login = 'alice'"))
        SqlEdits(shared).change("bob")
        with pytest.raises(ComparisonNeeded):
            follower.look()
        follower.position = follower.backend.feed_position(db.soon())
        slow.commit()
        assert follower.look() == ({"alice"}, set())


def test_emptied_outbox_means_one_comparison_and_not_one_after_another(
    database: PeopleDatabase, follower: Follower
) -> None:
    edits = SqlEdits(database)
    edits.change("alice")
    follower.look()
    database.run("DELETE FROM integration_outbox")
    with pytest.raises(ComparisonNeeded, match="lost its newest rows"):
        follower.look()
    follower.position = follower.backend.feed_position(db.soon())
    assert follower.look() == (set(), set())
    assert follower.look() == (set(), set())


def test_outbox_is_only_read(database: PeopleDatabase, follower: Follower) -> None:
    SqlEdits(database).change("alice")
    before = database.scalar("SELECT COUNT(*) FROM integration_outbox")
    follower.look()
    follower.look()
    assert database.scalar("SELECT COUNT(*) FROM integration_outbox") == before


def test_account_that_may_only_read_is_enough(postgresql_database: PeopleDatabase, tmp_path: Path) -> None:
    table = with_outbox(postgresql_database)
    postgresql_database.run(
        "DROP ROLE IF EXISTS only_reader",
        "CREATE ROLE only_reader LOGIN PASSWORD 'r'",
        "GRANT SELECT ON persons, addresses, memberships, integration_outbox TO only_reader",
    )
    url = sa.make_url(postgresql_database.url).set(username="only_reader", password="r")
    follower = Follower({**table, "url": url.render_as_string(hide_password=False)}, tmp_path)
    with closing(follower.backend):
        SqlEdits(postgresql_database).change("alice")
        assert follower.look() == ({"alice"}, set())
    postgresql_database.run("DROP OWNED BY only_reader", "DROP ROLE only_reader")


def test_application_needs_no_right_on_the_outbox(postgresql_database: PeopleDatabase, tmp_path: Path) -> None:
    follower = Follower(with_outbox(postgresql_database), tmp_path)
    postgresql_database.run(
        "DROP ROLE IF EXISTS an_application",
        "CREATE ROLE an_application LOGIN PASSWORD 'r'",
        "GRANT SELECT, UPDATE ON persons TO an_application",
    )
    url = sa.make_url(postgresql_database.url).set(username="an_application", password="r")
    SqlEdits(PeopleDatabase(url.render_as_string(hide_password=False))).change("alice")
    with closing(follower.backend):
        assert follower.look() == ({"alice"}, set())
    postgresql_database.run("DROP OWNED BY an_application", "DROP ROLE an_application")


# -- the script -------------------------------------------------------------------------------------------------------


def test_script_may_be_run_again(database: PeopleDatabase, follower: Follower) -> None:
    table = db.settings(database.url, outbox_table={"table": "integration_outbox"})
    run_script(database, outbox_script(SqlSettings.model_validate(table)))
    SqlEdits(database).change("alice")
    assert database.scalar("SELECT COUNT(*) FROM integration_outbox") == 1
    assert follower.look() == ({"alice"}, set())


def test_script_quotes_names_that_need_it(database: PeopleDatabase, tmp_path: Path) -> None:
    quote = database.engine().dialect.identifier_preparer.quote
    people, key, name = quote("My People"), quote("Person Id"), quote("Log In")
    database.run(
        f"CREATE TABLE {people} ({key} INTEGER PRIMARY KEY, {name} VARCHAR(50))",
        f"INSERT INTO {people} VALUES (1, 'ann')",
    )
    outbox = {"table": "Out box 100%", "sequence_column": "Number", "person_column": "Who?", "made_at_column": "When"}
    names = {"id": "Person Id", "username": "Log In"}
    plain = {"email_table": None, "group_table": None, "password_column": None}
    table = db.settings(database.url, table="My People", map=names, outbox_table=outbox, **plain)
    run_script(database, outbox_script(SqlSettings.model_validate(table)))
    backend = db.opened(table, tmp_path)
    with closing(backend):
        position = backend.feed_position(db.soon())
        database.run(f"UPDATE {people} SET {name} = 'anna'")
        (step,) = backend.changes(position, db.soon())
        assert step.entries is not None
        assert list(map(list, step.entries.rows)) == [[1, "anna"]]


def test_columns_that_cannot_be_compared_do_not_stop_the_application(postgresql_database: PeopleDatabase) -> None:
    postgresql_database.run("ALTER TABLE persons ADD COLUMN extra json")
    with_outbox(postgresql_database)
    postgresql_database.run("UPDATE persons SET extra = '{}' WHERE id = 1")
    assert postgresql_database.scalar("SELECT COUNT(*) FROM integration_outbox") == 1
    postgresql_database.run("UPDATE persons SET login = login")
    assert postgresql_database.scalar("SELECT COUNT(*) FROM integration_outbox") == 1


def test_script_knows_the_dialect_by_the_url_or_by_name(tmp_path: Path) -> None:
    made = SqlSettings.model_validate(db.settings("mysql+pymysql://me@db/crm", outbox_table={"table": "o"}))
    assert "AUTO_INCREMENT" in outbox_script(made)
    assert "GENERATED ALWAYS" in outbox_script(made, "postgresql")
    with pytest.raises(ConfigError, match="not for oracle"):
        outbox_script(made, "oracle")
    with pytest.raises(ConfigError, match="no outbox_table"):
        outbox_script(SqlSettings.model_validate(db.settings("sqlite:///x")))


# -- settings and check -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"outbox_table": {"table": "o"}, "updated_at_column": "u"}, "keep one of"),
        ({"outbox_table": {"table": "o"}, "map": {"id": "{login}-{id}", "username": "login"}}, "id to be one column"),
        ({"changes_statement": "SELECT 1 WHERE :since"}, "goes with list_statement"),
    ],
)
def test_settings_that_cannot_work_are_refused(changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    plain = {"email_table": None, "group_table": None}
    with pytest.raises(ConfigError, match=message):
        db.opened(db.settings("sqlite:///people.db", **plain, **changes), tmp_path)


def test_without_a_feed_setting_there_is_none(sqlite_database: PeopleDatabase, tmp_path: Path) -> None:
    backend = db.opened(db.settings("sqlite:///people.db"), tmp_path)
    assert backend.feed() is None
    with pytest.raises(BackendMisconfigured, match="no change feed"):
        backend.feed_position(db.soon())


def test_check_tells_of_a_missing_and_of_an_empty_outbox(database: PeopleDatabase, tmp_path: Path) -> None:
    table = db.settings(database.url, outbox_table={"table": "integration_outbox"})
    with closing(db.opened(table, tmp_path)) as backend:
        errors = [finding.message for finding in backend.check(Deadline(30)) if finding.level == "error"]
    (error,) = errors
    assert error.startswith("there is no outbox table integration_outbox; what 'integration-server outbox-script ")
    with_outbox(database)
    with closing(db.opened(table, tmp_path)) as backend:
        warnings = [finding.message for finding in backend.check(Deadline(30)) if finding.level == "warning"]
    assert any("integration_outbox is empty" in warning for warning in warnings)
