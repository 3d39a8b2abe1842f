"""What an administrator does about a subscription as a whole, from whichever page: resume it, remove it."""

from __future__ import annotations

from integration_server.store.subscriptions import CONFIG_OWNER, Subscription
from integration_server.web.api.problems import Problem
from integration_server.web.api.subscribing import Subscribing, audited
from integration_server.web.dashboard.facts import DashboardFacts
from integration_server.web.dashboard.route import Visit
from integration_server.web.dashboard.subscription_words import table_of


class Running:
    """Its methods raise Problem, StoreUnavailable."""

    def __init__(self, facts: DashboardFacts) -> None:
        self._facts = facts
        self._store = facts.store.subscriptions
        self._subscribing = Subscribing(facts.api, facts.receivers)

    def resume(self, visit: Visit, one: Subscription) -> None:
        """Send it what waits for it, at once."""
        consumer = self._facts.plugins.consumers.get(one.type)
        begins_anew = consumer is not None and consumer.ends_for_good
        if one.state == "ended" and one.bound_to is not None:
            raise Problem(409, "its token is revoked or has expired: its holder registers it anew, with another one")
        if one.state == "ended" and not begins_anew:
            self._subscribing.check_kept(one.cursor)
        try:
            self._store.resume(one.id, begins_anew)
        except KeyError as exc:
            raise Problem(404, "") from exc
        self.tell("resumed", visit, one)

    def remove(self, visit: Visit, one: Subscription) -> bool:
        """End it for good; whether it was there."""
        if (table := table_of(one, self._facts.tables)) is not None:
            raise Problem(409, f"it stands in {table.file.name} as [{table.path}]; remove it there")
        was_there = self._store.remove(one.id)
        if was_there:
            self.tell("removed", visit, one)
        return was_there

    def tell(self, what: str, visit: Visit, one: Subscription, **details: object) -> None:
        """Say what was done with it."""
        self._facts.audit.tell(f"subscription.{what}", one.id, {**audited(one), **details}, visit.actor)


def until(one: Subscription) -> str:
    """A sentence for whoever paused or resumed one of the configuration."""
    return " The configuration decides again when the server starts next." if one.owner == CONFIG_OWNER else ""
