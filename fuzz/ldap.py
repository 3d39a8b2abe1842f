"""What a directory server sends. The first byte chooses the question, the rest is all that it answers.

An answer that is believed must be the one that a second decoder, slow and plain, reads of the same octets.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from fuzz.target import Harness, Target
from integration_server import Deadline
from integration_server.builtin.ldap.ber import Malformed, element, integer, octets
from integration_server.builtin.ldap.changes import Change, modification
from integration_server.builtin.ldap.entries import EntryDecoder, Row
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


@contextmanager
def _opened() -> Iterator[Harness]:
    yield _try


def _try(data: bytes) -> None:
    if data:
        _TRIES[data[0] % len(_TRIES)](data[1:])


def _parse(data: bytes) -> None:
    for parse in PARSERS:
        try:
            parse(data)
        except Malformed:
            continue


def _has_portions(stream: bytes) -> bool:
    """Values that come in portions are asked for again, and the second decoder knows nothing of that."""
    return b"range=" in stream.lower()


def _list(page_size: int, stream: bytes) -> None:
    def ask(wire: Wire, deadline: Deadline) -> list[Row]:
        return [row for rows in listing(wire, SEARCH, NAMES, page_size, deadline, Referrals()) for row in rows]

    found = spoken(stream, ask)
    if found is not None and not _has_portions(stream):
        assert isinstance(found, list)
        assert [plain(row) for row in found] == told(stream)


def _few(stream: bytes) -> None:
    answer = spoken(stream, lambda wire, deadline: few(wire, SEARCH, NAMES, deadline, Referrals()))
    if answer is not None and not _has_portions(stream):
        assert isinstance(answer, tuple)
        rows, ended = answer
        if ended.code == 0:
            assert [plain(row) for row in rows] == told(stream)


def _login(stream: bytes) -> None:
    def ask(wire: Wire, deadline: Deadline) -> str:
        ended, policy_error = wire.bind("cn=x", b"secret", deadline)
        return verdict(ended, policy_error, "test").value

    if spoken(stream, ask) == "accepted":
        binds = (body for id, kind, body in one_by_one_while_good(stream) if (id, kind) == (1, 0x61))
        assert next(elements(next(binds))) in [(0x0A, bytes(size)) for size in range(1, 5)]


def _questions(stream: bytes) -> None:
    asks: tuple[Callable[[Wire, Deadline], object], ...] = (
        lambda wire, deadline: wire.bind_external(deadline),
        lambda wire, deadline: wire.who_am_i(deadline),
        lambda wire, deadline: wire.start_tls(deadline),
        lambda wire, deadline: wire.write(modification("cn=x", [Change("cn", (b"y",))]), deadline),
        lambda wire, deadline: wire.next(deadline, wire.ask(SEARCH, NAMES, deadline)),
    )
    for ask in asks:
        spoken(stream, ask)


def _decode(data: bytes) -> None:
    """Entries as they arrive in two pieces, cut where the first octet says, are those that arrive at once."""
    head, stream = integer(1) + b"\x64", data[1:]
    whole: list[Row] = []
    try:
        end = EntryDecoder(("dn", "uid", "mail", "dn")).take(stream, 0, head, whole)
    except Malformed:
        return
    assert 0 <= end <= len(stream)
    cut = int.from_bytes(data[:1], "big") % (len(stream) + 1)
    pieces: list[Row] = []
    decoder = EntryDecoder(("dn", "uid", "mail", "dn"))
    try:
        middle = decoder.take(stream[:cut], 0, head, pieces)
        decoder.take(stream[middle:], 0, head, pieces)
    except Malformed:
        raise AssertionError("an entry cannot be read once it comes in two pieces") from None
    assert pieces == whole


_TRIES: tuple[Callable[[bytes], None], ...] = (
    _parse,
    lambda stream: _list(0, stream),
    lambda stream: _list(5, stream),
    _few,
    _login,
    _questions,
    _decode,
)

_ENTRIES = entry(1, "ann", mail=["a@x", "b@x"]) + entry(1, "bob", mail=[], description=["y" * 200])
_STREAMS = (
    _ENTRIES + done(1),
    _ENTRIES + done(1, b""),
    _ENTRIES + element(0x30, integer(1), element(0x73, octets("ldap://elsewhere"))) + done(1, b"next"),
    entry(1, "eve", **{"mail__range=0-1": ["a@x", "b@x"]}) + done(1),
    entry(1, "eve", **{"mail__lang-de": ["c@x"], "mail": ["a@x"]}) + done(1),
    result(1, 0x61),
    result(1, 0x78),
    result(1, 0x61, 49),
    notice_of_disconnection(),
    b"\x30\x84\x7f\xff\xff\xff",
    b"\x30\x80\x02\x01\x01\x00\x00",
    b"\x30\x84" * 200,
)

TARGET = Target(
    _opened,
    tuple(bytes((number,)) + stream for number in range(len(_TRIES)) for stream in _STREAMS),
    (b"\x02\x01\x01", b"\x64", b"\x65", b"\x0a\x01\x00\x04\x00\x04\x00", b"\x30\x84", b"\x04\x03uid", b";range=0-*"),
)
