"""What a run found, kept outside the store until the whole of it is known and judged."""

from __future__ import annotations

import hashlib
import pickle
import tempfile
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Self

from integration_server.forwarding.detection.brake import Tally
from integration_server.sdk.events import Document
from integration_server.store.differences import FIELDS, Change, Kind, is_closing, lost_groups
from integration_server.store.people import People

_IN_MEMORY = 8 << 20
_SORTED_AT_ONCE = 1_000
_BLOCK = 200

Row = tuple[Kind, str, bytes | None, bytes | None, int | None]


class _Spool:
    """Changes in a nameless file, in the order in which they came."""

    def __init__(self, folder: Path | None) -> None:
        self._file = tempfile.SpooledTemporaryFile(_IN_MEMORY, dir=str(folder) if folder is not None else None)  # noqa: SIM115
        self._fresh: list[Row] = []
        self._blocks = 0
        self._count = 0

    def add(self, change: Change) -> None:
        self._fresh.append((change.kind, change.person_id, change.digest, change.as_json(), change.key))
        self._count += 1
        if len(self._fresh) >= _BLOCK:
            # A block at a time takes a fraction of the time that single changes do.
            self._file.write(pickle.dumps(self._fresh, pickle.HIGHEST_PROTOCOL))
            self._fresh = []
            self._blocks += 1

    def __iter__(self) -> Iterator[Change]:
        self._file.seek(0)
        for _ in range(self._blocks):
            rows: list[Row] = pickle.load(self._file)
            yield from map(_change, rows)
        yield from map(_change, self._fresh)

    def __len__(self) -> int:
        return self._count

    def close(self) -> None:
        self._file.close()


class Staging:
    """The changes of one run by kind, counted. Memory stays flat; what does not fit lies in files without a name.

    Use as a context manager. Raises OSError when the disk is full.
    """

    def __init__(self, people: People, folder: Path | None = None) -> None:
        self._people = people
        self._unsorted: dict[int, tuple[str, bytes, Document]] = {}
        self._gone, self._updated, self._created, self._same = (_Spool(folder) for _ in range(4))
        self.tally = Tally()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        for spool in (self._gone, self._updated, self._created, self._same):
            spool.close()

    def __len__(self) -> int:
        """How many people differ. Those who look different only to us do not count."""
        return len(self._gone) + len(self._updated) + len(self._created)

    # -- filling -----------------------------------------------------------------------------------------------------

    def create(self, person_id: str, digest: bytes, after: Document) -> None:
        """Somebody who is not known."""
        self.tally.created += 1
        self._created.add(Change("create", person_id, digest, after))

    def differ(self, key: int, person_id: str, digest: bytes, after: Document) -> None:
        """Somebody known whose digest is another one."""
        self._unsorted[key] = (person_id, digest, after)
        if len(self._unsorted) >= _SORTED_AT_ONCE:
            self.sort()

    def sort(self) -> None:
        """Look what changed about those who differ; call it once everybody was seen."""
        stored = self._people.documents(list(self._unsorted))
        for key, (person_id, digest, after) in self._unsorted.items():
            change = Change("update", person_id, digest, after, key)
            before = stored.get(key)
            if before is not None and _is_same(before, after):
                self._same.add(change)
                continue
            if before is not None:
                self._count(before, after)
            self._updated.add(change)
        self._unsorted.clear()

    def _count(self, before: Document, after: Document) -> None:
        self.tally.updated += 1
        self.tally.disabled += is_closing(before, after)
        self.tally.regrouped += bool(lost_groups(before, after))

    def vanish(self, person_id: str, key: int | None = None) -> None:
        """Somebody who is gone, and whose deletion waits."""
        self.tally.deleted += 1
        self._gone.add(Change("vanish", person_id, key=key))

    def delete(self, person_id: str, key: int | None = None, *, is_due: bool = False) -> None:
        """Somebody who is gone. ``is_due``: whose deletion has waited, and who was counted when they vanished."""
        self.tally.deleted += not is_due
        self.tally.due += is_due
        self._gone.add(Change("delete", person_id, key=key))

    # -- reading -----------------------------------------------------------------------------------------------------

    def digest(self, fingerprint: str) -> str:
        """Of what the run would do, whatever the order."""
        total = 0
        for change in self.changes():
            text = repr((change.kind, change.person_id, change.digest)).encode()
            # A sum, because the same people may come in another order each time.
            total += int.from_bytes(hashlib.blake2b(text, digest_size=32).digest(), "big")
        return hashlib.sha256(f"{fingerprint} {total}".encode()).hexdigest()

    def changes(self) -> Iterator[Change]:
        """In the order in which they are to be told: who goes, who changes, who comes. So a user name is free again
        before somebody else has it."""
        return chain(self._gone, self._updated, self._created)

    def unchanged(self) -> Iterator[Change]:
        """People of whom nothing changed but the digest or that they are back."""
        return iter(self._same)


def _is_same(before: Document, after: Document) -> bool:
    if any(before.get(field) != after.get(field) for field in FIELDS):
        return False
    return not (lost_groups(before, after) or lost_groups(after, before))


def _change(row: Row) -> Change:
    kind, person_id, digest, text, key = row
    return Change(kind, person_id, digest, None, key, text)
