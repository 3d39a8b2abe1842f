"""What detection remembers of each backend between runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from integration_server.store.engine import reading, writing
from integration_server.store.schema import watches as table


@dataclass(frozen=True, slots=True)
class Watch:
    """One backend. Times are Unix seconds.

    ``baseline_at`` is None until everybody was written down once, ``scanned_at`` until a full comparison ended well,
    ``failed_at`` when the last run went well; it is when the first one failed since. ``fingerprint`` is of the settings
    that decide who is seen and how.
    """

    backend: str
    baseline_at: float | None = None
    fingerprint: str | None = None
    feed_position: str | None = None
    scanned_at: float | None = None
    scan_seconds: float | None = None
    people_count: int = 0
    failed_at: float | None = None
    failure: str | None = None
    approved_at: float | None = None
    is_scan_wanted: bool = False


class Watches:
    """The table. Thread-safe; does not own the engine."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def all(self) -> list[Watch]:
        """Every backend that was ever looked at, by name."""
        with reading(self._engine) as connection:
            return [Watch(**row._mapping) for row in connection.execute(sa.select(table).order_by(table.c.backend))]

    def get(self, backend: str) -> Watch:
        """What is known of a backend; of one that was never looked at, nothing."""
        with reading(self._engine) as connection:
            row = connection.execute(sa.select(table).where(table.c.backend == backend)).one_or_none()
        return Watch(**row._mapping) if row is not None else Watch(backend)

    def want_scan(self, backend: str) -> None:
        """Ask for a full comparison as soon as may be."""
        self.change(backend, is_scan_wanted=True)

    def change(self, backend: str, **columns: Any) -> None:
        """Set columns."""
        with writing(self._engine) as connection:
            _put(connection, backend, columns)

    def fail(self, backend: str, at: float, failure: str) -> None:
        """Note that a look at a backend failed, at that moment (Unix seconds); the time of the first failure stays."""
        with writing(self._engine) as connection:
            _put(connection, backend, {"failed_at": sa.func.coalesce(table.c.failed_at, at), "failure": failure})

    def changing(self, backend: str, **columns: Any) -> Callable[[sa.Connection], None]:
        """The same as a part of somebody else's transaction."""
        return lambda connection: _put(connection, backend, columns)

    def remove(self, backend: str) -> None:
        """Forget a backend."""
        with writing(self._engine) as connection:
            connection.execute(table.delete().where(table.c.backend == backend))


def put_watch(connection: sa.Connection, backend: str, **columns: Any) -> None:
    """Set columns within a transaction of this room."""
    _put(connection, backend, columns)


def _put(connection: sa.Connection, backend: str, columns: dict[str, Any]) -> None:
    known = sa.text(
        "INSERT INTO watches (backend, people_count, is_scan_wanted) VALUES (:backend, 0, :no)"
        " ON CONFLICT (backend) DO NOTHING"
    )
    connection.execute(known, {"backend": backend, "no": False})
    if columns:
        connection.execute(table.update().where(table.c.backend == backend).values(columns))
