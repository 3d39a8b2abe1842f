"""MariaDB and MySQL through PyMySQL."""

from __future__ import annotations

import socket
import ssl
import struct
from collections.abc import Generator, Iterator, MutableMapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import sqlalchemy as sa

from integration_server import BackendTimeout, Deadline, Watchdog
from integration_server.builtin.sql.driver import (
    BATCH,
    EVERY,
    NO_VALUES,
    Driver,
    Facts,
    Query,
    Row,
    Rows,
    Session,
    Step,
    Values,
    lock_digest,
    names_of,
    plain,
)
from integration_server.builtin.sql.network import Twin, connected, connected_locally

_MARGIN_SECONDS = 1.0
_LOST = 2013

#: What PyMySQL lets through when the bytes of a broken connection, or of no MySQL at all, make no sense to it.
_GIBBERISH = (AssertionError, AttributeError, EOFError, IndexError, KeyError, RuntimeError, TypeError, struct.error)

#: Case (and more) ignored whatever the column's character set, at the price of a look at every row.
_CONVERTED = "CONVERT({column} USING utf8mb4) COLLATE utf8mb4_unicode_520_ci = :value"

#: Server settings that would cut an answer short or a slow reader off; all may be set by anybody for their session.
_SESSION = "SET SESSION sql_select_limit = 18446744073709551615, net_write_timeout = 600"

_COLUMNS = """
SELECT column_name, character_set_name, collation_name FROM information_schema.columns
WHERE table_schema = :schema AND table_name = :table
"""
#: BINARY: there may be a table Users beside users. The plain comparison before it spares a look at every table.
_UNIQUE = """
SELECT MAX(column_name) FROM information_schema.statistics
WHERE table_schema = :schema AND table_name = :table AND BINARY table_name = :table AND non_unique = 0
GROUP BY index_name HAVING COUNT(*) = 1
"""


class MariaDbSession(Session):
    def __init__(self, module: Any, connection: Any, twin: Twin) -> None:
        super().__init__()
        self._module = module
        self._connection = connection
        self._twin = twin

    @property
    def connection(self) -> Any:
        return self._connection

    @property
    def is_lost(self) -> bool:
        return not self._connection.open

    def fetch(self, query: Query, values: Values, limit: int = EVERY) -> Rows:
        with _sense(self._module):
            cursor = self._connection.cursor()
            cursor.execute(query.sql, query.arguments(values))
            rows: list[Row] = list(cursor.fetchmany(limit))
            return Rows(names_of(cursor.description), rows)

    def stream(self, query: Query, values: Values = NO_VALUES) -> Generator[Rows, None, None]:
        cursor = self._connection.cursor(self._module.cursors.SSCursor)
        try:
            with _sense(self._module):
                cursor.execute(query.sql, query.arguments(values))
            names = names_of(cursor.description)
            while rows := self._more(cursor):
                yield Rows(names, rows)
        finally:
            self._forget(cursor)

    def _more(self, cursor: Any) -> list[Row]:
        with _sense(self._module):
            return list(cursor.fetchmany(BATCH))

    def _forget(self, cursor: Any) -> None:
        """Leave a result that was not read to its end: PyMySQL would read all of it, even as garbage."""
        result = cursor._result
        if result is not None and result.unbuffered_active:
            result.unbuffered_active = False
            self._hang_up()
        cursor.connection = None

    def begin(self) -> None:
        cursor = self._connection.cursor()
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        cursor.execute("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")

    def end(self) -> None:
        with _sense(self._module):
            self._connection.cursor().execute("ROLLBACK")

    def begin_changes(self, lock: str, deadline: Deadline) -> None:
        """The lock is one of the server's by name. It comes first: a transaction keeps to its first reading."""
        name = f"integration-{lock_digest(lock).hex()}"
        with _sense(self._module):
            cursor = self._connection.cursor()
            # Else what does not fit is cut, and a wrong number is 0.
            cursor.execute("SET SESSION sql_mode = CONCAT(@@sql_mode, ',STRICT_ALL_TABLES')")
            cursor.execute("SELECT GET_LOCK(%s, %s)", (name, deadline.remaining()))
            if cursor.fetchone() != (1,):
                raise BackendTimeout("others are writing the same all the time")
            cursor.execute("START TRANSACTION READ WRITE")

    def change(self, query: Query, values: Values) -> int:
        with _sense(self._module):
            cursor = self._connection.cursor()
            cursor.execute(query.sql, query.arguments(values))
            return max(int(cursor.rowcount), 0)

    def commit(self) -> None:
        with _sense(self._module):
            self._connection.commit()

    def interrupt(self) -> None:
        self._twin.shut()

    def close(self) -> None:
        self._hang_up()
        self._twin.close()

    def _hang_up(self) -> None:
        with suppress(Exception):
            self._connection.close()


@contextmanager
def _sense(module: Any) -> Iterator[None]:
    try:
        yield
    except _GIBBERISH as exc:
        raise module.OperationalError(_LOST, f"the server's answer makes no sense ({type(exc).__name__})") from exc


