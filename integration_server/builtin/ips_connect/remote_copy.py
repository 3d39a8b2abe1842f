"""The copy of another master's accounts: what its pushes and its people's logins tell of them.

The master's word outweighs what the copy has: whoever has a name or an address here that the master gives to somebody
else has lost it, and all that is known of them is their id. Such gaps are remembered, as are accounts that were told of
and never were here; and who of them is banned: masters push bans once, and do not look at them at a login.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import ClassVar

import sqlalchemy as sa

from integration_server import Storage, normalize_name
from integration_server.builtin.ips_connect.account import Account, Change, NewPerson, Outcome, fit
from integration_server.builtin.ips_connect.accounts import Accounts, Clock, fit_person
from integration_server.builtin.ips_connect.tables import gaps
from integration_server.builtin.ips_connect.writer import LARGEST_ADOPTED_ID, LARGEST_ID, Writer


@dataclass(frozen=True, slots=True)
class Gaps:
    """How many accounts are known by id alone, and the lowest of these ids."""

    count: int
    first: int | None


class CopyWriter(Writer):
    """Leaves and fills gaps while it writes."""

    def adopt(self, id: int, person: NewPerson, is_banned: bool | None = None) -> Outcome:
        outcome = super().adopt(id, person, is_banned)
        if outcome in (Outcome.EMAIL_IN_USE, Outcome.USERNAME_IN_USE):
            self.leave_gap(id, is_banned)
        elif self._fill_gap(id) and is_banned is None:
            self.update(id, "ban", {"status": "1"}, is_banned=True)
            return Outcome.DONE
        return outcome

    def update(self, id: int, method: str | None, details: Mapping[str, str], **values: object) -> Outcome:
        outcome = super().update(id, method, details, **values)
        if outcome is Outcome.NOT_FOUND:
            is_banned = values.get("is_banned")
            self.leave_gap(id, is_banned if isinstance(is_banned, bool) else None)
        return outcome

    def delete(self, id: int) -> Outcome:
        was_gap = self._fill_gap(id) is not None
        outcome = super().delete(id)
        if was_gap:
            self._note(id)
        return outcome

    def displace(self, owner: Account | None, by: int) -> None:
        """Forget an account, unless it is ``by``, down to its id and whether it is banned."""
        if owner is not None and owner.id != by:
            self.delete(owner.id)
            self.leave_gap(owner.id, owner.is_banned)

    def leave_gap(self, id: int, is_banned: bool | None = None) -> None:
        """``is_banned`` None: that is not known, or as it was."""
        then = "NOTHING" if is_banned is None else "UPDATE SET is_banned = excluded.is_banned"
        self._connection.execute(
            sa.text(
                "INSERT INTO ips_connect_gaps (backend, account, is_banned) VALUES (:backend, :account, :is_banned)"
                f" ON CONFLICT (backend, account) DO {then}"
            ),
            {"backend": self._backend, "account": id, "is_banned": bool(is_banned)},
        )

    def _fill_gap(self, id: int) -> bool | None:
        """Whether the account was banned in it, None where there was none."""
        mine = sa.and_(gaps.c.backend == self._backend, gaps.c.account == id)
        was_banned: bool | None = self._connection.scalar(sa.select(gaps.c.is_banned).where(mine))
        if was_banned is not None:
            self._connection.execute(gaps.delete().where(mine))
        return was_banned


class Copy(Accounts):
    """Accounts that belong to another master. Nobody is told of their changes, and none is ever refused because of
    somebody else's name or address; but for ``adopt``, which is for imports."""

    _writer: ClassVar[type[Writer]] = CopyWriter

    def __init__(self, backend: str, storage: Storage, clock: Clock = time.time) -> None:
        super().__init__(backend, storage, clock, is_master=False)

    # -- what the master tells -----------------------------------------------------------------------------------

    def learn(self, id: int, person: NewPerson, was: Account | None) -> Outcome:
        """Keep an account as the master tells it. ``was`` is the account here before that: where it has changed
        meanwhile, what changed it came later, and nothing is done (UNCHANGED). Raises ValueError as ``adopt``."""
        if not 0 < id <= LARGEST_ADOPTED_ID:
            raise ValueError(f"id: is not from 1 to {LARGEST_ADOPTED_ID}")
        person = fit_person(person)
        with self._copying() as writer:
            if writer.with_id(id) != was:
                return Outcome.UNCHANGED
            writer.displace(writer.with_email(person.email), id)
            writer.displace(writer.with_name(person.name), id)
            return writer.adopt(id, person)

    def change_email(self, id: int, email: str, origin: str | None = None) -> Outcome:
        email = fit("email", email)
        with self._copying() as writer:
            writer.displace(writer.with_email(email), id)
            return writer.update(id, None, {}, email=email, folded_email=normalize_name(email))

    def change_name(self, id: int, name: str, origin: str | None = None) -> Outcome:
        name = fit("name", name)
        with self._copying() as writer:
            writer.displace(writer.with_name(name), id)
            return writer.update(id, None, {}, name=name, folded_name=normalize_name(name))

    def merge(self, kept: int, removed: int, origin: str | None = None) -> Outcome:
        """The master has removed the one account, whether the other is here or not."""
        outcome = super().merge(kept, removed, origin)
        if outcome is Outcome.NOT_FOUND and kept != removed:
            with self._copying() as writer:
                if writer.with_id(kept) is None:
                    writer.leave_gap(kept)
                writer.delete(removed)
        return outcome

    def changes(self, number: int, limit: int) -> list[Change]:
        """An account that was displaced is not gone."""
        found = super().changes(number, limit)
        return [
            replace(one, is_gone=False) if one.account is None and self._gap(one.id) is not None else one
            for one in found
        ]

    @contextmanager
    def _copying(self) -> Iterator[CopyWriter]:
        with self._writing() as writer:
            assert isinstance(writer, CopyWriter)
            yield writer

    # -- gaps ----------------------------------------------------------------------------------------------------

    def leave_gap(self, id: int) -> None:
        """The master has an account of that id. Nothing happens where it is here, or known to be missing."""
        if not 0 < id <= LARGEST_ID or self._gap(id) is not None:
            return
        with self._copying() as writer:
            if writer.with_id(id) is None:
                writer.leave_gap(id)

    def gaps(self) -> Gaps:
        query = sa.select(sa.func.count(), sa.func.min(gaps.c.account)).where(gaps.c.backend == self._backend)
        with self._storage.reading() as connection:
            return Gaps(*connection.execute(query).one())

    def is_gap(self, id: int) -> bool:
        """Whether no more is known of an account than that there is one."""
        return self._gap(id) is not None

    def is_banned(self, id: int) -> bool:
        """Also for accounts of which no more is known."""
        account = self.find(id)
        return bool(self._gap(id)) if account is None else account.is_banned

    def _gap(self, id: int) -> bool | None:
        mine = sa.and_(gaps.c.backend == self._backend, gaps.c.account == id)
        with self._storage.reading() as connection:
            found: bool | None = connection.scalar(sa.select(gaps.c.is_banned).where(mine))
        return found
