"""Groups that are entries: which there are, and which of them people are in."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence

from integration_server import BackendMisconfigured, Deadline, Group, normalize_name
from integration_server.builtin.ldap import names
from integration_server.builtin.ldap.entries import Row
from integration_server.builtin.ldap.group_plan import GroupPlan
from integration_server.builtin.ldap.messages import Scope, Search, any_of, both, equality
from integration_server.builtin.ldap.search import Referrals, listing
from integration_server.builtin.ldap.values import octets_of, several, text_of
from integration_server.builtin.ldap.wire import Wire

#: uniqueMember may say beside the name which of several people who had it is meant (RFC 4517 §3.3.21).
_IDENTIFIER = re.compile(r"#'[01]*'B\Z")
#: Beyond so many people, or groups named by people, reading all groups is less work than asking for theirs.
_FEW_PEOPLE = 20
_FEW_GROUPS = 200
_FEW_IDENTIFIERS = 20


def read_groups(plan: GroupPlan, wire: Wire, deadline: Deadline) -> tuple[Group, ...]:
    """Every group, in the server's order. Raises BackendError; IncompleteListing where the answer is cut short."""
    found = []
    for row, group_id in identified(plan, wire, plan.filter, [attribute for _, attribute in plan.facts], deadline):
        facts = {field: _one(value) for (field, _), value in zip(plan.facts, row, strict=True)}
        found.append(Group(group_id, **facts))
    return tuple(found)


class Memberships:
    """Which groups somebody is in, by the value of the plan's ``key_attribute``; read once, then asked for people."""

    def __init__(self, ids: dict[str, list[str]], reference: Callable[[object], str]) -> None:
        self._ids = ids
        self._reference = reference

    def of(self, value: object) -> tuple[str, ...] | None:
        """The ids in a fixed order, None where there are none, as any attribute without values."""
        found = {group_id for one in several(value) for group_id in self._ids.get(self._reference(one), ())}
        return tuple(sorted(found)) or None

    def complete(self, rows: Iterable[Row], column: int) -> None:
        """Put the ids where the key attribute's value stands in rows of people."""
        for row in rows:
            row[column] = self.of(row[column])


def all_memberships(plan: GroupPlan, wire: Wire, deadline: Deadline) -> Memberships:
    """Everybody's groups, as one listing per base gives them. Raises as ``read_groups``."""
    reference = _reference(plan)
    ids: dict[str, list[str]] = {}
    identifiers: set[str] = set()
    for row, group_id in identified(plan, wire, plan.filter, [_told_by(plan)], deadline):
        for value in several(row[0]):
            ids.setdefault(reference(value), []).append(group_id)
            if plan.has_identifiers and (match := _IDENTIFIER.search(text_of(value))):
                identifiers.add(match[0])
    plan.identifiers.seen = frozenset(identifiers)
    return _memberships(plan, ids)


def memberships_of(plan: GroupPlan, wire: Wire, values: Sequence[object], deadline: Deadline) -> Memberships:
    """The groups of the people whose key attribute has these values: a search for each, or all when they are many.

    Raises as ``read_groups``.
    """
    searches = _searches_for(plan, values)
    if searches is None:
        return all_memberships(plan, wire, deadline)
    reference = _reference(plan)
    ids: dict[str, list[str]] = {}
    for condition, whose in searches:
        for row, group_id in identified(plan, wire, both(plan.filter, condition), ["dn"], deadline):
            # A group that people name counts for those who name it, one that names people for whom was asked.
            for value in several(row[0] if plan.is_told_by_people else whose):
                ids.setdefault(reference(value), []).append(group_id)
    return _memberships(plan, ids)


def _memberships(plan: GroupPlan, ids: dict[str, list[str]]) -> Memberships:
    reference = _reference(plan)
    if plan.placeholder is not None and not plan.is_told_by_people:
        ids.pop(reference(plan.placeholder), None)
    return Memberships(ids, reference)