class MariaDbDriver(Driver):
    """Sessions commit by themselves and are read-only, but for transactions that say otherwise."""

    def __init__(self, name: str, url: sa.URL, watchdog: Watchdog) -> None:
        super().__init__(name, url)
        self._watchdog = watchdog
        self._conversions = _conversions(self.module)
        self._any_tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._any_tls.check_hostname = False
        self._any_tls.verify_mode = ssl.CERT_NONE
        self._columns = self.query(_COLUMNS)
        self._unique = self.query(_UNIQUE)

    def connect(self, deadline: Deadline, seconds: float) -> MariaDbSession:
        _, arguments = self._dialect.create_connect_args(self.url)
        # Anything narrower would turn letters into question marks.
        arguments["charset"] = "utf8mb4"
        arguments.pop("local_infile", None)
        connection = self._unconnected(arguments)
        # PyMySQL's own time-outs count for each address and each packet anew.
        server = _reached(connection, deadline)
        twin = Twin(server.fileno())
        try:
            with self._watchdog.guard(deadline, twin.shut), _sense(self.module):
                connection.connect(server)
                self._prepare(connection, seconds)
        except BaseException:
            connection._force_close()
            server.close()
            twin.close()
            raise
        return MariaDbSession(self.module, connection, twin)

    def _unconnected(self, arguments: MutableMapping[str, Any]) -> Any:
        """PyMySQL's connection, before it connects.

        Without a word about TLS in the URL, PyMySQL would load all authorities of the system for each connection (25
        ms), only to verify nothing by them: any TLS that the server offers is taken.
        """
        says_nothing_of_tls = not any(key.startswith(("ssl", "read_default")) for key in arguments)
        if says_nothing_of_tls:
            arguments["ssl_disabled"] = True
        connection = self.module.Connection(**arguments, autocommit=True, defer_connect=True, conv=self._conversions)
        if says_nothing_of_tls:
            connection.ssl, connection._ssl_required, connection.ctx = True, False, self._any_tls
        return connection

    def _prepare(self, connection: Any, seconds: float) -> None:
        limit = seconds + _MARGIN_SECONDS
        is_mariadb = "mariadb" in connection.get_server_info().lower()
        limit_setting = f"max_statement_time = {limit:g}" if is_mariadb else f"max_execution_time = {int(limit * 1000)}"
        cursor = connection.cursor()
        cursor.execute("SET SESSION TRANSACTION READ ONLY")
        cursor.execute(f"{_SESSION}, {limit_setting}")

    def describe(self, session: Session) -> str:
        version = session.connection.get_server_info()
        return f"MariaDB {version}" if "mariadb" in version.lower() else f"MySQL {version}"

    def is_encrypted(self, session: Session) -> bool:
        return isinstance(session.connection._sock, ssl.SSLSocket)

    def study(self, session: Session, table: str, schema: str | None, columns: Sequence[str]) -> Facts:
        """For each column: ``folded`` where its collation ignores case, ``narrow`` where it cannot hold every name."""
        found = session.fetch(self._columns, {"schema": schema or self.url.database, "table": table})
        kinds = {name: _kind(charset, collation) for name, charset, collation in found.rows}
        lowered = {name.lower(): kind for name, kind in kinds.items()}
        return Facts({column: lowered.get(column.lower(), "exact") for column in columns})

    def unique_columns(self, session: Session, table: str, schema: str | None) -> frozenset[str]:
        found = session.fetch(self._unique, {"schema": schema or self.url.database, "table": table})
        return frozenset(str(name) for (name,) in found.rows if name is not None)

    def steps(self, column: str, ignore_case: bool, facts: Facts) -> tuple[Step, ...]:
        """What a collation takes for equal (accents, blanks at the end, 12abc and 12) is told apart afterwards."""
        kind = facts.kinds.get(column, "exact")
        plainly = Step("{column} = :value", plain)
        if kind.startswith("narrow"):
            # Compared with letters that its character set lacks, such a column is an error.
            plainly = Step("{column} = :value", lambda value: plain(value) if value.isascii() else None)
            if kind == "narrow folded" or not ignore_case:
                return (plainly, Step(_CONVERTED, lambda value: None if value.isascii() else plain(value)))
        if kind in ("folded", "number") or not ignore_case:
            return (plainly,)
        return (plainly, Step(_CONVERTED, plain))

    def key(self, value: Any) -> object:
        """As text: a number compared with a text column would match '12abc', and use no index."""
        return value if isinstance(value, bytes) else str(value)

    def uses_index(self, session: Session, query: Query, values: Values) -> bool | None:
        explain = Query(query.text, f"EXPLAIN {query.sql}", query.names)
        found = session.fetch(explain, values, 100)
        position = found.names.index("possible_keys")
        tables = found.names.index("table")
        # Without a table nothing is read at all: "no matching row", found out by an index.
        return all(row[position] is not None or row[tables] is None for row in found.rows)


def _reached(connection: Any, deadline: Deadline) -> socket.socket:
    """The server's end that PyMySQL would connect to."""
    if not connection.unix_socket:
        return connected(connection.host, connection.port, deadline)
    connection._secure = True
    return connected_locally(connection.unix_socket, deadline)


def _kind(charset: str | None, collation: str | None) -> str:
    if charset is None or collation is None:
        return "number"
    folds = collation.endswith("_ci")
    if charset.startswith("utf8"):
        return "folded" if folds else "exact"
    return "narrow folded" if folds else "narrow exact"


def _conversions(module: Any) -> dict[Any, Any]:
    """PyMySQL's conversions, but BIT is a number and a date of zeros (usual for 'never') is no date."""
    types = module.constants.FIELD_TYPE
    conversions: dict[Any, Any] = dict(module.converters.conversions)
    conversions[types.BIT] = lambda value: int.from_bytes(value, "big")
    for kind in (types.DATE, types.DATETIME, types.TIMESTAMP):
        conversions[kind] = _date_or_none(conversions[kind])
    return conversions


def _date_or_none(convert: Any) -> Any:
    return lambda value: None if value.startswith("0000-00-00") else convert(value)
