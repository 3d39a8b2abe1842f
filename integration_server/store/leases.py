"""Leases: who does what, where several nodes share a database. Times are by the database's clock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from integration_server.store.engine import reading, writing
from integration_server.store.schema import leases as table

_NOW = {
    "postgresql": "EXTRACT(EPOCH FROM clock_timestamp())",
    "sqlite": "((julianday('now') - 2440587.5) * 86400.0)",
}
#: One statement: whoever comes second waits for the row and then finds it taken. The fence grows with each change of
#: hands and with each lease that had run out, so that nothing of before counts afterwards.
_TAKE = """
INSERT INTO leases (name, owner, fence, until) VALUES (:name, :owner, 1, {now} + :ttl)
ON CONFLICT (name) DO UPDATE SET
    fence = leases.fence + CASE WHEN leases.owner = excluded.owner AND leases.until > {now} THEN 0 ELSE 1 END,
    owner = excluded.owner,
    until = excluded.until
WHERE leases.owner = excluded.owner OR leases.until <= {now}
RETURNING fence
"""
#: A node that freezes in the middle of a transaction would keep its locks, and so its leases, for as long as it likes.
_GIVE_UP = "SET LOCAL idle_in_transaction_session_timeout = 5000"
_FREE = "UPDATE leases SET until = 0 WHERE name = :name AND owner = :owner"


@dataclass(frozen=True, slots=True)
class LeaseRow:
    """``until`` is in seconds from now; what is not above 0 has run out."""

    name: str
    owner: str
    fence: int
    seconds_left: float


class LeaseTable:
    """The table. Does not own the engine. Its methods raise StoreUnavailable."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        now = _NOW[engine.dialect.name]
        self._take = sa.text(_TAKE.format(now=now))
        self._all = sa.text(f"SELECT name, owner, fence, until - {now} FROM leases ORDER BY name")

    def take(self, owner: str, names: Mapping[str, float]) -> dict[str, int]:
        """Take or prolong leases, each for so many seconds from now; the fences of those that were got."""
        fences: dict[str, int] = {}
        if not names:
            return fences
        with writing(self._engine) as connection:
            limit_idling(connection)
            for name, ttl in sorted(names.items()):
                fence = connection.execute(self._take, {"name": name, "owner": owner, "ttl": ttl}).scalar()
                if fence is not None:
                    fences[name] = fence
        return fences

    def free(self, owner: str, names: Sequence[str]) -> None:
        """Let others have them at once."""
        if names:
            with writing(self._engine) as connection:
                connection.execute(sa.text(_FREE), [{"name": name, "owner": owner} for name in sorted(names)])

    def all(self) -> list[LeaseRow]:
        with reading(self._engine) as connection:
            return [LeaseRow(*row) for row in connection.execute(self._all)]


def limit_idling(connection: sa.Connection) -> None:
    """Let the server end this transaction where the client stops talking in the middle of it."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(_GIVE_UP)


def are_held(connection: sa.Connection, held: Sequence[tuple[str, str, int]]) -> frozenset[tuple[str, str, int]]:
    """Those of these leases (name, owner, fence) that nobody has taken; nobody will before the transaction ends."""
    if not held:
        return frozenset()
    c = table.c
    query = sa.select(c.name, c.owner, c.fence).where(c.name.in_([name for name, _, _ in held]))
    rows: Any = connection.execute(query.order_by(c.name).with_for_update())
    # A lease that ran out and that nobody took is still good: nobody else can have acted on it.
    return frozenset((row.name, row.owner, row.fence) for row in rows) & frozenset(held)
