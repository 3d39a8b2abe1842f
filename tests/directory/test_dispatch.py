"""Logins: one verdict or an outage, from an ordered chain of backends."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from integration_server import (
    HIDDEN,
    AmbiguousEntry,
    BackendMisconfigured,
    BackendTimeout,
    BackendUnavailable,
    BadEntry,
    Deadline,
    DirectoryUnavailable,
    Hidden,
    LoginObserver,
    StoreUnavailable,
    Throttled,
    User,
    Verdict,
)
from integration_server.directory.dispatch import LONGEST_PASSWORD, LONGEST_USERNAME, Asked, told
from integration_server.directory.mount import Mount
from tests.directory.full_disk import full_disk
from tests.directory.house import STATES, House
from tests.directory.memory import DOWN, People

ACCEPTED, REJECTED, UNKNOWN = Verdict.ACCEPTED, Verdict.REJECTED, Verdict.UNKNOWN_USER
DISABLED, EXPIRED = Verdict.DISABLED, Verdict.EXPIRED


def login(house: House, mount: Mount, username: str = "ann", password: str = "right") -> Verdict:
    return house.directory.authenticate(mount, username, password, "10.0.0.1")


def chain(house: House, one: dict[str, Any] | None = None, two: dict[str, Any] | None = None, **mount: Any) -> Mount:
    """Two backends, one before two. Only tests add people."""
    return house.mount(house.source("one", **(one or {})), house.source("two", **(two or {})), **mount)


# -- verdicts --------------------------------------------------------------------------------------------------------


def test_a_right_password_is_accepted_and_a_wrong_one_rejected(house: House) -> None:
    house.people("one", ann="right")
    mount = house.mount("one")

    assert login(house, mount) is ACCEPTED
    assert login(house, mount, password="wrong") is REJECTED
    assert login(house, mount, "bob") is UNKNOWN


@pytest.mark.parametrize(("typed", "verdict"), [("ANN", UNKNOWN), ("ann ", UNKNOWN), (" ann", UNKNOWN)])
def test_a_name_is_typed_as_it_is_listed(typed: str, verdict: Verdict, house: House) -> None:
    house.people("one", ann="right")

    assert login(house, house.mount("one"), typed) is verdict


def test_a_backend_that_finds_names_in_any_case_accepts_them(house: House) -> None:
    house.people("one", ann="right")
    mount = house.mount(house.source("one", map={"username": {"from": "login", "ignore_case": True}}))

    assert login(house, mount, "ANN") is ACCEPTED


def test_an_entry_that_is_found_but_listed_under_another_name_is_not_that_person(house: House) -> None:
    """The lookup by mail's local part finds ann@x.test; on the list she is ann.lee."""
    house.people("one").add("ann@x.test", "right", cn="ann.lee")
    mount = house.mount(house.source("one", map={"username": ["cn", "login"]}))

    assert login(house, mount, "ann@x.test") is UNKNOWN
    assert login(house, mount, "ann.lee") is ACCEPTED


@pytest.mark.parametrize(
    ("columns", "verdict"),
    [
        ({"off": 1}, DISABLED),
        ({"off": "no"}, ACCEPTED),
        ({"until": "2020-01-01"}, EXPIRED),
        ({"until": "2999-01-01"}, ACCEPTED),
        ({"until": "2020-01-01", "off": 1}, DISABLED),
        ({"cn": "yes"}, DISABLED),
        ({"ou": "yes"}, EXPIRED),
    ],
)
def test_an_account_that_may_not_be_used_says_so_to_the_right_password_only(
    columns: dict[str, Any], verdict: Verdict, house: House
) -> None:
    house.people("one").add("ann", "right", **columns)
    rules = {**STATES, "is_locked": "cn", "is_password_expired": "ou"}
    mount = house.mount(house.source("one", map=rules))

    assert login(house, mount) is verdict
    assert login(house, mount, password="wrong") is REJECTED


def test_people_without_a_password_of_theirs_are_rejected(house: House) -> None:
    house.people("one", ann=None)

    assert login(house, house.mount("one")) is REJECTED


# -- credentials that no backend sees --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("username", "password"),
    [
        ("ann", ""),
        ("", "right"),
        ("   ", "right"),
        ("ann\0", "right"),
        ("ann", "right\0"),
        ("\0", "\0"),
        ("x" * (LONGEST_USERNAME + 1), "right"),
        ("ann", "x" * (LONGEST_PASSWORD + 1)),
        # Its normalised form, under which failures are counted, is twice as long.
        ("ß" * LONGEST_USERNAME, "right"),
        ("\N{GRINNING FACE}" * 300, "right"),
    ],
)
def test_empty_broken_and_endless_credentials_are_rejected_before_any_backend(
    username: str, password: str, house: House
) -> None:
    people = house.people("one", ann="right")

    assert login(house, house.mount("one"), username, password) is REJECTED
    assert people.calls == []
    assert list(house.store.failed_logins.everybody(0)) == []


