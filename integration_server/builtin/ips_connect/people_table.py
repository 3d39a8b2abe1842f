"""People in the database of an IPS site: its table ``core_members``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from integration_server import BackendUnavailable, ConfigError
from integration_server.builtin.ips_connect.people_read import COLUMNS, Source, Values

#: The drivers that this server comes with; of any other URL, SQLAlchemy knows the driver.
_DRIVERS = {
    "mysql": "mysql+pymysql",
    "mariadb": "mariadb+pymysql",
    "postgresql": "postgresql+psycopg",
}
#: These keep what a transaction saw first; others do so by themselves.
_SNAPSHOTS = frozenset({"mysql", "mariadb", "postgresql"})
_IDS = frozenset({"id", COLUMNS["id"]})
_BATCH = 1000


@contextmanager
def opened_table(url: str, password: str | None, table: str) -> Iterator[Source]:
    """The rows of a table, as they are at one moment. ``password`` takes the place of one in the URL.

    Raises ConfigError for what is no URL or no table with the columns that are needed, BackendUnavailable where the
    database does not answer, also while the rows are being read.
    """
    parsed = _parsed(url, password)
    shown = parsed.set(query={}).render_as_string(hide_password=True)
    try:
        engine = sa.create_engine(parsed, poolclass=sa.NullPool, hide_parameters=True)
        with engine.connect() as connection:
            if connection.dialect.name in _SNAPSHOTS:
                connection = connection.execution_options(isolation_level="REPEATABLE READ")
            names = _names(connection, table)
            if not names:
                raise ConfigError(f"{shown} has no table {table!r}; say --table or --prefix")
            yield Source(names, _rows(connection, table, names))
    except ImportError as exc:
        raise ConfigError(f"{parsed.drivername} needs the Python package {exc.name}") from exc
    except sa.exc.NoSuchModuleError as exc:
        raise ConfigError(f"SQLAlchemy knows no database {parsed.drivername!r}") from exc
    except (sa.exc.SQLAlchemyError, UnicodeError) as exc:
        reason = str(getattr(exc, "orig", None) or exc).strip().split("\n", 1)[0]
        raise BackendUnavailable(f"{shown} cannot be read: {reason}") from exc


def _parsed(url: str, password: str | None) -> sa.URL:
    try:
        parsed = sa.make_url(url)
    except (sa.exc.ArgumentError, ValueError):
        # Not chained: the error may repeat the part that holds a password.
        raise ConfigError(
            "--database: this is no SQLAlchemy URL, such as mysql://reader@db.example.org/forum"
        ) from None
    parsed = parsed.set(drivername=_DRIVERS.get(parsed.drivername, parsed.drivername))
    return parsed if password is None else parsed.set(password=password)


def _names(connection: sa.Connection, table: str) -> tuple[str, ...]:
    """Those of its columns that mean something here, or all of them where none does; none where it is not there."""
    try:
        columns = [str(column["name"]) for column in sa.inspect(connection).get_columns(table)]
    except sa.exc.NoSuchTableError:
        return ()
    known = {*COLUMNS, *COLUMNS.values()}
    return tuple(name for name in columns if name.lower() in known) or tuple(columns)


def _rows(connection: sa.Connection, table: str, names: tuple[str, ...]) -> Iterator[tuple[str, Values]]:
    """Page by page: the driver would keep all of one answer in memory."""
    columns: list[sa.ColumnElement[object]] = [sa.column(name) for name in names]
    key = next(number for number, name in enumerate(names) if name.lower() in _IDS)
    query = sa.select(*columns).select_from(sa.table(table)).order_by(columns[key]).limit(_BATCH)
    page, count = connection.execute(query).all(), 0
    while page:
        for row in page:
            # Rows have no numbers there; messages name the id.
            yield table, [_text(value) for value in row]
        count += len(page)
        page = connection.execute(query.where(columns[key] > page[-1][key])).all()
    if count != connection.scalar(sa.select(sa.func.count()).select_from(sa.table(table))):
        raise ConfigError(f"{table!r} has people with one {names[key]}, or without any, so not everybody was read")


def _text(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return bytes(value).decode() if isinstance(value, bytes | bytearray | memoryview) else str(value)
