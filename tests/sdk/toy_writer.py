"""A small correct backend that writes, to try the conformance suites on."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, ClassVar

import pytest

from integration_server import (
    AccountWriter,
    Backend,
    BackendContext,
    BackendMisconfigured,
    BackendSettings,
    BackendUnavailable,
    Batch,
    Deadline,
    Entry,
    Finding,
    Group,
    GroupReader,
    Lookup,
    MapSettings,
    MembershipWriter,
    NewAccount,
    ReadOnlyBackend,
    UnknownGroup,
    UnwritableValue,
    normalize_name,
)
from integration_server.sdk.testing import (
    AccountWriterConformance,
    GroupReaderConformance,
    MembershipWriterConformance,
    Outage,
)

NAMES = ("no", "login", "name", "about", "zone", "mails", "primary", "pending", "teams")


@dataclass
class Person:
    """A row of the toy's; ``mails`` are all addresses, ``primary`` and ``pending`` some of them."""

    no: str
    login: str
    name: str
    about: str | None = None
    zone: str | None = None
    mails: list[str] = field(default_factory=list)
    primary: list[str] = field(default_factory=list)
    pending: list[str] = field(default_factory=list)
    teams: list[str] = field(default_factory=list)

    def row(self) -> tuple[object, ...]:
        return tuple(list(v) if isinstance(v := getattr(self, name), list) else v for name in NAMES)


class Office:
    """Where the toy's people and groups live; it can be closed."""

    def __init__(self) -> None:
        self.is_open = True
        self.lock = threading.Lock()
        self.numbers = itertools.count(200)
        self.groups = {"staff": "Staff", "chess": None, "rowing": "Rowing"}
        people = (
            Person(
                "100",
                "ann",
                "Ann",
                mails=["ann@example.org", "new@example.org"],
                primary=["ann@example.org"],
                pending=["new@example.org"],
            ),
            Person("101", "bob", "Bob", mails=["bob@example.org"], pending=["bob@example.org"], teams=["staff"]),
            Person("102", "cid", "Cid", mails=["cid@example.org"], primary=["cid@example.org"]),
        )
        self.people = {person.no: person for person in people}

    @contextmanager
    def closed(self) -> Iterator[None]:
        self.is_open = False
        try:
            yield
        finally:
            self.is_open = True


OFFICES: dict[str, Office] = {}


class ToySettings(BackendSettings):
    url: str
    is_writable: bool = False


