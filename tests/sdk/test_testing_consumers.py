"""The conformance suite passes a good consumer and catches each kind of bad one."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

OUTAGE_TESTS = {"test_outage_is_not_a_receipt", "test_outage_at_the_first_call_is_not_a_receipt"}
PREPARED = "test_what_is_prepared_is_sent_when_it_is_asked_for"
#: Each bad toy and exactly the tests that must fail for it.
CAUGHT_BY = {
    "SwallowsOutage": OUTAGE_TESTS,
    "LeaksItsLibrarysError": OUTAGE_TESTS,
    "GivesUpInOutage": OUTAGE_TESTS,
    "HangsInOutage": {*OUTAGE_TESTS, "test_no_secret_is_shown"},
    "NeverRecovers": OUTAGE_TESTS,
    "IgnoresDeadline": {"test_deadline_that_has_passed_delivers_nothing"},
    "DeliversTwice": {"test_each_kind_of_event_is_delivered", PREPARED},
    "DropsDeletions": {"test_each_kind_of_event_is_delivered", PREPARED},
    "SendsWhatItPrepares": {PREPARED},
    "ForgetsWhatItPrepared": {PREPARED},
    "ChokesOnBatches": {"test_batch_is_delivered"},
    "TakesTuples": {"test_batch_is_delivered"},
    "RefusesRepeats": {"test_same_delivery_can_be_made_again"},
    "MixesThreads": {"test_many_threads_deliver_at_once"},
    "ReturnsNothing": {"test_each_kind_of_event_is_delivered", PREPARED},
    "ShowsItsPassword": {"test_no_secret_is_shown"},
    "ShowsTheSigningSecret": {"test_no_secret_is_shown"},
    "ShowsItsSettings": {"test_no_secret_is_shown"},
    "ClosesOnce": {"test_consumer_may_be_closed_twice"},
    "MakesOneSecret": {"test_secrets_it_makes_differ_and_can_be_signed_with"},
    "QuotesSecrets": {"test_secrets_it_makes_differ_and_can_be_signed_with"},
}


def run_suite(pytester: pytest.Pytester, *classes: str) -> tuple[dict[str, set[str]], dict[str, set[str]]]:
    """The tests that passed and that failed in their body, by toy."""
    source = (Path(__file__).parent / "toy_consumer.py").read_text(encoding="utf-8")
    pytester.makepyfile("\n\n".join([source, *classes]))
    passed, _, failed = pytester.inline_run("-p", "no:cacheprovider", "-q", "--tb=no").listoutcomes()
    outcome: list[dict[str, set[str]]] = []
    for reports in (passed, [report for report in failed if report.when == "call"]):
        found: dict[str, set[str]] = {}
        for report in reports:
            _, suite, test = report.nodeid.split("::")
            found.setdefault(suite.removeprefix("Test"), set()).add(test)
        outcome.append(found)
    return outcome[0], outcome[1]


def test_good_consumer_passes_and_bad_ones_are_caught_where_they_are_bad(pytester: pytest.Pytester) -> None:
    toys = [f"class Test{name}(ToyConformance):\n    consumer_class = {name}\n" for name in ("ToyConsumer", *CAUGHT_BY)]
    passed, failed = run_suite(pytester, *toys)
    assert failed == CAUGHT_BY
    assert len(passed["ToyConsumer"]) == 11


def test_suite_without_outages_fails_unless_it_says_so(pytester: pytest.Pytester) -> None:
    nothing = "    @pytest.fixture\n    def outages(self):\n        return []\n"
    passed, failed = run_suite(
        pytester,
        f"class TestForgetful(ToyConformance):\n    consumer_class = ToyConsumer\n{nothing}",
        f"class TestList(ToyConformance):\n    consumer_class = ToyConsumer\n    can_fail = False\n{nothing}",
    )
    assert failed == {"Forgetful": OUTAGE_TESTS}
    assert len(passed["List"]) == 9
