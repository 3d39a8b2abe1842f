"""The store's engine: SQLite in WAL by default, PostgreSQL by URL; migrations run when it opens."""

from __future__ import annotations

import errno
import logging
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import filelock
import sqlalchemy as sa

from integration_server.sdk.errors import ConfigError, StoreUnavailable
from integration_server.store.checkpoints import WROTE_MUCH, Checkpoints
from integration_server.store.schema import REVISION

logger = logging.getLogger(__name__)

_LOCK_SECONDS = 60
_CONNECT_SECONDS = 5
#: How long SQLite's lock is waited for.
_LOCKED_SECONDS = 10.0
#: Pages in SQLite's log from which on whoever commits writes them into the file. Large transactions leave that to
#: ``Checkpoints``, as long as the log does not grow beyond all measure.
_LOG_PAGES, _LONGEST_LOG_PAGES = 1_000, 16_000
#: What SQLite keeps of the file in memory, for each connection. Pages that do not fit are written to the disk twice;
#: memory that is not needed takes time to get.
_CACHE_KB = 2_000
_NOT_OURS = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
#: Any number will do, as long as nothing else in the database takes the same advisory lock.
_ADVISORY_LOCK = 7_340_291
_VERSIONS = sa.table("alembic_version", sa.column("version_num", sa.String))


def open_store(url: str, data_dir: Path) -> sa.Engine:
    """An engine on a store whose schema is current. The caller disposes of it. Raises ConfigError."""
    engine = connect(url, data_dir)
    try:
        with told(engine.url, data_dir):
            upgrade(engine, data_dir)
    except BaseException:
        engine.dispose()
        raise
    return engine


def connect(url: str, data_dir: Path) -> sa.Engine:
    """An engine on a store as it is. The caller disposes of it. Raises ConfigError."""
    parsed = _parsed(url) if url else sa.URL.create("sqlite", database=str(data_dir / "store.db"))
    with told(parsed, data_dir):
        # Names, addresses and keys lie here; a folder that exists already is its owner's business.
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        return _engine(parsed)


@contextmanager
def told(url: sa.URL, data_dir: Path) -> Iterator[None]:
    """What keeps a store from being used, as a ConfigError that names it."""
    try:
        yield
    except OSError as exc:
        raise ConfigError(_unusable(exc, data_dir)) from exc
    except (sa.exc.SQLAlchemyError, ImportError) as exc:
        raise ConfigError(f"[store]: {shown(url)} cannot be opened: {first_line(exc)}") from exc


def shown(url: sa.URL) -> str:
    """The URL without its password. A file stands in it as people write it, with spaces and backslashes."""
    if url.get_backend_name() == "sqlite" and url.database:
        return f"sqlite:///{url.database}"
    return url.render_as_string(hide_password=True)


def _unusable(exc: OSError, data_dir: Path) -> str:
    if isinstance(exc, filelock.Timeout):
        return f"[store]: another process has been opening {data_dir} for {_LOCK_SECONDS} s; is one stuck?"
    told = f"[store]: {exc.filename or data_dir} cannot be written: {exc.strerror or exc}"
    if exc.errno in _NOT_OURS:
        told += "; [server] data_dir must be a folder of the account that runs the server and its commands"
    return told


def _parsed(url: str) -> sa.URL:
    try:
        return sa.make_url(url)
    except (sa.exc.ArgumentError, ValueError):
        # Not chained: the error may repeat the part that holds a password.
        raise ConfigError(
            "[store] url: is no SQLAlchemy URL, such as postgresql+psycopg://user:secret@host/db"
        ) from None


def _engine(url: sa.URL) -> sa.Engine:
    if url.get_backend_name() == "postgresql":
        # A host that swallows packets would keep each login waiting for minutes.
        limits = {"connect_timeout": _CONNECT_SECONDS}
        return sa.create_engine(
            url, pool_pre_ping=True, pool_size=8, max_overflow=8, hide_parameters=True, connect_args=limits
        )
    if url.get_backend_name() != "sqlite":
        raise ConfigError(f"[store] url: {url.get_backend_name()} is not supported; take sqlite or postgresql")
    if not url.database or url.database.startswith(":memory:"):
        raise ConfigError("[store] url: must name a file, such as sqlite:////var/lib/app/store.db; memory is forgotten")
    # The connection that was used last knows the file's pages best; in turn, each of them would read them anew.
    engine = sa.create_engine(
        url,
        poolclass=sa.QueuePool,
        pool_use_lifo=True,
        connect_args={"timeout": _LOCKED_SECONDS},
        hide_parameters=True,
    )
    sa.event.listen(engine, "connect", _prepare_sqlite)
    sa.event.listen(engine, "begin", _begin_sqlite)
    Checkpoints(engine)
    return engine


def _prepare_sqlite(connection: Any, _record: object) -> None:
    # sqlite3 itself would begin no transaction before DDL, and a migration that dies must leave nothing behind.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = NORMAL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


