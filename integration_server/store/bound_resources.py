"""The serials of what channels are bound to: one row a resource, moved in the transaction that writes the events."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import orjson
import sqlalchemy as sa

from integration_server.store.people import bound_set, marked, plain
from integration_server.store.resources import Resource
from integration_server.store.schema import bound_resources as table
from integration_server.store.schema import journal_state, subscriptions

#: Ids of "everything" and of a whole backend, and a 0 where some group of it is bound, in one look.
_BOUND = (
    "SELECT id FROM bound_resources WHERE kind = 'all'"
    " UNION ALL SELECT id FROM bound_resources WHERE kind = 'backend' AND backend = ?"
    " UNION ALL SELECT 0 WHERE EXISTS (SELECT 1 FROM bound_resources WHERE kind = 'group' AND backend = ?)"
)
_BY_DIGEST = {
    "sqlite": "SELECT digest, id FROM bound_resources WHERE digest IN (SELECT value FROM json_each(:digests))",
    "postgresql": "SELECT digest, id FROM bound_resources WHERE digest = ANY(CAST(:digests AS text[]))",
}
_MOVE = "UPDATE bound_resources SET serial = ? WHERE id = ?"
_CHANGE = (
    journal_state.update()
    .values(bound_changes=journal_state.c.bound_changes + 1)
    .returning(journal_state.c.bound_changes)
)


@dataclass(slots=True)
class Touched:
    """Which bound resources some events of one backend touch: by the rule of ``Resource.matches``, and as a receiver
    that wants all events is told. Plugins' own types are for nobody here."""

    backend: str
    wholes: tuple[int, ...] = ()
    #: Of each group, the latest serial so far; None where no group of the backend is bound.
    groups: dict[str, int] | None = None

    def note(self, serial: int, group: str | None, groups: Iterable[str]) -> None:
        """An event: its group where it is about a membership, else the groups of its person before or after."""
        if self.groups is not None:
            if group is not None:
                self.groups[group] = serial
            else:
                self.groups.update(dict.fromkeys(groups, serial))

    def write(self, connection: sa.Connection, last: int) -> None:
        """Move the serials; ``last`` is that of the last event. Raises SQLAlchemyError."""
        rows = [(last, id) for id in self.wholes]
        if self.groups:
            serials = {digest_of(Resource("group", self.backend, name)): at for name, at in self.groups.items()}
            rows += [(serials[digest], id) for digest, id in _ids(connection, serials).items()]
        if rows:
            connection.exec_driver_sql(marked(connection, _MOVE), rows)


def touched(connection: sa.Connection, backend: str) -> Touched:
    """What is to be noted of events of a backend. Ask under ``lock_journal``: who binds takes it, too, so that no
    event falls between. Raises SQLAlchemyError."""
    found = connection.exec_driver_sql(marked(connection, _BOUND), (backend, backend))
    ids = [row[0] for row in plain(found)]
    return Touched(backend, tuple(id for id in ids if id), {} if 0 in ids else None)


def digest_of(resource: Resource) -> str:
    """What a resource is found by; a group's name may be too long for an index."""
    return hashlib.sha256(orjson.dumps(resource.as_json())).hexdigest()


def _ids(connection: sa.Connection, serials: Mapping[str, int]) -> dict[str, int]:
    dialect = connection.dialect.name
    found = connection.execute(sa.text(_BY_DIGEST[dialect]), {"digests": bound_set(dialect, list(serials))})
    return dict(plain(found))


def hold(connection: sa.Connection, resource: Resource, last_serial: int) -> int:
    """The id of a resource's row, which is made where this is the first channel: then its serial is the last there is.
    Call it under ``lock_serials``, whose result ``last_serial`` is. Raises SQLAlchemyError."""
    digest = digest_of(resource)
    found: int | None = connection.scalar(sa.select(table.c.id).where(table.c.digest == digest))
    if found is not None:
        return found
    values = {"digest": digest, "kind": resource.kind, "backend": resource.backend, "serial": last_serial, "change": 0}
    made: int = connection.execute(table.insert().values(values).returning(table.c.id)).scalar_one()
    # The first one there ever is makes writers of events look from now on.
    tell_change(connection, made)
    return made


def release(connection: sa.Connection, ids: Iterable[int]) -> None:
    """Keep the serials no longer of those among these resources to which nothing is bound. Call it under
    ``lock_serials``. Raises SQLAlchemyError."""
    is_bound = sa.exists().where(subscriptions.c.bound_to == table.c.id)
    connection.execute(table.delete().where(table.c.id.in_(sorted(set(ids))), ~is_bound))


def tell_change(connection: sa.Connection, bound_to: int) -> None:
    """Somebody changed one of the resource's channels: whoever serves them must look again. Call it before the channel
    itself is written to: all who change both do so in this order. Raises SQLAlchemyError."""
    number = connection.execute(_CHANGE).scalar_one()
    connection.execute(table.update().where(table.c.id == bound_to).values(change=number))
