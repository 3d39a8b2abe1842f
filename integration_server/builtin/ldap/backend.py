"""The LDAP backend: lists people, finds one of them, checks passwords by binding."""

from __future__ import annotations

import logging
import secrets
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from statistics import median
from typing import ClassVar, TypeVar

from integration_server import (
    AccountNotes,
    AccountWriter,
    Authenticator,
    Backend,
    BackendContext,
    BackendSettings,
    Batch,
    ChangeFeed,
    Changes,
    Deadline,
    Entry,
    Finding,
    Group,
    GroupPaths,
    GroupReader,
    LoginNames,
    Lookup,
    MapSettings,
    MembershipWriter,
    NewAccount,
    ReadOnlyBackend,
    Verdict,
)
from integration_server.builtin.ldap import members, people
from integration_server.builtin.ldap.account_notes import account_notes
from integration_server.builtin.ldap.account_plan import AccountPlan
from integration_server.builtin.ldap.accounts import Accounts, new_entry
from integration_server.builtin.ldap.addresses import Addresses
from integration_server.builtin.ldap.check import check
from integration_server.builtin.ldap.connect import Connector
from integration_server.builtin.ldap.domain import Domain, read_domains
from integration_server.builtin.ldap.feeds import Feeds
from integration_server.builtin.ldap.groups import read_groups
from integration_server.builtin.ldap.members import Members, find_group
from integration_server.builtin.ldap.messages import Search
from integration_server.builtin.ldap.plan import compile_plan
from integration_server.builtin.ldap.pool import Pool
from integration_server.builtin.ldap.profiles import ANY, mapping_of
from integration_server.builtin.ldap.results import verdict
from integration_server.builtin.ldap.search import Referrals, listing
from integration_server.builtin.ldap.servers import Servers
from integration_server.builtin.ldap.settings import LdapSettings
from integration_server.builtin.ldap.wire import Wire

T = TypeVar("T")

logger = logging.getLogger(__name__)

#: No directory keeps longer passwords; slapd hangs up on anonymous requests of more than 256 KiB.
_LONGEST_PASSWORD = 60_000
#: How many refusals tell what one costs, and the difference below which the network hides it anyway.
_REMEMBERED_COSTS = 64
_NOTICEABLE_SECONDS = 0.002


