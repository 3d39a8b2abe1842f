"""Directories that somebody changes all the time, beside the server and without its knowledge."""

from __future__ import annotations

import contextlib
import csv
import itertools
import os
import random
import sqlite3
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

_GROUPS: Final = ("staff", "admins", "sales", "support", "night shift")
_NAMES: Final = ("Ada", "Jürgen", "Zoë", "李雷", "O'Brien", 'The "Quoted"', "a,b;c", "Ольга")


@dataclass(frozen=True, slots=True)
class Someone:
    """One row. ``groups`` are sorted."""

    id: str
    username: str
    full_name: str
    email: str
    groups: tuple[str, ...]


class ChangingDirectory(ABC):
    """A source of people, its table of configuration, and what may happen to the people in it. Not thread-safe."""

    def __init__(self, name: str, folder: Path, size: int, seed: int) -> None:
        self.name = name
        self.people: dict[str, Someone] = {}
        self._folder = folder
        self._size = size
        self._random = random.Random(f"{seed}/{name}")
        self._numbers = itertools.count(1)

    @abstractmethod
    def config(self) -> str:
        """The backend's table as TOML."""

    @abstractmethod
    def create(self) -> None:
        """Make the source, and fill it with the first people."""

    @abstractmethod
    def save(self, changed: dict[str, Someone | None]) -> None:
        """Write these people as they are now, or delete them, in one step."""

    def change(self) -> None:
        """One change of the kinds that happen: people come, are renamed, hand a name on, change groups, go."""
        changed: dict[str, Someone | None] = {}
        kind = self._random.choices(("come", "rename", "marry", "groups", "go", "succeed"), (20, 10, 35, 20, 10, 5))[0]
        if len(self.people) < self._size * 0.8:
            kind = "come"
        elif len(self.people) > self._size * 1.2:
            kind = "go"
        one = self._anybody()
        match kind:
            case "come":
                one = self._newcomer()
                changed[one.id] = one
            case "rename":
                changed[one.id] = replace(one, username=f"{one.username[:20]}.{next(self._numbers)}")
            case "marry":
                changed[one.id] = replace(one, full_name=self._full_name())
            case "groups":
                changed[one.id] = replace(one, groups=self._some_groups())
            case "go":
                changed[one.id] = None
            case "succeed":
                # A name is free and taken again at the same moment.
                changed[one.id] = None
                successor = replace(self._newcomer(), username=one.username)
                changed[successor.id] = successor
        for person_id, now in changed.items():
            if now is None:
                del self.people[person_id]
            else:
                self.people[person_id] = now
        self.save(changed)

    def _fill(self) -> dict[str, Someone | None]:
        first = [self._newcomer() for _ in range(self._size)]
        self.people = {one.id: one for one in first}
        return dict(self.people)

    def _anybody(self) -> Someone:
        return self._random.choice(list(self.people.values()))

    def _newcomer(self) -> Someone:
        number = next(self._numbers)
        username = f"{self.name}{number}"
        return Someone(str(number), username, self._full_name(), f"{username}@example.org", groups=self._some_groups())

    def _full_name(self) -> str:
        return f"{self._random.choice(_NAMES)} {next(self._numbers)}"

    def _some_groups(self) -> tuple[str, ...]:
        return tuple(sorted(self._random.sample(_GROUPS, self._random.randrange(4))))


_MAP: Final = (
    'id = "id"\nusername = "username"\nfull_name = "full_name"\nemails = "email"\n'
    'groups = {{ from = "groups", separator = ";" }}\n'
    "[backends.{name}.sync]\nscan_seconds = {scan_seconds}\nfeed_seconds = 0.1\n"
    # Everything is taken for meant: the brake has tests of its own.
    "[backends.{name}.sync.guard]\nmax_percent = 100\nmax_count = 1000000\nsmall_directory = 0\n"
)


