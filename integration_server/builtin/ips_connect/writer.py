"""One transaction in the accounts of a network, and what its other members are told of it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence

import sqlalchemy as sa

from integration_server import Notice, normalize_name
from integration_server.builtin.ips_connect.account import Account, NewPerson, Outcome
from integration_server.builtin.ips_connect.tables import TABLES, accounts, counters, links

COLUMNS = tuple(accounts.c[name] for name in Account.__dataclass_fields__)
LARGEST_ID = 2**63 - 1
#: There must be room for those that are given after it.
LARGEST_ADOPTED_ID = 2**62
#: So many namesakes are told apart by small numbers, later ones by the number of their account.
_NAMESAKES = 20
_NOTE = sa.text(
    "INSERT INTO ips_connect_changes (backend, account, number) VALUES (:backend, :account, :number)"
    " ON CONFLICT (backend, account) DO UPDATE SET number = excluded.number"
)


class Writer:
    """One transaction of one backend. It locks the counters at once: nobody else writes until it ends, and what it
    reads stays so."""

    def __init__(self, connection: sa.Connection, backend: str, now: float, origin: str | None) -> None:
        self.notices: list[Notice] = []
        self._origin = origin
        self._connection = connection
        self._backend = backend
        self._now = now
        self._counters = counters.c.backend == backend
        query = sa.select(counters.c.last_id, counters.c.last_change).where(self._counters).with_for_update()
        row = connection.execute(query).one_or_none()
        if row is None:
            first = "INSERT INTO ips_connect_counters VALUES (:backend, 0, 0) ON CONFLICT (backend) DO NOTHING"
            connection.execute(sa.text(first), {"backend": backend})
            row = connection.execute(query).one()
        self._last_id, self._last_change = row

    def with_id(self, id: int) -> Account | None:
        return self._one(accounts.c.id == id) if 0 < id <= LARGEST_ID else None

    def with_email(self, email: str) -> Account | None:
        return self._one(accounts.c.folded_email == normalize_name(email))

    def with_name(self, name: str) -> Account | None:
        return self._one(accounts.c.folded_name == normalize_name(name))

    def _one(self, condition: sa.ColumnElement[bool]) -> Account | None:
        query = sa.select(*COLUMNS).where(accounts.c.backend == self._backend, condition)
        row = self._connection.execute(query).one_or_none()
        return None if row is None else Account(*row)

    def free_name(self, name: str) -> str:
        """The name, or with the first number behind it that nobody has."""
        small = (str(number) for number in range(2, _NAMESAKES))
        large = (str(number) for number in itertools.count(self._last_id + 1))
        # What makes room for the number is the end of a name that is too long with it.
        numbered = (f"{name[: 255 - 1 - len(number)].rstrip()} {number}" for number in itertools.chain(small, large))
        return next(one for one in itertools.chain([name], numbered) if self.with_name(one) is None)

    def add(self, person: NewPerson, name: str | None = None, id: int | None = None) -> Account:
        """A new account of somebody whose values fit, and of whom nobody has the address and the name; nor ``id``."""
        account = Account(
            id=id or self._last_id + 1,
            name=name or person.name,
            email=person.email,
            full_name=person.full_name,
            pass_hash=person.pass_hash,
            pass_salt=person.pass_salt,
            is_banned=False,
            revalidate_url=person.revalidate_url,
            created_at=self._now,
            changed_at=self._now,
        )
        values = {column.name: getattr(account, column.name) for column in COLUMNS}
        folded = {"folded_name": normalize_name(account.name), "folded_email": normalize_name(account.email)}
        self._connection.execute(accounts.insert(), {"backend": self._backend, **values, **folded})
        self._last_id = max(self._last_id, account.id)
        self._connection.execute(counters.update().where(self._counters).values(last_id=self._last_id))
        self._note(account.id)
        self.tell_registered(account)
        return account

    def adopt(self, id: int, person: NewPerson, is_banned: bool | None = None) -> Outcome:
        """See ``Accounts.adopt``; the values fit."""
        for owner, outcome in (
            (self.with_email(person.email), Outcome.EMAIL_IN_USE),
            (self.with_name(person.name), Outcome.USERNAME_IN_USE),
        ):
            if owner is not None and owner.id != id:
                return outcome
        is_new = self.with_id(id) is None
        if is_new:
            self.add(person, id=id)
        changes = _changes(person, is_banned)
        outcomes = [self.update(id, method, details, **values) for method, details, values in changes]
        return Outcome.DONE if is_new or Outcome.DONE in outcomes else Outcome.UNCHANGED

    def update(self, id: int, method: str | None, details: Mapping[str, str], **values: object) -> Outcome:
        """Set columns, and tell of it as the change that ``method`` is, if it is one."""
        account = self.with_id(id)
        if account is None:
            return Outcome.NOT_FOUND
        if all(getattr(account, name, value) == value for name, value in values.items()):
            return Outcome.UNCHANGED
        mine = sa.and_(accounts.c.backend == self._backend, accounts.c.id == id)
        self._connection.execute(accounts.update().where(mine).values(**values, changed_at=self._now))
        self._note(id)
        if method is not None:
            self.tell(id, method, details)
        return Outcome.DONE

    def delete(self, id: int) -> Outcome:
        if self.with_id(id) is None:
            return Outcome.NOT_FOUND
        self._connection.execute(accounts.delete().where(accounts.c.backend == self._backend, accounts.c.id == id))
        # What is left of the account is its number.
        self._connection.execute(links.update().where(self._linked(id)).values(name="", email="", wanted=""))
        self._note(id)
        return Outcome.DONE

    def pass_on_link(self, old: int, new: int) -> None:
        """Whoever ``old`` stands for, ``new`` stands for from now on, unless that is somebody already."""
        if self._connection.scalar(sa.select(links.c.account).where(self._linked(new))) is None:
            self._connection.execute(links.update().where(self._linked(old)).values(account=new))

    def _linked(self, id: int) -> sa.ColumnElement[bool]:
        return sa.and_(links.c.backend == self._backend, links.c.account == id)

    def tell_registered(self, account: Account) -> None:
        """Hash and salt are read when they are sent."""
        url = account.revalidate_url
        self.tell(account.id, "register", {"name": account.name, "email": account.email, "revalidateUrl": url})

    def tell(self, id: int, method: str, details: Mapping[str, str]) -> None:
        self.notices.append(Notice(f"{TABLES.name}.{method}", self._backend, str(id), details, self._origin))

    def _note(self, id: int) -> None:
        """Number the change."""
        self._note_all([id])
        self._connection.execute(counters.update().where(self._counters).values(last_change=self._last_change))

    def _note_all(self, ids: Sequence[int]) -> None:
        """Number a change of each of some accounts; whoever calls writes the last number down."""
        rows = [
            {"backend": self._backend, "account": id, "number": number}
            for number, id in enumerate(ids, self._last_change + 1)
        ]
        self._last_change += len(rows)
        self._connection.execute(_NOTE, rows)


def _changes(
    person: NewPerson, is_banned: bool | None
) -> Iterator[tuple[str | None, Mapping[str, str], Mapping[str, object]]]:
    """What makes an account that of a person, as arguments of ``Writer.update``."""
    name, email, url = person.name, person.email, person.revalidate_url
    yield "changeName", {"name": name}, {"name": name, "folded_name": normalize_name(name)}
    yield "changeEmail", {"email": email}, {"email": email, "folded_email": normalize_name(email)}
    yield "changePassword", {}, {"pass_hash": person.pass_hash, "pass_salt": person.pass_salt}
    # There is no method that takes a confirmation back.
    yield None if url else "validate", {}, {"revalidate_url": url}
    if person.full_name is not None:
        yield None, {}, {"full_name": person.full_name}
    if is_banned is not None:
        yield "ban", {"status": "1" if is_banned else "0"}, {"is_banned": is_banned}
