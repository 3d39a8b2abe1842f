"""People of a page as documents and as digests of them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from itertools import repeat
from operator import attrgetter

import orjson

from integration_server.sdk.errors import BadEntry
from integration_server.sdk.events import Document
from integration_server.sdk.model import AccountState
from integration_server.sdk.page import UserPage
from integration_server.store.differences import json_text

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
    check_ids(page.backend, ids)
    return ids


def check_ids(backend: str, ids: Sequence[str]) -> None:
    """Raises BadEntry for an id that the store cannot keep. Who is known has none such."""
    longest = max(map(len, ids), default=0)
    # No character takes more than four bytes, so the usual id needs no closer look.
    if longest * 4 > LONGEST_ID:
        for person_id in ids:
            if len(person_id) * 4 > LONGEST_ID and (size := _size(person_id)) > LONGEST_ID:
                raise BadEntry(
                    f"backend {backend}: the id {person_id[:60]!r}... has {size:,} bytes;"
                    f" more than {LONGEST_ID:,} cannot be kept. Map another attribute to id"
                )


def _size(text: str) -> int:
    # What is no text at all was refused where the id was mapped.
    return len(text) if text.isascii() else len(text.encode(errors="replace"))


def documents(page: UserPage) -> Iterator[Document]:
    """The people of a page as in events, in order."""
    nothing = [None] * len(page)
    rows = zip(
        page.ids,
        page.usernames,
        page.full_names or nothing,
        page.distinguished_names or nothing,
        _emails(page),
        map(list, page.groups) if page.groups is not None else ([] for _ in nothing),
        page.nicknames or nothing,
        page.biographies or nothing,
        page.tzs or nothing,
        map(_state, page.states) if page.states is not None else repeat(AccountState.ACTIVE.value, len(page)),
        strict=True,
    )
    # Written out: thousands of them are made while the store's log is written, and that has to wait for them.
    for id, username, full_name, distinguished_name, emails, groups, nickname, biography, tz, state in rows:
        yield {
            "id": id,
            "username": username,
            "full_name": full_name,
            "distinguished_name": distinguished_name,
            "emails": emails,
            "groups": groups,
            "nickname": nickname,
            "biography": biography,
            "tz": tz,
            "state": state,
        }


def _emails(page: UserPage) -> Iterator[list[dict[str, object]]]:
    if page.emails is not None and page.preferred_emails is None and page.unverified_emails is None:
        # As addresses() has it, too, in thrice the time.
        for emails in page.emails:
            yield [{"address": e, "is_verified": True, "is_preferred": n == 0} for n, e in enumerate(emails)]
        return
    for i in range(len(page)):
        yield [
            {"address": e.address, "is_verified": e.is_verified, "is_preferred": e.is_preferred}
            for e in page.addresses(i)
        ]


def texts(page: UserPage) -> list[str]:
    """The documents of a page as the store keeps them. Raises BadEntry."""
    try:
        return [json_text(each) for each in documents(page)]
    except TypeError as exc:
        raise BadEntry(f"backend {page.backend}: {_unreadable(page)}") from exc
