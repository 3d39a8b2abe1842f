"""Which groups people are in: their own, those that these are in, and their primary group.

Whether all groups are read or one person's are asked for, the answer is the same: groups that the table finds count, as
links between others, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from integration_server import BackendMisconfigured, Deadline
from integration_server.builtin.ldap.entries import Row
from integration_server.builtin.ldap.group_plan import GroupPlan
from integration_server.builtin.ldap.groups import identified, identifier_in, named, reference_of, references
from integration_server.builtin.ldap.messages import any_of, both, equality
from integration_server.builtin.ldap.search import Referrals
from integration_server.builtin.ldap.values import assertion, several, text_of
from integration_server.builtin.ldap.wire import Wire

#: Beyond so many people, or groups asked for at once, or levels of groups in groups, all groups are read instead.
_FEW_PEOPLE = 20
_FEW_GROUPS = 200
_FEW_IDENTIFIERS = 20
_FEW_LEVELS = 20
#: So many ids of outer groups are remembered at most (some tens of MB); others are worked out again.
_MOST_REMEMBERED = 500_000
_SID = "objectSid"


@dataclass(frozen=True, slots=True)
class Person:
    """What groups know somebody by: the value of the plan's ``key_attribute``, and the SID of the primary group."""

    key: object
    primary: str | None = None


def known_by(values: Sequence[object]) -> Person:
    """Of the values of a person's ``GroupPlan.person_attributes``. Raises BackendMisconfigured.

    The primary group is in the person's domain, and primaryGroupID is what its SID ends with (MS-ADA3 §2.120).
    """
    if len(values) == 1 or values[2] is None:
        return Person(values[0])
    _, sid, number = values
    if not isinstance(sid, str) or not sid.startswith("S-1-") or not (isinstance(number, str) and number.isdigit()):
        raise BackendMisconfigured(
            f"a person's primary group cannot be told by objectSid {sid!r} and primaryGroupID {number!r}; the service "
            "account must be able to read both, or set primary_group = false"
        )
    return Person(values[0], f"{sid.rpartition('-')[0]}-{number}")


class Memberships:
    """Which groups somebody is in, by the value of the plan's ``key_attribute``; read once, then asked for people.

    ``parents`` are the groups that a group itself is in, ``by_sid`` the groups by SID. One thread at a time.
    """

    def __init__(
        self,
        ids: Mapping[str, Sequence[str]],
        reference: Callable[[object], str],
        parents: Mapping[str, Sequence[str]] | None = None,
        by_sid: Mapping[str, str] | None = None,
        by_value: Mapping[object, Sequence[str]] | None = None,
    ) -> None:
        self._ids = ids
        self._reference = reference
        self._parents = parents or {}
        self._by_sid = by_sid or {}
        self._by_value = by_value or {}
        #: The ids of a group and of those that it is in, as the keys of a table: these are joined quickest.
        self._closed: dict[str, dict[str, None]] = {}
        self._room = _MOST_REMEMBERED

    def of(self, value: object) -> tuple[str, ...] | None:
        """The ids in a fixed order, None where there are none, as any attribute without values."""
        # Mostly people and groups spell a name alike, so that it need not be taken apart.
        direct = self._by_value.get(value) if isinstance(value, str) else None
        return self._whole(self._direct(value) if direct is None else direct)

    def put_in(self, rows: Sequence[Row], column: int) -> None:
        """What ``of`` says of the values of a column takes their place, in any order. All people come by here, so the
        loop is flat."""
        by_value, closed = self._by_value, self._closed
        for row in rows:
            value = row[column]
            direct = by_value.get(value) if isinstance(value, str) else None
            if direct is None or not self._parents:
                row[column] = self.of(value)
                continue
            found: dict[str, None] = {}
            for one in direct:
                found |= closed.get(one) or self._with_outer(one)
            row[column] = tuple(found) or None

    def of_person(self, person: Person, apart_from: str | None = None) -> tuple[str, ...] | None:
        """As ``of``; being directly in the group ``apart_from`` does not count."""
        found = self._direct(person.key)
        found.discard(apart_from or "")
        if person.primary is not None and (primary := self._by_sid.get(person.primary)) is not None:
            found.add(primary)
        return self._whole(found)

    def paths(self, person: Person) -> dict[str, tuple[str, ...]]:
        """For each group of a person those between the two, on a shortest way."""
        direct = self._direct(person.key)
        if person.primary is not None and (primary := self._by_sid.get(person.primary)) is not None:
            direct.add(primary)
        found: dict[str, tuple[str, ...]] = dict.fromkeys(sorted(direct), ())
        waiting = list(found)
        for inner in waiting:
            for outer in self._parents.get(inner, ()):
                if outer not in found:
                    found[outer] = (*found[inner], inner)
                    waiting.append(outer)
        return found

    def _direct(self, value: object) -> set[str]:
        reference, ids = self._reference, self._ids
        return {group_id for one in several(value) for group_id in ids.get(reference(one), ())}

    def _whole(self, direct: Iterable[str]) -> tuple[str, ...] | None:
        """Groups, with those that they are in."""
        if not self._parents:
            return tuple(sorted(set(direct))) or None
        found: dict[str, None] = {}
        for one in direct:
            found |= self._closed.get(one) or self._with_outer(one)
        return tuple(sorted(found)) or None

    def _with_outer(self, group_id: str) -> dict[str, None]:
        """A group and those that it is in, however deep."""
        found = {group_id: None}
        waiting = [group_id]
        while waiting:
            for parent in self._parents.get(waiting.pop(), ()):
                if parent in found:
                    continue
                if (known := self._closed.get(parent)) is not None:
                    found |= known
                else:
                    found[parent] = None
                    waiting.append(parent)
        if len(found) <= self._room:
            self._room -= len(found)
            self._closed[group_id] = found
        return found


