"""``ips slaves`` and ``ips key``: what an administrator sees of a network, and changes in it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from integration_server import Receiver
from integration_server.builtin.ips_connect.account import NewPerson
from integration_server.builtin.ips_connect.accounts import Accounts
from integration_server.builtin.ips_connect.master_key import MasterKey
from integration_server.builtin.ips_connect.settings import SlaveSettings
from integration_server.builtin.ips_connect.tables import TABLES
from integration_server.cli.inspection import inspect
from integration_server.server.installation import opened
from integration_server.store.settlements import Settlement
from tests.builtin.ips_connect.command_place import CONFIG, Place

A, B = "https://a.example/gw", "https://b.example/gw"
OTHER_GATEWAY = """
[backends.club]
type = "ips_connect"
[frontends.other]
type = "ips_connect"
path = "/other"
backends = ["club"]
allow_anonymous = true
public_url = "https://sso.example.org/club/"
master_key = "configured-master-key"
"""
CONFIGURED = """
[subscriptions.wiki]
type = "ips_connect"
backend = "forum"
url = "https://wiki.example/gw"
key = "key of the wiki"
accept_empty = true
"""


@pytest.fixture
def place(tmp_path: Path) -> Place:
    made = Place(tmp_path / "a place")
    made.path.mkdir()
    made.with_gateway()
    return made


def register(place: Place, url: str, **more: object) -> Receiver:
    with opened(place.config) as installation:
        values = {"backend": "forum", "url": url, "key": f"key of {url}", **more}
        return installation.gateway("gate").receivers("ips_connect").register(url, values)


def settings(place: Place, url: str, mount: str = "gate") -> Mapping[str, Any]:
    """What is stored of a slave's settings."""
    with place.store() as store:
        found = store.subscriptions.by_uid(f"frontend:{mount}", url)
    assert found is not None
    return {**found.settings, "resource": str(found.resource), "cursor": found.cursor}


def change(place: Place, count: int, origin: str | None = None) -> None:
    with place.accounts() as accounts:
        id = accounts.register(NewPerson("Ann", "ann@x", "h", "s")).account.id
        for number in range(count - 1):
            accounts.set_ban(id, number % 2 == 0, origin)


def fail(place: Place, id: str) -> None:
    """The slave has been down since the epoch's first day."""
    with place.store() as store:
        found = store.subscriptions.get(id)
        assert found is not None
        health = {"state": "resting", "state_reason": "it does not answer: key=x", "failing_since": 86400.0}
        health |= {"probes": 3, "next_probe_at": 2e9}
        progress = {"cursor": found.cursor, "replay_serial": None, "replay_key": None}
        store.settlements.settle([Settlement(id, found.epoch, found.changed_at, None, progress, health)])


# -- slaves ----------------------------------------------------------------------------------------------------------


def test_a_network_without_slaves_says_so(place: Place) -> None:
    result = place.run("slaves")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.startswith("no slave has registered")
    assert place.json("slaves") == []


def test_slaves_are_listed_with_what_waits_and_what_to_do(place: Place) -> None:
    place.with_gateway(CONFIGURED)
    with opened(place.config) as installation:
        installation.forwarding.bring_configured()
    a, b = register(place, A), register(place, B, accept_empty=True)
    change(place, 3)
    change(place, 3, origin=a.id)
    fail(place, b.id)
    wiki, first, second = place.json("slaves")
    assert (wiki["url"], wiki["name"], wiki["is_configured"]) == ("https://wiki.example/gw", "wiki", True)
    assert first == {
        "id": a.id, "url": A, "name": A, "is_configured": False, "state": "ok", "state_reason": None,
        "failing_since": None, "accept_empty": False, "waiting": 4, "parked": 0, "held": 0, "dead": 0, "unread": 4,
    }  # fmt: skip
    assert (second["state"], second["failing_since"], second["waiting"]) == ("resting", "1970-01-02T00:00:00Z", 6)
    result = place.run("slaves")
    assert result.exit_code == 0
    lines = [line.split() for line in result.stdout.splitlines()]
    assert " ".join(lines[0]) == "URL CONFIGURED AS STATE SINCE WAITING EMPTY IS SUCCESS WHY"
    assert lines[1][:3] == ["https://wiki.example/gw", "wiki", "ok"]
    assert "it does not answer" in result.stdout
    assert f"integration-server subscriptions show {b.id}" in result.stderr
    assert f"integration-server subscriptions resume {b.id}" in result.stderr
    assert "deliveries" not in result.stderr, "nothing was handed to it"
    assert a.id not in result.stderr
    assert "key of" not in result.stdout + result.stderr


