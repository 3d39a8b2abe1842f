"""The settings of groups understood."""

from __future__ import annotations

from dataclasses import dataclass, field

from integration_server import ConfigError
from integration_server.builtin.ldap import names
from integration_server.builtin.ldap.domain import set_domain
from integration_server.builtin.ldap.library import parsed_filter
from integration_server.builtin.ldap.profiles import GroupDefaults
from integration_server.builtin.ldap.settings import GroupSettings, LdapSettings

#: The attribute of people by which groups know them, or which knows groups.
_KEYS = {"member": "dn", "uniqueMember": "dn", "memberOf": "memberOf"}


class Identifiers:
    """The identifiers that uniqueMember values bear beside a name (``#'0101'B``), as the last reading of all saw them.

    A server finds such a value by name and identifier only, never by the name alone (RFC 4517 §4.2.31). ``seen`` is
    None until all groups have been read once. Thread-safe.
    """

    def __init__(self) -> None:
        self.seen: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class GroupPlan:
    """``filter`` is BER; ``bases`` are without those that lie within another one; ``where`` is the table's name.

    ``key_attribute`` of people and ``member_attribute`` tell who is in a group. ``write_attribute`` is what is written
    where people join and leave, None where nothing is; ``placeholder`` is the DN that keeps a group from being without
    members. With ``is_nested``, who is in a group that is in another group is in that one, too; with ``has_primary``,
    people are in their primary group as well. ``column`` is where among the attributes of people the ids of their
    groups are wanted, None where the mapping does not read them.
    """

    where: str
    bases: tuple[str, ...]
    filter: bytes
    page_size: int
    member_attribute: str
    key_attribute: str
    id_attribute: str
    facts: tuple[tuple[str, str], ...]
    write_attribute: str | None
    placeholder: str | None
    column: int | None
    is_nested: bool = False
    has_primary: bool = False
    identifiers: Identifiers = field(default_factory=Identifiers, compare=False)

    @property
    def is_told_by_people(self) -> bool:
        """Whether people's own attribute says which groups they are in."""
        return self.member_attribute == "memberOf"

    @property
    def person_attributes(self) -> tuple[str, ...]:
        """The attributes of people that say what groups know them by, see ``memberships.known_by``."""
        return (self.key_attribute, "objectSid", "primaryGroupID") if self.has_primary else (self.key_attribute,)

    @property
    def has_identifiers(self) -> bool:
        """Whether values that name members may bear identifiers."""
        return self.member_attribute == "uniqueMember"


def compile_groups(
    backend: str, settings: LdapSettings, attributes: tuple[str, ...], defaults: GroupDefaults
) -> GroupPlan | None:
    """The plan for ``[backends.NAME.groups]``, None without the table. Raises ConfigError."""
    groups = settings.groups
    if groups is None:
        return None
    where = f"[backends.{backend}.groups]"
    _check_writing(where, groups)
    has_names = groups.member_attribute == "memberUid"
    if has_names and (groups.nested or groups.primary_group):
        raise ConfigError(f"{where}: nested and primary_group go by names and SIDs, and memberUid holds user names")
    is_wide = not groups.bases and defaults.is_domain_wide
    return GroupPlan(
        where=where,
        bases=_bases(where, tuple(map(_domain_of, settings.bases)) if is_wide else groups.bases or settings.bases),
        filter=_filter(where, defaults.ldap_filter if groups.ldap_filter is None else groups.ldap_filter),
        page_size=settings.page_size,
        member_attribute=groups.member_attribute,
        key_attribute=_KEYS.get(groups.member_attribute, groups.username_attribute),
        id_attribute=groups.id_attribute or defaults.id_attribute,
        facts=_facts(groups, defaults),
        write_attribute=(groups.write_attribute or groups.member_attribute) if groups.is_writable else None,
        placeholder=groups.placeholder_member,
        column=attributes.index(groups.attribute) if groups.attribute in attributes else None,
        is_nested=defaults.is_nested and not has_names if groups.nested is None else groups.nested,
        has_primary=defaults.has_primary and not has_names if groups.primary_group is None else groups.primary_group,
    )


def _facts(groups: GroupSettings, defaults: GroupDefaults) -> tuple[tuple[str, str], ...]:
    """The attributes of what else is known of a group, by the fields of Group."""
    named = {
        "title": groups.title_attribute or defaults.title_attribute,
        "url": groups.url_attribute,
        "email": groups.email_attribute or defaults.email_attribute,
        "type": groups.type_attribute,
        "privacy": groups.privacy_attribute,
    }
    return tuple((field, attribute) for field, attribute in named.items() if attribute is not None)


def _domain_of(base: str) -> str:
    """The domain that a base is in; the base itself where its name tells of none."""
    try:
        return set_domain(base, "").dn
    except ValueError:
        return base


def _bases(where: str, bases: tuple[str, ...]) -> tuple[str, ...]:
    try:
        return names.without_nested(bases, is_subtree=True)
    except ValueError as exc:
        raise ConfigError(f"{where} bases: {exc}") from exc


def _filter(where: str, text: str) -> bytes:
    try:
        return parsed_filter(text)
    except ValueError as exc:
        raise ConfigError(f"{where} ldap_filter {text!r}: {exc}") from exc


def _check_writing(where: str, groups: GroupSettings) -> None:
    is_told_by_people = groups.member_attribute == "memberOf"
    if groups.is_writable and is_told_by_people and groups.write_attribute is None:
        raise ConfigError(f"{where}: memberOf is not written to; with is_writable name the groups' write_attribute")
    if groups.write_attribute is not None and not is_told_by_people:
        raise ConfigError(f"{where}: write_attribute goes with member_attribute = 'memberOf'; others are written to")
    if groups.placeholder_member is not None:
        if groups.member_attribute == "memberUid":
            raise ConfigError(f"{where}: placeholder_member is a DN, and memberUid holds user names")
        try:
            names.parse(groups.placeholder_member)
        except ValueError as exc:
            raise ConfigError(f"{where} placeholder_member: {exc}") from exc
