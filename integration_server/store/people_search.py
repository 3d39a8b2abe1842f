"""Searching people as last noticed, by parts of their names and addresses.

There is no index of words: to read all documents of 100,000 people takes 50 to 200 ms. So a search goes through people
in the order in which they were written down, for as long as a page may take, and says how far it came.
"""

from __future__ import annotations

import time
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass

import orjson
import sqlalchemy as sa

from integration_server.sdk.events import Document
from integration_server.store.engine import reading
from integration_server.store.people import plain

#: Read by one statement.
_AT_ONCE = 5_000

_SOME = "SELECT {columns} FROM people WHERE {mine}key > :after ORDER BY key LIMIT :limit"
_COLUMNS = "key, backend, person_id, document, gone_at"
_MATCHING = "SELECT {columns} FROM ({some}) AS page WHERE document {like} :pattern ORDER BY key"
_END = "SELECT CASE WHEN count(*) = :limit THEN max(key) END FROM ({some}) AS page"


@dataclass(frozen=True, slots=True)
class Match:
    """One person who was found. ``gone_at`` (Unix seconds) is set while they are missing and their deletion waits."""

    key: int
    backend: str
    person_id: str
    document: Document
    gone_at: float | None


@dataclass(frozen=True, slots=True)
class Matches:
    """A page of a search. ``after`` leads to the next one; None where everybody was looked at."""

    people: list[Match]
    after: int | None


class PeopleSearch:
    """Over the table ``people``. Thread-safe; does not own the engine."""

    def __init__(self, engine: sa.Engine, clock: Callable[[], float] = time.monotonic) -> None:
        self._engine = engine
        self._clock = clock
        # By the rules of "C", lower case is that of ASCII alone, which takes half of the time.
        self._like = 'COLLATE "C" ILIKE' if engine.dialect.name == "postgresql" else "LIKE"

    def find(self, text: str, backend: str | None, after: int, limit: int, seconds: float) -> Matches:
        """Up to ``limit`` people whose id, user name, full name or an address holds ``text``, whatever its case, of one
        backend or of all. Begins behind the key ``after`` and looks for about ``seconds``. Raises StoreUnavailable."""
        wanted, until = folded(text), self._clock() + seconds
        values = {"backend": backend, "pattern": _pattern(text), "limit": _AT_ONCE}
        matching, end = self._statements(backend is not None)
        found: list[Match] = []
        with reading(self._engine) as connection:
            while True:
                last: int | None = connection.scalar(end, {**values, "after": after})
                for key, owner, person_id, document, gone_at in plain(
                    connection.execute(matching, {**values, "after": after})
                ):
                    if is_match(parsed := orjson.loads(document), wanted):
                        found.append(Match(key, owner, person_id, parsed, gone_at))
                    if len(found) == limit:
                        return Matches(found, key)
                if last is None or self._clock() >= until:
                    return Matches(found, last)
                after = last

    def _statements(self, is_one: bool) -> tuple[sa.TextClause, sa.TextClause]:
        """Who matches among the next people, and the key of the last of these, NULL where nobody follows."""
        mine = "backend = :backend AND " if is_one else ""
        some = _SOME.format(columns=_COLUMNS, mine=mine)
        keys = _SOME.format(columns="key", mine=mine)
        matching = _MATCHING.format(columns=_COLUMNS, some=some, like=self._like)
        return sa.text(matching), sa.text(_END.format(some=keys))


def _pattern(text: str) -> str:
    """What the JSON text of everybody who is meant is like, and that of few others: what JSON or a database may write
    otherwise, or take for the same letter in another case, stands for anything."""
    is_plain = [one.isascii() and one.isprintable() and one not in '"\\%_' for one in text]
    return f"%{''.join(one if plain else '%' for one, plain in zip(text, is_plain, strict=True))}%"


def folded(text: str) -> str:
    """A text as it is compared."""
    return unicodedata.normalize("NFKC", text).casefold()


def is_match(document: Document, wanted: str) -> bool:
    """Whether somebody is found by a folded text."""
    texts = [document.get("id"), document.get("username"), document.get("full_name")]
    emails = document.get("emails") or ()
    texts += [email["address"] for email in emails]  # type: ignore[attr-defined]
    return any(wanted in folded(str(one)) for one in texts if one is not None)