class _SqlDirectory(ChangingDirectory):
    """SQLite in WAL, as other programs keep it."""

    feed_keys = ""
    scan_seconds = 1.0

    @property
    def file(self) -> Path:
        return self._folder / f"{self.name}.db"

    def config(self) -> str:
        keys = f'type = "sql"\nurl = "sqlite:///{self.file}"\ntable = "person"\n{self.feed_keys}'
        return f"[backends.{self.name}]\n{keys}\n[backends.{self.name}.map]\n" + _MAP.format(
            name=self.name, scan_seconds=self.scan_seconds
        )

    def create(self) -> None:
        with contextlib.closing(sqlite3.connect(self.file)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute(
                "CREATE TABLE person (id INTEGER PRIMARY KEY, username TEXT NOT NULL, full_name TEXT, email TEXT,"
                ' "groups" TEXT, updated_at TEXT)'
            )
            self.prepare(connection)
            connection.commit()
        self.save(self._fill())

    def prepare(self, connection: sqlite3.Connection) -> None:
        """Add what the change feed needs."""

    def save(self, changed: dict[str, Someone | None]) -> None:
        with contextlib.closing(sqlite3.connect(self.file, timeout=60)) as connection, connection:
            connection.execute("PRAGMA synchronous = OFF")
            connection.execute("BEGIN IMMEDIATE")
            for person_id, one in changed.items():
                if one is None:
                    connection.execute("DELETE FROM person WHERE id = ?", (person_id,))
                    continue
                values = (one.username, one.full_name, one.email, ";".join(one.groups), self.now(), one.id)
                known = connection.execute(
                    'UPDATE person SET username = ?, full_name = ?, email = ?, "groups" = ?, updated_at = ?'
                    " WHERE id = ?",
                    values,
                )
                if not known.rowcount:
                    connection.execute(
                        'INSERT INTO person (username, full_name, email, "groups", updated_at, id)'
                        " VALUES (?, ?, ?, ?, ?, ?)",
                        values,
                    )

    def now(self) -> str:
        return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime())


_TRIGGERS: Final = """
CREATE TABLE integration_outbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    person INTEGER NOT NULL,
    made_at TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP
);
CREATE TRIGGER noted_insert AFTER INSERT ON person BEGIN
    INSERT INTO integration_outbox (person) VALUES (NEW.id);
END;
CREATE TRIGGER noted_update AFTER UPDATE ON person BEGIN
    INSERT INTO integration_outbox (person) VALUES (NEW.id);
END;
CREATE TRIGGER noted_delete AFTER DELETE ON person BEGIN
    INSERT INTO integration_outbox (person) VALUES (OLD.id);
END;
"""


class OutboxDirectory(_SqlDirectory):
    """Triggers write down who changed."""

    # The feed has to tell; a scan comes only now and then.
    scan_seconds = 3.0

    def config(self) -> str:
        return super().config() + f'[backends.{self.name}.outbox_table]\ntable = "integration_outbox"\n'

    def prepare(self, connection: sqlite3.Connection) -> None:
        connection.executescript(_TRIGGERS)


class StampedDirectory(_SqlDirectory):
    """A column says when a row changed; nothing says that one is gone, so that scans find it."""

    feed_keys = 'updated_at_column = "updated_at"\noverlap_seconds = 3\n'


class FileDirectory(ChangingDirectory):
    """A CSV file, written anew at each change."""

    @property
    def file(self) -> Path:
        return self._folder / f"{self.name}.csv"

    def config(self) -> str:
        return (
            f'[backends.{self.name}]\ntype = "csv"\npath = "{self.file}"\n[backends.{self.name}.map]\n'
            + _MAP.format(name=self.name, scan_seconds=2)
        )

    def create(self) -> None:
        self.save(self._fill())

    def save(self, changed: dict[str, Someone | None]) -> None:
        fresh = self.file.with_suffix(".new")
        with fresh.open("w", encoding="utf-8", newline="") as output:
            writer = csv.writer(output)
            writer.writerow(("id", "username", "full_name", "email", "groups"))
            for one in self.people.values():
                writer.writerow((one.id, one.username, one.full_name, one.email, ";".join(one.groups)))
        os.replace(fresh, self.file)


@contextmanager
def changing(directories: list[ChangingDirectory], pause: float, file_pause: float = 4.0) -> Iterator[None]:
    """Somebody changes them in turn until the block ends; files less often, since a young one counts as torn."""
    stop = threading.Event()
    failed: list[BaseException] = []

    def work() -> None:
        try:
            file_at = 0.0
            while True:
                for directory in directories:
                    if stop.is_set():
                        return
                    if isinstance(directory, FileDirectory):
                        if time.monotonic() < file_at:
                            continue
                        file_at = time.monotonic() + file_pause
                    directory.change()
                stop.wait(pause)
        except BaseException as exc:
            failed.append(exc)
            raise

    thread = threading.Thread(target=work, name="writer", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(60)
    if failed:
        raise AssertionError("the writer of the directories failed") from failed[0]
