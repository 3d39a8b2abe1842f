"""Public ids of people and groups: opaque, made once, and the same for ever after.

A person's is random. A group's is its own name where that is made of letters, digits, ``-`` and ``_``, and not taken by
another one of the mount in whatever case; else one that is made of it.
"""

from __future__ import annotations

import itertools
import re
import secrets
import unicodedata
from collections.abc import Iterator, Sequence

import sqlalchemy as sa

from integration_server.store.engine import reading, writing
from integration_server.store.people import bound_set, joined_ids
from integration_server.store.schema import group_identities, profile_identities

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_PLAIN = re.compile(r"[A-Za-z0-9_-]{1,100}", re.ASCII)
_LONGEST_MADE = 60
#: Ids that are made in one transaction, so that others may write in between.
_MADE_AT_ONCE = 500
#: People whose ids are remembered, some tens of megabytes.
_REMEMBERED = 100_000

Owner = tuple[str, str]


def base62(number: int) -> str:
    """A number in digits, lower and upper case letters, without leading zeros."""
    text = ""
    while number:
        number, digit = divmod(number, 62)
        text = _DIGITS[digit] + text
    return text or "0"


class Identities:
    """The tables. Thread-safe; does not own the engine. Its methods raise StoreUnavailable."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        joined = joined_ids(engine.dialect.name, "profile_identities")
        self._profiles = sa.text(f"SELECT t.person_id, t.profile_id FROM {joined}")
        # What was made never changes, so what was looked up of late is remembered. Groups are few.
        self._owners: dict[str, Owner] = {}
        self._ids: dict[Owner, str] = {}
        self._groups: dict[tuple[str, str, str], str] = {}

    def profiles(self, backend: str, person_ids: Sequence[str]) -> list[str]:
        """The public id of each of these people of a backend; who has none gets one."""
        if len(person_ids) == 1:
            return [self._profile((backend, person_ids[0]))]
        return self._profiles_of(backend, person_ids)

    def _profile(self, owner: Owner) -> str:
        found = self._ids.get(owner)
        if found is None:
            (found,) = self._profiles_of(owner[0], [owner[1]])
            self._remember(found, owner)
        return found

    def _remember(self, profile_id: str, owner: Owner) -> None:
        if len(self._owners) >= _REMEMBERED:
            self._owners, self._ids = {}, {}
        self._owners[profile_id], self._ids[owner] = owner, profile_id

    def _profiles_of(self, backend: str, person_ids: Sequence[str]) -> list[str]:
        found = self._known(backend, person_ids)
        missing = [person_id for person_id in dict.fromkeys(person_ids) if person_id not in found]
        for first in range(0, len(missing), _MADE_AT_ONCE):
            some = missing[first : first + _MADE_AT_ONCE]
            self._make(backend, some)
            # Another process may have been quicker, and then its ids count.
            found |= self._known(backend, some)
        return [found[person_id] for person_id in person_ids]

    def _known(self, backend: str, person_ids: Sequence[str]) -> dict[str, str]:
        if not person_ids:
            return {}
        values = {"backend": backend, "ids": bound_set(self._engine.dialect.name, list(person_ids))}
        with reading(self._engine) as connection:
            return {row[0]: row[1] for row in connection.execute(self._profiles, values)}

    def _make(self, backend: str, person_ids: Sequence[str]) -> None:
        rows = [
            {"profile_id": base62(secrets.randbits(128)), "backend": backend, "person_id": person_id}
            for person_id in person_ids
        ]
        with writing(self._engine) as connection:
            connection.execute(or_nothing(self._engine, profile_identities), rows)

    def owner(self, profile_id: str) -> Owner | None:
        """Backend and id of the person with this public id, letter for letter."""
        known = self._owners.get(profile_id)
        if known is not None:
            return known
        c = profile_identities.c
        with reading(self._engine) as connection:
            row = connection.execute(sa.select(c.backend, c.person_id).where(c.profile_id == profile_id)).one_or_none()
        if row is None:
            return None
        owner = (row.backend, row.person_id)
        self._remember(profile_id, owner)
        return owner

    def groups(self, mount: str, backend: str, names: Sequence[str]) -> list[str]:
        """What a mount calls each of these groups of a backend; which has no id gets one."""
        missing = [name for name in dict.fromkeys(names) if (mount, backend, name) not in self._groups]
        if missing:
            self._learn_groups(mount, backend)
            for name in missing:
                if (mount, backend, name) not in self._groups:
                    self._make_group(mount, backend, name)
            self._learn_groups(mount, backend)
        return [self._groups[mount, backend, name] for name in names]

    def _learn_groups(self, mount: str, backend: str) -> None:
        c = group_identities.c
        query = sa.select(c.name, c.group_id).where(c.mount == mount, c.backend == backend)
        with reading(self._engine) as connection:
            self._groups |= {(mount, backend, row.name): row.group_id for row in connection.execute(query)}

    def _make_group(self, mount: str, backend: str, name: str) -> None:
        statement = or_nothing(self._engine, group_identities)
        c = group_identities.c
        ours = sa.select(c.group_id).where(c.mount == mount, c.backend == backend, c.name == name)
        for group_id in _candidates(name):
            values = {"group_id": group_id, "folded": group_id.lower(), "backend": backend, "name": name}
            with writing(self._engine) as connection:
                connection.execute(statement, {"mount": mount, **values})
                if connection.scalar(ours) is not None:
                    return

    def group(self, mount: str, group_id: str) -> Owner | None:
        """Backend and name of the group that a mount calls so, letter for letter."""
        c = group_identities.c
        query = sa.select(c.backend, c.name).where(c.mount == mount, c.group_id == group_id)
        with reading(self._engine) as connection:
            row = connection.execute(query).one_or_none()
        return (row.backend, row.name) if row is not None else None


def _candidates(name: str) -> Iterator[str]:
    base = name
    if not _PLAIN.fullmatch(name):
        plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
        base = re.sub(r"[^A-Za-z0-9_-]+", "-", plain)[:_LONGEST_MADE].strip("-") or "group"
    yield base
    yield from (f"{base}-{number}" for number in itertools.count(2))


def or_nothing(engine: sa.Engine, table: sa.Table) -> sa.Insert:
    """Inserts a row, or nothing where one of its keys is taken."""
    if engine.dialect.name == "sqlite":
        from sqlalchemy.dialects.sqlite import insert

        return insert(table).on_conflict_do_nothing()
    from sqlalchemy.dialects.postgresql import insert as postgresql_insert

    return postgresql_insert(table).on_conflict_do_nothing()