def test_slaves_of_another_gateway_are_not_listed(place: Place) -> None:
    place.with_gateway(OTHER_GATEWAY + CONFIGURED)
    with opened(place.config) as installation:
        installation.forwarding.bring_configured()
    register(place, A)
    asked = place.run("slaves")
    assert asked.exit_code == 2
    assert "--mount gate or other" in asked.stderr
    assert [one["url"] for one in place.json("slaves", "--mount", "gate")] == ["https://wiki.example/gw", A]
    assert place.json("slaves", "--mount", "other") == []


def test_an_answer_that_is_empty_can_be_made_a_success(place: Place) -> None:
    register(place, A, timeout_seconds=5.0, allow_networks=["10.0.0.0/8"])
    change(place, 2)
    before = settings(place, A)
    result = place.run("slaves", "set", A, "--accept-empty")
    assert (result.exit_code, result.stdout) == (0, f"{A}: an empty answer is a success\n")
    assert settings(place, A) == {**before, "accept_empty": True}
    assert before["key"] == f"key of {A}"
    assert place.run("slaves", "set", A, "--no-accept-empty").exit_code == 0
    assert settings(place, A) == {**before, "accept_empty": False}
    assert place.run("slaves", "set", A).exit_code == 2
    with opened(place.config) as installation:
        (one,) = installation.gateway("gate").receivers("ips_connect").all()
    assert isinstance(one.settings, SlaveSettings)


def test_a_slave_that_is_told_nothing_is_not_begun_by_a_setting(place: Place) -> None:
    one = register(place, A)
    with opened(place.config) as installation:
        installation.gateway("gate").receivers("ips_connect").end(one.id, "it said DISABLED")
    change(place, 2)
    refused = place.run("slaves", "set", A, "--accept-empty")
    assert refused.exit_code == 2
    assert "resume" in refused.stderr
    assert place.json("slaves")[0]["state"] == "ended"
    result = place.run("slaves", "resume", A)
    assert (result.exit_code, result.stdout) == (0, f"resumed: {A}\n")
    assert f"subscriptions replay {one.id} --everybody" in result.stderr
    assert place.json("slaves")[0]["state"] == "ok"
    assert place.run("slaves", "set", A, "--accept-empty").exit_code == 0
    with place.store() as store:
        store.subscriptions.change(one.id, is_active=False)
    assert place.json("slaves")[0]["state"] == "paused"


def test_a_slave_is_forgotten_with_what_waits(place: Place) -> None:
    register(place, A)
    change(place, 2)
    unasked = place.run("slaves", "remove", A)
    assert unasked.exit_code == 2
    assert "--yes" in unasked.stderr
    assert place.run("slaves", "remove", A, "--yes").stdout == f"removed: {A}\n"
    assert place.json("slaves") == []
    unknown = place.run("slaves", "remove", A, "--yes")
    assert unknown.exit_code == 2
    assert f"there is no slave {A}; there are: none" in unknown.stderr


def test_what_stands_in_the_configuration_is_changed_there(place: Place) -> None:
    place.with_gateway(CONFIGURED)
    with opened(place.config) as installation:
        installation.forwarding.bring_configured()
    for url in ("https://wiki.example/gw", "wiki"):
        result = place.run("slaves", "set", url, "--no-accept-empty")
        assert result.exit_code == 3
        assert "[subscriptions.wiki]" in result.stderr
        assert "accept_empty = false" in result.stderr
    assert place.run("slaves", "remove", "wiki", "--yes").exit_code == 3
    assert place.run("slaves", "resume", "wiki").exit_code == 0


