"""One configuration, opened: plugins loaded, backends made, store ready. Commands and the server start from it."""

from __future__ import annotations

import logging
import os
import secrets
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from wsgiref.types import WSGIApplication

import filelock

from integration_server import __version__
from integration_server.config import Config, Table, load, parse_table
from integration_server.directory.dispatch import Directory
from integration_server.directory.guard import Guard
from integration_server.directory.listing import Lister
from integration_server.directory.mount import Mount
from integration_server.directory.site import Site
from integration_server.directory.source import Source
from integration_server.directory.throttle import Throttle, ThrottlePolicy
from integration_server.directory.unindexed import Unindexed
from integration_server.forwarding.writing import Writing
from integration_server.meters import Meters
from integration_server.plugins import Plugins, load_plugins
from integration_server.sdk.certificates import Sightings
from integration_server.sdk.errors import ConfigError
from integration_server.sdk.frontend_abilities import LoginObserver
from integration_server.sdk.settings import ConsumerSettings, FrontendSettings, TokenSettings
from integration_server.server.bound import Bound
from integration_server.server.faults import blamed, class_of, collected, raise_all
from integration_server.server.forwarding_parts import Forwarding, make_forwarding
from integration_server.server.limits import make_room
from integration_server.server.listener import BindError, bind
from integration_server.server.posts import Duties
from integration_server.server.receivers import is_watched, subscription_settings, subscription_tables
from integration_server.server.registered import Registered
from integration_server.server.sources import check_filter, make_sources
from integration_server.store import Store
from integration_server.store.groupserver_option import OptionTable
from integration_server.web.api import ApiFacts, ApiLimits, BackendFacts, Receivers, create_api
from integration_server.web.app import Mounted, create_app
from integration_server.web.callers import CallerCheck
from integration_server.web.dashboard import DashboardFacts, create_dashboard
from integration_server.web.gateway import Services, WebGateway
from integration_server.web.monitoring import BackendHealth, MonitoringFacts, create_monitoring

logger = logging.getLogger(__name__)


class Stopping:
    """Whether the server is about to stop. A plain flag, since a signal handler sets it, where a lock may be held."""

    def __init__(self) -> None:
        self._is_set = False

    def set(self) -> None:
        self._is_set = True

    def is_set(self) -> bool:
        return self._is_set


