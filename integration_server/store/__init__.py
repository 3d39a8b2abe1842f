"""The server's own memory. The only room that knows its tables."""

from __future__ import annotations

from pathlib import Path

from integration_server.sdk.storage import Storage, Tables
from integration_server.store.admins import Admins
from integration_server.store.audit_log import AuditLog
from integration_server.store.bell import Bell
from integration_server.store.bound_channels import BoundChannels
from integration_server.store.certificates import Certificates
from integration_server.store.changes import Changes
from integration_server.store.deliveries import Deliveries
from integration_server.store.engine import open_store
from integration_server.store.failed_logins import FailedLogins
from integration_server.store.frontend_tokens import FrontendTokens
from integration_server.store.groups import Groups
from integration_server.store.guard_lifts import GuardLifts
from integration_server.store.hourly_counts import HourlyCounts
from integration_server.store.identities import Identities
from integration_server.store.intents import Intents
from integration_server.store.journal import Journal
from integration_server.store.kept_memberships import KeptMemberships
from integration_server.store.leases import LeaseTable
from integration_server.store.name_index import NameIndex
from integration_server.store.name_lists import NameLists
from integration_server.store.people import People
from integration_server.store.people_search import PeopleSearch
from integration_server.store.plugin_storage import PluginStorage
from integration_server.store.runs import HeldRuns
from integration_server.store.settlements import Settlements
from integration_server.store.standing_query import StandingConnection
from integration_server.store.stuck import Stuck
from integration_server.store.subscriptions import Subscriptions
from integration_server.store.tokens import Tokens
from integration_server.store.watches import Watches


class Store:
    """An open store and its parts, all thread-safe. Close it."""

    def __init__(self, url: str, data_dir: Path) -> None:
        """``url`` is SQLAlchemy's, or empty for SQLite in ``data_dir``. Migrates. Raises ConfigError."""
        self._engine = open_store(url, data_dir)
        #: Rings when events were written, within this process.
        self.bell = Bell()
        self.failed_logins = FailedLogins(self._engine)
        self.name_lists = NameLists(self._engine)
        self.guard_lifts = GuardLifts(self._engine)
        self.name_index = NameIndex(self._engine)
        self.tokens = Tokens(self._engine)
        self.admins = Admins(self._engine)
        self.audit_log = AuditLog(self._engine)
        self.hourly_counts = HourlyCounts(self._engine)
        self.certificates = Certificates(self._engine)
        self.identities = Identities(self._engine)
        self.intents = Intents(self._engine)
        self.kept_memberships = KeptMemberships(self._engine)
        self.frontend_tokens = FrontendTokens(self._engine)
        self.people = People(self._engine)
        self.people_search = PeopleSearch(self._engine)
        self.journal = Journal(self._engine)
        self.changes = Changes(self._engine)
        self.subscriptions = Subscriptions(self._engine)
        self.deliveries = Deliveries(self._engine)
        self.stuck = Stuck(self._engine)
        writer = StandingConnection(self._engine)
        self.settlements = Settlements(self._engine, writer)
        self.groups = Groups(self._engine)
        self.leases = LeaseTable(self._engine)
        self.watches = Watches(self._engine)
        self.runs = HeldRuns(self._engine)
        self._standing, self._writer = StandingConnection(self._engine), writer
        self.bound_channels = BoundChannels(self._engine, self._standing)

    @property
    def is_sqlite(self) -> bool:
        """Whether it is one file, which the processes of one machine share."""
        return self._engine.dialect.name == "sqlite"

    def storage(self, tables: Tables) -> Storage:
        """The store, open for a plugin's tables; see BackendContext. Raises ConfigError."""
        return PluginStorage(self._engine, tables, self.bell, standing=self._standing, writer=self._writer)

    def close(self) -> None:
        """Give back every connection."""
        self._engine.dispose()