def test_the_longest_credentials_reach_the_backend(house: House) -> None:
    name, password = "x" * LONGEST_USERNAME, "p" * LONGEST_PASSWORD
    house.people("one", **{name: password})

    assert login(house, house.mount("one"), name, password) is ACCEPTED


# -- the chain -------------------------------------------------------------------------------------------------------


def test_backends_are_asked_in_order_until_one_knows_the_name(house: House) -> None:
    one, two = house.people("one", ann="right"), house.people("two", ann="other", bob="right")
    mount = chain(house)

    assert login(house, mount) is ACCEPTED
    assert two.calls == []
    assert login(house, mount, password="other") is REJECTED
    assert "verify" not in [name for name, _ in two.calls]
    assert login(house, mount, "bob") is ACCEPTED
    assert one.called("find") == ["ann", "ann", "bob"]


def test_a_wrong_password_ends_the_chain_unless_told_otherwise(house: House) -> None:
    house.people("one", ann="one")
    house.people("two", ann="two")

    assert login(house, chain(house), password="two") is REJECTED
    going_on = chain(house, {"on_rejected": "next"})
    assert login(house, going_on, password="two") is ACCEPTED
    assert login(house, going_on, password="three") is REJECTED


def test_a_rejection_outweighs_that_later_backends_do_not_know_the_name(house: House) -> None:
    house.people("one", ann="one")
    house.people("two")

    assert login(house, chain(house, {"on_rejected": "next"}), password="wrong") is REJECTED


def test_an_unknown_user_ends_the_chain_where_told_so(house: House) -> None:
    house.people("two", ann="right")

    assert login(house, chain(house, {"on_unknown": "stop"})) is UNKNOWN
    assert login(house, chain(house)) is ACCEPTED


def test_on_success_next_lets_a_later_backend_that_knows_the_name_decide(house: House) -> None:
    house.people("one", ann="right", bob="right", carl="right")
    house.people("two", ann="right", bob="other")
    mount = chain(house, {"on_success": "next"})

    assert login(house, mount, "ann") is ACCEPTED
    assert login(house, mount, "bob") is REJECTED
    assert login(house, mount, "carl") is ACCEPTED


@pytest.mark.parametrize(("columns", "verdict"), [({"off": 1}, DISABLED), ({"until": "2020-01-01"}, EXPIRED)])
@pytest.mark.parametrize("on_rejected", ["stop", "next"])
def test_a_disabled_account_holds_its_name_against_a_later_namesake(
    columns: dict[str, Any], verdict: Verdict, on_rejected: str, house: House
) -> None:
    house.people("one").add("ann", "right", **columns)
    house.people("two", ann="right", bob="right")
    mount = chain(house, {"map": STATES, "on_rejected": on_rejected})

    assert login(house, mount) is verdict
    assert house.listed(mount) == ["bob"]


@pytest.mark.parametrize("verdict", [DISABLED, EXPIRED])
@pytest.mark.parametrize("on_rejected", ["stop", "next"])
def test_an_account_that_the_directory_itself_calls_disabled_holds_its_name_too(
    verdict: Verdict, on_rejected: str, house: House
) -> None:
    one = house.people("one")
    one.verdicts[one.add("ann", "right")] = verdict
    two = house.people("two", ann="right")

    assert login(house, chain(house, {"on_rejected": on_rejected})) is verdict
    assert two.called("verify") == []


@pytest.mark.parametrize("on_rejected", ["stop", "next"])
def test_a_namesake_with_another_password_does_not_get_past_a_disabled_account(house: House, on_rejected: str) -> None:
    house.people("one").add("ann", "one", off=1)
    house.people("two", ann="two", bob="x")
    mount = chain(house, {"map": STATES, "on_rejected": on_rejected})

    assert login(house, mount, password="two") is REJECTED
    assert house.listed(mount) == ["bob"]


def test_a_backend_that_checks_no_passwords_is_passed_over(house: House) -> None:
    house.people("one", ann=None)
    house.people("two", bob="right")
    mount = house.mount(house.source("one", can_verify=False), house.source("two"))

    assert login(house, mount, "bob") is ACCEPTED
    assert login(house, mount, "ann") is UNKNOWN


