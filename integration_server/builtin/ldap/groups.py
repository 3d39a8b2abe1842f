"""Groups that are entries: which there are, and how they and people know each other."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from integration_server import BackendMisconfigured, Deadline, Group, normalize_name
from integration_server.builtin.ldap import names
from integration_server.builtin.ldap.entries import Row
from integration_server.builtin.ldap.group_plan import GroupPlan
from integration_server.builtin.ldap.messages import Scope, Search, equality
from integration_server.builtin.ldap.search import Referrals, listing
from integration_server.builtin.ldap.values import octets_of, several, text_of
from integration_server.builtin.ldap.wire import Wire

#: uniqueMember may say beside the name which of several people who had it is meant (RFC 4517 §3.3.21).
_IDENTIFIER = re.compile(r"#'[01]*'B\Z")


def read_groups(plan: GroupPlan, wire: Wire, deadline: Deadline, referrals: Referrals) -> tuple[Group, ...]:
    """Every group, in the server's order. Raises BackendError; IncompleteListing where the answer is cut short."""
    found = []
    attributes = [attribute for _, attribute in plan.facts]
    for row, group_id in identified(plan, wire, plan.filter, attributes, deadline, referrals=referrals):
        facts = {field: _one(value) for (field, _), value in zip(plan.facts, row, strict=True)}
        found.append(Group(group_id, **facts))
    return tuple(found)


def references(plan: GroupPlan, value: object) -> list[bytes]:
    """The values by which groups may hold the person whose key attribute has this value; the usual one first."""
    plain = [octets_of(one) for one in several(value)]
    return plain + [one + mark.encode() for one in plain for mark in sorted(plan.identifiers.seen or ())]


def named(dn: str) -> bytes:
    """A filter for the entries that are named so, wherever they are."""
    try:
        attribute, value = names.naming(dn)[0]
    except (ValueError, IndexError) as exc:
        raise BackendMisconfigured(f"memberOf holds {dn[:100]!r}, which is no distinguished name") from exc
    return equality(attribute, octets_of(value))


def reference_of(plan: GroupPlan) -> Callable[[object], str]:
    """What turns a value of the key attribute, or one that refers to it, into what both have in common."""
    return text_of if plan.key_attribute not in ("dn", "memberOf") else _dn_key


def identifier_in(value: object) -> str | None:
    """What a uniqueMember value bears beside the name, such as ``#'0101'B``."""
    match = _IDENTIFIER.search(text_of(value))
    return match[0] if match else None


def _dn_key(value: object) -> str:
    text = text_of(value)
    if text.endswith("'B"):
        text = _IDENTIFIER.sub("", text)
    try:
        return names.key(text)
    except ValueError:
        return text


def identified(
    plan: GroupPlan,
    wire: Wire,
    asked: bytes,
    attributes: Sequence[str],
    deadline: Deadline,
    known: dict[str, object] | None = None,
    referrals: Referrals | None = None,
) -> Iterator[tuple[Row, str]]:
    """The rows of the groups that meet a filter, each with its id. No two groups may have one id.

    ``known`` is handed on from one question to the next where they are about one thing. ``referrals`` are counted where
    somebody is told of them.
    """
    known = {} if known is None else known
    referrals = Referrals() if referrals is None else referrals
    for base in plan.bases:
        search = Search(base, Scope.SUBTREE, asked)
        wanted = (*attributes, "dn", plan.id_attribute)
        for rows in listing(wire, search, wanted, plan.page_size, deadline, referrals):
            for *row, dn, found in rows:
                group_id = _id(plan, text_of(dn), found)
                # The mapping holds no two that differ in case only.
                if known.setdefault(key := normalize_name(group_id), dn) != dn:
                    raise BackendMisconfigured(
                        f"{plan.where}: two groups have the {plan.id_attribute} {group_id!r}: {known[key]} and "
                        f"{dn}; choose another id_attribute, or narrow bases or ldap_filter"
                    )
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
