"""From a change in a directory to its arrival at a webhook, for each way of noticing."""

from __future__ import annotations

import contextlib
import csv
import os
import random
import sqlite3
import statistics
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import ldap3

from bench import people
from bench.deliveries import SECRET
from bench.measured import Measured, Median
from bench.serving import free_port, running
from tests.receiver import Receiver
from tests.servers.slapd import Slapd, SlapdOptions

_CROWD = 1000
_STEPS = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0)
_MAP = 'id = "id"\nusername = "username"\nfull_name = "full_name"\n'
_PATIENCE = 60.0


class Way(ABC):
    """One way of noticing: a directory, and how to change somebody in it."""

    name: str
    label: str

    @abstractmethod
    def tables(self) -> str:
        """The backend in the configuration."""

    @abstractmethod
    def change(self, number: int, full_name: str) -> None:
        """Give one person another name; returns when others can see it."""


class _Sql(Way):
    def __init__(self, folder: Path) -> None:
        self._file = folder / f"{self.name}.db"
        people.write_sqlite(self._file, _CROWD)
        with contextlib.closing(sqlite3.connect(self._file)) as connection, connection:
            connection.execute("PRAGMA journal_mode = WAL")
            self.prepare(connection)

    def prepare(self, connection: sqlite3.Connection) -> None:
        raise NotImplementedError

    def tables(self) -> str:
        return f'[backends.{self.name}]\ntype = "sql"\nurl = "sqlite:///{self._file}"\ntable = "people"\n'

    def change(self, number: int, full_name: str) -> None:
        with contextlib.closing(sqlite3.connect(self._file, timeout=60)) as connection, connection:
            connection.execute(
                "UPDATE people SET full_name = ?, alias = ? WHERE id = ?",
                (full_name, time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime()), number),
            )


class Outbox(_Sql):
    name = "outbox"
    label = "SQL, outbox table"

    def prepare(self, connection: sqlite3.Connection) -> None:
        connection.execute(
            "CREATE TABLE outbox (id INTEGER PRIMARY KEY AUTOINCREMENT, person INTEGER NOT NULL,"
            " made_at TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP)"
        )
        connection.execute(
            "CREATE TRIGGER noted AFTER UPDATE ON people BEGIN INSERT INTO outbox (person) VALUES (NEW.id); END"
        )

    def tables(self) -> str:
        map_and_feed = f'[backends.{self.name}.map]\n{_MAP}[backends.{self.name}.outbox_table]\ntable = "outbox"\n'
        return super().tables() + map_and_feed


class UpdatedAt(_Sql):
    name = "updated_at"
    label = "SQL, updated_at column"

    def prepare(self, connection: sqlite3.Connection) -> None:
        connection.execute("UPDATE people SET alias = '2001-01-01 00:00:00'")
        connection.execute("CREATE INDEX people_alias ON people (alias)")

    def tables(self) -> str:
        return super().tables() + f'updated_at_column = "alias"\n[backends.{self.name}.map]\n{_MAP}'


class Csv(Way):
    name = "csv"
    label = "CSV, mtime"

    def __init__(self, folder: Path) -> None:
        self._file = folder / "people.csv"
        people.write_csv(self._file, _CROWD)
        with self._file.open(encoding="utf-8", newline="") as source:
            self._rows = list(csv.reader(source))

    def tables(self) -> str:
        return f'[backends.csv]\ntype = "csv"\npath = "{self._file}"\n[backends.csv.map]\n{_MAP}'

    def change(self, number: int, full_name: str) -> None:
        self._rows[number + 1][2] = full_name
        fresh = self._file.with_suffix(".new")
        with fresh.open("w", encoding="utf-8", newline="") as output:
            csv.writer(output).writerows(self._rows)
        os.replace(fresh, self._file)


