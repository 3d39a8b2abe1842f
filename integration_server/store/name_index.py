"""The index of listed user names, for backends whose mapping cannot be undone.

A listing writes a new generation batch by batch and switches to it at its end, so a listing that fails leaves the old
one in force, and the store's write lock is held for moments only.
"""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from integration_server.store.engine import reading, writing
from integration_server.store.schema import index_generations, name_index

_ABANDONED_SECONDS = 86400.0


class NameIndex:
    """The tables. Does not own the engine."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def begin(self, backend: str, now: float) -> int:
        """Start a generation; returns its number."""
        with writing(self._engine) as connection:
            made = connection.execute(index_generations.insert().values(backend=backend, started_at=now))
            primary_key = made.inserted_primary_key
            assert primary_key is not None
            return int(primary_key[0])

    def add(self, generation: int, names: Sequence[str], entry_ids: Sequence[str]) -> None:
        """Add normalised names, each unique within the generation, with the ids of their entries."""
        rows = [
            {"generation": generation, "username": name, "entry_id": entry_id}
            for name, entry_id in zip(names, entry_ids, strict=True)
        ]
        if rows:
            with writing(self._engine) as connection:
                connection.execute(name_index.insert(), rows)

    def complete(self, backend: str, generation: int, now: float) -> None:
        """Switch to this generation and remove older ones, also what a crash left unfinished a day ago."""
        c = index_generations.c
        with writing(self._engine) as connection:
            connection.execute(index_generations.update().where(c.id == generation).values(completed_at=now))
            done = sa.or_(c.completed_at.is_not(None), c.started_at < now - _ABANDONED_SECONDS)
            connection.execute(index_generations.delete().where(c.backend == backend, c.id < generation, done))

    def abandon(self, generation: int) -> None:
        """Remove a generation whose listing failed."""
        with writing(self._engine) as connection:
            connection.execute(index_generations.delete().where(index_generations.c.id == generation))

    def entry_id(self, backend: str, name: str) -> str | None:
        """The id of the entry that is listed under this normalised name."""
        c = index_generations.c
        newest = sa.select(sa.func.max(c.id)).where(c.backend == backend, c.completed_at.is_not(None))
        query = sa.select(name_index.c.entry_id).where(
            name_index.c.generation == newest.scalar_subquery(), name_index.c.username == name
        )
        with reading(self._engine) as connection:
            return connection.scalar(query)

    def is_built(self, backend: str) -> bool:
        """Whether a complete generation exists."""
        c = index_generations.c
        with reading(self._engine) as connection:
            return (
                connection.scalar(sa.select(c.id).where(c.backend == backend, c.completed_at.is_not(None))) is not None
            )
