"""Any other database that SQLAlchemy knows, through its driver, with what all drivers have in common.

A call that hangs can be cancelled only where the driver's connection has ``cancel()`` or ``interrupt()``; else the
driver's own time-outs hold, which the URL sets.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import suppress
from typing import Any, ClassVar

import sqlalchemy as sa

from integration_server import Deadline
from integration_server.builtin.sql.driver import (
    BATCH,
    EVERY,
    FOLDED,
    NO_VALUES,
    Driver,
    Facts,
    Query,
    Rows,
    Session,
    Step,
    Values,
    foldings,
    plain,
)


class GenericSession(Session):
    def __init__(self, connection: sa.Connection) -> None:
        super().__init__()
        self._connection = connection
        self._is_changing = False

    @property
    def connection(self) -> Any:
        return self._connection.connection.driver_connection

    @property
    def is_lost(self) -> bool:
        return self._connection.closed or self._connection.invalidated

    def fetch(self, query: Query, values: Values, limit: int = EVERY) -> Rows:
        result = self._connection.execute(query.text, {name: values[name] for name in query.names})
        rows = [tuple(row) for row in result.fetchmany(limit)]
        names = tuple(map(str, result.keys()))
        result.close()
        if not self._is_changing:
            self._connection.rollback()
        return Rows(names, list(rows))

    def stream(self, query: Query, values: Values = NO_VALUES) -> Generator[Rows, None, None]:
        arguments = {name: values[name] for name in query.names}
        result = self._connection.execution_options(yield_per=BATCH).execute(query.text, arguments)
        names = tuple(map(str, result.keys()))
        for rows in result.partitions():
            yield Rows(names, [tuple(row) for row in rows])

    def begin(self) -> None:
        """SQLAlchemy begins a transaction with the first statement."""

    def end(self) -> None:
        self._connection.rollback()

    def begin_changes(self, lock: str, deadline: Deadline) -> None:
        """There is no lock that all databases know: a unique key has to keep double rows out."""
        self._is_changing = True

    def change(self, query: Query, values: Values) -> int:
        result = self._connection.execute(query.text, {name: values[name] for name in query.names})
        count = max(result.rowcount, 0)
        result.close()
        return count

    def commit(self) -> None:
        self._connection.commit()

    def interrupt(self) -> None:
        connection = self.connection
        for name in ("interrupt", "cancel"):
            if callable(method := getattr(connection, name, None)):
                method()
                return

    def close(self) -> None:
        with suppress(Exception):
            self._connection.invalidate()
        with suppress(Exception):
            self._connection.close()


class GenericDriver(Driver):
    yes: ClassVar[object] = True

    def __init__(self, name: str, url: sa.URL) -> None:
        super().__init__(name, url)
        self._engine = sa.create_engine(url, poolclass=sa.NullPool, hide_parameters=True)

    def connect(self, deadline: Deadline, seconds: float) -> GenericSession:
        return GenericSession(self._engine.connect())

    def describe(self, session: Session) -> str:
        version = ".".join(map(str, getattr(self._engine.dialect, "server_version_info", None) or ()))
        return f"{self._engine.dialect.name} {version}".strip()

    def steps(self, column: str, ignore_case: bool, facts: Facts) -> tuple[Step, ...]:
        exact = Step("{column} = :value", plain)
        return (exact, Step(FOLDED, foldings)) if ignore_case else (exact,)

    def limited(self, text: str, count: int) -> str:
        """Databases say this in too many ways."""
        return text

    def inspector(self, session: Session) -> sa.Inspector:
        assert isinstance(session, GenericSession)
        # A statement that failed may have left a transaction that takes no other.
        session._connection.rollback()
        return sa.inspect(session._connection)
