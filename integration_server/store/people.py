"""People as last noticed: one row each, beside whom every later state of the directory is held."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import orjson
import sqlalchemy as sa

from integration_server.sdk.events import Document
from integration_server.store.engine import reading, writing
from integration_server.store.schema import people as table

_WIPED_AT_ONCE = 10_000

_ADD = sa.text(
    "INSERT INTO people (backend, person_id, digest, document, serial)"
    " VALUES (:backend, :person_id, :digest, :document, 0) ON CONFLICT (backend, person_id) DO NOTHING"
)
#: A set of ids joined to people, one statement however many ids there are. CROSS JOIN keeps SQLite from beginning with
#: the larger table.
_JOINED = {
    "sqlite": "json_each(:ids) wanted CROSS JOIN {table} t ON t.backend = :backend AND t.person_id = wanted.value",
    "postgresql": "unnest(CAST(:ids AS text[])) AS wanted(value)"
    " JOIN {table} t ON t.backend = :backend AND t.person_id = wanted.value",
}


class Known(NamedTuple):
    """What a comparison needs of one person."""

    person_id: str
    key: int
    digest: bytes


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
        with reading(self._engine) as connection:
            return int(
                connection.scalar(sa.select(sa.func.count()).select_from(table).where(table.c.backend == backend)) or 0
            )

    def last_key(self, backend: str) -> int:
        """The highest key there is, 0 for nobody."""
        with reading(self._engine) as connection:
            return int(connection.scalar(sa.select(sa.func.max(table.c.key)).where(table.c.backend == backend)) or 0)

    def known(self, backend: str, ids: Sequence[str]) -> list[Known]:
        """Those of these ids that are known, in any order."""
        if not ids:
            return []
        with reading(self._engine) as connection:
            found = connection.execute(
                self._known, {"backend": backend, "ids": bound_ids(self._engine.dialect.name, ids)}
            )
            return [Known(*row) for row in found]

    def following(self, backend: str, after_key: int, limit: int) -> list[tuple[int, str, bytes]]:
        """Key, id and digest of the next people in the order in which they were written down."""
        c = table.c
        query = sa.select(c.key, c.person_id, c.digest).where(c.backend == backend, c.key > after_key)
        with reading(self._engine) as connection:
            return connection.execute(query.order_by(c.key).limit(limit)).all()  # type: ignore[return-value]

    def left(self, backend: str, after_key: int, limit: int) -> list[Left]:
        """The next people by key, as the search for missing ones needs them."""
        c = table.c
        query = sa.select(c.key, c.person_id, c.gone_at).where(c.backend == backend, c.key > after_key)
        with reading(self._engine) as connection:
            return [Left(*row) for row in connection.execute(query.order_by(c.key).limit(limit))]

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

    def refresh(self, digests: Sequence[tuple[int, bytes]]) -> None:
        """Note other digests, by key, of people whose documents stay what they are."""
        if digests:
            changed = table.update().where(table.c.key == sa.bindparam("k")).values(digest=sa.bindparam("d"))
            with writing(self._engine) as connection:
                connection.execute(changed, [{"k": key, "d": digest} for key, digest in digests])

    def wipe(self, backend: str) -> None:
        """Forget everybody of a backend, without an event; in steps, so that nobody waits long for the write lock."""
        c = table.c
        some = sa.select(c.key).where(c.backend == backend).limit(_WIPED_AT_ONCE)
        while True:
            with writing(self._engine) as connection:
                if connection.execute(table.delete().where(c.key.in_(some))).rowcount < _WIPED_AT_ONCE:
                    return