# -- routing ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "name", "is_asked"),
    [
        ({"domains": "x.test"}, "ann@x.test", True),
        ({"domains": "@X.Test"}, "ann@X.TEST", True),
        ({"domains": ["y.test", "x.test"]}, "ann@x.test", True),
        ({"domains": "x.test"}, "ann@sub.x.test", False),
        ({"domains": "x.test"}, "ann@y.test", False),
        ({"domains": "x.test"}, "ann", False),
        ({"domains": "x.test"}, "x.test", False),
        ({"pattern": "ext-.*"}, "EXT-ann", True),
        ({"pattern": "ext-.*"}, "ann-ext-", False),
        ({"pattern": "ext"}, "ext-ann", False),
        ({"pattern": ".*@.*", "domains": "x.test"}, "ann@x.test", True),
        ({"pattern": "[a-m].*", "domains": "x.test"}, "zoe@x.test", False),
    ],
)
def test_a_backend_is_asked_only_for_names_it_may_own(
    settings: dict[str, Any], name: str, is_asked: bool, house: House
) -> None:
    one = house.people("one", **{name: "right"})
    mount = house.mount(house.source("one", **settings))

    assert login(house, mount, name) is (ACCEPTED if is_asked else UNKNOWN)
    assert one.called("find") == ([name] if is_asked else [])
    house.people("two", other="right")
    both = house.mount(house.source("one", **settings), "two", name="both")
    assert house.listed(both) == ([name, "other"] if is_asked else ["other"])


def test_a_name_that_no_backend_may_own_is_unknown_also_while_all_are_down(house: House) -> None:
    house.people("one").error = DOWN

    assert login(house, house.mount(house.source("one", domains="x.test")), "ann@y.test") is UNKNOWN


# -- outages ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "error",
    [
        DOWN,
        BackendTimeout("too late"),
        BackendMisconfigured("bind refused"),
        AmbiguousEntry("two of them"),
        BadEntry("no id"),
        ValueError("an error of the backend's library"),
        RuntimeError(),
    ],
)
def test_an_outage_is_not_an_answer(error: Exception, house: House) -> None:
    house.people("one", ann="right").error = error

    with pytest.raises(DirectoryUnavailable, match="one"):
        login(house, house.mount("one"))
    assert list(house.store.failed_logins.everybody(0)) == []


def test_an_outage_outweighs_the_no_of_others(house: House) -> None:
    house.people("one").error = DOWN
    house.people("two", bob="right")
    mount = chain(house)

    with pytest.raises(DirectoryUnavailable):
        login(house, mount, "ann")
    with pytest.raises(DirectoryUnavailable):
        login(house, mount, "bob", "wrong")
    assert login(house, mount, "bob") is ACCEPTED


def test_an_outage_behind_the_answer_does_not_matter(house: House) -> None:
    house.people("one", ann="right")
    house.people("two").error = DOWN
    mount = chain(house)

    assert login(house, mount) is ACCEPTED
    assert login(house, mount, password="wrong") is REJECTED
    with pytest.raises(DirectoryUnavailable):
        login(house, mount, "bob")


def test_a_no_counts_during_an_outage_where_routing_gives_the_name(house: House) -> None:
    house.people("one").error = DOWN
    house.people("two", **{"ann@x.test": "right"})
    mount = chain(house, two={"domains": "x.test"})

    assert login(house, mount, "ann@x.test", "wrong") is REJECTED
    assert login(house, mount, "ann@x.test") is ACCEPTED
    with pytest.raises(DirectoryUnavailable):
        login(house, mount, "bob@x.test")


def test_a_backend_that_may_not_own_the_name_is_not_missed(house: House) -> None:
    house.people("one").error = DOWN
    house.people("two", bob="right")
    mount = chain(house, {"domains": "x.test"})

    assert login(house, mount, "bob", "wrong") is REJECTED
    assert login(house, mount, "carl") is UNKNOWN


def test_on_error_stop_ends_the_chain_with_the_outage(house: House) -> None:
    house.people("one").error = DOWN
    two = house.people("two", ann="right")

    with pytest.raises(DirectoryUnavailable):
        login(house, chain(house, {"on_error": "stop"}))
    assert two.called("find") == []


def test_a_name_last_listed_by_the_backend_that_is_down_is_nobody_elses(house: House) -> None:
    one = house.people("one", ann="one")
    house.people("two", ann="two", bob="two")
    mount = chain(house)
    assert house.listed(mount) == ["ann", "bob"]
    one.error = DOWN

    with pytest.raises(DirectoryUnavailable, match="one"):
        login(house, mount, "ann", "two")
    assert login(house, mount, "bob", "two") is ACCEPTED


