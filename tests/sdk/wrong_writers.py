"""Backends that write and each break one promise, to try the conformance suites on."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from integration_server import (
    BackendError,
    BackendUnavailable,
    Batch,
    Deadline,
    Entry,
    Group,
    Lookup,
    NewAccount,
    ReadOnlyBackend,
    UnknownGroup,
)
from tests.sdk.toy_writer import Office, Person, ToyWriter

# -- wrong readers of groups -----------------------------------------------------------------------------------------


class SwallowsOutage(ToyWriter):
    def groups(self, deadline: Deadline) -> tuple[Group, ...] | None:
        try:
            return super().groups(deadline)
        except BackendUnavailable:
            deadline.remaining()
            return ()


class HasNoListInOutage(ToyWriter):
    def groups(self, deadline: Deadline) -> tuple[Group, ...] | None:
        try:
            return super().groups(deadline)
        except BackendUnavailable:
            deadline.remaining()
            return None


class ShowsGroupsOfOld(ToyWriter):
    """Answers out of its memory when it cannot ask."""

    def groups(self, deadline: Deadline) -> tuple[Group, ...] | None:
        try:
            self.known = super().groups(deadline)
        except BackendUnavailable:
            if not hasattr(self, "known"):
                raise
        return self.known


class LeavesEmptyGroupsOut(ToyWriter):
    def groups(self, deadline: Deadline) -> tuple[Group, ...] | None:
        used = {team for person in self.ask(deadline).people.values() for team in person.teams}
        return tuple(group for group in super().groups(deadline) or () if group.id in used)


class NumbersGroups(ToyWriter):
    """Calls groups otherwise than people's entries do."""

    def groups(self, deadline: Deadline) -> tuple[Group, ...] | None:
        return tuple(Group(group.id.upper(), group.title) for group in super().groups(deadline) or ())


class ShufflesGroups(ToyWriter):
    def groups(self, deadline: Deadline) -> tuple[Group, ...] | None:
        self.turn = getattr(self, "turn", 0) + 1
        found = super().groups(deadline) or ()
        return found if self.turn % 2 else found[::-1]


class TitlesAreBlank(ToyWriter):
    def groups(self, deadline: Deadline) -> tuple[Group, ...] | None:
        return tuple(Group(group.id, group.title or "") for group in super().groups(deadline) or ())


class IgnoresDeadlines(ToyWriter):
    def ask(self, deadline: Deadline) -> Office:
        return super().ask(Deadline(60))


class HangsWhenLate(ToyWriter):
    def ask(self, deadline: Deadline) -> Office:
        if deadline.is_over():
            time.sleep(1)
        return super().ask(deadline)


# -- wrong writers of memberships ------------------------------------------------------------------------------------


class AlwaysNew(ToyWriter):
    def add_member(self, entry: Entry, group_id: str, deadline: Deadline) -> bool:
        super().add_member(entry, group_id, deadline)
        return True


class WritesDuplicates(ToyWriter):
    """Looks in the entry that it is given, not in the office."""

    def add_member(self, entry: Entry, group_id: str, deadline: Deadline) -> bool:
        office = self.write(deadline)
        with office.lock:
            self.known_group(office, group_id)
            office.people[str(entry.handle)].teams.append(group_id)
            return group_id not in entry.attributes["teams"]  # type: ignore[operator]


class LooksBeforeItLeaps(ToyWriter):
    """Nobody is kept from writing between the look and the change."""

    def add_member(self, entry: Entry, group_id: str, deadline: Deadline) -> bool:
        office = self.write(deadline)
        teams = office.people[str(entry.handle)].teams
        if self.known_group(office, group_id) in teams:
            return False
        time.sleep(0.01)
        teams.append(group_id)
        return True


