"""Stores that tests lock, and that nobody wants to wait for as long as a server does."""

from __future__ import annotations

import sqlalchemy as sa

from integration_server.store import Store


def impatient(store: Store) -> None:
    """Let SQLite give a lock up after one second instead of ten."""
    sa.event.listen(store._engine, "checkout", lambda connection, *_: connection.execute("PRAGMA busy_timeout = 1000"))
