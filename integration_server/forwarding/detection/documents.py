"""People of a page as documents and as digests of them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from operator import attrgetter

import orjson

from integration_server.sdk.errors import BadEntry
from integration_server.sdk.events import Document
from integration_server.sdk.model import AccountState
from integration_server.sdk.page import UserPage

#: Bytes of UTF-8. PostgreSQL keeps no index row above some 2,700 bytes, and an id is in one with its backend's name.
LONGEST_ID = 1024
_DIGEST_BYTES = 16

_state = attrgetter("value")


def digests(page: UserPage) -> list[bytes]:
    """16 bytes for each person of a page, which differ where their documents do.

    Every field has its own place, mapped or not, so that a value which moves to another field is a change. The order of
    groups means nothing. Raises BadEntry, naming the person, for texts that are none.
    """
    blake2b = hashlib.blake2b
    try:
        return [blake2b(text, digest_size=_DIGEST_BYTES).digest() for text in map(orjson.dumps, _rows(page))]
    except TypeError as exc:
        raise BadEntry(f"backend {page.backend}: {_unreadable(page)}") from exc


def _rows(page: UserPage) -> Iterator[tuple[object, ...]]:
    nothing = [None] * len(page)
    groups: Sequence[object] = nothing
    if page.groups is not None:
        groups = [sorted(each) if len(each) > 1 else each for each in page.groups]
    return zip(
        page.usernames,
        page.full_names or nothing,
        page.distinguished_names or nothing,
        page.emails if page.emails is not None else nothing,
        page.preferred_emails if page.preferred_emails is not None else nothing,
        page.unverified_emails if page.unverified_emails is not None else nothing,
        groups,
        page.nicknames or nothing,
        page.biographies or nothing,
        page.tzs or nothing,
        list(map(_state, page.states)) if page.states is not None else nothing,
        strict=True,
    )


def _unreadable(page: UserPage) -> str:
    for person_id, row in zip(page.ids, _rows(page), strict=True):
        try:
            orjson.dumps(row)
        except TypeError:
            return f"entry {person_id!r}: a value is no usable text"
    return "an entry holds a value that is no usable text"


def checked_ids(page: UserPage) -> list[str]:
    """The ids of a page. Raises BadEntry for one that the store cannot keep."""
    ids = list(page.ids)
    longest = max(map(len, ids), default=0)
    # No character takes more than four bytes, so the usual id needs no closer look.
    if longest * 4 > LONGEST_ID:
        for person_id in ids:
            if len(person_id) * 4 > LONGEST_ID and (size := _size(person_id)) > LONGEST_ID:
                raise BadEntry(
                    f"backend {page.backend}: the id {person_id[:60]!r}... has {size:,} bytes;"
                    f" more than {LONGEST_ID:,} cannot be kept. Map another attribute to id"
                )
    return ids


def _size(text: str) -> int:
    # What is no text at all is told by whoever takes a digest of the person.
    return len(text) if text.isascii() else len(text.encode(errors="replace"))


def document(page: UserPage, i: int) -> Document:
    """The person at position ``i`` as in events."""
    return {
        "id": page.ids[i],
        "username": page.usernames[i],
        "full_name": page.full_names[i] if page.full_names is not None else None,
        "distinguished_name": page.distinguished_names[i] if page.distinguished_names is not None else None,
        "emails": _emails(page, i),
        "groups": list(page.groups[i]) if page.groups is not None else [],
        "nickname": page.nicknames[i] if page.nicknames is not None else None,
        "biography": page.biographies[i] if page.biographies is not None else None,
        "tz": page.tzs[i] if page.tzs is not None else None,
        "state": (page.states[i] if page.states is not None else AccountState.ACTIVE).value,
    }


def _emails(page: UserPage, i: int) -> list[dict[str, object]]:
    if page.emails is not None and page.preferred_emails is None and page.unverified_emails is None:
        # As addresses() has it, too, in thrice the time.
        return [{"address": e, "is_verified": True, "is_preferred": n == 0} for n, e in enumerate(page.emails[i])]
    return [
        {"address": e.address, "is_verified": e.is_verified, "is_preferred": e.is_preferred} for e in page.addresses(i)
    ]


def texts(page: UserPage) -> list[str]:
    """The documents of a page as the store keeps them. Raises BadEntry."""
    try:
        return [orjson.dumps(document(page, i)).decode() for i in range(len(page))]
    except TypeError as exc:
        raise BadEntry(f"backend {page.backend}: {_unreadable(page)}") from exc