class ToyWriter(Backend, GroupReader, MembershipWriter, AccountWriter):
    """Keeps every promise."""

    type: ClassVar[str] = "toy"
    Settings = ToySettings
    default_map = MapSettings.model_validate(
        {
            **{"id": "no", "username": "login", "full_name": "name", "biography": "about", "tz": "zone"},
            **{"emails": "mails", "preferred_emails": "primary", "unverified_emails": "pending", "groups": "teams"},
        }
    )

    def __init__(self, settings: BackendSettings, context: BackendContext) -> None:
        assert isinstance(settings, ToySettings)
        self.office = OFFICES[settings.url]
        self.is_writable = settings.is_writable

    # -- reading ---------------------------------------------------------------------------------------------------

    def ask(self, deadline: Deadline) -> Office:
        deadline.remaining()
        if not self.office.is_open:
            raise BackendUnavailable("the office is closed")
        return self.office

    def users(self, deadline: Deadline) -> Iterator[Batch]:
        yield Batch(NAMES, [person.row() for person in list(self.ask(deadline).people.values())])

    def find(self, lookup: Lookup, deadline: Deadline) -> Entry | None:
        for person in list(self.ask(deadline).people.values()):
            held = getattr(person, lookup.attribute)
            values = held if isinstance(held, list) else [held]
            if any(self.is_same(str(value), lookup) for value in values):
                return Entry(dict(zip(NAMES, person.row(), strict=True)), handle=person.no)
        return None

    def is_same(self, value: str, lookup: Lookup) -> bool:
        if lookup.ignore_case:
            return normalize_name(value) == normalize_name(lookup.value)
        return value == lookup.value

    def check(self, deadline: Deadline) -> Iterator[Finding]:
        yield Finding("ok", f"{len(self.ask(deadline).people)} people")

    def close(self) -> None:
        return None

    def groups(self, deadline: Deadline) -> tuple[Group, ...] | None:
        return tuple(Group(group_id, title) for group_id, title in self.ask(deadline).groups.items())

    # -- writing ---------------------------------------------------------------------------------------------------

    def write(self, deadline: Deadline) -> Office:
        if not self.is_writable:
            raise ReadOnlyBackend("set is_writable = true in [backends.test]")
        return self.ask(deadline)

    def known_group(self, office: Office, group_id: str) -> str:
        if group_id not in office.groups:
            raise UnknownGroup(f"no group {group_id[:40]!r}")
        return group_id

    def add_member(self, entry: Entry, group_id: str, deadline: Deadline) -> bool:
        office = self.write(deadline)
        with office.lock:
            group, person = self.known_group(office, group_id), office.people[str(entry.handle)]
            if group in person.teams:
                return False
            person.teams.append(group)
            return True

    def remove_member(self, entry: Entry, group_id: str, deadline: Deadline) -> bool:
        office = self.write(deadline)
        with office.lock:
            group, person = self.known_group(office, group_id), office.people[str(entry.handle)]
            if group not in person.teams:
                return False
            person.teams.remove(group)
            return True

    def create_account(self, account: NewAccount, deadline: Deadline) -> str:
        office = self.write(deadline)
        for text in (account.email, account.full_name, account.biography or "", account.tz or ""):
            if len(text) > 1000 or any("\ud800" <= letter <= "\udfff" or letter == "\0" for letter in text):
                raise BackendMisconfigured("cannot be written")
        if not account.email.strip():
            raise UnwritableValue("no address")
        self.check_password(account)
        with office.lock:
            person = self.new_person(office, str(next(office.numbers)), account)
            office.people[person.no] = person
            return person.no

    def check_password(self, account: NewAccount) -> None:
        if account.password is not None:
            raise UnwritableValue("nobody has a password")

    def new_person(self, office: Office, no: str, account: NewAccount) -> Person:
        email = account.email
        return Person(no, f"u{no}", account.full_name, account.biography, account.tz, [email], [email])

    def confirm_email(self, entry: Entry, address: str, deadline: Deadline) -> None:
        office = self.write(deadline)
        with office.lock:
            self.confirmed(office.people[str(entry.handle)], address)

    def confirmed(self, person: Person, address: str) -> None:
        if address in person.pending:
            person.pending.remove(address)
            if not person.primary:
                person.primary.append(address)


class ToyWriterConformance(GroupReaderConformance, MembershipWriterConformance, AccountWriterConformance):
    backend_class = ToyWriter
    outage_seconds = 0.1
    grace_seconds = 0.3
    recovery_seconds = 0.2

    @pytest.fixture
    def office(self) -> Iterator[Office]:
        OFFICES["one"] = Office()
        yield OFFICES["one"]
        OFFICES.clear()

    @pytest.fixture
    def table(self, office: Office) -> dict[str, Any]:
        return {"type": "toy", "url": "one", "is_writable": True}

    @pytest.fixture
    def read_only_table(self, table: dict[str, Any]) -> dict[str, Any]:
        return {**table, "is_writable": False}

    @pytest.fixture
    def population(self) -> dict[str, str | None]:
        return dict.fromkeys(("ann", "bob", "cid"))

    @pytest.fixture
    def group_ids(self) -> list[str]:
        return ["staff", "chess", "rowing"]

    @pytest.fixture
    def unproved(self) -> dict[str, str]:
        return {"ann": "new@example.org", "bob": "bob@example.org"}

    @pytest.fixture
    def outages(self, office: Office) -> list[Outage]:
        return [Outage("closed", office.closed)]
