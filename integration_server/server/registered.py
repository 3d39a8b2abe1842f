"""Receivers that a mount's protocol registers, kept as subscriptions."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

from integration_server.forwarding.delivery.roster import Workshop
from integration_server.forwarding.subscriptions import owner_of
from integration_server.sdk.errors import ConfigError
from integration_server.sdk.receivers import Receiver, Receivers
from integration_server.server.forwarding_parts import Forwarding
from integration_server.store.subscriptions import BY_HAND, CONFIG_OWNER, Subscription, UidTaken

logger = logging.getLogger(__name__)

#: Owners of what people chose.
_CHOSEN = (CONFIG_OWNER, *BY_HAND)


class Registered(Receivers):
    """Those of one consumer type; what is registered belongs to one mount."""

    def __init__(self, mount: str, type: str, forwarding: Forwarding) -> None:
        self._owner = owner_of(mount)
        self._type = type
        self._forwarding = forwarding
        self._subscriptions = forwarding.store.subscriptions
        self._workshop = Workshop(forwarding.plugins.consumers, forwarding.context)

    def all(self) -> Sequence[Receiver]:
        found = []
        for one in self._subscriptions.all(type=self._type):
            if self._is_ours(one):
                try:
                    found.append(self._receiver(one))
                except ConfigError as exc:
                    logger.warning("subscription %s: %s", one.uid or one.id, exc)
        return found

    def register(self, name: str, values: Mapping[str, object]) -> Receiver:
        made = self._forwarding.new_subscription(self._owner, name, {**values, "type": self._type}).subscription
        found = self._subscriptions.by_uid(self._owner, name)
        if found is not None and found.state == "ended":
            self._subscriptions.remove(found.id)
            found = None
        # Of another mount, whose name this one had before, for instance.
        others = [one.id for one in self._forwarding.others(made) if one.owner not in (self._owner, *_CHOSEN)]
        if found is None:
            try:
                self._subscriptions.add(made, others[0] if others else None)
                return self._receiver(self._subscriptions.get(made.id) or made)
            except UidTaken:
                # Another request of the same receiver was quicker.
                found = self._subscriptions.by_uid(self._owner, name)
        if found is None:
            raise ConfigError(f"{name} is being registered and removed at the same time; try again")
        columns = {key: getattr(made, key) for key in ("resource", "events", "settings", "batch_size")}
        return self._receiver(self._subscriptions.change(found.id, **columns, is_active=True))

    def resume(self, id: str) -> None:
        if self._has(id):
            consumer = self._forwarding.plugins.consumers[self._type]
            self._subscriptions.resume(id, consumer.ends_for_good)

    def end(self, id: str, reason: str) -> None:
        if self._has(id):
            self._forwarding.store.settlements.end(id, reason)

    def remove(self, id: str) -> bool:
        found = self._subscriptions.get(id)
        return found is not None and found.owner == self._owner and self._subscriptions.remove(id)

    def _is_ours(self, one: Subscription) -> bool:
        """One of the configuration stays in the store when its table is gone, and counts no more. One that a person
        added is every mount's."""
        if one.owner == CONFIG_OWNER:
            return one.uid in self._forwarding.settings
        return one.owner in (self._owner, *BY_HAND)

    def _has(self, id: str) -> bool:
        found = self._subscriptions.get(id)
        return found is not None and found.type == self._type

    def _receiver(self, one: Subscription) -> Receiver:
        """Raises ConfigError."""
        return Receiver(
            id=one.id,
            name=one.uid or one.id,
            settings=self._workshop.settings(one),
            state=one.state,
            reason=one.state_reason,
            is_active=one.is_active,
            is_configured=one.owner == CONFIG_OWNER,
            is_registered=one.owner == self._owner,
        )
