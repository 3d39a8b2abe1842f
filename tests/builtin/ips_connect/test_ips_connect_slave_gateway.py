"""The gateway of a slave: what its master pushes, and how browsers pass through."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from werkzeug.test import TestResponse

from integration_server import ConfigError
from integration_server.builtin.ips_connect.account import NewPerson, State
from integration_server.builtin.ips_connect.enrolment import KnownMaster, MasterRecord
from integration_server.builtin.ips_connect.keys import key_of_id
from integration_server.builtin.ips_connect.master_key import MasterKey
from integration_server.builtin.ips_connect.methods import METHODS
from integration_server.builtin.ips_connect.remote_copy import Copy, Gaps
from integration_server.builtin.ips_connect.tables import TABLES
from integration_server.server.installation import opened
from tests.builtin.ips_connect.tables_gone import tables_gone
from tests.web.sites import Site

KEY = "b" * 32
MASTER = "192.0.2.7"
USUAL = "/slave/applications/core/interface/ipsconnect/ipsconnect.php"
CONFIG = """
[server]
data_dir = "data"
[backends.forum]
type = "ips_connect_remote"
url = "https://master.example/gw"
master_key = "0123456789abcdef0123456789abcdef"
[frontends.slave]
type = "ips_connect_slave"
path = "/slave"
backends = ["forum"]
allow_plain_http = true
master_networks = ["192.0.2.7", "10.1.0.0/16", "2001:db8::/32"]
known_hosts = ["Forum.Example"]
{more}
"""
ALICE = {"name": "Alice", "email": "alice@example.com", "pass_hash": "$2a$13$hash", "pass_salt": "the salt"}
BOB = NewPerson("Bob", "bob@example.com", "hash of bob", "salt of bob")


@dataclass
class Slave:
    """The mount, and the copy behind it."""

    site: Site
    copy: Copy
    record: MasterRecord

    def call(self, do: str | None, address: str = MASTER, path: str = "/slave", **values: str) -> TestResponse:
        sent = {**({} if do is None else {"do": do}), **values}
        headers = {"Referer": referrer} if (referrer := sent.pop("referrer", None)) else {}
        return self.site.request("GET", f"{path}?{urlencode(sent)}", caller=address, headers=headers)

    def push(self, do: str, id: int | str = 42, address: str = MASTER, **values: str) -> Any:
        """The answer to a push with the right key."""
        key = KEY if METHODS[do.lower()].key_rule.name == "RAW" else key_of_id(KEY, str(id))
        sent = {"id": str(id), "slaveCall": "1", "key": key, **values}
        response = self.call(do, address, **sent)
        assert response.status_code == 200, response.text
        assert response.content_type == "application/json"
        return response.get_json()


@pytest.fixture
def open_slave(tmp_path: Path) -> Iterator[Callable[..., Slave]]:
    numbers = itertools.count()
    installations = []

    def make(more: str = "") -> Slave:
        folder = tmp_path / str(next(numbers))
        folder.mkdir()
        (folder / "a.toml").write_text(CONFIG.format(more=more), encoding="utf-8")
        context = opened(folder)
        installation = context.__enter__()
        installations.append(context)
        storage = installation.store.storage(TABLES)
        MasterKey("forum", storage, None).rotate(KEY)
        site = Site(installation, authorization=None)
        return Slave(site, Copy("forum", storage), MasterRecord("forum", storage))

    yield make
    for context in installations:
        context.__exit__(None, None, None)


@pytest.fixture
def slave(open_slave: Callable[..., Slave]) -> Slave:
    """With Bob as 43 in its copy."""
    slave = open_slave()
    slave.copy.adopt(43, BOB)
    slave.record.write(KnownMaster("master.example", ""))
    return slave


SUCCESS = {"status": "SUCCESS"}


# -- pushes ----------------------------------------------------------------------------------------------------------


def test_account_that_is_pushed_is_in_the_copy_under_its_connect_id(slave: Slave) -> None:
    assert slave.push("register", **ALICE, revalidateUrl="https://a.example/") == {**SUCCESS, "connect_id": 42}
    alice = slave.copy.find(42)
    assert alice is not None
    assert (alice.name, alice.email, alice.pass_hash, alice.pass_salt) == tuple(ALICE.values())
    assert (alice.state, alice.revalidate_url) == (State.VALIDATING, "https://a.example/")
    # Again, perhaps with what it was once: it stays as it is.
    assert slave.push("register", **{**ALICE, "name": "Alicia"}) == {**SUCCESS, "connect_id": 42}
    assert slave.copy.find(42) == alice


def test_every_change_is_made_once_and_again_without_complaint(slave: Slave) -> None:
    slave.push("register", **ALICE, revalidateUrl="https://a.example/")

    def alice() -> Any:
        return slave.copy.find(42)

    changes: list[tuple[str, dict[str, str], Callable[[], bool]]] = [
        ("validate", {}, lambda: alice().revalidate_url == ""),
        ("ban", {"status": "1"}, lambda: alice().is_banned),
        ("ban", {"status": "0"}, lambda: not alice().is_banned),
        ("changeEmail", {"email": "new@example.com"}, lambda: alice().email == "new@example.com"),
        ("changeEmail", {"email": "NEW@example.com"}, lambda: alice().email == "NEW@example.com"),
        ("changeName", {"name": "Alicia"}, lambda: alice().name == "Alicia"),
        ("changePassword", {"pass_hash": "H", "pass_salt": "S"}, lambda: alice().pass_hash == "H"),
        ("merge", {"remove": "43"}, lambda: slave.copy.find(43) is None),
        ("delete", {}, lambda: alice() is None),
    ]
    for method, values, is_made in changes:
        for name in (method, method.upper()):
            assert slave.push(name, **values) == SUCCESS, method
            assert is_made(), method
    assert slave.copy.gaps() == Gaps(0, None)


def test_merge_takes_remote_for_remove(slave: Slave) -> None:
    slave.push("register", **ALICE)
    assert slave.push("merge", remote="43") == SUCCESS
    assert slave.copy.find(43) is None


@pytest.mark.parametrize("id", ["99", "0", "-1", "x", "9" * 30, "", "4٢"])
def test_accounts_that_are_not_here_are_a_success(slave: Slave, id: str) -> None:
    values = {"email": "x@example.com", "name": "x", "pass_hash": "H", "pass_salt": "S", "status": "1", "remove": "98"}
    for method in ("validate", "ban", "changeEmail", "changeName", "changePassword", "merge", "delete"):
        assert slave.push(method, id, **values) == SUCCESS
    assert slave.copy.find(43) is not None
    assert slave.copy.count() == 1
    slave.push("ban", id, status="1")
    assert slave.copy.gaps().count == (id == "99")


def test_name_or_address_that_the_master_gives_to_another_is_theirs(slave: Slave) -> None:
    """A slave that refused it would hold up everything that comes after it."""
    assert slave.push("register", **{**ALICE, "email": "BOB@example.com"}) == {**SUCCESS, "connect_id": 42}
    assert slave.copy.find(43) is None
    assert slave.copy.gaps() == Gaps(1, 43)
    slave.push("register", 43, **{**ALICE, "name": "Bob", "email": "robert@example.com"})
    assert slave.push("changeName", name="bob") == SUCCESS
    assert slave.copy.find(42).name == "bob"  # type: ignore[union-attr]


@pytest.mark.parametrize("id", ["", "0", "x", None])
def test_register_without_an_id_is_missing_data(slave: Slave, id: str | None) -> None:
    sent = {"slaveCall": "1", "key": KEY, **ALICE, **({} if id is None else {"id": id})}
    assert slave.call("register", **sent).get_json() == {"status": "REQUEST_MISSING_DATA"}
    assert slave.copy.count() == 1


@pytest.mark.parametrize(
    ("method", "values"),
    [
        *(("register", {**ALICE, name: ""}) for name in ALICE),
        *(("register", {key: value for key, value in ALICE.items() if key != name}) for name in ALICE),
        ("register", {**ALICE, "name": " "}),
        ("register", {**ALICE, "name": "x" * 256}),
        ("register", {**ALICE, "pass_hash": "x" * 1_000}),
        ("changeEmail", {}),
        ("changeEmail", {"email": ""}),
        ("changeName", {"name": ""}),
        ("changePassword", {"pass_hash": "H"}),
        ("changePassword", {"pass_salt": "S"}),
        ("changeName", {"name[]": "x"}),
    ],
)
def test_what_is_missing_is_told(slave: Slave, method: str, values: dict[str, str]) -> None:
    assert slave.push(method, 43, **values) == {"status": "REQUEST_MISSING_DATA"}
    assert slave.copy.find(43).name == "Bob"  # type: ignore[union-attr]


def test_nuls_are_no_part_of_a_value(slave: Slave) -> None:
    assert slave.push("changeName", 43, name="R\0obert\0") == SUCCESS
    assert slave.copy.find(43).name == "Robert"  # type: ignore[union-attr]


def test_wrong_key_is_told_before_anything_else(slave: Slave) -> None:
    for key in ("", "wrong", KEY, key_of_id(KEY, "42"), "é", "*0"):
        for method in ("validate", "changeEmail", "delete", "merge", "ban", "changeName", "changePassword"):
            response = slave.call(method, id="43", slaveCall="1", key=key)
            assert response.get_json() == {"status": "BAD_KEY"}
    assert slave.call("register", slaveCall="1", key=key_of_id(KEY, "42"), id="42").get_json()["status"] == "BAD_KEY"
    assert slave.call("validate", id="43", slaveCall="1").get_json() == {"status": "BAD_KEY"}
    assert slave.copy.find(43) is not None


def test_keys_are_those_of_the_worked_examples(slave: Slave) -> None:
    slave.push("register", **ALICE)
    answer = slave.call("changeEmail", key="b1c48a84286793c8bc8338da95a37110", id="42", email="n@x", slaveCall="1")
    assert answer.get_json() == SUCCESS


@pytest.mark.parametrize("address", ["192.0.2.7", "10.1.255.1", "2001:db8::7", "::ffff:192.0.2.7"])
def test_master_is_answered_from_its_networks(slave: Slave, address: str) -> None:
    assert slave.push("changeName", 43, address, name="Robert") == SUCCESS


@pytest.mark.parametrize("address", ["192.0.2.8", "127.0.0.1", "2001:db9::1", "::ffff:192.0.2.8", ""])
def test_nobody_else_changes_anything_whatever_key_they_saw(
    slave: Slave, address: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Browsers are led here with the very key that would change the account of their user."""
    changes = {"changeName": {"name": "x"}, "delete": {}, "ban": {"status": "0"}, "merge": {"remove": "43"}}
    for method, values in changes.items():
        assert slave.push(method, 43, address, **values) == {"status": "BAD_KEY"}
    assert slave.push("register", 44, address, **ALICE) == {"status": "BAD_KEY"}
    assert slave.copy.find(43).name == "Bob"  # type: ignore[union-attr]
    assert "master_networks" in caplog.text
    caplog.clear()
    assert slave.call("changeName", address, id="43", name="x", slaveCall="1", key="guess").get_json()
    assert "master_networks" not in caplog.text


