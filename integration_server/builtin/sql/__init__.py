"""Backend ``sql``: people in a table of SQLite, PostgreSQL, MariaDB, MySQL or any database that SQLAlchemy knows."""

from __future__ import annotations

from collections.abc import Sequence

from integration_server import Backend, hookimpl
from integration_server.builtin.sql.backend import SqlBackend
from integration_server.builtin.sql.settings import EmailTable, GroupTable, SqlSettings

__all__ = ["EmailTable", "GroupTable", "SqlBackend", "SqlSettings", "register_backends"]


@hookimpl
def register_backends() -> Sequence[type[Backend]]:
    return (SqlBackend,)