def test_a_namesake_in_another_case_who_is_not_listed_does_not_get_in(house: House) -> None:
    house.people("one", sam="one")
    house.people("two", Sam="two", bob="two")
    mount = chain(house)

    assert house.listed(mount) == ["sam", "bob"]
    assert login(house, mount, "Sam", "two") is UNKNOWN
    assert login(house, mount, "sam", "one") is ACCEPTED


@pytest.mark.parametrize("size", [1, 2, 10])
def test_somebody_whom_a_backend_lists_twice_is_no_namesake_of_their_own(size: int, house: House) -> None:
    """A join gives a row for each address, say."""
    people = house.people("one", ann="right", bob="x")
    people.rows += [people.rows[0], ("7\n8", "Bob", *people.rows[0][2:])]
    people.passwords["7\n8"] = "second"
    people.batch_size = size
    mount = house.mount("one")
    assert house.listed(mount) == ["ann", "bob"]
    people.rows.pop(2)  # find() would call it ambiguous

    assert login(house, mount) is ACCEPTED
    assert login(house, mount, "Bob", "second") is UNKNOWN


def test_a_second_password_counts_after_a_list_where_configuration_hands_logins_on(house: House) -> None:
    house.people("one", ann="one")
    house.people("two", ann="two")
    mount = chain(house, {"on_rejected": "next"})

    assert house.listed(mount) == ["ann"]
    assert login(house, mount, "ann", "two") is ACCEPTED


def test_a_twin_within_one_backend_who_is_not_listed_does_not_get_in(house: House) -> None:
    house.people("one", twin="first", Twin="second")
    mount = house.mount("one")

    assert house.listed(mount) == ["twin"]
    assert login(house, mount, "Twin", "second") is not ACCEPTED
    assert login(house, mount, "twin", "first") is ACCEPTED


def test_a_disabled_persons_name_is_nobody_elses_during_an_outage_either(house: House) -> None:
    one = house.people("one")
    one.add("ann", "one", off=1)
    one.add("carl", "one")
    house.people("two", ann="two")
    mount = chain(house, {"map": STATES})
    assert house.listed(mount) == ["carl"]
    one.error = DOWN

    with pytest.raises(DirectoryUnavailable):
        login(house, mount, "ann", "two")


@pytest.mark.parametrize("is_outside", [False, True])
def test_a_name_that_is_on_no_list_is_nobodys_to_take_during_an_outage(is_outside: bool, house: House) -> None:
    """The disabled account of the backend that is down holds it, though its namesake came after the last list."""
    one, two = house.people("one"), house.people("two", bob="x")
    one.add("ann", "one", off=1)
    mount = chain(house, {"map": STATES}, auth_outside_list=is_outside)
    house.listed(mount)
    two.add("ann", "two")
    one.error = DOWN

    if is_outside:
        assert login(house, mount, "ann", "two") is ACCEPTED
        return
    with pytest.raises(DirectoryUnavailable):
        login(house, mount, "ann", "two")


def test_lists_of_another_mount_say_nothing_about_this_one(house: House) -> None:
    one = house.people("one", ann="one")
    house.people("two", ann="two")
    house.listed(house.mount("one", name="other"))
    mount = chain(house)
    one.error = DOWN

    assert login(house, mount, "ann", "two") is ACCEPTED


# -- time ------------------------------------------------------------------------------------------------------------


def test_the_time_limit_covers_the_whole_chain(house: House) -> None:
    for name in ("one", "two", "three", "four"):
        house.people(name).delay = 0.15
    mount = house.mount("one", "two", "three", "four", auth_seconds=0.25)
    began = time.monotonic()

    with pytest.raises(DirectoryUnavailable):
        login(house, mount)
    assert time.monotonic() - began < 2
    assert house.world["four"].calls == []


def test_a_slow_backend_is_given_up_after_its_own_limit(house: House) -> None:
    house.people("one").delay = 30
    house.people("two", ann="right")
    began = time.monotonic()

    assert login(house, chain(house, {"auth_seconds": 0.05})) is ACCEPTED
    assert time.monotonic() - began < 10


def test_a_backend_that_keeps_failing_is_left_alone(house: House) -> None:
    one = house.people("one", ann="right")
    one.error = DOWN
    mount = house.mount(house.source("one", breaker_failures=2, breaker_seconds=0.1))
    for _ in range(5):
        with pytest.raises(DirectoryUnavailable):
            login(house, mount)

    assert len(one.called("find")) == 2
    one.error = None
    time.sleep(0.11)
    assert login(house, mount) is ACCEPTED
    assert login(house, mount) is ACCEPTED


def test_a_backend_that_is_left_alone_is_named(house: House) -> None:
    house.people("one").error = DOWN
    source = house.source("one", breaker_failures=1)
    for words in ("refuses", "^backend one: left alone after 1 failures"):
        with pytest.raises(BackendUnavailable, match=words):
            source.with_address("ann@example.org", Deadline(5))


