"""Which database a backend's URL names, and how it may be shown."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

from integration_server import BackendContext, ConfigError
from integration_server.builtin.sql.settings import SqlSettings

#: The drivers that this plugin knows by heart, where a URL names none. Any other URL is SQLAlchemy's to read.
_DRIVERS = {
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
    "mysql": "mysql+pymysql",
    "mariadb": "mariadb+pymysql",
    "sqlite": "sqlite+pysqlite",
}
_LOCAL_HOSTS = frozenset({"", "localhost", "127.0.0.1", "::1"})


def database_url(settings: SqlSettings, context: BackendContext) -> sa.URL:
    """The URL with its driver, its password and, for SQLite, an absolute path. Raises ConfigError."""
    where = f"[backends.{context.name}] url"
    url: sa.URL | None
    try:
        url = sa.make_url(settings.url.get_secret_value())
    except (sa.exc.ArgumentError, ValueError):
        url = None  # raised outside: the exception may quote the password
    if url is None:
        raise ConfigError(
            f"{where} is no SQLAlchemy URL such as postgresql://user@host/database; a password with / @ : % must be "
            "percent-encoded, or given as db_password"
        )
    url = url.set(drivername=_DRIVERS.get(url.drivername, url.drivername))
    if settings.db_password is not None:
        url = url.set(password=settings.db_password.get_secret_value())
    return url.set(database=str(_sqlite_path(url, where, context))) if is_sqlite(url) else url


def is_sqlite(url: sa.URL) -> bool:
    return url.drivername == "sqlite+pysqlite"


def _sqlite_path(url: sa.URL, where: str, context: BackendContext) -> Path:
    if not url.database or url.database.startswith((":memory:", "file:")):
        raise ConfigError(f"{where} must name a file: sqlite:///people.db, or sqlite:////var/lib/app/people.db")
    if url.query:
        raise ConfigError(f"{where}: SQLite files are opened read-only and take no options ({', '.join(url.query)})")
    return context.path(url.database)


def shown(url: sa.URL) -> str:
    """The URL without anything secret; its options may hold secrets, too. A file stands in it as people write it."""
    if is_sqlite(url):
        return f"sqlite:///{url.database}"
    return url.set(query={}).render_as_string(hide_password=True)


def is_remote(url: sa.URL) -> bool:
    """Whether passwords and names cross a network on their way."""
    host = url.host or ""
    return host.lower() not in _LOCAL_HOSTS and not host.startswith(("/", "127."))
