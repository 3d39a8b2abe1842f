"""One change: everything that the journal has of it, and what became of it for every receiver."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import flask

from integration_server.forwarding.fates import Fate, Told, fate_of
from integration_server.sdk.errors import CallerRefused
from integration_server.sdk.events import Event, is_own_type
from integration_server.store.subscriptions import Subscription
from integration_server.web.dashboard import asked
from integration_server.web.dashboard.facts import DashboardFacts
from integration_server.web.dashboard.rendering import Rendering
from integration_server.web.dashboard.route import Route, Visit
from integration_server.web.dashboard.wording import name_of, receivers, value

_RECEIVERS = 50
#: The log is read for all of them at once; of a single event there are few.
_TRIES = 1_000
#: Kind of colour, and words.
FATES = {
    Fate.DELIVERED: ("good", "delivered"),
    Fate.PASSED: ("good", "delivered"),
    Fate.WAITING: ("warn", "waits"),
    Fate.UNDERWAY: ("warn", "handed over"),
    Fate.SKIPPED: ("warn", "skipped"),
    Fate.UNASKED: ("warn", "not reached yet"),
    Fate.EARLIER: ("idle", "before its time"),
    Fate.OWN: ("idle", "not for it"),
    Fate.UNWANTED_TYPE: ("idle", "not for it"),
    Fate.UNWANTED_PEOPLE: ("idle", "not for it"),
}
#: What a receiver has nothing to do with stands last.
_NOT_FOR_IT = frozenset({Fate.OWN, Fate.UNWANTED_TYPE, Fate.UNWANTED_PEOPLE})


@dataclass(frozen=True, slots=True)
class Field:
    """One field of the person; ``before`` and ``after`` are None where there was or is nobody."""

    name: str
    before: str | None
    after: str | None

    @property
    def is_changed(self) -> bool:
        return self.before != self.after and None not in (self.before, self.after)


class OneChange:
    """The page."""

    def __init__(self, facts: DashboardFacts, rendering: Rendering) -> None:
        self._facts = facts
        self._store = facts.store
        self._rendering = rendering

    def routes(self) -> list[Route]:
        return [Route("GET", "/changes/event", "changes_event", self.page)]

    def page(self, visit: Visit) -> flask.Response:
        event = self._event(asked.needed("id"))
        everyone = self._store.subscriptions.delivered()
        begin = min(asked.number("from") or 0, len(everyone))
        names = receivers(everyone)
        return self._rendering.page(
            "change.html",
            visit,
            event=event,
            name=name_of(event.after or event.before, event.person_id),
            fields=fields_of(event),
            is_own=is_own_type(event.type),
            caused_by=event.origin and names.get(event.origin, event.origin),
            told=self._told(event, everyone[begin : begin + _RECEIVERS]),
            names=names,
            next=begin + _RECEIVERS if begin + _RECEIVERS < len(everyone) else None,
            signals=self._signals(everyone),
            fates=FATES,
            Fate=Fate,
        )

    def _signals(self, everyone: Sequence[Subscription]) -> set[str]:
        """Those that only want to know that something changed."""
        consumers = self._facts.plugins.consumers
        return {one.id for one in everyone if one.type in consumers and consumers[one.type].takes == "signal"}

    def _event(self, id: str) -> Event:
        """Raises CallerRefused."""
        found = self._store.changes.event(id)
        if found is None:
            kept = self._store.journal.pruned_serial()
            told = "There is no such event in the journal."
            if kept:
                told += f" It begins after serial {kept}: what came before is no longer kept."
            raise CallerRefused(404, told)
        return found

    def _told(self, event: Event, chosen: Sequence[Subscription]) -> list[Told]:
        ids = [one.id for one in chosen]
        # In this order: what is settled in between is seen in the log, or as passed.
        rows = self._store.stuck.rows_about(event.id, ids)
        tries = self._store.stuck.tries(ids, [event.id], _TRIES)
        found = []
        for one in chosen:
            batches = self._store.settlements.open_batches(one.id) if _has_batches(one) else ()
            own = [attempt for attempt in tries if attempt.subscription_id == one.id]
            found.append(fate_of(one, event, rows.get(one.id), own, batches))
        return sorted(found, key=lambda told: told.fate in _NOT_FOR_IT)


def _has_batches(one: Subscription) -> bool:
    return one.batch_size > 1 or one.is_coalescing


def fields_of(event: Event) -> list[Field]:
    """The person before and after, field by field. Only what changed is known of before, except of a deletion."""
    changed, after, before = event.changed or {}, event.after, event.before
    if after is None:
        return [Field(name, value(one), None) for name, one in (before or {}).items()]
    return [Field(name, _before(name, one, changed), value(one)) for name, one in after.items()]


def _before(name: str, now: object, changed: Mapping[str, tuple[object, object]]) -> str | None:
    return value(changed[name][0]) if name in changed else None
