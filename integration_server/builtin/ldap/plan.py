"""The settings understood: what is constant over all questions, worked out and checked once at the start."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from integration_server import BackendContext, ConfigError, FieldRule, MapSettings
from integration_server.builtin.ldap import names
from integration_server.builtin.ldap.account_plan import AccountPlan, compile_accounts
from integration_server.builtin.ldap.connect import ServiceAccount, TlsPolicy
from integration_server.builtin.ldap.group_plan import GroupPlan, compile_groups
from integration_server.builtin.ldap.library import parsed_filter
from integration_server.builtin.ldap.messages import Scope
from integration_server.builtin.ldap.settings import Address, LdapSettings, parse_address

T = TypeVar("T")

_PLACEHOLDER = "{username}"


@dataclass(frozen=True, slots=True)
class Plan:
    """``filter`` is BER; ``bases`` are without those that lie within another one.

    ``attributes`` are those of the mapping; ``groups`` says of one of them that it is made of the groups' entries.
    ``key_attributes`` are what every person must have: id and user name. ``template`` is used in place of a search for
    ``template_attributes``. Both sets are in lower case.
    """

    servers: tuple[Address, ...]
    tls: TlsPolicy
    account: ServiceAccount | None
    bases: tuple[str, ...]
    scope: Scope
    filter: bytes
    attributes: tuple[str, ...]
    groups: GroupPlan | None
    accounts: AccountPlan | None
    page_size: int
    key_attributes: frozenset[str]
    template: str | None
    template_attributes: frozenset[str]

    @property
    def asked(self) -> tuple[str, ...]:
        """What the server is asked for in the place of each of ``attributes``; behind them what else tells of people's
        groups, which is taken off again when these are put in."""
        if self.groups is None or (column := self.groups.column) is None:
            return self.attributes
        key, *others = self.groups.person_attributes
        return (*self.attributes[:column], key, *self.attributes[column + 1 :], *others)

    def is_in_scope(self, dn: str) -> bool:
        """Whether an entry of this name could be listed. False for what is no name."""
        try:
            name = names.parse(dn)
        except ValueError:
            return False
        levels = 1 if self.scope is Scope.ONE else None
        return any(names.is_below(name, names.parse(base), levels=levels) for base in self.bases)

    def template_dn(self, username: str) -> str:
        """The name under which a person of this user name would stand."""
        assert self.template is not None
        return self.template.replace(_PLACEHOLDER, names.escape(username))


def compile_plan(settings: LdapSettings, context: BackendContext, default_map: MapSettings) -> Plan:
    """Raises ConfigError for settings that cannot work."""
    where = f"[backends.{context.name}]"
    is_subtree = settings.scope == "subtree"
    usernames = _sources(settings.map.username or default_map.username)
    plan = Plan(
        servers=tuple(map(parse_address, settings.servers)),
        tls=TlsPolicy(
            settings.start_tls,
            settings.verify_certificates,
            context.path(settings.ca_file) if settings.ca_file is not None else None,
            settings.tls_minimum,
        ),
        account=_account(where, settings),
        bases=_checked(f"{where} bases", lambda: names.without_nested(settings.bases, is_subtree=is_subtree)),
        scope=Scope.SUBTREE if is_subtree else Scope.ONE,
        filter=_checked(f"{where} ldap_filter {settings.ldap_filter!r}", lambda: parsed_filter(settings.ldap_filter)),
        attributes=context.attributes,
        groups=compile_groups(context.name, settings, context.attributes),
        accounts=compile_accounts(context.name, settings, default_map),
        page_size=settings.page_size,
        key_attributes=_sources(settings.map.id or default_map.id) | usernames,
        template=settings.dn_template,
        template_attributes=usernames,
    )
    _check_tls(where, plan)
    _check_template(where, plan)
    if (writing := settings.writing) is not None and not plan.is_in_scope(f"{writing.rdn_attribute}=x,{writing.base}"):
        raise ConfigError(f"[backends.{context.name}.writing] base: it is below none of the bases, so nobody is found")
    return plan


def _sources(rule: FieldRule | None) -> frozenset[str]:
    return frozenset(map(str.lower, rule.sources if rule else ()))


def _checked(what: str, work: Callable[[], T]) -> T:
    try:
        return work()
    except ValueError as exc:
        raise ConfigError(f"{what}: {exc}") from exc


def _account(where: str, settings: LdapSettings) -> ServiceAccount | None:
    if settings.bind_dn is None and settings.bind_password is None:
        return None
    password = settings.bind_password.get_secret_value() if settings.bind_password is not None else ""
    if not settings.bind_dn or not password:
        # A name without a password binds nobody, and the server would say "success" (RFC 4513 §5.1.2).
        raise ConfigError(f"{where}: bind_dn and bind_password go together, and neither may be empty")
    return ServiceAccount(settings.bind_dn, password.encode())


def _check_tls(where: str, plan: Plan) -> None:
    if plan.tls.start_tls and any(address.is_tls for address in plan.servers):
        raise ConfigError(f"{where}: start_tls goes with ldap:// servers; ldaps:// is encrypted from the start")
    is_encrypted = plan.tls.start_tls or any(address.is_tls for address in plan.servers)
    if plan.tls.ca_file is not None and not is_encrypted:
        raise ConfigError(f"{where}: ca_file is given, but nothing is encrypted; use ldaps:// or start_tls = true")


def _check_template(where: str, plan: Plan) -> None:
    if plan.template is None:
        return
    rest = plan.template.replace(_PLACEHOLDER, "")
    if rest == plan.template or "{" in rest or "}" in rest:
        raise ConfigError(f"{where} dn_template: the name goes where it says {_PLACEHOLDER}, and no other braces")
    if not plan.is_in_scope(plan.template_dn("x")):
        raise ConfigError(f"{where} dn_template: its entries are below none of the bases, so nobody of them is listed")
