"""PostgreSQL through psycopg 3."""

from __future__ import annotations

import datetime as dt
import re
import selectors
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from decimal import Decimal
from itertools import islice
from typing import Any, ClassVar

import sqlalchemy as sa

from integration_server import BackendTimeout, Deadline, normalize_name
from integration_server.builtin.sql.driver import (
    BATCH,
    EVERY,
    FOLDED,
    NO_VALUES,
    Driver,
    Facts,
    Query,
    Reader,
    Row,
    Rows,
    Session,
    Step,
    TablePart,
    Values,
    foldings,
    lock_digest,
    names_of,
    plain,
)
from integration_server.builtin.sql.network import Twin, addresses, in_turn
from integration_server.builtin.sql.postgresql_asking import Asking
from integration_server.builtin.sql.postgresql_chunks import chunks
from integration_server.builtin.sql.postgresql_slices import SlicedTable

#: Beyond this the server ends a statement that the watchdog has given up already.
_MARGIN_SECONDS = 1.0

_INTEGER = re.compile(r"-?[1-9][0-9]{0,17}|0")
_NUMBER = re.compile(r"-?[0-9]{1,100}(\.[0-9]{1,100})?")
_UUID = re.compile(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
_INTEGER_TYPES = frozenset({"int2", "int4", "int8", "oid"})
_NOTHING: Values = {"value": None}

#: Where lower() of the database knows ASCII only (locale C), the other letters of the name are put in lower case first.
_TRANSLATED = "lower(translate({column}, :upper, :under)) IN (:lower, :folded, :typed)"

#: Rows of tables that inherit from this one are read with it, but its indexes know nothing of them.
_UNIQUE = """
SELECT a.attname FROM pg_catalog.pg_index i
JOIN pg_catalog.pg_class c ON c.oid = i.indrelid
JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
WHERE i.indrelid = to_regclass(:table) AND i.indisunique AND i.indisvalid AND i.indimmediate AND i.indnkeyatts = 1
AND i.indpred IS NULL AND i.indexprs IS NULL AND NOT (c.relkind = 'r' AND c.relhassubclass)
"""

_HORIZON = "SELECT txid_snapshot_xmin(s), txid_snapshot_xmax(s) FROM (SELECT txid_current_snapshot() AS s) now"


class PostgreSqlSession(Session):
    #: A process of its own that has to learn the tables: a list of 10,000 takes twice as long with a new one.
    is_costly: ClassVar[bool] = True

    def __init__(self, module: Any, connection: Any, *, prepares: bool) -> None:
        super().__init__()
        self._module = module
        self._connection = connection
        self._asking = Asking(module, connection, prepares=prepares)
        #: A prepared statement whose table was changed, or that somebody between us and the server has thrown away, or
        #: prepared for another session.
        self._plan_errors = (
            module.errors.FeatureNotSupported,
            module.errors.InvalidSqlStatementName,
            module.errors.DuplicatePreparedStatement,
        )
        self._twin = Twin(connection.fileno())
        self._can_chunk: bool = module.capabilities.has_stream_chunked()

    @property
    def connection(self) -> Any:
        return self._connection

    @property
    def is_lost(self) -> bool:
        return bool(self._connection.closed)

    def fetch(self, query: Query, values: Values, limit: int = EVERY) -> Rows:
        if query.names:
            try:
                return self._asking.fetch(query, values, limit)
            except self._plan_errors:
                if self._asking.prepares:
                    # So it is asked once more, on a new connection, which knows no plan.
                    self._connection.close()
                raise
        with self._connection.cursor() as cursor:
            cursor.execute(query.sql, ())
            rows: list[Row] = cursor.fetchmany(limit) if cursor.description else []
            return Rows(names_of(cursor.description), rows)

    def stream(self, query: Query, values: Values = NO_VALUES) -> Generator[Rows, None, None]:
        if not self._can_chunk or query.names:
            yield from self._one_by_one(query, values)
            return
        with self._ended_unless_whole():
            yield from chunks(self._module, self._connection, query)

    def _one_by_one(self, query: Query, values: Values) -> Generator[Rows, None, None]:
        cursor = self._connection.cursor()
        # Ended before psycopg's generator, which would ask the server to stop and then read on to the end.
        with closing(cursor.stream(query.sql, query.arguments(values))) as found, self._ended_unless_whole():
            while rows := list(islice(found, BATCH)):
                yield Rows(names_of(cursor.description), rows)

    @contextmanager
    def _ended_unless_whole(self) -> Iterator[None]:
        try:
            yield
        except BaseException:
            self._connection.close()
            raise

    def begin(self) -> None:
        self._connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")

    def end(self) -> None:
        self._connection.execute("ROLLBACK")

    def begin_changes(self, lock: str, deadline: Deadline) -> None:
        """The lock is an advisory one of the database; each statement after it sees what others committed before."""
        self._connection.execute("BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE")
        number = int.from_bytes(lock_digest(lock)[:8], "big", signed=True)
        self._connection.execute("SELECT pg_advisory_xact_lock(%s)", (number,))

    def change(self, query: Query, values: Values) -> int:
        with self._connection.cursor() as cursor:
            cursor.execute(query.sql, query.arguments(values))
            return max(int(cursor.rowcount), 0)

    def commit(self) -> None:
        self._connection.execute("COMMIT")

    def interrupt(self) -> None:
        self._twin.shut()

    def close(self) -> None:
        with suppress(Exception):
            self._connection.close()
        self._twin.close()


class PostgreSqlDriver(Driver):
    """Sessions commit by themselves and are read-only, but for transactions that say otherwise.

    That is said with libpq's ``options``; an ``options`` in the URL replaces them (PgBouncer refuses ours).
    """

    #: A text, which PostgreSQL reads in the type of the column; a number is no boolean.
    yes: ClassVar[object] = "1"

    def __init__(self, name: str, url: sa.URL, *, prepares: bool = False) -> None:
        super().__init__(name, url)
        self._prepares = prepares
        self._times = _times(self.module)
        self._unique = self.query(_UNIQUE)
        self._horizon = self.query(_HORIZON)

    def paramstyle(self, dialect_class: Any) -> str:
        return "format"

    def connect(self, deadline: Deadline, seconds: float) -> PostgreSqlSession:
        failure: Exception | None = None
        for arguments, until in in_turn(_attempts(self._arguments(seconds)), deadline):
            try:
                connection = self._connected(self.module.conninfo.make_conninfo(**arguments), until)
            except (self.module.OperationalError, BackendTimeout) as exc:
                failure = exc
                continue
            connection.autocommit = True
            connection.prepare_threshold = None
            for oid, loader in self._times.items():
                connection.adapters.register_loader(oid, loader)
            return PostgreSqlSession(self.module, connection, prepares=self._prepares)
        deadline.remaining()
        raise failure or self.module.OperationalError("the server's name has no address")

    def _connected(self, conninfo: str, deadline: Deadline) -> Any:
        """Connect by libpq's steps: psycopg's own time-out counts whole seconds, from 2 on, for each address anew."""
        pq = self.module.pq
        link = pq.PGconn.connect_start(conninfo.encode())
        try:
            status = pq.PollingStatus.WRITING
            while link.status != pq.ConnStatus.BAD and status != pq.PollingStatus.OK:
                if status == pq.PollingStatus.FAILED:
                    break
                _await(link.socket, status == pq.PollingStatus.READING, deadline)
                status = link.connect_poll()
            if status != pq.PollingStatus.OK:
                raise self.module.OperationalError(link.get_error_message())
        except BaseException:
            link.finish()
            raise
        link.nonblocking = 1
        return self.module.Connection(link)

    def _arguments(self, seconds: float) -> dict[str, Any]:
        _, arguments = self._dialect.create_connect_args(self.url)
        limit = int((seconds + _MARGIN_SECONDS) * 1000)
        defaults = {
            "client_encoding": "utf8",
            "application_name": "integration-server",
            "keepalives_idle": 30,
            "keepalives_interval": 10,
            "keepalives_count": 3,
            "tcp_user_timeout": 30_000,
            "options": f"-c default_transaction_read_only=on -c statement_timeout={limit}",
        }
        return {**defaults, **arguments}

    def describe(self, session: Session) -> str:
        number = session.connection.info.server_version
        return f"PostgreSQL {number // 10000}.{number % 10000}"

    def is_encrypted(self, session: Session) -> bool:
        return bool(session.connection.pgconn.ssl_in_use)

    def study(self, session: Session, table: str, schema: str | None, columns: Sequence[str]) -> Facts:
        listed = ", ".join(map(self.quote, columns))
        with session.connection.cursor() as cursor:
            cursor.execute(self.query(f"SELECT {listed} FROM {self.table(table, schema)} WHERE 1 = 0").sql, ())
            types = {column: found.type_code for column, found in zip(columns, cursor.description, strict=True)}
            cursor.execute(
                "SELECT oid, typname, typcategory FROM pg_catalog.pg_type WHERE oid = ANY(%s)", (list(types.values()),)
            )
            kinds = {oid: _kind(name, category) for oid, name, category in cursor.fetchall()}
            (folds_case,) = cursor.execute("SELECT lower('Ä') = 'ä'").fetchone()
        return Facts({column: kinds.get(oid, "other") for column, oid in types.items()}, bool(folds_case))

    def unique_columns(self, session: Session, table: str, schema: str | None) -> frozenset[str]:
        found = session.fetch(self._unique, {"table": self.qualified(table, schema)})
        return frozenset(str(name) for (name,) in found.rows)

    def steps(self, column: str, ignore_case: bool, facts: Facts) -> tuple[Step, ...]:
        """A text that is no number is never compared with a number column: PostgreSQL would make that an error."""
        match facts.kinds.get(column, "text"):
            case "integer":
                return (Step("{column} = :value", _integer),)
            case "numeric":
                return (Step("{column} = :value", _number),)
            case "uuid":
                return (Step("{column} = CAST(:value AS uuid)", _uuid),)
            case "texts":
                return (Step(":value = ANY({column})", plain),)
            case "other":
                return (Step("CAST({column} AS text) = :value", plain),)
        exact = Step("{column} = :value", plain)
        if not ignore_case:
            return (exact,)
        folded = Step(FOLDED, foldings)
        return (exact, folded) if facts.folds_case else (exact, folded, Step(_TRANSLATED, _translation))

    def reader(self, everybody: Query, part: TablePart) -> Reader:
        return SlicedTable(self, everybody, part)

    def transactions(self, session: Session) -> tuple[int, int]:
        # The newer pg_snapshot functions are missing before 13; these are still there.
        ((oldest, following),) = session.fetch(self._horizon, {}).rows
        return int(oldest), int(following)

    def key(self, value: Any) -> object:
        """As text, which PostgreSQL reads in the type of the column that it is compared with."""
        return value if isinstance(value, bytes) else str(value)

    def uses_index(self, session: Session, query: Query, values: Values) -> bool | None:
        """The planner's answer when a scan of the whole table is its last resort, so that a small table says it too."""
        connection = session.connection
        connection.execute("BEGIN")
        try:
            connection.execute("SET LOCAL enable_seqscan = off")
            plan = connection.execute(f"EXPLAIN {query.sql}", query.arguments(values)).fetchall()
        finally:
            connection.execute("ROLLBACK")
        return not any("Seq Scan on" in line for (line,) in plan)


def _attempts(arguments: dict[str, Any]) -> list[dict[str, Any]]:
    """libpq's arguments for each address of each host; libpq itself tries the next one only after a refusal."""
    hosts = str(arguments.get("host") or "").split(",")
    ports = str(arguments.get("port") or 5432).split(",")
    ports *= len(hosts) if len(ports) == 1 else 1
    if "hostaddr" in arguments or "service" in arguments or hosts == [""] or len(ports) != len(hosts):
        return [arguments]
    found = []
    for host, port in zip(hosts, ports, strict=True):
        own = {**arguments, "host": host, "port": port or 5432}
        if host.startswith(("/", "@")):
            found.append(own)
        else:
            found += [{**own, "hostaddr": address} for address in addresses(host, own["port"])]
    return found


def _await(descriptor: int, is_reading: bool, deadline: Deadline) -> None:
    """Wait for a socket. Raises BackendTimeout."""
    with selectors.DefaultSelector() as selector:
        selector.register(descriptor, selectors.EVENT_READ if is_reading else selectors.EVENT_WRITE)
        while not selector.select(deadline.remaining()):
            pass


def _kind(name: str, category: str) -> str:
    if name in _INTEGER_TYPES:
        return "integer"
    if name in ("numeric", "uuid"):
        return name
    if name in ("_text", "_varchar"):
        return "texts"
    return "text" if category == "S" else "other"


def _integer(value: str) -> Values:
    """NULL, which equals nothing, for what is no integer: the server is asked all the same, as it may be down."""
    return {"value": int(value)} if _INTEGER.fullmatch(value) else _NOTHING


def _number(value: str) -> Values:
    return {"value": Decimal(value)} if _NUMBER.fullmatch(value) else _NOTHING


def _uuid(value: str) -> Values:
    return {"value": value} if _UUID.fullmatch(value) else _NOTHING


def _translation(value: str) -> Values | None:
    if value.isascii():
        return None
    pairs = {letter.upper(): letter for letter in normalize_name(value) + value.lower() if not letter.isascii()}
    singles = {upper: letter for upper, letter in pairs.items() if len(upper) == 1}
    return {"upper": "".join(singles), "under": "".join(singles.values()), **foldings(value)}


def _times(module: Any) -> dict[int, Any]:
    """Loaders by type: ``infinity`` is PostgreSQL's way to say never; Python has no such date, and psycopg raises."""
    oids = [module.adapters.types[name].oid for name in ("date", "timestamp", "timestamptz")]
    return {oid: _never_is_none(module, module.adapters.get_loader(oid, module.pq.Format.TEXT)) for oid in oids}


def _never_is_none(module: Any, finite: Any) -> Any:
    class Loader(module.adapt.Loader):  # type: ignore[misc]
        def __init__(self, oid: int, context: Any = None) -> None:
            super().__init__(oid, context)
            self._finite = finite(oid, context)

        def load(self, data: Any) -> object:
            found = bytes(data)
            if found == b"infinity":
                return None
            if found == b"-infinity":
                return dt.datetime.min.replace(tzinfo=dt.UTC)
            return self._finite.load(found)

    return Loader
