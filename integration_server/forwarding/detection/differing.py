"""Known people whose digests are others than those that are stored, with what is stored of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import chain
from pathlib import Path

from integration_server.forwarding.detection.documents import documents
from integration_server.forwarding.detection.spool import Spool
from integration_server.sdk.aside import Aside
from integration_server.sdk.events import Document
from integration_server.sdk.page import UserPage
from integration_server.store.journal import APPLIED_AT_ONCE, APPLIED_FIRST
from integration_server.store.people import People, Stored, StoredPeople, StoredTexts

#: People who are read together, and the first ones, for whom everybody waits: as many as go into one transaction of the
#: journal. So they are read while the one before reaches the disk. Beside statements that write, both would take twice
#: the time.
_READ_AT_ONCE, _READ_FIRST = APPLIED_AT_ONCE, APPLIED_FIRST

#: Keys, digests, and who has them.
_Some = tuple[Sequence[int], Sequence[bytes], UserPage | Sequence[Document]]


class Differing:
    """Such people, in the order in which they came; memory stays flat. Close it.

    What is stored of them is read when somebody asks for them, in a thread, some people ahead. While the directory is
    read, that would keep a processor from it; afterwards one has nothing to do, beside whoever writes.
    """

    def __init__(self, people: People, folder: Path | None) -> None:
        self._people = people
        self._kept = Spool[_Some](folder, block=1)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, keys: Sequence[int], digests: Sequence[bytes], people: UserPage | Sequence[Document]) -> None:
        """Some more of them. Raises OSError."""
        self._kept.add((keys, digests, people))
        self._count += len(keys)

    def __iter__(self) -> Iterator[tuple[int, bytes, Document, Stored | None]]:
        """Key, digest, the person now, and what was stored of them; None where that is gone. Raises StoreUnavailable,
        OSError."""
        with Aside[StoredTexts]("staging") as aside:
            blocks = chain(_blocks(self._kept), [[]])
            some = next(blocks)
            texts = self._stored(some)
            for following in blocks:
                if following:
                    aside.begin(partial(self._stored, following))
                stored = StoredPeople(texts)
                for keys, digests, people in some:
                    for key, digest, after in zip(keys, digests, _documents(people), strict=True):
                        yield key, digest, after, stored.get(key)
                if following:
                    some, texts = following, aside.outcome()

    def _stored(self, some: list[_Some]) -> StoredTexts:
        return self._people.stored([key for keys, _, _ in some for key in keys])

    def close(self) -> None:
        """Forget everybody."""
        self._kept.close()


def _blocks(kept: Iterable[_Some]) -> Iterator[list[_Some]]:
    """Some of them at a time, as they are read together."""
    block: list[_Some] = []
    count, most = 0, _READ_FIRST
    for some in kept:
        block.append(some)
        count += len(some[0])
        if count >= most:
            yield block
            block, count, most = [], 0, _READ_AT_ONCE
    if block:
        yield block


def _documents(people: UserPage | Sequence[Document]) -> Iterator[Document]:
    return documents(people) if isinstance(people, UserPage) else iter(people)
