"""From what a server says has changed to what that means for people: they are read again, as a listing would."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

from integration_server import Batch, ComparisonNeeded, Deadline
from integration_server.builtin.ldap.entries import Row
from integration_server.builtin.ldap.feeds.controls import show_deleted
from integration_server.builtin.ldap.feeds.scope import GROUP_CLASSES, FeedScope
from integration_server.builtin.ldap.messages import Scope, Search, any_of, both, equality
from integration_server.builtin.ldap.people import add_groups
from integration_server.builtin.ldap.results import NO_SUCH_OBJECT, SIZE_LIMIT, SUCCESS, failure
from integration_server.builtin.ldap.search import Referrals, few, listing, told_to_the_pool
from integration_server.builtin.ldap.values import assertion, several, text_of
from integration_server.builtin.ldap.wire import Wire

#: More changes than this at once mean a comparison.
MOST = 5000
#: How many entries one search asks for by name or key.
_AT_ONCE = 200
_GROUP_CLASSES = frozenset(map(str.lower, GROUP_CLASSES))
#: Classes of entries that have no people below them, so that nobody moves with them.
_LEAVES = _GROUP_CLASSES | {"person", "foreignsecurityprincipal", "dnsnode", "leaf"}


@dataclass(slots=True)
class Touched:
    """What has changed, by keys: the texts of ``entryUUID`` or ``objectGUID``.

    ``keys`` are of entries that were there; those among ``moved`` may have got another name, of those among ``altered``
    something else may have changed than who is a member. ``gone`` are deleted, with the value of the id attribute where
    the server gave it. ``members`` are DNs of what joined or left a group.
    """

    keys: dict[str, None] = field(default_factory=dict)
    moved: set[str] = field(default_factory=set)
    altered: set[str] = field(default_factory=set)
    gone: dict[str, str | None] = field(default_factory=dict)
    members: dict[str, None] = field(default_factory=dict)
    #: New since the position: whatever came below them, or in as a member, was touched as well.
    _fresh: set[str] = field(default_factory=set)

    def change(self, key: str, *, is_new: bool = False, is_moved: bool = True, is_altered: bool = True) -> None:
        """An entry is there, new or changed."""
        self.keys[key] = None
        self.gone.pop(key, None)
        if is_new:
            self._fresh.add(key)
        for is_so, those in ((is_moved, self.moved), (is_altered, self.altered)):
            if is_so and key not in self._fresh:
                those.add(key)

    def delete(self, key: str, person_id: str | None = None) -> None:
        """An entry is gone."""
        self.keys.pop(key, None)
        self.gone[key] = person_id

    @property
    def count(self) -> int:
        return len(self.keys) + len(self.gone) + len(self.members)

    def check_size(self) -> None:
        """Raises ComparisonNeeded where it is too much to look at one by one."""
        if self.count > MOST:
            raise ComparisonNeeded(f"more than {MOST} entries were changed at once")


class KnownGroups:
    """The keys of groups, because what is deleted does not always say that it was one. Thread-safe.

    Nothing is known until all groups were read; later ones are added.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._keys: set[str] | None = None

    def note_all(self, keys: Iterable[str]) -> None:
        with self._lock:
            self._keys = (self._keys or set()) | set(keys)

    def note(self, keys: Iterable[str]) -> None:
        with self._lock:
            if self._keys is not None:
                self._keys.update(keys)

    def may_hold(self, keys: Iterable[str]) -> bool:
        """Whether one of these may have been a group."""
        with self._lock:
            return self._keys is None or not self._keys.isdisjoint(keys)


@dataclass(frozen=True, slots=True)
class _Entry:
    """An entry that is not among the people."""

    key: str
    dn: str
    id: str | None
    classes: frozenset[str]
    has_below: bool | None

    @property
    def is_group(self) -> bool:
        return not _GROUP_CLASSES.isdisjoint(self.classes)

    @property
    def may_hold_people(self) -> bool:
        return self.has_below if self.has_below is not None else _LEAVES.isdisjoint(self.classes)


