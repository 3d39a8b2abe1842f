"""Change feeds of servers that no real one can be brought to be: other domain controllers, broken and cut answers."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integration_server import BackendUnavailable, ComparisonNeeded
from integration_server.builtin.ldap.ber import (
    ENUMERATED,
    OCTETS,
    SEQUENCE,
    SET,
    Malformed,
    boolean,
    element,
    integer,
    octets,
)
from integration_server.builtin.ldap.feeds import controls
from integration_server.builtin.ldap.feeds.scope import filter_attributes
from integration_server.builtin.ldap.library import parsed_filter
from integration_server.builtin.ldap.messages import Message, parts_of
from tests.builtin.ldap.fake_server import HANG_UP, SEARCH, FakeServer, attribute, control, done, result
from tests.builtin.ldap.opened import Opened

Start = Callable[..., FakeServer]
Open = Callable[..., Opened]

BASE = "DC=example,DC=test"
SERVICE = "CN=NTDS Settings,CN=DC1"
ALICE, BOB = (UUID(int=number) for number in (1, 2))
MAP = {"id": "objectGUID", "username": "sAMAccountName"}
DIRSYNC, SYNC_DONE, SYNC_STATE = (
    controls.DIRSYNC,
    "1.3.6.1.4.1.4203.1.9.1.3",
    "1.3.6.1.4.1.4203.1.9.1.2",
)


def entry(message_id: int, dn: str, attributes: dict[str, Sequence[str | bytes]], *also: bytes) -> bytes:
    body = element(
        0x64, octets(dn), element(SEQUENCE, *(attribute(name, values) for name, values in attributes.items()))
    )
    return element(SEQUENCE, integer(message_id), body, *([element(0xA0, *also)] if also else []))


def dirsync_done(message_id: int, cookie: bytes, *, has_more: bool = False, code: int = 0) -> bytes:
    value = element(SEQUENCE, integer(int(has_more)), integer(0), octets(cookie))
    return result(message_id, 0x65, code, "", control(DIRSYNC, value))


@dataclass
class Domain:
    """A domain controller, its people, and what it says to DirSync, one answer after the other."""

    host: str = "dc1"
    invocation: bytes = b"A" * 16
    usn: int = 100
    people: dict[str, UUID] = field(default_factory=lambda: {"alice": ALICE, "bob": BOB})
    groups: dict[str, UUID] = field(default_factory=dict)
    answers: list[Callable[[int], bytes]] = field(default_factory=list)

    def __call__(self, message_id: int, kind: int, body: bytes) -> bytes:
        if kind != SEARCH:
            return b""
        base = parts_of(body)[0][1].decode()
        if base == "":
            return self._root(message_id) + done(message_id)
        if base == SERVICE:
            return entry(message_id, base, {"invocationId": [self.invocation]}) + done(message_id)
        if b"isDeleted" in body and b"uSNChanged" not in body:
            if element(OCTETS, bytes(16)) in body:
                return dirsync_done(message_id, b"now")
            return self.answers.pop(0)(message_id)
        found = [
            entry(message_id, f"CN={name},{BASE}", {"objectGUID": [key.bytes_le], "sAMAccountName": [name]})
            for name, key in self.people.items()
            if key.bytes_le in body
        ]
        if octets("user") not in body:
            found += [
                entry(message_id, f"CN={name},{BASE}", {"objectGUID": [key.bytes_le], "objectClass": ["top", "group"]})
                for name, key in self.groups.items()
                if key.bytes_le in body
            ]
        return b"".join(found) + done(message_id, b"")

    def _root(self, message_id: int) -> bytes:
        return entry(
            message_id,
            "",
            {
                "supportedControl": [DIRSYNC],
                "supportedCapabilities": ["1.2.840.113556.1.4.800"],
                "namingContexts": [BASE],
                "dnsHostName": [self.host],
                "dsServiceName": [SERVICE],
                "highestCommittedUSN": [str(self.usn)],
            },
        )


def changed(key: UUID, name: str, **attributes: Sequence[str | bytes]) -> Callable[[int], bytes]:
    return lambda message_id: entry(message_id, f"CN={name},{BASE}", {"objectGUID": [key.bytes_le], **attributes})


def open_domain(open_ldap: Open, server: FakeServer, feed: str, **more: object) -> Opened:
    settings = {"bases": [BASE], "map": MAP, "change_feed": feed, "ldap_filter": "(objectClass=user)", **more}
    return open_ldap(server.uri, **settings)


# -- Active Directory --------------------------------------------------------------------------------------------------


def test_dirsync_asks_until_there_is_no_more(fake_server: Start, open_ldap: Open) -> None:
    domain = Domain()
    opened = open_domain(open_ldap, fake_server(domain), "dirsync")
    position = opened.position()
    domain.usn += 1
    domain.answers = [
        lambda n: changed(ALICE, "alice", sn=["A"])(n) + dirsync_done(n, b"one", has_more=True),
        lambda n: dirsync_done(n, b"two", has_more=True),
        lambda n: changed(BOB, "bob", sn=["B"])(n) + dirsync_done(n, b"three"),
    ]
    found = opened.told(position)
    assert found.usernames == ["alice", "bob"]
    assert "dGhyZWU=" in found.position


def test_dirsync_that_says_the_same_again_and_again_is_an_outage(fake_server: Start, open_ldap: Open) -> None:
    domain = Domain()
    opened = open_domain(open_ldap, fake_server(domain), "dirsync")
    position = opened.position()
    domain.usn += 1
    domain.answers = [lambda n: dirsync_done(n, b"now", has_more=True)] * 5
    with pytest.raises(BackendUnavailable, match="again and again"):
        opened.told(position)


def test_change_of_the_domain_controller_takes_a_comparison_by_numbers(fake_server: Start, open_ldap: Open) -> None:
    domain = Domain()
    opened = open_domain(open_ldap, fake_server(domain), "usn")
    position = opened.position()
    assert opened.told(position).position == position
    domain.host, domain.usn = "dc2", 5000
    with pytest.raises(ComparisonNeeded, match="those of dc1"):
        opened.told(position)
    domain.host, domain.invocation = "dc1", b"B" * 16
    with pytest.raises(ComparisonNeeded, match="invocationId"):
        opened.told(position)
    domain.invocation, domain.usn = b"A" * 16, 99
    with pytest.raises(ComparisonNeeded, match="gone back"):
        opened.told(position)


def test_dirsync_goes_on_at_another_domain_controller_and_notices_an_old_database(
    fake_server: Start, open_ldap: Open
) -> None:
    domain = Domain()
    opened = open_domain(open_ldap, fake_server(domain), "dirsync")
    position = opened.position()
    domain.invocation, domain.usn = b"B" * 16, 5
    domain.answers = [lambda n: changed(ALICE, "alice", sn=["A"])(n) + dirsync_done(n, b"next")]
    found = opened.told(position)
    assert found.usernames == ["alice"]
    domain.usn = 4
    with pytest.raises(ComparisonNeeded, match="gone back"):
        opened.told(found.position)


@pytest.mark.parametrize("code", [1, 2, 12, 53, 80, 8])
def test_refused_cookie_takes_a_comparison_whatever_the_server_calls_it(
    fake_server: Start, open_ldap: Open, code: int
) -> None:
    domain = Domain()
    opened = open_domain(open_ldap, fake_server(domain), "dirsync")
    position = opened.position()
    domain.usn += 1
    domain.answers = [lambda n: result(n, 0x65, code)]
    with pytest.raises(ComparisonNeeded, match="not accepted any more"):
        opened.told(position)


@pytest.mark.parametrize(
    "answer",
    [
        lambda n: changed(ALICE, "alice")(n) + HANG_UP,
        lambda n: changed(ALICE, "alice")(n)[:-3] + HANG_UP,
        lambda n: done(n),
        lambda n: result(n, 0x65, 0, "", control(DIRSYNC, b"\x30\x03\x02\x01")),
        lambda n: result(n, 0x65, 0, "", control(DIRSYNC, element(SEQUENCE, octets(b"x")))),
        lambda n: entry(n, "CN=x", {"sn": ["no key"]}) + dirsync_done(n, b"next"),
        lambda n: entry(n, "CN=x", {"objectGUID": [b"short"]}) + dirsync_done(n, b"next"),
        lambda n: element(SEQUENCE, integer(n), element(0x64, octets("CN=x"))) + dirsync_done(n, b"next"),
    ],
    ids=["cut", "cut within", "no control", "broken control", "other control", "no key", "bad key", "broken entry"],
)
def test_broken_answer_to_dirsync_is_an_outage(
    fake_server: Start, open_ldap: Open, answer: Callable[[int], bytes]
) -> None:
    domain = Domain()
    opened = open_domain(open_ldap, fake_server(domain), "dirsync")
    position = opened.position()
    domain.usn += 1
    domain.answers = [answer, answer]
    with pytest.raises(BackendUnavailable):
        opened.told(position)


def test_members_that_come_as_a_whole_list_take_a_comparison(fake_server: Start, open_ldap: Open) -> None:
    crew = UUID(int=9)
    domain = Domain(groups={"crew": crew})
    mapped = {**MAP, "groups": "memberOf"}
    opened = open_domain(open_ldap, fake_server(domain), "dirsync", map=mapped)
    position = opened.position()
    domain.usn += 1
    # Who left is not on it.
    domain.answers = [lambda n: changed(crew, "crew", member=["CN=alice"])(n) + dirsync_done(n, b"next")]
    with pytest.raises(ComparisonNeeded, match=r"the group CN=crew.* was changed"):
        opened.told(position)


# -- syncrepl ----------------------------------------------------------------------------------------------------------


def sync_entry(message_id: int, name: str, key: UUID | bytes, state: int, cookie: bytes | None = None) -> bytes:
    octets_of_key = key.bytes if isinstance(key, UUID) else key
    value = element(
        SEQUENCE, integer(state, ENUMERATED), octets(octets_of_key), *([octets(cookie)] if cookie is not None else [])
    )
    return entry(message_id, f"uid={name},{BASE}", {}, control(SYNC_STATE, value))


def sync_done(message_id: int, cookie: bytes | None, *, is_deletes: bool = True) -> bytes:
    value = element(SEQUENCE, *([octets(cookie)] if cookie is not None else []), boolean(is_deletes))
    return result(message_id, 0x65, 0, "", control(SYNC_DONE, value))


def sync_info(message_id: int, value: bytes, name: str = "1.3.6.1.4.1.4203.1.9.1.4") -> bytes:
    return element(SEQUENCE, integer(message_id), element(0x79, octets(name, 0x80), octets(value, 0x81)))


def id_set(message_id: int, *keys: UUID, is_deletes: bool) -> bytes:
    return sync_info(message_id, element(0xA3, boolean(is_deletes), element(SET, *(octets(key.bytes) for key in keys))))


@dataclass
class Provider:
    """A server that syncs, its people, and what it says to a refresh, one answer after the other."""

    people: dict[str, UUID] = field(default_factory=lambda: {"alice": ALICE, "bob": BOB})
    answers: list[Callable[[int], bytes]] = field(default_factory=list)
    gives_cookies: bool = True

    def __call__(self, message_id: int, kind: int, body: bytes) -> bytes:
        if kind != SEARCH:
            return b""
        base = parts_of(body)[0][1].decode()
        if base == "":
            root = {"supportedControl": [controls.SYNC_REQUEST], "namingContexts": [BASE]}
            return entry(message_id, "", root) + done(message_id)
        if body.endswith(element(SEQUENCE, octets("1.1"))):
            if b"00000000-0000" in body:
                return sync_done(message_id, b"now") if self.gives_cookies else HANG_UP
            return self.answers.pop(0)(message_id)
        if parts_of(body)[1][1] == b"\0":
            return entry(message_id, BASE, {"entryUUID": [str(UUID(int=7))]}) + done(message_id)
        found = [
            entry(message_id, f"uid={name},{BASE}", {"entryUUID": [str(key)], "uid": [name]})
            for name, key in self.people.items()
            if str(key).encode() in body
        ]
        return b"".join(found) + done(message_id, b"")


@pytest.fixture
def provider(fake_server: Start, open_ldap: Open) -> tuple[Provider, Opened]:
    provider = Provider()
    opened = open_ldap(fake_server(provider).uri, bases=[BASE], change_feed="syncrepl", syncrepl_mode="refreshOnly")
    return provider, opened


def test_all_ways_to_tell_of_a_change_are_understood(provider: tuple[Provider, Opened]) -> None:
    server, opened = provider
    position = opened.position()
    gone = [UUID(int=number) for number in (11, 12, 13)]
    server.answers = [
        lambda n: b"".join(
            [
                sync_info(n, octets(b"cookie", 0x80)),
                id_set(n, gone[0], is_deletes=True),
                sync_entry(n, "carol", gone[1], controls.State.DELETE, b"other cookie"),
                sync_entry(n, "alice", ALICE, controls.State.ADD),
                sync_entry(n, "bob", BOB, controls.State.MODIFY, b"another cookie"),
                sync_entry(n, "dave", gone[2], controls.State.ADD),
                sync_info(n, b"what others say", "1.2.3"),
                sync_done(n, b"next"),
            ]
        )
    ]
    found = opened.told(position)
    assert found.usernames == ["alice", "bob"]
    assert found.gone == set(map(str, gone))
    assert "bmV4dA==" in found.position


@pytest.mark.parametrize(
    "answer",
    [
        lambda n: id_set(n, ALICE, is_deletes=False) + sync_done(n, b"next"),
        lambda n: sync_done(n, b"next", is_deletes=False),
        lambda n: sync_done(n, None, is_deletes=False),
        lambda n: sync_entry(n, "alice", ALICE, controls.State.PRESENT) + sync_done(n, b"next"),
        lambda n: sync_info(n, element(0xA2, octets(b"c"), boolean(False))) + sync_done(n, b"next"),
    ],
    ids=["ids", "end", "end without a cookie", "entry", "phase"],
)
def test_list_of_who_is_present_is_never_taken_for_deletions(
    provider: tuple[Provider, Opened], answer: Callable[[int], bytes]
) -> None:
    server, opened = provider
    position = opened.position()
    server.answers = [answer]
    with pytest.raises(ComparisonNeeded, match="keeps no log of what was deleted"):
        opened.told(position)


@pytest.mark.parametrize(
    "answer",
    [
        lambda n: sync_entry(n, "alice", ALICE, 1) + HANG_UP,
        lambda n: id_set(n, BOB, is_deletes=True) + HANG_UP,
        lambda n: id_set(n, BOB, is_deletes=True)[:-2] + HANG_UP,
        lambda n: done(n),
        lambda n: result(n, 0x65, 0, "", control(SYNC_DONE, b"\x30\x05\x04")),
        lambda n: sync_entry(n, "alice", b"short", 1) + sync_done(n, b"next"),
        lambda n: sync_entry(n, "alice", ALICE, 9) + sync_done(n, b"next"),
        lambda n: entry(n, f"uid=alice,{BASE}", {}) + sync_done(n, b"next"),
        lambda n: sync_info(n, element(0xA3, boolean(True), element(SET, octets(b"short")))) + sync_done(n, b"next"),
        lambda n: sync_info(n, element(0xA3, element(SET), boolean(True))) + sync_done(n, b"next"),
        lambda n: sync_info(n, element(0xA9)) + sync_done(n, b"next"),
        lambda n: sync_info(n, b"") + sync_done(n, b"next"),
        lambda n: (
            entry(n, "no name", {}, control(SYNC_STATE, element(SEQUENCE, integer(1, 10), octets(ALICE.bytes))))
            + sync_done(n, b"next")
        ),
    ],
    ids=[
        *("cut", "cut after ids", "cut within", "no control", "broken control", "bad key", "unknown state", "no state"),
        *("bad key of many", "wrong order", "unknown kind", "empty", "bad name"),
    ],
)
def test_broken_answer_to_syncrepl_is_an_outage(
    provider: tuple[Provider, Opened], answer: Callable[[int], bytes]
) -> None:
    server, opened = provider
    position = opened.position()
    server.answers = [answer, answer]
    with pytest.raises(BackendUnavailable):
        opened.told(position)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (lambda n: result(n, 0x65, 4096), "4096"),
        (lambda n: result(n, 0x65, 53), "unwillingToPerform"),
        (lambda n: result(n, 0x65, 80), "other"),
        (lambda n: sync_done(n, b""), "not known"),
        (lambda n: sync_done(n, b"csn=20260101000000.000000Z#000000#001#000000"), "servers that write"),
        (lambda n: entry(n, BASE, {}, control(SYNC_STATE, b"")) + sync_done(n, b"x"), None),
    ],
)
def test_cookie_that_is_not_known_takes_a_comparison(
    provider: tuple[Provider, Opened], answer: Callable[[int], bytes], why: str | None
) -> None:
    server, opened = provider
    position = opened.position()
    if why is None:
        server.answers = [lambda n: sync_entry_of_the_root(n) + sync_done(n, b"next")]
        why = "itself was changed, or the server does not know the cookie"
    else:
        server.answers = [answer]
    with pytest.raises(ComparisonNeeded, match=why):
        opened.told(position)


def sync_entry_of_the_root(message_id: int) -> bytes:
    value = element(SEQUENCE, integer(1, ENUMERATED), octets(UUID(int=7).bytes))
    return entry(message_id, BASE.lower(), {}, control(SYNC_STATE, value))


def test_outage_behind_a_refused_cookie_is_an_outage(provider: tuple[Provider, Opened]) -> None:
    server, opened = provider
    position = opened.position()
    server.answers = [lambda n: result(n, 0x65, 53)] * 2
    server.gives_cookies = False
    with pytest.raises(BackendUnavailable):
        opened.told(position)


# -- reading what nobody should trust ----------------------------------------------------------------------------------


@given(value=st.binary(max_size=60), oid=st.sampled_from([DIRSYNC, SYNC_DONE, SYNC_STATE]))
def test_any_octets_in_a_control_are_understood_or_malformed(value: bytes, oid: str) -> None:
    message = Message(1, 0x65, b"", {oid.encode(): value})
    for read in (controls.dirsync_response, controls.sync_done, controls.sync_state):
        read_or_malformed(read, message)


@given(value=st.binary(max_size=60))
def test_any_octets_in_an_intermediate_message_or_entry_are_understood_or_malformed(value: bytes) -> None:
    body = octets("1.3.6.1.4.1.4203.1.9.1.4", 0x80) + octets(value, 0x81)
    for one in (body, value):
        read_or_malformed(controls.sync_info, Message(1, 0x79, one))
    read_or_malformed(controls.parse_entry, value)


def read_or_malformed(read: Callable[[Any], object], value: object) -> None:
    with contextlib.suppress(Malformed):
        read(value)


def test_attributes_of_a_filter_are_found_wherever_they_stand() -> None:
    text = "(&(objectClass=user)(!(cn=x*))(|(mail=*)(uid>=5)(a;lang-de~=b))(memberOf:1.2.3:=CN=x)(:dn:2.3:=y))"
    assert filter_attributes(parsed_filter(text)) == {"objectclass", "cn", "mail", "uid", "a", "memberof"}


def test_flags_of_dirsync_fit_into_a_number_of_32_bits() -> None:
    assert b"\x02\x04\x80\x00\x00\x00" in controls.dirsync_request(b"", is_full_view=True)
    assert b"\x02\x04\x80\x00\x00\x01" in controls.dirsync_request(b"", is_full_view=False)
    numbers = {-129: "0202ff7f", -128: "020180", -1: "0201ff", 0: "020100", 127: "02017f", 128: "02020080"}
    assert {number: integer(number).hex() for number in numbers} == numbers