def test_pushes_come_by_post_and_at_the_usual_path_too(slave: Slave) -> None:
    key = key_of_id(KEY, "43")
    for number, path in enumerate(("/slave", "/slave/", USUAL)):
        data = {"do": "changeName", "id": "43", "name": f"Bob {number}", "slaveCall": "1", "key": key}
        assert slave.site.post(data, path=path, caller=MASTER).get_json() == SUCCESS
        assert slave.copy.find(43).name == f"Bob {number}"  # type: ignore[union-attr]


def test_without_slave_call_nothing_is_changed(slave: Slave) -> None:
    for flag in ("0", ""):
        for method in ("validate", "delete", "changeName", "register"):
            assert slave.push(method, 43, slaveCall=flag, name="x") == {"status": "INVALID_ACTION"}
    assert slave.copy.find(43).name == "Bob"  # type: ignore[union-attr]


@pytest.mark.parametrize("do", [None, "", "nonsense", "_register", "fetchSalt", "login", "fetchId", "checkName"])
def test_other_methods_are_none_of_a_slave(slave: Slave, do: str | None) -> None:
    for key in (KEY, "wrong"):
        response = slave.call(do, key=key, id="43", idType="1", name="Bob", slaveCall="1", password="x")
        assert (response.status_code, response.get_json()["status"]) == (200, "INVALID_ACTION")
        assert "salt" not in response.text


