"""The settings of new people understood, and where their addresses stand before and after they are verified."""

from __future__ import annotations

from dataclasses import dataclass

from integration_server import ConfigError, FieldRule, MapSettings
from integration_server.builtin.ldap import names
from integration_server.builtin.ldap.settings import LdapSettings, WritingSettings


@dataclass(frozen=True, slots=True)
class AccountPlan:
    """``id_attribute`` is what the mapping knows people by, in lower case where ``is_id_lower``.

    ``unverified`` is the attribute of addresses that nobody has proved, None where the mapping knows none;
    ``verified`` are those that others stand in, ``preferred`` that of the address which is used.
    """

    where: str
    settings: WritingSettings
    id_attribute: str
    is_id_lower: bool
    unverified: str | None
    verified: tuple[str, ...]
    preferred: str | None


def compile_accounts(backend: str, settings: LdapSettings, default: MapSettings) -> AccountPlan | None:
    """The plan for ``[backends.NAME.writing]``, None without the table. Raises ConfigError."""
    writing, rules = settings.writing, settings.map
    if writing is None:
        return None
    where = f"[backends.{backend}.writing]"
    rdn = f"{writing.rdn_attribute}=x"
    try:
        names.parse(f"{rdn},{writing.base}")
    except ValueError as exc:
        raise ConfigError(f"{where} base: {exc}") from exc
    id_rule, emails = rules.id or default.id, rules.emails or default.emails
    assert id_rule is not None
    assert emails is not None
    if not _is_one_attribute(id_rule):
        raise ConfigError(f"{where}: [backends.{backend}.map] id must be one attribute to know new people by")
    sources = tuple(source for source in emails.sources if "{" not in source)
    if writing.email_attribute.lower() not in map(str.lower, sources):
        raise ConfigError(
            f"{where}: email_attribute {writing.email_attribute!r} is none of those that [backends.{backend}.map] "
            "emails reads, so nobody would be found by the address again"
        )
    unverified = _attribute(backend, "unverified_emails", rules.unverified_emails)
    verified = tuple(source for source in sources if unverified is None or source.lower() != unverified.lower())
    if not verified or writing.email_attribute.lower() == (unverified or "").lower():
        raise ConfigError(f"{where}: verified addresses need another attribute than unverified_emails reads")
    preferred = _attribute(backend, "preferred_emails", rules.preferred_emails) if unverified else None
    return AccountPlan(where, writing, id_rule.sources[0], id_rule.lower, unverified, verified, preferred)


def _attribute(backend: str, field: str, rule: FieldRule | None) -> str | None:
    if rule is None:
        return None
    if not _is_one_attribute(rule) or rule.lower or rule.separator or rule.smtp_prefixes:
        raise ConfigError(f"[backends.{backend}.map] {field} must be one attribute as it is, to be written to")
    return rule.sources[0]


def _is_one_attribute(rule: FieldRule) -> bool:
    return len(rule.sources) == 1 and "{" not in rule.sources[0] and not rule.local_part