@pytest.mark.parametrize("error", [AmbiguousEntry("two"), BadEntry("no id")])
def test_one_bad_entry_does_not_open_the_breaker_for_all(error: Exception, house: House) -> None:
    one = house.people("one", ann="right")
    one.error = error
    mount = house.mount(house.source("one", breaker_failures=1))
    for _ in range(3):
        with pytest.raises(DirectoryUnavailable):
            login(house, mount)
    one.error = None

    assert login(house, mount) is ACCEPTED


def test_a_backend_that_hangs_takes_a_bounded_number_of_threads(house: House) -> None:
    people = house.people("one", ann="right")
    people.hold = threading.Event()
    mount = house.mount(house.source("one", max_calls=2))
    hanging = [threading.Thread(target=login, args=(house, mount)) for _ in range(2)]
    for thread in hanging:
        thread.start()
    end = time.monotonic() + 10
    while len(people.called("find")) < 2 and time.monotonic() < end:
        time.sleep(0.005)

    for _ in range(3):
        with pytest.raises(DirectoryUnavailable):
            login(house, mount)
    people.hold.set()
    for thread in hanging:
        thread.join(10)
    assert len(people.called("find")) == 2
    assert login(house, mount) is ACCEPTED


# -- equal cost ------------------------------------------------------------------------------------------------------


def checks(people: People) -> list[str]:
    """The calls that cost the time of a password check."""
    return [name for name, _ in people.calls if name.startswith("verify")]


@pytest.mark.parametrize("username", ["ann", "bob", "off", "out", "nobody"])
def test_every_refused_login_costs_one_check_at_each_backend(username: str, house: House) -> None:
    one, two = house.people("one", ann="x", out="x"), house.people("two", bob="x")
    one.add("off", "x", off=1)
    mount = chain(house, {"map": STATES}, filter={"exclude": "out"})

    assert login(house, mount, username, "wrong") is not ACCEPTED
    assert (len(checks(one)), len(checks(two))) == (1, 1)


def test_an_accepted_login_costs_no_more_than_its_own_check(house: House) -> None:
    one, two = house.people("one", ann="right"), house.people("two")
    login(house, chain(house))

    assert (checks(one), checks(two)) == (["verify"], [])


def test_a_name_that_no_backend_may_own_costs_a_check_too(house: House) -> None:
    one = house.people("one")
    login(house, house.mount(house.source("one", domains="x.test")), "ann")

    assert one.calls == [("verify_nobody", "right")]


# -- throttle --------------------------------------------------------------------------------------------------------


@pytest.fixture
def strict(house: House) -> House:
    """Two wrong passwords, then a pause."""
    house.directory = type(house.directory)(house.throttle(free_failures=2), house.store.name_lists)
    return house


def test_different_wrong_passwords_block_also_the_right_one_for_a_while(strict: House) -> None:
    people = strict.people("one", ann="right", bob="right")
    mount = strict.mount("one")
    for password in ("a", "a", "a", "b"):
        assert login(strict, mount, password=password) is REJECTED
    people.calls.clear()

    with pytest.raises(Throttled):
        login(strict, mount)
    assert people.calls == []
    assert login(strict, mount, "bob") is ACCEPTED
    assert strict.directory.authenticate(mount, "ann", "right", "10.0.0.2") is ACCEPTED
    strict.clock.now += 31
    assert login(strict, mount) is ACCEPTED


def test_one_person_is_throttled_under_every_spelling_of_the_name(strict: House) -> None:
    strict.people("one", ann="right")
    mount = strict.mount(strict.source("one", map={"username": {"from": "login", "ignore_case": True}}))
    login(strict, mount, "Ann", "a")
    login(strict, mount, "ANN", "b")

    with pytest.raises(Throttled):
        login(strict, mount, "ann")


def test_a_wrong_password_counts_once_for_a_login_however_many_backends_refuse_it(strict: House) -> None:
    for name in ("one", "two", "three"):
        strict.people(name, ann="right")
    mount = strict.mount(*(strict.source(name, on_rejected="next") for name in ("one", "two", "three")))
    login(strict, mount, password="a")

    (found,) = strict.store.failed_logins.everybody(0)
    assert found.count == 1


def test_guesses_at_unknown_users_are_throttled_like_others(strict: House) -> None:
    strict.people("one")
    mount = strict.mount("one")
    for password in ("a", "b"):
        assert login(strict, mount, "nobody", password) is UNKNOWN

    with pytest.raises(Throttled):
        login(strict, mount, "nobody", "c")


