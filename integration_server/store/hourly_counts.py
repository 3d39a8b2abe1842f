"""How many logins and lists each frontend had in each hour, and how many people its list had."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import sqlalchemy as sa

from integration_server.store.engine import reading, writing
from integration_server.store.schema import hourly_counts as table

HOUR_SECONDS = 3600

#: Logins by what was said, lists that went out, and the people in the latest one.
What = Literal["accepted", "refused", "unavailable", "lists", "people"]
WHATS: tuple[What, ...] = get_args(What)

_COLUMNS = "(frontend, hour, what, number, latest_at) VALUES (:frontend, :hour, :what, :number, :latest_at)"
_CONFLICT = f"INSERT INTO hourly_counts {_COLUMNS} ON CONFLICT (frontend, hour, what) DO UPDATE SET"
#: One statement each: of two processes that count, neither loses anything.
_ADD = sa.text(f"{_CONFLICT} number = hourly_counts.number + excluded.number, latest_at = excluded.latest_at")
_SET = sa.text(f"{_CONFLICT} number = excluded.number, latest_at = excluded.latest_at")


@dataclass(frozen=True, slots=True)
class HourlyCount:
    """``hour`` counts hours since 1970 (UTC); ``latest_at`` is the Unix time of the latest one that was counted."""

    frontend: str
    hour: int
    what: What
    number: int
    latest_at: float


class HourlyCounts:
    """The table. Does not own the engine. Its methods raise StoreUnavailable."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def add(self, counts: Sequence[HourlyCount]) -> None:
        """Add to what is there; the number of people replaces the one before."""
        with writing(self._engine) as connection:
            # In one order, so that no two processes wait for each other.
            for one in sorted(counts, key=lambda each: (each.frontend, each.hour, each.what)):
                row = {name: getattr(one, name) for name in ("frontend", "hour", "what", "number", "latest_at")}
                connection.execute(_SET if one.what == "people" else _ADD, row)

    def since(self, hour: int, what: What | None = None) -> list[HourlyCount]:
        """Everything from that hour on, or one kind of it, in the order of the hours."""
        c = table.c
        query = sa.select(table).where(c.hour >= hour).order_by(c.hour)
        if what is not None:
            query = query.where(c.what == what)
        with reading(self._engine) as connection:
            rows = connection.execute(query)
            return [HourlyCount(*row) for row in rows]

    def latest(self) -> Mapping[tuple[str, str], float]:
        """When each frontend last had what: Unix seconds by frontend and what."""
        c = table.c
        query = sa.select(c.frontend, c.what, sa.func.max(c.latest_at)).group_by(c.frontend, c.what)
        with reading(self._engine) as connection:
            return {(frontend, what): at for frontend, what, at in connection.execute(query)}

    def prune(self, before_hour: int) -> int:
        """Forget hours before that one; how many rows that was."""
        with writing(self._engine) as connection:
            return connection.execute(table.delete().where(table.c.hour < before_hour)).rowcount
