"""What is done about a whole receiver that is stuck: ask it again, try everything again, end it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import flask

from integration_server.sdk.errors import CallerRefused
from integration_server.store.stuck import as_state
from integration_server.store.subscriptions import Subscription
from integration_server.web.api.problems import Problem
from integration_server.web.dashboard import asked
from integration_server.web.dashboard.access import Access
from integration_server.web.dashboard.facts import DashboardFacts
from integration_server.web.dashboard.rendering import Rendering, number
from integration_server.web.dashboard.route import Route, Visit
from integration_server.web.dashboard.running import Running, until
from integration_server.web.dashboard.subscription_forms import faults_of
from integration_server.web.dashboard.wording import receiver

_GONE = "There is no such receiver any more, so nothing was done."


class StuckReceivers:
    """Forms; each leads back to what is stuck."""

    def __init__(self, facts: DashboardFacts, rendering: Rendering, access: Access) -> None:
        self._facts = facts
        self._store = facts.store
        self._rendering = rendering
        self._access = access
        self._running = Running(facts)

    def routes(self) -> list[Route]:
        return [
            Route("POST", "/stuck/resume", "stuck_resume", self.resume),
            Route("POST", "/stuck/retry-all", "stuck_retry_all", self.retry_all),
            Route("POST", "/stuck/end", "stuck_end", self.end),
        ]

    def resume(self, visit: Visit) -> flask.Response:
        one = self._subscription()
        with _refused():
            self._running.resume(visit, one)
        return self._back(f"{receiver(one)} is asked again now." + ("" if one.is_active else until(one)))

    def retry_all(self, visit: Visit) -> flask.Response:
        state = as_state(asked.needed("state"))
        if state not in ("dead", "parked"):
            raise CallerRefused(400, "Only what is dead or parked can be tried again.")
        chosen = [self._subscription()] if asked.text("subscription") else self._store.subscriptions.delivered()
        count = 0
        for one in chosen:
            if tried := self._store.deliveries.retry_all(one.id, state):
                count += tried
                details = {"state": state, "count": tried}
                self._facts.audit.tell("delivery.retried", one.id, details, visit.actor)
        events = "event is" if count == 1 else "events are"
        told = f"{number(count)} {events} tried again now." if count else "Nothing of that kind waits any more."
        return self._back(told)

    def end(self, visit: Visit) -> flask.Response:
        one = self._subscription()
        with _refused():
            if not self._running.remove(visit, one):
                raise CallerRefused(404, _GONE)
        return self._back(f"{receiver(one)} was removed, with everything that waited for it.")

    def _subscription(self) -> Subscription:
        """One to which something is delivered. Raises CallerRefused."""
        found = self._store.subscriptions.get(asked.needed("subscription"))
        if found is None:
            raise CallerRefused(404, _GONE)
        if found.bound_to is not None:
            raise CallerRefused(409, "Nothing is delivered to a push channel: its holder asks. Nothing was done.")
        return found

    def _back(self, told: str) -> flask.Response:
        self._access.leave_notice(told)
        return self._rendering.see("/stuck")


@contextmanager
def _refused() -> Iterator[None]:
    """What the API would say, as the page of an error."""
    try:
        yield
    except Problem as problem:
        if problem.status == 404:
            raise CallerRefused(404, _GONE) from problem
        faults = " ".join(faults_of(problem).values())
        # 410 would say that the page is gone.
        raise CallerRefused(409, f"{faults} Nothing was done.") from problem
