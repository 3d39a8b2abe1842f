"""What a run found, kept outside the store until the whole of it is known and judged."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Self

from integration_server.forwarding.detection.brake import Tally
from integration_server.forwarding.detection.differing import Differing
from integration_server.forwarding.detection.spool import Spool
from integration_server.sdk.events import Document
from integration_server.store.differences import Change, is_closing, json_text, lost_groups, told
from integration_server.store.people import People, Stored


class Staging:
    """The changes of one run by kind, counted. Memory stays flat; what does not fit lies in files without a name.

    What changed about those who differ is looked at whenever it is asked for: where a run is not held whatever that may
    be, each look is beside the writing of those before. Use as a context manager. Raises OSError when the disk is full.
    """

    def __init__(self, people: People, start_serial: int, folder: Path | None = None) -> None:
        """``start_serial`` is the last one there was when the run began: whoever has an event above it is known better
        than the run could, and stays as they are."""
        self._start_serial = start_serial
        #: Those who differ; ``tally`` counts what changed about them once they were looked at.
        self.differing = Differing(people, folder)
        self.tally = Tally()
        self._gone, self._created = Spool[Change](folder), Spool[Change](folder)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        for kept in (self.differing, self._gone, self._created):
            kept.close()

    # -- filling -----------------------------------------------------------------------------------------------------

    def create(self, person_id: str, digest: bytes, after: Document) -> None:
        """Somebody who is not known."""
        self.tally.created += 1
        self._created.add(Change("create", person_id, digest, text=json_text(after)))

    def vanish(self, person_id: str, key: int | None = None) -> None:
        """Somebody who is gone, and whose deletion waits."""
        self.tally.deleted += 1
        self._gone.add(Change("vanish", person_id, key=key))

    def delete(self, person_id: str, key: int | None = None, *, is_due: bool = False) -> None:
        """Somebody who is gone. ``is_due``: whose deletion has waited, and who was counted when they vanished."""
        self.tally.deleted += not is_due
        self.tally.due += is_due
        self._gone.add(Change("delete", person_id, key=key))

    # -- looking at those who differ ---------------------------------------------------------------------------------

    def look(self) -> None:
        """See what changed about those who differ, so that everything is counted. Raises StoreUnavailable."""
        for _ in self._looked_at():
            pass

    def _looked_at(self) -> Iterator[Change]:
        self.tally.updated = self.tally.disabled = self.tally.regrouped = 0
        for key, digest, after, stored in self.differing:
            yield self._update(key, digest, after, stored)

    def _update(self, key: int, digest: bytes, after: Document, stored: Stored | None) -> Change:
        person_id, text = str(after["id"]), json_text(after)
        if stored is None or stored[2].get("id") != person_id:
            return Change("update", person_id, digest, None, key, text)
        serial, stored_digest, before = stored
        events = told(before, after, text) if serial <= self._start_serial else ()
        if events:
            self.tally.updated += 1
            self.tally.disabled += is_closing(before, after)
            self.tally.regrouped += bool(lost_groups(before, after))
        return Change("update", person_id, digest, None, key, text, (serial, stored_digest, events))

    # -- reading -----------------------------------------------------------------------------------------------------

    def digest(self, fingerprint: str) -> str:
        """Of what the run would do, whatever the order. Raises StoreUnavailable."""
        total = 0
        for change in self.changes():
            text = repr((change.kind, change.person_id, change.digest)).encode()
            # A sum, because the same people may come in another order each time.
            total += int.from_bytes(hashlib.blake2b(text, digest_size=32).digest(), "big")
        return hashlib.sha256(f"{fingerprint} {total}".encode()).hexdigest()

    def changes(self) -> Iterator[Change]:
        """In the order in which they are to be told: who goes, who changes, who comes. So a user name is free again
        before somebody else has it. Raises StoreUnavailable."""
        return (change for change in self.to_apply() if _is_news(change))

    def to_apply(self) -> Iterator[Change]:
        """The same, with people of whom nothing changed but the digest or that they are back, and those of whom
        something newer is known, as of somebody who was deleted meanwhile."""
        return chain(self._gone, self._looked_at(), self._created)


def _is_news(change: Change) -> bool:
    return change.kind != "update" or (change.seen is not None and bool(change.seen[-1]))