def test_calls_of_version_3_are_recognised(slave: Slave) -> None:
    answer = slave.call(None, act="login", id="bob", password="x").get_json()
    assert answer["status"] == "INVALID_ACTION"
    assert "version 3" in answer["message"]


def test_slave_takes_no_slaves(slave: Slave) -> None:
    values = {"url": "https://c.example/gw", "ourKey": "c" * 32}
    assert slave.call("verifySettings", key="wrong", **values).get_json() == {"status": "BAD_KEY"}
    assert slave.call("verifySettings", key=KEY, **values).get_json() == {"status": "FAILURE"}
    assert slave.call("disableSlave", key=KEY, url="https://c.example/gw").get_json() == SUCCESS
    assert slave.call("disableSlave", key="x", url="https://c.example/gw").get_json() == {"status": "BAD_KEY"}


# -- switched off ----------------------------------------------------------------------------------------------------


def test_what_is_switched_off_says_so_before_it_looks_at_the_key(open_slave: Callable[..., Slave]) -> None:
    slave = open_slave("is_active = false")
    slave.copy.adopt(43, BOB)
    slave.record.write(KnownMaster("master.example", "registered"))
    for key in ("", "wrong"):
        answer = slave.call("changeName", id="43", name="x", slaveCall="1", key=key).get_json()
        assert answer == {"status": "DISABLED"}
    assert slave.record.read() == KnownMaster("master.example", "registered")
    assert slave.push("changeName", 43, name="x") == {"status": "DISABLED"}
    assert slave.copy.find(43).name == "Bob"  # type: ignore[union-attr]
    # The master forgets us now, so it has to be told again when this is on again.
    assert slave.record.read() == KnownMaster("master.example", "")
    assert slave.call("nonsense", slaveCall="1").get_json() == {"status": "INVALID_ACTION"}


