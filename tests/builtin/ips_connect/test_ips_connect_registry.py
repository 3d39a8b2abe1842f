"""How slaves come and go: ``verifySettings``, ``disableSlave``, and the log that says why not."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable

import pytest

from integration_server import Receiver
from integration_server.builtin.ips_connect.keys import key_of_id
from integration_server.builtin.ips_connect.registry import Registry
from integration_server.builtin.ips_connect.settings import SlaveSettings
from integration_server.builtin.ips_connect.tables import TABLES
from tests.builtin.ips_connect.master_site import A_KEY, B_KEY, STRANGER, A, B, K, MasterSite, Names

SUCCESS, FAILURE = {"status": "SUCCESS"}, {"status": "FAILURE"}
CONFIGURED = {"subscriptions.theirs": {"type": "ips_connect", "backend": "forum", "url": B, "key": B_KEY}}


def settings(one: Receiver) -> SlaveSettings:
    assert isinstance(one.settings, SlaveSettings)
    return one.settings


def cursor(site: MasterSite, one: Receiver) -> int:
    found = site.installation.store.subscriptions.get(one.id)
    assert found is not None
    return found.cursor


def test_slave_is_a_subscription_with_its_url_and_key(stored_master: MasterSite) -> None:
    stored_master.register("Ann")
    assert stored_master.call("verifySettings", url=B, ourKey=B_KEY, caller=STRANGER) == SUCCESS
    first, second = stored_master.slaves()
    assert (second.name, settings(second).url, settings(second).key.get_secret_value()) == (B, B, B_KEY)
    assert (settings(second).backend, second.is_up, second.is_configured) == ("forum", True, False)
    assert (cursor(stored_master, first), cursor(stored_master, second)) == (0, 1), (
        "it is told what happens from now on"
    )


@pytest.mark.parametrize("key", ["k" * 200, "ключ", "a b&c=d", "$2a$/@"])
def test_keys_are_kept_whole(master: MasterSite, key: str) -> None:
    assert master.call("verifySettings", url=A, ourKey=key) == SUCCESS
    assert settings(master.slaves()[0]).key.get_secret_value() == key


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ({"url": "", "ourKey": B_KEY}, "FAILURE"),
        ({"ourKey": B_KEY}, "FAILURE"),
        ({"url": B, "ourKey": ""}, "FAILURE"),
        ({"url": B}, "FAILURE"),
        ({"url": B, "ourKey": "x" * 300}, "FAILURE"),
        ({"url": B, "ourKey": B_KEY, "key": "wrong"}, "BAD_KEY"),
        ({"url": B, "ourKey": B_KEY, "id": "42", "key": key_of_id(K, "42")}, "BAD_KEY"),
        ({"url": "", "key": "wrong"}, "BAD_KEY"),
        ({"url": B, "ourKey": B_KEY, "slaveCall": "1"}, "DISABLED"),
    ],
)
def test_settings_of_a_slave_are_checked_in_order(master: MasterSite, sent: dict[str, str], status: str) -> None:
    assert master.call("verifySettings", **sent) == {"status": status}
    assert len(master.slaves()) == 1


@pytest.mark.parametrize(
    "url",
    [
        *(
            "ftp://b.example/gw",
            "b.example/gw",
            "javascript:alert(1)",
            "https://",
            "https://b.example:0/",
            "http://[::1",
        ),
        *(
            "https://user:secret@b.example/gw",
            "https://b.example/ gw",
            "http://0x7f.1/gw",
            "https://unknown.example/gw",
        ),
        *("http://10.0.0.7/gw", "http://127.0.0.1/gw", "http://[::1]/gw", "http://[::ffff:10.0.0.7]/gw"),
        *("http://169.254.169.254/latest", "https://private.example/gw", "https://mixed.example/gw", "x" * 3000),
    ],
)
def test_slave_that_cannot_be_called_is_none(
    master: MasterSite, names: Names, caplog: pytest.LogCaptureFixture, url: str
) -> None:
    names.found["mixed.example"] = ("20.0.0.3", "10.0.0.7")
    assert master.call("verifySettings", url=url, ourKey=B_KEY) == FAILURE
    assert len(master.slaves()) == 1
    if len(url) < 3000:
        assert "mount gw: a slave was not registered: " in caplog.text
    is_refused = any(host in url for host in ("10.0.0.7", "127.0.0.1", "[::1]", "169.254", "private.", "mixed."))
    assert ("slave_networks of [frontends.gw]" in caplog.text) is is_refused
    assert not any(secret in caplog.text for secret in (B_KEY, K, "secret"))


@pytest.mark.parametrize(("key", "is_told"), [("k" * 15, True), ("k" * 16, False)])
def test_log_warns_of_a_slave_whose_key_is_short(
    master: MasterSite, caplog: pytest.LogCaptureFixture, key: str, is_told: bool
) -> None:
    assert master.status("verifySettings", url=B, ourKey=key) == "SUCCESS"
    assert ("has a key that its users can find out" in caplog.text) is is_told
    assert key not in caplog.text


def test_name_that_cannot_be_resolved_now_is_told_in_the_log(
    master: MasterSite, names: Names, caplog: pytest.LogCaptureFixture
) -> None:
    names.found["b.example"] = socket.gaierror(socket.EAI_AGAIN, "Temporary failure")
    assert master.call("verifySettings", url=B, ourKey=B_KEY) == FAILURE
    assert "the name of https://b.example cannot be resolved: Temporary failure" in caplog.text


def test_private_addresses_are_taken_from_slave_networks(make_master: Callable[..., MasterSite]) -> None:
    site = make_master(slave_networks=["10.0.0.0/24", "127.0.0.1"])
    for url in ("https://private.example/gw", "http://127.0.0.1:8080/gw"):
        assert site.call("verifySettings", url=url, ourKey=B_KEY) == SUCCESS
    assert site.call("verifySettings", url="http://10.0.1.1/gw", ourKey=B_KEY) == FAILURE
    assert {settings(one).allow_networks for one in site.slaves()} == {("10.0.0.0/24", "127.0.0.1")}


def test_known_slave_keeps_its_place_under_another_key(master: MasterSite) -> None:
    before = master.slaves()[0]
    master.register("Ann")
    assert master.call("verifySettings", url=A, ourKey=B_KEY) == SUCCESS
    (after,) = master.slaves()
    assert (after.id, cursor(master, after)) == (before.id, 0), "what it has not been told yet still comes"
    assert settings(after).key.get_secret_value() == B_KEY


def test_slave_that_left_begins_with_what_happens_from_now_on(
    master: MasterSite, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    master.register("Ann")
    assert master.call("disableSlave", url=A) == SUCCESS
    (gone,) = master.slaves()
    assert (gone.state, gone.reason) == ("ended", "the slave has called disableSlave")
    assert master.call("verifySettings", url=A, ourKey=A_KEY) == SUCCESS
    (back,) = master.slaves()
    assert (back.is_up, cursor(master, back)) == (True, 1)
    offer = f"'integration-server subscriptions replay {back.id} --everybody' tells it of everybody"
    assert offer in caplog.text
    caplog.clear()
    assert master.call("verifySettings", url=A, ourKey=A_KEY) == SUCCESS
    assert offer not in caplog.text


def test_slave_may_leave_twice_and_strangers_may_leave(master: MasterSite) -> None:
    for url in (A, A, B, "", None, "x" * 2048):
        assert master.call("disableSlave", url=url) == SUCCESS
    assert [one.state for one in master.slaves()] == ["ended"]
    assert master.call("disableSlave", url=A, key=key_of_id(K, "")) == {"status": "BAD_KEY"}


def test_only_the_slave_with_that_very_url_leaves(master: MasterSite) -> None:
    for url in (A + "/", A.upper(), "http" + A[5:]):
        assert master.call("disableSlave", url=url) == SUCCESS
    assert master.slaves()[0].is_up


def test_slave_that_left_may_change_nothing_more(master: MasterSite) -> None:
    assert master.status("validate", id=1) == "SUCCESS"
    master.call("disableSlave", url=A)
    assert master.status("validate", id=1) == "BAD_KEY"
    master.call("verifySettings", url=A, ourKey=A_KEY)
    assert master.status("validate", id=1) == "SUCCESS"


def test_configured_slave_is_taken_with_its_own_key_alone(
    make_master: Callable[..., MasterSite], caplog: pytest.LogCaptureFixture
) -> None:
    site = make_master(CONFIGURED)
    site.installation.forwarding.bring_configured()
    assert site.call("verifySettings", url=B, ourKey=A_KEY) == FAILURE
    assert "the subscription theirs wants to be called with another key" in caplog.text
    assert not any(key in caplog.text for key in (A_KEY, B_KEY))
    assert site.call("verifySettings", url=B, ourKey=B_KEY) == SUCCESS
    assert [(one.name, one.is_configured) for one in site.slaves()] == [(A, False), ("theirs", True)]


def test_slave_that_a_person_added_by_command_is_one_like_any_other(master: MasterSite) -> None:
    forwarding, store = master.installation.forwarding, master.installation.store.subscriptions
    values = {"type": "ips_connect", "backend": "forum", "url": B, "key": B_KEY}
    store.add(forwarding.new_subscription("cli", "theirs", values).subscription)
    assert master.call("verifySettings", url=B, ourKey=A_KEY) == FAILURE
    assert master.call("verifySettings", url=B, ourKey=B_KEY) == SUCCESS
    assert [(one.name, one.is_registered, one.is_configured) for one in master.slaves()] == [
        (A, True, False),
        ("theirs", False, False),
    ]
    master.register("Ann", url=B)
    (told,) = master.events()
    assert told[-1] == master.slaves()[1].id, "its own changes are not told to it"


def test_configured_slave_goes_on_when_it_comes_back(make_master: Callable[..., MasterSite]) -> None:
    site = make_master(CONFIGURED)
    site.installation.forwarding.bring_configured()
    site.call("disableSlave", url=B)
    assert site.slaves()[1].state == "ended"
    assert site.call("verifySettings", url=B, ourKey=A_KEY) == FAILURE
    assert site.slaves()[1].state == "ended"
    assert site.call("verifySettings", url=B, ourKey=B_KEY) == SUCCESS
    assert site.slaves()[1].is_up


def test_configured_slave_that_left_begins_with_what_happens_from_now_on(
    make_master: Callable[..., MasterSite],
) -> None:
    site = make_master(CONFIGURED)
    site.installation.forwarding.bring_configured()
    journal = site.installation.store.journal
    site.call("disableSlave", url=B)
    ann = site.register("Ann")
    site.call("verifySettings", url=B, ourKey=B_KEY)
    assert site.slaves()[1].is_up
    assert cursor(site, site.slaves()[1]) == journal.last_serial() == 1
    # One that rests has not left.
    with site.installation.store.storage(TABLES).writing() as connection:
        connection.exec_driver_sql("UPDATE subscriptions SET state = 'resting'")
    site.call("ban", id=ann, status=1)
    site.call("verifySettings", url=B, ourKey=B_KEY)
    assert site.slaves()[1].is_up
    assert (cursor(site, site.slaves()[1]), journal.last_serial()) == (1, 2)


def test_configured_slave_that_the_administrator_stopped_stays_so(make_master: Callable[..., MasterSite]) -> None:
    site = make_master({"subscriptions.theirs": {**CONFIGURED["subscriptions.theirs"], "is_active": False}})
    site.installation.forwarding.bring_configured()
    assert site.call("verifySettings", url=B, ourKey=B_KEY) == SUCCESS
    assert not site.slaves()[1].is_active


def test_slave_whose_table_is_gone_registers_as_any_other(make_master: Callable[..., MasterSite]) -> None:
    site = make_master(CONFIGURED)
    site.installation.forwarding.bring_configured()
    site = make_master()
    assert site.call("verifySettings", url=B, ourKey=A_KEY) == SUCCESS
    assert [one.name for one in site.slaves()] == [A, B]


def test_slaves_of_other_accounts_are_none_of_these(make_master: Callable[..., MasterSite]) -> None:
    tables = {"backends.other": {"type": "ips_connect"}}
    theirs = {"subscriptions.theirs": {**CONFIGURED["subscriptions.theirs"], "backend": "other"}}
    site = make_master({**tables, **theirs})
    site.installation.forwarding.bring_configured()
    site.register("Ann", url=B)
    assert site.events()[-1][-1] is None
    site.call("disableSlave", url=B)
    assert site.slaves()[1].is_up
    assert site.status("validate", id=1, caller="20.0.0.2") == "BAD_KEY"


def test_slave_of_a_mount_that_has_another_name_now_goes_on_where_it_was(
    make_master: Callable[..., MasterSite],
) -> None:
    renamed = {"type": "ips_connect", "path": "/renamed", "backends": ["forum"], "master_key": K}
    site = make_master({"frontends.renamed": renamed})
    site.register("Ann")
    (old,) = site.slaves()
    site.path = "/renamed"
    assert site.call("verifySettings", url=A, ourKey=B_KEY) == SUCCESS
    assert site.slaves() == []
    (new,) = site.installation.gateway("renamed").receivers("ips_connect").all()
    assert (settings(new).url, settings(new).key.get_secret_value()) == (A, B_KEY)
    assert cursor(site, new) == 0, "Ann is yet to be told of"
    assert site.installation.store.subscriptions.get(old.id) is None


@pytest.mark.parametrize("query", ["?key=hidden-in-the-url", "?" + "x" * 1500, "#part", "/" + "x" * 300])
def test_long_urls_and_those_with_a_query_are_kept_whole_and_not_shown(
    stored_master: MasterSite, caplog: pytest.LogCaptureFixture, query: str
) -> None:
    caplog.set_level(logging.INFO)
    for key in (A_KEY, B_KEY):
        assert stored_master.call("verifySettings", url=B + query, ourKey=key) == SUCCESS
    assert stored_master.call("verifySettings", url=B + query + "&y", ourKey=B_KEY) == SUCCESS
    _, found, other = stored_master.slaves()
    assert settings(found).url == B + query
    assert found.name != other.name
    assert max(len(found.name), len(other.name)) <= 200
    assert "hidden-in-the-url" not in found.name + caplog.text
    stored_master.register("Ann", url=B + query)
    assert stored_master.events()[-1][-1] == found.id
    assert stored_master.call("disableSlave", url=B + query) == SUCCESS
    assert stored_master.slaves()[1].state == "ended"


def test_slaves_are_read_once_a_second_and_at_once_where_asked(master: MasterSite) -> None:
    gateway = master.installation.gateway("gw")
    now = [0.0]
    registry = Registry("gw", "forum", gateway.receivers("ips_connect"), gateway.http, (), lambda: now[0])
    assert [one.settings.url for one in registry.slaves()] == [A]
    master.call("verifySettings", url=B, ourKey=B_KEY)
    assert len(registry.slaves()) == 1
    assert registry.origin(B) == master.slaves()[1].id, "whoever is not known is looked for"
    assert len(registry.slaves()) == 2
    master.call("disableSlave", url=B)
    assert len(registry.slaves()) == 2
    now[0] = 1.5
    assert len(registry.slaves()) == 1
