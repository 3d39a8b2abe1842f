"""The server's store, read from outside while it runs: what it noticed, and how far it has come with telling."""

from __future__ import annotations

import time
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import orjson
import sqlalchemy as sa

from integration_server.store.deliveries import Deliveries
from integration_server.store.subscriptions import Subscriptions
from tests.crash.directories import ChangingDirectory, Someone

_LONG_REST = 10.0


@dataclass(frozen=True, slots=True)
class Noted:
    """One event of the journal."""

    serial: int
    id: str
    type: str
    backend: str
    person_id: str

    @property
    def lane(self) -> tuple[str, str]:
        return self.backend, self.person_id


class Memory:
    """Reads the store by its URL; close it."""

    def __init__(self, url: str) -> None:
        self._engine = sa.create_engine(url, poolclass=sa.NullPool)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._engine.dispose()

    def rows(self, statement: str, **values: Any) -> list[Any]:
        with self._engine.connect() as connection:
            return list(connection.execute(sa.text(statement), values))

    def do(self, statement: str, **values: Any) -> None:
        with self._engine.begin() as connection:
            connection.execute(sa.text(statement), values)

    def events(self) -> list[Noted]:
        rows = self.rows("SELECT serial, id, type, backend, person_id FROM events ORDER BY serial")
        return [Noted(*row) for row in rows]

    def people(self, backend: str) -> dict[str, Someone]:
        rows = self.rows("SELECT document FROM people WHERE backend = :backend AND gone_at IS NULL", backend=backend)
        found = [someone(orjson.loads(document)) for (document,) in rows]
        return {one.id: one for one in found}

    def untold(self) -> set[tuple[str, str]]:
        """Backend and id of people about whom there never was an event."""
        return {
            (one.backend, one.person_id) for one in self.rows("SELECT backend, person_id FROM people WHERE serial = 0")
        }

    def baselines(self) -> set[str]:
        """The backends that were written down once."""
        return {row.backend for row in self.rows("SELECT backend FROM watches WHERE baseline_at IS NOT NULL")}

    def has_tables(self) -> bool:
        """Whether the server has made its tables by now."""
        try:
            return sa.inspect(self._engine).has_table("watches")
        except sa.exc.OperationalError:
            return False  # no file yet

    def make_due(self) -> None:
        """Let everything that waits for another try, or rests for long, be tried at once, as an administrator would:
        nobody has hours."""
        deliveries, subscriptions = Deliveries(self._engine), Subscriptions(self._engine)
        for one in subscriptions.all():
            if one.state != "ok" and (one.next_probe_at or 0) > time.time() + _LONG_REST:
                subscriptions.change(one.id, is_active=True)
            deliveries.retry_all(one.id, "parked")

    def is_quiet(self) -> bool:
        """Whether every live subscription has been handed all there is, and nothing waits in a row."""
        (last,) = self.rows("SELECT last_serial FROM journal_state")[0]
        # A channel is told up to the last event about what it is bound to; events of plugins' own types are about none.
        lagging = self.rows(
            "SELECT s.id FROM subscriptions s LEFT JOIN bound_resources r ON r.id = s.bound_to"
            " WHERE s.state <> 'ended' AND (s.cursor < coalesce(r.serial, :last) OR s.state <> 'ok')",
            last=last,
        )
        waiting = self.rows("SELECT id FROM deliveries WHERE state IN ('parked', 'held') LIMIT 1")
        return not lagging and not waiting

    def describe(self) -> str:
        """How things stand, for the message of a failed test."""
        statements = (
            "SELECT last_serial, pruned_serial FROM journal_state",
            "SELECT id, state, state_reason, cursor, probes, next_probe_at, failing_since FROM subscriptions",
            "SELECT subscription_id, state, count(*), min(serial), max(serial), max(attempts), min(next_at), max(error)"
            " FROM deliveries GROUP BY subscription_id, state",
            "SELECT backend, baseline_at, scanned_at, failed_at, failure FROM watches",
            "SELECT backend, state, reason FROM held_runs",
        )
        lines = [f"now {time.time():.1f}"]
        for statement in statements:
            lines += [str(row) for row in self.rows(statement)]
        return "\n".join(lines)


def someone(document: dict[str, Any]) -> Someone:
    """A person of an event, or of the store, as the directory has them."""
    emails = document.get("emails") or [{"address": ""}]
    return Someone(
        document["id"],
        document["username"],
        document["full_name"],
        emails[0]["address"],
        tuple(sorted(document.get("groups") or ())),
    )


def is_noticed(memory: Memory, directories: list[ChangingDirectory]) -> bool:
    """Whether the server knows everybody of the directories as they are now."""
    return all(memory.people(directory.name) == directory.people for directory in directories)
