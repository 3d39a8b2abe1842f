"""What was done, by whom, for people to read. Bounded by age."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from integration_server.store.engine import reading, writing
from integration_server.store.schema import audit_log as table

_LONGEST_SUBJECT = 1200
_LONGEST_ACTOR = 200


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """Something that was done to ``subject`` at ``at`` (Unix seconds). ``actor`` is None where the server did it by
    itself."""

    id: int
    at: float
    action: str
    subject: str
    actor: str | None
    details: Mapping[str, Any]


class AuditLog:
    """The table. Does not own the engine. Its methods raise StoreUnavailable."""

    def __init__(self, engine: sa.Engine, clock: Callable[[], float] = time.time) -> None:
        self._engine = engine
        self._clock = clock

    def add(self, action: str, subject: str, actor: str | None, details: Mapping[str, object]) -> None:
        """Write down what was done. ``details`` hold no secret."""
        row = {
            "at": self._clock(),
            "action": action,
            "subject": subject[:_LONGEST_SUBJECT],
            "actor": actor and actor[:_LONGEST_ACTOR],
            "details": json.dumps(dict(details), default=str),
        }
        with writing(self._engine) as connection:
            connection.execute(table.insert().values(**row))

    def page(
        self,
        before: int | None,
        limit: int,
        action: str | None = None,
        actor: str | None = None,
        after: int | None = None,
    ) -> list[AuditEntry]:
        """Up to ``limit`` entries with an id below ``before`` and above ``after``, the latest first. ``action`` is a
        whole one, or its first part (``sync``)."""
        c = table.c
        query = sa.select(table).order_by(c.id.desc()).limit(limit)
        if before is not None:
            query = query.where(c.id < before)
        if after is not None:
            query = query.where(c.id > after)
        if action is not None:
            query = query.where(sa.or_(c.action == action, c.action.startswith(f"{action}.", autoescape=True)))
        if actor is not None:
            query = query.where(c.actor == actor)
        with reading(self._engine) as connection:
            rows = connection.execute(query)
            return [AuditEntry(r.id, r.at, r.action, r.subject, r.actor, json.loads(r.details)) for r in rows]

    def last_id(self) -> int:
        """The id of the latest entry; 0 where there is none."""
        with reading(self._engine) as connection:
            return connection.scalar(sa.select(sa.func.max(table.c.id))) or 0

    def prune(self, before: float) -> int:
        """Forget what was done before ``before`` (Unix seconds); how much that was."""
        with writing(self._engine) as connection:
            return connection.execute(table.delete().where(table.c.at < before)).rowcount
