"""The conformance suites pass a good backend and catch each kind of bad one."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from pathlib import Path

import pytest

from integration_server.sdk.testing import hostile_names, in_threads, within

pytest_plugins = ["pytester"]

OUTAGE_TESTS = {
    "test_outage_is_not_an_answer",
    "test_outage_at_the_first_call_is_not_an_answer",
    "test_check_tells_of_an_outage",
    "test_outage_is_no_verdict",
}
LISTING_TESTS = {
    "test_listing_gives_exactly_the_population",
    "test_listing_closed_early_leaks_nothing",
    "test_many_threads_get_their_own_answers",
    "test_outage_is_not_an_answer",
    "test_outage_at_the_first_call_is_not_an_answer",
    "test_listing_that_breaks_midway_is_no_listing",
    "test_deadline_that_has_passed_is_a_timeout",
}
#: Each bad toy and exactly the tests that must fail for it.
CAUGHT_BY = {
    "SwallowsOutageInListing": {
        "test_outage_is_not_an_answer",
        "test_outage_at_the_first_call_is_not_an_answer",
        "test_listing_that_breaks_midway_is_no_listing",
    },
    "SwallowsOutageInFind": {"test_outage_is_not_an_answer", "test_outage_at_the_first_call_is_not_an_answer"},
    "RejectsDuringOutage": {"test_outage_is_no_verdict"},
    "LeaksItsLibrarysError": {
        *OUTAGE_TESTS,
        "test_listing_that_breaks_midway_is_no_listing",
        "test_no_secret_is_shown",
    },
    "Truncates": LISTING_TESTS,
    "TruncatesWhenCut": {"test_listing_that_breaks_midway_is_no_listing"},
    "ListsTwice": LISTING_TESTS,
    "ReusesRows": {"test_batches_stay_readable_and_listings_repeat"},
    "MixesThreads": {
        "test_many_threads_get_their_own_answers",
        "test_verdicts_of_many_threads_are_not_mixed_up",
    },
    "MixesVerdicts": {"test_verdicts_of_many_threads_are_not_mixed_up"},
    "StripsNames": {"test_hostile_names_find_nobody"},
    "KnowsWildcards": {"test_hostile_names_find_nobody"},
    "ChokesOnNul": {"test_hostile_names_find_nobody"},
    "HeedsCase": {"test_case_variants_find_the_same_entry_when_case_is_ignored"},
    "ListsUnderAnotherName": {*LISTING_TESTS, "test_every_listed_name_leads_back_to_its_entry"},
    "IgnoresDeadline": {
        "test_deadline_that_has_passed_is_a_timeout",
        "test_verify_after_its_deadline_is_a_timeout",
    },
    "HangsInOutage": {*OUTAGE_TESTS, "test_listing_that_breaks_midway_is_no_listing", "test_no_secret_is_shown"},
    "NeverRecovers": {*OUTAGE_TESTS, "test_listing_that_breaks_midway_is_no_listing"},
    "LeaksThreads": {"test_listing_closed_early_leaks_nothing"},
    "LocksWhileListing": {"test_logins_work_while_a_listing_is_half_read"},
    "AcceptsPrefixes": {"test_wrong_password_is_rejected"},
    "ShowsSecrets": {"test_no_secret_is_shown"},
    "ChecksNothing": {"test_check_tells_of_an_outage"},
    "ClosesOnce": {"test_backend_may_be_closed_twice"},
}


def run_suites(pytester: pytest.Pytester, toys: Iterable[str]) -> tuple[dict[str, set[str]], dict[str, set[str]]]:
    """The tests that passed and that failed, by toy, when the suites run on these toys."""
    source = (Path(__file__).parent / "toy_backend.py").read_text(encoding="utf-8")
    classes = [f"class Test{name}(ToyConformance):\n    backend_class = {name}\n" for name in toys]
    pytester.makepyfile("\n\n".join([source, *classes]))
    passed, _, failed = pytester.inline_run("-p", "no:cacheprovider", "-q", "--tb=no").listoutcomes()
    return by_toy(passed), by_toy(failed)


def by_toy(reports: Iterable[pytest.CollectReport | pytest.TestReport]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for report in reports:
        _, suite, test = report.nodeid.split("::")
        found.setdefault(suite.removeprefix("Test"), set()).add(test)
    return found


def test_good_backend_passes_and_bad_ones_are_caught_where_they_are_bad(pytester: pytest.Pytester) -> None:
    passed, failed = run_suites(pytester, ["ToyBackend", *CAUGHT_BY])
    assert failed == CAUGHT_BY
    assert len(passed["ToyBackend"]) >= 24


def test_suite_without_outages_fails_unless_it_says_so(pytester: pytest.Pytester) -> None:
    source = (Path(__file__).parent / "toy_backend.py").read_text(encoding="utf-8")
    pytester.makepyfile(
        f"""{source}

class TestForgetful(ToyConformance):
    @pytest.fixture
    def outages(self):
        return []
"""
    )
    _, _, failed = pytester.inline_run("-p", "no:cacheprovider", "-q", "--tb=no", "-k", "outage").listoutcomes()
    assert by_toy(failed)["Forgetful"] >= {"test_outage_is_not_an_answer", "test_outage_is_no_verdict"}


def test_call_that_never_returns_fails_its_test() -> None:
    with pytest.raises(pytest.fail.Exception, match="neither an answer nor an error"):
        within(0.05, "a call", threading.Event().wait)


def test_time_out_of_the_backend_itself_comes_through() -> None:
    def call() -> None:
        raise TimeoutError("of its own")

    with pytest.raises(TimeoutError, match="of its own"):
        within(5, "a call", call)


def test_failure_in_any_thread_is_raised() -> None:
    def work(number: int) -> None:
        assert number != 3, "the fourth fails"

    with pytest.raises(AssertionError, match="the fourth"):
        in_threads(work)


def test_hostile_names_are_nobodys() -> None:
    names = ["*", "ann", "ann*", "ANN "]
    assert not {"*", "ann*", "ann "} & set(hostile_names(names))
    assert {"ann%", " ann", "\0"} <= set(hostile_names(names))
