"""The backend of type ``sql``."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing

import sqlalchemy as sa

from integration_server import (
    AccountWriter,
    Authenticator,
    Backend,
    BackendContext,
    BackendMisconfigured,
    BackendSettings,
    BackendTimeout,
    BackendUnavailable,
    Batch,
    ChangeFeed,
    Changes,
    ConfigError,
    Deadline,
    Entry,
    Finding,
    Group,
    GroupReader,
    IncompleteListing,
    Lookup,
    MembershipWriter,
    NewAccount,
    OutboxScript,
    Verdict,
    read_ahead,
)
from integration_server.builtin.sql.accounts import Accounts
from integration_server.builtin.sql.address import database_url, is_sqlite, shown
from integration_server.builtin.sql.checks import NOBODY, Checks
from integration_server.builtin.sql.connections import Connections
from integration_server.builtin.sql.driver import Driver, Session
from integration_server.builtin.sql.errors import translate
from integration_server.builtin.sql.feeds import Feed
from integration_server.builtin.sql.generic import GenericDriver
from integration_server.builtin.sql.group_list import GroupRows
from integration_server.builtin.sql.listing import batches
from integration_server.builtin.sql.lookups import find, is_askable
from integration_server.builtin.sql.mariadb import MariaDbDriver
from integration_server.builtin.sql.memberships import Memberships
from integration_server.builtin.sql.outbox import OutboxFeed
from integration_server.builtin.sql.outbox_script import outbox_script
from integration_server.builtin.sql.passwords import Passwords
from integration_server.builtin.sql.plans import Plan, StatementPlan, TablePlan
from integration_server.builtin.sql.postgresql import PostgreSqlDriver
from integration_server.builtin.sql.settings import SqlSettings, validate
from integration_server.builtin.sql.side_tables import SideRows
from integration_server.builtin.sql.sqlite import SqliteDriver
from integration_server.builtin.sql.updated_at import UpdatedAtFeed
from integration_server.builtin.sql.writing import Writing


class SqlBackend(Backend, Authenticator, ChangeFeed, GroupReader, MembershipWriter, AccountWriter, OutboxScript):
    """People in any database that SQLAlchemy reaches; SQLite, PostgreSQL and MariaDB/MySQL by their own drivers.

    The database is only read, SQLite files opened read-only, the others in sessions that are; where the settings ask
    for writing, each change has a connection and a transaction of its own. Changes are noticed
    by a column with the time of a row's last change, or by a table that triggers fill (an outbox).
    """

    type = "sql"
    Settings = SqlSettings

    def __init__(self, settings: BackendSettings, context: BackendContext) -> None:
        """Raises ConfigError, also for a database driver that is not installed."""
        assert isinstance(settings, SqlSettings)
        validate(settings, context.name, context.attributes)
        self._settings = settings
        self._context = context
        url = database_url(settings, context)
        self._shown = shown(url)
        self._driver = _driver(url, settings, context)
        self._connections = Connections(self._driver, context.watchdog, self._shown, settings.auth_seconds)
        self._listings = Connections(self._driver, context.watchdog, self._shown, settings.list_seconds)
        try:
            self._sides = tuple(SideRows(self._driver, side, context.attributes) for side in settings.side_tables)
            make = TablePlan if settings.table is not None else StatementPlan
            self._plan: Plan = make(self._driver, settings, self._sides, context.attributes)
            self._passwords = Passwords(context.name, settings, self._driver, self._connections, self._plan.stored)
            groups = settings.group_list
            self._groups = GroupRows(self._driver, groups) if groups is not None else None
            writing = Writing(self._driver, context.watchdog, self._shown, settings.auth_seconds)
            self._memberships = self._the_memberships(writing)
            self._accounts = Accounts(context.name, self._driver, settings, writing, self._plan, self._sides)
            self._feed = _feed(context.name, self._driver, settings, self._plan, self._sides)
        except ConfigError as exc:
            text = str(exc)
            raise ConfigError(text if text.startswith("[") else f"[backends.{context.name}] {text}") from exc

    def _the_memberships(self, writing: Writing) -> Memberships:
        settings, driver = self._settings, self._driver
        table = settings.group_table
        side = None if table is None else next(s for s in self._sides if s.attribute == table.attribute)
        return Memberships(self._context.name, driver, settings, writing, self._groups, side)

    def __repr__(self) -> str:
        return f"<SqlBackend {self._context.name} {self._shown}>"

    def users(self, deadline: Deadline) -> Generator[Batch, None, None]:
        """Everybody, on a connection of its own, as of one moment (PostgreSQL, MariaDB with InnoDB, SQLite)."""
        deadline.remaining()
        session: Session | None = None
        is_begun = False
        try:
            session = self._listings.begun(deadline)
            with (
                self._context.watchdog.guard(deadline, session.cancel),
                closing(self._batches(session)) as found,
            ):
                for batch in found:
                    is_begun = True
                    yield batch
            done, session = session, None
            self._listings.end(done, deadline)
        except self._driver.errors as exc:
            error = translate(exc, self._shown)
            if is_begun and isinstance(error, BackendUnavailable) and not isinstance(error, BackendTimeout):
                error = IncompleteListing(str(error))
            raise error from exc
        finally:
            if session is not None:
                session.close()

    def _batches(self, session: Session) -> Generator[Batch, None, None]:
        found = batches(session, self._plan, self._sides, self._context.data_dir)
        return read_ahead(found, session.cancel) if session.lets_go else found

    def find(self, lookup: Lookup, deadline: Deadline) -> Entry | None:
        """The entry with its stored hash in the handle; an exact spelling wins over one that differs in case."""
        if not is_askable(lookup.value):
            deadline.remaining()
            return None
        return self._connections.ask(deadline, lambda session: find(session, self._plan, self._sides, lookup))

    def verify(self, entry: Entry, password: str, deadline: Deadline) -> Verdict:
        is_right = self._passwords.verify(entry, password, deadline)
        return Verdict.ACCEPTED if is_right else Verdict.REJECTED

    def verify_nobody(self, password: str, deadline: Deadline) -> None:
        self._passwords.verify_nobody(password, deadline)

    def groups(self, deadline: Deadline) -> tuple[Group, ...] | None:
        """The rows of ``group_list``. Raises BadEntry for a group without an id, or with another one's."""
        return None if self._groups is None else self._connections.ask(deadline, self._groups.groups)

    def add_member(self, entry: Entry, group_id: str, deadline: Deadline) -> bool:
        return self._memberships.put(entry, group_id, is_added=True, deadline=deadline)

    def remove_member(self, entry: Entry, group_id: str, deadline: Deadline) -> bool:
        return self._memberships.put(entry, group_id, is_added=False, deadline=deadline)

    def create_account(self, account: NewAccount, deadline: Deadline) -> str:
        """Who has the address already is not made again. Raises BackendMisconfigured, and undoes what was done, where
        the person would not be found afterwards."""
        return self._accounts.create(account, deadline)

    def confirm_email(self, entry: Entry, address: str, deadline: Deadline) -> None:
        self._accounts.confirm(entry, address, deadline)

    def feed(self) -> str | None:
        return self._feed.name if self._feed is not None else None

    def feed_position(self, deadline: Deadline) -> str:
        feed = self._the_feed()
        deadline.remaining()
        return feed.position(self._connections, deadline)

    def changes(self, position: str, deadline: Deadline) -> Iterator[Changes]:
        feed = self._the_feed()
        deadline.remaining()
        yield from feed.changes(self._connections, position, deadline)

    def _the_feed(self) -> Feed:
        if self._feed is None:
            raise BackendMisconfigured("neither updated_at_column nor outbox_table is set, so there is no change feed")
        return self._feed

    def check(self, deadline: Deadline) -> Iterator[Finding]:
        checks = Checks(self._settings, self._driver, self._plan, self._sides, self._passwords, self._groups)
        findings = self._connections.ask(deadline, lambda session: list(checks.structure(session, self._shown)))
        yield from findings
        if any(finding.level == "error" for finding in findings):
            return
        with closing(self.users(deadline)) as found:
            next(found, None)
        yield Finding("ok", "the list can be read")
        for lookup in checks.lookups():
            self.find(lookup, deadline)
        self.verify_nobody(NOBODY, deadline)
        yield Finding("ok", "people can be looked up")
        yield from self._connections.ask(deadline, lambda session: list(checks.content(session)))
        if (feed := self._feed) is not None:
            yield from self._connections.ask(deadline, lambda session: list(feed.check(session)))

    def outbox_script(self, dialect: str | None) -> str:
        """For sqlite, postgresql or mariadb."""
        return outbox_script(self._settings, dialect)

    def close(self) -> None:
        self._connections.close()
        self._listings.close()


def _feed(name: str, driver: Driver, settings: SqlSettings, plan: Plan, sides: Sequence[SideRows]) -> Feed | None:
    if settings.updated_at_column is not None:
        return UpdatedAtFeed(driver, settings, plan, sides)
    if settings.outbox_table is not None:
        return OutboxFeed(name, driver, settings, settings.outbox_table, plan, sides)
    return None


def _driver(url: sa.URL, settings: SqlSettings, context: BackendContext) -> Driver:
    if url.drivername == "postgresql+psycopg":
        return PostgreSqlDriver(context.name, url, prepares=settings.prepared_statements)
    if settings.prepared_statements:
        raise ConfigError(f"[backends.{context.name}] prepared_statements is for PostgreSQL alone")
    if is_sqlite(url):
        # An unreadable row is then the mapping's to count.
        return SqliteDriver(context.name, url, takes_bytes=settings.bad_rows_allowed > 0)
    if url.drivername in ("mysql+pymysql", "mariadb+pymysql"):
        return MariaDbDriver(context.name, url, context.watchdog)
    return GenericDriver(context.name, url)
