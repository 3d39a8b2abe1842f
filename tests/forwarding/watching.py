"""A directory that a test changes, and the watcher that must notice: real SQLite files, stores of both kinds."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from integration_server import BackendContext, Watchdog
from integration_server.builtin.sql import SqlBackend
from integration_server.directory.source import Source
from integration_server.directory.transforms import Transform
from integration_server.forwarding.audit import Audit
from integration_server.forwarding.detection.runner import RunResult
from integration_server.forwarding.detection.watcher import Watcher
from integration_server.sdk.mapping import Mapper
from integration_server.store import Store
from integration_server.store.bell import Bell
from integration_server.store.engine import open_store, writing
from integration_server.store.schema import journal_state, metadata

MAP = {
    "id": "no",
    "username": "login",
    "full_name": "cn",
    "emails": {"from": "mail", "separator": ";"},
    "groups": {"from": "ou", "separator": ";"},
    "is_disabled": "off",
}
HOUR = 3600.0


@dataclass
class Clock:
    """Unix seconds, moved by the test alone."""

    now: float = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


class People:
    """The directory: one table in a SQLite file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.run(
            "CREATE TABLE people (no TEXT PRIMARY KEY, login TEXT, cn TEXT, mail TEXT, ou TEXT, off TEXT,"
            " password TEXT DEFAULT 'hash-of-a-secret', changed REAL DEFAULT 0)"
        )

    def run(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.path)) as connection, connection:
            return connection.execute(sql, values).fetchall()

    def put(self, no: str, login: str | None = None, **columns: str | None) -> None:
        row: dict[str, str | None] = {"no": no, "login": login or no, **columns}
        names = ", ".join(row)
        marks = ", ".join("?" * len(row))
        self.run(f"INSERT OR REPLACE INTO people ({names}) VALUES ({marks})", *row.values())

    def put_all(self, *numbers: str, **columns: str | None) -> None:
        for no in numbers:
            self.put(no, **columns)

    def crowd(self, count: int) -> None:
        """``count`` people: p0, p1 and so on."""
        with closing(sqlite3.connect(self.path)) as connection, connection:
            rows = ((f"p{n}", f"p{n}") for n in range(count))
            connection.executemany("INSERT OR REPLACE INTO people (no, login) VALUES (?, ?)", rows)

    def change(self, no: str, **columns: str | None) -> None:
        assignments = ", ".join(f"{name} = ?" for name in columns)
        self.run(f"UPDATE people SET {assignments} WHERE no = ?", *columns.values(), no)

    def remove(self, *numbers: str) -> None:
        for no in numbers:
            self.run("DELETE FROM people WHERE no = ?", no)

    def remove_crowd(self, first: int, last: int) -> None:
        """Take p<first> up to, not including, p<last> away."""
        self.remove(*(f"p{n}" for n in range(first, last)))


@dataclass
class Scene:
    """A directory called hq, and all that watches it."""

    folder: Path
    store: Store
    clock: Clock
    people: People
    audits: list[tuple[str, str, Mapping[str, object]]] = field(default_factory=list)
    bell: Bell = field(default_factory=Bell)

    def settings(self, **more: Any) -> dict[str, Any]:
        url = f"sqlite:///{self.people.path}"
        return {"type": "sql", "url": url, "table": "people", "map": MAP, "sync": {"feed": "off"}, **more}

    def source(self, *transforms: Transform, name: str = "hq", **more: Any) -> Source:
        settings = SqlBackend.Settings.model_validate(self.settings(**more))
        mapper = Mapper(name, settings.map, SqlBackend.default_map)
        backend = SqlBackend(settings, BackendContext(name, mapper.attributes, self.folder, self.folder, Watchdog()))
        return Source(name, backend, settings, mapper, self.store.name_index, transforms)

    def watcher(self, source: Source | None = None, **more: Any) -> Watcher:
        audit = Audit([lambda action, subject, details: self.audits.append((action, subject, details))])
        return Watcher(source or self.source(**more), self.store, audit, self.bell, self.clock, self.folder)

    def scan(self, **more: Any) -> RunResult:
        """One run; its kind is checked by whoever cares."""
        return self.watcher(**more).run_once()

    def told(self, after: int = 0) -> list[str]:
        """The events, in words."""
        return [
            " ".join(filter(None, (event.type, event.person_id, event.group)))
            for event in self.store.journal.events(after, 10_000)
        ]

    def known(self) -> dict[str, dict[str, Any]]:
        """The snapshot."""
        return {person.person_id: dict(person.document) for person in self.store.journal.people("hq", 0, 10_000)}


@pytest.fixture(scope="session")
def empty_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("empty store")
    Store("", folder).close()
    return folder / "store.db"


@pytest.fixture(scope="session")
def shared_postgresql(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    url: str = request.getfixturevalue("postgresql").create_database()
    open_store(url, tmp_path_factory.mktemp("postgresql")).dispose()
    return url


def _emptied(url: str, folder: Path) -> str:
    engine = open_store(url, folder)
    with writing(engine) as connection:
        for table in reversed(metadata.sorted_tables):
            connection.execute(table.delete())
        connection.execute(journal_state.insert().values(id=1, last_serial=0, pruned_serial=0))
    engine.dispose()
    return url


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """An empty store."""
    url = ""
    if request.param == "sqlite":
        shutil.copy(request.getfixturevalue("empty_sqlite"), tmp_path / "store.db")
    else:
        url = _emptied(request.getfixturevalue("shared_postgresql"), tmp_path)
    store = Store(url, tmp_path)
    yield store
    store.close()


@pytest.fixture
def sqlite_store(empty_sqlite: Path, tmp_path: Path) -> Iterator[Store]:
    """An empty store of the default kind."""
    shutil.copy(empty_sqlite, tmp_path / "store.db")
    store = Store("", tmp_path)
    yield store
    store.close()


def _scene(store: Store, folder: Path) -> Scene:
    clock = Clock()
    # Everybody else's clock is the scene's, too.
    for part in (store.journal, store.runs):
        part._clock = clock
    return Scene(folder, store, clock, People(folder / "people.db"))


@pytest.fixture
def scene(store: Store, tmp_path: Path) -> Scene:
    return _scene(store, tmp_path)


@pytest.fixture
def sqlite_scene(sqlite_store: Store, tmp_path: Path) -> Scene:
    return _scene(sqlite_store, tmp_path)