def test_slave_that_a_person_added_by_command_is_shown_and_changed_there(place: Place) -> None:
    words = ("--type", "ips_connect", "--backend", "forum", "--url", A, "--set", "key=k-k-k-k-k-k-k-k-k-k")
    assert place.command("subscriptions", "add", "shop", *words, "-c", place.config).exit_code == 0
    assert [one["url"] for one in place.json("slaves")] == [A]
    twice = place.command("subscriptions", "add", "again", *words, "-c", place.config)
    assert (twice.exit_code, "shop tells this receiver already" in twice.stderr) == (2, True)
    for refused in (place.run("slaves", "set", A, "--accept-empty"), place.run("slaves", "remove", A, "--yes")):
        assert refused.exit_code == 2
        assert "integration-server subscriptions remove shop" in refused.stderr
    assert place.run("slaves", "resume", A).exit_code == 0


@pytest.mark.parametrize("words", [("ips", "slaves", "resume"), ("subscriptions", "resume")])
def test_slave_that_left_and_is_resumed_begins_with_what_happens_from_now_on(
    place: Place, words: tuple[str, ...]
) -> None:
    id = register(place, A).id
    with place.store() as store:
        store.settlements.end(id, "it answers DISABLED")
        Accounts("forum", store.storage(TABLES)).register(NewPerson("Ann", "ann@example.org", "hash", "salt"))
    assert place.command(*words, id, "-c", place.config).exit_code == 0
    with place.store() as store:
        found = store.subscriptions.get(id)
        assert found is not None
        assert (found.state, found.cursor) == ("ok", store.journal.last_serial()) == ("ok", 1)


def test_a_url_that_steers_a_terminal_is_shown_harmless(place: Place) -> None:
    result = place.run("slaves", "remove", "https://x/\x1b[31m", "--yes")
    assert "\x1b" not in result.stderr


def test_a_configuration_without_a_gateway_is_said(place: Place) -> None:
    place.write(CONFIG)
    for words in (("slaves",), ("key", "show"), ("key", "rotate")):
        result = place.run(*words)
        assert (result.exit_code, result.stderr) == (
            3,
            "error: the configuration has no frontend of type ips_connect\n",
        )


# -- the key ---------------------------------------------------------------------------------------------------------


def test_the_key_and_where_slaves_find_the_gateway_are_shown(place: Place) -> None:
    first = place.json("key", "show")
    with place.store() as store:
        assert MasterKey("forum", store.storage(TABLES), None).value() == first["master_key"]
    assert len(first["master_key"]) == 32
    assert first == {
        "gateway_url": "http://127.0.0.1:8123/ips",
        "base_url": "http://127.0.0.1:8123/ips/",
        "usual_url": "http://127.0.0.1:8123/ips/applications/core/interface/ipsconnect/ipsconnect.php",
        "is_public_url": False,
        "master_key": first["master_key"],
        "is_configured": False,
    }
    result = place.run("key", "show")
    assert result.stdout.splitlines()[:2] == [
        "gateway URL      http://127.0.0.1:8123/ips",
        f"master key       {first['master_key']}",
    ]
    assert "frontends.gate.public_url is not set" in result.stderr


def test_a_public_url_and_a_configured_key_are_shown_as_they_stand_there(place: Place) -> None:
    place.with_gateway(OTHER_GATEWAY)
    found = place.json("key", "show", "--mount", "other")
    assert (found["gateway_url"], found["base_url"]) == (
        "https://sso.example.org/club",
        "https://sso.example.org/club/",
    )
    assert (found["master_key"], found["is_configured"]) == ("configured-master-key", True)
    assert place.run("key", "show", "--mount", "other").stderr == ""
    refused = place.run("key", "rotate", "--mount", "other", "--yes")
    assert refused.exit_code == 3
    assert str(place.config / "10-all.toml") in refused.stderr
    assert "frontends.other.master_key" in refused.stderr


