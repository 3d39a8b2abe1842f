"""A second decoder of LDAP, slow and plain, to hold the first one against; and a server that says what it is given."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Sequence

from integration_server import BackendError, Deadline
from integration_server.builtin.ldap import messages
from integration_server.builtin.ldap.entries import Row
from integration_server.builtin.ldap.feeds import controls
from integration_server.builtin.ldap.messages import Message, Scope, Search, present
from integration_server.builtin.ldap.settings import parse_address
from integration_server.builtin.ldap.wire import Wire

NAMES = ("uid", "mail")
SEARCH = Search("dc=x", Scope.SUBTREE, present("objectClass"))
#: Everything that reads octets of a server.
PARSERS: Sequence[Callable[[bytes], object]] = (
    lambda data: messages.parse_message(data, 0, len(data)),
    messages.parse_result,
    messages.parse_references,
    messages.response_name,
    messages.response_value,
    lambda data: messages.parse_cookie({messages.PAGING.encode(): data}),
    lambda data: messages.parse_policy_error({messages.PASSWORD_POLICY.encode(): data}),
    controls.parse_entry,
    lambda data: controls.dirsync_response(Message(1, 0x65, b"", {controls.DIRSYNC.encode(): data})),
    lambda data: controls.sync_state(Message(1, 0x64, b"", {b"1.3.6.1.4.1.4203.1.9.1.2": data})),
    lambda data: controls.sync_done(Message(1, 0x65, b"", {b"1.3.6.1.4.1.4203.1.9.1.3": data})),
    lambda data: controls.sync_info(Message(1, 0x79, data)),
)


class NoBer(Exception):
    """These octets are no elements."""


def elements(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The elements that follow each other, nothing left over; definite lengths of up to four octets."""
    while data:
        if len(data) < 2:
            raise NoBer
        tag, size, begin = data[0], data[1], 2
        if size >= 0x80:
            more = size & 0x7F
            if not 1 <= more <= 4 or len(data) < 2 + more:
                raise NoBer
            size, begin = int.from_bytes(data[2 : 2 + more], "big"), 2 + more
        if len(data) < begin + size:
            raise NoBer
        yield tag, data[begin : begin + size]
        data = data[begin + size :]


def one_by_one(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """The messages from the beginning, each as its id, kind and contents, as far as they can be read."""
    for tag, content in elements(data):
        parts = list(elements(content))
        if tag != 0x30 or len(parts) < 2 or parts[0][0] != 0x02 or not 1 <= len(parts[0][1]) <= 4:
            raise NoBer
        yield int.from_bytes(parts[0][1], "big", signed=True), parts[1][0], parts[1][1]


def told_row(body: bytes) -> list[list[bytes]]:
    """The values of NAMES in an entry, those under options last. Nobody looks into what was not asked for."""
    (_, _), (kind, attributes) = elements(body)
    if kind != 0x30:
        raise NoBer
    wanted = [name.encode("ascii") for name in NAMES]
    found: list[tuple[bytes, list[bytes]]] = []
    for tag, attribute in elements(attributes):
        (name_tag, name), (set_tag, values) = elements(attribute)
        if (tag, name_tag, set_tag) != (0x30, 0x04, 0x31):
            raise NoBer
        if name.lower().partition(b";")[0] in wanted:
            found.append((name.lower(), [value for _, value in elements(values)]))
    found.sort(key=lambda one: b";" in one[0])
    return [[value for name, values in found if name.partition(b";")[0] == one for value in values] for one in wanted]


def told(data: bytes) -> list[list[list[bytes]]] | None:
    """The rows that a search was really answered with, None where it was not answered with success."""
    rows = []
    try:
        for message_id, kind, body in one_by_one(data):
            if message_id == 1 and kind == 0x64:
                rows.append(told_row(body))
            elif message_id == 1 and kind == 0x65:
                code = next(elements(body))
                return rows if code[0] == 0x0A and int.from_bytes(code[1], "big") == 0 else None
    except (NoBer, ValueError):
        return None
    return None


def plain(row: Row) -> list[list[bytes]]:
    """A row of ours in the same form."""
    values = [cell if isinstance(cell, list) else [] if cell is None else [cell] for cell in row]
    return [[one if isinstance(one, bytes) else str(one).encode() for one in cell] for cell in values]


def one_by_one_while_good(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """As ``one_by_one``, and no more after what cannot be read."""
    try:
        yield from one_by_one(data)
    except NoBer:
        return


def spoken(stream: bytes, ask: Callable[[Wire, Deadline], object]) -> object:
    """What comes of a question to which the server sends just this and hangs up; None for an error of ours."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(stream)
        theirs.shutdown(socket.SHUT_WR)
        try:
            return ask(Wire(ours, parse_address("ldap://test")), Deadline(60))
        except BackendError:
            return None
