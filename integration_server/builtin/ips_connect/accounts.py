"""The accounts of one IPS Connect network: who is there, and every change that a master is asked for.

Each change is one transaction, and doing it again changes nothing. With it goes an event for the other members of the
network, who therefore hear of every change in the order in which they were made. Names and addresses are compared
whatever their case. All methods raise StoreUnavailable.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Generator, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, ClassVar

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
from integration_server.builtin.ips_connect.adoption import DETAILS, Adopted, Adoption
from integration_server.builtin.ips_connect.logins import Logins
from integration_server.builtin.ips_connect.methods import IdType
from integration_server.builtin.ips_connect.tables import accounts, changes, counters
from integration_server.builtin.ips_connect.writer import COLUMNS, LARGEST_ADOPTED_ID, LARGEST_ID, Writer

Clock = Callable[[], float]


class _TrialOver(Exception):
    """Undoes a transaction."""


class Accounts:
    """The accounts of one backend, by its name in the configuration. Thread-safe, and so are several processes: writers
    come one after another. Does no I/O when made."""

    _writer: ClassVar[type[Writer]] = Writer

    def __init__(self, backend: str, storage: Storage, clock: Clock = time.time, is_master: bool = True) -> None:
        """``is_master`` false: the accounts belong to another server, and nobody is told of their changes."""
        self._backend = backend
        self._is_master = is_master
        self._storage = storage
        self._clock = clock
        self._logins = Logins(backend, storage)

    # -- asking ------------------------------------------------------------------------------------------------------

    def find(self, id: int) -> Account | None:
        return self._one(accounts.c.id == id) if 0 < id <= LARGEST_ID else None

    def find_by_name(self, name: str) -> Account | None:
        return self._one(accounts.c.folded_name == normalize_name(name)) if is_storable(name) else None

    def find_by_email(self, email: str) -> Account | None:
        return self._one(accounts.c.folded_email == normalize_name(email)) if is_storable(email) else None

    def find_login(self, login: str, id_type: IdType) -> Account | None:
        """Whom people mean who type this. Of two accounts, one of which is called as the other's address is, the owner
        of the address is meant."""
        return self._logins.find(login, id_type)

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
        query = sa.select(*COLUMNS).where(accounts.c.backend == self._backend).order_by(accounts.c.id)
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
            sa.select(changes.c.number, changes.c.account, *COLUMNS)
            .select_from(changes.outerjoin(accounts, account))
            .where(changes.c.backend == self._backend, changes.c.number > number)
            .order_by(changes.c.number)
            .limit(limit)
        )
        with self._storage.reading() as connection:
            rows = connection.execute(query).all()
        return [_change(*row) for row in rows]

    def _one(self, condition: sa.ColumnElement[bool]) -> Account | None:
        query = sa.select(*COLUMNS).where(accounts.c.backend == self._backend, condition)
        with self._storage.reading() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else Account(*row)

    # -- changing ----------------------------------------------------------------------------------------------------

    # ``origin`` is the subscription of the member that asks for the change, which is not told of it.

    def register(self, person: NewPerson, origin: str | None = None) -> Registration:
        """Make an account, unless somebody has the address or, looked at after it, the name: then nothing is changed,
        and theirs is given with EMAIL_IN_USE or USERNAME_IN_USE. The others are told of that one, too: whoever asks
        for it may have missed it, and so may they.

        Raises ValueError for values that cannot be kept.
        """
        person = fit_person(person)
        with self._writing(origin) as writer:
            for found, outcome in (
                (writer.with_email(person.email), Outcome.EMAIL_IN_USE),
                (writer.with_name(person.name), Outcome.USERNAME_IN_USE),
            ):
                if found is not None:
                    writer.tell_registered(found)
                    return Registration(found, outcome)
            return Registration(writer.add(person), Outcome.DONE)

    def register_namesake(self, person: NewPerson) -> Registration:
        """The same for somebody who has not chosen the name: who finds it taken gets it with a number."""
        person = fit_person(person)
        with self._writing() as writer:
            found = writer.with_email(person.email)
            if found is not None:
                return Registration(found, Outcome.EMAIL_IN_USE)
            return Registration(writer.add(person, writer.free_name(person.name)), Outcome.DONE)

    def adopt(self, id: int, person: NewPerson, is_banned: bool | None = None) -> Outcome:
        """Keep an account of another server under the id that it has there; ids that are given from now on are higher.

        An account that has the id here becomes what the person is; ``full_name`` and ``is_banned`` stay where they are
        None. UNCHANGED where it was so already, EMAIL_IN_USE or USERNAME_IN_USE where somebody with another id has
        the address or the name: then nothing is changed.

        Raises ValueError for values that cannot be kept, and for an id below 1 or above 2^62.
        """
        if not 0 < id <= LARGEST_ADOPTED_ID:
            raise ValueError(f"id: is not from 1 to {LARGEST_ADOPTED_ID}")
        person = fit_person(person)
        with self._writing() as writer:
            return writer.adopt(id, person, is_banned)

    def validate(self, id: int, origin: str | None = None) -> Outcome:
        """The address is confirmed."""
        with self._writing(origin) as writer:
            return writer.update(id, "validate", {}, revalidate_url="")

    def set_ban(self, id: int, is_banned: bool, origin: str | None = None) -> Outcome:
        with self._writing(origin) as writer:
            return writer.update(id, "ban", {"status": "1" if is_banned else "0"}, is_banned=is_banned)

    def change_password(self, id: int, pass_hash: str, pass_salt: str, origin: str | None = None) -> Outcome:
        """Both are kept as they are. Raises ValueError for what cannot be."""
        values = {"pass_hash": fit("pass_hash", pass_hash), "pass_salt": fit("pass_salt", pass_salt)}
        with self._writing(origin) as writer:
            return writer.update(id, "changePassword", {}, **values)

    def change_email(self, id: int, email: str, origin: str | None = None) -> Outcome:
        """EMAIL_IN_USE also for an account that is not there, as that is looked at last. Raises ValueError."""
        email = fit("email", email)
        with self._writing(origin) as writer:
            if (owner := writer.with_email(email)) is not None and owner.id != id:
                return Outcome.EMAIL_IN_USE
            details = {"email": email, **_spelling(owner)}
            return writer.update(id, "changeEmail", details, email=email, folded_email=normalize_name(email))

    def change_name(self, id: int, name: str, origin: str | None = None) -> Outcome:
        """USERNAME_IN_USE as in ``change_email``. Raises ValueError."""
        name = fit("name", name)
        with self._writing(origin) as writer:
            if (owner := writer.with_name(name)) is not None and owner.id != id:
                return Outcome.USERNAME_IN_USE
            details = {"name": name, **_spelling(owner)}
            return writer.update(id, "changeName", details, name=name, folded_name=normalize_name(name))

    def delete(self, id: int, origin: str | None = None) -> Outcome:
        """Its id is never given again."""
        with self._writing(origin) as writer:
            outcome = writer.delete(id)
            if outcome is Outcome.DONE:
                writer.tell(id, "delete", {})
            return outcome

    def merge(self, kept: int, removed: int, origin: str | None = None) -> Outcome:
        """Delete ``removed``, whose content belongs to ``kept`` from now on. NOT_FOUND where either is not there; an
        account that is merged into itself stays."""
        with self._writing(origin) as writer:
            if writer.with_id(kept) is None or writer.with_id(removed) is None:
                return Outcome.NOT_FOUND
            if kept == removed:
                return Outcome.UNCHANGED
            writer.tell(kept, "merge", {"remove": str(removed)})
            writer.pass_on_link(removed, kept)
            return writer.delete(removed)

    def adopt_all(
        self,
        people: Iterable[Account],
        *,
        details: Collection[str] = DETAILS,
        may_update: bool = False,
        is_told: bool = False,
        is_trial: bool = False,
        origin: str | None = None,
    ) -> Adopted:
        """Take accounts over with the ids that they have elsewhere: all of them, or none. Later ids are higher.

        Their times are not looked at. An empty hash or salt says that the password is not known: who is new gets one
        that nobody knows, the others keep theirs. An account whose id is here already with other ``details`` is
        refused, or becomes so where it ``may_update``; what is not among them stays. The others of the network are told
        only where ``is_told``. ``is_trial``: all of it is tried, and nothing is kept.

        Raises AdoptionRefused, and ValueError for values that cannot be kept. Whoever else changes accounts waits until
        it is done.
        """
        found = Adopted()
        with suppress(_TrialOver), self._storage.writing() as connection:
            adoption = Adoption(connection, self._backend, self._clock(), origin, details, may_update, is_told)
            adoption.take(people)
            found = adoption.finish()
            if is_trial:
                raise _TrialOver
            if self._is_master:
                self._storage.tell(connection, adoption.notices)
        return found

    @contextmanager
    def _writing(self, origin: str | None = None) -> Iterator[Writer]:
        with self._storage.writing() as connection:
            writer = self._writer(connection, self._backend, self._clock(), origin)
            yield writer
            if self._is_master:
                self._storage.tell(connection, writer.notices)


def _change(number: int, id: int, *account: Any) -> Change:
    is_gone = account[0] is None
    return Change(number, id, None if is_gone else Account(*account), is_gone)


def _spelling(owner: Account | None) -> dict[str, str]:
    """Where the owner is the very account, the others, which compare as we do, have the name or the address as its."""
    return {} if owner is None else {"is_respelled": "1"}


def fit_person(person: NewPerson) -> NewPerson:
    """The values of somebody as they are kept. Raises ValueError."""
    return NewPerson(
        name=fit("name", person.name),
        email=fit("email", person.email),
        pass_hash=fit("pass_hash", person.pass_hash),
        pass_salt=fit("pass_salt", person.pass_salt),
        revalidate_url=fit("revalidate_url", person.revalidate_url),
        full_name=None if person.full_name is None else fit("full_name", person.full_name),
    )
