"""Whether an earlier try of a change may have been made, although nobody saw the answer.

Slaves in the field answer a second ``changeName`` with USERNAME_IN_USE even where the very account has the name, so the
master must know which of the two it is: the name is somebody else's, or the change was made and the answer lost, in a
crash of this server for instance.

What was handed over is written down before it is. While one change follows another, a mark that says so spares a
transaction for each: after a crash, any of those with which it begins anew may have been made.
"""

from __future__ import annotations

import secrets
import threading
from collections import deque
from collections.abc import Collection
from contextlib import suppress

import sqlalchemy as sa

from integration_server import Storage, StoreUnavailable
from integration_server.builtin.ips_connect.tables import handed_over

#: So many events may come again after a crash (see ``Consumer.lane``).
_REPEATED = 2
#: Stands for the first of those that come next.
_FOLLOWING = "*"
#: Begins the word that says who wrote it.
_WRITER = "@"


class Handovers:
    """The events that were handed to one slave last. ``announce`` and ``begin`` raise StoreUnavailable. Does no I/O
    when made. The calls of one slave come one after the other, but for ``rest``, which may come at any time.

    Nothing is written over what another wrote meanwhile: a server that serves this slave no more may find that out
    late.
    """

    def __init__(self, subscription: str, storage: Storage) -> None:
        self._subscription = subscription
        self._storage = storage
        self._own = handed_over.c.subscription == subscription
        self._insert = storage.statement(
            "INSERT INTO ips_connect_handed_over (event, subscription) VALUES (?, ?)"
            " ON CONFLICT (subscription) DO NOTHING"
        )
        self._update = storage.statement(
            "UPDATE ips_connect_handed_over SET event = ? WHERE subscription = ? AND event = ?"
        )
        self._delete = storage.statement("DELETE FROM ips_connect_handed_over WHERE subscription = ? AND event = ?")
        self._writer = _WRITER + secrets.token_hex(4)
        self._lock = threading.RLock()
        #: What is written down, where that is known: ids with blanks between them, or the mark, and who wrote it.
        self._written: str | None = None
        #: What was handed over last, whatever became of it.
        self._last: deque[str] = deque(maxlen=_REPEATED)
        #: What may have been made although nobody knows; and how many of those that come next are of that kind, too,
        #: and which have come.
        self._unknown: set[str] = set()
        self._unknown_left = 0
        self._come: set[str] = set()
        self._has_next = False

    def announce(self) -> None:
        """Another change is handed over as soon as the one whose answer is awaited was made."""
        with self._lock:
            if not _is_marked(self._read()):
                self._write([_FOLLOWING])
            self._has_next = True

    def begin(self, event: str, is_once: bool) -> bool:
        """This event is handed over now, which is written down if it ``is_once``. Whether it was before, and nobody
        knows what became of it. One that was taken is not forgotten: it may come again."""
        with self._lock:
            written = self._read()
            self._has_next = False
            if event not in self._last:
                self._last.append(event)
            if self._unknown_left and event not in self._come:
                self._unknown_left -= 1
                self._come.add(event)
                self._unknown.add(event)
            if is_once and not (_is_marked(written) and self._is_own(written)):
                self._write([_FOLLOWING] if self._unknown_left else self._last)
            return event in self._unknown

    def end(self, event: str) -> None:
        """It was taken."""
        with self._lock:
            self._unknown.discard(event)
            if not self._has_next:
                self.rest()

    def leave(self, event: str) -> None:
        """Nobody knows whether it was made."""
        with self._lock:
            self._unknown.add(event)
            self.rest()

    def forget(self, event: str) -> None:
        """It was not made, for certain."""
        with self._lock:
            self._unknown.discard(event)
            if event in self._last:
                self._last.remove(event)
            self.rest()

    def rest(self) -> None:
        """Nothing follows for now: the mark makes room for what was handed over. Where that cannot be written down,
        more stays in doubt than need be."""
        with self._lock:
            self._has_next = False
            written = self._written
            # What came before the last start stays in doubt until it has come again.
            if written is None or self._unknown_left or not (self._is_own(written) or _is_marked(written)):
                return
            with suppress(StoreUnavailable):
                self._write(self._last)

    def _read(self) -> str:
        if self._written is None:
            with self._storage.reading() as connection:
                found = connection.scalar(sa.select(handed_over.c.event).where(self._own)) or ""
            self._written = found
            if not self._is_own(found):
                self._inherit(found)
        return self._written

    def _inherit(self, found: str) -> None:
        """What was handed over before the last start."""
        if _is_marked(found):
            self._unknown_left = _REPEATED
            return
        ids = [word for word in found.split() if not word.startswith(_WRITER)]
        self._last.extend(ids)
        self._unknown.update(ids)

    def _is_own(self, written: str) -> bool:
        return written.endswith(self._writer)

    def _write(self, words: Collection[str]) -> None:
        known, text = self._written or "", " ".join([*words, self._writer]) if words else ""
        if text == known:
            return
        # Until it is known. A failure does not tell whether it was written.
        self._written = None
        if not known:
            count = self._insert.run((text, self._subscription))
        elif text:
            count = self._update.run((text, self._subscription, known))
        else:
            count = self._delete.run((self._subscription, known))
        if not count:
            raise StoreUnavailable("another server has told this slave something meanwhile")
        self._written = text


def _is_marked(written: str) -> bool:
    return written.startswith(_FOLLOWING)
