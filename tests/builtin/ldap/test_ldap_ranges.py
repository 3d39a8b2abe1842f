"""Attributes that come in portions (range retrieval) are read whole or are an error, however the server behaves."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Sequence

import pytest

from integration_server import BackendTimeout, Deadline, IncompleteListing
from integration_server.builtin.ldap import ranges, search
from integration_server.builtin.ldap.messages import Scope, Search, present
from tests.builtin.ldap.fake_server import HANG_UP, SEARCH, FakeServer, done, entry
from tests.builtin.ldap.opened import Opened

Serve = Callable[..., FakeServer]
Open = Callable[..., Opened]
#: ``(message_id, attribute, place, turn)`` to the answer to the request of a range, the turn counting them.
Tell = Callable[[int, str, int, int], bytes]

_ASKED = re.compile(rb"([A-Za-z]+);range=(\d+)-\*")
_TOTAL = 4321
_VALUES = [f"v{i}@example.org" for i in range(_TOTAL)]


def portion(values: Sequence[str], first: int, size: int = 1500, name: str = "mail") -> dict[str, Sequence[str]]:
    """What a domain controller gives of an attribute from a place on."""
    end = first + size
    last = "*" if end >= len(values) else str(end - 1)
    return {f"{name}__range={first}-{last}": values[first:end]}


@pytest.fixture
def open_on(fake_server: Serve, open_ldap: Open) -> Callable[..., Opened]:
    """``open_on(tell)``: one person, whose addresses come in portions; ``tell`` answers requests for more of them."""

    def start(tell: Tell, first: Callable[[int], bytes] | None = None, **settings: object) -> Opened:
        turns = itertools.count()

        def answer(n: int, kind: int, body: bytes) -> bytes:
            if kind != SEARCH:
                return b""
            if asked := _ASKED.search(body):
                return tell(n, asked[1].decode(), int(asked[2]), next(turns))
            if first is not None:
                return first(n)
            return entry(n, "a", mail=[], **portion(_VALUES, 0)) + done(n, b"")

        settings = {"map": {"full_name": "uid", "emails": "mail"}, **settings}
        return open_ldap(fake_server(answer).uri, **settings)

    return start


def honest(n: int, name: str, place: int, turn: int) -> bytes:
    return entry(n, "a", mail=[], **portion(_VALUES, place, name=name)) + done(n)


def addresses(opened: Opened) -> list[list[str]]:
    return [[email.address for email in user.emails] for user in opened.users()]


def test_values_in_portions_are_read_to_the_last(open_on: Callable[..., Opened]) -> None:
    opened = open_on(honest)
    assert addresses(opened) == [_VALUES]
    found = opened.find("a")
    assert found is not None
    assert found.attributes["mail"] == _VALUES


@pytest.mark.parametrize("total", [1, 1499, 1500, 1501, 2999, 3000, 3001])
def test_every_size_is_whole(open_on: Callable[..., Opened], total: int) -> None:
    values = _VALUES[:total]
    opened = open_on(
        lambda n, name, place, turn: entry(n, "a", **portion(values, place)) + done(n),
        lambda n: entry(n, "a", **portion(values, 0)) + done(n, b""),
    )
    assert addresses(opened) == [values]


def test_any_attribute_may_come_in_portions_and_fills_every_column_of_its_name(
    open_on: Callable[..., Opened],
) -> None:
    names = ("proxyAddresses", "memberOf", "mail", "proxyaddresses")

    def first(n: int) -> bytes:
        parts = {**portion(_VALUES, 0, name="proxyAddresses"), **portion(_VALUES[:1600], 0, name="memberOf")}
        return entry(n, "a", mail=["one"], **parts) + done(n)

    def tell(n: int, name: str, place: int, turn: int) -> bytes:
        values = _VALUES[:1600] if name.lower() == "memberof" else _VALUES
        return entry(n, "a", **portion(values, place, name=name)) + done(n)

    opened = open_on(tell, first)
    wire = opened.backend._servers.open(Deadline(5), as_service=True)
    asked = Search("dc=x", Scope.SUBTREE, present("uid"))
    rows, _ = search.few(wire, asked, names, Deadline(5), search.Referrals())
    wire.close()
    assert rows == [[_VALUES, _VALUES[:1600], "one", _VALUES]]


def test_pages_go_on_behind_one_whose_values_came_in_portions(fake_server: Serve, open_ldap: Open) -> None:
    order: list[str] = []
    pages = itertools.count()

    def answer(n: int, kind: int, body: bytes) -> bytes:
        if kind != SEARCH:
            return b""
        if asked := _ASKED.search(body):
            order.append("range")
            uid = re.search(rb"uid=(.)", body)
            assert uid is not None
            return entry(n, uid[1].decode(), **portion(_VALUES, int(asked[2]))) + done(n)
        order.append("page")
        page = next(pages)
        if page == 2:
            return entry(n, "e") + done(n, b"")
        some = b"".join(entry(n, "abcd"[2 * page + i], **portion(_VALUES, 0)) for i in range(2))
        return some + done(n, b"%d" % page)

    opened = open_ldap(fake_server(answer).uri, page_size=2, map={"full_name": "uid", "emails": "mail"})
    assert [(user.username, len(user.emails)) for user in opened.users()] == [
        *((uid, _TOTAL) for uid in "abcd"),
        ("e", 0),
    ]
    assert order == ["page", *["range"] * 4, "page", *["range"] * 4, "page"]


def test_a_server_without_pages_may_give_portions_among_many_entries(open_on: Callable[..., Opened]) -> None:
    def first(n: int) -> bytes:
        others, more = (b"".join(entry(n, f"{letter}{i}") for i in range(2500)) for letter in "bc")
        return others + entry(n, "a", **portion(_VALUES, 0)) + more + done(n)

    users = open_on(honest, first, page_size=0).users()
    assert len(users) == 5001
    assert len(users[2500].emails) == _TOTAL


def test_a_value_taken_out_meanwhile_makes_nobody_be_passed_by(open_on: Callable[..., Opened]) -> None:
    changed = _VALUES[:100] + _VALUES[101:]

    def tell(n: int, name: str, place: int, turn: int) -> bytes:
        return entry(n, "a", **portion(changed, place)) + done(n)

    assert addresses(open_on(tell)) == [changed]


def test_values_that_become_few_meanwhile_are_read_as_they_are_then(open_on: Callable[..., Opened]) -> None:
    few = ["x@example.org", "y@example.org"]
    for answer_behind in (lambda n: entry(n, "a") + done(n), lambda n: done(n, None, 1, "out of range")):

        def tell(n: int, name: str, place: int, turn: int, behind: Callable[[int], bytes] = answer_behind) -> bytes:
            return behind(n) if place else entry(n, "a", **portion(few, 0)) + done(n)

        assert addresses(open_on(tell)) == [few]


def _said(values: Sequence[str], name: str) -> Tell:
    return lambda n, asked, place, turn: entry(n, "a", **{name: values}) + done(n)


def _never_the_same(n: int, name: str, place: int, turn: int) -> bytes:
    values = [f"{turn}.{value}" for value in _VALUES[:1600]]
    return entry(n, "a", **portion(values, place)) + done(n)


@pytest.mark.parametrize(
    ("tell", "why"),
    [
        (_never_the_same, "do not stay in their places"),
        (_said(_VALUES[1500:3000], "mail__range=1500-2999"), "from number 1499 on.* from 1500 on"),  # a gap
        (_said(_VALUES[1500:3000], "mail__range=1499-2998"), "begin with number 1499"),
        (_said(_VALUES[1400:3000], "mail__range=1400-2999"), "from number 1499 on.* from 1400 on"),  # an overlap
        (_said(_VALUES[1499:], "cn__range=1499-*"), "does not give those that it announced"),
        (_said(_VALUES[1499:], "mail"), "does not give those that it announced"),
        (_said(_VALUES[1499:1501], "mail__range=1499-2998"), "holds 2 values"),
        (_said(_VALUES[1499:1501], "mail__range=x-y"), "range of .* cannot be read"),
        (_said(_VALUES[1499:1500], "mail__range=1499-1499"), "said to be more"),
        (_said([], "mail__range=1499-1498"), "begin with number 1499"),
        (lambda n, name, place, turn: done(n), "vanished meanwhile"),
        (lambda n, name, place, turn: done(n, None, 32), "vanished meanwhile"),
        (lambda n, name, place, turn: done(n, None, 50), r"insufficientAccessRights"),
        (lambda n, name, place, turn: honest(n, name, place, turn)[: -len(done(n))] * 2 + done(n), "several answers"),
        (lambda n, name, place, turn: HANG_UP, "closed the connection"),
        (lambda n, name, place, turn: honest(n, name, place, turn)[:5000] + HANG_UP, "closed the connection"),
        (lambda n, name, place, turn: entry(n + 1, "a") + done(n), "is answered"),
    ],
    ids=itertools.count(),
)
def test_portions_that_do_not_fit_together_are_no_listing(open_on: Callable[..., Opened], tell: Tell, why: str) -> None:
    with pytest.raises(IncompleteListing, match=why):
        open_on(tell).users()


def test_the_first_portion_must_begin_at_the_beginning(open_on: Callable[..., Opened]) -> None:
    opened = open_on(honest, lambda n: entry(n, "a", **portion(_VALUES, 7)) + done(n, b""))
    with pytest.raises(IncompleteListing, match="begin with number 7"):
        opened.users()


def test_values_without_an_end_are_bounded(open_on: Callable[..., Opened], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranges, "_MOST_PORTIONS", 50)

    with pytest.raises(IncompleteListing, match="have no end"):
        open_on(_endless, _endless_first).users()


def _endless(n: int, name: str, place: int, turn: int) -> bytes:
    return entry(n, "a", **{f"mail__range={place}-{place + 1}": ["same", "same"]}) + done(n)


def _endless_first(n: int) -> bytes:
    return entry(n, "a", **{"mail__range=0-0": ["same"]}) + done(n, b"")


def test_a_server_that_hangs_in_a_portion_is_an_outage(open_on: Callable[..., Opened]) -> None:
    for cut in (0, 3, 2000):
        opened = open_on(lambda n, name, place, turn, cut=cut: honest(n, name, place, turn)[:cut])
        with pytest.raises(BackendTimeout):
            opened.users(0.3)
