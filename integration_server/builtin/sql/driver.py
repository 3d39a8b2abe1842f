"""What the plugin needs of a database: connections that can be cancelled, and ways to compare a column with a name.

Statements are written once, as text with ``:name`` parameters, and turned into the driver's own form when the backend
is made; a login then costs one call of the driver's cursor, without any building of SQL.
"""

from __future__ import annotations

import hashlib
import unicodedata
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar, Final, NamedTuple

import sqlalchemy as sa

from integration_server import BackendError, ConfigError, Deadline, normalize_name
from integration_server.builtin.sql.address import is_remote
from integration_server.builtin.sql.errors import missing_driver

Values = Mapping[str, object]
Row = Sequence[Any]

NO_VALUES: Final[Values] = MappingProxyType({})

#: Rows in a batch of a listing. Batches of 1,000 to 5,000 are a tie.
BATCH = 2000
EVERY = 1_000_000_000


class Rows(NamedTuple):
    """Some rows of a result, and the names of its columns as plain texts."""

    names: tuple[str, ...]
    rows: Sequence[Row]


@dataclass(frozen=True, slots=True)
class Query:
    """A statement: ``text`` with ``:name`` marks; ``sql`` in the driver's form, ``names`` in order of its marks."""

    text: sa.TextClause
    sql: str
    names: tuple[str, ...]

    def arguments(self, values: Values) -> tuple[object, ...]:
        return tuple([values[name] for name in self.names])


@dataclass(frozen=True, slots=True)
class TablePart:
    """Columns of a table or view, by name, and the rows of it that are meant: a condition as SQL, for ``query``."""

    table: str
    schema: str | None
    columns: tuple[str, ...]
    condition: str


@dataclass(frozen=True, slots=True)
class Step:
    """One way to ask for a name: a condition on ``{column}``, and its parameters, or None where it asks for nothing."""

    condition: str
    values: Callable[[str], Values | None]


@dataclass(frozen=True, slots=True)
class Facts:
    """What had to be asked of the database about the columns that names are looked up in."""

    kinds: Mapping[str, str]
    folds_case: bool = True


class Session(ABC):
    """One connection, used by one thread at a time. Any method raises the driver's exceptions."""

    #: Whether another statement may run while a stream is being read.
    can_interleave: ClassVar[bool] = False
    #: Whether to connect takes so long that a list had better leave its connection to the next one.
    is_costly: ClassVar[bool] = False
    #: Whether reading leaves the interpreter to other threads for most of the time, and fails at once when interrupted.
    lets_go: ClassVar[bool] = False

    def __init__(self) -> None:
        self.is_cancelled = False
        #: Whether it was lost without our doing while it was used last.
        self.was_lost = False

    @property
    @abstractmethod
    def connection(self) -> Any:
        """The driver's connection."""

    @property
    @abstractmethod
    def is_lost(self) -> bool:
        """Whether the connection is known to be gone."""

    @abstractmethod
    def fetch(self, query: Query, values: Values, limit: int = EVERY) -> Rows:
        """The first rows of the answer."""

    @abstractmethod
    def stream(self, query: Query, values: Values = NO_VALUES) -> Generator[Rows, None, None]:
        """All rows, in batches, as the server sends them. Closing it early ends the connection."""

    @abstractmethod
    def begin(self) -> None:
        """Begin a read-only transaction that sees the database as it is now."""

    @abstractmethod
    def end(self) -> None:
        """End the transaction."""

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """What is read within is read as of one moment. After a driver's exception the session is of no use."""
        self.begin()
        try:
            yield
        except BackendError:
            self.end()
            raise
        self.end()

    @abstractmethod
    def begin_changes(self, lock: str, deadline: Deadline) -> None:
        """Begin a transaction that may write, in a session made for writing.

        Who gives the same ``lock`` waits until the other is done, where the database has a way to (see each). Raises
        BackendTimeout.
        """

    @abstractmethod
    def change(self, query: Query, values: Values) -> int:
        """Run a statement in such a transaction; how many rows it changed, or gave."""

    @abstractmethod
    def commit(self) -> None:
        """Keep what was changed. A session that is closed before leaves nothing behind."""

    @abstractmethod
    def interrupt(self) -> None:
        """Make the running call fail. Called from another thread."""

    @abstractmethod
    def close(self) -> None:
        """End the connection at once, whatever it is doing. Never fails."""

    def cancel(self) -> None:
        """What the watchdog calls: afterwards the session is of no use."""
        self.is_cancelled = True
        self.interrupt()

    def is_fresh(self, deadline: Deadline) -> bool:
        """Whether an idle session may be used once more."""
        return not self.is_lost


Reader = Callable[[Session], Generator[Rows, None, None]]


