"""Finding one entry on a connection. The untrusted text goes into the question as it is, never into a notation."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from integration_server import AmbiguousEntry, BackendMisconfigured, Deadline, Entry, Lookup, normalize_name
from integration_server.builtin.ldap.entries import Row
from integration_server.builtin.ldap.memberships import (
    Memberships,
    Person,
    all_memberships,
    known_by,
    memberships_of,
)
from integration_server.builtin.ldap.messages import Result, Scope, Search, both, equality
from integration_server.builtin.ldap.plan import Plan
from integration_server.builtin.ldap.results import INVALID_DN, NO_SUCH_OBJECT, SIZE_LIMIT, SUCCESS, failure
from integration_server.builtin.ldap.search import Question, Referrals, few, told_to_the_pool
from integration_server.builtin.ldap.values import assertion
from integration_server.builtin.ldap.wire import Wire

#: Longer than any name; what servers take in one request ends at 256 KiB (slapd), and they hang up beyond it.
LONGEST_NAME = 10_000
#: More than one answer is ambiguous, but servers compare loosely, so some that are not meant may come as well.
_MOST_ANSWERS = 5


class Finder:
    """Finds single entries by what lookups name. Thread-safe.

    Attributes of lookups come from the settings, so there are a few of them, and what is asked for each is worked out
    once.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._questions: dict[str, tuple[Question, ...]] = {}

    def find(self, wire: Wire, lookup: Lookup, deadline: Deadline) -> Entry | None:
        """The entry that the lookup names, its attributes those of the plan, its handle the DN.

        Servers compare loosely: surplus blanks, width and often case do not count. Here case alone may differ, and it
        does where the server says so: the attribute's own matching rule knows better than a setting whether case
        counts. Raises AmbiguousEntry, BackendError.
        """
        plan = self._plan
        rows, is_cut = self._rows(wire, lookup, deadline)
        meant = rows if len(rows) == 1 and _is_meant(rows[0], lookup) else _meant(rows, lookup)
        if len(meant) > 1 or is_cut:
            several = ", ".join(sorted(str(row[-1]) for row in rows)[:3])
            raise AmbiguousEntry(f"{lookup.attribute}={lookup.value[:60]!r} names several entries: {several}")
        if not meant:
            return None
        check_states(plan, meant)
        add_groups(plan, wire, meant, deadline)
        return _entry(plan, meant[0])

    def _rows(self, wire: Wire, lookup: Lookup, deadline: Deadline) -> tuple[list[Row], bool]:
        """What the server takes to be meant, each entry once, and whether there is more than it gives."""
        plan, attribute = self._plan, lookup.attribute.lower()
        value = assertion(attribute, lookup.value)
        if value is None or not value or len(value) > LONGEST_NAME:
            # No entry can have it.
            return [], False
        if attribute == "dn":
            return self._read(wire, lookup, lookup.value, deadline) if plan.is_in_scope(lookup.value) else ([], False)
        if plan.template is not None and attribute in plan.template_attributes:
            return self._read(wire, lookup, plan.template_dn(lookup.value), deadline)
        asked = both(plan.filter, equality(lookup.attribute, value))
        questions = self._questions.get(lookup.attribute) or self._questions_for(lookup.attribute)
        found: list[Row] = []
        is_cut = False
        for question in questions:
            rows, is_cut_here = _told(wire, question.base, *question.few(wire, asked, deadline))
            is_cut = is_cut or is_cut_here
            found += rows
        if len(found) > 1:
            found = list({row[-1]: row for row in found}.values())
        return found, is_cut

    def _questions_for(self, attribute: str) -> tuple[Question, ...]:
        plan, names = self._plan, self._names(attribute)
        questions = tuple(Question(base, plan.scope, _MOST_ANSWERS, names) for base in plan.bases)
        self._questions[attribute] = questions
        return questions

    def _names(self, attribute: str) -> tuple[str, ...]:
        return (*self._plan.asked, attribute, "dn")

    def _read(self, wire: Wire, lookup: Lookup, dn: str, deadline: Deadline) -> tuple[list[Row], bool]:
        """The entry of this name, where it is one of the people."""
        search = Search(dn, Scope.BASE, self._plan.filter)
        rows, result = few(wire, search, self._names(lookup.attribute), deadline, Referrals())
        if result.code in (NO_SUCH_OBJECT, INVALID_DN):
            # Of a base that is gone this would be an error; here it means that there is no such entry.
            return rows, False
        return _told(wire, dn, rows, result)