class Reading:
    """Reads on one connection what became of entries that were touched. ``key`` names the attribute of the keys.

    ``contexts`` are the naming contexts that hold the bases. All methods raise BackendError.
    """

    def __init__(
        self, scope: FeedScope, key: str, contexts: Sequence[str], groups: KnownGroups, wire: Wire, deadline: Deadline
    ) -> None:
        self._scope = scope
        self._plan = scope.plan
        self._key = key
        self._contexts = tuple(contexts)
        self._groups = groups
        self._wire = wire
        self._deadline = deadline

    def note_groups(self) -> None:
        """Take down which groups there are, where that matters: before the position is taken that is read from."""
        if not self._scope.has_groups:
            return
        keys: set[str] = set()
        for base in self._scope.groups_bases(self._contexts):
            search = Search(base, Scope.SUBTREE, self._scope.groups_filter())
            keys.update(text_of(row[0]).lower() for row in self._rows(search, [self._key]))
        self._groups.note_all(keys)

    def told(self, touched: Touched) -> tuple[Batch | None, tuple[str, ...]]:
        """The people among what was touched, and the ids of those who are no longer among them.

        Raises ComparisonNeeded where that cannot be said of each of them.
        """
        touched.check_size()
        if self._scope.has_groups and touched.gone and self._groups.may_hold(touched.gone):
            raise ComparisonNeeded("a group was deleted, or may have been")
        people = self._people(touched)
        others = self._others(touched, people)
        self._check_groups(touched, others)
        self._check_names(touched, people, others)
        gone = self._gone(touched, set(people), others)
        rows = [row[: len(self._plan.asked)] for row in people.values()]
        add_groups(self._plan, self._wire, rows, self._deadline)
        return (Batch(self._plan.attributes, rows) if rows else None), gone

    def _people(self, touched: Touched) -> dict[str, Row]:
        """Those whom a listing would hold, by key; behind their attributes stand key, DN and what is below them."""
        found: dict[str, Row] = {}
        asked = (*self._plan.asked, self._key, "dn", "hasSubordinates")
        for condition in self._conditions(touched):
            for base in self._plan.bases:
                search = Search(base, self._plan.scope, both(self._plan.filter, condition))
                for row in self._rows(search, asked):
                    found[text_of(row[-3]).lower()] = row
        return found

    def _conditions(self, touched: Touched) -> Iterator[bytes]:
        yield from self._by_key(touched.keys)
        for some in _batched(touched.members, _AT_ONCE):
            yield any_of([equality("distinguishedName", dn.encode("utf-8", "surrogateescape")) for dn in some])

    def _by_key(self, keys: Iterable[str]) -> Iterator[bytes]:
        for some in _batched(keys, _AT_ONCE):
            values = [assertion(self._key, key) for key in some]
            yield any_of([equality(self._key, value) for value in values if value is not None])

    def _others(self, touched: Touched, people: dict[str, Row]) -> dict[str, _Entry]:
        """What was touched and is there, but not among the people."""
        keys = [key for key in touched.keys if key not in people]
        known = {text_of(row[-2]).lower() for row in people.values()}
        members = [dn for dn in touched.members if dn.lower() not in known]
        found: dict[str, _Entry] = {}
        for condition in self._conditions(Touched(dict.fromkeys(keys), members=dict.fromkeys(members))):
            found |= {entry.key: entry for entry in self._entries(condition) if entry.key not in people}
        return found

    def _entries(self, condition: bytes, controls: Sequence[bytes] = ()) -> Iterator[_Entry]:
        asked = (self._key, "dn", self._scope.id_attribute or self._key, "objectClass", "hasSubordinates")
        for context in self._contexts:
            for key, dn, found_id, classes, below in self._rows(
                Search(context, Scope.SUBTREE, condition), asked, controls
            ):
                yield _Entry(
                    text_of(key).lower(),
                    text_of(dn),
                    found_id if isinstance(found_id, str) else None,
                    frozenset(text_of(name).lower() for name in several(classes)),
                    None if below is None else text_of(below).upper() == "TRUE",
                )

    def _check_groups(self, touched: Touched, others: dict[str, _Entry]) -> None:
        """Raises ComparisonNeeded where it is not known whose groups have changed."""
        if not self._scope.has_groups:
            return
        groups = {key for key, entry in others.items() if entry.is_group} | self._matching_groups(others)
        self._groups.note(groups)
        for key in groups:
            if key not in touched.keys:
                raise ComparisonNeeded(f"the group {others[key].dn} became, or was, a member of another one")
            if key in touched.altered:
                raise ComparisonNeeded(f"the group {others[key].dn} was changed")

    def _matching_groups(self, others: dict[str, _Entry]) -> set[str]:
        """Those that the settings call groups, whatever they are made of."""
        found: set[str] = set()
        for condition in self._by_key(others):
            for base in self._scope.groups_bases(self._contexts):
                search = Search(base, Scope.SUBTREE, both(self._scope.groups_filter(), condition))
                found.update(text_of(row[0]).lower() for row in self._rows(search, [self._key]))
        return found & set(others)

    def _check_names(self, touched: Touched, people: dict[str, Row], others: dict[str, _Entry]) -> None:
        """Who stands below an entry that was renamed or moved has a new name without having been touched.

        Raises ComparisonNeeded.
        """
        # The root of a context keeps its name for ever.
        roots = set(map(str.lower, self._contexts))
        moved = [(k, one.dn) for k, one in others.items() if one.may_hold_people and one.dn.lower() not in roots]
        moved += [(key, text_of(row[-2])) for key, row in people.items() if text_of(row[-1] or "").upper() == "TRUE"]
        for key, dn in moved:
            if key in touched.moved and self._has_people_below(key, dn):
                raise ComparisonNeeded(f"{dn} was changed, and people are below it")

    def _has_people_below(self, key: str, dn: str) -> bool:
        search = Search(dn, Scope.SUBTREE, self._plan.filter, size_limit=2)
        rows, result = few(self._wire, search, [self._key], self._deadline, Referrals())
        if result.code not in (SUCCESS, SIZE_LIMIT, NO_SUCH_OBJECT):
            raise failure(result, f"{self._wire.server}: searching {dn!r}")
        return any(text_of(row[0]).lower() != key for row in rows)

    def _gone(self, touched: Touched, people: set[str], others: dict[str, _Entry]) -> tuple[str, ...]:
        """The ids of who is not among the people. Raises ComparisonNeeded where that of somebody deleted is unknown."""
        if self._scope.is_id(self._key):
            keys = [key for key in (*touched.keys, *touched.gone) if key not in people]
            return tuple(dict.fromkeys(map(self._scope.id_of, (*keys, *others))))
        # Who is neither there nor told as deleted is not to be seen, or will be told of with the next look.
        ids = dict(touched.gone)
        unknown = [key for key, found in ids.items() if found is None]
        for condition in self._by_key(unknown) if self._key == "objectGUID" else ():
            ids |= {entry.key: entry.id for entry in self._entries(condition, [show_deleted()])}
        if ids and (self._scope.id_attribute is None or None in ids.values()):
            raise ComparisonNeeded(f"something was deleted, and only its {self._key} is known, which is not the id")
        ids |= {key: entry.id for key, entry in others.items()}
        return tuple(dict.fromkeys(self._scope.id_of(found) for found in ids.values() if found is not None))

    def _rows(self, search: Search, asked: Sequence[str], controls: Sequence[bytes] = ()) -> Iterator[Row]:
        with told_to_the_pool():
            for rows in listing(self._wire, search, asked, self._plan.page_size, self._deadline, Referrals(), controls):
                yield from rows


def _batched(keys: Iterable[str], size: int) -> Iterator[list[str]]:
    rest = iter(keys)
    while some := list(islice(rest, size)):
        yield some
