"""Logins by other names than the listed one: who is meant, and that nobody gets at another's listed name that way."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from integration_server import HIDDEN, DirectoryUnavailable, Hidden, Throttled, User, Verdict
from integration_server.directory.dispatch import Asked
from integration_server.directory.mount import Mount
from tests.directory.house import STATES, House
from tests.directory.memory import DOWN

ACCEPTED, REJECTED, UNKNOWN = Verdict.ACCEPTED, Verdict.REJECTED, Verdict.UNKNOWN_USER


def login(house: House, mount: Mount, username: str, password: str = "right") -> Verdict:
    return house.directory.authenticate(mount, username, password, "10.0.0.1")


def ad(house: House, **settings: Any) -> Mount:
    return house.mount(house.source("ad", has_other_names=True, **settings))


def two(house: House, one: dict[str, Any] | None = None, more: dict[str, Any] | None = None, **mount: Any) -> Mount:
    """A backend with other names, and one behind it that lists people by their addresses."""
    first = house.source("ad", has_other_names=True, **(one or {}))
    return house.mount(first, house.source("forum", **(more or {})), **mount)


def test_somebody_logs_in_by_the_listed_name_and_by_others(house: House) -> None:
    house.people("ad").add("ann", "right", mail="ann@x.test", cn="EX\\ann")
    mount = ad(house)

    assert [login(house, mount, name) for name in ("ann", "Ann@x.test", "EX\\ann")] == [ACCEPTED] * 3
    assert [login(house, mount, name, "wrong") for name in ("ann@x.test", "EX\\ann")] == [REJECTED] * 2
    assert login(house, mount, "OTHER\\ann") is UNKNOWN


def test_a_listed_name_asks_for_no_other_names(house: House) -> None:
    people = house.people("ad")
    people.add("ann", "right", mail="ann@x.test")

    login(house, ad(house), "ann", "wrong")
    assert people.called("login_lookups") == []


def test_nobody_gets_at_a_listed_name_by_writing_it_into_their_address(house: House) -> None:
    people = house.people("ad")
    people.add("mallory", "mallory's", mail="bob")
    people.add("bob", "right")

    assert login(house, ad(house), "bob", "mallory's") is REJECTED
    assert login(house, ad(house), "bob") is ACCEPTED


@pytest.mark.parametrize(
    ("one", "more"),
    [
        ({}, {}),
        ({"on_unknown": "stop"}, {}),
        ({}, {"filter": {"exclude": "bob*"}}),
        ({}, {"map": STATES}),
    ],
    ids=["later in the chain", "never asked there", "out of scope", "disabled"],
)
def test_nor_at_a_name_that_another_backend_lists(one: dict[str, Any], more: dict[str, Any], house: House) -> None:
    house.people("ad").add("mallory", "mallory's", mail="bob@x.test")
    house.people("forum").add("bob@x.test", "right", off=1 if "map" in more else None)

    assert login(house, two(house, one, more), "bob@x.test", "mallory's") in (REJECTED, UNKNOWN)


def test_nor_at_one_that_a_backend_without_passwords_lists(house: House) -> None:
    house.people("ad").add("mallory", "mallory's", mail="bob@x.test")
    house.people("cards").add("bob@x.test")
    mount = house.mount(house.source("ad", has_other_names=True), house.source("cards", can_verify=False))

    assert login(house, mount, "bob@x.test", "mallory's") is UNKNOWN


def test_nor_at_one_of_somebody_who_left_after_the_last_list(house: House) -> None:
    people = house.people("ad")
    people.add("bob@x.test", "right")
    people.add("mallory", "mallory's", mail="bob@x.test")
    mount = ad(house)
    assert house.listed(mount) == ["bob@x.test", "mallory"]

    del people.rows[0]
    assert login(house, mount, "BOB@x.test", "mallory's") is UNKNOWN
    assert login(house, mount, "mallory", "mallory's") is ACCEPTED


def test_nor_while_the_backend_that_may_list_it_is_down(house: House) -> None:
    house.people("ad").add("mallory", "mallory's", mail="bob@x.test")
    house.people("forum").add("bob@x.test", "right")
    house.world["forum"].error = DOWN

    with pytest.raises(DirectoryUnavailable):
        login(house, two(house), "bob@x.test", "mallory's")
    with pytest.raises(DirectoryUnavailable):
        login(house, two(house, {"on_unknown": "stop"}), "bob@x.test", "mallory's")


def test_a_backend_that_cannot_list_the_name_is_not_asked(house: House) -> None:
    house.people("ad").add("ann", "right", mail="ann@x.test")
    house.people("forum").error = DOWN

    assert login(house, two(house, more={"domains": ["forum.test"]}), "ann@x.test") is ACCEPTED


def test_domains_and_pattern_hold_for_the_name_as_it_is_typed_and_as_it_is_listed(house: House) -> None:
    house.people("ad").add("ann", "right", mail="ann@x.test")

    assert login(house, ad(house, pattern="[a-z]+"), "ann@x.test") is UNKNOWN
    assert login(house, ad(house, domains=["x.test"]), "ann@x.test") is UNKNOWN
    assert login(house, ad(house, pattern="[a-z]+(@x.test)?"), "ann@x.test") is ACCEPTED


@pytest.mark.parametrize("column", ["mail", "cn"])
def test_a_name_of_two_people_is_nobodys(column: str, house: House, caplog: pytest.LogCaptureFixture) -> None:
    people = house.people("ad")
    people.add("ann", "right", **{column: "team@x.test"})
    people.add("bob", "bob's", **{column: "TEAM@x.test"})

    with caplog.at_level(logging.INFO):
        assert [login(house, ad(house), "team@x.test", p) for p in ("right", "bob's")] == [UNKNOWN] * 2
    assert "nobody's name at a login" in caplog.text


def test_a_name_of_two_people_in_two_backends_is_nobodys(house: House) -> None:
    house.people("ad").add("ann", "right", mail="team@x.test")
    house.people("ad2").add("bob", "bob's", mail="team@x.test")
    mount = house.mount(*(house.source(name, has_other_names=True) for name in ("ad", "ad2")))

    assert [login(house, mount, "team@x.test", p) for p in ("right", "bob's")] == [UNKNOWN] * 2
    assert [login(house, mount, *of) for of in (("ann", "right"), ("bob", "bob's"))] == [ACCEPTED] * 2


def test_the_first_lookup_that_finds_somebody_counts(house: House) -> None:
    people = house.people("ad")
    people.add("ann", "right", mail="x@x.test")
    people.add("bob", "bob's", cn="x@x.test")

    assert login(house, ad(house), "x@x.test") is ACCEPTED
    assert login(house, ad(house), "x@x.test", "bob's") is REJECTED


def test_only_people_whom_the_mount_lists_are_meant(house: House) -> None:
    house.people("ad").add("ann", "right", mail="ann@x.test", ou="sales")
    source = house.source("ad", has_other_names=True, filter={"exclude_groups": "sales"})

    assert login(house, house.mount(source), "ann@x.test") is UNKNOWN
    assert login(house, house.mount(source, auth_outside_list=True), "ann@x.test") is ACCEPTED
    house.people("ad").add("bob", "right", mail="bob@x.test", off=1)
    assert login(house, ad(house, map=STATES), "bob@x.test") is Verdict.DISABLED


def test_whom_a_hook_hides_is_not_meant_nor_is_the_next_one(house: House) -> None:
    people = house.people("ad")
    people.add("ann", "right", mail="x@x.test")
    people.add("bob", "bob's", cn="x@x.test")

    def hide(user: User) -> User | Hidden:
        return HIDDEN if user.username == "ann" else user

    mount = house.mount(house.source("ad", has_other_names=True, transforms=[hide]))
    assert [login(house, mount, "x@x.test", p) for p in ("right", "bob's")] == [UNKNOWN] * 2


def test_who_is_left_out_for_a_namesake_is_not_meant_either(house: House) -> None:
    """Two people are called ann; the list holds the one of the first backend."""
    house.people("forum").add("ann", "first")
    house.people("ad").add("ann", "second", mail="ann@x.test")
    mount = house.mount("forum", house.source("ad", has_other_names=True))

    for _ in range(2):
        assert [login(house, mount, "ann@x.test", p) for p in ("first", "second")] == [UNKNOWN] * 2
        house.listed(mount)


def test_one_person_in_two_backends_is_handed_on_as_under_the_listed_name(house: House) -> None:
    house.people("ad").add("ann", "ad's", mail="ann@x.test")
    house.people("forum").add("ann", "forum's")
    mount = two(house, {"on_rejected": "next"})

    assert [login(house, mount, "ann@x.test", p) for p in ("ad's", "forum's", "x")] == [ACCEPTED, ACCEPTED, REJECTED]


def test_guesses_at_any_name_count_for_the_person(house: House) -> None:
    house.people("ad").add("ann", "right", mail="ann@x.test", cn="EX\\ann")
    mount = ad(house)
    for number, name in enumerate(["ann", "ann@x.test", "EX\\ann", "ann@x.test", "ann"]):
        assert login(house, mount, name, f"wrong {number}") is REJECTED

    for name in ("ann", "EX\\ann", "ann@x.test"):
        with pytest.raises(Throttled):
            login(house, mount, name)


def test_nobody_costs_one_check_however_many_names_are_tried(house: House) -> None:
    people = house.people("ad")
    people.add("ann", "right", mail="ann@x.test")

    login(house, ad(house), "nobody@x.test")
    login(house, ad(house), "ann@x.test", "wrong")
    assert people.called("verify_nobody") == ["right"]
    assert people.called("verify") == ["wrong"]


def test_an_outage_on_the_way_is_no_verdict(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    house.people("ad").add("ann", "right", mail="ann@x.test")
    source = house.source("ad", has_other_names=True)

    def down(*_: object) -> None:
        raise DOWN

    monkeypatch.setattr(source.backend, "login_lookups", down)
    for name in ("ann@x.test", "nobody"):
        with pytest.raises(DirectoryUnavailable):
            login(house, house.mount(source), name)
    assert login(house, house.mount(source), "ann") is ACCEPTED


def test_who_is_meant_is_told_to_those_who_want_to_know_why(house: House) -> None:
    house.people("ad").add("ann", "right", mail="ann@x.test")
    asked: list[Asked] = []

    assert house.directory.ask(ad(house), "ann@x.test", "right", asked) is ACCEPTED
    assert [one.outcome for one in asked] == ["unknown user", "accepted (as 'ann')"]
