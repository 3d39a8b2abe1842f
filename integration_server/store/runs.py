"""Runs that the guard holds: what they would do, person by person, until somebody says yes or no."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import orjson
import sqlalchemy as sa

from integration_server.sdk.errors import StoreUnavailable
from integration_server.sdk.events import Document
from integration_server.store.differences import Change, Kind
from integration_server.store.engine import reading, writing
from integration_server.store.schema import held_changes, held_runs
from integration_server.store.watches import put_watch

HELD, APPROVED, _WRITING = "held", "approved", "writing"
_INSERTED_AT_ONCE = 1_000
_WHOLE = sa.select(held_runs).where(held_runs.c.state != _WRITING)


@dataclass(frozen=True, slots=True)
class HeldRun:
    """One run. ``state`` is ``held``, or ``approved`` while it is not yet wholly applied. Times are Unix seconds;
    ``counts`` says how many people it would create, update, delete and so on."""

    id: int
    backend: str
    state: str
    reason: str
    digest: str
    start_serial: int
    first_at: float
    last_at: float
    counts: Mapping[str, int]
    fingerprint: str
    feed_position: str | None


@dataclass(frozen=True, slots=True)
class NewRun:
    """A run that is about to be held. ``digest`` says what it would do, whatever the order."""

    backend: str
    reason: str
    digest: str
    start_serial: int
    counts: Mapping[str, int]
    fingerprint: str
    feed_position: str | None


@dataclass(frozen=True, slots=True)
class HeldChange:
    """What a run would do to one person; ``document`` is the person afterwards, None for somebody who goes."""

    number: int
    person_id: str
    kind: Kind
    document: Document | None
    digest: bytes | None = None

    @property
    def change(self) -> Change:
        return Change(self.kind, self.person_id, self.digest, self.document)


class HeldRuns:
    """The tables ``held_runs`` and ``held_changes``. Thread-safe; does not own the engine."""

    def __init__(self, engine: sa.Engine, clock: Callable[[], float] = time.time) -> None:
        self._engine = engine
        self._clock = clock

    def all(self) -> list[HeldRun]:
        """Every run that is held or being applied, by backend."""
        with reading(self._engine) as connection:
            return [_run(row) for row in connection.execute(_WHOLE.order_by(held_runs.c.backend))]

    def get(self, backend: str) -> HeldRun | None:
        """The run of a backend that is held or being applied."""
        with reading(self._engine) as connection:
            row = connection.execute(_WHOLE.where(held_runs.c.backend == backend)).one_or_none()
        return _run(row) if row is not None else None

    def changes(self, run_id: int, after: int, limit: int) -> list[HeldChange]:
        """What a run would do, in the order in which it would be done: the next ``limit`` above number ``after``."""
        c = held_changes.c
        query = sa.select(held_changes).where(c.run_id == run_id, c.number > after).order_by(c.number).limit(limit)
        with reading(self._engine) as connection:
            return [
                HeldChange(
                    row.number,
                    row.person_id,
                    row.kind,
                    orjson.loads(row.document) if row.document is not None else None,
                    row.digest,
                )
                for row in connection.execute(query)
            ]

    def approve(self, backend: str, run_id: int) -> bool:
        """Say yes to just this run. False when it is no longer the one that is held."""
        c = held_runs.c
        with writing(self._engine) as connection:
            mine = held_runs.update().where(c.backend == backend, c.id == run_id, c.state == HELD)
            is_done = bool(connection.execute(mine.values(state=APPROVED)).rowcount)
            if is_done:
                put_watch(connection, backend, approved_at=self._clock())
        return is_done

    def discard(self, backend: str, run_id: int) -> bool:
        """Forget just this run; the next one is judged anew. False when it is no longer the one that is held."""
        c = held_runs.c
        with writing(self._engine) as connection:
            mine = held_runs.delete().where(c.backend == backend, c.id == run_id, c.state == HELD)
            return bool(connection.execute(mine).rowcount)

    def hold(self, run: NewRun, changes: Iterable[Change]) -> tuple[HeldRun, bool]:
        """Store a run instead of applying it; it replaces the one that was held. The run, and whether it is a new one:
        one with the same digest keeps its id, so that whoever is reading it can still approve it. A run that was
        approved meanwhile is left alone."""
        now = self._clock()
        c = held_runs.c
        values = {"reason": run.reason, "start_serial": run.start_serial, "last_at": now}
        values |= {"feed_position": run.feed_position}
        row = {**values, "backend": run.backend, "state": _WRITING, "digest": run.digest, "first_at": now}
        row |= {"counts": orjson.dumps(dict(run.counts)).decode(), "fingerprint": run.fingerprint}
        is_same = sa.and_(c.state == HELD, c.digest == run.digest)
        # All in one transaction, and each by the state that is found in the writing: somebody may approve meanwhile.
        with writing(self._engine) as connection:
            mine = c.backend == run.backend
            is_new = not connection.execute(held_runs.update().where(mine, is_same).values(values)).rowcount
            if is_new:
                connection.execute(held_runs.delete().where(mine, c.state != APPROVED))
                is_new = connection.scalar(sa.select(c.id).where(mine)) is None
            made = connection.execute(held_runs.insert().values(row)).inserted_primary_key if is_new else None
        if made is not None:
            self._write(made[0], changes)
        return self._held(run.backend), is_new

    def _held(self, backend: str) -> HeldRun:
        run = self.get(backend)
        if run is None:
            raise StoreUnavailable(f"the held run of backend {backend} was removed in the writing")
        return run

    def _write(self, run_id: int, changes: Iterable[Change]) -> None:
        """In steps, so that a million changes do not keep others from the store; nobody sees it before it is whole."""
        numbered = enumerate(changes, 1)
        while some := list(islice(numbered, _INSERTED_AT_ONCE)):
            with writing(self._engine) as connection:
                connection.execute(held_changes.insert(), [_row(run_id, number, change) for number, change in some])
        with writing(self._engine) as connection:
            connection.execute(held_runs.update().where(held_runs.c.id == run_id).values(state=HELD))

    def end(self, backend: str) -> bool:
        """Forget what is held, because the directory is harmless again. Whether there was anything."""
        with writing(self._engine) as connection:
            return bool(connection.execute(held_runs.delete().where(held_runs.c.backend == backend)).rowcount)

    def applied(self, run_id: int, numbers: Sequence[int]) -> Callable[[sa.Connection], None]:
        """Takes changes off a run, as a part of the transaction that applies them."""
        c = held_changes.c

        def take_off(connection: sa.Connection) -> None:
            first, last = min(numbers), max(numbers)
            connection.execute(held_changes.delete().where(c.run_id == run_id, c.number.between(first, last)))

        return take_off

    def finished(self, run: HeldRun, **watch: Any) -> None:
        """Remove an approved run that is wholly applied, and note columns of its backend's watch."""
        with writing(self._engine) as connection:
            connection.execute(held_runs.delete().where(held_runs.c.id == run.id))
            put_watch(connection, run.backend, **watch)


def _row(run_id: int, number: int, change: Change) -> dict[str, object]:
    return {
        "run_id": run_id,
        "number": number,
        "person_id": change.person_id,
        "kind": change.kind,
        "digest": change.digest,
        "document": change.as_json(),
    }


def _run(row: sa.Row[Any]) -> HeldRun:
    values = {**row._mapping, "counts": orjson.loads(row.counts)}
    return HeldRun(**values)