@dataclass(frozen=True, slots=True)
class Installation:
    """Everything a configuration makes. Close it with ``close`` or use ``opened``."""

    config: Config
    plugins: Plugins
    store: Store
    sources: Mapping[str, Source]
    mounts: Mapping[str, Mount]
    throttle: Throttle
    directory: Directory
    lister: Lister
    forwarding: Forwarding
    stopping: Stopping
    meters: Meters
    sightings: Sightings
    duties: Duties
    #: A place for each request to a frontend that may wait for something at one time.
    waiters: threading.Semaphore
    #: Of mounts whose token GroupServer itself keeps.
    token_tables: Mapping[str, OptionTable]
    key: bytes = field(repr=False)

    def app(self, mounted: Mapping[str, Mounted] | None = None) -> WSGIApplication:
        """The application with all frontends, made here or by ``mounted``. Raises ConfigError."""
        chosen = self.mounted() if mounted is None else mounted
        observers = [one.frontend for one in chosen.values() if isinstance(one.frontend, LoginObserver)]
        self.directory.observe(observers)
        api, health = self._api_facts(), self._backend_health()
        # Shared, so that both together wait for no more receivers than either may.
        receivers = Receivers(api)
        settings = self.config.core.dashboard
        dashboard = create_dashboard(self._dashboard_facts(api, receivers, health)) if settings.enabled else None
        return create_app(
            chosen,
            create_api(api, receivers),
            create_monitoring(self._monitoring_facts(health)),
            dashboard,
            self.meters,
        )

    def mounted(self) -> dict[str, Mounted]:
        """All frontends, made anew, and where they are mounted. Raises ConfigError."""
        mounted = {}
        for name, mount in self.mounts.items():
            table = self.config.frontends[name]
            with blamed(table):
                frontend = self.plugins.frontends[table.type](mount.settings, self.gateway(name))
            mounted[name] = Mounted(mount.settings.path, frontend)
        return mounted

    def gateway(self, name: str) -> WebGateway:
        """What a mount's frontend may do. Raises ConfigError."""
        mount = self.mounts[name]
        site = Site(mount, self.store.identities)
        return WebGateway(
            mount,
            self.directory,
            self.lister,
            site,
            # Events name who caused them.
            Writing(site, f"frontend:{name}", self.store, self.forwarding.bell),
            CallerCheck(name, mount.settings, self.throttle),
            self._token_check(name),
            Services(
                self.store.storage,
                lambda type: Registered(name, type, self.forwarding),
                lambda type: Bound(type, self.forwarding),
                self.forwarding.http,
                self.throttle,
                self.waiters,
                self.stopping.is_set,
                _listening,
                self.plugins.wakers,
                self.meters,
                self.key,
            ),
        )

    def _token_check(self, name: str) -> Callable[[str], bool]:
        option = self.token_tables.get(name)
        return option.matches if option is not None else partial(self.store.frontend_tokens.matches, name)

    def first_token(self, name: str) -> str | None:
        """The token of a mount, where its protocol has one and it was made just now. Raises StoreUnavailable."""
        has_token = self.plugins.frontends[self.config.frontends[name].type].has_token
        if not has_token or name in self.token_tables:
            return None
        return self.store.frontend_tokens.ensure(name)

    def _api_facts(self) -> ApiFacts:
        config = self.config
        # What waits occupies a thread each; the others are for logins and lists.
        share = max(1, config.core.server.threads // 8)
        return ApiFacts(
            self.store,
            {name: BackendFacts(table.type, is_watched(table)) for name, table in config.backends.items()},
            self.plugins.consumers,
            self.forwarding.bell,
            self.forwarding.audit,
            config.data_dir / "snapshots",
            engine=self.forwarding.engine(),
            context=self.forwarding.context,
            limits=ApiLimits(
                waiters=share,
                snapshots=max(1, share // 2),
                tests=share,
                subscriptions=config.core.forwarding.subscriptions_per_token,
            ),
            allow_plain_http=config.core.api.allow_plain_http,
            is_stopping=self.stopping.is_set,
        )

    def _backend_health(self) -> BackendHealth:
        at_once = max(1, self.config.core.server.threads // 8)
        return BackendHealth(self.sources, asked_at_once=at_once, sightings=self.sightings)

    def _monitoring_facts(self, health: BackendHealth) -> MonitoringFacts:
        networks = self.config.core.server.monitoring_networks
        return MonitoringFacts(
            __version__, self.store, self.mounts, self.lister, self.meters, health, self.duties.ended, networks
        )

    def _dashboard_facts(self, api: ApiFacts, receivers: Receivers, health: BackendHealth) -> DashboardFacts:
        return DashboardFacts(
            __version__,
            self.config,
            self.plugins,
            self.store,
            self.sources,
            self.mounts,
            self.directory,
            self.lister,
            self.throttle,
            self.forwarding.audit,
            self.meters,
            health,
            api,
            receivers,
            self.forwarding.tables,
            self.forwarding.settings,
            faults=self.duties.ended,
        )

    def close(self) -> None:
        """Close every backend, the connections to receivers, and the store."""
        for table in self.token_tables.values():
            table.close()
        self.forwarding.close()
        for source in self.sources.values():
            source.close()
        self.store.close()


@contextmanager
def opened(source: Path | Config) -> Iterator[Installation]:
    """The installation of a configuration folder, or of a configuration that was made otherwise, closed at the end.
    Raises ConfigError, all faults in one message."""
    installation = open_installation(source)
    try:
        yield installation
    finally:
        installation.close()


def open_installation(source: Path | Config) -> Installation:
    """Read, load and open everything; nothing is asked yet. Raises ConfigError."""
    config = load(source) if isinstance(source, Path) else source
    plugins = plugins_of(config)
    mounts_settings, tables, receivers = _settings_or_all_faults(config, plugins)
    throttle_settings = config.core.throttle
    url = config.core.store.url
    store = Store(url.get_secret_value() if url is not None else "", config.data_dir)
    try:
        sources = make_sources(config, plugins, store.name_index, store)
        mounts = {name: _mount(name, config, settings, sources) for name, settings in mounts_settings.items()}
        policy = ThrottlePolicy(
            throttle_settings.free_failures,
            throttle_settings.first_pause_seconds,
            throttle_settings.longest_pause_seconds,
            throttle_settings.window_seconds,
        )
        key = _key(config.data_dir)
        throttle = Throttle(store.failed_logins, key, policy)
        slots = max(1, config.core.server.threads // 8)
        meters, sightings = Meters(), Sightings()
        forwarding = make_forwarding(config, plugins, store, sources, tables, receivers, meters, sightings)
        guard = Guard(store.name_lists, store.guard_lifts, forwarding.audit.tell)
        lister = Lister(config.data_dir / "spool", guard, store.name_index, slots)
        directory = Directory(throttle, store.name_lists)
        tokens = {name: found for name, one in mounts_settings.items() if (found := _token_table(name, config, one))}
        return Installation(
            config,
            plugins,
            store,
            sources,
            mounts,
            throttle,
            directory,
            lister,
            forwarding,
            Stopping(),
            meters,
            sightings,
            Duties(),
            threading.BoundedSemaphore(slots),
            tokens,
            key,
        )
    except BaseException:
        store.close()
        raise


def plugins_of(config: Config) -> Plugins:
    """The plugins that a configuration loads. Raises ConfigError."""
    settings = config.core.plugins
    folder = (config.base_dir / settings.folder).resolve() if settings.folder is not None else None
    return load_plugins(folder, settings.disabled)


def frontend_settings(config: Config, plugins: Plugins) -> dict[str, FrontendSettings]:
    """The settings of every frontend. Raises ConfigError for all faults together."""
    found: dict[str, FrontendSettings] = {}
    faults: list[str] = []
    for name, table in config.frontends.items():
        try:
            cls = class_of(table, plugins.frontends)
            found[name] = parse_table(table, cls.Settings, config.base_dir)
            for backend in found[name].backends:
                if backend not in config.backends:
                    raise ConfigError(_no_backend(table, backend, config))
            if not found[name].backends and found[name].needs_backends:
                raise ConfigError(f"{table.file}: {table.path}.backends: names no backend")
            if len(set(found[name].backends)) < len(found[name].backends):
                names = ", ".join(found[name].backends)
                raise ConfigError(f"{table.file}: {table.path}.backends: names a backend twice: {names}")
        except ConfigError as exc:
            faults.append(str(exc))
    raise_all(faults)
    return found


def _settings_or_all_faults(
    config: Config, plugins: Plugins
) -> tuple[dict[str, FrontendSettings], dict[str, Table], dict[str, ConsumerSettings]]:
    """The settings of every frontend, the tables of subscriptions and their settings; where they are wrong, what is
    wrong with backends is told along with them."""
    frontends: dict[str, FrontendSettings] = {}
    tables: dict[str, Table] = dict(config.subscriptions)
    subscriptions: dict[str, ConsumerSettings] = {}
    faults: list[str] = []
    with collected(faults):
        frontends = frontend_settings(config, plugins)
    with collected(faults):
        tables = subscription_tables(config, plugins, frontends)
    with collected(faults):
        subscriptions = subscription_settings(tables, config, plugins)
    if faults:
        with collected(faults):
            for source in make_sources(config, plugins, Unindexed()).values():
                source.close()
    raise_all(faults)
    return frontends, tables, subscriptions


def _mount(name: str, config: Config, settings: FrontendSettings, sources: Mapping[str, Source]) -> Mount:
    chosen = tuple(sources[backend] for backend in settings.backends)
    with blamed(config.frontends[name]):
        # Hooks may give people groups and addresses that no mapping knows of.
        if not any(source.has_hooks for source in chosen):
            check_filter(settings.filter, chosen)
    return Mount.of(name, settings, chosen)


def _token_table(name: str, config: Config, settings: FrontendSettings) -> OptionTable | None:
    """GroupServer's own table, where the mount's token is there. Raises ConfigError."""
    if not isinstance(settings, TokenSettings):
        return None
    with blamed(config.frontends[name]):
        if (settings.token_source == "groupserver") != (settings.token_dsn is not None):
            raise ConfigError('token_source = "groupserver" and token_dsn go together')
        return None if settings.token_dsn is None else OptionTable(settings.token_dsn.get_secret_value())


def _listening(host: str, port: int, connections: int) -> socket.socket:
    make_room(connections)
    try:
        return bind(host, port)
    except BindError as exc:
        raise ConfigError(str(exc)) from exc


def _no_backend(table: Table, backend: str, config: Config) -> str:
    known = ", ".join(sorted(config.backends)) or "none"
    return f"{table.file}: {table.path}.backends: there is no [backends.{backend}]; there are: {known}"


def _key(data_dir: Path) -> bytes:
    """The installation's own key: made once, kept beside the store but never in it."""
    path = data_dir / "secret.key"
    try:
        with filelock.FileLock(data_dir / "secret.key.lock"):
            if not path.exists():
                descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
                with os.fdopen(descriptor, "wb") as file:
                    file.write(secrets.token_bytes(32))
            key = path.read_bytes()
    except OSError as exc:
        raise ConfigError(f"{path} cannot be read or made: {exc.strerror or exc}") from exc
    if len(key) < 32:
        raise ConfigError(f"{path} is damaged; remove it and a new one is made")
    return key
