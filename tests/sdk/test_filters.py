"""Filters: who is in scope, and the setting that says why somebody is not."""

from __future__ import annotations

import pytest

from integration_server import FilterSettings, UserPage
from integration_server.sdk.filters import Filter


def page() -> UserPage:
    return UserPage(
        "hq",
        ids=["1", "2", "3", "4"],
        usernames=["Ann", "bob@EXAMPLE.com", "svc-backup", "Jörg"],
        emails=[["ann@example.com"], ["bob@example.org"], [], ["joerg@sub.example.com"]],
        groups=[["Staff", "Archive"], ["STAFF"], [], ["archive"]],
    )


def kept(**settings: object) -> list[str]:
    return Filter(FilterSettings.model_validate(settings), "frontends.a.filter").keep(page()).usernames


@pytest.mark.parametrize(
    ("settings", "names"),
    [
        ({}, ["Ann", "bob@EXAMPLE.com", "svc-backup", "Jörg"]),
        ({"include": "ANN"}, ["Ann"]),
        ({"include": ["a*", "j?rg"]}, ["Ann", "Jörg"]),
        ({"include": "JÖ*"}, ["Jörg"]),
        ({"include": "[a-b]*"}, ["Ann", "bob@EXAMPLE.com"]),
        ({"include": "*@example.com"}, ["bob@EXAMPLE.com"]),
        ({"include": "nn"}, []),
        ({"exclude": "SVC-*"}, ["Ann", "bob@EXAMPLE.com", "Jörg"]),
        ({"include": "*", "exclude": ["ann", "bob*"]}, ["svc-backup", "Jörg"]),
        ({"domains": "example.com"}, ["Ann", "bob@EXAMPLE.com"]),
        ({"domains": "@Example.ORG"}, ["bob@EXAMPLE.com"]),
        ({"domains": ["sub.example.com", "nowhere.test"]}, ["Jörg"]),
        ({"groups": "staff"}, ["Ann", "bob@EXAMPLE.com"]),
        ({"groups": ["ARCHIVE", "none"]}, ["Ann", "Jörg"]),
        ({"exclude_groups": "Archive"}, ["bob@EXAMPLE.com", "svc-backup"]),
        ({"only_with_email": True}, ["Ann", "bob@EXAMPLE.com", "Jörg"]),
        ({"groups": "staff", "exclude_groups": "archive", "only_with_email": True}, ["bob@EXAMPLE.com"]),
    ],
)
def test_conditions_choose_people_whatever_the_case(settings: dict[str, object], names: list[str]) -> None:
    assert kept(**settings) == names


def test_patterns_are_no_regular_expressions() -> None:
    people = UserPage("hq", ids=["1", "2"], usernames=["a.b", "axb"])

    assert Filter(FilterSettings(include=("a.b",)), "f").keep(people).usernames == ["a.b"]
    assert Filter(FilterSettings(include=("a(b", "a+", "a|b")), "f").keep(people).usernames == []


def test_other_fields_stay_with_their_person() -> None:
    (ann,) = Filter(FilterSettings(include=("ann",)), "f").keep(page()).users()

    assert (ann.id, ann.groups, ann.emails[0].address) == ("1", ("Staff", "Archive"), "ann@example.com")


@pytest.mark.parametrize(
    ("settings", "i", "reason"),
    [
        ({"include": "b*"}, 0, "include"),
        ({"exclude": "a*"}, 0, "exclude"),
        ({"domains": "nowhere.test"}, 0, "domains"),
        ({"groups": "none"}, 0, "groups"),
        ({"exclude_groups": "staff"}, 0, "exclude_groups"),
        ({"only_with_email": True}, 2, "only_with_email"),
    ],
)
def test_a_reason_names_the_table_and_the_setting(settings: dict[str, object], i: int, reason: str) -> None:
    found = Filter(FilterSettings.model_validate(settings), "backends.hq.filter").reason(page(), i)

    assert found is not None
    assert found.startswith("backends.hq.filter: ")
    assert reason in found


def test_an_empty_filter_hands_the_page_on_untouched() -> None:
    people = page()

    assert Filter(FilterSettings(), "f").keep(people) is people


def test_nobody_is_in_a_group_where_groups_are_unknown() -> None:
    people = UserPage("hq", ids=["1"], usernames=["ann"])

    assert len(Filter(FilterSettings(groups=("staff",)), "f").keep(people)) == 0
    assert len(Filter(FilterSettings(only_with_email=True), "f").keep(people)) == 0
