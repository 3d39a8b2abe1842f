"""A small correct change feed, and wrong ones that each break one promise, to try the conformance suite on."""

from __future__ import annotations

import itertools
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import pytest

from integration_server import (
    Backend,
    BackendContext,
    BackendSettings,
    BackendUnavailable,
    Batch,
    ChangeFeed,
    Changes,
    ComparisonNeeded,
    Deadline,
    Entry,
    Finding,
    Lookup,
    MapSettings,
)
from integration_server.sdk.testing import ChangeFeedConformance, Outage

NAMES = ("no", "login", "name")


class Ledger:
    """Where the toy's people live, with a log of whose row changed."""

    def __init__(self) -> None:
        self.is_up = True
        self.lock = threading.Lock()
        self.rows = {str(n): (str(n), login, "Dr.") for n, login in enumerate(("ann", "bob", "cid"), 100)}
        self.log: list[str] = []
        self._numbers = itertools.count(1)

    @contextmanager
    def off(self) -> Iterator[None]:
        self.is_up = False
        try:
            yield
        finally:
            self.is_up = True

    def number(self, username: str) -> str:
        return next(no for no, login, _ in self.rows.values() if login == username)

    def add(self, username: str) -> None:
        with self.lock:
            no = str(200 + next(self._numbers))
            self.rows[no] = (no, username, "New")
            self.log.append(no)

    def change(self, username: str) -> None:
        with self.lock:
            no = self.number(username)
            self.rows[no] = (no, username, f"Changed {next(self._numbers)}")
            self.log.append(no)

    def remove(self, username: str) -> None:
        with self.lock:
            no = self.number(username)
            del self.rows[no]
            self.log.append(no)


LEDGERS: dict[str, Ledger] = {}


class ToySettings(BackendSettings):
    ledger: str


class ToyFeed(Backend, ChangeFeed):
    """Keeps every promise."""

    type: ClassVar[str] = "toy"
    Settings = ToySettings
    default_map = MapSettings.model_validate({"id": "no", "username": "login", "full_name": "name"})

    def __init__(self, settings: BackendSettings, context: BackendContext) -> None:
        assert isinstance(settings, ToySettings)
        self.ledger = LEDGERS[settings.ledger]

    def ask(self, deadline: Deadline) -> Ledger:
        deadline.remaining()
        if not self.ledger.is_up:
            raise BackendUnavailable("the ledger is closed")
        return self.ledger

    def users(self, deadline: Deadline) -> Iterator[Batch]:
        yield Batch(NAMES, list(self.ask(deadline).rows.values()))

    def find(self, lookup: Lookup, deadline: Deadline) -> Entry | None:
        return None

    def check(self, deadline: Deadline) -> Iterator[Finding]:
        self.ask(deadline)
        yield Finding("ok", f"changes are noticed by the {self.feed()}")

    def close(self) -> None:
        return None

    def feed(self) -> str | None:
        return "toy log"

    def feed_position(self, deadline: Deadline) -> str:
        return self.written(len(self.ask(deadline).log))

    def written(self, place: int) -> str:
        return json.dumps({"place": place})

    def read(self, position: str) -> int:
        try:
            place = json.loads(position)["place"]
            if isinstance(place, int):
                return place
        except (ValueError, RecursionError, TypeError, KeyError) as exc:
            raise ComparisonNeeded from exc
        raise ComparisonNeeded

    def changes(self, position: str, deadline: Deadline) -> Iterator[Changes]:
        place = self.read(position)
        ledger = self.ask(deadline)
        for no in ledger.log[place:]:
            place += 1
            row = ledger.rows.get(no)
            yield self.told(self.written(place), no, row)

    def told(self, position: str, no: str, row: tuple[str, ...] | None) -> Changes:
        return Changes(position, None, (no,)) if row is None else Changes(position, Batch(NAMES, [row]))


class HasNoName(ToyFeed):
    def feed(self) -> str | None:
        return None


class SwallowsOutage(ToyFeed):
    def changes(self, position: str, deadline: Deadline) -> Iterator[Changes]:
        try:
            yield from super().changes(position, deadline)
        except BackendUnavailable:
            deadline.remaining()