# -- browsers --------------------------------------------------------------------------------------------------------

BACK = "https://master.example/gw?do=crossLogin&key=k&id=42&slaveReturn=1&start=1&origReturn=https%3A%2F%2Fa.example%2F"


def visit(slave: Slave, do: str = "crossLogin", back: str = BACK, **more: str) -> TestResponse:
    values = {"id": "42", "key": key_of_id(KEY, "42"), "slaveCall": "1", "url": "https://a.example/gw"}
    return slave.call(do, "203.0.113.9", **{**values, "returnTo": back, **more})


def is_sent_back(response: TestResponse, back: str = BACK) -> bool:
    if response.status_code == 403:
        assert "Location" not in response.headers
        assert response.content_type.startswith("text/html")
        assert "example" not in response.text
        return False
    assert response.status_code == 303
    assert response.headers["Location"] == back
    assert "no-store" in response.headers["Cache-Control"]
    assert (response.headers["Pragma"], response.headers["Expires"]) == ("no-cache", "0")
    return True


@pytest.mark.parametrize("do", ["crossLogin", "logout", "CROSSLOGIN"])
@pytest.mark.parametrize("id", ["42", "43", "99"])
def test_browser_passes_through_unchanged(slave: Slave, do: str, id: str) -> None:
    response = visit(slave, do, id=id, key=key_of_id(KEY, id))
    assert is_sent_back(response)
    assert "Set-Cookie" not in response.headers


def test_browser_passes_through_to_hosts_that_are_known(slave: Slave) -> None:
    for back in ("https://forum.example/", "http://master.example:8080/x?y=z%20&a=%7C#b"):
        assert is_sent_back(visit(slave, back=back), back)
    assert is_sent_back(visit(slave, back="https://forum.example/é?ü"), "https://forum.example/%C3%A9?%C3%BC")
    for back in (
        "https://evil.example/",
        "https://master.example.evil.example/",
        "https://master.example@evil.example/",
        "//master.example/",
        "/local",
        "javascript:alert(1)",
        "https://evil.example\\@master.example/",
        "https://master.example/\r\nSet-Cookie: a=b",
        "",
    ):
        assert not is_sent_back(visit(slave, back=back)), back


def test_script_is_told_where_to_lead_its_browser(slave: Slave) -> None:
    values = {"id": "42", "key": key_of_id(KEY, "42"), "slaveCall": "1", "returnTo": BACK}
    headers = {"X-Requested-With": "XMLHttpRequest"}
    response = slave.site.request("GET", f"/slave?do=logout&{urlencode(values)}", caller=MASTER, headers=headers)
    assert response.get_json() == {"redirect": BACK, "message": ""}


def test_what_only_asks_changes_nothing(slave: Slave) -> None:
    query = urlencode({"do": "delete", "id": "43", "key": key_of_id(KEY, "43"), "slaveCall": "1"})
    response = slave.site.request("HEAD", f"/slave?{query}", caller=MASTER)
    assert response.status_code == 405
    assert slave.copy.count() == 1


def test_before_the_backend_was_used_no_host_is_known(open_slave: Callable[..., Slave]) -> None:
    slave = open_slave()
    assert not is_sent_back(visit(slave))
    assert is_sent_back(visit(slave, back="https://forum.example/"), "https://forum.example/")


