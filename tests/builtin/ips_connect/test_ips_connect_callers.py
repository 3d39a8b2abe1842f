"""From where accounts may be changed: the addresses of slaves, and slave_networks."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from integration_server import DirectoryUnavailable, Resolver
from integration_server.builtin.ips_connect.callers import Caller, Callers
from integration_server.builtin.ips_connect.keys import key_of_id
from integration_server.builtin.ips_connect.methods import METHODS
from integration_server.builtin.ips_connect.registry import Registry
from tests.builtin.ips_connect.master_site import (
    A_ADDRESS,
    A_KEY,
    B_ADDRESS,
    B_KEY,
    HASH,
    SALT,
    STRANGER,
    A,
    B,
    K,
    MasterSite,
    Names,
    signed,
)
from tests.waiting import wait_for

AGAIN = socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
CHANGES = sorted(method.name for method in METHODS.values() if method.is_pushed)
VALUES = {"name": "X", "email": "x@example.com", "pass_hash": HASH, "pass_salt": SALT, "status": "1", "remove": "2"}


@pytest.mark.parametrize("do", CHANGES)
def test_strangers_change_nothing(master: MasterSite, caplog: pytest.LogCaptureFixture, do: str) -> None:
    ann = master.register("Ann")
    master.register("Bob")
    before = master.events()
    answer = master.call(do, id=ann, **VALUES, caller=STRANGER)
    assert answer["status"] == "BAD_KEY"
    assert f"{STRANGER} is not the address of one" in answer["message"]
    assert "slave_networks" in answer["message"]
    assert master.events() == before
    assert f"mount gw: {do} was refused to {STRANGER}" in caplog.text
    assert not any(secret in caplog.text + str(answer) for secret in (K, HASH, SALT, A_KEY, key_of_id(K, str(ann))))


@pytest.mark.parametrize("do", CHANGES)
def test_strangers_with_a_wrong_key_are_told_no_more_than_that(master: MasterSite, do: str) -> None:
    assert master.call(do, id=1, **VALUES, key="wrong", caller=STRANGER) == {"status": "BAD_KEY"}


def test_strangers_are_not_told_what_is_missing(master: MasterSite) -> None:
    assert master.status("changeName", id=1, caller=STRANGER) == "BAD_KEY"
    assert master.status("changeName", id=1) == "REQUEST_MISSING_DATA"


def test_strangers_may_ask_and_become_slaves(master: MasterSite) -> None:
    master.register("Ann")
    for do, sent in (
        ("fetchSalt", {"id": "Ann", "idType": 1}),
        ("login", {"id": "Ann", "idType": 1, "password": HASH}),
        ("fetchId", {"id": "Ann", "idType": 1}),
        ("checkEmail", {"email": "x"}),
        ("checkName", {"name": "x"}),
        ("disableSlave", {"url": B}),
        ("verifySettings", {"url": B, "ourKey": B_KEY}),
    ):
        assert master.status(do, caller=STRANGER, **sent) == "SUCCESS"


@pytest.mark.parametrize(
    ("caller", "may"),
    [
        *((A_ADDRESS, True), (f"::ffff:{A_ADDRESS}", True), (B_ADDRESS, True), ("2a00::b", True), ("2a00:0::0b", True)),
        *(
            (STRANGER, False),
            ("2a00::c", False),
            ("127.0.0.1", False),
            ("::1", False),
            ("", False),
            ("nonsense", False),
        ),
    ],
)
def test_every_address_of_a_slave_will_do(master: MasterSite, caller: str, may: bool) -> None:
    master.call("verifySettings", url=B, ourKey=B_KEY)
    answer = master.request(query_string=signed("validate", id=1), caller=caller).get_json()
    assert answer["status"] == ("SUCCESS" if may else "BAD_KEY")


@pytest.mark.parametrize(
    ("url", "caller"),
    [
        ("http://20.0.0.9/gw", "20.0.0.9"),
        ("http://[2a00::9]/gw", "2a00:0::9"),
        ("http://[::ffff:20.0.0.9]/", "20.0.0.9"),
    ],
)
def test_slave_whose_url_is_an_address_calls_from_there(master: MasterSite, url: str, caller: str) -> None:
    assert master.status("validate", id=1, caller=caller) == "BAD_KEY"
    assert master.status("verifySettings", url=url, ourKey=B_KEY) == "SUCCESS"
    assert master.status("validate", id=1, caller=caller) == "SUCCESS"


@pytest.mark.parametrize(
    ("caller", "may"), [("20.9.9.9", True), ("::ffff:20.9.9.9", True), ("2a00:1::5", True), ("20.9.8.9", False)]
)
def test_slave_networks_may_change_accounts_too(make_master: Callable[..., MasterSite], caller: str, may: bool) -> None:
    site = make_master(slave_networks=["20.9.9.0/24", "2a00:1::/32"])
    assert site.status("validate", id=1, caller=caller) == ("SUCCESS" if may else "BAD_KEY")


def test_one_line_for_each_address_and_minute(master: MasterSite, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    for _ in range(5):
        for caller in (STRANGER, "20.9.9.8"):
            assert master.status("validate", id=1, caller=caller) == "BAD_KEY"
    assert len([one for one in caplog.records if "was refused to" in one.getMessage()]) == 2


def test_caller_is_told_that_names_cannot_be_resolved_now(
    master: MasterSite, names: Names, caplog: pytest.LogCaptureFixture
) -> None:
    names.found["a.example"] = AGAIN
    response = master.request(query_string=signed("validate", id=1))
    assert response.status_code == 503
    assert "cannot be resolved" in response.get_json()["error"]
    assert "key=" not in caplog.text


# -- with a clock ----------------------------------------------------------------------------------------------------


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def patience() -> float:
    return 20.0


@pytest.fixture
def callers(master: MasterSite, names: Names, clock: Clock, patience: float) -> Callers:
    """Slaves A and B, of which nothing is known yet."""
    master.call("verifySettings", url=B, ourKey=B_KEY)
    names.asked.clear()
    gateway = master.installation.gateway("gw")
    registry = Registry("gw", "forum", gateway.receivers("ips_connect"), gateway.http, (), clock)
    return Callers(registry, (), Resolver(), clock, patience)


def settled(callers: Callers, address: str, clock: Clock) -> Caller:
    """Who is there, once what was asked is answered."""

    def is_slave() -> bool:
        clock.now += 1.5
        return callers.caller(address).is_slave

    wait_for(is_slave)
    return callers.caller(address)


def test_names_are_resolved_once_a_minute(callers: Callers, names: Names, clock: Clock) -> None:
    for _ in range(3):
        assert callers.may_change(A_ADDRESS)
        assert callers.may_change(B_ADDRESS)
    assert sorted(names.asked) == ["a.example", "b.example"]
    clock.now += 61
    assert callers.may_change(A_ADDRESS)
    assert sorted(names.asked) == ["a.example", "a.example", "b.example", "b.example"]


def test_new_address_of_a_slave_counts_within_seconds(callers: Callers, names: Names, clock: Clock) -> None:
    assert callers.may_change(A_ADDRESS)
    names.found["a.example"] = ("20.0.0.77",)
    clock.now += 1
    assert not callers.may_change("20.0.0.77")
    assert len(names.asked) == 2, "not for every stranger"
    clock.now += 5
    assert callers.may_change("20.0.0.77")
    assert not callers.may_change(A_ADDRESS)


def test_old_address_of_a_slave_counts_for_a_minute(callers: Callers, names: Names, clock: Clock) -> None:
    assert callers.may_change(A_ADDRESS)
    names.found["a.example"] = ("20.0.0.77",)
    clock.now += 59
    assert callers.may_change(A_ADDRESS)
    clock.now += 2
    assert not callers.may_change(A_ADDRESS)


def test_what_was_known_counts_on_while_names_cannot_be_resolved(callers: Callers, names: Names, clock: Clock) -> None:
    assert callers.may_change(A_ADDRESS)
    names.found.update({"a.example": AGAIN, "b.example": AGAIN})
    clock.now += 3600
    assert callers.may_change(A_ADDRESS)
    assert not callers.may_change(STRANGER), "all that there is to know is known"


def test_name_that_is_no_more_has_no_address(callers: Callers, names: Names, clock: Clock) -> None:
    assert callers.may_change(A_ADDRESS)
    names.found["a.example"] = socket.gaierror(socket.EAI_NONAME, "unknown")
    clock.now += 61
    assert not callers.may_change(A_ADDRESS)


def test_that_a_name_cannot_be_resolved_is_no_verdict(callers: Callers, names: Names, clock: Clock) -> None:
    names.found["a.example"] = AGAIN
    assert callers.may_change(B_ADDRESS)
    with pytest.raises(DirectoryUnavailable, match="cannot be resolved now"):
        callers.may_change(A_ADDRESS)
    names.found["a.example"] = (A_ADDRESS,)
    clock.now += 6
    assert callers.may_change(A_ADDRESS)


@pytest.mark.parametrize("patience", [3.0])
def test_silent_resolver_keeps_only_those_waiting_who_need_it(
    callers: Callers, names: Names, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_answer = threading.Event()
    ask = socket.getaddrinfo

    def slow(host: str, port: int, **options: int) -> object:
        if host == "a.example":
            may_answer.wait(20)
        return ask(host, port, **options)

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    assert callers.caller(A_ADDRESS) == Caller(A_ADDRESS, False), "nothing is waited for"
    assert callers.may_change(B_ADDRESS), "the answer of one is enough"
    with ThreadPoolExecutor(4) as threads:
        waiting = [threads.submit(callers.may_change, A_ADDRESS) for _ in range(4)]
        assert callers.may_change(B_ADDRESS)
        assert callers.caller(B_ADDRESS) == Caller("https://b.example/gw", True)
        assert [type(one.exception(20)) for one in waiting] == [DirectoryUnavailable] * 4
    clock.now += 4
    with pytest.raises(DirectoryUnavailable):
        # Silent for longer than anybody waits: now nobody does.
        callers.may_change(A_ADDRESS)
    may_answer.set()
    assert settled(callers, A_ADDRESS, clock).is_slave
    assert callers.may_change(A_ADDRESS)


def test_callers_are_named_by_their_slave_or_their_address(
    callers: Callers, master: MasterSite, names: Names, clock: Clock
) -> None:
    assert settled(callers, A_ADDRESS, clock) == Caller(A, True)
    assert callers.caller("2a00::b") == callers.caller(B_ADDRESS) == Caller(B, True)
    assert callers.caller(STRANGER) == Caller(STRANGER, False)
    assert callers.caller("2a00:0:0:1::5") == callers.caller("2a00:0:0:1:ffff::") == Caller("2a00:0:0:1::/64", False)
    assert callers.caller("") == Caller("", False)
    master.call("verifySettings", url="https://a.example/other", ourKey=B_KEY)
    clock.now += 2
    assert callers.caller(A_ADDRESS) == Caller(A_ADDRESS, True), "two slaves are there"


def test_long_and_secret_urls_name_no_caller(master: MasterSite, clock: Clock) -> None:
    for url in (f"http://20.0.0.5/gw?key=hidden&{'x' * 300}", f"http://20.0.0.6/{'y' * 300}"):
        master.call("verifySettings", url=url, ourKey=B_KEY)
    gateway = master.installation.gateway("gw")
    registry = Registry("gw", "forum", gateway.receivers("ips_connect"), gateway.http, (), clock)
    callers = Callers(registry, (), Resolver(), clock)
    found = [callers.caller(f"20.0.0.{number}").name for number in (5, 6)]
    assert all(one.startswith("http://20.0.0.") and len(one) <= 64 and "hidden" not in one for one in found)
