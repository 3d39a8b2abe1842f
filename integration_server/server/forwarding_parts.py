"""What an installation needs to notice changes and to deliver them. Nothing here starts a thread by being made."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

from integration_server.config import Config
from integration_server.directory.source import Source
from integration_server.forwarding.audit import Audit
from integration_server.forwarding.bell import Bell
from integration_server.plugins import Plugins
from integration_server.sdk.consumers import ConsumerContext
from integration_server.sdk.deadline import Watchdog
from integration_server.sdk.errors import ConfigError
from integration_server.sdk.http import HttpClient
from integration_server.sdk.settings import ConsumerSettings
from integration_server.server.faults import blamed, collected, raise_all
from integration_server.store import Store


@dataclass(frozen=True, slots=True)
class Forwarding:
    """Everything that watchers and the engine are made of. ``settings`` are those of the configured subscriptions."""

    config: Config
    plugins: Plugins
    store: Store
    sources: Mapping[str, Source]
    settings: Mapping[str, ConsumerSettings]
    http: HttpClient
    watchdog: Watchdog
    bell: Bell
    audit: Audit

    @property
    def watched(self) -> tuple[str, ...]:
        """The backends whose changes are noticed: those with a ``sync`` table."""
        return tuple(name for name, source in self.sources.items() if source.settings.sync is not None)

    def context(self, subscription_id: str) -> ConsumerContext:
        """What a consumer gets beside its settings."""
        return ConsumerContext(subscription_id, self.http, self.watchdog, self.config.base_dir, time.time)

    def close(self) -> None:
        """Close the connections to receivers."""
        self.http.close()


def make_forwarding(
    config: Config,
    plugins: Plugins,
    store: Store,
    sources: Mapping[str, Source],
    settings: Mapping[str, ConsumerSettings],
) -> Forwarding:
    """The parts of a configuration's forwarding. Raises ConfigError for receivers that cannot work, all together."""
    watchdog = Watchdog()
    http = HttpClient(config.core.forwarding.allow_networks, watchdog)
    made = Forwarding(config, plugins, store, sources, settings, http, watchdog, Bell(), Audit(plugins.audits))
    faults: list[str] = []
    for name, own in settings.items():
        with collected(faults), blamed(config.subscriptions[name]):
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
