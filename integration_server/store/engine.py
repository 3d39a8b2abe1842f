"""The store's engine: SQLite in WAL by default, PostgreSQL by URL; migrations run when it opens."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import filelock
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from integration_server.sdk.errors import ConfigError, StoreUnavailable

logger = logging.getLogger(__name__)

_LOCK_SECONDS = 60
#: Any number will do, as long as nothing else in the database takes the same advisory lock.
_ADVISORY_LOCK = 7_340_291


def open_store(url: str, data_dir: Path) -> sa.Engine:
    """An engine on a store whose schema is current. The caller disposes of it. Raises ConfigError."""
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        engine = _engine(url or f"sqlite:///{data_dir / 'store.db'}")
        upgrade(engine, data_dir)
    except (sa.exc.SQLAlchemyError, OSError, ImportError, filelock.Timeout) as exc:
        shown = sa.make_url(url).render_as_string(hide_password=True) if url else str(data_dir)
        raise ConfigError(f"[store]: {shown} cannot be opened: {_first_line(exc)}") from exc
    return engine


def _engine(url: str) -> sa.Engine:
    parsed = sa.make_url(url)
    if parsed.get_backend_name() == "postgresql":
        return sa.create_engine(parsed, pool_pre_ping=True, pool_size=8, max_overflow=8, hide_parameters=True)
    if parsed.get_backend_name() != "sqlite":
        raise ConfigError(f"[store] url: {parsed.get_backend_name()} is not supported; take sqlite or postgresql")
    engine = sa.create_engine(parsed, connect_args={"timeout": 10}, hide_parameters=True)
    sa.event.listen(engine, "connect", _prepare_sqlite)
    sa.event.listen(engine, "begin", _begin_sqlite)
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
    if connection.get_execution_options().get("is_writer", False):
        connection.exec_driver_sql("BEGIN IMMEDIATE")


@contextmanager
def reading(engine: sa.Engine) -> Iterator[sa.Connection]:
    """A connection to read from. Raises StoreUnavailable."""
    with _translated(), engine.connect() as connection:
        yield connection


@contextmanager
def writing(engine: sa.Engine) -> Iterator[sa.Connection]:
    """One transaction, committed at the end of the block. Raises StoreUnavailable."""
    with _translated(), engine.execution_options(is_writer=True).begin() as connection:
        yield connection


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except sa.exc.SQLAlchemyError as exc:
        logger.error("the store failed: %s", _first_line(exc))
        raise StoreUnavailable(f"the server's own store cannot be used: {_first_line(exc)}") from exc


def _first_line(exc: BaseException) -> str:
    return str(getattr(exc, "orig", None) or exc).strip().split("\n", 1)[0]


def _alembic(connection: sa.Connection) -> Config:
    config = Config()
    # Configuration values are %-interpolated, and a path may hold a percent sign.
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


@contextmanager
def _alone(connection: sa.Connection, data_dir: Path) -> Iterator[None]:
    """Keep every other process from migrating at the same time."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_LOCK})
        yield
        return
    with filelock.FileLock(data_dir / "migrate.lock", timeout=_LOCK_SECONDS):
        yield


def upgrade(engine: sa.Engine, data_dir: Path) -> None:
    """Bring the schema to this version's. Raises ConfigError for a store that a newer version wrote."""
    if is_current(engine):
        return
    with engine.execution_options(is_writer=True).begin() as connection, _alone(connection, data_dir):
        config = _alembic(connection)
        known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
        unknown = set(MigrationContext.configure(connection).get_current_heads()) - known
        if unknown:
            raise ConfigError(f"the store was written by a newer version (schema {', '.join(unknown)}); update first")
        command.upgrade(config, "head")


def is_current(engine: sa.Engine) -> bool:
    """Whether the schema is this version's."""
    with engine.connect() as connection:
        heads = set(ScriptDirectory.from_config(_alembic(connection)).get_heads())
        return set(MigrationContext.configure(connection).get_current_heads()) == heads
