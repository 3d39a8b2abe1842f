"""What an administrator asks about the store: is it there, current, writable and sound, and how large is it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import sqlalchemy as sa

from integration_server.sdk.errors import ConfigError
from integration_server.store import engine as engines
from integration_server.store.schema import metadata, plugin_tables

#: Beside a SQLite database lie what is not yet written into it, and its index.
_SQLITE_FILES = ("", "-wal", "-shm")


@dataclass(frozen=True, slots=True)
class StoreReport:
    """What was found. ``schema`` is the store's own, empty where nobody has made one; ``rows`` are counts by table.

    ``faults`` say what keeps the server from using the store as it is.
    """

    url: str
    schema: str
    wanted_schema: str
    size_bytes: int | None = None
    rows: Mapping[str, int] = field(default_factory=dict)
    faults: tuple[str, ...] = ()

    @property
    def is_current(self) -> bool:
        return self.schema == self.wanted_schema


def inspect_store(url: str, data_dir: Path) -> StoreReport:
    """Look at the store without changing it; where it has no database yet, that is what is told. Raises ConfigError."""
    with _connected(url, data_dir) as engine:
        found, wanted = (", ".join(sorted(each)) for each in engines.revisions(engine))
        shown = engines.shown(engine.url)
        if found != wanted:
            fault = _schema_fault(found, wanted, engines.is_newer(engine))
            return StoreReport(shown, found, wanted, _size(engine), faults=(fault,))
        with engine.connect() as connection:
            rows = {table.name: _count(connection, table) for table in _tables(connection)}
            faults = _damage(connection)
        return StoreReport(shown, found, wanted, _size(engine), rows, (*faults, *_refusal(engine)))


def upgrade_store(url: str, data_dir: Path) -> tuple[str, str]:
    """Bring the schema to this version's; what it was (empty: nothing) and what it is. Raises ConfigError."""
    with _connected(url, data_dir) as engine:
        before, _ = engines.revisions(engine)
        engines.upgrade(engine, data_dir)
        after, _ = engines.revisions(engine)
        return ", ".join(sorted(before)), ", ".join(sorted(after))


@contextmanager
def _connected(url: str, data_dir: Path) -> Iterator[sa.Engine]:
    engine = engines.connect(url, data_dir)
    try:
        with engines.told(engine.url, data_dir):
            yield engine
    finally:
        engine.dispose()


def _schema_fault(found: str, wanted: str, is_newer: bool) -> str:
    if not found:
        return "there is no schema yet; the server's first start makes it, and so does 'integration-server db upgrade'"
    if is_newer:
        return f"the schema is {found}, of a newer version, this one has {wanted}; update this one"
    return f"the schema is {found}, this version needs {wanted}; 'integration-server db upgrade' brings it there"


def _tables(connection: sa.Connection) -> Iterator[sa.TableClause]:
    """The server's own, and those of its plugins; not what others may keep in the same database."""
    yield from metadata.sorted_tables
    plugins = [f"{name}_" for name in connection.scalars(sa.select(plugin_tables.c.name))]
    for name in sa.inspect(connection).get_table_names():
        if name not in metadata.tables and any(f"{name}_".startswith(plugin) for plugin in plugins):
            yield sa.table(name)


def _count(connection: sa.Connection, table: sa.FromClause) -> int:
    return connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()


def _damage(connection: sa.Connection) -> tuple[str, ...]:
    """What SQLite itself finds wrong with its file. PostgreSQL has its own tools for that."""
    if connection.dialect.name != "sqlite":
        return ()
    found = [str(row[0]) for row in connection.exec_driver_sql("PRAGMA quick_check(5)")]
    return () if found == ["ok"] else tuple(f"the database is damaged: {line}" for line in found)


def _refusal(engine: sa.Engine) -> tuple[str, ...]:
    """Why nothing can be written. Tried with a change that changes nothing and is taken back."""
    state = metadata.tables["journal_state"]
    try:
        with engine.execution_options(is_writer=True).connect() as connection, connection.begin() as transaction:
            changed = connection.execute(sa.update(state).values(last_serial=state.c.last_serial))
            transaction.rollback()
    except sa.exc.SQLAlchemyError as exc:
        return (f"it cannot be written to: {engines.first_line(exc)}",)
    return () if changed.rowcount == 1 else ("the journal's state is missing; restore the store from a backup",)


def _size(engine: sa.Engine) -> int | None:
    if engine.dialect.name == "postgresql":
        with engine.connect() as connection:
            return int(connection.exec_driver_sql("SELECT pg_database_size(current_database())").scalar_one())
    if not engine.url.database:
        return None
    files = [Path(engine.url.database + suffix) for suffix in _SQLITE_FILES]
    return sum(file.stat().st_size for file in files if file.exists())


def copy_store(url: str, data_dir: Path, target: Path) -> str:
    """Copy a SQLite store as it is in this moment, also while others write; the copy's schema. Raises ConfigError."""
    with _connected(url, data_dir) as engine:
        if engine.dialect.name != "sqlite":
            raise ConfigError(
                "[store] url: a store on PostgreSQL is backed up with PostgreSQL's own tools (pg_dump), and secret.key"
                f" in {data_dir} with a copy"
            )
        found, _ = engines.revisions(engine)
        if not found:
            raise ConfigError(
                f"{data_dir}: there is nothing to back up; the server has never run with this configuration"
            )
        with engine.connect() as connection:
            connection.exec_driver_sql("VACUUM INTO ?", (str(target),))
        return ", ".join(sorted(found))


def wanted_schema() -> str:
    """The schema of this version."""
    engine = sa.create_engine("sqlite://")
    try:
        _, wanted = engines.revisions(engine)
    finally:
        engine.dispose()
    return ", ".join(sorted(wanted))


#: No server writes so many events between two backups.
_UNSEEN = 1_000_000_000


def begin_new_serials(url: str, data_dir: Path) -> None:
    """Number what comes with serials that no reader can have seen: those after the latest one in a store that was put
    back were given to other events since. Raises ConfigError."""
    state = metadata.tables["journal_state"]
    with _connected(url, data_dir) as engine, engine.execution_options(is_writer=True).begin() as connection:
        connection.execute(sa.update(state).values(last_serial=state.c.last_serial + _UNSEEN))
