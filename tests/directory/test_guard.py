"""The guard: a list that would lose too many people waits for somebody's yes."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from integration_server import ListingHeld
from integration_server.directory import guard
from integration_server.directory.guard import Guard, Loss
from integration_server.directory.mount import Mount
from integration_server.sdk.settings import GuardSettings
from integration_server.store import Store
from integration_server.store.name_lists import NameList, NamePacker
from tests.directory.house import Clock, House

LIMITS = GuardSettings()
HOUR = 3600.0


def numbered(count: int, first: int = 0) -> list[str]:
    return [f"user{n}" for n in range(first, first + count)]


def packed(names: Sequence[str]) -> NameList:
    packer = NamePacker()
    packer.add("hq", names)
    return packer.finish()


@pytest.fixture
def judge(store: Store, clock: Clock) -> Guard:
    return Guard(store.name_lists, store.guard_lifts, clock=clock)


def verdict(judge: Guard, names: Sequence[str], limits: GuardSettings = LIMITS, mount: str = "m") -> str | None:
    return judge.judge(mount, limits, packed(names))


# -- how much is too much --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reference", "missing", "is_held"),
    [
        # Small lists: more than half.
        (1, 1, True),
        (2, 1, False),
        (3, 2, True),
        (20, 10, False),
        (20, 11, True),
        # Others: more than ten, and more than a fifth.
        (21, 10, False),
        (21, 11, True),
        (30, 10, False),
        (30, 11, True),
        (50, 10, False),
        (50, 11, True),
        (54, 11, True),
        (55, 11, False),
        (100, 20, False),
        (100, 21, True),
        (1_000_000, 200_000, False),
        (1_000_000, 200_001, True),
    ],
)
def test_the_limits_are_where_the_settings_say(reference: int, missing: int, is_held: bool) -> None:
    assert Loss(missing, reference).is_too_much(LIMITS) is is_held


@pytest.mark.parametrize(
    ("limits", "missing", "is_held"),
    [
        ({"max_missing_percent": 0.0}, 10, False),
        ({"max_missing_percent": 0.0}, 11, True),
        ({"max_missing_percent": 0.0, "max_missing_count": 0}, 1, True),
        ({"max_missing_percent": 0.0, "max_missing_count": 0}, 0, False),
        ({"max_missing_percent": 100.0}, 100, False),
        ({"max_missing_percent": 12.5}, 12, False),
        ({"max_missing_percent": 12.5}, 13, True),
        ({"max_missing_count": 50}, 50, False),
        ({"max_missing_count": 50}, 51, True),
        ({"small_list": 100}, 50, False),
        ({"small_list": 100}, 51, True),
        ({"small_list": 0, "max_missing_percent": 100.0}, 99, False),
    ],
)
def test_each_limit_can_be_set(limits: dict[str, float], missing: int, is_held: bool) -> None:
    assert Loss(missing, 100).is_too_much(GuardSettings.model_validate(limits)) is is_held


@pytest.mark.parametrize(("lost", "is_held"), [(20, False), (21, True)])
def test_a_list_is_compared_by_its_names(judge: Guard, lost: int, is_held: bool) -> None:
    assert verdict(judge, numbered(100)) is None
    # Newcomers make the list as long as ever.
    found = verdict(judge, [*numbered(100 - lost, first=lost), *numbered(lost, first=1000)])

    assert (found is not None) is is_held
    if found is not None:
        assert "21 of 100" in found


def test_a_change_of_everybodys_name_keeps_the_count_and_is_held(judge: Guard) -> None:
    verdict(judge, numbered(50))

    assert verdict(judge, [f"{name}@example.com" for name in numbered(50)]) is not None


def test_growth_and_another_order_are_no_loss(judge: Guard) -> None:
    assert verdict(judge, numbered(10)) is None
    assert verdict(judge, numbered(5000)) is None
    assert verdict(judge, list(reversed(numbered(5000)))) is None


# -- the first list, and empty ones ----------------------------------------------------------------------------------


def test_a_first_list_goes_out_unless_it_is_empty(judge: Guard) -> None:
    assert verdict(judge, ["ann"], mount="one") is None
    assert verdict(judge, [], mount="two") == "the list is empty"


def test_an_empty_list_is_held_whatever_the_limits(judge: Guard) -> None:
    lenient = GuardSettings(max_missing_percent=100.0, max_missing_count=10**9, small_list=0)
    verdict(judge, numbered(5), lenient)

    assert verdict(judge, numbered(1, first=99), lenient) is None
    assert verdict(judge, [], lenient) == "the list is empty"


def test_an_empty_list_that_was_accepted_may_stay_empty(judge: Guard, store: Store, clock: Clock) -> None:
    verdict(judge, [])
    held = store.name_lists.held("m")
    assert held is not None
    assert store.name_lists.accept("m", held.id, clock.now)

    clock.now += 60
    assert verdict(judge, []) is None
    assert verdict(judge, numbered(5)) is None
    assert verdict(judge, []) is not None


# -- what is compared with -------------------------------------------------------------------------------------------


def test_small_losses_do_not_add_up_unseen(judge: Guard, clock: Clock) -> None:
    for count in (100, 95, 90, 85, 80):
        assert verdict(judge, numbered(count)) is None
        clock.now += HOUR

    assert "21 of 100" in str(verdict(judge, numbered(79)))


def test_losses_of_days_do(judge: Guard, clock: Clock) -> None:
    for count in (100, 85, 70, 60):
        assert verdict(judge, numbered(count)) is None
        clock.now += 25 * HOUR


def test_the_last_list_counts_however_old_it_is(judge: Guard, clock: Clock) -> None:
    verdict(judge, numbered(100))
    clock.now += 1000 * HOUR

    assert verdict(judge, numbered(50)) is not None


def test_a_held_list_does_not_become_the_reference_by_being_asked_for_again(judge: Guard, clock: Clock) -> None:
    verdict(judge, numbered(100))
    for _ in range(40):
        clock.now += HOUR
        assert verdict(judge, numbered(50)) is not None


def test_mounts_do_not_share_their_references(judge: Guard) -> None:
    verdict(judge, numbered(100), mount="a")

    assert verdict(judge, numbered(3), mount="b") is None


# -- a person's yes --------------------------------------------------------------------------------------------------


def test_what_is_held_is_shown_name_by_name(judge: Guard, store: Store, clock: Clock) -> None:
    assert guard.held(store.name_lists, "m", LIMITS, clock.now) is None
    verdict(judge, numbered(30))
    verdict(judge, [*numbered(10), "new one", "newer one"])

    held = guard.held(store.name_lists, "m", LIMITS, clock.now)
    assert held is not None
    assert held.missing == tuple(numbered(20, first=10))
    assert held.new == ("new one", "newer one")
    assert held.stored.missing_count == 20


def test_an_accepted_list_goes_out_and_is_compared_with_from_then_on(house: House) -> None:
    people = house.people("hq", **dict.fromkeys(numbered(100), "x"))
    mount = house.mount("hq")
    assert len(house.listed(mount)) == 100
    del people.rows[50:]
    assert is_held(house, mount)
    stored = house.store.name_lists.held(mount.name)
    assert stored is not None
    assert house.store.name_lists.accept(mount.name, stored.id, house.clock.now)

    house.clock.now += 1
    assert len(house.listed(mount)) == 50
    del people.rows[39:]
    assert is_held(house, mount)


def is_held(house: House, mount: Mount) -> bool:
    house.clock.now += 1
    with pytest.raises(ListingHeld) as raised:
        house.listed(mount)
    return "missing" in str(raised.value)


def test_people_who_come_back_end_the_hold_by_themselves(house: House) -> None:
    people = house.people("hq", **dict.fromkeys(numbered(100), "x"))
    mount = house.mount("hq")
    house.listed(mount)
    everybody = people.rows[:]
    del people.rows[50:]
    assert is_held(house, mount)
    people.rows[:] = everybody
    house.clock.now += 1

    assert len(house.listed(mount)) == 100
    assert house.store.name_lists.held(mount.name) is None


def test_names_replaced_a_few_at_a_time_are_held_when_they_add_up(judge: Guard, store: Store, clock: Clock) -> None:
    for first in (0, 70, 140):
        assert verdict(judge, numbered(1000, first=first)) is None
        clock.now += HOUR

    assert verdict(judge, numbered(1000, first=210)) == "210 of 1000 names that were listed before are missing"
    held = guard.held(store.name_lists, "m", LIMITS, clock.now)
    assert held is not None
    assert set(held.missing) == set(numbered(210))


def test_names_replaced_over_days_are_not(judge: Guard, clock: Clock) -> None:
    for first in range(0, 1000, 100):
        assert verdict(judge, numbered(1000, first=first)) is None
        clock.now += 25 * HOUR


def test_lifted_guard_lets_one_list_go_and_forgets_what_was_before(judge: Guard, store: Store) -> None:
    assert verdict(judge, numbered(100)) is None
    store.guard_lifts.lift("frontend", "m", "admin:ann")
    assert verdict(judge, numbered(90)) is None, "that needs no lift"
    assert store.guard_lifts.all()
    assert verdict(judge, []) is not None, "an empty one is held all the same"
    assert store.guard_lifts.all()
    assert verdict(judge, numbered(30), mount="other") is None
    assert verdict(judge, numbered(30)) is None
    assert store.guard_lifts.all() == []
    assert verdict(judge, numbered(28)) is None
    assert verdict(judge, numbered(5)) is not None


def test_missing_names_are_told_with_the_backend_that_listed_them(store: Store, clock: Clock) -> None:
    packer = NamePacker()
    packer.add("hq", ["ann", "bob"])
    packer.add("lab", ["cid", "dan"])
    store.name_lists.release("m", packer.finish(), clock(), 0.0)
    store.name_lists.hold("m", packed(["bob", "eve"]), clock(), 3, "reason")
    held = guard.held(store.name_lists, "m", LIMITS, clock())
    assert held is not None
    assert held.missing_from == (("ann", "hq"), ("cid", "lab"), ("dan", "lab"))
    assert (held.missing, held.new) == (("ann", "cid", "dan"), ("eve",))


def test_only_the_list_that_was_shown_is_accepted(store: Store, clock: Clock) -> None:
    lists = store.name_lists
    assert not guard.accept(lists, "m", "0" * 12, clock())
    lists.release("m", packed(numbered(30)), clock(), 0.0)
    lists.hold("m", packed(numbered(5)), clock(), 25, "reason")
    held = guard.held(lists, "m", LIMITS, clock())
    assert held is not None
    lists.hold("m", packed(numbered(4)), clock(), 26, "reason")
    assert not guard.accept(lists, "m", held.id, clock())
    lists.hold("m", packed(numbered(5)), clock(), 25, "reason")
    assert guard.accept(lists, "m", held.id, clock())
    assert lists.held("m") is None