def everybodys_groups(plan: Plan, wire: Wire, deadline: Deadline, referrals: Referrals) -> Callable[[list[Row]], None]:
    """Read all groups, where the mapping reads them; what is returned puts them into rows of people.

    Raises BackendError.
    """
    if plan.groups is None or (column := plan.groups.column) is None:
        return lambda rows: None
    memberships = all_memberships(plan.groups, wire, deadline, referrals)
    return lambda rows: _put_in(plan, memberships, column, rows)


def check_states(plan: Plan, rows: Sequence[Row]) -> None:
    """Raises BackendMisconfigured where somebody's state cannot be seen: disabled or not, they would be listed."""
    if not plan.profile.states:
        return
    for column, attribute in enumerate(plan.attributes):
        if attribute.lower() in plan.profile.states:
            hidden = next((i for i, row in enumerate(rows) if row[column] is None), None)
            if hidden is not None:
                row = rows[hidden]
                known = ", ".join(str(row[i]) for i, name in enumerate(plan.attributes) if name.lower() == "dn")
                raise BackendMisconfigured(
                    f"the service account may not read {attribute} of {known or 'somebody'}, so nobody knows who is "
                    "disabled; give it the right to (Read Account Restrictions), or leave these people out"
                )


def add_groups(plan: Plan, wire: Wire, rows: list[Row], deadline: Deadline) -> None:
    """Put groups into the rows of a few people, where the mapping reads them. Raises BackendError."""
    if rows and plan.groups is not None and (column := plan.groups.column) is not None:
        with told_to_the_pool():
            people = [_known_by(plan, column, row) for row in rows]
            memberships = memberships_of(plan.groups, wire, people, deadline)
        _put_in(plan, memberships, column, rows)


def _put_in(plan: Plan, memberships: Memberships, column: int, rows: list[Row]) -> None:
    """The ids of groups in the place of what groups know people by."""
    begin, end = len(plan.attributes), len(plan.asked)
    if begin == end:
        memberships.put_in(rows, column)
        return
    for row in rows:
        row[column] = memberships.of_person(_known_by(plan, column, row))
        del row[begin:end]


def _known_by(plan: Plan, column: int, row: Row) -> Person:
    # One by one: a row that was cut before must not look like somebody without a primary group.
    return known_by([row[column], *(row[place] for place in range(len(plan.attributes), len(plan.asked)))])


def _told(wire: Wire, base: str, rows: list[Row], result: Result) -> tuple[list[Row], bool]:
    """The rows of a search, and whether there are more. Raises BackendError unless it ended well."""
    is_cut = result.code == SIZE_LIMIT
    if result.code != SUCCESS and not (is_cut and rows):
        raise failure(result, f"{wire.server}: searching {base!r}")
    return rows, is_cut


def _is_meant(row: Row, lookup: Lookup) -> bool:
    """Whether it has just this spelling in its one value; where it has not, ``_meant`` looks closely."""
    value = row[-2]
    return isinstance(value, str) and value.strip() == lookup.value


def _meant(rows: list[Row], lookup: Lookup) -> list[Row]:
    """Those with just this spelling; where there is none, or the lookup ignores case, those that differ in case."""
    exact = [] if lookup.ignore_case else [row for row in rows if lookup.value in _texts(row[-2])]
    wanted = normalize_name(lookup.value)
    return exact or [row for row in rows if wanted in map(normalize_name, _texts(row[-2]))]


def _texts(found: object) -> list[str]:
    return [value.strip() for value in (found if isinstance(found, list) else [found]) if isinstance(value, str)]


def _entry(plan: Plan, row: Row) -> Entry:
    dn = row[-1]
    handle = dn.decode("utf-8", "surrogateescape") if isinstance(dn, bytes) else dn
    return Entry(dict(zip(plan.attributes, row, strict=False)), handle)