def test_wrong_key_skips_this_slave_only_for_browsers_that_come_from_there(slave: Slave) -> None:
    assert is_sent_back(visit(slave, key="wrong", referrer="https://master.example/login"))
    for referrer in ("", "https://a.example/", "https://evil.example/?https://master.example/", "master.example"):
        assert not is_sent_back(visit(slave, key="wrong", referrer=referrer)), referrer
    anywhere = "https://elsewhere.example/"
    assert is_sent_back(visit(slave, back=anywhere, key="wrong", referrer="https://elsewhere.example/x"), anywhere)


def test_without_slave_call_or_id_nobody_passes(slave: Slave) -> None:
    assert not is_sent_back(visit(slave, slaveCall="0"))
    assert not is_sent_back(visit(slave, id="", key=key_of_id(KEY, "")))
    response = slave.call("crossLogin", key=KEY, slaveCall="1", returnTo=BACK)
    assert not is_sent_back(response)


def test_what_is_switched_off_is_skipped_by_browsers_that_come_from_there(open_slave: Callable[..., Slave]) -> None:
    slave = open_slave("is_active = false")
    slave.record.write(KnownMaster("master.example", ""))
    assert not is_sent_back(visit(slave))
    assert is_sent_back(visit(slave, referrer="https://master.example/"))


# -- settings --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("config", "about"),
    [
        (CONFIG.replace('backends = ["forum"]', 'backends = ["other"]'), "ips_connect_remote"),
        (CONFIG.replace('backends = ["forum"]', 'backends = ["forum", "other"]'), "ips_connect_remote"),
        (CONFIG.replace("10.1.0.0/16", "master.example"), "master.example"),
        (CONFIG.replace("Forum.Example", "https://forum.example/"), "known_hosts"),
        (CONFIG.replace("Forum.Example", "forum example"), "known_hosts"),
        ("\n".join(line for line in CONFIG.splitlines() if "master_networks" not in line), "master_networks"),
        (CONFIG.replace('["192.0.2.7", "10.1.0.0/16", "2001:db8::/32"]', "[]"), "master_networks"),
    ],
)
def test_settings_that_cannot_work_are_told(tmp_path: Path, config: str, about: str) -> None:
    text = config.format(more="") + '\n[backends.other]\ntype = "ips_connect"\n'
    (tmp_path / "a.toml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=about), opened(tmp_path) as installation:
        installation.app()


@pytest.mark.parametrize(
    "query",
    [
        "do=register&do[]=x",
        "do=delete&id[]=43&key=x&slaveCall=1",
        "do=crossLogin&id[]=42&slaveCall=1&returnTo[]=x",
        "do=delete&id=%00&key=%00&slaveCall=1",
        "do=changeName&id=43&name=%ff%fe&slaveCall=1&key=x",
        "do=" + "x" * 5_000,
        "do=crossLogin&id=42&slaveCall=1&key=x&returnTo=" + "%25" * 3_000,
        "do=logout&slaveCall=1&returnTo=https://[::1",
        "%00=%00&do=%00",
    ],
)
def test_whatever_is_sent_gets_a_plain_answer(slave: Slave, query: str) -> None:
    for method in ("GET", "POST"):
        response = slave.site.request(method, f"/slave?{query}", caller=MASTER)
        assert response.status_code in (200, 403)
        assert "Traceback" not in response.text
    assert slave.copy.count() == 1


@pytest.mark.parametrize("is_key_known", [False, True])
def test_store_that_is_down_is_no_answer(slave: Slave, is_key_known: bool) -> None:
    """The master keeps what it did not get rid of."""
    if is_key_known:
        slave.push("validate", 43)
    with tables_gone(slave.site.installation.store):
        for do, values in (("changeName", {"name": "x"}), ("register", ALICE), ("delete", {})):
            key = KEY if do == "register" else key_of_id(KEY, "43")
            response = slave.call(do, id="43", slaveCall="1", key=key, **values)
            assert response.status_code == 503
            assert "Retry-After" in response.headers
    assert slave.push("changeName", 43, name="Robert") == SUCCESS


def test_browser_is_led_on_to_where_it_comes_from_while_the_store_is_down(slave: Slave) -> None:
    with tables_gone(slave.site.installation.store):
        assert is_sent_back(visit(slave, referrer="https://master.example/"))
        for referrer in ("https://evil.example/", ""):
            response = visit(slave, referrer=referrer)
            assert (response.status_code, response.headers["Retry-After"]) == (503, "5")
            assert response.content_type.startswith("text/html")
            assert "Location" not in response.headers
