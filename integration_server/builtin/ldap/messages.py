"""LDAP messages (RFC 4511): requests to octets, answers to records. Pure functions.

Entries have a decoder of their own, ``entries``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum

from integration_server.builtin.ldap.ber import (
    BOOLEAN,
    ENUMERATED,
    INTEGER,
    OCTETS,
    SEQUENCE,
    Malformed,
    boolean,
    element,
    element_at,
    integer,
    integer_at,
    octets,
)

BIND_RESPONSE = 0x61
SEARCH_ENTRY = 0x64
SEARCH_DONE = 0x65
SEARCH_REFERENCE = 0x73
EXTENDED_RESPONSE = 0x78
INTERMEDIATE_RESPONSE = 0x79

#: RFC 2696, simple paged results.
PAGING = "1.2.840.113556.1.4.319"
#: draft-behera-ldap-password-policy, as OpenLDAP and 389 DS speak it.
PASSWORD_POLICY = "1.3.6.1.4.1.42.2.27.8.5.1"
START_TLS = "1.3.6.1.4.1.1466.20037"
WHO_AM_I = "1.3.6.1.4.1.4203.1.11.3"
NOTICE_OF_DISCONNECTION = b"1.3.6.1.4.1.1466.20036"


class Scope(IntEnum):
    """How far below its base a search goes."""

    BASE = 0
    ONE = 1
    SUBTREE = 2


@dataclass(frozen=True, slots=True)
class Search:
    """What to search: ``filter`` in BER, ``size_limit`` 0 for none. Aliases are never followed."""

    base: str
    scope: Scope
    filter: bytes
    size_limit: int = 0


@dataclass(frozen=True, slots=True)
class Message:
    """One message of the server; ``controls`` by their OID."""

    id: int
    kind: int
    body: bytes
    controls: Mapping[bytes, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Result:
    """An LDAPResult (RFC 4511 §4.1.9)."""

    code: int
    matched_dn: str
    text: str
    referrals: tuple[str, ...] = ()


class Inquiry:
    """A search that is made again and again: all but its filter is written once. ``size_limit`` 0 for none."""

    __slots__ = ("_head", "_tail", "base")

    def __init__(self, base: str, scope: Scope, size_limit: int, attributes: Sequence[str]) -> None:
        self.base = base
        self._head = _search_head(base, scope, size_limit)
        self._tail = element(SEQUENCE, *map(octets, attributes))

    def request(self, message_id: int, asked: bytes) -> bytes:
        """The request with this filter, in BER."""
        return _message(message_id, element(0x63, self._head, asked, self._tail))


def equality(attribute: str, value: bytes) -> bytes:
    """A filter: the attribute has this value. The value stands as it is, so nothing in it needs escaping."""
    return element(0xA3, octets(attribute), octets(value))


def at_least(attribute: str, value: bytes) -> bytes:
    """A filter: the attribute has this value or one that comes after it in its order."""
    return element(0xA5, octets(attribute), octets(value))


def present(attribute: str) -> bytes:
    """A filter: the attribute has any value."""
    return octets(attribute, 0x87)


def both(first: bytes, second: bytes) -> bytes:
    """A filter: the two given hold together."""
    return element(0xA0, first, second)


def any_of(filters: Sequence[bytes]) -> bytes:
    """A filter: at least one of the given holds."""
    return element(0xA1, *filters)


def _message(message_id: int, operation: bytes, *controls: bytes) -> bytes:
    return element(SEQUENCE, integer(message_id), operation, *([element(0xA0, *controls)] if controls else ()))


def control(oid: str, *, is_critical: bool, value: bytes | None = None) -> bytes:
    """A control of a request (RFC 4511 §4.1.11), for ``search_request``."""
    return element(
        SEQUENCE, octets(oid), boolean(True) if is_critical else b"", b"" if value is None else octets(value)
    )


_VERSION = integer(3)
_POLICY_CONTROLS = element(0xA0, control(PASSWORD_POLICY, is_critical=False))


#: A result that says success and nothing else, as most servers write it, and how a message ends with it: without
#: controls, or with that of a password policy that has nothing to say, as OpenLDAP adds it to the answer of a bind.
_PLAIN_RESULT = element(ENUMERATED, b"\x00") + octets("") + octets("")
_SUCCESS = Result(0, "", "")
_POLICY_OID = PASSWORD_POLICY.encode()
_NO_OPINION = element(SEQUENCE)
_PLAIN_ENDS: tuple[tuple[bytes, Mapping[bytes, bytes]], ...] = (
    (octets(_PLAIN_RESULT)[1:], {}),
    (
        octets(_PLAIN_RESULT)[1:] + element(0xA0, control(PASSWORD_POLICY, is_critical=False, value=_NO_OPINION)),
        {_POLICY_OID: _NO_OPINION},
    ),
)


def bind_request(message_id: int, dn: str, password: bytes) -> bytes:
    """A simple bind that asks for the password policy's opinion. An empty password would be no login at all."""
    if not password:
        raise ValueError("a bind with an empty password succeeds for everybody (RFC 4513 §5.1.2)")
    operation = element(0x60, _VERSION, octets(dn), octets(password, 0x80))
    return element(SEQUENCE, integer(message_id), operation, _POLICY_CONTROLS)