class LosesUpdates(ToyWriter):
    """Reads everybody, changes one, and writes everybody."""

    def add_member(self, entry: Entry, group_id: str, deadline: Deadline) -> bool:
        office = self.write(deadline)
        self.known_group(office, group_id)
        everybody = {no: list(person.teams) for no, person in office.people.items()}
        time.sleep(0.01)
        is_new = group_id not in everybody[str(entry.handle)]
        everybody[str(entry.handle)] += [group_id] if is_new else []
        for no, teams in everybody.items():
            office.people[no].teams = teams
        return is_new


class KeepsInMemory(ToyWriter):
    """Writes later, or never."""

    def users(self, deadline: Deadline) -> Iterator[Batch]:
        for batch in super().users(deadline):
            yield Batch(batch.names, [(*row[:-1], [*row[-1], *self.late(str(row[0]))]) for row in batch.rows])  # type: ignore[misc]

    def find(self, lookup: Lookup, deadline: Deadline) -> Entry | None:
        entry = super().find(lookup, deadline)
        if entry is None:
            return None
        teams: Any = entry.attributes["teams"]
        return Entry({**entry.attributes, "teams": [*teams, *self.late(str(entry.handle))]}, entry.handle)

    def late(self, no: str) -> list[str]:
        found: list[str] = self.__dict__.setdefault("later", {}).setdefault(no, [])
        return found

    def add_member(self, entry: Entry, group_id: str, deadline: Deadline) -> bool:
        office = self.write(deadline)
        late = self.late(str(entry.handle))
        if self.known_group(office, group_id) in (*late, *office.people[str(entry.handle)].teams):
            return False
        late.append(group_id)
        return True

    def remove_member(self, entry: Entry, group_id: str, deadline: Deadline) -> bool:
        late = self.late(str(entry.handle))
        if group_id not in late:
            return super().remove_member(entry, group_id, deadline)
        late.remove(group_id)
        return True


class AddsToOthers(ToyWriter):
    def add_member(self, entry: Entry, group_id: str, deadline: Deadline) -> bool:
        is_new = super().add_member(entry, group_id, deadline)
        for person in self.office.people.values():
            if is_new and person.login == "cid" and group_id not in person.teams:
                person.teams.append(group_id)
        return is_new


class RemovesAll(ToyWriter):
    def remove_member(self, entry: Entry, group_id: str, deadline: Deadline) -> bool:
        was_in = super().remove_member(entry, group_id, deadline)
        if was_in:
            for person in self.office.people.values():
                person.teams = [team for team in person.teams if team != group_id]
        return was_in


class MakesGroups(ToyWriter):
    def known_group(self, office: Office, group_id: str) -> str:
        return group_id


class SaysNoToUnknownGroups(ToyWriter):
    def add_member(self, entry: Entry, group_id: str, deadline: Deadline) -> bool:
        try:
            return super().add_member(entry, group_id, deadline)
        except UnknownGroup:
            return False


class KnowsWildcards(ToyWriter):
    def known_group(self, office: Office, group_id: str) -> str:
        if len(group_id) == 2 and group_id[1] in "*%":
            return next((one for one in office.groups if one[0] == group_id[0]), group_id)
        return super().known_group(office, group_id)


class HeedsNoCase(ToyWriter):
    def known_group(self, office: Office, group_id: str) -> str:
        folded = {one.lower(): one for one in office.groups}
        return super().known_group(office, folded.get(group_id.lower(), group_id))


class ChokesOnNul(ToyWriter):
    def known_group(self, office: Office, group_id: str) -> str:
        if "\0" in group_id:
            raise ValueError("embedded null character")
        return super().known_group(office, group_id)


class SaysNotNewInOutage(ToyWriter):
    def add_member(self, entry: Entry, group_id: str, deadline: Deadline) -> bool:
        try:
            return super().add_member(entry, group_id, deadline)
        except BackendUnavailable:
            return False


class KnowsNoGroupInOutage(ToyWriter):
    def remove_member(self, entry: Entry, group_id: str, deadline: Deadline) -> bool:
        try:
            return super().remove_member(entry, group_id, deadline)
        except BackendUnavailable as exc:
            raise UnknownGroup from exc


