"""Guards that somebody has lifted: what would be held next goes through, once. Unused, that ends after a day."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import sqlalchemy as sa

from integration_server.store.engine import reading, writing
from integration_server.store.schema import guard_lifts as table

#: How long an unused one stands, in seconds.
LIFTED_SECONDS = 86_400.0
_LONGEST_ACTOR = 200

#: Whose guard: that of a frontend's lists, or of a backend's runs.
Guarded = Literal["frontend", "backend"]


@dataclass(frozen=True, slots=True)
class Lift:
    """The guard of ``name`` is lifted once, as ``actor`` said. Times are Unix seconds."""

    kind: Guarded
    name: str
    actor: str
    lifted_at: float
    until: float


class GuardLifts:
    """The table. Thread-safe; does not own the engine. Its methods raise StoreUnavailable."""

    def __init__(self, engine: sa.Engine, clock: Callable[[], float] = time.time) -> None:
        self._engine = engine
        self._clock = clock

    def lift(self, kind: Guarded, name: str, actor: str) -> Lift:
        """Lift a guard once; one that is lifted already stays so from now on."""
        now = self._clock()
        made = Lift(kind, name, actor[:_LONGEST_ACTOR], now, now + LIFTED_SECONDS)
        c = table.c
        with writing(self._engine) as connection:
            connection.execute(table.delete().where(c.kind == kind, c.name == name))
            connection.execute(
                table.insert().values(
                    kind=kind, name=name, actor=made.actor, lifted_at=made.lifted_at, until=made.until
                )
            )
        return made

    def all(self) -> list[Lift]:
        """Every guard that is lifted now."""
        c = table.c
        query = sa.select(table).where(c.until > self._clock()).order_by(c.kind, c.name)
        with reading(self._engine) as connection:
            return [Lift(**row._mapping) for row in connection.execute(query)]

    def use(self, kind: Guarded, name: str) -> Lift | None:
        """Take the lift away, so that nothing else uses it; None where there is none. Of several who ask at once, one
        gets it."""
        c = table.c
        mine = sa.select(table).where(c.kind == kind, c.name == name, c.until > self._clock())
        with reading(self._engine) as connection:
            row = connection.execute(mine).one_or_none()
        if row is None:
            return None
        with writing(self._engine) as connection:
            gone = table.delete().where(c.kind == kind, c.name == name, c.lifted_at == row.lifted_at)
            return Lift(**row._mapping) if connection.execute(gone).rowcount else None

    def end(self, kind: Guarded, name: str) -> bool:
        """Put the guard back; whether it was lifted."""
        return self.use(kind, name) is not None
