"""The suites for groups, memberships and accounts pass a good backend and catch each kind of bad one."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

pytest_plugins = ["pytester"]

#: Each bad toy, and a test that must fail for it; others may fail as well.
CAUGHT_BY = {
    "SwallowsOutage": "test_outage_is_no_list_of_groups",
    "HasNoListInOutage": "test_outage_is_no_list_of_groups",
    "ShowsGroupsOfOld": "test_outage_is_no_list_of_groups",
    "LeavesEmptyGroupsOut": "test_group_without_members_is_there",
    "NumbersGroups": "test_ids_of_groups_are_those_that_people_bear",
    "ShufflesGroups": "test_groups_keep_their_order",
    "TitlesAreBlank": "test_fields_of_groups_are_texts_or_nothing",
    "IgnoresDeadlines": "test_groups_after_their_deadline_are_an_error",
    "HangsWhenLate": "test_membership_after_its_deadline_is_an_error",
    "AlwaysNew": "test_who_is_put_in_is_in_and_it_is_new_once",
    "WritesDuplicates": "test_who_is_put_in_is_in_and_it_is_new_once",
    "LooksBeforeItLeaps": "test_one_membership_asked_for_by_many_is_made_once",
    "LosesUpdates": "test_different_people_come_and_go_at_once",
    "KeepsInMemory": "test_membership_is_kept_where_another_instance_reads_it",
    "AddsToOthers": "test_who_is_put_in_is_in_and_it_is_new_once",
    "RemovesAll": "test_who_is_taken_out_is_out_and_was_in_once",
    "MakesGroups": "test_group_that_is_not_there_is_unknown",
    "SaysNoToUnknownGroups": "test_group_that_is_not_there_is_unknown",
    "KnowsWildcards": "test_hostile_group_ids_are_taken_literally",
    "HeedsNoCase": "test_hostile_group_ids_are_taken_literally",
    "ChokesOnNul": "test_hostile_group_ids_are_taken_literally",
    "SaysNotNewInOutage": "test_outage_is_no_membership",
    "KnowsNoGroupInOutage": "test_outage_is_no_membership",
    "NamesNoKey": "test_read_only_settings_change_no_membership",
    "WritesWhereItMayNot": "test_read_only_settings_make_nobody",
    "ReturnsTheLogin": "test_person_who_is_made_is_there_under_the_id_that_is_returned",
    "ForgetsTheZone": "test_person_who_is_made_is_there_under_the_id_that_is_returned",
    "ForgetsThePassword": "test_password_of_a_new_person_is_theirs_or_refused",
    "SplitsNames": "test_odd_names_read_back_the_same",
    "NamesByName": "test_same_name_is_no_same_person",
    "MakesUnverified": "test_what_is_not_given_stays_empty",
    "FindsByExactAddressOnly": "test_person_who_is_made_is_found_by_the_address_in_any_case",
    "NumbersTwice": "test_different_people_are_made_at_once",
    "LeavesHalfAPerson": "test_monstrous_texts_are_refused_or_kept",
    "MakesPeopleInOutage": "test_outage_makes_nobody_whom_somebody_is_told_of",
    "PrefersTheLatest": "test_confirmed_address_is_verified_and_preferred_where_none_was",
    "PrefersNone": "test_confirmed_address_is_verified_and_preferred_where_none_was",
    "ConfirmsNothing": "test_confirmed_address_is_verified_and_preferred_where_none_was",
    "ConfirmsAll": "test_address_of_nobody_or_of_somebody_else_confirms_nothing",
    "TakesAnyAddress": "test_address_of_nobody_or_of_somebody_else_confirms_nothing",
    "ConfirmsInOutage": "test_outage_confirms_no_address",
    "ConfirmsOnce": "test_address_confirmed_by_many_at_once_is_verified_once",
}


TOYS = "from tests.sdk.toy_writer import *\nfrom tests.sdk.wrong_writers import *\n"


CLOSABLE = """
import pytest
from integration_server import Lookup, ReadOnlyBackend
from integration_server.builtin.accounts import AccountsBackend, AccountsSettings
from tests.builtin import test_accounts

class ClosableSettings(AccountsSettings):
    is_writable: bool = True

class ClosableAccounts(AccountsBackend):
    Settings = ClosableSettings

    def __init__(self, settings, context):
        super().__init__(settings, context)
        self._is_writable = settings.is_writable

    def create_account(self, account, deadline):
        self.find(Lookup("email", account.email), deadline)
        if not self._is_writable:
            raise ReadOnlyBackend("set is_writable = true")
        return super().create_account(account, deadline)

