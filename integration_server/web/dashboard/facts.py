"""What the dashboard needs to know of the installation around it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from integration_server.config import Config, Table
from integration_server.directory.dispatch import Directory
from integration_server.directory.listing import Lister
from integration_server.directory.mount import Mount
from integration_server.directory.source import Source
from integration_server.directory.throttle import Throttle
from integration_server.forwarding.audit import Audit
from integration_server.meters import Meters
from integration_server.plugins import Plugins
from integration_server.sdk.settings import ConsumerSettings
from integration_server.store import Store
from integration_server.web.api import ApiFacts, Receivers
from integration_server.web.monitoring.health import BackendHealth


@dataclass(frozen=True, slots=True)
class DashboardFacts:
    """What ``create_dashboard`` takes. ``health`` is shared with monitoring, so that a backend is asked for both at
    once; ``api`` is what the API is made of, with which ``receivers`` are shared. ``tables`` are those of all
    configured subscriptions by name, and ``subscriptions`` are the settings in them. ``faults`` says which work of this
    process has ended."""

    version: str
    config: Config
    plugins: Plugins
    store: Store
    sources: Mapping[str, Source]
    mounts: Mapping[str, Mount]
    directory: Directory
    lister: Lister
    throttle: Throttle
    audit: Audit
    meters: Meters
    health: BackendHealth
    api: ApiFacts
    receivers: Receivers
    tables: Mapping[str, Table]
    subscriptions: Mapping[str, ConsumerSettings]
    clock: Callable[[], float] = time.time
    faults: Callable[[], Sequence[str]] = tuple
