"""A small correct backend, and wrong ones that each break one promise, to try the conformance suites on."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any, ClassVar

import pytest

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
    Lookup,
    MapSettings,
    Verdict,
    normalize_name,
)
from integration_server.sdk.testing import AuthenticatorConformance, BackendConformance, Outage

PEOPLE = {"ann": "ann-password", "Bob": "bob-password", "jörg": "jörg-password", "dora": None}


class ToyServer:
    """Where the toy's people live; it can be switched off."""

    def __init__(self) -> None:
        self.is_up = True
        self.rows = [(f"{n}", name, f"Dr. {name.title()}", PEOPLE[name]) for n, name in enumerate(PEOPLE, 100)]
        self.connections = 0

    def ask(self) -> list[tuple[str, str, str, str | None]]:
        if not self.is_up:
            raise ConnectionError("the server is off")
        return list(self.rows)

    @contextmanager
    def off(self) -> Iterator[None]:
        self.is_up = False
        try:
            yield
        finally:
            self.is_up = True


SERVERS: dict[str, ToyServer] = {}


class ToySettings(BackendSettings):
    server: str


class ToyBackend(Backend, Authenticator):
    """Keeps every promise."""

    type: ClassVar[str] = "toy"
    Settings = ToySettings
    default_map = MapSettings.model_validate({"id": "no", "username": "login", "full_name": "name"})
    batch_size = 2

    def __init__(self, settings: BackendSettings, context: BackendContext) -> None:
        assert isinstance(settings, ToySettings)
        self.server = SERVERS[settings.server]

    def ask(self, deadline: Deadline) -> list[tuple[str, str, str, str | None]]:
        deadline.remaining()
        try:
            return self.server.ask()
        except ConnectionError as exc:
            raise BackendUnavailable(f"the toy server cannot be reached: {exc}") from exc

    def users(self, deadline: Deadline) -> Iterator[Batch]:
        rows = iter(self.ask(deadline))
        while some := list(islice(rows, self.batch_size)):
            yield Batch(("no", "login", "name"), [row[:3] for row in some])
            self.ask(deadline)

    def find(self, lookup: Lookup, deadline: Deadline) -> Entry | None:
        column = ("no", "login", "name").index(lookup.attribute)
        found = [row for row in self.ask(deadline) if self.is_same(str(row[column]), lookup)]
        if len(found) > 1:
            raise AmbiguousEntry(f"{len(found)} toys are called so")
        if not found:
            return None
        return Entry(dict(zip(("no", "login", "name"), found[0], strict=False)), handle=found[0][0])

    def is_same(self, value: str, lookup: Lookup) -> bool:
        if lookup.ignore_case:
            return normalize_name(value) == normalize_name(lookup.value)
        return value == lookup.value

    def verify(self, entry: Entry, password: str, deadline: Deadline) -> Verdict:
        stored = {row[0]: row[3] for row in self.ask(deadline)}.get(str(entry.handle))
        return Verdict.ACCEPTED if stored == password else Verdict.REJECTED

    def verify_nobody(self, password: str, deadline: Deadline) -> None:
        self.ask(deadline)

    def check(self, deadline: Deadline) -> Iterator[Finding]:
        yield Finding("ok", f"{len(self.ask(deadline))} people")

    def close(self) -> None:
        return None


class SwallowsOutageInListing(ToyBackend):
    def users(self, deadline: Deadline) -> Iterator[Batch]:
        try:
            yield from super().users(deadline)
        except BackendUnavailable:
            deadline.remaining()


class SwallowsOutageInFind(ToyBackend):
    def find(self, lookup: Lookup, deadline: Deadline) -> Entry | None:
        try:
            return super().find(lookup, deadline)
        except BackendUnavailable:
            deadline.remaining()
            return None


class RejectsDuringOutage(ToyBackend):
    def verify(self, entry: Entry, password: str, deadline: Deadline) -> Verdict:
        deadline.remaining()
        try:
            return super().verify(entry, password, deadline)
        except BackendUnavailable:
            return Verdict.REJECTED


class LeaksItsLibrarysError(ToyBackend):
    def ask(self, deadline: Deadline) -> list[tuple[str, str, str, str | None]]:
        deadline.remaining()
        return self.server.ask()


class Truncates(ToyBackend):
    def users(self, deadline: Deadline) -> Iterator[Batch]:
        yield from islice(super().users(deadline), 1)


class TruncatesWhenCut(ToyBackend):
    """Answers like a library that ends its loop quietly when the server goes away between two pages."""

    def users(self, deadline: Deadline) -> Iterator[Batch]:
        batches = super().users(deadline)
        yield next(batches)
        try:
            yield from batches
        except BackendUnavailable:
            return


class ListsTwice(ToyBackend):
    def users(self, deadline: Deadline) -> Iterator[Batch]:
        yield from super().users(deadline)
        yield from islice(super().users(deadline), 1)


