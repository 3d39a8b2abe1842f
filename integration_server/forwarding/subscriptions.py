"""Subscriptions that stand in the configuration, brought into the store."""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

from integration_server.config import Table, parse_table
from integration_server.sdk.consumers import Consumer, Signing
from integration_server.sdk.errors import ConfigError
from integration_server.sdk.settings import ConsumerSettings
from integration_server.store import Store
from integration_server.store.resources import Resource
from integration_server.store.subscriptions import CONFIG_OWNER, StoredSecret, Subscription, UidTaken

logger = logging.getLogger(__name__)

#: Keys of a table that are columns of the subscription.
_COLUMNS = frozenset({"type", "backend", "group", "events", "is_active", "batch_size", "rate_per_second", "coalesce"})
_REMOVED = "no longer in the configuration"


def configured_id(name: str) -> str:
    """The id of the subscription of ``[subscriptions.NAME]``, or of one that a frontend asks for (``MOUNT/NAME``): it
    stands in URLs, and no table's name has a dot."""
    return f"sub_config_{name.replace('/', '.')}"


def owner_of(mount: str) -> str:
    """Who a frontend is to the store, which has 40 characters for it."""
    owner = f"frontend:{mount}"
    return owner if len(owner) <= 40 else "frontend:" + hashlib.sha256(mount.encode()).hexdigest()[:31]


def sync_configured(
    tables: Mapping[str, Table],
    settings: Mapping[str, ConsumerSettings],
    consumers: Mapping[str, type[Consumer]],
    store: Store,
    clock: Callable[[], float] = time.time,
) -> None:
    """Make the store's subscriptions of the configuration what their tables say.

    ``settings`` are the tables as parsed. A new one is told what changes from now on; one whose table is gone ends, and
    goes on where it stopped when the table comes back and the journal still reaches there. One that was registered for
    the same receiver is replaced, and a new table goes on where that was. Raises StoreUnavailable.
    """
    everybody = store.subscriptions.delivered()
    stored = {one.id: one for one in everybody if one.owner == CONFIG_OWNER}
    registered = [one for one in everybody if one.owner != CONFIG_OWNER]
    for name, own in settings.items():
        wanted = columns(tables[name].values, own)
        found = stored.pop(configured_id(name), None)
        same = [one for one in registered if is_same_receiver(one, wanted, consumers[own.type].identity)]
        if found is None:
            _add(name, wanted, own, consumers[own.type], store, clock(), same[0].id if same else None)
        else:
            _update(found, wanted, store)
        for one in same:
            logger.warning("subscription %s is told in the place of %s, which is the same receiver", name, one.uid)
            store.subscriptions.remove(one.id)
    for gone in stored.values():
        if gone.state_reason != _REMOVED:
            store.subscriptions.change(gone.id, is_active=False, state="ended", state_reason=_REMOVED)


def columns(values: Mapping[str, Any], own: ConsumerSettings) -> dict[str, Any]:
    """What a table says, as columns of the subscription. References to secrets stay references.

    ``own`` are its ``values`` as parsed.
    """
    kind: Literal["all", "backend", "group"] = (
        "all" if own.backend is None else "backend" if own.group is None else "group"
    )
    return {
        "type": own.type,
        "resource": Resource(kind, own.backend, own.group),
        "events": own.events,
        "settings": {key: value for key, value in values.items() if key not in _COLUMNS},
        "batch_size": own.batch_size,
        "rate_per_second": own.rate_per_second,
        "is_coalescing": own.coalesce,
        "is_active": own.is_active,
    }


def table_of(one: Subscription) -> dict[str, Any]:
    """The opposite of ``columns``: what a table would say that makes this subscription."""
    scope = {"backend": one.resource.backend, "group": one.resource.group}
    return {
        **one.settings,
        **{key: value for key, value in scope.items() if value is not None},
        "type": one.type,
        "events": one.events,
        "batch_size": one.batch_size,
        "rate_per_second": one.rate_per_second,
        "coalesce": one.is_coalescing,
        "is_active": one.is_active,
    }


def masked_settings(
    one: Subscription, consumers: Mapping[str, type[Consumer]], base_dir: Path
) -> Mapping[str, Any] | None:
    """Its own settings as people may see them; None where no consumer type is there to say which are secret, or they
    cannot be used."""
    if one.type not in consumers:
        return None
    table = Table("subscriptions", one.uid or one.id, base_dir, table_of(one))
    try:
        parsed = parse_table(table, consumers[one.type].Settings, base_dir)
    except ConfigError:
        # Why it cannot be used is in its state.
        return None
    return parsed.model_dump(mode="json", include=set(one.settings))


def first_secret(consumer: type[Consumer], own: ConsumerSettings) -> str | None:
    """A new secret to sign with, where the receiver's kind has one and its settings do not name it."""
    if issubclass(consumer, Signing) and getattr(own, "secret", None) is None:
        return consumer.new_secret()
    return None


def is_same_receiver(one: Subscription, wanted: Mapping[str, Any], identity: str | None) -> bool:
    """Whether both have the same receiver: two would tell it everything twice, and neither knew of the other.

    ``wanted`` are columns of a subscription, ``identity`` is that of its consumer.
    """
    if identity is None or (one.type, one.resource) != (wanted["type"], wanted["resource"]):
        return False
    return bool(one.settings.get(identity) == wanted["settings"].get(identity))


def _add(
    name: str,
    wanted: dict[str, Any],
    own: ConsumerSettings,
    consumer: type[Consumer],
    store: Store,
    now: float,
    instead_of: str | None,
) -> None:
    secret = first_secret(consumer, own)
    subscription = Subscription(
        id=configured_id(name),
        owner=CONFIG_OWNER,
        uid=name,
        secrets=(StoredSecret(secret),) if secret is not None else (),
        state="ok",
        state_reason=None,
        created_at=now,
        changed_at=now,
        cursor=store.journal.last_serial(),
        **wanted,
    )
    try:
        store.subscriptions.add(subscription, instead_of)
    except UidTaken:
        logger.debug("another process has just added subscription %s", name)


def _update(found: Subscription, wanted: dict[str, Any], store: Store) -> None:
    changed = {name: value for name, value in wanted.items() if getattr(found, name) != value}
    if found.state_reason == _REMOVED:
        changed |= {"state": "ok", "state_reason": None}
        if found.cursor < store.journal.pruned_serial():
            logger.warning("subscription %s was away for longer than events are kept; it begins anew", found.uid)
            store.subscriptions.replay_from(found.id, store.journal.last_serial())
    if changed:
        store.subscriptions.change(found.id, **changed)
