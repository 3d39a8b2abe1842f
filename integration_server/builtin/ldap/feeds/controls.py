"""What feeds say and hear beyond plain searches, as octets: controls and intermediate messages. Pure functions.

Readers raise Malformed for what is not as its specification wants it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from uuid import UUID

from integration_server.builtin.ldap.ber import (
    BOOLEAN,
    ENUMERATED,
    INTEGER,
    OCTETS,
    SEQUENCE,
    SET,
    Malformed,
    element,
    integer,
    integer_at,
    octets,
)
from integration_server.builtin.ldap.messages import INTERMEDIATE_RESPONSE, Message, control, parts_of, sequence_of

#: MS-ADTS §3.1.1.3.4.1.3 and §3.1.1.3.4.1.14.
DIRSYNC = "1.2.840.113556.1.4.841"
SHOW_DELETED = "1.2.840.113556.1.4.417"
#: RFC 4533 §2.
SYNC_REQUEST = "1.3.6.1.4.1.4203.1.9.1.1"
_SYNC_STATE = b"1.3.6.1.4.1.4203.1.9.1.2"
_SYNC_DONE = b"1.3.6.1.4.1.4203.1.9.1.3"
_SYNC_INFO = b"1.3.6.1.4.1.4203.1.9.1.4"

_OBJECT_SECURITY = 0x1
#: The highest bit of a number of 32 bits that has a sign.
_INCREMENTAL_VALUES = -0x80000000
#: How many bytes an answer to DirSync may have before the server says that there is more.
_ANSWER_SIZE = 1 << 20
_REFRESH_ONLY, _REFRESH_AND_PERSIST = 1, 3
_RESPONSE_NAME, _RESPONSE_VALUE = 0x80, 0x81
_NEW_COOKIE, _REFRESH_DELETE, _REFRESH_PRESENT, _ID_SET = 0x80, 0xA1, 0xA2, 0xA3


def show_deleted() -> bytes:
    """Deleted entries are found, too, as far as the account may see them."""
    return control(SHOW_DELETED, is_critical=True)


def dirsync_request(cookie: bytes, *, is_full_view: bool) -> bytes:
    """What has changed since the cookie, empty for everything; of values that are links, what came and what went.

    ``is_full_view`` takes the right to replicate changes; without it the account is told of what it may read.
    """
    flags = _INCREMENTAL_VALUES | (0 if is_full_view else _OBJECT_SECURITY)
    value = element(SEQUENCE, integer(flags), integer(_ANSWER_SIZE), octets(cookie))
    return control(DIRSYNC, is_critical=True, value=value)


def dirsync_response(message: Message) -> tuple[bool, bytes]:
    """Whether there is more at once, and the cookie to go on with."""
    parts = sequence_of(message.controls.get(DIRSYNC.encode(), b""))
    if [tag for tag, _ in parts] != [INTEGER, INTEGER, OCTETS]:
        raise Malformed("an answer to DirSync says nothing of how to go on")
    return any(parts[0][1]), parts[2][1]


def parse_entry(body: bytes) -> tuple[str, dict[str, list[bytes]]]:
    """The DN and the attributes of a SearchResultEntry, whose names are in lower case and with their options."""
    parts = parts_of(body)
    if [tag for tag, _ in parts] != [OCTETS, SEQUENCE]:
        raise Malformed("an entry is not made of a name and attributes")
    found: dict[str, list[bytes]] = {}
    for tag, attribute in parts_of(parts[1][1]):
        inner = parts_of(attribute)
        if tag != SEQUENCE or [kind for kind, _ in inner] != [OCTETS, SET]:
            raise Malformed("an attribute is not made of a name and values")
        found.setdefault(inner[0][1].decode("ascii", "replace").lower(), []).extend(
            value for kind, value in parts_of(inner[1][1]) if kind == OCTETS
        )
    return parts[0][1].decode("utf-8", "surrogateescape"), found


# -- content synchronization (RFC 4533) ------------------------------------------------------------------------------


class State(IntEnum):
    """What an entry is told for (§2.3)."""

    PRESENT = 0
    ADD = 1
    MODIFY = 2
    DELETE = 3


@dataclass(frozen=True, slots=True)
class SyncInfo:
    """An intermediate message or the end of a refresh (§2.4, §2.5). ``cookie`` is None where there is none in it.

    ``keys`` are of entries that are gone with ``is_deletes``, else of entries that are there as they were.
    ``is_end``: the refresh is over.
    """

    cookie: bytes | None
    is_deletes: bool = True
    keys: tuple[str, ...] = ()
    is_end: bool = False


def sync_request(cookie: bytes | None, *, is_persistent: bool) -> bytes:
    """What has changed since the cookie; where it is None, all there is."""
    mode = integer(_REFRESH_AND_PERSIST if is_persistent else _REFRESH_ONLY, ENUMERATED)
    value = element(SEQUENCE, mode, b"" if cookie is None else octets(cookie))
    return control(SYNC_REQUEST, is_critical=True, value=value)


def sync_state(message: Message) -> tuple[State, str, bytes | None]:
    """What became of the entry that this message holds, its entryUUID, and a cookie where there is one."""
    parts = sequence_of(message.controls.get(_SYNC_STATE, b""))
    if [tag for tag, _ in parts] not in ([ENUMERATED, OCTETS], [ENUMERATED, OCTETS, OCTETS]):
        raise Malformed("an entry comes without its state")
    number = integer_at(parts[0][1], 0, len(parts[0][1]))
    try:
        state = State(number)
    except ValueError:
        raise Malformed(f"an entry comes in the state {number}") from None
    return state, _key(parts[1][1]), parts[2][1] if len(parts) > 2 else None


def sync_done(message: Message) -> SyncInfo:
    """What the end of a search says of the refresh that it ends."""
    if (value := message.controls.get(_SYNC_DONE)) is None:
        raise Malformed("a refresh ends without saying so")
    cookie, flag, _ = _read(sequence_of(value), is_default=False)
    return SyncInfo(cookie, is_deletes=flag, is_end=True)


def sync_info(message: Message) -> SyncInfo | None:
    """What an intermediate message says; None for one of another kind."""
    if message.kind != INTERMEDIATE_RESPONSE:
        return None
    parts = dict(parts_of(message.body))
    if parts.get(_RESPONSE_NAME) != _SYNC_INFO:
        return None
    choice = parts_of(parts.get(_RESPONSE_VALUE, b""))
    if len(choice) != 1:
        raise Malformed("an intermediate message says nothing")
    tag, content = choice[0]
    if tag == _NEW_COOKIE:
        return SyncInfo(content)
    if tag in (_REFRESH_DELETE, _REFRESH_PRESENT):
        cookie, is_done, _ = _read(parts_of(content), is_default=True)
        return SyncInfo(cookie, is_deletes=tag == _REFRESH_DELETE, is_end=is_done)
    if tag == _ID_SET:
        cookie, is_deletes, keys = _read(parts_of(content), is_default=False)
        return SyncInfo(cookie, is_deletes, keys)
    raise Malformed(f"an intermediate message is of kind {tag:#04x}")


def _read(parts: list[tuple[int, bytes]], *, is_default: bool) -> tuple[bytes | None, bool, tuple[str, ...]]:
    """The cookie, the flag, and the keys, each of which may be left out but not stand elsewhere."""
    found = dict(parts)
    if [tag for tag, _ in parts] != [tag for tag in (OCTETS, BOOLEAN, SET) if tag in found]:
        raise Malformed("what is said of a refresh is broken")
    flag = any(found[BOOLEAN]) if BOOLEAN in found else is_default
    return found.get(OCTETS), flag, tuple(_key(key) for _, key in parts_of(found.get(SET, b"")))


def _key(value: bytes) -> str:
    if len(value) != 16:
        raise Malformed("an entryUUID is not of sixteen octets")
    return str(UUID(bytes=value))
