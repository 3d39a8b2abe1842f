"""What every backend that knows which groups there are must do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import astuple
from typing import ClassVar

import pytest

from integration_server.sdk.contracts import Backend, GroupReader
from integration_server.sdk.deadline import Deadline
from integration_server.sdk.mapping import Mapper
from integration_server.sdk.model import Group
from integration_server.sdk.testing.harness import in_threads, list_users
from integration_server.sdk.testing.suite import Outage, Suite

Groups = tuple[Group, ...] | None


class GroupReaderConformance(Suite):
    """What every GroupReader must do; use it together with BackendConformance, or alone.

    Override the fixture ``group_ids`` beside those of the other suites. Somebody of the population is in a group, and
    there is a group that nobody is in.
    """

    #: False where the source cannot hold a group without members.
    has_empty_groups: ClassVar[bool] = True

    # -- asking ----------------------------------------------------------------------------------------------------

    def read_groups(self, backend: Backend, deadline: Deadline | None = None) -> Groups:
        """What the backend says, asked as what it claims to be."""
        assert isinstance(backend, GroupReader), f"{type(backend).__name__} is no GroupReader"
        return backend.groups(deadline or self.deadline())

    def check_groups(self, found: Groups, group_ids: Sequence[str] | None, what: str) -> None:
        """Exactly these groups, each once; None where the settings name no list."""
        if group_ids is None:
            assert found is None, f"{what}: the settings name no list of groups, but the answer is {str(found)[:200]}"
            return
        assert isinstance(found, tuple), f"{what}: {type(found).__name__} instead of a tuple of groups"
        ids = [group.id for group in found]
        assert len(ids) == len(set(ids)), f"{what}: a group is there twice"
        missing, extra = sorted(set(group_ids) - set(ids)), sorted(set(ids) - set(group_ids))
        assert not missing, f"{what}: {len(missing)} groups are missing, such as {missing[:5]}"
        assert not extra, f"{what}: {len(extra)} groups should not be there, such as {extra[:5]}"

    def need_list(self, group_ids: Sequence[str] | None) -> Sequence[str]:
        if group_ids is None:
            pytest.skip("declared as a backend whose settings name no list of groups")
        return group_ids

    # -- what it promises ------------------------------------------------------------------------------------------

    def test_groups_are_exactly_those_there_are(self, backend: Backend, group_ids: Sequence[str] | None) -> None:
        self.check_groups(self.read_groups(backend), group_ids, "groups()")

    def test_group_without_members_is_there(
        self, backend: Backend, mapper: Mapper, group_ids: Sequence[str] | None
    ) -> None:
        if not self.has_empty_groups:
            pytest.skip("declared as a source that holds no group without members")
        used = {group for user in list_users(backend, mapper, self.deadline()) for group in user.groups}
        empty = set(self.need_list(group_ids)) - used
        assert empty, "'group_ids' needs a group that nobody is in, or say has_empty_groups = False"
        told = {group.id for group in self.read_groups(backend) or ()}
        assert empty <= told, f"groups without members are left out, such as {sorted(empty - told)[:5]}"

    def test_ids_of_groups_are_those_that_people_bear(
        self, backend: Backend, mapper: Mapper, group_ids: Sequence[str] | None
    ) -> None:
        self.need_list(group_ids)
        users = list_users(backend, mapper, self.deadline())
        borne = {group for user in users for group in user.groups}
        assert borne, "somebody of the population must be in a group, and [map] groups must read it"
        strange = borne - {group.id for group in self.read_groups(backend) or ()}
        assert not strange, f"people are in groups that groups() calls otherwise or not at all: {sorted(strange)[:5]}"

    def test_fields_of_groups_are_texts_or_nothing(self, backend: Backend, group_ids: Sequence[str] | None) -> None:
        self.need_list(group_ids)
        for group in self.read_groups(backend) or ():
            assert group.id, "a group has an empty id"
            for value in astuple(group):
                assert value is None or (isinstance(value, str) and value.strip()), f"{group!r}: say None for nothing"

    def test_groups_keep_their_order(
        self, backend: Backend, make_backend: Callable[[], Backend], group_ids: Sequence[str] | None
    ) -> None:
        first = self.read_groups(backend)
        self.check_groups(first, group_ids, "groups()")
        for _ in range(3):
            assert self.read_groups(backend) == first, "the groups, or their order, differ from one answer to the next"
        assert self.read_groups(make_backend()) == first, "another instance gives other groups, or another order"

    def test_many_threads_get_all_groups(self, backend: Backend, group_ids: Sequence[str] | None) -> None:
        def work(number: int) -> None:
            for _ in range(3):
                self.check_groups(self.read_groups(backend), group_ids, "groups() in a thread")

        in_threads(work)

    def test_outage_is_no_list_of_groups(
        self,
        backend: Backend,
        make_backend: Callable[[], Backend],
        group_ids: Sequence[str] | None,
        outages: Sequence[Outage],
    ) -> None:
        self.need_list(group_ids)
        for name, start in self.all_outages(outages):
            fresh = make_backend()
            self.check_groups(self.read_groups(backend), group_ids, "groups()")
            with start():
                for which, one in (("groups()", backend), ("first groups()", fresh)):
                    self.must_refuse(f"{which} while {name}", lambda until, one=one: self.read_groups(one, until))  # type: ignore[misc]
            for one in (backend, fresh):
                found = self.must_recover(f"groups() after {name}", lambda one=one: self.read_groups(one))  # type: ignore[misc]
                self.check_groups(found, group_ids, f"groups() after {name}")

    def test_groups_after_their_deadline_are_an_error(self, backend: Backend, group_ids: Sequence[str] | None) -> None:
        self.need_list(group_ids)
        for _ in range(2):
            self.must_be_late("groups()", lambda until: self.read_groups(backend, until))
            # Then it works, and the second round asks a backend that has everything at hand.
            self.check_groups(self.read_groups(backend), group_ids, "groups() after a timeout")
