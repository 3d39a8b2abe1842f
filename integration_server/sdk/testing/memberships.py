"""What every backend in which people can be put into groups must do."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import pytest

from integration_server.sdk import values
from integration_server.sdk.contracts import Backend, MembershipWriter
from integration_server.sdk.deadline import Deadline
from integration_server.sdk.errors import BackendError, UnknownGroup
from integration_server.sdk.mapping import Mapper
from integration_server.sdk.model import Entry, User
from integration_server.sdk.testing.harness import THREADS, hostile_names, in_threads
from integration_server.sdk.testing.suite import Outage
from integration_server.sdk.testing.writers import People, WriterSuite

#: ``add_member`` or ``remove_member``.
Change = Callable[[Entry, str, Deadline], bool]


class Cast(NamedTuple):
    """Who plays in a test: everybody before it, a group, and people who are not in that group."""

    before: People
    group: str
    outsiders: Sequence[User]


class MembershipWriterConformance(WriterSuite):
    """What every MembershipWriter must do; use it together with BackendConformance, or alone.

    Override the fixture ``group_ids``, and ``joinable`` where not all of them can be joined; ``read_only_table`` lets
    the suite try settings that allow no writing. Two people must be outside one of the groups. What a test did it
    undoes, so that the population may be shared by the tests.
    """

    @pytest.fixture
    def joinable(self, group_ids: Sequence[str] | None) -> Sequence[str]:
        """Groups that people may be put into and taken out of."""
        if group_ids is None:
            raise NotImplementedError("override the fixture 'joinable': some groups to put people into")
        return group_ids

    @pytest.fixture
    def cast(self, backend: Backend, mapper: Mapper, joinable: Sequence[str]) -> Cast:
        assert "groups" in mapper.rules, "[map] groups must read what is written, or nobody can tell that it was"
        before = self.everybody(backend, mapper)
        casts = [Cast(before, one, [u for u in before.values() if one not in u.groups]) for one in joinable]
        cast = max(casts, key=lambda one: len(one.outsiders))
        assert len(cast.outsiders) >= 2, "two people must be outside one of the groups that can be joined"
        return cast

    # -- asking ----------------------------------------------------------------------------------------------------

    def adding(self, backend: Backend) -> Change:
        assert isinstance(backend, MembershipWriter), f"{type(backend).__name__} is no MembershipWriter"
        return backend.add_member

    def removing(self, backend: Backend) -> Change:
        assert isinstance(backend, MembershipWriter), f"{type(backend).__name__} is no MembershipWriter"
        return backend.remove_member

    def must_change(self, change: Change, entry: Entry, group: str, *, is_new: bool) -> None:
        """The call says truly whether it did something."""
        name = getattr(change, "__name__", "the call")
        answer = change(entry, group, self.deadline())
        assert answer is is_new, f"{name} of {group!r} said {answer!r} where {is_new} is true"

    def seen(self, backend: Backend, mapper: Mapper, user: User) -> tuple[str, ...]:
        """The groups that the person's entry has now, sorted; none twice as the backend holds them."""
        entry = self.entry(backend, mapper, user)
        rule = mapper.rules["groups"]
        held = values.texts(entry.attributes.get(source) for source in rule.sources)
        if rule.separator is not None:
            held = [part.strip() for text in held for part in text.split(rule.separator)]
        twice = sorted({group for group in held if held.count(group) > 1})
        assert len(rule.sources) > 1 or not twice, f"{user.username!r} is in a group more than once: {twice}"
        return tuple(sorted(mapper.entry_page(entry).user(0).groups))

    def check_member(self, backend: Backend, mapper: Mapper, cast: Cast, users: Sequence[User], what: str) -> None:
        """These people, and nobody else, are in the group beside those who were; both in the listing and when asked."""
        after = self.everybody(backend, mapper)
        self.check_others(cast.before, after, {user.id for user in users}, what)
        for user in users:
            expected = replace(user, groups=tuple(sorted((*user.groups, cast.group))))
            assert after.get(user.id) == expected, f"{what}: {after.get(user.id)} instead of {expected}"
            assert self.seen(backend, mapper, user) == expected.groups, f"{what}: found otherwise than listed"

    def check_as_before(self, backend: Backend, mapper: Mapper, cast: Cast, what: str) -> None:
        self.check_others(cast.before, self.everybody(backend, mapper), set(), what)

    # -- one after the other ---------------------------------------------------------------------------------------

    def test_who_is_put_in_is_in_and_it_is_new_once(self, backend: Backend, mapper: Mapper, cast: Cast) -> None:
        user = cast.outsiders[0]
        entry = self.entry(backend, mapper, user)
        for is_new in (True, False, False):
            self.must_change(self.adding(backend), entry, cast.group, is_new=is_new)
            self.check_member(backend, mapper, cast, [user], "add_member()")
        self.must_change(self.adding(backend), self.entry(backend, mapper, user), cast.group, is_new=False)
        self.must_change(self.removing(backend), entry, cast.group, is_new=True)
        self.check_as_before(backend, mapper, cast, "add_member() and remove_member()")

    def test_who_is_taken_out_is_out_and_was_in_once(self, backend: Backend, mapper: Mapper, cast: Cast) -> None:
        user, other = cast.outsiders[:2]
        entry, stays = self.entry(backend, mapper, user), self.entry(backend, mapper, other)
        self.must_change(self.removing(backend), entry, cast.group, is_new=False)
        for one in (entry, stays):
            self.must_change(self.adding(backend), one, cast.group, is_new=True)
        for was_in in (True, False, False):
            self.must_change(self.removing(backend), entry, cast.group, is_new=was_in)
            self.check_member(backend, mapper, cast, [other], "remove_member()")
        self.must_change(self.removing(backend), stays, cast.group, is_new=True)
        self.check_as_before(backend, mapper, cast, "remove_member()")

    def test_membership_is_kept_where_another_instance_reads_it(
        self, backend: Backend, make_backend: Callable[[], Backend], mapper: Mapper, cast: Cast
    ) -> None:
        user = cast.outsiders[0]
        self.must_change(self.adding(backend), self.entry(backend, mapper, user), cast.group, is_new=True)
        other = make_backend()
        self.check_member(other, mapper, cast, [user], "add_member() of another instance")
        self.must_change(self.removing(other), self.entry(other, mapper, user), cast.group, is_new=True)
        self.check_as_before(make_backend(), mapper, cast, "remove_member() of another instance")

    def test_group_that_is_not_there_is_unknown(
        self, backend: Backend, mapper: Mapper, cast: Cast, group_ids: Sequence[str] | None
    ) -> None:
        if group_ids is None:
            pytest.skip("declared as a backend whose settings name no list of groups")
        entry = self.entry(backend, mapper, cast.outsiders[0])
        for change in (self.adding(backend), self.removing(backend)):
            with pytest.raises(UnknownGroup):
                change(entry, "no-group-of-this-name", self.deadline())
        self.check_as_before(backend, mapper, cast, "a group that is not there")

    def test_hostile_group_ids_are_taken_literally(
        self, backend: Backend, mapper: Mapper, cast: Cast, group_ids: Sequence[str] | None
    ) -> None:
        """They name no group, or, where any id is one, a group of just this id."""
        hostile = [name for name in hostile_names([cast.group]) if name not in (group_ids or ())]
        if group_ids is not None:
            cases = {cast.group.upper(), cast.group.lower(), cast.group.swapcase()}
            hostile += sorted(cases - set(group_ids))
        member, outsider = cast.outsiders[:2]
        entry = self.entry(backend, mapper, member)
        self.must_change(self.adding(backend), entry, cast.group, is_new=True)
        with_group = replace(member, groups=tuple(sorted((*member.groups, cast.group))))
        for name in hostile:
            for user in (with_group, outsider):
                self.try_hostile(backend, mapper, user, name, is_any_id_one=group_ids is None)
        self.check_member(backend, mapper, cast, [member], "hostile group ids")
        self.must_change(self.removing(backend), entry, cast.group, is_new=True)

    def try_hostile(self, backend: Backend, mapper: Mapper, user: User, name: str, *, is_any_id_one: bool) -> None:
        entry = self.entry(backend, mapper, user)
        for what, change in (("remove_member", self.removing(backend)), ("add_member", self.adding(backend))):
            shown = f"{what}() of the group {name[:40]!r}"
            is_refused, answer = self.refusal(shown, lambda change=change: change(entry, name, self.deadline()))  # type: ignore[misc]
            if is_refused:
                continue
            assert is_any_id_one, f"{shown} said {answer!r}, although there is no such group"
            is_put_in = what == "add_member"
            assert answer is is_put_in, f"{shown} said {answer!r}"
            expected = tuple(sorted((*user.groups, name))) if is_put_in else user.groups
            assert self.seen(backend, mapper, user) == expected, f"{shown}: the person is in other groups by it"
            if is_put_in:
                self.must_change(self.removing(backend), entry, name, is_new=True)
                assert self.seen(backend, mapper, user) == user.groups, f"remove_member() after {shown} took more"

    # -- at once ---------------------------------------------------------------------------------------------------

    def test_one_membership_asked_for_by_many_is_made_once(
        self, make_backend: Callable[[], Backend], mapper: Mapper, cast: Cast
    ) -> None:
        backends = [make_backend(), make_backend()]
        user = cast.outsiders[0]
        entries = [self.entry(backend, mapper, user) for backend in backends]
        for is_added in (True, False):
            changes = [self.adding(one) if is_added else self.removing(one) for one in backends]
            answers: list[bool] = []

            def work(number: int, changes: Sequence[Change] = changes, answers: list[bool] = answers) -> None:
                which = number % len(changes)
                answers.append(changes[which](entries[which], cast.group, self.deadline()))

            in_threads(work)
            what = "add_member()" if is_added else "remove_member()"
            assert sorted(answers) == [False] * (THREADS - 1) + [True], f"{what} by many threads: {answers}"
            self.check_member(backends[0], mapper, cast, [user] if is_added else [], f"{what} by many threads")

    def test_different_people_come_and_go_at_once(
        self, make_backend: Callable[[], Backend], mapper: Mapper, cast: Cast
    ) -> None:
        backends = [make_backend(), make_backend()]
        users = cast.outsiders[:THREADS]
        entries = [self.entry(backends[0], mapper, user) for user in users]

        def work(number: int) -> None:
            add, remove = self.adding(backends[number % 2]), self.removing(backends[number % 2])
            for _ in range(2):
                self.must_change(add, entries[number], cast.group, is_new=True)
                self.must_change(remove, entries[number], cast.group, is_new=True)
            self.must_change(add, entries[number], cast.group, is_new=True)

        in_threads(work, len(users))
        self.check_member(backends[0], mapper, cast, users, "add_member() of several people at once")
        leave = [self.removing(one) for one in backends]
        in_threads(lambda n: self.must_change(leave[n % 2], entries[n], cast.group, is_new=True), len(users))
        self.check_as_before(backends[0], mapper, cast, "remove_member() of several people at once")

    def test_one_person_enters_several_groups_at_once(
        self, backend: Backend, mapper: Mapper, cast: Cast, joinable: Sequence[str]
    ) -> None:
        user = max(cast.outsiders, key=lambda one: len(set(joinable) - set(one.groups)))
        free = [group for group in joinable if group not in user.groups][:THREADS]
        if len(free) < 2:
            pytest.skip("nobody is outside two of the groups that can be joined")
        entry = self.entry(backend, mapper, user)
        add, remove = self.adding(backend), self.removing(backend)
        in_threads(lambda n: self.must_change(add, entry, free[n], is_new=True), len(free))
        found = self.seen(backend, mapper, user)
        assert found == tuple(sorted((*user.groups, *free))), f"put into {free} at once, they are in {found}"
        in_threads(lambda n: self.must_change(remove, entry, free[n], is_new=True), len(free))
        self.check_as_before(backend, mapper, cast, "one person in several groups at once")

    # -- when it cannot be done --------------------------------------------------------------------------------------

    def test_outage_is_no_membership(
        self,
        backend: Backend,
        make_backend: Callable[[], Backend],
        mapper: Mapper,
        cast: Cast,
        outages: Sequence[Outage],
    ) -> None:
        comes, goes = (self.entry(backend, mapper, user) for user in cast.outsiders[:2])
        for outage in self.all_outages(outages):
            self.must_change(self.adding(backend), goes, cast.group, is_new=True)
            fresh = make_backend()
            with outage.start():
                for one in (backend, fresh):
                    self.check_outage(outage.name, one, (comes, goes), cast.group)
            # Whether it happened nobody can know; done again, it is there, and nothing else is.
            for change, entry in ((self.adding(backend), comes), (self.removing(fresh), goes)):
                self.repeated(f"a change after {outage.name}", change, entry, cast.group)
            self.check_member(backend, mapper, cast, cast.outsiders[:1], f"what was done again after {outage.name}")
            self.must_change(self.removing(backend), comes, cast.group, is_new=True)
            self.check_as_before(backend, mapper, cast, outage.name)

    def check_outage(self, outage: str, backend: Backend, entries: tuple[Entry, Entry], group: str) -> None:
        """Only what would be new and true is asked, so that it does no harm if it happens late."""
        for what, change, entry in zip(
            ("add_member()", "remove_member()"), (self.adding(backend), self.removing(backend)), entries, strict=True
        ):

            def call(until: Deadline, change: Change = change, entry: Entry = entry) -> bool | BackendError:
                return self.no_verdict(lambda: change(entry, group, until))

            self.must_refuse(f"{what} while {outage}", call)

    def repeated(self, what: str, change: Change, entry: Entry, group: str) -> None:
        answer = self.must_recover(what, lambda: change(entry, group, self.deadline()))
        assert isinstance(answer, bool), f"{what}: {answer!r} is neither True nor False"

    def test_membership_after_its_deadline_is_an_error(self, backend: Backend, mapper: Mapper, cast: Cast) -> None:
        user = cast.outsiders[0]
        entry = self.entry(backend, mapper, user)
        add, remove = self.adding(backend), self.removing(backend)
        self.must_be_late("add_member()", lambda until: self.no_verdict(lambda: add(entry, cast.group, until)))
        self.repeated("add_member() after a timeout", add, entry, cast.group)
        self.check_member(backend, mapper, cast, [user], "add_member() after a timeout")
        self.must_be_late("remove_member()", lambda until: self.no_verdict(lambda: remove(entry, cast.group, until)))
        self.repeated("remove_member() after a timeout", remove, entry, cast.group)
        self.check_as_before(backend, mapper, cast, "remove_member() after a timeout")

    def test_read_only_settings_change_no_membership(
        self,
        backend: Backend,
        read_only_backend: Backend,
        mapper: Mapper,
        cast: Cast,
        table: Mapping[str, Any],
        read_only_table: Mapping[str, Any],
    ) -> None:
        entry = self.entry(read_only_backend, mapper, cast.outsiders[0])
        for what, change in (
            ("add_member()", self.adding(read_only_backend)),
            ("remove_member()", self.removing(read_only_backend)),
        ):

            def call(change: Change = change) -> bool:
                return change(entry, cast.group, self.deadline())

            self.must_be_read_only(what, table, read_only_table, call)
        self.check_as_before(backend, mapper, cast, "a backend that is only read")
