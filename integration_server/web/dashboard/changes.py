"""Changes: the journal, the newest first, with a part that brings what is new."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import flask

from integration_server.sdk.events import EVENT_TYPES, USER_SNAPSHOT, Event
from integration_server.store.changes import ChangesPage as Found
from integration_server.store.changes import Wanted
from integration_server.store.journal import Journal
from integration_server.web.dashboard import asked
from integration_server.web.dashboard.facts import DashboardFacts
from integration_server.web.dashboard.rendering import Rendering
from integration_server.web.dashboard.route import Route, Visit
from integration_server.web.dashboard.wording import Difference, differences, name_of, receivers

_EVENTS = 50
#: New rows at a time, and altogether until the page must be loaded again.
_MOST_NEW, _MOST_ADDED = 100, 500


@dataclass(frozen=True, slots=True)
class Shown:
    """One event as a row. ``caused_by`` is who caused it, where that was one of ours."""

    event: Event
    name: str
    changed: Sequence[Difference]
    caused_by: str | None


@dataclass(frozen=True, slots=True)
class Filters:
    """The form as it was given, and what it means. ``faults`` are by field."""

    fields: dict[str, str]
    wanted: Wanted
    since: float | None
    until: float | None
    faults: dict[str, str]


class ChangesPage:
    """The page, and the part that it asks for every few seconds."""

    def __init__(self, facts: DashboardFacts, rendering: Rendering) -> None:
        self._facts = facts
        self._store = facts.store
        self._rendering = rendering

    def routes(self) -> list[Route]:
        return [
            Route("GET", "/changes", "changes", self.page),
            Route("GET", "/changes/new", "changes_new", self.new, is_poll=True),
        ]

    def page(self, visit: Visit) -> flask.Response:
        origins = _origins(self._facts)
        filters = _filters(origins)
        last = self._store.journal.last_serial()
        before = asked.number("before")
        found = Found((), None) if filters.faults else self._found(filters, before or last + 1)
        return self._rendering.page(
            "changes.html",
            visit,
            422 if filters.faults else 200,
            filters=filters,
            backends=sorted(self._facts.config.backends),
            types=_types(self._facts),
            rows=[_shown(event, origins) for event in found.events],
            found=found,
            after=last,
            added=0,
            is_live=before is None and filters.until is None and not filters.faults,
            begins_after=self._store.journal.pruned_serial(),
            is_watching=any(source.settings.sync is not None for source in self._facts.sources.values()),
        )

    def new(self, visit: Visit) -> flask.Response:
        """Rows for what came after a serial. Where that is too much, the page must be loaded again."""
        origins = _origins(self._facts)
        filters = _filters(origins)
        last = self._store.journal.last_serial()
        after, added = asked.number("after") or 0, asked.number("added") or 0
        if last <= after or added >= _MOST_ADDED or filters.faults:
            return flask.Response(status=204)
        found = self._store.changes.page(filters.wanted, last + 1, after, _MOST_NEW)
        rows = [_shown(event, origins) for event in found.events]
        return self._rendering.part(
            "_changes_new.html",
            visit,
            filters=filters,
            rows=rows,
            after=last,
            added=added + len(rows),
            is_more=found.before is not None,
            most_added=_MOST_ADDED,
        )

    def _found(self, filters: Filters, before: int) -> Found:
        journal = self._store.journal
        if filters.until is not None:
            before = min(before, _serial_at(journal, filters.until) + 1)
        floor = journal.pruned_serial() if filters.since is None else _serial_at(journal, filters.since)
        return self._store.changes.page(filters.wanted, before, floor, _EVENTS)


def _serial_at(journal: Journal, moment: float) -> int:
    """The serial below the first event since then, as far as the journal goes back."""
    found = journal.serial_at(moment)
    return journal.pruned_serial() if found is None else found


def _origins(facts: DashboardFacts) -> dict[str, str]:
    """The names of who may cause changes, by how the journal has them."""
    return receivers(facts.store.subscriptions.delivered())


def _types(facts: DashboardFacts) -> list[str]:
    own = {type for consumer in facts.plugins.consumers.values() for type in consumer.own_types}
    return [type for type in EVENT_TYPES if type != USER_SNAPSHOT] + sorted(own)


def _filters(names: dict[str, str]) -> Filters:
    faults: dict[str, str] = {}
    moments: dict[str, float | None] = {}
    for field in ("since", "until"):
        try:
            moments[field] = asked.moment(field)
        except (ValueError, OverflowError):
            faults[field] = "Write a date and a time, such as 2026-05-01 12:00."
    backend, person, who = asked.text("backend"), asked.text("person"), asked.search("who")
    if backend is None and person is not None:
        person, who = None, who or person
    origin = asked.search("origin")
    origins = None if origin is None else [origin, *(id for id, name in names.items() if name == origin)]
    given = {
        "backend": backend,
        "type": asked.text("type"),
        "person": person,
        "who": who,
        "group": asked.text("group"),
        "origin": origin,
        "since": asked.search("since"),
        "until": asked.search("until"),
    }
    wanted = Wanted(backend, given["type"], person, who, given["group"], origins)
    fields = {name: value for name, value in given.items() if value is not None}
    return Filters(fields, wanted, moments.get("since"), moments.get("until"), faults)


def _shown(event: Event, names: dict[str, str]) -> Shown:
    caused_by = names.get(event.origin, event.origin) if event.origin is not None else None
    return Shown(event, name_of(event.after or event.before, event.person_id), differences(event), caused_by)
