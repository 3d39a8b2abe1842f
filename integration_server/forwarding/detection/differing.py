"""Known people whose digests are others than those that are stored, with what is stored of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from integration_server.forwarding.detection.documents import document
from integration_server.forwarding.detection.spool import Spool
from integration_server.sdk.aside import Aside
from integration_server.sdk.events import Document
from integration_server.sdk.page import UserPage
from integration_server.store.people import People, Stored, StoredPeople, StoredTexts

#: People who are read together.
_READ_AT_ONCE = 1_000

#: Keys, digests, and who has them.
_Some = tuple[Sequence[int], Sequence[bytes], UserPage | Sequence[Document]]


class Differing:
    """Such people, in the order in which they came; memory stays flat. Close it.

    What is stored of them is read in a thread, beside whatever the caller does next. Nobody compares the two before
    somebody asks for them: that would keep the interpreter from the thread that looks at everybody.
    """

    def __init__(self, people: People, folder: Path | None) -> None:
        self._people = people
        self._aside = Aside[StoredTexts]("staging")
        self._fresh: list[_Some] = []
        self._fresh_count = 0
        self._asked: list[_Some] = []
        self._read = Spool[tuple[list[_Some], StoredTexts]](folder, block=1)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, keys: Sequence[int], digests: Sequence[bytes], people: UserPage | Sequence[Document]) -> None:
        """Some more of them. Raises StoreUnavailable, OSError."""
        self._count += len(keys)
        self._fresh.append((keys, digests, people))
        self._fresh_count += len(keys)
        if self._fresh_count >= _READ_AT_ONCE:
            self._put_outcome()
            self._asked, self._fresh, self._fresh_count = self._fresh, [], 0
            self._aside.begin(partial(self._stored, self._asked))

    def _put_outcome(self) -> None:
        if self._aside.is_busy:
            self._read.add((self._asked, self._aside.outcome()))

    def _stored(self, some: list[_Some]) -> StoredTexts:
        return self._people.stored([key for keys, _, _ in some for key in keys])

    def __iter__(self) -> Iterator[tuple[int, bytes, Document, Stored | None]]:
        """Key, digest, the person now, and what was stored of them; None where that is gone. Raises StoreUnavailable,
        OSError."""
        self._put_outcome()
        if self._fresh:
            self._read.add((self._fresh, self._stored(self._fresh)))
            self._fresh, self._fresh_count = [], 0
        for some, texts in self._read:
            stored = StoredPeople(texts)
            for keys, digests, people in some:
                for key, digest, after in zip(keys, digests, _documents(people), strict=True):
                    yield key, digest, after, stored.get(key)

    def close(self) -> None:
        """Wait for a reading that is under way, and forget everything."""
        self._aside.end()
        self._read.close()


def _documents(people: UserPage | Sequence[Document]) -> Iterator[Document]:
    return (document(people, i) for i in range(len(people))) if isinstance(people, UserPage) else iter(people)
