"""Putting people into groups and taking them out, in the groups' own entries. Each is one MODIFY, safe to repeat."""

from __future__ import annotations

from collections.abc import Sequence

from integration_server import BackendError, BackendMisconfigured, Deadline, Entry, UnknownGroup, WriteRefused
from integration_server.builtin.ldap.changes import Change, modification
from integration_server.builtin.ldap.entries import Row
from integration_server.builtin.ldap.group_plan import GroupPlan
from integration_server.builtin.ldap.groups import identified, references
from integration_server.builtin.ldap.memberships import (
    Person,
    all_memberships,
    is_in_otherwise,
    known_by,
    paths_of,
)
from integration_server.builtin.ldap.messages import Result, Scope, Search, any_of, both, equality, present
from integration_server.builtin.ldap.people import LONGEST_NAME
from integration_server.builtin.ldap.results import (
    NO_SUCH_OBJECT,
    OBJECT_CLASS_VIOLATION,
    SUCCESS,
    failure,
    is_gone_already,
    is_there_already,
    write_failure,
)
from integration_server.builtin.ldap.search import Referrals, few, told_to_the_pool
from integration_server.builtin.ldap.values import assertion, octets_of, several, text_of
from integration_server.builtin.ldap.wire import Wire

#: How often the last member may have been joined by others, and be the last one again, while we look.
_TRIES = 5


def find_group(plan: GroupPlan, wire: Wire, group_id: str, deadline: Deadline) -> str:
    """A group's DN. Raises UnknownGroup."""
    value = assertion(plan.id_attribute, group_id)
    if value and len(value) <= LONGEST_NAME:
        asked = both(plan.filter, equality(plan.id_attribute, value))
        with told_to_the_pool():
            # Servers compare loosely, so others may come as well, and no page may be left half read.
            found = list(identified(plan, wire, asked, ["dn"], deadline))
        for row, found_id in found:
            if found_id == group_id:
                return text_of(row[0])
    raise UnknownGroup(f"{plan.where}: there is no group {group_id[:100]!r}")


def paths(plan: GroupPlan, wire: Wire, entry: Entry, deadline: Deadline) -> dict[str, tuple[str, ...]]:
    """How a found entry is in each of its groups; see ``GroupPaths``. Raises as ``read_groups``."""
    person = known_by(_read(plan, wire, entry, plan.person_attributes, deadline))
    with told_to_the_pool():
        return paths_of(plan, wire, person, deadline)


def _read(plan: GroupPlan, wire: Wire, entry: Entry, attributes: Sequence[str], deadline: Deadline) -> Row:
    """Attributes of a person as they are now. Raises BackendError where they are gone."""
    assert isinstance(entry.handle, str)
    search = Search(entry.handle, Scope.BASE, present("objectClass"))
    rows, result = few(wire, search, attributes, deadline, Referrals())
    if result.code not in (SUCCESS, NO_SUCH_OBJECT):
        raise failure(result, f"{wire.server}: reading {entry.handle!r}")
    if not rows:
        raise BackendError(f"{plan.where}: {entry.handle} is not there any more")
    return rows[0]