def _searches_for(plan: GroupPlan, values: Sequence[object]) -> list[tuple[bytes, object]] | None:
    """What to ask for people's groups, and whose each answer is; None where they are too many to ask so."""
    if plan.is_told_by_people:
        named = list(dict.fromkeys(text_of(one) for value in values for one in several(value)))
        if len(named) > _FEW_GROUPS:
            return None
        return [(any_of([_named(dn) for dn in named]), None)] if named else []
    seen = plan.identifiers.seen
    if len(values) > _FEW_PEOPLE or (plan.has_identifiers and (seen is None or len(seen) > _FEW_IDENTIFIERS)):
        return None
    return [
        (any_of([equality(plan.member_attribute, one) for one in references(plan, value)]), value)
        for value in values
        if value is not None
    ]


def references(plan: GroupPlan, value: object) -> list[bytes]:
    """The values by which groups may hold the person whose key attribute has this value; the usual one first."""
    plain = [octets_of(one) for one in several(value)]
    return plain + [one + mark.encode() for one in plain for mark in sorted(plan.identifiers.seen or ())]


def _told_by(plan: GroupPlan) -> str:
    """The attribute of groups whose values are compared with people's key attribute."""
    return "dn" if plan.is_told_by_people else plan.member_attribute


def _named(dn: str) -> bytes:
    """A filter for the entries that are named so, wherever they are."""
    try:
        attribute, value = names.naming(dn)[0]
    except (ValueError, IndexError) as exc:
        raise BackendMisconfigured(f"memberOf holds {dn[:100]!r}, which is no distinguished name") from exc
    return equality(attribute, octets_of(value))


def _reference(plan: GroupPlan) -> Callable[[object], str]:
    """What turns a value of the key attribute, or one that refers to it, into what both have in common."""
    return text_of if plan.key_attribute not in ("dn", "memberOf") else _dn_key


def _dn_key(value: object) -> str:
    text = text_of(value)
    if text.endswith("'B"):
        text = _IDENTIFIER.sub("", text)
    try:
        return names.key(text)
    except ValueError:
        return text


def identified(
    plan: GroupPlan, wire: Wire, asked: bytes, attributes: Sequence[str], deadline: Deadline
) -> Iterator[tuple[Row, str]]:
    """The rows of the groups that meet a filter, each with its id. No two groups may have one id."""
    known: dict[str, object] = {}
    for base in plan.bases:
        search = Search(base, Scope.SUBTREE, asked)
        wanted = (*attributes, "dn", plan.id_attribute)
        for rows in listing(wire, search, wanted, plan.page_size, deadline, Referrals()):
            for *row, dn, found in rows:
                group_id = _id(plan, text_of(dn), found)
                # The mapping holds no two that differ in case only.
                if (key := normalize_name(group_id)) in known:
                    raise BackendMisconfigured(
                        f"{plan.where}: two groups have the {plan.id_attribute} {group_id!r}: {known[key]} and "
                        f"{dn}; choose another id_attribute, or narrow bases or ldap_filter"
                    )
                known[key] = dn
                yield row, group_id


def _id(plan: GroupPlan, dn: str, found: object) -> str:
    """A group's id: of several values the one in its name, as servers give values in any order."""
    texts = [text for value in several(found) if isinstance(value, str) and (text := value.strip())]
    if len(texts) > 1:
        attribute = names.attribute_key(plan.id_attribute)
        named = {normalize_name(value) for name, value in names.naming(dn) if name == attribute}
        texts = [text for text in texts if normalize_name(text) in named]
    if len(texts) != 1:
        raise BackendMisconfigured(
            f"{plan.where}: the group {dn} has not one {plan.id_attribute} to know it by (id_attribute)"
        )
    return texts[0]


def _one(value: object) -> str | None:
    return next((one for one in several(value) if isinstance(one, str)), None)
