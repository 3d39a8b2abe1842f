"""A listing is whole or an error, whatever a server says: scripted servers that stop, stammer and lie."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable

import pytest

from integration_server import BackendMisconfigured, BackendTimeout, IncompleteListing
from integration_server.builtin.ldap.ber import SEQUENCE, element, integer, octets
from integration_server.builtin.ldap.messages import parse_cookie
from tests.builtin.ldap.fake_server import (
    HANG_UP,
    SEARCH,
    FakeServer,
    control,
    done,
    entry,
    notice_of_disconnection,
    result,
)
from tests.builtin.ldap.opened import Opened

Serve = Callable[..., FakeServer]
Open = Callable[..., Opened]


@pytest.fixture
def open_on(fake_server: Serve, open_ldap: Open) -> Callable[..., Opened]:
    """``open_on(pages, page_size=2)``: a backend whose n-th search is answered by ``pages[n](message_id)``."""

    def start(*pages: Callable[[int], bytes], **settings: object) -> Opened:
        turns = itertools.count()

        def answer(message_id: int, kind: int, body: bytes) -> bytes:
            return pages[min(next(turns), len(pages) - 1)](message_id) if kind == SEARCH else b""

        settings = {"page_size": 2, "map": {"full_name": "uid", "emails": "uid"}, **settings}
        return open_ldap(fake_server(answer).uri, **settings)

    return start


def cookies(server: FakeServer) -> list[bytes | None]:
    """What each search said of pages: the cookie, None where it asked for no pages."""
    found: list[bytes | None] = []
    for message in server.messages:
        if message.kind == SEARCH:
            found.append(parse_cookie(message.controls))
    return found


def test_pages_are_put_together_in_the_servers_order(open_on: Callable[..., Opened]) -> None:
    opened = open_on(
        lambda n: entry(n, "c") + entry(n, "a") + done(n, b"1"),
        lambda n: entry(n, "b") + entry(n, "d") + done(n, b"2"),
        lambda n: entry(n, "e") + done(n, b""),
    )
    assert opened.usernames() == ["c", "a", "b", "d", "e"]


def test_an_empty_page_with_a_cookie_goes_on(open_on: Callable[..., Opened]) -> None:
    opened = open_on(
        lambda n: entry(n, "a") + done(n, b"1"),
        lambda n: done(n, b"2"),
        lambda n: entry(n, "b") + done(n, b""),
    )
    assert opened.usernames() == ["a", "b"]


def test_one_cookie_for_all_pages_is_fine_while_they_advance(open_on: Callable[..., Opened]) -> None:
    opened = open_on(
        lambda n: entry(n, "a") + done(n, b"0"),
        lambda n: entry(n, "b") + done(n, b"0"),
        lambda n: entry(n, "c") + done(n, b""),
    )
    assert opened.usernames() == ["a", "b", "c"]


def test_each_cookie_is_used_once_and_a_listing_without_pages_sends_none(fake_server: Serve, open_ldap: Open) -> None:
    turns = itertools.count(1)

    def answer(n: int, kind: int, body: bytes) -> bytes:
        turn = next(turns) if kind == SEARCH else 0
        return entry(n, f"u{turn}") + done(n, b"" if turn in (3, 4) else b"cookie %d" % turn) if turn else b""

    server = fake_server(answer)
    assert open_ldap(server.uri, page_size=2).usernames() == ["u1", "u2", "u3"]
    assert cookies(server) == [b"", b"cookie 1", b"cookie 2"]
    assert open_ldap(server.uri, page_size=0).usernames() == ["u4"]
    assert cookies(server)[3:] == [None]


def test_a_cookie_that_is_lost_with_its_connection_fails_the_listing_and_the_next_one_begins_anew(
    fake_server: Serve, open_ldap: Open
) -> None:
    """On another connection it would be refused, or worse: begin with the wrong page (RFC 2696 §3)."""
    turns = itertools.count(1)

    def answer(n: int, kind: int, body: bytes) -> bytes:
        turn = next(turns) if kind == SEARCH else 0
        said = {1: entry(n, "a") + done(n, b"lost"), 2: HANG_UP, 3: entry(n, "a") + done(n, b"new")}
        return said.get(turn, entry(n, "b") + done(n, b"")) if turn else b""

    server = fake_server(answer)
    opened = open_ldap(server.uri, page_size=1)
    with pytest.raises(IncompleteListing, match="closed the connection"):
        opened.users()
    assert cookies(server) == [b"", b"lost"]
    assert opened.usernames() == ["a", "b"]
    assert cookies(server)[2:] == [b"", b"new"]


@pytest.mark.parametrize(("code", "text"), [(53, "paged results cookie is invalid or old"), (12, "00000057: LdapErr")])
def test_a_cookie_that_the_server_does_not_know_any_more_is_no_fault_of_the_settings(
    open_on: Callable[..., Opened], code: int, text: str
) -> None:
    """What slapd and Active Directory say to the cookie of another server behind the same address."""
    opened = open_on(lambda n: entry(n, "a") + done(n, b"1"), lambda n: done(n, None, code, text))
    with pytest.raises(IncompleteListing, match=rf"\({code}\): {text}.*after pages that it gave"):
        opened.users()


def test_a_circle_of_empty_pages_is_no_listing(open_on: Callable[..., Opened]) -> None:
    opened = open_on(lambda n: entry(n, "a") + done(n, b"0"), lambda n: done(n, b"0"))
    with pytest.raises(IncompleteListing, match="again and again"):
        opened.users()


def test_the_same_page_again_is_no_listing(open_on: Callable[..., Opened]) -> None:
    opened = open_on(lambda n: entry(n, "a") + entry(n, "b") + done(n, b"0"))
    with pytest.raises(IncompleteListing, match="again and again"):
        opened.users()


@pytest.mark.parametrize("code", [1, 3, 4, 9, 11, 51, 52, 80, 123])
def test_any_other_end_than_success_is_no_listing(open_on: Callable[..., Opened], code: int) -> None:
    opened = open_on(
        lambda n: entry(n, "a") + entry(n, "b") + done(n, b"1"), lambda n: entry(n, "c") + done(n, b"", code)
    )
    with pytest.raises(IncompleteListing, match=rf"\({code}\)"):
        opened.users()


@pytest.mark.parametrize("code", [2, 10, 18, 32, 50, 53])
def test_being_asked_wrongly_is_told_from_an_outage(open_on: Callable[..., Opened], code: int) -> None:
    opened = open_on(lambda n: done(n, None, code, "because"))
    with pytest.raises(BackendMisconfigured, match=rf"\({code}\): because"):
        opened.users()


def test_a_server_that_cannot_page_names_the_setting(open_on: Callable[..., Opened]) -> None:
    opened = open_on(lambda n: done(n, None, 12))
    with pytest.raises(BackendMisconfigured, match="page_size = 0"):
        opened.users()


def test_a_full_page_without_a_word_of_more_is_no_listing(open_on: Callable[..., Opened]) -> None:
    opened = open_on(lambda n: entry(n, "a") + entry(n, "b") + done(n))
    with pytest.raises(IncompleteListing, match="page_size = 0"):
        opened.users()


def test_a_server_that_ignores_pages_and_gives_everything_is_believed(open_on: Callable[..., Opened]) -> None:
    opened = open_on(lambda n: b"".join(entry(n, f"u{i}") for i in range(2500)) + done(n))
    assert len(opened.usernames()) == 2500


def test_a_connection_that_ends_in_the_middle_is_no_listing(open_on: Callable[..., Opened]) -> None:
    whole = entry(1, "a") + entry(1, "b")
    for cut in (0, 1, 5, len(whole) // 2, len(whole) - 1, len(whole)):
        opened = open_on(lambda n, cut=cut: (entry(n, "a") + entry(n, "b"))[:cut] + HANG_UP)
        with pytest.raises(IncompleteListing, match="closed the connection"):
            opened.users()


def test_a_notice_of_disconnection_is_no_listing(open_on: Callable[..., Opened]) -> None:
    opened = open_on(lambda n: entry(n, "a") + notice_of_disconnection() + done(n, b""))
    with pytest.raises(IncompleteListing, match=r"unavailable\(52\): going down"):
        opened.users()


def test_an_answer_to_another_question_is_no_listing(open_on: Callable[..., Opened]) -> None:
    for lie in (lambda n: entry(n + 1, "a") + done(n, b""), lambda n: entry(n, "a") + done(n + 1, b"")):
        with pytest.raises(IncompleteListing, match="is answered"):
            open_on(lie).users()


def test_answers_of_the_wrong_kind_are_no_listing(open_on: Callable[..., Opened]) -> None:
    with pytest.raises(IncompleteListing, match="cannot be understood"):
        open_on(lambda n: entry(n, "a") + result(n, 0x61)).users()


def test_garbage_is_no_listing(open_on: Callable[..., Opened]) -> None:
    for garbage in (b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x30\x80\x00\x00", b"\x30\x84\x7f\xff\xff\xff", b"\x30\x00"):
        with pytest.raises(IncompleteListing, match="cannot be understood"):
            open_on(lambda n, garbage=garbage: entry(n, "a") + garbage).users()


def test_a_portion_of_an_attribute_that_nobody_wants_is_no_matter(open_on: Callable[..., Opened]) -> None:
    opened = open_on(lambda n: entry(n, "a", **{"member__range=0-1499": ["cn=x"]}) + done(n, b""))
    assert opened.usernames() == ["a"]


def test_words_unasked_for_are_ignored(open_on: Callable[..., Opened]) -> None:
    unasked = notice_of_disconnection().replace(b"20036", b"99999")
    opened = open_on(lambda n: unasked + entry(n, "a") + done(n, b""))
    assert opened.usernames() == ["a"]


def test_an_entry_that_carries_controls_is_read(open_on: Callable[..., Opened]) -> None:
    def with_control(n: int) -> bytes:
        plain = entry(n, "a")
        content = plain[2:] if plain[1] < 0x80 else plain[3:]
        controls = b"\xa0" + bytes([len(control("1.2.3", b"x"))]) + control("1.2.3", b"x")
        size = len(content) + len(controls)
        return b"\x30\x82" + size.to_bytes(2, "big") + content + controls

    assert open_on(lambda n: with_control(n) + done(n, b"")).usernames() == ["a"]


def test_references_are_counted_and_not_followed(
    open_on: Callable[..., Opened], caplog: pytest.LogCaptureFixture
) -> None:
    def with_reference(n: int) -> bytes:
        reference = element(SEQUENCE, integer(n), element(0x73, octets("ldap://elsewhere.example/dc=x")))
        return entry(n, "a") + reference + entry(n, "b") + done(n, b"")

    caplog.set_level("INFO")
    opened = open_on(with_reference)
    assert opened.usernames() == ["a", "b"]
    assert "1 referrals to other servers were not followed, such as ldap://elsewhere.example/dc=x" in caplog.text


def test_a_stammering_server_is_bounded_by_the_deadline(open_on: Callable[..., Opened]) -> None:
    turns = itertools.count()
    opened = open_on(lambda n: done(n, b"%d" % next(turns)))
    started = time.monotonic()
    with pytest.raises(BackendTimeout):
        opened.users(0.5)
    assert time.monotonic() - started < 5


@pytest.mark.parametrize("cut", [1, 9, 30, 60])
def test_a_server_that_hangs_in_the_middle_of_an_entry_is_an_outage(open_on: Callable[..., Opened], cut: int) -> None:
    opened = open_on(lambda n: entry(n, "a") + entry(n, "b")[:cut])
    with pytest.raises(BackendTimeout, match="no answer within the time limit"):
        opened.users(0.3)


def test_a_claim_of_gigabytes_is_refused_at_once(open_on: Callable[..., Opened]) -> None:
    opened = open_on(lambda n: entry(n, "a") + b"\x30\x84\x10\x00\x00\x00" + b"x" * 100)
    with pytest.raises(IncompleteListing, match="claims 268435456 bytes"):
        opened.users()
