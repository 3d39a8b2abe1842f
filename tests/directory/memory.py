"""Backends that keep their people in memory: correct ones, which a test can break in every way that the contract knows.

They are plugins like any other (``register_backends``), so that whole configurations can be made of them.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from integration_server import (
    AmbiguousEntry,
    Authenticator,
    Backend,
    BackendContext,
    BackendSettings,
    BackendUnavailable,
    Batch,
    Deadline,
    Entry,
    Finding,
    LoginNames,
    Lookup,
    MapSettings,
    Verdict,
    hookimpl,
    normalize_name,
)

COLUMNS = ("no", "login", "cn", "mail", "ou", "off", "until")


@dataclass
class People:
    """What stands behind a backend of this name. Rows hold a value per column; passwords go by number."""

    rows: list[tuple[object, ...]] = field(default_factory=list)
    passwords: dict[object, str] = field(default_factory=dict)
    #: What the right password gives where that is not ACCEPTED, by number.
    verdicts: dict[object, Verdict] = field(default_factory=dict)
    #: Raised by every call while it is set.
    error: Exception | None = None
    #: Raised by every change of a membership.
    refusal: Exception | None = None
    #: Raised by a listing after so many batches.
    breaks_after: int | None = None
    batch_size: int = 3
    #: Columns that are claimed to be unique.
    unique: frozenset[str] = frozenset()
    #: Every call with its argument, in order.
    calls: list[tuple[str, object]] = field(default_factory=list)
    #: Seconds that every call takes, up to its deadline.
    delay: float = 0.0
    #: Everything but a listing waits for it.
    hold: threading.Event | None = None
    #: A listing waits for it before its end.
    gate: threading.Event | None = None
    #: Set once a listing has begun.
    began: threading.Event = field(default_factory=threading.Event)

    def add(self, login: object, password: str | None = None, **columns: object) -> object:
        """One more person; returns their number."""
        number = columns.pop("no", len(self.rows) + 1)
        row = {"no": number, "login": login, "cn": None, "mail": None, "ou": None, "off": None, "until": None}
        self.rows.append(tuple((row | columns)[name] for name in COLUMNS))
        if password is not None:
            self.passwords[number] = password
        return number

    def called(self, method: str) -> list[object]:
        return [argument for name, argument in self.calls if name == method]

    def reach(self, method: str, argument: object, deadline: Deadline) -> None:
        """One round trip: noted, as slow as wanted, and failed while there is an error."""
        self.calls.append((method, argument))
        if self.delay:
            time.sleep(min(self.delay, deadline.remaining()))
            deadline.remaining()
        if self.hold is not None and method != "users":
            assert self.hold.wait(20)
        if self.error is not None:
            raise self.error


#: What the backends of a configuration are called after: ``people = "NAME"``.
WORLD: dict[str, People] = {}

DOWN = BackendUnavailable("the server refuses connections")


class MemorySettings(BackendSettings):
    people: str = ""


class ListOnlyBackend(Backend):
    """Knows people, but no passwords."""

    type: ClassVar[str] = "list_only"
    Settings = MemorySettings
    default_map = MapSettings.model_validate(
        {"id": "no", "username": "login", "full_name": "cn", "emails": "mail", "groups": "ou"}
    )

    def __init__(self, settings: BackendSettings, context: BackendContext) -> None:
        assert isinstance(settings, MemorySettings)
        self.people = WORLD[settings.people or context.name]

    def users(self, deadline: Deadline) -> Iterator[Batch]:
        people = self.people
        people.reach("users", None, deadline)
        people.began.set()
        rows = list(people.rows)
        for number, first in enumerate(range(0, len(rows), people.batch_size)):
            if number == people.breaks_after:
                raise people.error or BackendUnavailable("the connection was lost")
            yield Batch(COLUMNS, rows[first : first + people.batch_size], people.unique)
        if people.gate is not None:
            assert people.gate.wait(20)
        if people.breaks_after is not None:
            raise people.error or BackendUnavailable("the connection was lost")

    def find(self, lookup: Lookup, deadline: Deadline) -> Entry | None:
        self.people.reach("find", lookup.value, deadline)
        column = COLUMNS.index(lookup.attribute)
        found = [row for row in self.people.rows if _is_same(row[column], lookup)]
        if len(found) > 1:
            raise AmbiguousEntry(f"{len(found)} entries match")
        return Entry(dict(zip(COLUMNS, found[0], strict=True)), handle=found[0][0]) if found else None

    def check(self, deadline: Deadline) -> Iterator[Finding]:
        self.people.reach("check", None, deadline)
        yield Finding("ok", f"{len(self.people.rows)} people")

    def close(self) -> None:
        self.people.calls.append(("close", None))


class MemoryBackend(ListOnlyBackend, Authenticator):
    """Checks passwords, too."""

    type: ClassVar[str] = "memory"

    def verify(self, entry: Entry, password: str, deadline: Deadline) -> Verdict:
        self.people.reach("verify", password, deadline)
        if self.people.passwords.get(entry.handle) != password:
            return Verdict.REJECTED
        return self.people.verdicts.get(entry.handle, Verdict.ACCEPTED)

    def verify_nobody(self, password: str, deadline: Deadline) -> None:
        self.people.reach("verify_nobody", password, deadline)


class ManyNamesBackend(MemoryBackend, LoginNames):
    """People log in by their address, too, or by what stands in ``cn``."""

    type: ClassVar[str] = "many_names"

    def login_lookups(self, username: str, deadline: Deadline) -> Sequence[Lookup]:
        self.people.reach("login_lookups", username, deadline)
        return [Lookup("mail", username, ignore_case=True), Lookup("cn", username, ignore_case=True)]


class BareBackend(MemoryBackend):
    """Maps nothing but names."""

    type: ClassVar[str] = "bare"
    default_map = MapSettings.model_validate({"id": "no", "username": "login"})


def _is_same(value: object, lookup: Lookup) -> bool:
    if isinstance(value, list | tuple):
        return any(_is_same(one, lookup) for one in value)
    text = str(value)
    return normalize_name(text) == normalize_name(lookup.value) if lookup.ignore_case else text == lookup.value


@hookimpl
def register_backends() -> list[type[Backend]]:
    return [MemoryBackend, ListOnlyBackend, BareBackend]