def external_bind_request(message_id: int) -> bytes:
    """A bind by SASL EXTERNAL (RFC 4422 appendix A): the server knows the client by its certificate or its user id.

    The empty response asks to act as just that (RFC 4513 §5.2.3.1); without any the server would ask for one.
    """
    return _message(message_id, element(0x60, integer(3), octets(""), element(0xA3, octets("EXTERNAL"), octets(""))))


def _search_head(base: str, scope: Scope, size_limit: int) -> bytes:
    """What comes before a search's filter."""
    parts = (octets(base), integer(scope, ENUMERATED), integer(0, ENUMERATED), integer(size_limit), integer(0))
    return b"".join((*parts, boolean(False)))


def search_request(
    message_id: int,
    search: Search,
    attributes: Sequence[str],
    page: tuple[int, bytes] | None = None,
    controls: Sequence[bytes] = (),
) -> bytes:
    """A search; ``page`` is the page's size and the server's cookie, empty for the first page.

    It names no time limit: slapd refuses searches that ask for more than they may have, and gives what it can to those
    that ask for nothing.
    """
    head = _search_head(search.base, search.scope, search.size_limit)
    operation = element(0x63, head, search.filter, element(SEQUENCE, *map(octets, attributes)))
    if page is None:
        return _message(message_id, operation, *controls)
    size, cookie = page
    value = element(SEQUENCE, integer(size), octets(cookie))
    return _message(message_id, operation, control(PAGING, is_critical=True, value=value), *controls)


def start_tls_request(message_id: int) -> bytes:
    return _message(message_id, element(0x77, octets(START_TLS, 0x80)))


def who_am_i_request(message_id: int) -> bytes:
    """Asks for the authorization identity of the connection (RFC 4532)."""
    return _message(message_id, element(0x77, octets(WHO_AM_I, 0x80)))


def write_request(message_id: int, operation: bytes) -> bytes:
    """A request that changes something, made by ``changes``."""
    return _message(message_id, operation)


def abandon_request(message_id: int, abandoned: int) -> bytes:
    """Ends a search that is under way; it is not answered (RFC 4511 §4.11)."""
    return _message(message_id, integer(abandoned, 0x50))


def unbind_request(message_id: int) -> bytes:
    return _message(message_id, b"\x42\x00")


def parts_of(value: bytes) -> list[tuple[int, bytes]]:
    """The elements that follow each other in ``value``, each as its tag and contents. Raises Malformed."""
    return list(_parts(value, 0, len(value)))


def _parts(data: bytes, begin: int, end: int) -> Iterator[tuple[int, bytes]]:
    """The elements between two positions, each as its tag and contents."""
    while begin < end:
        tag = data[begin]
        inner, begin = element_at(data, begin, end)
        yield tag, data[inner:begin]


