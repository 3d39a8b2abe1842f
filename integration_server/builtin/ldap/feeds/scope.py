"""What a feed has to know of the settings: by what people are known, and what changes of them or of groups matter."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from integration_server import FieldRule, MapSettings
from integration_server.builtin.ldap.messages import any_of, equality, parts_of
from integration_server.builtin.ldap.plan import Plan
from integration_server.builtin.ldap.settings import LdapSettings

#: Attributes of people that the server makes of the members of groups, in lower case.
_MADE_OF_MEMBERS = frozenset({"memberof", "ismemberof"})
#: Attributes that Active Directory makes of others when they are asked for, and of which. None of them is told of.
_MADE_OF_OTHERS = {
    "msds-user-account-control-computed": ("userAccountControl", "lockoutTime", "pwdLastSet", "accountExpires"),
    "msds-userpasswordexpirytimecomputed": ("userAccountControl", "pwdLastSet"),
    "msds-principalname": ("sAMAccountName",),
    "dn": (),
    "distinguishedname": (),
    "canonicalname": (),
    "primarygrouptoken": (),
    "createtimestamp": (),
    "modifytimestamp": (),
    "whenchanged": (),
    "usnchanged": (),
    "usncreated": (),
}
GROUP_CLASSES = ("group", "groupOfNames", "groupOfUniqueNames", "groupOfMembers", "groupOfURLs", "posixGroup")
_AND, _OR, _NOT, _PRESENT, _EXTENSIBLE = 0xA0, 0xA1, 0xA2, 0x87, 0xA9


@dataclass(frozen=True, slots=True)
class FeedScope:
    """``id_attribute`` is the one whose value as it stands is a person's id (in lower case where ``is_id_lower``), None
    where the mapping makes ids in another way. ``has_groups``: who is in which group decides on how people are listed.
    """

    plan: Plan
    id_attribute: str | None
    is_id_lower: bool
    has_groups: bool

    @property
    def bases(self) -> tuple[str, ...]:
        """Below what changes matter."""
        groups = self.plan.groups
        return (*self.plan.bases, *(groups.bases if groups is not None and self.has_groups else ()))

    def id_of(self, text: str) -> str:
        """The id that the mapping makes of a value of ``id_attribute``."""
        return text.lower() if self.is_id_lower else text

    def is_id(self, attribute: str) -> bool:
        """Whether the ids are this attribute."""
        return self.id_attribute is not None and self.id_attribute.lower() == attribute.lower()

    def groups_filter(self) -> bytes:
        """What is a group, as a filter in BER."""
        if self.plan.groups is not None:
            return self.plan.groups.filter
        return any_of([equality("objectClass", name.encode()) for name in GROUP_CLASSES])

    def groups_bases(self, contexts: tuple[str, ...]) -> tuple[str, ...]:
        """Below what groups are."""
        return self.plan.groups.bases if self.plan.groups is not None else contexts

    def attributes(self) -> tuple[str, ...]:
        """The attributes a change of which may change how somebody is listed, as Active Directory stores them.

        ``name`` is the first part of the DN, whatever it is called (MS-ADTS §3.1.1.1.4).
        """
        wanted = [
            *self.plan.attributes,
            *sorted(filter_attributes(self.plan.filter)),
            "objectClass",
            "name",
            "isDeleted",
        ]
        if self.has_groups:
            wanted += ["member", "primaryGroupID", "groupType", *sorted(filter_attributes(self.groups_filter()))]
            wanted += [self.plan.groups.id_attribute] if self.plan.groups is not None else []
        found: dict[str, str] = {}
        for name in wanted:
            for source in _MADE_OF_OTHERS.get(name.lower(), (name,)):
                if not _is_made_of_members(source):
                    found.setdefault(source.lower(), source)
        return tuple(found.values())


def compile_scope(settings: LdapSettings, plan: Plan, default_map: MapSettings) -> FeedScope:
    id_rule = settings.map.id or default_map.id
    read = {name.lower() for name in plan.attributes} | filter_attributes(plan.filter)
    return FeedScope(
        plan,
        id_attribute=id_rule.sources[0] if id_rule is not None and _is_plain(id_rule) else None,
        is_id_lower=id_rule is not None and id_rule.lower,
        has_groups=(plan.groups is not None and plan.groups.column is not None) or any(map(_is_made_of_members, read)),
    )


def _is_plain(rule: FieldRule) -> bool:
    is_made = rule.local_part or rule.separator or rule.smtp_prefixes or rule.bit
    return len(rule.sources) == 1 and "{" not in rule.sources[0] and not is_made


def _is_made_of_members(name: str) -> bool:
    return name.lower() in _MADE_OF_MEMBERS or name.lower().startswith("tokengroups")


def filter_attributes(ber: bytes) -> frozenset[str]:
    """The attributes that a filter (RFC 4511 §4.5.1.7) looks at, in lower case and without options."""
    return frozenset(name.partition(";")[0].lower() for name in _names(ber) if name)


def _names(ber: bytes) -> Iterator[str]:
    for tag, content in parts_of(ber):
        if tag in (_AND, _OR, _NOT):
            yield from _names(content)
        elif tag == _PRESENT:
            yield content.decode("utf-8", "replace")
        else:
            # The name is the first part of all the others but this one, in which it is the second, or missing.
            wanted = 0x82 if tag == _EXTENSIBLE else 0x04
            yield next((value for kind, value in parts_of(content) if kind == wanted), b"").decode("utf-8", "replace")
