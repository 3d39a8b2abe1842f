"""The settings of groups understood."""

from __future__ import annotations

from dataclasses import dataclass, field

from integration_server import ConfigError
from integration_server.builtin.ldap import names
from integration_server.builtin.ldap.library import parsed_filter
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

    ``key_attribute`` of people and ``member_attribute`` tell who is in a group. ``column`` is where among the
    attributes of people the ids of their groups are wanted, None where the mapping does not read them.
    """

    where: str
    bases: tuple[str, ...]
    filter: bytes
    page_size: int
    member_attribute: str
    key_attribute: str
    id_attribute: str
    facts: tuple[tuple[str, str], ...]
    column: int | None
    identifiers: Identifiers = field(default_factory=Identifiers, compare=False)

    @property
    def is_told_by_people(self) -> bool:
        """Whether people's own attribute says which groups they are in."""
        return self.member_attribute == "memberOf"

    @property
    def has_identifiers(self) -> bool:
        """Whether values that name members may bear identifiers."""
        return self.member_attribute == "uniqueMember"


def compile_groups(backend: str, settings: LdapSettings, attributes: tuple[str, ...]) -> GroupPlan | None:
    """The plan for ``[backends.NAME.groups]``, None without the table. Raises ConfigError."""
    groups = settings.groups
    if groups is None:
        return None
    where = f"[backends.{backend}.groups]"
    return GroupPlan(
        where=where,
        bases=_bases(where, groups.bases or settings.bases),
        filter=_filter(where, groups),
        page_size=settings.page_size,
        member_attribute=groups.member_attribute,
        key_attribute=_KEYS.get(groups.member_attribute, groups.username_attribute),
        id_attribute=groups.id_attribute,
        facts=tuple(groups.facts.items()),
        column=attributes.index(groups.attribute) if groups.attribute in attributes else None,
    )


def _bases(where: str, bases: tuple[str, ...]) -> tuple[str, ...]:
    try:
        return names.without_nested(bases, is_subtree=True)
    except ValueError as exc:
        raise ConfigError(f"{where} bases: {exc}") from exc


def _filter(where: str, groups: GroupSettings) -> bytes:
    try:
        return parsed_filter(groups.ldap_filter)
    except ValueError as exc:
        raise ConfigError(f"{where} ldap_filter {groups.ldap_filter!r}: {exc}") from exc
