"""What is stuck: the receivers that are not told, and the people they have not been told about."""

from __future__ import annotations

from collections.abc import Sequence

import flask

from integration_server.forwarding.fates import untold
from integration_server.sdk.events import Event
from integration_server.store.deliveries import AttemptRow
from integration_server.store.stuck import Key, Search, StuckPage, as_state
from integration_server.store.subscriptions import Subscription
from integration_server.web.dashboard import asked
from integration_server.web.dashboard.facts import DashboardFacts
from integration_server.web.dashboard.receivers import troubled
from integration_server.web.dashboard.rendering import Rendering
from integration_server.web.dashboard.route import Route, Visit
from integration_server.web.dashboard.wording import name_of, names, receivers

_PEOPLE = 50
#: Receivers that are shown at once.
_RECEIVERS = 60
_TRIES = 3
#: Of one person, so many events at most are held against what receivers have come to.
_EVENTS = 200
STATES = {
    "dead": ("bad", "tries used up"),
    "parked": ("warn", "tried again"),
    "held": ("idle", "waits behind another"),
}


class Stuck:
    """The page with everybody, and that of one person across all receivers."""

    def __init__(self, facts: DashboardFacts, rendering: Rendering) -> None:
        self._facts = facts
        self._store = facts.store
        self._rendering = rendering

    def routes(self) -> list[Route]:
        return [Route("GET", "/stuck", "stuck", self.page)]

    def page(self, visit: Visit) -> flask.Response:
        """Everything that is stuck, or, where a person is named, what nobody was told about them."""
        person, backend = asked.text("person"), asked.text("backend")
        if person is not None and backend is not None:
            return self._about(visit, backend, person)
        search = Search(asked.text("subscription"), as_state(asked.text("state")), asked.search("q") or person)
        found = self._store.stuck.people(search, _after(), _PEOPLE)
        everyone = self._store.subscriptions.delivered()
        chosen = [one for one in troubled(self._facts) if search.subscription_id in (None, one.one.id)]
        return self._rendering.page(
            "stuck.html",
            visit,
            search=search,
            receivers=chosen[:_RECEIVERS],
            left_out=max(0, len(chosen) - _RECEIVERS),
            everyone=receivers(everyone),
            people=found,
            names=self._names(found),
            states=STATES,
            is_first=_after() is None,
            tries=self._tries(search.subscription_id),
        )

    def _tries(self, id: str | None) -> Sequence[AttemptRow]:
        return self._store.deliveries.attempts(id, limit=_TRIES) if id is not None else ()

    def _names(self, page: StuckPage) -> dict[tuple[str, str], str]:
        return names(self._store.people, [(one.key.backend, one.key.person_id) for one in page.people])

    # -- one person, all receivers -----------------------------------------------------------------------------------

    def _about(self, visit: Visit, backend: str, person: str) -> flask.Response:
        everyone = self._store.subscriptions.delivered()
        document = self._store.people.documents_by_id(backend, [person]).get(person)
        return self._rendering.page(
            "stuck_about.html",
            visit,
            backend=backend,
            person=person,
            name=name_of(document, person),
            everyone=receivers(everyone),
            waiting=self._store.stuck.about(backend, person),
            beyond=self._beyond(backend, person, everyone),
            replays=[one for one in everyone if one.replay_serial is not None and _may_tell_of(one, backend)],
            states=STATES,
            most_events=_EVENTS,
        )

    def _beyond(
        self, backend: str, person: str, everyone: Sequence[Subscription]
    ) -> list[tuple[Subscription, list[Event]]]:
        """The receivers that have not come to some events about the person, with these."""
        alive = [one for one in everyone if one.state != "ended" and _may_tell_of(one, backend)]
        if not alive:
            return []
        lowest = min(one.cursor for one in alive)
        events = self._store.changes.about(backend, person, lowest, _EVENTS)
        rows = self._store.stuck.rows_of(backend, person, _EVENTS * (len(alive) + 1)) if events else {}
        found = []
        for one in alive if events else ():
            known = {event_id for id, event_id in rows if id == one.id}
            batches = self._store.settlements.open_batches(one.id) if one.batch_size > 1 else ()
            if missing := untold(one, events, known, batches):
                found.append((one, missing))
        return found


def _may_tell_of(one: Subscription, backend: str) -> bool:
    return one.resource.backend in (None, backend)


def _after() -> Key | None:
    subscription_id, backend, person_id = (
        asked.text(f"after_{name}") for name in ("subscription", "backend", "person")
    )
    if subscription_id is None or backend is None or person_id is None:
        return None
    return Key(subscription_id, backend, person_id)
