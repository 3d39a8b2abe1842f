"""Accounts that change all the time, and what slaves must have been told of it in the end."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace

from integration_server import Event
from integration_server.builtin.ips_connect.account import Account, NewPerson
from integration_server.builtin.ips_connect.accounts import Accounts
from integration_server.store import Store
from tests.builtin.ips_connect.slaves import Member, Slave, as_member

#: So few that whatever somebody gives up is soon somebody else's.
NAMES = [f"name {number}" for number in range(12)]
EMAILS = [f"address{number}@example.org" for number in range(12)]
#: What a call is about, beside the account.
_DETAILS = ("name", "email", "revalidateUrl", "status", "remove")

Told = tuple[tuple[str, str], ...]


class Changes:
    """Makes random changes, those that the accounts take."""

    def __init__(self, accounts: Accounts, seed: int) -> None:
        self.accounts = accounts
        self._chance = random.Random(seed)
        self._serial = 0

    def make(self, count: int) -> None:
        for _ in range(count):
            kinds = (self._register, self._rename, self._move, self._swap, self._replace, self._other)
            self._chance.choices(kinds, (4, 5, 5, 2, 2, 5))[0]()

    def everybody(self) -> list[Account]:
        return [one for some in self.accounts.everybody(1_000) for one in some]

    def _someone(self) -> Account | None:
        everybody = self.everybody()
        return self._chance.choice(everybody) if everybody else None

    def _register(self) -> None:
        url = self._chance.choice(["", "", "https://a.example/confirm?x=1&y=2"])
        self._newcomer(self._chance.choice(NAMES), self._chance.choice(EMAILS), url)

    def _newcomer(self, name: str, email: str, url: str = "") -> int:
        return self.accounts.register(NewPerson(name, email, *self._password(), revalidate_url=url)).account.id

    def _password(self) -> tuple[str, str]:
        self._serial += 1
        return f"$2a$13$hash/{self._serial}", f"salt {self._serial}"

    def _rename(self) -> None:
        if (one := self._someone()) is not None:
            self.accounts.change_name(one.id, self._chance.choice(NAMES))

    def _move(self) -> None:
        if (one := self._someone()) is not None:
            self.accounts.change_email(one.id, self._chance.choice(EMAILS))

    def _swap(self) -> None:
        """Two people take each other's name and address, over a third of each."""
        one, other = self._someone(), self._someone()
        if one is None or other is None or one.id == other.id:
            return
        for change, mine, theirs in (
            (self.accounts.change_name, one.name, other.name),
            (self.accounts.change_email, one.email, other.email),
        ):
            change(one.id, f"{mine} for now")
            change(other.id, mine)
            change(one.id, theirs)

    def _replace(self) -> None:
        """Somebody goes, and somebody comes with the same name and address, and goes, and comes."""
        if (one := self._someone()) is None:
            return
        self.accounts.delete(one.id)
        again = self._newcomer(one.name, one.email)
        if self._chance.random() < 0.5:
            self.accounts.delete(again)
            self._newcomer(one.name, one.email)

    def _other(self) -> None:
        one, other = self._someone(), self._someone()
        if one is None or other is None:
            return
        kind = self._chance.randrange(6)
        if kind == 0:
            self.accounts.validate(one.id)
        elif kind == 1:
            self.accounts.set_ban(one.id, not one.is_banned)
        elif kind == 2:
            self.accounts.change_password(one.id, *self._password())
        elif kind == 3:
            self.accounts.delete(one.id)
        elif kind == 4:
            self.accounts.merge(one.id, other.id)
        else:
            self.accounts.change_name(one.id, one.name.upper() if one.name.islower() else one.name.lower())

    @contextmanager
    def going_on(self, pause: float) -> Iterator[None]:
        """Changes come one after the other while the block runs."""
        is_over = threading.Event()
        failed: list[BaseException] = []

        def run() -> None:
            try:
                while not is_over.wait(pause):
                    self.make(1)
            except BaseException as exc:
                failed.append(exc)

        thread = threading.Thread(target=run, name="changes")
        thread.start()
        try:
            yield
        finally:
            is_over.set()
            thread.join()
        assert not failed, failed

    def members(self) -> dict[int, Member]:
        """What a slave that is in step has."""
        return {one.id: as_member(one) for one in self.everybody()}

    def is_in_step(self, slave: Slave) -> bool:
        """Whether a slave has what its master has. It may keep another spelling of a name or an address, as it does not
        take one that it takes for the same."""
        return _folded(slave.members()) == _folded(self.members())


def _folded(members: dict[int, Member]) -> dict[int, Member]:
    return {id: replace(one, name=one.name.lower(), email=one.email.lower()) for id, one in members.items()}


def events_of(store: Store, backend: str) -> list[Event]:
    found: list[Event] = []
    while some := store.journal.events(found[-1].serial if found else 0, 1_000):
        found += some
    return [one for one in found if one.backend == backend and one.type.startswith("ips_connect.")]


def check_order(slave: Slave, events: Sequence[Event], gone: frozenset[str]) -> int:
    """The slave was told of these and nothing else, each at least once and before the next; how many came again, of
    which there were never more than the last two at a time.

    New passwords of those who are ``gone`` by now do not count, as they may not have been told.
    """
    journal = [_told({"do": one.type.partition(".")[2], "id": one.person_id, **(one.after or {})}) for one in events]
    expected, told = (
        [one for one in some if not (one[0][1] == "changePassword" and one[1][1] in gone)]
        for some in (journal, [_told(sent) for sent in slave.forum.done])
    )
    position, repeats = -1, 0
    for number, one in enumerate(told):
        found = [at for at in (position + 1, position, position - 1) if expected[max(at, 0) : at + 1] == [one]]
        around = expected[max(position - 1, 0) : position + 2]
        assert found, f"call {number} comes too late or too early: {told[number : number + 3]} among {around}"
        repeats += found[0] <= position
        position = found[0]
    assert position == len(expected) - 1, f"the slave was not told of {expected[position + 1 :][:3]}"
    return repeats


def _told(sent: Mapping[str, object]) -> Told:
    return tuple((name, str(sent[name])) for name in ("do", "id", *_DETAILS) if name in sent)
