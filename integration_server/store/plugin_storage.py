"""Tables of plugins: made, brought up to date, and opened."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa

from integration_server.sdk.errors import ConfigError, StoreUnavailable
from integration_server.sdk.storage import Notice, Question, Statement, Storage, Tables
from integration_server.store.bell import Bell
from integration_server.store.engine import lock_schema, reading, writing
from integration_server.store.event_rows import write_notices
from integration_server.store.schema import metadata, plugin_tables
from integration_server.store.standing_query import StandingConnection, StandingQuery, StandingStatement

_HAS_TOLD = "integration_server.has_told"
_NAME = re.compile(r"[a-z][a-z0-9_]{0,59}", re.ASCII)


class PluginStorage(Storage):
    """One plugin's tables. Does not own the engine."""

    def __init__(
        self,
        engine: sa.Engine,
        tables: Tables,
        bell: Bell,
        clock: Callable[[], float] = time.time,
        standing: StandingConnection | None = None,
        writer: StandingConnection | None = None,
    ) -> None:
        """Asks nothing. ``bell`` is rung when events were told. ``standing`` (to ask) and ``writer`` are for several
        plugins to share.

        Raises ConfigError for a name that is none, or that the server's own tables have.
        """
        own = {table.name for table in metadata.tables.values()}
        if not _NAME.fullmatch(tables.name) or any(f"{name}_".startswith(f"{tables.name}_") for name in own):
            raise ConfigError(f"tables of plugins cannot be called {tables.name!r}")
        self._engine = engine
        self._tables = tables
        self._bell = bell
        self._clock = clock
        self._standing = standing or StandingConnection(engine)
        self._writer = writer or StandingConnection(engine)
        self._is_current = False
        self._lock = threading.Lock()

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        self._bring_up_to_date()
        with reading(self._engine) as connection:
            yield connection

    def question(self, statement: str) -> Question:
        return _Question(self._bring_up_to_date, StandingQuery(self._standing, statement))

    def statement(self, statement: str) -> Statement:
        return _Statement(self._bring_up_to_date, StandingStatement(self._writer, statement))

    @contextmanager
    def writing(self, is_durable: bool = True) -> Iterator[sa.Connection]:
        self._bring_up_to_date()
        with writing(self._engine, is_durable) as connection:
            connection.info.pop(_HAS_TOLD, None)
            yield connection
            has_told = connection.info.pop(_HAS_TOLD, False)
        if has_told:
            self._bell.ring()

    def tell(self, connection: sa.Connection, notices: Sequence[Notice]) -> None:
        for one in notices:
            name, _, word = one.type.partition(".")
            if name != self._tables.name or not word.isalnum():
                raise ValueError(f"{one.type!r} is no type of event of {self._tables.name}")
        connection.info[_HAS_TOLD] = True
        write_notices(connection, notices, self._clock())

    def _bring_up_to_date(self) -> None:
        if self._is_current:
            return
        with self._lock:
            if not self._is_current:
                self._run_steps()
                self._is_current = True

    def _run_steps(self) -> None:
        """All of them in one transaction: a plugin never meets tables that are half done."""
        name, steps = self._tables.name, self._tables.steps
        done = sa.select(plugin_tables.c.steps).where(plugin_tables.c.name == name)
        with reading(self._engine) as connection:
            if connection.scalar(done) == len(steps):
                return
        with writing(self._engine, is_durable=True) as connection:
            lock_schema(connection)
            before = connection.scalar(done)
            if (before or 0) > len(steps):
                raise StoreUnavailable(f"the tables of {name} were written by a newer version; update this one first")
            for step in steps[before or 0 :]:
                step(connection)
            if before is None:
                connection.execute(plugin_tables.insert().values(name=name, steps=len(steps)))
            else:
                connection.execute(plugin_tables.update().where(plugin_tables.c.name == name).values(steps=len(steps)))


class _Question(Question):
    def __init__(self, bring_up_to_date: Callable[[], None], query: StandingQuery) -> None:
        self._bring_up_to_date = bring_up_to_date
        self._query = query

    def first(self, values: Sequence[object]) -> Sequence[Any] | None:
        self._bring_up_to_date()
        return self._query.first(values)


class _Statement(Statement):
    def __init__(self, bring_up_to_date: Callable[[], None], statement: StandingStatement) -> None:
        self._bring_up_to_date = bring_up_to_date
        self._statement = statement

    def run(self, values: Sequence[object]) -> int:
        self._bring_up_to_date()
        return self._statement.run(values)