def test_success_disabled_accounts_and_outages_count_no_failure(strict: House) -> None:
    people = strict.people("one", ann="right")
    people.add("off", "right", off=1)
    mount = strict.mount(strict.source("one", map=STATES))
    for number in range(5):
        assert login(strict, mount, "off") is DISABLED
        people.error = DOWN
        with pytest.raises(DirectoryUnavailable):
            login(strict, mount, "ann", f"guess {number}")
        people.error = None

    assert login(strict, mount) is ACCEPTED
    assert list(strict.store.failed_logins.everybody(0)) == []


def test_success_wipes_the_slate(strict: House) -> None:
    strict.people("one", ann="right")
    mount = strict.mount("one")
    for password in ("a", "right", "b", "right", "c"):
        login(strict, mount, password=password)

    assert login(strict, mount) is ACCEPTED


def test_without_the_store_nobody_gets_to_guess(house: House) -> None:
    house.people("one", ann="right")
    mount = house.mount("one")
    house.store.close()
    (house.folder / "store.db").unlink()
    (house.folder / "store.db").mkdir()

    with pytest.raises(StoreUnavailable):
        login(house, mount)


def test_a_store_that_cannot_be_written_keeps_nobody_out_who_failed_before(
    strict: House, caplog: pytest.LogCaptureFixture
) -> None:
    strict.people("one", ann="right")
    mount = strict.mount("one")
    login(strict, mount, password="wrong")

    with full_disk(free=1000):
        assert login(strict, mount) is ACCEPTED
        with pytest.raises(StoreUnavailable):
            login(strict, mount, password="another guess")

    assert "what was held against 'ann' stays" in caplog.text


# -- who is on the list ----------------------------------------------------------------------------------------------


def test_tenants_do_not_log_in_on_each_others_path(house: House) -> None:
    house.people("one", ann="right", bob="right")
    house.people("two", carl="right")
    tenant_a = house.mount("one", name="a", filter={"include": "a*"})
    tenant_b = house.mount("one", name="b", filter={"include": "b*"})
    tenant_c = house.mount("two", name="c")
    mounts = {"ann": tenant_a, "bob": tenant_b, "carl": tenant_c}

    for name in mounts:
        for owner, mount in mounts.items():
            assert login(house, mount, name) is (ACCEPTED if name == owner else UNKNOWN)
    assert {name: house.listed(mount) for name, mount in mounts.items()} == {name: [name] for name in mounts}


@pytest.mark.parametrize("where", ["mount", "backend"])
def test_auth_outside_list_lets_those_in_whom_a_filter_leaves_out(where: str, house: House) -> None:
    house.people("one", ann="right")
    left_out = {"filter": {"exclude": "ann"}}
    source = house.source("one", **(left_out if where == "backend" else {}))
    settings = left_out if where == "mount" else {}

    assert login(house, house.mount(source, **settings)) is UNKNOWN
    assert login(house, house.mount(source, auth_outside_list=True, **settings)) is ACCEPTED


def test_somebody_left_out_of_one_backend_may_come_from_a_later_one(house: House) -> None:
    house.people("one", ann="one")
    house.people("two", ann="two")
    mount = chain(house, {"filter": {"exclude": "ann"}})

    assert house.listed(mount) == ["ann"]
    assert login(house, mount, password="two") is ACCEPTED
    assert login(house, mount, password="one") is REJECTED


# -- hooks -----------------------------------------------------------------------------------------------------------


def changed(user: User, **fields: Any) -> User:
    return User(**{**{name: getattr(user, name) for name in User.__slots__}, **fields})


def test_hooks_are_asked_in_order_each_seeing_what_the_one_before_returned(house: House) -> None:
    def first(user: User) -> User:
        return changed(user, groups=(*user.groups, "first"))

    def second(user: User) -> User:
        return changed(user, groups=(*user.groups, "second"))

    house.people("one").add("ann", "right", ou=["own"])
    source = house.source("one", transforms=[first, second])
    mount = house.mount(source, filter={"groups": "second"})
    located = source.locate("ann", Deadline(5))

    assert located is not None
    assert located.page.user(0).groups == ("own", "first", "second")
    assert login(house, mount) is ACCEPTED
    assert house.listed(mount) == ["ann"]


def test_hidden_people_are_neither_listed_nor_let_in_and_later_hooks_do_not_see_them(house: House) -> None:
    seen: list[str] = []

    def hide(user: User) -> User | Hidden:
        return HIDDEN if user.username == "ghost" else user

    def watch(user: User) -> User:
        seen.append(user.username)
        return user

    house.people("one", ann="right", ghost="right")
    mount = house.mount(house.source("one", transforms=[hide, watch]), auth_outside_list=True)

    assert house.listed(mount) == ["ann"]
    assert login(house, mount, "ghost") is UNKNOWN
    assert login(house, mount, "ann") is ACCEPTED
    assert "ghost" not in seen


