"""``outbox-script``: what it prints, run in the database, notes changes that are then noticed within a moment."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from tests.cli.conftest import Place, Run

CRM = """
[backends.crm]
type = "sql"
url = "sqlite:///../crm.db"
table = "person"
[backends.crm.outbox_table]
table = "person_outbox"
[backends.crm.map]
id = "id"
username = "login"
full_name = "name"
[backends.crm.sync]
"""


@pytest.fixture
def database(place: Place) -> Path:
    """With one person in it, before anybody made an outbox."""
    path = place.path / "crm.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE person (id INTEGER PRIMARY KEY, login TEXT, name TEXT)")
        connection.execute("INSERT INTO person VALUES (1, 'ada', 'Ada')")
    connection.close()
    place.write("10-server.toml", '[server]\ndata_dir = "../data"\n')
    place.write("20-hq.toml", CRM)
    place.write("30-archive.toml", "")
    return path


def test_printed_script_makes_an_outbox_that_works(place: Place, run: Run, database: Path) -> None:
    result = run("outbox-script", "crm", "-c", place.config)
    assert result.exit_code == 0, result.output
    with sqlite3.connect(database) as connection:
        connection.executescript(result.stdout)
        connection.execute("UPDATE person SET name = 'Ada Lovelace'")
    assert [str(row[1]) for row in connection.execute("SELECT * FROM person_outbox")] == ["1"]
    connection.close()
    assert "outbox table person_outbox" in run("check", place.config).stdout


def test_check_says_how_a_missing_outbox_is_made_and_not_that_it_is_read(
    place: Place, run: Run, database: Path
) -> None:
    result = run("check", place.config)
    assert result.exit_code == 3
    assert (
        "error       [backends.crm]: there is no outbox table person_outbox; what 'integration-server outbox-script"
        in (result.stdout)
    )
    assert "its feed" not in result.stdout
    with sqlite3.connect(database) as connection:
        connection.executescript(run("outbox-script", "crm", "-c", place.config).stdout)
    connection.close()
    made = run("check", place.config)
    assert made.exit_code == 0, made.output
    assert "and its feed (outbox table person_outbox) is read every" in made.stdout


def test_check_does_not_say_that_changes_are_noticed_where_nobody_looks(place: Place, run: Run, database: Path) -> None:
    with sqlite3.connect(database) as connection:
        connection.executescript(run("outbox-script", "crm", "-c", place.config).stdout)
    connection.close()
    place.write("20-hq.toml", CRM.replace("[backends.crm.sync]", ""))
    said = run("check", place.config).stdout
    assert "outbox table person_outbox" in said
    assert "noticed" not in said


def test_only_backend_need_not_be_named_and_the_dialect_can_be(place: Place, run: Run, database: Path) -> None:
    assert "AUTOINCREMENT" in run("outbox-script", "-c", place.config).stdout.upper()
    assert "GENERATED ALWAYS" in run("outbox-script", "--dialect", "postgresql", "-c", place.config).stdout
    assert "AUTO_INCREMENT" in run("outbox-script", "--dialect", "mariadb", "-c", place.config).stdout
    result = run("outbox-script", "--dialect", "oracle", "-c", place.config)
    assert result.exit_code == 3
    assert "[backends.crm]: there is an outbox script for" in result.stderr


def test_backend_without_an_outbox_is_told(place: Place, run: Run, database: Path) -> None:
    place.write("20-hq.toml", CRM.replace('[backends.crm.outbox_table]\ntable = "person_outbox"\n', ""))
    result = run("outbox-script", "crm", "-c", place.config)
    assert result.exit_code == 3
    assert "[backends.crm]: the backend has no outbox_table" in result.stderr


def test_backend_of_another_type_is_a_usage_error(place: Place, run: Run) -> None:
    result = run("outbox-script", "hq", "-c", place.config)
    assert result.exit_code == 2
    assert "is of type roster, which has no outbox" in result.stderr
    assert run("outbox-script", "lab", "-c", place.config).exit_code == 2