class NamesNoKey(ToyWriter):
    def write(self, deadline: Deadline) -> Office:
        if not self.is_writable:
            raise ReadOnlyBackend("this is not allowed")
        return super().write(deadline)


class WritesWhereItMayNot(ToyWriter):
    def write(self, deadline: Deadline) -> Office:
        return self.ask(deadline)


# -- wrong makers of people ------------------------------------------------------------------------------------------


class ReturnsTheLogin(ToyWriter):
    def create_account(self, account: NewAccount, deadline: Deadline) -> str:
        return "u" + super().create_account(account, deadline)


class ForgetsTheZone(ToyWriter):
    def new_person(self, office: Office, no: str, account: NewAccount) -> Person:
        return super().new_person(office, no, NewAccount(account.email, account.full_name, account.biography))


class ForgetsThePassword(ToyWriter):
    def check_password(self, account: NewAccount) -> None:
        return None


class SplitsNames(ToyWriter):
    def new_person(self, office: Office, no: str, account: NewAccount) -> Person:
        name = account.full_name.split(",")[0]
        return super().new_person(office, no, NewAccount(account.email, name, account.biography, account.tz))


class NamesByName(ToyWriter):
    """Two people of one name get one login."""

    def new_person(self, office: Office, no: str, account: NewAccount) -> Person:
        person = super().new_person(office, no, account)
        person.login = "-".join(account.full_name.split())
        return person


class MakesUnverified(ToyWriter):
    def new_person(self, office: Office, no: str, account: NewAccount) -> Person:
        person = super().new_person(office, no, account)
        person.pending = [account.email]
        return person


class FindsByExactAddressOnly(ToyWriter):
    def is_same(self, value: str, lookup: Lookup) -> bool:
        return value == lookup.value


class NumbersTwice(ToyWriter):
    """Takes the next number without keeping others from taking it, too."""

    def create_account(self, account: NewAccount, deadline: Deadline) -> str:
        office = self.write(deadline)
        no = str(max(map(int, office.people)) + 1)
        time.sleep(0.01)
        office.people[no] = self.new_person(office, no, account)
        return no


class LeavesHalfAPerson(ToyWriter):
    """Finds out too late that something cannot be written."""

    def create_account(self, account: NewAccount, deadline: Deadline) -> str:
        if "\0" in account.full_name:
            super().create_account(NewAccount(account.email, "?"), deadline)
        return super().create_account(account, deadline)


class MakesPeopleInOutage(ToyWriter):
    def create_account(self, account: NewAccount, deadline: Deadline) -> str:
        try:
            return super().create_account(account, deadline)
        except BackendUnavailable:
            return "0"


# -- wrong markers of addresses --------------------------------------------------------------------------------------


class PrefersTheLatest(ToyWriter):
    def confirmed(self, person: Person, address: str) -> None:
        super().confirmed(person, address)
        person.primary = [address]


class PrefersNone(ToyWriter):
    def confirmed(self, person: Person, address: str) -> None:
        person.pending = [one for one in person.pending if one != address]


class ConfirmsAll(ToyWriter):
    def confirmed(self, person: Person, address: str) -> None:
        super().confirmed(person, address)
        person.pending = []


class TakesAnyAddress(ToyWriter):
    def confirmed(self, person: Person, address: str) -> None:
        super().confirmed(person, address)
        person.mails += [address] if address not in person.mails else []


class ConfirmsNothing(ToyWriter):
    def confirmed(self, person: Person, address: str) -> None:
        return None


class ConfirmsInOutage(ToyWriter):
    def confirm_email(self, entry: Entry, address: str, deadline: Deadline) -> None:
        try:
            super().confirm_email(entry, address, deadline)
        except BackendUnavailable:
            return


class ConfirmsOnce(ToyWriter):
    def confirmed(self, person: Person, address: str) -> None:
        if address not in person.pending:
            raise BackendError("done already")
        super().confirmed(person, address)
