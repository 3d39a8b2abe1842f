"""Whether an earlier try of a change may have been made, although nobody saw the answer.

Slaves in the field answer a second ``changeName`` with USERNAME_IN_USE even where the very account has the name, so the
master must know which of the two it is: the name is somebody else's, or the change was made and the answer lost, in a
crash of this server for instance.
"""

from __future__ import annotations

import sqlalchemy as sa

from integration_server import Storage
from integration_server.builtin.ips_connect.tables import handed_over


class Handovers:
    """The change that was handed to one slave last. Raises StoreUnavailable; does no I/O when made."""

    def __init__(self, subscription: str, storage: Storage) -> None:
        self._subscription = subscription
        self._storage = storage
        self._own = handed_over.c.subscription == subscription
        self._put = storage.statement(
            "INSERT INTO ips_connect_handed_over (subscription, event) VALUES (?, ?)"
            " ON CONFLICT (subscription) DO UPDATE SET event = excluded.event"
        )
        self._delete = storage.statement("DELETE FROM ips_connect_handed_over WHERE subscription = ?")
        self._refused: str | None = None
        #: What is written down, once it was read; nobody else writes there.
        self._written: str | None = None
        self._is_read = False

    def begin(self, event: str) -> bool:
        """Write down that this change is handed over now. Whether it was before, and what became of it is unknown: a
        try that ended well, or in an answer that says nothing, is not forgotten."""
        if not self._is_read:
            with self._storage.reading() as connection:
                self._written = connection.scalar(sa.select(handed_over.c.event).where(self._own))
            self._is_read = True
        is_written = self._written == event
        was_refused, self._refused = event == self._refused, None
        if is_written:
            return not was_refused
        self._put.run((self._subscription, event))
        self._written = event
        return False

    def forget(self, event: str) -> None:
        """It was not made, for certain."""
        # Also where that cannot be written down now.
        self._refused = event
        self._delete.run((self._subscription,))
        self._written = None
