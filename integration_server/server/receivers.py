"""The receivers that configuration names: every ``[subscriptions.NAME]`` as the Settings of its consumer type."""

from __future__ import annotations

from integration_server.config import Config, Table, parse_table
from integration_server.plugins import Plugins
from integration_server.sdk.consumers import Consumer
from integration_server.sdk.events import EVENT_TYPES, wants_type
from integration_server.sdk.settings import ConsumerSettings
from integration_server.server.faults import class_of, collected, raise_all


def subscription_settings(config: Config, plugins: Plugins) -> dict[str, ConsumerSettings]:
    """The settings of every configured subscription. Raises ConfigError for all faults together.

    Whether a group exists shows only when people are seen; whether its backend maps groups at all is the caller's to
    check, who has the mappings.
    """
    found: dict[str, ConsumerSettings] = {}
    faults: list[str] = []
    for name, table in config.subscriptions.items():
        with collected(faults):
            consumer = class_of(table, plugins.consumers)
            settings = parse_table(table, consumer.Settings, config.base_dir)
            faults += [f"{table.file}: {table.path}.{fault}" for fault in scope_faults(settings, config, consumer)]
            found[name] = settings
    raise_all(faults)
    return found


def scope_faults(settings: ConsumerSettings, config: Config, consumer: type[Consumer]) -> list[str]:
    """What is wrong with whom and what a receiver is told about. Each begins with the key."""
    faults = []
    types = (*EVENT_TYPES, *consumer.own_types)
    if settings.backend is not None and settings.backend not in config.backends:
        known = ", ".join(sorted(config.backends)) or "none"
        faults.append(f"backend: there is no [backends.{settings.backend}]; there are: {known}")
    elif consumer.backend_types and _type_of(settings.backend, config) not in consumer.backend_types:
        kinds = " or ".join(f'"{kind}"' for kind in consumer.backend_types)
        faults.append(f"backend: must name a backend with type = {kinds}")
    if settings.group is not None and settings.backend is None:
        faults.append("group: say which backend's group it is; groups of two backends may share a name")
    for pattern in settings.events:
        if not any(wants_type(pattern, kind) for kind in types):
            faults.append(f"events: no type of event is {pattern!r}; there are: {', '.join(types)}")
    if not settings.events:
        faults.append('events: names no event; "*" stands for all')
    return faults


def _type_of(backend: str | None, config: Config) -> object:
    table = config.backends.get(backend or "")
    return None if table is None else table.values.get("type")


def is_told_what_is_noticed(settings: ConsumerSettings) -> bool:
    """Whether a receiver asks for changes that must be noticed first: those of a plugin's own kind are told by it."""
    return any(wants_type(pattern, kind) for pattern in settings.events for kind in EVENT_TYPES)


def unwatched(settings: ConsumerSettings, config: Config) -> tuple[str, ...]:
    """The backends in a receiver's scope whose changes nobody notices for it, since they have no ``sync`` table."""
    if not is_told_what_is_noticed(settings):
        return ()
    chosen = config.backends if settings.backend is None else (settings.backend,)
    return tuple(name for name in chosen if not is_watched(config.backends[name]))


def is_watched(table: Table) -> bool:
    """Whether changes of this backend are noticed."""
    return "sync" in table.values
