"""Whether an earlier try of a change may have been made, although nobody saw the answer.

Slaves in the field answer a second ``changeName`` with USERNAME_IN_USE even where the very account has the name, so the
master must know which of the two it is: the name is somebody else's, or the change was made and the answer lost, in a
crash of this server for instance.

What was handed over is written down before it is. While one change follows another, a mark that says so spares a
transaction for each: after a crash, any of those with which it begins anew may have been made.
"""

from __future__ import annotations

from collections import deque
from contextlib import suppress

import sqlalchemy as sa

from integration_server import Storage, StoreUnavailable
from integration_server.builtin.ips_connect.tables import handed_over

#: So many events may come again after a crash (see ``Consumer.lane``).
_REPEATED = 2
#: Stands for the first of those that come next.
_FOLLOWING = "*"


class Handovers:
    """The events that were handed to one slave last. ``announce`` and ``begin`` raise StoreUnavailable. Does no I/O
    when made. The calls of one slave come one after the other."""

    def __init__(self, subscription: str, storage: Storage) -> None:
        self._subscription = subscription
        self._storage = storage
        self._own = handed_over.c.subscription == subscription
        self._put = storage.statement(
            "INSERT INTO ips_connect_handed_over (subscription, event) VALUES (?, ?)"
            " ON CONFLICT (subscription) DO UPDATE SET event = excluded.event"
        )
        self._delete = storage.statement("DELETE FROM ips_connect_handed_over WHERE subscription = ?")
        #: What is written down, once it was read: ids with blanks between them, or the mark. Nobody else writes there.
        self._written: str | None = None
        #: What was handed over last, whatever became of it.
        self._last: deque[str] = deque(maxlen=_REPEATED)
        #: What may have been made although nobody knows, and how many of those that come next are of that kind, too.
        self._unknown: set[str] = set()
        self._unknown_left = 0
        self._has_next = False

    def announce(self) -> None:
        """Another change is handed over as soon as the one whose answer is awaited was made."""
        if self._read() != _FOLLOWING:
            self._write(_FOLLOWING)
        self._has_next = True

    def begin(self, event: str, is_once: bool) -> bool:
        """This event is handed over now, which is written down if it ``is_once``. Whether it was before, and nobody
        knows what became of it. One that was taken is not forgotten: it may come again."""
        written = self._read()
        self._has_next = False
        if event not in self._last:
            self._last.append(event)
            if self._unknown_left:
                self._unknown_left -= 1
                self._unknown.add(event)
        if is_once and written != _FOLLOWING:
            self._write(" ".join(self._last))
        return event in self._unknown

    def end(self, event: str) -> None:
        """It was taken."""
        self._unknown.discard(event)
        if not self._has_next:
            self.rest()

    def leave(self, event: str) -> None:
        """Nobody knows whether it was made."""
        self._unknown.add(event)
        self.rest()

    def forget(self, event: str) -> None:
        """It was not made, for certain."""
        self._unknown.discard(event)
        if event in self._last:
            self._last.remove(event)
        self.rest()

    def rest(self) -> None:
        """Nothing follows for now: the mark makes room for what was handed over. Where that cannot be written down,
        more stays in doubt than need be."""
        self._has_next = False
        # What came before the last start stays in doubt until it has come again.
        if self._written is not None and not self._unknown_left:
            with suppress(StoreUnavailable):
                self._write(" ".join(self._last))

    def _read(self) -> str:
        if self._written is None:
            with self._storage.reading() as connection:
                found = connection.scalar(sa.select(handed_over.c.event).where(self._own)) or ""
            self._written = found
            if found == _FOLLOWING:
                self._unknown_left = _REPEATED
            else:
                self._last.extend(found.split())
                self._unknown.update(self._last)
        return self._written

    def _write(self, text: str) -> None:
        if text == self._written:
            return
        if text:
            self._put.run((self._subscription, text))
        else:
            self._delete.run((self._subscription,))
        self._written = text
