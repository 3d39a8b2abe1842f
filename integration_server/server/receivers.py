"""The receivers that configuration names, in ``[subscriptions.NAME]`` or since a frontend asks for them: each as the
Settings of its consumer type."""

from __future__ import annotations

from collections.abc import Mapping

from integration_server.config import Config, Table, parse_table
from integration_server.plugins import Plugins
from integration_server.sdk.consumers import Consumer
from integration_server.sdk.errors import ConfigError
from integration_server.sdk.events import EVENT_TYPES, wants_type
from integration_server.sdk.frontend_abilities import Subscriber
from integration_server.sdk.settings import ConsumerSettings, FrontendSettings
from integration_server.server.faults import blamed, class_of, collected, raise_all

#: Characters; the store makes ids of names.
_LONGEST_NAME = 100


def subscription_tables(
    config: Config, plugins: Plugins, frontends: Mapping[str, FrontendSettings]
) -> dict[str, Table]:
    """The table of every configured subscription by its name: those that stand there, and those that ``frontends`` ask
    for, called ``MOUNT/NAME``, which are told as the frontend's key. Raises ConfigError for all faults together."""
    types = {name: kind for name, table in config.backends.items() if isinstance(kind := table.values.get("type"), str)}
    found = dict(config.subscriptions)
    faults: list[str] = []
    for mount, settings in frontends.items():
        table = config.frontends[mount]
        frontend = plugins.frontends[table.type]
        if not issubclass(frontend, Subscriber):
            continue
        with collected(faults), blamed(table):
            for one in frontend.subscriptions(mount, settings, types):
                name = f"{mount}/{one.name}"
                if len(name) > _LONGEST_NAME:
                    raise ConfigError(f"{one.key}: its subscription would be called {name}; take shorter names")
                found[name] = Table(table.kind, f"{mount}.{one.key}", table.file, one.values)
    raise_all(faults)
    return found


def subscription_settings(tables: Mapping[str, Table], config: Config, plugins: Plugins) -> dict[str, ConsumerSettings]:
    """The settings of subscriptions. Raises ConfigError for all faults together.

    Whether a group exists shows only when people are seen; whether its backend maps groups at all is the caller's to
    check, who has the mappings.
    """
    found: dict[str, ConsumerSettings] = {}
    faults: list[str] = []
    for name, table in tables.items():
        with collected(faults):
            consumer = class_of(table, plugins.consumers)
            if not is_implied(name):
                refuse_implied(table, consumer)
            settings = parse_table(table, consumer.Settings, config.base_dir)
            where = f"{table.file}: {table.path}" + (": " if is_implied(name) else ".")
            faults += [f"{where}{fault}" for fault in scope_faults(settings, config, consumer)]
            found[name] = settings
    raise_all(faults)
    return found


def refuse_implied(table: Table, consumer: type[Consumer]) -> None:
    """Raises ConfigError for a receiver that nobody but a frontend can ask for."""
    if consumer.is_implied:
        told = f"settings of frontends ask for such receivers (docs/settings.rst); {consumer.type!r} stands in no table"
        raise ConfigError(f"{table.file}: {table.path}.type: {told}")


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


def is_implied(name: str) -> bool:
    """Whether a frontend asks for the configured subscription of this name: no table can be called so."""
    return "/" in name


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
