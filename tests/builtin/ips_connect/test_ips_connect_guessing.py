"""What guessers meet: the brake on logins, the limit on salts, and salts of people who are not there."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integration_server import Rates
from integration_server.builtin.ips_connect.salts import fake_salt
from tests.builtin.ips_connect.master_site import A_ADDRESS, HASH, SALT, STRANGER, MasterSite

NOT_FOUND, WRONG_AUTH = "ACCOUNT_NOT_FOUND", "WRONG_AUTH"
STRICT = {"throttle": {"free_failures": 3}}
ANN = {"id": "Ann", "idType": "1"}


def guess(site: MasterSite, number: int, caller: str, id: str = "Ann", id_type: str = "1") -> str:
    return site.status("login", id=id, idType=id_type, password=f"wrong {number}", caller=caller)


def logs_in(site: MasterSite, caller: str) -> bool:
    return site.status("login", **ANN, password=HASH, caller=caller) == "SUCCESS"


def test_wrong_hashes_lock_this_caller_out(make_master: Callable[..., MasterSite]) -> None:
    site = make_master(STRICT)
    site.register("Ann")
    assert [guess(site, number, STRANGER) for number in range(3)] == [WRONG_AUTH] * 3
    assert not logs_in(site, STRANGER), "not even with the right one"
    assert logs_in(site, "20.9.9.8"), "another caller"
    assert logs_in(site, A_ADDRESS)
    assert site.status("fetchSalt", **ANN, caller=STRANGER) == "SUCCESS", "salts are another matter"


def test_brake_is_by_name_whatever_its_case(make_master: Callable[..., MasterSite]) -> None:
    site = make_master(STRICT)
    site.register("Ann")
    for number, id in enumerate(("ann", "ANN", "aNN")):
        guess(site, number, STRANGER, id)
    assert not logs_in(site, STRANGER)
    site.register("Bob")
    assert site.status("login", id="Bob", idType=1, password=HASH, caller=STRANGER) == "SUCCESS"


def test_one_wrong_hash_may_be_sent_all_night(make_master: Callable[..., MasterSite]) -> None:
    site = make_master(STRICT)
    site.register("Ann")
    assert [guess(site, 1, STRANGER) for _ in range(10)] == [WRONG_AUTH] * 10
    assert logs_in(site, STRANGER)


def test_login_without_a_password_is_no_guess(make_master: Callable[..., MasterSite]) -> None:
    site = make_master({"throttle": {"free_failures": 1}})
    site.register("Ann")
    for _ in range(3):
        assert site.status("login", **ANN, caller=STRANGER) == WRONG_AUTH
    assert logs_in(site, STRANGER)


def test_addresses_of_one_slave_are_one_caller(make_master: Callable[..., MasterSite], names: object) -> None:
    site = make_master(STRICT)
    site.register("Ann")
    site.call("verifySettings", url="http://20.0.0.7/gw?key=hidden", ourKey="x")
    site.call("verifySettings", url="http://20.0.0.7/gw?key=hidden", ourKey="x")
    for number, caller in enumerate(("20.0.0.7", "::ffff:20.0.0.7", "20.0.0.7")):
        guess(site, number, caller)
    assert not logs_in(site, "20.0.0.7")
    assert not logs_in(site, "::ffff:20.0.0.7")
    assert logs_in(site, STRANGER)


def test_no_secret_is_in_the_log_of_the_brake(
    make_master: Callable[..., MasterSite], caplog: pytest.LogCaptureFixture
) -> None:
    site = make_master(STRICT)
    site.register("Ann")
    site.call("verifySettings", url="http://20.0.0.7/gw?key=hidden", ourKey="x")
    caplog.set_level(logging.DEBUG)
    for number in range(4):
        guess(site, number, "20.0.0.7")
    assert "'ann' is refused to http://20.0.0.7/gw" in caplog.text
    assert not any(secret in caplog.text for secret in ("hidden", "wrong 0", HASH))


def test_unknown_people_cost_no_failures_unless_salts_are_made_up(make_master: Callable[..., MasterSite]) -> None:
    site = make_master(STRICT)
    assert [guess(site, number, STRANGER) for number in range(5)] == [NOT_FOUND] * 5
    site.register("Ann")
    assert logs_in(site, STRANGER)


# -- salts of people who are not there -------------------------------------------------------------------------------


def test_made_up_salts_hide_who_is_there(make_master: Callable[..., MasterSite]) -> None:
    site = make_master(STRICT, fake_salts=True)
    made_up = site.call("fetchSalt", **ANN)
    assert made_up["status"] == "SUCCESS"
    assert re.fullmatch("[0-9A-Za-z]{22}", made_up["pass_salt"])
    assert site.call("fetchSalt", id="ANN", idType="3") == made_up
    assert [guess(site, number, STRANGER) for number in range(5)] == [WRONG_AUTH] * 5
    site.register("Ann")
    assert site.call("fetchSalt", **ANN)["pass_salt"] == SALT
    assert not logs_in(site, STRANGER), "guesses counted before she was there, as they would have after"
    assert logs_in(site, A_ADDRESS)


def test_made_up_salt_stays_over_restarts(make_master: Callable[..., MasterSite]) -> None:
    first = make_master(fake_salts=True).call("fetchSalt", **ANN)
    assert make_master(fake_salts=True).call("fetchSalt", **ANN) == first


def test_ids_are_not_made_up(make_master: Callable[..., MasterSite]) -> None:
    """A slave keeps the id that it is told."""
    site = make_master(fake_salts=True)
    assert site.status("fetchId", **ANN) == NOT_FOUND
    assert site.status("login", id="", idType="1", password=HASH) == "REQUEST_MISSING_DATA"


@given(st.text(max_size=40), st.binary(min_size=32, max_size=32))
def test_made_up_salts_look_like_new_ones(id: str, key: bytes) -> None:
    salt = fake_salt(key, id)
    assert re.fullmatch("[0-9A-Za-z]{22}", salt)
    assert salt == fake_salt(key, id)
    assert salt != fake_salt(key[::-1] + b"x", id)
    assert salt != fake_salt(key, id + "x")


def test_letters_of_made_up_salts_are_all_as_frequent() -> None:
    text = "".join(fake_salt(b"k" * 32, str(number)) for number in range(3000))
    counts = [text.count(letter) for letter in set(text)]
    assert len(counts) == 62
    assert 850 < min(counts) <= max(counts) < 1300


# -- how many salts --------------------------------------------------------------------------------------------------


def test_salts_are_told_so_often_and_no_more(make_master: Callable[..., MasterSite]) -> None:
    site = make_master(STRICT, salts_per_minute=3)
    site.register("Ann")
    found = [site.status("fetchSalt", **ANN, caller=STRANGER) for _ in range(5)]
    assert found == ["SUCCESS"] * 3 + [WRONG_AUTH] * 2
    assert site.status("fetchSalt", id="nobody", idType=1, caller=STRANGER) == WRONG_AUTH
    assert site.status("fetchSalt", **ANN, caller="20.9.9.8") == "SUCCESS"
    assert logs_in(site, STRANGER), "that was no failed login"


def test_slaves_get_ten_times_as_many(make_master: Callable[..., MasterSite]) -> None:
    site = make_master(salts_per_minute=2, slave_networks=["20.7.0.0/16"])
    site.register("Ann")
    for caller in (A_ADDRESS, "20.7.0.1"):
        found = [site.status("fetchSalt", **ANN, caller=caller) for _ in range(30)]
        # What comes back meanwhile is one every three seconds.
        assert 20 <= found.count("SUCCESS") <= 22


def test_0_is_no_limit(make_master: Callable[..., MasterSite]) -> None:
    site = make_master(salts_per_minute=0)
    site.register("Ann")
    assert {site.status("fetchSalt", **ANN, caller=STRANGER) for _ in range(50)} == {"SUCCESS"}


def test_wrong_keys_use_up_nothing(make_master: Callable[..., MasterSite]) -> None:
    site = make_master(salts_per_minute=1)
    site.register("Ann")
    for _ in range(3):
        assert site.status("fetchSalt", **ANN, key="wrong", caller=STRANGER) == "BAD_KEY"
    assert site.status("fetchSalt", **ANN, caller=STRANGER) == "SUCCESS"


def test_bucket_fills_again_within_a_minute() -> None:
    now = [0.0]
    rates = Rates(6, lambda: now[0])
    assert [rates.allows("a") for _ in range(7)] == [True] * 6 + [False]
    now[0] = 9.0
    assert not rates.allows("a")
    now[0] = 10.0
    assert rates.allows("a")
    assert not rates.allows("a")
    now[0] = 1000.0
    assert [rates.allows("a") for _ in range(7)] == [True] * 6 + [False], "it holds no more than a minute's"
    assert [rates.allows("b", 2.0) for _ in range(13)] == [True] * 12 + [False]


def test_callers_who_have_not_come_for_longest_are_forgotten() -> None:
    rates = Rates(1, lambda: 0.0, most=3)
    for caller in ("a", "b", "c"):
        assert rates.allows(caller)
    assert not rates.allows("a")
    assert rates.allows("d")
    assert not rates.allows("a")
    assert rates.allows("b"), "forgotten"