def parse_message(data: bytes, begin: int, end: int) -> Message:
    """The message between two positions of ``data``. Raises Malformed."""
    inner, stop = element_at(data, begin, end, SEQUENCE)
    if stop != end:
        raise Malformed("a message does not end where it says")
    parts = list(_parts(data, inner, stop))
    if not 2 <= len(parts) <= 3 or parts[0][0] != INTEGER:
        raise Malformed("a message is not made of an id, an operation and controls")
    number = integer_at(parts[0][1], 0, len(parts[0][1]))
    if number < 0:
        raise Malformed("a message id is negative")
    controls = dict(_controls(parts[2][1])) if len(parts) == 3 and parts[2][0] == 0xA0 else {}
    return Message(number, *parts[1], controls)


def _controls(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    for tag, control in _parts(data, 0, len(data)):
        parts = [part for part in _parts(control, 0, len(control)) if part[0] != BOOLEAN]
        if tag != SEQUENCE or not parts or any(part[0] != OCTETS for part in parts):
            raise Malformed("a control is broken")
        yield parts[0][1], parts[1][1] if len(parts) > 1 else b""


def plain_success(data: bytes, position: int, message_id: int, kind: int) -> tuple[Message, int] | None:
    """The message at ``position``, which answers this question, and where it ends; None unless it is a plain success.

    Nearly every answer is one, and is looked at here as a whole; it is what ``parse_message`` would give.
    """
    number = integer(message_id)
    for end, controls in _PLAIN_ENDS:
        expected = element(SEQUENCE, number, bytes((kind,)), end)
        if data.startswith(expected, position):
            return Message(message_id, kind, _PLAIN_RESULT, controls), position + len(expected)
    return None


def parse_result(body: bytes) -> Result:
    """The LDAPResult at the beginning of an answer. Raises Malformed."""
    if body == _PLAIN_RESULT:
        return _SUCCESS
    parts = list(_parts(body, 0, len(body)))
    if [tag for tag, _ in parts[:3]] != [ENUMERATED, OCTETS, OCTETS]:
        raise Malformed("an answer holds no result")
    code = integer_at(parts[0][1], 0, len(parts[0][1]))
    matched, text = (value.decode("utf-8", "replace") for _, value in parts[1:3])
    referrals: tuple[str, ...] = ()
    for tag, value in parts[3:]:
        if tag == 0xA3:
            referrals = parse_references(value)
    return Result(code, matched, text, referrals)


def parse_references(body: bytes) -> tuple[str, ...]:
    """The URLs of a SearchResultReference or a referral. Raises Malformed."""
    return tuple(url.decode("utf-8", "replace") for _, url in _parts(body, 0, len(body)))


def response_name(body: bytes) -> bytes:
    """The OID of an extended answer, empty where it has none. Raises Malformed."""
    return next((value for tag, value in _parts(body, 0, len(body)) if tag == 0x8A), b"")


def response_value(body: bytes) -> bytes | None:
    """The value of an extended answer, None where it has none. Raises Malformed."""
    return next((value for tag, value in _parts(body, 0, len(body)) if tag == 0x8B), None)


def parse_cookie(controls: Mapping[bytes, bytes]) -> bytes | None:
    """The cookie of the next page, empty after the last one, None where the server said nothing of pages.

    Raises Malformed.
    """
    value = controls.get(PAGING.encode())
    if value is None:
        return None
    parts = sequence_of(value)
    if [tag for tag, _ in parts] != [INTEGER, OCTETS]:
        raise Malformed("a paging control is broken")
    return parts[1][1]


def parse_policy_error(controls: Mapping[bytes, bytes]) -> int | None:
    """The error of a password policy control: 0 expired, 1 locked, 2 to be changed ... Raises Malformed."""
    value = controls.get(_POLICY_OID)
    if not value or value == _NO_OPINION:
        return None
    return next((integer_at(part, 0, len(part)) for tag, part in sequence_of(value) if tag == 0x81), None)


def sequence_of(value: bytes) -> list[tuple[int, bytes]]:
    """The elements within the SEQUENCE that ``value`` begins with. Raises Malformed."""
    begin, end = element_at(value, 0, len(value), SEQUENCE)
    return list(_parts(value, begin, end))
