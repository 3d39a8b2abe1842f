"""Memberships that are kept here, for directories that cannot or must not be written to."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import sqlalchemy as sa

from integration_server.store.engine import reading, writing
from integration_server.store.identities import or_nothing
from integration_server.store.people import bound_set, joined_ids
from integration_server.store.schema import kept_memberships as table


@dataclass(frozen=True, slots=True)
class KeptMembership:
    """Whether the person ``person_id`` of ``backend`` is in the group ``group_id`` of ``group_backend``: this counts
    whatever the directory says. ``changed_at`` is in Unix seconds."""

    backend: str
    person_id: str
    group_backend: str
    group_id: str
    is_member: bool
    changed_at: float = 0.0


class KeptMemberships:
    """The table. Does not own the engine. Its methods raise StoreUnavailable."""

    def __init__(self, engine: sa.Engine, clock: Callable[[], float] = time.time) -> None:
        self._engine = engine
        self._clock = clock
        joined = joined_ids(engine.dialect.name, table.name)
        columns = ", ".join(f"t.{column.name}" for column in table.columns)
        self._of = sa.text(f"SELECT {columns} FROM {joined}").columns(*table.columns)

    def keep(self, wanted: KeptMembership, is_own: bool) -> bool:
        """Make ``wanted`` hold; whether it did not before. ``is_own`` says whether the directory itself has the person
        in the group: what it says, too, need not be kept, and it is followed again. On the disk when this returns."""
        c = table.c
        key = sa.and_(
            c.backend == wanted.backend,
            c.person_id == wanted.person_id,
            c.group_backend == wanted.group_backend,
            c.group_id == wanted.group_id,
        )
        with writing(self._engine, is_durable=True) as connection:
            # Locked on PostgreSQL; on SQLite there is one writer.
            before = connection.scalar(sa.select(c.is_member).where(key).with_for_update())
            if before is None:
                if is_own == wanted.is_member:
                    return False
                values = asdict(wanted) | {"changed_at": self._clock()}
                made = or_nothing(self._engine, table).returning(c.is_member)
                return connection.execute(made, values).first() is not None
            if before == wanted.is_member:
                return False
            if is_own == wanted.is_member:
                connection.execute(table.delete().where(key))
            else:
                changed = {"is_member": wanted.is_member, "changed_at": self._clock()}
                connection.execute(table.update().where(key).values(**changed))
            return True

    def of(self, backend: str, person_ids: Sequence[str]) -> list[KeptMembership]:
        """What is kept of these people, in any order."""
        values = {"backend": backend, "ids": bound_set(self._engine.dialect.name, person_ids)}
        with reading(self._engine) as connection:
            return [KeptMembership(*row) for row in connection.execute(self._of, values)]

    def group_ids(self, group_backend: str) -> list[str]:
        """The groups of a backend that somebody is kept in or out of."""
        c = table.c
        query = sa.select(c.group_id).where(c.group_backend == group_backend).distinct()
        with reading(self._engine) as connection:
            return list(connection.scalars(query.order_by(c.group_id)))

    def all(self, backend: str | None = None) -> list[KeptMembership]:
        """Everything that is kept, or what is of the people of one backend, in the order of its key."""
        query = sa.select(*table.columns).order_by(*table.primary_key.columns)
        if backend is not None:
            query = query.where(table.c.backend == backend)
        with reading(self._engine) as connection:
            return [KeptMembership(*row) for row in connection.execute(query)]

    def forget(self, backend: str, person_id: str | None) -> int:
        """Keep nothing more of a person, or of anybody of a backend; returns how many memberships that were."""
        statement = table.delete().where(table.c.backend == backend)
        if person_id is not None:
            statement = statement.where(table.c.person_id == person_id)
        with writing(self._engine) as connection:
            return connection.execute(statement).rowcount
