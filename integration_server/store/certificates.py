"""When certificates run out that any process of the installation has met."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from integration_server.sdk.certificates import Certificate, Sighting
from integration_server.store.engine import reading, writing
from integration_server.store.schema import certificates as table

_LONGEST_HOLDER = 500
_PUT = sa.text(
    "INSERT INTO certificates (holder, expires_at, seen_at) VALUES (:holder, :expires_at, :seen_at)"
    " ON CONFLICT (holder) DO UPDATE SET expires_at = excluded.expires_at, seen_at = excluded.seen_at"
    " WHERE certificates.seen_at <= excluded.seen_at"
)


class Certificates:
    """The table. Does not own the engine. Its methods raise StoreUnavailable."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def put(self, sightings: Sequence[Sighting]) -> None:
        """Keep the latest of each holder."""
        with writing(self._engine) as connection:
            # In one order, so that no two processes wait for each other.
            for one in sorted(sightings, key=lambda each: each.certificate.holder):
                about = one.certificate
                row = {"holder": about.holder[:_LONGEST_HOLDER], "expires_at": about.expires_at, "seen_at": one.seen_at}
                connection.execute(_PUT, row)

    def ending(self, before: float, limit: int) -> list[Sighting]:
        """Up to ``limit`` that run out before that moment (Unix seconds), or have, the earliest first."""
        c = table.c
        query = sa.select(table).where(c.expires_at < before).order_by(c.expires_at, c.holder).limit(limit)
        with reading(self._engine) as connection:
            rows = connection.execute(query)
            return [Sighting(Certificate(row.holder, row.expires_at), row.seen_at) for row in rows]

    def prune(self, before: float) -> int:
        """Forget those that nobody has had since that moment (Unix seconds); how many that was."""
        with writing(self._engine) as connection:
            return connection.execute(table.delete().where(table.c.seen_at < before)).rowcount