class TestClosable(test_accounts.TestAccountsBackend):
    backend_class = ClosableAccounts

    @pytest.fixture
    def read_only_table(self, table):
        return {**table, "is_writable": False}
"""


def run_suites(pytester: pytest.Pytester, *classes: str) -> tuple[dict[str, set[str]], ...]:
    """The tests that passed, were skipped and failed, by class, when the suites run on these toys."""
    pytester.makepyfile("\n\n".join([TOYS, *classes]))
    outcomes = pytester.inline_run("-p", "no:cacheprovider", "-q", "--tb=no").listoutcomes()
    return tuple(map(by_toy, outcomes))


def by_toy(reports: Iterable[pytest.CollectReport | pytest.TestReport]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for report in reports:
        _, suite, test = report.nodeid.split("::")
        found.setdefault(suite.removeprefix("Test"), set()).add(test)
    return found


def test_good_writer_passes_and_bad_ones_are_caught(pytester: pytest.Pytester) -> None:
    toys = ["ToyWriter", *CAUGHT_BY]
    classes = [f"class Test{name}(ToyWriterConformance):\n    backend_class = {name}\n" for name in toys]
    passed, skipped, failed = run_suites(pytester, *classes)
    assert "ToyWriter" not in failed, failed.get("ToyWriter")
    assert skipped["ToyWriter"] == {"test_confirming_does_nothing_where_no_address_is_unverified"}
    assert len(passed["ToyWriter"]) >= 35
    missed = {name: test for name, test in CAUGHT_BY.items() if test not in failed.get(name, set())}
    assert not missed, f"bad writers that pass the test which must catch them: {missed}; failed were {failed}"


ANY_GROUP = '''
class AnyGroup(ToyWriter):
    """Knows no list of groups: any id is one."""

    def groups(self, deadline):
        return None

    def known_group(self, office, group_id):
        is_odd = any("\\ud800" <= letter <= "\\udfff" or letter < " " for letter in group_id)
        if is_odd or not group_id or group_id != group_id.strip():
            raise BackendError("no id")
        return group_id


class MixesGroups(AnyGroup):
    def remove_member(self, entry, group_id, deadline):
        was_in = super().remove_member(entry, group_id, deadline)
        if was_in and group_id.endswith("%"):
            self.office.people[entry.handle].teams.clear()
        return was_in


class HasListAfterAll(AnyGroup):
    def groups(self, deadline):
        return ()


class AnyGroupConformance(ToyWriterConformance):
    backend_class = AnyGroup
    knows_unverified = False

    @pytest.fixture
    def group_ids(self):
        return None

    @pytest.fixture
    def joinable(self):
        return ["chess", "rowing"]
'''


def test_backend_without_a_list_of_groups_takes_any_id_literally(pytester: pytest.Pytester) -> None:
    toys = ("AnyGroup", "MixesGroups", "HasListAfterAll")
    classes = [f"class Test{name}(AnyGroupConformance):\n    backend_class = {name}\n" for name in toys]
    _, skipped, failed = run_suites(pytester, ANY_GROUP, *classes)
    # That an address which is not verified stays so is asked of all who say that they know no such thing.
    ours = {"test_confirming_does_nothing_where_no_address_is_unverified"}
    assert failed.pop("AnyGroup", set()) <= ours
    assert "test_hostile_group_ids_are_taken_literally" in failed["MixesGroups"]
    assert "test_groups_are_exactly_those_there_are" in failed["HasListAfterAll"]
    assert "test_group_that_is_not_there_is_unknown" in skipped["AnyGroup"]
    assert "test_confirmed_address_is_verified_and_preferred_where_none_was" in skipped["AnyGroup"]


FORGETFUL = """
class TestForgetful(ToyWriterConformance):
    @pytest.fixture
    def outages(self):
        return []

    @pytest.fixture
    def group_ids(self):
        return ["staff"]

    @pytest.fixture
    def unproved(self):
        return {"ann": "new@example.org"}
"""


def test_suite_that_could_not_fail_says_so(pytester: pytest.Pytester) -> None:
    _, _, failed = run_suites(pytester, FORGETFUL)
    assert failed["Forgetful"] >= {
        "test_outage_is_no_list_of_groups",
        "test_outage_is_no_membership",
        "test_outage_makes_nobody_whom_somebody_is_told_of",
        "test_group_without_members_is_there",
        "test_confirmed_address_is_verified_and_preferred_where_none_was",
    }


def test_settings_that_allow_no_writing_are_tried_over_the_same_tables(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(CLOSABLE)
    run = pytester.inline_run("-p", "no:cacheprovider", "-q", "-k", "TestClosable and read_only")
    run.assertoutcome(passed=1, skipped=1)
