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
#: Ids in no order, ten thousand of them, touch as many pages of their index.
_ADDING_KB = 32_000

_ADD = (
    "INSERT INTO people (backend, person_id, digest, document, serial)"
    " VALUES (?, ?, ?, ?, 0) ON CONFLICT (backend, person_id) DO NOTHING"
)
#: As text, because a converted column costs a Python call per row.
_FOLLOWING = sa.text(
    "SELECT person_id, key, digest FROM people WHERE backend = :backend AND key > :key ORDER BY key LIMIT :limit"
)
#: Ids and digests of a page as one text and one blob: a fraction of what a row for each person costs.
_BLOCK = {
    "sqlite": "SELECT count(*), min(key), max(key), group_concat(person_id, char(1)),"
    " CAST(group_concat(CAST(digest AS TEXT), '') AS BLOB) FROM ({page})",
    "postgresql": "SELECT count(*), min(key), max(key), string_agg(person_id, chr(1) ORDER BY key),"
    " string_agg(digest, CAST('' AS bytea) ORDER BY key) FROM ({page}) AS page",
}
#: What stands between the ids of a block.
SEPARATOR = "\1"
#: A set of ids joined to people, one statement however many ids there are. CROSS JOIN keeps SQLite from beginning with
#: the larger table.
_JOINED = {
    "sqlite": "json_each(:ids) wanted CROSS JOIN {table} t ON t.backend = :backend AND t.person_id = wanted.value",
    "postgresql": "unnest(CAST(:ids AS text[])) AS wanted(value)"
    " JOIN {table} t ON t.backend = :backend AND t.person_id = wanted.value",
}


_AMONG = {
    "sqlite": "key IN (SELECT value FROM json_each(:keys))",
    "postgresql": "key = ANY(CAST(:keys AS bigint[]))",
}

#: One row of all: a row for each costs a thousand times as much while another thread computes, since Python's sqlite3
#: lets go of the interpreter and takes it back for each. No JSON has the character between documents in it.
_BETWEEN = b"\x1e"
_STORED = {
    "sqlite": "SELECT group_concat(t.key), group_concat(t.serial), group_concat(hex(t.digest)),"
    " group_concat(t.document, char(30)) FROM json_each(:keys) wanted CROSS JOIN people t ON t.key = wanted.value",
    "postgresql": "SELECT string_agg(CAST(key AS text), ','), string_agg(CAST(serial AS text), ','),"
    " string_agg(encode(digest, 'hex'), ','), string_agg(document, chr(30)) FROM people"
    f" WHERE {_AMONG['postgresql']}",
}

#: Id, key and digest of one person: what a comparison needs of a million of them, so they are plain tuples.
Known = tuple[str, int, bytes]


#: Id, digest, and document as JSON.
NewPerson = tuple[str, bytes, str]


class Block(NamedTuple):
    """Some people in the order of their keys, all there are from the first to the last: ids with SEPARATOR between
    them, and 16 bytes of digest for each."""

    size: int
    first: int | None
    last: int | None
    ids: str | None
    digests: bytes | None


#: Somebody as they are stored: the serial of the last event about them, digest and document.
Stored = tuple[int, bytes, Document]

#: What ``StoredPeople`` is made of: keys, serials, digests and documents, each as one text; None of nobody.
StoredTexts = tuple[str, str, str, str] | None


class StoredPeople:
    """Some people as they are stored, by key. Each is parsed when somebody asks: a thousand parsed documents keep the
    garbage collector busy."""

    def __init__(self, texts: StoredTexts) -> None:
        self._stored: dict[int, tuple[int, bytes, bytes]] = {}
        if texts is not None:
            keys, serials, digests, documents = texts
            found = map(bytes.fromhex, digests.split(","))
            stored = zip(orjson.loads(f"[{serials}]"), found, documents.encode().split(_BETWEEN), strict=True)
            self._stored = dict(zip(orjson.loads(f"[{keys}]"), stored, strict=True))

    def get(self, key: int) -> Stored | None:
        """One of them, None where there was nobody with this key."""
        found = self._stored.get(key)
        if found is None:
            return None
        serial, digest, document = found
        return serial, digest, orjson.loads(document)


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


