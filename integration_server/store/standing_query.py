"""What is asked or written with nearly every request or delivery, so that its price is that of the database alone."""

from __future__ import annotations

import sqlite3
import threading
import weakref
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from integration_server.sdk.errors import StoreUnavailable
from integration_server.store.engine import reading, translated, writing


class StandingConnection:
    """What such statements go over. Thread-safe; does not own the engine, whose disposal ends it, too. Those that write
    take one of their own: a writer may wait for another, and who asks must not.

    On SQLite it has a connection of its own: to take one out of a pool, and to begin and end a transaction on it, takes
    ten times as long as the answer. It has no transaction while nobody asks: each answer is what is committed by then.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self.is_sqlite = engine.dialect.name == "sqlite"
        self._lock = threading.Lock()
        self._own: sa.PoolProxiedConnection | None = None
        self._raw: Any = None
        if self.is_sqlite:
            # The engine must not keep what belongs to it alive.
            closing = weakref.WeakMethod(self._forget)
            sa.event.listen(engine, "engine_disposed", lambda _: (method := closing()) and method())

    def first(self, statement: str, values: Sequence[object]) -> Sequence[Any] | None:
        """The row, or None where there is none. Raises StoreUnavailable."""
        if not self.is_sqlite:
            with reading(self._engine) as connection:
                return connection.exec_driver_sql(statement, tuple(values)).first()
        with self._lock:
            try:
                cursor = self._driver().execute(statement, values)
                # Not all of them: each step hands the interpreter to another thread, and there is no second row.
                row: Sequence[Any] | None = cursor.fetchone()
                cursor.close()
            except sqlite3.Error as exc:
                raise self._failed(exc) from exc
            return row

    def write(self, statement: str, values: Sequence[object]) -> int:
        """Run it as a transaction of its own, which a power cut may undo; how many rows it touched. Raises
        StoreUnavailable."""
        if not self.is_sqlite:
            with writing(self._engine) as connection:
                return connection.exec_driver_sql(statement, tuple(values)).rowcount
        with self._lock:
            try:
                cursor = self._driver().execute(statement, values)
                count: int = cursor.rowcount
                cursor.close()
            except sqlite3.Error as exc:
                raise self._failed(exc) from exc
            return count

    def _driver(self) -> Any:
        if self._own is None:
            with translated():
                self._own = self._engine.raw_connection()
            self._raw = self._own.driver_connection
        return self._raw

    def _failed(self, exc: sqlite3.Error) -> StoreUnavailable:
        self._forget()
        return StoreUnavailable(f"the server's own store cannot be used: {exc}")

    def _forget(self) -> None:
        own, self._own, self._raw = self._own, None, None
        if own is not None:
            own.invalidate()


class StandingQuery:
    """A SELECT of one row. Thread-safe."""

    def __init__(self, connection: StandingConnection, statement: str) -> None:
        """``statement`` has a ``?`` for each value, and needs no transaction around it."""
        self._connection = connection
        self._statement = statement if connection.is_sqlite else statement.replace("?", "%s")

    def first(self, values: Sequence[object]) -> Sequence[Any] | None:
        """The row, or None where there is none. Raises StoreUnavailable."""
        return self._connection.first(self._statement, values)


class StandingStatement:
    """An INSERT, UPDATE or DELETE, a transaction of its own each time. Thread-safe."""

    def __init__(self, connection: StandingConnection, statement: str) -> None:
        """``statement`` has a ``?`` for each value."""
        self._connection = connection
        self._statement = statement if connection.is_sqlite else statement.replace("?", "%s")

    def run(self, values: Sequence[object]) -> int:
        """How many rows it touched. Raises StoreUnavailable."""
        return self._connection.write(self._statement, values)