@dataclass(slots=True)
class _Read:
    """What was read of groups: ids by what they hold, or by their own name where people tell; ids by SID; the names
    of the groups, and of those that they are in.

    These are tuples of texts, which the garbage collector forgets: lists by the hundred thousand keep it busy.
    """

    plan: GroupPlan
    reference: Callable[[object], str]
    ids: dict[str, tuple[str, ...]] = field(default_factory=dict)
    by_sid: dict[str, str] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    #: Ids by what groups hold, as it is written there.
    by_value: dict[object, tuple[str, ...]] = field(default_factory=dict)
    outer: dict[str, list[str]] = field(default_factory=dict)
    #: By id, over all questions.
    known: dict[str, object] = field(default_factory=dict)

    @property
    def attributes(self) -> list[str]:
        plan = self.plan
        more = ["memberOf"] if plan.is_nested and plan.is_told_by_people else []
        return ["dn", *more, *([_SID] if plan.has_primary else [])]

    def note(self, row: Sequence[object], group_id: str) -> None:
        """Take in the values of ``attributes``."""
        name = self.reference(row[0])
        self.names[name] = group_id
        if self.plan.is_told_by_people:
            self.ids[name] = (group_id,)
            if self.plan.is_nested:
                self.outer[group_id] = [self.reference(value) for value in several(row[1])]
        if self.plan.has_primary and isinstance(sid := row[-1], str):
            self.by_sid[sid] = group_id

    def memberships(self) -> Memberships:
        plan, names = self.plan, self.names
        parents: dict[str, Sequence[str]] = {}
        if plan.is_told_by_people:
            parents = {
                group_id: inside
                for group_id, outer in self.outer.items()
                if (inside := [names[name] for name in outer if name in names])
            }
        else:
            if plan.placeholder is not None:
                self.ids.pop(self.reference(plan.placeholder), None)
            if plan.is_nested:
                parents = {names[name]: self.ids[name] for name in names.keys() & self.ids.keys()}
        return Memberships(self.ids, self.reference, parents, self.by_sid, self.by_value)

    def gather(self) -> None:
        """Put together what values say that mean the same: names may be spelt in many ways. A placeholder is nobody."""
        ids, by_value, placeholder = self.ids, self.by_value, self.plan.placeholder
        keys = list(map(self.reference, by_value))
        for key, found in zip(keys, by_value.values(), strict=True):
            known = ids.get(key)
            ids[key] = found if known is None else known + found
        is_plain = placeholder is None or ids.pop(self.reference(placeholder), None) is None
        if not is_plain or len(ids) < len(by_value):
            self.by_value = {value: ids.get(key, ()) for value, key in zip(by_value, keys, strict=True)}


def all_memberships(plan: GroupPlan, wire: Wire, deadline: Deadline, referrals: Referrals | None = None) -> Memberships:
    """Everybody's groups, as one listing per base gives them. Raises as ``read_groups``."""
    read = _Read(plan, reference_of(plan))
    by_value = read.by_value
    identifiers: set[str] = set()
    attributes = read.attributes
    told = [] if plan.is_told_by_people else [plan.member_attribute]
    for row, group_id in identified(plan, wire, plan.filter, [*attributes, *told], deadline, referrals=referrals):
        read.note(row[: len(attributes)], group_id)
        own = (group_id,)
        for value in several(row[-1]) if told else ():
            found = by_value.get(value)
            by_value[value] = own if found is None else found + own
            if plan.has_identifiers and (identifier := identifier_in(value)):
                identifiers.add(identifier)
    plan.identifiers.seen = frozenset(identifiers)
    read.gather()
    return read.memberships()


def memberships_of(plan: GroupPlan, wire: Wire, people: Sequence[Person], deadline: Deadline) -> Memberships:
    """The groups of these people: so many searches for each level of groups, or all when they are many.

    Raises as ``read_groups``.
    """
    ask = _told_by_people if plan.is_told_by_people else _told_by_groups
    found = ask(plan, wire, people, deadline)
    return all_memberships(plan, wire, deadline) if found is None else found


