"""The names of released and held lists: the guard's memory, and who owned a name last."""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import sqlalchemy as sa

from integration_server.store.engine import reading, writing
from integration_server.store.schema import name_lists as table

_SEPARATOR = b"\0"
_CHUNK = 1 << 16
#: So much is gathered without being made smaller, which takes longer than all else that is done with names: mostly they
#: are those of the list before, and are not stored once more.
_LOOSE_BYTES = 1 << 21
RELEASED, HELD = "released", "held"
#: An empty set of entries that were left out, packed.
NOBODY = zlib.compress(b"")


@dataclass(frozen=True, slots=True)
class NameList:
    """The normalised names of one list, packed (a zlib stream); grouped by backend in the order of ``owners``.

    ``is_loose``: packed without being made smaller.
    """

    count: int
    digest: str
    packed: bytes = field(repr=False)
    owners: tuple[tuple[str, int], ...]
    left_out: bytes = field(default=NOBODY, repr=False)
    is_loose: bool = False

    def names(self) -> list[str]:
        """The names in the order in which they were listed."""
        return [name for some in self.chunks() for name in some]

    def chunks(self) -> Iterator[list[str]]:
        """The names a few thousand at a time, for those who cannot afford a million texts in memory."""
        inflate = zlib.decompressobj()
        rest, packed = b"", self.packed
        while plain := inflate.decompress(packed, _CHUNK):
            packed = inflate.unconsumed_tail
            whole, separator, rest_of_it = (rest + plain).rpartition(_SEPARATOR)
            if separator:
                yield whole.decode("utf-8").split("\0")
            rest = rest_of_it
        if self.count:
            yield [rest.decode("utf-8")]

    def owner(self, name: str) -> str | None:
        """The backend that listed this normalised name, or None."""
        needle = name.encode("utf-8")
        plain = _SEPARATOR + zlib.decompress(self.packed) + _SEPARATOR
        found = plain.find(_SEPARATOR + needle + _SEPARATOR)
        if found < 0 or not needle:
            return None
        position = plain.count(_SEPARATOR, 0, found)
        for backend, number in self.owners:
            if position < number:
                return backend
            position -= number
        return None


class NamePacker:
    """Packs names as a listing passes by; memory grows with the packed size only, from a few megabytes on."""

    def __init__(self) -> None:
        self._is_loose = True
        self._deflate = zlib.compressobj(0)
        self._digest = hashlib.sha256()
        self._parts: list[bytes] = []
        self._size = 0
        self._owners: dict[str, int] = {}
        self._left_out: list[str] = []
        self._count = 0

    def leave_out(self, backend: str, entry_ids: Iterable[str]) -> None:
        """Note entries that are not on the list because another one holds their name."""
        self._left_out += [text for entry_id in entry_ids for text in (backend, entry_id)]

    def add(self, backend: str, names: Sequence[str]) -> None:
        """Names of one backend; all of one backend come together."""
        if not names:
            return
        plain = "\0".join(names).encode("utf-8")
        if self._count:
            plain = _SEPARATOR + plain
        self._digest.update(plain)
        self._parts.append(self._deflate.compress(plain))
        self._size += len(plain)
        if self._is_loose and self._size > _LOOSE_BYTES:
            self._press()
        self._count += len(names)
        self._owners[backend] = self._owners.get(backend, 0) + len(names)

    def _press(self) -> None:
        plain = zlib.decompress(self._packed())
        self._is_loose, self._deflate = False, zlib.compressobj(1)
        self._parts = [self._deflate.compress(plain)]

    def _packed(self) -> bytes:
        return b"".join([*self._parts, self._deflate.copy().flush()])

    def finish(self) -> NameList:
        """The names packed so far, as a list of its own; more may follow."""
        left_out = zlib.compress("\0".join(self._left_out).encode(), 1)
        owners = tuple(self._owners.items())
        return NameList(self._count, self._digest.hexdigest(), self._packed(), owners, left_out, self._is_loose)


def unpack_left_out(packed: bytes) -> frozenset[tuple[str, str]]:
    """Backend and id of each entry that was left out."""
    plain = zlib.decompress(packed).decode()
    texts = plain.split("\0") if plain else []
    return frozenset(zip(texts[::2], texts[1::2], strict=True))


@dataclass(frozen=True, slots=True)
class StoredList:
    """A list in the store. Times are Unix seconds."""

    id: int
    mount: str
    state: str
    first_at: float
    last_at: float
    missing_count: int
    reason: str
    content: NameList


@dataclass(frozen=True, slots=True)
class ListSummary:
    """A list in the store without its names. ``name_count`` is how many there are, ``missing_count`` how many a held
    one lacks. Times are Unix seconds."""

    id: int
    mount: str
    state: str
    first_at: float
    last_at: float
    name_count: int
    digest: str
    missing_count: int
    reason: str


_SUMMARY = [getattr(table.c, name) for name in ListSummary.__slots__]


