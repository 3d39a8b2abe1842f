"""What every backend that marks addresses as verified must do: a part of AccountWriterConformance."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import pytest

from integration_server.sdk.contracts import AccountWriter, Backend
from integration_server.sdk.deadline import Deadline
from integration_server.sdk.mapping import Mapper
from integration_server.sdk.model import Email, Entry, User, normalize_name
from integration_server.sdk.testing.harness import hostile_names, in_threads
from integration_server.sdk.testing.suite import Outage
from integration_server.sdk.testing.writers import People, WriterSuite

#: User names, each with an address of theirs that nobody has proved.
Unproved = Mapping[str, str]


class AddressConfirmation(WriterSuite):
    """The half of AccountWriterConformance that is about addresses."""

    #: False where the settings know no unverified addresses; then confirming one does nothing.
    knows_unverified: ClassVar[bool] = True

    @pytest.fixture
    def unproved(self) -> Unproved:
        """People by user name, each with an unverified address; one who has a preferred address, and one without."""
        if self.knows_unverified:
            raise NotImplementedError("override the fixture 'unproved', or say knows_unverified = False")
        return {}

    def account_writer(self, backend: Backend) -> AccountWriter:
        """The backend as what it claims to be."""
        assert isinstance(backend, AccountWriter), f"{type(backend).__name__} is no AccountWriter"
        return backend

    # -- judging ---------------------------------------------------------------------------------------------------

    def unproved_people(self, before: People, unproved: Unproved) -> list[tuple[User, str]]:
        if not self.knows_unverified:
            pytest.skip("declared as a backend whose settings know no unverified addresses")
        users = {user.username: user for user in before.values()}
        found = [(users[name], address) for name, address in unproved.items()]
        for user, address in found:
            assert Email(address, is_verified=False) in user.emails, f"{address!r} is not unverified: {user.emails}"
        kinds = {any(email.is_preferred for email in user.emails) for user, _ in found}
        assert kinds == {True, False}, "'unproved' needs somebody with a preferred address and somebody without"
        return found

    def confirm(self, backend: Backend, entry: Entry, address: str) -> None:
        answer: object = self.account_writer(backend).confirm_email(entry, address, self.deadline())
        assert answer is None, f"confirm_email() returned {answer!r}"

    def check_confirmed(
        self, backend: Backend, mapper: Mapper, before: People, proved: Sequence[tuple[User, str]], what: str
    ) -> None:
        """These addresses are verified, preferred where none was; all else is as it was. Addresses have no order."""
        after = self.everybody(backend, mapper)
        self.check_others(before, after, {user.id for user, _ in proved}, what)
        for user, address in proved:
            is_first = not any(email.is_preferred for email in user.emails)
            expected = {e for e in user.emails if e.address != address} | {Email(address, True, is_first)}
            listed, found = after[user.id], mapper.entry_page(self.entry(backend, mapper, user)).user(0)
            assert set(listed.emails) == expected, f"{what}: {listed.emails} instead of {expected}"
            assert len(listed.emails) == len(expected), f"{what}: an address is there twice: {listed.emails}"
            assert replace(listed, emails=user.emails) == user, f"{what} changed more than addresses"
            assert found.emails == listed.emails, f"{what}: found otherwise than listed"

    # -- what it promises ------------------------------------------------------------------------------------------

    def test_confirmed_address_is_verified_and_preferred_where_none_was(
        self, backend: Backend, mapper: Mapper, unproved: Unproved
    ) -> None:
        before = self.everybody(backend, mapper)
        proved: list[tuple[User, str]] = []
        for user, address in self.unproved_people(before, unproved):
            entry = self.entry(backend, mapper, user)
            proved.append((user, address))
            for found in (entry, entry, self.entry(backend, mapper, user)):
                self.confirm(backend, found, address)
                self.check_confirmed(backend, mapper, before, proved, f"confirm_email() of {address!r}")

    def test_confirmed_address_is_verified_for_another_instance(
        self, backend: Backend, make_backend: Callable[[], Backend], mapper: Mapper, unproved: Unproved
    ) -> None:
        before = self.everybody(backend, mapper)
        user, address = self.unproved_people(before, unproved)[0]
        self.confirm(backend, self.entry(backend, mapper, user), address)
        self.check_confirmed(make_backend(), mapper, before, [(user, address)], "confirm_email() of another instance")

    def test_address_confirmed_by_many_at_once_is_verified_once(
        self, make_backend: Callable[[], Backend], mapper: Mapper, unproved: Unproved
    ) -> None:
        backends = [make_backend(), make_backend()]
        before = self.everybody(backends[0], mapper)
        people = self.unproved_people(before, unproved)
        entries = [self.entry(backends[0], mapper, user) for user, _ in people]

        def work(number: int) -> None:
            which = number // 2 % len(people)
            self.confirm(backends[number % 2], entries[which], people[which][1])

        in_threads(work, max(8, 2 * len(people)))
        self.check_confirmed(backends[0], mapper, before, people, "confirm_email() by many threads")

    def test_address_of_nobody_or_of_somebody_else_confirms_nothing(
        self, backend: Backend, mapper: Mapper, unproved: Unproved
    ) -> None:
        """A BackendError is right for it, and so is doing nothing."""
        before = self.everybody(backend, mapper)
        people = self.unproved_people(before, unproved)
        for (user, own), (_, others) in zip(people, people[1:] + people[:1], strict=True):
            entry = self.entry(backend, mapper, user)
            strange = [one for one in hostile_names([own]) if normalize_name(one.strip()) != normalize_name(own)]
            for address in [others, *strange]:
                what = f"confirm_email() of {address[:40]!r}"
                self.refusal(what, lambda entry=entry, address=address: self.confirm(backend, entry, address))  # type: ignore[misc]
        self.check_confirmed(backend, mapper, before, [], "confirm_email() of strange addresses")

    def test_confirming_does_nothing_where_no_address_is_unverified(
        self, backend: Backend, mapper: Mapper, population: Mapping[str, str | None]
    ) -> None:
        if self.knows_unverified:
            pytest.skip("declared as a backend whose settings know unverified addresses")
        before = self.everybody(backend, mapper)
        for user in [one for one in before.values() if one.emails][:3]:
            for email in user.emails:
                self.confirm(backend, self.entry(backend, mapper, user), email.address)
        self.check_others(before, self.everybody(backend, mapper), set(), "confirm_email()")

    # -- when it cannot be done --------------------------------------------------------------------------------------

    def test_outage_confirms_no_address(
        self,
        backend: Backend,
        make_backend: Callable[[], Backend],
        mapper: Mapper,
        unproved: Unproved,
        outages: Sequence[Outage],
    ) -> None:
        before = self.everybody(backend, mapper)
        # An entry that was found before: from it alone nobody can tell that all is done.
        user, address = self.unproved_people(before, unproved)[0]
        entry = self.entry(backend, mapper, user)
        for outage in self.all_outages(outages):
            fresh = make_backend()
            with outage.start():
                for one in (backend, fresh):
                    self.must_refuse(f"confirm_email() while {outage.name}", self.confirming(one, entry, address))
            for one in (backend, fresh):
                self.must_recover(
                    f"confirm_email() after {outage.name}",
                    lambda one=one: self.confirm(one, entry, address),  # type: ignore[misc]
                )
            self.check_confirmed(backend, mapper, before, [(user, address)], f"confirm_email() after {outage.name}")

    def confirming(self, backend: Backend, entry: Entry, address: str) -> Callable[[Deadline], object]:
        writer = self.account_writer(backend)
        return lambda until: self.no_verdict(lambda: writer.confirm_email(entry, address, until))

    def test_confirming_after_the_deadline_is_an_error(
        self, backend: Backend, mapper: Mapper, unproved: Unproved
    ) -> None:
        before = self.everybody(backend, mapper)
        user, address = self.unproved_people(before, unproved)[0]
        entry = self.entry(backend, mapper, user)
        for _ in range(2):
            self.must_be_late("confirm_email()", self.confirming(backend, entry, address))
            self.confirm(backend, entry, address)
            self.check_confirmed(backend, mapper, before, [(user, address)], "confirm_email() after a timeout")

    def test_read_only_settings_confirm_no_address(
        self,
        backend: Backend,
        read_only_backend: Backend,
        mapper: Mapper,
        unproved: Unproved,
        table: Mapping[str, Any],
        read_only_table: Mapping[str, Any],
    ) -> None:
        before = self.everybody(backend, mapper)
        user, address = self.unproved_people(before, unproved)[0]
        entry = self.entry(read_only_backend, mapper, user)
        self.must_be_read_only(
            "confirm_email()", table, read_only_table, lambda: self.confirm(read_only_backend, entry, address)
        )
        self.check_others(before, self.everybody(backend, mapper), set(), "a backend that is only read")
