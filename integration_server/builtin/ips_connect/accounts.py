"""The accounts of one IPS Connect network: who is there, and every change that a master is asked for.

Each change is one transaction, and doing it again changes nothing. Names and addresses are compared whatever their
case. All methods raise StoreUnavailable.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from integration_server import Storage, normalize_name
from integration_server.builtin.ips_connect.account import (
    Account,
    Change,
    NewPerson,
    Outcome,
    Registration,
    fit,
    is_storable,
)
from integration_server.builtin.ips_connect.methods import IdType
from integration_server.builtin.ips_connect.tables import accounts, changes, counters

_COLUMNS = tuple(accounts.c[name] for name in Account.__dataclass_fields__)
_LARGEST_ID = 2**63 - 1
#: So many namesakes are told apart by small numbers, later ones by the number of their account.
_NAMESAKES = 20

Clock = Callable[[], float]


class Accounts:
    """The accounts of one backend, by its name in the configuration. Thread-safe, and so are several processes: writers
    come one after another. Does no I/O when made."""

    def __init__(self, backend: str, storage: Storage, clock: Clock = time.time) -> None:
        self._backend = backend
        self._storage = storage
        self._clock = clock

    # -- asking ------------------------------------------------------------------------------------------------------

    def find(self, id: int) -> Account | None:
        return self._one(accounts.c.id == id) if 0 < id <= _LARGEST_ID else None

    def find_by_name(self, name: str) -> Account | None:
        return self._one(accounts.c.folded_name == normalize_name(name)) if is_storable(name) else None

    def find_by_email(self, email: str) -> Account | None:
        return self._one(accounts.c.folded_email == normalize_name(email)) if is_storable(email) else None

    def find_login(self, login: str, id_type: IdType) -> Account | None:
        """Whom people mean who type this. Of two accounts, one of which is called as the other's address is, the owner
        of the address is meant."""
        found = None
        if id_type in (IdType.EMAIL, IdType.EITHER):
            found = self.find_by_email(login)
        if found is None and id_type in (IdType.NAME, IdType.EITHER):
            found = self.find_by_name(login)
        return found

    def check_email(self, email: str) -> bool:
        """Whether somebody has the address."""
        return self.find_by_email(email.strip()) is not None

    def check_name(self, name: str) -> bool:
        """Whether somebody has the name."""
        return self.find_by_name(name.strip()) is not None

    def count(self) -> int:
        with self._storage.reading() as connection:
            query = sa.select(sa.func.count()).select_from(accounts).where(accounts.c.backend == self._backend)
            return connection.scalar(query) or 0

    def everybody(self, batch: int) -> Generator[list[Account], None, None]:
        """All accounts as they are at one moment, in batches, by id. Close the iterator where it is left early.

        One statement for all: between two, somebody could get the name that somebody else gave up, and both be seen
        with it.
        """
        query = sa.select(*_COLUMNS).where(accounts.c.backend == self._backend).order_by(accounts.c.id)
        with self._storage.reading() as connection:
            rows = connection.execution_options(yield_per=batch).execute(query)
            for some in rows.partitions():
                yield [Account(*row) for row in some]

    def last_change(self) -> int:
        """The number of the newest change; 0 before the first."""
        with self._storage.reading() as connection:
            query = sa.select(counters.c.last_change).where(counters.c.backend == self._backend)
            return connection.scalar(query) or 0

    def changes(self, number: int, limit: int) -> list[Change]:
        """The accounts whose last change has a higher number, in the order of these. A number is never seen before a
        lower one."""
        account = sa.and_(accounts.c.backend == changes.c.backend, accounts.c.id == changes.c.account)
        query = (
            sa.select(changes.c.number, changes.c.account, *_COLUMNS)
            .select_from(changes.outerjoin(accounts, account))
            .where(changes.c.backend == self._backend, changes.c.number > number)
            .order_by(changes.c.number)
            .limit(limit)
        )
        with self._storage.reading() as connection:
            rows = connection.execute(query).all()
        return [Change(row[0], row[1], None if row[2] is None else Account(*row[2:])) for row in rows]

    def _one(self, condition: sa.ColumnElement[bool]) -> Account | None:
        query = sa.select(*_COLUMNS).where(accounts.c.backend == self._backend, condition)
        with self._storage.reading() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else Account(*row)

    # -- changing ----------------------------------------------------------------------------------------------------

    def register(self, person: NewPerson) -> Registration:
        """Make an account, unless somebody has the address or, looked at after it, the name: then nothing is changed,
        and theirs is given with EMAIL_IN_USE or USERNAME_IN_USE.

        Raises ValueError for values that cannot be kept.
        """
        person = _fit_person(person)
        with self._writing() as writer:
            for found, outcome in (
                (writer.with_email(person.email), Outcome.EMAIL_IN_USE),
                (writer.with_name(person.name), Outcome.USERNAME_IN_USE),
            ):
                if found is not None:
                    return Registration(found, outcome)
            return Registration(writer.add(person), Outcome.DONE)

    def register_namesake(self, person: NewPerson) -> Registration:
        """The same for somebody who has not chosen the name: who finds it taken gets it with a number."""
        person = _fit_person(person)
        with self._writing() as writer:
            found = writer.with_email(person.email)
            if found is not None:
                return Registration(found, Outcome.EMAIL_IN_USE)
            return Registration(writer.add(person, writer.free_name(person.name)), Outcome.DONE)

    def validate(self, id: int) -> Outcome:
        """The address is confirmed."""
        return self._update(id, revalidate_url="")

    def set_ban(self, id: int, is_banned: bool) -> Outcome:
        return self._update(id, is_banned=is_banned)

    def change_password(self, id: int, pass_hash: str, pass_salt: str) -> Outcome:
        """Both are kept as they are. Raises ValueError for what cannot be."""
        return self._update(id, pass_hash=fit("pass_hash", pass_hash), pass_salt=fit("pass_salt", pass_salt))

    def change_email(self, id: int, email: str) -> Outcome:
        """EMAIL_IN_USE also for an account that is not there, as that is looked at last. Raises ValueError."""
        email = fit("email", email)
        with self._writing() as writer:
            if (owner := writer.with_email(email)) is not None and owner.id != id:
                return Outcome.EMAIL_IN_USE
            return writer.update(id, email=email, folded_email=normalize_name(email))

    def change_name(self, id: int, name: str) -> Outcome:
        """USERNAME_IN_USE as in ``change_email``. Raises ValueError."""
        name = fit("name", name)
        with self._writing() as writer:
            if (owner := writer.with_name(name)) is not None and owner.id != id:
                return Outcome.USERNAME_IN_USE
            return writer.update(id, name=name, folded_name=normalize_name(name))

    def delete(self, id: int) -> Outcome:
        """Its id is never given again."""
        with self._writing() as writer:
            return writer.delete(id)

    def merge(self, kept: int, removed: int) -> Outcome:
        """Delete ``removed``, whose content belongs to ``kept`` from now on. NOT_FOUND where either is not there; an
        account that is merged into itself stays."""
        with self._writing() as writer:
            if writer.with_id(kept) is None or writer.with_id(removed) is None:
                return Outcome.NOT_FOUND
            return Outcome.UNCHANGED if kept == removed else writer.delete(removed)

    def _update(self, id: int, **values: object) -> Outcome:
        with self._writing() as writer:
            return writer.update(id, **values)

    @contextmanager
    def _writing(self) -> Iterator[_Writer]:
        with self._storage.writing() as connection:
            yield _Writer(connection, self._backend, self._clock())


class _Writer:
    """One transaction. It locks the counters at once: nobody else writes until it ends, and what it reads stays so."""

    def __init__(self, connection: sa.Connection, backend: str, now: float) -> None:
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
        return self._one(accounts.c.id == id) if 0 < id <= _LARGEST_ID else None

    def with_email(self, email: str) -> Account | None:
        return self._one(accounts.c.folded_email == normalize_name(email))

    def with_name(self, name: str) -> Account | None:
        return self._one(accounts.c.folded_name == normalize_name(name))

    def _one(self, condition: sa.ColumnElement[bool]) -> Account | None:
        query = sa.select(*_COLUMNS).where(accounts.c.backend == self._backend, condition)
        row = self._connection.execute(query).one_or_none()
        return None if row is None else Account(*row)

    def free_name(self, name: str) -> str:
        """The name, or with the first number behind it that nobody has."""
        small = (str(number) for number in range(2, _NAMESAKES))
        large = (str(number) for number in itertools.count(self._last_id + 1))
        # What makes room for the number is the end of a name that is too long with it.
        numbered = (f"{name[: 255 - 1 - len(number)].rstrip()} {number}" for number in itertools.chain(small, large))
        return next(one for one in itertools.chain([name], numbered) if self.with_name(one) is None)

    def add(self, person: NewPerson, name: str | None = None) -> Account:
        """A new account of somebody whose values fit, and of whom nobody has the address and the name."""
        account = Account(
            id=self._last_id + 1,
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
        values = {column.name: getattr(account, column.name) for column in _COLUMNS}
        folded = {"folded_name": normalize_name(account.name), "folded_email": normalize_name(account.email)}
        self._connection.execute(accounts.insert(), {"backend": self._backend, **values, **folded})
        self._connection.execute(counters.update().where(self._counters).values(last_id=account.id))
        self._last_id = account.id
        self._note(account.id)
        return account

    def update(self, id: int, **values: object) -> Outcome:
        account = self.with_id(id)
        if account is None:
            return Outcome.NOT_FOUND
        if all(getattr(account, name, value) == value for name, value in values.items()):
            return Outcome.UNCHANGED
        mine = sa.and_(accounts.c.backend == self._backend, accounts.c.id == id)
        self._connection.execute(accounts.update().where(mine).values(**values, changed_at=self._now))
        self._note(id)
        return Outcome.DONE

    def delete(self, id: int) -> Outcome:
        if self.with_id(id) is None:
            return Outcome.NOT_FOUND
        self._connection.execute(accounts.delete().where(accounts.c.backend == self._backend, accounts.c.id == id))
        self._note(id)
        return Outcome.DONE

    def _note(self, id: int) -> None:
        """Number the change."""
        self._last_change += 1
        self._connection.execute(counters.update().where(self._counters).values(last_change=self._last_change))
        self._connection.execute(
            sa.text(
                "INSERT INTO ips_connect_changes (backend, account, number) VALUES (:backend, :account, :number)"
                " ON CONFLICT (backend, account) DO UPDATE SET number = excluded.number"
            ),
            {"backend": self._backend, "account": id, "number": self._last_change},
        )


def _fit_person(person: NewPerson) -> NewPerson:
    """The values of somebody as they are kept. Raises ValueError."""
    return NewPerson(
        name=fit("name", person.name),
        email=fit("email", person.email),
        pass_hash=fit("pass_hash", person.pass_hash),
        pass_salt=fit("pass_salt", person.pass_salt),
        revalidate_url=fit("revalidate_url", person.revalidate_url),
        full_name=None if person.full_name is None else fit("full_name", person.full_name),
    )