class Members:
    """The direct members of one group, an id and a DN, on one connection. ``account`` is the DN of who is bound.

    Methods raise UnknownGroup where the group has gone, BackendMisconfigured for what has to be set up at the server,
    other BackendErrors where nothing is known of the outcome.
    """

    def __init__(
        self, plan: GroupPlan, wire: Wire, group: tuple[str, str], account: str | None, deadline: Deadline
    ) -> None:
        assert plan.write_attribute is not None
        self._plan = plan
        self._attribute = plan.write_attribute
        self._wire = wire
        self._id, self._dn = group
        self._account = account
        self._deadline = deadline

    def add(self, entry: Entry) -> bool:
        """Put a found entry in; whether that was new."""
        usual, *others = self._values(entry)
        if others and self._has_any(others):
            return False
        result = self._modify(Change(self._attribute, (usual,)))
        if result.code == SUCCESS:
            return True
        if is_there_already(result):
            return False
        raise self._failure(result)

    def remove(self, entry: Entry) -> bool:
        """Take a found entry out; whether it was in. Raises WriteRefused where it would be in all the same."""
        self._check_leaving(entry)
        taken = [self._take(value) for value in self._values(entry)]
        return any(taken)

    def _check_leaving(self, entry: Entry) -> None:
        """Nobody may be said to have left a group that another one, or the primary group, keeps them in."""
        plan = self._plan
        if not (plan.is_nested or plan.has_primary):
            return
        person = self._person(entry)
        with told_to_the_pool():
            stays = is_in_otherwise(plan, self._wire, person, (self._id, self._dn), self._deadline)
        if stays:
            raise WriteRefused(
                f"{plan.where}: {entry.handle} is in the group {self._id!r} through another group, or as their primary "
                "group, and would stay in it; take them out there"
            )

    def _person(self, entry: Entry) -> Person:
        return known_by(self._read(entry, self._plan.person_attributes))

    def _read(self, entry: Entry, attributes: Sequence[str]) -> Row:
        return _read(self._plan, self._wire, entry, attributes, self._deadline)

    def _take(self, value: bytes) -> bool:
        taking = Change(self._attribute, (value,), is_addition=False)
        placeholder = self._plan.placeholder
        for _ in range(_TRIES):
            result = self._modify(taking)
            if result.code == OBJECT_CLASS_VIOLATION and placeholder is not None:
                result = self._modify(Change(self._attribute, (octets_of(placeholder),)), taking)
                if is_there_already(result):
                    # Somebody else put it in just now, so that the member is not the last one any more.
                    continue
            if result.code == SUCCESS:
                return True
            if is_gone_already(result):
                return False
            break
        raise self._failure(result)

    def _modify(self, *changes: Change) -> Result:
        return self._wire.write(modification(self._dn, changes), self._deadline)

    def _values(self, entry: Entry) -> list[bytes]:
        """The values by which the group may hold the entry; the usual one, which is written, first."""
        plan = self._plan
        assert isinstance(entry.handle, str)
        if plan.has_identifiers and plan.identifiers.seen is None:
            with told_to_the_pool():
                all_memberships(plan, self._wire, self._deadline)
        if self._attribute != "memberUid":
            return references(plan, entry.handle) if plan.has_identifiers else [octets_of(entry.handle)]
        values = [octets_of(value) for value in several(self._read(entry, [plan.key_attribute])[0])]
        if not values:
            raise BackendError(f"{plan.where}: {entry.handle} has no {plan.key_attribute} any more")
        return values

    def _has_any(self, values: list[bytes]) -> bool:
        search = Search(self._dn, Scope.BASE, any_of([equality(self._attribute, value) for value in values]))
        rows, result = few(self._wire, search, ["dn"], self._deadline, Referrals())
        if result.code not in (SUCCESS, NO_SUCH_OBJECT):
            raise failure(result, f"{self._wire.server}: reading {self._dn!r}")
        return bool(rows)

    def _failure(self, result: Result) -> BackendError:
        """Why the group was not changed. Raises UnknownGroup where it has gone."""
        doing = f"{self._wire.server}: changing {self._attribute} of {self._dn!r}"
        if result.code == NO_SUCH_OBJECT:
            find_group(self._plan, self._wire, self._id, self._deadline)
            return BackendError(f"{doing}: the group is there, so the person is not any more")
        error = write_failure(result, doing, self._account)
        if result.code == OBJECT_CLASS_VIOLATION and self._plan.placeholder is None:
            return BackendMisconfigured(
                f"{error}; where a group must keep one member, set placeholder_member of {self._plan.where} to the DN "
                "of nobody, to be put in when the last one leaves"
            )
        return error
