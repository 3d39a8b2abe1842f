"""People as last noticed: one row each, beside whom every later state of the directory is held."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

import orjson
import sqlalchemy as sa

from integration_server.sdk.events import Document
from integration_server.store.engine import reading, writing
from integration_server.store.schema import people as table

#: The digest of somebody who is missing while their deletion waits: nobody's, so whoever comes back differs.
VANISHED = bytes(16)
_WIPED_AT_ONCE = 10_000
_ASKED_AT_ONCE = 1_000

_ADD = sa.text(
    "INSERT INTO people (backend, person_id, digest, document, serial)"
    " VALUES (:backend, :person_id, :digest, :document, 0) ON CONFLICT (backend, person_id) DO NOTHING"
)
#: As text, because a converted column costs a Python call per row.
_FOLLOWING = sa.text(
    "SELECT person_id, key, digest FROM people WHERE backend = :backend AND key > :key ORDER BY key LIMIT :limit"
)
#: A set of ids joined to people, one statement however many ids there are. CROSS JOIN keeps SQLite from beginning with
#: the larger table.
_JOINED = {
    "sqlite": "json_each(:ids) wanted CROSS JOIN {table} t ON t.backend = :backend AND t.person_id = wanted.value",
    "postgresql": "unnest(CAST(:ids AS text[])) AS wanted(value)"
    " JOIN {table} t ON t.backend = :backend AND t.person_id = wanted.value",
}


#: Id, key and digest of one person: what a comparison needs of a million of them, so they are plain tuples.
Known = tuple[str, int, bytes]


class Left(NamedTuple):
    """One person for whom the question is whether they are still there."""

    key: int
    person_id: str
    gone_at: float | None


@dataclass(frozen=True, slots=True)
class Person:
    """One person as last noticed. ``serial`` is that of the last event about them, 0 for none; ``gone_at`` (Unix
    seconds) is set while they are missing and their deletion waits."""

    key: int
    backend: str
    person_id: str
    document: Document
    serial: int
    gone_at: float | None


def _plain(result: sa.CursorResult[Any]) -> list[Known]:
    """The rows as the driver gives them, without an object around each."""
    rows = cast("list[Known]", result.cursor.fetchall())
    result.close()
    return rows


def bound_ids(dialect: str, ids: Sequence[str]) -> str | list[str]:
    """A set of ids as one parameter of a statement."""
    return orjson.dumps(list(ids)).decode() if dialect == "sqlite" else list(ids)


def joined_ids(dialect: str, table: str) -> str:
    """The FROM part of a statement about the rows ``t`` of ``:backend`` whose person's id is in ``:ids``."""
    return _JOINED[dialect].format(table=table)


class People:
    """The table, as detection reads it. Does not own the engine."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        joined = joined_ids(engine.dialect.name, "people")
        self._known = sa.text(f"SELECT t.person_id, t.key, t.digest FROM {joined}")
        self._documents = sa.text(f"SELECT t.person_id, t.document FROM {joined}")

    def count(self, backend: str) -> int:
        """How many are known, those included whose deletion waits."""
        return self._scalar(sa.select(sa.func.count()).select_from(table).where(table.c.backend == backend))

    def gone_count(self, backend: str, since: float = 0.0) -> int:
        """How many went missing after that moment (Unix seconds) and wait for their deletion."""
        c = table.c
        query = sa.select(sa.func.count()).select_from(table).where(c.backend == backend, c.gone_at > since)
        return self._scalar(query)

    def _scalar(self, query: sa.Select[Any]) -> int:
        with reading(self._engine) as connection:
            return int(connection.scalar(query) or 0)

    def known(self, backend: str, ids: Sequence[str]) -> Sequence[Known]:
        """Those of these ids that are known, in any order."""
        if not ids:
            return ()
        values = {"backend": backend, "ids": bound_ids(self._engine.dialect.name, ids)}
        with reading(self._engine) as connection:
            return _plain(connection.execute(self._known, values))

    def following(self, backend: str, after_key: int, limit: int) -> Sequence[Known]:
        """The next people in the order in which they were written down."""
        values = {"backend": backend, "key": after_key, "limit": limit}
        with reading(self._engine) as connection:
            return _plain(connection.execute(_FOLLOWING, values))

    def keys(self, backend: str, after_key: int, limit: int) -> Sequence[int]:
        """The next keys, in order."""
        c = table.c
        query = sa.select(c.key).where(c.backend == backend, c.key > after_key).order_by(c.key).limit(limit)
        with reading(self._engine) as connection:
            return connection.scalars(query).all()

    def left(self, keys: Sequence[int]) -> list[Left]:
        """The people with these keys, in their order."""
        c = table.c
        query = sa.select(c.key, c.person_id, c.gone_at).order_by(c.key)
        with reading(self._engine) as connection:
            return [
                Left(*row)
                for i in range(0, len(keys), _ASKED_AT_ONCE)
                for row in connection.execute(query.where(c.key.in_(keys[i : i + _ASKED_AT_ONCE])))
            ]

    def documents(self, backend: str, ids: Sequence[str]) -> dict[str, Document]:
        """The documents of those of these ids that are known."""
        if not ids:
            return {}
        with reading(self._engine) as connection:
            found = connection.execute(
                self._documents, {"backend": backend, "ids": bound_ids(self._engine.dialect.name, ids)}
            )
            return {person_id: orjson.loads(document) for person_id, document in found}

    def add(self, backend: str, ids: Sequence[str], digests: Sequence[bytes], documents: Sequence[str]) -> int:
        """Write people down without an event. Those whose id is known already stay as they are; returns how many were
        new."""
        if not ids:
            return 0
        rows = [
            {"backend": backend, "person_id": person_id, "digest": digest, "document": document}
            for person_id, digest, document in zip(ids, digests, documents, strict=True)
        ]
        with writing(self._engine) as connection:
            return connection.execute(_ADD, rows).rowcount

    def wipe(self, backend: str) -> None:
        """Forget everybody of a backend, without an event; in steps, so that nobody waits long for the write lock."""
        c = table.c
        some = sa.select(c.key).where(c.backend == backend).limit(_WIPED_AT_ONCE)
        while True:
            with writing(self._engine) as connection:
                if connection.execute(table.delete().where(c.key.in_(some))).rowcount < _WIPED_AT_ONCE:
                    return
