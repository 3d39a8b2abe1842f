"""Tokens of the API, and the resources that they may see."""

from __future__ import annotations

import re
from typing import Any

import pytest
import sqlalchemy as sa

from integration_server import ConfigError
from integration_server.sdk.events import Event
from integration_server.store.engine import reading
from integration_server.store.resources import Resource
from integration_server.store.schema import tokens as table
from integration_server.store.tokens import SCOPES, Tokens
from tests.directory.house import Clock

ALL = Resource("all")
HQ = Resource("backend", "hq")
STAFF = Resource("group", "hq", "staff")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def tokens(engine: sa.Engine, clock: Clock) -> Tokens:
    return Tokens(engine, clock)


def test_a_token_is_found_by_its_plain_text_and_by_nothing_else(tokens: Tokens) -> None:
    token, plain = tokens.create("wiki", ["sync:admin", "events:read"], [HQ, STAFF, HQ])
    tokens.create("helpdesk", ["events:read"], [ALL])

    assert re.fullmatch(r"ist_[A-Za-z0-9_-]{43}", plain)
    found = tokens.find(plain)
    assert found is not None
    assert (found.id, found.name, found.resources) == (token.id, "wiki", (HQ, STAFF))
    assert found.scopes == ("events:read", "sync:admin")
    for other in (
        plain[:-1] + ("A" if plain[-1] != "A" else "B"),
        plain + "x",
        plain.upper(),
        "",
        "ist_",
        plain + "\n",
    ):
        assert tokens.find(other) is None


def test_the_store_does_not_hold_the_plain_text(tokens: Tokens, engine: sa.Engine) -> None:
    _, plain = tokens.create("wiki", SCOPES, [ALL])
    with reading(engine) as connection:
        row = connection.execute(sa.select(table)).one()

    assert plain[4:] not in repr(row)
    assert plain[4:] not in repr(tokens.all())


def test_a_revoked_token_is_found_no_more_and_stays_on_the_list(tokens: Tokens, clock: Clock) -> None:
    token, plain = tokens.create("wiki", SCOPES, [ALL])
    revoked = tokens.revoke("wiki")

    assert revoked is not None
    assert revoked.id == token.id
    assert tokens.find(plain) is None
    assert [(kept.name, kept.revoked_at) for kept in tokens.all()] == [("wiki", clock.now)]
    assert tokens.revoke("wiki") is None
    assert tokens.revoke("nobody") is None


def test_an_expired_token_is_found_no_more(tokens: Tokens, clock: Clock) -> None:
    _, plain = tokens.create("wiki", SCOPES, [ALL], clock.now + 10)
    clock.now += 9.9
    assert tokens.find(plain) is not None
    clock.now += 0.1
    assert tokens.find(plain) is None


def test_the_time_of_last_use_is_noted_now_and_then(tokens: Tokens, clock: Clock) -> None:
    _, plain = tokens.create("wiki", SCOPES, [ALL])
    used = []
    for _ in range(5):
        tokens.find(plain)
        used.append(tokens.all()[0].used_at)
        clock.now += 25
    start = clock.now - 125
    assert used == [start, start, start, start + 75, start + 75]


@pytest.mark.parametrize(
    ("name", "scopes", "resources", "told"),
    [
        ("wiki", ["events:read"], [ALL], "take another name"),
        ("", ["events:read"], [ALL], "printable"),
        ("a\nb", ["events:read"], [ALL], "printable"),
        (" a", ["events:read"], [ALL], "blanks"),
        ("a" * 201, ["events:read"], [ALL], "200"),
        ("new", [], [ALL], "needs a scope"),
        ("new", ["events:write"], [ALL], "no scope events:write; there are: events:read"),
        ("new", ["events:read"], [], "may see"),
    ],
)
def test_a_token_that_makes_no_sense_is_refused(
    name: str, scopes: Any, resources: list[Resource], told: str, tokens: Tokens
) -> None:
    tokens.create("wiki", SCOPES, [ALL])
    with pytest.raises(ConfigError, match=told):
        tokens.create(name, scopes, resources)
    assert [token.name for token in tokens.all()] == ["wiki"]


@pytest.mark.parametrize(
    ("mine", "other", "is_covered"),
    [
        (ALL, ALL, True),
        (ALL, STAFF, True),
        (HQ, HQ, True),
        (HQ, STAFF, True),
        (HQ, ALL, False),
        (HQ, Resource("backend", "branch"), False),
        (HQ, Resource("group", "branch", "staff"), False),
        (STAFF, STAFF, True),
        (STAFF, HQ, False),
        (STAFF, ALL, False),
        (STAFF, Resource("group", "hq", "Staff"), False),
    ],
)
def test_a_resource_covers_itself_and_what_lies_in_it(mine: Resource, other: Resource, is_covered: bool) -> None:
    assert mine.covers(other) is is_covered


def _event(type: str, group: str | None = None, groups: tuple[str, ...] = (), backend: str = "hq") -> Event:
    return Event(1, "evt_1", type, backend, "7", 0.0, group=group, groups=groups)


@pytest.mark.parametrize(
    ("event", "is_matched"),
    [
        (_event("user.updated", groups=("staff", "mail")), True),
        (_event("user.deleted", groups=("mail",)), False),
        (_event("user.created"), False),
        (_event("membership.added", "staff", ("staff", "mail")), True),
        (_event("membership.added", "mail", ("staff", "mail")), False),
        (_event("membership.removed", "staff", ("staff",), "branch"), False),
    ],
)
def test_a_group_has_its_memberships_and_its_people_before_or_after(event: Event, is_matched: bool) -> None:
    assert STAFF.matches(event) is is_matched
    assert HQ.matches(event) is (event.backend == "hq")
    assert ALL.matches(event)


def test_a_resource_is_written_and_read_as_json() -> None:
    for resource in (ALL, HQ, STAFF):
        assert Resource.from_json(resource.as_json()) == resource
    assert STAFF.as_json() == {"kind": "group", "backend": "hq", "group": "staff"}
    for value in ({}, {"kind": "all", "backend": "hq"}, {"kind": "group", "backend": "hq"}, {"kind": "backend"}):
        with pytest.raises(ValueError, match="resource"):
            Resource.from_json(value)
    with pytest.raises(ValueError, match="resource"):
        Resource.from_json({"kind": "backend", "backend": 7})


def test_tokens_are_paged_by_name(tokens: Tokens) -> None:
    for name in ("b", "c", "a"):
        tokens.create(name, ["events:read"], [ALL])
    tokens.revoke("b")

    assert [one.name for one in tokens.page("", 2)] == ["a", "b"]
    assert [one.name for one in tokens.page("b", 2)] == ["c"]
