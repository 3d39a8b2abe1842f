"""People of other backends who have accounts here: what happens to them happens to their accounts.

Each event is one transaction, and what it makes of an account is told to the members of the network like any other
change. An event that comes again, or after a later one, changes nothing. What members do to such an account stays: its
name and address change when they change in the other backend, and a ban is lifted by whoever made it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, cast

import sqlalchemy as sa

from integration_server import CLOSED_STATES, DeliveryBlocked, Event, Storage, normalize_name
from integration_server.builtin.ips_connect import passwords
from integration_server.builtin.ips_connect.account import Account, NewPerson, fit
from integration_server.builtin.ips_connect.links import Link, Links
from integration_server.builtin.ips_connect.moves import Moves
from integration_server.builtin.ips_connect.tables import accounts, links
from integration_server.builtin.ips_connect.writer import COLUMNS, Writer

logger = logging.getLogger(__name__)

_NAME_LENGTH = 255
_FULL_NAME_LENGTH = 1_000
_CLOSED = frozenset(state.value for state in CLOSED_STATES)


@dataclass(frozen=True, slots=True)
class Rules:
    """See the settings. ``sources`` are all backends whose people have accounts here."""

    sources: frozenset[str]
    names: Literal["username", "full_name"] = "username"
    deletions: Literal["ban", "delete"] = "ban"
    link_accounts: bool = True


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody as an event has them, as far as an account can hold it: ``email`` is None for who has no proved one."""

    name: str
    full_name: str | None
    email: str | None
    is_active: bool


class People:
    """The accounts of one backend, as far as they stand for people of others. Thread-safe, and so are several
    processes. Does no I/O when made; raises StoreUnavailable."""

    def __init__(self, backend: str, storage: Storage, clock: Callable[[], float] = time.time) -> None:
        self._backend = backend
        self._storage = storage
        self._clock = clock

    def check(self) -> None:
        """Return when the store can be asked."""
        with self._storage.reading() as connection:
            connection.execute(sa.select(links.c.account).limit(1)).all()

    def account_of(self, source: str, person_id: str) -> Account | None:
        """The account that stands for somebody."""
        query = (
            sa.select(*COLUMNS)
            .join(links, sa.and_(links.c.backend == accounts.c.backend, links.c.account == accounts.c.id))
            .where(accounts.c.backend == self._backend, links.c.source == source, links.c.person_id == person_id)
        )
        with self._storage.reading() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else Account(*row)

    def follow(self, event: Event, rules: Rules, is_patient: bool = False) -> str:
        """Let the account of a person have what a ``user.*`` event tells; returns what came of it, for people to read.

        Raises DeliveryBlocked where the person's address is somebody else's: for a person who has no account always,
        for one whose account would else keep the address that it has with ``is_patient``.
        """
        with self._storage.writing() as connection:
            writer = Writer(connection, self._backend, self._clock(), None)
            step = _Step(event, rules, is_patient, writer, Links(connection, self._backend))
            told = step.take()
            if writer.notices:
                self._storage.tell(connection, writer.notices)
        if step.obstacle is not None:
            raise DeliveryBlocked(step.obstacle)
        return told


