"""What slaves are told of each change, to the letter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from integration_server import USER_SNAPSHOT, Event, ping_event
from integration_server.builtin.ips_connect.account import Account
from integration_server.builtin.ips_connect.keys import key_of_id
from integration_server.builtin.ips_connect.methods import METHODS
from integration_server.builtin.ips_connect.pushes import PING, TYPES, pushes

A, B = "a" * 32, "b" * 32
HASH, SALT = "$2a$13$leEvXu77OIwPwNvtZIJvaeAx8EItGHuR3nIlq8416g0gXeJaQdrr2", "leEvXu77OIwPwNvtZIJval"
ALICE = Account(42, "Alice", "alice@example.com", None, HASH, SALT, False, "", 1.0, 1.0)


def unusable() -> tuple[str, str]:
    return "of nobody", "salt of nobody"


def event(method: str, id: str = "42", **after: object) -> Event:
    return Event(1, "evt_1", f"ips_connect.{method}", "forum", id, 1.0, after=after)


def queries(event: Event, account: Account | None, key: str = B) -> list[str]:
    return [push.query(push.key(key)) for push in pushes(event, account, unusable)]


KEY = "b1c48a84286793c8bc8338da95a37110"
SECRETS = f"pass_hash=%242a%2413%24leEvXu77OIwPwNvtZIJvaeAx8EItGHuR3nIlq8416g0gXeJaQdrr2&pass_salt={SALT}"


@pytest.mark.parametrize(
    ("method", "after", "query"),
    [
        (
            "register",
            {"name": "Alice", "email": "alice@example.com", "revalidateUrl": ""},
            f"do=register&key={B}&name=Alice&email=alice%40example.com&{SECRETS}&id=42&revalidateUrl=&slaveCall=1",
        ),
        ("validate", {}, f"do=validate&key={KEY}&id=42&slaveCall=1"),
        ("delete", {}, f"do=delete&key={KEY}&id=42&slaveCall=1"),
        ("ban", {"status": "0"}, f"do=ban&key={KEY}&id=42&status=0&slaveCall=1"),
        ("merge", {"remove": "43"}, f"do=merge&key={KEY}&id=42&remove=43&slaveCall=1"),
        (
            "changeEmail",
            {"email": "new@example.com"},
            f"do=changeEmail&key={KEY}&id=42&email=new%40example.com&slaveCall=1",
        ),
        ("changePassword", {}, f"do=changePassword&key={KEY}&id=42&{SECRETS}&slaveCall=1"),
        ("changeName", {"name": "Åli ce"}, f"do=changeName&key={KEY}&id=42&name=%C3%85li%20ce&slaveCall=1"),
    ],
)
def test_each_change_is_told_as_masters_in_the_field_tell_it(
    method: str, after: Mapping[str, object], query: str
) -> None:
    assert queries(event(method, **after), ALICE) == [query]


def test_key_is_that_of_the_slave() -> None:
    assert "key=2ffd7e52ea2644195dea6850eb729385&" in queries(event("delete"), None, A)[0]
    assert f"key={A}&" in queries(event("register", name="n", email="e", revalidateUrl=""), ALICE, A)[0]


def test_all_that_masters_push_is_pushed() -> None:
    assert {f"ips_connect.{method.name}" for method in METHODS.values() if method.is_pushed} == set(TYPES)


def test_names_are_those_of_the_change_and_secrets_those_of_now() -> None:
    """Later changes follow, and would find the name taken by their own account."""
    later = replace(ALICE, name="Alicia", email="alicia@example.com", pass_hash="newer", pass_salt="salt2")
    (query,) = queries(event("register", name="Alice", email="a@b.example", revalidateUrl="https://x/?a=1&b"), later)
    assert "&name=Alice&email=a%40b.example&pass_hash=newer&pass_salt=salt2&id=42" in query
    assert "&revalidateUrl=https%3A%2F%2Fx%2F%3Fa%3D1%26b&slaveCall=1" in query


def test_account_that_is_gone_has_no_password_to_be_told() -> None:
    assert queries(event("changePassword"), None) == []


def test_account_that_is_gone_is_registered_with_a_password_of_nobody() -> None:
    """Others may have been merged into it before it went, which a slave that does not know it would not do."""
    (query,) = queries(event("register", name="Alice", email="alice@example.com", revalidateUrl=""), None)
    assert "&name=Alice&email=alice%40example.com&pass_hash=of%20nobody&pass_salt=salt%20of%20nobody&id=42&" in query


@pytest.mark.parametrize(
    ("method", "after"), [("delete", {}), ("changeName", {"name": "x"}), ("merge", {"remove": "43"}), ("validate", {})]
)
def test_whatever_else_happened_to_it_is_told(method: str, after: Mapping[str, object]) -> None:
    assert len(queries(event(method, **after), None)) == 1


def test_account_without_a_password_is_registered_with_one_of_nobody() -> None:
    """Slaves refuse empty ones."""
    nothing = replace(ALICE, pass_hash="", pass_salt="")
    (query,) = queries(event("register", name="Alice", email="alice@example.com", revalidateUrl=""), nothing)
    assert "&pass_hash=of%20nobody&pass_salt=salt%20of%20nobody&" in query
    assert queries(event("changePassword"), nothing) == []


def test_everybody_in_a_replay_is_registered_as_they_are() -> None:
    snapshot = Event(7, "evt_7", USER_SNAPSHOT, "forum", "42", 1.0, after={"id": "42", "username": "Alice"})
    validating = replace(ALICE, revalidate_url="https://a.example/")
    (query,) = queries(snapshot, validating)
    assert query.startswith(f"do=register&key={B}&name=Alice&email=alice%40example.com&pass_hash=")
    assert query.endswith("&id=42&revalidateUrl=https%3A%2F%2Fa.example%2F&slaveCall=1")
    assert queries(snapshot, None) == []
    banned = queries(snapshot, replace(ALICE, is_banned=True))
    assert [query.partition("&")[0] for query in banned] == ["do=register", "do=ban"]
    assert banned[1] == f"do=ban&key={KEY}&id=42&status=1&slaveCall=1"


def test_test_changes_nothing_and_shows_the_key() -> None:
    assert pushes(ping_event(1.0), None, unusable) == (PING,)
    id = PING.values["id"]
    # 0 is what slaves give to members whom no master knows.
    assert int(id) > 10**9
    assert PING.query(PING.key(B)) == f"do=validate&key={key_of_id(B, id)}&id={id}&slaveCall=1"


@pytest.mark.parametrize("kind", ["user.updated", "register", "ips_connect.login", "ips_connect."])
def test_events_of_another_kind_are_refused(kind: str) -> None:
    with pytest.raises(ValueError, match="slaves know nothing of"):
        pushes(Event(1, "evt_1", kind, "forum", "42", 1.0, after={}), ALICE, unusable)


def test_event_without_its_details_is_refused() -> None:
    with pytest.raises(ValueError, match="says nothing of name"):
        pushes(event("changeName"), ALICE, unusable)


def test_push_shows_no_secret() -> None:
    for push in pushes(event("changePassword"), ALICE, unusable):
        assert HASH not in repr(push)
        assert set(push.secrets) == {HASH, SALT}
