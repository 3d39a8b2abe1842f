"""Accounts that are taken over with the ids that they have elsewhere, many of them in one transaction."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, NamedTuple, Self

import sqlalchemy as sa

from integration_server import IntegrationError, normalize_name
from integration_server.builtin.ips_connect import passwords
from integration_server.builtin.ips_connect.account import Account, fit
from integration_server.builtin.ips_connect.tables import accounts, counters
from integration_server.builtin.ips_connect.writer import COLUMNS, LARGEST_ADOPTED_ID, Writer

#: What is compared and changed of an account that is here already. Hash and salt belong together.
DETAILS = ("name", "email", "pass_hash", "full_name", "is_banned", "revalidate_url")
#: So many clashes are told.
MOST_CLASHES = 20
_BATCH = 1000
_NAMES = tuple(column.name for column in COLUMNS)
_SET: Mapping[str, sa.BindParameter[object]] = {name: sa.bindparam(f"new_{name}") for name in _NAMES if name != "id"}
_UPDATE = (
    accounts.update()
    .where(accounts.c.backend == sa.bindparam("new_backend"), accounts.c.id == sa.bindparam("new_id"))
    .values(**_SET, folded_name=sa.bindparam("new_folded_name"), folded_email=sa.bindparam("new_folded_email"))
)
#: The accounts ``t`` of ``:backend`` that have one of ``:values``. Each is looked up in the index: of a table that has
#: just grown, PostgreSQL would read everything each time. CROSS JOIN keeps SQLite from beginning with the larger table.
_AMONG = {
    "sqlite": "json_each(:values) wanted CROSS JOIN ips_connect_accounts t"
    " ON t.backend = :backend AND t.{column} = wanted.value",
    "postgresql": "unnest(CAST(:values AS {type}[])) AS wanted(value) CROSS JOIN LATERAL (SELECT * FROM"
    " ips_connect_accounts a WHERE a.backend = :backend AND a.{column} = wanted.value LIMIT 1) t",
}


@dataclass(frozen=True, slots=True)
class Adopted:
    """How many accounts are new, how many were changed, and how many were so already."""

    added: int = 0
    updated: int = 0
    unchanged: int = 0


@dataclass(frozen=True, slots=True)
class Clash:
    """Why the account with this id cannot be taken over. ``reason`` begins with the attribute."""

    id: int
    reason: str


class AdoptionRefused(IntegrationError):
    """Accounts clash with others, so none was taken over. ``clashes`` are the first of ``count``."""

    def __init__(self, clashes: Sequence[Clash], count: int) -> None:
        super().__init__("\n".join(f"account {clash.id}: {clash.reason}" for clash in clashes))
        self.clashes = tuple(clashes)
        self.count = count


def fit_adopted(account: Account) -> Account:
    """The account with its values as they are kept. An empty hash or salt makes both empty: its password is not known.

    Raises ValueError, which begins with the attribute.
    """
    if not 0 < account.id <= LARGEST_ADOPTED_ID:
        raise ValueError(f"id: is not from 1 to {LARGEST_ADOPTED_ID}")
    has_password = bool(account.pass_hash and account.pass_salt)
    return Account(
        id=account.id,
        name=fit("name", account.name),
        email=fit("email", account.email),
        full_name=fit("full_name", account.full_name) if account.full_name else None,
        pass_hash=fit("pass_hash", account.pass_hash) if has_password else "",
        pass_salt=fit("pass_salt", account.pass_salt) if has_password else "",
        is_banned=account.is_banned,
        revalidate_url=fit("revalidate_url", account.revalidate_url) if account.revalidate_url else "",
        created_at=account.created_at,
        changed_at=account.changed_at,
    )


class _Move(NamedTuple):
    """An account as it is to be, and as it is now, or None where it is not here; and the new one's name and address in
    the form in which they are compared."""

    old: Account | None
    new: Account
    name: str
    email: str

    @classmethod
    def of(cls, old: Account | None, new: Account) -> Self:
        return cls(old, new, normalize_name(new.name), normalize_name(new.email))


class Adoption(Writer):
    """One transaction of one backend that takes accounts over. Call ``take``, then ``finish``."""

    def __init__(
        self,
        connection: sa.Connection,
        backend: str,
        now: float,
        origin: str | None = None,
        details: Collection[str] = DETAILS,
        may_update: bool = False,
        is_told: bool = False,
    ) -> None:
        """``details`` are those of DETAILS that are known of the accounts."""
        super().__init__(connection, backend, now, origin)
        self._details = tuple(name for name in DETAILS if name in details)
        self._may_update = may_update
        self._is_told = is_told
        self._largest_id = self._last_id
        #: What waits for somebody else to give up a name or an address.
        self._blocked: dict[int, _Move] = {}
        self._clashes: list[Clash] = []
        self._clash_count = 0
        self._added = self._updated = self._unchanged = 0
        if connection.dialect.name == "postgresql":
            # Else it keeps to a plan for the few rows that there were at first.
            connection.exec_driver_sql("SET LOCAL plan_cache_mode = force_custom_plan")

    def take(self, people: Iterable[Account]) -> None:
        """Raises ValueError for values that cannot be kept."""
        iterator = iter(people)
        while some := [fit_adopted(one) for one in islice(iterator, _BATCH)]:
            self._place(self._moves(some))

    def finish(self) -> Adopted:
        """Raises AdoptionRefused: then the transaction must be undone."""
        # Who waits for a name that was given up meanwhile gets it now, and then those who wait for theirs.
        before = len(self._blocked) + 1
        while 0 < len(self._blocked) < before:
            before, waiting = len(self._blocked), list(self._blocked.values())
            self._blocked.clear()
            for start in range(0, len(waiting), _BATCH):
                self._place(waiting[start : start + _BATCH])
        for move in self._blocked.values():
            self._clash(move.new.id, self._owner(move))
        if self._clashes:
            raise AdoptionRefused(self._clashes, self._clash_count)
        last = {"last_id": self._largest_id, "last_change": self._last_change}
        self._connection.execute(counters.update().where(self._counters).values(**last))
        return Adopted(self._added, self._updated, self._unchanged)

    # -- what there is to do -----------------------------------------------------------------------------------------

    def _moves(self, some: Sequence[Account]) -> list[_Move]:
        here = self._here([one.id for one in some])
        moves: dict[int, _Move] = {}
        for one in some:
            old = here.get(one.id)
            new = self._merged(old, one)
            different = [] if old is None else [name for name in self._details if _differs(old, new, name)]
            if one.id in moves or one.id in self._blocked:
                self._clash(one.id, "id: comes twice")
            elif old is None or (different and self._may_update):
                moves[one.id] = _Move.of(old, new)
            elif different:
                self._clash(one.id, f"id: is here already, with another {', '.join(different)}")
            else:
                self._unchanged += 1
        return list(moves.values())

    def _here(self, ids: Sequence[int]) -> dict[int, Account]:
        found = (Account(*row) for row in self._among(accounts.c.id, "bigint", ids, COLUMNS))
        return {one.id: one for one in found}

    def _merged(self, old: Account | None, one: Account) -> Account:
        """The account as it is to be: what is not known of it stays as it is, or is made."""
        if old is None and one.pass_hash:
            return one
        if old is None:
            pass_hash, pass_salt = passwords.unusable()
            return replace(one, pass_hash=pass_hash, pass_salt=pass_salt)
        known = {name: getattr(one, name) for name in self._details if name != "pass_hash"}
        if "pass_hash" in self._details and one.pass_hash:
            known |= {"pass_hash": one.pass_hash, "pass_salt": one.pass_salt}
        return replace(old, **known)

    def _place(self, moves: Sequence[_Move]) -> None:
        """Write those whose names nobody else has."""
        names = self._owners(accounts.c.folded_name, [move.name for move in moves])
        emails = self._owners(accounts.c.folded_email, [move.email for move in moves])
        free: list[_Move] = []
        for move in moves:
            id = move.new.id
            if names.setdefault(move.name, id) == id and emails.setdefault(move.email, id) == id:
                free.append(move)
            elif self._may_update:
                self._blocked[id] = move
            else:
                # Nobody gives a name up.
                self._clash(id, self._owner(move))
        self._write(free)

    def _owners(self, column: sa.Column[str], values: Sequence[str]) -> dict[str, int]:
        found = self._among(column, "text", values, (column, accounts.c.id))
        return {row[0]: row[1] for row in found}

    def _among(
        self,
        column: sa.Column[Any],
        type: str,
        values: Sequence[object],
        wanted: Sequence[sa.Column[Any]],
    ) -> Sequence[Sequence[Any]]:
        """Columns of the accounts that have one of these values."""
        dialect = self._connection.dialect.name
        place = _AMONG[dialect].format(column=column.name, type=type)
        names = ", ".join(f"t.{one.name}" for one in wanted)
        statement = sa.text(f"SELECT {names} FROM {place}").columns(*wanted)
        bound = json.dumps(values) if dialect == "sqlite" else values
        return self._connection.execute(statement, {"backend": self._backend, "values": bound}).all()

    def _owner(self, move: _Move) -> str:
        """Whose the name or the address is."""
        names, emails = (
            self._owners(accounts.c.folded_name, [move.name]),
            self._owners(accounts.c.folded_email, [move.email]),
        )
        if (owner := names.get(move.name, move.new.id)) != move.new.id:
            return f"name: {move.new.name!r} is account {owner}'s"
        if (owner := emails.get(move.email, move.new.id)) != move.new.id:
            return f"email: {move.new.email!r} is account {owner}'s"
        return "name, email: another account that is taken over has one of them, too"

    def _clash(self, id: int, reason: str) -> None:
        self._clash_count += 1
        if len(self._clashes) < MOST_CLASHES:
            self._clashes.append(Clash(id, reason))

    # -- writing -----------------------------------------------------------------------------------------------------

    def _write(self, moves: Sequence[_Move]) -> None:
        added = [self._row(move) for move in moves if move.old is None]
        updated = [self._row(move) for move in moves if move.old is not None]
        if added:
            self._connection.execute(accounts.insert(), added)
        if updated:
            self._connection.execute(_UPDATE, [{f"new_{key}": row[key] for key in row} for row in updated])
        self._added += len(added)
        self._updated += len(updated)
        if moves:
            ids = [move.new.id for move in moves]
            self._note_all(ids)
            self._largest_id = max(self._largest_id, *ids)
        for move in moves if self._is_told else ():
            self._tell(move)

    def _row(self, move: _Move) -> dict[str, object]:
        values = {name: getattr(move.new, name) for name in _NAMES}
        values |= {"backend": self._backend, "folded_name": move.name, "folded_email": move.email}
        created_at = self._now if move.old is None else move.old.created_at
        return {**values, "created_at": created_at, "changed_at": self._now}

    def _tell(self, move: _Move) -> None:
        old, new = move.old, move.new
        if old is None:
            self.tell_registered(new)
        changed = {name for name in self._details if old is not None and _differs(old, new, name)}
        told: Mapping[str, tuple[str, dict[str, str]]] = {
            "name": ("changeName", {"name": new.name}),
            "email": ("changeEmail", {"email": new.email}),
            "pass_hash": ("changePassword", {}),
            "is_banned": ("ban", {"status": "1" if new.is_banned else "0"}),
        }
        for name, (method, details) in told.items():
            # A new account is told without its ban.
            if name in changed or (name == "is_banned" and old is None and new.is_banned):
                self.tell(new.id, method, details)
        if "revalidate_url" in changed and not new.revalidate_url:
            self.tell(new.id, "validate", {})


def _differs(old: Account, new: Account, name: str) -> bool:
    if name == "pass_hash":
        return (old.pass_hash, old.pass_salt) != (new.pass_hash, new.pass_salt)
    # Somebody without a full name may have an empty one.
    return (getattr(old, name) or "") != (getattr(new, name) or "")