def test_check_warns_of_a_configured_key_that_is_short(place: Place) -> None:
    def warned(key: str) -> bool:
        place.with_gateway(f'master_key = "{key}"\n')
        lines = [line for line in inspect(place.config, 5.0, False) if line.where == "[frontends.gate]"]
        assert not any(key in line.message for line in lines)
        return any(line.level == "warning" and line.message.startswith("master_key: has fewer") for line in lines)

    assert warned("k" * 15)
    assert not warned("k" * 16)


def test_a_new_key_counts_at_once_and_every_slave_is_named(place: Place) -> None:
    old = place.json("key", "show")["master_key"]
    register(place, A)
    assert place.run("key", "rotate").exit_code == 2, "nobody can be asked"
    assert place.json("key", "show")["master_key"] == old
    result = place.run("key", "rotate", "--yes")
    new = result.stdout.strip()
    assert new != old
    assert len(new) == 32
    assert f"  {A}\n" in result.stderr
    assert place.json("key", "show")["master_key"] == new
    assert place.json("key", "rotate", "--yes")["slaves"] == [A]


def test_a_key_that_slaves_have_already_can_be_given(place: Place) -> None:
    given = "0123456789abcdef0123456789abcdef"
    assert place.run("key", "rotate", "--key-from-stdin", "--yes", input=f"{given}\n").stdout == f"{given}\n"
    assert place.json("key", "show")["master_key"] == given
    short = place.run("key", "rotate", "--key-from-stdin", "--yes", input="short\n")
    assert short.exit_code == 0
    assert "warning: master_key: has fewer than 16 characters" in short.stderr
    assert "warning: master_key: has fewer than 16 characters" in place.run("key", "show").stderr


@pytest.mark.parametrize("key", ["", " ", "two words", "é", "tab\t", "x" * 256])
def test_a_key_that_forms_and_urls_do_not_take_is_refused(place: Place, key: str) -> None:
    before = place.json("key", "show")["master_key"]
    result = place.run("key", "rotate", "--key-from-stdin", "--yes", input=f"{key}\n")
    assert result.exit_code == 2
    assert place.json("key", "show")["master_key"] == before


def test_accounts_of_the_gateway_are_the_ones_that_have_the_key(place: Place) -> None:
    place.with_gateway(OTHER_GATEWAY.replace('master_key = "configured-master-key"\n', ""))
    keys = [place.json("key", "show", "--mount", mount)["master_key"] for mount in ("gate", "other")]
    with place.store() as store:
        storage = store.storage(TABLES)
        assert [MasterKey(name, storage, None).value() for name in ("forum", "club")] == keys
        assert Accounts("forum", storage).count() == 0


@pytest.mark.parametrize(
    ("url", "is_warned"), [("http://shop.example/gw", True), (A, False), ("http://127.0.0.1:81/gw", False)]
)
def test_check_warns_of_a_slave_that_registered_with_plain_http(place: Place, url: str, is_warned: bool) -> None:
    register(place, url)
    said = place.command("check", place.config).stdout
    assert ("warning     subscription http://shop.example/gw: what is sent to it can be read" in said) is is_warned


# -- one account -----------------------------------------------------------------------------------------------------


def test_an_account_is_deleted_and_the_slaves_are_told(place: Place) -> None:
    with place.accounts() as accounts:
        ann = accounts.register(NewPerson("Ann", "ann@example.org", "hash", "salt")).account.id
        accounts.set_ban(ann, True)
    words = ("accounts", "delete", "forum", "Ann@example.org", "--yes", "-c", place.config)
    assert place.command(*words).stdout == "deleted Ann@example.org\n"
    assert place.everybody() == []
    assert "nobody in forum has the address" in place.command(*words).stderr
    with place.store() as store:
        told = [(one.type, one.person_id) for one in store.journal.events(0, 10)]
    assert told[-1] == ("ips_connect.delete", str(ann))
