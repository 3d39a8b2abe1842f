"""The suite for change feeds passes a good feed and catches each kind of bad one."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

#: Each bad toy, and a test that must fail for it; others may fail as well.
CAUGHT_BY = {
    "HasNoName": "test_feed_has_a_name_that_check_shows",
    "SaysNothingInCheck": "test_feed_has_a_name_that_check_shows",
    "SwallowsOutage": "test_outage_of_the_feed_is_not_an_answer",
    "ComparesInOutage": "test_outage_of_the_feed_is_not_an_answer",
    "TakesNonsense": "test_nonsense_is_no_position",
    "ChokesOnNonsense": "test_nonsense_is_no_position",
    "PositionIsTooNew": "test_nothing_is_missed_between_position_and_listing",
    "SkipsTheLast": "test_follower_sees_what_a_listing_shows",
    "StandsStill": "test_who_stops_after_each_step_gets_to_the_end",
    "TellsOnce": "test_old_position_tells_everything_again",
    "ForgetsWhenClosed": "test_position_outlives_the_backend",
    "TellsThePresentAsGone": "test_who_left_and_came_back_is_there",
    "TellsNobodyGone": "test_removal_is_told_or_at_least_no_error",
    "LeavesColumnsOut": "test_change_is_told",
    "IgnoresDeadline": "test_deadline_that_has_passed_is_a_timeout_of_the_feed",
}


def test_good_feed_passes_and_bad_ones_are_caught(pytester: pytest.Pytester) -> None:
    source = (Path(__file__).parent / "toy_feed.py").read_text(encoding="utf-8")
    toys = ["ToyFeed", *CAUGHT_BY]
    classes = [f"class Test{name}(ToyFeedConformance):\n    backend_class = {name}\n" for name in toys]
    pytester.makepyfile("\n\n".join([source, *classes]))
    passed, _, failed = pytester.inline_run("-p", "no:cacheprovider", "-q", "--tb=no").listoutcomes()
    found: dict[str, set[str]] = {}
    for report in failed:
        _, suite, test = report.nodeid.split("::")
        found.setdefault(suite.removeprefix("Test"), set()).add(test)
    assert "ToyFeed" not in found, found.get("ToyFeed")
    assert sum("::TestToyFeed::" in report.nodeid for report in passed) >= 14
    missed = {name: test for name, test in CAUGHT_BY.items() if test not in found.get(name, set())}
    assert not missed, f"bad feeds that pass the test which must catch them: {missed}; failed were {found}"
