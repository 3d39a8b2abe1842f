"""The settings understood: what is constant over all questions, worked out and checked once at the start."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from integration_server import BackendContext, ConfigError, FieldRule
from integration_server.builtin.ldap import names
from integration_server.builtin.ldap.account_plan import AccountPlan, compile_accounts
from integration_server.builtin.ldap.connect import ServiceAccount, TlsPolicy
from integration_server.builtin.ldap.domain import Domain, set_domain
from integration_server.builtin.ldap.group_plan import GroupPlan, compile_groups
from integration_server.builtin.ldap.library import parsed_filter
from integration_server.builtin.ldap.login_forms import LoginForms
from integration_server.builtin.ldap.messages import Scope
from integration_server.builtin.ldap.profiles import Profile, mapping_of, profile_of
from integration_server.builtin.ldap.settings import (
    Address,
    LdapSettings,
    NameServer,
    SrvName,
    parse_name_server,
    parse_server,
)

T = TypeVar("T")

_PLACEHOLDER = "{username}"
#: Stands for the service account in messages where its name is the server's affair.
EXTERNAL = "SASL EXTERNAL"


@dataclass(frozen=True, slots=True)
class Plan:
    """``filter`` is BER; ``bases`` are without those that lie within another one.

    ``attributes`` are those of the mapping; ``groups`` says of one of them that it is made of the groups' entries.
    ``key_attributes`` are what every person must have: id and user name. ``template`` is used in place of a search for
    ``template_attributes``. Both sets are in lower case. ``domain`` is the one that the settings name.
    """

    servers: tuple[Address | SrvName, ...]
    nameservers: tuple[NameServer, ...]
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
    profile: Profile
    login_forms: LoginForms
    domain: Domain | None
    is_filter_of_profile: bool

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


def compile_plan(settings: LdapSettings, context: BackendContext) -> Plan:
    """Raises ConfigError for settings that cannot work."""
    where = f"[backends.{context.name}]"
    is_subtree = settings.scope == "subtree"
    profile = profile_of(settings)
    default_map = mapping_of(settings)
    usernames = _sources(settings.map.username or default_map.username)
    people = profile.ldap_filter if settings.ldap_filter is None else settings.ldap_filter
    plan = Plan(
        servers=tuple(map(parse_server, settings.servers)),
        nameservers=tuple(map(parse_name_server, settings.nameservers)),
        tls=TlsPolicy(
            settings.start_tls,
            settings.verify_certificates,
            context.path(settings.ca_file) if settings.ca_file is not None else None,
            settings.tls_minimum,
            context.path(settings.client_certificate) if settings.client_certificate is not None else None,
            context.path(settings.client_key) if settings.client_key is not None else None,
        ),
        account=_account(where, settings),
        bases=_checked(f"{where} bases", lambda: names.without_nested(settings.bases, is_subtree=is_subtree)),
        scope=Scope.SUBTREE if is_subtree else Scope.ONE,
        filter=_checked(f"{where} ldap_filter {people!r}", lambda: parsed_filter(people)),
        attributes=context.attributes,
        groups=compile_groups(context.name, settings, context.attributes, profile.groups),
        accounts=compile_accounts(context.name, settings, default_map),
        page_size=settings.page_size,
        key_attributes=_sources(settings.map.id or default_map.id) | usernames,
        template=settings.dn_template,
        template_attributes=usernames,
        profile=profile,
        login_forms=_login_forms(settings, profile),
        domain=_set_domain(where, settings, profile),
        is_filter_of_profile=settings.ldap_filter is None,
    )
    _check_tls(where, plan)
    _check_template(where, plan)
    if (writing := settings.writing) is not None and not plan.is_in_scope(f"{writing.rdn_attribute}=x,{writing.base}"):
        raise ConfigError(f"[backends.{context.name}.writing] base: it is below none of the bases, so nobody is found")
    return plan


def _login_forms(settings: LdapSettings, profile: Profile) -> LoginForms:
    given = settings.login_attributes
    rule = settings.map.username or profile.map.username
    listed = rule.sources[0] if rule and len(rule.sources) == 1 and not rule.local_part else None
    return LoginForms(
        profile.login_attributes if given is None else given, listed, is_windows=profile.is_active_directory
    )


def _set_domain(where: str, settings: LdapSettings, profile: Profile) -> Domain | None:
    """The domain that the settings name, None where it is to be read. Raises ConfigError."""
    name = settings.netbios_domain
    if name is None:
        return None
    if not profile.is_active_directory:
        raise ConfigError(f'{where}: netbios_domain goes with profile = "active_directory"')
    domains = {_checked(f"{where} netbios_domain", lambda b=base: set_domain(b, name)) for base in settings.bases}  # type: ignore[misc]
    if len({domain.dns_name.lower() for domain in domains}) > 1:
        raise ConfigError(f"{where}: netbios_domain is that of one domain, and the bases are in several")
    return min(domains, key=lambda domain: domain.dn)


def _sources(rule: FieldRule | None) -> frozenset[str]:
    return frozenset(map(str.lower, rule.sources if rule else ()))


def _checked(what: str, work: Callable[[], T]) -> T:
    try:
        return work()
    except ValueError as exc:
        raise ConfigError(f"{what}: {exc}") from exc


def _account(where: str, settings: LdapSettings) -> ServiceAccount | None:
    if settings.bind_method == "external":
        if settings.bind_dn is not None or settings.bind_password is not None:
            raise ConfigError(f'{where}: with bind_method = "external" there is no bind_dn and no bind_password')
        return ServiceAccount(EXTERNAL, None)
    if settings.bind_dn is None and settings.bind_password is None:
        return None
    password = settings.bind_password.get_secret_value() if settings.bind_password is not None else ""
    if not settings.bind_dn or not password:
        # A name without a password binds nobody, and the server would say "success" (RFC 4513 §5.1.2).
        raise ConfigError(f"{where}: bind_dn and bind_password go together, and neither may be empty")
    return ServiceAccount(settings.bind_dn, password.encode())


def _check_tls(where: str, plan: Plan) -> None:
    if plan.nameservers and all(isinstance(address, Address) for address in plan.servers):
        raise ConfigError(
            f"{where}: nameservers is for ldap+srv:// and ldaps+srv:// alone, and there are none in servers"
        )
    if plan.tls.start_tls and any(address.is_tls for address in plan.servers):
        raise ConfigError(f"{where}: start_tls goes with ldap:// servers; ldaps:// is encrypted from the start")
    is_encrypted = plan.tls.start_tls or any(address.is_tls for address in plan.servers)
    if plan.tls.client_key is not None and plan.tls.client_certificate is None:
        raise ConfigError(f"{where}: client_key is given, but no client_certificate that it belongs to")
    if plan.tls.files and not is_encrypted:
        key = next(iter(plan.tls.files))
        raise ConfigError(f"{where}: {key} is given, but nothing is encrypted; use ldaps:// or start_tls = true")
    if plan.account is None or plan.account.password is not None:
        return
    for address in plan.servers:
        is_shown = plan.tls.client_certificate is not None and (address.is_tls or plan.tls.start_tls)
        if address.unix_path is None and not is_shown:
            raise ConfigError(
                f'{where}: bind_method = "external" takes a client_certificate and encryption, or ldapi://, and '
                f"{address.uri} has neither"
            )


def _check_template(where: str, plan: Plan) -> None:
    if plan.template is None:
        return
    rest = plan.template.replace(_PLACEHOLDER, "")
    if rest == plan.template or "{" in rest or "}" in rest:
        raise ConfigError(f"{where} dn_template: the name goes where it says {_PLACEHOLDER}, and no other braces")
    if not plan.is_in_scope(plan.template_dn("x")):
        raise ConfigError(f"{where} dn_template: its entries are below none of the bases, so nobody of them is listed")
