"""Receivers that are not simply told of everything: which, why, and how much waits for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from integration_server.config import Table
from integration_server.store.stuck import MOST_COUNTED, State
from integration_server.store.subscriptions import Subscription
from integration_server.web.dashboard.facts import DashboardFacts
from integration_server.web.dashboard.subscription_words import state_of, table_of, told_state
from integration_server.web.dashboard.wording import receiver

#: The worst first; one that has ended waits for nothing.
_ORDER = ("broken", "quarantined", "resting", "paused", "ok", "replaying", "ended")


@dataclass(frozen=True, slots=True)
class Troubled:
    """``waiting``: rows by state, as ``Stuck.counts`` gives them. ``behind``: as many serials are beyond its position,
    some of which may not be for it. ``table``: where the configuration asks for it."""

    one: Subscription
    name: str
    state: str
    waiting: Mapping[State, int]
    behind: int
    table: Table | None

    @property
    def kind(self) -> str:
        """How bad that is, for ``macros.state``."""
        return self._told[0]

    @property
    def words(self) -> str:
        """The state for people."""
        return self._told[1]

    @property
    def _told(self) -> tuple[str, str]:
        return told_state(self.one, any(self.waiting.values()))

    @property
    def is_up(self) -> bool:
        """Whether it is asked to take what comes."""
        return self.state in ("ok", "replaying")

    @property
    def can_resume(self) -> bool:
        """Whether there is anything to be ended by that."""
        return not self.is_up and self.state != "broken"

    @property
    def is_counted(self) -> bool:
        """Whether the numbers are exact."""
        return all(count <= MOST_COUNTED for count in self.waiting.values())


def troubled(facts: DashboardFacts) -> list[Troubled]:
    """Those that are down, paused, ended, or have something waiting, the worst first. Raises StoreUnavailable."""
    # In this order: what happens in between is not yet said to be missing.
    last, counts = facts.store.journal.last_serial(), facts.store.stuck.counts()
    found = [_troubled(facts, one, counts.get(one.id, {}), last) for one in facts.store.subscriptions.delivered()]
    shown = [one for one in found if not one.is_up or one.waiting]
    return sorted(shown, key=lambda one: (_ORDER.index(one.state), one.name))


def _troubled(facts: DashboardFacts, one: Subscription, waiting: Mapping[State, int], last: int) -> Troubled:
    behind = 0 if one.state == "ended" else max(0, last - one.cursor)
    return Troubled(one, receiver(one), state_of(one), waiting, behind, table_of(one, facts.tables))