def plain(result: sa.CursorResult[Any]) -> list[Any]:
    """The rows as the driver gives them, without an object around each."""
    rows = cast("list[Any]", result.cursor.fetchall())
    result.close()
    return rows


def marked(connection: sa.Connection, statement: str) -> str:
    """A statement for the driver itself: SQLAlchemy would spend more on each row's parameters than the database does.
    Question marks stand for the parameters."""
    return statement if connection.dialect.paramstyle == "qmark" else statement.replace("?", "%s")


def bound_set(dialect: str, values: Sequence[str] | Sequence[int]) -> object:
    """A set of ids or of keys as one parameter of a statement."""
    return orjson.dumps(list(values)).decode() if dialect == "sqlite" else list(values)


def joined_ids(dialect: str, table: str) -> str:
    """The FROM part of a statement about the rows ``t`` of ``:backend`` whose person's id is in ``:ids``."""
    return _JOINED[dialect].format(table=table)


def among_keys(dialect: str) -> str:
    """The condition that a person's key is in ``:keys``. In a million rows, that takes half of what ids take."""
    return _AMONG[dialect]


class People:
    """The table, as detection reads it. Does not own the engine."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        joined = joined_ids(engine.dialect.name, "people")
        self._block = sa.text(_BLOCK[engine.dialect.name].format(page=_FOLLOWING.text))
        self._known = sa.text(f"SELECT t.person_id, t.key, t.digest FROM {joined}")
        self._documents_by_id = sa.text(f"SELECT t.person_id, t.document FROM {joined}")
        self._stored = sa.text(_STORED[engine.dialect.name])

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
        values = {"backend": backend, "ids": bound_set(self._engine.dialect.name, ids)}
        with reading(self._engine) as connection:
            return plain(connection.execute(self._known, values))

    def following(self, backend: str, after_key: int, limit: int) -> Sequence[Known]:
        """The next people in the order in which they were written down."""
        values = {"backend": backend, "key": after_key, "limit": limit}
        with reading(self._engine) as connection:
            return plain(connection.execute(_FOLLOWING, values))

    def block(self, backend: str, after_key: int, limit: int) -> Block:
        """What ``following`` gives, as one."""
        values = {"backend": backend, "key": after_key, "limit": limit}
        with reading(self._engine) as connection:
            return Block._make(plain(connection.execute(self._block, values))[0])

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

    def stored(self, keys: Sequence[int]) -> StoredTexts:
        """The people with these keys, for ``StoredPeople``."""
        if not keys:
            return None
        with reading(self._engine) as connection:
            found = connection.execute(self._stored, {"keys": bound_set(self._engine.dialect.name, keys)})
            keys_found, *others = plain(found)[0]
            return (keys_found, *others) if keys_found is not None else None

    def documents_by_id(self, backend: str, ids: Sequence[str]) -> dict[str, Document]:
        """The documents of those of these people who are known, by id."""
        if not ids:
            return {}
        values = {"backend": backend, "ids": bound_set(self._engine.dialect.name, ids)}
        with reading(self._engine) as connection:
            found = plain(connection.execute(self._documents_by_id, values))
            return {person_id: orjson.loads(document) for person_id, document in found}

    def add(self, backend: str, people: Sequence[NewPerson]) -> int:
        """Write people down without an event. Those whose id is known already stay as they are; returns how many were
        new."""
        if not people:
            return 0
        rows = [(backend, *person) for person in people]
        with writing(self._engine, cache_kb=_ADDING_KB) as connection:
            return connection.exec_driver_sql(marked(connection, _ADD), rows).rowcount

    def wipe(self, backend: str) -> None:
        """Forget everybody of a backend, without an event; in steps, so that nobody waits long for the write lock."""
        c = table.c
        some = sa.select(c.key).where(c.backend == backend).limit(_WIPED_AT_ONCE)
        while True:
            with writing(self._engine) as connection:
                if connection.execute(table.delete().where(c.key.in_(some))).rowcount < _WIPED_AT_ONCE:
                    return
