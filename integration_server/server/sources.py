"""From tables of the configuration to backends that can be asked."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from integration_server.config import Config, Table, parse_table
from integration_server.directory.kept import Kept
from integration_server.directory.source import Source
from integration_server.plugins import Plugins
from integration_server.sdk.contracts import Backend, BackendContext
from integration_server.sdk.deadline import Watchdog
from integration_server.sdk.errors import ConfigError
from integration_server.sdk.mapping import Mapper
from integration_server.sdk.settings import FilterSettings
from integration_server.sdk.storage import no_storage
from integration_server.server.faults import blamed, class_of, raise_all
from integration_server.store import Store
from integration_server.store.name_index import NameIndex

#: A backend that hangs takes at most one share of the threads; with three of them hanging, others are still answered.
_SHARES = 3


def make_sources(
    config: Config,
    plugins: Plugins,
    index: NameIndex,
    store: Store | None = None,
    only: Collection[str] | None = None,
) -> dict[str, Source]:
    """Backends of the configuration, all or only those that are named, made but not asked.

    Without a store they can be made, but not asked for what is kept there. Raises ConfigError for all faults together.
    """
    sources: dict[str, Source] = {}
    faults: list[str] = []
    maker = _Maker(config, plugins, index, store)
    for name, table in config.backends.items():
        if only is None or name in only:
            try:
                sources[name] = maker.source(table)
            except ConfigError as exc:
                faults.append(str(exc))
    raise_all(faults)
    return sources


class _Maker:
    def __init__(self, config: Config, plugins: Plugins, index: NameIndex, store: Store | None) -> None:
        self._config = config
        self._plugins = plugins
        self._index = index
        self._storage = store.storage if store is not None else no_storage
        self._watchdog = Watchdog()
        homes = [name for name, table in config.backends.items() if _is_keeping(table, plugins)]
        self._kept = Kept(store.kept_memberships, config.backends, homes) if store is not None and homes else None

    def source(self, table: Table) -> Source:
        config, plugins = self._config, self._plugins
        cls: type[Backend] = class_of(table, plugins.backends)
        settings = parse_table(table, cls.Settings, config.base_dir)
        with blamed(table):
            mapper = Mapper(table.name, settings.map, cls.default_mapping(settings))
            if settings.username_index and not mapper.has_own_id:
                raise ConfigError("username_index needs an id in the mapping")
            if settings.username_index and not mapper.is_id_plain:
                raise ConfigError("username_index needs an id in the mapping that is one plain attribute")
            if not mapper.is_reversible and not settings.username_index:
                raise ConfigError("the mapping of username cannot be undone at a login; set username_index = true")
            context = BackendContext(
                table.name, mapper.attributes, config.base_dir, config.data_dir, self._watchdog, self._storage
            )
            made = Source(
                table.name,
                cls(settings, context),
                settings,
                mapper,
                self._index,
                plugins.transforms,
                max_calls=max(2, config.core.server.threads // _SHARES),
                kept=self._kept,
            )
            if not plugins.transforms:
                check_filter(settings.filter, [made])
            return made


def _is_keeping(table: Table, plugins: Plugins) -> bool:
    """Whether memberships of its groups are kept here, by its table as it stands: its faults are told elsewhere."""
    cls = plugins.backends.get(table.type)
    default = cls is not None and cls.Settings.model_fields["keep_memberships"].default
    return table.values.get("keep_memberships", default) is True


def check_filter(scope: FilterSettings, sources: Sequence[Source]) -> None:
    """Raise ConfigError for a condition on a field that none of the backends fills: it would hold for all or nobody."""
    filled = {field for source in sources for field in source.mapper.rules}
    if any(source.kept is not None for source in sources):
        filled.add("groups")
    conditions = {"groups": "groups", "exclude_groups": "groups", "only_with_email": "emails"}
    for key, field in conditions.items():
        if getattr(scope, key) and field not in filled:
            raise ConfigError(f"filter.{key}: the mapping has no {field}, so this would hold for everybody or nobody")