class LdapBackend(
    Backend,
    Authenticator,
    LoginNames,
    AccountNotes,
    ChangeFeed,
    GroupReader,
    GroupPaths,
    MembershipWriter,
    AccountWriter,
):
    """People of an LDAP directory. The attribute ``dn`` is an entry's distinguished name.

    What its change feed tells depends on the server: see ``feeds``.
    """

    type: ClassVar[str] = "ldap"
    Settings = LdapSettings
    default_map: ClassVar[MapSettings] = ANY.map

    @classmethod
    def default_mapping(cls, settings: BackendSettings) -> MapSettings:
        assert isinstance(settings, LdapSettings)
        return mapping_of(settings)

    def __init__(self, settings: BackendSettings, context: BackendContext) -> None:
        assert isinstance(settings, LdapSettings)
        self._name = context.name
        self._has_unverified = settings.map.unverified_emails is not None
        self._plan = plan = compile_plan(settings, context)
        connector = Connector(plan.tls, plan.account)
        self._servers = Servers(
            Addresses(plan.servers, plan.nameservers),
            connector,
            settings.connect_seconds,
            rest_seconds=settings.switch_back_seconds,
        )
        self._finder = people.Finder(plan)
        # A bind changes who asks, so logins have connections of their own.
        self._searches = Pool(self._servers, settings.pool_size, as_service=True)
        self._logins = Pool(self._servers, settings.pool_size, as_service=False)
        self._feeds = Feeds(settings, plan, self.default_mapping(settings), self._searches, self._servers)
        self._domains: Sequence[Domain] | None = (plan.domain,) if plan.domain is not None else None
        self._costs: deque[float] = deque(maxlen=_REMEMBERED_COSTS)
        self._nobody = f"cn={secrets.token_hex(16)},{plan.bases[0]}".rstrip(",")

    def users(self, deadline: Deadline) -> Iterator[Batch]:
        plan = self._plan
        referrals = Referrals()
        with closing(self._servers.open(deadline, as_service=True)) as wire:
            complete = people.everybodys_groups(plan, wire, deadline, referrals)
            for base in plan.bases:
                search = Search(base, plan.scope, plan.filter)
                for rows in listing(wire, search, plan.asked, plan.page_size, deadline, referrals):
                    people.check_states(plan, rows)
                    complete(rows)
                    yield Batch(plan.attributes, rows)
        self._tell_of(referrals)

    def _tell_of(self, referrals: Referrals) -> None:
        if referrals.count:
            logger.info(
                "backend %s: %d referrals to other servers were not followed, such as %s",
                self._name,
                referrals.count,
                ", ".join(referrals.urls[:3]),
            )

    def groups(self, deadline: Deadline) -> tuple[Group, ...] | None:
        if self._plan.groups is None:
            return None
        referrals = Referrals()
        with closing(self._servers.open(deadline, as_service=True)) as wire:
            found = read_groups(self._plan.groups, wire, deadline, referrals)
        self._tell_of(referrals)
        return found

    def group_paths(self, entry: Entry, deadline: Deadline) -> Mapping[str, Sequence[str]]:
        groups = self._plan.groups
        if groups is None:
            return {}
        return self._searches.run(lambda wire, until: members.paths(groups, wire, entry, until), deadline)

    def add_member(self, entry: Entry, group_id: str, deadline: Deadline) -> bool:
        return self._with_members(lambda members: members.add(entry), group_id, deadline)

    def remove_member(self, entry: Entry, group_id: str, deadline: Deadline) -> bool:
        return self._with_members(lambda members: members.remove(entry), group_id, deadline)

    def _with_members(self, change: Callable[[Members], bool], group_id: str, deadline: Deadline) -> bool:
        """Do something to a group on a connection of the service account's; again on another one where it breaks."""
        groups, account = self._plan.groups, self._plan.account
        if groups is None or groups.write_attribute is None:
            raise ReadOnlyBackend(
                f"the groups of backend {self._name} are read only: set is_writable = true in "
                f"[backends.{self._name}.groups]"
            )

        def operation(wire: Wire, until: Deadline) -> bool:
            group = group_id, find_group(groups, wire, group_id, until)
            return change(Members(groups, wire, group, account.dn if account else None, until))

        return self._searches.run(operation, deadline)

    def create_account(self, account: NewAccount, deadline: Deadline) -> str:
        plan = self._accounts("people are not made")
        # Made once, so that a second try on another connection finds what the first one left.
        new = new_entry(plan, account)
        return self._with_accounts(plan, lambda accounts: accounts.create(new), deadline)

    def confirm_email(self, entry: Entry, address: str, deadline: Deadline) -> None:
        if self._has_unverified:
            plan = self._accounts("addresses are not confirmed")
            self._with_accounts(plan, lambda accounts: accounts.confirm(entry, address), deadline)

    def _accounts(self, what: str) -> AccountPlan:
        if self._plan.accounts is None:
            raise ReadOnlyBackend(f"{what} in backend {self._name}: set base in [backends.{self._name}.writing]")
        return self._plan.accounts

    def _with_accounts(self, plan: AccountPlan, change: Callable[[Accounts], T], deadline: Deadline) -> T:
        who = self._plan.account.dn if self._plan.account else None
        return self._searches.run(
            lambda wire, until: change(Accounts(plan, self._plan.filter, wire, who, until)), deadline
        )

    def find(self, lookup: Lookup, deadline: Deadline) -> Entry | None:
        return self._searches.run(lambda wire, until: self._finder.find(wire, lookup, until), deadline)

    def login_lookups(self, username: str, deadline: Deadline) -> Sequence[Lookup]:
        return self._plan.login_forms.lookups(username, lambda: self._known_domains(deadline))

    def _known_domains(self, deadline: Deadline) -> Sequence[Domain]:
        """The domains of the bases, read when the first name has one."""
        if self._domains is None:
            self._domains = self._searches.run(
                lambda wire, until: read_domains(wire, self._plan.bases, until), deadline
            )
        return self._domains

    def account_notes(self, entry: Entry, deadline: Deadline) -> Sequence[str]:
        dn = entry.handle
        assert isinstance(dn, str)
        if not self._plan.profile.is_active_directory:
            return ()
        return self._searches.run(lambda wire, until: account_notes(wire, dn, until), deadline)

    def verify(self, entry: Entry, password: str, deadline: Deadline) -> Verdict:
        deadline.remaining()
        assert isinstance(entry.handle, str)
        if (secret := _secret(password)) is None:
            return Verdict.REJECTED
        answer, seconds = self._bind(entry.handle, secret, deadline)
        if answer is Verdict.REJECTED:
            self._costs.append(seconds)
        return answer

    def verify_nobody(self, password: str, deadline: Deadline) -> None:
        deadline.remaining()
        if (secret := _secret(password)) is None:
            return
        _, seconds = self._bind(self._nobody, secret, deadline)
        # A server refuses a name that it does not hold at once, without hashing and without counting the failure.
        # Where that takes long for others (argon2, a password policy that writes), it is made up for.
        missing = median(self._costs or (0.0,)) - seconds
        if missing > _NOTICEABLE_SECONDS:
            time.sleep(min(missing, deadline.remaining()))

    def _bind(self, dn: str, password: bytes, deadline: Deadline) -> tuple[Verdict, float]:
        """The verdict on a bind and how many seconds the server took for it."""

        def operation(wire: Wire, until: Deadline) -> tuple[Verdict, float]:
            started = time.perf_counter()
            result, policy_error = wire.bind(dn, password, until)
            seconds = time.perf_counter() - started
            return verdict(result, policy_error, f"{wire.server}: binding as a user"), seconds

        return self._logins.run(operation, deadline)

    def check(self, deadline: Deadline) -> Iterator[Finding]:
        is_sound = True
        for finding in check(self._plan, self._servers, deadline):
            is_sound = is_sound and finding.level != "error"
            yield finding
        if is_sound:
            yield from self._feeds.check(deadline)

    def feed(self) -> str | None:
        return self._feeds.name

    def feed_position(self, deadline: Deadline) -> str:
        return self._feeds.position(deadline)

    def changes(self, position: str, deadline: Deadline) -> Iterator[Changes]:
        yield from self._feeds.changes(position, deadline)

    def close(self) -> None:
        self._feeds.close()
        self._searches.close()
        self._logins.close()


def _secret(password: str) -> bytes | None:
    """The octets of a password, None for one that nobody can have; an empty one would log in anybody."""
    try:
        secret = password.encode()
    except UnicodeEncodeError:
        return None
    return secret if 0 < len(secret) <= _LONGEST_PASSWORD else None