class Driver(ABC):
    """A kind of database, reached through one Python driver."""

    #: What the driver raises.
    errors: tuple[type[Exception], ...]
    #: Those of them that say that a key or constraint forbids a change.
    conflicts: tuple[type[Exception], ...]
    #: A yes as a parameter that goes into any column which flags are kept in.
    yes: ClassVar[object] = 1

    def __init__(self, name: str, url: sa.URL) -> None:
        self.url = url
        self.is_remote = is_remote(url)
        dialect_class: Any = _dialect_class(name, url)
        self.module = _module(name, url, dialect_class)
        self.errors = (self.module.Error, sa.exc.SQLAlchemyError, OSError, UnicodeError)
        self.conflicts = (self.module.IntegrityError, sa.exc.IntegrityError)
        self._dialect: sa.Dialect = dialect_class(paramstyle=self.paramstyle(dialect_class))
        # A preparer of its own: that of a driver with %-marks doubles every % in a name, and so does text() again.
        self._preparer = dialect_class(paramstyle="named").identifier_preparer

    def paramstyle(self, dialect_class: Any) -> str:
        return str(dialect_class.default_paramstyle)

    @abstractmethod
    def connect(self, deadline: Deadline, seconds: float) -> Session:
        """A new connection, on which one statement may take ``seconds``."""

    def connect_for_writing(self, deadline: Deadline, seconds: float) -> Session:
        """The same for ``begin_changes``; whoever asks closes it."""
        return self.connect(deadline, seconds)

    @abstractmethod
    def describe(self, session: Session) -> str:
        """The server's name and version."""

    @abstractmethod
    def steps(self, column: str, ignore_case: bool, facts: Facts) -> tuple[Step, ...]:
        """How to ask for a value of a column, quickest first; what they find is compared once more."""

    def study(self, session: Session, table: str, schema: str | None, columns: Sequence[str]) -> Facts:
        """What ``steps`` needs to know."""
        return Facts({})

    def unique_columns(self, session: Session, table: str, schema: str | None) -> frozenset[str]:
        """Columns of which the database keeps the values apart by a key or index over that column and all rows."""
        return frozenset()

    def transactions(self, session: Session) -> tuple[int, int] | None:
        """Which transactions the session's snapshot knows to be over: all numbers below the first, none from the
        second on. None where the database does not tell.
        """
        return None

    def reader(self, everybody: Query, part: TablePart) -> Reader:
        """How to read a part of a table, which this statement gives as rows."""
        return lambda session: session.stream(everybody)

    def key(self, value: Any) -> object:
        """A key of a row as a parameter that finds the rows which refer to it."""
        return value

    def uses_index(self, session: Session, query: Query, values: Values) -> bool | None:
        """Whether the statement finds its row without reading the whole table; None where that cannot be said."""
        return None

    def is_encrypted(self, session: Session) -> bool | None:
        """Whether the connection is; None where that cannot be said."""
        return None

    def query(self, text: str) -> Query:
        """A statement with ``:name`` parameters. Raises ConfigError."""
        clause = sa.text(text.strip().rstrip(";"))
        compiled: Any = clause.compile(dialect=self._dialect)
        names = compiled.positiontup or compiled.params
        return Query(clause, str(compiled), tuple(map(str, names or ())))

    def limited(self, text: str, count: int) -> str:
        """A SELECT that gives no more than so many rows, where we know how to say so."""
        return f"{text} LIMIT {count}"

    def quote(self, name: str) -> str:
        """A name as SQL, for use in ``query``."""
        return str(self._preparer.quote(name)).replace(":", "\\:")

    def table(self, name: str, schema: str | None) -> str:
        """A table's name as SQL, for use in ``query``."""
        return self.qualified(name, schema).replace(":", "\\:")

    def qualified(self, name: str, schema: str | None) -> str:
        """A table's name as SQL."""
        return ".".join(str(self._preparer.quote(part)) for part in (schema, name) if part)

    def inspector(self, session: Session) -> sa.Inspector:
        """SQLAlchemy's view of the tables, over the session's own connection."""
        engine = sa.create_engine(
            self.url, creator=lambda: session.connection, poolclass=sa.StaticPool, hide_parameters=True
        )
        return sa.inspect(engine)


def _dialect_class(name: str, url: sa.URL) -> type[sa.Dialect]:
    try:
        return url.get_dialect()
    except sa.exc.NoSuchModuleError as exc:
        raise ConfigError(f"[backends.{name}] url: SQLAlchemy knows no database {url.drivername!r}") from exc


def _module(name: str, url: sa.URL, dialect_class: type[sa.Dialect]) -> Any:
    try:
        return dialect_class.import_dbapi()
    except ImportError as exc:
        raise missing_driver(name, url.drivername, exc.name) from exc


def lock_digest(lock: str) -> bytes:
    """A lock's name in a form that every database takes: 20 bytes."""
    return hashlib.sha256(lock.encode(errors="surrogatepass")).digest()[:20]


def plain(value: str) -> Values:
    """The value as it is."""
    return {"value": value}


def foldings(value: str) -> Values:
    """Three spellings in lower case, one of which a database's ``lower()`` may make of the same name."""
    composed = unicodedata.normalize("NFC", value)
    return {"lower": composed.lower(), "folded": normalize_name(value), "typed": value.lower()}


FOLDED = "lower({column}) IN (:lower, :folded, :typed)"


def names_of(description: Sequence[Sequence[Any]] | None) -> tuple[str, ...]:
    """The column names of a cursor's description."""
    return tuple([column[0] for column in description or ()])