class ReusesRows(ToyBackend):
    """Hands out the same list for every batch."""

    def users(self, deadline: Deadline) -> Iterator[Batch]:
        buffer: list[Any] = []
        for batch in super().users(deadline):
            buffer[:] = batch.rows
            yield Batch(batch.names, buffer)


class MixesThreads(ToyBackend):
    """Keeps the question on the object."""

    def find(self, lookup: Lookup, deadline: Deadline) -> Entry | None:
        self.question = lookup
        time.sleep(0.001)
        return super().find(self.question, deadline)


class MixesVerdicts(ToyBackend):
    def verify(self, entry: Entry, password: str, deadline: Deadline) -> Verdict:
        self.password = password
        time.sleep(0.001)
        return super().verify(entry, self.password, deadline)


class StripsNames(ToyBackend):
    def is_same(self, value: str, lookup: Lookup) -> bool:
        return value == lookup.value.strip() or super().is_same(value, lookup)


class KnowsWildcards(ToyBackend):
    def is_same(self, value: str, lookup: Lookup) -> bool:
        return lookup.value == value[0] + "*" or super().is_same(value, lookup)


class ChokesOnNul(ToyBackend):
    def is_same(self, value: str, lookup: Lookup) -> bool:
        if "\0" in lookup.value:
            raise ValueError("embedded null character")
        return super().is_same(value, lookup)


class HeedsCase(ToyBackend):
    def is_same(self, value: str, lookup: Lookup) -> bool:
        return value == lookup.value


class ListsUnderAnotherName(ToyBackend):
    """Lists somebody under a name that it does not find."""

    def users(self, deadline: Deadline) -> Iterator[Batch]:
        for batch in super().users(deadline):
            yield Batch(batch.names, [(no, login.replace("Bob", "Robert"), name) for no, login, name in batch.rows])  # type: ignore[attr-defined]


class IgnoresDeadline(ToyBackend):
    def ask(self, deadline: Deadline) -> list[tuple[str, str, str, str | None]]:
        return super().ask(Deadline(60))


class HangsInOutage(ToyBackend):
    def ask(self, deadline: Deadline) -> list[tuple[str, str, str, str | None]]:
        while not self.server.is_up:
            time.sleep(0.01)
        return super().ask(deadline)


class NeverRecovers(ToyBackend):
    def ask(self, deadline: Deadline) -> list[tuple[str, str, str, str | None]]:
        if getattr(self, "is_broken", False):
            raise BackendUnavailable("still broken")
        try:
            return super().ask(deadline)
        except BackendUnavailable as exc:
            self.is_broken = "cannot be reached" in str(exc)
            raise


class LeaksThreads(ToyBackend):
    def users(self, deadline: Deadline) -> Iterator[Batch]:
        threading.Thread(target=time.sleep, args=(5,), daemon=True).start()
        yield from super().users(deadline)


class LocksWhileListing(ToyBackend):
    """One connection for everything: a half-read listing keeps it."""

    def __init__(self, settings: BackendSettings, context: BackendContext) -> None:
        super().__init__(settings, context)
        self.lock = threading.Lock()

    def users(self, deadline: Deadline) -> Iterator[Batch]:
        with self.lock:
            yield from super().users(deadline)

    def find(self, lookup: Lookup, deadline: Deadline) -> Entry | None:
        if not self.lock.acquire(timeout=0.2):
            raise BackendUnavailable("the only connection is busy")
        try:
            return super().find(lookup, deadline)
        finally:
            self.lock.release()


class AcceptsPrefixes(ToyBackend):
    def verify(self, entry: Entry, password: str, deadline: Deadline) -> Verdict:
        stored = {row[0]: row[3] for row in self.ask(deadline)}.get(str(entry.handle)) or ""
        return Verdict.ACCEPTED if stored.startswith(password) else Verdict.REJECTED


class ShowsSecrets(ToyBackend):
    def find(self, lookup: Lookup, deadline: Deadline) -> Entry | None:
        entry = super().find(lookup, deadline)
        return entry and Entry({**entry.attributes, "password": PEOPLE[str(entry.attributes["login"])]}, entry.handle)


class ChecksNothing(ToyBackend):
    def check(self, deadline: Deadline) -> Iterator[Finding]:
        yield Finding("ok", "surely fine")


class ClosesOnce(ToyBackend):
    def close(self) -> None:
        del self.server


class ToyConformance(AuthenticatorConformance, BackendConformance):
    backend_class = ToyBackend
    outage_seconds = 0.2
    grace_seconds = 0.3
    recovery_seconds = 0.3

    @pytest.fixture
    def server(self) -> Iterator[ToyServer]:
        SERVERS["one"] = ToyServer()
        yield SERVERS["one"]
        SERVERS.clear()

    @pytest.fixture
    def table(self, server: ToyServer) -> dict[str, Any]:
        return {"type": "toy", "server": "one"}

    @pytest.fixture
    def population(self) -> dict[str, str | None]:
        return dict(PEOPLE)

    @pytest.fixture
    def outages(self, server: ToyServer) -> list[Outage]:
        return [Outage("off", server.off)]