def returns_none(user: User) -> Any:
    return None


def raises(user: User) -> Any:
    raise RuntimeError("the filter broke")


def returns_a_name(user: User) -> Any:
    return user.username


def returns_somebody_else(user: User) -> Any:
    return changed(user, id="other")


def moves_to_another_backend(user: User) -> Any:
    return changed(user, backend="other")


def renames(user: User) -> Any:
    return changed(user, username="renamed")


def makes_the_name_a_number(user: User) -> Any:
    return changed(user, username=5)


def blanks_the_name(user: User) -> Any:
    return changed(user, username=" ")


def puts_nul_into_a_name(user: User) -> Any:
    return changed(user, full_name="a\0")


def puts_half_a_surrogate_into_a_group(user: User) -> Any:
    return changed(user, groups=("\ud800",))


def makes_the_state_a_text(user: User) -> Any:
    return changed(user, state="disabled")


def takes_the_groups_away(user: User) -> Any:
    return changed(user, groups=None)


def gives_groups_that_are_gone_once_they_were_looked_at(user: User) -> Any:
    return changed(user, groups=(name for name in ("staff",)))


def makes_the_groups_a_text(user: User) -> Any:
    return changed(user, groups="staff")


def makes_an_address_a_text(user: User) -> Any:
    return changed(user, emails=("ann@x.test",))


@pytest.mark.parametrize(
    "hook",
    [
        returns_none,
        raises,
        returns_a_name,
        returns_somebody_else,
        moves_to_another_backend,
        renames,
        makes_the_name_a_number,
        blanks_the_name,
        puts_nul_into_a_name,
        puts_half_a_surrogate_into_a_group,
        makes_the_state_a_text,
        takes_the_groups_away,
        gives_groups_that_are_gone_once_they_were_looked_at,
        makes_the_groups_a_text,
        makes_an_address_a_text,
    ],
)
def test_a_hook_that_breaks_lets_nobody_through(hook: Any, house: House) -> None:
    house.people("one", ann="right")
    mount = house.mount(house.source("one", transforms=[hook]))

    with pytest.raises(DirectoryUnavailable):
        login(house, mount)
    with pytest.raises(DirectoryUnavailable):
        house.listed(mount)


SPOILING = [
    makes_the_name_a_number,
    blanks_the_name,
    puts_nul_into_a_name,
    makes_the_state_a_text,
    takes_the_groups_away,
    gives_groups_that_are_gone_once_they_were_looked_at,
    makes_the_groups_a_text,
    makes_an_address_a_text,
]


@pytest.mark.parametrize("hook", SPOILING)
def test_a_hook_that_makes_unusable_users_lets_nobody_through_an_index_either(hook: Any, house: House) -> None:
    house.people("one", ann="right")
    mount = house.mount(house.source("one", transforms=[hook], username_index=True))

    with pytest.raises(DirectoryUnavailable):
        house.listed(mount)


# -- the index of names ----------------------------------------------------------------------------------------------


def short(user: User) -> User:
    return changed(user, username=user.username.partition("@")[0])


def test_a_hook_may_rename_where_an_index_finds_the_way_back(house: House) -> None:
    house.people("one", **{"ann@x.test": "right", "bob@x.test": "right"})
    mount = house.mount(house.source("one", transforms=[short], username_index=True))

    with pytest.raises(DirectoryUnavailable):
        login(house, mount, "ann")  # nobody was listed yet, so nobody is known
    assert house.listed(mount) == ["ann", "bob"]
    assert login(house, mount, "ann") is ACCEPTED
    assert login(house, mount, "bob", "wrong") is REJECTED
    assert login(house, mount, "ann@x.test") is UNKNOWN
    assert login(house, mount, "carl") is UNKNOWN


def test_a_mapping_that_cannot_be_undone_logs_in_by_the_index(house: House) -> None:
    house.people("one").add("7", "right", cn="Ann", ou="Lee")
    mount = house.mount(house.source("one", map={"username": "{cn}.{ou}"}, username_index=True))

    assert house.listed(mount) == ["Ann.Lee"]
    assert login(house, mount, "ann.lee") is ACCEPTED


def test_somebody_renamed_since_the_last_list_is_not_found_under_the_old_name(house: House) -> None:
    people = house.people("one", ann="right")
    mount = house.mount(house.source("one", username_index=True))
    house.listed(mount)
    people.rows[:] = []
    people.add("anna", "right")

    assert login(house, mount, "ann") is UNKNOWN


