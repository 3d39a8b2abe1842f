"""What we are about to write into somebody else's directory, noted before, so that it is told of after a crash, too."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import sqlalchemy as sa

from integration_server.store.engine import reading, writing
from integration_server.store.schema import intents as table


@dataclass(frozen=True, slots=True)
class Intent:
    """About the person with ``person_id``, or, where that is not known yet, with ``address``. ``origin`` is who
    wants it, as in events."""

    id: int
    backend: str
    person_id: str | None
    address: str | None
    origin: str


class Intents:
    """The table. Does not own the engine. Its methods raise StoreUnavailable."""

    def __init__(self, engine: sa.Engine, clock: Callable[[], float] = time.time) -> None:
        self._engine = engine
        self._clock = clock

    def begin(self, backend: str, person_id: str | None, address: str | None, origin: str) -> Intent:
        """Note what is about to be written. On the disk when this returns."""
        values = {"backend": backend, "person_id": person_id, "address": address, "origin": origin}
        with writing(self._engine, is_durable=True) as connection:
            made = connection.execute(table.insert().values(**values, created_at=self._clock()))
            primary_key = made.inserted_primary_key
            assert primary_key is not None
            return Intent(int(primary_key[0]), backend, person_id, address, origin)

    def end(self, intent: Intent) -> None:
        """It was written and told of, or never will be."""
        with writing(self._engine) as connection:
            self.take_off(connection, intent)

    @staticmethod
    def take_off(connection: sa.Connection, intent: Intent) -> None:
        """The same within a transaction that tells of it."""
        connection.execute(table.delete().where(table.c.id == intent.id))

    def left(self, backend: str, age: float) -> list[Intent]:
        """Those that began so many seconds ago, or longer: whoever began them has died, or could not find out."""
        c = table.c
        query = sa.select(c.id, c.backend, c.person_id, c.address, c.origin).order_by(c.id)
        # A clock that was set back must not keep them for ever.
        now = self._clock()
        old = sa.or_(c.created_at <= now - age, c.created_at > now + age)
        with reading(self._engine) as connection:
            return [Intent(*row) for row in connection.execute(query.where(c.backend == backend, old))]
