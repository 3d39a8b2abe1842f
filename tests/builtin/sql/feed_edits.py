"""Databases whose changes can be followed, and hands that change them."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from dataclasses import dataclass, field

import sqlalchemy as sa

from integration_server.builtin.sql import SqlSettings
from integration_server.builtin.sql.outbox_script import outbox_script
from tests.builtin.sql import people_database as db
from tests.builtin.sql.people_database import PeopleDatabase
from tests.servers import PEOPLE

#: What an application writes as the time of a change, by dialect and type of column.
NOW = {
    "sqlite": {"TEXT": "CURRENT_TIMESTAMP", "INTEGER": "CAST(strftime('%s', 'now') AS INTEGER)"},
    "postgresql": {
        "timestamptz": "now()",
        "timestamp": "now()",
        "text": "to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24\\:MI\\:SS.MS\"Z\"')",
        "numeric(20, 6)": "extract(epoch FROM now())",
    },
    "mysql": {
        "DATETIME(6)": "NOW(6)",
        "TIMESTAMP NULL": "NOW()",
        "BIGINT": "UNIX_TIMESTAMP()",
        "VARCHAR(40)": "UTC_TIMESTAMP()",
    },
}


def with_updated_at(database: PeopleDatabase, kind: str | None = None) -> str:
    """Add the column, filled for everybody with a long past time; what an application writes into it from now on."""
    dialect = sa.make_url(database.url).get_backend_name()
    kind = kind or next(iter(NOW[dialect]))
    now = NOW[dialect][kind]
    database.run(f"ALTER TABLE persons ADD COLUMN updated_at {kind}")
    old: object = "2020-01-01 00:00:00"
    if kind in ("INTEGER", "BIGINT", "numeric(20, 6)"):
        old = 1577836800
    elif kind == "text":
        old = "2020-01-01T00:00:00.000Z"
    database.run("UPDATE persons SET updated_at = :old", old=old)
    return now


def with_outbox(database: PeopleDatabase, **changes: object) -> dict[str, object]:
    """Run the shipped script; the table of the configuration that uses it."""
    table = db.settings(database.url, outbox_table={"table": "integration_outbox"}, **changes)
    run_script(database, outbox_script(SqlSettings.model_validate(table)))
    return table


def run_script(database: PeopleDatabase, script: str) -> None:
    """As the database's own client would."""
    with database.connected() as connection:
        driver = connection.connection.driver_connection
        assert driver is not None
        match sa.make_url(database.url).get_backend_name():
            case "sqlite":
                driver.executescript(script)
            case "postgresql":
                driver.execute(script)
            case _:
                plain = re.sub(r"^--.*\n", "", script, flags=re.MULTILINE)
                with driver.cursor() as cursor:
                    for statement in filter(str.strip, re.split(r";\n", plain)):
                        cursor.execute(statement)


def put_back(database: PeopleDatabase) -> None:
    """Everybody as in the beginning, in a database with updated_at."""
    rows = [
        {"id": i, "login": person.uid, "name": person.full_name, "password": db.ssha256(person.password)}
        for i, person in enumerate(PEOPLE, 1)
    ]
    with database.engine().begin() as connection:
        connection.execute(sa.text("DELETE FROM persons"))
        statement = "INSERT INTO persons VALUES (:id, :login, :name, :password, '2020-01-01 00\\:00\\:00')"
        connection.execute(sa.text(statement), rows)


@dataclass
class SqlEdits:
    """Changes persons as their application does. ``now`` is written into updated_at, where there is that column."""

    database: PeopleDatabase
    now: str | None = None
    _numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    @property
    def _stamp(self) -> str:
        return f", updated_at = {self.now}" if self.now else ""

    def add(self, username: str) -> None:
        columns, values = ("id, login, full_name", ":id, :login, :name")
        if self.now:
            columns, values = f"{columns}, updated_at", f"{values}, {self.now}"
        number = 500_000 + next(self._numbers)
        self.database.run(f"INSERT INTO persons ({columns}) VALUES ({values})", id=number, login=username, name="New")

    def change(self, username: str) -> None:
        name = f"Changed {next(self._numbers)}"
        self.database.run(
            f"UPDATE persons SET full_name = :name{self._stamp} WHERE login = :login", name=name, login=username
        )

    def remove(self, username: str) -> None:
        self.database.run("DELETE FROM persons WHERE login = :login", login=username)


Maker = Callable[[PeopleDatabase], SqlEdits]