class _Step:
    """One event, in one transaction. ``obstacle`` kept a part of it from being done, so that it must come again."""

    def __init__(self, event: Event, rules: Rules, is_patient: bool, writer: Writer, links: Links) -> None:
        self.obstacle: str | None = None
        self._event = event
        self._rules = rules
        self._is_patient = is_patient
        self._writer = writer
        self._links = links

    def take(self) -> str:
        event = self._event
        link = self._links.find(event.backend, event.person_id)
        if link is not None and _is_old(event, link):
            return "nothing: that or a later event was applied before"
        if event.type == "user.deleted":
            return self._bury(link)
        person = _person(event.after or {}, self._rules.names)
        account = None if link is None else self._writer.with_id(link.account)
        if link is not None and account is not None:
            return self._change(link, account, person)
        if link is not None and not link.is_gone and event.type == "user.updated":
            self._links.put(replace(link, serial=event.serial))
            return "nothing: the account was deleted here; a replay of everybody makes another one"
        if link is not None:
            self._links.put(replace(link, serial=event.serial))
        return self._adopt(person)

    # -- somebody who has no account -------------------------------------------------------------------------------

    def _adopt(self, person: Person) -> str:
        """Raises DeliveryBlocked."""
        event = self._event
        if not person.is_active:
            return "nothing: who is disabled gets no account"
        if not person.name or person.email is None:
            return "nothing: who has no name or no verified address gets no account"
        found = self._writer.with_email(person.email)
        owner = None if found is None else self._links.of_account(found.id)
        if found is not None and owner is not None:
            return self._inherit(found, owner, person)
        if found is not None:
            self._claim(found)
            account, told = found, "there already, linked"
        else:
            pass_hash, pass_salt = passwords.unusable()
            new = NewPerson(person.name, person.email, pass_hash, pass_salt, full_name=person.full_name)
            account, told = self._writer.add(new, self._writer.free_name(person.name)), "made"
        self._links.put(Link(event.backend, event.person_id, account.id, event.serial, person.name, person.email))
        return f"account {account.id}: {told}"

    def _claim(self, account: Account) -> None:
        """Make an account that stands for nobody the person's. Raises DeliveryBlocked."""
        if not self._rules.link_accounts:
            raise DeliveryBlocked(f"account {account.id} has the address, and link_accounts is false")
        if account.revalidate_url:
            # Whoever made it never proved that the address was theirs; the other backend says whose it is.
            self._void_password(account)
            self._writer.update(account.id, "validate", {}, revalidate_url="")

    def _inherit(self, account: Account, owner: Link, person: Person) -> str:
        """Give the account of somebody who is gone to whoever has the address now. Raises DeliveryBlocked."""
        if not owner.is_gone and owner.source in self._rules.sources:
            told = f"account {account.id} has the address, and stands for {owner.person_id} of {owner.source}"
            raise DeliveryBlocked(told)
        self._links.drop(owner)
        if owner.is_gone or owner.is_held:
            # Who left still knows the password, and may be somebody else.
            self._void_password(account)
        link = replace(owner, source=self._event.backend, person_id=self._event.person_id)
        return self._change(link, account, person)

    def _void_password(self, account: Account) -> None:
        pass_hash, pass_salt = passwords.unusable()
        self._writer.update(account.id, "changePassword", {}, pass_hash=pass_hash, pass_salt=pass_salt)

    # -- somebody who has one --------------------------------------------------------------------------------------

    def _change(self, link: Link, account: Account, person: Person) -> str:
        done = [f"account {account.id}:"]
        is_held = link.is_held
        if not person.is_active and not account.is_banned:
            self._set_ban(account.id, is_banned=True)
            is_held = True
            done.append("banned")
        elif person.is_active and is_held:
            self._set_ban(account.id, is_banned=False)
            is_held = False
            done.append("no longer banned")
        if person.full_name is not None:
            self._writer.update(account.id, None, {}, full_name=person.full_name)
        if person.name and person.name != link.name:
            self._rename(account, person.name)
            link = replace(link, name=person.name)
            done.append("renamed")
        if person.email is None or person.email == link.email:
            link = replace(link, wanted="")
        elif self._move(account, person.email):
            link = replace(link, email=person.email, wanted="")
            done.append("has another address")
        else:
            link = replace(link, wanted=person.email)
            done.append("keeps its address, since the new one is another account's")
        serial = link.serial if self.obstacle is not None else self._event.serial
        self._links.put(replace(link, serial=serial, is_held=is_held, is_gone=False))
        return " ".join((done[0], ", ".join(done[1:]) or "nothing to change"))

    def _rename(self, account: Account, name: str) -> None:
        """To the name, or to one with a number where it is somebody else's."""
        owner = self._writer.with_name(name)
        if owner is not None and owner.id != account.id:
            name = self._writer.free_name(name)
        self._writer.update(account.id, "changeName", {"name": name}, name=name, folded_name=normalize_name(name))

    def _move(self, account: Account, email: str) -> bool:
        """To the address, unless it is somebody else's, and stays so."""
        if Moves(self._writer, self._links, self._rules.sources).move(account, email):
            return True
        told = f"account {account.id} cannot get the address: account {self._owner(email)} has it"
        if self._is_patient:
            self.obstacle = told
        else:
            logger.warning("person %s of %s: %s", self._event.person_id, self._event.backend, told)
        return False

    def _owner(self, email: str) -> int | None:
        owner = self._writer.with_email(email)
        return None if owner is None else owner.id

    def _set_ban(self, id: int, is_banned: bool) -> None:
        self._writer.update(id, "ban", {"status": "1" if is_banned else "0"}, is_banned=is_banned)

    # -- somebody who is gone --------------------------------------------------------------------------------------

    def _bury(self, link: Link | None) -> str:
        if link is None:
            return "nothing: had no account"
        account, is_held = self._writer.with_id(link.account), link.is_held
        link = replace(link, serial=self._event.serial, is_gone=True)
        if account is None:
            self._links.put(link)
            return "nothing: the account was deleted before"
        if self._rules.deletions == "delete":
            self._links.put(link)
            self._writer.delete(account.id)
            self._writer.tell(account.id, "delete", {})
            return f"account {account.id}: deleted"
        if not account.is_banned:
            self._set_ban(account.id, is_banned=True)
            is_held = True
        self._links.put(replace(link, is_held=is_held))
        return f"account {account.id}: banned"


def _is_old(event: Event, link: Link) -> bool:
    """A replay of everybody tells of people as they are at its serial, after everything that stands there."""
    return event.serial < link.serial or (event.serial == link.serial and event.type != "user.snapshot")


def _person(document: Mapping[str, object], names: str) -> Person:
    username, full_name = (str(document.get(key) or "") for key in ("username", "full_name"))
    short = username.partition("@")[0] or username
    emails = cast(Sequence[Mapping[str, Any]], document.get("emails") or ())
    verified = (str(one["address"]) for one in emails if one["is_verified"])
    return Person(
        name=_fitting("name", (full_name if names == "full_name" and full_name.strip() else short)[:_NAME_LENGTH]),
        full_name=_fitting("full_name", full_name[:_FULL_NAME_LENGTH]) or None,
        email=next(filter(None, (_fitting("email", address) for address in verified)), None),
        is_active=document.get("state") not in _CLOSED,
    )


def _fitting(what: str, value: str) -> str:
    """A value as it is kept, or nothing where it cannot be."""
    try:
        return fit(what, value)
    except ValueError:
        return ""