def _begin_sqlite(connection: sa.Connection) -> None:
    """A writer takes the lock at once: a reader that becomes a writer may find that it read too early, and fail."""
    options = connection.get_execution_options()
    if options.get("is_writer", False):
        cache_kb = options.get("cache_kb", _CACHE_KB)
        is_large = cache_kb > _CACHE_KB
        # Neither can be set any more within the transaction.
        _pragma(connection, "synchronous", "FULL" if options.get("is_durable", False) else "NORMAL")
        _pragma(connection, "cache_size", str(-cache_kb))
        _pragma(connection, "wal_autocheckpoint", str(_LONGEST_LOG_PAGES if is_large else _LOG_PAGES))
        _pragma(connection, "busy_timeout", str(int(1000 * options.get("locked_seconds", _LOCKED_SECONDS))))
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        if is_large:
            connection.info[WROTE_MUCH] = True


def _pragma(connection: sa.Connection, name: str, value: str) -> None:
    """Where it is not set already: a statement takes a tenth of a small transaction."""
    known = connection.info
    if known.get(name) != value:
        connection.exec_driver_sql(f"PRAGMA {name} = {value}")
        known[name] = value


@contextmanager
def reading(engine: sa.Engine) -> Iterator[sa.Connection]:
    """A connection to read from. Raises StoreUnavailable."""
    with translated(), engine.connect() as connection:
        yield connection


@contextmanager
def writing(
    engine: sa.Engine, is_durable: bool = False, cache_kb: int = _CACHE_KB, locked_seconds: float = _LOCKED_SECONDS
) -> Iterator[sa.Connection]:
    """One transaction, committed at the end of the block. More ``cache_kb`` than by default are for thousands of rows.
    SQLite's lock is waited for as long as ``locked_seconds``. Raises StoreUnavailable.

    The last transactions before a power cut may be lost, whole (on SQLite, or where PostgreSQL is set so), unless they
    are durable: those wait for the disk, and bring everything before them there, too.
    """
    with translated(), engine.connect() as connection, begun(connection, is_durable, cache_kb, locked_seconds):
        yield connection


def begun(
    connection: sa.Connection,
    is_durable: bool = False,
    cache_kb: int = _CACHE_KB,
    locked_seconds: float = _LOCKED_SECONDS,
) -> sa.RootTransaction:
    """Such a transaction on a connection that has none; the caller ends it. Raises SQLAlchemyError."""
    # Not of the engine: to make one with options takes as long as a small transaction.
    connection.execution_options(
        is_writer=True, is_durable=is_durable, cache_kb=cache_kb, locked_seconds=locked_seconds
    )
    transaction = connection.begin()
    if is_durable and connection.dialect.name == "postgresql":
        # An administrator may have turned it off for everything else.
        connection.exec_driver_sql("SET LOCAL synchronous_commit = on")
    return transaction


@contextmanager
def translated() -> Iterator[None]:
    """What SQLAlchemy raises becomes StoreUnavailable."""
    try:
        yield
    except sa.exc.SQLAlchemyError as exc:
        logger.error("the store failed: %s", first_line(exc))
        raise StoreUnavailable(f"the server's own store cannot be used: {first_line(exc)}") from exc


def first_line(exc: BaseException) -> str:
    return str(getattr(exc, "orig", None) or exc).strip().split("\n", 1)[0]


def _file_lock(engine: sa.Engine, data_dir: Path) -> AbstractContextManager[object]:
    """Keeps other processes from opening SQLite's file for the first time at the same moment.

    Switching a new file to WAL fails at once when two do it; the time-out that covers everything else does not help.
    """
    if engine.dialect.name != "sqlite":
        return nullcontext()
    return filelock.FileLock(data_dir / "migrate.lock", timeout=_LOCK_SECONDS)


def upgrade(engine: sa.Engine, data_dir: Path) -> None:
    """Bring the schema to this version's. Raises ConfigError for a store that a newer version wrote."""
    with _file_lock(engine, data_dir):
        if is_current(engine):
            return
        with engine.execution_options(is_writer=True).begin() as connection:
            # Loading alembic takes a fifth of a start, and the store is current at nearly every one.
            from integration_server.store import migrating

            lock_schema(connection)
            unknown = _written(connection) - migrating.known()
            if unknown:
                raise ConfigError(
                    f"[store]: was written by a newer version (schema {', '.join(unknown)}); update this one first"
                )
            migrating.migrate(connection)


def lock_schema(connection: sa.Connection) -> None:
    """Keep others from changing tables until the transaction ends; on SQLite, being its writer does that."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_LOCK})


def is_newer(engine: sa.Engine) -> bool:
    """Whether a newer version wrote the store."""
    from integration_server.store import migrating

    with engine.connect() as connection:
        return bool(_written(connection) - migrating.known())


def is_current(engine: sa.Engine) -> bool:
    """Whether the schema is this version's."""
    found, wanted = revisions(engine)
    return found == wanted


def revisions(engine: sa.Engine) -> tuple[set[str], set[str]]:
    """The schema that the store has (empty: none yet), and this version's."""
    with engine.connect() as connection:
        return _written(connection), {REVISION}


def _written(connection: sa.Connection) -> set[str]:
    """What alembic wrote down of the migrations that the store went through."""
    if not sa.inspect(connection).has_table(_VERSIONS.name):
        return set()
    return set(connection.scalars(sa.select(_VERSIONS.c.version_num)))