class NameLists:
    """The table. Does not own the engine."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def reference(self, mount: str, since: float) -> StoredList | None:
        """The largest list released after ``since``, or, where there is none, the latest before."""
        c = table.c
        mine = sa.select(table).where(c.mount == mount, c.state == RELEASED)
        recent = mine.where(c.last_at >= since).order_by(c.name_count.desc(), c.last_at.desc())
        return self._first(recent) or self.latest(mount)

    def oldest(self, mount: str, since: float) -> StoredList | None:
        """Of the lists released after ``since`` the one that was replaced first."""
        c = table.c
        mine = sa.select(table).where(c.mount == mount, c.state == RELEASED, c.last_at >= since)
        return self._first(mine.order_by(c.last_at, c.id))

    def summaries(self) -> list[ListSummary]:
        """Every list that is kept, the latest last."""
        with reading(self._engine) as connection:
            rows = connection.execute(sa.select(*_SUMMARY).order_by(table.c.last_at, table.c.id))
            return [ListSummary(**row._mapping) for row in rows]

    def left_out(self, mount: str) -> bytes:
        """Who was left out of the list that was released last, packed."""
        c = table.c
        query = sa.select(c.left_out).where(c.mount == mount, c.state == RELEASED)
        with reading(self._engine) as connection:
            return connection.scalar(query.order_by(c.last_at.desc(), c.id.desc()).limit(1)) or NOBODY

    def latest(self, mount: str) -> StoredList | None:
        """The list that was released last."""
        c = table.c
        return self._first(
            sa.select(table).where(c.mount == mount, c.state == RELEASED).order_by(c.last_at.desc(), c.id.desc())
        )

    def released_digests(self, mount: str) -> frozenset[str]:
        """The digests of the names of each released list that is kept."""
        c = table.c
        with reading(self._engine) as connection:
            return frozenset(connection.scalars(sa.select(c.digest).where(c.mount == mount, c.state == RELEASED)))

    def latest_digest(self, mount: str) -> str | None:
        """The digest of its names."""
        c = table.c
        query = sa.select(c.digest).where(c.mount == mount, c.state == RELEASED)
        with reading(self._engine) as connection:
            found: str | None = connection.scalar(query.order_by(c.last_at.desc(), c.id.desc()).limit(1))
            return found

    def held(self, mount: str) -> StoredList | None:
        """The list that the guard holds now."""
        return self._first(sa.select(table).where(table.c.mount == mount, table.c.state == HELD))

    def release(self, mount: str, names: NameList, now: float, keep_since: float) -> None:
        """Note a list that goes out. Ends a hold, and forgets lists that no longer serve as a reference."""
        c = table.c
        with writing(self._engine) as connection:
            connection.execute(table.delete().where(c.mount == mount, c.state == HELD))
            same = connection.execute(
                table.update()
                .where(c.mount == mount, c.state == RELEASED, c.digest == names.digest)
                .values(last_at=now, owners=json.dumps(names.owners), left_out=names.left_out)
            )
            if not same.rowcount:
                connection.execute(table.insert().values(_row(mount, RELEASED, names, now, 0, "")))
            # A reference is the largest list of the window or its oldest; what is neither, nor larger than the
            # newest, can never become one. Rows in another order each time would pile up otherwise.
            oldest = connection.scalar(
                sa.select(c.id)
                .where(c.mount == mount, c.state == RELEASED, c.last_at >= keep_since)
                .order_by(c.last_at, c.id)
                .limit(1)
            )
            useless = sa.or_(c.last_at < keep_since, sa.and_(c.name_count <= names.count, c.id != oldest))
            connection.execute(
                table.delete().where(c.mount == mount, c.state == RELEASED, c.digest != names.digest, useless)
            )

    def hold(self, mount: str, names: NameList, now: float, missing_count: int, reason: str) -> None:
        """Note a list that does not go out; it replaces the one held before. The same names keep their id, so that
        whoever is reading them can still accept them.
        """
        c = table.c
        mine = (c.mount == mount, c.state == HELD)
        with writing(self._engine) as connection:
            first = connection.scalar(sa.select(c.first_at).where(*mine))
            row = {**_row(mount, HELD, names, now, missing_count, reason), "first_at": first or now}
            connection.execute(table.delete().where(*mine, c.digest != names.digest))
            if not connection.execute(table.update().where(*mine).values(row)).rowcount:
                connection.execute(table.insert().values(row))

    def accept(self, mount: str, held_id: int, now: float) -> bool:
        """Make a held list the only reference of its mount. False when it is no longer the one that is held."""
        c = table.c
        with writing(self._engine) as connection:
            changed = connection.execute(
                table.update()
                .where(c.mount == mount, c.id == held_id, c.state == HELD)
                .values(state=RELEASED, last_at=now, missing_count=0, reason="accepted")
            ).rowcount
            if changed:
                connection.execute(table.delete().where(c.mount == mount, c.id != held_id))
            return bool(changed)

    def _first(self, query: sa.Select[tuple[object, ...]]) -> StoredList | None:
        with reading(self._engine) as connection:
            row = connection.execute(query.limit(1)).one_or_none()
        if row is None:
            return None
        owners = tuple((backend, number) for backend, number in json.loads(row.owners))
        content = NameList(row.name_count, row.digest, row.names, owners, row.left_out)
        return StoredList(
            row.id, row.mount, row.state, row.first_at, row.last_at, row.missing_count, row.reason, content
        )


def _row(mount: str, state: str, names: NameList, now: float, missing: int, reason: str) -> dict[str, object]:
    return {
        "mount": mount,
        "state": state,
        "first_at": now,
        "last_at": now,
        "name_count": names.count,
        "digest": names.digest,
        "names": zlib.compress(zlib.decompress(names.packed), 1) if names.is_loose else names.packed,
        "owners": json.dumps(names.owners),
        "left_out": names.left_out,
        "missing_count": missing,
        "reason": reason,
    }
