"""What an installation needs to notice changes and to deliver them. Nothing here starts a thread by being made."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from integration_server.config import Config, Table, parse_table
from integration_server.directory.source import Source
from integration_server.forwarding.audit import Audit
from integration_server.forwarding.delivery.engine import Engine
from integration_server.forwarding.detection.watcher import Watcher
from integration_server.forwarding.subscriptions import columns, first_secret, is_same_receiver, sync_configured
from integration_server.meters import Meters
from integration_server.plugins import Plugins
from integration_server.sdk.certificates import Sightings
from integration_server.sdk.consumers import ConsumerContext
from integration_server.sdk.deadline import Watchdog
from integration_server.sdk.errors import BackendError, ConfigError
from integration_server.sdk.http import HttpClient
from integration_server.sdk.settings import ConsumerSettings
from integration_server.server.election import node_name
from integration_server.server.faults import blamed, class_of, collected, raise_all
from integration_server.server.receivers import refuse_implied, scope_faults
from integration_server.store import Store
from integration_server.store.bell import Bell
from integration_server.store.subscriptions import StoredSecret, Subscription, new_subscription_id


@dataclass(frozen=True, slots=True)
class Forwarding:
    """Everything that watchers and the engine are made of. ``settings`` are those of the configured subscriptions,
    which stand in ``tables``."""

    config: Config
    plugins: Plugins
    store: Store
    sources: Mapping[str, Source]
    tables: Mapping[str, Table]
    settings: Mapping[str, ConsumerSettings]
    http: HttpClient
    watchdog: Watchdog
    bell: Bell
    audit: Audit
    meters: Meters

    @property
    def watched(self) -> tuple[str, ...]:
        """The backends whose changes are noticed: those with a ``sync`` table."""
        return tuple(name for name, source in self.sources.items() if source.settings.sync is not None)

    def watcher(self, name: str) -> Watcher:
        """A watcher of one backend, not begun. Only one may run at one time, by whoever holds the seat for that."""
        return Watcher(self.sources[name], self.store, self.audit, self.bell, folder=self.config.data_dir)

    def engine(self) -> Engine:
        """An engine, not started; one that is not can still send a test event."""
        settings = self.config.core.forwarding
        parts = (self.store, self.plugins.consumers, self.context, settings, self.audit, self.bell)
        return Engine(*parts, node_name(), count=self.meters.delivery)

    def context(self, subscription_id: str) -> ConsumerContext:
        """What a consumer gets beside its settings."""
        return ConsumerContext(
            subscription_id, self.http, self.watchdog, self.config.base_dir, time.time, self.store.storage
        )

    def greeting(self) -> list[str]:
        """Lines for whoever starts the server: what is watched, and who is told."""
        lines = []
        for name in self.watched:
            sync = self.sources[name].settings.sync
            assert sync is not None
            lines.append(f"watches {name}: everybody is compared every {sync.scan_seconds:g} s{self._feed(name)}")
        for name, settings in self.settings.items():
            scope = "/".join(filter(None, (settings.backend, settings.group))) or "everything"
            state = "" if settings.is_active else " (not active)"
            lines.append(f"tells {name} ({settings.type}) of changes in {scope}{state}")
        return lines

    def _feed(self, name: str) -> str:
        source = self.sources[name]
        sync = source.settings.sync
        if sync is None:
            return ""
        try:
            feed = source.feed
            return f", {feed.feed()} read every {sync.feed_seconds:g} s" if feed is not None else ""
        except BackendError as exc:
            return f" ({exc})"

    def bring_configured(self) -> None:
        """Make the store's subscriptions of the configuration what it says. Raises StoreUnavailable."""
        sync_configured(self.tables, self.settings, self.plugins.consumers, self.store)

    def new_subscription(self, owner: str, uid: str, values: Mapping[str, Any]) -> NewReceiver:
        """A subscription from now on, not stored yet. ``values`` are what could stand in ``[subscriptions.UID]``.

        Raises ConfigError.
        """
        table = Table("subscriptions", uid, Path("subscription"), values)
        with blamed(table):
            settings = self._checked(table)
        secret = first_secret(self.plugins.consumers[settings.type], settings)
        now = time.time()
        made = Subscription(
            id=new_subscription_id(),
            owner=owner,
            uid=uid,
            secrets=(StoredSecret(secret),) if secret is not None else (),
            state="ok",
            state_reason=None,
            created_at=now,
            changed_at=now,
            cursor=self.store.journal.last_serial(),
            **columns(values, settings),
        )
        return NewReceiver(made, secret)

    def others(self, made: Subscription) -> list[Subscription]:
        """Those that tell the receiver of ``made``, where it must not be told twice. Raises StoreUnavailable."""
        identity = self.plugins.consumers[made.type].identity
        wanted = {"type": made.type, "resource": made.resource, "settings": made.settings}
        return [one for one in self.store.subscriptions.delivered() if is_same_receiver(one, wanted, identity)]

    def _checked(self, table: Table) -> ConsumerSettings:
        consumer = class_of(table, self.plugins.consumers)
        refuse_implied(table, consumer)
        settings = parse_table(table, consumer.Settings, self.config.base_dir)
        if faults := scope_faults(settings, self.config, self.plugins.consumers[settings.type]):
            raise ConfigError("\n".join(f"{table.path}.{fault}" for fault in faults))
        _check_group(settings, self.plugins, self.sources)
        self.plugins.consumers[settings.type](settings, self.context("new")).close()
        return settings

    def close(self) -> None:
        """Close the connections to receivers."""
        self.http.close()


@dataclass(frozen=True, slots=True)
class NewReceiver:
    """A subscription, and its secret where one was made, to be shown once."""

    subscription: Subscription
    new_secret: str | None = field(repr=False)


def make_forwarding(
    config: Config,
    plugins: Plugins,
    store: Store,
    sources: Mapping[str, Source],
    tables: Mapping[str, Table],
    settings: Mapping[str, ConsumerSettings],
    meters: Meters,
    sightings: Sightings,
) -> Forwarding:
    """The parts of a configuration's forwarding. Raises ConfigError for receivers that cannot work, all together."""
    watchdog = Watchdog()
    http = HttpClient(config.core.forwarding.allow_networks, watchdog, sightings=sightings)
    audit = Audit(plugins.audits, store.audit_log)
    made = Forwarding(config, plugins, store, sources, tables, settings, http, watchdog, store.bell, audit, meters)
    faults: list[str] = []
    for name, own in settings.items():
        with collected(faults), blamed(tables[name]):
            _check_group(own, plugins, sources)
            # Settings that cannot work together show when a consumer is made of them.
            plugins.consumers[own.type](own, made.context(name)).close()
    if faults:
        made.close()
    raise_all(faults)
    return made


def _check_group(settings: ConsumerSettings, plugins: Plugins, sources: Mapping[str, Source]) -> None:
    """Raises ConfigError where nobody can ever be in the group, because the backend knows no groups."""
    if settings.group is None or settings.backend is None or plugins.transforms:
        return
    if "groups" not in sources[settings.backend].mapper.rules:
        raise ConfigError(f"group: the mapping of [backends.{settings.backend}] has no groups, so nobody is ever in it")
