"""Subscriptions, said for people to read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from integration_server.config import Table
from integration_server.forwarding.subscriptions import owner_of
from integration_server.sdk.urls import masked_url
from integration_server.store.resources import Resource
from integration_server.store.subscriptions import COMMAND_OWNER, CONFIG_OWNER, DASHBOARD_OWNER, Subscription
from integration_server.web.dashboard.facts import DashboardFacts

#: Kind of colour, and words.
STATES = {
    "ok": ("good", "works"),
    "replaying": ("good", "is being sent everybody"),
    "channel": ("good", "asks by itself"),
    "paused": ("idle", "paused by a person"),
    "resting": ("warn", "down: asked again and again"),
    "quarantined": ("bad", "down for long: asked now and then"),
    "ended": ("bad", "ended"),
    "broken": ("bad", "cannot be told: see the reason"),
}
_MOSTLY_TAKES = ("warn", "takes events, but not all")


@dataclass(frozen=True, slots=True)
class Shown:
    """One on the list. ``waiting``: events by state, counted up to a number. ``behind``: so many serials are beyond its
    position. ``table``: where the configuration asks for it."""

    one: Subscription
    owner: str
    table: Table | None
    waiting: Mapping[str, int]
    behind: int

    @property
    def name(self) -> str:
        return self.one.uid or self.one.id

    @property
    def state(self) -> tuple[str, str]:
        return told_state(self.one, any(self.waiting.values()))

    @property
    def can_resume(self) -> bool:
        """Whether there is anything to be ended by that."""
        return state_of(self.one) not in ("ok", "replaying", "channel")

    @property
    def address(self) -> str:
        return address(self.one)

    @property
    def whose(self) -> str:
        return whose(self.one.resource)

    @property
    def is_editable(self) -> bool:
        """Whether its settings are an administrator's to change here."""
        is_asked_for = self.one.owner == CONFIG_OWNER or self.one.owner.startswith("frontend:")
        return not is_asked_for and self.one.bound_to is None


def state_of(one: Subscription) -> str:
    """One of ``STATES``."""
    if one.state == "ended":
        return "ended"
    if not one.is_active:
        return "paused"
    if one.bound_to is not None:
        return "channel"
    if one.state == "ok" and one.state_reason:
        # Nobody explains a receiver that is told, so this one could not even be made.
        return "broken"
    return "replaying" if one.replay_serial is not None and one.state == "ok" else one.state


def told_state(one: Subscription, has_waiting: bool) -> tuple[str, str]:
    """Kind of colour, and words; the same on every page. ``has_waiting``: events wait for it."""
    state = state_of(one)
    is_asked = state in ("ok", "replaying")
    return _MOSTLY_TAKES if is_asked and (one.failing_since is not None or has_waiting) else STATES[state]


def whose(resource: Resource) -> str:
    """Whose changes it is told of."""
    if resource.kind == "all":
        return "everybody"
    return (
        f"backend {resource.backend}" if resource.kind == "backend" else f"group {resource.group} of {resource.backend}"
    )


def address(one: Subscription) -> str:
    """Where it is sent, keys masked; empty for what has no address."""
    url = one.settings.get("url")
    if isinstance(url, Mapping):
        return "kept in " + " ".join(f"{kind} {name}" for kind, name in url.items())
    return masked_url(url) if isinstance(url, str) else ""


class Owners:
    """Who made subscriptions, for the time of a request."""

    def __init__(self, facts: DashboardFacts) -> None:
        self._tokens = facts.store.tokens
        self._told = {
            CONFIG_OWNER: "the configuration",
            COMMAND_OWNER: "the command line",
            DASHBOARD_OWNER: "the dashboard",
            **{owner_of(name): f"frontend {name}" for name in facts.mounts},
        }

    def words(self, owner: str) -> str:
        """Raises StoreUnavailable."""
        if owner not in self._told:
            token = self._tokens.get(owner)
            self._told[owner] = f"API token {token.name}" if token is not None else owner
        return self._told[owner]


def table_of(one: Subscription, tables: Mapping[str, Table]) -> Table | None:
    """Where the configuration asks for it."""
    return tables.get(one.uid or "") if one.owner == CONFIG_OWNER else None
