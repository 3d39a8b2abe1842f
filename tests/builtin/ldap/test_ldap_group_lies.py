"""A server that lies while groups are read: nobody appears without a group that they are in."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from integration_server import BackendError, Deadline
from integration_server.builtin.ldap.ber import SEQUENCE, element, integer, octets
from tests.builtin.ldap.fake_server import HANG_UP, SEARCH, FakeServer, attribute, done, entry
from tests.builtin.ldap.opened import Opened

Say = Callable[[int], bytes]

GROUPS = "ou=groups,dc=example,dc=org"
ANN, BOB = "uid=ann,ou=people,dc=example,dc=org", "uid=bob,ou=people,dc=example,dc=org"


def group(n: int, cn: str, /, *members: str, **more: list[str]) -> bytes:
    """A group; ``more`` are further attributes."""
    parts = {"cn": [cn], **({"member": list(members)} if members else {}), **more}
    body = octets(f"cn={cn},{GROUPS}") + element(SEQUENCE, *(attribute(name, each) for name, each in parts.items()))
    return element(SEQUENCE, integer(n), element(0x64, body))


def reference(n: int) -> bytes:
    return element(SEQUENCE, integer(n), element(0x73, octets("ldap://elsewhere")))


@pytest.fixture
def open_on(fake_server: Callable[..., FakeServer], open_ldap: Callable[..., Opened]) -> Callable[..., Opened]:
    """``open_on(say)``: Ann and Bob are honest entries, and groups are what ``say`` says."""

    def opened(say: Say, **groups: object) -> Opened:
        def answer(message_id: int, kind: int, body: bytes) -> bytes:
            if kind != SEARCH:
                return b""
            if GROUPS.encode() in body[: len(GROUPS) + 4]:
                return say(message_id)
            names = [name for name in ("ann", "bob") if f"\x04\x03{name}".encode() in body] or ["ann", "bob"]
            return b"".join(entry(message_id, name) for name in names) + done(message_id, b"")

        server = fake_server(answer)
        table = {"bases": [GROUPS], **groups}
        return open_ldap(server.uri, groups=table, map={"groups": "groups"})

    return opened


def listed(opened: Opened) -> dict[str, tuple[str, ...]]:
    return {user.username: tuple(sorted(user.groups)) for user in opened.users()}


def test_honest_groups_are_read(open_on: Callable[..., Opened]) -> None:
    opened = open_on(lambda n: group(n, "staff", ANN, BOB) + group(n, "admins", ANN) + done(n, b""))
    assert listed(opened) == {"ann": ("admins", "staff"), "bob": ("staff",)}


@pytest.mark.parametrize(
    "say",
    [
        lambda n: HANG_UP,
        lambda n: group(n, "staff", ANN) + HANG_UP,
        lambda n: group(n, "staff", ANN)[:-3] + HANG_UP,
        lambda n: group(n, "staff", ANN) + b"\x30\x84\xff\xff\xff\xff",
        lambda n: group(n, "staff", ANN) + b"garbage",
        lambda n: group(n, "staff", ANN) + done(n, b"", 4, "sizeLimitExceeded"),
        lambda n: group(n, "staff", ANN) + done(n, b"", 3, "timeLimitExceeded"),
        lambda n: group(n, "staff", ANN) + done(n, b"", 11, "adminLimitExceeded"),
        lambda n: group(n, "staff", ANN) + done(n, b"", 52, "unavailable"),
        lambda n: done(n, b"", 32, "noSuchObject"),
        lambda n: done(n, b"", 50, "insufficientAccessRights"),
        lambda n: group(n, "staff", ANN) + done(n + 1, b""),
        lambda n: group(n + 1, "staff", ANN) + done(n, b""),
        lambda n: done(n, b"again"),
        lambda n: group(n, "staff", ANN) + done(n, b"again"),
        lambda n: group(n, "staff", ANN).replace(b"\x04\x02cn", b"\x04\x02xx") + done(n, b""),
        lambda n: group(n, "staff", ANN, cn=["one", "two"]) + done(n, b""),
        lambda n: group(n, "staff", ANN) + group(n, "staff", BOB).replace(b"cn=staff", b"cn=stafF") + done(n, b""),
    ],
)
def test_groups_that_may_lack_somebody_make_the_list_an_error(open_on: Callable[..., Opened], say: Say) -> None:
    opened = open_on(say)
    with pytest.raises(BackendError):
        opened.users(seconds=3)
    with pytest.raises(BackendError):
        opened.backend.groups(Deadline(3))


@pytest.mark.parametrize(
    "say",
    [
        lambda n: group(n, "staff", ANN, **{"member;range=0-0": [BOB]}) + done(n, b""),
        lambda n: group(n, "staff", **{"member;range=5-5": [BOB]}) + done(n, b""),
        lambda n: group(n, "staff", **{"member;range=0-9": [BOB]}) + done(n, b""),
        lambda n: group(n, "staff", **{"member;range=zero-one": [BOB]}) + done(n, b""),
    ],
)
def test_portions_of_members_that_do_not_fit_make_the_list_an_error(open_on: Callable[..., Opened], say: Say) -> None:
    with pytest.raises(BackendError):
        open_on(say).users(seconds=3)


@pytest.mark.parametrize(
    "say",
    [
        lambda n: HANG_UP,
        lambda n: group(n, "staff", ANN)[:-3] + HANG_UP,
        lambda n: group(n, "staff", ANN) + b"garbage",
        lambda n: group(n, "staff", ANN) + done(n, b"", 4, "sizeLimitExceeded"),
        lambda n: done(n, b"", 51, "busy"),
        lambda n: done(n, b"again"),
        lambda n: group(n, "staff", ANN).replace(b"\x04\x02cn", b"\x04\x02xx") + done(n, b""),
    ],
)
def test_a_login_is_no_answer_where_the_groups_are_not_known(open_on: Callable[..., Opened], say: Say) -> None:
    opened = open_on(say)
    with pytest.raises(BackendError):
        opened.find("ann", seconds=3)


def test_groups_that_hang_are_an_outage(open_on: Callable[..., Opened]) -> None:
    opened = open_on(lambda n: group(n, "staff", ANN))
    with pytest.raises(BackendError):
        opened.users(seconds=0.5)
    with pytest.raises(BackendError):
        opened.find("ann", seconds=0.5)


def test_a_group_that_comes_twice_counts_once(open_on: Callable[..., Opened]) -> None:
    opened = open_on(lambda n: group(n, "staff", ANN) + reference(n) + group(n, "staff", ANN, BOB) + done(n, b""))
    assert listed(opened) == {"ann": ("staff",), "bob": ("staff",)}


def test_members_that_are_no_names_are_nobody_and_harm_nobody(open_on: Callable[..., Opened]) -> None:
    odd = ["", "ann", "uid=ann", ",", "=", "uid=ann,", "\udcff".encode("utf-8", "surrogateescape").decode("latin-1")]
    opened = open_on(lambda n: group(n, "odd", *odd, BOB.upper()) + done(n, b""), nested=True)
    assert listed(opened) == {"ann": (), "bob": ("odd",)}
