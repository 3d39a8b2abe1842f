"""The BER decoder as a target: whatever a server sends is an answer that it really gave, or an error of ours.

Against a second decoder, which is slow and plain. ``FUZZ_EXAMPLES=100000`` runs each test that often.
"""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from integration_server import Deadline
from integration_server.builtin.ldap.ber import Malformed, element, integer, octets
from integration_server.builtin.ldap.changes import Change, modification
from integration_server.builtin.ldap.entries import Row
from integration_server.builtin.ldap.results import verdict
from integration_server.builtin.ldap.search import Referrals, few, listing
from integration_server.builtin.ldap.wire import Wire
from tests.builtin.ldap.fake_server import done, entry, notice_of_disconnection, result
from tests.builtin.ldap.second_decoder import (
    NAMES,
    PARSERS,
    SEARCH,
    elements,
    one_by_one_while_good,
    plain,
    spoken,
    told,
)

_EXAMPLES = os.environ.get("FUZZ_EXAMPLES")
#: What LDAP's elements begin with, and some that it does not know.
TAGS = (
    0x01,
    0x02,
    0x04,
    0x0A,
    0x30,
    0x31,
    0x61,
    0x64,
    0x65,
    0x73,
    0x78,
    0x79,
    0x80,
    0x81,
    0x8A,
    0xA0,
    0xA3,
    0x1F,
    0xFF,
)


def fuzzed(examples: int) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """So many examples, or as many as somebody asks for."""
    return settings(
        max_examples=int(_EXAMPLES) if _EXAMPLES else examples,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
    )


# -- what servers might send -----------------------------------------------------------------------------------------


def _element(tag: int, content: bytes, lie: int) -> bytes:
    """An element whose length may be wrong, in the long form, indefinite or absurd."""
    if lie == 1:
        return bytes((tag, 0x84)) + len(content).to_bytes(4, "big") + content
    if lie == 2:
        return bytes((tag, 0x80)) + content + b"\0\0"
    if lie == 3:
        return bytes((tag, 0x84, 0x7F, 0xFF, 0xFF, 0xFF)) + content
    if lie == 4:
        return bytes((tag, (len(content) + 1) & 0x7F)) + content
    if lie == 5:
        return bytes((tag, max(len(content) - 1, 0) & 0x7F)) + content
    return element(tag, content)


tags = st.sampled_from(TAGS)
lies = st.sampled_from((0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5))
leaves = st.one_of(st.binary(max_size=6), st.sampled_from((b"uid", b"mail", b"a", b"", b"\x01", b"mail;range=0-0")))
trees = st.recursive(
    st.builds(_element, tags, leaves, lies),
    lambda inner: st.builds(_element, tags, st.lists(inner, max_size=4).map(b"".join), lies),
    max_leaves=12,
)
#: Something with the head of a message that answers the question.
answers = st.builds(
    lambda tag, body, more: element(0x30, integer(1), element(tag, body), more),
    st.sampled_from((0x61, 0x64, 0x65, 0x73, 0x78, 0x79)),
    st.lists(trees, max_size=3).map(b"".join),
    st.one_of(st.just(b""), trees),
)
GOOD = (
    entry(1, "ann", mail=["a@x", "b@x"]),
    entry(1, "bob", mail=[], description=["y" * 200]),
    element(0x30, integer(1), element(0x73, octets("ldap://elsewhere"))),
    done(1, b""),
    result(1, 0x61),
    result(1, 0x78),
    notice_of_disconnection(),
)


@st.composite
def streams(draw: st.DrawFn) -> bytes:
    """Good messages, strange ones and noise, of which some octets may be others."""
    parts = draw(
        st.lists(
            st.one_of(st.sampled_from(GOOD), st.sampled_from(GOOD), answers, trees, st.binary(max_size=20)), max_size=6
        )
    )
    data = bytearray(b"".join((*parts, draw(st.sampled_from((done(1, b""), done(1), b""))))))
    for _ in range(draw(st.integers(0, 3))):
        if data:
            place = draw(st.integers(0, len(data) - 1))
            if draw(st.booleans()):
                data[place] = draw(st.integers(0, 255))
            else:
                del data[place : place + draw(st.integers(1, 4))]
    return bytes(data)


# -- the targets -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page_size", [0, 5])
@fuzzed(250)
@given(stream=streams())
def test_a_listing_is_what_the_server_gave_or_an_error(stream: bytes, page_size: int) -> None:
    def ask(wire: Wire, deadline: Deadline) -> list[Row]:
        return [row for rows in listing(wire, SEARCH, NAMES, page_size, deadline, Referrals()) for row in rows]

    found = spoken(stream, ask)
    if found is not None:
        assert isinstance(found, list)
        assert [plain(row) for row in found] == told(stream)


@fuzzed(250)
@given(stream=streams())
def test_a_small_search_is_what_the_server_gave_or_an_error(stream: bytes) -> None:
    answer = spoken(stream, lambda wire, deadline: few(wire, SEARCH, NAMES, deadline, Referrals()))
    if answer is not None:
        assert isinstance(answer, tuple)
        rows, ended = answer
        if ended.code == 0:
            assert [plain(row) for row in rows] == told(stream)


@fuzzed(250)
@given(stream=streams())
def test_a_login_succeeds_by_a_successful_bind_alone(stream: bytes) -> None:
    def ask(wire: Wire, deadline: Deadline) -> str:
        ended, policy_error = wire.bind("cn=x", b"secret", deadline)
        return verdict(ended, policy_error, "test").value

    if spoken(stream, ask) == "accepted":
        is_told = False
        for message_id, kind, body in one_by_one_while_good(stream):
            if (message_id, kind) == (1, 0x61):
                is_told = next(elements(body)) in [(0x0A, bytes(size)) for size in range(1, 5)]
                break
        assert is_told


@pytest.mark.parametrize(
    "ask",
    [
        lambda wire, deadline: wire.bind_external(deadline),
        lambda wire, deadline: wire.who_am_i(deadline),
        lambda wire, deadline: wire.start_tls(deadline),
        lambda wire, deadline: wire.write(modification("cn=x", [Change("cn", (b"y",))]), deadline),
        lambda wire, deadline: wire.next(deadline, wire.ask(SEARCH, NAMES, deadline)),
    ],
    ids=["external", "who am i", "start tls", "write", "next"],
)
@fuzzed(100)
@given(stream=streams())
def test_any_other_question_has_an_answer_or_an_error(stream: bytes, ask: Callable[[Wire, Deadline], object]) -> None:
    spoken(stream, ask)


@fuzzed(400)
@given(data=st.one_of(st.binary(max_size=80), st.lists(trees, max_size=3).map(b"".join)))
def test_any_octets_are_read_or_malformed_by_every_reader(data: bytes) -> None:
    for parse in PARSERS:
        try:
            parse(data)
        except Malformed:
            continue