def test_a_list_of_one_mount_does_not_cost_another_mounts_people_their_logins(house: House) -> None:
    """The index belongs to the backend: both mounts' people are in it, whoever was listed last."""
    house.people("one", ann="right", bob="right")
    house.people("zero", ann="other")
    source = house.source("one", username_index=True)
    tenant_a = house.mount(source, name="a", filter={"include": "a*"})
    tenant_b = house.mount(source, name="b", filter={"include": "b*"})
    behind = house.mount("zero", source, name="c")
    for mount in (tenant_a, tenant_b, behind):
        house.listed(mount)

    assert login(house, tenant_a, "ann") is ACCEPTED
    assert login(house, tenant_b, "bob") is ACCEPTED
    assert login(house, tenant_b, "ann") is UNKNOWN


def test_people_outside_the_list_are_in_the_index_too(house: House) -> None:
    house.people("one", ann="right", bob="right")
    mount = house.mount(house.source("one", username_index=True), filter={"include": "b*"}, auth_outside_list=True)
    house.listed(mount)

    assert login(house, mount, "ann") is ACCEPTED


def test_a_name_that_two_entries_bear_leads_to_the_one_that_is_listed(house: House) -> None:
    people = house.people("one")
    people.add("ann", "first", cn="x")
    people.add("Ann", "second", cn="y")
    mount = house.mount(house.source("one", username_index=True))

    assert house.listed(mount) == ["ann"]
    assert login(house, mount, "Ann", "second") is REJECTED
    assert login(house, mount, "Ann", "first") is ACCEPTED


# -- who hears of logins ---------------------------------------------------------------------------------------------


class Listener(LoginObserver):
    """Remembers what it heard, and may fail on it."""

    def __init__(self, error: Exception | None = None) -> None:
        self.heard: list[tuple[str, str, str]] = []
        self._error = error

    def login_accepted(self, backend: str, person_id: str, password: str) -> None:
        self.heard.append((backend, person_id, password))
        if self._error is not None:
            raise self._error


def test_only_logins_that_are_let_in_are_heard_of_with_every_backend_that_took_the_password(house: House) -> None:
    house.people("one", ann="right", bob="first")
    house.people("two", ann="right", bob="second", cid="right")
    mount = chain(house, {"on_success": "next"})
    listener = Listener()
    house.directory.observe([listener])

    assert login(house, mount) is ACCEPTED
    assert login(house, mount, password="wrong") is REJECTED
    assert login(house, mount, "bob", "first") is REJECTED
    assert login(house, mount, "cid") is ACCEPTED
    assert login(house, mount, "nobody") is UNKNOWN
    assert house.directory.ask(mount, "ann", "right") is ACCEPTED

    assert [(backend, password) for backend, _, password in listener.heard] == [
        ("one", "right"),
        ("two", "right"),
        ("two", "right"),
    ]


def test_tried_login_is_braked_and_explained_and_nobody_hears_of_it(house: House) -> None:
    house.people("one", ann="right")
    house.people("two", bob="right")
    mount = chain(house)
    listener = Listener()
    house.directory.observe([listener])
    asked: list[Asked] = []

    assert house.directory.attempt(mount, "bob", "right", "dashboard", asked) is ACCEPTED
    assert [(source, outcome) for source, outcome, _ in told(mount, "bob", asked)] == [
        ("one", "unknown user"),
        ("two", "accepted"),
    ]
    assert house.directory.attempt(mount, "ann", "", "dashboard", []) is REJECTED
    for n in range(5):
        assert house.directory.attempt(mount, "ann", f"guess {n}", "dashboard", []) is REJECTED
    with pytest.raises(Throttled):
        house.directory.attempt(mount, "ann", "right", "dashboard", [])
    assert listener.heard == []
    assert login(house, mount) is ACCEPTED


def test_login_during_an_outage_that_is_no_verdict_is_not_heard_of(house: House) -> None:
    one = house.people("one", ann="one")
    house.people("two", ann="two")
    mount = chain(house)
    assert house.listed(mount) == ["ann"]
    one.error = DOWN
    listener = Listener()
    house.directory.observe([listener])

    with pytest.raises(DirectoryUnavailable):
        login(house, mount, "ann", "two")
    assert listener.heard == []


def test_observer_that_fails_changes_nothing_and_its_words_are_in_no_log(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    house.people("one", ann="right")
    failing, other = Listener(ValueError("it was right")), Listener()
    house.directory.observe([failing, other])

    assert login(house, house.mount("one")) is ACCEPTED
    assert len(other.heard) == 1
    assert "Listener failed on a login: ValueError" in caplog.text
    assert "right" not in caplog.text
    assert all(record.exc_info is None for record in caplog.records)