class Ldap(Way):
    name = "ldap"
    label = "LDAP, modifyTimestamp"

    def __init__(self, slapd: Slapd) -> None:
        self._slapd = slapd
        slapd.load(_CROWD)
        server = ldap3.Server(slapd.uri)
        self._connection = ldap3.Connection(server, slapd.admin_dn, slapd.admin_password, auto_bind=True)
        self._connection.search(f"ou=crowd,{slapd.base}", "(objectClass=inetOrgPerson)", attributes=["uid"])
        self._names = [entry.entry_dn for entry in self._connection.entries]

    def tables(self) -> str:
        slapd = self._slapd
        return (
            f'[backends.ldap]\ntype = "ldap"\nservers = ["{slapd.uri}"]\nbind_dn = "{slapd.admin_dn}"\n'
            f'bind_password = "{slapd.admin_password}"\nbases = ["ou=crowd,{slapd.base}"]\n'
            'ldap_filter = "(objectClass=inetOrgPerson)"\nchange_feed = "modifyTimestamp"\n'
            '[backends.ldap.map]\nid = "entryUUID"\nusername = "uid"\nfull_name = "cn"\n'
        )

    def change(self, number: int, full_name: str) -> None:
        changed = {"cn": [(ldap3.MODIFY_REPLACE, [full_name])]}
        if not self._connection.modify(self._names[number], changed):  # type: ignore[no-untyped-call]
            raise SystemExit(f"the change in LDAP failed: {self._connection.result}")


@dataclass(frozen=True, slots=True)
class Latencies:
    """Seconds from change to arrival, of one way."""

    label: str
    seconds: Sequence[float]

    @property
    def median(self) -> float:
        return Median(self.seconds)

    @property
    def p95(self) -> float:
        return statistics.quantiles(self.seconds, n=20)[-1]

    def histogram(self) -> str:
        """One line per step, with a bar."""
        lines = [f"{self.label}: median {self.median:.2f} s, 95 % within {self.p95:.2f} s, {len(self.seconds)} changes"]
        below = 0.0
        for step in (*_STEPS, float("inf")):
            count = sum(below <= seconds < step for seconds in self.seconds)
            if count:
                lines.append(f"  {f'{below:g} to {step:g} s':>14} {'#' * count} {count}")
            below = step
        return "\n".join(lines)


def measure(folder: Path, changes: int) -> tuple[list[Measured], list[Latencies]]:
    """All ways beside each other in one server, one change at a time in each, at random moments of its rounds."""
    (folder / "latency slapd").mkdir()
    slapd = Slapd(folder / "latency slapd", SlapdOptions(database_lines="index modifyTimestamp eq\n"))
    slapd.start()
    try:
        ways: list[Way] = [Outbox(folder), UpdatedAt(folder), Csv(folder), Ldap(slapd)]
        found = _measure(folder, ways, changes)
    finally:
        slapd.destroy()
    measured = [
        Measured(f"change to webhook, {one.label}: median", one.median, 0, "s", target, "", is_ratio=False)
        for one, target in zip(found, (1.0, 1.5, 5.0, 3.0), strict=True)
    ]
    return measured, found


def _measure(folder: Path, ways: list[Way], changes: int) -> list[Latencies]:
    port = free_port()
    config = folder / "latency"
    config.mkdir()
    with Receiver(folder / "latency sink") as receiver:
        tables = [f'[server]\nport = {port}\ndata_dir = "data"\n[forwarding]\nallow_networks = ["127.0.0.0/8"]\n']
        for way in ways:
            tables.append(way.tables())
            tables.append(f"[backends.{way.name}.sync]\n")
            tables.append(
                f'[subscriptions.{way.name}]\ntype = "webhook"\nbackend = "{way.name}"\n'
                f'url = "{receiver.url(f"/{way.name}")}"\nsecret = "{SECRET}"\n'
            )
        (config / "bench.toml").write_text("\n".join(tables), encoding="utf-8")
        with running(["-m", "integration_server", "serve", str(config)], port, folder / "latency.log"):
            time.sleep(8)  # the first, whole comparison
            seconds: dict[str, list[float]] = {way.name: [] for way in ways}
            threads = [
                threading.Thread(target=_changes, args=(way, receiver, changes, seconds[way.name])) for way in ways
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
    for way in ways:
        if len(seconds[way.name]) != changes:
            raise SystemExit(f"{way.label}: only {len(seconds[way.name])} of {changes} changes arrived")
    return [Latencies(way.label, seconds[way.name]) for way in ways]


def _changes(way: Way, receiver: Receiver, changes: int, seconds: list[float]) -> None:
    chance = random.Random(way.name)
    for number in range(changes):
        time.sleep(chance.uniform(0.5, 2.5))
        came = receiver.count(f"/{way.name}").requests
        way.change(number, f"Changed {number} {chance.random()}")
        changed_at = time.time()
        deadline = time.monotonic() + _PATIENCE
        while (count := receiver.count(f"/{way.name}")).requests == came:
            if time.monotonic() > deadline:
                return
            time.sleep(0.02)
        seconds.append(max(0.0, count.last_at - changed_at))