def paths_of(plan: GroupPlan, wire: Wire, person: Person, deadline: Deadline) -> dict[str, tuple[str, ...]]:
    """How a person is in each of their groups; see ``Memberships.paths``. Raises as ``read_groups``."""
    if plan.is_told_by_people or not plan.is_nested:
        return memberships_of(plan, wire, [person], deadline).paths(person)
    # What one person's groups are is asked for level by level, and not which of a level is in which of the next.
    return all_memberships(plan, wire, deadline).paths(person)


def is_in_otherwise(plan: GroupPlan, wire: Wire, person: Person, group: tuple[str, str], deadline: Deadline) -> bool:
    """Whether somebody is in a group, an id and a DN, not only as its direct member. Raises as ``read_groups``."""
    group_id, dn = group
    if plan.is_told_by_people:
        memberships = memberships_of(plan, wire, [person], deadline)
        return group_id in (memberships.of_person(person, apart_from=group_id) or ())
    found = _groups_of(plan, wire, person, deadline, {}, apart_from=dn)
    if found is None:
        return group_id in (all_memberships(plan, wire, deadline).of_person(person, apart_from=group_id) or ())
    return group_id in found


def _told_by_people(plan: GroupPlan, wire: Wire, people: Sequence[Person], deadline: Deadline) -> Memberships | None:
    """By the groups that people name, and those that these name; None where they are too many to ask so."""
    read = _Read(plan, reference_of(plan))
    sids = {person.primary for person in people if person.primary is not None}
    level = _by_reference(read.reference, (value for person in people for value in several(person.key)))
    conditions = [named(dn) for dn in level.values()] + _sids(sids)
    asked = set(level)
    for _ in range(_FEW_LEVELS):
        if not conditions:
            return read.memberships()
        if len(conditions) > _FEW_GROUPS:
            return None
        outer: list[object] = []
        for row, group_id in identified(
            plan, wire, both(plan.filter, any_of(conditions)), read.attributes, deadline, read.known
        ):
            # Others may bear the name of one that is meant, elsewhere.
            if read.reference(row[0]) in level or (plan.has_primary and row[-1] in sids):
                read.note(row, group_id)
                outer += several(row[1]) if plan.is_nested else ()
        level = {name: dn for name, dn in _by_reference(read.reference, outer).items() if name not in asked}
        asked |= level.keys()
        conditions = [named(dn) for dn in level.values()]
    return None


def _by_reference(reference: Callable[[object], str], values: Iterable[object]) -> dict[str, str]:
    return {reference(value): text_of(value) for value in values}


def _told_by_groups(plan: GroupPlan, wire: Wire, people: Sequence[Person], deadline: Deadline) -> Memberships | None:
    """By a search for each of them; None where they are too many to ask so."""
    if len(people) > _FEW_PEOPLE:
        return None
    read = _Read(plan, reference_of(plan))
    for person in people:
        if person.key is None:
            continue
        found = _groups_of(plan, wire, person, deadline, read.known)
        if found is None:
            return None
        for value in several(person.key):
            key = read.reference(value)
            read.ids[key] = (*read.ids.get(key, ()), *found)
    return read.memberships()


def _groups_of(
    plan: GroupPlan,
    wire: Wire,
    person: Person,
    deadline: Deadline,
    known: dict[str, object],
    apart_from: str | None = None,
) -> list[str] | None:
    """The groups of one person, from those that hold them upwards: for each level one search in each base.

    None where too much would have to be asked for at once. Being directly in ``apart_from``, a DN, does not count.
    """
    seen = plan.identifiers.seen
    if plan.has_identifiers and (seen is None or len(seen) > _FEW_IDENTIFIERS):
        return None
    reference = reference_of(plan)
    nobody = reference(plan.placeholder or "")
    skipped = None if apart_from is None else reference(apart_from)
    found: dict[str, str] = {}
    held = [equality(plan.member_attribute, one) for one in references(plan, person.key)]
    primary = _sids([] if person.primary is None else [person.primary])
    # Apart, where it counts by which of them a group was found.
    questions = [held + primary] if skipped is None else [held, primary]
    for depth in range(_FEW_LEVELS):
        level: list[str] = []
        for number, conditions in enumerate(questions):
            if len(conditions) > _FEW_GROUPS:
                return None
            asked = both(plan.filter, any_of(conditions))
            for row, group_id in identified(plan, wire, asked, ["dn"], deadline, known) if conditions else ():
                name = reference(row[0])
                if name not in found and (depth or number or name != skipped):
                    found[name] = group_id
                    level += [text_of(row[0])] if name != nobody else ()
        if not level or not plan.is_nested:
            return list(found.values())
        questions = [[equality(plan.member_attribute, one) for dn in level for one in references(plan, dn)]]
    return None


def _sids(sids: Iterable[str]) -> list[bytes]:
    values = [assertion(_SID, sid) for sid in sorted(sids)]
    return [equality(_SID, value) for value in values if value is not None]