class ComparesInOutage(ToyFeed):
    def changes(self, position: str, deadline: Deadline) -> Iterator[Changes]:
        try:
            yield from super().changes(position, deadline)
        except BackendUnavailable as exc:
            deadline.remaining()
            raise ComparisonNeeded from exc


class TakesNonsense(ToyFeed):
    def read(self, position: str) -> int:
        try:
            return super().read(position)
        except ComparisonNeeded:
            return 0


class ChokesOnNonsense(ToyFeed):
    def read(self, position: str) -> int:
        place: int = json.loads(position)["place"]
        return place


class PositionIsTooNew(ToyFeed):
    """Looks at the log when it is first asked for changes, not when the position was taken."""

    def changes(self, position: str, deadline: Deadline) -> Iterator[Changes]:
        self.read(position)
        begun = getattr(self, "begun", len(self.ask(deadline).log))
        self.begun = len(self.ask(deadline).log)
        yield from super().changes(self.written(begun), deadline)


class SkipsTheLast(ToyFeed):
    """Moves on past what it has not told."""

    def changes(self, position: str, deadline: Deadline) -> Iterator[Changes]:
        steps = list(super().changes(position, deadline))
        if len(steps) > 1:
            steps[0] = Changes(steps[-1].position, steps[0].entries, steps[0].gone)
            del steps[1:]
        yield from steps


class StandsStill(ToyFeed):
    """Says only in its last step how far it has come."""

    def changes(self, position: str, deadline: Deadline) -> Iterator[Changes]:
        last = position
        for step in super().changes(position, deadline):
            last = step.position
            yield Changes(position, step.entries, step.gone)
        yield Changes(last)


class TellsOnce(ToyFeed):
    """Keeps on the object what was told."""

    def changes(self, position: str, deadline: Deadline) -> Iterator[Changes]:
        place = max(self.read(position), getattr(self, "place", 0))
        yield from super().changes(self.written(place), deadline)
        self.place = len(self.ledger.log)


class ForgetsWhenClosed(ToyFeed):
    def __init__(self, settings: BackendSettings, context: BackendContext) -> None:
        super().__init__(settings, context)
        self.key = time.monotonic_ns()

    def written(self, place: int) -> str:
        return json.dumps({"place": place, "key": self.key})

    def read(self, position: str) -> int:
        place = super().read(position)
        if json.loads(position).get("key") != self.key:
            raise ComparisonNeeded
        return place


class TellsThePresentAsGone(ToyFeed):
    def told(self, position: str, no: str, row: tuple[str, ...] | None) -> Changes:
        return Changes(position, None if row is None else Batch(NAMES, [row]), (no,))


class TellsNobodyGone(ToyFeed):
    def told(self, position: str, no: str, row: tuple[str, ...] | None) -> Changes:
        return Changes(position, None if row is None else Batch(NAMES, [row]))


class LeavesColumnsOut(ToyFeed):
    def told(self, position: str, no: str, row: tuple[str, ...] | None) -> Changes:
        if row is None:
            return Changes(position, None, (no,))
        return Changes(position, Batch((*NAMES, "more"), [row]))


class IgnoresDeadline(ToyFeed):
    def ask(self, deadline: Deadline) -> Ledger:
        return super().ask(Deadline(60))


class SaysNothingInCheck(ToyFeed):
    def check(self, deadline: Deadline) -> Iterator[Finding]:
        self.ask(deadline)
        yield Finding("ok", "fine")


class ToyFeedConformance(ChangeFeedConformance):
    backend_class = ToyFeed
    feed_seconds = 0.12
    outage_seconds = 0.1
    grace_seconds = 0.2
    recovery_seconds = 0.2

    @pytest.fixture
    def edits(self) -> Iterator[Ledger]:
        LEDGERS["one"] = Ledger()
        yield LEDGERS["one"]
        LEDGERS.clear()

    @pytest.fixture
    def table(self, edits: Ledger) -> dict[str, Any]:
        return {"type": "toy", "ledger": "one"}

    @pytest.fixture
    def population(self) -> dict[str, str | None]:
        return dict.fromkeys(("ann", "bob", "cid"))

    @pytest.fixture
    def outages(self, edits: Ledger) -> list[Outage]:
        return [Outage("off", edits.off)]
